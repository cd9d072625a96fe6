//! Documents on paper: pages of A4 with headings, text, facts, tables and bars, as PDF.
//!
//! What is put on a page is laid out first, so that each page can say how many there are, and written then.

mod font;
mod write;

use font::Font;

/// A4, in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 48.0;
/// Where the text of a page ends; the foot stands below.
const FLOOR: f32 = HEIGHT - 60.0;
const ROOM: f32 = WIDTH - 2.0 * MARGIN;

/// The size of text in points, and how far its lines stand apart.
const TEXT: f32 = 9.0;
const LEADING: f32 = 1.35;

/// Colours as on the pages, in light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Black,
    Quiet,
    Line,
    Ground,
    Accent,
}

/// Something on a page, by its place from the upper left.
#[derive(Clone, Debug, PartialEq)]
enum Mark {
    Text { x: f32, y: f32, size: f32, bold: bool, ink: Ink, text: String },
    Box { x: f32, y: f32, width: f32, height: f32, ink: Ink },
}

/// A column of a table.
pub struct Column {
    title: &'static str,
    /// Its share of the width, beside those of the others.
    share: f32,
    /// Whether its cells are numbers, which stand to the right.
    numbers: bool,
}

impl Column {
    /// A column of words.
    pub const fn words(title: &'static str, share: f32) -> Self {
        Self { title, share, numbers: false }
    }

    /// A column of numbers.
    pub const fn numbers(title: &'static str, share: f32) -> Self {
        Self { title, share, numbers: true }
    }
}

/// A document under way.
pub struct Paper {
    title: String,
    /// What stands at the foot of each page, before its number.
    foot: String,
    regular: Font,
    bold: Font,
    pages: Vec<Vec<Mark>>,
    /// How far down the page is filled.
    y: f32,
}

