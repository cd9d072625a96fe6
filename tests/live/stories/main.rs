//! The blueprints on the lab: ordered over the API as a program would, built by a Gatehouse of its own, asked of the
//! real systems afterwards, and taken back until they are as they were.
//!
//! They need the lab that `tests/live/up FOLDER` starts, named by `GATEHOUSE_LAB=FOLDER`.

#![expect(clippy::unwrap_used, reason = "a story that can't go on is told as failed")]

mod blueprints;
mod crashes;
mod day2;
mod lab;
mod outages;
mod portal;
mod sightings;
