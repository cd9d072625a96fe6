//! Findings: where the CMDB, the ledger and reality differ, or where nobody answers.

pub mod life;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ci::{Ci, CiClass, Lifecycle};
use crate::moment::{day, written};
use crate::workload::BLIND_AFTER;

/// What sort of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A live object of the ledger has no CI.
    Unregistered,
    /// An operational CI has no live object in the ledger.
    Ghost,
    /// The lease and its grace ended, and the CI is still operational.
    ExpiredButRunning,
    /// A container engine told nothing for a day: nobody knows what runs there.
    BlindContainerHost,
    /// A live machine of the ledger does not stand at its site any more: somebody deleted it there.
    Gone,
    /// Somebody switched the machine off at its site.
    SwitchedOff,
    /// Somebody renamed, moved or reshaped the machine at its site, or keeps a snapshot of it.
    ChangedByHand,
    /// A run of the machine's own found that it is not, or was not, as ordered.
    Drifted,
    /// Nobody answers for the platform, the application, or both.
    Ownerless,
    /// Required attributes are missing.
    Incomplete,
    /// Attributes are of the wrong kind.
    Misfit,
    /// A source sees it, and nobody ordered it.
    Shadow,
    /// An attribute on record is not what its authority tells.
    AttributeDrift,
    /// Several CIs stand for one thing.
    Duplicate,
    /// What a source sees may be several CIs, or one by its name alone.
    Ambiguous,
    /// Something new bears the name of something that is gone.
    IdentityReuse,
    /// The CI is of another class than the thing.
    WrongClass,
    /// A relation that was ordered or seen is not on record.
    MissingRelation,
    /// A relation on record was neither ordered nor seen.
    ExtraRelation,
}

impl FindingKind {
    /// What the audit report evaluates, of each CI by itself.
    pub const REPORTED: &[Self] = &[
        Self::Unregistered,
        Self::Ghost,
        Self::ExpiredButRunning,
        Self::BlindContainerHost,
        Self::Gone,
        Self::SwitchedOff,
        Self::ChangedByHand,
        Self::Drifted,
        Self::Ownerless,
        Self::Incomplete,
        Self::Misfit,
    ];

    /// What only a reconcile of all CIs finds.
    const RECONCILED: &[Self] = &[
        Self::Shadow,
        Self::AttributeDrift,
        Self::Duplicate,
        Self::Ambiguous,
        Self::IdentityReuse,
        Self::WrongClass,
        Self::MissingRelation,
        Self::ExtraRelation,
    ];

