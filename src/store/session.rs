//! Sessions of signed-in people, and the tries to sign in that the rate limit counts.

use chrono::{DateTime, Utc};
use domain::ids::PersonId;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ExprTrait, IntoActiveModel, QuerySelect};

use crate::{Reads, Tx, fresh_id};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "session")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub token_hash: String,
        pub person_id: Uuid,
        pub created_at: DateTimeUtc,
        pub seen_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod attempt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_attempt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_hash: String,
        pub client: String,
        pub succeeded: bool,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A session that is open.
pub struct Session {
    pub person: PersonId,
    /// When the person last asked for a page, give or take a few minutes.
    pub seen_at: DateTime<Utc>,
}

/// Opens a session for the holder of the token whose hash this is.
pub async fn insert(
    tx: &Tx,
    token_hash: String,
    person: PersonId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row =
        row::Model { id: fresh_id(), token_hash, person_id: person.into(), created_at: now, seen_at: now, expires_at };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The open session of this token that was used since `idle_since`.
pub async fn find(
    on: &impl Reads,
    token_hash: &str,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<Session>, DbErr> {
    let found = row::Entity::find()
        .filter(row::Column::TokenHash.eq(token_hash))
        .filter(row::Column::ExpiresAt.gt(now))
        .filter(row::Column::SeenAt.gt(idle_since))
        .one(on.db())
        .await?;
    Ok(found.map(|row| Session { person: row.person_id.into(), seen_at: row.seen_at }))
}

/// Notes that the session is in use.
pub async fn touch(tx: &Tx, token_hash: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::SeenAt, Expr::value(now))
        .filter(row::Column::TokenHash.eq(token_hash))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Ends one session.
pub async fn delete(tx: &Tx, token_hash: &str) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::TokenHash.eq(token_hash)).exec(&tx.0).await.map(drop)
}

/// Ends every session of a person.
pub async fn delete_all(tx: &Tx, person: PersonId) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::PersonId.eq(Uuid::from(person))).exec(&tx.0).await.map(drop)
}

/// Forgets sessions that are over and tries that no limit counts any more.
pub async fn sweep(tx: &Tx, now: DateTime<Utc>, tries_since: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::ExpiresAt.lte(now)).exec(&tx.0).await?;
    attempt::Entity::delete_many().filter(attempt::Column::At.lt(tries_since)).exec(&tx.0).await.map(drop)
}

/// How often signing in failed lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failures {
    /// For this account from this client.
    pub account_and_client: usize,
    /// For this account from anywhere.
    pub account: usize,
    /// From this client, whatever the account.
    pub client: usize,
}

/// Counts failed tries since a time.
pub async fn failures(
    on: &impl Reads,
    account_hash: &str,
    client: &str,
    since: DateTime<Utc>,
) -> Result<Failures, DbErr> {
    let tries: Vec<(String, String)> = attempt::Entity::find()
        .select_only()
        .columns([attempt::Column::AccountHash, attempt::Column::Client])
        .filter(attempt::Column::At.gt(since))
        .filter(attempt::Column::Succeeded.eq(false))
        .filter(attempt::Column::AccountHash.eq(account_hash).or(attempt::Column::Client.eq(client)))
        .into_tuple()
        .all(on.db())
        .await?;
    let mut failures = Failures::default();
    for (account, from) in &tries {
        let (same_account, same_client) = (account == account_hash, from == client);
        failures.account += usize::from(same_account);
        failures.client += usize::from(same_client);
        failures.account_and_client += usize::from(same_account && same_client);
    }
    Ok(failures)
}

/// Notes a try before its password is checked, so that tries side by side are counted as well.
pub async fn insert_try(tx: &Tx, account_hash: String, client: &str, at: DateTime<Utc>) -> Result<Uuid, DbErr> {
    let id = fresh_id();
    let row = attempt::Model { id, account_hash, client: client.to_owned(), succeeded: false, at };
    attempt::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await?;
    Ok(id)
}

/// The try was a good one after all.
pub async fn mark_succeeded(tx: &Tx, try_id: Uuid) -> Result<(), DbErr> {
    attempt::Entity::update_many()
        .col_expr(attempt::Column::Succeeded, Expr::value(true))
        .filter(attempt::Column::Id.eq(try_id))
        .exec(&tx.0)
        .await
        .map(drop)
}
