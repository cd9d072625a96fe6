//! The ledger, what sources saw, and the CMDB, each a page at a time in the order of the keys, byte by byte.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ci::{Ci, CiClass, Relation};
use domain::deployment::DeploymentState;
use domain::ids::CiId;
use domain::resource::ResourceState;
use sea_orm::{DbErr, FromQueryResult};
use serde_json::Value;
use uuid::Uuid;

use crate::Reads;
use crate::ci::row::{self, ci};
use crate::sql::{Sql, bytewise};

/// An object's key with a slash behind it: sorted by that, its CIs come in the order of theirs.
const PATH: &str = "(r.key || '/')";
/// Kinds of objects that may be CIs. Sample data stands nowhere.
const DESCRIBED: &str =
    "r.kind IN ('machine', 'pool', 'space', 'configuration', 'registration') AND r.provider <> 'sample'";

/// How a machine of the ledger was last seen at its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Whether it was not there.
    pub absent: bool,
    /// Since when it is so.
    pub seen_from: DateTime<Utc>,
}

/// An object of the ledger.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    pub key: String,
    pub kind: String,
    pub native_id: Option<String>,
    pub attributes: Value,
    pub state: ResourceState,
    pub live_at: Option<DateTime<Utc>>,
    pub site: String,
    /// Whether a run works on its deployment.
    pub under_way: bool,
    pub glimpse: Option<Glimpse>,
    /// The class of its CI `software`, where it has one.
    pub software: Option<CiClass>,
}

#[derive(FromQueryResult)]
struct ObjectRow {
    key: String,
    kind: String,
    native_id: Option<String>,
    attributes: Value,
    state: String,
    live_at: Option<DateTime<Utc>>,
    site: String,
    deployment_state: String,
    absent: Option<bool>,
    seen_from: Option<DateTime<Utc>>,
    software: Option<String>,
}

/// The objects behind this key. Of those that are gone, the ones that somebody may still miss: with a CI of their deployment
/// that is not retired, and no younger object under the same key.
pub async fn ledger(on: &impl Reads, after: Option<&str>, limit: usize) -> Result<Vec<LedgerRow>, DbErr> {
    let mut sql = Sql::default();
    let (path, after) = (bytewise(on, PATH), sql.path(on, after));
    let other = bytewise(on, "(o.key || '/')");
    sql.text = format!(
        "SELECT r.key, r.kind, r.native_id, r.attributes, r.state, r.live_at, d.site, d.state AS deployment_state, \
         s.absent, s.seen_from, c.class AS software FROM resource r JOIN deployment d ON d.id = r.deployment_id \
         LEFT JOIN sighting s ON s.resource_id = r.id \
         LEFT JOIN ci c ON r.kind = 'configuration' AND c.key = r.key || '/software' \
         WHERE {after}{DESCRIBED} AND (r.state <> 'gone' OR (EXISTS (SELECT 1 FROM ci w \
         WHERE w.deployment_id = r.deployment_id AND w.retired_at IS NULL) AND NOT EXISTS (SELECT 1 FROM resource o \
         WHERE {other} = {path} AND o.id <> r.id AND (o.state <> 'gone' OR o.id > r.id)))) ORDER BY {path} LIMIT {limit}"
    );
    let object = |row: ObjectRow| {
        let unknown = || DbErr::Type(format!("the object `{}` is in no known state: `{}`", row.key, row.state));
        Ok(LedgerRow {
            state: ResourceState::from_word(&row.state).ok_or_else(unknown)?,
            software: row.software.as_deref().map(row::class_of).transpose()?,
            glimpse: glimpse(row.absent, row.seen_from),
            under_way: under_way(&row.deployment_state),
            key: row.key,
            kind: row.kind,
            native_id: row.native_id,
            attributes: row.attributes,
            live_at: row.live_at,
            site: row.site,
        })
    };
    sql.all(on).await?.into_iter().map(object).collect()
}

/// A machine that stood at its site when that was last looked at.
#[derive(Clone, Debug)]
pub struct MachineRow {
    /// The key of its object.
    pub key: String,
    pub site: String,
    pub under_way: bool,
    pub host: String,
    pub cpu: i32,
    pub memory_gb: i32,
}

/// The ledger's machines behind this key that stood at their sites.
pub async fn machines(on: &impl Reads, after: Option<&str>, limit: usize) -> Result<Vec<MachineRow>, DbErr> {
    #[derive(FromQueryResult)]
    struct SeenRow {
        key: String,
        site: String,
        state: String,
        host: String,
        cpu: i32,
        memory_gb: i32,
    }
    let mut sql = Sql::default();
    let (path, after) = (bytewise(on, PATH), sql.path(on, after));
    sql.text = format!(
        "SELECT r.key, d.site, d.state, s.host, s.cpu, s.memory_gb FROM resource r \
         JOIN deployment d ON d.id = r.deployment_id JOIN sighting s ON s.resource_id = r.id \
         WHERE {after}r.kind = 'machine' AND r.state = 'live' AND r.provider = 'machines' AND NOT s.absent \
         ORDER BY {path} LIMIT {limit}"
    );
    let seen = |row: SeenRow| MachineRow {
        under_way: under_way(&row.state),
        key: row.key,
        site: row.site,
        host: row.host,
        cpu: row.cpu,
        memory_gb: row.memory_gb,
    };
    Ok(sql.all(on).await?.into_iter().map(seen).collect())
}

