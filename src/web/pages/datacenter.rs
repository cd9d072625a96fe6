//! The simulated datacenter: how full and how quick it is, what shall fail, what happened. For operators.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use app::App;
use askama::Template;
use domain::ports::datacenter::{Activity, ArmedFault, Deed, Fault, Operation, Overview};
use domain::ports::machines::{Machine, MachineState};
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor};

const ADDRESS: &str = "/operations/datacenter";
/// Events that the page shows.
const SHOWN: usize = 40;
/// Machines that it shows.
const MACHINES: usize = 50;

/// The routes of the datacenter's page.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource(ADDRESS).route(get().to(show)))
        .service(resource("/operations/datacenter/pace").app_data(FormOn(ADDRESS)).route(post().to(set_pace)))
        .service(resource("/operations/datacenter/faults").app_data(FormOn(ADDRESS)).route(post().to(arm)))
        .service(resource("/operations/datacenter/machines/{machine}").app_data(FormOn(ADDRESS)).route(post().to(act)))
        .service(
            resource("/operations/datacenter/faults/{fault}/clear").app_data(FormOn(ADDRESS)).route(post().to(clear)),
        );
}

/// What is done to a machine by hand.
#[derive(Deserialize)]
struct Done {
    deed: String,
}

/// How full a host is.
struct Host {
    label: String,
    used: u32,
    limit: u32,
}

/// A fault as it was typed.
#[derive(Default, Deserialize)]
struct Typed {
    operation: String,
    fault: String,
    #[serde(default)]
    times: String,
}

#[derive(Deserialize)]
struct TypedPace {
    answers: String,
    work: String,
}

#[derive(Template)]
#[template(path = "datacenter/show.html")]
struct Show {
    shell: Shell,
    errors: Vec<FieldError>,
    counts: Vec<(&'static str, usize)>,
    hosts: Vec<Host>,
    /// The first of its machines, and what can be done to them by hand.
    machines: Vec<Machine>,
    deeds: Vec<(&'static str, &'static str)>,
    answers: String,
    work: String,
    faults: Vec<ArmedFault>,
    operations: Vec<(&'static str, &'static str)>,
    kinds: Vec<(&'static str, &'static str)>,
    typed: Typed,
    activity: Vec<Activity>,
}

impl Show {
    fn of(visitor: &Visitor, overview: Overview) -> Self {
        Self {
            shell: visitor.shell("Datacenter", Section::Operations),
            errors: Vec::new(),
            counts: counts(&overview),
            hosts: overview.hosts.iter().map(Host::of).collect(),
            machines: overview.machines.into_iter().take(MACHINES).collect(),
            deeds: Deed::ALL.iter().map(|it| (it.word(), deed(it))).collect(),
            answers: overview.pace.answers.to_string(),
            work: overview.pace.work.to_string(),
            faults: overview.faults,
            operations: Operation::ALL.iter().map(|it| (it.word(), it.word())).collect(),
            kinds: Fault::ALL.iter().map(|it| (it.word(), means(it))).collect(),
            typed: Typed { times: "1".to_owned(), ..Typed::default() },
            activity: overview.activity.into_iter().take(SHOWN).collect(),
        }
    }

    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }
}

impl Host {
    fn of(load: &domain::ports::datacenter::HostLoad) -> Self {
        let machines = if load.machines == 1 { "machine" } else { "machines" };
        let label = format!("{}, {} {machines}", load.name, load.machines);
        Self { label, used: load.memory_used_gb, limit: load.memory_gb }
    }
}

async fn show(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let overview = app::datacenter::overview(&app, &visitor.principal).await?;
    Ok(page(StatusCode::OK, &Show::of(&visitor, overview)))
}

async fn set_pace(app: Data<App>, visitor: Visitor, form: Form<TypedPace>) -> Result<HttpResponse, Problem> {
    let TypedPace { answers, work } = form.fields;
    // What is no number is out of every range, so that the field says what fits.
    let factor = |text: &str| text.trim().parse().unwrap_or(f64::INFINITY);
    match app::datacenter::set_pace(&app, &visitor.principal, factor(&answers), factor(&work)).await {
        Ok(()) => Ok(see_other(ADDRESS)),
        Err(trouble) => refused(&app, &visitor, trouble, |show| (show.answers, show.work) = (answers, work)).await,
    }
}

async fn arm(app: Data<App>, visitor: Visitor, form: Form<Typed>) -> Result<HttpResponse, Problem> {
    let typed = form.fields;
    let times = match typed.times.trim() {
        "" => None,
        text => Some(text.parse().unwrap_or(0)),
    };
    match app::datacenter::arm(&app, &visitor.principal, &typed.operation, &typed.fault, times).await {
        Ok(_) => Ok(see_other(ADDRESS)),
        Err(trouble) => refused(&app, &visitor, trouble, |show| show.typed = typed).await,
    }
}

async fn act(
    app: Data<App>,
    visitor: Visitor,
    machine: Path<String>,
    form: Form<Done>,
) -> Result<HttpResponse, Problem> {
    match app::datacenter::by_hand(&app, &visitor.principal, &machine, &form.fields.deed).await {
        Ok(()) => Ok(see_other(ADDRESS)),
        Err(trouble) => refused(&app, &visitor, trouble, |_| {}).await,
    }
}

async fn clear(
    app: Data<App>,
    visitor: Visitor,
    fault: Path<u64>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    app::datacenter::clear(&app, &visitor.principal, *fault).await?;
    Ok(see_other(ADDRESS))
}

/// The page again, with what was typed and what is wrong with it.
async fn refused(
    app: &App,
    visitor: &Visitor,
    trouble: Trouble,
    keep: impl FnOnce(&mut Show),
) -> Result<HttpResponse, Problem> {
    if trouble.kind != Kind::Invalid {
        return Err(trouble.into());
    }
    let mut show = Show::of(visitor, app::datacenter::overview(app, &visitor.principal).await?);
    show.errors = trouble.fields;
    keep(&mut show);
    Ok(page(problem::status(Kind::Invalid), &show))
}

fn counts(overview: &Overview) -> Vec<(&'static str, usize)> {
    let count = |kind: &str| overview.objects.iter().filter(|object| object.kind == kind).count();
    vec![
        ("Machines", count("machine")),
        ("Names", count("name")),
        ("Configured", count("configuration")),
        ("Pools", count("pool")),
        ("Spaces", count("space")),
    ]
}

/// What is done to a machine by hand, in a person's words.
fn deed(deed: &Deed) -> &'static str {
    match deed {
        Deed::SwitchOff => "Switch off",
        Deed::SwitchOn => "Switch on",
        Deed::Rename => "Rename, or back",
        Deed::TakeSnapshot => "Take a snapshot",
        Deed::RemoveSnapshots => "Remove snapshots",
        Deed::Delete => "Delete",
    }
}

/// How a machine stands: the state that it looks like, and its word.
fn power(machine: &Machine) -> (&'static str, &'static str) {
    match machine.state {
        MachineState::Building => ("running", "Starting"),
        MachineState::Running => ("done", "On"),
        MachineState::Stopped => ("idle", "Off"),
    }
}

/// What a fault does, in a person's words.
pub(crate) fn means(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refuse => "refuses",
        Fault::TimeOut => "does nothing and never answers",
        Fault::LoseAnswer => "does the work, and the answer is lost",
        Fault::LoseObject => "does the work, and the object vanishes",
        Fault::SlowDown => "takes ten times as long",
        Fault::AnswerInPart => "answers with a part of the truth (listings)",
    }
}
