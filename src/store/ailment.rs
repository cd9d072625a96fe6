//! Looks for what must never be so, one statement for each ailment, and mends what the database alone can tell how to.
//!
//! Each look is a condition over a row; finding lists such rows, mending changes them, so that both mean the same.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ailment::Ailment;
use domain::deployment::DeploymentState;
use domain::request::RequestState;
use domain::run::RunState;
use domain::secret::KeyId;
use sea_orm::{DbBackend, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::job;
use crate::run::driven;
use crate::sql::{Sql, backend};
use crate::{Reads, Tx};

/// A run or a job whose turn was longer ago is not taken up any more; workers look every few seconds.
const OVERDUE: TimeDelta = TimeDelta::minutes(5);
/// A mail whose turn was longer ago is not sent any more; senders look every few seconds.
const MAIL_OVERDUE: TimeDelta = TimeDelta::hours(1);

/// By what it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub now: DateTime<Utc>,
    /// No lease lasts until later than that.
    pub no_lease_until: DateTime<Utc>,
    /// The queue that brings runs to workers.
    pub queue: &'static str,
    /// The key with which secrets are sealed; none: whichever it was.
    pub sealing_key: Option<KeyId>,
}

/// Something that is ailing.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Case {
    /// The run, deployment, request, task or mail that it is about; none for a job that brings nothing that there is.
    pub id: Option<Uuid>,
    /// What people call it.
    pub name: String,
    /// What sets it apart: a step, a key, an address.
    pub note: Option<String>,
    /// Since when it is as it is, or until when it would be.
    pub at: Option<DateTime<Utc>>,
    /// How many such there are in all.
    total: i64,
}

/// The first cases of an ailment, and how many there are in all.
pub async fn find(on: &impl Reads, ailment: Ailment, measure: &Measure, limit: u64) -> Result<(u64, Vec<Case>), DbErr> {
    let mut sql = Sql::default();
    let look = Look::at(ailment, measure, backend(on), &mut sql);
    let [id, name, note, at] = look.shows;
    sql.text = format!(
        "SELECT {id} AS id, {name} AS name, {note} AS note, {at} AS at, COUNT(*) OVER () AS total \
         FROM {} WHERE {} ORDER BY {} LIMIT {limit}",
        look.from, look.holds, look.row
    );
    let cases: Vec<Case> = sql.all(on).await?;
    let total = cases.first().map_or(0, |case| case.total);
    Ok((u64::try_from(total).unwrap_or_default(), cases))
}

/// Mends every case of an ailment; says how many rows it changed. Nothing is changed of what takes more than SQL.
pub async fn mend(tx: &Tx, ailment: Ailment, measure: &Measure) -> Result<u64, DbErr> {
    let mut changed = 0;
    for write in writes(ailment, backend(tx)) {
        let mut sql = Sql::default();
        let look = Look::at(ailment, measure, backend(tx), &mut sql);
        let mut change = write.change;
        if change.contains(NOW) {
            change = change.replace(NOW, &sql.bind(measure.now));
        }
        let which = format!("({}) IN (SELECT {} FROM {} WHERE {})", write.row, look.row, look.from, look.holds);
        sql.text = format!("{change} WHERE {which}{}", write.only);
        changed += sql.execute(tx).await?;
    }
    Ok(changed)
}

/// Where an ailment is looked for.
struct Look {
    from: String,
    holds: String,
    /// The key of the row that ails.
    row: &'static str,
    /// What is shown of it: id, name, note, instant.
    shows: [&'static str; 4],
}

impl Look {
    fn at(ailment: Ailment, measure: &Measure, backend: DbBackend, sql: &mut Sql) -> Self {
        match ailment {
            Ailment::RunForgotten | Ailment::RunOverdue | Ailment::LeaseFromFuture => {
                Self::at_run(ailment, measure, backend, sql)
            }
            Ailment::JobWithoutRun | Ailment::JobOfSilentWorker => Self::at_job(ailment, measure, backend, sql),
            Ailment::StepOfEndedRun => Self::at_step(),
            Ailment::ObjectUnsettled | Ailment::ObjectOfEndedDeployment => Self::at_object(ailment),
            Ailment::DeploymentEmpty => Self::at_deployment(),
            Ailment::QuotaHeld => Self::at_quota(),
            Ailment::RequestUnasked | Ailment::RequestWithoutRun => Self::at_request(ailment),
            Ailment::ApprovalOfDecidedRequest => Self::at_approval(),
            Ailment::TaskForNothing => Self::at_task(),
            Ailment::MailOverdue | Ailment::MailRefused => Self::at_mail(ailment, measure, sql),
            Ailment::SecretUnopened => Self::at_secret(measure, sql),
            Ailment::DutiesUndone => Self::at_duty(backend, sql),
        }
    }

