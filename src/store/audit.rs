//! The audit log: rows are added and read, never changed.

use chrono::{DateTime, SubsecRound, Utc};
use domain::audit::{Actor, BEGINNING, Entry, Head, Note};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_entry")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub at: DateTimeUtc,
        pub actor_id: Option<Uuid>,
        pub actor_name: String,
        pub via: String,
        pub action: String,
        pub subject: String,
        pub project_id: Option<Uuid>,
        pub data: String,
        pub previous: String,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_head")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub rows: i64,
        pub hash: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The only row of the head's table.
const HEAD: i32 = 1;

/// Puts a note on record, chained to the last row. Writers come one after the other: each locks the head first.
pub async fn append(tx: &Tx, note: Note, now: DateTime<Utc>) -> Result<(), DbErr> {
    let none = head::ActiveModel { id: Set(HEAD), rows: Set(0), hash: Set(BEGINNING.to_owned()) };
    head::Entity::insert(none)
        .on_conflict(OnConflict::column(head::Column::Id).do_nothing().to_owned())
        .exec_without_returning(&tx.0)
        .await?;
    let last = head::Entity::find_by_id(HEAD).lock_exclusive().one(&tx.0).await?.ok_or_else(no_head)?;
    let entry = Entry::chained(last.rows + 1, now.trunc_subsecs(6), note, last.hash);
    let next = head::ActiveModel { id: Set(HEAD), rows: Set(entry.number), hash: Set(entry.hash.clone()) };
    row::Entity::insert(row(entry).into_active_model()).exec_without_returning(&tx.0).await?;
    head::Entity::update(next).exec(&tx.0).await.map(drop)
}

/// The end of the chain.
pub async fn head(on: &impl Reads) -> Result<Head, DbErr> {
    let found = head::Entity::find_by_id(HEAD).one(on.db()).await?;
    Ok(found
        .map_or_else(|| Head { rows: 0, hash: BEGINNING.to_owned() }, |head| Head { rows: head.rows, hash: head.hash }))
}

/// Up to `limit` rows after a number, in order.
pub async fn after(on: &impl Reads, number: i64, limit: u64) -> Result<Vec<Entry>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::Number.gt(number))
        .order_by_asc(row::Column::Number)
        .limit(limit)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(entry).collect())
}

/// What is on record of a subject, oldest first.
pub async fn of_subject(on: &impl Reads, subject: &str) -> Result<Vec<Entry>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::Subject.eq(subject))
        .order_by_asc(row::Column::Number)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(entry).collect())
}

fn no_head() -> DbErr {
    DbErr::RecordNotFound("table `audit_head`: its only row is gone".to_owned())
}

fn row(entry: Entry) -> row::Model {
    row::Model {
        number: entry.number,
        at: entry.at,
        actor_id: entry.actor.person.map(Uuid::from),
        actor_name: entry.actor.name,
        via: entry.actor.via,
        action: entry.action,
        subject: entry.subject,
        project_id: entry.project.map(Uuid::from),
        data: entry.data,
        previous: entry.previous,
        hash: entry.hash,
    }
}

fn entry(row: row::Model) -> Entry {
    Entry {
        number: row.number,
        at: row.at,
        actor: Actor { person: row.actor_id.map(Into::into), name: row.actor_name, via: row.via },
        action: row.action,
        subject: row.subject,
        project: row.project_id.map(Into::into),
        data: row.data,
        previous: row.previous,
        hash: row.hash,
    }
}
