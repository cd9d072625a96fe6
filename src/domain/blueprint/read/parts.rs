//! The sections of a blueprint, each read by one function.

use super::{expression, expression_of, items, located, located_or_unread, period, template, text, whole, workflow};
use crate::blueprint::expression::Expression;
use crate::blueprint::mistake::Mistakes;
use crate::blueprint::schema::capitalised;
use crate::blueprint::source::{Entry, Node, Place, Tree};
use crate::blueprint::{
    Approvers, Confirm, DayTwo, Lease, Located, OnTimeout, Period, Policy, Quorum, Responsible, Retry, Size,
    StepDeclaration, Work,
};

pub(super) fn responsible(node: &Node, mistakes: &mut Mistakes<'_>) -> Responsible {
    let unread = Node::unread(node.at);
    let node = node.get("responsible").unwrap_or(&unread);
    Responsible { platform: template(node, "platform", mistakes), application: template(node, "application", mistakes) }
}

/// The sizes that the file declares, or else those every blueprint may use. None, where they can't be read.
pub(super) fn sizes(node: &Node) -> Vec<Size> {
    match node.get("sizes") {
        None => common_sizes(),
        Some(node) => node.entries().iter().map(size).collect(),
    }
}

fn common_sizes() -> Vec<Size> {
    [("small", "Small", 2, 4, 40, 25.0), ("medium", "Medium", 4, 8, 80, 48.0), ("large", "Large", 8, 32, 160, 120.0)]
        .into_iter()
        .map(|(name, title, cpu, memory_gb, disk_gb, monthly)| Size {
            name: name.to_owned(),
            title: title.to_owned(),
            cpu,
            memory_gb,
            disk_gb,
            monthly,
        })
        .collect()
}

fn size(entry: &Entry) -> Size {
    let node = &entry.value;
    Size {
        name: entry.key.clone(),
        title: text(node, "title").unwrap_or_else(|| capitalised(&entry.key)),
        cpu: whole(node, "cpu").unwrap_or(1),
        memory_gb: whole(node, "memory_gb").unwrap_or(1),
        disk_gb: whole(node, "disk_gb").unwrap_or(1),
        monthly: node.get("monthly").and_then(|price| price.json().as_f64()).unwrap_or(1.0),
    }
}

pub(super) fn lease(node: &Node, mistakes: &mut Mistakes<'_>) -> Lease {
    let unread = Node::unread(node.at);
    let node = node.get("lease").unwrap_or(&unread);
    let default = period(node, "default", Period::of_days(90));
    let max = period(node, "max", default);
    let grace = period(node, "grace", Period::of_days(7));
    let at = node.get("default").or_else(|| node.get("max")).map_or(node.at, |node| node.at);
    let is_read = |key| node.get(key).is_none_or(|node: &Node| !node.is_unread());
    if default > max && is_read("default") {
        mistakes.add(at, format!("the default lease of {default} is longer than the longest, {max}"));
    }
    if default.seconds == 0 {
        mistakes.add(at, "a lease can't be over before it begins");
    }
    Lease { default, max, grace }
}

pub(super) fn price(node: &Node, mistakes: &mut Mistakes<'_>) -> Located<Expression> {
    let price = node.get("price").and_then(|node| expression(node, "monthly", mistakes));
    price.unwrap_or_else(Located::unread)
}

pub(super) fn quota(node: &Node, mistakes: &mut Mistakes<'_>) -> Vec<(String, Located<Expression>)> {
    let entries = node.get("quota").map_or(&[][..], Node::entries);
    entries.iter().map(|entry| (entry.key.clone(), expression_of(&entry.value, mistakes))).collect()
}

pub(super) fn policy(node: &Node, mistakes: &mut Mistakes<'_>) -> Policy {
    let approvers: Vec<Located<Approvers>> = items(node, "approvers").iter().filter_map(approver).collect();
    let quorum = quorum(node);
    let may_be_many = |approvers: &Located<Approvers>| matches!(approvers.value, Approvers::Group(_));
    if let Quorum::AtLeast(wanted) = quorum
        && wanted as usize > approvers.len()
        && !approvers.iter().any(may_be_many)
        && !approvers.is_empty()
        && items(node, "approvers").len() == approvers.len()
        && let Some(node) = node.get("quorum").filter(|quorum| !quorum.is_unread())
    {
        let people = approvers.len();
        mistakes.add(node.at, format!("{wanted} of {people} approvers can't be reached; at most {people} can say yes"));
    }
    Policy {
        level: whole(node, "level").unwrap_or_default(),
        when: expression(node, "when", mistakes),
        approvers,
        quorum,
        within: period(node, "within", Period::of_days(2)),
        on_timeout: match text(node, "on_timeout").as_deref() {
            Some("reject") => OnTimeout::Reject,
            _ => OnTimeout::Escalate,
        },
        confirm: match text(node, "confirm").as_deref() {
            Some("sign_in") => Confirm::SignIn,
            _ => Confirm::Link,
        },
        because: text(node, "because"),
        place: node.get("level").map(|level| level.place.clone()).unwrap_or_default(),
    }
}

fn approver(node: &Node) -> Option<Located<Approvers>> {
    let text = located(node)?;
    Some(Located { value: Approvers::parse(&text.value)?, place: text.place })
}

fn quorum(node: &Node) -> Quorum {
    match text(node, "quorum").as_deref() {
        Some("all") => Quorum::All,
        _ => Quorum::AtLeast(whole(node, "quorum").unwrap_or(1)),
    }
}

pub(super) fn step(node: &Node, mistakes: &mut Mistakes<'_>) -> StepDeclaration {
    let nothing = Node { at: node.at, place: Place::from(node.at), tree: Tree::Table(Vec::new()) };
    StepDeclaration {
        id: located_or_unread(node, "id"),
        work: match node.get("undo") {
            Some(_) => Work::Undo(located_or_unread(node, "undo")),
            None => Work::Do(located_or_unread(node, "do")),
        },
        needs: items(node, "needs").iter().filter_map(located).collect(),
        when: expression(node, "when", mistakes),
        for_each: expression(node, "for_each", mistakes),
        in_turn: node.get("in_turn").and_then(located),
        with: node.get("with").cloned().unwrap_or(nothing),
        title: node.get("title").map(|_| template(node, "title", mistakes)),
        retry: node.get("retry").map(retry),
    }
}

fn retry(node: &Node) -> Retry {
    Retry {
        attempts: whole(node, "attempts").unwrap_or(5),
        wait: period(node, "wait", Period { seconds: 2 }),
        at_most: period(node, "at_most", Period { seconds: 300 }),
    }
}

pub(super) fn day_two(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> DayTwo {
    let sets = node.get("sets").map_or(&[][..], Node::entries).iter();
    let sets = sets.map(|entry| {
        let name = Located { value: entry.key.clone(), place: entry.key_at.into() };
        (name, expression_of(&entry.value, mistakes))
    });
    DayTwo {
        action: located_or_unread(node, "action"),
        title: text(node, "title").unwrap_or_default(),
        summary: text(node, "summary").unwrap_or_default(),
        sets: sets.collect(),
        workflow: workflow(node, sizes, mistakes),
    }
}
