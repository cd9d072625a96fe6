//! Links in mails: each opens one question to one person. The secret in it is kept by its hash alone.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use domain::moment::written;
use domain::trouble::{Kind, Trouble};

use crate::secret;

/// How long a link may be used after its question's time is up: it may be given more.
const GRACE: TimeDelta = TimeDelta::days(7);

/// A link that nobody has yet.
pub(crate) struct Fresh {
    pub(crate) url: String,
    /// What is kept of its secret.
    pub(crate) hash: String,
    pub(crate) expires_at: DateTime<Utc>,
}

/// A new link below this address to a question that is due then.
pub(crate) fn fresh(below: &str, due_at: DateTime<Utc>) -> Fresh {
    let token = secret::fresh();
    Fresh { url: format!("{below}/{token}"), hash: secret::hash(&token), expires_at: due_at + GRACE }
}

/// There is no such link; `list` is where open questions stand in the portal.
pub(crate) fn leads_nowhere(list: &str) -> Trouble {
    let next = format!("Copy it whole from the mail, or sign in: open questions are in the list of {list}.");
    Trouble::new(Kind::NotFound, "This link leads nowhere.", next)
}

/// What a link says that came too late; who signs in may still do what it was about.
pub(crate) fn was_usable_until(expires_at: DateTime<Utc>) -> String {
    format!("This link could be used until {}.", written(expires_at))
}

/// The next nine o'clock (UTC) at which somebody is reminded, if there is one before time is up.
pub(crate) fn next_reminder(now: DateTime<Utc>, due_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let nine = NaiveTime::from_hms_opt(9, 0, 0)?;
    let tomorrow = (now + TimeDelta::days(1)).date_naive().and_time(nine).and_utc();
    (tomorrow < due_at).then_some(tomorrow)
}
