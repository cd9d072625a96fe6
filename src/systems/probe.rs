//! The probe, as the settings name it.

use std::time::Duration;

use providers::http::{HttpProbe, ProbeSettings};

use super::{Section, read};
use crate::settings::Probe;

pub(super) fn http(settings: &Probe) -> Section<HttpProbe> {
    let networks = settings.networks.iter().map(|network| network.parse()).collect::<Result<_, _>>()?;
    let ca = settings.ca_file.as_ref().map(read).transpose()?;
    Ok(HttpProbe::new(ProbeSettings { networks, ca, patience: Duration::from_secs(settings.timeout_seconds) })?)
}
