//! Our calls against an engine that says what a test wants, faults above all. Real engines are met in the live tests.

mod agents;
mod engine;
mod faults;
mod hosts;
#[cfg(feature = "live")]
mod live;
mod machines;
mod settings;
mod spaces;
