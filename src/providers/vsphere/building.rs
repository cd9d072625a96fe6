//! How a machine comes about: cloned, shaped (processors, memory, disk, network, first boot), switched on. Each step
//! begins where the machine says that it is.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ports::machines::MachineOrder;
use domain::ports::provider_error::ProviderError;

use super::failure::Failure;
use super::inventory::{DISK_GB, FQDN, IMAGE, KEY, OF_MACHINES, SHAPED, Seen, TaskEnd};
use super::method::{
    CloneMachine, CreateSnapshot, Customize, InstantClone, MoveIntoFolder, PowerOn, Reconfigure, Rename, SetField,
};
use super::places::{Place, roomiest};
use super::settings::{Cloning, FirstBootBy, VsphereImage};
use super::spec::{
    BackingSpec, CloneSpec, ConfigSpec, CustomizationSpec, DeviceChange, DeviceSpec, InstantCloneSpec, OptionSet,
    PortSpec, RelocateSpec,
};
use super::underway::Copying;
use super::vim::{Device, Moref, ObjectContent};
use super::{Vsphere, instance_uuid};

/// The datastores are known when vCenter is followed; so long is waited for that.
const CURRENT: Duration = Duration::from_secs(30);
/// What linked clones lean on.
const SNAPSHOT: &str = "gatehouse";

impl Vsphere {
    /// Clones the machine, unless a clone is under way. Answers its id, or nothing while vCenter is still at it.
    pub(super) async fn cloned(&self, key: &str, order: &MachineOrder) -> Result<Option<String>, ProviderError> {
        let doing = format!("clone {} to {}", order.image, order.name);
        let copying = match self.underway.of(key) {
            Some(copying) => copying,
            None => {
                if let Some(standing) = self.named(key, order).await? {
                    return Ok(Some(standing));
                }
                match self.start_clone(key, order).await? {
                    Ok(copying) => copying,
                    Err(failure) => return self.despite(failure, key, order, &doing).await.map(Some),
                }
            }
        };
        match self.ended(&copying.task, self.limits.patience).await.map_err(|failure| failure.told(&doing))? {
            None if copying.since.elapsed() < self.limits.clone => Ok(None),
            None => {
                self.underway.ended(key);
                Err(self.cancel(&copying.task, &doing, self.limits.clone).await)
            }
            Some(TaskEnd::Error(error)) => {
                self.underway.ended(key);
                self.despite(Failure::of_task(&error), key, order, &doing).await.map(Some)
            }
            Some(TaskEnd::Success(result)) => {
                self.underway.ended(key);
                let result = result.ok_or_else(|| Failure::Garbled("the clone has no id".to_owned()).told(&doing))?;
                Ok(Some(result.id))
            }
        }
    }

    /// A clone failed. If that is because an earlier one succeeded and nobody heard of it, this is its machine.
    async fn despite(
        &self,
        failure: Failure,
        key: &str,
        order: &MachineOrder,
        doing: &str,
    ) -> Result<String, ProviderError> {
        if failure.is("ManagedObjectNotFound") {
            self.places.forget().await;
        }
        let made = if failure.is("DuplicateName") { self.named(key, order).await? } else { None };
        made.ok_or_else(|| failure.told(doing))
    }

    /// The machine of the ordered name, if it stands and is ours; refused when it is somebody else's. vCenter itself takes
    /// a name once in a folder; the simulator takes it twice.
    async fn named(&self, key: &str, order: &MachineOrder) -> Result<Option<String>, ProviderError> {
        match self.by_name(&order.name).await? {
            None => Ok(None),
            Some((id, seen)) if seen.key() == key => Ok(Some(id)),
            Some((_, seen)) if !seen.configured => Err(ProviderError::transient(
                format!("{} is being cloned right now, and vCenter does not tell yet whose it is.", order.name),
                "Gatehouse looks again when the clone is finished.",
            )),
            Some(_) => Err(ProviderError::refused(
                format!("A machine {} stands already in {} and is not ours.", order.name, self.folder()),
                "Choose another name, or find out whose it is.",
            )),
        }
    }

