//! The OpenAPI document is true: whatever is asked of whichever operation, well or badly, the answer is one that the
//! document gives for it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use domain::ci::CiClass;
use domain::deployment::DeploymentState;
use domain::ports::datacenter::{Fault, Operation};
use serde_json::{Value, json};

use crate::api::{ALL, Answer, READ, get, post, send, shop, token, with};
use crate::connectors;
use crate::house::House;
use crate::tasks;

/// The document, and what was answered so far: method, path and status.
struct Promise {
    document: Value,
    answered: BTreeSet<(String, String, u16)>,
}

impl Promise {
    async fn of(house: &House) -> Self {
        let document = send(house, TestRequest::with_uri("/api/v1/openapi.json")).await.body;
        Self { document, answered: BTreeSet::new() }
    }

    /// Method, path and what the document says of each operation.
    fn operations(&self) -> Vec<(Method, String, Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, operations)| {
            operations.as_object().unwrap().iter().map(move |(method, operation)| {
                (method.to_uppercase().parse().unwrap(), path.clone(), operation.clone())
            })
        });
        operations.collect()
    }

    fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        match value["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Holds an answer against what the document says of the operation.
    fn keep(&mut self, method: &Method, path: &str, answer: &Answer) {
        let status = answer.status.as_u16();
        let method = method.as_str().to_lowercase();
        let said = &self.document["paths"][path][&method]["responses"][status.to_string()];
        assert!(
            said.is_object(),
            "{method} {path} answered {status}, which the document does not say: {}",
            answer.body
        );
        if status != 204 {
            let kind = answer.kind.split(';').next().unwrap();
            let schema = &self.resolved(said)["content"][kind]["schema"];
            assert!(schema.is_object(), "{method} {path} answered {status} as `{kind}`");
            self.assert_fits(schema, &answer.body, &format!("{method} {path} {status}"));
        }
        if answer.status.is_client_error() || answer.status.is_server_error() {
            assert_is_a_problem(answer);
        }
        self.answered.insert((method, path.to_owned(), status));
    }

    fn assert_fits(&self, schema: &Value, body: &Value, where_: &str) {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{where_}: {wrong:#?}\n{body:#}");
    }
}

/// A problem says what happened and what to do, and names each place in one of three ways.
fn assert_is_a_problem(answer: &Answer) {
    assert_eq!(answer.kind, "application/problem+json");
    let problem = &answer.body;
    assert_eq!(problem["status"], answer.status.as_u16());
    for member in ["type", "title", "detail", "next"] {
        assert!(!problem[member].as_str().unwrap().is_empty(), "{member}: {problem}");
    }
    for error in problem["errors"].as_array().unwrap() {
        let named = ["pointer", "parameter", "header"].iter().filter(|name| error[**name].is_string()).count();
        assert_eq!(named, 1, "{error}");
        assert!(error["pointer"].as_str().is_none_or(|pointer| pointer.starts_with('/')), "{error}");
        assert!(error["detail"].as_str().is_some_and(|detail| detail.ends_with(['.', '?'])), "{error}");
    }
}

/// A program that does the main job, and holds every answer against the document.
struct Program<'h> {
    house: &'h House,
    promise: Promise,
}

