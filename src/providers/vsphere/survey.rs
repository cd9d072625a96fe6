//! What orders need of this vCenter, looked at without changing anything.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::provider_error::ProviderError;
use domain::ports::survey::{Line, Survey};

use super::Vsphere;
use super::failure::Failure;
use super::method::HasPrivilegeOnEntities;
use super::places::Place;
use super::settings::Cloning;
use super::vim::Moref;

/// What we have to be allowed on each kind of place.
fn rights(place: Place) -> &'static [&'static str] {
    match place {
        Place::Template => &["VirtualMachine.Provisioning.Clone", "VirtualMachine.Provisioning.DeployTemplate"],
        Place::Folder => &[
            "VirtualMachine.Inventory.CreateFromExisting",
            "VirtualMachine.Inventory.Delete",
            "VirtualMachine.Config.AdvancedConfig",
            "VirtualMachine.Config.Annotation",
            "VirtualMachine.Config.CPUCount",
            "VirtualMachine.Config.Memory",
            "VirtualMachine.Config.EditDevice",
            "VirtualMachine.Interact.PowerOn",
            "VirtualMachine.Interact.PowerOff",
        ],
        Place::Pool => &["Resource.AssignVMToPool"],
        Place::Datastore => &["Datastore.AllocateSpace"],
        Place::Network => &["Network.Assign"],
    }
}

#[async_trait]
impl Survey for Vsphere {
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let lines = self.look_around(now).await;
        if !self.is_followed() {
            self.client.logout().await;
        }
        lines
    }
}

impl Vsphere {
    async fn look_around(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let session = self.client.session().await.map_err(|failure| failure.told("sign us in"))?;
        let about = &session.content.about;
        let mut lines = vec![Line::there("vCenter", format!("{}, API {}", about.full_name, about.api_version))];
        if let Some(until) = session.trusted_until {
            lines.push(Line::lasting("certificate of vCenter", until, now));
        }
        for (place, name, purpose) in self.needed() {
            let what = format!("{} {}", place.word(), place.path(&self.settings.datacenter, &name));
            let what = if purpose.is_empty() { what } else { format!("{what} ({purpose})") };
            match self.places.find(&self.client, &self.settings, place, &name).await {
                Ok(found) => lines.push(self.allowed(what, place, &found, &session.key).await?),
                Err(error) => lines.push(Line::missing(what, error.to_string())),
            }
        }
        Ok(lines)
    }

    /// Every place that the settings name, and what for.
    fn needed(&self) -> Vec<(Place, String, String)> {
        let settings = &self.settings;
        let mut needed = vec![
            (Place::Folder, settings.folder.clone(), String::new()),
            (Place::Pool, settings.pool.clone(), String::new()),
        ];
        needed.extend(settings.datastores.iter().map(|name| (Place::Datastore, name.clone(), String::new())));
        needed.extend(settings.network.iter().map(|name| (Place::Network, name.clone(), String::new())));
        for (name, image) in &settings.images {
            let how = match image.cloning {
                Cloning::Full => "",
                Cloning::Linked => ", linked clones",
                Cloning::Instant => ", instant clones",
            };
            needed.push((Place::Template, image.template.clone(), format!("image {name}{how}")));
        }
        needed
    }

    /// Whether we may do there what orders need.
    async fn allowed(&self, what: String, place: Place, found: &Moref, session: &str) -> Result<Line, ProviderError> {
        let told = |failure: Failure| failure.told(&format!("tell what we may do on {what}"));
        let opened = self.client.session().await.map_err(told)?;
        let ask = HasPrivilegeOnEntities {
            this: &opened.content.authorization_manager,
            entity: std::slice::from_ref(found),
            session_id: session,
            priv_id: rights(place),
        };
        let answers = self.client.call(&ask).await.map_err(told)?.returnval;
        let held = answers.iter().flat_map(|answer| &answer.priv_availability);
        let missing: Vec<&str> = held.filter(|right| !right.is_granted).map(|right| right.priv_id.as_str()).collect();
        Ok(match missing.is_empty() {
            true => Line::there(what, format!("{}, with every right that orders need", found.id)),
            false => Line::missing(
                what,
                format!(
                    "{} stands there; ask vCenter's administrator for the rights {}.",
                    found.id,
                    missing.join(", ")
                ),
            ),
        })
    }
}
