//! Addresses of the built-in pools that are held. The database lets no address of a pool be held twice.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "held_address")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub pool: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub address: String,
        pub key: String,
        pub fqdn: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Nobody else takes an address of the pool before the transaction ends.
pub async fn alone(tx: &Tx, pool: &str) -> Result<(), DbErr> {
    tx.lock(&format!("addresses of {pool}")).await
}

/// Holds an address of the pool.
pub async fn insert(tx: &Tx, pool: &str, address: Ipv4Addr, key: &str, fqdn: &str) -> Result<(), DbErr> {
    let row =
        row::Model { pool: pool.to_owned(), address: address.to_string(), key: key.to_owned(), fqdn: fqdn.to_owned() };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The address of the pool that is held under this key.
pub async fn find_by_key(on: &impl Reads, pool: &str, key: &str) -> Result<Option<Ipv4Addr>, DbErr> {
    let of_pool = row::Entity::find().filter(row::Column::Pool.eq(pool));
    let found = of_pool.filter(row::Column::Key.eq(key)).one(on.db()).await?;
    found.map(|row| address(&row.address)).transpose()
}

/// All addresses of the pool that are held.
pub async fn taken(on: &impl Reads, pool: &str) -> Result<BTreeSet<Ipv4Addr>, DbErr> {
    let of_pool = row::Entity::find().filter(row::Column::Pool.eq(pool));
    let held: Vec<String> = of_pool.select_only().column(row::Column::Address).into_tuple().all(on.db()).await?;
    held.iter().map(|held| address(held)).collect()
}

/// The address that is held under this key is free again.
pub async fn remove(tx: &Tx, pool: &str, key: &str) -> Result<(), DbErr> {
    let of_pool = row::Entity::delete_many().filter(row::Column::Pool.eq(pool));
    of_pool.filter(row::Column::Key.eq(key)).exec(&tx.0).await.map(drop)
}

fn address(text: &str) -> Result<Ipv4Addr, DbErr> {
    text.parse().map_err(|cause| DbErr::Type(format!("a held address: {cause}")))
}
