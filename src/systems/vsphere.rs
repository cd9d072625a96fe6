//! A vCenter, as the settings name it.

use std::sync::Arc;

use domain::ports::clock::Clock;
use providers::vsphere::{Cloning, FirstBootBy, Subnet, Vsphere, VsphereImage, VsphereSettings};

use super::{Section, read, secret};
use crate::settings::{self, vsphere};

pub(super) fn machines(settings: &settings::Vsphere, clock: &Arc<dyn Clock>) -> Section<Vsphere> {
    let it = settings.clone();
    let settings = VsphereSettings {
        url: it.url,
        username: it.username,
        password: secret("the password", it.password.as_ref(), it.password_file.as_ref())?,
        ca: it.ca_file.as_ref().map(read).transpose()?,
        fingerprint: it.fingerprint,
        datacenter: it.datacenter,
        folder: it.folder,
        pool: it.pool,
        datastores: it.datastores,
        network: it.network,
        subnet: it.subnet.map(|it| Subnet { mask: it.mask, gateway: it.gateway, dns_servers: it.dns_servers }),
        custom_values: it.custom_values,
        images: it.images.into_iter().map(|(name, it)| (name, image(it))).collect(),
    };
    Ok(Vsphere::new(settings, Arc::clone(clock))?)
}

fn image(image: vsphere::Image) -> VsphereImage {
    VsphereImage {
        template: image.template,
        cloning: match image.cloning {
            vsphere::Cloning::Full => Cloning::Full,
            vsphere::Cloning::Linked => Cloning::Linked,
            vsphere::Cloning::Instant => Cloning::Instant,
        },
        first_boot: match image.first_boot {
            vsphere::FirstBoot::CloudInit => FirstBootBy::CloudInit,
            vsphere::FirstBoot::Customization => FirstBootBy::Customization,
        },
        extra_config: image.extra_config,
    }
}
