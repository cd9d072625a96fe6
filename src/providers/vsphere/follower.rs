//! Follows vCenter: one property collector for the inventory and all recent tasks, one call that waits for its updates.
//!
//! After whatever goes wrong (an ended session, a restart of vCenter, a lost connection) it begins anew: a new session,
//! a new collector, everything once, and what became of machines meanwhile is told from the difference.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::machine_change::{MachineChange, MachineEvent};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::client::Client;
use super::failure::Failure;
use super::followed::Followed;
use super::inventory::{Inventory, Noted, OF_CLUSTERS, OF_DATASTORES, OF_HOSTS, OF_MACHINES, OF_TASKS};
use super::method::{CreateContainerView, CreateFilter, QueryEvents, WaitForUpdatesEx};
use super::spec::{EventFilter, EventsOf, FilterSpec, ObjectSpec, PropertySpec, WaitOptions};
use super::vim::{Moref, ObjectUpdate, UpdateSet};

/// How long vCenter may wait for something to tell. Short enough for firewalls that forget silent connections.
const WAIT: Duration = Duration::from_secs(50);
/// What an answer may take beyond that.
const GRACE: Duration = Duration::from_secs(25);
/// Objects in one answer; there may be thousands when it begins.
const PART: u32 = 200;
/// Of so many changes at once it is asked who made them; of more there are only after vCenter was away.
const ASKED_FOR: usize = 20;
/// How long it rests after the first failure, and after many.
const REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Follows until the other end of `stop` is dropped; then signs out.
pub(super) async fn follow(client: Arc<Client>, followed: Arc<Followed>, mut stop: oneshot::Receiver<()>) {
    let mut rest = REST;
    loop {
        let failure = tokio::select! {
            _ = &mut stop => break,
            failure = follow_until_it_fails(&client, &followed, &mut rest) => failure,
        };
        followed.lost();
        tracing::warn!(?failure, "vCenter can't be followed; beginning anew");
        // What was made to follow it goes with the session.
        client.logout().await;
        tokio::select! {
            _ = &mut stop => break,
            () = sleep(rest) => rest = (rest * 2).min(LONGEST_REST),
        }
    }
    client.logout().await;
}

