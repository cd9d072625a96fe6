//! What an engine runs, with the images' digests; and when that changes.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use bollard::models::{ContainerSummary, PortSummary};
use bollard::query_parameters::{EventsOptionsBuilder, InspectContainerOptions, ListContainersOptions};
use chrono::{DateTime, Utc};
use domain::ports::container_host::{Container, ContainerListing};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use futures::{StreamExt, stream};

use super::client::Session;
use super::fault;

/// So many containers of an engine are asked about at a time.
const AT_A_TIME: usize = 8;
/// Images of which the digests are kept; beyond, they are asked for again.
const DIGESTS: usize = 10_000;
/// What tells that other containers run than before.
const EVENTS: [&str; 3] = ["start", "die", "rename"];
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";

/// The digests of images by the host that told them and the image's id there. One host's word counts for itself alone.
#[derive(Default)]
pub(super) struct Digests(Mutex<HashMap<(String, String), Vec<String>>>);

impl Digests {
    /// Under which digests the registries know the image, `registry.example.org/shop/web@sha256:…`; none knows an image
    /// that was built on the engine.
    async fn of(&self, engine: &Session, host: &str, image_id: &str) -> Result<Vec<String>, ProviderError> {
        let place = (host.to_owned(), image_id.to_owned());
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(known.clone());
        }
        let image = match engine.ask("Looking at an image", engine.docker.inspect_image(image_id)).await {
            Ok(image) => image,
            // Forced away from under its container.
            Err(error) if error.kind == ProviderErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let found = image.repo_digests.unwrap_or_default();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DIGESTS {
            known.clear();
        }
        known.insert(place, found.clone());
        Ok(found)
    }
}

/// Everything that runs on the engine of `host`. A container that can't be looked at makes the listing incomplete; one
/// that ended meanwhile does not.
pub(super) async fn listing(
    engine: &Session,
    host: &str,
    digests: &Digests,
) -> Result<ContainerListing, ProviderError> {
    // Before the list, so that what changes while it is made is told afterwards.
    let asked_at = time(engine).await?;
    let listed = engine.docker.list_containers(None::<ListContainersOptions>);
    let listed = engine.ask("Listing containers", listed).await?;
    let looks = listed.into_iter().map(|container| look(engine, host, digests, container));
    let seen: Vec<_> = stream::iter(looks).buffered(AT_A_TIME).collect().await;
    let complete = seen.iter().all(Result::is_ok);
    Ok(ContainerListing { containers: seen.into_iter().flatten().flatten().collect(), complete, asked_at })
}

/// Returns when the first thing after `since` happened that changes what the engine runs.
pub(super) async fn changed(engine: &Session, since: DateTime<Utc>) -> Result<(), ProviderError> {
    happened(engine, since, [("event", &EVENTS)]).await
}

/// Returns when something that passes these filters happened to a container after `since`, by the engine's clock.
pub(super) async fn happened<const N: usize>(
    engine: &Session,
    since: DateTime<Utc>,
    filters: [(&str, &[&str]); N],
) -> Result<(), ProviderError> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut all: HashMap<String, Vec<String>> = filters.map(|(name, passing)| (name.to_owned(), words(passing))).into();
    all.insert("type".to_owned(), words(&["container"]));
    let since = format!("{}.{:09}", since.timestamp(), since.timestamp_subsec_nanos());
    let options = EventsOptionsBuilder::new().since(&since).filters(&all).build();
    let mut events = pin!(engine.docker.events(Some(options)));
    match events.next().await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(fault::told(&error, &engine.at, "Listening to the engine")),
        None => Err(ProviderError::transient(
            format!("The Docker engine at {} stopped telling what happens on it.", engine.at),
            "It is asked again; see whether it was restarted.",
        )),
    }
}

/// The engine's own time.
pub(super) async fn time(engine: &Session) -> Result<DateTime<Utc>, ProviderError> {
    let info = engine.ask("Asking the engine for its time", engine.docker.info()).await?;
    moment(info.system_time.as_deref(), &engine.at)
}

/// The container with what only a closer look tells; nothing when it ended meanwhile.
async fn look(
    engine: &Session,
    host: &str,
    digests: &Digests,
    listed: ContainerSummary,
) -> Result<Option<Container>, ProviderError> {
    let id = listed.id.unwrap_or_default();
    let asked = engine.docker.inspect_container(&id, None::<InspectContainerOptions>);
    let seen = match engine.ask("Looking at a container", asked).await {
        Ok(seen) => seen,
        Err(error) if error.kind == ProviderErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(state) = seen.state.as_ref().filter(|state| state.running == Some(true)) else { return Ok(None) };
    let started_at = moment(state.started_at.as_deref(), &engine.at)?;
    // The list names an image by its id when another one has taken its name over; what was asked for stays.
    let wanted = seen.config.as_ref().and_then(|config| config.image.clone());
    let image = wanted.or(listed.image).unwrap_or_default();
    let image_id = seen.image.clone().unwrap_or_default();
    let digests = digests.of(engine, host, &image_id).await?;
    let label = |name: &str| listed.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
    Ok(Some(Container {
        id,
        name: seen.name.as_deref().unwrap_or_default().trim_start_matches('/').to_owned(),
        image_digest: digest_of(&image, &digests).unwrap_or(&image_id).to_owned(),
        image,
        compose_project: label(PROJECT),
        compose_service: label(SERVICE),
        ports: published(listed.ports.as_deref().unwrap_or_default()),
        started_at,
    }))
}

/// A moment by the engine's clock, as it writes it.
fn moment(text: Option<&str>, at: &str) -> Result<DateTime<Utc>, ProviderError> {
    let text = text.unwrap_or_default();
    DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()).map_err(|_| {
        ProviderError::permanent(
            format!("The Docker engine at {at} tells a time that is none: `{text}`."),
            "See whether it is a Docker engine of version 20.10 or newer.",
        )
    })
}

/// The digest under which the image's own registry knows it, else any.
fn digest_of<'d>(image: &str, digests: &'d [String]) -> Option<&'d str> {
    let wanted = familiar(repository(image));
    // Where there is none, old engines say `<none>@<none>`.
    let split = || digests.iter().filter_map(|digest| digest.split_once('@')).filter(|(name, _)| *name != "<none>");
    let own = split().find(|(repository, _)| familiar(repository) == wanted);
    own.or_else(|| split().next()).map(|(_, digest)| digest)
}

/// The image's name without its tag or digest; a port of the registry is no tag.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// `docker.io/library/redis` is `redis` for engines.
fn familiar(repository: &str) -> &str {
    let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
    short.strip_prefix("library/").unwrap_or(short)
}

/// What is reached from outside, `8080->80/tcp`; once, though the engine tells it for each version of IP.
fn published(ports: &[PortSummary]) -> Vec<String> {
    let outside = |port: &PortSummary| {
        let kind = port.typ.map(|kind| kind.to_string()).unwrap_or_default();
        Some((port.public_port?, port.private_port, kind))
    };
    let told: BTreeSet<_> = ports.iter().filter_map(outside).collect();
    told.into_iter().map(|(public, private, kind)| format!("{public}->{private}/{kind}")).collect()
}
