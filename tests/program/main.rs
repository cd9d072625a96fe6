//! The program as it is started and stopped: what it says when it can't start, and that a kill loses nothing.

#![expect(clippy::unwrap_used, reason = "a story that can't go on is told as failed")]

mod answers;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a story waits for something before it is told as failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn gatehouse(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.args(arguments).env("GATEHOUSE_LOGGING__FILTER", "error");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of its own for each story, swept when the story ends.
struct Folder(PathBuf);

impl Folder {
    fn new(story: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-program-{}-{story}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A file with a key that seals secrets, as a database on a server needs one.
    fn sealing_key(&self) -> String {
        fs::write(self.0.join("secrets.key"), app::secret::SealingKey::fresh()).unwrap();
        self.path("secrets.key")
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A demo that runs until the story drops it.
struct Demo {
    child: Child,
    address: String,
}

impl Demo {
    fn open(folder: &Folder) -> Self {
        Self::open_with(folder, &[])
    }

    /// A demo with these settings beside its own.
    fn open_with(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        Self::open_as(folder, settings, Stdio::inherit())
    }

    /// The same, with what it logs going there.
    fn open_as(folder: &Folder, settings: &[(&str, &str)], log: Stdio) -> Self {
        let data = folder.path("data");
        let arguments = ["demo", "--port", "0", "--data", &data];
        let mut child = gatehouse(&arguments)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let opened = lines.filter_map(|line| line.rsplit_once("http://").map(|(_, address)| address.to_owned())).next();
        Self { child, address: opened.expect("the demo prints its address") }
    }

    /// Asks the API; the answer is its document.
    fn ask(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: the only order\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let document = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(document).unwrap_or_else(|cause| panic!("{cause}: {answer}"))
    }

    /// Asks until the answer is as wanted.
    fn ask_until(&self, token: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.ask(token, "GET", path, None);
            if wanted(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "it never came to that: {answer:#}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A token of somebody of the demo, made at the server's command line.
fn token(folder: &Folder, email: &str) -> String {
    let made = gatehouse(&[
        "token", "create", "--user", email, "--name", "story", "--scope", "read", "--scope", "order", "--scope",
        "decide",
    ])
    .env("GATEHOUSE_DATABASE__URL", format!("sqlite:{}", folder.path("data/gatehouse.db")))
    .env("GATEHOUSE_DATACENTER__FILE", folder.path("data/datacenter.json"))
    .output()
    .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn machines_done(run: &Value) -> usize {
    let steps = run["steps"].as_array().unwrap().iter();
    steps.filter(|step| step["key"].as_str().unwrap().starts_with("node") && step["state"] == "done").count()
}

#[test]
fn a_kill_in_the_middle_of_a_run_loses_nothing_and_doubles_nothing() {
    let folder = Folder::new("kill");
    let demo = Demo::open(&folder);
    let (rita, adam) = (token(&folder, "rita@example.org"), token(&folder, "adam@example.org"));
    let run = order_and_approve(&demo, &rita, &adam);
    demo.ask_until(&rita, &run, |run| run["steps"].as_array().unwrap().iter().any(|step| step["state"] == "waiting"));
    drop(demo);

    let again = Demo::open(&folder);
    let done = again.ask_until(&rita, &run, |run| run["state"] == "done");
    assert_eq!(machines_done(&done), 2, "{done:#}");
    let deployment = format!("/deployments/{}", done["deployment"].as_str().unwrap());
    let resources = again.ask(&rita, "GET", &deployment, None)["resources"].as_array().unwrap().clone();
    let machines: Vec<&Value> = resources.iter().filter(|resource| resource["kind"] == "machine").collect();
    assert_eq!(machines.len(), 2, "{machines:#?}");
    assert_eq!(again.ask(&rita, "GET", "/requests", None)["items"].as_array().unwrap().len(), 1);
}

/// Orders a Tomcat cluster and has it approved; the address of its run.
fn order_and_approve(demo: &Demo, rita: &str, adam: &str) -> String {
    let catalog = demo.ask(rita, "GET", "/catalog/scale-out-tomcat", None);
    let projects = catalog["projects"].as_array().unwrap();
    let shop = &projects.iter().find(|project| project["name"] == "shop").unwrap()["id"];
    let order = json!({ "project": shop, "blueprint": "scale-out-tomcat", "parameters": { "application": "shop" } });
    demo.ask(rita, "POST", "/requests", Some(&order));
    let question = demo.ask(adam, "GET", "/approvals", None)["items"][0]["id"].as_str().unwrap().to_owned();
    let decided =
        demo.ask(adam, "POST", &format!("/approvals/{question}/decision"), Some(&json!({ "decision": "approve" })));
    format!("/runs/{}", decided["run"].as_str().unwrap())
}

/// What stands under a name in one of the spans of a log line.
fn in_spans<'l>(line: &'l Value, name: &str) -> Option<&'l str> {
    line["spans"].as_array()?.iter().find_map(|span| span[name].as_str())
}

#[test]
fn the_log_says_in_json_what_happens_to_a_run_and_its_steps_and_no_secret() {
    let folder = Folder::new("log");
    let log = folder.path("log.json");
    let json = [("GATEHOUSE_LOGGING__JSON", "true"), ("GATEHOUSE_LOGGING__FILTER", "info")];
    let demo = Demo::open_as(&folder, &json, fs::File::create(&log).unwrap().into());
    let (rita, adam) = (token(&folder, "rita@example.org"), token(&folder, "adam@example.org"));
    let run = order_and_approve(&demo, &rita, &adam);
    demo.ask_until(&rita, &run, |run| run["state"] == "done");
    drop(demo);

    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|cause| panic!("{cause}: {line}"))).collect();
    let id = run.rsplit('/').next().unwrap();
    let of_run: Vec<&Value> = lines.iter().filter(|line| in_spans(line, "run") == Some(id)).collect();
    let says = |step: Option<&str>, message: &str| {
        let mut told = of_run.iter().filter(|line| in_spans(line, "step") == step);
        told.any(|line| line["message"] == message && line["level"] == "INFO")
    };
    assert!(says(None, "run: Started.") && says(None, "run: Done."), "{text}");
    assert!(says(Some("node[1]"), "step: Started.") && says(Some("node[1]"), "step: Done."), "{text}");
    let ended = of_run.iter().find(|line| line["message"] == "run: Done.").unwrap();
    assert!(ended["seconds"].as_f64().unwrap() > 0.0 && in_spans(ended, "request").is_some(), "{ended}");
    for secret in [rita.as_str(), &adam, "rita-orders-machines", "/decide/"] {
        assert!(!text.contains(secret), "a secret is in the log");
    }
}

#[cfg(unix)]
#[test]
fn a_program_that_is_asked_to_stop_stops_well() {
    let folder = Folder::new("stop");
    let mut demo = Demo::open(&folder);
    let asked = Command::new("kill").args(["-TERM", &demo.child.id().to_string()]).status().unwrap();
    assert!(asked.success() && demo.child.wait().unwrap().success());
}

#[test]
fn a_wrong_setting_is_named_and_nothing_starts() {
    let folder = Folder::new("setting");
    let file = folder.path("gatehouse.toml");
    fs::write(&file, "[server]\nprot = 80\n").unwrap();
    let refused = gatehouse(&["serve", "--config", &file]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains(&format!("{file}:2:1: unknown setting `prot`; did you mean `port`?")));
    fs::remove_file(&file).unwrap();
    let refused =
        gatehouse(&["serve"]).env("GATEHOUSE_DATABASE__URL", "mysql://x").current_dir(&folder.0).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("starts with neither `sqlite:` nor `postgres:`"), "{}", said(&refused));
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_made() {
    let folder = Folder::new("port");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let refused = gatehouse(&["demo", "--port", &port, "--data", &folder.path("data")]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains(&format!("127.0.0.1:{port}")), "{}", said(&refused));
    assert!(!folder.0.join("data").exists());
}

#[test]
fn arguments_that_are_not_understood_say_what_is() {
    let refused = gatehouse(&["serv"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("serve"), "{}", said(&refused));
}

#[test]
fn mistakes_in_a_blueprint_are_found_before_it_is_published() {
    let folder = Folder::new("check");
    let file = folder.path("wrong.yaml");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/linux-vm.yaml");
    fs::write(&file, fs::read_to_string(shipped).unwrap().replace("do: machine.create", "do: machine.creat")).unwrap();
    let refused = gatehouse(&["check", &file]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = said(&refused);
    assert!(told.contains("wrong.yaml:") && told.contains("did you mean `machine.create`?"), "{told}");
    let files = [file.as_str(), shipped];
    let several = gatehouse(&["check"]).args(files).output().unwrap();
    assert!(
        said(&several).ends_with("1 mistake in 1 of 2 files; what has a mistake is not published.\n"),
        "{several:?}"
    );
    assert!(String::from_utf8_lossy(&several.stdout).contains("linux-vm 1.0.0 is in order"), "{several:?}");
    let twice = gatehouse(&["check", shipped, shipped]).output().unwrap();
    assert!(said(&twice).contains("only one of them can be published"), "{twice:?}");
}

#[test]
fn a_file_that_can_not_be_read_is_named_at_its_place_and_hides_no_other() {
    let folder = Folder::new("unread");
    let (latin, wrong, nowhere) = (folder.path("latin.yaml"), folder.path("wrong.yaml"), folder.path("nowhere.yaml"));
    fs::write(&latin, b"# one\ntitle: J\xf6rg\n").unwrap();
    fs::write(&wrong, "blueprnt: wrong\n").unwrap();
    let refused = gatehouse(&["check", &nowhere, &latin, &wrong]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = said(&refused);
    for mistake in [
        format!("{nowhere}:1:1: the file can't be read: No such file"),
        format!("{latin}:2:9: the file is no UTF-8 text: byte 15 can't be read"),
        format!("{wrong}:1:1: a blueprint has no key `blueprnt`"),
    ] {
        assert!(told.contains(&mistake), "{mistake}: {told}");
    }
    assert!(told.ends_with("in 3 of 3 files; what has a mistake is not published.\n"), "{told}");
    let planned = gatehouse(&["plan", &nowhere]).output().unwrap();
    assert!(said(&planned).contains(&format!("{nowhere}:1:1: the file can't be read")), "{}", said(&planned));
}

/// What a plan says, or why there is none.
fn planned(arguments: &[&str]) -> Result<String, String> {
    let output = gatehouse(&["plan"]).args(arguments).output().unwrap();
    if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(said(&output)) }
}

#[test]
fn a_plan_reads_as_a_table_and_is_json_for_programs() {
    let order = ["scale-out-tomcat", "--set", "application=shop", "--set", "nodes=3"];
    let text = planned(&order).unwrap();
    let rows = [
        "Scale Out Tomcat (scale-out-tomcat 1.1.0)",
        "  Names           shop-test-1, shop-test-2, shop-test-3, shop-test",
        "  1      application-owners  yes    Application owners answer",
        "  Step         Does",
        "  node[2]      Create machine (machine.create)",
    ];
    for row in rows {
        assert!(text.lines().any(|line| line.starts_with(row)), "{row}\n{text}");
    }
    let plan: Value = serde_json::from_str(&planned(&[&order[..], &["--json"]].concat()).unwrap()).unwrap();
    assert_eq!((&plan["parameters"]["nodes"], &plan["quota"][0]["amount"]), (&json!(3), &json!(3)));
}

#[test]
fn every_parameter_that_does_not_fit_is_told_at_once() {
    let wrong = ["--set", "nodes=many", "--set", "environment=prod", "--set", "aplication=shop"];
    let told = planned(&[&["scale-out-tomcat"], &wrong[..]].concat()).unwrap_err();
    let lines = [
        "--set aplication: There is no parameter `aplication`; did you mean `application`?",
        "--set application: Application is needed.",
        "--set environment: Environment can't be `prod`; choose one of test, acceptance, production.",
        "--set nodes: Machines must be a whole number, and `many` is not.",
    ];
    for line in lines {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn a_parameter_that_is_no_pair_or_comes_twice_is_refused() {
    for odd in ["nodes", "=3"] {
        let told = planned(&["scale-out-tomcat", "--set", odd]).unwrap_err();
        assert!(told.contains("write it as NAME=VALUE"), "{told}");
    }
    let told = planned(&["scale-out-tomcat", "--set", "nodes=3", "--set", "nodes=4"]).unwrap_err();
    assert_eq!(told, "gatehouse: --set nodes is given twice; leave one of them out\n");
}

#[test]
fn an_action_is_planned_on_a_deployment_that_is_described() {
    let scale = ["scale-out-tomcat", "--action", "scale", "--set", "nodes=4"];
    let text = planned(&[&scale[..], &["--deployed", "application=shop", "--deployed", "nodes=2"]].concat()).unwrap();
    assert!(text.contains("(now 75.00 €)") && text.contains("Machines 4 (now 2)"), "{text}");
    assert!(text.contains("node[4]") && !text.contains("node[1]"), "{text}");
    let told = planned(&[&scale[..], &["--deployed", "nods=2"]].concat()).unwrap_err();
    assert!(told.contains("--deployed nods: There is no parameter `nods`; did you mean `nodes`?"), "{told}");
    assert!(told.contains("--deployed application: Application is needed."), "{told}");
    let told = planned(&["scale-out-tomcat", "--action", "scael"]).unwrap_err();
    assert!(told.contains("scale-out-tomcat has no action `scael`; did you mean `scale`?"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_process_that_is_hung_up_on_reads_the_catalogs_files_again() {
    let folder = Folder::new("hangup");
    let file = folder.path("linux-vm.yaml");
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/linux-vm.yaml")).unwrap();
    fs::write(&file, &shipped).unwrap();
    let demo = Demo::open_with(&folder, &[("GATEHOUSE_CATALOG__FOLDER", &folder.path(""))]);
    let rita = token(&folder, "rita@example.org");
    assert_eq!(demo.ask(&rita, "GET", "/catalog/linux-vm", None)["version"], "1.0.0");
    fs::write(&file, shipped.replace("version: 1.0.0", "version: 1.1.0")).unwrap();
    assert!(Command::new("kill").args(["-HUP", &demo.child.id().to_string()]).status().unwrap().success());
    demo.ask_until(&rita, "/catalog/linux-vm", |offered| offered["version"] == "1.1.0");
}
