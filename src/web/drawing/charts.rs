//! Small charts: amounts as bars, shares as one bar of parts.

use super::Drawing;
use super::svg::{Canvas, escaped, shortened};
use crate::look::Meaning;

/// Amounts as horizontal bars: (name, amount, the amount as people read it), in the order given.
pub fn bars(rows: &[(String, f64, String)], label: &str) -> Drawing {
    const WIDTH: f64 = 480.0;
    const NAMES: f64 = 150.0;
    const AMOUNTS: f64 = 84.0;
    const ROW: f64 = 28.0;
    let most = rows.iter().map(|row| row.1).fold(0.0, f64::max);
    let mut canvas = Canvas::picture(WIDTH, ROW * rows.len().max(1) as f64, "chart", label);
    for (at, (name, amount, words)) in rows.iter().enumerate() {
        let y = at as f64 * ROW;
        let room = WIDTH - NAMES - AMOUNTS;
        let long = if most > 0.0 { (amount / most).clamp(0.0, 1.0) * room } else { 0.0 };
        canvas.put(format_args!(
            r#"<text class="chart-label" x="0" y="{:.1}">{}</text><rect class="chart-ground" x="{NAMES}" y="{:.1}" width="{room}" height="10" rx="3"/>"#,
            y + 18.0,
            escaped(&shortened(name, 20)),
            y + 9.0
        ));
        canvas.put(format_args!(
            r#"<rect class="chart-bar" x="{NAMES}" y="{:.1}" width="{long:.1}" height="10" rx="3"/><text class="chart-value" x="{:.1}" y="{:.1}">{}</text>"#,
            y + 9.0,
            WIDTH - AMOUNTS + 10.0,
            y + 18.0,
            escaped(words)
        ));
    }
    canvas.finish()
}

/// One share of a whole.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub amount: f64,
    pub state: Meaning,
}

/// Shares of a whole as one bar; the page writes the legend beside it.
pub fn stacked(parts: &[Part], label: &str) -> Drawing {
    const WIDTH: f64 = 480.0;
    const HEIGHT: f64 = 18.0;
    let whole: f64 = parts.iter().map(|part| part.amount.max(0.0)).sum();
    let mut canvas = Canvas::picture(WIDTH, HEIGHT, "chart", label);
    let mut x = 0.0;
    for part in parts.iter().filter(|part| part.amount > 0.0) {
        let wide = part.amount / whole * WIDTH;
        canvas.put(format_args!(
            r#"<rect class="part {}" x="{x:.1}" y="0" width="{wide:.1}" height="{HEIGHT}"><title>{}: {}</title></rect>"#,
            part.state.class(),
            escaped(&part.name),
            part.amount
        ));
        x += wide;
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_its_room_and_names_are_escaped() {
        let rows = [("<b>".to_owned(), 4.0, "4".to_owned()), ("b".to_owned(), 2.0, "2".to_owned())];
        let drawing = bars(&rows, "Bars").to_string();
        assert!(drawing.contains(r#"width="246.0""#) && drawing.contains(r#"width="123.0""#));
        assert!(drawing.contains("&lt;b&gt;"));
    }

    #[test]
    fn parts_fill_the_whole_and_empty_ones_are_left_out() {
        let part = |name: &str, amount, state| Part { name: name.to_owned(), amount, state };
        let parts = [
            part("done", 3.0, Meaning::Done),
            part("failed", 0.0, Meaning::Failed),
            part("open", 1.0, Meaning::Waiting),
        ];
        let drawing = stacked(&parts, "States").to_string();
        assert_eq!(drawing.matches("<rect").count(), 2);
        assert!(drawing.contains(r#"width="360.0""#));
    }
}
