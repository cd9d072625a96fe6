//! The CMDB: the list of CIs, and the page of one.

mod index;
mod show;

use actix_web::web::{ServiceConfig, get, resource};
use domain::ci::CiClass;
pub(crate) use show::instant;

/// The routes of the CMDB.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/cmdb").route(get().to(index::index)))
        .service(resource("/cmdb/export.csv").route(get().to(index::csv)))
        .service(resource("/cmdb/{id}").route(get().to(show::show)));
}

/// The icon of a class.
fn icon(class: CiClass) -> &'static str {
    match class {
        CiClass::BusinessApplication | CiClass::ApplicationService => "application",
        CiClass::Server => "host",
        CiClass::VirtualMachine => "machine",
        CiClass::LoadBalancerService | CiClass::PoolMember => "balancer",
        CiClass::ApplicationServer => "service",
        CiClass::Database => "database",
        CiClass::ContainerEngine => "docker",
        CiClass::ContainerSpace => "space",
        CiClass::Workload => "container",
        CiClass::Image => "image",
        CiClass::Cluster => "cluster",
    }
}
