//! Where things are built: which sites a project may use, and which one an order means.

use domain::ids::ProjectId;
use domain::person::Principal;
use domain::project::Project;
use domain::site::Site;
use domain::trouble::Trouble;

use crate::{App, catalog};

/// The site that an order of this project means: the one it names, or the project's first.
pub async fn chosen(app: &App, who: &Principal, project: ProjectId, named: Option<&str>) -> Result<Site, Trouble> {
    let project = catalog::project_to_order_for(app, who, project).await?;
    choose(app, &project, named)
}

/// The same for somebody who may order for the project. A site that is not the project's to use is not told from one
/// that does not exist.
pub(crate) fn choose(app: &App, project: &Project, named: Option<&str>) -> Result<Site, Trouble> {
    let open = app.sites.open_to(project);
    let Some(first) = open.first() else {
        let message = format!("No site is open to {}. Ask those who run the platform to open one.", project.title);
        return Err(Trouble::field("site", message));
    };
    let Some(named) = named.filter(|name| !name.is_empty()) else { return Ok((*first).clone()) };
    open.iter().find(|site| site.name == named).map(|site| (*site).clone()).ok_or_else(|| {
        let names: Vec<String> = open.iter().map(|site| format!("{} ({})", site.title, site.name)).collect();
        let names = names.join(", ");
        Trouble::field("site", format!("{} can't build at `{named}`. It can at: {names}.", project.title))
    })
}

/// Where something is, as people read it among its facts; nothing where there is but one site.
pub(crate) fn fact(app: &App, site: &str) -> Option<(String, String)> {
    app.sites.told(site).map(|title| ("Site".to_owned(), title.to_owned()))
}

/// The sites that any of these projects may use, those of the first project before the others.
pub(crate) fn of_projects(app: &App, projects: &[Project]) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for site in projects.iter().flat_map(|project| app.sites.open_to(project)) {
        if !sites.contains(site) {
            sites.push(site.clone());
        }
    }
    sites
}