    /// The id of the catalogue of findings: E for existence, C for correctness, L for relations, P for responsibility and
    /// completeness, K for compliance, D for containers. P7 is our own: a value that nobody can use.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Unregistered => "E1",
            Self::Ghost => "E2",
            Self::Shadow => "E3",
            Self::Gone => "E4",
            Self::ExpiredButRunning => "E5",
            Self::AttributeDrift => "C1",
            Self::ChangedByHand => "C2",
            Self::Duplicate => "C4",
            Self::Ambiguous => "C5",
            Self::IdentityReuse => "C6",
            Self::WrongClass => "C8",
            Self::MissingRelation => "L2",
            Self::ExtraRelation => "L3",
            Self::Incomplete => "P1",
            Self::Ownerless => "P3",
            Self::Misfit => "P7",
            Self::SwitchedOff => "K1",
            Self::Drifted => "K2",
            Self::BlindContainerHost => "D1",
        }
    }

    /// The word that files and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Ghost => "ghost",
            Self::ExpiredButRunning => "expired_but_running",
            Self::BlindContainerHost => "blind_container_host",
            Self::Gone => "gone",
            Self::SwitchedOff => "switched_off",
            Self::ChangedByHand => "changed_by_hand",
            Self::Drifted => "drifted",
            Self::Ownerless => "ownerless",
            Self::Incomplete => "incomplete",
            Self::Misfit => "misfit",
            Self::Shadow => "shadow",
            Self::AttributeDrift => "attribute_drift",
            Self::Duplicate => "duplicate",
            Self::Ambiguous => "ambiguous",
            Self::IdentityReuse => "identity_reuse",
            Self::WrongClass => "wrong_class",
            Self::MissingRelation => "missing_relation",
            Self::ExtraRelation => "extra_relation",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Unregistered => "Not in the CMDB",
            Self::Ghost => "Ghost",
            Self::ExpiredButRunning => "Expired but running",
            Self::BlindContainerHost => "Blind container host",
            Self::Gone => "Gone from its site",
            Self::SwitchedOff => "Switched off",
            Self::ChangedByHand => "Changed by hand",
            Self::Drifted => "Drifted",
            Self::Ownerless => "Without owner",
            Self::Incomplete => "Incomplete",
            Self::Misfit => "Wrong kind of value",
            Self::Shadow => "Not ordered",
            Self::AttributeDrift => "Record differs",
            Self::Duplicate => "Duplicate",
            Self::Ambiguous => "Ambiguous",
            Self::IdentityReuse => "Name used again",
            Self::WrongClass => "Wrong class",
            Self::MissingRelation => "Relation missing",
            Self::ExtraRelation => "Relation too many",
        }
    }

    /// How it is found: the definition that the report prints.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Unregistered => {
                "A machine, pool, space or registration that is live in the ledger, with no CI that is not retired."
            }
            Self::Ghost => "An operational CI from a workflow whose object is not live in the ledger.",
            Self::ExpiredButRunning => "An operational CI of a deployment whose lease and grace have ended.",
            Self::BlindContainerHost => {
                "An operational container engine without a complete container report in 24 hours."
            }
            Self::Gone => {
                "An operational machine whose key no machine at its site carried at the last complete look, while no \
                 run worked on its deployment."
            }
            Self::SwitchedOff => {
                "An operational machine that was switched off at the last complete look at its site, while no run \
                 worked on its deployment."
            }
            Self::ChangedByHand => {
                "An operational machine that at the last complete look at its site had another name, folder, number of \
                 processors or amount of memory than it was built with, kept a snapshot, or had lost its key."
            }
            Self::Drifted => {
                "A CI whose machine was as ordered until a configuration run of its own failed, or in the last 24 \
                 hours changed what nobody had ordered."
            }
            Self::Ownerless => {
                "A CI that is not retired and has no platform responsible or no application responsible."
            }
            Self::Incomplete => "A CI that is not retired and lacks an attribute that its class requires.",
            Self::Misfit => "A CI that is not retired and has an attribute of another kind than its class expects.",
            Self::Shadow => "Something that a source sees, of a class that has to be ordered, and that no order made.",
            Self::AttributeDrift => {
                "An attribute of which the authority by the rules tells another value than the record."
            }
            Self::Duplicate => "Two CIs or more with the same key.",
            Self::Ambiguous => {
                "Something that a source sees, whose identifiers fit several CIs, or that fits a CI by a name or address \
                 alone. Nothing is written for it."
            }
            Self::IdentityReuse => {
                "Something that a source sees under the name of a CI whose own identifiers are others: it was built anew."
            }
            Self::WrongClass => "A CI of another class than its thing.",
            Self::MissingRelation => "A relation that was ordered or seen and is not on record.",
            Self::ExtraRelation => {
                "A relation on record that was neither ordered nor seen, while others of its kind were."
            }
        }
    }

    /// What to do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unregistered => "Run the step again from the run's page, which registers what it finds.",
            Self::Ghost => "Check whether the object still exists; retire the deployment, or build it anew.",
            Self::ExpiredButRunning => "Retire the deployment, or have its owner order an extension of the lease.",
            Self::BlindContainerHost => "Check that the engine answers and that Gatehouse may ask it.",
            Self::Gone => {
                "Ask who deleted it, and why. Retire its deployment, which takes back what is left of it, and order \
                 anew what is still needed."
            }
            Self::SwitchedOff => "Ask who switched it off. Switch it on at its site, or retire its deployment.",
            Self::ChangedByHand => "Ask who changed it. Change it back at its site, and order what is to stay.",
            Self::Drifted => {
                "Ask who changed it, and order what is to stay; mend what failed, then have the agent run again."
            }
            Self::Ownerless => "Name who answers in the blueprint's `responsible` and in the project's team.",
            Self::Incomplete => "Look at the step that registered it: it must tell what the class requires.",
            Self::Misfit => "Correct the step or blueprint that told the value.",
            Self::Shadow => "Ask who made it. Order it, so that it is adopted, or remove it at its site.",
            Self::AttributeDrift => "Have its authority tell it anew, or correct the record.",
            Self::Duplicate => "Decide which CI stands for it, and retire the others.",
            Self::Ambiguous => "Say which CI it is, by giving both the same serial number or id, or that it is none.",
            Self::IdentityReuse => "Retire the CI of what is gone; what is new gets a CI of its own.",
            Self::WrongClass => "Correct the step or source that told the class.",
            Self::MissingRelation => "Have the step or source that knows it tell it anew.",
            Self::ExtraRelation => "End the relation, unless the source is wrong.",
        }
    }

    /// Whether it says that the record is wrong, rather than that it is incomplete.
    pub(crate) const fn against_correctness(self) -> bool {
        !matches!(self, Self::Unregistered | Self::Ownerless | Self::Incomplete | Self::Shadow | Self::MissingRelation)
    }

    /// How much hangs on it.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Unregistered | Self::Ghost | Self::Gone | Self::BlindContainerHost => Severity::High,
            Self::Shadow | Self::Duplicate | Self::IdentityReuse => Severity::High,
            Self::ExpiredButRunning | Self::SwitchedOff | Self::ChangedByHand | Self::Drifted | Self::Ownerless => {
                Severity::Medium
            }
            Self::AttributeDrift | Self::Ambiguous | Self::WrongClass => Severity::Medium,
            Self::MissingRelation | Self::ExtraRelation => Severity::Low,
            Self::Incomplete | Self::Misfit => Severity::Low,
        }
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::REPORTED.iter().chain(Self::RECONCILED).copied()
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().find(|kind| kind.word() == word)
    }
}

