//! Approvals: who was asked, and what became of it.

use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState, Client, Decision, Via};
use domain::ids::{ApprovalId, PersonId, RequestId};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "approval")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub request_id: Uuid,
        pub revision: i32,
        pub level: i32,
        pub approver_id: Uuid,
        pub on_behalf_of_id: Option<Uuid>,
        pub asked_as: String,
        pub state: String,
        pub opened_at: DateTimeUtc,
        pub remind_at: Option<DateTimeUtc>,
        pub decided_at: Option<DateTimeUtc>,
        pub reason: Option<String>,
        pub via: Option<String>,
        pub client_address: Option<String>,
        pub client_agent: Option<String>,
        pub dispute_hash: Option<String>,
        pub disputed_at: Option<DateTimeUtc>,
        pub passed_on: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod link {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "approval_link")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: String,
        pub approval_id: Uuid,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Asks somebody.
pub async fn insert(tx: &Tx, approval: &Approval) -> Result<(), DbErr> {
    let row = row::Model {
        id: approval.id.into(),
        request_id: approval.request.into(),
        revision: approval.revision,
        level: approval.level,
        approver_id: approval.approver.into(),
        on_behalf_of_id: approval.on_behalf_of.map(Uuid::from),
        asked_as: approval.asked_as.clone(),
        state: approval.state.word().to_owned(),
        opened_at: approval.opened_at,
        remind_at: approval.remind_at,
        decided_at: None,
        reason: None,
        via: None,
        client_address: None,
        client_agent: None,
        dispute_hash: None,
        disputed_at: None,
        passed_on: false,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Gives a question a link; its secret is known by its hash alone.
pub async fn add_link(
    tx: &Tx,
    approval: ApprovalId,
    token_hash: String,
    expires_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = link::Model { token_hash, approval_id: approval.into(), expires_at };
    link::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The question that a link's secret opens, whatever became of it, and until when the link may be used.
pub async fn find_by_link(on: &impl Reads, token_hash: &str) -> Result<Option<(Approval, DateTime<Utc>)>, DbErr> {
    let Some(link) = link::Entity::find_by_id(token_hash.to_owned()).one(on.db()).await? else { return Ok(None) };
    let found = row::Entity::find_by_id(link.approval_id).one(on.db()).await?.map(approval).transpose()?;
    Ok(found.map(|approval| (approval, link.expires_at)))
}

/// The decision that a receipt's "this was not me" is about.
pub async fn find_by_dispute(on: &impl Reads, dispute_hash: &str) -> Result<Option<Approval>, DbErr> {
    let found = row::Entity::find().filter(row::Column::DisputeHash.eq(dispute_hash)).one(on.db()).await?;
    found.map(approval).transpose()
}

/// One question.
pub async fn find(on: &impl Reads, id: ApprovalId) -> Result<Option<Approval>, DbErr> {
    row::Entity::find_by_id(id.0).one(on.db()).await?.map(approval).transpose()
}

/// Everybody who was ever asked about a request, in the order of asking.
pub async fn of_request(on: &impl Reads, request: RequestId) -> Result<Vec<Approval>, DbErr> {
    of_requests(on, &[request]).await
}

/// Everybody who was ever asked about these requests, in the order of asking.
pub async fn of_requests(on: &impl Reads, requests: &[RequestId]) -> Result<Vec<Approval>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::RequestId.is_in(requests.iter().map(|id| id.0)))
        .order_by_asc(row::Column::Id)
        .all(on.db())
        .await?;
    rows.into_iter().map(approval).collect()
}

/// The questions that wait for a person, oldest first.
pub async fn open_for(on: &impl Reads, person: PersonId) -> Result<Vec<Approval>, DbErr> {
    let rows = row::Entity::find().filter(waiting_for(person)).order_by_asc(row::Column::Id).all(on.db()).await?;
    rows.into_iter().map(approval).collect()
}

/// The newest questions that a person answered, or that others answered before him.
pub async fn closed_for(on: &impl Reads, person: PersonId, limit: u64) -> Result<Vec<Approval>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::ApproverId.eq(person.0))
        .filter(row::Column::State.ne(ApprovalState::Open.word()))
        .order_by_desc(row::Column::Id)
        .limit(limit)
        .all(on.db())
        .await?;
    rows.into_iter().map(approval).collect()
}

/// How many questions wait for a person.
pub async fn count_open_for(on: &impl Reads, person: PersonId) -> Result<u64, DbErr> {
    row::Entity::find().filter(waiting_for(person)).count(on.db()).await
}

fn waiting_for(person: PersonId) -> Condition {
    Condition::all().add(row::Column::ApproverId.eq(person.0)).add(row::Column::State.eq(ApprovalState::Open.word()))
}

