//! Tasks: what people are asked to do. The list, one task with its form, and the page behind a mail's link.

mod link;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::task::{Details, Doer, Inbox};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::approval::Via;
use domain::ids::TaskId;
use domain::task::{Task, TaskState};
use domain::trouble::{FieldError, Kind, Trouble};

use super::approvals::client;
use super::see_other;
use crate::csrf::{AnyFields, Form, typed_in};
use crate::parameters::{FieldGroup, groups};
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

/// The routes of tasks.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/tasks").route(get().to(index)))
        .service(resource("/tasks/{task}").route(get().to(show)).route(post().to(answer)))
        .configure(link::configure);
}

#[derive(Template)]
#[template(path = "tasks/index.html")]
struct Index {
    shell: Shell,
    now: DateTime<Utc>,
    inbox: Inbox,
}

impl Index {
    fn project(&self, task: &Task) -> &str {
        self.inbox.projects.get(&task.project).map_or("", String::as_str)
    }

    /// Who did it; nobody, where it was not needed any more.
    fn by(&self, task: &Task) -> &str {
        let person = task.answer.as_ref().and_then(|answer| self.inbox.people.get(&answer.by));
        person.map_or("", |person| person.name.as_str())
    }
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let inbox = app::task::inbox(&app, &visitor.principal).await?;
    Ok(page(StatusCode::OK, &Index { shell: visitor.shell("Tasks", Section::Tasks), now: app.clock.now(), inbox }))
}

/// A task as its page shows it: what is asked, the form with what was typed, what is wrong with that.
struct TaskView {
    it: Details,
    /// Where the answer is sent.
    action: String,
    groups: Vec<FieldGroup>,
    errors: Vec<FieldError>,
    /// Why the answer was refused as a whole; none when only fields are wrong.
    refusal: Option<Trouble>,
    /// Whether the one who looks finds the run's own page.
    may_see_run: bool,
}

/// What was typed into the form of a task, and why it was refused.
#[derive(Default)]
struct Typed {
    pairs: Option<Vec<(String, String)>>,
    trouble: Option<Trouble>,
}

impl TaskView {
    fn of(it: Details, typed: Typed, action: String, may_see_run: bool) -> Self {
        let mut trouble = typed.trouble;
        let errors = trouble.as_mut().map(|trouble| std::mem::take(&mut trouble.fields)).unwrap_or_default();
        // A box that is not ticked is not sent, and then is as it was left.
        let text = |name: &str| typed.pairs.as_ref().map(|pairs| typed_in(pairs, name).unwrap_or_default());
        let groups = groups(it.fields.clone(), text, &errors);
        Self { groups, action, refusal: trouble.filter(|_| errors.is_empty()), errors, may_see_run, it }
    }

    /// Whether it still is to be done, though not by the link that led here.
    fn is_late(&self) -> bool {
        self.it.closed.is_some() && self.it.task.state == TaskState::Open
    }

    /// The instructions, by paragraph.
    fn paragraphs(&self) -> impl Iterator<Item = &str> {
        self.it.task.instructions.lines().filter(|line| !line.trim().is_empty())
    }
}

#[derive(Template)]
#[template(path = "tasks/show.html")]
struct Show {
    shell: Shell,
    now: DateTime<Utc>,
    view: TaskView,
}

async fn show(app: Data<App>, visitor: Visitor, id: Path<TaskId>) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, *id, Typed::default(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    id: TaskId,
    typed: Typed,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let it = app::task::show(app, &visitor.principal, id).await?;
    let shell = visitor.shell(it.task.title.clone(), Section::Tasks);
    let view = TaskView::of(it, typed, format!("/tasks/{id}"), true);
    Ok(page(status, &Show { shell, now: app.clock.now(), view }))
}

async fn answer(
    app: Data<App>,
    visitor: Visitor,
    id: Path<TaskId>,
    request: HttpRequest,
    form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let who = &visitor.principal;
    let values = app::task::show(&app, who, *id).await?.read_form(|name| form.typed(name));
    let doer = Doer::Person { who, task: *id, via: Via::SignedIn, once: None };
    match app::task::answer(&app, doer, &values, client(&request)).await {
        Ok(_) => {
            let mut response = see_other("/tasks");
            response.add_cookie(&flash_cookie(&app, "Done.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) => {
            let (typed, status) = refused(form.pairs, trouble)?;
            shown(&app, &visitor, *id, typed, status).await
        }
    }
}

/// What is shown again with what was typed: a form that does not fit, and one that came too late, where the page itself
/// says who was faster.
fn refused(pairs: Vec<(String, String)>, trouble: Trouble) -> Result<(Typed, StatusCode), Problem> {
    let status = problem::status(trouble.kind);
    match trouble.kind {
        Kind::Invalid | Kind::Conflict => Ok((Typed { pairs: Some(pairs), trouble: Some(trouble) }, status)),
        Kind::Gone => Ok((Typed::default(), status)),
        _ => Err(trouble.into()),
    }
}