impl Program<'_> {
    async fn get(&mut self, token: &str, path: &str, filled: &str) -> Value {
        let answer = get(self.house, token, filled).await;
        assert!(answer.status.is_success(), "{filled}: {}", answer.body);
        self.promise.keep(&Method::GET, path, &answer);
        answer.body
    }

    /// Does something, and again with the same key: the same answer. With another body the key is refused.
    async fn post(&mut self, token: &str, path: &str, filled: &str, body: Value) -> Value {
        let key = app::secret::fresh();
        let first = post(self.house, token, filled, body.clone(), Some(&key)).await;
        assert!(first.status.is_success(), "{filled}: {}", first.body);
        self.promise.keep(&Method::POST, path, &first);
        let again = post(self.house, token, filled, body.clone(), Some(&key)).await;
        assert_eq!((again.status, &again.body["id"]), (first.status, &first.body["id"]), "{filled} once more");
        if !path.ends_with("/plan") && !path.ends_with("/withdraw") && !path.ends_with("/prolong") {
            let mut other = body;
            other["reason"] = json!("for another reason");
            let refused = post(self.house, token, filled, other, Some(&key)).await;
            assert_eq!(refused.status, 422, "{filled} with another body: {}", refused.body);
            assert!(refused.body["detail"].as_str().unwrap().contains("other content"), "{}", refused.body);
            self.promise.keep(&Method::POST, path, &refused);
        }
        first.body
    }

    async fn write(&mut self, method: Method, token: &str, path: &str, filled: &str, body: Value) {
        let answer = send(self.house, with(token, method.clone(), filled).set_json(body)).await;
        assert!(answer.status.is_success(), "{method} {filled}: {}", answer.body);
        self.promise.keep(&method, path, &answer);
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn every_operation_does_what_the_document_promises() {
    let mut house = House::new().await;
    let company = connectors::carried(&mut house).await;
    let mut program = Program { house: &house, promise: Promise::of(&house).await };
    let rita = token(&house, "rita@example.org", ALL).await;
    let adam = token(&house, "adam@example.org", ALL).await;
    let otto = token(&house, "otto@example.org", ALL).await;
    let person = house.person("Rita").await;
    let shop = shop(&house, &rita).await;
    let order = json!({ "project": shop, "blueprint": "scale-out-tomcat", "parameters": { "application": "shop" } });
    let plan = json!({ "project": shop, "parameters": { "application": "shop" } });
    let plan_at = "/api/v1/catalog/scale-out-tomcat/plan";
    program.post(&rita, "/api/v1/catalog/{blueprint}/plan", plan_at, plan).await;

    // Ordered, changed, decided, failed, mended.
    let datacenter = house.app.datacenter.as_ref().unwrap();
    datacenter.arm(Operation::MachineCreate, Fault::Refuse, Some(1)).await.unwrap();
    let request = id(&program.post(&rita, "/api/v1/requests", "/api/v1/requests", order).await);
    let change = json!({ "revision": 1, "parameters": { "application": "shop", "nodes": 3 } });
    program.post(&rita, "/api/v1/requests/{id}/change", &format!("/api/v1/requests/{request}/change"), change).await;
    let inbox = program.get(&adam, "/api/v1/approvals", "/api/v1/approvals").await;
    let open = inbox["items"].as_array().unwrap().iter().find(|item| item["state"] == "open").unwrap();
    let question = format!("/api/v1/approvals/{}", id(open));
    program.get(&adam, "/api/v1/approvals/{id}", &question).await;
    let decision = json!({ "decision": "approve" });
    let at = format!("{question}/decision");
    let decided = program.post(&adam, "/api/v1/approvals/{id}/decision", &at, decision.clone()).await;
    let twice = post(&house, &adam, &at, decision, None).await;
    assert_eq!(twice.status, 410, "{}", twice.body);
    program.promise.keep(&Method::POST, "/api/v1/approvals/{id}/decision", &twice);

    let deployment = decided["deployment"].as_str().unwrap().to_owned();
    let run = format!("/api/v1/runs/{}", decided["run"].as_str().unwrap());
    house.when_paused(&person, deployment.parse().unwrap()).await;
    let details = program.get(&otto, "/api/v1/runs/{id}", &run).await;
    let failed = details["steps"].as_array().unwrap().iter().find(|step| step["state"] == "failed").unwrap();
    let retry = json!({ "step": failed["key"], "reason": "there is space now" });
    program.post(&otto, "/api/v1/runs/{id}/retry", &format!("{run}/retry"), retry).await;
    house.when(&person, deployment.parse().unwrap(), DeploymentState::Live).await;
    program.get(&rita, "/api/v1/runs/{id}/events", &format!("{run}/events?limit=5")).await;
    program.get(&rita, "/api/v1/runs", "/api/v1/runs?state=done&limit=1").await;

    let ci = id(&program.get(&rita, "/api/v1/cis", "/api/v1/cis?limit=2").await["items"][0]);
    let edition = id(&program.get(&otto, "/api/v1/blueprints", "/api/v1/blueprints").await["items"][0]);
    program.get(&otto, "/api/v1/blueprints/{id}", &format!("/api/v1/blueprints/{edition}")).await;
    program.get(&otto, "/api/v1/operations", "/api/v1/operations").await;
    let of_deployment = format!("/api/v1/deployments/{deployment}");
    for (path, filled) in [
        ("/api/v1/absence", "/api/v1/absence".to_owned()),
        ("/api/v1/audit/report", "/api/v1/audit/report".to_owned()),
        ("/api/v1/catalog", "/api/v1/catalog".to_owned()),
        ("/api/v1/catalog/{blueprint}", "/api/v1/catalog/linux-vm".to_owned()),
        ("/api/v1/cis/{id}", format!("/api/v1/cis/{ci}")),
        ("/api/v1/search", "/api/v1/search?q=shop".to_owned()),
        ("/api/v1/deployments", "/api/v1/deployments?state=live".to_owned()),
        ("/api/v1/deployments/{id}", of_deployment.clone()),
        ("/api/v1/openapi.json", "/api/v1/openapi.json".to_owned()),
        ("/api/v1/projects", "/api/v1/projects".to_owned()),
        ("/api/v1/projects/{id}/quota", format!("/api/v1/projects/{shop}/quota")),
        ("/api/v1/requests", "/api/v1/requests?text=R-1".to_owned()),
        ("/api/v1/requests/{id}", format!("/api/v1/requests/{request}")),
        ("/api/v1/tokens", "/api/v1/tokens".to_owned()),
    ] {
        program.get(&rita, path, &filled).await;
    }

    // Prolonged once, however often it is sent; grown, and taken back before anybody decides; retired.
    let before = program.get(&rita, "/api/v1/deployments/{id}", &of_deployment).await["lease_until"].clone();
    let longer = json!({ "days": 5 });
    let path = "/api/v1/deployments/{id}/prolong";
    let after = program.post(&rita, path, &format!("{of_deployment}/prolong"), longer).await["lease_until"].clone();
    assert_ne!(before, after);
    let now = program.get(&rita, "/api/v1/deployments/{id}", &of_deployment).await["lease_until"].clone();
    assert_eq!(now, after, "the second time prolonged nothing");
    let path = "/api/v1/deployments/{id}/actions/{action}";
    let grow = json!({ "parameters": { "nodes": 4 } });
    let grown = id(&program.post(&rita, path, &format!("{of_deployment}/actions/scale"), grow).await);
    let withdrawal = format!("/api/v1/requests/{grown}/withdraw");
    program.post(&rita, "/api/v1/requests/{id}/withdraw", &withdrawal, json!({})).await;
    let path = "/api/v1/deployments/{id}/retire";
    program.post(&rita, path, &format!("{of_deployment}/retire"), json!({})).await;
    house.when(&person, deployment.parse().unwrap(), DeploymentState::Retired).await;

    // A password is taken once.
    let database = house.order(&person, "sql-database-vm", json!({ "application": "orders" })).await.deployment;
    house.when(&person, database, DeploymentState::Live).await;
    let of_database = format!("/api/v1/deployments/{database}");
    let password = id(&program.get(&rita, "/api/v1/deployments/{id}", &of_database).await["secrets"][0]);
    let (path, at) =
        ("/api/v1/deployments/{id}/secrets/{secret}/take", format!("{of_database}/secrets/{password}/take"));
    program.write(Method::POST, &rita, path, &at, json!({})).await;
    let twice = post(&house, &rita, &at, json!({}), None).await;
    assert_eq!(twice.status, 410, "{}", twice.body);
    program.promise.keep(&Method::POST, path, &twice);

    // Somebody is asked to do something, and does it once.
    house.offer("racked.yaml", tasks::RACKED).await;
    house.order(&person, "racked", json!({ "application": "racked" })).await;
    let task = tasks::asked(&house, &house.person("Adam").await).await.id;
    program.get(&adam, "/api/v1/tasks", "/api/v1/tasks").await;
    program.get(&adam, "/api/v1/tasks/{id}", &format!("/api/v1/tasks/{task}")).await;
    let (path, at) = ("/api/v1/tasks/{id}/answer", format!("/api/v1/tasks/{task}/answer"));
    let done = json!({ "answer": { "rack": "r1" } });
    program.write(Method::POST, &adam, path, &at, done.clone()).await;
    let twice = post(&house, &adam, &at, done, None).await;
    assert_eq!(twice.status, 410, "{}", twice.body);
    program.promise.keep(&Method::POST, path, &twice);

    // Four more runs that fail, and what an operator may do about each.
    for (name, fails, path, mut body) in [
        ("one", Operation::ConfigurationApply, "skip", json!({ "reason": "set up by hand" })),
        ("two", Operation::MachineCreate, "resume", json!({})),
        ("three", Operation::MachineCreate, "compensate", json!({ "reason": "no more" })),
        ("four", Operation::MachineCreate, "cancel", json!({ "reason": "no more", "wish": "take_back" })),
    ] {
        datacenter.arm(fails, Fault::Refuse, Some(1)).await.unwrap();
        let ordered = house.order(&person, "linux-vm", json!({ "application": name })).await;
        let run = format!("/api/v1/runs/{}", house.when_paused(&person, ordered.deployment).await.runs[0].id);
        if path == "skip" {
            let details = program.get(&otto, "/api/v1/runs/{id}", &run).await;
            let failed = details["steps"].as_array().unwrap().iter().find(|step| step["state"] == "failed").unwrap();
            body["step"] = failed["key"].clone();
        }
        program.post(&otto, &format!("/api/v1/runs/{{id}}/{path}"), &format!("{run}/{path}"), body).await;
    }

    // What the company's CMDB does not take is sent again, and what it holds is compared.
    company.forbid("cmdb_ci_lb_service");
    let request = house.order(&person, "linux-vm", json!({ "application": "carried" })).await;
    connectors::declare(&house, &request, "pool", CiClass::LoadBalancerService).await;
    program.get(&otto, "/api/v1/connectors/{name}/plan", "/api/v1/connectors/company/plan").await;
    connectors::carry(&house).await;
    let told = program.get(&otto, "/api/v1/connectors", "/api/v1/connectors").await;
    let letter = told["items"][0]["dead_letters"][0]["ci"].as_str().unwrap().to_owned();
    let at = format!("/api/v1/connectors/company/again/{letter}");
    program.write(Method::POST, &otto, "/api/v1/connectors/{name}/again/{id}", &at, json!({})).await;
    connectors::carry(&house).await;
    for door in ["again", "compare"] {
        let (path, at) = (format!("/api/v1/connectors/{{name}}/{door}"), format!("/api/v1/connectors/company/{door}"));
        program.write(Method::POST, &otto, &path, &at, json!({})).await;
    }

    house.database.tamper("UPDATE ci SET application = NULL").await;
    program.write(Method::POST, &otto, "/api/v1/reconcile", "/api/v1/reconcile", json!({})).await;
    program.get(&otto, "/api/v1/reconcile/runs", "/api/v1/reconcile/runs").await;
    let filter = "/api/v1/findings?state=open&kind=ownerless&class=server";
    let finding = id(&program.get(&otto, "/api/v1/findings", filter).await["items"][0]);
    program.get(&otto, "/api/v1/findings/{id}", &format!("/api/v1/findings/{finding}")).await;
    let (until, waive) = (house.app.clock.now() + TimeDelta::days(30), format!("/api/v1/findings/{finding}/waive"));
    let waiver = json!({ "until": until, "reason": "Its team is being named." });
    program.write(Method::POST, &otto, "/api/v1/findings/{id}/waive", &waive, waiver).await;
    let braked = r#"[{"class":"server","cis":30,"would_vanish":20,"would_change":0}]"#;
    let brake = format!("UPDATE reconcile_run SET summary = replace(summary, '\"braked\":[]', '\"braked\":{braked}')");
    house.database.tamper(&brake).await;
    let released = json!({ "class": "server", "reason": "They are moved." });
    program.write(Method::POST, &otto, "/api/v1/reconcile/release", "/api/v1/reconcile/release", released).await;

    let away = json!({ "delegate": "clara@example.org", "from": "2099-12-24", "until": "2099-12-31" });
    program.write(Method::PUT, &adam, "/api/v1/absence", "/api/v1/absence", away).await;
    program.write(Method::DELETE, &adam, "/api/v1/absence", "/api/v1/absence", json!({})).await;
    let tokens = program.get(&adam, "/api/v1/tokens", "/api/v1/tokens").await;
    let own = tokens["items"].as_array().unwrap().iter().find(|item| item["is_this"] == true).map(id).unwrap();
    program.write(Method::DELETE, &adam, "/api/v1/tokens/{id}", &format!("/api/v1/tokens/{own}"), json!({})).await;
    assert_eq!(get(&house, &adam, "/api/v1/tokens").await.status, 401, "it gave itself up");

    let asked: BTreeSet<(String, String)> =
        program.promise.answered.iter().map(|(method, path, _)| (method.clone(), path.clone())).collect();
    for (method, path, _) in program.promise.operations() {
        let known = asked.contains(&(method.as_str().to_lowercase(), path.clone()));
        assert!(known, "{method} {path} was never asked");
    }
    house.close().await;
}

/// A path with its places filled in.
fn filled(path: &str, id: &str) -> String {
    path.replace("{id}", id)
        .replace("{blueprint}", "linux-vm")
        .replace("{action}", "scale")
        .replace("{secret}", id)
        .replace("{name}", "hub")
}

#[actix_web::test]
async fn every_operation_refuses_bad_input_as_the_document_says() {
    let house = House::asleep(std::sync::Arc::new(providers::clock::SystemClock)).await;
    let mut promise = Promise::of(&house).await;
    let document = promise.document.clone();
    let rita = token(&house, "rita@example.org", ALL).await;
    let reader = token(&house, "rita@example.org", READ).await;
    let someone = uuid_of_nobody();
    for (method, path, operation) in promise.operations() {
        let there = filled(&path, &someone);
        let open = operation["security"].as_array().unwrap().is_empty();
        let scope = operation["security"][0]["token"][0].as_str().unwrap_or("read");
        let mut ask = async |status: Option<u16>, request: TestRequest| {
            let answer = send(&house, request.insert_header(("Idempotency-Key", app::secret::fresh()))).await;
            promise.keep(&method, &path, &answer);
            if let Some(status) = status {
                assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
            }
        };
        let stranger = TestRequest::with_uri(&there).method(method.clone());
        ask((!open).then_some(401), stranger.set_json(json!({}))).await;
        let too_little = with(&reader, method.clone(), &there).set_json(json!({}));
        ask((scope != "read").then_some(403), too_little).await;
        if path.contains("{id}") {
            ask(Some(404), with(&rita, method.clone(), &filled(&path, "no-id"))).await;
        }
        for parameter in operation["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "query") {
            let wrong = format!("{there}?{}=%C2%A7%20%01", parameter["name"].as_str().unwrap());
            ask(None, with(&rita, method.clone(), &wrong)).await;
            ask(Some(422), with(&rita, method.clone(), &format!("{there}?colour=red"))).await;
            ask(Some(400), with(&rita, method.clone(), &format!("{there}?colour=%00"))).await;
        }
        let large = with(&rita, method.clone(), &there).set_payload(vec![b' '; 10_000_000]);
        ask(Some(413), large.insert_header((header::CONTENT_LENGTH, "10000000"))).await;
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if body.is_null() {
            continue;
        }
        for broken in [&b"{\"a\":"[..], b"[]", b"\"\xff\"", &b"[".repeat(100_000)] {
            let request = with(&rita, method.clone(), &there)
                .insert_header(("Content-Type", "application/json"))
                .set_payload(broken.to_vec());
            ask(Some(400), request).await;
        }
        let yaml = with(&rita, method.clone(), &there).insert_header((header::CONTENT_TYPE, "text/yaml"));
        ask(Some(415), yaml.set_payload("a: 1")).await;
        ask(None, with(&rita, method.clone(), &there).set_json(json!({ "colour": "red" }))).await;
        for name in body_members(&document, body) {
            let wrong = BTreeMap::from([(name, json!([[1.5]]))]);
            ask(None, with(&rita, method.clone(), &there).set_json(wrong)).await;
        }
    }
    house.close().await;
}

/// The names of what a body may have.
fn body_members(document: &Value, schema: &Value) -> Vec<String> {
    let schema = document.pointer(schema["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
    schema["properties"].as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

fn uuid_of_nobody() -> String {
    "01a20639-16b0-778a-a41b-437b9f687a39".to_owned()
}

#[actix_web::test]
async fn a_known_path_with_another_method_says_which_ones_it_takes() {
    let house = House::asleep(std::sync::Arc::new(providers::clock::SystemClock)).await;
    let promise = Promise::of(&house).await;
    for (path, operations) in promise.document["paths"].as_object().unwrap() {
        let known: BTreeSet<String> = operations.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(method.as_str()) {
                continue;
            }
            let answer = send(&house, with("nobody", method.clone(), &filled(path, &uuid_of_nobody()))).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
            assert_is_a_problem(&answer);
            assert_eq!(answer.allow.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), known, "{path}");
        }
    }
    let unknown = send(&house, with("nobody", Method::GET, "/api/v1/nothing")).await;
    assert_eq!(unknown.status, 404);
    assert_is_a_problem(&unknown);
    house.close().await;
}
