//! What is known of one CI: its attributes, its history, and what stands around it.

use chrono::{DateTime, Utc};
use domain::ci::{Attributes, Change, Ci, CiClass, Lifecycle, Relation};
use domain::ids::{CiId, DeploymentId};
use domain::person::Scope;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::row::{self, attribute, ci, history};
use crate::Reads;
use crate::sql::Sql;

/// Neighbours that one statement answers at most; a graph of more says nothing to a person.
const MOST_NEIGHBOURS: usize = 200;

/// A CI beside another: how they stand to each other, since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    pub from: CiId,
    pub relation: Relation,
    pub to: CiId,
    pub since: DateTime<Utc>,
    /// The neighbour: one of the two ends.
    pub ci: CiId,
    pub name: String,
    pub class: CiClass,
    pub lifecycle: Lifecycle,
}

/// The CI, if it is in scope.
pub async fn by_id(on: &impl Reads, scope: &Scope, id: CiId) -> Result<Option<Ci>, DbErr> {
    let mut found = ci::Entity::find_by_id(id.0);
    if let Scope::Projects(projects) = scope {
        found = found.filter(ci::Column::ProjectId.is_in(projects.iter().map(|project| project.0)));
    }
    found.one(on.db()).await?.map(ci::Model::into_domain).transpose()
}

/// Keys of the deployment's CIs that are not retired and belong to an object with this idempotency key.
pub async fn standing_below(on: &impl Reads, deployment: DeploymentId, object: &str) -> Result<Vec<String>, DbErr> {
    let keys: Vec<String> = ci::Entity::find()
        .select_only()
        .column(ci::Column::Key)
        .filter(ci::Column::DeploymentId.eq(deployment.0))
        .filter(ci::Column::RetiredAt.is_null())
        .into_tuple()
        .all(on.db())
        .await?;
    let below = format!("{object}/");
    Ok(keys.into_iter().filter(|key| key.starts_with(&below)).collect())
}

/// What is known of the CI now. The caller has asked [`by_id`] whether it is in scope.
pub async fn attributes(on: &impl Reads, id: CiId) -> Result<Attributes, DbErr> {
    let rows = attribute::Entity::find().filter(attribute::Column::CiId.eq(id.0)).all(on.db()).await?;
    rows.into_iter().map(attribute::Model::into_domain).collect()
}

/// The latest entries of the CI's history until an instant, newest first.
pub async fn history(on: &impl Reads, id: CiId, until: DateTime<Utc>, limit: u64) -> Result<Vec<Change>, DbErr> {
    let rows = history::Entity::find()
        .filter(history::Column::CiId.eq(id.0))
        .filter(history::Column::At.lte(until))
        .order_by_desc(history::Column::At)
        .order_by_desc(history::Column::Id)
        .limit(limit)
        .all(on.db())
        .await?;
    rows.into_iter().map(history::Model::into_domain).collect()
}

/// The CIs in scope next to these at an instant: those that trouble of these reaches (`affected`), or those whose trouble
/// reaches them; and whether there are more than are answered. One statement.
pub async fn neighbours(
    on: &impl Reads,
    scope: &Scope,
    of: &[CiId],
    affected: bool,
    at: DateTime<Utc>,
) -> Result<(Vec<Hop>, bool), DbErr> {
    if of.is_empty() {
        return Ok((Vec::new(), false));
    }
    let mut sql = Sql::at(at);
    let mut part = |own_end: &str, other_end: &str, relations: Vec<Relation>| -> Option<String> {
        let ids = sql.bind_all(of.iter().map(|id| id.0));
        let words = sql.bind_all(relations.into_iter().map(Relation::word));
        // What others have must not take the place of what is in scope.
        let scoped = sql.scoped(scope, "c.project_id")?;
        Some(format!(
            "SELECT r.from_id, r.relation, r.to_id, r.since, c.id, c.name, c.class, c.lifecycle \
             FROM ci_relation r JOIN ci c ON c.id = r.{other_end} WHERE r.{own_end} IN ({ids}) \
             AND r.since <= $1 AND (r.until IS NULL OR r.until > $1) AND r.relation IN ({words}){scoped}"
        ))
    };
    let (left, right) = Relation::ALL.iter().copied().partition(|relation| relation.impact_goes_left());
    let (left_own, right_own) = if affected { ("to_id", "from_id") } else { ("from_id", "to_id") };
    let parts = part(left_own, right_own, left).zip(part(right_own, left_own, right));
    let Some((left, right)) = parts else { return Ok((Vec::new(), false)) };
    sql.text = format!("{left} UNION ALL {right} ORDER BY 6, 5 LIMIT {}", MOST_NEIGHBOURS + 1);
    let mut hops = sql.all(on).await?.into_iter().map(HopRow::into_hop).collect::<Result<Vec<_>, DbErr>>()?;
    let is_cut = hops.len() > MOST_NEIGHBOURS;
    hops.truncate(MOST_NEIGHBOURS);
    Ok((hops, is_cut))
}

#[derive(FromQueryResult)]
struct HopRow {
    from_id: Uuid,
    relation: String,
    to_id: Uuid,
    since: DateTime<Utc>,
    id: Uuid,
    name: String,
    class: String,
    lifecycle: String,
}

impl HopRow {
    fn into_hop(self) -> Result<Hop, DbErr> {
        Ok(Hop {
            from: self.from_id.into(),
            relation: row::relation_of(&self.relation)?,
            to: self.to_id.into(),
            since: self.since,
            ci: self.id.into(),
            class: row::class_of(&self.class)?,
            lifecycle: row::lifecycle_of(&self.lifecycle)?,
            name: self.name,
        })
    }
}
