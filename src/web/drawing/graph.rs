//! Graphs of steps and of CIs: a run and relationships read from left to right, a plan from top to bottom.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::layers::{Direction, Gaps, Point, Size, place};
use super::svg::Canvas;
use super::{Drawing, Edge, Node};
use crate::look::Meaning;

/// Room around a drawing, for focus rings and the cards behind a stack.
const MARGIN: f64 = 10.0;

/// How a kind of graph is drawn.
struct Style {
    direction: Direction,
    size: Size,
    gaps: Gaps,
    /// A fan-out of more than this is one stack.
    fan: usize,
}

/// The steps of a run with their states; each node leads to its step.
pub fn run_graph(nodes: &[Node], edges: &[Edge], label: &str) -> Drawing {
    let style = Style {
        direction: Direction::Right,
        size: Size { width: 132.0, height: 66.0 },
        gaps: Gaps { rank: 16.0, node: 12.0 },
        fan: 6,
    };
    draw(nodes, edges, label, &style)
}

/// The steps that an order would take, narrow enough for a summary; each fan-out is one stack.
pub fn plan_graph(nodes: &[Node], edges: &[Edge], label: &str) -> Drawing {
    let style = Style {
        direction: Direction::Down,
        size: Size { width: 232.0, height: 40.0 },
        gaps: Gaps { rank: 20.0, node: 14.0 },
        fan: 1,
    };
    draw(nodes, edges, label, &style)
}

/// A CI among those it needs and those that need it; arrows carry the relationship's name.
pub fn relations(nodes: &[Node], edges: &[Edge], label: &str) -> Drawing {
    let style = Style {
        direction: Direction::Right,
        size: Size { width: 176.0, height: 64.0 },
        gaps: Gaps { rank: 88.0, node: 14.0 },
        fan: 6,
    };
    draw(nodes, edges, label, &style)
}

fn draw(nodes: &[Node], edges: &[Edge], label: &str, style: &Style) -> Drawing {
    let (nodes, edges, stacks) = stacked(nodes, edges, style.fan);
    let index: HashMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
    let known: Vec<(&Edge, (usize, usize))> = edges
        .iter()
        .filter_map(|edge| Some((edge, (*index.get(edge.from.as_str())?, *index.get(edge.to.as_str())?))))
        .collect();
    let pairs: Vec<(usize, usize)> = known.iter().map(|(_, pair)| *pair).collect();
    let placement = place(&vec![style.size; nodes.len()], &pairs, style.direction, style.gaps);

    let shift = |point: &Point| Point { x: point.x + MARGIN, y: point.y + MARGIN };
    let mut canvas = Canvas::list(placement.width + 2.0 * MARGIN, placement.height + 2.0 * MARGIN, label);
    for ((edge, (from, _)), route) in known.iter().zip(&placement.routes) {
        let route: Vec<Point> = route.iter().map(shift).collect();
        let state = if nodes[*from].state == Meaning::Done { Meaning::Done } else { Meaning::Idle };
        canvas.arrow(&route, style.direction, state, &edge.label);
    }
    for (node, corner) in nodes.iter().zip(&placement.corners) {
        canvas.node(node, shift(corner), style.size, stacks.contains(&node.id));
    }
    canvas.finish()
}

/// The graph with each large fan-out as one node, and the ids of those nodes.
fn stacked(nodes: &[Node], edges: &[Edge], fan: usize) -> (Vec<Node>, Vec<Edge>, HashSet<String>) {
    let mut fans: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        if let Some(group) = &node.group {
            fans.entry(group).or_default().push(node);
        }
    }
    fans.retain(|_, members| members.len() > fan);
    let home = |node: &Node| node.group.as_deref().filter(|group| fans.contains_key(group)).map(str::to_owned);
    let mut moved: HashMap<&str, String> = HashMap::new();
    let mut stacks = HashSet::new();
    let mut kept = Vec::new();
    for node in nodes {
        match home(node) {
            None => kept.push(node.clone()),
            Some(group) => {
                if stacks.insert(group.clone()) {
                    kept.push(stack(&group, &fans[group.as_str()]));
                }
                moved.insert(&node.id, group);
            }
        }
    }
    let mut drawn = HashSet::new();
    let end = |id: &String| moved.get(id.as_str()).unwrap_or(id).clone();
    let edges = edges
        .iter()
        .map(|edge| Edge { from: end(&edge.from), to: end(&edge.to), ..edge.clone() })
        .filter(|edge| drawn.insert((edge.from.clone(), edge.to.clone(), edge.label.clone())))
        .collect();
    (kept, edges, stacks)
}

