//! People, the roles they hold and the groups they are in.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{PersonId, ProjectId};
use domain::person::{Grant, Person, Place, Principal, Role, Scope};
use domain::project::Project;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, Condition, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect};

use crate::page::{Counted, Listing, Part, Table, Window};
use crate::{Reads, Tx, fresh_id, project};

const TABLE: Table = Table { name: "person", tie: "id", columns: "t.*" };

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub email: String,
        pub name: String,
        pub password_hash: Option<String>,
        pub active: bool,
        pub manager_id: Option<Uuid>,
        pub created_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod role_grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "role_grant")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub role: String,
        pub organisation_id: Option<Uuid>,
        pub project_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod group_member {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "group_member")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub group_name: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl From<row::Model> for Person {
    fn from(row: row::Model) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            active: row.active,
            manager: row.manager_id.map(PersonId::from),
            created_at: row.created_at,
        }
    }
}

/// Which people a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the name or the email, in any case.
    pub text: String,
    /// Whether they may come in; nothing for all.
    pub active: Option<bool>,
    /// A role that they hold somewhere.
    pub role: Option<Role>,
}

/// By what a list of people is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    #[default]
    Name,
    Email,
    Created,
}

/// Adds a person; the email must be free.
pub async fn insert(tx: &Tx, person: &Person, password_hash: Option<String>) -> Result<(), DbErr> {
    let row = row::Model {
        id: person.id.into(),
        email: person.email.clone(),
        name: person.name.clone(),
        password_hash,
        active: person.active,
        manager_id: person.manager.map(Uuid::from),
        created_at: person.created_at,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// The person with this id.
pub async fn find(on: &impl Reads, id: PersonId) -> Result<Option<Person>, DbErr> {
    Ok(row::Entity::find_by_id(Uuid::from(id)).one(on.db()).await?.map(Person::from))
}

/// The people with these ids.
pub async fn find_many(on: &impl Reads, ids: &[PersonId]) -> Result<BTreeMap<PersonId, Person>, DbErr> {
    let rows = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.0))).all(on.db()).await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.into())).collect())
}

/// The person with this email (in small letters), and the hash of his password.
pub async fn find_by_email(on: &impl Reads, email: &str) -> Result<Option<(Person, Option<String>)>, DbErr> {
    let found = row::Entity::find().filter(row::Column::Email.eq(email)).one(on.db()).await?;
    Ok(found.map(|mut row| {
        let hash = row.password_hash.take();
        (row.into(), hash)
    }))
}

/// A part of the people whom the filter leaves.
pub async fn list(on: &impl Reads, filter: &Filter, window: Window<SortBy, PersonId>) -> Result<Part<Person>, DbErr> {
    let column = match window.sort {
        SortBy::Name => "name",
        SortBy::Email => "email",
        SortBy::Created => "created_at",
    };
    listing(filter).part::<row::Model, _, _>(on, column, window).await.map(|part| part.map(Person::from))
}

/// How many people the filter leaves, up to a thousand.
pub async fn count(on: &impl Reads, filter: &Filter) -> Result<Counted, DbErr> {
    listing(filter).count(on).await
}

fn listing(filter: &Filter) -> Listing {
    let mut all = Listing::new(TABLE, &Scope::Everything, None);
    if !filter.text.is_empty() {
        all.ask(|sql| sql.contains(&["name", "email"], &filter.text));
    }
    if let Some(active) = filter.active {
        all.ask(|sql| format!("active = {}", sql.bind(active)));
    }
    if let Some(role) = filter.role {
        all.ask(|sql| format!("id IN (SELECT person_id FROM role_grant WHERE role = {})", sql.bind(role.word())));
    }
    all
}

/// Everybody with an account, by name.
pub async fn everybody(on: &impl Reads) -> Result<Vec<Person>, DbErr> {
    let rows = row::Entity::find().order_by_asc(row::Column::Name).all(on.db()).await?;
    Ok(rows.into_iter().map(Person::from).collect())
}

/// Sets who may come in; a person who may not keeps his place in the history.
pub async fn set_active(tx: &Tx, id: PersonId, active: bool) -> Result<(), DbErr> {
    update(tx, id, row::ActiveModel { active: ActiveValue::Set(active), ..Default::default() }).await
}

