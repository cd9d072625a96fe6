//! Filing a report: it is kept as it was, with the evidence of each finding, and chained to the one filed before. Whoever
//! doubts it has it judged again from that evidence.

use std::io::{Read, Write};
use std::sync::Arc;

use chrono::TimeDelta;
use domain::audit::{Actor, Note};
use domain::audit_report::filing::{Broken, Draft, Filing};
use domain::audit_report::sampling::Draw;
use domain::audit_report::{Counting, Figures, Row, canonical};
use domain::ids::CiId;
use domain::person::{Principal, Role, Scope};
use domain::trouble::Trouble;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::audit_report::filing::Kept;
use uuid::Uuid;

use super::{AuditReport, PAGE, STRIDE, of_scope};
use crate::{App, audit, database};

/// Filed reports that are listed at once.
const LISTED: u64 = 50;
/// Filed reports whose chain is walked at once.
const WALKED: u64 = 500;
/// CIs that are named when a report comes to something else.
const NAMED: usize = 10;
/// How old the parts of a report are that nobody is filing any more.
const LEFT: TimeDelta = TimeDelta::days(1);

/// A filed report in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub filing: Filing,
    pub figures: Figures,
}

/// What judging a filed report again came to.
#[derive(Debug)]
pub struct Rerun {
    pub filing: Filing,
    /// The version of the rules by which it was judged now.
    pub rules: String,
    /// The hash of what it says now.
    pub sha256: String,
    /// Whether what is kept of it is what was filed, to the byte.
    pub whole: bool,
    /// Whether its sample is what its seed draws from its CIs.
    pub drawn: bool,
    /// How many CIs have other findings now than the report says, and the first of them by name.
    pub differing: u64,
    pub named: Vec<(CiId, String)>,
}

impl Rerun {
    /// Whether it says the very same.
    pub fn is_same(&self) -> bool {
        self.whole && self.drawn && self.differing == 0 && self.sha256 == self.filing.sha256
    }
}

/// Files the report of everything as it stands now.
pub async fn file(app: &App, who: &Principal) -> Result<Filing, Trouble> {
    if !may_file(who) {
        return Err(Trouble::forbidden("Only auditors and administrators file reports.", "Ask one of them."));
    }
    file_as(app, Actor::person(who, "portal")).await
}

/// Whether the person may file reports.
pub fn may_file(who: &Principal) -> bool {
    who.has_everywhere(Role::Auditor) || who.has_everywhere(Role::Administrator)
}

/// Files the report in the name of somebody who was let in elsewhere: the clock, or whoever has a shell on the server.
pub async fn file_as(app: &App, actor: Actor) -> Result<Filing, Trouble> {
    let mut binder = Binder::new(app.clone());
    let report = of_scope(app, Scope::Everything, None, Some(&mut binder)).await?;
    binder.close(&report, actor).await
}

/// Filed reports before the one of this number, the newest first.
pub async fn filed(app: &App, who: &Principal, before: Option<i64>) -> Result<Vec<Listed>, Trouble> {
    must_see_everything(who)?;
    let listed = store::audit_report::filing::list(&app.store, before, LISTED).await.map_err(database)?;
    let read = |it: store::audit_report::filing::Listed| {
        let figures = serde_json::from_str(&it.figures).map_err(Trouble::bug)?;
        Ok(Listed { filing: it.filing, figures })
    };
    listed.into_iter().map(read).collect()
}

/// A filed report as it was.
pub async fn show(app: &App, who: &Principal, number: i64) -> Result<Arc<AuditReport>, Trouble> {
    must_see_everything(who)?;
    let kept = find(app, number).await?;
    let mut report: AuditReport = serde_json::from_slice(&unpack(&kept.report)?).map_err(Trouble::bug)?;
    report.filed = Some((kept.filing, kept.draft));
    Ok(Arc::new(report))
}

/// A page of a filed report's population, from this place in it, and where the next page begins.
pub async fn page(
    app: &App,
    who: &Principal,
    number: i64,
    from: usize,
) -> Result<(Filing, Vec<Row>, Option<usize>), Trouble> {
    must_see_everything(who)?;
    let kept = find(app, number).await?;
    let part = i64::try_from(from / STRIDE).map_err(Trouble::bug)?;
    let rows = rows_of(app, kept.draft, part).await?.unwrap_or_default();
    let shown: Vec<Row> = rows.into_iter().skip(from % STRIDE).take(PAGE).collect();
    let next = from + shown.len();
    let is_last = shown.is_empty() || i64::try_from(next).map_err(Trouble::bug)? >= kept.filing.cis;
    Ok((kept.filing, shown, (!is_last).then_some(next)))
}

/// The rows of a part of a filed report; nothing after the last part.
pub(super) async fn rows_of(app: &App, draft: Uuid, part: i64) -> Result<Option<Vec<Row>>, Trouble> {
    let Some(packed) = store::audit_report::filing::part(&app.store, draft, part).await.map_err(database)? else {
        return Ok(None);
    };
    let lines = unpack(&packed)?;
    let rows = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    rows.map(|line| serde_json::from_slice(line).map_err(Trouble::bug)).collect::<Result<_, _>>().map(Some)
}

/// Judges a filed report again, by the rules of today, from the evidence that was filed with it.
pub async fn rerun(app: &App, who: &Principal, number: i64) -> Result<Rerun, Trouble> {
    must_see_everything(who)?;
    judge_again(app, number).await
}

