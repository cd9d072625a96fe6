//! The portal as a whole, told as stories: the real database, the real engine with a worker, the simulated datacenter.

mod api;
mod approvals;
mod deployments;
mod door;
mod house;
mod requests;
mod runs;
