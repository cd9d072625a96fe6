//! Writes what was laid out as PDF.

use domain::trouble::Trouble;
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};

use super::{HEIGHT, Ink, MARGIN, Mark, Paper, ROOM, WIDTH};

/// The size of the foot's text.
const FOOT: f32 = 7.0;

impl Ink {
    /// The colours of the pages in light.
    fn fill(self) -> Fill {
        let color = match self {
            Self::Black => rgb::Color::new(0x23, 0x21, 0x1d),
            Self::Quiet => rgb::Color::new(0x57, 0x52, 0x48),
            Self::Line => rgb::Color::new(0xe5, 0xe1, 0xda),
            Self::Ground => rgb::Color::new(0xec, 0xe9, 0xe3),
            Self::Accent => rgb::Color::new(0x0a, 0x64, 0x64),
        };
        Fill { paint: color.into(), opacity: NormalizedF32::ONE, rule: Default::default() }
    }
}

impl Paper {
    /// The document as PDF.
    pub fn finish(self) -> Result<Vec<u8>, Trouble> {
        let font = |file: &'static [u8]| Font::new(file.to_vec().into(), 0).ok_or_else(|| Trouble::bug("no font"));
        let fonts = (font(self.regular.file)?, font(self.bold.file)?);
        let mut document = Document::new();
        document.set_metadata(Metadata::new().title(self.title.clone()).language("en".to_owned()));
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| Trouble::bug("no page"))?;
        let count = self.pages.len();
        for (number, marks) in self.pages.iter().enumerate() {
            let mut page = document.start_page_with(settings.clone());
            let mut surface = page.surface();
            marks.iter().for_each(|mark| draw(&mut surface, mark, &fonts));
            let place = format!("{} of {count}", number + 1);
            let right = MARGIN + ROOM - self.regular.width(&place, FOOT);
            for (x, text) in [(MARGIN, self.foot.clone()), (right, place)] {
                let foot = Mark::Text { x, y: HEIGHT - 30.0, size: FOOT, bold: false, ink: Ink::Quiet, text };
                draw(&mut surface, &foot, &fonts);
            }
            surface.finish();
            page.finish();
        }
        document.finish().map_err(|error| Trouble::bug(format!("the document can't be written: {error:?}")))
    }
}

fn draw(surface: &mut Surface, mark: &Mark, (regular, bold): &(Font, Font)) {
    match mark {
        Mark::Text { x, y, size, bold: is_bold, ink, text } => {
            surface.set_fill(Some(ink.fill()));
            let font = if *is_bold { bold } else { regular };
            let place = Point::from_xy(*x, *y);
            surface.draw_text(place, font.clone(), *size, text, false, TextDirection::LeftToRight);
        }
        Mark::Box { x, y, width, height, ink } => {
            let mut path = PathBuilder::new();
            if let Some(rect) = Rect::from_xywh(*x, *y, *width, *height) {
                path.push_rect(rect);
            }
            if let Some(path) = path.finish() {
                surface.set_fill(Some(ink.fill()));
                surface.draw_path(&path);
            }
        }
    }
}
