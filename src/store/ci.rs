//! The CMDB's tables: writing what changed, finding CIs, and what is known of one.

mod apply;
mod find;
mod known;
pub(crate) mod row;

pub use apply::{ApplyError, apply};
pub use find::{CiQuery, CiSort, count, list, list_counted};
pub use known::{Hop, attributes, by_id, history, neighbours, standing_below};
