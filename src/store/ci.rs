//! The CMDB's tables: writing what changed, finding CIs, and what is known of one.

mod apply;
mod row;

pub use apply::{ApplyError, apply};
