//! Who stands at the door: the person behind a browser's session cookie, or nobody yet.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use app::App;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::ProjectId;
use domain::person::{Principal, Role};
use domain::project::Project;
use domain::trouble::{Kind, Trouble};
use futures::future::LocalBoxFuture;

use crate::headers::Nonce;
use crate::problem::Problem;
use crate::shell::{Face, Section, Shell};
use crate::switch::Switch;

/// The cookie with which a person chooses light or dark.
pub const THEME_COOKIE: &str = "theme";
/// The cookie that carries one sentence to the next page.
pub const FLASH_COOKIE: &str = "flash";
/// The cookie that remembers the project somebody works in.
const PROJECT_COOKIE: &str = "project";

/// Somebody who is signed in. A page that asks for a visitor sends everybody else to the sign-in first.
#[derive(Clone)]
pub struct Visitor {
    pub principal: Principal,
    /// What each form of this session must carry.
    pub csrf: String,
    /// The projects that he sees, by title.
    pub projects: Vec<Project>,
    /// The one that he chose to work in; none for all of them.
    pub project: Option<ProjectId>,
    approvals_open: u64,
    tasks_open: u64,
    frame: Frame,
}

/// Somebody at a page that needs no sign-in; he may be signed in all the same.
pub struct Guest {
    pub visitor: Option<Visitor>,
    frame: Frame,
}

/// What the frame of a page takes from the request, whoever asks.
#[derive(Clone)]
struct Frame {
    nonce: String,
    theme: String,
    flash: Option<String>,
    demo: bool,
    /// The path of the page, which can be read.
    path: String,
}

/// On which page a form stands that is sent to an address of its own, where nothing can be read: the page's pattern,
/// as data of the form's resource.
#[derive(Clone, Copy)]
pub(crate) struct FormOn(pub(crate) &'static str);

impl FormOn {
    fn page(self, request: &HttpRequest) -> String {
        let part = |part: &'static str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => request.match_info().query(name).to_owned(),
            None => part.to_owned(),
        };
        self.0.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

impl Visitor {
    /// The frame of a page for this person.
    pub fn shell(&self, title: impl Into<String>, section: Section) -> Shell {
        let who = &self.principal;
        let operator = who.has_everywhere(Role::Operator) || who.has_everywhere(Role::Administrator);
        Shell {
            section,
            person: Some(Face { name: who.name.clone(), email: who.email.clone(), initials: initials(&who.name) }),
            switch: Switch::of(&self.projects, self.project, &self.frame.path),
            approvals_open: self.approvals_open,
            tasks_open: self.tasks_open,
            operator,
            administrator: who.has_everywhere(Role::Administrator),
            csrf: self.csrf.clone(),
            ..self.frame.shell(title)
        }
    }
}

impl Guest {
    /// The frame of a page that stands alone even for somebody who is signed in.
    pub(crate) fn bare_shell(&self, title: impl Into<String>) -> Shell {
        self.frame.shell(title)
    }
}

impl Frame {
    fn of(request: &HttpRequest) -> Self {
        let cookie = |name| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let theme = cookie(THEME_COOKIE).filter(|theme| theme == "light" || theme == "dark").unwrap_or_default();
        let flash = cookie(FLASH_COOKIE)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let demo = request.app_data::<Data<App>>().is_some_and(|app| app.demo);
        let form = request.app_data::<FormOn>();
        let path = form.map_or_else(|| request.path().to_owned(), |form| form.page(request));
        Self { nonce: Nonce::of(request), theme, flash, demo, path }
    }

    fn shell(&self, title: impl Into<String>) -> Shell {
        let outside = Shell::outside(title, self.nonce.clone(), self.demo);
        Shell { theme: self.theme.clone(), flash: self.flash.clone(), ..outside }
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            resume(&request).await?.ok_or_else(|| {
                Problem(Trouble::new(
                    Kind::SignInRequired,
                    "You are not signed in, or your session ended.",
                    "Sign in in another window, then come back here and send it again.",
                ))
            })
        })
    }
}

