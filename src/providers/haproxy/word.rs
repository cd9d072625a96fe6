//! Words that are written into HAProxy's configuration and said to its sockets. Each is read once and fits both
//! languages as it is: no space, quote, semicolon or line end ever gets through.

use std::fmt;

use domain::ports::provider_error::ProviderError;
use serde::{Deserialize, Serialize};

/// Signs beside letters and digits that an idempotency key may have.
const KEY_SIGNS: &str = "-_.:/@[]=+";
/// Signs beside letters and digits that the path of a health check may have: those of a URI (RFC 3986) but for quotes,
/// and what HAProxy would take for a variable or a comment.
const PATH_SIGNS: &str = "-_.~/%?&=+,:@!*";

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident, $fits:expr, $wanted:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub(super) struct $name(String);

        impl $name {
            pub(super) fn read(text: &str) -> Result<Self, ProviderError> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(ProviderError::permanent(
                    format!("HAProxy can't be given `{}`.", text.escape_debug()),
                    concat!("Use ", $wanted, "."),
                ))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = ProviderError;

            fn try_from(text: String) -> Result<Self, ProviderError> {
                Self::read(&text)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

words! {
    /// The name of a pool: of its section, and of its file.
    PoolName, is_name, "lower-case letters, digits and hyphens, at most 63 in all, for the name of a pool";
    /// The name of a member.
    MemberName, is_name, "lower-case letters, digits and hyphens, at most 63 in all, for the name of a member";
    /// An idempotency key.
    Key, |text| has_only(text, KEY_SIGNS, 200), "letters, digits and `-_.:/@[]=+` for a key";
    /// A health check: `GET /ready`.
    Check, is_check, "`GET`, `HEAD` or `OPTIONS` and a path for a health check, as in `GET /ready`";
}

fn is_name(text: &str) -> bool {
    has_only(text, "-", 63) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text == text.to_lowercase()
}

fn is_check(text: &str) -> bool {
    let Some((method, path)) = text.split_once(' ') else { return false };
    ["GET", "HEAD", "OPTIONS"].contains(&method) && path.starts_with('/') && has_only(path, PATH_SIGNS, 200)
}

fn has_only(text: &str, signs: &str, most: usize) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    (1..=most).contains(&text.len()) && text.chars().all(fits)
}
