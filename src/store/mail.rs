//! The mail outbox.

use chrono::{DateTime, Utc};
use domain::ids::{MailId, RequestId, TaskId};
use domain::mail::{Asks, Delivery, Letter, Mail, MailState};
use domain::task::TaskState;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{Condition, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect};

use crate::sql::Sql;
use crate::{Reads, Tx, fresh_id};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mail")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub to_name: String,
        pub to_email: String,
        pub kind: String,
        pub subject: String,
        pub text: String,
        pub html: String,
        pub request_id: Option<Uuid>,
        pub approval_id: Option<Uuid>,
        pub reason: String,
        pub state: String,
        pub attempts: i32,
        pub next_at: Option<DateTimeUtc>,
        pub answer: Option<String>,
        pub created_at: DateTimeUtc,
        pub sent_at: Option<DateTimeUtc>,
        pub claimed_by: Option<String>,
        pub claimed_until: Option<DateTimeUtc>,
        pub task_id: Option<Uuid>,
        pub passed_on: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Puts a letter in the outbox, in the transaction that gives its reason; a letter for the same reason is there
/// already and stays as it is.
pub async fn post(tx: &Tx, letter: Letter, state: MailState, now: DateTime<Utc>) -> Result<(), DbErr> {
    let (approval_id, task_id) = match letter.asks {
        Some(Asks::Approval(id)) => (Some(id.into()), None),
        Some(Asks::Task(id)) => (None, Some(id.into())),
        None => (None, None),
    };
    let row = row::Model {
        id: fresh_id(),
        to_name: letter.to_name,
        to_email: letter.to_email,
        kind: letter.kind.to_owned(),
        subject: letter.subject,
        text: letter.text,
        html: letter.html,
        request_id: letter.request.map(Uuid::from),
        approval_id,
        reason: letter.reason,
        state: state.word().to_owned(),
        attempts: 0,
        next_at: (state == MailState::Queued).then_some(now),
        answer: None,
        created_at: now,
        sent_at: None,
        claimed_by: None,
        claimed_until: None,
        task_id,
        passed_on: None,
    };
    row::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(row::Column::Reason).do_nothing().to_owned())
        .exec_without_returning(&tx.0)
        .await
        .map(drop)
}

/// Takes up to `limit` mails whose turn it is for this sender, oldest first. A mail that a sender held when it died
/// is free again at `until`.
pub async fn claim(
    tx: &Tx,
    sender: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Mail>, DbErr> {
    let due = row::Entity::find()
        .filter(row::Column::State.eq(MailState::Queued.word()))
        .filter(row::Column::NextAt.lte(now))
        .filter(Condition::any().add(row::Column::ClaimedUntil.is_null()).add(row::Column::ClaimedUntil.lte(now)))
        .order_by_asc(row::Column::NextAt)
        .limit(limit)
        .all(&tx.0)
        .await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    row::Entity::update_many()
        .col_expr(row::Column::ClaimedBy, Expr::value(sender))
        .col_expr(row::Column::ClaimedUntil, Expr::value(until))
        .filter(row::Column::Id.is_in(due.iter().map(|mail| mail.id)))
        .exec(&tx.0)
        .await?;
    due.into_iter().map(mail).collect()
}

/// Whether this sender still holds a mail that it claimed.
pub async fn is_claimed(on: &impl Reads, id: MailId, sender: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let mails = row::Entity::find_by_id(Uuid::from(id))
        .filter(row::Column::ClaimedBy.eq(sender))
        .filter(row::Column::ClaimedUntil.gt(now));
    Ok(mails.count(on.db()).await? == 1)
}

/// Notes what became of a try, unless another sender took the mail over meanwhile. What a sent mail said is not kept:
/// its links decide in the receiver's name.
pub async fn settle(tx: &Tx, id: MailId, sender: &str, delivery: Delivery) -> Result<(), DbErr> {
    let mut update = row::Entity::update_many();
    if delivery.state == MailState::Sent {
        update = update.col_expr(row::Column::Text, Expr::value("")).col_expr(row::Column::Html, Expr::value(""));
    }
    update
        .col_expr(row::Column::State, Expr::value(delivery.state.word()))
        .col_expr(row::Column::Answer, Expr::value(delivery.answer))
        .col_expr(row::Column::NextAt, Expr::value(delivery.next_at))
        .col_expr(row::Column::SentAt, Expr::value(delivery.sent_at))
        .col_expr(row::Column::Attempts, Expr::col(row::Column::Attempts).add(1))
        .col_expr(row::Column::ClaimedBy, Expr::value(None::<String>))
        .col_expr(row::Column::ClaimedUntil, Expr::value(None::<DateTime<Utc>>))
        .filter(row::Column::Id.eq(Uuid::from(id)))
        .filter(row::Column::ClaimedBy.eq(sender))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Puts a refused mail back in the queue.
pub async fn requeue(tx: &Tx, id: MailId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(MailState::Queued.word()))
        .col_expr(row::Column::NextAt, Expr::value(now))
        .col_expr(row::Column::Attempts, Expr::value(0))
        .filter(row::Column::Id.eq(Uuid::from(id)))
        .filter(row::Column::State.eq(MailState::Refused.word()))
        .exec(&tx.0)
        .await?;
    Ok(done.rows_affected == 1)
}

/// The newest mails, before an id when paging on.
pub async fn list(on: &impl Reads, before: Option<MailId>, limit: u64) -> Result<Vec<Mail>, DbErr> {
    let mut query = row::Entity::find().order_by_desc(row::Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(row::Column::Id.lt(Uuid::from(before)));
    }
    query.all(on.db()).await?.into_iter().map(mail).collect()
}

/// The newest mails that no mail server took.
pub async fn refused(on: &impl Reads, limit: u64) -> Result<Vec<Mail>, DbErr> {
    let refused = row::Entity::find().filter(row::Column::State.eq(MailState::Refused.word()));
    let newest = refused.order_by_desc(row::Column::Id).limit(limit);
    newest.all(on.db()).await?.into_iter().map(mail).collect()
}

/// Mails about open tasks that no mail server took, of which nobody else was told yet.
pub async fn lost_and_not_passed_on(on: &impl Reads, limit: u64) -> Result<Vec<Mail>, DbErr> {
    lost(on, Sql::default(), &format!("m.passed_on IS NULL ORDER BY m.id LIMIT {limit}")).await
}

/// Mails about these tasks, as long as they are open, that no mail server took.
pub async fn lost_of_tasks(on: &impl Reads, tasks: &[TaskId]) -> Result<Vec<Mail>, DbErr> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::default();
    let these = format!("m.task_id IN ({}) ORDER BY m.id", sql.bind_all(tasks.iter().map(|task| task.0)));
    lost(on, sql, &these).await
}

