//! Sites: the places where things are built. Each has systems of its own (machines, names, configuration, balancer,
//! container hosts, spaces), and says which projects may use it.
//!
//! An order names its site, the deployment stays there, and so does everything that is done with it later.

use std::sync::Arc;

use crate::project::Project;

/// The site of a house that names none: the simulated datacenter.
pub const SIMULATED: &str = "simulated";

/// A place where things are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The word in settings, addresses and the API, `dc1`.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Who may use it: organisations, `northwind`, and projects, `northwind/shop`. Empty: everybody.
    pub projects: Vec<String>,
}

impl Site {
    /// The simulated datacenter, open to everybody.
    pub fn simulated() -> Self {
        Self { name: SIMULATED.to_owned(), title: "Simulated datacenter".to_owned(), projects: Vec::new() }
    }

    /// Whether things of this project may be built here.
    pub fn is_open_to(&self, project: &Project) -> bool {
        self.projects.is_empty() || self.is_for(project)
    }

    /// Whether it is meant for this project, or for its organisation.
    fn is_for(&self, project: &Project) -> bool {
        self.projects.iter().any(|named| match named.split_once('/') {
            None => *named == project.organisation_name,
            Some((organisation, name)) => organisation == project.organisation_name && name == project.name,
        })
    }
}

/// The sites of the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sites(Arc<[Site]>);

impl Sites {
    /// These sites; without any, the simulated datacenter.
    pub fn new(sites: Vec<Site>) -> Self {
        if sites.is_empty() { Self(Arc::new([Site::simulated()])) } else { Self(sites.into()) }
    }

    /// Whether people have to be told which one is meant.
    fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The site of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Site> {
        self.0.iter().find(|site| site.name == name)
    }

    /// What people read for the site of this name; of one that is no longer there, its name.
    fn title<'s>(&'s self, name: &'s str) -> &'s str {
        self.find(name).map_or(name, |site| &site.title)
    }

    /// What they are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|site| site.name.as_str())
    }

    /// What people are told of where something is: the site's title, and nothing where there is no other.
    pub fn told<'s>(&'s self, name: &'s str) -> Option<&'s str> {
        let other = self.are_several() || self.find(name).is_none();
        other.then(|| self.title(name))
    }

    /// The sites that a project may use. The first is the one to begin with: one that names the project goes before
    /// those that are open to everybody.
    pub fn open_to(&self, project: &Project) -> Vec<&Site> {
        let mut open: Vec<&Site> = self.0.iter().filter(|site| site.is_open_to(project)).collect();
        open.sort_by_key(|site| !site.is_for(project));
        open
    }
}

/// The key of a provider at one of several sites, `machines@dc1`: each is bounded, and waited for, by itself.
pub fn provider_key(provider: &str, site: &str) -> String {
    format!("{provider}@{site}")
}

/// A provider's key as people write it: `container host at dc1`.
pub fn provider_in_words(key: &str) -> String {
    match key.split_once('@') {
        Some((provider, site)) => format!("{} at {site}", provider.replace('-', " ")),
        None => key.replace('-', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(organisation: &str, name: &str) -> Project {
        let nil = uuid::Uuid::nil();
        Project {
            id: nil.into(),
            organisation: nil.into(),
            organisation_name: organisation.to_owned(),
            name: name.to_owned(),
            title: name.to_owned(),
            team: format!("{name}-team"),
        }
    }

    fn site(name: &str, projects: &[&str]) -> Site {
        let projects = projects.iter().map(|project| (*project).to_owned()).collect();
        Site { name: name.to_owned(), title: name.to_uppercase(), projects }
    }

    fn open<'s>(sites: &'s Sites, project: &Project) -> Vec<&'s str> {
        sites.open_to(project).into_iter().map(|site| site.name.as_str()).collect()
    }

    #[test]
    fn a_site_is_open_to_whom_it_names_and_to_everybody_where_it_names_nobody() {
        let sites = Sites::new(vec![site("dc1", &[]), site("dc2", &["northwind/shop"]), site("dc3", &["contoso"])]);
        assert_eq!(open(&sites, &project("northwind", "shop")), ["dc2", "dc1"], "its own goes first");
        assert_eq!(open(&sites, &project("northwind", "billing")), ["dc1"]);
        assert_eq!(open(&sites, &project("contoso", "shop")), ["dc3", "dc1"], "another's `shop` is not meant");
    }

    #[test]
    fn a_house_without_sites_has_the_simulated_datacenter() {
        let sites = Sites::new(Vec::new());
        assert_eq!(open(&sites, &project("northwind", "shop")), [SIMULATED]);
        assert_eq!(sites.told(SIMULATED), None, "nobody has to be told where, for there is no other place");
        assert_eq!(sites.told("dc9"), Some("dc9"), "what stands at a site that is gone says so");
        let several = Sites::new(vec![site("dc1", &[]), site("dc2", &[])]);
        assert_eq!(several.told("dc2"), Some("DC2"));
    }

    #[test]
    fn a_provider_at_a_site_is_named_with_it() {
        assert_eq!(provider_in_words(&provider_key("container-host", "dc-1")), "container host at dc-1");
        assert_eq!(provider_in_words("container-host"), "container host");
    }
}
