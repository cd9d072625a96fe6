//! What Puppet Server asks about a node (an external node classifier's answer) and tells about it (a report).

use std::collections::BTreeMap;

use domain::node::{NodeOrder, NodeReport};
use domain::ports::nodes::{NodeWords, Unreadable};
use domain::secret::SecretText;
use serde_json::{Map, Value, json};

use super::report;

/// The words of Puppet Server.
pub struct PuppetWords;

impl NodeWords for PuppetWords {
    /// The role is the one class of the node, and its facts are the class's parameters. Secrets are none of them, for
    /// PuppetDB keeps the parameters of classes: they are in the variable `$gatehouse_secrets`. Written as JSON, which is
    /// YAML whatever a value holds: nothing is pasted.
    /// <https://www.puppet.com/docs/puppet/7/nodes_external.html>
    fn classification(&self, order: &NodeOrder, secrets: &BTreeMap<String, SecretText>) -> String {
        let open = order.facts.iter().filter(|(name, _)| !secrets.contains_key(*name));
        let open: Map<String, Value> = open.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut document = json!({ "environment": order.environment, "classes": { &order.role: open } });
        if !secrets.is_empty() {
            let secrets: BTreeMap<&str, &str> =
                secrets.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
            document["parameters"] = json!({ "gatehouse_secrets": secrets });
        }
        document.to_string()
    }

    fn report(&self, sent: &[u8]) -> Result<NodeReport, Unreadable> {
        report::read(sent)
    }
}
