//! A vCenter that says what a test wants it to say.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::first_boot::FirstBoot;
use domain::ports::machines::MachineOrder;

use super::super::failure::Failure;
use super::super::transport::{Answer, Message, Transport};
use super::super::{Cloning, FirstBootBy, Vsphere, VsphereImage, VsphereSettings};
use crate::clock::SystemClock;

/// What vCenter does when it is asked.
pub enum Says {
    /// This body of an answer.
    Answer(String),
    /// A fault of this type, with whatever stands in it.
    Fault(&'static str, &'static str),
    /// Nothing, for too long.
    Nothing,
}

/// The script and what was asked so far.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Played>>);

#[derive(Default)]
struct Played {
    says: HashMap<String, VecDeque<Says>>,
    asked: Vec<String>,
}

impl Script {
    /// The next time that `method` is asked for, vCenter does this.
    pub fn on(&self, method: &str, says: Says) -> &Self {
        self.0.lock().unwrap().says.entry(method.to_owned()).or_default().push_back(says);
        self
    }

    /// As [`Script::on`], answering with a recorded message.
    pub fn answers(&self, method: &str, answer: &str) -> &Self {
        self.on(method, Says::Answer(answer.to_owned()))
    }

    /// `method` starts this task, which has ended well when vCenter is next asked for updates.
    pub fn starts(&self, method: &str, task: &str, result: &str) -> &Self {
        self.answers(method, &reference("Task", task)).tells(&task_ended(task, "success", result))
    }

    /// The next update of what is followed.
    pub fn tells(&self, updates: &str) -> &Self {
        self.answers("WaitForUpdatesEx", updates)
    }

    /// The first update: a datastore `place-1` with a terabyte of room.
    pub fn holds_a_datastore(&self) -> &Self {
        let number = |value: u64| format!("<val xsi:type=\"xsd:long\">{value}</val>");
        let properties = [
            ("name", word("ds-1")),
            ("summary.accessible", word("true")),
            ("summary.capacity", number(2 << 40)),
            ("summary.freeSpace", number(1 << 40)),
        ];
        let properties: Vec<(&str, &str)> = properties.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.tells(&updates("enter", "Datastore", "place-1", &properties))
    }

    /// The methods that were asked for, in order, leaving out those that only sign in and follow.
    pub fn asked(&self) -> Vec<String> {
        const QUIET: [&str; 6] = [
            "RetrieveServiceContent",
            "Login",
            "CreateContainerView",
            "CreateFilter",
            "WaitForUpdatesEx",
            "FindByInventoryPath",
        ];
        let messages = self.messages();
        messages.iter().map(|message| method(message)).filter(|name| !QUIET.contains(&name.as_str())).collect()
    }

    /// How often `name` was asked for.
    pub fn count(&self, name: &str) -> usize {
        self.messages().iter().filter(|message| method(message) == name).count()
    }

    /// The whole message by which `method` was last asked for.
    pub fn message(&self, name: &str) -> String {
        self.messages().into_iter().rfind(|message| method(message) == name).expect("it was asked for")
    }

