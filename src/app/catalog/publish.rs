//! Publishing: files are read at start and when asked; what is good is offered, what is not says why, and the others
//! work on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::blueprint::{Blueprint, Edition, EditionState, Mistake};
use domain::person::{Principal, Role};
use domain::trouble::Trouble;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::Tx;

use super::Catalog;
use crate::{App, audit, database};

/// A blueprint's file, or why it could not be read as text.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name, `linux-vm.yaml`.
    pub name: String,
    pub text: Result<String, Mistake>,
}

/// What reading the files came to.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Versions that are new, `linux-vm 1.1.0`.
    pub new: Vec<String>,
    /// Files that were refused, with their reasons.
    pub refused: Vec<Edition>,
    /// Names that may be ordered now.
    pub offered: usize,
}

/// Reads the catalog's files and offers what is good. Of a file that is refused, the version published before stays
/// offered. `actor` is who asked for it, and goes on record; none at the start of a process.
pub async fn publish(app: &App, actor: Option<Actor>) -> Result<Published, Trouble> {
    let files = (app.catalog.0.files)().map_err(|why| {
        let next = "What was offered before is still offered. Mend the folder, then read it again.";
        Trouble::conflict(format!("The catalog's files can't be read: {why}."), next)
    })?;
    let tx = app.store.begin().await.map_err(database)?;
    let (published, offered) = write(&tx, &app.catalog, &files, app.clock.now()).await?;
    if let Some(actor) = actor {
        audit::note(app, &tx, note(actor, &published)).await?;
    }
    tx.commit().await.map_err(database)?;
    app.catalog.offer(offered);
    Ok(published)
}

/// The same for somebody at the portal who runs the platform.
pub async fn publish_again(app: &App, who: &Principal) -> Result<Published, Trouble> {
    if !may_publish(who) {
        return Err(Trouble::forbidden(
            "Only those who run the platform may read the catalog's files again.",
            "Ask an operator to do it.",
        ));
    }
    publish(app, Some(Actor::person(who, "portal"))).await
}

/// Whether the person may have the files read again.
pub fn may_publish(who: &Principal) -> bool {
    who.has_everywhere(Role::Operator) || who.has_everywhere(Role::Administrator)
}

fn note(actor: Actor, published: &Published) -> Note {
    let refused: Vec<&str> = published.refused.iter().map(|edition| edition.file.as_str()).collect();
    Note {
        actor,
        action: "catalog.read",
        subject: "catalog".to_owned(),
        project: None,
        data: json!({ "published": published.new, "refused": refused }),
    }
}

type Offered = BTreeMap<String, Arc<Blueprint>>;

/// Writes what became of each file; gives it, and what is to be offered once that stands.
async fn write(
    tx: &Tx,
    catalog: &Catalog,
    files: &[File],
    now: DateTime<Utc>,
) -> Result<(Published, Offered), Trouble> {
    store::blueprint::forget_refused(tx).await.map_err(database)?;
    let mut known = store::blueprint::list(tx).await.map_err(database)?;
    let mut names = BTreeSet::new();
    let mut published = Published::default();
    for file in files {
        let edition = read(catalog, file, &known, now);
        names.insert(edition.name.clone());
        let is_known = known.iter().any(|other| other.sha256 == edition.sha256 && other.name == edition.name);
        if edition.state == EditionState::Refused {
            insert(tx, &edition).await?;
            published.refused.push(edition);
        } else if !is_known {
            insert(tx, &edition).await?;
            published.new.push(format!("{} {}", edition.name, edition.version));
            known.push(edition);
        }
    }
    let offered = latest(&known, &names);
    published.offered = offered.len();
    Ok((published, offered))
}

async fn insert(tx: &Tx, edition: &Edition) -> Result<(), Trouble> {
    store::blueprint::insert(tx, edition).await.map_err(database)
}

