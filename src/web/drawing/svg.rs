//! Writing SVG: escaped text, nodes, arrows. Only classes and geometry; colours are the stylesheet's.

use std::fmt::Write;

use super::layers::{Direction, Point, Size};
use super::{Drawing, Node};
use crate::look::Meaning;

/// A wide graph shrinks this far to fit its page before it scrolls; the stylesheet has a class for each hundred pixels.
const LEAST_SCALE: f64 = 0.75;

/// An SVG under way. Writing into a `String` can't fail, so the answers of `write!` are not looked at.
pub struct Canvas(String);

impl Canvas {
    /// A list of things; `label` says what is drawn. `width` and `height` are in pixels.
    pub fn list(width: f64, height: f64, label: &str) -> Self {
        let mut canvas = Self(String::with_capacity(4_096));
        canvas.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="graph fit-{}" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="list" aria-label="{}">"#,
            (width * LEAST_SCALE / 100.0).floor().clamp(1.0, 20.0),
            escaped(label),
            w = width.ceil(),
            h = height.ceil(),
        ));
        canvas
    }

    /// A picture that is read as one sentence.
    pub fn picture(width: f64, height: f64, class: &str, label: &str) -> Self {
        let mut canvas = Self(String::with_capacity(1_024));
        canvas.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" class="{class}" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="{}">"#,
            escaped(label),
            w = width.ceil(),
            h = height.ceil(),
        ));
        canvas
    }

    /// Appends markup; whoever calls has escaped the texts in it.
    pub fn put(&mut self, markup: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(markup);
    }

    pub fn finish(mut self) -> Drawing {
        self.0.push_str("</svg>");
        Drawing(self.0)
    }

    /// An arrow along its points, with what it says in its middle.
    pub fn arrow(&mut self, points: &[Point], direction: Direction, state: Meaning, label: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let mut path = format!("M{:.1} {:.1}", first.x, first.y);
        for pair in points.windows(2) {
            path.push_str(&bend(pair[0], pair[1], direction));
        }
        self.put(format_args!(r#"<g aria-hidden="true"><path class="edge {}" d="{path}"/>"#, state.class()));
        let turned = points.windows(2).last().is_some_and(|pair| pair[0].x > pair[1].x);
        let wings = match (direction, turned) {
            (Direction::Right, false) => "-7 -4v8z",
            (Direction::Right, true) => "7 -4v8z",
            (Direction::Down, _) => "-4 -7h8z",
        };
        self.put(format_args!(
            r#"<path class="edge-head {}" d="M{:.1} {:.1}l{wings}"/>"#,
            state.class(),
            last.x,
            last.y
        ));
        if !label.is_empty() {
            let (before, after) = (points[(points.len() - 1) / 2], points[points.len() / 2]);
            let (x, y) = ((before.x + after.x) / 2.0, (before.y + after.y) / 2.0);
            self.put(format_args!(
                r#"<text class="edge-label" x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                y + 4.0,
                escaped(label)
            ));
        }
        self.put(format_args!("</g>"));
    }

    /// A node as a card: icon, title, and a line of state and note. `stack` draws cards behind it.
    pub fn node(&mut self, node: &Node, at: Point, size: Size, stack: bool) {
        let chosen = if node.chosen { " is-chosen" } else { "" };
        self.put(format_args!(r#"<g class="node {}{chosen}" role="listitem">"#, node.state.class()));
        if let Some(href) = &node.href {
            let current = if node.chosen { r#" aria-current="true""# } else { "" };
            self.put(format_args!(r#"<a href="{}"{current}>"#, escaped(href)));
        }
        if stack {
            for shift in [8.0, 4.0] {
                self.card(Point { x: at.x + shift, y: at.y + shift }, size);
            }
        }
        self.card(at, size);
        let icon = if node.icon.is_empty() { node.state.icon() } else { node.icon };
        self.icon(icon, Point { x: at.x + 9.0, y: at.y + size.height / 2.0 - 10.0 }, 20.0);
        self.node_text(node, at, size);
        self.put(format_args!("{}", if node.href.is_some() { "</a></g>" } else { "</g>" }));
    }

    fn card(&mut self, at: Point, size: Size) {
        self.put(format_args!(
            r#"<rect class="node-box" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="6"/>"#,
            at.x, at.y, size.width, size.height
        ));
    }

    /// An icon of the sprite, square.
    pub fn icon(&mut self, name: &str, at: Point, side: f64) {
        self.put(format_args!(
            r#"<use class="node-icon" href="/static/icons.svg#{name}" x="{:.1}" y="{:.1}" width="{side}" height="{side}"/>"#,
            at.x, at.y
        ));
    }

    fn node_text(&mut self, node: &Node, at: Point, size: Size) {
        let (x, middle) = (at.x + 37.0, at.y + size.height / 2.0);
        let letters = ((size.width - 42.0) / 7.6) as usize;
        let second = !node.word.is_empty() || !node.note.is_empty();
        let y = if second { middle - 4.0 } else { middle + 4.5 };
        let title = shortened(&node.title, letters);
        let whole =
            if title == node.title { String::new() } else { format!("<title>{}</title>", escaped(&node.title)) };
        self.put(format_args!(r#"{whole}<text class="node-title" x="{x:.1}" y="{y:.1}">{}</text> "#, escaped(&title)));
        if !second {
            return;
        }
        let mut x = x;
        if !node.word.is_empty() && !node.icon.is_empty() {
            self.icon(node.state.icon(), Point { x, y: middle + 3.0 }, 13.0);
            x += 17.0;
        }
        let between = if node.word.is_empty() || node.note.is_empty() { "" } else { " · " };
        let letters = ((at.x + size.width - 6.0 - x) / 6.3) as usize;
        let room = letters.saturating_sub(node.word.chars().count() + between.chars().count());
        self.put(format_args!(
            r#"<text class="node-note" x="{x:.1}" y="{:.1}"><tspan class="node-word">{}</tspan>{between}{}</text>"#,
            middle + 14.0,
            escaped(&node.word),
            escaped(&shortened(&node.note, room.max(6)))
        ));
    }
}

fn bend(from: Point, to: Point, direction: Direction) -> String {
    match direction {
        Direction::Right if (from.y - to.y).abs() < 0.05 => format!("H{:.1}", to.x),
        Direction::Down if (from.x - to.x).abs() < 0.05 => format!("V{:.1}", to.y),
        Direction::Right => {
            let x = (from.x + to.x) / 2.0;
            format!("C{x:.1} {:.1} {x:.1} {:.1} {:.1} {:.1}", from.y, to.y, to.x, to.y)
        }
        Direction::Down => {
            let y = (from.y + to.y) / 2.0;
            format!("C{:.1} {y:.1} {:.1} {y:.1} {:.1} {:.1}", from.x, to.x, to.x, to.y)
        }
    }
}

/// Text that fits, cut in the middle because names differ at their ends.
pub fn shortened(text: &str, letters: usize) -> String {
    let count = text.chars().count();
    if count <= letters || letters < 4 {
        return text.to_owned();
    }
    let tail = (letters - 1) / 3;
    let head = letters - 1 - tail;
    text.chars().take(head).chain(std::iter::once('…')).chain(text.chars().skip(count - tail)).collect()
}

/// Text without the characters that mean something in markup.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
