//! What the configuration manager knows: each role as the resources that an agent brings about on a node.

use serde_json::{Map, Value};

/// A resource of a catalog: its name as Puppet writes it, and what changing it says.
pub(super) struct Change {
    pub resource: String,
    pub message: String,
    /// The change can't be made; the run ends with it.
    pub fails: bool,
}

/// A role that a node can have.
pub(super) struct Role {
    pub name: &'static str,
    /// The port at which a node of the role serves.
    pub port: u16,
    /// Resources that are looked at and found in order.
    pub in_order: u32,
    /// Seconds that a first run usually takes.
    pub seconds: f64,
    /// Versions that the package source has; the fact `<role>_version` asks for one.
    versions: &'static [&'static str],
    changes: &'static [(&'static str, &'static str)],
}

const BASE: &[(&str, &str)] = &[
    ("Package[chrony]", "ensure changed 'purged' to 'present'"),
    ("File[/etc/chrony/chrony.conf]", "content changed to the site's time servers"),
    ("Service[chrony]", "ensure changed 'stopped' to 'running'"),
    ("File[/etc/ssh/sshd_config.d/site.conf]", "defined content"),
    ("User[ops]", "created"),
    ("Package[node-exporter]", "ensure changed 'purged' to 'present'"),
];

pub(super) const ROLES: [Role; 5] = [
    Role { name: "base", port: 22, in_order: 71, seconds: 6.0, versions: &[], changes: &[] },
    Role {
        name: "tomcat",
        port: 8080,
        in_order: 118,
        seconds: 11.0,
        versions: &["9.0", "10.1", "11.0"],
        changes: &[
            ("Package[openjdk-17-jre-headless]", "ensure changed 'purged' to 'present'"),
            ("Package[tomcat10]", "ensure changed 'purged' to '{tomcat_version}'"),
            ("File[/etc/tomcat10/server.xml]", "defined content"),
            ("File[/etc/default/tomcat10]", "content changed: heap set from the machine's memory"),
            ("Service[tomcat10]", "ensure changed 'stopped' to 'running'"),
            ("Firewall[100 allow 8080]", "created"),
        ],
    },
    Role {
        name: "docker",
        port: 2376,
        in_order: 96,
        seconds: 9.0,
        versions: &["26", "27"],
        changes: &[
            ("Apt::Source[docker]", "created"),
            ("Package[docker-ce]", "ensure changed 'purged' to 'present'"),
            ("File[/etc/docker/daemon.json]", "defined content"),
            ("File[/etc/docker/tls]", "created with the machine's certificate"),
            ("Service[docker]", "ensure changed 'stopped' to 'running'"),
        ],
    },
    Role {
        name: "postgresql",
        port: 5432,
        in_order: 104,
        seconds: 12.0,
        versions: &["15", "16", "17"],
        changes: &[
            ("Package[postgresql]", "ensure changed 'purged' to '{postgresql_version}'"),
            ("Exec[initdb]", "executed successfully"),
            ("File[/etc/postgresql/postgresql.conf]", "content changed: shared_buffers set from the machine's memory"),
            ("Postgresql::Db[{database}]", "created"),
            ("Postgresql::Role[{owner}]", "created"),
            ("Service[postgresql]", "ensure changed 'stopped' to 'running'"),
            ("Cron[base-backup]", "created"),
        ],
    },
    Role {
        name: "mariadb",
        port: 3306,
        in_order: 98,
        seconds: 10.0,
        versions: &["10.11"],
        changes: &[
            ("Package[mariadb-server]", "ensure changed 'purged' to '{mariadb_version}'"),
            ("File[/etc/mysql/mariadb.conf.d/90-site.cnf]", "defined content"),
            ("Service[mariadb]", "ensure changed 'stopped' to 'running'"),
            ("Mysql::Db[{database}]", "created"),
            ("Mysql_user[{owner}@%]", "created"),
            ("Cron[base-backup]", "created"),
        ],
    },
];

impl Role {
    pub fn named(name: &str) -> Option<&'static Self> {
        ROLES.iter().find(|role| role.name == name)
    }

    /// What a first run on a node with these facts changes, in order, up to the first change that fails.
    pub fn first_run(&self, facts: &Map<String, Value>) -> Vec<Change> {
        let filled = |(resource, message): &(&str, &str)| self.change(resource, message, facts);
        let mut changes: Vec<Change> = BASE.iter().chain(self.changes).map(filled).collect();
        if let Some(broken) = changes.iter().position(|change| change.fails) {
            changes.truncate(broken + 1);
        }
        changes
    }

    fn change(&self, resource: &str, message: &str, facts: &Map<String, Value>) -> Change {
        let fact = format!("{}_version", self.name);
        let wanted = facts.get(&fact).map(told);
        let missing = wanted.filter(|version| !self.versions.contains(&version.as_str()));
        match missing {
            Some(version) if message.contains(&fact) => Change {
                resource: fill(resource, facts),
                message: format!("version {version} is in no package source; there are {}", self.versions.join(", ")),
                fails: true,
            },
            _ => Change { resource: fill(resource, facts), message: fill(message, facts), fails: false },
        }
    }
}

fn told(fact: &Value) -> String {
    fact.as_str().map_or_else(|| fact.to_string(), str::to_owned)
}

/// Puts facts into the words of a report; a fact that was not given is told as its name.
fn fill(text: &str, facts: &Map<String, Value>) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let Some((fact, after)) = rest.split_once('}') else { return text.to_owned() };
    let usual = || fact.trim_end_matches("_version").to_owned();
    format!("{before}{}{after}", facts.get(fact).map_or_else(usual, told))
}
