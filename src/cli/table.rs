//! Tables as people read them in a terminal.

use std::fmt::{Error, Write};

/// Rows in columns as wide as what stands in them; the last one as long as it is.
pub(super) fn table(text: &mut String, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).filter(|head| !head.is_empty()).chain(rows).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        writeln!(text, "  {}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
