//! How the ledger's machines stand at their sites, what others made of them, and when each site could be looked at.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::deployment::DeploymentState;
use domain::finding::FindingKind;
use domain::ids::{DeploymentId, ResourceId};
use domain::person::Scope;
use domain::ports::machines::MachineState;
use domain::sighting::{Deviation, Episode, LedgerMachine, OnRecord, Review, Sighting, Watch};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::Value;
use uuid::Uuid;

use crate::sql::Sql;
use crate::{Reads, Tx, fresh_id};

/// Rows that one statement inserts.
const AT_ONCE: usize = 500;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sighting")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub resource_id: Uuid,
        pub seen_from: ChronoDateTimeUtc,
        pub name: String,
        pub state: String,
        pub host: String,
        pub folder: String,
        pub home: String,
        pub cpu: i32,
        pub memory_gb: i32,
        pub snapshots: i32,
        pub absent: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod deviation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "deviation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub resource_id: Uuid,
        pub kind: String,
        pub what: String,
        pub done_by: Option<String>,
        pub since: ChronoDateTimeUtc,
        pub until: Option<ChronoDateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod watch {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "site_watch")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub site: String,
        pub began_at: ChronoDateTimeUtc,
        pub heard_at: ChronoDateTimeUtc,
        pub ended_at: Option<ChronoDateTimeUtc>,
        pub why: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(FromQueryResult)]
struct MachineRow {
    id: Uuid,
    deployment_id: Uuid,
    key: String,
    name: String,
    native_id: Option<String>,
    attributes: Value,
    state: String,
}

/// The live machines of the ledger at a site: one statement. Sample data stands nowhere.
pub async fn machines(on: &impl Reads, site: &str) -> Result<Vec<LedgerMachine>, DbErr> {
    let mut sql = Sql::default();
    let site = sql.bind(site);
    sql.text = format!(
        "SELECT r.id, r.deployment_id, r.key, r.name, r.native_id, r.attributes, d.state FROM resource r \
         JOIN deployment d ON d.id = r.deployment_id WHERE r.kind = 'machine' AND r.state = 'live' \
         AND r.provider = 'machines' AND d.site = {site} ORDER BY r.id"
    );
    let machine = |row: MachineRow| {
        let number = |name| row.attributes.get(name).and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
        LedgerMachine {
            cpu: number("cpu"),
            memory_gb: number("memory_gb"),
            resource: row.id.into(),
            deployment: row.deployment_id.into(),
            key: row.key,
            name: row.name,
            native_id: row.native_id,
            under_way: DeploymentState::from_word(&row.state).is_none_or(DeploymentState::is_under_way),
        }
    };
    Ok(sql.all(on).await?.into_iter().map(machine).collect())
}

/// What is on record of the machines of a site: two statements.
pub async fn on_record(on: &impl Reads, site: &str) -> Result<OnRecord, DbErr> {
    let of_site = "JOIN resource r ON r.id = s.resource_id JOIN deployment d ON d.id = r.deployment_id WHERE d.site =";
    let mut sql = Sql::default();
    let place = sql.bind(site);
    sql.text = format!("SELECT s.* FROM sighting s {of_site} {place} AND r.kind = 'machine' AND r.state = 'live'");
    let rows: Vec<row::Model> = sql.all(on).await?;
    let sightings = rows.into_iter().map(|row| Ok((row.resource_id.into(), sighting(row)?)));
    let sightings = sightings.collect::<Result<HashMap<ResourceId, Sighting>, DbErr>>()?;
    let mut sql = Sql::default();
    let place = sql.bind(site);
    sql.text = format!("SELECT s.* FROM deviation s {of_site} {place} AND s.until IS NULL ORDER BY s.since, s.id");
    let rows: Vec<deviation::Model> = sql.all(on).await?;
    let open = rows.into_iter().map(|row| Ok((row.id, row.resource_id.into(), episode(row)?.deviation)));
    Ok(OnRecord { sightings, open: open.collect::<Result<_, DbErr>>()? })
}

/// Writes what a look changed.
pub async fn apply(tx: &Tx, review: &Review, at: DateTime<Utc>) -> Result<(), DbErr> {
    use deviation::Column as C;
    for seen in review.seen.chunks(AT_ONCE) {
        let rows = seen.iter().map(|(resource, sighting)| row_of(*resource, sighting, at).into_active_model());
        let mut anew = OnConflict::column(row::Column::ResourceId);
        anew.update_columns(SEEN_ANEW);
        row::Entity::insert_many(rows).on_conflict(anew).exec_without_returning(&tx.0).await?;
    }
    for found in review.found.chunks(AT_ONCE) {
        let rows = found.iter().map(|(resource, deviation)| deviation_of(*resource, deviation, at).into_active_model());
        deviation::Entity::insert_many(rows).exec_without_returning(&tx.0).await?;
    }
    for over in review.over.chunks(AT_ONCE) {
        let rows = deviation::Entity::update_many().filter(C::Id.is_in(over.iter().copied()));
        rows.col_expr(C::Until, Expr::value(at)).exec(&tx.0).await?;
    }
    for (row, by) in &review.named {
        let row = deviation::Entity::update_many().filter(C::Id.eq(*row));
        row.col_expr(C::DoneBy, Expr::value(by.as_str())).exec(&tx.0).await?;
    }
    Ok(())
}

