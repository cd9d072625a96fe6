//! Small charts: amounts as bars, shares as one bar of parts.

use super::Drawing;
use super::svg::{Canvas, escaped, shortened};
use crate::look::Meaning;

/// Amounts as horizontal bars: (name, amount, the amount as people read it), in the order given.
pub fn bars(rows: &[(String, f64, String)], label: &str) -> Drawing {
    let row = |(name, amount, words): &(String, f64, String)| Row {
        name: name.clone(),
        parts: vec![(*amount, "chart-bar", String::new())],
        words: words.clone(),
    };
    rows_of(&rows.iter().map(row).collect::<Vec<_>>(), label)
}

/// Amounts in parts, each a bar of them: (name, parts, the whole as people read it), in the order given.
pub fn parted_bars(rows: &[(String, Vec<Part>, String)], label: &str) -> Drawing {
    let part = |part: &Part| (part.amount, crate::look::tint(&part.state), part.name.clone());
    let row = |(name, parts, words): &(String, Vec<Part>, String)| Row {
        name: name.clone(),
        parts: parts.iter().map(part).collect(),
        words: words.clone(),
    };
    rows_of(&rows.iter().map(row).collect::<Vec<_>>(), label)
}

/// A bar: its name, its parts (amount, class, what it is), and the whole as people read it.
struct Row {
    name: String,
    parts: Vec<(f64, &'static str, String)>,
    words: String,
}

fn rows_of(rows: &[Row], label: &str) -> Drawing {
    const WIDTH: f64 = 480.0;
    const NAMES: f64 = 168.0;
    const AMOUNTS: f64 = 96.0;
    const ROW: f64 = 28.0;
    let whole = |row: &Row| row.parts.iter().map(|part| part.0).sum::<f64>();
    let most = rows.iter().map(whole).fold(0.0, f64::max);
    let told: Vec<String> = rows.iter().map(|row| format!("{} {}", row.name, row.words)).collect();
    let label = format!("{label}: {}", told.join("; "));
    let mut canvas = Canvas::picture(WIDTH, ROW * rows.len().max(1) as f64, "chart", &label);
    let room = WIDTH - NAMES - AMOUNTS;
    for (at, row) in rows.iter().enumerate() {
        let y = at as f64 * ROW;
        canvas.put(format_args!(
            r#"<text class="chart-label" x="0" y="{:.1}">{}</text><rect class="chart-ground" x="{NAMES}" y="{:.1}" width="{room}" height="10" rx="3"/>"#,
            y + 18.0,
            escaped(&shortened(&row.name, 22)),
            y + 9.0
        ));
        let mut x = NAMES;
        for (amount, class, what) in &row.parts {
            let long = if most > 0.0 { (amount / most).clamp(0.0, 1.0) * room } else { 0.0 };
            canvas.put(format_args!(
                r#"<rect class="part {class}" x="{x:.1}" y="{:.1}" width="{long:.1}" height="10" rx="3"><title>{}</title></rect>"#,
                y + 9.0,
                escaped(what)
            ));
            x += long;
        }
        canvas.put(format_args!(
            r#"<text class="chart-value" x="{:.1}" y="{:.1}">{}</text>"#,
            WIDTH - AMOUNTS + 10.0,
            y + 18.0,
            escaped(&row.words)
        ));
    }
    canvas.finish()
}

/// A column of [`columns`]: what went well, and above it what did not.
#[derive(Clone, Debug)]
pub struct Column {
    /// What the column stands for, `23 Nov`.
    pub name: String,
    pub well: u64,
    pub failed: u64,
}

/// Amounts side by side as they follow each other; failures are marked with a cross above their column.
pub fn columns(columns: &[Column], label: &str) -> Drawing {
    const STEP: f64 = 16.0;
    const FLOOR: f64 = 84.0;
    const TALLEST: f64 = 68.0;
    let width = STEP * columns.len().max(1) as f64;
    let most = columns.iter().map(|column| column.well + column.failed).max().unwrap_or(0).max(1);
    let tall = |amount: u64| amount as f64 / most as f64 * TALLEST;
    let mut canvas = Canvas::picture(width, FLOOR + 22.0, "chart", label);
    for (at, column) in columns.iter().enumerate() {
        let (x, well, failed) = (at as f64 * STEP + 2.0, tall(column.well), tall(column.failed));
        canvas.put(format_args!(
            r#"<g><title>{}: {} runs, {} failed</title><rect class="chart-ground" x="{x}" y="{:.1}" width="12" height="2"/>"#,
            escaped(&column.name),
            column.well + column.failed,
            column.failed,
            FLOOR - 2.0
        ));
        if column.well > 0 {
            let top = FLOOR - well;
            canvas.put(format_args!(
                r#"<rect class="chart-bar" x="{x}" y="{top:.1}" width="12" height="{well:.1}" rx="2"/>"#
            ));
        }
        if column.failed > 0 {
            let top = FLOOR - well - failed;
            canvas.put(format_args!(
                r#"<rect class="part is-failed" x="{x}" y="{top:.1}" width="12" height="{failed:.1}" rx="2"/><path class="chart-mark" d="M{:.1} {:.1}l6 6m0 -6l-6 6"/>"#,
                x + 3.0,
                top - 10.0
            ));
        }
        canvas.put(format_args!("</g>"));
    }
    for (column, x, anchor) in [(columns.first(), 0.0, "start"), (columns.last(), width, "end")] {
        let name = escaped(column.map_or("", |column| column.name.as_str()));
        let y = FLOOR + 17.0;
        canvas.put(format_args!(r#"<text class="chart-value" x="{x}" y="{y}" text-anchor="{anchor}">{name}</text>"#));
    }
    canvas.finish()
}

/// How a share went from one look to the next: (what the look is called, the share from 0 to 1 where there was one, the share as
/// people read it), the oldest first. The last is written out.
pub fn trend(points: &[(String, Option<f64>, String)], label: &str) -> Drawing {
    const WIDTH: f64 = 240.0;
    const ROOM: f64 = 168.0;
    const TOP: f64 = 8.0;
    const TALL: f64 = 40.0;
    let told: Vec<String> = points.iter().map(|(name, _, words)| format!("{name} {words}")).collect();
    let mut canvas = Canvas::picture(WIDTH, TALL + 2.0 * TOP, "chart", &format!("{label}: {}", told.join("; ")));
    let step = ROOM / (points.len().max(2) - 1) as f64;
    let places: Vec<(f64, f64, usize)> = points
        .iter()
        .enumerate()
        .filter_map(|(at, (_, share, _))| share.map(|share| (at as f64 * step + 4.0, TOP + (1.0 - share) * TALL, at)))
        .collect();
    let line: Vec<String> = places.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    canvas.put(format_args!(
        r#"<path class="chart-floor" d="M0 {:.1}h{:.1}"/><polyline class="chart-line" points="{}"/>"#,
        TOP + TALL,
        ROOM + 8.0,
        line.join(" ")
    ));
    for (x, y, at) in places {
        let (name, _, words) = &points[at];
        canvas.put(format_args!(
            r#"<circle class="chart-bar" cx="{x:.1}" cy="{y:.1}" r="3"><title>{}: {}</title></circle>"#,
            escaped(name),
            escaped(words)
        ));
    }
    if let Some((_, _, words)) = points.last() {
        canvas.put(format_args!(
            r#"<text class="chart-value" x="{:.1}" y="{:.1}">{}</text>"#,
            ROOM + 16.0,
            TOP + TALL / 2.0 + 4.0,
            escaped(&shortened(words, 10))
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
            crate::look::tint(&part.state),
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
        assert!(drawing.contains(r#"width="216.0""#) && drawing.contains(r#"width="108.0""#));
        assert!(drawing.contains("aria-label=\"Bars: &lt;b&gt; 4; b 2\""), "it is read aloud with its amounts");
        assert!(drawing.contains("&lt;b&gt;"));
    }

    #[test]
    fn a_day_with_failures_is_marked_by_more_than_its_colour() {
        let day = |failed| Column { name: "23 Nov".to_owned(), well: 2, failed };
        assert!(!columns(&[day(0)], "Runs").to_string().contains("chart-mark"));
        assert!(columns(&[day(1)], "Runs").to_string().contains("chart-mark"));
    }

    #[test]
    fn a_share_that_was_not_measured_has_no_point_and_all_are_read_aloud() {
        let point = |name: &str, share, words: &str| (name.to_owned(), share, words.to_owned());
        let points = [
            point("Report 1", Some(0.5), "50 %"),
            point("Report 2", None, "nothing to measure"),
            point("Report 3", Some(1.0), "100 %"),
        ];
        let drawing = trend(&points, "Complete").to_string();
        assert_eq!(drawing.matches("<circle").count(), 2);
        assert!(drawing.contains("Report 1 50 %; Report 2 nothing to measure; Report 3 100 %"));
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
