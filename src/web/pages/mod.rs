//! Pages for people, one folder or file a noun.

mod session;

use actix_web::web::ServiceConfig;

/// Every page's routes; each noun brings its own.
pub fn configure(service: &mut ServiceConfig) {
    service.configure(session::configure);
}
