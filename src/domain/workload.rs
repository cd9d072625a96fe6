//! Workloads: what runs in containers, whatever their ids. Containers come and go; the workload is the CI.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::ports::container_host::Container;

/// How long the last container of a workload may be gone before the workload counts as gone too.
pub const GRACE: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// A container engine that told nothing for this long is blind.
pub const BLIND_AFTER: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// The containers of one engine that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload<'c> {
    /// What groups them, stable through restarts; unique on the engine.
    pub group: String,
    /// What people call it.
    pub name: String,
    pub containers: Vec<&'c Container>,
}

/// Groups containers to workloads: by Compose project and service, else by image repository and the stem of the name.
pub fn group(containers: &[Container]) -> Vec<Workload<'_>> {
    let mut groups: BTreeMap<String, Workload<'_>> = BTreeMap::new();
    for container in containers {
        let (group, name) = place(container);
        let workload = groups.entry(group.clone()).or_insert_with(|| Workload { group, name, containers: Vec::new() });
        workload.containers.push(container);
    }
    groups.into_values().collect()
}

impl Workload<'_> {
    /// What the CMDB keeps: nothing that changes when a container merely restarts.
    pub fn attributes(&self) -> Map<String, Value> {
        let of =
            |value: fn(&Container) -> &str| -> BTreeSet<&str> { self.containers.iter().copied().map(value).collect() };
        let digests = of(|container| &container.image_digest);
        let images = of(|container| &container.image);
        let ports: BTreeSet<&str> =
            self.containers.iter().flat_map(|container| &container.ports).map(String::as_str).collect();
        let first = self.containers.first();
        let attributes = json!({
            "image": images.into_iter().collect::<Vec<_>>().join(", "),
            "digests": digests,
            "ports": ports,
            "compose_project": first.and_then(|container| container.compose_project.as_deref()),
            "compose_service": first.and_then(|container| container.compose_service.as_deref()),
        });
        match attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        }
    }
}

/// The group of a container, and the workload's name.
fn place(container: &Container) -> (String, String) {
    if let (Some(project), Some(service)) = (&container.compose_project, &container.compose_service) {
        return (format!("compose/{project}/{service}"), format!("{project} / {service}"));
    }
    let stem = stem(&container.name);
    (format!("image/{}/{stem}", repository(&container.image)), stem.to_owned())
}

/// The image's name without its tag or digest; a port of the registry is no tag.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The name without the number or the random end that makes it unique: `web-2` and `web_7f3a9c21` are `web`.
fn stem(name: &str) -> &str {
    let name = name.trim_start_matches('/');
    let Some((stem, end)) = name.rsplit_once(['-', '_', '.']) else { return name };
    let number = end.chars().all(|mark| mark.is_ascii_digit());
    let random = end.len() >= 6
        && end.chars().all(|mark| mark.is_ascii_hexdigit())
        && end.contains(|mark: char| mark.is_ascii_digit());
    if !stem.is_empty() && (number || random) { stem } else { name }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn container(id: &str, name: &str, image: &str) -> Container {
        Container {
            id: id.into(),
            name: name.into(),
            image: image.into(),
            image_digest: "sha256:1".into(),
            compose_project: None,
            compose_service: None,
            ports: vec!["8080->80/tcp".into()],
            started_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn replicas_of_one_image_are_one_workload() {
        let containers = [
            container("a", "/web-1", "registry.example.org:5000/shop/web:4.2"),
            container("b", "/web-2", "registry.example.org:5000/shop/web:4.2"),
            container("c", "/cache", "redis@sha256:77"),
        ];
        let workloads = group(&containers);
        let names: Vec<_> =
            workloads.iter().map(|workload| (workload.name.as_str(), workload.containers.len())).collect();
        assert_eq!(names, [("cache", 1), ("web", 2)]);
        assert_eq!(workloads[1].group, "image/registry.example.org:5000/shop/web/web");
    }

    #[test]
    fn a_restarted_container_is_the_same_workload_with_the_same_attributes() {
        let before = [container("a1b2", "web_7f3a9c21", "shop/web:1")];
        let after = [container("ffff", "web_0a1b2c3d", "shop/web:1")];
        let (before, after) = (group(&before), group(&after));
        assert_eq!(before[0].group, after[0].group);
        assert_eq!(before[0].attributes(), after[0].attributes());
    }

    #[test]
    fn compose_names_the_workload() {
        let mut one = container("a", "shop-web-1", "shop/web:1");
        one.compose_project = Some("shop".into());
        one.compose_service = Some("web".into());
        assert_eq!(group(&[one])[0].name, "shop / web");
    }
}
