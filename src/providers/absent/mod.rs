//! What a site does not have: every question is answered with what is missing there, and what to do about it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::first_boot::Enrolment;
use domain::ports::balancer::{Balancer, MemberOrder, Pool, PoolOrder};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfiguredNode};
use domain::ports::container_host::{ContainerHost, ContainerListing, EngineInfo};
use domain::ports::machines::{Machine, MachineOrder, Machines};
use domain::ports::names::{NameReservation, Names};
use domain::ports::probe::{Probe, ProbeAnswer};
use domain::ports::provider_error::ProviderError;
use domain::ports::spaces::{Space, SpaceOrder, SpaceQuota, Spaces};

/// A system that a site does not have.
#[derive(Clone, Debug)]
pub struct Absent {
    /// What it would be: `load balancer`.
    pub what: &'static str,
    /// The section of the settings that would name it: `haproxy`.
    pub section: &'static str,
    /// The site's name.
    pub site: String,
}

impl Absent {
    fn refusal<T>(&self) -> Result<T, ProviderError> {
        let Self { what, section, site } = self;
        Err(ProviderError::permanent(
            format!("The site `{site}` has no {what}."),
            format!(
                "Add `[sites.{site}.{section}]` to the settings and start Gatehouse anew; or order at another site."
            ),
        ))
    }
}

#[async_trait]
impl Machines for Absent {
    async fn create(&self, _key: &str, _order: &MachineOrder) -> Result<Machine, ProviderError> {
        self.refusal()
    }

    async fn find(&self, _key: &str) -> Result<Option<Machine>, ProviderError> {
        self.refusal()
    }

    async fn describe(&self, _id: &str) -> Result<Machine, ProviderError> {
        self.refusal()
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        self.refusal()
    }

    async fn destroy(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl Names for Absent {
    async fn reserve(&self, _key: &str, _pattern: &str) -> Result<NameReservation, ProviderError> {
        self.refusal()
    }

    async fn find(&self, _key: &str) -> Result<Option<NameReservation>, ProviderError> {
        self.refusal()
    }

    async fn lookup(&self, _name: &str) -> Result<Option<NameReservation>, ProviderError> {
        self.refusal()
    }

    async fn preview(&self, _pattern: &str, _count: usize) -> Result<Vec<String>, ProviderError> {
        self.refusal()
    }

    async fn release(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl Configuration for Absent {
    /// Where nothing configures machines they are built all the same, and enrol nowhere.
    async fn enrol(&self, _certname: &str) -> Result<Option<Enrolment>, ProviderError> {
        Ok(None)
    }

    async fn apply(&self, _key: &str, _order: &ConfigurationOrder) -> Result<ConfiguredNode, ProviderError> {
        self.refusal()
    }

    async fn find(&self, _key: &str) -> Result<Option<ConfiguredNode>, ProviderError> {
        self.refusal()
    }

    async fn purge(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl Balancer for Absent {
    async fn create(&self, _key: &str, _order: &PoolOrder) -> Result<Pool, ProviderError> {
        self.refusal()
    }

    async fn find(&self, _key: &str) -> Result<Option<Pool>, ProviderError> {
        self.refusal()
    }

    async fn describe(&self, _id: &str) -> Result<Pool, ProviderError> {
        self.refusal()
    }

    async fn set_members(&self, _id: &str, _key: &str, _members: &[MemberOrder]) -> Result<Pool, ProviderError> {
        self.refusal()
    }

    async fn delete(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl ContainerHost for Absent {
    async fn engine(&self, _fqdn: &str) -> Result<EngineInfo, ProviderError> {
        self.refusal()
    }

    async fn containers(&self, _fqdn: &str) -> Result<ContainerListing, ProviderError> {
        self.refusal()
    }

    async fn changed(&self, _fqdn: &str, _since: DateTime<Utc>) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl Spaces for Absent {
    async fn create(&self, _key: &str, _order: &SpaceOrder) -> Result<Space, ProviderError> {
        self.refusal()
    }

    async fn find(&self, _key: &str) -> Result<Option<Space>, ProviderError> {
        self.refusal()
    }

    async fn set_quota(&self, _id: &str, _key: &str, _quota: SpaceQuota) -> Result<Space, ProviderError> {
        self.refusal()
    }

    async fn delete(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.refusal()
    }
}

#[async_trait]
impl Probe for Absent {
    async fn get(&self, _url: &str) -> Result<ProbeAnswer, ProviderError> {
        self.refusal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_absent_says_what_is_missing_and_machines_are_built_without_it() {
        let absent = Absent { what: "load balancer", section: "haproxy", site: "dc1".to_owned() };
        let error = Balancer::find(&absent, "key").await.expect_err("there is none");
        assert_eq!(error.what, "The site `dc1` has no load balancer.");
        assert!(error.next.starts_with("Add `[sites.dc1.haproxy]` to the settings"), "{error}");
        assert_eq!(absent.enrol("shop-1.example.org").await, Ok(None));
    }
}