/// Mails about open tasks that no mail server took, after which none about the same went to the same person.
async fn lost(on: &impl Reads, mut sql: Sql, which: &str) -> Result<Vec<Mail>, DbErr> {
    sql.text = format!(
        "SELECT m.* FROM mail m JOIN task t ON t.id = m.task_id WHERE m.state = '{}' AND t.state = '{}' AND NOT EXISTS \
         (SELECT 1 FROM mail n WHERE n.task_id = m.task_id AND n.to_email = m.to_email AND n.id > m.id) AND {which}",
        MailState::Refused.word(),
        TaskState::Open.word(),
    );
    let rows: Vec<row::Model> = sql.all(on).await?;
    rows.into_iter().map(mail).collect()
}

/// Notes who was asked to tell the receiver of a mail that no mail server took; nobody, if the names are empty.
pub async fn mark_passed_on(tx: &Tx, id: MailId, names: &str) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::PassedOn, Expr::value(names))
        .filter(row::Column::Id.eq(Uuid::from(id)))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// One mail.
pub async fn find(on: &impl Reads, id: MailId) -> Result<Option<Mail>, DbErr> {
    row::Entity::find_by_id(Uuid::from(id)).one(on.db()).await?.map(mail).transpose()
}

/// The mails of a request, oldest first.
pub async fn of_request(on: &impl Reads, request: RequestId) -> Result<Vec<Mail>, DbErr> {
    let found = row::Entity::find()
        .filter(row::Column::RequestId.eq(Uuid::from(request)))
        .order_by_asc(row::Column::Id)
        .all(on.db())
        .await?;
    found.into_iter().map(mail).collect()
}

/// How many mails are in each state.
pub async fn counts(on: &impl Reads) -> Result<Vec<(MailState, u64)>, DbErr> {
    let rows: Vec<(String, i64)> = row::Entity::find()
        .select_only()
        .column(row::Column::State)
        .column_as(row::Column::Id.count(), "mails")
        .group_by(row::Column::State)
        .into_tuple()
        .all(on.db())
        .await?;
    rows.into_iter().map(|(word, mails)| Ok((state(&word)?, u64::try_from(mails).unwrap_or_default()))).collect()
}

/// Since when the oldest mail waits to be sent.
pub async fn oldest_queued(on: &impl Reads) -> Result<Option<DateTime<Utc>>, DbErr> {
    let oldest: Option<Option<DateTime<Utc>>> = row::Entity::find()
        .select_only()
        .column(row::Column::CreatedAt)
        .filter(row::Column::State.eq(MailState::Queued.word()))
        .order_by_asc(row::Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(on.db())
        .await?;
    Ok(oldest.flatten())
}

/// Forgets up to `limit` mails that were written before, oldest first; those that still wait to be sent stay. Says how
/// many it was.
pub async fn forget(tx: &Tx, written_before: DateTime<Utc>, limit: u64) -> Result<u64, DbErr> {
    let due: Vec<Uuid> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::CreatedAt.lt(written_before))
        .filter(row::Column::State.ne(MailState::Queued.word()))
        .order_by_asc(row::Column::CreatedAt)
        .limit(limit)
        .into_tuple()
        .all(&tx.0)
        .await?;
    if due.is_empty() {
        return Ok(0);
    }
    Ok(row::Entity::delete_many().filter(row::Column::Id.is_in(due)).exec(&tx.0).await?.rows_affected)
}

fn state(word: &str) -> Result<MailState, DbErr> {
    MailState::from_word(word).ok_or_else(|| DbErr::Type(format!("table `mail`: no mail is ever `{word}`")))
}

fn mail(row: row::Model) -> Result<Mail, DbErr> {
    Ok(Mail {
        id: row.id.into(),
        to_name: row.to_name,
        to_email: row.to_email,
        kind: row.kind,
        subject: row.subject,
        text: row.text,
        html: row.html,
        request: row.request_id.map(RequestId::from),
        asks: match (row.approval_id, row.task_id) {
            (Some(id), _) => Some(Asks::Approval(id.into())),
            (None, id) => id.map(|id| Asks::Task(id.into())),
        },
        state: state(&row.state)?,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        next_at: row.next_at,
        answer: row.answer,
        passed_on: row.passed_on,
        created_at: row.created_at,
        sent_at: row.sent_at,
    })
}

/// The questions whose mails the mail server refused.
pub(crate) async fn refused_approvals(on: &impl Reads) -> Result<Vec<Uuid>, DbErr> {
    row::Entity::find()
        .select_only()
        .column(row::Column::ApprovalId)
        .filter(row::Column::State.eq(MailState::Refused.word()))
        .filter(row::Column::ApprovalId.is_not_null())
        .into_tuple()
        .all(on.db())
        .await
}
