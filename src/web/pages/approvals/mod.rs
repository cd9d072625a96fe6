//! Questions to approvers: the list, one question, and the page behind a mail's link.

mod link;
mod view;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use app::App;
use app::approval::{Decider, Inbox};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::approval::{Answer, Approval, Client, Via};
use domain::ids::ApprovalId;
use domain::money::Money;
use domain::request::{Request, number};
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use self::view::QuestionView;
use crate::csrf::Form;
use crate::pages::{see_other, session};
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

/// The routes of approvals.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/approvals").route(get().to(index)))
        .service(resource("/approvals/{approval}").route(get().to(show)).route(post().to(decide)))
        .configure(link::configure);
}

#[derive(Template)]
#[template(path = "approvals/index.html")]
struct Index {
    shell: Shell,
    now: DateTime<Utc>,
    open: Vec<Row>,
    closed: Vec<Row>,
}

/// A question in the list.
struct Row {
    approval: Approval,
    number: String,
    title: String,
    requester: String,
    project: String,
    monthly: Money,
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let Inbox { open, closed, people, projects } = app::approval::inbox(&app, &visitor.principal).await?;
    let row = |(approval, request): (Approval, Request)| Row {
        approval,
        number: number(request.number),
        requester: people.get(&request.requester).map(|person| person.name.clone()).unwrap_or_default(),
        project: projects.iter().find(|p| p.id == request.project).map(|p| p.title.clone()).unwrap_or_default(),
        monthly: Money::from_cents(request.monthly_cents()),
        title: request.title,
    };
    let (open, closed) = (open.into_iter().map(row).collect(), closed.into_iter().map(row).collect());
    let shell = visitor.shell("Approvals", Section::Approvals);
    Ok(page(StatusCode::OK, &Index { shell, now: app.clock.now(), open, closed }))
}

#[derive(Template)]
#[template(path = "approvals/show.html")]
struct Show {
    shell: Shell,
    now: DateTime<Utc>,
    question: QuestionView,
    /// Where the answer is sent.
    action: String,
    /// What was typed as a reason, when the answer was refused.
    typed: String,
    error: String,
}

/// What an approver sends.
#[derive(Deserialize)]
struct AnswerForm {
    #[serde(default)]
    answer: String,
    #[serde(default)]
    reason: String,
}

impl AnswerForm {
    fn answer(&self) -> Result<Answer, Trouble> {
        Answer::from_word(&self.answer).ok_or_else(|| Trouble::field("answer", "Choose to approve or to reject."))
    }
}

async fn show(app: Data<App>, visitor: Visitor, id: Path<ApprovalId>) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, *id, String::new(), String::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    id: ApprovalId,
    typed: String,
    error: String,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let question = app::approval::look_signed_in(app, &visitor.principal, id).await?;
    let question = QuestionView::of(question, Some(&visitor.principal), true);
    let shell = visitor.shell(question.headline.clone(), Section::Approvals);
    let action = format!("/approvals/{id}");
    Ok(page(status, &Show { shell, now: app.clock.now(), question, action, typed, error }))
}

async fn decide(
    app: Data<App>,
    visitor: Visitor,
    id: Path<ApprovalId>,
    request: HttpRequest,
    form: Form<AnswerForm>,
) -> Result<HttpResponse, Problem> {
    let decider = Decider::Person { who: &visitor.principal, approval: *id, via: Via::SignedIn, once: None };
    let decided = match form.fields.answer() {
        Ok(answer) => app::approval::decide(&app, decider, answer, &form.fields.reason, client(&request)).await,
        Err(trouble) => Err(trouble),
    };
    match decided {
        Ok(decided) => {
            let mut response = see_other("/approvals");
            response.add_cookie(&flash_cookie(&app, said(decided.answer))).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let error = first_message(&trouble);
            shown(&app, &visitor, *id, form.fields.reason, error, problem::status(trouble.kind)).await
        }
        // Somebody was faster: the same page says who decided and when.
        Err(trouble) if trouble.kind == Kind::Gone => {
            shown(&app, &visitor, *id, String::new(), String::new(), StatusCode::GONE).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

fn said(answer: Answer) -> &'static str {
    match answer {
        Answer::Approve => "Approved. A receipt is on its way to you.",
        Answer::Reject => "Rejected. The requester is told why; a receipt is on its way to you.",
    }
}

fn first_message(trouble: &Trouble) -> String {
    trouble.fields.first().map_or_else(|| trouble.what.clone(), |field| field.message.clone())
}

/// From where a decision comes, for the record.
pub(crate) fn client(request: &HttpRequest) -> Client {
    const LONGEST: usize = 300;
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Client { address: session::client(request), agent: agent.chars().take(LONGEST).collect() }
}