/// Replaces the hash of the password.
pub async fn set_password(tx: &Tx, id: PersonId, hash: String) -> Result<(), DbErr> {
    update(tx, id, row::ActiveModel { password_hash: ActiveValue::Set(Some(hash)), ..Default::default() }).await
}

/// Sets to whom this person's unanswered approvals go on.
pub async fn set_manager(tx: &Tx, id: PersonId, manager: Option<PersonId>) -> Result<(), DbErr> {
    let manager_id = ActiveValue::Set(manager.map(Uuid::from));
    update(tx, id, row::ActiveModel { manager_id, ..Default::default() }).await
}

async fn update(tx: &Tx, id: PersonId, change: row::ActiveModel) -> Result<(), DbErr> {
    let change = row::ActiveModel { id: ActiveValue::Unchanged(id.into()), ..change };
    row::Entity::update(change).exec(&tx.0).await.map(drop)
}

/// Gives a role at a place.
pub async fn grant(tx: &Tx, person: PersonId, grant: Grant) -> Result<(), DbErr> {
    let (organisation_id, project_id) = place_columns(grant.place);
    let row = role_grant::Model {
        id: fresh_id(),
        person_id: person.into(),
        role: grant.role.word().to_owned(),
        organisation_id,
        project_id,
    };
    role_grant::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Takes a role at a place back.
pub async fn revoke(tx: &Tx, person: PersonId, grant: Grant) -> Result<(), DbErr> {
    let (organisation, project) = place_columns(grant.place);
    let mut gone = role_grant::Entity::delete_many()
        .filter(role_grant::Column::PersonId.eq(Uuid::from(person)))
        .filter(role_grant::Column::Role.eq(grant.role.word()));
    gone = match organisation {
        Some(id) => gone.filter(role_grant::Column::OrganisationId.eq(id)),
        None => gone.filter(role_grant::Column::OrganisationId.is_null()),
    };
    gone = match project {
        Some(id) => gone.filter(role_grant::Column::ProjectId.eq(id)),
        None => gone.filter(role_grant::Column::ProjectId.is_null()),
    };
    gone.exec(&tx.0).await.map(drop)
}

fn place_columns(place: Place) -> (Option<Uuid>, Option<Uuid>) {
    match place {
        Place::Everywhere => (None, None),
        Place::Organisation(id) => (Some(id.into()), None),
        Place::Project(id) => (None, Some(id.into())),
    }
}

/// What people hold, in one statement: these, or everybody.
pub async fn grants(on: &impl Reads, of: Option<&[PersonId]>) -> Result<BTreeMap<PersonId, Vec<Grant>>, DbErr> {
    let mut held = role_grant::Entity::find();
    if let Some(people) = of {
        held = held.filter(role_grant::Column::PersonId.is_in(people.iter().map(|id| id.0)));
    }
    let mut by_person: BTreeMap<PersonId, Vec<Grant>> = BTreeMap::new();
    for row in held.all(on.db()).await? {
        let person = row.person_id.into();
        by_person.entry(person).or_default().extend(grant_of(&row));
    }
    Ok(by_person)
}

/// The groups of people, in one statement: of these, or of everybody.
pub async fn groups(on: &impl Reads, of: Option<&[PersonId]>) -> Result<BTreeMap<PersonId, BTreeSet<String>>, DbErr> {
    let mut joined = group_member::Entity::find();
    if let Some(people) = of {
        joined = joined.filter(group_member::Column::PersonId.is_in(people.iter().map(|id| id.0)));
    }
    let mut by_person: BTreeMap<PersonId, BTreeSet<String>> = BTreeMap::new();
    for row in joined.all(on.db()).await? {
        by_person.entry(row.person_id.into()).or_default().insert(row.group_name);
    }
    Ok(by_person)
}

fn grant_of(row: &role_grant::Model) -> Option<Grant> {
    let place = match (row.organisation_id, row.project_id) {
        (None, None) => Place::Everywhere,
        (Some(id), _) => Place::Organisation(id.into()),
        (None, Some(id)) => Place::Project(id.into()),
    };
    Some(Grant { role: Role::from_word(&row.role)?, place })
}

/// Puts a person into a group; being in it already changes nothing.
pub async fn join_group(tx: &Tx, person: PersonId, group: &str) -> Result<(), DbErr> {
    let row = group_member::Model { group_name: group.to_owned(), person_id: person.into() };
    group_member::Entity::insert(row.into_active_model())
        .on_conflict(
            OnConflict::columns([group_member::Column::GroupName, group_member::Column::PersonId])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&tx.0)
        .await
        .map(drop)
}

/// Takes a person out of a group.
pub async fn leave_group(tx: &Tx, person: PersonId, group: &str) -> Result<(), DbErr> {
    group_member::Entity::delete_by_id((group.to_owned(), person.into())).exec(&tx.0).await.map(drop)
}

/// The active members of a group, by name.
pub async fn members(on: &impl Reads, group: &str) -> Result<Vec<Person>, DbErr> {
    let ids: Vec<Uuid> = group_member::Entity::find()
        .select_only()
        .column(group_member::Column::PersonId)
        .filter(group_member::Column::GroupName.eq(group))
        .into_tuple()
        .all(on.db())
        .await?;
    let rows = row::Entity::find()
        .filter(row::Column::Id.is_in(ids))
        .filter(row::Column::Active.eq(true))
        .order_by_asc(row::Column::Name)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(Person::from).collect())
}

