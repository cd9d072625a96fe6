//! What a deployment is made of, from top to bottom: balancer above machines above hosts, containers inside their machine.

use std::collections::HashMap;

use super::layers::{Direction, Gaps, Point, Size, place};
use super::svg::Canvas;
use super::{Drawing, Edge, Node};
use crate::look::Meaning;

const CARD: Size = Size { width: 172.0, height: 60.0 };
/// Between the things inside a box, and from the box's side to them.
const PAD: f64 = 12.0;
/// The line on top of a box that says what it is.
const HEAD: f64 = 72.0;
const MARGIN: f64 = 10.0;

/// Draws nodes and what is inside of them; edges join nodes of the outer level.
pub fn topology(nodes: &[Node], edges: &[Edge], label: &str) -> Drawing {
    let mut inner: HashMap<&str, Vec<&Node>> = HashMap::new();
    let ids: HashMap<&str, &Node> = nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let parent = |node: &Node| {
        node.inside
            .as_deref()
            .and_then(|id| ids.get(id))
            .filter(|box_| box_.inside.is_none())
            .map(|box_| box_.id.as_str())
    };
    let mut outer = Vec::new();
    for node in nodes {
        match parent(node) {
            Some(box_) => inner.entry(ids[box_].id.as_str()).or_default().push(node),
            None => outer.push(node),
        }
    }
    let children = |node: &Node| inner.get(node.id.as_str()).map_or(&[][..], Vec::as_slice);
    let sizes: Vec<Size> = outer.iter().map(|node| room(children(node).len())).collect();
    let index: HashMap<&str, usize> = outer.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
    let known: Vec<(&Edge, (usize, usize))> = edges
        .iter()
        .filter_map(|edge| Some((edge, (*index.get(edge.from.as_str())?, *index.get(edge.to.as_str())?))))
        .collect();
    let pairs: Vec<(usize, usize)> = known.iter().map(|(_, pair)| *pair).collect();
    let placement = place(&sizes, &pairs, Direction::Down, Gaps { rank: 36.0, node: 16.0 });

    let shift = |point: &Point| Point { x: point.x + MARGIN, y: point.y + MARGIN };
    let mut canvas = Canvas::list(placement.width + 2.0 * MARGIN, placement.height + 2.0 * MARGIN, label);
    for ((edge, _), route) in known.iter().zip(&placement.routes).filter(|((edge, _), _)| !edge.unseen) {
        let route: Vec<Point> = route.iter().map(shift).collect();
        canvas.arrow(&route, Direction::Down, Meaning::Idle, &edge.label);
    }
    for ((node, corner), size) in outer.iter().zip(&placement.corners).zip(&sizes) {
        draw_with_children(&mut canvas, node, children(node), shift(corner), *size);
    }
    canvas.finish()
}

/// In how many columns things stand inside a box.
fn columns(children: usize) -> usize {
    if children > 4 { 3 } else { children.min(2) }
}

/// How large a node is with so many things inside.
fn room(children: usize) -> Size {
    if children == 0 {
        return CARD;
    }
    let rows = children.div_ceil(columns(children)) as f64;
    let columns = columns(children) as f64;
    Size { width: columns * CARD.width + (columns + 1.0) * PAD, height: HEAD + rows * CARD.height + rows * PAD }
}

fn draw_with_children(canvas: &mut Canvas, node: &Node, children: &[&Node], at: Point, size: Size) {
    if children.is_empty() {
        canvas.node(node, at, CARD, false);
        return;
    }
    canvas.put(format_args!(
        r#"<rect class="group-box" aria-hidden="true" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="6"/>"#,
        at.x, at.y, size.width, size.height
    ));
    canvas.node(node, at, Size { width: size.width, height: HEAD - PAD }, false);
    let columns = columns(children.len());
    for (number, child) in children.iter().enumerate() {
        let (column, row) = ((number % columns) as f64, (number / columns) as f64);
        let corner = Point { x: at.x + PAD + column * (CARD.width + PAD), y: at.y + HEAD + row * (CARD.height + PAD) };
        canvas.node(child, corner, CARD, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_drawn_inside_their_machine() {
        let nodes = [
            Node::new("host", "esx-1").icon("host"),
            Node::new("m", "docker-1").icon("machine"),
            Node::new("c1", "web").inside("m"),
            Node::new("c2", "db").inside("m"),
        ];
        let drawing = topology(&nodes, &[Edge::new("m", "host")], "Docker machine").to_string();
        assert_eq!(drawing.matches("group-box").count(), 1);
        assert_eq!(drawing.matches("role=\"listitem\"").count(), 4);
        assert_eq!(drawing.matches("class=\"edge ").count(), 1);
    }

    #[test]
    fn an_edge_that_is_not_seen_still_puts_one_node_below_the_other() {
        let nodes = [Node::new("pool", "shop"), Node::new("new", "shop-3")];
        let drawn = |edges: &[Edge]| topology(&nodes, edges, "Shop").to_string();
        let below = drawn(&[Edge::new("pool", "new").unseen()]);
        assert!(!below.contains("class=\"edge "));
        assert_ne!(below, drawn(&[]), "side by side, were it not for the edge");
    }

    #[test]
    fn a_thing_inside_something_unknown_stands_for_itself() {
        let drawing = topology(&[Node::new("c", "web").inside("gone")], &[], "x").to_string();
        assert_eq!(drawing.matches("role=\"listitem\"").count(), 1);
        assert!(!drawing.contains("group-box"));
    }

    #[test]
    fn a_box_grows_by_rows() {
        assert!(room(3).height > room(2).height);
        assert_eq!(room(5).width, room(9).width);
    }
}
