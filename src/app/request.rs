//! Requests: ordering, looking, taking back, changing, and what follows when everybody has said yes.

mod change;
mod order;
mod show;
mod start;
mod submit;

pub use change::{ChangeForm, NewTerms, change, change_draft, change_form, withdraw};
pub use order::{Order, What, ordered_with, submit};
pub(crate) use order::{facts_of, last_run};
pub(crate) use show::readings;
pub use show::{Asking, Listed, Page, Pause, Waits, count, list, show};
pub(crate) use start::{end_before_run, start, wake};
pub use store::request::{Filter, SortBy};
pub use submit::acceptable_reason;
