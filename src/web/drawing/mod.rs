//! Drawings made by the server: graphs of runs, plans, topologies and CI relationships, and small charts.
//!
//! Each is an SVG that reads without colour (icon and word), by keyboard (nodes are links) and aloud (a list of
//! named items). Input is plain data; nothing here knows a page or a table.

mod charts;
mod graph;
mod layers;
mod svg;
mod topology;

use std::fmt;

pub use charts::{Column, Part, bars, columns, parted_bars, stacked, trend};
pub use graph::{plan_graph, relations, run_graph};
pub use topology::topology;

use crate::look::Meaning;

/// A finished SVG. Templates print it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing(String);

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every text in a drawing was escaped when it was written.
impl askama::filters::HtmlSafe for Drawing {}

/// A thing in a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its key; edges and `inside` name it.
    pub id: String,
    pub title: String,
    /// What stands after the state's word: a duration, an address, a size. May be empty.
    pub note: String,
    /// Colour and icon; `Idle` without a word draws a plain node.
    pub state: Meaning,
    /// The state as people say it. May be empty.
    pub word: String,
    /// Where a click leads.
    pub href: Option<String>,
    /// An icon of `static/icons.svg`, or empty for the state's own.
    pub icon: &'static str,
    /// Steps of one fan-out share a group; more than six are drawn as one stack.
    pub group: Option<String>,
    /// The node that this one is drawn inside of (a container in its machine). Only `topology` looks at it.
    pub inside: Option<String>,
    /// The node that the page shows the details of.
    pub chosen: bool,
}

impl Node {
    /// A node without state, icon or link.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), ..Self::default() }
    }

    /// The node in a state: `word` is what the state is called.
    #[must_use]
    pub fn state(mut self, state: Meaning, word: impl Into<String>) -> Self {
        self.state = state;
        self.word = word.into();
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    #[must_use]
    pub fn icon(mut self, icon: &'static str) -> Self {
        self.icon = icon;
        self
    }

    #[must_use]
    pub fn href(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }

    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    #[must_use]
    pub fn inside(mut self, parent: impl Into<String>) -> Self {
        self.inside = Some(parent.into());
        self
    }

    #[must_use]
    pub fn chosen(mut self, chosen: bool) -> Self {
        self.chosen = chosen;
        self
    }
}

/// An arrow from one node to another, by their ids. Edges to unknown nodes are not drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// What the arrow says, "runs on". May be empty.
    pub label: String,
    /// Puts the one node before the other without a line between them. Only `topology` looks at it.
    pub unseen: bool,
}

impl Edge {
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), ..Self::default() }
    }

    #[must_use]
    pub fn unseen(mut self) -> Self {
        self.unseen = true;
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
}
