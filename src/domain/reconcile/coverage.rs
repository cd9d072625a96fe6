//! What the sources answered for: absence counts only where a source looked at everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::CiClass;

/// Which classes were looked at where, and which come from orders alone.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By class and scope, whether whoever looked there saw everything.
    looked: BTreeMap<CiClass, BTreeMap<String, bool>>,
    ordered: BTreeSet<CiClass>,
}

impl Coverage {
    /// A source looked at this class in this scope. One that failed or was cut short did not see everything: nothing is
    /// known to be absent there, whatever others say.
    pub fn looked(mut self, class: CiClass, scope: &str, saw_everything: bool) -> Self {
        let known = self.looked.entry(class).or_default().entry(scope.to_owned()).or_insert(true);
        *known &= saw_everything;
        self
    }

    /// Everything of this class has to come from an order.
    pub fn ordered(mut self, class: CiClass) -> Self {
        self.ordered.insert(class);
        self
    }

    /// Whether what nobody saw of this class in this scope is not there.
    pub fn is_complete(&self, class: CiClass, scope: &str) -> bool {
        self.looked.get(&class).and_then(|scopes| scopes.get(scope)).copied().unwrap_or(false)
    }

    pub(super) fn is_ordered(&self, class: CiClass) -> bool {
        self.ordered.contains(&class)
    }
}
