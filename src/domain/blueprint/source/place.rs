//! Where each character of a text stands in the file, whatever quotes, escapes and folded lines are between.

use crate::blueprint::mistake::Position;

/// Where a text stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::blueprint) struct Place {
    start: Position,
    /// Where the text goes on elsewhere than one character to the right: how many characters are before, and the place.
    turns: Vec<(usize, Position)>,
}

impl From<Position> for Place {
    fn from(start: Position) -> Self {
        Self { start, turns: Vec::new() }
    }
}

impl Place {
    /// Finds the characters of `text` again, of which `at` is the first one in the file.
    pub(super) fn of(text: &str, at: Position, lines: &[Vec<char>]) -> Self {
        let mut walk = Walk::from(at, lines);
        let mut place: Option<Self> = None;
        let mut expected = Position::default();
        for (offset, character) in text.chars().enumerate() {
            let Some(found) = walk.find(character) else { break };
            match &mut place {
                None => place = Some(found.into()),
                Some(_) if found == expected => {}
                Some(place) => place.turns.push((offset, found)),
            }
            expected = found.right(1);
        }
        place.unwrap_or_else(|| at.into())
    }

    pub(in crate::blueprint) fn start(&self) -> Position {
        self.start
    }

    /// Where the character stands that has so many before it.
    pub(in crate::blueprint) fn at(&self, offset: usize) -> Position {
        let turn = self.turns.iter().rev().find(|(before, _)| *before <= offset);
        let (before, position) = turn.copied().unwrap_or((0, self.start));
        position.right(offset - before)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    /// Behind `|` or `>`; each line begins with so many spaces that are not part of the text.
    Block(usize),
}

/// A way through the file, character by character of the text.
struct Walk<'a> {
    lines: &'a [Vec<char>],
    at: Position,
    style: Style,
}

impl<'a> Walk<'a> {
    fn from(at: Position, lines: &'a [Vec<char>]) -> Self {
        let mut walk = Self { lines, at, style: Style::Plain };
        match walk.here() {
            Some('"') => (walk.style, walk.at) = (Style::Double, at.right(1)),
            Some('\'') => (walk.style, walk.at) = (Style::Single, at.right(1)),
            Some('|' | '>') => {
                let below = lines.iter().skip(at.line).find(|line| leading_spaces(line) < line.len());
                walk.style = Style::Block(below.map_or(0, |line| leading_spaces(line)));
                walk.next_line();
            }
            _ => {}
        }
        walk
    }

    fn here(&self) -> Option<char> {
        self.lines.get(self.at.line.checked_sub(1)?)?.get(self.at.column.checked_sub(1)?).copied()
    }

    fn next_line(&mut self) {
        let line = self.at.line + 1;
        let spaces = self.lines.get(line - 1).map_or(0, |line| leading_spaces(line));
        let skipped = if let Style::Block(indent) = self.style { indent.min(spaces) } else { spaces };
        self.at = Position { line, column: 1 + skipped };
    }

    /// Where the character stands, and past it; nothing when the file ends before.
    fn find(&mut self, character: char) -> Option<Position> {
        while self.at.line <= self.lines.len() {
            let at = self.at;
            match self.here() {
                None => {
                    self.next_line();
                    if matches!(character, ' ' | '\n') {
                        return Some(at);
                    }
                }
                Some('\\') if self.style == Style::Double => {
                    let length = self.escape();
                    self.at = at.right(length);
                    // An escaped end of line is no part of the text.
                    if length > 1 {
                        return Some(at);
                    }
                }
                Some(found) if found == character => {
                    let doubled = self.style == Style::Single && found == '\'';
                    self.at = at.right(1 + usize::from(doubled));
                    return Some(at);
                }
                Some(' ' | '\t') => self.at = at.right(1),
                Some(_) => return None,
            }
        }
        None
    }

    /// How many characters the escape has that stands here.
    fn escape(&self) -> usize {
        match (Self { at: self.at.right(1), ..*self }).here() {
            None => 1,
            Some('x') => 4,
            Some('u') => 6,
            Some('U') => 10,
            Some(_) => 2,
        }
    }
}

fn leading_spaces(line: &[char]) -> usize {
    line.iter().take_while(|character| matches!(character, ' ' | '\t')).count()
}

#[cfg(test)]
mod tests {
    use super::{Place, Position};

    /// Where the `!` of a text stands.
    fn found(file: &str, text: &str) -> (usize, usize) {
        let lines: Vec<Vec<char>> = file.lines().map(|line| line.chars().collect()).collect();
        let place = Place::of(text, Position { line: 1, column: 4 }, &lines);
        let position = place.at(text.chars().position(|c| c == '!').expect("it is there"));
        (position.line, position.column)
    }

    #[test]
    fn a_character_is_found_behind_quotes_escapes_and_folded_lines() {
        assert_eq!(found("a: plain !", "plain !"), (1, 10));
        assert_eq!(found("a: 'it''s !'", "it's !"), (1, 11));
        assert_eq!(found(r#"a: "say \"ä\" \u00e4 !""#, "say \"ä\" ä !"), (1, 22));
        assert_eq!(found("a: folded\n   to !", "folded to !"), (2, 7));
        assert_eq!(found("a: 'two\n\n   lines !'", "two\nlines !"), (3, 10));
        assert_eq!(found("a: \"joined\\\n   up !\"", "joinedup !"), (2, 7));
        assert_eq!(found("a: |\n  kept\n    as !", "kept\n  as !"), (3, 8));
        assert_eq!(found("a: >-\n  folded\n  here !", "folded here !"), (3, 8));
    }
}
