//! A stage set for each action there is. One that is not named here fails the stories of all actions.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::stage::Stage;

/// A stage on which everything is ready for the action, and what it is to be given.
///
/// # Panics
/// When no set is known for the action: a new one belongs here as well.
pub async fn set_for(action: &str) -> (Stage, Value) {
    let mut stage = Stage::ready().await;
    let input = match action {
        "naming.reserve" => json!({ "pattern": "shop-{n}" }),
        "secret.generate" => json!({ "title": "Database password", "hand_over_within": "7d" }),
        "secret.renew" => {
            let made = json!({ "title": "Database password" });
            json!({ "secret": stage.run("secret.generate", "password", made).await.unwrap() })
        }
        "machine.create" => {
            let name = stage.run("naming.reserve", "name", json!({ "pattern": "shop-{n}" })).await.unwrap();
            machine(&name)
        }
        "puppet.apply" => {
            let name = stage.run("naming.reserve", "name", json!({ "pattern": "shop-{n}" })).await.unwrap();
            let node = stage.run("machine.create", "node", machine(&name)).await.unwrap();
            json!({ "certname": node["fqdn"], "role": "tomcat", "server": node["ci"] })
        }
        "puppet.change" => {
            let (_, setup) = stage.machine(1, "tomcat").await;
            json!({ "node": setup, "facts": { "tomcat_version": "10.1" } })
        }
        "balancer.pool" => {
            let (node, _) = stage.machine(1, "tomcat").await;
            json!({ "name": "shop", "members": [node], "port": 8080, "check": "GET /" })
        }
        // A third one joins the two.
        "balancer.members" => {
            let (first, _) = stage.machine(1, "tomcat").await;
            let (second, _) = stage.machine(2, "tomcat").await;
            let (third, _) = stage.machine(3, "tomcat").await;
            let pool = json!({ "name": "shop", "members": [first, second], "port": 8080, "check": "GET /" });
            let pool = stage.run("balancer.pool", "pool", pool).await.unwrap();
            json!({ "pool": pool, "members": [first, second, third] })
        }
        "balancer.drain" | "balancer.serve" => {
            let (first, _) = stage.machine(1, "tomcat").await;
            let (second, _) = stage.machine(2, "tomcat").await;
            let pool = json!({ "name": "shop", "members": [first, second], "port": 8080, "check": "GET /" });
            let pool = stage.run("balancer.pool", "pool", pool).await.unwrap();
            let input = json!({ "pool": pool, "member": first });
            if action == "balancer.serve" {
                stage.run("balancer.drain", "drain", input.clone()).await.unwrap();
            }
            input
        }
        "http.check" | "wait.poll" => {
            let (node, _) = stage.machine(1, "tomcat").await;
            let url = format!("http://{}:8080/", node["fqdn"].as_str().unwrap());
            if action == "http.check" { json!({ "url": url }) } else { json!({ "url": url, "within": "1m" }) }
        }
        "docker.engine" => {
            let (node, setup) = stage.machine(1, "docker").await;
            json!({ "fqdn": node["fqdn"], "engine": setup["ci"] })
        }
        "space.create" => space(4),
        "space.quota" => {
            let space = stage.run("space.create", "space", space(4)).await.unwrap();
            json!({ "space": space, "quota": quota(16) })
        }
        "cmdb.register" => {
            let (node, _) = stage.machine(1, "base").await;
            let relations = json!([{ "relation": "runs_on", "to": node["ci"] }]);
            json!({ "class": "application_service", "name": "shop", "relations": relations })
        }
        "cmdb.confirm" => {
            stage.cmdb.0.store(2, Ordering::Relaxed);
            json!({ "within": "1m" })
        }
        "notify.send" => json!({ "to": "requester", "subject": "Ready", "text": "It answers." }),
        "human.task" => json!({
            "title": "Put it into a rack",
            "assignees": "group:ops-floor",
            "form": { "rack": { "type": "string" } },
        }),
        "wait.until" => json!({ "until": "10m" }),
        new => panic!("no stage is set for `{new}`: say here what it needs"),
    };
    (stage, input)
}

fn machine(name: &Value) -> Value {
    let size = json!({ "cpu": 2, "memory_gb": 4, "disk_gb": 20 });
    json!({ "name": name["name"], "size": size, "image": "debian-12" })
}

fn space(cpu: u32) -> Value {
    json!({ "organisation": "northwind", "project": "shop", "name": "dev", "quota": quota(cpu) })
}

fn quota(cpu: u32) -> Value {
    json!({ "cpu": cpu, "memory_gb": 8, "containers": 20, "storage_gb": 50 })
}