/// The same, for whoever has a shell on the server.
pub async fn judge_again(app: &App, number: i64) -> Result<Rerun, Trouble> {
    let kept = find(app, number).await?;
    let report = unpack(&kept.report)?;
    let filed: AuditReport = serde_json::from_slice(&report).map_err(Trouble::bug)?;
    let at = filed.figures.as_of;
    let (mut counting, mut contents) = (Counting::new(at), Sha256::new());
    let mut draw = Draw::new(filed.sample.as_ref().map_or("", |sample| &sample.seed));
    let (mut differing, mut named) = (0, Vec::new());
    let mut part = 0;
    while let Some(rows) = rows_of(app, kept.draft, part).await? {
        for row in rows {
            contents.update(line(&row));
            let said = row.findings;
            let again = Row::judged(row.ci, row.origin, row.evidence, row.not_evaluated, at);
            if again.findings != said {
                differing += 1;
                if named.len() < NAMED {
                    named.push((again.ci.id, again.ci.name.clone()));
                }
            }
            draw.pass(&again);
            counting.add(&again);
        }
        part += 1;
    }
    contents.update(&report);
    counting.add_objects(filed.figures.objects, &filed.unregistered);
    let (figures, _, sha256) = counting.finish();
    let whole = hex::encode(contents.finalize()) == kept.filing.contents;
    let drawn = filed.sample.is_none_or(|sample| sample.cis == draw.finish());
    Ok(Rerun { whole, drawn, rules: figures.rules.into_owned(), sha256, differing, named, filing: kept.filing })
}

/// Walks the chain of all filed reports: how many there are, and the last one's hash; or where the chain is broken.
pub async fn verify(app: &App) -> Result<Result<Option<Filing>, Broken>, Trouble> {
    let mut last: Option<Filing> = None;
    loop {
        let number = last.as_ref().map_or(0, |last| last.number);
        let next = store::audit_report::filing::after(&app.store, number, WALKED).await.map_err(database)?;
        if next.is_empty() {
            return Ok(Ok(last));
        }
        for filing in next {
            if let Err(broken) = filing.follows(last.as_ref()) {
                return Ok(Err(broken));
            }
            last = Some(filing);
        }
    }
}

fn must_see_everything(who: &Principal) -> Result<(), Trouble> {
    if who.scope() == Scope::Everything {
        return Ok(());
    }
    // A filed report tells of every tenant.
    Err(Trouble::forbidden(
        "Filed reports tell of everything, and you may see some projects.",
        "The report as it stands now tells of yours.",
    ))
}

async fn find(app: &App, number: i64) -> Result<Kept, Trouble> {
    let kept = store::audit_report::filing::find(&app.store, number).await.map_err(database)?;
    kept.ok_or_else(|| Trouble::not_found("filed report"))
}

/// Binds a report as it is compiled: its population part by part, so that memory stays flat.
pub(super) struct Binder {
    app: App,
    draft: Uuid,
    parts: i64,
    cis: i64,
    contents: Sha256,
}

impl Binder {
    fn new(app: App) -> Self {
        Self { app, draft: store::fresh_id(), parts: 0, cis: 0, contents: Sha256::new() }
    }

    /// Keeps the next stretch of the population.
    pub(super) async fn keep(&mut self, rows: &[Row]) -> Result<(), Trouble> {
        let lines: String = rows.iter().map(line).collect();
        self.contents.update(&lines);
        let packed = pack(lines.as_bytes())?;
        let now = self.app.clock.now();
        let tx = self.app.store.begin_step().await.map_err(database)?;
        store::audit_report::filing::keep_part(&tx, self.draft, self.parts, packed, now).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        self.parts += 1;
        self.cis += i64::try_from(rows.len()).map_err(Trouble::bug)?;
        Ok(())
    }

    /// Gives the report its number and its place in the chain.
    async fn close(mut self, report: &AuditReport, actor: Actor) -> Result<Filing, Trouble> {
        let said = serde_json::to_vec(report).map_err(Trouble::bug)?;
        self.contents.update(&said);
        let draft = Draft {
            by: actor.name.clone(),
            as_of: report.figures.as_of,
            rules: report.figures.rules.clone().into_owned(),
            cis: self.cis,
            sha256: report.sha256.clone(),
            contents: hex::encode(self.contents.finalize()),
        };
        let packed = pack(&said)?;
        let now = self.app.clock.now();
        let tx = self.app.store.begin().await.map_err(database)?;
        store::audit_report::filing::sweep(&tx, now - LEFT).await.map_err(database)?;
        let last = store::audit_report::filing::last(&tx).await.map_err(database)?;
        let filing = Filing::chained(draft, now, last.as_ref());
        let kept = Kept { filing: filing.clone(), draft: self.draft, report: packed };
        store::audit_report::filing::insert(&tx, kept, canonical(&report.figures)).await.map_err(database)?;
        let subject = format!("audit report {}", filing.number);
        // The audit log has the hash as well, so that a report cut off the end of the chain is missed.
        let data = json!({ "as_of": filing.as_of, "cis": filing.cis, "sha256": filing.sha256, "hash": filing.hash });
        audit::note(&self.app, &tx, Note { actor, action: "audit_report.filed", subject, project: None, data }).await?;
        tx.commit().await.map_err(database)?;
        Ok(filing)
    }
}

fn line(row: &Row) -> String {
    format!("{}\n", canonical(row))
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.finish()).map_err(Trouble::bug)
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).map_err(Trouble::bug)?;
    Ok(bytes)
}
