//! Publishing: files are read at start; what is good is offered, what is not says why, and the others work on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::blueprint::{Blueprint, Edition, EditionState};
use domain::trouble::Trouble;
use sha2::{Digest, Sha256};
use store::Tx;

use crate::{App, database};

/// A blueprint's file, or why it could not be read as text.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name, `linux-vm.yaml`.
    pub name: String,
    pub text: Result<String, String>,
}

/// Publishes these files and offers what is good. Of a file that is refused, the version published before stays
/// offered. Gives the files that were refused, with their reasons.
pub async fn publish(app: &App, files: &[File]) -> Result<Vec<Edition>, Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    store::blueprint::forget_refused(&tx).await.map_err(database)?;
    let mut known = store::blueprint::list(&tx).await.map_err(database)?;
    let mut names = BTreeSet::new();
    let mut refused = Vec::new();
    for file in files {
        let edition = read(app, file, &known);
        names.insert(edition.name.clone());
        let is_known = known.iter().any(|other| other.sha256 == edition.sha256 && other.name == edition.name);
        if edition.state == EditionState::Refused {
            insert(&tx, &edition).await?;
            refused.push(edition);
        } else if !is_known {
            insert(&tx, &edition).await?;
            known.push(edition);
        }
    }
    tx.commit().await.map_err(database)?;
    app.catalog.offer(latest(&known, &names));
    Ok(refused)
}

async fn insert(tx: &Tx, edition: &Edition) -> Result<(), Trouble> {
    store::blueprint::insert(tx, edition).await.map_err(database)
}

/// What a file comes to: a version to publish, or a refusal with its reasons.
fn read(app: &App, file: &File, known: &[Edition]) -> Edition {
    let source = file.text.as_deref().unwrap_or_default();
    let edition = Edition {
        id: store::fresh_id(),
        file: file.name.clone(),
        name: stem(&file.name),
        version: String::new(),
        sha256: hex::encode(Sha256::digest(source)),
        source: source.to_owned(),
        state: EditionState::Refused,
        problems: Vec::new(),
        read_at: app.clock.now(),
    };
    if let Err(why) = &file.text {
        return Edition { problems: vec![format!("{}: {why}", file.name)], ..edition };
    }
    match Blueprint::parse_checked(&file.name, source, app.catalog.actions()) {
        Err(mistakes) => Edition { problems: mistakes.iter().map(ToString::to_string).collect(), ..edition },
        Ok(blueprint) => {
            let edition = Edition { name: blueprint.name, version: blueprint.version.to_string(), ..edition };
            match known.iter().find(|other| other.name == edition.name && other.version == edition.version) {
                Some(other) if other.sha256 != edition.sha256 => {
                    Edition { problems: vec![changed(&edition, other)], ..edition }
                }
                _ => Edition { state: EditionState::Published, ..edition },
            }
        }
    }
}

/// `linux-vm` of `workflows/linux-vm.yaml`: what a file is called that does not say its blueprint's name.
fn stem(file: &str) -> String {
    let last = file.rsplit(['/', '\\']).next().unwrap_or(file);
    last.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned()
}

fn changed(edition: &Edition, published: &Edition) -> String {
    let Edition { file, name, version, .. } = edition;
    let day = published.read_at.format("%Y-%m-%d");
    format!(
        "{file}: version {version} of {name} was published on {day} with another content, and a published version never \
         changes; give the changed file a higher version"
    )
}

/// The highest published version of each name.
fn latest(known: &[Edition], names: &BTreeSet<String>) -> BTreeMap<String, Arc<Blueprint>> {
    let mut offered: BTreeMap<String, Arc<Blueprint>> = BTreeMap::new();
    for edition in known.iter().filter(|edition| names.contains(&edition.name)) {
        let Ok(blueprint) = Blueprint::parse(&edition.file, &edition.source) else { continue };
        let older = offered.get(&edition.name).is_some_and(|other| other.version > blueprint.version);
        if !older {
            offered.insert(edition.name.clone(), Arc::new(blueprint));
        }
    }
    offered
}
