//! What is known of what findings are about: its CI, the object of the ledger behind it, and who told what is on record.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::ci::{Ci, Source};
use domain::deployment::DeploymentState;
use domain::ids::{CiId, DeploymentId, ProjectId, RunId};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::Reads;
use crate::ci::row::ci;
use crate::sql::Sql;

/// What a finding is about.
#[derive(Clone, Debug, Default)]
pub struct Thing {
    pub ci: Option<Ci>,
    pub maker: Option<Maker>,
    /// The site of its deployment.
    pub site: Option<String>,
    /// Whether a run works on its deployment.
    pub under_way: bool,
}

/// The object of the ledger behind it, with its order.
#[derive(Clone, Debug)]
pub struct Maker {
    /// The object's key.
    pub key: String,
    pub name: String,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    pub platform: String,
    pub application: String,
    pub run: RunId,
    pub step: String,
    pub live_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct CiRow {
    #[sea_orm(nested)]
    ci: ci::Model,
    site: Option<String>,
    deployment_state: Option<String>,
}

#[derive(FromQueryResult)]
struct ObjectRow {
    key: String,
    name: String,
    deployment_id: Uuid,
    run_id: Uuid,
    step_key: String,
    live_at: Option<DateTime<Utc>>,
    project_id: Uuid,
    platform: String,
    application: String,
    site: String,
    state: String,
}

/// What is known of the things with these keys: two statements.
pub async fn things(on: &impl Reads, keys: &[&str]) -> Result<HashMap<String, Thing>, DbErr> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let places = sql.bind_all(keys.iter().copied());
    sql.text = format!(
        "SELECT c.*, d.site, d.state AS deployment_state FROM ci c LEFT JOIN deployment d ON d.id = c.deployment_id \
         WHERE c.key IN ({places})"
    );
    let mut known: HashMap<String, Thing> = HashMap::new();
    for row in sql.all::<CiRow>(on).await? {
        let under_way = row.deployment_state.as_deref().is_some_and(under_way);
        let ci = row.ci.into_domain()?;
        known.insert(ci.key.clone(), Thing { ci: Some(ci), maker: None, site: row.site, under_way });
    }
    let objects = objects(on, keys).await?;
    for key in keys {
        let Some(object) = above(key).find_map(|above| objects.get(above)) else { continue };
        let thing = known.entry((*key).to_owned()).or_default();
        thing.site.get_or_insert_with(|| object.site.clone());
        thing.under_way |= under_way(&object.state);
        thing.maker = Some(maker(object));
    }
    Ok(known)
}

/// What may be the key of the object behind a CI: the CI's own without its last part, or its last two.
fn above(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(key.rfind('/'), |end| key[..*end].rfind('/')).take(2).map(|end| &key[..end])
}

async fn objects(on: &impl Reads, keys: &[&str]) -> Result<HashMap<String, ObjectRow>, DbErr> {
    let wanted: BTreeSet<&str> = keys.iter().flat_map(|key| above(key)).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let places = sql.bind_all(wanted);
    // The youngest of those that had the key comes last, and one that is not gone behind all that are.
    sql.text = format!(
        "SELECT r.key, r.name, r.deployment_id, r.run_id, r.step_key, r.live_at, d.project_id, d.platform, d.application, \
         d.site, d.state FROM resource r JOIN deployment d ON d.id = r.deployment_id WHERE r.key IN ({places}) \
         ORDER BY CASE WHEN r.state = 'gone' THEN 0 ELSE 1 END, r.id"
    );
    Ok(sql.all::<ObjectRow>(on).await?.into_iter().map(|row| (row.key.clone(), row)).collect())
}

fn maker(row: &ObjectRow) -> Maker {
    Maker {
        key: row.key.clone(),
        name: row.name.clone(),
        deployment: row.deployment_id.into(),
        project: row.project_id.into(),
        platform: row.platform.clone(),
        application: row.application.clone(),
        run: row.run_id.into(),
        step: row.step_key.clone(),
        live_at: row.live_at,
    }
}

/// Who told an attribute that is on record, and when.
#[derive(Clone, Debug)]
pub struct Teller {
    pub source: Option<Source>,
    pub at: DateTime<Utc>,
    pub run: Option<RunId>,
    pub step: Option<String>,
}

/// Who told these attributes of these CIs.
pub async fn tellers(
    on: &impl Reads,
    cis: &[CiId],
    names: &BTreeSet<&str>,
) -> Result<HashMap<(CiId, String), Teller>, DbErr> {
    #[derive(FromQueryResult)]
    struct ToldRow {
        ci_id: Uuid,
        name: String,
        source: String,
        at: DateTime<Utc>,
        run_id: Option<Uuid>,
        step_key: Option<String>,
    }
    if cis.is_empty() || names.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let (ids, names) = (sql.bind_all(cis.iter().map(|ci| ci.0)), sql.bind_all(names.iter().copied()));
    sql.text = format!(
        "SELECT ci_id, name, source, at, run_id, step_key FROM ci_attribute WHERE ci_id IN ({ids}) AND name IN ({names})"
    );
    let told = |row: ToldRow| {
        let teller = Teller {
            source: Source::from_word(&row.source),
            at: row.at,
            run: row.run_id.map(Into::into),
            step: row.step_key,
        };
        ((CiId(row.ci_id), row.name), teller)
    };
    Ok(sql.all(on).await?.into_iter().map(told).collect())
}

/// What is in no known state is left alone.
fn under_way(state: &str) -> bool {
    DeploymentState::from_word(state).is_none_or(DeploymentState::is_under_way)
}
