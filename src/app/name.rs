//! The register of names: each is held in our own database first, then gets its address from the plan of addresses, and
//! then both are told to the DNS.
//!
//! A reservation that broke off on its way is completed by whoever asks for it next. What is refused for good is given
//! back at once, so that nothing is held in halves.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ids::NameId;
use domain::name::{HeldName, NamingPolicy, is_numbered};
use domain::ports::dns::Dns;
use domain::ports::ipam::Ipam;
use domain::ports::names::{NameReservation, Names};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use store::{DbErr, Store};

use crate::fault;

#[cfg(test)]
mod tests;

/// So many names of a pattern may be in the DNS without our knowledge before somebody has to look.
const FOREIGN_NAMES: usize = 20;

/// The names of a site.
pub struct Register {
    pub store: Store,
    /// What it is called in our database, e.g. the site's name.
    pub name: String,
    pub policy: NamingPolicy,
    pub ipam: Arc<dyn Ipam>,
    /// Where names are told to everybody; none where the site has no DNS that takes changes.
    pub dns: Option<Arc<dyn Dns>>,
}

#[async_trait]
impl Names for Register {
    /// A name of a numbered pattern that is in the DNS without being ours is passed over.
    async fn reserve(&self, key: &str, pattern: &str) -> Result<NameReservation, ProviderError> {
        let mut foreign = BTreeSet::new();
        loop {
            let held = self.hold(key, pattern, &foreign).await?;
            let name = held.name.clone();
            match self.complete(held).await {
                Err(error) if is_foreign(&error) && is_numbered(pattern) && foreign.len() < FOREIGN_NAMES => {
                    foreign.insert(name);
                }
                outcome => return outcome,
            }
        }
    }

    async fn find(&self, key: &str) -> Result<Option<NameReservation>, ProviderError> {
        let held = store::name::find_by_key(&self.store, &self.name, key).await.map_err(fault::of_register)?;
        let Some(held) = held else { return Ok(None) };
        match self.complete(held).await {
            Ok(reservation) => Ok(Some(reservation)),
            Err(error) if error.kind == ProviderErrorKind::Transient => Err(error),
            // It could never become whole, and has been given back.
            Err(_) => Ok(None),
        }
    }

    async fn lookup(&self, name: &str) -> Result<Option<NameReservation>, ProviderError> {
        let found = store::name::find_by_fqdn(&self.store, &self.name, &self.policy.fqdn(name)).await;
        let complete = found.map_err(fault::of_register)?.filter(|held| held.is_complete);
        Ok(complete.and_then(|held| Some(reservation(&held, held.address?))))
    }

    async fn preview(&self, pattern: &str, count: usize) -> Result<Vec<String>, ProviderError> {
        let taken = store::name::taken(&self.store, &self.like(pattern)).await.map_err(fault::of_register)?;
        self.policy.free(pattern, &taken, count)
    }

    async fn release(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        // What is no id of ours was never given away.
        let Ok(id) = id.parse::<NameId>() else { return Ok(()) };
        let held = store::name::find(&self.store, &self.name, id).await.map_err(fault::of_register)?;
        let Some(held) = held else { return Ok(()) };
        if held.key != key {
            return Err(ProviderError::not_ours(
                format!("The name {} is held by another key than {key}.", held.fqdn),
                "Find out who holds it; nothing was given back.",
            ));
        }
        if let (Some(dns), Some(address)) = (&self.dns, held.address) {
            dns.withdraw(key, &held.fqdn, address).await?;
        }
        self.give_back(&held).await
    }
}

impl Register {
    /// What the key holds; if nothing, it now holds the first free name of the pattern.
    async fn hold(&self, key: &str, pattern: &str, foreign: &BTreeSet<String>) -> Result<HeldName, ProviderError> {
        let tx = self.store.begin_step().await.map_err(fault::of_register)?;
        store::name::alone(&tx).await.map_err(fault::of_register)?;
        if let Some(held) = store::name::find_by_key(&tx, &self.name, key).await.map_err(fault::of_register)? {
            return Ok(held);
        }
        let mut taken = store::name::taken(&tx, &self.like(pattern)).await.map_err(fault::of_register)?;
        taken.extend(foreign.iter().cloned());
        let name = self.policy.free(pattern, &taken, 1)?.remove(0);
        let fqdn = self.policy.fqdn(&name);
        let id = store::fresh_id();
        let held = HeldName { id, key: key.to_owned(), name, fqdn, address: None, is_complete: false };
        store::name::insert(&tx, &self.name, &held).await.map_err(fault::of_register)?;
        tx.commit().await.map_err(fault::of_register)?;
        Ok(held)
    }

    /// Does what is missing of a reservation. When that is refused for good, nothing of it is held any more.
    async fn complete(&self, held: HeldName) -> Result<NameReservation, ProviderError> {
        let outcome = self.equip(&held).await;
        if let Err(error) = &outcome
            && error.kind != ProviderErrorKind::Transient
        {
            self.give_back(&held).await?;
        }
        outcome.map(|address| reservation(&held, address))
    }

    /// The name's address, told to everybody.
    async fn equip(&self, held: &HeldName) -> Result<Ipv4Addr, ProviderError> {
        let address = match held.address {
            Some(address) if held.is_complete => return Ok(address),
            Some(address) => address,
            None => self.ipam.allocate(&held.key, &held.fqdn).await?,
        };
        if held.address.is_none() {
            self.note_address(held.id, address).await.map_err(fault::of_register)?;
        }
        if let Some(dns) = &self.dns {
            dns.publish(&held.key, &held.fqdn, address).await?;
        }
        self.note_complete(held.id).await.map_err(fault::of_register)?;
        Ok(address)
    }

    /// Frees the address first: as long as the name is held, the address is found again by its key.
    async fn give_back(&self, held: &HeldName) -> Result<(), ProviderError> {
        self.ipam.release(&held.key).await?;
        let removed = async {
            let tx = self.store.begin_step().await?;
            store::name::remove(&tx, held.id).await?;
            tx.commit().await
        };
        removed.await.map_err(fault::of_register)
    }

    async fn note_address(&self, id: NameId, address: Ipv4Addr) -> Result<(), DbErr> {
        let tx = self.store.begin_step().await?;
        store::name::set_address(&tx, id, address).await?;
        tx.commit().await
    }

    async fn note_complete(&self, id: NameId) -> Result<(), DbErr> {
        let tx = self.store.begin_step().await?;
        store::name::set_complete(&tx, id).await?;
        tx.commit().await
    }

    /// What the names of the pattern look like with their domain; in it `%` stands for anything.
    fn like(&self, pattern: &str) -> String {
        self.policy.fqdn(&pattern.replace("{n}", "%"))
    }
}

fn reservation(held: &HeldName, address: Ipv4Addr) -> NameReservation {
    NameReservation {
        id: held.id.to_string(),
        key: held.key.clone(),
        name: held.name.clone(),
        fqdn: held.fqdn.clone(),
        address: address.to_string(),
    }
}

fn is_foreign(error: &ProviderError) -> bool {
    error.kind == ProviderErrorKind::NotOurs
}
