//! The CMDB audit report: its figures, each with its formula, counted in one pass over the population; and how a report
//! is filed, so that it proves itself later.

pub mod filing;
pub mod sampling;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ci::{Ci, CiClass, Lifecycle};
use crate::finding::{Finding, FindingKind, Views, findings};
use crate::ids::RequestId;

/// The version of the rules by which findings and figures are computed; it changes when a definition does.
pub const RULES: &str = "3";

/// A CI as the report lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub ci: Ci,
    /// Where it comes from; nothing for CIs without a deployment.
    pub origin: Option<Origin>,
    /// What the other views said of it: the evidence, from which the findings follow.
    pub evidence: Views,
    pub findings: Vec<Finding>,
    /// Why nobody knows whether its machine stands as it was built, since its site could not be looked at; nothing where
    /// that is known.
    pub not_evaluated: Option<String>,
}

impl Row {
    /// A CI with what the other views say of it, and with what follows from that by the rules at this instant.
    pub fn judged(
        ci: Ci,
        origin: Option<Origin>,
        evidence: Views,
        not_evaluated: Option<String>,
        at: DateTime<Utc>,
    ) -> Self {
        let findings = findings(&ci, &evidence, at);
        Self { ci, origin, evidence, findings, not_evaluated }
    }
}

/// The deployment that a CI belongs to, who ordered it, and who approved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub deployment: String,
    /// The number of the request; nothing when the order is not on record.
    pub request: Option<i64>,
    pub request_id: Option<RequestId>,
    pub requester: Option<String>,
    pub requested_at: Option<DateTime<Utc>>,
    /// Who approved, as far as it is on record.
    pub approvers: Vec<String>,
    /// Whether the order's plan asked nobody to approve.
    pub no_approval_needed: bool,
}

/// A live object of the ledger that the CMDB does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unregistered {
    pub kind: String,
    pub name: String,
    pub provider: String,
    pub deployment: String,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    pub part: u64,
    pub whole: u64,
}

impl Ratio {
    /// As people read it: `98.5 %`, or that there was nothing to measure.
    pub fn percent(self) -> String {
        if self.whole == 0 {
            return "nothing to measure".into();
        }
        // Rounded down, so that 100 % means all.
        let tenths = self.part.saturating_mul(1000) / self.whole;
        if tenths.is_multiple_of(10) {
            format!("{} %", tenths / 10)
        } else {
            format!("{}.{} %", tenths / 10, tenths % 10)
        }
    }

    /// Whether nothing is missing.
    pub fn is_whole(self) -> bool {
        self.part == self.whole
    }
}

/// CIs of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    pub current: u64,
    pub retired: u64,
}

/// CIs for which the same groups answer, and how many of them have findings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    pub cis: u64,
    pub with_findings: u64,
}

/// Who answers: the platform's group and the application's team; empty where nobody does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Responsible {
    pub platform: String,
    pub application: String,
}

/// Every figure of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub as_of: DateTime<Utc>,
    pub rules: Cow<'static, str>,
    /// CIs on record, whatever their stage of life.
    pub total: u64,
    /// CIs that are not retired.
    pub current: u64,
    pub retired: u64,
    /// Current CIs without any finding.
    pub sound: u64,
    /// Current CIs with at least one; each is counted once.
    pub with_findings: u64,
    /// Live objects of the ledger that ought to have a CI.
    pub objects: u64,
    /// Those of them that have one.
    pub registered: Ratio,
    /// Current CIs that have every required attribute.
    pub complete: Ratio,
    /// Current CIs whose machines could not be looked at.
    pub not_evaluated: u64,
    /// Of the other current CIs, those with no finding against their correctness.
    pub correct: Ratio,
    /// Current CIs with both responsibles.
    pub owned: Ratio,
    /// Current CIs of deployments whose order is on record.
    pub traced: Ratio,
    pub findings: BTreeMap<Cow<'static, str>, u64>,
    pub classes: BTreeMap<Cow<'static, str>, ClassCount>,
}

impl Figures {
    /// Whether the control totals add up.
    pub fn adds_up(&self) -> bool {
        let classes = self
            .classes
            .values()
            .fold((0, 0), |(current, retired), class| (current + class.current, retired + class.retired));
        self.total == self.current + self.retired
            && self.current == self.sound + self.with_findings
            && self.current == self.correct.whole + self.not_evaluated
            && classes == (self.current, self.retired)
            && self.objects == self.registered.part + self.findings[FindingKind::Unregistered.word()]
    }
}

/// Counts the population as it passes, and hashes it.
pub struct Counting {
    figures: Figures,
    duties: BTreeMap<Responsible, Duty>,
    hash: Sha256,
}

impl Counting {
    pub fn new(as_of: DateTime<Utc>) -> Self {
        let figures = Figures {
            as_of,
            rules: RULES.into(),
            total: 0,
            current: 0,
            retired: 0,
            sound: 0,
            with_findings: 0,
            objects: 0,
            registered: Ratio::default(),
            complete: Ratio::default(),
            not_evaluated: 0,
            correct: Ratio::default(),
            owned: Ratio::default(),
            traced: Ratio::default(),
            findings: FindingKind::REPORTED.iter().map(|kind| (kind.word().into(), 0)).collect(),
            classes: CiClass::ALL.iter().map(|class| (class.word().into(), ClassCount::default())).collect(),
        };
        Self { figures, duties: BTreeMap::new(), hash: Sha256::new() }
    }

