//! What the CMDB ought to hold of an object of the ledger: one object may be several CIs.

use serde_json::Value;

use super::record::{Draft, Record, Standing};
use crate::ci::{CiClass, Relation};
use crate::resource::ResourceState;

/// An object of the ledger, as far as its CIs depend on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub key: String,
    pub kind: String,
    pub native_id: Option<String>,
    pub attributes: Value,
    pub state: ResourceState,
    /// The site where it stands.
    pub site: String,
    /// The part of the world in which it would be missed; empty where nobody would.
    pub scope: String,
    /// Whether a run works on its deployment: what it tells is judged when the run is over.
    pub under_way: bool,
    /// The class of what runs on its machine by its order, where that is on record.
    pub software: Option<CiClass>,
}

/// Attributes that an order settles, of the machine and of the server that runs in it.
const MACHINE: &[&str] = &["fqdn", "address", "cpu", "memory_gb", "disk_gb", "image"];
const SERVER: &[&str] = &["fqdn", "address", "cpu", "memory_gb", "disk_gb"];
const POOL: &[&str] = &["url", "address", "port", "check"];
const SPACE: &[&str] = &["endpoint", "host_pool"];

/// What the CMDB ought to hold of an object, sorted by key; nothing of objects that are no CIs, such as names.
pub fn records(object: &Object) -> Vec<Record> {
    let part = |part: &str, class| object.draft(&format!("{}/{part}", object.key), class);
    match object.kind.as_str() {
        "machine" => {
            let machine = object.tell(part("machine", CiClass::VirtualMachine).at(&object.scope), MACHINE);
            let machine = object.place(machine);
            let server = object.tell(part("server", CiClass::Server), SERVER);
            vec![machine.finish(), object.link(server, Relation::Instantiates, "machine").finish()]
        }
        "pool" => {
            let pool = object.tell(part("pool", CiClass::LoadBalancerService), POOL);
            object.members().chain([pool.finish()]).collect()
        }
        "space" => vec![object.tell(part("space", CiClass::ContainerSpace), SPACE).finish()],
        "configuration" => object.software.map(|class| part("software", class).finish()).into_iter().collect(),
        "registration" => {
            let class = object.attributes["class"].as_str().and_then(CiClass::from_word);
            class.map(|class| part("ci", class).finish()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

impl Object {
    fn draft(&self, key: &str, class: CiClass) -> Draft {
        Record::of(key, class).standing(match self.state {
            _ if self.under_way => Standing::Due,
            ResourceState::Intended => Standing::Due,
            ResourceState::Live => Standing::Stands,
            ResourceState::Gone => Standing::Over,
        })
    }

    /// Whether what it tells of itself counts now.
    fn counts(&self) -> bool {
        self.state == ResourceState::Live && !self.under_way
    }

    fn tell(&self, draft: Draft, names: &[&str]) -> Draft {
        let told = names.iter().filter(|_| self.counts());
        told.fold(draft, |draft, name| draft.tell(name, self.attributes.get(*name).unwrap_or(&Value::Null)))
    }

    fn place(&self, draft: Draft) -> Draft {
        if !self.counts() {
            return draft;
        }
        let native_id = self.native_id.as_deref().map_or(Value::Null, Value::from);
        draft.tell("native_id", &native_id).tell("site", &Value::from(self.site.as_str()))
    }

    fn link(&self, draft: Draft, relation: Relation, part: &str) -> Draft {
        if self.counts() { draft.link(relation, &format!("{}/{part}", self.key)) } else { draft }
    }

    /// The members of a pool, each with the server that it stands or falls with.
    fn members(&self) -> impl Iterator<Item = Record> {
        let listed = self.attributes["members"].as_array().into_iter().flatten();
        let mut members: Vec<Record> = listed.filter_map(|member| self.member(member)).collect();
        members.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        members.dedup_by(|a, b| a.key() == b.key());
        members.into_iter()
    }

    fn member(&self, told: &Value) -> Option<Record> {
        let key = format!("{}/member/{}", self.key, told["name"].as_str()?);
        let member = self.draft(&key, CiClass::PoolMember);
        if !self.counts() {
            return Some(member.finish());
        }
        let member = self.link(member.tell("address", &told["address"]), Relation::MemberOf, "pool");
        let server = told["ci"].as_str();
        Some(server.into_iter().fold(member, |draft, ci| draft.link(Relation::DependsOn, ci)).finish())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, attributes: Value) -> Object {
        Object {
            key: "d/step".into(),
            kind: kind.into(),
            native_id: Some("vm-7".into()),
            attributes,
            state: ResourceState::Live,
            site: "berlin".into(),
            scope: "berlin".into(),
            under_way: false,
            software: None,
        }
    }

    #[test]
    fn a_machine_is_two_cis_and_only_the_machine_is_missed_where_its_site_is_looked_at() {
        let told = records(&object("machine", json!({ "cpu": 2, "image": "debian-12", "host": "esx-1" })));
        let keys: Vec<_> = told.iter().map(|it| (it.key(), it.class(), it.scope())).collect();
        let (machine, server) = (CiClass::VirtualMachine, CiClass::Server);
        assert_eq!(keys, [("d/step/machine", machine, "berlin"), ("d/step/server", server, "")]);
        assert_eq!((told[0].told("cpu"), told[0].told("host")), (Some("2"), None), "a host is no part of an order");
        assert_eq!(told[1].relations().collect::<Vec<_>>(), [("instantiates", "d/step/machine")]);
    }

    #[test]
    fn a_pool_is_its_service_with_each_member_in_the_order_of_their_keys() {
        let member = |name: &str| json!({ "name": name, "address": "10.0.0.7", "ci": format!("{name}/server") });
        let told = records(&object("pool", json!({ "port": 80, "members": [member("b"), member("a")] })));
        let keys: Vec<_> = told.iter().map(Record::key).collect();
        assert_eq!(keys, ["d/step/member/a", "d/step/member/b", "d/step/pool"]);
        let links: Vec<_> = told[0].relations().collect();
        assert_eq!(links, [("depends_on", "a/server"), ("member_of", "d/step/pool")]);
    }

    #[test]
    fn what_a_run_works_on_is_due_and_tells_nothing() {
        let worked_on = Object { under_way: true, ..object("machine", json!({ "cpu": 2 })) };
        let told = records(&worked_on);
        assert_eq!((told[0].standing(), told[0].told("cpu")), (Standing::Due, None));
        assert_eq!(records(&object("name", json!({}))), [], "a name is no CI");
    }
}
