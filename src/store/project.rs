//! Projects, each with its organisation's name.

use domain::ids::ProjectId;
use domain::person::Scope;
use domain::project::Project;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, IntoActiveModel, QueryOrder};

use crate::{Reads, Tx, organisation};

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    use crate::organisation::row as organisation;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "project")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub organisation_id: Uuid,
        pub name: String,
        pub title: String,
        pub team: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "organisation::Entity",
            from = "Column::OrganisationId",
            to = "organisation::Column::Id"
        )]
        Organisation,
    }

    impl Related<organisation::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Organisation.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Adds a project; its name must be free in its organisation.
pub async fn insert(tx: &Tx, project: &Project) -> Result<(), DbErr> {
    let row = row::Model {
        id: project.id.into(),
        organisation_id: project.organisation.into(),
        name: project.name.clone(),
        title: project.title.clone(),
        team: project.team.clone(),
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The project, whoever asks; a use case checks the scope.
pub async fn find(on: &impl Reads, id: ProjectId) -> Result<Option<Project>, DbErr> {
    let condition = Condition::all().add(row::Column::Id.eq(Uuid::from(id)));
    Ok(select(on, condition).await?.into_iter().next())
}

/// The projects of a scope, by title.
pub async fn list(on: &impl Reads, scope: &Scope) -> Result<Vec<Project>, DbErr> {
    let condition = match scope {
        Scope::Everything => Condition::all(),
        Scope::Projects(ids) => Condition::all().add(row::Column::Id.is_in(ids.iter().map(|id| id.0))),
    };
    select(on, condition).await
}

async fn select(on: &impl Reads, condition: Condition) -> Result<Vec<Project>, DbErr> {
    let rows = row::Entity::find()
        .find_also_related(organisation::row::Entity)
        .filter(condition)
        .order_by_asc(row::Column::Title)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(|(row, organisation)| project(row, organisation)).collect())
}

fn project(row: row::Model, organisation: Option<organisation::row::Model>) -> Project {
    Project {
        id: row.id.into(),
        organisation: row.organisation_id.into(),
        organisation_name: organisation.map(|organisation| organisation.name).unwrap_or_default(),
        name: row.name,
        title: row.title,
        team: row.team,
    }
}