/// Questions of open levels whose approvers are to be reminded.
pub async fn to_remind(on: &impl Reads, now: DateTime<Utc>, limit: u64) -> Result<Vec<Approval>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::State.eq(ApprovalState::Open.word()))
        .filter(row::Column::RemindAt.lte(now))
        .order_by_asc(row::Column::RemindAt)
        .limit(limit)
        .all(on.db())
        .await?;
    rows.into_iter().map(approval).collect()
}

/// Open questions whose mail the mail server refused, and which nobody higher up has got for that yet.
pub async fn unreached(on: &impl Reads, limit: u64) -> Result<Vec<Approval>, DbErr> {
    let refused: Vec<Uuid> = crate::mail::refused_approvals(on).await?;
    let rows = row::Entity::find()
        .filter(row::Column::Id.is_in(refused))
        .filter(row::Column::State.eq(ApprovalState::Open.word()))
        .filter(row::Column::PassedOn.eq(false))
        .limit(limit)
        .all(on.db())
        .await?;
    rows.into_iter().map(approval).collect()
}

/// Notes that somebody higher up was asked because a mail did not arrive.
pub async fn mark_passed_on(tx: &Tx, id: ApprovalId) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::PassedOn, Expr::value(true))
        .filter(row::Column::Id.eq(id.0))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Says when the approver is reminded next.
pub async fn set_reminder(tx: &Tx, id: ApprovalId, remind_at: Option<DateTime<Utc>>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::RemindAt, Expr::value(remind_at))
        .filter(row::Column::Id.eq(id.0))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Writes a decision. False, and nothing written, when the question was not open any more: of two who decide at once,
/// one does.
pub async fn decide(
    tx: &Tx,
    id: ApprovalId,
    state: ApprovalState,
    decision: &Decision,
    dispute_hash: String,
) -> Result<bool, DbErr> {
    let decided = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(state.word()))
        .col_expr(row::Column::DecidedAt, Expr::value(decision.at))
        .col_expr(row::Column::Reason, Expr::value(decision.reason.clone()))
        .col_expr(row::Column::Via, Expr::value(decision.via.word()))
        .col_expr(row::Column::ClientAddress, Expr::value(decision.client.address.clone()))
        .col_expr(row::Column::ClientAgent, Expr::value(decision.client.agent.clone()))
        .col_expr(row::Column::DisputeHash, Expr::value(dispute_hash))
        .col_expr(row::Column::RemindAt, Expr::value(None::<DateTime<Utc>>))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::State.eq(ApprovalState::Open.word()))
        .exec(&tx.0)
        .await?;
    Ok(decided.rows_affected == 1)
}

/// Closes what is still open of a request: of one level, or of all.
pub async fn close(tx: &Tx, request: RequestId, level: Option<i32>, state: ApprovalState) -> Result<u64, DbErr> {
    let closed = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(state.word()))
        .col_expr(row::Column::RemindAt, Expr::value(None::<DateTime<Utc>>))
        .filter(row::Column::RequestId.eq(request.0))
        .filter(Condition::all().add_option(level.map(|level| row::Column::Level.eq(level))))
        .filter(row::Column::State.eq(ApprovalState::Open.word()))
        .exec(&tx.0)
        .await?;
    Ok(closed.rows_affected)
}

/// Takes one question back: somebody else is asked instead.
pub async fn revoke(tx: &Tx, id: ApprovalId) -> Result<bool, DbErr> {
    let revoked = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(ApprovalState::Revoked.word()))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::State.eq(ApprovalState::Open.word()))
        .exec(&tx.0)
        .await?;
    Ok(revoked.rows_affected == 1)
}

/// Notes that the approver says the decision was not his. False when he said so before.
pub async fn dispute(tx: &Tx, id: ApprovalId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let noted = row::Entity::update_many()
        .col_expr(row::Column::DisputedAt, Expr::value(now))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::DisputedAt.is_null())
        .exec(&tx.0)
        .await?;
    Ok(noted.rows_affected == 1)
}

fn approval(row: row::Model) -> Result<Approval, DbErr> {
    let odd = |what: &str| DbErr::Type(format!("approval {}: its {what} is none that we write", row.id));
    let decision = match (row.decided_at, &row.via) {
        (Some(at), Some(via)) => Some(Decision {
            at,
            reason: row.reason.unwrap_or_default(),
            via: Via::from_word(via).ok_or_else(|| odd("door"))?,
            client: Client {
                address: row.client_address.unwrap_or_default(),
                agent: row.client_agent.unwrap_or_default(),
            },
        }),
        _ => None,
    };
    Ok(Approval {
        id: row.id.into(),
        request: row.request_id.into(),
        revision: row.revision,
        level: row.level,
        approver: row.approver_id.into(),
        on_behalf_of: row.on_behalf_of_id.map(PersonId::from),
        state: ApprovalState::from_word(&row.state).ok_or_else(|| odd("state"))?,
        asked_as: row.asked_as,
        opened_at: row.opened_at,
        remind_at: row.remind_at,
        decision,
        disputed_at: row.disputed_at,
    })
}
