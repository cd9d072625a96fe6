//! A list as a file for a spreadsheet: everything that its filters leave, streamed a part at a time whatever its length.

use std::future::Future;

use actix_web::HttpResponse;
use app::page::{Part, Turn, Window};
use domain::trouble::Trouble;

use super::Asked;
use crate::csv;

/// Rows that are read at once.
const AT_ONCE: u64 = 500;

/// How rows stand in a file.
pub(crate) struct Sheet<R: 'static, const N: usize> {
    /// What the file is called.
    pub(crate) name: &'static str,
    pub(crate) head: [&'static str; N],
    pub(crate) line: fn(&R) -> [String; N],
}

impl Asked {
    /// The file. `read` answers a part of the list, `id` what the next part follows.
    pub(crate) fn file<R, S, Id, F, const N: usize>(
        &self,
        sheet: &'static Sheet<R, N>,
        window: Window<S, Id>,
        read: impl Fn(Window<S, Id>) -> F + 'static,
        id: fn(&R) -> Id,
    ) -> Result<HttpResponse, Trouble>
    where
        R: 'static,
        S: Copy + 'static,
        Id: Copy + 'static,
        F: Future<Output = Result<Part<R>, Trouble>> + 'static,
    {
        self.refuse_wrong()?;
        let first = Window { turn: Turn::First, limit: AT_ONCE, ..window };
        let pieces = futures::stream::try_unfold((Some(first), csv::line(sheet.head)), move |(window, before)| {
            let reading = window.map(|window| (window, read(window)));
            async move {
                let Some((window, reading)) = reading else { return Ok(None) };
                let part = reading.await?;
                let text = part.rows.iter().fold(before, |text, row| text + &csv::line((sheet.line)(row)));
                let last = part.rows.last().filter(|_| part.later);
                let next = last.map(|row| Window { turn: Turn::After(id(row)), ..window });
                Ok::<_, Trouble>(Some((text, (next, String::new()))))
            }
        });
        Ok(csv::download(sheet.name, pieces))
    }
}