    fn at_run(ailment: Ailment, measure: &Measure, backend: DbBackend, sql: &mut Sql) -> Self {
        let driven = format!("r.state IN ({})", driven());
        let (holds, at) = if ailment == Ailment::LeaseFromFuture {
            let longest = sql.bind(measure.no_lease_until);
            (format!("{driven} AND r.lease_until > {longest}"), "r.lease_until")
        } else {
            let now = sql.bind(measure.now);
            let free = format!("{driven} AND (r.lease_until IS NULL OR r.lease_until <= {now})");
            if ailment == Ailment::RunOverdue {
                let overdue = sql.bind(measure.now - OVERDUE);
                (format!("{free} AND r.wake_at <= {overdue}"), "r.wake_at")
            } else {
                let (jobs, run, queue) = (job::jobs(backend), job::run_of(backend), sql.bind(measure.queue));
                let job = format!("SELECT 1 FROM {jobs} j WHERE j.job_type = {queue} AND {run} = r.id");
                (format!("{free} AND r.wake_at IS NULL AND NOT EXISTS ({job})"), "r.created_at")
            }
        };
        Self { from: "run r".to_owned(), holds, row: "r.id", shows: ["r.id", "r.title", "r.worker", at] }
    }

    fn at_job(ailment: Ailment, measure: &Measure, backend: DbBackend, sql: &mut Sql) -> Self {
        let (jobs, run) = (job::jobs(backend), job::run_of(backend));
        let queue = sql.bind(measure.queue);
        let long_ago = |column| job::is_before(backend, column, OVERDUE);
        if ailment == Ailment::JobWithoutRun {
            return Self {
                from: format!("{jobs} j LEFT JOIN run r ON r.id = {run}"),
                holds: format!(
                    "j.job_type = {queue} AND {} AND (r.id IS NULL OR r.state NOT IN ({}))",
                    long_ago("j.run_at"),
                    driven()
                ),
                row: "j.id",
                shows: ["r.id", "COALESCE(r.title, 'a run that is gone')", "j.id", NO_INSTANT],
            };
        }
        let workers = job::workers(backend);
        Self {
            from: format!("{jobs} j JOIN {workers} w ON w.id = j.lock_by JOIN run r ON r.id = {run}"),
            holds: format!(
                "j.job_type = {queue} AND j.status IN ('Queued', 'Running') AND {} AND r.state IN ({})",
                long_ago("w.last_seen"),
                driven()
            ),
            row: "j.id",
            shows: ["r.id", "r.title", "w.id", NO_INSTANT],
        }
    }

    fn at_step() -> Self {
        Self {
            from: "step s JOIN run r ON r.id = s.run_id".to_owned(),
            holds: format!("s.state IN ('running', 'undoing') AND r.state IN ({})", ended()),
            row: "r.id",
            shows: ["r.id", "r.title", "s.key", "r.ended_at"],
        }
    }

    fn at_object(ailment: Ailment) -> Self {
        let shows = ["d.id", "o.name", "o.provider || ' ' || o.key", "o.intended_at"];
        let ledger = "resource o JOIN deployment d ON d.id = o.deployment_id";
        if ailment == Ailment::ObjectOfEndedDeployment {
            let holds = format!("o.state <> 'gone' AND d.state IN ({})", deployments_over());
            return Self { from: ledger.to_owned(), holds, row: "o.id", shows };
        }
        Self {
            from: format!(
                "{ledger} JOIN run r ON r.id = o.run_id \
                 LEFT JOIN step s ON s.run_id = o.run_id AND s.key = o.step_key"
            ),
            // Whoever skips a step says what became of it; what a run still works on will be settled by it.
            holds: format!(
                "o.state = 'intended' AND d.state = 'live' AND r.state IN ({}) AND COALESCE(s.state, '') <> 'skipped'",
                ended()
            ),
            row: "o.id",
            shows,
        }
    }

