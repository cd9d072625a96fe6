//! CSV files (RFC 4180) that a spreadsheet opens without running anything in them.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use domain::trouble::Trouble;
use futures::Stream;

/// One line of a file.
pub fn line<C: AsRef<str>>(cells: impl IntoIterator<Item = C>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

/// The file as it is made, piece by piece, whatever its length.
pub fn download(name: &str, pieces: impl Stream<Item = Result<String, Trouble>> + 'static) -> HttpResponse {
    use futures::StreamExt;
    let pieces = pieces.map(|piece| piece.map(Bytes::from));
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(pieces)
}

/// A cell. A text that a spreadsheet would take for a formula gets an apostrophe in front, which it shows as text.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_name_that_looks_like_a_formula_stays_a_name() {
        assert_eq!(line(["=cmd|' /C calc'!A0", "@sum(1)", "-2"]), "'=cmd|' /C calc'!A0,'@sum(1),-2\r\n");
    }

    #[test]
    fn quotes_and_commas_stay_in_their_cell() {
        assert_eq!(line(["a, \"b\"", "c"]), "\"a, \"\"b\"\"\",c\r\n");
    }
}
