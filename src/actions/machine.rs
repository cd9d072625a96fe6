//! Machines: cloned from an image, described in the CMDB as the machine and the server that runs in it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass, Relation};
use domain::first_boot::FirstBoot;
use domain::ports::configuration::Configuration;
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::names::{NameReservation, Names};
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::typed::{Verb, ci_key, done, live, object, one_intent, seen, soon, told, undone};

const PROVIDER: &str = "machines";
const MACHINE_CI: &str = "machine";
const SERVER_CI: &str = "server";

/// `machine.create`
pub(crate) struct Create {
    pub machines: Arc<dyn Machines>,
    /// Says which address the machine's name stands for.
    pub names: Arc<dyn Names>,
    /// Says how the machine's agent enrols when it boots for the first time.
    pub configuration: Arc<dyn Configuration>,
}

/// How large the machine is: an entry of the blueprint's `sizes`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Size {
    /// The size's name, `small`.
    #[serde(default)]
    name: Option<String>,
    /// Virtual processors.
    #[schemars(range(min = 1, max = 128))]
    cpu: u32,
    /// Memory in GB.
    #[schemars(range(min = 1, max = 4096))]
    memory_gb: u32,
    /// Disk in GB.
    #[schemars(range(min = 1, max = 65536))]
    disk_gb: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    /// The host name, as `naming.reserve` returned it.
    name: String,
    /// How large it is.
    size: Size,
    /// The image it is cloned from, `debian-12`.
    image: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CreateOutput {
    /// The machine's id on the platform.
    id: String,
    name: String,
    fqdn: String,
    /// IPv4 address.
    address: String,
    cpu: u32,
    memory_gb: u32,
    disk_gb: u32,
    /// The host on which it stands.
    host: String,
    /// Key of the server's CI, for what will run on it.
    ci: String,
}

#[async_trait]
impl Verb for Create {
    type Input = CreateInput;
    type Output = CreateOutput;

    const NAME: &'static str = "machine.create";
    const TITLE: &'static str = "Create machine";
    const UNDO_TITLE: &'static str = "Remove machine";
    const SUMMARY: &'static str = "Clones a machine from an image and waits until it runs.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &CreateInput) -> Vec<Intent> {
        one_intent(work, "machine", PROVIDER, &input.name)
    }

    async fn run(&self, work: &Work, input: CreateInput) -> Result<Outcome, ActionError> {
        let machine = match self.machines.find(&work.key).await.map_err(told)? {
            Some(machine) if machine.state != MachineState::Stopped => machine,
            found => self.make(work, &input, found.is_some()).await?,
        };
        if machine.state == MachineState::Building {
            let why = format!("{} is being cloned on {}", machine.name, machine.host);
            return Ok(Outcome::Wait { until: machine.ready_at, remember: seen(&machine.id), why });
        }
        work.say(format!("{} runs at {}.", machine.name, machine.address));
        let attributes = json!({
            "fqdn": machine.fqdn, "address": machine.address, "cpu": machine.cpu, "memory_gb": machine.memory_gb,
            "disk_gb": machine.disk_gb, "image": machine.image, "host": machine.host, "datastore": machine.datastore,
        });
        let cis = described(work, &machine, input.size.name.as_deref());
        done(&output(work, &machine), live(work, &machine.id, attributes), cis)
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        if let Some(machine) = self.machines.find(&work.key).await.map_err(told)? {
            work.say(format!("Destroying {} on {}.", machine.name, machine.host));
            self.machines.destroy(&machine.id, &work.key).await.map_err(told)?;
        } else if let Some(row) = work.ledger.iter().find(|row| row.key == work.key)
            && self.machines.is_coming(&work.key, &row.name).await.map_err(told)?
        {
            let why = format!("{} is still being made, and is destroyed as soon as it stands", row.name);
            return Ok(Outcome::Wait { until: soon(work), remember: Value::Null, why });
        }
        Ok(undone(work, &[SERVER_CI, MACHINE_CI]))
    }
}

impl Create {
    /// Has the machine built; one that `stands` already, made in part by an attempt before, is built to its end.
    async fn make(&self, work: &Work, input: &CreateInput, stands: bool) -> Result<Machine, ActionError> {
        // A machine that was waited for and is no longer there was lost; a new one under the same key takes its place.
        if !stands && work.remembered.as_ref().is_some_and(|before| !before.is_null()) {
            work.say(format!("{} vanished while it was being built; building it again.", input.name));
        }
        let named = self.names.lookup(&input.name).await.map_err(told)?.ok_or_else(|| unnamed(&input.name))?;
        let agent = self.configuration.enrol(&named.fqdn).await.map_err(told)?;
        let order = MachineOrder {
            name: input.name.clone(),
            address: address(&named)?,
            image: input.image.clone(),
            cpu: input.size.cpu,
            memory_gb: input.size.memory_gb,
            disk_gb: input.size.disk_gb,
            first_boot: FirstBoot { fqdn: named.fqdn.clone(), agent },
            fqdn: named.fqdn,
        };
        let machine = self.machines.create(&work.key, &order).await.map_err(told)?;
        work.say(format!("Cloning {} to {} on {}.", machine.image, machine.name, machine.host));
        Ok(machine)
    }
}

fn unnamed(name: &str) -> ActionError {
    ActionError::permanent(
        format!("The name {name} is not reserved, so nobody knows which address the machine shall have."),
        "Let a step `naming.reserve` reserve the name before, then order again.",
    )
}

fn address(named: &NameReservation) -> Result<Ipv4Addr, ActionError> {
    named.address.parse().map_err(|_| {
        ActionError::permanent(
            format!("{} stands for `{}`, which is no IPv4 address.", named.fqdn, named.address),
            "Correct the register of names, then retry the step.",
        )
    })
}

fn output(work: &Work, machine: &Machine) -> CreateOutput {
    CreateOutput {
        id: machine.id.clone(),
        name: machine.name.clone(),
        fqdn: machine.fqdn.clone(),
        address: machine.address.clone(),
        cpu: machine.cpu,
        memory_gb: machine.memory_gb,
        disk_gb: machine.disk_gb,
        host: machine.host.clone(),
        ci: ci_key(work, SERVER_CI),
    }
}

/// The machine on its platform, and the server that people log in to.
fn described(work: &Work, machine: &Machine, size: Option<&str>) -> Vec<CiChange> {
    let (machine_key, server_key) = (ci_key(work, MACHINE_CI), ci_key(work, SERVER_CI));
    let common = json!({
        "fqdn": machine.fqdn, "address": machine.address,
        "cpu": machine.cpu, "memory_gb": machine.memory_gb, "disk_gb": machine.disk_gb,
    });
    let mut of_machine = object(common.clone());
    of_machine.extend(object(json!({
        "image": machine.image, "size": size, "native_id": machine.id, "site": work.site,
        "host": machine.host, "cluster": machine.cluster, "datastore": machine.datastore,
    })));
    let mut of_server = object(common);
    of_server.extend(object(json!({ "operating_system": machine.image })));
    vec![
        CiChange::Declare {
            key: machine_key.clone(),
            class: CiClass::VirtualMachine,
            name: machine.name.clone(),
            attributes: of_machine,
        },
        CiChange::Declare {
            key: server_key.clone(),
            class: CiClass::Server,
            name: machine.fqdn.clone(),
            attributes: of_server,
        },
        CiChange::Relate { from: server_key, relation: Relation::Instantiates, to: machine_key },
    ]
}
