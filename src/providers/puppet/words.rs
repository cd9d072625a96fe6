//! What Puppet Server asks about a node (an external node classifier's answer) and tells about it (a report).

use domain::node::{NodeOrder, NodeReport};
use domain::ports::nodes::{NodeWords, Unreadable};
use serde_json::{Map, Value, json};

use super::report;

/// The words of Puppet Server.
pub struct PuppetWords;

impl NodeWords for PuppetWords {
    /// The role is the one class of the node, and what it is given are the class's parameters. Written as JSON, which
    /// is YAML whatever a value holds: nothing is pasted.
    /// <https://www.puppet.com/docs/puppet/7/nodes_external.html>
    fn classification(&self, order: &NodeOrder, facts: &Map<String, Value>) -> String {
        let classes = json!({ &order.role: facts });
        json!({ "environment": order.environment, "classes": classes }).to_string()
    }

    fn report(&self, sent: &[u8]) -> Result<NodeReport, Unreadable> {
        report::read(sent)
    }
}
