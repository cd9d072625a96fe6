//! Writes that are done once however often they are sent: a key that is new for each of them, and a digest of what
//! was asked, so that the same key with something else is refused rather than answered with what it did first.

use domain::person::Principal;
use domain::trouble::{Kind, Trouble};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{Reads, Tx};

use crate::{App, database};

/// A write's key and what is asked with it.
#[derive(Clone, Debug)]
pub struct Once {
    key: String,
    /// SHA-256 of what is asked, in hexadecimal.
    digest: String,
}

/// How a write came in.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The door, as the audit log calls it: `portal`, `token`.
    pub via: &'static str,
    /// With what it is recognised when it is sent again; none for what can be done again without harm.
    pub once: Option<Once>,
}

impl Once {
    /// `asked` is all that makes it this write and no other; the order of its members does not matter.
    pub fn new(key: &str, asked: &impl Serialize) -> Result<Self, Trouble> {
        if !(8..=200).contains(&key.len()) {
            let message = "A key has between 8 and 200 letters, and is new for each thing that is asked.";
            return Err(Trouble::field("Idempotency-Key:", message));
        }
        let mut asked = json!(asked);
        asked.sort_all_objects();
        Ok(Self { key: key.to_owned(), digest: hex::encode(Sha256::digest(asked.to_string())) })
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl Sent {
    /// From a page of the portal.
    pub const PORTAL: Self = Self { via: "portal", once: None };

    /// Takes the key, if it came with one. False when the same was asked with it before, and so is done.
    pub(crate) async fn is_new(&self, app: &App, tx: &Tx, who: &Principal) -> Result<bool, Trouble> {
        match &self.once {
            Some(once) => claim(app, tx, who, once).await,
            None => Ok(true),
        }
    }

    /// Whether the same was asked with its key before, and so is done.
    pub(crate) async fn is_done(&self, app: &App, who: &Principal) -> Result<bool, Trouble> {
        match &self.once {
            Some(once) => was_asked(&app.store, who, once).await,
            None => Ok(false),
        }
    }
}

/// Whether the person asked for exactly this before, with this key. Refuses a key that he used for something else.
pub(crate) async fn was_asked(on: &impl Reads, who: &Principal, once: &Once) -> Result<bool, Trouble> {
    match store::idempotency::digest(on, who.person, &once.key).await.map_err(database)? {
        Some(digest) if digest != once.digest => Err(reused()),
        known => Ok(known.is_some()),
    }
}

/// Takes the key in the transaction of the write. False when the same was asked with it before, and so is done.
pub(crate) async fn claim(app: &App, tx: &Tx, who: &Principal, once: &Once) -> Result<bool, Trouble> {
    let claimed = store::idempotency::claim(tx, who.person, &once.key, &once.digest, app.clock.now());
    Ok(claimed.await.map_err(database)? || !was_asked(tx, who, once).await?)
}

fn reused() -> Trouble {
    Trouble::new(
        Kind::Invalid,
        "This was sent before with other content. What was asked then is done; nothing of this was.",
        "Look at what came of it. If this is meant as well, send it once more with a new key (a form has one by now).",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Once;

    #[test]
    fn what_is_asked_is_recognised_however_its_members_are_ordered() {
        let digest = |asked| Once::new("a key of mine", &asked).expect("a good key").digest;
        let one = digest(json!({ "nodes": 2, "of": { "a": 1, "b": [1, 2] } }));
        assert_eq!(one, digest(json!({ "of": { "b": [1, 2], "a": 1 }, "nodes": 2 })));
        assert_ne!(one, digest(json!({ "of": { "b": [2, 1], "a": 1 }, "nodes": 2 })));
        assert_ne!(one, digest(json!({ "of": { "a": 1, "b": [1, 2] }, "nodes": "2" })));
    }

    #[test]
    fn a_key_that_anybody_could_hit_upon_is_refused() {
        assert!(Once::new("1", &json!({})).is_err());
        assert!(Once::new(&"x".repeat(201), &json!({})).is_err());
    }
}
