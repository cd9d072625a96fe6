//! Load balancer pools: one address in front of several machines.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::provider_error::ProviderError;

/// A machine behind a pool, as we ask for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberOrder {
    pub name: String,
    pub address: String,
}

/// What is wanted of a new pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOrder {
    pub name: String,
    /// The port on the members, which is also the port of the pool.
    pub port: u16,
    /// The health check, e.g. `GET /`.
    pub check: String,
    pub members: Vec<MemberOrder>,
}

/// What the balancer thinks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberHealth {
    Up,
    Down,
    /// Takes no new connections and leaves when the last one has ended.
    Draining,
}

/// A machine behind a pool, as the balancer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolMember {
    pub name: String,
    pub address: String,
    pub health: MemberHealth,
}

/// A pool with its address and members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub id: String,
    pub key: String,
    pub name: String,
    /// The virtual address under which the pool answers.
    pub address: String,
    pub port: u16,
    pub check: String,
    pub members: Vec<PoolMember>,
}

/// A load balancer.
#[async_trait]
pub trait Balancer: Send + Sync {
    /// Makes a pool. Repeated with the same key it answers with the pool that carries it; refused when the name is taken.
    async fn create(&self, key: &str, order: &PoolOrder) -> Result<Pool, ProviderError>;

    /// The pool that carries `key`.
    async fn find(&self, key: &str) -> Result<Option<Pool>, ProviderError>;

    /// The pool as it is now; `NotFound` when it is gone.
    async fn describe(&self, id: &str) -> Result<Pool, ProviderError>;

    /// Makes `members` the members. Those that leave drain first: the answer shows them until they are gone.
    async fn set_members(&self, id: &str, key: &str, members: &[MemberOrder]) -> Result<Pool, ProviderError>;

    /// Removes the pool. Removing what is gone is no error; what carries another key is `NotOurs`.
    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError>;
}
