//! Writing to the CMDB, within the transaction of the step or report that says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::ci::delta::{Delta, Known, Link, UnknownCi, plan, words_of};
use domain::ci::{Attributes, Cause, CiChange};
use domain::ids::{CiId, DeploymentId, ProjectId};
use domain::reconcile::rules::Rules;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect, Statement,
};
use uuid::Uuid;

use super::row::{self, attribute, ci, history, relation, word};
use crate::tx::sealed::Connection;
use crate::{Tx, connector, deployment, fresh_id};

/// Rows that one INSERT takes: both databases bound the number of values in a statement.
const ROWS_A_STATEMENT: usize = 500;

/// Why changes were not written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    UnknownCi(#[from] UnknownCi),
    #[error("the CMDB could not be written")]
    Database(#[from] DbErr),
}

/// Writes the changes with their history, in a few statements whatever their number, and nothing at all when the
/// CMDB says all of it already. Answers how many entries its history gained.
pub async fn apply(tx: &Tx, changes: &[CiChange], cause: &Cause) -> Result<usize, ApplyError> {
    if changes.is_empty() {
        return Ok(0);
    }
    one_after_the_other(tx, cause.project).await?;
    let known = known(tx, changes).await?;
    let delta = plan(known, changes, cause, Rules::standard(), fresh_id)?;
    if !delta.is_empty() {
        write(tx, &delta, cause).await?;
    }
    Ok(delta.history.len())
}

/// Steps that run side by side may tell of the same CI: within a project they do so in turn, so that none overwrites
/// what it has not read. SQLite has one writer anyway.
async fn one_after_the_other(tx: &Tx, project: ProjectId) -> Result<(), DbErr> {
    let backend = tx.db().get_database_backend();
    if backend == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
        let named = Statement::from_sql_and_values(backend, lock, [format!("cmdb of {project}").into()]);
        tx.db().execute_raw(named).await?;
    }
    Ok(())
}

/// What the CMDB says of the CIs that the changes name: four statements.
async fn known(tx: &Tx, changes: &[CiChange]) -> Result<Known, DbErr> {
    let keys: BTreeSet<&str> = changes.iter().flat_map(CiChange::keys).collect();
    let rows = ci::Entity::find().filter(ci::Column::Key.is_in(keys)).all(tx.db()).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    if ids.is_empty() {
        return Ok(Known::default());
    }
    let mut attributes: HashMap<Uuid, Attributes> = HashMap::new();
    for row in attribute::Entity::find().filter(attribute::Column::CiId.is_in(ids.clone())).all(tx.db()).await? {
        let id = row.ci_id;
        attributes.entry(id).or_default().extend([row.into_domain()?]);
    }
    let links = links_of(tx, &ids).await?;
    let others: BTreeSet<Uuid> =
        links.keys().flat_map(|link| [link.from.0, link.to.0]).filter(|id| !ids.contains(id)).collect();
    let cis = rows
        .into_iter()
        .map(|row| {
            let attributes = attributes.remove(&row.id).unwrap_or_default();
            Ok((row.into_domain()?, attributes))
        })
        .collect::<Result<_, DbErr>>()?;
    Ok(Known { cis, links, names: names_of(tx, others).await? })
}

/// The relations that hold now, at either end of these CIs.
async fn links_of(tx: &Tx, ids: &[Uuid]) -> Result<BTreeMap<Link, Uuid>, DbErr> {
    let either_end = Condition::any()
        .add(relation::Column::FromId.is_in(ids.to_vec()))
        .add(relation::Column::ToId.is_in(ids.to_vec()));
    let rows =
        relation::Entity::find().filter(relation::Column::Until.is_null()).filter(either_end).all(tx.db()).await?;
    rows.into_iter()
        .map(|row| {
            let link =
                Link { from: row.from_id.into(), relation: row::relation_of(&row.relation)?, to: row.to_id.into() };
            Ok((link, row.id))
        })
        .collect()
}

