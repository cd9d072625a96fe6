//! The project switch of the top bar: which project somebody works in, and into which he may change. The lists of the
//! rail then show that project, and its orders are for it; every list can still show all of them.

use domain::ids::ProjectId;
use domain::project::Project;

use crate::look;

/// The switch, for somebody who sees more than one project.
#[derive(Clone, Debug)]
pub struct Switch {
    /// The project that was chosen; none for all of them.
    pub chosen: Option<Entry>,
    pub organisations: Vec<Organisation>,
    /// The path of the page, to come back to.
    pub here: String,
}

/// An organisation with its projects.
#[derive(Clone, Debug)]
pub struct Organisation {
    pub title: String,
    pub projects: Vec<Entry>,
}

/// A project in the switch.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: ProjectId,
    pub title: String,
    /// Its organisation's title.
    pub organisation: String,
    pub is_chosen: bool,
}

impl Switch {
    /// The switch between these projects; nothing where there is no choice.
    pub fn of(projects: &[Project], chosen: Option<ProjectId>, here: &str) -> Option<Self> {
        if projects.len() < 2 {
            return None;
        }
        let mut organisations: Vec<Organisation> = Vec::new();
        for project in projects {
            let organisation = look::words(&project.organisation_name);
            let (title, is_chosen) = (project.title.clone(), chosen == Some(project.id));
            let entry = Entry { id: project.id, title, organisation: organisation.clone(), is_chosen };
            match organisations.iter_mut().find(|known| known.title == organisation) {
                Some(known) => known.projects.push(entry),
                None => organisations.push(Organisation { title: organisation, projects: vec![entry] }),
            }
        }
        organisations.sort_by(|one, other| one.title.cmp(&other.title));
        let mut entries = organisations.iter().flat_map(|organisation| &organisation.projects);
        let chosen = entries.find(|entry| entry.is_chosen).cloned();
        Some(Self { chosen, organisations, here: here.to_owned() })
    }

    /// What a link to a list carries, so that it shows the chosen project.
    pub fn query(&self) -> String {
        self.chosen.as_ref().map(|entry| format!("?project={}", entry.id)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::ProjectId;
    use domain::project::Project;

    use super::Switch;

    fn project(number: u128, organisation: &str, title: &str) -> Project {
        Project {
            id: uuid(number),
            organisation: uuid::Uuid::from_u128(9).into(),
            organisation_name: organisation.to_owned(),
            name: title.to_lowercase(),
            title: title.to_owned(),
            team: String::new(),
        }
    }

    fn uuid(number: u128) -> ProjectId {
        uuid::Uuid::from_u128(number).into()
    }

    #[test]
    fn projects_stand_under_their_organisation_and_only_a_choice_is_offered() {
        let projects =
            [project(1, "northwind", "Billing"), project(2, "contoso", "Website"), project(3, "northwind", "Shop")];
        let switch = Switch::of(&projects, Some(uuid(3)), "/requests").expect("three to choose from");
        let titles: Vec<&str> = switch.organisations.iter().map(|it| it.title.as_str()).collect();
        assert_eq!(titles, ["Contoso", "Northwind"]);
        assert_eq!(switch.chosen.as_ref().map(|entry| entry.title.as_str()), Some("Shop"));
        assert_eq!(switch.query(), format!("?project={}", uuid(3)));
        assert!(Switch::of(&projects[..1], None, "/").is_none());
        assert!(Switch::of(&projects, Some(uuid(7)), "/").expect("a choice").chosen.is_none(), "not his to see");
    }
}
