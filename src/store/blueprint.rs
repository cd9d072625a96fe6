//! The catalog's files: every published version, and what was refused when they were read last.

use domain::blueprint::{Edition, EditionState};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "blueprint")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub file: String,
        pub name: String,
        pub version: String,
        pub sha256: String,
        pub source: String,
        pub state: String,
        pub problems: Json,
        pub read_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a version that was published, or a file that was refused.
pub async fn insert(tx: &Tx, edition: &Edition) -> Result<(), DbErr> {
    let row = row::Model {
        id: edition.id.into(),
        file: edition.file.clone(),
        name: edition.name.clone(),
        version: edition.version.clone(),
        sha256: edition.sha256.clone(),
        source: edition.source.clone(),
        state: edition.state.word().to_owned(),
        problems: edition.problems.clone().into(),
        read_at: edition.read_at,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Forgets what was refused, before the files are read again.
pub async fn forget_refused(tx: &Tx) -> Result<(), DbErr> {
    let refused = row::Column::State.eq(EditionState::Refused.word());
    row::Entity::delete_many().filter(refused).exec(&tx.0).await.map(drop)
}

/// Every version that was ever published, and what is refused now, by name.
pub async fn list(on: &impl Reads) -> Result<Vec<Edition>, DbErr> {
    let rows = row::Entity::find().order_by_asc(row::Column::Name).order_by_asc(row::Column::ReadAt).all(on.db());
    rows.await?.into_iter().map(edition).collect()
}

/// The names of the files that are refused now.
pub async fn refused_files(on: &impl Reads) -> Result<Vec<String>, DbErr> {
    let refused = row::Entity::find().filter(row::Column::State.eq(EditionState::Refused.word()));
    let names = refused.select_only().column(row::Column::File).order_by_asc(row::Column::File);
    names.into_tuple().all(on.db()).await
}

/// A published version.
pub async fn find(on: &impl Reads, name: &str, version: &str) -> Result<Option<Edition>, DbErr> {
    let found = row::Entity::find()
        .filter(row::Column::Name.eq(name))
        .filter(row::Column::Version.eq(version))
        .filter(row::Column::State.eq(EditionState::Published.word()));
    found.one(on.db()).await?.map(edition).transpose()
}

fn edition(row: row::Model) -> Result<Edition, DbErr> {
    let unreadable = |column: &str| DbErr::Custom(format!("blueprint {}: the column `{column}` can't be read", row.id));
    Ok(Edition {
        state: EditionState::from_word(&row.state).ok_or_else(|| unreadable("state"))?,
        problems: serde_json::from_value(row.problems.clone()).map_err(|_| unreadable("problems"))?,
        id: row.id.into(),
        file: row.file,
        name: row.name,
        version: row.version,
        sha256: row.sha256,
        source: row.source,
        read_at: row.read_at,
    })
}
