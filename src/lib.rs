//! Gatehouse: the self-service portal of a private cloud. Order, approve, build, register, and know what runs where.
//!
//! This is the composition root, the only place that knows every room. [`cli`] is what people type, [`settings`]
//! what they set, [`boot`] puts the parts together, `duties` keeps what has to be done again and again.

pub mod boot;
pub mod cli;
mod duties;
mod sealing;
pub mod settings;
pub mod systems;
mod workflows;
