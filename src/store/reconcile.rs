//! Reconciles: what each came to, what operators let through, and the three views that they walk.

pub mod view;

use chrono::{DateTime, Utc};
use domain::ci::CiClass;
use domain::ids::ReconcileId;
use domain::reconcile::run::{Release, Run, RunState};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reconcile_run")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub asked_by: String,
        pub process: String,
        pub began_at: DateTimeUtc,
        pub ended_at: Option<DateTimeUtc>,
        pub state: String,
        pub rules: String,
        pub summary: Option<String>,
        pub why: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod release {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reconcile_release")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub class: String,
        pub would_vanish: i64,
        pub would_change: i64,
        pub released_by: String,
        pub reason: String,
        pub released_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Puts down that a reconcile begins.
pub async fn insert(tx: &Tx, run: &Run) -> Result<(), DbErr> {
    row::Entity::insert(model(run)?.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Puts down what became of it.
pub async fn update(tx: &Tx, run: &Run) -> Result<(), DbErr> {
    row::Entity::update(model(run)?.into_active_model().reset_all()).exec(&tx.0).await.map(drop)
}

/// Those that were running are so no longer: their processes died, or have lost the work.
pub async fn interrupt(tx: &Tx, at: DateTime<Utc>) -> Result<u64, DbErr> {
    use row::Column as C;
    let done = row::Entity::update_many()
        .col_expr(C::State, Expr::value(RunState::Interrupted.word()))
        .col_expr(C::EndedAt, Expr::value(at))
        .col_expr(C::Why, Expr::value("Its process stopped before it was done; the next reconcile began anew."))
        .filter(C::State.eq(RunState::Running.word()))
        .exec(&tx.0)
        .await?;
    Ok(done.rows_affected)
}

/// Forgets reconciles that began before then.
pub async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::BeganAt.lt(before)).exec(&tx.0).await.map(drop)
}

/// The latest reconciles, the newest first.
pub async fn latest(on: &impl Reads, limit: u64) -> Result<Vec<Run>, DbErr> {
    let rows = row::Entity::find().order_by_desc(row::Column::BeganAt).order_by_desc(row::Column::Id).limit(limit);
    rows.all(on.db()).await?.into_iter().map(run_of).collect()
}

/// When the last reconcile that came to its end did.
pub async fn last_end(on: &impl Reads) -> Result<Option<DateTime<Utc>>, DbErr> {
    let ended = [RunState::Done.word(), RunState::Braked.word()];
    let found = row::Entity::find().filter(row::Column::State.is_in(ended)).order_by_desc(row::Column::BeganAt);
    Ok(found.one(on.db()).await?.and_then(|row| row.ended_at))
}

/// What operators let through.
pub async fn releases(on: &impl Reads) -> Result<Vec<Release>, DbErr> {
    let rows = release::Entity::find().order_by_asc(release::Column::Class).all(on.db()).await?;
    let one = |row: release::Model| {
        Ok(Release {
            class: crate::ci::row::class_of(&row.class)?,
            would_vanish: row.would_vanish.unsigned_abs(),
            would_change: row.would_change.unsigned_abs(),
            by: row.released_by,
            reason: row.reason,
            at: row.released_at,
        })
    };
    rows.into_iter().map(one).collect()
}

/// Lets so much of a class through.
pub async fn release(tx: &Tx, released: &Release) -> Result<(), DbErr> {
    use release::Column as C;
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let row = release::Model {
        class: released.class.word().to_owned(),
        would_vanish: count(released.would_vanish),
        would_change: count(released.would_change),
        released_by: released.by.clone(),
        reason: released.reason.clone(),
        released_at: released.at,
    };
    let anew = [C::WouldVanish, C::WouldChange, C::ReleasedBy, C::Reason, C::ReleasedAt];
    release::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(C::Class).update_columns(anew).to_owned())
        .exec_without_returning(&tx.0)
        .await
        .map(drop)
}

/// What was let through of these classes has passed.
pub async fn end_releases(tx: &Tx, of: &[CiClass]) -> Result<(), DbErr> {
    if of.is_empty() {
        return Ok(());
    }
    let classes = of.iter().map(|class| class.word());
    release::Entity::delete_many().filter(release::Column::Class.is_in(classes)).exec(&tx.0).await.map(drop)
}

fn model(run: &Run) -> Result<row::Model, DbErr> {
    let json = |cause: serde_json::Error| DbErr::Json(cause.to_string());
    Ok(row::Model {
        id: run.id.0,
        asked_by: run.asked_by.clone(),
        process: run.process.clone(),
        began_at: run.began_at,
        ended_at: run.ended_at,
        state: run.state.word().to_owned(),
        rules: run.rules.clone(),
        summary: run.outcome.as_ref().map(serde_json::to_string).transpose().map_err(json)?,
        why: run.why.clone(),
    })
}

fn run_of(row: row::Model) -> Result<Run, DbErr> {
    let unknown = || DbErr::Type(format!("the reconcile {} is in no known state: `{}`", row.id, row.state));
    let unread = |cause| DbErr::Json(format!("what the reconcile {} came to can't be read: {cause}", row.id));
    Ok(Run {
        id: ReconcileId(row.id),
        state: RunState::from_word(&row.state).ok_or_else(unknown)?,
        outcome: row.summary.as_deref().map(serde_json::from_str).transpose().map_err(unread)?,
        asked_by: row.asked_by,
        process: row.process,
        began_at: row.began_at,
        ended_at: row.ended_at,
        rules: row.rules,
        why: row.why,
    })
}