/// How much hangs on a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is not there, or nobody knows what is.
    High,
    /// What is there is not as it is on record, or nobody answers for it.
    Medium,
    /// The record is not whole.
    Low,
}

impl Severity {
    /// The word that files and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
        }
    }
}

/// One finding about one CI, or about one object that has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// The particulars, as a sentence.
    pub detail: String,
}

/// What the other views say of a CI; nothing where they have nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Views {
    /// Whether the object behind the CI is live in the ledger; nothing for CIs that no step made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
    /// When the lease of its deployment, with its grace, ends or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<DateTime<Utc>>,
    /// When a container engine last told everything that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<DateTime<Utc>>,
    /// What a configuration run found on its machine that nobody had ordered, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    /// What others made of its machine, as its site shows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Finding>,
}

/// Everything that is wrong with a CI at an instant.
pub fn findings(ci: &Ci, views: &Views, at: DateTime<Utc>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind, detail: String| found.push(Finding { kind, detail });
    if ci.lifecycle == Lifecycle::Retired {
        return found;
    }
    let operational = ci.lifecycle == Lifecycle::Operational;
    if operational && views.live == Some(false) {
        add(FindingKind::Ghost, "The ledger has no live object for it.".into());
    }
    if let Some(until) = views.lease_until.filter(|until| operational && *until < at) {
        add(FindingKind::ExpiredButRunning, format!("Its lease ended on {}.", day(until)));
    }
    if operational && ci.class == CiClass::ContainerEngine {
        match views.reported_at {
            Some(told) if at - told < BLIND_AFTER => {}
            Some(told) => {
                add(FindingKind::BlindContainerHost, format!("It last told what it runs on {}.", written(told)))
            }
            None if at - ci.created_at < BLIND_AFTER => {}
            None => add(FindingKind::BlindContainerHost, "It never told what it runs.".into()),
        }
    }
    if let Some(drift) = views.drift.as_ref().filter(|_| operational) {
        add(FindingKind::Drifted, drift.clone());
    }
    if operational {
        views.by_hand.iter().for_each(|finding| add(finding.kind, finding.detail.clone()));
    }
    match (&ci.platform, &ci.application) {
        (Some(_), Some(_)) => {}
        (None, Some(_)) => add(FindingKind::Ownerless, "Nobody answers for the platform.".into()),
        (Some(_), None) => add(FindingKind::Ownerless, "Nobody answers for the application.".into()),
        (None, None) => add(FindingKind::Ownerless, "Nobody answers for the platform or for the application.".into()),
    }
    if !ci.gaps.is_empty() {
        add(FindingKind::Incomplete, format!("Missing: {}.", titles(ci, &ci.gaps)));
    }
    if !ci.misfits.is_empty() {
        add(FindingKind::Misfit, format!("Of the wrong kind: {}.", titles(ci, &ci.misfits)));
    }
    found
}

