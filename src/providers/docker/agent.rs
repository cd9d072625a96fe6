//! Starting the configuration agent on a machine that is a container: by an exec of the engine.

use async_trait::async_trait;
use bollard::exec::StartExecOptions;
use bollard::models::ExecConfig;
use domain::ports::nodes::RemoteAgent;
use domain::ports::provider_error::ProviderError;

use super::KEY;
use super::machines::{DockerMachines, FQDN, label};

/// One run of the agent. It waits for one that is under way, and takes no catalog but a new one.
const RUN: [&str; 10] = [
    "puppet",
    "agent",
    "--onetime",
    "--no-daemonize",
    "--no-usecacheonfailure",
    "--detailed-exitcodes",
    "--waitforlock",
    "5",
    "--maxwaitforlock",
    "600",
];

#[async_trait]
impl RemoteAgent for DockerMachines {
    async fn start(&self, certname: &str) -> Result<(), ProviderError> {
        let engine = self.client.meet().await?;
        let found = self.select(&engine, "label", &format!("{FQDN}={certname}")).await?;
        let machine = found.iter().find(|it| label(it, FQDN) == Some(certname) && label(it, KEY).is_some());
        let Some(id) = machine.and_then(|it| it.id.as_deref()) else {
            return Err(ProviderError::not_found(
                format!("No machine {certname} that Gatehouse made stands on the engine at {}.", engine.at),
                "See what became of it; order it anew, or retire its deployment.",
            ));
        };
        let doing = format!("Starting the agent on {certname}");
        let run = ExecConfig { cmd: Some(RUN.map(str::to_owned).to_vec()), ..ExecConfig::default() };
        let exec = engine.ask(&doing, engine.docker.create_exec(id, run)).await?;
        let detached = StartExecOptions { detach: true, ..StartExecOptions::default() };
        engine.ask(&doing, engine.docker.start_exec(&exec.id, Some(detached))).await.map(drop)
    }
}
