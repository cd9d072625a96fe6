//! Findings with their lives, and what is known of what they are about.

mod subject;

use domain::ci::{CiClass, Source};
use domain::finding::FindingKind;
use domain::finding::life::{Cause, Found, Kept, Matter, State, Subject, Waiver};
use domain::ids::{FindingId, ProjectId};
use domain::person::Scope;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, Iterable};

use crate::ci::row::class_of;
use crate::page::{Counted, Listing, Part, Table, Window};
use crate::sql::{Sql, bytewise, within};
use crate::{Reads, Tx};

pub use subject::{Maker, Teller, Thing, tellers, things};

/// Rows that one statement writes: both databases bound the number of its values.
const AT_ONCE: usize = 500;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "finding")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub ci_key: String,
        pub part: String,
        pub class: String,
        pub scope: String,
        pub name: String,
        pub ci_id: Option<Uuid>,
        pub project_id: Option<Uuid>,
        pub deployment_id: Option<Uuid>,
        pub platform: Option<String>,
        pub application: Option<String>,
        pub matter: String,
        pub source: Option<String>,
        pub recorded_at: Option<ChronoDateTimeUtc>,
        pub run_id: Option<Uuid>,
        pub step_key: Option<String>,
        pub seen_from: Option<ChronoDateTimeUtc>,
        pub done_by: Option<String>,
        pub cents: Option<i64>,
        pub severity: i32,
        pub state: String,
        pub first_seen_at: ChronoDateTimeUtc,
        pub found_at: ChronoDateTimeUtc,
        pub times: i32,
        pub fixed_at: Option<ChronoDateTimeUtc>,
        pub last_seen_at: Option<ChronoDateTimeUtc>,
        pub waived_until: Option<ChronoDateTimeUtc>,
        pub waived_by: Option<String>,
        pub waived_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: Table = Table { name: "finding", tie: "id", columns: "t.*" };

/// What to look for. An empty query finds every finding in scope, whatever its state.
#[derive(Clone, Debug, Default)]
pub struct FindingQuery {
    /// The word of a state.
    pub state: Option<&'static str>,
    pub kind: Option<FindingKind>,
    pub class: Option<CiClass>,
    pub project: Option<ProjectId>,
    /// Part of a name or a key.
    pub text: String,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindingSort {
    /// What hangs most on first.
    #[default]
    Severity,
    /// By when they were found.
    Age,
}

/// A part of the findings in scope.
pub async fn list(
    on: &impl Reads,
    scope: &Scope,
    query: &FindingQuery,
    window: Window<FindingSort, FindingId>,
) -> Result<Part<Kept>, DbErr> {
    let column = match window.sort {
        FindingSort::Severity => "severity",
        FindingSort::Age => "found_at",
    };
    listing(scope, query).part(on, column, window).await?.try_map(kept)
}

/// How many findings in scope the query finds, as far as they are counted.
pub async fn count(on: &impl Reads, scope: &Scope, query: &FindingQuery) -> Result<Counted, DbErr> {
    listing(scope, query).count(on).await
}

fn listing(scope: &Scope, query: &FindingQuery) -> Listing {
    let mut found = Listing::new(TABLE, scope, query.project);
    let columns = [
        ("state", query.state),
        ("kind", query.kind.map(FindingKind::word)),
        ("class", query.class.map(CiClass::word)),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            found.ask(|sql| format!("{column} = {}", sql.bind(value)));
        }
    }
    if !query.text.is_empty() {
        found.ask(|sql| sql.contains(&["t.name", "t.ci_key"], &query.text));
    }
    found
}

/// The finding, if it is in scope.
pub async fn find(on: &impl Reads, scope: &Scope, id: FindingId) -> Result<Option<Kept>, DbErr> {
    let found = within(row::Entity::find_by_id(id.0), row::Column::ProjectId, scope);
    found.one(on.db()).await?.map(kept).transpose()
}

/// Whatever is kept about these keys, fixed or not.
pub async fn of_keys(on: &impl Reads, keys: &[&str]) -> Result<Vec<Kept>, DbErr> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::default();
    let places = sql.bind_all(keys.iter().copied());
    sql.text = format!("SELECT f.* FROM finding f WHERE {} IN ({places})", bytewise(on, "f.ci_key"));
    sql.all::<row::Model>(on).await?.into_iter().map(kept).collect()
}

/// Those that are not fixed, in the order of their ids.
pub async fn standing(on: &impl Reads, after: Option<FindingId>, limit: u64) -> Result<Vec<Kept>, DbErr> {
    let mut sql = Sql::default();
    let after = after.map(|id| format!(" AND id > {}", sql.bind(id.0))).unwrap_or_default();
    sql.text = format!("SELECT * FROM finding WHERE state <> 'fixed'{after} ORDER BY id LIMIT {limit}");
    sql.all::<row::Model>(on).await?.into_iter().map(kept).collect()
}