impl FromRequest for Guest {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self { visitor: resume(&request).await?, frame: Frame::of(&request) }) })
    }
}

/// The visitor behind the session cookie; remembered for the rest of the request.
async fn resume(request: &HttpRequest) -> Result<Option<Visitor>, Problem> {
    if let Some(visitor) = known(request) {
        return Ok(Some(visitor));
    }
    let Some(app) = request.app_data::<Data<App>>() else { return Ok(None) };
    let Some(cookie) = request.cookie(session_cookie_name(app)) else { return Ok(None) };
    let Some(session) = app::session::resume(app, cookie.value()).await? else { return Ok(None) };
    let approvals_open = app::approval::count_open(app, &session.principal).await?;
    let tasks_open = app::task::count_open(app, &session.principal).await?;
    let projects = app::project::list(app, &session.principal).await?;
    let chosen = request.cookie(PROJECT_COOKIE).and_then(|cookie| cookie.value().parse().ok());
    let visitor = Visitor {
        principal: session.principal,
        csrf: session.csrf,
        project: chosen.filter(|chosen| projects.iter().any(|project| project.id == *chosen)),
        projects,
        approvals_open,
        tasks_open,
        frame: Frame::of(request),
    };
    request.extensions_mut().insert(visitor.clone());
    Ok(Some(visitor))
}

/// The visitor, if somebody already asked in this request.
pub(crate) fn known(request: &HttpRequest) -> Option<Visitor> {
    request.extensions().get::<Visitor>().cloned()
}

/// The frame of an error page, for whoever is known to ask.
pub(crate) fn shell_for_trouble(request: &HttpRequest, title: &str) -> Shell {
    match known(request) {
        Some(visitor) => visitor.shell(title, Section::None),
        None => Frame::of(request).shell(title),
    }
}

/// The cookie that holds a session's secret. Over https its name makes browsers refuse it from anywhere but this host.
pub(crate) fn session_cookie(app: &App, token: String) -> Cookie<'static> {
    let lifetime = Duration::seconds(app::session::LIFETIME.num_seconds());
    cookie(app, session_cookie_name(app), token).max_age(lifetime).finish()
}

/// The cookie that takes the session's cookie away.
pub(crate) fn no_session_cookie(app: &App) -> Cookie<'static> {
    cookie(app, session_cookie_name(app), String::new()).max_age(Duration::ZERO).finish()
}

/// The name of the session's cookie on this installation.
pub(crate) fn session_cookie_name(app: &App) -> &'static str {
    if secure(app) { "__Host-gatehouse" } else { "gatehouse" }
}

/// A cookie that shows `sentence` on the next page, once.
pub(crate) fn flash_cookie(app: &App, sentence: &str) -> Cookie<'static> {
    cookie(app, FLASH_COOKIE, URL_SAFE_NO_PAD.encode(sentence)).max_age(Duration::minutes(1)).finish()
}

/// The cookie that remembers a project; empty for all of them.
pub(crate) fn project_cookie(app: &App, project: String) -> Cookie<'static> {
    cookie(app, PROJECT_COOKIE, project).max_age(Duration::days(365)).finish()
}

fn cookie<'c>(app: &App, name: &'c str, value: String) -> actix_web::cookie::CookieBuilder<'c> {
    Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(secure(app))
}

/// Whether people reach the portal over https.
pub(crate) fn secure(app: &App) -> bool {
    app.base_url.starts_with("https://")
}

/// One or two letters for the round badge.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    words.next().into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn a_badge_has_the_first_and_the_last_initial() {
        assert_eq!(initials("Rita Requester"), "RR");
        assert_eq!(initials("ada maria lovelace"), "AL");
        assert_eq!(initials("Cher"), "C");
        assert_eq!(initials(""), "");
    }
}