/// What runs in containers: an engine, or a workload with what its containers are.
#[derive(Clone, Debug)]
pub struct ContainerRow {
    pub ci: CiId,
    pub key: String,
    pub class: CiClass,
    /// Image, digest and key of the engine of each container; none of an engine, or of a workload that is gone.
    pub containers: Vec<(String, String, String)>,
}

/// The engines and workloads behind this key.
pub async fn containers(on: &impl Reads, after: Option<&str>, limit: usize) -> Result<Vec<ContainerRow>, DbErr> {
    #[derive(FromQueryResult)]
    struct HolderRow {
        id: Uuid,
        key: String,
        class: String,
    }
    #[derive(FromQueryResult)]
    struct JournalRow {
        workload_id: Uuid,
        image: String,
        digest: String,
        engine: String,
    }
    let mut sql = Sql::default();
    let (key, after) = (bytewise(on, "c.key"), sql.key(on, after));
    sql.text = format!(
        "SELECT c.id, c.key, c.class FROM ci c WHERE {after}c.class IN ('workload', 'container_engine') \
         AND c.retired_at IS NULL ORDER BY {key} LIMIT {limit}"
    );
    let holders: Vec<HolderRow> = sql.all(on).await?;
    let mut running: HashMap<Uuid, Vec<(String, String, String)>> = HashMap::new();
    if !holders.is_empty() {
        let mut sql = Sql::default();
        let ids = sql.bind_all(holders.iter().map(|holder| holder.id));
        sql.text = format!(
            "SELECT j.workload_id, j.image, j.digest, e.key AS engine FROM container_journal j \
             JOIN ci e ON e.id = j.engine_id WHERE j.workload_id IN ({ids}) AND j.seen_until IS NULL"
        );
        for JournalRow { workload_id, image, digest, engine } in sql.all(on).await? {
            running.entry(workload_id).or_default().push((image, digest, engine));
        }
    }
    let holder = |row: HolderRow| {
        let containers = running.remove(&row.id).unwrap_or_default();
        Ok(ContainerRow { ci: row.id.into(), class: row::class_of(&row.class)?, key: row.key, containers })
    };
    holders.into_iter().map(holder).collect()
}

/// A CI with what decides where it would be missed.
#[derive(Clone, Debug)]
pub struct CiRow {
    pub ci: Ci,
    /// The site of its deployment, and whether a run works on that.
    pub site: Option<String>,
    pub under_way: bool,
    /// When the lease of its deployment, with its grace, ends or ended; nothing once it is gone.
    pub lease_until: Option<DateTime<Utc>>,
    /// Of a machine: since when its object is live, and how it was last seen.
    pub live_at: Option<DateTime<Utc>>,
    pub glimpse: Option<Glimpse>,
    /// Of a workload: whether its last container went a short while ago.
    pub just_gone: bool,
    pub attributes: Vec<(String, Value)>,
    /// The relations that hold, with the keys of their far ends.
    pub relations: Vec<(Relation, String)>,
}

#[derive(FromQueryResult)]
struct RecordRow {
    #[sea_orm(nested)]
    ci: ci::Model,
    site: Option<String>,
    deployment_state: Option<String>,
    lease_until: Option<DateTime<Utc>>,
    grace_days: Option<i64>,
    ended_at: Option<DateTime<Utc>>,
    live_at: Option<DateTime<Utc>>,
    absent: Option<bool>,
    seen_from: Option<DateTime<Utc>>,
    just_gone: bool,
}

