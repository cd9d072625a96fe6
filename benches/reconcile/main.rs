//! How fast two views of CIs are reconciled, read from lines of JSON that are sorted by key.
//!
//! `cargo bench -p domain --bench reconcile -- FOLDER` reads both side by side and holds none of them; with `--loaded` it
//! holds both and compares them then, which tells the comparison's own time. Each prints a line of JSON.
//! `benches/reconcile/compare.py` makes the files and puts others beside it.

use std::fs::File;
use std::io::{BufRead, BufReader, Error};
use std::path::Path;
use std::time::Instant;

use domain::ci::CiClass;
use domain::reconcile::coverage::Coverage;
use domain::reconcile::judge::reconcile;
use domain::reconcile::merge::Fault;
use domain::reconcile::record::Record;
use domain::reconcile::rules::Rules;
use domain::reconcile::totals::{ClassTotals, Totals};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// The records of a file, line by line.
struct Lines {
    file: BufReader<File>,
    line: String,
}

impl Lines {
    fn of(folder: &str, view: &str) -> Result<Self, Error> {
        let path = Path::new(folder).join(format!("{view}.ndjson"));
        Ok(Self { file: BufReader::with_capacity(1 << 20, File::open(path)?), line: String::new() })
    }
}

impl Iterator for Lines {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line.clear();
        match self.file.read_line(&mut self.line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&self.line).map_err(Error::from)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// What a comparison came to, and how many differences it told of.
type Told = (Totals, usize);

fn compared<R, C>(reality: R, cmdb: C) -> Result<Told, Fault<Error>>
where
    R: Iterator<Item = Result<Record, Error>>,
    C: Iterator<Item = Result<Record, Error>>,
{
    let (rules, coverage) = (Rules::standard(), Coverage::default().looked(CiClass::VirtualMachine, "all", true));
    let mut differences = Vec::new();
    let none = std::iter::empty();
    let outcome = reconcile(none, reality, cmdb, (rules, &coverage), |difference| differences.push(difference))?;
    Ok((outcome.totals, differences.len()))
}

/// Processor time of this process in milliseconds, and the most memory that it held, in megabytes.
fn spent() -> Result<(f64, f64), Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Of `man 5 proc`, fields 14 and 15, in hundredths of a second.
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok((ticks * 10.0, peak.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0))
}

/// Compares what is held so often that hundredths of a second tell its processor time.
const TIMES: u32 = 10;

fn main() -> Result<(), Failure> {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let folder = arguments.iter().find(|it| !it.starts_with("--")).ok_or("name the folder of the files")?;
    let begun = Instant::now();
    let (told, read, diff, diff_cpu) = if arguments.iter().any(|it| it == "--loaded") {
        let load = |view| Lines::of(folder, view)?.collect::<Result<Vec<Record>, Error>>();
        let (reality, cmdb) = (load("reality")?, load("cmdb")?);
        let read = begun.elapsed();
        let (mut told, mut diff, mut diff_cpu) = (None, 0.0, 0.0);
        for _ in 0..TIMES {
            let (reality, cmdb) = (reality.clone().into_iter().map(Ok), cmdb.clone().into_iter().map(Ok));
            let (started, before) = (Instant::now(), spent()?.0);
            told = Some(compared(reality, cmdb)?);
            diff += started.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES);
            diff_cpu += (spent()?.0 - before) / f64::from(TIMES);
        }
        (told, read, diff, diff_cpu)
    } else {
        let told = compared(Lines::of(folder, "reality")?, Lines::of(folder, "cmdb")?)?;
        (Some(told), begun.elapsed(), 0.0, 0.0)
    };
    let (totals, differences) = told.unwrap_or_default();
    if !totals.add_up() {
        return Err(format!("the totals do not add up: {totals:?}").into());
    }
    let (cpu, peak) = spent()?;
    let ClassTotals { differing, missing, ghost, attributes, .. } = totals.sum();
    let line = json!({
        "changed": differing, "missing": missing, "extra": ghost, "attributes": attributes, "differences": differences,
        "read_ms": read.as_secs_f64() * 1e3, "diff_ms": diff, "diff_cpu_ms": diff_cpu,
        "all_ms": read.as_secs_f64() * 1e3 + diff, "cpu_ms": cpu, "peak_mb": peak,
    });
    println!("{line}");
    Ok(())
}
