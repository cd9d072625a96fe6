//! The things that are there: machines as their sites show them, and containers as their engines tell.

use domain::audit_report::sampling::DrawnThing;
use domain::person::Scope;
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::Reads;
use crate::sql::Sql;

/// A sort of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Machine,
    Container,
}

impl Sort {
    pub const ALL: [Self; 2] = [Self::Machine, Self::Container];

    /// Where they are kept: the id of one, and the rows of those that are there.
    const fn seen(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Machine => (
                "s.resource_id",
                "FROM sighting s JOIN resource r ON r.id = s.resource_id JOIN deployment d ON d.id = r.deployment_id",
                "NOT s.absent",
            ),
            Self::Container => {
                ("j.id", "FROM container_journal j JOIN ci d ON d.id = j.engine_id", "j.seen_until IS NULL")
            }
        }
    }
}

/// The ids of things in scope after this one, in their order.
pub async fn ids(on: &impl Reads, scope: &Scope, sort: Sort, after: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    let mut sql = Sql::default();
    let place = sql.bind(after);
    let Some(scoped) = sql.scoped(scope, "d.project_id") else { return Ok(Vec::new()) };
    let (id, from, there) = sort.seen();
    sql.text = format!("SELECT {id} {from} WHERE {there} AND {id} > {place}{scoped} ORDER BY {id} LIMIT {limit}");
    sql.rows(on).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// What is known of these things: the name, where they were seen, and the CI that stands for each.
pub async fn known(on: &impl Reads, sort: Sort, ids: &[Uuid]) -> Result<Vec<(Uuid, DrawnThing)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
        seen_at: String,
        ci_id: Option<Uuid>,
        ci_name: Option<String>,
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::default();
    let places = sql.bind_all(ids.iter().copied());
    let (id, from, _) = sort.seen();
    let (kind, known) = match sort {
        Sort::Machine => (
            "Machine",
            format!(
                "SELECT {id} AS id, s.name, d.site AS seen_at, c.id AS ci_id, c.name AS ci_name {from} \
                 LEFT JOIN ci c ON c.deployment_id = r.deployment_id AND c.class = 'virtual_machine' \
                 AND c.lifecycle <> 'retired' AND substr(c.key, 1, length(r.key) + 1) = r.key || '/'"
            ),
        ),
        Sort::Container => (
            "Container",
            format!(
                "SELECT {id} AS id, j.name, d.name AS seen_at, c.id AS ci_id, c.name AS ci_name {from} \
                 LEFT JOIN ci c ON c.id = j.workload_id AND c.lifecycle <> 'retired'"
            ),
        ),
    };
    sql.text = format!("{known} WHERE {id} IN ({places})");
    let rows: Vec<Row> = sql.all(on).await?;
    let thing = |row: Row| {
        let ci = row.ci_id.map(Into::into);
        (row.id, DrawnThing { kind: kind.into(), name: row.name, seen_at: row.seen_at, ci, ci_name: row.ci_name })
    };
    Ok(rows.into_iter().map(thing).collect())
}
