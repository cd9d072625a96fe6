//! The report as XLSX: a sheet for each of its tables, each finding, and each CI. Rows are written to disk as they are read, so
//! that memory stays flat.

use std::fs::File;
use std::io::Seek;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use app::App;
use app::audit_report::AuditReport;
use domain::audit_report::Row;
use domain::person::Principal;
use domain::trouble::Trouble;
use futures::{Stream, TryStreamExt};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::spawn_blocking;

use super::files::{COLUMNS, ci_cells, name};
use super::tables::{self, Cell, Table};
use crate::problem::Problem;

/// The rows of a sheet that Excel opens, without its head.
const MOST: u32 = 1_048_575;
/// Pages of rows that are read ahead.
const AHEAD: usize = 2;
/// Bytes of the file that are sent at once.
const PIECE: usize = 64 * 1024;
/// Characters of a cell that Excel opens.
const CELL: usize = 32_767;

/// The report as XLSX.
pub(super) async fn xlsx_of(app: Data<App>, who: Principal, report: Arc<AuditReport>) -> Result<HttpResponse, Problem> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let name = name(&report, "xlsx");
    let mut pages = Box::pin(app::audit_report::population(App::clone(&app), who, &report));
    let writing = spawn_blocking(move || write(&report, receiver));
    while let Some(rows) = pages.try_next().await? {
        // Whoever writes is gone only when it failed, which it says itself.
        if sender.send(rows).await.is_err() {
            break;
        }
    }
    drop(sender);
    let file = writing.await.map_err(Trouble::bug)?.map_err(Trouble::bug)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(pieces(file)))
}

/// The file piece by piece.
fn pieces(file: File) -> impl Stream<Item = Result<Bytes, Trouble>> {
    futures::stream::try_unfold(tokio::fs::File::from_std(file), |mut file| async {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await.map_err(Trouble::bug)?;
        piece.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(piece), file)))
    })
}

/// Writes the whole workbook into a file that is gone when it is closed.
fn write(report: &AuditReport, pages: Receiver<Vec<Row>>) -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
    let mut workbook = Workbook::new();
    about(workbook.add_worksheet(), report)?;
    for table in [
        tables::engines(report),
        tables::running(report),
        tables::figures(report),
        tables::totals(report),
        tables::kinds(report),
        tables::unregistered(report),
        tables::duties(report),
        tables::sites(report),
        tables::orders(report),
        tables::changes(report),
        Table { title: "Sample of CIs", ..tables::drawn_cis(report) },
        Table { title: "Sample of things", ..tables::drawn_things(report) },
    ] {
        let head: Vec<&str> = table.head.iter().map(|head| head.0).collect();
        let mut sheet = Sheet::begin(workbook.add_worksheet(), table.title, &head)?;
        widths(sheet.sheet, &table)?;
        table.rows.iter().try_for_each(|row| sheet.add(row))?;
    }
    population(&mut workbook, pages)?;
    let mut file = tempfile::tempfile()?;
    workbook.save_to_writer(&mut file)?;
    file.rewind()?;
    Ok(file)
}

/// What the workbook is.
fn about(sheet: &mut Worksheet, report: &AuditReport) -> Result<(), XlsxError> {
    sheet.set_name("Report")?.set_column_width(0, 18)?.set_column_width(1, 90)?;
    let bold = Format::new().set_bold();
    let mut facts = vec![
        (
            "Report",
            report
                .filing()
                .map_or_else(|| "CMDB audit report".to_owned(), |it| format!("CMDB audit report {}", it.number)),
        ),
        ("As of", tables::second(report.figures.as_of)),
        ("Scope", if report.everything { "Everything on record" } else { "Some projects" }.to_owned()),
        ("Rules", report.figures.rules.to_string()),
        ("SHA-256", report.sha256.clone()),
        ("Seed of the samples", report.sample.as_ref().map(|sample| sample.seed.clone()).unwrap_or_default()),
    ];
    if let Some(filing) = report.filing() {
        facts.extend([
            ("Filed", tables::second(filing.filed_at)),
            ("Filed by", filing.by.clone()),
            ("Seal", filing.hash.clone()),
            ("Seal before", filing.previous.clone()),
        ]);
    }
    for (row, (name, value)) in (0..).zip(facts) {
        sheet.write_string_with_format(row, 0, name, &bold)?.write_string(row, 1, value)?;
    }
    Ok(())
}