/// What an active person may do and see now. `None` when there is no such person or he may not come in.
pub async fn principal(on: &impl Reads, id: PersonId) -> Result<Option<Principal>, DbErr> {
    let Some(person) = find(on, id).await?.filter(|person| person.active) else { return Ok(None) };
    let held: Vec<Grant> = role_grant::Entity::find()
        .filter(role_grant::Column::PersonId.eq(Uuid::from(id)))
        .all(on.db())
        .await?
        .iter()
        .filter_map(grant_of)
        .collect();
    let groups = group_member::Entity::find()
        .filter(group_member::Column::PersonId.eq(Uuid::from(id)))
        .all(on.db())
        .await?
        .into_iter()
        .map(|row| row.group_name)
        .collect();
    let (everywhere, by_project) = spread(on, &held).await?;
    Ok(Some(Principal { person: id, name: person.name, email: person.email, groups, everywhere, by_project }))
}

type Held = (BTreeSet<Role>, BTreeMap<ProjectId, BTreeSet<Role>>);

/// Spreads the roles held in organisations over their projects.
async fn spread(on: &impl Reads, held: &[Grant]) -> Result<Held, DbErr> {
    let organisations: Vec<Uuid> = held
        .iter()
        .filter_map(|grant| match grant.place {
            Place::Organisation(id) => Some(id.0),
            _ => None,
        })
        .collect();
    let projects = projects_of(on, organisations).await?;
    let mut everywhere = BTreeSet::new();
    let mut by_project: BTreeMap<ProjectId, BTreeSet<Role>> = BTreeMap::new();
    for Grant { role, place } in held {
        match place {
            Place::Everywhere => {
                everywhere.insert(*role);
            }
            Place::Project(id) => {
                by_project.entry(*id).or_default().insert(*role);
            }
            Place::Organisation(id) => {
                for (_, project) in projects.iter().filter(|(organisation, _)| *organisation == id.0) {
                    by_project.entry((*project).into()).or_default().insert(*role);
                }
            }
        }
    }
    Ok((everywhere, by_project))
}

/// The projects of these organisations: pairs of organisation and project.
async fn projects_of(on: &impl Reads, organisations: Vec<Uuid>) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    if organisations.is_empty() {
        return Ok(Vec::new());
    }
    project::row::Entity::find()
        .select_only()
        .columns([project::row::Column::OrganisationId, project::row::Column::Id])
        .filter(project::row::Column::OrganisationId.is_in(organisations))
        .into_tuple()
        .all(on.db())
        .await
}

/// Who holds the role in this project: there, in its organisation, or everywhere.
pub async fn holders(on: &impl Reads, role: Role, project: &Project) -> Result<BTreeSet<PersonId>, DbErr> {
    let somewhere = Condition::any()
        .add(role_grant::Column::ProjectId.eq(project.id.0))
        .add(role_grant::Column::OrganisationId.eq(project.organisation.0))
        .add(role_grant::Column::ProjectId.is_null().and(role_grant::Column::OrganisationId.is_null()));
    let rows = role_grant::Entity::find()
        .filter(role_grant::Column::Role.eq(role.word()))
        .filter(somewhere)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(|row| row.person_id.into()).collect())
}
