//! Who is away, and who stands in.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::approval::Absence;
use domain::ids::PersonId;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::{Reads, Tx, fresh_id};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "absence")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub delegate_id: Uuid,
        pub begins_at: DateTimeUtc,
        pub ends_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Sets a person's absence; it takes the place of what was set before.
pub async fn replace(tx: &Tx, absence: &Absence) -> Result<(), DbErr> {
    clear(tx, absence.person).await?;
    let row = row::Model {
        id: fresh_id(),
        person_id: absence.person.into(),
        delegate_id: absence.delegate.into(),
        begins_at: absence.begins_at,
        ends_at: absence.ends_at,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The person is back.
pub async fn clear(tx: &Tx, person: PersonId) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::PersonId.eq(person.0)).exec(&tx.0).await.map(drop)
}

/// What a person said of his absence, if it is not over.
pub async fn of_person(on: &impl Reads, person: PersonId, now: DateTime<Utc>) -> Result<Option<Absence>, DbErr> {
    let found = row::Entity::find()
        .filter(row::Column::PersonId.eq(person.0))
        .filter(row::Column::EndsAt.gt(now))
        .one(on.db())
        .await?;
    Ok(found.map(absence))
}

/// Who of these people is away now.
pub async fn away(
    on: &impl Reads,
    people: &[PersonId],
    now: DateTime<Utc>,
) -> Result<BTreeMap<PersonId, Absence>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::PersonId.is_in(people.iter().map(|id| id.0)))
        .filter(row::Column::BeginsAt.lte(now))
        .filter(row::Column::EndsAt.gt(now))
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(absence).map(|absence| (absence.person, absence)).collect())
}

fn absence(row: row::Model) -> Absence {
    Absence {
        person: row.person_id.into(),
        delegate: row.delegate_id.into(),
        begins_at: row.begins_at,
        ends_at: row.ends_at,
    }
}