/// Writes findings as they are now, whether they are new or not.
pub async fn save(tx: &Tx, findings: &[Kept]) -> Result<(), DbErr> {
    use row::Column as C;
    let rows = findings.iter().map(model).collect::<Result<Vec<_>, DbErr>>()?;
    for rows in rows.chunks(AT_ONCE) {
        let anew = C::iter().filter(|column| !matches!(column, C::Id | C::FirstSeenAt));
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        row::Entity::insert_many(rows)
            .on_conflict(OnConflict::column(C::Id).update_columns(anew).to_owned())
            .exec_without_returning(&tx.0)
            .await?;
    }
    Ok(())
}

/// Takes away what nobody has to know of.
pub async fn forget(tx: &Tx, ids: &[FindingId]) -> Result<(), DbErr> {
    for ids in ids.chunks(AT_ONCE) {
        row::Entity::delete_many().filter(row::Column::Id.is_in(ids.iter().map(|id| id.0))).exec(&tx.0).await?;
    }
    Ok(())
}

fn model(kept: &Kept) -> Result<row::Model, DbErr> {
    let Found { subject, matter, cause, cents } = &kept.found;
    let (waiver, fixed) = match &kept.state {
        State::Waived(waiver) => (Some(waiver), None),
        State::Fixed { at, last_seen_at } => (None, Some((*at, *last_seen_at))),
        State::Open | State::Held => (None, None),
    };
    Ok(row::Model {
        id: kept.id.0,
        kind: matter.kind().word().to_owned(),
        ci_key: subject.key.clone(),
        part: matter.part(),
        class: subject.class.word().to_owned(),
        scope: subject.scope.clone(),
        name: subject.name.clone(),
        ci_id: subject.ci.map(Into::into),
        project_id: subject.project.map(Into::into),
        deployment_id: subject.deployment.map(Into::into),
        platform: subject.platform.clone(),
        application: subject.application.clone(),
        matter: serde_json::to_string(matter).map_err(|cause| DbErr::Json(cause.to_string()))?,
        source: cause.source.map(|source| source.word().to_owned()),
        recorded_at: cause.recorded_at,
        run_id: cause.run.map(Into::into),
        step_key: cause.step.clone(),
        seen_from: cause.seen_from,
        done_by: cause.done_by.clone(),
        cents: *cents,
        severity: matter.kind().severity() as i32,
        state: kept.state.word().to_owned(),
        first_seen_at: kept.first_seen_at,
        found_at: kept.found_at,
        times: kept.times,
        fixed_at: fixed.map(|(at, _)| at),
        last_seen_at: fixed.map(|(_, last)| last),
        waived_until: waiver.map(|waiver| waiver.until),
        waived_by: waiver.map(|waiver| waiver.by.clone()),
        waived_reason: waiver.map(|waiver| waiver.reason.clone()),
    })
}

fn kept(row: row::Model) -> Result<Kept, DbErr> {
    let unread = |cause| DbErr::Json(format!("what the finding {} is can't be read: {cause}", row.id));
    let matter: Matter = serde_json::from_str(&row.matter).map_err(unread)?;
    let state = state(&row)?;
    let cause = Cause {
        source: row.source.as_deref().and_then(Source::from_word),
        recorded_at: row.recorded_at,
        run: row.run_id.map(Into::into),
        step: row.step_key,
        seen_from: row.seen_from,
        done_by: row.done_by,
    };
    let subject = Subject {
        class: class_of(&row.class)?,
        key: row.ci_key,
        scope: row.scope,
        name: row.name,
        ci: row.ci_id.map(Into::into),
        project: row.project_id.map(Into::into),
        deployment: row.deployment_id.map(Into::into),
        platform: row.platform,
        application: row.application,
    };
    Ok(Kept {
        id: row.id.into(),
        found: Found { subject, matter, cause, cents: row.cents },
        state,
        first_seen_at: row.first_seen_at,
        found_at: row.found_at,
        times: row.times,
    })
}

fn state(row: &row::Model) -> Result<State, DbErr> {
    let unknown = || DbErr::Type(format!("the finding {} is in no known state: `{}`", row.id, row.state));
    Ok(match row.state.as_str() {
        "held" => State::Held,
        "open" => State::Open,
        "waived" => State::Waived(Waiver {
            until: row.waived_until.ok_or_else(unknown)?,
            by: row.waived_by.clone().unwrap_or_default(),
            reason: row.waived_reason.clone().unwrap_or_default(),
        }),
        "fixed" => {
            State::Fixed { at: row.fixed_at.ok_or_else(unknown)?, last_seen_at: row.last_seen_at.ok_or_else(unknown)? }
        }
        _ => return Err(unknown()),
    })
}
