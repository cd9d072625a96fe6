//! Clients of the systems outside, one folder each; siblings never meet.

pub mod absent;
pub mod clock;
pub mod dns;
pub mod docker;
pub mod haproxy;
pub mod http;
#[cfg(all(test, feature = "live"))]
mod lab;
pub mod nautobot;
pub mod outbound;
pub mod puppet;
pub mod servicenow;
pub mod simulated;
pub mod smtp;
pub mod vsphere;
pub mod webhook;
