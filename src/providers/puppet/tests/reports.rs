//! Reports that a Puppet 7.23 agent sent to a Puppet Server 7.9.5, read.

use domain::node::ReportStatus;
use domain::ports::configuration::ConfigurationState;

use super::*;
use crate::puppet::run::{Run, line};

#[test]
fn a_run_that_changed_something_says_what() {
    let report = recorded("changed");
    assert_eq!((report.certname.as_str(), report.status), (CERTNAME, ReportStatus::Changed));
    assert_eq!((report.resources, report.changed, report.failed, report.corrected), (9, 2, 0, 0));
    assert_eq!(report.transaction, "8e70a9b9-0f21-4835-b284-dc8be10aace1");
    assert!(
        (report.seconds - 3.893).abs() < 0.001 && (report.catalog_seconds.unwrap_or_default() - 0.783).abs() < 0.001
    );
    let lines: Vec<_> = report.lines.iter().map(|line| (line.resource.as_str(), line.message.as_str())).collect();
    assert_eq!(lines[0], ("File[/tmp/probe-agent]", "created"));
    assert_eq!(lines[1].0, "File[/tmp/probe-agent/banner]");
    assert_eq!(lines.len(), 2, "what Facter could not find is no line of the run: {lines:?}");
}

#[test]
fn a_run_that_found_all_in_order_has_nothing_to_say() {
    let report = recorded("unchanged");
    assert_eq!((report.status, report.resources, report.changed), (ReportStatus::Unchanged, 9, 0));
    assert_eq!(report.lines, []);
}

#[test]
fn what_somebody_had_changed_by_hand_is_told_apart() {
    let report = recorded("corrected");
    assert_eq!((report.status, report.changed, report.corrected), (ReportStatus::Changed, 1, 1));
    assert!(report.lines[0].message.ends_with("(corrective)"), "{}", report.lines[0].message);
}

#[test]
fn a_resource_that_failed_says_which_and_why() {
    let report = recorded("failed");
    assert_eq!((report.status, report.resources, report.failed), (ReportStatus::Failed, 11, 1));
    let why = "Exec[boom]: change from 'notrun' to ['0'] failed: '/bin/false' returned 1 instead of one of [0]";
    assert_eq!(report.first_error().as_deref(), Some(why));
}

#[test]
fn a_catalog_that_could_not_be_compiled_is_a_failure_without_resources() {
    for (name, why) in [("not-compiled", "this catalog is not to be compiled"), ("unknown-class", "nosuchrole")] {
        let report = recorded(name);
        assert_eq!((report.status, report.resources), (ReportStatus::Failed, 0));
        assert!(report.first_error().expect("a reason").contains(why), "{name}");
    }
}

#[test]
fn what_is_no_report_is_refused_whatever_it_holds() {
    let good = sent("changed");
    let aliases = format!("host: &a [{}]\n", "&b [x], *b, ".repeat(10)) + &"x: [*a, *a, *a, *a]\n".repeat(2);
    for (what, text) in [
        ("nothing", String::new()),
        ("no YAML", "host: [".into()),
        ("two documents", format!("{good}\n{good}")),
        ("no id", good.replace("transaction_uuid: 8e70a9b9", "transaction_uuid: ../../etc")),
        ("a status that there is not", good.replace("status: changed\n", "status: happy\n")),
        ("no time", good.replace("time: '2026", "time: 'never")),
        ("deep", format!("{good}\ndeep: {}{}\n", "[".repeat(99), "]".repeat(99))),
        ("aliases", aliases),
    ] {
        let refused = PuppetWords.report(text.as_bytes()).expect_err(what);
        assert!(!refused.to_string().contains('\n'), "one line says it: {refused}");
    }
    assert!(PuppetWords.report(&[0xff, 0xfe]).is_err());
}

#[tokio::test]
async fn an_agent_that_talks_nonsense_of_itself_harms_nobody() {
    let nonsense = |figure: &str| {
        sent("failed")
            .replace("      - Total\n      - ", &format!("      - Total\n      - {figure} # "))
            .replace("      - Failed\n      - ", &format!("      - Failed\n      - {figure} # "))
            .replace("      - Failed to restart\n      - ", &format!("      - Failed to restart\n      - {figure} # "))
    };
    for figure in ["1.0e+300", ".inf", ".nan", "-5.0"] {
        let report = PuppetWords.report(nonsense(figure).as_bytes()).expect("it can be read");
        assert_eq!(report.seconds, 0.0, "{figure}");
        let site = Site::new().await;
        site.apply().await;
        site.register.is_asked(KEY);
        site.register.record(&NodeReport { began_at: DateTime::<Utc>::MAX_UTC, ..report }).await.expect("it is kept");
        assert_eq!(site.look().await.state, ConfigurationState::Failed, "{figure}");
    }
}

#[test]
fn of_a_report_without_end_the_failures_are_kept() {
    let at = DateTime::<Utc>::UNIX_EPOCH;
    let mut lines = vec![line(at, "notice", "File[/etc/motd]", &"\0x".repeat(5_000)); 1_000];
    lines.push(line(at + TimeDelta::hours(1), "err", "Exec[boom]", "failed"));
    let run = Run {
        certname: CERTNAME.into(),
        transaction: "8e70a9b9".into(),
        status: ReportStatus::Failed,
        noop: false,
        began_at: at,
        lines,
    };
    let report = run.reported(|_, _| None, std::iter::empty());
    assert_eq!((report.lines.len(), report.lines[0].message.len()), (200, 1_000));
    assert_eq!(report.first_error().as_deref(), Some("Exec[boom]: failed"));
    assert!(!report.lines[0].message.contains('\0'));
}
