//! Keys of writes, and what was asked with each the first time.

use chrono::{DateTime, Utc};
use domain::ids::PersonId;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub digest: String,
        pub first_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The digest of what this person asked with the key, if he used it before.
pub async fn digest(on: &impl Reads, person: PersonId, key: &str) -> Result<Option<String>, DbErr> {
    let found = row::Entity::find_by_id((person.0, key.to_owned())).one(on.db()).await?;
    Ok(found.map(|row| row.digest))
}

/// Takes the key for what has this digest. False when it was taken before; whoever takes it at the same time waits
/// for the other's transaction to end.
pub async fn claim(tx: &Tx, person: PersonId, key: &str, digest: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let row = row::Model { person_id: person.into(), key: key.to_owned(), digest: digest.to_owned(), first_at: now };
    let taken = OnConflict::columns([row::Column::PersonId, row::Column::Key]).do_nothing().to_owned();
    let written = row::Entity::insert(row.into_active_model()).on_conflict(taken).exec_without_returning(&tx.0).await?;
    Ok(written == 1)
}
