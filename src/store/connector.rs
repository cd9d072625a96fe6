//! What is carried to the company's CMDBs: which CIs changed (the outbox), what each connector has acknowledged (the
//! deliveries), and how each connector fares.

mod delivery;
mod outbox;
mod record;
mod standing;

pub use delivery::{HeldCi, due, forget_missing, mark_compared, next_missing, retry, settle, want_again};
pub(crate) use outbox::raise;
pub use outbox::{Loaded, hand_out, load};
pub use record::records;
pub use standing::{
    Dead, Outstanding, Standing, answered, compare_from, compared, dead, failed, lags, outstanding, outstanding_of,
    register, standing,
};