async fn names_of(tx: &Tx, ids: BTreeSet<Uuid>) -> Result<HashMap<CiId, String>, DbErr> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, String)> = ci::Entity::find()
        .select_only()
        .column(ci::Column::Id)
        .column(ci::Column::Name)
        .filter(ci::Column::Id.is_in(ids))
        .into_tuple()
        .all(tx.db())
        .await?;
    Ok(rows.into_iter().map(|(id, name)| (id.into(), name)).collect())
}

async fn write(tx: &Tx, delta: &Delta, cause: &Cause) -> Result<(), DbErr> {
    use attribute::Column as A;
    use ci::Column as C;
    let cis = OnConflict::column(C::Id)
        .update_columns([
            C::Class,
            C::Name,
            C::SortName,
            C::Lifecycle,
            C::DeploymentId,
            C::Platform,
            C::Application,
            C::Gaps,
            C::Misfits,
            C::ChangedAt,
            C::RetiredAt,
        ])
        .to_owned();
    insert(tx, delta.cis.iter().map(ci::Model::from_domain).collect(), Some(cis)).await?;
    let attributes = OnConflict::columns([A::CiId, A::Name])
        .update_columns([A::Value, A::Source, A::RunId, A::StepKey, A::At])
        .to_owned();
    let rows = delta.attributes.iter().map(|(id, name, told)| attribute::Model::from_domain(*id, name, told));
    insert(tx, rows.collect(), Some(attributes)).await?;
    insert(tx, delta.opened.iter().map(|link| opened(link, cause)).collect(), None).await?;
    close(tx, &delta.closed, cause).await?;
    insert(tx, delta.history.iter().map(history::Model::from_domain).collect(), None).await?;
    connector::raise(tx, &delta.history.iter().map(|change| change.ci).collect(), cause.at).await?;
    index_words(tx, delta).await
}

fn opened(link: &Link, cause: &Cause) -> relation::Model {
    relation::Model {
        id: fresh_id(),
        from_id: link.from.0,
        relation: link.relation.word().into(),
        to_id: link.to.0,
        source: cause.source.word().into(),
        since: cause.at,
        until: None,
    }
}