/// Everything but the folder in which a machine was seen for the first time.
const SEEN_ANEW: [row::Column; 9] = {
    use row::Column as C;
    [C::SeenFrom, C::Name, C::State, C::Host, C::Folder, C::Cpu, C::MemoryGb, C::Snapshots, C::Absent]
};

/// Notes that a site was looked at, all of it. Where nobody had looked for too long, or it could not be looked at, a new
/// watch begins.
pub async fn heard(tx: &Tx, site: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    let last = last_watch(tx, site).await?;
    let (id, heard_at) = match last {
        Some(row) if row.ended_at.is_none() && !watch_of(&row).is_stale(at) => (row.id, None),
        Some(row) if row.ended_at.is_none() => (row.id, Some(row.heard_at)),
        _ => return begin_watch(tx, site, at, None).await,
    };
    let row = watch::Entity::update_many().filter(watch::Column::Id.eq(id));
    match heard_at {
        None => row.col_expr(watch::Column::HeardAt, Expr::value(at)).exec(&tx.0).await.map(drop),
        // It ended when somebody looked for the last time.
        Some(heard_at) => {
            row.col_expr(watch::Column::EndedAt, Expr::value(heard_at)).exec(&tx.0).await?;
            begin_watch(tx, site, at, None).await
        }
    }
}

