//! `[sites.<name>]`: the places where things are built, each with systems of its own.
//!
//! A site is a name (`dc1`), a title, the projects that may use it, and a section for each of its systems. Its machines
//! come from the one section that says so; what has no section is missing there, and a step that needs it says that.
//! Without any site there is one: the simulated datacenter, `[datacenter]`.

use serde::Deserialize;

use super::Datacenter;
use super::mistake::Objection;

/// A place where things are built.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// What people read; empty: the name.
    pub title: String,
    /// Who may use it: organisations, `northwind`, and projects, `northwind/shop`. Empty: everybody.
    pub projects: Vec<String>,
    /// A simulated datacenter in every part.
    pub simulated: Option<Datacenter>,
}

impl Site {
    /// Names are a part of addresses, keys and file names.
    const LONGEST_NAME: usize = 63;

    pub(super) fn objections(&self, name: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("sites.{name}.{setting}");
        let mut found = Vec::new();
        if !is_word(name)
            || !name.starts_with(|first: char| first.is_ascii_lowercase())
            || name.len() > Self::LONGEST_NAME
        {
            let why = "is no name of a site: small letters, digits and dashes, a letter first, 63 at most";
            found.push(Objection::new(format!("sites.{name}"), why));
        }
        for project in &self.projects {
            if project.split('/').count() > 2 || !project.split('/').all(is_word) {
                let why =
                    format!("says `{project}`: write an organisation, `northwind`, or a project, `northwind/shop`");
                found.push(Objection::new(here("projects"), why));
            }
        }
        if self.simulated.is_none() {
            let why = format!("says nowhere where its machines come from: add `[sites.{name}.simulated]`");
            found.push(Objection::new(format!("sites.{name}"), why));
        }
        found
    }
}

/// Whether it is written as the names of sites, organisations and projects are.
fn is_word(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !text.is_empty() && text.chars().all(fits)
}