    /// The machine of this name in our folder, whosever it is.
    pub(super) async fn by_name(&self, name: &str) -> Result<Option<(String, Seen)>, ProviderError> {
        let path = format!("{}/{name}", self.folder());
        let found = self.client.find_path(&path).await.map_err(|failure| failure.told(&format!("find {path}")))?;
        let Some(standing) = found else { return Ok(None) };
        Ok(self.read(&standing.id).await?.map(|seen| (standing.id, seen)))
    }

    /// The path of the folder in which machines stand.
    fn folder(&self) -> String {
        Place::Folder.path(&self.settings.datacenter, &self.settings.folder)
    }

    /// Starts a clone; the inner failure is vCenter's answer to the clone itself.
    async fn start_clone(&self, key: &str, order: &MachineOrder) -> Result<Result<Copying, Failure>, ProviderError> {
        let image = self.image(&order.image)?;
        let template = self.place(Place::Template, &image.template).await?;
        let folder = self.place(Place::Folder, &self.settings.folder).await?;
        let pool = self.place(Place::Pool, &self.settings.pool).await?;
        let datastore = self.datastore(order.disk_gb).await?;
        let marks = marks(key, order, image);
        let uuid = instance_uuid(key);
        let mut location =
            RelocateSpec { folder: None, datastore: Some(&datastore), disk_move_type: None, pool: Some(&pool) };
        let snapshot = match image.cloning {
            Cloning::Linked => Some(self.snapshot(&template, &image.template).await?),
            Cloning::Full | Cloning::Instant => None,
        };
        let started = if image.cloning == Cloning::Instant {
            location.folder = Some(&folder);
            let mut config = marks;
            config.extend(first_boot(key, order));
            config.push(OptionSet::new(SHAPED, "yes"));
            let spec = InstantCloneSpec { name: &order.name, location, config };
            self.client.call(&InstantClone { this: &template, spec }).await
        } else {
            location.disk_move_type = snapshot.as_ref().map(|_| "createNewChildDiskBacking");
            let note = annotation(key, order);
            let config = ConfigSpec {
                instance_uuid: Some(&uuid),
                annotation: Some(&note),
                extra_config: marks,
                ..ConfigSpec::default()
            };
            let spec = CloneSpec { location, template: false, config, power_on: false, snapshot: snapshot.as_ref() };
            self.client.call(&CloneMachine { this: &template, folder: &folder, name: &order.name, spec }).await
        };
        Ok(started.map(|answer| {
            let copying = Copying { task: answer.returnval, since: Instant::now(), order: order.clone(), datastore };
            self.underway.began(key, copying.clone());
            copying
        }))
    }

    /// Makes the machine what was ordered, while it is off and nobody uses it. The mark that says so comes last.
    pub(super) async fn shape(&self, id: &str, key: &str, order: &MachineOrder) -> Result<(), ProviderError> {
        let doing = format!("shape {}", order.name);
        let told = |failure: Failure| failure.told(&doing);
        let image = self.image(&order.image)?;
        let machine = Moref::machine(id);
        let content = self.client.look(&machine, &["name", "parent", "config.hardware.device"]).await.map_err(told)?;
        let content = content.ok_or_else(|| gone(&order.name))?;
        self.put_right(&machine, &content, order).await?;
        self.set_custom_values(&machine, order).await?;
        if image.first_boot == FirstBootBy::Customization {
            self.customize(&machine, order, &doing).await?;
        }
        let mut options = match image.first_boot {
            FirstBootBy::CloudInit => first_boot(key, order),
            FirstBootBy::Customization => Vec::new(),
        };
        options.push(OptionSet::new(SHAPED, "yes"));
        let devices = content.value("config.hardware.device").map(|value| value.devices.as_slice()).unwrap_or_default();
        let note = annotation(key, order);
        let spec = ConfigSpec {
            instance_uuid: None,
            annotation: Some(&note),
            processors: Some(order.cpu),
            memory_mb: Some(u64::from(order.memory_gb) * 1024),
            device_change: self.device_changes(devices, image, order).await?,
            extra_config: options,
        };
        let task = self.client.call(&Reconfigure { this: &machine, spec }).await.map_err(told)?.returnval;
        self.finish(task, &doing).await.map(drop)
    }

