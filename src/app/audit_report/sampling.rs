//! Draws the sample of things that are there, for whom the CIs are to be looked for.

use std::collections::HashMap;

use domain::audit_report::sampling::{Draw, DrawnThing};
use domain::person::Scope;
use domain::trouble::Trouble;
use store::audit_report::thing::{self, Sort};
use uuid::Uuid;

use crate::{App, database};

/// Ids that are read at once.
const STRIDE: u64 = 5_000;

/// So many of the machines and containers in scope that are there now, drawn with this seed.
pub(super) async fn things(app: &App, scope: &Scope, seed: &str) -> Result<Vec<DrawnThing>, Trouble> {
    let mut draw = Draw::new(seed);
    for sort in Sort::ALL {
        let mut after = Uuid::nil();
        loop {
            let ids = thing::ids(&app.store, scope, sort, after, STRIDE).await.map_err(database)?;
            let Some(last) = ids.last() else { break };
            after = *last;
            ids.iter().for_each(|id| draw.offer(&id.to_string(), || (sort, *id)));
        }
    }
    let drawn = draw.finish();
    let mut known = HashMap::new();
    for sort in Sort::ALL {
        let ids: Vec<Uuid> = drawn.iter().filter(|(of, _)| *of == sort).map(|(_, id)| *id).collect();
        known.extend(thing::known(&app.store, sort, &ids).await.map_err(database)?);
    }
    Ok(drawn.iter().filter_map(|(_, id)| known.remove(id)).collect())
}
