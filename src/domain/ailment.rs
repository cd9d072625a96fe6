//! What may ail a live database: what must never be so, and what to do where it is. A crash or an outage leads to none
//! of it; a restored backup, a wrong clock, a hand in the tables or a bug does.

/// Something that must never be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ailment {
    /// A worker may have something to do for the run, and neither a lease, nor a time, nor a job brings it to one.
    RunForgotten,
    /// The run's time has come and gone.
    RunOverdue,
    /// The run is held for longer than any lease lasts.
    LeaseFromFuture,
    /// The run has ended, and one of its steps has not.
    StepOfEndedRun,
    /// A job brings a run for which nothing is to be done.
    JobWithoutRun,
    /// A worker that gives no sign of life holds a job.
    JobOfSilentWorker,
    /// The run has ended and left an intent of which nobody knows what came.
    ObjectUnsettled,
    /// The deployment is over, and the ledger still has an object of it.
    ObjectOfEndedDeployment,
    /// The deployment is live, and all of its objects are gone.
    DeploymentEmpty,
    /// What is over takes of its project's quota.
    QuotaHeld,
    /// The request waits for a decision that nobody is asked for.
    RequestUnasked,
    /// The request is approved, and there is no run that carries it out.
    RequestWithoutRun,
    /// The request is decided, and somebody is still asked.
    ApprovalOfDecidedRequest,
    /// People are asked for something, and no step waits for it.
    TaskForNothing,
    /// The mail's turn has come and gone.
    MailOverdue,
    /// No mail server took the mail.
    MailRefused,
    /// The secret was sealed with another key than the one that is set.
    SecretUnopened,
    /// The process that did the duties has fallen silent, and none has taken them over.
    DutiesUndone,
}

impl Ailment {
    pub const ALL: [Self; 18] = [
        Self::RunForgotten,
        Self::RunOverdue,
        Self::LeaseFromFuture,
        Self::StepOfEndedRun,
        Self::JobWithoutRun,
        Self::JobOfSilentWorker,
        Self::ObjectUnsettled,
        Self::ObjectOfEndedDeployment,
        Self::DeploymentEmpty,
        Self::QuotaHeld,
        Self::RequestUnasked,
        Self::RequestWithoutRun,
        Self::ApprovalOfDecidedRequest,
        Self::TaskForNothing,
        Self::MailOverdue,
        Self::MailRefused,
        Self::SecretUnopened,
        Self::DutiesUndone,
    ];