    fn at_deployment() -> Self {
        let ledger = "SELECT 1 FROM resource o WHERE o.deployment_id = d.id";
        Self {
            from: "deployment d".to_owned(),
            // One that never had an object, such as a permission, has none to lose.
            holds: format!("d.state = 'live' AND EXISTS ({ledger}) AND NOT EXISTS ({ledger} AND o.state <> 'gone')"),
            row: "d.id",
            shows: ["d.id", "d.name", "d.title", "d.created_at"],
        }
    }

    fn at_quota() -> Self {
        Self {
            from: "allocation a JOIN request q ON q.id = a.request_id LEFT JOIN deployment d ON d.id = a.deployment_id"
                .to_owned(),
            holds: format!(
                "((a.state = 'reserved' AND q.state IN ({})) OR (a.state <> 'released' AND d.state IN ({})))",
                requests_over(),
                deployments_over()
            ),
            row: "a.request_id, a.key",
            shows: ["q.id", "q.title", "CAST(a.amount AS text) || ' ' || a.key", "a.reserved_at"],
        }
    }

    fn at_request(ailment: Ailment) -> Self {
        let holds = if ailment == Ailment::RequestUnasked {
            "q.state = 'awaiting_approval' AND NOT EXISTS (SELECT 1 FROM approval_level l \
             WHERE l.request_id = q.id AND l.revision = q.revision AND l.state = 'open')"
        } else {
            "q.state IN ('approved', 'running', 'paused', 'taking_back') \
             AND NOT EXISTS (SELECT 1 FROM run r WHERE r.id = q.run_id)"
        };
        Self {
            from: "request q".to_owned(),
            holds: holds.to_owned(),
            row: "q.id",
            shows: ["q.id", "q.title", "'R-' || CAST(q.number AS text)", "q.submitted_at"],
        }
    }

    fn at_approval() -> Self {
        Self {
            from: "approval a JOIN request q ON q.id = a.request_id JOIN person p ON p.id = a.approver_id".to_owned(),
            holds: "a.state = 'open' AND q.state <> 'awaiting_approval'".to_owned(),
            row: "a.id",
            shows: ["q.id", "q.title", "p.name", "a.opened_at"],
        }
    }

    fn at_task() -> Self {
        Self {
            from: "task t LEFT JOIN run r ON r.id = t.run_id \
                   LEFT JOIN step s ON s.run_id = t.run_id AND s.key = t.step_key"
                .to_owned(),
            // A step that is called once more still waits for what it asked for.
            holds: format!(
                "t.state = 'open' AND (r.id IS NULL OR r.state IN ({}) OR s.key IS NULL OR s.state IN ('done', \
                 'skipped', 'undoing', 'undone', 'undo_failed'))",
                ended()
            ),
            row: "t.id",
            shows: ["t.id", "t.title", "t.step_key", "t.opened_at"],
        }
    }

    fn at_mail(ailment: Ailment, measure: &Measure, sql: &mut Sql) -> Self {
        let (holds, at) = if ailment == Ailment::MailRefused {
            ("m.state = 'refused'".to_owned(), "m.created_at")
        } else {
            let overdue = sql.bind(measure.now - MAIL_OVERDUE);
            let free = format!("(m.claimed_until IS NULL OR m.claimed_until <= {overdue})");
            (format!("m.state = 'queued' AND m.next_at <= {overdue} AND {free}"), "m.next_at")
        };
        Self { from: "mail m".to_owned(), holds, row: "m.id", shows: ["m.id", "m.subject", "m.to_email", at] }
    }

