//! Nodes of configuration servers, and what their agents reported.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::DeploymentId;
use domain::node::{Drift, Node, NodeOrder, NodeReport, ReceivedReport, ReportStatus};
use domain::ports::nodes::NodeEvent;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::Value;
use uuid::Uuid;

use crate::sql::Sql;
use crate::tx::sealed::Connection;
use crate::{Reads, Tx, fresh_id};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "node")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub certname: String,
        pub key: String,
        pub site: String,
        pub role: String,
        pub environment: String,
        pub facts: Json,
        pub ordered_at: DateTimeUtc,
        pub asked_at: Option<DateTimeUtc>,
        pub started_at: Option<DateTimeUtc>,
        pub key_print: Option<String>,
        pub signed_at: Option<DateTimeUtc>,
        pub settled_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod report {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "node_report")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub certname: String,
        pub run_id: String,
        pub status: String,
        pub noop: bool,
        pub began_at: DateTimeUtc,
        pub received_at: DateTimeUtc,
        pub seconds: f64,
        pub catalog_seconds: Option<f64>,
        pub resources: i32,
        pub changed: i32,
        pub failed: i32,
        pub corrected: i32,
        pub lines: Json,
        pub drift: Option<String>,
        pub drift_until: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes what the node shall become; everything that was known of an earlier order's run is over. The certificate
/// stays. The caller has seen that no other key holds the name.
pub async fn order(tx: &Tx, order: &NodeOrder, at: DateTime<Utc>) -> Result<(), DbErr> {
    use row::Column as C;
    let row = row::Model {
        certname: order.certname.clone(),
        key: order.key.clone(),
        site: order.site.clone(),
        role: order.role.clone(),
        environment: order.environment.clone(),
        facts: Value::Object(order.facts.clone()),
        ordered_at: at,
        asked_at: None,
        started_at: None,
        key_print: None,
        signed_at: None,
        settled_at: None,
    };
    let anew = [C::Site, C::Role, C::Environment, C::Facts, C::OrderedAt, C::AskedAt, C::StartedAt, C::SettledAt];
    row::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(C::Certname).update_columns(anew).to_owned())
        .exec_without_returning(tx.db())
        .await?;
    end_drift(tx, &order.certname, at).await
}

/// The node that carries this key.
pub async fn by_key(on: &impl Reads, key: &str) -> Result<Option<Node>, DbErr> {
    row::Entity::find().filter(row::Column::Key.eq(key)).one(on.db()).await?.map(node_of).transpose()
}

/// The node of this name.
pub async fn by_certname(on: &impl Reads, certname: &str) -> Result<Option<Node>, DbErr> {
    row::Entity::find_by_id(certname).one(on.db()).await?.map(node_of).transpose()
}

/// Notes what happened to the node that carries this key.
pub async fn note(tx: &Tx, key: &str, event: &NodeEvent, at: DateTime<Utc>) -> Result<(), DbErr> {
    use row::Column as C;
    let rows = row::Entity::update_many().filter(C::Key.eq(key));
    let rows = match event {
        NodeEvent::Signing { key_print } => rows.col_expr(C::KeyPrint, Expr::value(key_print.as_str())),
        NodeEvent::Signed => rows.col_expr(C::SignedAt, Expr::value(at)),
        NodeEvent::Started => rows.col_expr(C::StartedAt, Expr::value(at)),
    };
    rows.exec(tx.db()).await.map(drop)
}

/// Notes that the node's server asked what it shall become, where it had not since the order stands.
pub async fn asked(tx: &Tx, certname: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    stamp(tx, certname, row::Column::AskedAt, at).await
}

/// Notes that a run brought about what was ordered, where none had.
pub async fn settle(tx: &Tx, certname: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    stamp(tx, certname, row::Column::SettledAt, at).await
}

async fn stamp(tx: &Tx, certname: &str, column: row::Column, at: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(column, Expr::value(at))
        .filter(row::Column::Certname.eq(certname))
        .filter(column.is_null())
        .exec(tx.db())
        .await
        .map(drop)
}

/// Keeps a report; says whether it was new.
pub async fn keep_report(
    tx: &Tx,
    report: &NodeReport,
    drift: Option<&Drift>,
    at: DateTime<Utc>,
) -> Result<bool, DbErr> {
    use report::Column as C;
    let kept = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let row = report::Model {
        id: fresh_id(),
        certname: report.certname.clone(),
        run_id: report.transaction.clone(),
        status: report.status.word().to_owned(),
        noop: report.noop,
        began_at: report.began_at,
        received_at: at,
        seconds: report.seconds,
        catalog_seconds: report.catalog_seconds,
        resources: kept(report.resources),
        changed: kept(report.changed),
        failed: kept(report.failed),
        corrected: kept(report.corrected),
        lines: serde_json::to_value(&report.lines).map_err(|cause| DbErr::Json(cause.to_string()))?,
        drift: drift.map(|drift| drift.detail.clone()),
        drift_until: drift.and_then(|drift| drift.shown_until),
    };
    let once = OnConflict::columns([C::Certname, C::RunId]).do_nothing().to_owned();
    let written = report::Entity::insert(row.into_active_model()).on_conflict(once).exec_without_returning(tx.db());
    written.await.map(|rows| rows == 1)
}

/// What a run that succeeded, or an order, puts an end to.
pub async fn end_drift(tx: &Tx, certname: &str, at: DateTime<Utc>) -> Result<(), DbErr> {
    report::Entity::update_many()
        .col_expr(report::Column::DriftUntil, Expr::value(at))
        .filter(report::Column::Certname.eq(certname))
        .filter(report::Column::Drift.is_not_null())
        .filter(report::Column::DriftUntil.is_null())
        .exec(tx.db())
        .await
        .map(drop)
}

