use super::*;

const KEY: &str = "run/node[1]";

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
}

fn built() -> LedgerMachine {
    LedgerMachine {
        resource: Uuid::from_u128(1).into(),
        deployment: Uuid::nil().into(),
        key: KEY.into(),
        name: "shop-1".into(),
        native_id: Some("vm-7".into()),
        cpu: Some(2),
        memory_gb: Some(4),
        under_way: false,
    }
}

fn standing() -> Machine {
    Machine {
        id: "vm-7".into(),
        key: KEY.into(),
        name: "shop-1".into(),
        fqdn: "shop-1.dc1.example.org".into(),
        address: "10.20.0.1".into(),
        image: "debian-12".into(),
        cpu: 2,
        memory_gb: 4,
        disk_gb: 20,
        cluster: "cluster-1".into(),
        host: "esx-01".into(),
        datastore: "ds-1".into(),
        folder: "group-v3".into(),
        snapshots: 0,
        state: MachineState::Running,
        ready_at: noon(),
    }
}

fn told(event: MachineEvent, by: &str) -> MachineChange {
    MachineChange { id: "vm-7".into(), key: KEY.into(), name: "shop-1".into(), event, by: Some(by.into()) }
}

/// What a look finds at a machine that was seen before, as built.
fn found(there: &[Machine], news: &[MachineChange]) -> Vec<Deviation> {
    let found = review("dc1", &[built()], there, news, &seen_before()).found;
    found.into_iter().map(|(_, deviation)| deviation).collect()
}

fn seen_before() -> OnRecord {
    let sightings = HashMap::from([(built().resource, Sighting::of(&standing(), None))]);
    OnRecord { sightings, open: Vec::new() }
}

#[test]
fn a_machine_as_it_was_built_is_no_news() {
    assert_eq!(review("dc1", &[built()], &[standing()], &[], &seen_before()), Review::default());
}

#[test]
fn what_others_did_is_found_with_who_did_it() {
    let gone = found(&[], &[told(MachineEvent::Vanished, "root")]);
    assert_eq!((gone[0].kind, gone[0].by.as_deref()), (FindingKind::Gone, Some("root")));
    let off = found(&[Machine { state: MachineState::Stopped, ..standing() }], &[told(MachineEvent::Vanished, "root")]);
    assert_eq!((off[0].kind, off[0].by.as_deref()), (FindingKind::SwitchedOff, None), "another deed names nobody");
    let named = Machine { name: "mine".into(), folder: "group-v9".into(), cpu: 8, snapshots: 2, ..standing() };
    let renamed = told(MachineEvent::Renamed { before: "shop-1".into() }, "root");
    let changed: Vec<_> = found(&[named], &[renamed]).into_iter().map(|it| (it.what, it.by)).collect();
    assert_eq!(
        changed,
        [
            ("It is called mine there instead of shop-1.".to_owned(), Some("root".to_owned())),
            ("It stands in another folder than it was built in.".to_owned(), None),
            ("It has 8 CPU and 4 GB of memory instead of 2 CPU and 4 GB.".to_owned(), None),
            ("2 snapshots of it are kept.".to_owned(), None),
        ]
    );
}

#[test]
fn a_machine_that_starts_or_whose_shape_nobody_told_is_as_built() {
    assert_eq!(found(&[Machine { state: MachineState::Building, ..standing() }], &[]), []);
    let untold = LedgerMachine { cpu: None, memory_gb: None, ..built() };
    let larger = Machine { cpu: 16, ..standing() };
    assert_eq!(review("dc1", &[untold], &[larger], &[], &OnRecord::default()).found, []);
}

#[test]
fn who_took_its_key_off_has_not_deleted_it_and_an_id_that_somebody_else_got_has() {
    let keyless = Machine { key: String::new(), ..standing() };
    assert_eq!(found(&[keyless], &[])[0].kind, FindingKind::ChangedByHand);
    let foreign = Machine { key: "another".into(), ..standing() };
    assert_eq!(found(&[foreign], &[])[0].kind, FindingKind::Gone);
}

#[test]
fn what_a_run_works_on_is_seen_and_not_judged() {
    let under_way = LedgerMachine { under_way: true, ..built() };
    let review = review("dc1", std::slice::from_ref(&under_way), &[], &[], &seen_before());
    assert_eq!((review.found.len(), review.seen.len()), (0, 1));
    assert!(review.seen[0].1.absent);
    assert!(judged_later(&[under_way, built()]).contains(KEY));
}

#[test]
fn a_deviation_is_told_once_until_it_is_over_and_learns_who_did_it() {
    let row = Uuid::from_u128(9);
    let off = Machine { state: MachineState::Stopped, ..standing() };
    let known = found(std::slice::from_ref(&off), &[])[0].clone();
    let record = OnRecord { open: vec![(row, built().resource, known)], ..seen_before() };
    let again = review("dc1", &[built()], &[off], &[told(MachineEvent::Stopped, "root")], &record);
    assert_eq!((again.found, again.over, again.named), (vec![], vec![], vec![(row, "root".to_owned())]));
    let over = review("dc1", &[built()], &[standing()], &[], &record);
    assert_eq!((over.found, over.over), (vec![], vec![row]));
    let retired = review("dc1", &[], &[], &[], &record);
    assert_eq!(retired.over, [row], "a run took it back");
}

#[test]
fn one_finding_of_a_kind_says_everything() {
    let episode = |kind, what: &str| Episode {
        deviation: Deviation { kind, what: what.into(), by: None },
        since: noon(),
        until: None,
    };
    let of_it = [
        episode(FindingKind::ChangedByHand, "One."),
        episode(FindingKind::SwitchedOff, "Two."),
        episode(FindingKind::ChangedByHand, "Three."),
    ];
    let findings = findings_of(&of_it);
    assert_eq!(findings.len(), 2);
    assert!(findings[0].detail.starts_with("One. First seen on 15 Jan 2027, 08:00 UTC; the hypervisor does not say"));
    assert!(findings[0].detail.contains("Three."), "{}", findings[0].detail);
}

#[test]
fn a_site_is_unseen_from_when_it_could_not_be_looked_at_until_it_can() {
    let watch = Watch { began_at: noon(), heard_at: noon() + TimeDelta::minutes(5), ended_at: None, why: None };
    let later = |minutes| noon() + TimeDelta::minutes(minutes);
    assert_eq!(Watch::unseen(Some(&watch), later(6)), None);
    let stale = Watch::unseen(Some(&watch), later(60)).expect("nobody looked");
    assert_eq!(stale.since, Some(later(5)));
    let ended = Watch { ended_at: Some(later(7)), why: Some("It is away.".into()), ..watch };
    assert_eq!(Watch::unseen(Some(&ended), later(6)), None, "then it was still seen");
    let away = Watch::unseen(Some(&ended), later(8)).expect("it is away");
    assert_eq!(away.told("dc1"), "Not evaluated since 15 Jan 2027, 08:07 UTC: dc1 can't be looked at. It is away.");
    assert!(Watch::unseen(None, noon()).expect("never").told("dc1").contains("never looked at"));
}
