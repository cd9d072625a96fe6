//! Reconcile: three views of the same things, brought together key by key, and where they differ.
//!
//! The ledger says what was ordered, reality what a source saw, the CMDB what is on record. [`merge`] walks the three at
//! once, each sorted by key, and holds no more of them than one thing at a time; [`judge`] says what is wrong with what
//! stands at one key, and counts; `identify` tries weaker identifiers on what stayed alone.

pub mod coverage;
pub mod difference;
mod identify;
pub mod judge;
pub mod ledger;
pub mod merge;
pub mod record;
pub mod rules;
pub mod run;
pub mod totals;

#[cfg(test)]
mod tests;
