//! What every page shows around its content: the rail, the person, the project, the way to act safely.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use askama::Template;

use crate::switch::Switch;

/// The part of the house that a page belongs to; the rail marks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Catalog,
    Requests,
    Deployments,
    Approvals,
    Tasks,
    Cmdb,
    Audit,
    Operations,
    Blueprints,
    People,
    /// Pages outside the rail: sign-in, a decision by mail, an error.
    None,
}

/// Who is signed in, as the frame shows it.
#[derive(Clone, Debug)]
pub struct Face {
    pub name: String,
    pub email: String,
    /// One or two letters for the round badge.
    pub initials: String,
}

/// The frame of a page; every page template has one as `shell`.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Goes into `<title>`; the page's own `h1` may say more.
    pub title: String,
    pub section: Section,
    pub person: Option<Face>,
    /// The project switch, for somebody who sees more than one.
    pub switch: Option<Switch>,
    /// Open questions to this person; the rail shows the number.
    pub approvals_open: u64,
    /// What this person is asked to do; the rail shows the number.
    pub tasks_open: u64,
    /// May see Operations and Blueprints.
    pub operator: bool,
    /// May see People.
    pub administrator: bool,
    /// The demo says so on every page, and links its mail and its datacenter.
    pub demo: bool,
    /// For the few script tags; changes with every answer.
    pub nonce: String,
    /// Goes into every form as the hidden field `csrf`.
    pub csrf: String,
    /// `light`, `dark`, or empty for what the system says.
    pub theme: String,
    /// What the search at the top says.
    pub search: String,
    /// What just happened, shown once.
    pub flash: Option<String>,
}

impl Shell {
    /// A frame for somebody who is not signed in.
    pub fn outside(title: impl Into<String>, nonce: String, demo: bool) -> Self {
        Self {
            title: title.into(),
            section: Section::None,
            person: None,
            switch: None,
            approvals_open: 0,
            tasks_open: 0,
            operator: false,
            administrator: false,
            demo,
            nonce,
            csrf: String::new(),
            theme: String::new(),
            search: String::new(),
            flash: None,
        }
    }

    /// What the rail's links to lists carry: the chosen project, or nothing.
    pub fn project_query(&self) -> String {
        self.switch.as_ref().map(Switch::query).unwrap_or_default()
    }

    /// Whether the rail marks this section.
    pub fn is(&self, section: Section) -> bool {
        self.section == section
    }
}

/// Renders a page or a part of one.
pub fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(body) => HttpResponse::build(status).content_type(ContentType::html()).body(body),
        Err(cause) => {
            tracing::error!(error = %cause, "a page could not be rendered");
            HttpResponse::InternalServerError()
                .content_type(ContentType::plaintext())
                .body("Gatehouse could not draw this page. The operators find the cause in the log.")
        }
    }
}
