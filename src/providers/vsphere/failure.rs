//! What goes wrong with vCenter, and the same in our words with what to do about it.

use domain::ports::provider_error::ProviderError;

use super::vim::{Fault, Value};

/// Why a call came to nothing.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// vCenter understood and says no.
    Fault(Box<VimFault>),
    /// No connection, or it broke; the work may have been done all the same.
    Unreachable(String),
    /// What answers can't prove that it is our vCenter.
    Untrusted(String),
    /// No answer within the limit; the work may have been done all the same.
    Late(String),
    /// What answered does not speak SOAP as vCenter does: a proxy, a page of an error, half an answer.
    Garbled(String),
}

/// vCenter's fault.
#[derive(Debug, Clone)]
pub(super) struct VimFault {
    fault: Fault,
    /// vCenter's own words.
    message: String,
}

impl VimFault {
    pub fn new(fault: Option<Fault>, message: &str) -> Self {
        Self { fault: fault.unwrap_or_default(), message: message.trim().trim_end_matches('.').to_owned() }
    }

    /// The fault of a task that failed.
    pub fn of_task(error: &Value) -> Self {
        Self::new(error.fault.clone(), error.localized_message.as_deref().unwrap_or_default())
    }

    /// Its type, `DuplicateName`.
    fn kind(&self) -> &str {
        self.fault.kind.rsplit_once(':').map_or(self.fault.kind.as_str(), |(_, kind)| kind)
    }

    /// What vCenter says, with the type by which its manuals know it.
    fn words(&self) -> String {
        let kind = self.kind();
        match (self.message.is_empty() || self.message.ends_with(kind), kind.is_empty()) {
            (true, true) => "it gives no reason".to_owned(),
            (true, false) => kind.to_owned(),
            (false, true) => self.message.clone(),
            (false, false) => format!("{} ({kind})", self.message),
        }
    }
}

impl Failure {
    pub fn of_task(error: &Value) -> Self {
        Self::Fault(Box::new(VimFault::of_task(error)))
    }

    /// Whether it is vCenter's fault of this type.
    pub fn is(&self, kind: &str) -> bool {
        matches!(self, Self::Fault(fault) if fault.kind() == kind)
    }

    /// The failure in our words; `doing` is what was asked for: `clone debian-12 to web-1`.
    pub fn told(&self, doing: &str) -> ProviderError {
        match self {
            Self::Fault(fault) => fault.told(doing),
            Self::Unreachable(why) => ProviderError::transient(
                format!("vCenter can't be reached to {doing}: {why}."),
                "Gatehouse asks again; look whether vCenter runs and the network lets us through.",
            ),
            Self::Untrusted(why) => ProviderError::permanent(
                format!("vCenter was not asked to {doing}: its certificate is not trusted ({why})."),
                "Name the authority that issued it in the site's settings, or pin the certificate's fingerprint.",
            ),
            Self::Late(after) => ProviderError::transient(
                format!("vCenter did not answer within {after} when asked to {doing}; it may be at it all the same."),
                "Gatehouse looks what came of it and asks again; look at vCenter's load if this goes on.",
            ),
            Self::Garbled(why) => ProviderError::transient(
                format!("What answered for vCenter when asked to {doing} can't be read: {why}."),
                "Look whether vCenter is just starting, and whether the site's url names vCenter itself and no proxy.",
            ),
        }
    }
}

impl VimFault {
    fn told(&self, doing: &str) -> ProviderError {
        let what = format!("vCenter could not {doing}: {}.", self.words());
        match self.kind() {
            kind if is_shortage(kind) => ProviderError::refused(
                what,
                "Choose a smaller size, or ask the platform team for room in the pool or on a datastore.",
            ),
            "DuplicateName" => ProviderError::refused(
                format!(
                    "vCenter could not {doing}: {} exists there already and is not ours (DuplicateName).",
                    self.fault.name.as_deref().unwrap_or("something of that name")
                ),
                "Choose another name, or find out whose it is.",
            ),
            "NoPermission" => ProviderError::refused(
                format!("vCenter does not let us {doing}: the right {} is missing on {}.", self.right(), self.on()),
                "Ask vCenter's administrator for it; `gatehouse check --connect` lists every right that is needed.",
            ),
            "InvalidLogin" => ProviderError::permanent(
                format!("vCenter does not let us {doing}: it does not know our user name and password (InvalidLogin)."),
                "Correct the site's user name and password.",
            ),
            "NotAuthenticated" => ProviderError::transient(
                format!("vCenter ended our session twice when asked to {doing} (NotAuthenticated)."),
                "Gatehouse signs in and asks again; look whether somebody ends its sessions.",
            ),
            "HostNotConnected" | "HostNotReachable" | "HostCommunication" | "HostConnectFault" => {
                ProviderError::transient(what, "Reconnect the host in vCenter; Gatehouse asks again.")
            }
            "InvalidPowerState" => ProviderError::transient(
                format!(
                    "vCenter could not {doing}: the machine is {} and had to be {} (InvalidPowerState).",
                    state(self.fault.existing_state.as_deref()),
                    state(self.fault.requested_state.as_deref())
                ),
                "Somebody switched it meanwhile; Gatehouse looks how it stands and goes on from there.",
            ),
            "ManagedObjectNotFound" => ProviderError::not_found(
                format!("vCenter could not {doing}: the object is gone (ManagedObjectNotFound)."),
                "Look in vCenter who removed it.",
            ),
            kind if passes(kind) => ProviderError::transient(what, "Gatehouse asks again."),
            "InvalidArgument" => ProviderError::permanent(
                format!(
                    "vCenter could not {doing}: it does not take {} (InvalidArgument).",
                    self.fault.invalid_property.as_deref().unwrap_or("an argument")
                ),
                "Compare the site's settings and the template with what vCenter has.",
            ),
            _ => ProviderError::permanent(what, "Look at the task in vCenter for details, mend it and retry the step."),
        }
    }

    fn right(&self) -> &str {
        self.fault.privilege_id.as_deref().unwrap_or("for it")
    }

    fn on(&self) -> String {
        self.fault
            .object
            .as_ref()
            .map_or_else(|| "the object".to_owned(), |object| format!("{} {}", object.kind, object.id))
    }
}

/// No room: `InsufficientResourcesFault` with the types that extend it, and full datastores.
fn is_shortage(kind: &str) -> bool {
    kind.starts_with("Insufficient")
        || matches!(kind, "NoDiskSpace" | "NumVirtualCpusExceedsLimit" | "MemorySizeNotSupported")
}

/// What passes by itself.
fn passes(kind: &str) -> bool {
    const PASSES: [&str; 9] = [
        "TaskInProgress",
        "ConcurrentAccess",
        "ResourceInUse",
        "FileLocked",
        "RequestCanceled",
        "Timedout",
        "SystemError",
        "CannotAccessVmComponent",
        "VimFault",
    ];
    PASSES.contains(&kind)
}

fn state(word: Option<&str>) -> &'static str {
    match word {
        Some("poweredOn") => "running",
        Some("poweredOff") => "off",
        Some("suspended") => "suspended",
        _ => "in another state",
    }
}