fn titles(ci: &Ci, names: &[String]) -> String {
    let title = |name: &String| ci.class.expects(name).map_or(name.as_str(), |expected| expected.title).to_owned();
    names.iter().map(title).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn engine() -> Ci {
        Ci {
            id: Uuid::nil().into(),
            key: "k/engine".into(),
            class: CiClass::ContainerEngine,
            name: "Docker Engine on dock-1".into(),
            lifecycle: Lifecycle::Operational,
            project: Uuid::nil().into(),
            deployment: None,
            platform: Some("ops-containers".into()),
            application: Some("team-shop".into()),
            gaps: Vec::new(),
            misfits: Vec::new(),
            created_at: DateTime::UNIX_EPOCH,
            changed_at: DateTime::UNIX_EPOCH,
            retired_at: None,
        }
    }

    fn kinds(ci: &Ci, views: &Views, at: DateTime<Utc>) -> Vec<FindingKind> {
        findings(ci, views, at).into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn an_engine_that_was_silent_for_a_day_is_blind_and_a_new_one_is_not() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(3);
        let told = |hours| Views { reported_at: Some(at - TimeDelta::hours(hours)), ..Views::default() };
        assert_eq!(kinds(&engine(), &told(1), at), []);
        assert_eq!(kinds(&engine(), &told(25), at), [FindingKind::BlindContainerHost]);
        assert_eq!(kinds(&engine(), &Views::default(), at), [FindingKind::BlindContainerHost]);
        assert_eq!(kinds(&engine(), &Views::default(), DateTime::UNIX_EPOCH + TimeDelta::hours(2)), []);
    }

    #[test]
    fn what_a_run_found_changed_is_told_of_what_is_in_operation() {
        let views = Views { drift: Some("Its run failed.".into()), ..Views::default() };
        let at = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert_eq!(kinds(&engine(), &views, at), [FindingKind::Drifted]);
        assert_eq!(kinds(&Ci { lifecycle: Lifecycle::Building, ..engine() }, &views, at), []);
    }

    #[test]
    fn what_others_made_of_a_machine_is_told_of_what_is_in_operation() {
        let gone = Finding { kind: FindingKind::Gone, detail: "It is gone.".into() };
        let views = Views { by_hand: vec![gone], ..Views::default() };
        let at = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert_eq!(kinds(&engine(), &views, at), [FindingKind::Gone]);
        assert_eq!(kinds(&Ci { lifecycle: Lifecycle::Retired, ..engine() }, &views, at), []);
    }

    #[test]
    fn a_retired_ci_is_nobodys_trouble() {
        let ci = Ci { lifecycle: Lifecycle::Retired, platform: None, ..engine() };
        assert_eq!(kinds(&ci, &Views { live: Some(false), ..Views::default() }, DateTime::UNIX_EPOCH), []);
    }

    #[test]
    fn what_is_gone_expired_and_unowned_says_all_three() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::hours(5);
        let ci = Ci { application: None, ..engine() };
        let views = Views {
            live: Some(false),
            lease_until: Some(DateTime::UNIX_EPOCH),
            reported_at: Some(at),
            ..Views::default()
        };
        assert_eq!(
            kinds(&ci, &views, at),
            [FindingKind::Ghost, FindingKind::ExpiredButRunning, FindingKind::Ownerless]
        );
    }
}