async fn close(tx: &Tx, rows: &[Uuid], cause: &Cause) -> Result<(), DbErr> {
    if !rows.is_empty() {
        relation::Entity::update_many()
            .col_expr(relation::Column::Until, sea_orm::sea_query::Expr::value(cause.at))
            .filter(relation::Column::Id.is_in(rows.to_vec()))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// The words by which the CIs are found, anew for those that changed.
async fn index_words(tx: &Tx, delta: &Delta) -> Result<(), DbErr> {
    let changed: Vec<Uuid> = delta.words.iter().map(|(id, _)| id.0).collect();
    if changed.is_empty() {
        return Ok(());
    }
    word::Entity::delete_many().filter(word::Column::CiId.is_in(changed)).exec(tx.db()).await?;
    let names = names_of_deployments(tx, delta).await?;
    let project_of: HashMap<CiId, Uuid> = delta.cis.iter().map(|ci| (ci.id, ci.project.0)).collect();
    let rows = delta.words.iter().filter_map(|(id, words)| Some((id.0, *project_of.get(id)?, words))).flat_map(
        |(ci_id, project_id, words)| {
            let of_deployment = names.get(&CiId(ci_id)).into_iter().flatten();
            let all: BTreeSet<&String> = words.iter().chain(of_deployment).collect();
            all.into_iter().map(move |word| word::Model { word: word.clone(), ci_id, project_id })
        },
    );
    insert(tx, rows.collect(), None).await
}

/// The words of the name of each CI's deployment: who knows what he ordered finds what it is made of.
async fn names_of_deployments(tx: &Tx, delta: &Delta) -> Result<HashMap<CiId, Vec<String>>, DbErr> {
    let ids: BTreeSet<DeploymentId> = delta.cis.iter().filter_map(|ci| ci.deployment).collect();
    let ids: Vec<DeploymentId> = ids.into_iter().collect();
    let names = deployment::names(tx, &ids).await?;
    let of = |ci: &domain::ci::Ci| Some((ci.id, words_of(names.get(&ci.deployment?)?)));
    Ok(delta.cis.iter().filter_map(of).collect())
}

/// Inserts the rows, many to a statement; `conflict` says what happens to those that are there.
async fn insert<M>(tx: &Tx, rows: Vec<M>, conflict: Option<OnConflict>) -> Result<(), DbErr>
where
    M: IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> + sea_orm::ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    let rows: Vec<_> = rows.into_iter().map(IntoActiveModel::into_active_model).collect();
    for rows in rows.chunks(ROWS_A_STATEMENT) {
        let mut statement = M::Entity::insert_many(rows.iter().cloned());
        if let Some(conflict) = &conflict {
            statement = statement.on_conflict(conflict.clone());
        }
        statement.exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use domain::ci::{CiClass, Relation, Source};
    use sea_orm::PaginatorTrait;
    use serde_json::Map;
    use test_database::TestDatabase;

    use super::*;
    use crate::Store;

    async fn store() -> (TestDatabase, Store) {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        (database, store)
    }

    fn cause(second: i64) -> Cause {
        Cause {
            source: Source::Workflow,
            project: ProjectId(Uuid::from_u128(1)),
            deployment: None,
            run: None,
            step: None,
            platform: Some("ops-platform".into()),
            application: Some("team-shop".into()),
            at: DateTime::<Utc>::from_timestamp(1_800_000_000 + second, 0).expect("a valid instant"),
        }
    }

    fn declare(key: &str, class: CiClass) -> CiChange {
        CiChange::Declare { key: key.into(), class, name: format!("Shop-{key}"), attributes: Map::new() }
    }

    #[tokio::test]
    async fn what_was_declared_is_written_once_and_retired_but_never_deleted() {
        let (_database, store) = store().await;
        let tx = store.begin().await.expect("a transaction");
        let born = [
            declare("pool", CiClass::LoadBalancerService),
            declare("node", CiClass::VirtualMachine),
            CiChange::Relate { from: "node".into(), relation: Relation::MemberOf, to: "pool".into() },
        ];
        assert!(apply(&tx, &born, &cause(0)).await.expect("it is written") > 0);
        assert_eq!(apply(&tx, &born, &cause(1)).await.expect("nothing is new"), 0);
        apply(&tx, &[CiChange::Retire { key: "pool".into() }], &cause(2)).await.expect("it is retired");
        tx.commit().await.expect("it commits");

        let pool = ci::Entity::find()
            .filter(ci::Column::Key.eq("pool"))
            .one(store.db())
            .await
            .expect("a row")
            .expect("it stays");
        assert_eq!((pool.lifecycle.as_str(), pool.changed_at), ("retired", cause(2).at));
        let ended = relation::Entity::find().one(store.db()).await.expect("a row").expect("it stays");
        assert_eq!((ended.since, ended.until), (cause(0).at, Some(cause(2).at)));
        assert_eq!(ci::Entity::find().count(store.db()).await.expect("a count"), 2);
        let found = word::Entity::find().filter(word::Column::Word.eq("shop-node")).count(store.db()).await;
        assert_eq!(found.expect("a count"), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_steps_that_tell_of_one_ci_at_once_each_is_heard() {
        let (_database, store) = store().await;
        let steps: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let node = format!("node-{number}");
                    let told = [
                        declare("pool", CiClass::LoadBalancerService),
                        declare(&node, CiClass::VirtualMachine),
                        CiChange::Relate { from: node, relation: Relation::MemberOf, to: "pool".into() },
                    ];
                    let tx = store.begin_step().await.expect("a transaction");
                    apply(&tx, &told, &cause(number)).await.expect("it is written");
                    tx.commit().await.expect("it commits");
                })
            })
            .collect();
        for step in steps {
            step.await.expect("the step ends");
        }
        assert_eq!(ci::Entity::find().count(store.db()).await.expect("a count"), 9, "one pool, eight machines");
        assert_eq!(relation::Entity::find().count(store.db()).await.expect("a count"), 8);
    }
}
