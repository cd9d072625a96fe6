//! The provider against recorded and scripted answers, and, with the feature `live`, against the lab's vCenter.

mod document;
mod fault;
#[cfg(feature = "live")]
mod live;
mod message;
mod script;
mod session;
mod story;
