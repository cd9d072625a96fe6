//! Pages for people, one folder or file a noun.

use actix_web::web::ServiceConfig;

/// Every page's routes; each noun brings its own.
pub fn configure(_service: &mut ServiceConfig) {}
