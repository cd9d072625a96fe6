//! What container engines told, and the journal of their containers.

use chrono::{DateTime, Utc};
use domain::ids::{CiId, DeploymentId, ProjectId};
use domain::ports::container_host::Container;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use uuid::Uuid;

use crate::{Reads, Tx, fresh_id};

mod report {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "container_report")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub engine_id: Uuid,
        pub asked_at: ChronoDateTimeUtc,
        pub complete_at: Option<ChronoDateTimeUtc>,
        pub answer: String,
        pub why: Option<String>,
        pub containers: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod journal {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "container_journal")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub engine_id: Uuid,
        pub workload_id: Uuid,
        pub container_id: String,
        pub name: String,
        pub image: String,
        pub digest: String,
        pub started_at: ChronoDateTimeUtc,
        pub seen_from: ChronoDateTimeUtc,
        pub seen_until: Option<ChronoDateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A container engine to be asked what it runs.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
struct EngineRow {
    id: Uuid,
    key: String,
    project_id: Uuid,
    deployment_id: Option<Uuid>,
    site: Option<String>,
    platform: Option<String>,
    application: Option<String>,
    fqdn: String,
}

/// A container engine to be asked what it runs, with who answers for what runs there.
#[derive(Clone, Debug, PartialEq)]
pub struct Engine {
    pub ci: CiId,
    pub key: String,
    /// The machine it runs on.
    pub fqdn: String,
    pub project: ProjectId,
    pub deployment: Option<DeploymentId>,
    /// Where that stands.
    pub site: Option<String>,
    pub platform: Option<String>,
    pub application: Option<String>,
}

/// How an engine answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It named all its containers.
    Complete { containers: usize },
    /// It could not name them all.
    Incomplete { containers: usize },
    /// It did not answer, or not sensibly; why.
    Failed(String),
}

/// What is known of an engine's reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub engine: CiId,
    pub asked_at: DateTime<Utc>,
    /// When it last named all its containers.
    pub complete_at: Option<DateTime<Utc>>,
    /// Why the last question was not answered in full; nothing when it was.
    pub why: Option<String>,
    pub containers: i32,
}

/// A container of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub workload: CiId,
    pub container_id: String,
    pub name: String,
    pub image: String,
    pub digest: String,
    pub started_at: DateTime<Utc>,
    pub seen_from: DateTime<Utc>,
    pub seen_until: Option<DateTime<Utc>>,
}

/// The engines that are operational; one statement.
pub async fn engines(on: &impl Reads) -> Result<Vec<Engine>, DbErr> {
    // JSON keeps the quotes of a text; they are no part of a name.
    let text = "SELECT c.id, c.key, c.project_id, c.deployment_id, d.site, c.platform, c.application, \
                replace(a.value, '\"', '') AS fqdn FROM ci c JOIN ci_attribute a ON a.ci_id = c.id AND a.name = 'fqdn' \
                LEFT JOIN deployment d ON d.id = c.deployment_id \
                WHERE c.class = 'container_engine' AND c.lifecycle = 'operational' ORDER BY c.sort_name, c.id";
    let statement = Statement::from_string(on.db().get_database_backend(), text);
    let rows = EngineRow::find_by_statement(statement).all(on.db()).await?;
    let engine = |row: EngineRow| Engine {
        ci: row.id.into(),
        key: row.key,
        fqdn: row.fqdn,
        project: row.project_id.into(),
        deployment: row.deployment_id.map(Into::into),
        site: row.site,
        platform: row.platform,
        application: row.application,
    };
    Ok(rows.into_iter().map(engine).collect())
}

/// Notes how the engine answered; a failure keeps when it last told everything.
pub async fn note(tx: &Tx, engine: CiId, answer: &Answer, at: DateTime<Utc>) -> Result<(), DbErr> {
    use report::Column as C;
    let (word, why, containers) = match answer {
        Answer::Complete { containers } => ("complete", None, *containers),
        Answer::Incomplete { containers } => {
            ("incomplete", Some("The engine could not name all its containers.".to_owned()), *containers)
        }
        Answer::Failed(why) => ("failed", Some(why.clone()), 0),
    };
    let complete = word == "complete";
    let mut told = vec![C::AskedAt, C::Answer, C::Why];
    if complete {
        told.extend([C::CompleteAt, C::Containers]);
    }
    let row = report::Model {
        engine_id: engine.0,
        asked_at: at,
        complete_at: complete.then_some(at),
        answer: word.into(),
        why,
        containers: i32::try_from(containers).unwrap_or(i32::MAX),
    };
    report::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(C::EngineId).update_columns(told).to_owned())
        .exec_without_returning(&tx.0)
        .await
        .map(drop)
}