async fn follow_until_it_fails(client: &Client, followed: &Followed, rest: &mut Duration) -> Failure {
    match try_to_follow(client, followed, rest).await {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

async fn try_to_follow(
    client: &Client,
    followed: &Followed,
    rest: &mut Duration,
) -> Result<std::convert::Infallible, Failure> {
    let Filter { collector, view } = create_filters(client).await?;
    let mut fresh = Inventory::default();
    let mut version = String::new();
    loop {
        let Some(set) = updates(client, &collector, &version).await? else { continue };
        set.iter_objects().for_each(|update| drop(fresh.apply(update)));
        version = set.version;
        if !set.truncated {
            break;
        }
    }
    tell(client, followed, followed.replace(fresh)).await;
    tracing::info!("vCenter is followed");
    *rest = REST;
    loop {
        let Some(set) = updates(client, &collector, &version).await? else { continue };
        let objects: Vec<ObjectUpdate> = set.iter_objects().cloned().collect();
        version = set.version;
        let mut noted = followed.apply(&objects);
        if followed.read(|inventory| inventory.ends_a_move(&objects)) {
            // The simulator tells that something was moved, and not what.
            noted.extend(followed.apply(&folders(client, &view).await?));
        }
        tell(client, followed, noted).await;
    }
}

impl UpdateSet {
    fn iter_objects(&self) -> impl Iterator<Item = &ObjectUpdate> {
        self.filter_set.iter().flat_map(|filter| &filter.object_set)
    }
}

/// What tells of changes, and the view of everything that it tells of.
struct Filter {
    collector: Moref,
    view: Moref,
}

async fn create_filters(client: &Client) -> Result<Filter, Failure> {
    let session = client.session().await?;
    let content = &session.content;
    let view = CreateContainerView {
        this: &content.view_manager,
        container: &content.root_folder,
        r#type: &["VirtualMachine", "HostSystem", "ComputeResource", "Datastore"],
        recursive: true,
    };
    let view = client.call(&view).await?.returnval;
    let viewed = || ObjectSpec::named_by(&view, "ContainerView", "view");
    let tasks = ObjectSpec::named_by(&content.task_manager, "TaskManager", "recentTask");
    // Machines have a part of their own: the simulator stumbles over one that was removed in a part of several types.
    let parts = [
        (vec![("VirtualMachine", OF_MACHINES)], vec![viewed()]),
        (
            vec![
                ("Task", OF_TASKS),
                ("HostSystem", OF_HOSTS),
                ("ComputeResource", OF_CLUSTERS),
                ("Datastore", OF_DATASTORES),
            ],
            vec![viewed(), tasks],
        ),
    ];
    for (properties, object_set) in parts {
        let prop_set = properties.into_iter().map(|(r#type, path_set)| PropertySpec { r#type, path_set }).collect();
        let spec = FilterSpec { prop_set, object_set, report_missing_objects_in_results: true };
        client.call(&CreateFilter { this: &content.property_collector, spec, partial_updates: false }).await?;
    }
    Ok(Filter { collector: content.property_collector.clone(), view })
}

/// The folder in which each machine stands.
async fn folders(client: &Client, view: &Moref) -> Result<Vec<ObjectUpdate>, Failure> {
    let spec = FilterSpec {
        prop_set: vec![PropertySpec { r#type: "VirtualMachine", path_set: &["parent"] }],
        object_set: vec![ObjectSpec::named_by(view, "ContainerView", "view")],
        report_missing_objects_in_results: true,
    };
    let machines = client.properties(spec).await?;
    Ok(machines.into_iter().map(ObjectUpdate::from).collect())
}

/// What changed since `version`; nothing when nothing did for long.
async fn updates(client: &Client, collector: &Moref, version: &str) -> Result<Option<UpdateSet>, Failure> {
    let options = WaitOptions { max_wait_seconds: WAIT.as_secs() as u32, max_object_updates: PART };
    let wait = WaitForUpdatesEx { this: collector, version, options };
    Ok(client.call_within(&wait, WAIT + GRACE).await?.returnval)
}

/// Puts down what others did, with their names where vCenter knows them.
pub(super) async fn tell(client: &Client, followed: &Followed, noted: Vec<Noted>) {
    for (at, Noted { id, key, name, event }) in noted.into_iter().enumerate() {
        let by = if at < ASKED_FOR { who(client, &id, &event).await } else { None };
        tracing::info!(machine = %name, %id, ?event, ?by, "a machine was changed in vCenter");
        followed.tell(MachineChange { id, key, name, event, by });
    }
}

/// Who did it, by vCenter's own log of events; nobody knows when that can't be asked.
async fn who(client: &Client, id: &str, event: &MachineEvent) -> Option<String> {
    let types: &[&str] = match event {
        MachineEvent::Appeared => &["VmClonedEvent", "VmCreatedEvent", "VmRegisteredEvent"],
        MachineEvent::Renamed { .. } => &["VmRenamedEvent"],
        MachineEvent::Moved => &["VmResourcePoolMovedEvent", "VmRelocatedEvent"],
        MachineEvent::Started => &["VmPoweredOnEvent"],
        MachineEvent::Stopped => &["VmPoweredOffEvent", "VmGuestShutdownEvent"],
        MachineEvent::Reshaped => &["VmReconfiguredEvent"],
        MachineEvent::Vanished => &["VmRemovedEvent"],
        // Snapshots leave tasks and no events.
        MachineEvent::Snapshots { .. } => return None,
    };
    let machine = Moref::machine(id);
    let session = client.session().await.ok()?;
    let filter = EventFilter {
        entity: EventsOf { entity: &machine, recursion: "self" },
        disable_full_message: true,
        max_count: 50,
    };
    let events = client.call(&QueryEvents { this: &session.content.event_manager, filter }).await.ok()?.returnval;
    let latest =
        events.into_iter().filter(|event| types.contains(&event.kind.as_str())).max_by_key(|event| event.key)?;
    (!latest.user_name.is_empty()).then_some(latest.user_name)
}
