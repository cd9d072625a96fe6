//! The address of a machine: a row in the plan of addresses, tied to an interface of the machine, and its first one.

use std::collections::HashMap;

use domain::ports::cmdb_connector::Setback;
use domain::ports::provider_error::ProviderError;
use serde_json::json;

use super::KEY;
use super::api::Row;
use super::deliver::{Delivery, Wanted};

const ADDRESSES: &str = "ipam/ip-addresses/";
const INTERFACES: &str = "virtualization/interfaces/";
const TIES: &str = "ipam/ip-address-to-interface/";
/// What we call the interface that bears the address.
const INTERFACE: &str = "primary";

/// A machine with their id of the address that it is to get.
pub(super) struct Addressed<'a> {
    pub(super) wanted: Wanted<'a>,
    address: Option<String>,
}

impl<'a> Delivery<'a> {
    /// Finds or makes the rows of addresses. One that bears no key of ours is somebody else's, and is left alone.
    pub(super) async fn reserve(&mut self, wanted: Vec<Wanted<'a>>) -> Result<Vec<Addressed<'a>>, Setback> {
        let (moving, staying): (Vec<Wanted<'a>>, Vec<Wanted<'a>>) =
            wanted.into_iter().partition(|one| one.machine.address.is_some() && one.moves());
        let addresses: Vec<&str> = moving.iter().filter_map(|one| one.machine.address.as_deref()).collect();
        let known = self.addresses(&addresses).await?;
        let (mut found, mut new) = (Vec::new(), Vec::new());
        for one in moving {
            let Some(address) = one.machine.address.clone() else { continue };
            match known.get(&address) {
                Some(row) if row.key().is_some() => {
                    found.push(Addressed { wanted: one, address: Some(row.id.clone()) })
                }
                Some(_) => self.failed(one.key, foreign(&address)),
                None => {
                    let body = json!({
                        "address": format!("{address}/32"),
                        "namespace": { "name": self.namespace },
                        "status": { "name": "Active" },
                        "custom_fields": { KEY: one.key },
                    });
                    new.push((one, body));
                }
            }
        }
        let made = self.api.create(ADDRESSES, new).await?;
        let made = self.taken(made, |one| one.key);
        found.extend(made.into_iter().map(|(wanted, row)| Addressed { wanted, address: Some(row.id) }));
        found.extend(staying.into_iter().map(|wanted| Addressed { wanted, address: None }));
        Ok(found)
    }

    /// The rows of these addresses, by address.
    async fn addresses(&self, addresses: &[&str]) -> Result<HashMap<String, Row>, Setback> {
        // An address stands once in a namespace.
        let here = [("namespace", self.namespace)];
        let rows = self.api.any(ADDRESSES, &here, ("address", addresses)).await?;
        let by_address = |row: Row| Some((row.fields.get("host")?.as_str()?.to_owned(), row));
        Ok(rows.into_iter().filter_map(by_address).collect())
    }

    /// Ties machines to their addresses; answers their keys and ids.
    pub(super) async fn attach(&mut self, wanted: Vec<Addressed<'a>>) -> Result<Vec<(&'a str, String)>, Setback> {
        let (moving, ready): (Vec<Addressed<'a>>, Vec<Addressed<'a>>) =
            wanted.into_iter().partition(|one| one.wanted.moves());
        let mut done: Vec<(&str, String)> = ready.into_iter().filter_map(named).collect();
        let with_interface = self.interfaces(moving).await?;
        let tied = self.tie(with_interface).await?;
        let (first, none): (Vec<_>, Vec<_>) = tied.into_iter().partition(|one| one.address.is_some());
        done.extend(none.into_iter().filter_map(named));
        let bodies = first.into_iter().map(|one| {
            let body = json!({ "id": one.wanted.id, "primary_ip4": one.address });
            (one, body)
        });
        let written = self.api.update(super::MACHINES, bodies.collect()).await?;
        let written = self.taken(written, |one| one.wanted.key);
        done.extend(written.into_iter().filter_map(|(one, _)| named(one)));
        Ok(done)
    }

    /// Finds or makes the interfaces; each machine with their id of it.
    async fn interfaces(&mut self, moving: Vec<Addressed<'a>>) -> Result<Vec<(Addressed<'a>, String)>, Setback> {
        let keys: Vec<&str> = moving.iter().filter(|one| !one.wanted.is_new()).map(|one| one.wanted.key).collect();
        let known = self.api.bearing(INTERFACES, &keys).await?;
        let (mut found, mut new) = (Vec::new(), Vec::new());
        for one in moving {
            let rows = known.get(one.wanted.key).map(Vec::as_slice).unwrap_or_default();
            let own = rows.iter().find(|row| row.of("virtual_machine", "id") == one.wanted.id.as_deref());
            let body = json!({
                "name": INTERFACE,
                "status": { "name": "Active" },
                "virtual_machine": one.wanted.id,
                "custom_fields": { KEY: one.wanted.key },
            });
            match own {
                Some(row) => found.push((one, row.id.clone())),
                None => new.push((one, body)),
            }
        }
        let made = self.api.create(INTERFACES, new).await?;
        let made = self.taken(made, |one| one.wanted.key);
        found.extend(made.into_iter().map(|(one, row)| (one, row.id)));
        Ok(found)
    }

    /// Unties the interfaces from other addresses, and ties them to theirs.
    async fn tie(&mut self, moving: Vec<(Addressed<'a>, String)>) -> Result<Vec<Addressed<'a>>, Setback> {
        let old = moving.iter().filter(|(one, _)| !one.wanted.is_new());
        let interfaces: Vec<&str> = old.map(|(_, interface)| interface.as_str()).collect();
        let rows = self.api.any(TIES, &[], ("vm_interface", &interfaces)).await?;
        let (mut stale, mut tied, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for (one, interface) in moving {
            let of = rows.iter().filter(|row| row.of("vm_interface", "id") == Some(interface.as_str()));
            let (good, bad): (Vec<&Row>, Vec<&Row>) =
                of.partition(|row| row.of("ip_address", "id") == one.address.as_deref());
            stale.extend(bad.into_iter().map(|row| row.id.clone()));
            match &one.address {
                Some(address) if good.is_empty() => {
                    let body = json!({ "ip_address": address, "vm_interface": interface });
                    new.push((one, body));
                }
                _ => tied.push(one),
            }
        }
        self.api.remove(TIES, stale).await?;
        let made = self.api.create(TIES, new).await?;
        let made = self.taken(made, |one| one.wanted.key);
        tied.extend(made.into_iter().map(|(one, _)| one));
        Ok(tied)
    }
}

fn named(one: Addressed<'_>) -> Option<(&str, String)> {
    Some((one.wanted.key, one.wanted.id?))
}

fn foreign(address: &str) -> Setback {
    let what = format!("Nautobot holds the address {address} already, and not for Gatehouse.");
    let next = "Find out over there whose it is; have that record removed, or its custom field gatehouse_key filled.";
    Setback::new("foreign_address", ProviderError::refused(what, next))
}
