//! Organisations.

use domain::ids::OrganisationId;
use domain::organisation::Organisation;
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::{Reads, Tx};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "organisation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub name: String,
        pub title: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Organisation {
    fn from(row: row::Model) -> Self {
        Self { id: row.id.into(), name: row.name, title: row.title }
    }
}

/// Adds an organisation; its name must be free.
pub async fn insert(tx: &Tx, organisation: &Organisation) -> Result<(), DbErr> {
    let row =
        row::Model { id: organisation.id.into(), name: organisation.name.clone(), title: organisation.title.clone() };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The organisation with this name.
pub async fn find_by_name(on: &impl Reads, name: &str) -> Result<Option<Organisation>, DbErr> {
    let found = row::Entity::find().filter(row::Column::Name.eq(name)).one(on.db()).await?;
    Ok(found.map(Organisation::from))
}

/// Every organisation, by title.
pub async fn list(on: &impl Reads) -> Result<Vec<Organisation>, DbErr> {
    let rows = row::Entity::find().order_by_asc(row::Column::Title).all(on.db()).await?;
    Ok(rows.into_iter().map(Organisation::from).collect())
}

/// The title of one organisation; what a person reads instead of its id.
pub async fn find(on: &impl Reads, id: OrganisationId) -> Result<Option<Organisation>, DbErr> {
    Ok(row::Entity::find_by_id(Uuid::from(id)).one(on.db()).await?.map(Organisation::from))
}
