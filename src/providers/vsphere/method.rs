//! The methods of the Web Services API that are used, with their arguments in the order of the schema.
//!
//! <https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/>; names are VMware's own.

use serde::{Deserialize, Serialize};

use super::soap::Method;
use super::spec::{
    CloneSpec, ConfigSpec, CustomizationSpec, EventFilter, FilterSpec, InstantCloneSpec, RetrieveOptions, WaitOptions,
};
use super::vim::{EntityPrivilege, Moref, RetrieveResult, ServiceContent, UpdateSet, UserSession, VimEvent};

/// An answer that holds one thing.
#[derive(Deserialize)]
pub(super) struct One<T> {
    pub returnval: T,
}

/// An answer that may hold one thing.
#[derive(Deserialize)]
pub(super) struct Maybe<T> {
    pub returnval: Option<T>,
}

/// An answer that holds any number of things.
#[derive(Deserialize)]
pub(super) struct Many<T> {
    #[serde(default = "Vec::new")]
    pub returnval: Vec<T>,
}

/// An answer that says no more than that it was done.
#[derive(Deserialize)]
pub(super) struct Done {}

macro_rules! methods {
    ($($(#[$doc:meta])* $word:ident $name:ident = $wire:literal -> $answer:ty
       { $($(#[$field_doc:meta])* $field:ident : $type:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            pub(super) struct $name<'a> {
                #[serde(rename = "_this")]
                pub this: &'a Moref,
                $($(#[$field_doc])* pub $field: $type),*
            }

            impl Method for $name<'_> {
                const NAME: &'static str = $wire;
                const CHANGES: bool = methods!(@ $word);
                type Answer = $answer;
            }
        )+
    };
    (@ reads) => { false };
    (@ changes) => { true };
}

methods! {
    reads RetrieveServiceContent = "RetrieveServiceContent" -> One<ServiceContent> {}
    reads Login = "Login" -> One<UserSession> { user_name: &'a str, password: &'a str }
    reads Logout = "Logout" -> Done {}
    reads FindByInventoryPath = "FindByInventoryPath" -> Maybe<Moref> { inventory_path: &'a str }
    reads FindByUuid = "FindByUuid" -> Maybe<Moref> { uuid: &'a str, vm_search: bool, instance_uuid: bool }
    reads CreateContainerView = "CreateContainerView" -> One<Moref> {
        container: &'a Moref,
        r#type: &'a [&'static str],
        recursive: bool,
    }
    reads RetrievePropertiesEx = "RetrievePropertiesEx" -> Maybe<RetrieveResult> {
        spec_set: FilterSpec<'a>,
        options: RetrieveOptions,
    }
    reads ContinueRetrievePropertiesEx = "ContinueRetrievePropertiesEx" -> One<RetrieveResult> { token: &'a str }
    reads CreateFilter = "CreateFilter" -> One<Moref> { spec: FilterSpec<'a>, partial_updates: bool }
    reads WaitForUpdatesEx = "WaitForUpdatesEx" -> Maybe<UpdateSet> { version: &'a str, options: WaitOptions }
    reads QueryEvents = "QueryEvents" -> Many<VimEvent> { filter: EventFilter<'a> }
    reads HasPrivilegeOnEntities = "HasPrivilegeOnEntities" -> Many<EntityPrivilege> {
        entity: &'a [Moref],
        session_id: &'a str,
        priv_id: &'a [&'static str],
    }
    changes CloneMachine = "CloneVM_Task" -> One<Moref> { folder: &'a Moref, name: &'a str, spec: CloneSpec<'a> }
    changes InstantClone = "InstantClone_Task" -> One<Moref> { spec: InstantCloneSpec<'a> }
    changes Reconfigure = "ReconfigVM_Task" -> One<Moref> { spec: ConfigSpec<'a> }
    changes Customize = "CustomizeVM_Task" -> One<Moref> { spec: CustomizationSpec<'a> }
    changes PowerOn = "PowerOnVM_Task" -> One<Moref> {}
    changes PowerOff = "PowerOffVM_Task" -> One<Moref> {}
    changes ShutdownGuest = "ShutdownGuest" -> Done {}
    changes CreateSnapshot = "CreateSnapshot_Task" -> One<Moref> {
        name: &'a str,
        description: &'a str,
        memory: bool,
        quiesce: bool,
    }
    changes Rename = "Rename_Task" -> One<Moref> { new_name: &'a str }
    changes MoveIntoFolder = "MoveIntoFolder_Task" -> One<Moref> { list: &'a [Moref] }
    changes SetField = "SetField" -> Done { entity: &'a Moref, key: i32, value: &'a str }
    changes Destroy = "Destroy_Task" -> One<Moref> {}
    changes CancelTask = "CancelTask" -> Done {}
}