    /// Switches the machine on. That somebody else has done so meanwhile is as good.
    pub(super) async fn switch_on(&self, id: &str, name: &str) -> Result<(), ProviderError> {
        let doing = format!("switch {name} on");
        let started = self.client.call(&PowerOn { this: &Moref::machine(id) }).await;
        let task = started.map_err(|failure| failure.told(&doing))?.returnval;
        match self.finish(task, &doing).await {
            Err(error) if !self.read(id).await?.is_some_and(|seen| seen.running) => Err(error),
            _ => Ok(()),
        }
    }

    /// The machine as vCenter has it at this moment; `None` when it is gone.
    pub(super) async fn read(&self, id: &str) -> Result<Option<Seen>, ProviderError> {
        let machine = Moref::machine(id);
        let content =
            self.client.look(&machine, OF_MACHINES).await.map_err(|failure| failure.told(&format!("read {id}")))?;
        match content {
            Some(content) => Ok(Some(self.followed().learn(&content))),
            None => {
                self.followed().forget(id);
                Ok(None)
            }
        }
    }

    /// What an image is made from.
    pub(super) fn image(&self, name: &str) -> Result<&VsphereImage, ProviderError> {
        self.settings.images.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.settings.images.keys().map(String::as_str).collect();
            ProviderError::permanent(
                format!("There is no image {name}."),
                format!("Choose one of {}.", known.join(", ")),
            )
        })
    }

    async fn place(&self, place: Place, name: &str) -> Result<Moref, ProviderError> {
        self.places.find(&self.client, &self.settings, place, name).await
    }

    /// The datastore for a new machine.
    async fn datastore(&self, disk_gb: u32) -> Result<Moref, ProviderError> {
        let followed = self.followed();
        tokio::time::timeout(CURRENT, followed.current())
            .await
            .map_err(|_| Failure::Late(format!("{} s", CURRENT.as_secs())).told("tell how full its datastores are"))?;
        let mut candidates = self.datastores().await?;
        let known = |candidates: &[Moref]| {
            followed.read(|inventory| candidates.iter().all(|store| inventory.datastores.contains_key(&store.id)))
        };
        if !known(&candidates) {
            // One was taken out and put in again since it was looked for.
            self.places.forget().await;
            candidates = self.datastores().await?;
        }
        followed.read(|inventory| {
            roomiest(inventory, &candidates, disk_gb, |datastore| self.underway.promised_gb(datastore))
        })
    }

    async fn datastores(&self) -> Result<Vec<Moref>, ProviderError> {
        let mut found = Vec::new();
        for name in &self.settings.datastores {
            found.push(self.place(Place::Datastore, name).await?);
        }
        Ok(found)
    }

    /// The snapshot of a template that linked clones lean on; made when there is none.
    async fn snapshot(&self, template: &Moref, name: &str) -> Result<Moref, ProviderError> {
        let doing = format!("take a snapshot of {name} for linked clones");
        let _alone = self.snapshots.lock().await;
        let content = self.client.look(template, &["snapshot"]).await.map_err(|failure| failure.told(&doing))?;
        let current = content.as_ref().and_then(|content| content.value("snapshot")?.current_snapshot.clone());
        if let Some(current) = current {
            return Ok(current);
        }
        let take = CreateSnapshot {
            this: template,
            name: SNAPSHOT,
            description: "What Gatehouse's linked clones lean on: keep it as long as they stand.",
            memory: false,
            quiesce: false,
        };
        let task = self.client.call(&take).await.map_err(|failure| failure.told(&doing))?.returnval;
        let taken = self.finish(task, &doing).await?;
        taken.ok_or_else(|| Failure::Garbled("the snapshot has no id".to_owned()).told(&doing))
    }

    /// Gives a machine that nobody uses yet back its name and folder, should somebody have changed them: its address,
    /// its certificate and its place in the DNS are told this name.
    async fn put_right(
        &self,
        machine: &Moref,
        content: &ObjectContent,
        order: &MachineOrder,
    ) -> Result<(), ProviderError> {
        let named = content.value("name").map(|value| value.text()).unwrap_or_default();
        if named != order.name {
            let doing = format!("give {named} back its name {}", order.name);
            let task = self.client.call(&Rename { this: machine, new_name: &order.name }).await;
            self.finish(task.map_err(|failure| failure.told(&doing))?.returnval, &doing).await?;
        }
        let folder = self.place(Place::Folder, &self.settings.folder).await?;
        if content.value("parent").and_then(super::vim::Value::moref).is_some_and(|parent| parent != folder) {
            let doing = format!("move {} back into {}", order.name, self.settings.folder);
            let list = [machine.clone()];
            let task = self.client.call(&MoveIntoFolder { this: &folder, list: &list }).await;
            self.finish(task.map_err(|failure| failure.told(&doing))?.returnval, &doing).await?;
        }
        Ok(())
    }

    /// Sets the custom attributes that vCenter's people want on machines.
    async fn set_custom_values(&self, machine: &Moref, order: &MachineOrder) -> Result<(), ProviderError> {
        if self.settings.custom_values.is_empty() {
            return Ok(());
        }
        let told = |failure: Failure| failure.told(&format!("set custom attributes of {}", order.name));
        let manager = self.client.session().await.map_err(told)?.content.custom_fields_manager.clone();
        let content = self.client.look(&manager, &["field"]).await.map_err(told)?;
        let fields = content.as_ref().and_then(|content| content.value("field"));
        let fields = fields.map(|value| value.custom_fields.as_slice()).unwrap_or_default();
        for (name, value) in &self.settings.custom_values {
            let field = fields.iter().find(|field| field.name == *name).ok_or_else(|| {
                ProviderError::permanent(
                    format!("vCenter has no custom attribute {name}."),
                    "Ask vCenter's administrator to define it, or take it out of the site's settings.",
                )
            })?;
            let value = filled_in(value, order);
            let set = SetField { this: &manager, entity: machine, key: field.key, value: &value };
            self.client.call(&set).await.map_err(told)?;
        }
        Ok(())
    }

    /// Has vCenter tell the guest its name and address when it first starts.
    async fn customize(&self, machine: &Moref, order: &MachineOrder, doing: &str) -> Result<(), ProviderError> {
        let Some(subnet) = &self.settings.subnet else {
            return Err(ProviderError::permanent(
                format!("{} is customized by vCenter, and the site says no subnet for that.", order.image),
                "Add the subnet's mask, gateway and DNS servers to the site's settings.",
            ));
        };
        let domain = order.fqdn.split_once('.').map_or("", |(_, domain)| domain);
        let spec = CustomizationSpec::linux(&order.name, domain, order.address, subnet);
        let task = match self.client.call(&Customize { this: machine, spec }).await {
            Ok(answer) => answer.returnval,
            Err(failure) => return Err(failure.told(doing)),
        };
        match self.ended(&task, self.limits.task).await.map_err(|failure| failure.told(doing))? {
            Some(TaskEnd::Success(_)) => Ok(()),
            // An earlier attempt did it; it takes effect when the machine starts.
            Some(TaskEnd::Error(error)) if Failure::of_task(&error).is("CustomizationPending") => Ok(()),
            Some(TaskEnd::Error(error)) => Err(Failure::of_task(&error).told(doing)),
            None => Err(self.cancel(&task, doing, self.limits.task).await),
        }
    }

    /// The first card on the site's network, and the first disk as large as ordered.
    async fn device_changes(
        &self,
        devices: &[Device],
        image: &VsphereImage,
        order: &MachineOrder,
    ) -> Result<Vec<DeviceChange>, ProviderError> {
        let mut changes = Vec::new();
        if let Some(network) = &self.settings.network
            && let Some(card) = devices.iter().find(|device| device.is_card())
            && !card.is_on(network)
        {
            let backing = self.network_backing(network).await?;
            changes.push(DeviceChange::edit(DeviceSpec::of(card, backing, None)));
        }
        // The disk of a linked or instant clone leans on another one, which fixes its size.
        if image.cloning == Cloning::Full
            && let Some(disk) = devices.iter().find(|device| device.capacity_in_kb.is_some())
            && let Some(backing) = BackingSpec::file(disk)
        {
            let wanted = i64::from(order.disk_gb) << 20;
            if disk.capacity_in_kb.is_some_and(|has| has < wanted) {
                changes.push(DeviceChange::edit(DeviceSpec::of(disk, backing, Some(wanted))));
            }
        }
        Ok(changes)
    }

    async fn network_backing(&self, name: &str) -> Result<BackingSpec, ProviderError> {
        let network = self.place(Place::Network, name).await?;
        if network.kind != "DistributedVirtualPortgroup" {
            return Ok(BackingSpec::network(name, network));
        }
        let told = |failure: Failure| failure.told(&format!("read the port group {name}"));
        let unreadable = || told(Failure::Garbled("the port group does not name its switch".to_owned()));
        let content = self.client.look(&network, &["config.distributedVirtualSwitch", "key"]).await.map_err(told)?;
        let content = content.ok_or_else(unreadable)?;
        let switch = content.value("config.distributedVirtualSwitch").and_then(super::vim::Value::moref);
        let switch = self.client.look(&switch.ok_or_else(unreadable)?, &["uuid"]).await.map_err(told)?;
        let uuid = switch.as_ref().and_then(|switch| switch.value("uuid")).ok_or_else(unreadable)?;
        let key = content.value("key").ok_or_else(unreadable)?;
        let port = PortSpec { switch_uuid: uuid.text().to_owned(), portgroup_key: key.text().to_owned() };
        Ok(BackingSpec::port_group(port))
    }
}