impl Paper {
    /// An empty document.
    pub fn new(title: impl Into<String>, foot: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            foot: foot.into(),
            regular: Font::regular(),
            bold: Font::bold(),
            pages: vec![Vec::new()],
            y: MARGIN,
        }
    }

    /// The title, large, as the first line.
    pub fn title(&mut self) {
        let title = self.title.clone();
        self.lines(&title, 20.0, true, Ink::Black);
        self.y += 2.0;
    }

    /// The heading of a section, kept together with what comes next.
    pub fn heading(&mut self, text: &str) {
        self.y += 14.0;
        self.keep(64.0);
        self.lines(text, 13.0, true, Ink::Black);
        self.y += 3.0;
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.lines(text, TEXT, false, Ink::Black);
        self.y += 4.0;
    }

    /// A paragraph that explains, and is read by those who ask.
    pub fn fine(&mut self, text: &str) {
        self.lines(text, 7.5, false, Ink::Quiet);
        self.y += 4.0;
    }

    /// Names and what they stand for.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        const NAMES: f32 = 110.0;
        for (name, value) in facts {
            let lines = self.regular.wrap(value, TEXT, ROOM - NAMES);
            let height = TEXT * LEADING;
            self.keep(height);
            self.put(MARGIN, TEXT, false, Ink::Quiet, name);
            for line in lines {
                self.keep(height);
                self.put(MARGIN + NAMES, TEXT, false, Ink::Black, &line);
                self.y += height;
            }
        }
        self.y += 4.0;
    }

    /// Amounts as bars: (name, amount, the amount as people read it).
    pub fn bars(&mut self, rows: &[(String, u64, String)]) {
        const NAMES: f32 = 150.0;
        const AMOUNTS: f32 = 60.0;
        let most = rows.iter().map(|row| row.1).max().unwrap_or(0).max(1) as f32;
        for (name, amount, words) in rows {
            self.keep(15.0);
            let name = self.regular.shortened(name, TEXT, NAMES - 8.0);
            self.put(MARGIN, TEXT, false, Ink::Black, &name);
            let (room, y) = (ROOM - NAMES - AMOUNTS, self.y + 2.0);
            self.block(MARGIN + NAMES, y, room, 7.0, Ink::Ground);
            self.block(MARGIN + NAMES, y, *amount as f32 / most * room, 7.0, Ink::Accent);
            self.put(MARGIN + ROOM - AMOUNTS + 8.0, TEXT, false, Ink::Quiet, words);
            self.y += 15.0;
        }
        self.y += 4.0;
    }

    /// A table; its head is said again on each page that it goes on.
    pub fn table(&mut self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        const SIZE: f32 = 7.5;
        let whole: f32 = columns.iter().map(|column| column.share).sum();
        let widths: Vec<f32> = columns.iter().map(|column| column.share / whole * ROOM).collect();
        self.keep(40.0);
        self.head(columns, &widths, SIZE);
        for row in rows {
            let cells: Vec<Vec<String>> =
                row.iter().zip(&widths).map(|(cell, width)| self.regular.wrap(cell, SIZE, width - 8.0)).collect();
            let tall = cells.iter().map(Vec::len).max().unwrap_or(1) as f32 * SIZE * LEADING + 5.0;
            // A row that is taller than a page goes over its foot no further than to the next one.
            if self.y + tall > FLOOR && self.y > MARGIN {
                self.turn();
                self.head(columns, &widths, SIZE);
            }
            self.row(columns, &widths, &cells, SIZE);
            self.y += tall;
            self.block(MARGIN, self.y - 3.0, ROOM, 0.5, Ink::Line);
        }
        self.y += 6.0;
    }

    fn head(&mut self, columns: &[Column], widths: &[f32], size: f32) {
        let mut x = MARGIN;
        for (column, width) in columns.iter().zip(widths) {
            let title = self.bold.shortened(column.title, size, width - 8.0);
            let at = if column.numbers { x + width - 8.0 - self.bold.width(&title, size) } else { x };
            self.put(at, size, true, Ink::Quiet, &title);
            x += width;
        }
        self.y += size * LEADING + 4.0;
        self.block(MARGIN, self.y - 3.0, ROOM, 0.8, Ink::Quiet);
    }

    fn row(&mut self, columns: &[Column], widths: &[f32], cells: &[Vec<String>], size: f32) {
        let (top, mut x) = (self.y, MARGIN);
        for ((column, width), lines) in columns.iter().zip(widths).zip(cells) {
            for line in lines {
                if self.y > HEIGHT - MARGIN {
                    break;
                }
                let at = if column.numbers { x + width - 8.0 - self.regular.width(line, size) } else { x };
                self.put(at, size, false, Ink::Black, line);
                self.y += size * LEADING;
            }
            self.y = top;
            x += width;
        }
    }

    fn lines(&mut self, text: &str, size: f32, bold: bool, ink: Ink) {
        let font = if bold { &self.bold } else { &self.regular };
        for line in font.wrap(text, size, ROOM) {
            self.keep(size * LEADING);
            self.put(MARGIN, size, bold, ink, &line);
            self.y += size * LEADING;
        }
    }

    /// Begins a new page unless there is so much room on this one.
    fn keep(&mut self, tall: f32) {
        if self.y + tall > FLOOR && self.y > MARGIN {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    /// A line of text whose top is where the page is filled to.
    fn put(&mut self, x: f32, size: f32, bold: bool, ink: Ink, text: &str) {
        let mark = Mark::Text { x, y: self.y + size, size, bold, ink, text: text.to_owned() };
        self.mark(mark);
    }

    fn block(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        if width > 0.0 {
            self.mark(Mark::Box { x, y, width, height, ink });
        }
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Every line of text, page by page.
    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<Vec<&str>> {
        fn text(mark: &Mark) -> Option<&str> {
            if let Mark::Text { text, .. } = mark { Some(text) } else { None }
        }
        self.pages.iter().map(|page| page.iter().filter_map(text).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_goes_on_says_its_head_again_and_loses_no_row() {
        let mut paper = Paper::new("Report", "Foot");
        let rows = (0..200).map(|number| vec![format!("machine-{number}"), number.to_string()]);
        paper.table(&[Column::words("CI", 3.0), Column::numbers("Number", 1.0)], rows);
        let pages = paper.words();
        assert!(pages.len() > 2);
        assert!(pages.iter().all(|page| page[0] == "CI"), "each page begins with the head");
        let names = pages.iter().flatten().filter(|word| word.starts_with("machine-")).count();
        assert_eq!(names, 200);
    }

    #[test]
    fn it_is_a_pdf_whatever_the_names_are_made_of() {
        let mut paper = Paper::new("Report", "Foot");
        paper.title();
        paper.text("Žofie, Ωmega, 東京, a\u{0} control and \u{202e}a turn");
        paper.facts(&[("A very long name of a fact", "x".repeat(2_000))]);
        paper.bars(&[("None".to_owned(), 0, "0".to_owned())]);
        paper.table(&[Column::words("CI", 1.0)], [vec!["y".repeat(30_000)], Vec::new()]);
        let pdf = paper.finish().expect("it is written");
        assert!(pdf.starts_with(b"%PDF-"));
    }
}
