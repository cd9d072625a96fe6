//! Filed reports: written once, in parts, and never changed.

use chrono::{DateTime, Utc};
use domain::audit_report::filing::Filing;
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::sql::Sql;
use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_filing")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub draft_id: Uuid,
        pub filed_at: DateTimeUtc,
        pub filed_by: String,
        pub as_of: DateTimeUtc,
        pub rules: String,
        pub cis: i64,
        pub sha256: String,
        pub contents: String,
        pub previous: String,
        pub hash: String,
        pub figures: String,
        pub report: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod part {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_filing_part")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub draft_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub written_at: DateTimeUtc,
        pub rows: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A filed report as a list shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub filing: Filing,
    /// Its figures, as JSON.
    pub figures: String,
}

/// A filed report with what is kept of it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub filing: Filing,
    /// What its parts are known by.
    pub draft: Uuid,
    /// All of it but the population, packed.
    pub report: Vec<u8>,
}

/// Keeps a stretch of the population of a draft; the first has the number 0.
pub async fn keep_part(tx: &Tx, draft: Uuid, number: i64, rows: Vec<u8>, now: DateTime<Utc>) -> Result<(), DbErr> {
    let part = part::Model { draft_id: draft, number, written_at: now, rows };
    part::Entity::insert(part.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Files a report, whose parts have been kept.
pub async fn insert(tx: &Tx, kept: Kept, figures: String) -> Result<(), DbErr> {
    let filing = kept.filing;
    let row = row::Model {
        number: filing.number,
        draft_id: kept.draft,
        filed_at: filing.filed_at,
        filed_by: filing.by,
        as_of: filing.as_of,
        rules: filing.rules,
        cis: filing.cis,
        sha256: filing.sha256,
        contents: filing.contents,
        previous: filing.previous,
        hash: filing.hash,
        figures,
        report: kept.report,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Forgets parts that were written before then and belong to no filed report: whoever wrote them died.
pub async fn sweep(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut sql = Sql::at(before);
    sql.text = "DELETE FROM audit_filing_part WHERE written_at < $1 \
                AND draft_id NOT IN (SELECT draft_id FROM audit_filing)"
        .to_owned();
    sql.execute(tx).await
}

/// The report that was filed last.
pub async fn last(on: &impl Reads) -> Result<Option<Filing>, DbErr> {
    Ok(list(on, None, 1).await?.pop().map(|listed| listed.filing))
}

/// Reports filed before the one of this number, the newest first.
pub async fn list(on: &impl Reads, before: Option<i64>, limit: u64) -> Result<Vec<Listed>, DbErr> {
    let mut found = headers().order_by_desc(row::Column::Number).limit(limit);
    if let Some(before) = before {
        found = found.filter(row::Column::Number.lt(before));
    }
    let rows: Vec<Header> = found.into_tuple().all(on.db()).await?;
    Ok(rows.into_iter().map(listed).collect())
}

/// Reports filed after the one of this number, in their order.
pub async fn after(on: &impl Reads, number: i64, limit: u64) -> Result<Vec<Filing>, DbErr> {
    let found = headers().filter(row::Column::Number.gt(number)).order_by_asc(row::Column::Number).limit(limit);
    let rows: Vec<Header> = found.into_tuple().all(on.db()).await?;
    Ok(rows.into_iter().map(|row| listed(row).filing).collect())
}

/// The report of this number.
pub async fn find(on: &impl Reads, number: i64) -> Result<Option<Kept>, DbErr> {
    let found = row::Entity::find_by_id(number).one(on.db()).await?;
    let kept = |row: row::Model| Kept {
        draft: row.draft_id,
        report: row.report,
        filing: Filing {
            number: row.number,
            filed_at: row.filed_at,
            by: row.filed_by,
            as_of: row.as_of,
            rules: row.rules,
            cis: row.cis,
            sha256: row.sha256,
            contents: row.contents,
            previous: row.previous,
            hash: row.hash,
        },
    };
    Ok(found.map(kept))
}

/// A stretch of a draft's population, packed; nothing after the last.
pub async fn part(on: &impl Reads, draft: Uuid, number: i64) -> Result<Option<Vec<u8>>, DbErr> {
    let found = part::Entity::find_by_id((draft, number)).one(on.db()).await?;
    Ok(found.map(|part| part.rows))
}

/// All columns of a filed report but what it says.
type Header = (i64, DateTime<Utc>, String, DateTime<Utc>, String, i64, String, String, String, String, String);

fn headers() -> Select<row::Entity> {
    use row::Column;
    row::Entity::find().select_only().columns([
        Column::Number,
        Column::FiledAt,
        Column::FiledBy,
        Column::AsOf,
        Column::Rules,
        Column::Cis,
        Column::Sha256,
        Column::Contents,
        Column::Previous,
        Column::Hash,
        Column::Figures,
    ])
}

fn listed(row: Header) -> Listed {
    let (number, filed_at, by, as_of, rules, cis, sha256, contents, previous, hash, figures) = row;
    Listed { filing: Filing { number, filed_at, by, as_of, rules, cis, sha256, contents, previous, hash }, figures }
}
