//! What teams run on a container host: some of it ordered, some of it started behind the portal's back.
//!
//! Nothing is kept. Which containers run at a time follows from the host's name and the time alone, so that every
//! process sees the same ones, restarts included.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::container_host::Container;
use sha2::{Digest, Sha256};

use super::pace::seed;

/// Something a team runs.
struct Workload {
    project: Option<&'static str>,
    service: &'static str,
    image: &'static str,
    port: Option<&'static str>,
    /// Minutes after the engine came up until it is first started.
    starts_after: i64,
    /// Minutes between two restarts; each gives a new container.
    lives: i64,
}

const WORKLOADS: [Workload; 8] = [
    Workload {
        project: Some("webshop"),
        service: "web",
        image: "registry.example.org/shop/web:4.2.1",
        port: Some("8080->80/tcp"),
        starts_after: 0,
        lives: 720,
    },
    Workload {
        project: Some("webshop"),
        service: "cart",
        image: "registry.example.org/shop/cart:2.9.0",
        port: None,
        starts_after: 0,
        lives: 480,
    },
    Workload {
        project: Some("webshop"),
        service: "cache",
        image: "docker.io/library/redis:7.4",
        port: None,
        starts_after: 0,
        lives: 2_880,
    },
    Workload {
        project: None,
        service: "report-batch",
        image: "registry.example.org/shop/report:1.3",
        port: None,
        starts_after: 2,
        lives: 7,
    },
    Workload {
        project: Some("metrics"),
        service: "grafana",
        image: "docker.io/grafana/grafana:11.3.0",
        port: Some("3000->3000/tcp"),
        starts_after: 4,
        lives: 1_440,
    },
    Workload {
        project: None,
        service: "tmp-mysql",
        image: "docker.io/library/mysql:5.7",
        port: Some("3306->3306/tcp"),
        starts_after: 9,
        lives: 600,
    },
    Workload {
        project: None,
        service: "agent-test",
        image: "docker.io/jenkins/agent:latest",
        port: None,
        starts_after: 20,
        lives: 11,
    },
    Workload {
        project: None,
        service: "minio",
        image: "quay.io/minio/minio:latest",
        port: Some("9000->9000/tcp"),
        starts_after: 45,
        lives: 900,
    },
];

/// The containers that run on `host` at `now`, when its engine came up at `up_since`.
pub(super) fn running_at(host: &str, up_since: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Container> {
    let of_host = WORKLOADS.iter().filter(|workload| workload.starts_after > 0 || takes_part(host, workload));
    of_host.filter_map(|workload| container(host, workload, up_since, now)).collect()
}

/// Not every host runs everything that is there from the start.
fn takes_part(host: &str, workload: &Workload) -> bool {
    workload.service == "web" || !seed(&(host, workload.service)).is_multiple_of(4)
}

fn container(host: &str, workload: &Workload, up_since: DateTime<Utc>, now: DateTime<Utc>) -> Option<Container> {
    let first_start = up_since + TimeDelta::minutes(workload.starts_after);
    let age = now - first_start;
    if age < TimeDelta::zero() {
        return None;
    }
    let restarts = age.num_minutes() / workload.lives;
    let name = match workload.project {
        Some(project) => format!("{project}-{}-1", workload.service),
        None => workload.service.to_owned(),
    };
    Some(Container {
        id: digest(&[host, &name, &restarts.to_string()]),
        name,
        image: workload.image.to_owned(),
        image_digest: format!("sha256:{}", digest(&[workload.image])),
        compose_project: workload.project.map(str::to_owned),
        compose_service: workload.project.map(|_| workload.service.to_owned()),
        ports: workload.port.map(str::to_owned).into_iter().collect(),
        started_at: first_start + TimeDelta::minutes(restarts * workload.lives),
    })
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
