//! CIs as they are carried: with their attributes and what they stand to others.

use std::collections::{BTreeMap, HashMap};

use domain::connector::{Record, Related};
use domain::ids::CiId;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

use crate::Reads;
use crate::ci::row::{attribute, ci, class_of, relation_of};
use crate::sql::Sql;

#[derive(FromQueryResult)]
struct RelatedRow {
    from_id: Uuid,
    relation: String,
    key: String,
    class: String,
    name: String,
}

/// These CIs with what is known of them now: three statements. What changes meanwhile is wanted anew.
pub async fn records(on: &impl Reads, of: &[CiId]) -> Result<HashMap<CiId, Record>, DbErr> {
    if of.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = of.iter().map(|id| id.0).collect();
    let mut records = HashMap::with_capacity(ids.len());
    for row in ci::Entity::find().filter(ci::Column::Id.is_in(ids.clone())).all(on.db()).await? {
        let ci = row.into_domain()?;
        records.insert(ci.id, Record { ci, attributes: BTreeMap::new(), relations: Vec::new() });
    }
    for row in attribute::Entity::find().filter(attribute::Column::CiId.is_in(ids.clone())).all(on.db()).await? {
        let id = CiId(row.ci_id);
        let (name, told) = row.into_domain()?;
        if let Some(record) = records.get_mut(&id).filter(|_| !told.value.is_null()) {
            record.attributes.insert(name, told.value);
        }
    }
    for row in related(on, ids).await? {
        let related = Related {
            relation: relation_of(&row.relation)?,
            class: class_of(&row.class)?,
            key: row.key,
            name: row.name,
        };
        records.entry(CiId(row.from_id)).and_modify(|record| record.relations.push(related));
    }
    records.values_mut().for_each(|record| record.relations.sort());
    Ok(records)
}

async fn related(on: &impl Reads, of: Vec<Uuid>) -> Result<Vec<RelatedRow>, DbErr> {
    let mut sql = Sql::default();
    let these = sql.bind_all(of);
    sql.text = format!(
        "SELECT r.from_id, r.relation, c.key, c.class, c.name FROM ci_relation r JOIN ci c ON c.id = r.to_id \
         WHERE r.from_id IN ({these}) AND r.until IS NULL"
    );
    sql.all(on).await
}
