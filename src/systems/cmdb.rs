//! The company's CMDBs, as the settings name them.

use std::sync::Arc;

use app::connector::Connector;
use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::CmdbConnector;
use domain::ports::survey::Survey;
use providers::nautobot::{NautobotCmdb, NautobotCmdbSettings};
use providers::servicenow::{ServiceNow, ServiceNowSettings, SignIn};
use providers::webhook::{Webhook, WebhookSettings};

use super::{Section, Surveyed, SystemsError, read, secret};
use crate::settings;

/// Every connector, and what of them can be surveyed.
pub(super) fn open(
    settings: &settings::Cmdb,
    clock: &Arc<dyn Clock>,
) -> Result<(Vec<Connector>, Vec<Surveyed>), SystemsError> {
    let mut opened = (Vec::new(), Vec::new());
    for (name, connector) in &settings.connectors {
        let failed =
            |section: &str, source| SystemsError { section: format!("cmdb.connectors.{name}.{section}"), source };
        if let Some(it) = &connector.webhook {
            let webhook = Arc::new(webhook(it, clock).map_err(|source| failed("webhook", source))?);
            add(&mut opened, name, "webhook", webhook);
        }
        if let Some(it) = &connector.servicenow {
            let servicenow = Arc::new(servicenow(it, clock).map_err(|source| failed("servicenow", source))?);
            add(&mut opened, name, "servicenow", servicenow);
        }
        if let Some(it) = &connector.nautobot {
            let nautobot = Arc::new(nautobot(it, clock).map_err(|source| failed("nautobot", source))?);
            add(&mut opened, name, "nautobot", nautobot);
        }
    }
    Ok(opened)
}

fn add<C: CmdbConnector + Survey + 'static>(
    (connectors, surveys): &mut (Vec<Connector>, Vec<Surveyed>),
    name: &str,
    kind: &'static str,
    system: Arc<C>,
) {
    surveys.push(Surveyed { site: name.to_owned(), system: kind, survey: system.clone() });
    connectors.push(Connector { name: name.to_owned(), kind, system });
}

fn webhook(settings: &settings::Webhook, clock: &Arc<dyn Clock>) -> Section<Webhook> {
    let settings = WebhookSettings {
        url: settings.url.clone(),
        list_url: settings.list_url.clone(),
        secret: secret("the secret", settings.secret.as_ref(), settings.secret_file.as_ref())?,
        ca: settings.ca_file.as_ref().map(read).transpose()?,
    };
    Ok(Webhook::new(&settings, Arc::clone(clock))?)
}

fn servicenow(settings: &settings::ServiceNow, clock: &Arc<dyn Clock>) -> Section<ServiceNow> {
    let sign_in = match (&settings.client_id, &settings.user) {
        (Some(id), _) => {
            let (written, file) = (settings.client_secret.as_ref(), settings.client_secret_file.as_ref());
            SignIn::Client { id: id.clone(), secret: secret("the client's secret", written, file)? }
        }
        (None, user) => {
            let password = secret("the password", settings.password.as_ref(), settings.password_file.as_ref())?;
            SignIn::User { name: user.clone().unwrap_or_default(), password }
        }
    };
    let settings = ServiceNowSettings {
        url: settings.url.clone(),
        sign_in,
        source: settings.source.clone(),
        feed: settings.feed.clone(),
        classes: settings.classes.clone(),
        lifecycle: settings.lifecycle,
        platform: settings.platform.clone(),
        application: settings.application.clone(),
        leaves_out_unknown: settings.unknown_groups == settings::UnknownGroups::LeaveOut,
        ca: settings.ca_file.as_ref().map(read).transpose()?,
    };
    Ok(ServiceNow::new(settings, Arc::clone(clock))?)
}

fn nautobot(settings: &settings::NautobotCmdb, clock: &Arc<dyn Clock>) -> Section<NautobotCmdb> {
    let settings = NautobotCmdbSettings {
        url: settings.url.clone(),
        token: secret("the API token", settings.token.as_ref(), settings.token_file.as_ref())?,
        ca: settings.ca_file.as_ref().map(read).transpose()?,
        cluster: settings.cluster.clone(),
        namespace: settings.namespace.clone(),
    };
    Ok(NautobotCmdb::new(settings, Arc::clone(clock))?)
}
