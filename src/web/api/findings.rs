//! Findings with their lives: where the CMDB, the ledger and reality differ, since when, and who bears it until when.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::finding::{self, FindingQuery, FindingSort};
use chrono::{DateTime, Utc};
use domain::finding::life::{Kept, State};
use domain::ids::FindingId;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;
use super::fields::{Body, Query};
use super::kinds::{FindingState, Instant};
use super::paging::Part;

/// Which findings are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Wanted {
    /// `open`, `held`, `waived` or `fixed`.
    state: Option<String>,
    /// A kind, `ghost`.
    kind: Option<String>,
    /// A class, `virtual_machine`.
    class: Option<String>,
}

/// A finding with its life.
#[derive(Serialize, ToSchema)]
pub struct FindingEntry {
    id: String,
    /// The id of the catalogue of findings, `E2`, and the word of the kind.
    code: &'static str,
    kind: &'static str,
    /// `high`, `medium` or `low`.
    severity: &'static str,
    /// `open`; `held` by the brake until an operator lets it through; `waived` until a day; `fixed`.
    state: &'static str,
    /// The key of the CI; of the thing, where it has none.
    key: String,
    name: String,
    class: &'static str,
    /// The site or container engine where it would be seen.
    scope: Option<String>,
    ci: Option<String>,
    project: Option<String>,
    deployment: Option<String>,
    platform_responsible: Option<String>,
    application_responsible: Option<String>,
    /// The particulars, as a sentence and as data.
    detail: String,
    #[schema(value_type = Object)]
    matter: Value,
    #[schema(value_type = CauseDetails)]
    cause: CauseDetails,
    /// What its deployment costs a month in euro cents, where money goes to what is not there or not wanted.
    cents_per_month: Option<i64>,
    /// The change that would mend the CMDB; null where somebody has to do something first.
    #[schema(value_type = Option<Object>)]
    fix: Option<Value>,
    /// What to do about it.
    remedy: &'static str,
    /// When it was found for the first time, since when without a break, and how often it came up.
    first_seen_at: DateTime<Utc>,
    found_at: DateTime<Utc>,
    times: i32,
    fixed_at: Option<DateTime<Utc>>,
    /// When it was found last, once it is fixed.
    last_seen_at: Option<DateTime<Utc>>,
    waived_until: Option<DateTime<Utc>>,
    waived_by: Option<String>,
    waived_reason: Option<String>,
}

/// Where a finding comes from, as far as that is known.
#[derive(Serialize, ToSchema)]
pub struct CauseDetails {
    /// Who told what is on record, and when.
    source: Option<&'static str>,
    recorded_at: Option<DateTime<Utc>>,
    /// The run and the step that did, or that made what was ordered.
    run: Option<String>,
    step: Option<String>,
    /// Since when it is as it was seen, and who did it.
    seen_from: Option<DateTime<Utc>>,
    done_by: Option<String>,
}

/// Until when a finding is borne, and why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewWaiver {
    /// A day, which means its end, or an instant; a year from now at most.
    until: String,
    reason: String,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let tag = "CMDB";
    vec![
        Endpoint::get("/findings", index)
            .is(tag, "Findings of reconciles that the caller may see, what hangs most on first")
            .needs(TokenScope::Read)
            .lists::<FindingEntry>()
            .asks::<Wanted>(),
        Endpoint::get("/findings/{id}", show).is(tag, "A finding").needs(TokenScope::Read).gives::<FindingEntry>(),
        Endpoint::post("/findings/{id}/waive", waive)
            .is(tag, "Bear a finding until a day; then it is open again")
            .needs(TokenScope::Operate)
            .happens_once()
            .takes::<NewWaiver>()
            .gives::<FindingEntry>()
            .may(&[409]),
    ]
}

async fn index(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let state = query.optional::<FindingState>("state").map(|FindingState(word)| word);
    let wanted =
        FindingQuery { state, kind: query.optional("kind"), class: query.optional("class"), ..FindingQuery::default() };
    let wanted = query.finish(Some(wanted))?;
    let found = finding::list(&house, who, &wanted, part.window(FindingSort::Severity)?).await?;
    Ok(part.answer(found, |kept| kept.id, FindingEntry::from))
}

async fn show(house: Data<App>, caller: Caller, id: Path<FindingId>) -> Reply {
    let found = finding::show(&house, caller.may(TokenScope::Read)?, *id).await?;
    Ok(HttpResponse::Ok().json(FindingEntry::from(found)))
}

async fn waive(house: Data<App>, caller: Caller, id: Path<FindingId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Operate)?;
    let until = body.required::<Instant>("until").map(|Instant(at)| at);
    let reason = body.required::<String>("reason");
    let (until, reason) = body.finish(until.zip(reason))?;
    let waived = finding::waive(&house, who, VIA, *id, (until, &reason)).await?;
    Ok(HttpResponse::Ok().json(FindingEntry::from(waived)))
}

impl From<Kept> for FindingEntry {
    fn from(kept: Kept) -> Self {
        let (kind, state) = (kept.found.matter.kind(), kept.state.word());
        let (waiver, fixed) = match kept.state {
            State::Waived(waiver) => (Some(waiver), None),
            State::Fixed { at, last_seen_at } => (None, Some((at, last_seen_at))),
            State::Open | State::Held => (None, None),
        };
        let (subject, matter, cause) = (kept.found.subject, kept.found.matter, kept.found.cause);
        Self {
            id: kept.id.to_string(),
            code: kind.id(),
            kind: kind.word(),
            severity: kind.severity().word(),
            state,
            detail: matter.told(),
            fix: matter.fix(&subject.key),
            matter: serde_json::json!(matter),
            remedy: kind.remedy(),
            name: subject.name,
            class: subject.class.word(),
            scope: Some(subject.scope).filter(|scope| !scope.is_empty()),
            ci: subject.ci.map(|ci| ci.to_string()),
            project: subject.project.map(|project| project.to_string()),
            deployment: subject.deployment.map(|deployment| deployment.to_string()),
            platform_responsible: subject.platform,
            application_responsible: subject.application,
            key: subject.key,
            cause: CauseDetails {
                source: cause.source.map(domain::ci::Source::word),
                recorded_at: cause.recorded_at,
                run: cause.run.map(|run| run.to_string()),
                step: cause.step,
                seen_from: cause.seen_from,
                done_by: cause.done_by,
            },
            cents_per_month: kept.found.cents,
            first_seen_at: kept.first_seen_at,
            found_at: kept.found_at,
            times: kept.times,
            fixed_at: fixed.map(|(at, _)| at),
            last_seen_at: fixed.map(|(_, last)| last),
            waived_until: waiver.as_ref().map(|waiver| waiver.until),
            waived_by: waiver.as_ref().map(|waiver| waiver.by.clone()),
            waived_reason: waiver.map(|waiver| waiver.reason),
        }
    }
}
