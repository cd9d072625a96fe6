//! Host names that are held. The database lets no name be held twice.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use domain::ids::NameId;
use domain::name::HeldName;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, SimpleExpr};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "held_name")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub register: String,
        pub key: String,
        pub name: String,
        pub fqdn: String,
        pub address: Option<String>,
        pub is_complete: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Nobody else takes a name before the transaction ends.
pub async fn alone(tx: &Tx) -> Result<(), DbErr> {
    tx.lock("held names").await
}

/// Holds a name for a register.
pub async fn insert(tx: &Tx, register: &str, held: &HeldName) -> Result<(), DbErr> {
    let row = row::Model {
        id: held.id.into(),
        register: register.to_owned(),
        key: held.key.clone(),
        name: held.name.clone(),
        fqdn: held.fqdn.clone(),
        address: held.address.map(|address| address.to_string()),
        is_complete: held.is_complete,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// What the register holds under this key.
pub async fn find_by_key(on: &impl Reads, register: &str, key: &str) -> Result<Option<HeldName>, DbErr> {
    one(on, register, row::Column::Key.eq(key)).await
}

/// Who holds this name with its domain in the register.
pub async fn find_by_fqdn(on: &impl Reads, register: &str, fqdn: &str) -> Result<Option<HeldName>, DbErr> {
    one(on, register, row::Column::Fqdn.eq(fqdn)).await
}

/// The register's reservation with this id.
pub async fn find(on: &impl Reads, register: &str, id: NameId) -> Result<Option<HeldName>, DbErr> {
    one(on, register, row::Column::Id.eq(id.0)).await
}

/// The short names that are held, by whichever register, of those whose names with the domain are like `fqdns`, in
/// which `%` stands for anything.
pub async fn taken(on: &impl Reads, fqdns: &str) -> Result<BTreeSet<String>, DbErr> {
    let like_these = row::Entity::find().filter(row::Column::Fqdn.like(fqdns));
    Ok(like_these.all(on.db()).await?.into_iter().map(|row| row.name).collect())
}

/// The name has an address.
pub async fn set_address(tx: &Tx, id: NameId, address: Ipv4Addr) -> Result<(), DbErr> {
    let address = Expr::value(address.to_string());
    let one = row::Entity::update_many().col_expr(row::Column::Address, address);
    one.filter(row::Column::Id.eq(id.0)).exec(&tx.0).await.map(drop)
}

/// The reservation is all there.
pub async fn set_complete(tx: &Tx, id: NameId) -> Result<(), DbErr> {
    let one = row::Entity::update_many().col_expr(row::Column::IsComplete, Expr::value(true));
    one.filter(row::Column::Id.eq(id.0)).exec(&tx.0).await.map(drop)
}

/// The name is free again.
pub async fn remove(tx: &Tx, id: NameId) -> Result<(), DbErr> {
    row::Entity::delete_by_id(id.0).exec(&tx.0).await.map(drop)
}

async fn one(on: &impl Reads, register: &str, which: SimpleExpr) -> Result<Option<HeldName>, DbErr> {
    let of_register = row::Entity::find().filter(row::Column::Register.eq(register));
    of_register.filter(which).one(on.db()).await?.map(held).transpose()
}

fn held(row: row::Model) -> Result<HeldName, DbErr> {
    let address = row.address.map(|address| address.parse()).transpose();
    Ok(HeldName {
        id: row.id.into(),
        key: row.key,
        name: row.name,
        fqdn: row.fqdn,
        address: address.map_err(|cause| DbErr::Type(format!("the address of a held name: {cause}")))?,
        is_complete: row.is_complete,
    })
}
