//! The systems outside, in our words: one trait a system, each with a simulated and, in time, a real implementation.

pub mod clock;
