//! `gatehouse token`: bearer tokens for programs, in a person's name and with no more than his rights.

use app::App;
use app::token::{self, NewToken};
use clap::Subcommand;
use domain::ids::TokenId;
use domain::token::TokenScope;

use super::{Failure, complain, print};

#[derive(Subcommand)]
pub enum Command {
    /// Make a token; its secret is printed once and kept nowhere
    Create {
        /// Whose it is
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Which program uses it
        #[arg(long)]
        name: String,
        /// What it may do: read, order, decide, operate; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
        scopes: Vec<TokenScope>,
        /// How many days it lives
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// List somebody's tokens, newest first; their secrets are kept nowhere
    List {
        /// Whose they are
        #[arg(long, value_name = "EMAIL")]
        user: String,
    },
    /// Take a token out of use, at once and for ever
    Revoke {
        /// Whose it is
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// The id that `create` and `list` print
        #[arg(value_parser = id)]
        id: TokenId,
    },
}

/// Does what was asked with the tokens.
pub async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create { user, name, scopes, days } => {
            let (token, secret) = token::create_from_command_line(app, &user, NewToken { name, scopes, days }).await?;
            let until = token.expires_at.format("%Y-%m-%d");
            complain(&format!("Token {} of {user}, until {until}. This is shown once:", token.id));
            print(&secret)
        }
        Command::List { user } => list(app, &user).await,
        Command::Revoke { user, id } => {
            token::revoke_from_command_line(app, &user, id).await?;
            say!("Token {id} opens nothing any more.")
        }
    }
}

async fn list(app: &App, user: &str) -> Result<(), Failure> {
    let tokens = token::list_from_command_line(app, user).await?;
    if tokens.is_empty() {
        say!("{user} has no token.")?;
    }
    for token in tokens {
        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.word()).collect();
        let (state, until) = (token.state(app.clock.now()), token.expires_at.format("%Y-%m-%d"));
        say!("{}  {:<24} {:<8} until {until}  {}", token.id, token.name, state, scopes.join(", "))?;
    }
    Ok(())
}

fn id(text: &str) -> Result<TokenId, String> {
    text.parse().map_err(|_| "this is no token's id; `gatehouse token list` shows them".to_owned())
}

fn scope(word: &str) -> Result<TokenScope, String> {
    let known = TokenScope::ALL.map(TokenScope::word);
    TokenScope::from_word(word).ok_or_else(|| format!("there are {}", known.join(", ")))
}
