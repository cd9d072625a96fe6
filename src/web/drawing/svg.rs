//! Writing SVG: escaped text, nodes, arrows. Only classes and geometry; colours are the stylesheet's.

use std::fmt::Write;

use super::layers::{Direction, Point, Size};
use super::{Drawing, Node};
use crate::look::Meaning;

/// A wide graph shrinks this far to fit its page before it scrolls; the stylesheet has a class for each hundred pixels.
const LEAST_SCALE: f64 = 0.9;
/// How wide a letter of a title and of a note is taken to be, in pixels: that of a wide font, so that none overflows.
const TITLE_LETTER: f64 = 8.0;
const NOTE_LETTER: f64 = 6.6;
/// From one line of a card to the next.
const LINE: f64 = 15.5;
/// Where the texts beside a card's icon begin.
const TEXT: f64 = 34.0;

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
        self.put(format_args!(
            r#"<g aria-hidden="true"><path class="edge {}" d="{path}"/>"#,
            crate::look::tint(&state)
        ));
        let turned = points.windows(2).last().is_some_and(|pair| pair[0].x > pair[1].x);
        let wings = match (direction, turned) {
            (Direction::Right, false) => "-7 -4v8z",
            (Direction::Right, true) => "7 -4v8z",
            (Direction::Down, _) => "-4 -7h8z",
        };
        self.put(format_args!(
            r#"<path class="edge-head {}" d="M{:.1} {:.1}l{wings}"/>"#,
            crate::look::tint(&state),
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
        self.put(format_args!(r#"<g class="node {}{chosen}" role="listitem">"#, crate::look::tint(&node.state)));
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
        self.face(node, at, size);
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

    /// What stands on a card: its icon with the title beside it, and below the state with its note, or the note alone.
    fn face(&mut self, node: &Node, at: Point, size: Size) {
        let title = wrapped(&node.title, ((size.width - TEXT - 6.0) / TITLE_LETTER) as usize);
        if title.iter().any(|line| line.contains('…')) {
            self.put(format_args!("<title>{}</title>", escaped(&node.title)));
        }
        let has_state = !node.word.is_empty();
        let below = if has_state || node.note.is_empty() { 0.0 } else { 1.0 };
        let room = if has_state { size.height - 20.0 } else { size.height };
        let middle = at.y + room / 2.0;
        let icon = if node.icon.is_empty() { crate::look::shape(&node.state) } else { node.icon };
        self.icon(icon, Point { x: at.x + 9.0, y: middle - 9.0 }, 18.0);
        let mut y = middle - (title.len() as f64 + below) * LINE / 2.0 + 11.5;
        for line in &title {
            self.put(format_args!(
                r#"<text class="node-title" x="{:.1}" y="{y:.1}">{}</text> "#,
                at.x + TEXT,
                escaped(line)
            ));
            y += LINE;
        }
        if has_state {
            self.state_line(node, Point { x: at.x + 10.0, y: at.y + size.height - 10.0 }, size.width - 32.0);
        } else if below > 0.0 {
            let letters = ((size.width - TEXT - 6.0) / NOTE_LETTER) as usize;
            let note = escaped(&shortened(&node.note, letters));
            self.put(format_args!(r#"<text class="node-note" x="{:.1}" y="{y:.1}">{note}</text>"#, at.x + TEXT));
        }
    }

    /// Icon, word and note of a state; the note is left out where it does not fit.
    fn state_line(&mut self, node: &Node, at: Point, room: f64) {
        let letters = (room / NOTE_LETTER) as usize;
        let note = if node.note.is_empty() { String::new() } else { format!(" · {}", node.note) };
        let fits = node.word.chars().count() + note.chars().count() <= letters;
        self.icon(crate::look::shape(&node.state), Point { x: at.x, y: at.y - 10.5 }, 13.0);
        self.put(format_args!(
            r#"<text class="node-note" x="{:.1}" y="{:.1}"><tspan class="node-word">{}</tspan>{}</text>"#,
            at.x + 17.0,
            at.y,
            escaped(&shortened(&node.word, letters)),
            if fits { escaped(&note) } else { String::new() }
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

/// Text on at most two lines, broken where words or the parts of a name end; what is too long even so is shortened.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let count = |part: &str| part.chars().count();
    if count(text) <= letters {
        return vec![text.to_owned()];
    }
    let breaks = text.char_indices().filter(|(_, letter)| [' ', '-', '.', '/'].contains(letter)).map(|(at, _)| at + 1);
    let halves = breaks.map(|at| (text[..at].trim_end(), text[at..].trim_start()));
    let fitting = halves.filter(|(first, rest)| count(first) <= letters && !rest.is_empty());
    // The most even break; one that leaves too much for the second line comes last.
    let longest = |(first, rest): &(&str, &str)| count(first).max(count(rest));
    match fitting.min_by_key(longest) {
        Some((first, rest)) => vec![first.to_owned(), shortened(rest, letters)],
        None => vec![shortened(text, letters)],
    }
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

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_long_title_is_broken_evenly_between_words_or_parts_of_a_name() {
        assert_eq!(wrapped("Create pool", 11), ["Create pool"]);
        assert_eq!(wrapped("Apply role 1", 11), ["Apply", "role 1"]);
        assert_eq!(wrapped("Confirm in the CMDB", 11), ["Confirm in", "the CMDB"]);
        assert_eq!(wrapped("shop-production-1", 16), ["shop-", "production-1"]);
        assert_eq!(wrapped("incomprehensibilities", 11).len(), 1);
    }
}
