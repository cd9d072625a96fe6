//! The project that somebody works in: chosen in the top bar, remembered by the browser.

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, post, resource};
use app::App;
use domain::trouble::Trouble;
use serde::Deserialize;

use crate::csrf::Form;
use crate::pages::see_other;
use crate::pages::session::local;
use crate::problem::Problem;
use crate::visitor::{FormOn, Visitor, project_cookie};

/// Lists that show one project when their address says so.
const LISTS: [&str; 4] = ["/requests", "/deployments", "/runs", "/cmdb"];

/// The route of the switch.
pub fn configure(service: &mut ServiceConfig) {
    service.service(resource("/project").app_data(FormOn("/")).route(post().to(choose)));
}

/// What the switch sends.
#[derive(Deserialize)]
struct Choice {
    /// The project's id; empty for all projects.
    #[serde(default)]
    project: String,
    /// The path of the page that the person was at.
    #[serde(default)]
    here: String,
}

async fn choose(app: Data<App>, visitor: Visitor, form: Form<Choice>) -> Result<HttpResponse, Problem> {
    let Choice { project, here } = form.fields;
    if !project.is_empty() && !visitor.projects.iter().any(|known| known.id.to_string() == project) {
        return Err(Trouble::not_found("project").into());
    }
    let mut response = see_other(&back_to(local(&here), &project));
    response.add_cookie(&project_cookie(&app, project)).map_err(Trouble::bug)?;
    Ok(response)
}

/// The page that the person was at; a list shows the project at once.
fn back_to(here: &str, project: &str) -> String {
    if LISTS.contains(&here) && !project.is_empty() { format!("{here}?project={project}") } else { here.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::back_to;

    #[test]
    fn a_list_shows_the_chosen_project_and_other_pages_come_back_as_they_were() {
        assert_eq!(back_to("/requests", "1"), "/requests?project=1");
        assert_eq!(back_to("/requests", ""), "/requests");
        assert_eq!(back_to("/catalog/linux-vm", "1"), "/catalog/linux-vm");
    }
}