    /// Takes the next CI into account.
    pub fn add(&mut self, row: &Row) {
        self.digest(row);
        let figures = &mut self.figures;
        figures.total += 1;
        let class = figures.classes.entry(row.ci.class.word().into()).or_default();
        if row.ci.lifecycle == Lifecycle::Retired {
            figures.retired += 1;
            class.retired += 1;
            return;
        }
        figures.current += 1;
        class.current += 1;
        for finding in &row.findings {
            *figures.findings.entry(finding.kind.word().into()).or_default() += 1;
        }
        let has = |wanted: &dyn Fn(FindingKind) -> bool| row.findings.iter().any(|finding| wanted(finding.kind));
        let sound = row.findings.is_empty();
        figures.sound += u64::from(sound);
        figures.with_findings += u64::from(!sound);
        figures.complete.count(!has(&|kind| kind == FindingKind::Incomplete));
        match row.not_evaluated {
            Some(_) => figures.not_evaluated += 1,
            None => figures.correct.count(!has(&FindingKind::against_correctness)),
        }
        figures.owned.count(!has(&|kind| kind == FindingKind::Ownerless));
        if let Some(origin) = &row.origin {
            figures.traced.count(origin.request.is_some());
        }
        let duty = self.duties.entry(Responsible::of(&row.ci)).or_default();
        duty.cis += 1;
        duty.with_findings += u64::from(!sound);
    }

    /// Takes the ledger's side into account: its live objects that ought to have a CI, and those that have none.
    pub fn add_objects(&mut self, objects: u64, unregistered: &[Unregistered]) {
        for object in unregistered {
            self.digest(object);
        }
        let missing = u64::try_from(unregistered.len()).unwrap_or(u64::MAX);
        self.figures.objects = objects;
        self.figures.registered = Ratio { part: objects.saturating_sub(missing), whole: objects };
        self.figures.findings.insert(FindingKind::Unregistered.word().into(), missing);
    }

    /// The figures, who answers for how much, and the SHA-256 over the rows, the unregistered objects and the
    /// figures, each as one line of JSON.
    pub fn finish(mut self) -> (Figures, Vec<(Responsible, Duty)>, String) {
        let figures = self.figures.clone();
        self.digest(&figures);
        (figures, self.duties.into_iter().collect(), hex::encode(self.hash.finalize()))
    }

    fn digest(&mut self, line: &impl Serialize) {
        self.hash.update(canonical(line));
        self.hash.update(b"\n");
    }
}

/// A part of the report as the line of JSON that is hashed.
pub fn canonical(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

impl Ratio {
    fn count(&mut self, good: bool) {
        self.whole += 1;
        self.part += u64::from(good);
    }
}

impl Responsible {
    fn of(ci: &Ci) -> Self {
        Self {
            platform: ci.platform.clone().unwrap_or_default(),
            application: ci.application.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row(lifecycle: Lifecycle, findings: &[FindingKind]) -> Row {
        let ci = Ci {
            id: Uuid::nil().into(),
            key: "k".into(),
            class: CiClass::Server,
            name: "shop-1".into(),
            lifecycle,
            project: Uuid::nil().into(),
            deployment: None,
            platform: Some("ops-platform".into()),
            application: None,
            gaps: Vec::new(),
            misfits: Vec::new(),
            created_at: DateTime::UNIX_EPOCH,
            changed_at: DateTime::UNIX_EPOCH,
            retired_at: None,
        };
        let findings = findings.iter().map(|kind| Finding { kind: *kind, detail: String::new() }).collect();
        Row { ci, origin: None, evidence: Views::default(), findings, not_evaluated: None }
    }

    fn counted(rows: &[Row]) -> (Figures, String) {
        let mut counting = Counting::new(DateTime::UNIX_EPOCH);
        rows.iter().for_each(|row| counting.add(row));
        counting.add_objects(4, &[]);
        let (figures, _, hash) = counting.finish();
        (figures, hash)
    }

    #[test]
    fn a_ci_with_two_findings_counts_once_and_the_totals_add_up() {
        let rows = [
            row(Lifecycle::Operational, &[FindingKind::Ghost, FindingKind::Ownerless]),
            row(Lifecycle::Operational, &[]),
            row(Lifecycle::Retired, &[]),
        ];
        let (figures, _) = counted(&rows);
        assert!(figures.adds_up());
        assert_eq!((figures.total, figures.current, figures.with_findings), (3, 2, 1));
        assert_eq!((figures.correct, figures.owned), (Ratio { part: 1, whole: 2 }, Ratio { part: 1, whole: 2 }));
    }

    #[test]
    fn what_could_not_be_looked_at_is_neither_right_nor_wrong() {
        let unseen = Row { not_evaluated: Some("dc1 is away.".into()), ..row(Lifecycle::Operational, &[]) };
        let (figures, _) = counted(&[unseen, row(Lifecycle::Operational, &[FindingKind::Gone])]);
        assert!(figures.adds_up());
        assert_eq!((figures.not_evaluated, figures.correct), (1, Ratio { part: 0, whole: 1 }));
    }

    #[test]
    fn the_hash_tells_when_anything_in_the_report_differs() {
        let (_, one) = counted(&[row(Lifecycle::Operational, &[])]);
        let (_, same) = counted(&[row(Lifecycle::Operational, &[])]);
        let (_, other) = counted(&[row(Lifecycle::Operational, &[FindingKind::Ghost])]);
        assert_eq!(one, same);
        assert_ne!(one, other);
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(Ratio { part: 99_999, whole: 100_000 }.percent(), "99.9 %");
        assert_eq!(Ratio { part: 3, whole: 3 }.percent(), "100 %");
        assert_eq!(Ratio::default().percent(), "nothing to measure");
    }
}
