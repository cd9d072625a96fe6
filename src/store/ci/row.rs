//! The rows of the CMDB's tables, and how they become the domain's values.

use domain::ci::{Aspect, Attribute, Change, Ci, CiClass, Lifecycle, Relation, Source};
use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod ci {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ci")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub key: String,
        pub class: String,
        pub name: String,
        pub sort_name: String,
        pub lifecycle: String,
        pub project_id: Uuid,
        pub deployment_id: Option<Uuid>,
        pub platform: Option<String>,
        pub application: Option<String>,
        pub gaps: String,
        pub misfits: String,
        pub created_at: ChronoDateTimeUtc,
        pub changed_at: ChronoDateTimeUtc,
        pub retired_at: Option<ChronoDateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod attribute {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ci_attribute")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub ci_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: String,
        pub source: String,
        pub run_id: Option<Uuid>,
        pub step_key: Option<String>,
        pub at: ChronoDateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod relation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ci_relation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub from_id: Uuid,
        pub relation: String,
        pub to_id: Uuid,
        pub source: String,
        pub since: ChronoDateTimeUtc,
        pub until: Option<ChronoDateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod history {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ci_history")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub ci_id: Uuid,
        pub at: ChronoDateTimeUtc,
        pub aspect: String,
        pub field: String,
        pub before: String,
        pub after: String,
        pub source: String,
        pub run_id: Option<Uuid>,
        pub step_key: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod word {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "ci_word")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub word: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub ci_id: Uuid,
        pub project_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl ci::Model {
    pub fn from_domain(ci: &Ci) -> Self {
        Self {
            id: ci.id.0,
            key: ci.key.clone(),
            class: ci.class.word().into(),
            name: ci.name.clone(),
            sort_name: ci.name.to_lowercase(),
            lifecycle: ci.lifecycle.word().into(),
            project_id: ci.project.0,
            deployment_id: ci.deployment.map(Into::into),
            platform: ci.platform.clone(),
            application: ci.application.clone(),
            gaps: json(&ci.gaps),
            misfits: json(&ci.misfits),
            created_at: ci.created_at,
            changed_at: ci.changed_at,
            retired_at: ci.retired_at,
        }
    }

    pub fn into_domain(self) -> Result<Ci, DbErr> {
        Ok(Ci {
            id: self.id.into(),
            class: class_of(&self.class)?,
            lifecycle: lifecycle_of(&self.lifecycle)?,
            project: self.project_id.into(),
            deployment: self.deployment_id.map(Into::into),
            gaps: parsed("ci.gaps", &self.gaps)?,
            misfits: parsed("ci.misfits", &self.misfits)?,
            key: self.key,
            name: self.name,
            platform: self.platform,
            application: self.application,
            created_at: self.created_at,
            changed_at: self.changed_at,
            retired_at: self.retired_at,
        })
    }
}

impl attribute::Model {
    pub fn from_domain(ci: domain::ids::CiId, name: &str, attribute: &Attribute) -> Self {
        Self {
            ci_id: ci.0,
            name: name.to_owned(),
            value: json(&attribute.value),
            source: attribute.source.word().into(),
            run_id: attribute.run.map(Into::into),
            step_key: attribute.step.clone(),
            at: attribute.at,
        }
    }

    pub fn into_domain(self) -> Result<(String, Attribute), DbErr> {
        let attribute = Attribute {
            value: parsed("ci_attribute.value", &self.value)?,
            source: known("ci_attribute.source", &self.source, Source::from_word)?,
            run: self.run_id.map(Into::into),
            step: self.step_key,
            at: self.at,
        };
        Ok((self.name, attribute))
    }
}

impl history::Model {
    pub fn from_domain(change: &Change) -> Self {
        Self {
            id: crate::fresh_id(),
            ci_id: change.ci.0,
            at: change.at,
            aspect: change.aspect.word().into(),
            field: change.field.clone(),
            before: json(&change.before),
            after: json(&change.after),
            source: change.source.word().into(),
            run_id: change.run.map(Into::into),
            step_key: change.step.clone(),
        }
    }

    pub fn into_domain(self) -> Result<Change, DbErr> {
        Ok(Change {
            ci: self.ci_id.into(),
            at: self.at,
            aspect: known("ci_history.aspect", &self.aspect, Aspect::from_word)?,
            field: self.field,
            before: parsed("ci_history.before", &self.before)?,
            after: parsed("ci_history.after", &self.after)?,
            source: known("ci_history.source", &self.source, Source::from_word)?,
            run: self.run_id.map(Into::into),
            step: self.step_key,
        })
    }
}

/// The relation that a word in a row means.
pub fn relation_of(word: &str) -> Result<Relation, DbErr> {
    known("ci_relation.relation", word, Relation::from_word)
}

/// The class that a word in a row means.
pub fn class_of(word: &str) -> Result<CiClass, DbErr> {
    known("ci.class", word, CiClass::from_word)
}

/// The stage of life that a word in a row means.
pub fn lifecycle_of(word: &str) -> Result<Lifecycle, DbErr> {
    known("ci.lifecycle", word, Lifecycle::from_word)
}

fn known<T>(column: &str, word: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, DbErr> {
    read(word).ok_or_else(|| DbErr::Type(format!("`{word}` in {column} is no word of this version of Gatehouse")))
}

fn parsed<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, DbErr> {
    serde_json::from_str(text).map_err(|cause| DbErr::Json(format!("{column}: {cause}")))
}

/// Lists of names and JSON values always serialise.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