/// Notes that a site can't be looked at, and why.
pub async fn unheard(tx: &Tx, site: &str, why: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    use watch::Column as C;
    let Some(last) = last_watch(tx, site).await? else { return begin_watch(tx, site, at, Some(why)).await };
    if last.ended_at.is_some() && last.why.as_deref() == Some(why) {
        return Ok(());
    }
    let ended_at = last.ended_at.unwrap_or(at);
    watch::Entity::update_many()
        .filter(C::Id.eq(last.id))
        .col_expr(C::EndedAt, Expr::value(ended_at))
        .col_expr(C::Why, Expr::value(why))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// A watch from now on; or, where the site never answered, one that ended as it began.
async fn begin_watch(tx: &Tx, site: &str, at: DateTime<Utc>, why: Option<&str>) -> Result<(), DbErr> {
    let row = watch::Model {
        id: fresh_id(),
        site: site.to_owned(),
        began_at: at,
        heard_at: at,
        ended_at: why.map(|_| at),
        why: why.map(str::to_owned),
    };
    watch::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

async fn last_watch(on: &impl Reads, site: &str) -> Result<Option<watch::Model>, DbErr> {
    let of_site = watch::Entity::find().filter(watch::Column::Site.eq(site));
    of_site.order_by_desc(watch::Column::BeganAt).order_by_desc(watch::Column::Id).one(on.db()).await
}

/// The last watch of each site that had begun by then: one statement.
pub async fn watches(on: &impl Reads, at: DateTime<Utc>) -> Result<BTreeMap<String, Watch>, DbErr> {
    let mut sql = Sql::at(at);
    sql.text = "SELECT w.* FROM site_watch w WHERE w.began_at <= $1 AND NOT EXISTS (SELECT 1 FROM site_watch l \
                WHERE l.site = w.site AND l.began_at <= $1 AND (l.began_at > w.began_at \
                OR (l.began_at = w.began_at AND l.id > w.id)))"
        .to_owned();
    let rows: Vec<watch::Model> = sql.all(on).await?;
    Ok(rows.into_iter().map(|row| (row.site.clone(), watch_of(&row))).collect())
}

/// The names of the sites at which something of these projects stands or stood.
pub async fn sites_of(on: &impl Reads, scope: &Scope) -> Result<Vec<String>, DbErr> {
    let mut sql = Sql::default();
    let Some(scoped) = sql.scoped(scope, "d.project_id") else { return Ok(Vec::new()) };
    sql.text = format!("SELECT DISTINCT d.site FROM deployment d WHERE TRUE{scoped}");
    sql.rows(on).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// What others had made of the machines of these deployments by then, by the key of the machine: one statement. With
/// `over`, what was no longer so then as well.
pub async fn deviations(
    on: &impl Reads,
    deployments: &[DeploymentId],
    at: DateTime<Utc>,
    over: bool,
) -> Result<HashMap<DeploymentId, Vec<(String, Episode)>>, DbErr> {
    #[derive(FromQueryResult)]
    struct KeyRow {
        deployment_id: Uuid,
        key: String,
        #[sea_orm(nested)]
        row: deviation::Model,
    }
    let mut of_deployment: HashMap<DeploymentId, Vec<(String, Episode)>> = HashMap::new();
    if deployments.is_empty() {
        return Ok(of_deployment);
    }
    let mut sql = Sql::at(at);
    let ids = sql.bind_all(deployments.iter().map(|id| id.0));
    let lasting = "AND (v.until IS NULL OR v.until > $1) AND (r.gone_at IS NULL OR r.gone_at > $1)";
    let lasting = if over { "" } else { lasting };
    sql.text = format!(
        "SELECT r.deployment_id, r.key, v.id, v.resource_id, v.kind, v.what, v.done_by, v.since, v.until \
         FROM resource r JOIN deviation v ON v.resource_id = r.id WHERE r.deployment_id IN ({ids}) \
         AND v.since <= $1 {lasting} ORDER BY v.since, v.id"
    );
    for KeyRow { deployment_id, key, row } in sql.all::<KeyRow>(on).await? {
        of_deployment.entry(deployment_id.into()).or_default().push((key, episode(row)?));
    }
    Ok(of_deployment)
}

/// How the machine with this key stood at the last look, and since when; nothing where it was not seen yet.
pub async fn of_machine(on: &impl Reads, key: &str) -> Result<Option<(Sighting, DateTime<Utc>)>, DbErr> {
    let mut sql = Sql::default();
    let place = sql.bind(key);
    sql.text = format!(
        "SELECT s.* FROM sighting s JOIN resource r ON r.id = s.resource_id WHERE r.key = {place} AND r.state = 'live'"
    );
    let row = sql.all::<row::Model>(on).await?.pop();
    row.map(|row| Ok((row.seen_from, row)).and_then(|(from, row)| Ok((sighting(row)?, from)))).transpose()
}

fn row_of(resource: ResourceId, sighting: &Sighting, at: DateTime<Utc>) -> row::Model {
    let number = |number| i32::try_from(number).unwrap_or(i32::MAX);
    row::Model {
        resource_id: resource.0,
        seen_from: at,
        name: sighting.name.clone(),
        state: word(sighting.state).to_owned(),
        host: sighting.host.clone(),
        folder: sighting.folder.clone(),
        home: sighting.home.clone(),
        cpu: number(sighting.cpu),
        memory_gb: number(sighting.memory_gb),
        snapshots: number(sighting.snapshots),
        absent: sighting.absent,
    }
}

fn sighting(row: row::Model) -> Result<Sighting, DbErr> {
    let number = |number| u32::try_from(number).unwrap_or_default();
    let fault = || DbErr::Type(format!("the machine {} was seen in no known state: `{}`", row.resource_id, row.state));
    Ok(Sighting {
        state: STATES.into_iter().find(|state| word(*state) == row.state).ok_or_else(fault)?,
        name: row.name,
        host: row.host,
        folder: row.folder,
        home: row.home,
        cpu: number(row.cpu),
        memory_gb: number(row.memory_gb),
        snapshots: number(row.snapshots),
        absent: row.absent,
    })
}

const STATES: [MachineState; 3] = [MachineState::Building, MachineState::Running, MachineState::Stopped];

fn word(state: MachineState) -> &'static str {
    match state {
        MachineState::Building => "building",
        MachineState::Running => "running",
        MachineState::Stopped => "stopped",
    }
}

fn deviation_of(resource: ResourceId, deviation: &Deviation, at: DateTime<Utc>) -> deviation::Model {
    deviation::Model {
        id: fresh_id(),
        resource_id: resource.0,
        kind: deviation.kind.word().to_owned(),
        what: deviation.what.clone(),
        done_by: deviation.by.clone(),
        since: at,
        until: None,
    }
}

fn episode(row: deviation::Model) -> Result<Episode, DbErr> {
    let fault = || DbErr::Type(format!("the deviation {} is of no known kind: `{}`", row.id, row.kind));
    let kind = FindingKind::from_word(&row.kind).ok_or_else(fault)?;
    Ok(Episode { deviation: Deviation { kind, what: row.what, by: row.done_by }, since: row.since, until: row.until })
}

fn watch_of(row: &watch::Model) -> Watch {
    Watch { began_at: row.began_at, heard_at: row.heard_at, ended_at: row.ended_at, why: row.why.clone() }
}