/// Brings the engine's journal up to a complete list: closes what is gone, opens what is new. A container that runs on
/// costs nothing.
pub async fn journal(tx: &Tx, engine: CiId, running: &[(CiId, &Container)], at: DateTime<Utc>) -> Result<(), DbErr> {
    use journal::Column as C;
    let open =
        journal::Entity::find().filter(C::EngineId.eq(engine.0)).filter(C::SeenUntil.is_null()).all(&tx.0).await?;
    let runs = |row: &journal::Model| running.iter().any(|(_, container)| same(row, container));
    let gone: Vec<Uuid> = open.iter().filter(|row| !runs(row)).map(|row| row.id).collect();
    if !gone.is_empty() {
        journal::Entity::update_many()
            .col_expr(C::SeenUntil, Expr::value(at))
            .filter(C::Id.is_in(gone))
            .exec(&tx.0)
            .await?;
    }
    let new = running.iter().filter(|(_, container)| !open.iter().any(|row| same(row, container)));
    let rows: Vec<_> = new.map(|(workload, container)| opened(engine, *workload, container, at)).collect();
    for rows in rows.chunks(500) {
        journal::Entity::insert_many(rows.iter().cloned().map(IntoActiveModel::into_active_model))
            .exec_without_returning(&tx.0)
            .await?;
    }
    Ok(())
}

/// A container that was restarted keeps its id and starts anew in the journal.
fn same(row: &journal::Model, container: &Container) -> bool {
    row.container_id == container.id && row.started_at == container.started_at
}

fn opened(engine: CiId, workload: CiId, container: &Container, at: DateTime<Utc>) -> journal::Model {
    journal::Model {
        id: fresh_id(),
        engine_id: engine.0,
        workload_id: workload.0,
        container_id: container.id.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        digest: container.image_digest.clone(),
        started_at: container.started_at,
        seen_from: at,
        seen_until: None,
    }
}

/// Keys of the engine's workloads whose last container was gone before `since`.
pub async fn gone_since(on: &impl Reads, engine: CiId, since: DateTime<Utc>) -> Result<Vec<String>, DbErr> {
    let text = "SELECT c.key FROM ci c WHERE c.class = 'workload' AND c.lifecycle <> 'retired' \
                AND c.id IN (SELECT workload_id FROM container_journal WHERE engine_id = $1) \
                AND NOT EXISTS (SELECT 1 FROM container_journal j WHERE j.workload_id = c.id \
                AND (j.seen_until IS NULL OR j.seen_until > $2))";
    let values = [engine.0.into(), since.into()];
    let statement = Statement::from_sql_and_values(on.db().get_database_backend(), text, values);
    let rows = on.db().query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The ids of the CIs with these keys.
pub async fn ids(on: &impl Reads, keys: Vec<String>) -> Result<std::collections::HashMap<String, CiId>, DbErr> {
    use crate::ci::row::ci;
    let rows: Vec<(String, Uuid)> = ci::Entity::find()
        .select_only()
        .column(ci::Column::Key)
        .column(ci::Column::Id)
        .filter(ci::Column::Key.is_in(keys))
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(|(key, id)| (key, id.into())).collect())
}

/// What these engines told last.
pub async fn reports(on: &impl Reads, engines: &[CiId]) -> Result<Vec<Report>, DbErr> {
    if engines.is_empty() {
        return Ok(Vec::new());
    }
    let ids = engines.iter().map(|engine| engine.0);
    let rows = report::Entity::find().filter(report::Column::EngineId.is_in(ids)).all(on.db()).await?;
    let told = |row: report::Model| Report {
        engine: row.engine_id.into(),
        asked_at: row.asked_at,
        complete_at: row.complete_at,
        why: row.why,
        containers: row.containers,
    };
    Ok(rows.into_iter().map(told).collect())
}

/// The containers that ran then on these engines or as these workloads, by name.
pub async fn containers(on: &impl Reads, of: &[CiId], at: DateTime<Utc>, limit: u64) -> Result<Vec<Seen>, DbErr> {
    use journal::Column as C;
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = of.iter().map(|ci| ci.0).collect();
    let owned = C::EngineId.is_in(ids.clone()).or(C::WorkloadId.is_in(ids));
    let running = C::SeenUntil.is_null().or(C::SeenUntil.gt(at));
    let rows = journal::Entity::find()
        .filter(owned)
        .filter(C::SeenFrom.lte(at))
        .filter(running)
        .order_by_asc(C::Name)
        .limit(limit)
        .all(on.db())
        .await?;
    let seen = |row: journal::Model| Seen {
        workload: row.workload_id.into(),
        container_id: row.container_id,
        name: row.name,
        image: row.image,
        digest: row.digest,
        started_at: row.started_at,
        seen_from: row.seen_from,
        seen_until: row.seen_until,
    };
    Ok(rows.into_iter().map(seen).collect())
}
