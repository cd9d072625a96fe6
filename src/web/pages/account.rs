//! A person's own page: the tokens with which his programs come in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use app::App;
use app::token::NewToken;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::audit::Actor;
use domain::ids::TokenId;
use domain::token::{Token, TokenScope};
use domain::trouble::{FieldError, Kind, Trouble};

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The routes of the own account.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/account").route(get().to(show)).route(post().to(create)))
        .service(resource("/account/tokens/{token}/revoke").app_data(FormOn("/account")).route(post().to(revoke)));
}

#[derive(Template)]
#[template(path = "account/show.html")]
struct Account {
    shell: Shell,
    now: DateTime<Utc>,
    tokens: Vec<Token>,
    /// The secret of the token that was just made; shown this once.
    shown_once: Option<String>,
    typed: Typed,
    errors: Vec<FieldError>,
}

/// The form for a new token as it was typed.
struct Typed {
    name: String,
    days: String,
    scopes: Vec<TokenScope>,
}

impl Default for Typed {
    fn default() -> Self {
        Self { name: String::new(), days: "90".to_owned(), scopes: vec![TokenScope::Read] }
    }
}

impl Typed {
    fn of(form: &Form<AnyFields>) -> Self {
        let typed = |field| form.typed(field).unwrap_or_default().to_owned();
        let scopes = TokenScope::ALL.into_iter().filter(|scope| form.typed(scope.word()).is_some()).collect();
        Self { name: typed("name"), days: typed("days"), scopes }
    }
}

impl Account {
    async fn of(app: &App, visitor: &Visitor, typed: Typed) -> Result<Self, Trouble> {
        let shell = visitor.shell("Your account", Section::None);
        let tokens = app::token::list(app, &visitor.principal).await?;
        Ok(Self { shell, now: app.clock.now(), tokens, shown_once: None, typed, errors: Vec::new() })
    }

    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }
}

async fn show(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    Ok(page(StatusCode::OK, &Account::of(&app, &visitor, Typed::default()).await?))
}

async fn create(app: Data<App>, visitor: Visitor, form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    let typed = Typed::of(&form);
    let days = typed.days.trim().parse().unwrap_or_default();
    let wanted = NewToken { name: typed.name.clone(), scopes: typed.scopes.clone(), days };
    let actor = Actor::person(&visitor.principal, "portal");
    match app::token::create(&app, &visitor.principal, actor, wanted).await {
        Ok((_, shown_once)) => {
            let account = Account::of(&app, &visitor, Typed::default()).await?;
            Ok(page(StatusCode::CREATED, &Account { shown_once: Some(shown_once), ..account }))
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let account = Account::of(&app, &visitor, typed).await?;
            Ok(page(problem::status(trouble.kind), &Account { errors: trouble.fields, ..account }))
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn revoke(
    app: Data<App>,
    visitor: Visitor,
    id: Path<TokenId>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let actor = Actor::person(&visitor.principal, "portal");
    app::token::revoke(&app, &visitor.principal, actor, *id).await?;
    let mut response = see_other("/account");
    response.add_cookie(&flash_cookie(&app, "The token is revoked.")).map_err(Trouble::bug)?;
    Ok(response)
}
