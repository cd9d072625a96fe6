//! The font of documents: DejaVu Sans Condensed, which is embedded, with the letters of Latin, Greek and Cyrillic scripts.

use ttf_parser::Face;

/// A face of the font, by which text is measured.
pub(super) struct Font {
    pub(super) file: &'static [u8],
    face: Option<Face<'static>>,
}

impl Font {
    pub(super) fn regular() -> Self {
        Self::of(include_bytes!("../../../static/fonts/DejaVuSansCondensed.ttf"))
    }

    pub(super) fn bold() -> Self {
        Self::of(include_bytes!("../../../static/fonts/DejaVuSansCondensed-Bold.ttf"))
    }

    fn of(file: &'static [u8]) -> Self {
        Self { file, face: Face::parse(file, 0).ok() }
    }

    /// How wide a line of this size is, in points.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let Some(face) = &self.face else { return text.chars().count() as f32 * size / 2.0 };
        let advance = |letter| face.glyph_index(letter).and_then(|glyph| face.glyph_hor_advance(glyph));
        let units: u32 = text.chars().map(|letter| u32::from(advance(letter).unwrap_or(face.units_per_em() / 2))).sum();
        units as f32 * size / f32::from(face.units_per_em())
    }

    /// The text in lines no wider than this, broken between words, and within words that are wider.
    pub(super) fn wrap(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|it| !it.is_empty())
        {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer, size) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = self.broken(word, size, width, &mut lines);
        }
        lines.push(line);
        lines
    }

    /// A word in pieces that fit; the last piece is what the line goes on with.
    fn broken(&self, word: &str, size: f32, width: f32, lines: &mut Vec<String>) -> String {
        let (mut piece, mut wide) = (String::new(), 0.0);
        for letter in word.chars() {
            let more = self.width(letter.encode_utf8(&mut [0; 4]), size);
            if wide + more > width && !piece.is_empty() {
                lines.push(std::mem::take(&mut piece));
                wide = 0.0;
            }
            piece.push(letter);
            wide += more;
        }
        piece
    }

    /// The text, cut off with an ellipsis where it is wider.
    pub(super) fn shortened(&self, text: &str, size: f32, width: f32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let mut short: String = text.to_owned();
        while !short.is_empty() && self.width(&short, size) + self.width("…", size) > width {
            short.pop();
        }
        format!("{short}…")
    }
}
