//! Which program calls, in whose name, and what its token lets it do. Cookies open nothing here.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use app::App;
use domain::ids::TokenId;
use domain::person::Principal;
use domain::token::{Token, TokenScope};
use domain::trouble::{Kind, Trouble};
use futures::future::LocalBoxFuture;

use crate::problem::Problem;

/// The way in, as the audit log calls it.
pub const VIA: &str = "token";

/// A program with a valid bearer token (RFC 6750).
pub struct Caller {
    principal: Principal,
    token: Token,
}

impl Caller {
    /// The person in whose name the program acts, if its token is good for this.
    pub fn may(&self, scope: TokenScope) -> Result<&Principal, Problem> {
        if self.token.scopes.contains(&scope) {
            return Ok(&self.principal);
        }
        Err(Problem(Trouble::forbidden(
            format!("This token has no scope `{}`.", scope.word()),
            "Make a token with that scope on your account's page, and use it instead.",
        )))
    }
}

impl Caller {
    /// The token with which the program came.
    pub fn token(&self) -> TokenId {
        self.token.id
    }

    /// The person in whose name the program acts, if the token is its own: whatever it is good for, it may end itself.
    pub fn gives_itself_up(&self, token: TokenId) -> Result<&Principal, Problem> {
        if self.token.id == token {
            return Ok(&self.principal);
        }
        // Whether there is such a token is nobody's business.
        Err(Problem(Trouble::not_found("token that this one could revoke")))
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let house = request.app_data::<Data<App>>().ok_or_else(|| Trouble::bug("the use cases are not there"))?;
            let found = match bearer(&request) {
                Some(secret) => app::token::resume(house, &secret).await?,
                None => None,
            };
            let (principal, token) = found.ok_or_else(unknown)?;
            Ok(Self { principal, token })
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())
}

fn unknown() -> Trouble {
    Trouble::new(
        Kind::SignInRequired,
        "This needs a bearer token that is known and neither expired nor revoked.",
        "Make one on your account's page and send it as `Authorization: Bearer …`.",
    )
}