/// One node for many: it takes the most urgent member's state and link, and says how many share it.
fn stack(group: &str, members: &[&Node]) -> Node {
    let urgency = |node: &&&Node| match node.state {
        Meaning::Failed => 0,
        Meaning::Waiting => 1,
        Meaning::Running => 2,
        Meaning::Idle => 3,
        Meaning::Done => 4,
    };
    let first = members.iter().min_by_key(urgency).expect("a stack is made of more than one node");
    let alike = members.iter().filter(|node| node.state == first.state).count();
    let number = |letter: char| letter.is_ascii_digit() || letter.is_whitespace() || "[]#".contains(letter);
    Node {
        id: group.to_owned(),
        title: first.title.trim_end_matches(number).to_owned(),
        note: match alike {
            _ if first.word.is_empty() => format!("× {}", members.len()),
            all if all == members.len() => format!("all {all}"),
            some => format!("{some} of {}", members.len()),
        },
        chosen: members.iter().any(|node| node.chosen),
        group: None,
        ..(**first).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fan(count: usize) -> (Vec<Node>, Vec<Edge>) {
        let mut nodes = vec![Node::new("name", "Reserve names")];
        let mut edges = Vec::new();
        for n in 1..=count {
            let state = if n == 3 { Meaning::Failed } else { Meaning::Done };
            let id = format!("node[{n}]");
            nodes.push(
                Node::new(&id, format!("Create machine {n}"))
                    .state(state, "state")
                    .group("node")
                    .href(format!("?step={n}")),
            );
            edges.push(Edge::new("name", id));
        }
        (nodes, edges)
    }

    #[test]
    fn texts_and_addresses_are_escaped() {
        let nodes = [Node::new("a", "<script>\"x\"&").href("/x?a=1&b=\"2\"").note("'<'")];
        let drawing = run_graph(&nodes, &[], "what's \"drawn\"").to_string();
        assert!(!drawing.contains("<script>"));
        assert!(drawing.contains("&lt;script&gt;"));
        assert!(drawing.contains(r#"href="/x?a=1&amp;b=&quot;2&quot;""#));
        assert!(drawing.contains("what&#39;s &quot;drawn&quot;"));
    }

    #[test]
    fn nothing_in_a_drawing_offends_a_strict_content_security_policy() {
        let (nodes, edges) = fan(4);
        let drawing = run_graph(&nodes, &edges, "Run").to_string();
        assert!(!drawing.contains("style="));
        assert!(!drawing.contains("onclick"));
    }

    #[test]
    fn a_fan_out_of_up_to_six_shows_each_step() {
        let (nodes, edges) = fan(6);
        let drawing = run_graph(&nodes, &edges, "Run").to_string();
        assert_eq!(drawing.matches("role=\"listitem\"").count(), 7);
    }

    #[test]
    fn a_larger_fan_out_is_one_stack_that_leads_to_what_is_urgent() {
        let (nodes, edges) = fan(40);
        let drawing = run_graph(&nodes, &edges, "Run").to_string();
        assert_eq!(drawing.matches("role=\"listitem\"").count(), 2);
        assert!(
            drawing.contains(">Create</text> ")
                && drawing.contains(">machine</text>")
                && drawing.contains(" · 1 of 40</text>")
        );
        assert!(drawing.contains(r#"href="?step=3""#));
        assert_eq!(drawing.matches("class=\"edge ").count(), 1);
    }

    #[test]
    fn a_plan_draws_every_fan_out_as_a_stack() {
        let (nodes, edges) = fan(2);
        let drawing = plan_graph(&nodes, &edges, "Plan").to_string();
        assert_eq!(drawing.matches("role=\"listitem\"").count(), 2);
    }

    #[test]
    fn an_edge_to_an_unknown_node_is_left_out() {
        let drawing = relations(&[Node::new("a", "A")], &[Edge::new("a", "gone")], "CI").to_string();
        assert!(!drawing.contains("class=\"edge "));
    }
}
