//! What objects lean on, kept in the ledger from before they are made: each row names the rows that have to outlive it.
//!
//! A new row leans on the rows of the steps that its step needed; a step that owns none passes on what it needed
//! itself. An object that is changed later, such as a pool that gets another machine, is tied to what it now consists
//! of: to all of it, old and new, from before the call until it is done, and then to the new alone. Rows are named by
//! id, so that a machine made anew under an old key is not mistaken for the one that is gone.
//!
//! The order in which a deployment goes is read from there (see [`crate::undo_order`]), rather than guessed from the
//! order of its runs: a later run may have put new machines behind what an earlier one made.

use std::collections::{BTreeSet, HashSet};

use domain::ids::ResourceId;
use domain::resource::{Tie, leans_on_any};

use crate::draft::Draft;
use crate::drive::Driver;

impl Driver {
    /// The rows that a step builds on: of each step it needs, or of what that one needs where it owns none.
    pub(crate) fn ground(&self, at: usize) -> Vec<ResourceId> {
        let mut found = BTreeSet::new();
        let mut seen = HashSet::new();
        let mut open = self.graph.needs(at).to_vec();
        while let Some(before) = open.pop() {
            if !seen.insert(before) {
                continue;
            }
            match self.ledger_of(before) {
                own if own.is_empty() => open.extend(self.graph.needs(before)),
                own => found.extend(own.iter().map(|row| row.id)),
            }
        }
        found.into_iter().collect()
    }

    /// Lets an object lean on this as well, and on what the step that changes it builds on.
    pub(crate) fn tie(&mut self, at: usize, tie: &Tie, draft: &mut Draft) {
        let below = [self.rows(&tie.to), self.ground(at)].concat();
        let Some(row) = self.held.ledger.iter_mut().find(|row| row.key == tie.key) else { return };
        for id in below {
            if id != row.id && row.leans_on().all(|known| known != id) {
                row.tied_to.push(id);
                draft.leaning.insert(row.id);
            }
        }
    }

    /// The step is done: what an object consisted of before, and does not any more, may go before it.
    pub(crate) fn settle_ties(&mut self, at: usize, draft: &mut Draft) {
        let Ok(known) = self.engine.known(&self.held.run, at) else { return };
        // An input for which it says nothing has been refused before the call.
        let ties = known.action.ties(&self.work(at)).unwrap_or_default();
        for tie in ties {
            self.let_go_of_others(at, &tie, draft);
        }
    }

    fn let_go_of_others(&mut self, at: usize, tie: &Tie, draft: &mut Draft) {
        let (members, ground, ledger) = (self.rows(&tie.to), self.ground(at), &self.held.ledger);
        let Some(place) = ledger.iter().position(|row| row.key == tie.key) else { return };
        let stays =
            |id: &ResourceId| members.contains(id) || ground.contains(id) || leans_on_any(*id, &members, ledger);
        let left: Vec<_> = ledger[place].tied_to.iter().copied().filter(|id| !stays(id)).collect();
        if left.is_empty() {
            return;
        }
        let goes = |id: &ResourceId| left.contains(id) || leans_on_any(*id, &left, ledger);
        let (made_on, tied_to) = (ledger[place].made_on.clone(), ledger[place].tied_to.clone());
        let rest = |ids: Vec<ResourceId>| ids.into_iter().filter(|id| !goes(id)).collect::<Vec<_>>();
        let (made_on, tied_to) = (made_on.map(rest), rest(tied_to));
        let row = &mut self.held.ledger[place];
        (row.made_on, row.tied_to) = (made_on, tied_to);
        draft.leaning.insert(row.id);
    }

    fn rows(&self, keys: &[String]) -> Vec<ResourceId> {
        self.held.ledger.iter().filter(|row| keys.contains(&row.key)).map(|row| row.id).collect()
    }
}