    fn at_secret(measure: &Measure, sql: &mut Sql) -> Self {
        let key = sql.bind(measure.sealing_key.map(|key| key.0));
        Self {
            from: "secret x JOIN deployment d ON d.id = x.deployment_id".to_owned(),
            holds: format!("x.sealing_key <> {key}"),
            row: "x.id",
            shows: ["d.id", "x.name || ' of ' || d.name", NO_NOTE, "x.created_at"],
        }
    }

    fn at_duty(backend: DbBackend, sql: &mut Sql) -> Self {
        let overdue = sql.database_time(backend, -OVERDUE);
        Self {
            from: "duty d".to_owned(),
            // Whoever stops lays them down: a house that is at rest does not ail.
            holds: format!("d.holder IS NOT NULL AND d.lease_until <= {overdue}"),
            row: "d.name",
            shows: ["CAST(NULL AS uuid)", "d.holder", "d.name", "d.lease_until"],
        }
    }
}

/// A change of the rows that ail.
struct Write {
    change: String,
    /// Names the row as [`Look::row`] does.
    row: &'static str,
    /// What holds of those alone that this change is for.
    only: &'static str,
}

impl Write {
    fn new(row: &'static str, change: impl Into<String>) -> Self {
        Self { change: change.into(), row, only: "" }
    }
}

fn writes(ailment: Ailment, backend: DbBackend) -> Vec<Write> {
    let jobs = job::jobs(backend);
    match ailment {
        Ailment::RunForgotten | Ailment::LeaseFromFuture => {
            vec![Write::new("id", "UPDATE run SET wake_at = {now}, lease_until = NULL, worker = NULL")]
        }
        Ailment::JobWithoutRun => vec![Write::new("id", format!("DELETE FROM {jobs}"))],
        Ailment::JobOfSilentWorker => {
            let freed = format!("UPDATE {jobs} SET status = 'Pending', lock_by = NULL, lock_at = NULL");
            vec![Write::new("id", freed)]
        }
        Ailment::QuotaHeld => vec![
            Write { only: STANDS, ..Write::new(ALLOCATION, "UPDATE allocation SET state = 'live', live_at = {now}") },
            Write::new(ALLOCATION, "UPDATE allocation SET state = 'released', released_at = {now}"),
        ],
        Ailment::ApprovalOfDecidedRequest => {
            vec![Write::new("id", "UPDATE approval SET state = 'moot', remind_at = NULL")]
        }
        Ailment::TaskForNothing => {
            let closed = "state = 'closed', ended_at = {now}, remind_at = NULL, why = 'Nothing waits for it.'";
            vec![Write::new("id", format!("UPDATE task SET {closed}"))]
        }
        _ => Vec::new(),
    }
}

/// Stands for the instant in a change.
const NOW: &str = "{now}";
const ALLOCATION: &str = "request_id, key";
/// What a request took stays taken when it came to what it asked for, or when something that its run made stands.
const STANDS: &str = " AND EXISTS (SELECT 1 FROM deployment d WHERE d.id = allocation.deployment_id AND d.state NOT IN \
     ('retired', 'failed')) AND EXISTS (SELECT 1 FROM request q WHERE q.id = allocation.request_id AND (q.state = \
     'fulfilled' OR (allocation.amount > 0 AND EXISTS (SELECT 1 FROM resource o WHERE o.run_id = q.run_id AND \
     o.state <> 'gone'))))";
/// Where nothing sets a case apart.
const NO_NOTE: &str = "CAST(NULL AS text)";
/// Where no instant is known; typed, so that every database takes it for one.
const NO_INSTANT: &str = "CAST(NULL AS timestamptz)";

fn ended() -> String {
    listed(RunState::ALL.into_iter().filter(|state| state.has_ended()).map(RunState::word))
}

fn requests_over() -> String {
    listed(RequestState::ALL.into_iter().filter(|state| state.is_over()).map(RequestState::word))
}

fn deployments_over() -> String {
    listed(DeploymentState::ALL.into_iter().filter(|state| state.is_over()).map(DeploymentState::word))
}

/// Words of ours, as a statement lists them.
fn listed(words: impl Iterator<Item = &'static str>) -> String {
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
}