/// What a file comes to: a version to publish, or a refusal with its reasons.
fn read(catalog: &Catalog, file: &File, known: &[Edition], now: DateTime<Utc>) -> Edition {
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
        read_at: now,
    };
    if let Err(mistake) = &file.text {
        return Edition { problems: vec![mistake.to_string()], ..edition };
    }
    match Blueprint::parse_checked(&file.name, source, catalog.actions()) {
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
fn latest(known: &[Edition], names: &BTreeSet<String>) -> Offered {
    let mut offered = Offered::new();
    for edition in known.iter().filter(|edition| names.contains(&edition.name)) {
        let Ok(blueprint) = Blueprint::parse(&edition.file, &edition.source) else { continue };
        let older = offered.get(&edition.name).is_some_and(|other| other.version > blueprint.version);
        if !older {
            offered.insert(edition.name.clone(), Arc::new(blueprint));
        }
    }
    offered
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::action::Signature;
    use store::Store;
    use test_database::TestDatabase;

    use super::*;

    fn catalog() -> Catalog {
        let nothing = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let (input, output) = (nothing.clone(), nothing);
        let rest = Signature {
            name: "rest",
            title: "Rest",
            undo_title: "",
            summary: "",
            input,
            output,
            provider: None,
            is_of_site: true,
        };
        Catalog::new(vec![rest], || Ok(Vec::new()))
    }

    async fn store() -> (TestDatabase, Store) {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database");
        (database, store)
    }

    fn file(name: &str, version: &str, title: &str) -> File {
        let text = format!(
            "blueprint: {name}\nversion: {version}\ntitle: {title}\nsummary: One.\ncategory: machines\n\
             responsible: {{ platform: ops, application: dev }}\nlease: {{ default: 9d }}\nprice: {{ monthly: 1 }}\n\
             steps: [ {{ id: rest, do: rest }} ]\n"
        );
        File { name: format!("workflows/{name}.yaml"), text: Ok(text) }
    }

    async fn published(store: &Store, catalog: &Catalog, files: &[File]) -> Vec<String> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let tx = store.begin().await.expect("the database works");
        let (published, offered) = write(&tx, catalog, files, now).await.expect("the database works");
        tx.commit().await.expect("the database works");
        catalog.offer(offered);
        published.refused.into_iter().flat_map(|edition| edition.problems).collect()
    }

    fn offered(catalog: &Catalog) -> Vec<String> {
        let blueprints = catalog.offered();
        blueprints
            .iter()
            .map(|blueprint| format!("{} {} {}", blueprint.name, blueprint.version, blueprint.title))
            .collect()
    }

    #[tokio::test]
    async fn a_published_version_never_changes() {
        let ((_database, store), catalog) = (store().await, catalog());
        assert!(published(&store, &catalog, &[file("one", "1.0.0", "One")]).await.is_empty());
        let told = published(&store, &catalog, &[file("one", "1.0.0", "Another")]).await;
        assert_eq!(
            told,
            [
                "workflows/one.yaml: version 1.0.0 of one was published on 1970-01-02 with another content, and a published \
              version never changes; give the changed file a higher version"
            ]
        );
        assert_eq!(offered(&catalog), ["one 1.0.0 One"], "what was published is still offered");
    }

    #[tokio::test]
    async fn a_file_with_mistakes_is_refused_and_the_others_work_on() {
        let ((_database, store), catalog) = (store().await, catalog());
        let wrong = File { text: Ok("blueprint: two\n".to_owned()), ..file("two", "1.0.0", "Two") };
        let three = file("three", "1.0.0", "Three");
        let message = "the file is no UTF-8 text".to_owned();
        let no_text =
            File { text: Err(Mistake { file: three.name.clone(), line: 2, column: 7, message, hint: None }), ..three };
        let told = published(&store, &catalog, &[file("one", "1.0.0", "One"), wrong, no_text]).await;
        assert!(told.contains(&"workflows/two.yaml:1:1: a blueprint needs the key `title`".to_owned()), "{told:?}");
        assert!(told.contains(&"workflows/three.yaml:2:7: the file is no UTF-8 text".to_owned()), "{told:?}");
        assert_eq!(offered(&catalog), ["one 1.0.0 One"]);
        let mended = [file("one", "1.0.0", "One"), file("two", "1.0.0", "Two")];
        assert!(published(&store, &catalog, &mended).await.is_empty());
        assert_eq!(offered(&catalog), ["one 1.0.0 One", "two 1.0.0 Two"]);
        assert_eq!(store::blueprint::list(&store).await.expect("the database works").len(), 2, "nothing is kept twice");
    }

    #[tokio::test]
    async fn the_highest_version_is_offered_and_the_others_are_kept() {
        let ((_database, store), catalog) = (store().await, catalog());
        published(&store, &catalog, &[file("one", "1.9.0", "Nine")]).await;
        published(&store, &catalog, &[file("one", "1.10.0", "Ten")]).await;
        assert_eq!(offered(&catalog), ["one 1.10.0 Ten"]);
        let kept = store::blueprint::find(&store, "one", "1.9.0").await.expect("the database works");
        assert!(kept.is_some(), "a deployment may have been built with it");
    }

    #[tokio::test]
    async fn what_is_taken_out_of_the_folder_is_no_longer_offered() {
        let ((_database, store), catalog) = (store().await, catalog());
        published(&store, &catalog, &[file("one", "1.0.0", "One"), file("two", "1.0.0", "Two")]).await;
        published(&store, &catalog, &[file("two", "1.0.0", "Two")]).await;
        assert_eq!(offered(&catalog), ["two 1.0.0 Two"]);
    }
}
