//! The demo's organisations and people, so that a newcomer finds somebody for each part to play.

use domain::ids::{OrganisationId, PersonId, ProjectId};
use domain::organisation::Organisation;
use domain::person::{Grant, Place, Role};
use domain::project::Project;
use domain::trouble::Trouble;
use store::Tx;

use crate::person::NewPerson;
use crate::{App, database, person, secret};

/// Somebody of the demo, with what he signs in with.
#[derive(Clone, Copy, Debug)]
pub struct DemoPerson {
    pub name: &'static str,
    pub email: &'static str,
    pub password: &'static str,
    /// What he is there for, in one sentence.
    pub part: &'static str,
}

/// Everybody in the demo.
pub const PEOPLE: [DemoPerson; 7] = [
    DemoPerson {
        name: "Rita Requester",
        email: "rita@example.org",
        password: "rita-orders-machines",
        part: "orders for Northwind's projects",
    },
    DemoPerson {
        name: "Adam Approver",
        email: "adam@example.org",
        password: "adam-decides-orders",
        part: "decides for the owners of applications",
    },
    DemoPerson {
        name: "Clara Cost",
        email: "clara@example.org",
        password: "clara-watches-costs",
        part: "decides what is dear",
    },
    DemoPerson {
        name: "Otto Operator",
        email: "otto@example.org",
        password: "otto-mends-runs-now",
        part: "sees every run and mends what is stuck",
    },
    DemoPerson {
        name: "Audrey Auditor",
        email: "audrey@example.org",
        password: "audrey-reads-it-all",
        part: "reads everything, changes nothing",
    },
    DemoPerson {
        name: "Ada Administrator",
        email: "ada@example.org",
        password: "ada-manages-people",
        part: "manages people and blueprints",
    },
    DemoPerson {
        name: "Carlo Contoso",
        email: "carlo@example.org",
        password: "carlo-sees-his-own",
        part: "orders for Contoso, and sees nothing of Northwind",
    },
];

/// What each project of the demo may use.
const QUOTA: [(&str, i64); 5] =
    [("machines", 24), ("cpu", 96), ("memory_gb", 256), ("disk_gb", 2_000), ("containers", 60)];

/// Adds the demo's organisations, projects and people, unless they are there.
pub async fn people(app: &App) -> Result<(), Trouble> {
    if store::organisation::find_by_name(&app.store, "northwind").await.map_err(database)?.is_some() {
        return Ok(());
    }
    let mut hashes = Vec::new();
    for demo in &PEOPLE {
        hashes.push(secret::hash_password(demo.password).await?);
    }
    let tx = app.store.begin().await.map_err(database)?;
    let northwind = organisation(&tx, "northwind", "Northwind").await?;
    let contoso = organisation(&tx, "contoso", "Contoso").await?;
    for (organisation, its_name, name, title) in [
        (northwind, "northwind", "shop", "Shop"),
        (northwind, "northwind", "billing", "Billing"),
        (contoso, "contoso", "website", "Website"),
    ] {
        let project = project(&tx, organisation, its_name, name, title).await?;
        for (kind, amount) in QUOTA {
            store::allocation::set_limit(&tx, project, kind, amount).await.map_err(database)?;
        }
    }
    let mut ids: Vec<PersonId> = Vec::new();
    for (demo, hash) in PEOPLE.iter().zip(hashes) {
        ids.push(person::insert(app, &tx, &account(demo, northwind, contoso), Some(hash)).await?);
    }
    // An unanswered approval goes from Rita's manager to his.
    if let [rita, adam, clara, ..] = ids[..] {
        store::person::set_manager(&tx, rita, Some(adam)).await.map_err(database)?;
        store::person::set_manager(&tx, adam, Some(clara)).await.map_err(database)?;
    }
    tx.commit().await.map_err(database)
}

async fn organisation(tx: &Tx, name: &str, title: &str) -> Result<OrganisationId, Trouble> {
    let organisation = Organisation { id: store::fresh_id(), name: name.to_owned(), title: title.to_owned() };
    store::organisation::insert(tx, &organisation).await.map_err(database)?;
    Ok(organisation.id)
}

async fn project(
    tx: &Tx,
    organisation: OrganisationId,
    organisation_name: &str,
    name: &str,
    title: &str,
) -> Result<ProjectId, Trouble> {
    let project = Project {
        id: store::fresh_id(),
        organisation,
        organisation_name: organisation_name.to_owned(),
        name: name.to_owned(),
        title: title.to_owned(),
        team: format!("{name}-team"),
    };
    store::project::insert(tx, &project).await.map_err(database)?;
    Ok(project.id)
}

fn account(demo: &DemoPerson, northwind: OrganisationId, contoso: OrganisationId) -> NewPerson {
    let (role, place, groups): (Role, Place, &[&str]) = match demo.email {
        "rita@example.org" => (Role::Requester, Place::Organisation(northwind), &[]),
        "adam@example.org" => (Role::Approver, Place::Organisation(northwind), &["application-owners"]),
        "clara@example.org" => (Role::Approver, Place::Organisation(northwind), &["cost-owners"]),
        "otto@example.org" => {
            let groups = &["ops-containers", "ops-database", "ops-middleware", "ops-platform"];
            (Role::Operator, Place::Everywhere, groups)
        }
        "audrey@example.org" => (Role::Auditor, Place::Everywhere, &[]),
        "ada@example.org" => (Role::Administrator, Place::Everywhere, &[]),
        _ => (Role::Requester, Place::Organisation(contoso), &[]),
    };
    NewPerson {
        name: demo.name.to_owned(),
        email: demo.email.to_owned(),
        password: None,
        grants: vec![Grant { role, place }],
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}
