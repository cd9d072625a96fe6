//! Every verb that a blueprint may use.

use std::sync::Arc;

use domain::action::Signature;
use domain::ports::balancer::Balancer;
use domain::ports::cmdb::Cmdb;
use domain::ports::configuration::Configuration;
use domain::ports::container_host::ContainerHost;
use domain::ports::machines::Machines;
use domain::ports::names::Names;
use domain::ports::probe::Probe;
use domain::ports::secrets::Secrets;
use domain::ports::spaces::Spaces;
use engine::Action;

use crate::typed::{Typed, Verb};
use crate::{balancer, cmdb, docker, http, human, machine, naming, notify, puppet, secret, space, wait};

/// The outside systems that actions work on.
#[derive(Clone)]
pub struct Systems {
    pub names: Arc<dyn Names>,
    pub machines: Arc<dyn Machines>,
    pub configuration: Arc<dyn Configuration>,
    pub balancer: Arc<dyn Balancer>,
    pub container_hosts: Arc<dyn ContainerHost>,
    pub spaces: Arc<dyn Spaces>,
    pub probe: Arc<dyn Probe>,
    /// The CMDBs that have to acknowledge a deployment's CIs.
    pub cmdbs: Vec<Arc<dyn Cmdb>>,
    /// Where secrets lie sealed.
    pub secrets: Arc<dyn Secrets>,
}

impl Systems {
    /// One system that is everything, with the CMDBs and the safe.
    pub fn one<S>(system: Arc<S>, cmdbs: Vec<Arc<dyn Cmdb>>, secrets: Arc<dyn Secrets>) -> Self
    where
        S: Names + Machines + Configuration + Balancer + ContainerHost + Spaces + Probe + 'static,
    {
        Self {
            names: system.clone(),
            machines: system.clone(),
            configuration: system.clone(),
            balancer: system.clone(),
            container_hosts: system.clone(),
            spaces: system.clone(),
            probe: system,
            cmdbs,
            secrets,
        }
    }
}

/// All actions, working on these systems.
pub fn all(systems: &Systems) -> Vec<Arc<dyn Action>> {
    let Systems { names, machines, configuration, balancer, container_hosts, spaces, probe, cmdbs, secrets } =
        systems.clone();
    vec![
        Arc::new(Typed(naming::Reserve { names: Arc::clone(&names) })),
        Arc::new(Typed(machine::Create { machines, names, configuration: Arc::clone(&configuration) })),
        Arc::new(Typed(secret::Generate { secrets: Arc::clone(&secrets) })),
        Arc::new(Typed(secret::Renew { secrets })),
        Arc::new(Typed(puppet::Apply { configuration: Arc::clone(&configuration) })),
        Arc::new(Typed(puppet::Change { configuration })),
        Arc::new(Typed(balancer::CreatePool { balancer: Arc::clone(&balancer) })),
        Arc::new(Typed(balancer::SetMembers { balancer: Arc::clone(&balancer) })),
        Arc::new(Typed(balancer::Drain { balancer: Arc::clone(&balancer) })),
        Arc::new(Typed(balancer::Serve { balancer })),
        Arc::new(Typed(http::Check { probe: Arc::clone(&probe) })),
        Arc::new(Typed(docker::Engine { hosts: container_hosts })),
        Arc::new(Typed(space::Create { spaces: Arc::clone(&spaces) })),
        Arc::new(Typed(space::SetQuota { spaces })),
        Arc::new(Typed(cmdb::Register)),
        Arc::new(Typed(cmdb::Confirm { cmdbs })),
        Arc::new(Typed(notify::Send)),
        Arc::new(Typed(human::Task)),
        Arc::new(Typed(wait::Until)),
        Arc::new(Typed(wait::Poll { probe })),
    ]
}

/// What all actions are called, take and return: what a blueprint is checked against, without any system at hand.
pub fn signatures() -> Vec<Signature> {
    vec![
        naming::Reserve::signature(),
        machine::Create::signature(),
        secret::Generate::signature(),
        secret::Renew::signature(),
        puppet::Apply::signature(),
        puppet::Change::signature(),
        balancer::CreatePool::signature(),
        balancer::SetMembers::signature(),
        balancer::Drain::signature(),
        balancer::Serve::signature(),
        http::Check::signature(),
        docker::Engine::signature(),
        space::Create::signature(),
        space::SetQuota::signature(),
        cmdb::Register::signature(),
        cmdb::Confirm::signature(),
        notify::Send::signature(),
        human::Task::signature(),
        wait::Until::signature(),
        wait::Poll::signature(),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use domain::blueprint::Blueprint;

    #[test]
    fn every_blueprint_of_the_house_fits_the_actions() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows");
        let mut checked = 0;
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            let text = fs::read_to_string(&path).expect("it can be read");
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Err(mistakes) = Blueprint::parse_checked(&file, &text, &super::signatures()) {
                let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                panic!("{}", told.join("\n"));
            }
            checked += 1;
        }
        assert_eq!(checked, 5);
    }
}