/// What is written on a clone from its first moment.
fn marks(key: &str, order: &MachineOrder, image: &VsphereImage) -> Vec<OptionSet> {
    let ours = [
        (KEY, key.to_owned()),
        (FQDN, order.fqdn.clone()),
        (IMAGE, order.image.clone()),
        (DISK_GB, order.disk_gb.to_string()),
    ];
    let extra = image.extra_config.iter().map(|(name, value)| (name.as_str(), filled_in(value, order)));
    ours.into_iter().chain(extra).map(|(name, value)| OptionSet::new(name, value)).collect()
}

/// What cloud-init reads (its data source VMware, transport guestinfo).
fn first_boot(key: &str, order: &MachineOrder) -> Vec<OptionSet> {
    let user_data = STANDARD.encode(order.first_boot.user_data());
    let meta_data = STANDARD.encode(order.first_boot.meta_data(&instance_uuid(key)));
    [
        ("guestinfo.userdata", user_data.as_str()),
        ("guestinfo.userdata.encoding", "base64"),
        ("guestinfo.metadata", &meta_data),
        ("guestinfo.metadata.encoding", "base64"),
    ]
    .map(|(name, value)| OptionSet::new(name, value))
    .into()
}

/// What people read in vCenter.
fn annotation(key: &str, order: &MachineOrder) -> String {
    format!("{} was ordered through Gatehouse and is kept by it. Key: {key}", order.fqdn)
}

/// A value of the settings that names the machine. What is filled in are a host name and an address, which hold nothing
/// that means something to whatever reads the value.
fn filled_in(value: &str, order: &MachineOrder) -> String {
    value.replace("{name}", &order.name).replace("{fqdn}", &order.fqdn).replace("{address}", &order.address.to_string())
}

fn gone(name: &str) -> ProviderError {
    ProviderError::transient(
        format!("{name} was removed from vCenter while it was being built."),
        "Gatehouse looks again and builds it anew; look in vCenter who removed it.",
    )
}