/// The CIs behind this key: three statements. Of those that are retired, attributes and relations say nothing any more.
/// A workload whose last container was seen after `gone_after` is just gone.
pub async fn cis(
    on: &impl Reads,
    after: Option<&str>,
    limit: usize,
    gone_after: DateTime<Utc>,
) -> Result<Vec<CiRow>, DbErr> {
    let mut sql = Sql::default();
    let gone_after = sql.bind(gone_after);
    let (key, after) = (bytewise(on, "c.key"), sql.key(on, after));
    let path = bytewise(on, PATH);
    // The machine's object has the key of its CI without the last part. PostgreSQL cuts the keys of others, too, and
    // refuses where one is too short for that.
    let object =
        "CASE WHEN length(c.key) > length('machine') THEN substr(c.key, 1, length(c.key) - length('machine')) END";
    let object = bytewise(on, object);
    sql.text = format!(
        "SELECT c.*, d.site, d.state AS deployment_state, d.lease_until, d.grace_days, d.ended_at, r.live_at, s.absent, \
         s.seen_from, (c.class = 'workload' AND EXISTS (SELECT 1 FROM container_journal j WHERE j.workload_id = c.id \
         AND j.seen_until > {gone_after})) AS just_gone FROM ci c LEFT JOIN deployment d ON d.id = c.deployment_id \
         LEFT JOIN resource r ON c.class = 'virtual_machine' AND {path} = {object} AND r.state = 'live' \
         LEFT JOIN sighting s ON s.resource_id = r.id WHERE {after}TRUE ORDER BY {key} LIMIT {limit}"
    );
    let rows: Vec<RecordRow> = sql.all(on).await?;
    let told: Vec<Uuid> = rows.iter().filter(|row| row.ci.retired_at.is_none()).map(|row| row.ci.id).collect();
    let (mut attributes, mut relations) = (attributes(on, &told).await?, relations(on, &told).await?);
    let record = |row: RecordRow| {
        let (attributes, relations) = (attributes.remove(&row.ci.id), relations.remove(&row.ci.id));
        let ends = row.lease_until.zip(row.grace_days).map(|(until, days)| until + TimeDelta::days(days));
        Ok(CiRow {
            ci: row.ci.into_domain()?,
            site: row.site,
            under_way: row.deployment_state.as_deref().is_some_and(under_way),
            lease_until: ends.filter(|_| row.ended_at.is_none()),
            live_at: row.live_at,
            glimpse: glimpse(row.absent, row.seen_from),
            just_gone: row.just_gone,
            attributes: attributes.unwrap_or_default(),
            relations: relations.unwrap_or_default(),
        })
    };
    rows.into_iter().map(record).collect()
}

async fn attributes(on: &impl Reads, of: &[Uuid]) -> Result<HashMap<Uuid, Vec<(String, Value)>>, DbErr> {
    #[derive(FromQueryResult)]
    struct ToldRow {
        ci_id: Uuid,
        name: String,
        value: String,
    }
    let mut found: HashMap<Uuid, Vec<(String, Value)>> = HashMap::new();
    if of.is_empty() {
        return Ok(found);
    }
    let mut sql = Sql::default();
    let ids = sql.bind_all(of.iter().copied());
    sql.text = format!("SELECT ci_id, name, value FROM ci_attribute WHERE ci_id IN ({ids})");
    for ToldRow { ci_id, name, value } in sql.all(on).await? {
        let value =
            serde_json::from_str(&value).map_err(|cause| DbErr::Json(format!("ci_attribute.value: {cause}")))?;
        found.entry(ci_id).or_default().push((name, value));
    }
    Ok(found)
}

async fn relations(on: &impl Reads, of: &[Uuid]) -> Result<HashMap<Uuid, Vec<(Relation, String)>>, DbErr> {
    #[derive(FromQueryResult)]
    struct LinkRow {
        from_id: Uuid,
        relation: String,
        key: String,
    }
    let mut found: HashMap<Uuid, Vec<(Relation, String)>> = HashMap::new();
    if of.is_empty() {
        return Ok(found);
    }
    let mut sql = Sql::default();
    let ids = sql.bind_all(of.iter().copied());
    sql.text = format!(
        "SELECT x.from_id, x.relation, t.key FROM ci_relation x JOIN ci t ON t.id = x.to_id \
         WHERE x.from_id IN ({ids}) AND x.until IS NULL"
    );
    for LinkRow { from_id, relation, key } in sql.all(on).await? {
        found.entry(from_id).or_default().push((row::relation_of(&relation)?, key));
    }
    Ok(found)
}

impl Sql {
    /// The condition that an object comes behind this key, to stand before others; nothing for the first page.
    fn path(&mut self, on: &impl Reads, after: Option<&str>) -> String {
        after.map_or_else(String::new, |key| format!("{} > {} AND ", bytewise(on, PATH), self.bind(format!("{key}/"))))
    }

    /// The same for a CI.
    fn key(&mut self, on: &impl Reads, after: Option<&str>) -> String {
        after.map_or_else(String::new, |key| format!("{} > {} AND ", bytewise(on, "c.key"), self.bind(key)))
    }
}

fn glimpse(absent: Option<bool>, seen_from: Option<DateTime<Utc>>) -> Option<Glimpse> {
    absent.zip(seen_from).map(|(absent, seen_from)| Glimpse { absent, seen_from })
}

/// What is in no known state is left alone.
fn under_way(state: &str) -> bool {
    DeploymentState::from_word(state).is_none_or(DeploymentState::is_under_way)
}