fn widths(sheet: &mut Worksheet, table: &Table) -> Result<(), XlsxError> {
    for (column, (_, share)) in (0..).zip(&table.head) {
        sheet.set_column_width(column, f64::from(share * 14.0).max(10.0))?;
    }
    Ok(())
}

/// Each finding and each CI, page by page as they come, on as many sheets as they need.
fn population(workbook: &mut Workbook, mut pages: Receiver<Vec<Row>>) -> Result<(), XlsxError> {
    let mut cis = Series::begin(workbook, "CIs", COLUMNS.to_vec())?;
    let mut findings = Series::begin(workbook, "Findings", tables::FINDINGS.map(|head| head.0).to_vec())?;
    while let Some(rows) = pages.blocking_recv() {
        for row in rows {
            cis.add(workbook, &ci_cells(&row).map(Cell::Words))?;
            tables::finding(&row).iter().try_for_each(|cells| findings.add(workbook, cells))?;
        }
    }
    for sheet in findings.sheets.into_iter().chain(cis.sheets) {
        workbook.push_worksheet(sheet);
    }
    Ok(())
}

/// A table of any length: a sheet, and another one when that is full.
struct Series {
    title: &'static str,
    head: Vec<&'static str>,
    sheets: Vec<Worksheet>,
    row: u32,
}

impl Series {
    fn begin(workbook: &mut Workbook, title: &'static str, head: Vec<&'static str>) -> Result<Self, XlsxError> {
        let mut series = Self { title, head, sheets: Vec::new(), row: 0 };
        series.turn(workbook)?;
        Ok(series)
    }

    fn turn(&mut self, workbook: &mut Workbook) -> Result<(), XlsxError> {
        let number = self.sheets.len() + 1;
        let title = if number == 1 { self.title.to_owned() } else { format!("{} {number}", self.title) };
        let mut sheet = workbook.new_worksheet_with_constant_memory()?;
        self.row = Sheet::begin(&mut sheet, &title, &self.head)?.row;
        self.sheets.push(sheet);
        Ok(())
    }

    fn add(&mut self, workbook: &mut Workbook, cells: &[Cell]) -> Result<(), XlsxError> {
        if self.row > MOST {
            self.turn(workbook)?;
        }
        if let Some(sheet) = self.sheets.last_mut() {
            let mut sheet = Sheet { sheet, row: self.row };
            sheet.add(cells)?;
            self.row = sheet.row;
        }
        Ok(())
    }
}

/// A sheet that is written row by row.
struct Sheet<'a> {
    sheet: &'a mut Worksheet,
    /// The next row.
    row: u32,
}

impl<'a> Sheet<'a> {
    fn begin(sheet: &'a mut Worksheet, title: &str, head: &[&str]) -> Result<Self, XlsxError> {
        let bold = Format::new().set_bold();
        sheet.set_name(title)?.set_freeze_panes(1, 0)?;
        for (column, text) in (0..).zip(head) {
            sheet.write_string_with_format(0, column, *text, &bold)?;
        }
        Ok(Self { sheet, row: 1 })
    }

    fn add(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Number(number) => self.sheet.write_number(self.row, column, *number as f64)?,
                // Written as text, so that no name is taken for a formula.
                Cell::Words(words) => self.sheet.write_string(self.row, column, fitting(words))?,
            };
        }
        self.row += 1;
        Ok(())
    }
}

/// As much of a text as a cell holds.
fn fitting(words: &str) -> &str {
    match words.char_indices().nth(CELL) {
        Some((end, _)) => &words[..end],
        None => words,
    }
}
