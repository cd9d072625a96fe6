//! One batch on its way: what stands already is told from what is new and what differs, and only that is written.

use std::collections::HashMap;

use domain::ports::cmdb_connector::{Delivered, Outcome, Parcel, Setback};
use domain::ports::provider_error::ProviderError;
use serde_json::{Value, json};

use super::address::Addressed;
use super::api::{Api, Row, Written};
use super::shape::{MACHINES, Machine, SERVICES, Service, Shape};

/// A batch that is under way.
pub(super) struct Delivery<'a> {
    pub(super) api: &'a Api,
    pub(super) namespace: &'a str,
    outcomes: Vec<(String, Outcome)>,
}

/// A machine of the batch, with what they hold of it.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a str,
    pub(super) machine: Machine,
    /// Their id, once it is there.
    pub(super) id: Option<String>,
    held: Option<Machine>,
}

impl Wanted<'_> {
    /// Whether nothing of it stood there when the batch came.
    pub(super) fn is_new(&self) -> bool {
        self.held.is_none()
    }

    /// Whether it has another address than it shall have.
    pub(super) fn moves(&self) -> bool {
        self.held.as_ref().and_then(|held| held.address.as_ref()) != self.machine.address.as_ref()
    }
}

impl<'a> Delivery<'a> {
    pub(super) fn new(api: &'a Api, namespace: &'a str) -> Self {
        Self { api, namespace, outcomes: Vec::new() }
    }

    pub(super) async fn run(mut self, batch: &'a [Parcel]) -> Delivered {
        let broken = self.carry(batch).await.err();
        Delivered { outcomes: self.outcomes, broken }
    }

    async fn carry(&mut self, batch: &'a [Parcel]) -> Result<(), Setback> {
        let (mut machines, mut services) = (Vec::new(), Vec::new());
        for parcel in batch {
            match serde_json::from_value(parcel.payload.clone()) {
                Ok(Shape::VirtualMachine(machine)) => machines.push((parcel.key.as_str(), machine)),
                Ok(Shape::Service(service)) => services.push((parcel.key.as_str(), service)),
                Err(cause) => {
                    let what = format!("What is sent is no record of Nautobot's: {cause}.");
                    let error = ProviderError::permanent(what, "Have it sent again.");
                    self.failed(&parcel.key, Setback::new("not_rendered", error));
                }
            }
        }
        self.machines(machines).await?;
        self.services(services).await
    }

    async fn machines(&mut self, machines: Vec<(&'a str, Machine)>) -> Result<(), Setback> {
        let keys: Vec<&str> = machines.iter().map(|(key, _)| *key).collect();
        let mut known = self.api.bearing(MACHINES, &keys).await?;
        let mut wanted = Vec::new();
        for (key, machine) in machines {
            let Some(row) = self.one(key, known.remove(key).unwrap_or_default()) else { continue };
            let held = row.as_ref().map(Machine::held);
            let id = row.map(|row| row.id);
            if held.as_ref() == Some(&machine) {
                self.outcomes.push((key.to_owned(), Outcome::Unchanged { native_id: id }));
            } else {
                wanted.push(Wanted { key, machine, id, held });
            }
        }
        // An address that can't be had is told before anything is written of its machine.
        let wanted = self.reserve(wanted).await?;
        let wanted = self.write_machines(wanted).await?;
        for (key, id) in self.attach(wanted).await? {
            self.outcomes.push((key.to_owned(), Outcome::Written { native_id: Some(id) }));
        }
        Ok(())
    }

    /// Everything of machines but their addresses; an address that goes is let go of here.
    async fn write_machines(&mut self, wanted: Vec<Addressed<'a>>) -> Result<Vec<Addressed<'a>>, Setback> {
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for one in wanted {
            let mut body = one.wanted.machine.body(one.wanted.key);
            match one.wanted.id.clone() {
                Some(id) => {
                    body["id"] = json!(id);
                    if one.wanted.moves() {
                        body["primary_ip4"] = Value::Null;
                    }
                    changed.push((one, body));
                }
                None => new.push((one, body)),
            }
        }
        let made = self.api.create(MACHINES, new).await?;
        let made = self.taken(made, |one| one.wanted.key);
        let changed = self.api.update(MACHINES, changed).await?;
        let changed = self.taken(changed, |one| one.wanted.key);
        let all = made.into_iter().chain(changed).map(|(mut one, row)| {
            one.wanted.id = Some(row.id);
            one
        });
        Ok(all.collect())
    }

    async fn services(&mut self, services: Vec<(&'a str, Service)>) -> Result<(), Setback> {
        let keys: Vec<&str> = services.iter().map(|(key, _)| *key).collect();
        let mut known = self.api.bearing(SERVICES, &keys).await?;
        let hosts: Vec<&str> = services.iter().map(|(_, service)| service.virtual_machine.as_str()).collect();
        let hosts = self.api.bearing(MACHINES, &hosts).await?;
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for (key, service) in &services {
            let Some(row) = self.one(key, known.remove(*key).unwrap_or_default()) else { continue };
            let Some(machine) = self.host(key, service, &hosts) else { continue };
            let mut body = service.body(key, machine);
            match row {
                Some(row) if self.stands(service, &row, machine) => {
                    self.outcomes.push(((*key).to_owned(), Outcome::Unchanged { native_id: Some(row.id) }));
                }
                Some(row) => {
                    body["id"] = json!(row.id);
                    changed.push((*key, body));
                }
                None => new.push((*key, body)),
            }
        }
        let made = self.api.create(SERVICES, new).await?;
        let made = self.taken(made, |key| key);
        let changed = self.api.update(SERVICES, changed).await?;
        let changed = self.taken(changed, |key| key);
        for (key, row) in made.into_iter().chain(changed) {
            self.outcomes.push((key.to_owned(), Outcome::Written { native_id: Some(row.id) }));
        }
        Ok(())
    }

    fn stands(&self, service: &Service, row: &Row, machine: &str) -> bool {
        Service::held(row) == *service && row.of("virtual_machine", "id") == Some(machine)
    }

    /// Their id of the machine that the service stands on.
    fn host<'h>(&mut self, key: &str, service: &Service, hosts: &'h HashMap<String, Vec<Row>>) -> Option<&'h str> {
        if let Some([host]) = hosts.get(&service.virtual_machine).map(Vec::as_slice) {
            return Some(&host.id);
        }
        let what = format!("Nautobot does not hold its machine, {}.", service.virtual_machine);
        let error = ProviderError::transient(what, "It is sent again when the machine is likely to be there.");
        self.failed(key, Setback::new("no_machine", error));
        None
    }

    /// The row that bears the key, or none yet; of two nobody knows which is meant.
    fn one(&mut self, key: &str, mut rows: Vec<Row>) -> Option<Option<Row>> {
        if rows.len() < 2 {
            return Some(rows.pop());
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let what = format!("Nautobot holds {} records with the key {key}: {}.", rows.len(), ids.join(", "));
        let error = ProviderError::refused(what, "Remove all but one over there, then have it sent again.");
        self.failed(key, Setback::new("duplicate", error));
        None
    }

    /// What was taken; what was not is told.
    pub(super) fn taken<T>(&mut self, written: Written<T>, key: impl Fn(&T) -> &str) -> Vec<(T, Row)> {
        for (of, setback) in written.failed {
            self.failed(key(&of), setback);
        }
        written.done
    }

    pub(super) fn failed(&mut self, key: &str, setback: Setback) {
        self.outcomes.push((key.to_owned(), Outcome::Failed(setback)));
    }
}