    /// The word that programs and the audit log use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RunForgotten => "run_forgotten",
            Self::RunOverdue => "run_overdue",
            Self::LeaseFromFuture => "lease_from_future",
            Self::StepOfEndedRun => "step_of_ended_run",
            Self::JobWithoutRun => "job_without_run",
            Self::JobOfSilentWorker => "job_of_silent_worker",
            Self::ObjectUnsettled => "object_unsettled",
            Self::ObjectOfEndedDeployment => "object_of_ended_deployment",
            Self::DeploymentEmpty => "deployment_empty",
            Self::QuotaHeld => "quota_held",
            Self::RequestUnasked => "request_unasked",
            Self::RequestWithoutRun => "request_without_run",
            Self::ApprovalOfDecidedRequest => "approval_of_decided_request",
            Self::TaskForNothing => "task_for_nothing",
            Self::MailOverdue => "mail_overdue",
            Self::MailRefused => "mail_refused",
            Self::SecretUnopened => "secret_unopened",
            Self::DutiesUndone => "duties_undone",
        }
    }

    /// What is wrong, as a heading.
    pub const fn what(self) -> &'static str {
        match self {
            Self::RunForgotten => "Runs that nobody would ever take up",
            Self::RunOverdue => "Runs that are due, and no worker takes them up",
            Self::LeaseFromFuture => "Runs that are held for longer than any lease lasts",
            Self::StepOfEndedRun => "Steps that are still at work in runs that have ended",
            Self::JobWithoutRun => "Jobs in the queue for whose runs nothing is to be done",
            Self::JobOfSilentWorker => "Jobs held by workers that give no sign of life",
            Self::ObjectUnsettled => "Objects that may or may not exist, left by runs that have ended",
            Self::ObjectOfEndedDeployment => "Objects that the ledger still has of deployments that are over",
            Self::DeploymentEmpty => "Live deployments of which nothing is left",
            Self::QuotaHeld => "Quota that is taken by what is over",
            Self::RequestUnasked => "Requests that wait for approval, and nobody is asked",
            Self::RequestWithoutRun => "Approved requests that no run carries out",
            Self::ApprovalOfDecidedRequest => "Questions that are still open about requests that are decided",
            Self::TaskForNothing => "Tasks that people are asked to do, and no step of a run waits for them",
            Self::MailOverdue => "Mails that are due, and nobody sends them",
            Self::MailRefused => "Mails that no mail server took",
            Self::SecretUnopened => "Secrets that were sealed with another key than the one that is set",
            Self::DutiesUndone => "The process that sends mails, reminds approvers and ends leases has fallen silent",
        }
    }

    /// What an operator does about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::RunForgotten => "Wake them with `gatehouse doctor --mend`; a worker takes them up within seconds.",
            Self::RunOverdue => {
                "Start a worker with `gatehouse worker` or `gatehouse serve`. Where one is at work, its log says what \
                 keeps it."
            }
            Self::LeaseFromFuture => {
                "The clock of a worker was ahead. Set the clocks of the workers' machines right, then end these leases \
                 with `gatehouse doctor --mend`: another worker takes the runs up, and what the old one still writes \
                 changes nothing."
            }
            Self::StepOfEndedRun => {
                "Nobody knows what came of their calls. Open the run and look for the step's objects in the system \
                 outside. What is there goes when the deployment is retired on its page."
            }
            Self::JobWithoutRun => "They do no harm. Take them out with `gatehouse doctor --mend`.",
            Self::JobOfSilentWorker => {
                "The next worker frees them: start one with `gatehouse worker`. Or put them back into the queue with \
                 `gatehouse doctor --mend`."
            }
            Self::ObjectUnsettled => {
                "Look for the key in the system that is named with it. What is there goes when the deployment is retired \
                 on its page."
            }
            Self::ObjectOfEndedDeployment => {
                "Look for the key in the system that is named with it, and remove the object there. Then say that it is \
                 gone: `gatehouse doctor --gone KEY --because REASON`."
            }
            Self::DeploymentEmpty => {
                "Retire them on their pages: nothing is left to be taken down, and their quota is given back."
            }
            Self::QuotaHeld => {
                "Settle it with `gatehouse doctor --mend`: what stands keeps its quota, all else is given back."
            }
            Self::RequestUnasked => "Let those who sent them withdraw them on their pages and order again.",
            Self::RequestWithoutRun => {
                "End them with `gatehouse doctor --mend`, which gives their quota back; what is still wanted is ordered \
                 again."
            }
            Self::ApprovalOfDecidedRequest | Self::TaskForNothing => "Close them with `gatehouse doctor --mend`.",
            Self::MailOverdue => {
                "Start a worker with `gatehouse worker` or `gatehouse serve`, and see that `[mail]` in the settings \
                 names a server. Where both is so, the worker's log says what keeps it."
            }
            Self::MailRefused => {
                "The mail's page has the server's answer. Mend what it says, then press `Send it again` there."
            }
            Self::SecretUnopened => {
                "Put the key back with which they were sealed: `secrets.key_file` in the settings says where it stands. \
                 Where it is lost, nobody can open them any more, and their machines keep what they have: set new ones \
                 by hand, or order anew."
            }
            Self::DutiesUndone => {
                "Start a worker with `gatehouse worker` or `gatehouse serve`: it takes this over within seconds."
            }
        }
    }

    /// Whether it can be mended without knowing more than the database does.
    pub const fn is_mended_by_itself(self) -> bool {
        matches!(
            self,
            Self::RunForgotten
                | Self::LeaseFromFuture
                | Self::JobWithoutRun
                | Self::JobOfSilentWorker
                | Self::QuotaHeld
                | Self::RequestWithoutRun
                | Self::ApprovalOfDecidedRequest
                | Self::TaskForNothing
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Ailment;

    #[test]
    fn what_can_be_mended_by_itself_says_how_and_nothing_else_does() {
        for ailment in Ailment::ALL {
            let says = ailment.remedy().contains("gatehouse doctor --mend");
            assert_eq!(says, ailment.is_mended_by_itself(), "{ailment:?}");
        }
    }
}