    fn messages(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    /// A provider that speaks to this vCenter.
    pub fn vcenter(&self) -> Vsphere {
        Vsphere::over(Box::new(self.clone()), settings(), Arc::new(SystemClock))
    }
}

#[async_trait]
impl Transport for Script {
    async fn exchange(&self, message: Message) -> Result<Answer, Failure> {
        let method = method(&message.body);
        let says = {
            let mut played = self.0.lock().unwrap();
            // Looking for the ordered machine by its name is told from looking for the places of the settings.
            let by_name = message.body.contains("/shop-1</inventoryPath>");
            let asked = if by_name { "FindByName" } else { method.as_str() };
            let says = played.says.get_mut(asked).and_then(VecDeque::pop_front);
            played.asked.push(message.body);
            says.or_else(|| by_name.then(|| Says::Answer(String::new())))
        };
        let body = match says {
            Some(Says::Answer(answer)) => envelope(&method, &answer),
            Some(Says::Fault(kind, inside)) => fault(kind, inside),
            Some(Says::Nothing) => return Err(Failure::Late("60 s".to_owned())),
            None => match unasked(&method) {
                Some(answer) => answer,
                // Nothing more happens at this vCenter.
                None if method == "WaitForUpdatesEx" => std::future::pending().await,
                None => panic!("nobody said what {method} answers"),
            },
        };
        let cookie = (method == "Login").then(|| "vmware_soap_session=\"one\"".to_owned());
        Ok(Answer { body, cookie, trusted_until: None })
    }
}

/// What any vCenter answers to what is asked of it again and again.
fn unasked(method: &str) -> Option<String> {
    let answer = match method {
        "RetrieveServiceContent" => return Some(include_str!("recorded/service_content.xml").to_owned()),
        "Login" => return Some(include_str!("recorded/login.xml").to_owned()),
        "QueryEvents" => return Some(include_str!("recorded/events.xml").to_owned()),
        "CreateContainerView" => reference("ContainerView", "view-1"),
        "CreateFilter" => reference("PropertyFilter", "filter-1"),
        "FindByInventoryPath" => reference("Folder", "place-1"),
        "FindByUuid" | "CancelTask" | "Logout" => String::new(),
        _ => return None,
    };
    Some(envelope(method, &answer))
}

pub fn reference(kind: &str, id: &str) -> String {
    format!("<returnval type=\"{kind}\">{id}</returnval>")
}

/// Updates that tell of one object.
pub fn updates(kind: &str, r#type: &str, id: &str, properties: &[(&str, &str)]) -> String {
    let changes: String = properties
        .iter()
        .map(|(name, value)| format!("<changeSet><name>{name}</name><op>assign</op>{value}</changeSet>"))
        .collect();
    format!(
        "<returnval><version>2</version><filterSet><filter type=\"PropertyFilter\">filter-1</filter>\
         <objectSet><kind>{kind}</kind><obj type=\"{type}\">{id}</obj>{changes}</objectSet></filterSet></returnval>"
    )
}

/// Updates in which a task ends.
pub fn task_ended(task: &str, state: &str, result: &str) -> String {
    let ended = format!("<val xsi:type=\"TaskInfoState\">{state}</val>");
    let came = if state == "error" { "info.error" } else { "info.result" };
    updates("enter", "Task", task, &[("info.state", &ended), (came, result)])
}

pub fn word(value: &str) -> String {
    format!("<val xsi:type=\"xsd:string\">{value}</val>")
}

/// A machine's properties as `RetrievePropertiesEx` answers them.
pub fn machine(id: &str, name: &str, options: &[(&str, &str)], power: &str, address: Option<&str>) -> String {
    let options: String = options
        .iter()
        .map(|(key, value)| {
            format!(
                "<OptionValue xsi:type=\"OptionValue\"><key>{key}</key>\
                 <value xsi:type=\"xsd:string\">{value}</value></OptionValue>"
            )
        })
        .collect();
    let property = |name: &str, value: &str| format!("<propSet><name>{name}</name>{value}</propSet>");
    let mut properties = property("name", &word(name));
    properties += &property("parent", "<val xsi:type=\"ManagedObjectReference\" type=\"Folder\">place-1</val>");
    properties += &property("config.extraConfig", &format!("<val xsi:type=\"ArrayOfOptionValue\">{options}</val>"));
    properties += &property("runtime.powerState", &word(power));
    properties += &address.map(|address| property("guest.ipAddress", &word(address))).unwrap_or_default();
    format!("<returnval><objects><obj type=\"VirtualMachine\">{id}</obj>{properties}</objects></returnval>")
}

fn envelope(method: &str, answer: &str) -> String {
    let body = format!("<{method}Response xmlns=\"urn:vim25\">{answer}</{method}Response>");
    in_envelope(&body)
}

pub fn fault(kind: &str, inside: &str) -> String {
    in_envelope(&format!(
        "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring></faultstring><detail>\
         <{kind}Fault xmlns=\"urn:vim25\" xsi:type=\"{kind}\">{inside}</{kind}Fault></detail></soapenv:Fault>"
    ))
}

pub fn in_envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

/// What a message asks for: the element in its body.
pub fn method(message: &str) -> String {
    let body = message.split_once("Body").expect("it has a body").1;
    let element = body.split_once('<').expect("it asks for something").1;
    element.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

pub fn settings() -> VsphereSettings {
    let image = VsphereImage {
        template: "debian-12".to_owned(),
        cloning: Cloning::Full,
        first_boot: FirstBootBy::CloudInit,
        extra_config: BTreeMap::new(),
    };
    VsphereSettings {
        url: "https://vcenter.example.org".to_owned(),
        username: "gatehouse@vsphere.local".to_owned(),
        password: "a-password".to_owned(),
        ca: None,
        fingerprint: None,
        datacenter: "DC0".to_owned(),
        folder: "gatehouse".to_owned(),
        pool: "cluster-1/Resources".to_owned(),
        datastores: vec!["ds-1".to_owned()],
        network: None,
        subnet: None,
        custom_values: BTreeMap::new(),
        images: [("debian-12".to_owned(), image)].into(),
    }
}

pub fn order() -> MachineOrder {
    let fqdn = "shop-1.example.org".to_owned();
    MachineOrder {
        name: "shop-1".to_owned(),
        address: [10, 0, 0, 7].into(),
        image: "debian-12".to_owned(),
        cpu: 2,
        memory_gb: 4,
        disk_gb: 20,
        first_boot: FirstBoot { fqdn: fqdn.clone(), agent: None },
        fqdn,
    }
}
