//! Secrets on their way to a machine of their own deployment: only when its configuration server asks, and kept nowhere.

use std::collections::BTreeMap;

use domain::ids::SecretId;
use domain::secret::{SecretReference, SecretText};
use domain::trouble::Trouble;
use serde_json::{Map, Value};

use crate::{App, database};

/// What the references among a node's facts stand for, by the facts' names. `key` is the node's own: what belongs to
/// another deployment than the node is refused.
pub(crate) async fn reveal(
    app: &App,
    key: &str,
    facts: &Map<String, Value>,
) -> Result<BTreeMap<String, SecretText>, Trouble> {
    let mut revealed = BTreeMap::new();
    for (name, value) in facts {
        let Some(SecretReference(id)) = value.as_str().and_then(SecretReference::parse) else { continue };
        let text = of_node(app, key, id).await?.ok_or_else(|| foreign(name))?;
        revealed.insert(name.clone(), text);
    }
    Ok(revealed)
}

/// A secret of the deployment to which the node belongs; nothing where that has no such secret.
async fn of_node(app: &App, key: &str, id: SecretId) -> Result<Option<SecretText>, Trouble> {
    let Some(node) = store::resource::standing_with_key(&app.store, key).await.map_err(database)? else {
        return Ok(None);
    };
    let kept = store::secret::find(&app.store, node.deployment, id).await.map_err(database)?;
    let opened = kept.map(|(it, sealed)| {
        app.sealing.open(id, &sealed).map_err(|cause| super::hand_over::unopened(&it).because(cause))
    });
    opened.transpose()
}

fn foreign(fact: &str) -> Trouble {
    Trouble::conflict(
        format!("The fact {fact:?} stands for a secret that the node's deployment does not have."),
        "Give the node what a `secret.generate` of its own deployment returned.",
    )
}
