//! Bearer tokens of programs, by their hash.

use chrono::{DateTime, Utc};
use domain::ids::{PersonId, TokenId};
use domain::token::{Token, TokenScope};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub name: String,
        pub token_hash: String,
        pub scopes: String,
        pub created_at: DateTimeUtc,
        pub expires_at: DateTimeUtc,
        pub revoked_at: Option<DateTimeUtc>,
        pub used_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a token by the hash of its secret.
pub async fn insert(tx: &Tx, token: &Token, token_hash: String) -> Result<(), DbErr> {
    let row = row::Model {
        id: token.id.into(),
        person_id: token.person.into(),
        name: token.name.clone(),
        token_hash,
        scopes: token.scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" "),
        created_at: token.created_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        used_at: token.used_at,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The token with this hash, whether it is valid or not.
pub async fn find_by_hash(on: &impl Reads, token_hash: &str) -> Result<Option<Token>, DbErr> {
    Ok(row::Entity::find().filter(row::Column::TokenHash.eq(token_hash)).one(on.db()).await?.map(token))
}

/// A person's tokens, newest first.
pub async fn of_person(on: &impl Reads, person: PersonId) -> Result<Vec<Token>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::PersonId.eq(Uuid::from(person)))
        .order_by_desc(row::Column::Id)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(token).collect())
}

/// Revokes a person's own token; says whether there was one to revoke.
pub async fn revoke(tx: &Tx, id: TokenId, person: PersonId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now))
        .filter(row::Column::Id.eq(Uuid::from(id)))
        .filter(row::Column::PersonId.eq(Uuid::from(person)))
        .filter(row::Column::RevokedAt.is_null())
        .exec(&tx.0)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Revokes everything that a person's programs come in with.
pub async fn revoke_all(tx: &Tx, person: PersonId, now: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now))
        .filter(row::Column::PersonId.eq(Uuid::from(person)))
        .filter(row::Column::RevokedAt.is_null())
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Notes that a token is in use.
pub async fn touch(tx: &Tx, id: TokenId, now: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::UsedAt, Expr::value(now))
        .filter(row::Column::Id.eq(Uuid::from(id)))
        .exec(&tx.0)
        .await
        .map(drop)
}

fn token(row: row::Model) -> Token {
    Token {
        id: row.id.into(),
        person: row.person_id.into(),
        name: row.name,
        scopes: row.scopes.split(' ').filter_map(TokenScope::from_word).collect(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        used_at: row.used_at,
    }
}
