//! Parts of long lists, with what a reader may narrow them to.

use domain::project::Project;
pub use store::page::{Counted, Part, Turn, Window};

/// A part of a list of what a person may see.
#[derive(Clone, Debug)]
pub struct List<T> {
    pub part: Part<T>,
    /// The projects that he may see, by title.
    pub projects: Vec<Project>,
}