/// Lets go of the node's reports that arrived before.
pub async fn forget_reports(tx: &Tx, certname: &str, before: DateTime<Utc>) -> Result<(), DbErr> {
    report::Entity::delete_many()
        .filter(report::Column::Certname.eq(certname))
        .filter(report::Column::ReceivedAt.lt(before))
        .exec(tx.db())
        .await
        .map(drop)
}

/// The report that arrived last.
pub async fn latest_report(on: &impl Reads, certname: &str) -> Result<Option<ReceivedReport>, DbErr> {
    let row = report::Entity::find()
        .filter(report::Column::Certname.eq(certname))
        .order_by_desc(report::Column::ReceivedAt)
        .order_by_desc(report::Column::Id)
        .one(on.db())
        .await?;
    row.map(report_of).transpose()
}

#[derive(FromQueryResult)]
struct DriftRow {
    deployment_id: Uuid,
    key: String,
    attributes: Value,
    drift: String,
}

/// What drifted then in these deployments: the CI that stands for it, and what was found. One statement.
pub async fn drifts(
    on: &impl Reads,
    deployments: &[DeploymentId],
    at: DateTime<Utc>,
) -> Result<HashMap<DeploymentId, Vec<(String, String)>>, DbErr> {
    let mut drifts: HashMap<DeploymentId, Vec<(String, String)>> = HashMap::new();
    if deployments.is_empty() {
        return Ok(drifts);
    }
    let mut sql = Sql::at(at);
    let ids = sql.bind_all(deployments.iter().map(|id| id.0));
    sql.text = format!(
        "SELECT r.deployment_id, r.key, r.attributes, p.drift FROM resource r JOIN node n ON n.key = r.key \
         JOIN node_report p ON p.certname = n.certname WHERE r.deployment_id IN ({ids}) AND r.state <> 'gone' \
         AND p.drift IS NOT NULL AND p.received_at <= $1 AND (p.drift_until IS NULL OR p.drift_until > $1) \
         ORDER BY p.received_at"
    );
    for row in sql.all::<DriftRow>(on).await? {
        let ci = row.attributes.get("ci").and_then(Value::as_str).map_or(row.key, str::to_owned);
        let of_deployment = drifts.entry(row.deployment_id.into()).or_default();
        match of_deployment.iter_mut().find(|(known, _)| *known == ci) {
            Some((_, drift)) => *drift = row.drift,
            None => of_deployment.push((ci, row.drift)),
        }
    }
    Ok(drifts)
}

/// How many nodes have had this name and are gone.
pub async fn predecessors(on: &impl Reads, certname: &str) -> Result<u32, DbErr> {
    let mut sql = Sql::default();
    let place = sql.bind(certname);
    sql.text = format!("SELECT CAST(predecessors AS bigint) FROM node_name WHERE certname = {place}");
    sql.number(on).await.map(|number| u32::try_from(number).unwrap_or_default())
}

/// Takes the node with its reports away, and remembers that its name was in use.
pub async fn forget(tx: &Tx, key: &str) -> Result<(), DbErr> {
    let Some(node) = by_key(tx, key).await? else { return Ok(()) };
    let certname = node.order.certname;
    let mut sql = Sql::default();
    let place = sql.bind(certname.as_str());
    sql.text = format!(
        "INSERT INTO node_name (certname, predecessors) VALUES ({place}, 1) \
         ON CONFLICT (certname) DO UPDATE SET predecessors = node_name.predecessors + 1"
    );
    sql.execute(tx).await?;
    report::Entity::delete_many().filter(report::Column::Certname.eq(certname.as_str())).exec(tx.db()).await?;
    row::Entity::delete_by_id(certname).exec(tx.db()).await.map(drop)
}

fn node_of(row: row::Model) -> Result<Node, DbErr> {
    let Value::Object(facts) = row.facts else {
        return Err(DbErr::Json(format!("the facts of the node {} are no object", row.certname)));
    };
    let order = NodeOrder {
        certname: row.certname,
        key: row.key,
        site: row.site,
        role: row.role,
        environment: row.environment,
        facts,
    };
    Ok(Node {
        order,
        ordered_at: row.ordered_at,
        asked_at: row.asked_at,
        started_at: row.started_at,
        key_print: row.key_print,
        signed_at: row.signed_at,
        settled_at: row.settled_at,
    })
}

fn report_of(row: report::Model) -> Result<ReceivedReport, DbErr> {
    let fault = |what: String| DbErr::Type(format!("the report {} of {}: {what}", row.run_id, row.certname));
    let number = |kept: i32| u32::try_from(kept).unwrap_or_default();
    let status = ReportStatus::from_word(&row.status).ok_or_else(|| fault(format!("unknown status {}", row.status)))?;
    let lines = serde_json::from_value(row.lines.clone()).map_err(|cause| fault(cause.to_string()))?;
    Ok(ReceivedReport {
        received_at: row.received_at,
        report: NodeReport {
            status,
            noop: row.noop,
            began_at: row.began_at,
            seconds: row.seconds,
            catalog_seconds: row.catalog_seconds,
            resources: number(row.resources),
            changed: number(row.changed),
            failed: number(row.failed),
            corrected: number(row.corrected),
            lines,
            certname: row.certname,
            transaction: row.run_id,
        },
    })
}
