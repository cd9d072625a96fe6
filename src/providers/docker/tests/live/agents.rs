//! Agents on the lab's machines.

use domain::ports::machines::Machines;
use domain::ports::nodes::RemoteAgent;

use super::{address, docker, machines, order, over_socket, unique, until};

#[tokio::test]
async fn an_agent_runs_on_the_machine_of_its_name() {
    let (machines, name) = (machines(over_socket()), unique("agent"));
    let machine = machines.create(&name, &order(&name, address(30))).await.expect("it is made");
    machines.start(&machine.fqdn).await.expect("the agent is started");
    until("the agent runs", || docker(&["top", &name]).ok().filter(|told| told.contains("puppet agent"))).await;
    machines.destroy(&machine.id, &name).await.expect("it is destroyed");
}
