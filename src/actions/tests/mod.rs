//! Every action against the simulated datacenter: run twice is run once, undone twice is undone once, and whatever
//! fails leaves neither a second object nor an orphan.

mod clones;
mod faults;
mod members;
mod people;
mod repeats;
mod sets;
mod stage;
mod stories;
mod waits;

use serde_json::json;

use crate::{all, signatures};
use stage::Stage;

#[test]
fn every_action_says_what_it_takes_and_returns_and_is_listed_once() {
    let told = signatures();
    for signature in &told {
        assert!(signature.name.contains('.') && !signature.summary.is_empty(), "{}", signature.name);
        assert_eq!(signature.input["type"], json!("object"), "{}", signature.name);
        assert_eq!(signature.input["additionalProperties"], json!(false), "{}", signature.name);
        assert_eq!(signature.output["type"], json!("object"), "{}", signature.name);
    }
    let names: Vec<&str> = told.iter().map(|signature| signature.name).collect();
    let stage = Stage::new();
    let made: Vec<&str> = all(&stage.systems()).iter().map(|action| action.signature().name).collect();
    assert_eq!(names, made);
}
