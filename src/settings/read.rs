//! Reading the settings: the file first, then systemd's credentials, then one variable after the other, so that each
//! mistake has its place.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::file::SettingsFile;
use super::{Mistake, Secret, Settings};

/// Variables of this shape override the file: `GATEHOUSE_SERVER__PORT=9000`.
const PREFIX: &str = "GATEHOUSE_";
/// Where systemd lays the credentials of a service (`LoadCredential=`); one that is called like a setting,
/// `mail.password`, is its value.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A setting from outside the file.
struct Given {
    /// Where it stands: the variable's name, or the credential's file.
    place: String,
    /// `sites`, `dc1`, `vsphere`, `password`.
    path: Vec<String>,
    text: String,
}

/// Reads the file, if one is named, and over it the credentials and the variables.
///
/// Every mistake is returned: a file that can't be read, text that is no TOML, an unknown or misfitting key of the file
/// or among the variables, a combination that can't work.
pub fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Vec<Mistake>> {
    let SettingsFile { mut table, mut places, mut mistakes } =
        file.map(SettingsFile::read).transpose().map_err(|mistake| vec![mistake])?.unwrap_or_default();
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    variables.sort();
    let folder = variables.iter().find(|(name, _)| name == CREDENTIALS).map(|(_, folder)| Path::new(folder));
    let (credentials, unread) = folder.map(credentials_in).unwrap_or_default();
    mistakes.extend(unread);
    for given in credentials.into_iter().chain(variables.iter().filter_map(of_variable)) {
        match value_of(&given) {
            Ok(value) => {
                put(&mut table, &given.path, value);
                places.insert(given.path.join("."), given.place);
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let place = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let settings = Settings::deserialize(table).map_err(|error| vec![Mistake::in_variable(&place, &error)])?;
    // What is missing stands nowhere; its section does.
    let place_of = |setting: &str| {
        let ends = setting.match_indices('.').map(|(at, _)| at).rev();
        let sections = std::iter::once(setting.len()).chain(ends).map(|end| &setting[..end]);
        sections.into_iter().find_map(|name| places.get(name)).unwrap_or(&place).clone()
    };
    mistakes.extend(settings.objections().iter().map(|it| it.at(place_of(&it.setting))));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// The setting that a variable of ours names. Without the double underscore it is somebody else's, such as Kubernetes'
/// `GATEHOUSE_SERVICE_HOST`.
fn of_variable((name, text): &(String, String)) -> Option<Given> {
    let path: Vec<String> = name.strip_prefix(PREFIX)?.split("__").map(str::to_lowercase).collect();
    (path.len() > 1).then(|| Given { place: name.clone(), path, text: text.clone() })
}

/// The settings among a service's credentials; those that are called like no section of ours are somebody else's.
fn credentials_in(folder: &Path) -> (Vec<Given>, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let unread = |path: &Path, cause| Mistake::new(path.display().to_string(), format!("can't be read: {cause}"));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) => return (Vec::new(), vec![unread(folder, cause)]),
    };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut given = Vec::new();
    for file in files {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        if path.len() < 2 || !fits(&path[..1], Value::Table(Table::new())) {
            continue;
        }
        match Secret::from_file(&file) {
            Ok(secret) => {
                given.push(Given { place: file.display().to_string(), path, text: secret.expose().to_owned() });
            }
            Err(cause) => mistakes.push(unread(&file, cause)),
        }
    }
    (given, mistakes)
}

/// Whether the settings take this value there.
fn fits(path: &[String], value: Value) -> bool {
    tried(path, value).is_ok()
}

fn tried(path: &[String], value: Value) -> Result<(), toml::de::Error> {
    let inner = |value, name: &String| Value::Table(Table::from_iter([(name.clone(), value)]));
    Settings::deserialize(path.iter().rev().fold(value, inner)).map(drop)
}

/// Sets a value in a table, and makes the sections on the way to it.
fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [section, rest @ ..] => {
            let section = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Some(section) = section.as_table_mut() {
                put(section, rest, value);
            }
        }
    }
}

/// What a text says: text, or the number or the boolean that it reads as, whichever the setting takes.
fn value_of(given: &Given) -> Result<Value, Mistake> {
    let text = &given.text;
    let as_text = Value::String(text.clone());
    let as_typed = format!("value = {text}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let Err(mut refusal) = tried(&given.path, as_text.clone()) else { return Ok(as_text) };
    if let Some(value) = as_typed {
        match tried(&given.path, value.clone()) {
            Ok(()) => return Ok(value),
            Err(closer) => refusal = closer,
        }
    }
    Err(Mistake::in_variable(&given.place, &refusal))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Settings, read};

    const NO_VARIABLES: [(String, String); 0] = [];

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("gatehouse-settings-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Everything that is said of a file, its name left out.
    fn complaints(text: &str) -> Vec<String> {
        let path = file(&format!("{:x}", text.len() * 31 + text.matches('e').count()), text);
        let mistakes = read(Some(&path), NO_VARIABLES).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        mistakes.iter().map(|mistake| mistake.to_string().rsplit_once(".toml").unwrap().1.to_owned()).collect()
    }

    /// The one thing that is said of a file.
    fn complaint(text: &str) -> String {
        let mut told = complaints(text);
        assert_eq!(told.len(), 1, "{told:?}");
        told.remove(0)
    }

    fn with(name: &str, value: &str) -> Result<Settings, String> {
        read(None, [(name.to_owned(), value.to_owned())]).map_err(|mistakes| mistakes[0].to_string())
    }

    #[test]
    fn the_documented_example_says_the_defaults() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("gatehouse.example.toml");
        assert_eq!(read(Some(&example), NO_VARIABLES).unwrap(), Settings::default());
    }

    #[test]
    fn a_secret_that_says_nothing_is_a_mistake() {
        let empty = std::env::temp_dir().join(format!("gatehouse-empty-secret-{}", std::process::id()));
        std::fs::write(&empty, "\nthe second line is not read\n").unwrap();
        let from_file = complaint(&format!("[mail]\npassword_file = {empty:?}"));
        std::fs::remove_file(&empty).unwrap();
        assert!(
            from_file.contains("mail.password_file") && from_file.contains("nothing on its first line"),
            "{from_file}"
        );
        let written = complaint("[mail]\npassword = \" \"");
        assert!(written.contains("mail.password is empty"), "{written}");
    }

    #[test]
    fn the_example_documents_every_key() {
        let example = include_str!("../../gatehouse.example.toml");
        for section in [
            "bounds",
            "catalog",
            "database",
            "datacenter",
            "logging",
            "mail",
            "retention",
            "secrets",
            "server",
            "worker",
        ] {
            assert!(example.contains(&format!("[{section}]")), "[{section}] is missing");
        }
        // What is optional is documented as a comment.
        for key in ["folder", "url_file", "password", "password_file", "key_file"] {
            assert!(example.contains(&format!("# {key} = ")), "{key} is missing");
        }
    }

    /// The example with the settings of a site said rather than commented out.
    fn example_of_a_site() -> String {
        let example = include_str!("../../gatehouse.example.toml");
        let said = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '-'])).map(str::to_owned);
        let lines = example.lines().map(|line| said(line).unwrap_or_else(|| line.to_owned()));
        lines.collect::<Vec<String>>().join("\n")
    }

    /// The keys that the settings take in this section, as the refusal of another one names them.
    fn keys_of(section: &str) -> Vec<String> {
        let text = format!("[{section}]\nno-such-key = 1");
        let refusal = toml::from_str::<Settings>(&text).unwrap_err().message().to_owned();
        refusal.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_example_documents_every_key_of_a_site() {
        let example = example_of_a_site();
        let site = toml::from_str::<toml::Table>(&example).unwrap();
        let sections = keys_of("sites.dc1");
        assert!(sections.contains(&"title".to_owned()), "{sections:?}");
        for key in sections {
            let said = &site["sites"]["dc1"][&key];
            for inner in said.is_table().then(|| keys_of(&format!("sites.dc1.{key}"))).into_iter().flatten() {
                let known = said.get(&inner).is_some() || example.contains(&format!("# {inner} = "));
                assert!(known, "sites.dc1.{key}.{inner} is missing");
            }
        }
    }

    #[test]
    fn every_mistake_of_a_site_is_told_at_its_place() {
        let text = "[sites.DC1]\nprojects = [\"North Wind\"]\ntitel = \"x\"\n\n[sites.dc2.simulated]\nfiel = \"x\"\n\n\
                    [sites.dc3.simulatde]\nany = 1\n\n[sites.dc4]\nsimulated = 3\n";
        let told = complaints(text);
        let expected = [
            ":3:1: unknown setting `titel`; did you mean `title`?",
            ":6:1: unknown setting `fiel`; did you mean `file`?",
            ":8:12: unknown setting `simulatde`; did you mean `simulated`?",
            ":12:1: `simulated` is a section: write `[sites.dc4.simulated]`, and its settings below",
            ":1:8: sites.DC1 is no name of a site: small letters, digits and dashes, a letter first, 63 at most",
            ":2:1: sites.DC1.projects says `North Wind`: write an organisation, `northwind`, or a project, \
             `northwind/shop`",
        ];
        assert_eq!(told[..expected.len()], expected, "{told:#?}");
        let nowhere = told.iter().filter(|line| line.contains("says nowhere where its machines come from")).count();
        assert_eq!(nowhere, 3, "of the one without, and of those whose section is wrong: {told:#?}");
    }

    #[test]
    fn a_setting_comes_from_a_variable_however_deep_it_stands() {
        let site = with("GATEHOUSE_SITES__DC1__SIMULATED__FILE", "dc1.json").unwrap().sites;
        assert_eq!(site["dc1"].simulated.as_ref().unwrap().file, Path::new("dc1.json"));
        let refused = with("GATEHOUSE_SITES__DC1__SIMULATED__FIEL", "dc1.json").unwrap_err();
        let expected = "GATEHOUSE_SITES__DC1__SIMULATED__FIEL: unknown setting `fiel`; did you mean `file`?";
        assert_eq!(refused, expected);
    }

    #[test]
    fn a_credential_of_the_service_that_is_called_like_a_setting_is_its_value() {
        let folder = std::env::temp_dir().join(format!("gatehouse-credentials-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("mail.password", "s3cret\n"), ("tls.key", "another's"), ("token", "another's")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let variables = [("CREDENTIALS_DIRECTORY".to_owned(), folder.display().to_string())];
        let read_it = || read(None, variables.clone());
        assert_eq!(read_it().unwrap().mail.password.unwrap().expose(), "s3cret");
        std::fs::write(folder.join("mail.pasword"), "s3cret").unwrap();
        let told = read_it().unwrap_err()[0].to_string();
        assert!(told.ends_with("mail.pasword: unknown setting `pasword`; did you mean `password`?"), "{told}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_unknown_key_is_refused_at_its_place_with_the_nearest_name() {
        assert_eq!(complaint("[server]\nprot = 80\n"), ":2:1: unknown setting `prot`; did you mean `port`?");
        assert_eq!(complaint("[sever]\nport = 80\n"), ":1:2: unknown setting `sever`; did you mean `server`?");
    }

    #[test]
    fn every_mistake_of_a_file_is_told_at_once_each_at_its_place_and_no_other() {
        let text = "[server]\nprot = 80\nthreads = 0\nport = \"x\"\n\n[sever]\nport = 80\nany = 1\n\n[mail]\n\
                    port 25\nhots = \"mail\"\nsecurity = \"tsl\"\nfrom = \"nobody\"\n\n[worker\nconcurrency = 0\n";
        let told = [
            ":2:1: unknown setting `prot`; did you mean `port`?",
            ":4:8: invalid type: string \"x\", expected a whole number from 0 to 65535",
            ":6:2: unknown setting `sever`; did you mean `server`?",
            ":11:6: key with no value, expected `=`",
            ":12:1: unknown setting `hots`; did you mean `host`?",
            ":13:12: can't be `tsl`; did you mean `tls`?",
            ":16:8: unclosed table, expected `]`",
            ":14:1: mail.from is `nobody`: it needs an address, `Gatehouse <gatehouse@example.org>`",
            ":3:1: server.threads is 0: the portal needs at least 1 thread to answer",
        ];
        assert_eq!(complaints(text), told);
    }

    #[test]
    fn text_without_quotes_is_named_as_such() {
        for value in ["starttls", "tls"] {
            let told = complaint(&format!("[mail]\nsecurity = {value}\n"));
            assert_eq!(told, ":2:12: this is no value: text stands in quotes; numbers, true and false stand without");
        }
    }

    #[test]
    fn a_section_that_is_no_table_is_refused() {
        let told = ":1:1: `server` is a section: write `[server]`, and its settings below";
        assert_eq!(complaint("server = 80\n"), told);
        assert_eq!(complaint("[[server]]\nport = 80\n"), told.replace(":1:1", ":1:3"));
    }

    #[test]
    fn mistakes_of_the_file_and_of_variables_are_told_together() {
        let path = file("together", "[server]\nprot = 80\n");
        let variables = [("GATEHOUSE_MAIL__PROT", "25"), ("GATEHOUSE_SERVER__THREADS", "0")];
        let told = read(Some(&path), variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].ends_with(":2:1: unknown setting `prot`; did you mean `port`?"), "{told:?}");
        assert_eq!(told[1], "GATEHOUSE_MAIL__PROT: unknown setting `prot`; did you mean `port`?");
        assert!(told[2].starts_with("GATEHOUSE_SERVER__THREADS: server.threads is 0"), "{told:?}");
    }

    #[test]
    fn a_file_that_is_no_text_is_named() {
        let path = file("latin", "");
        std::fs::write(&path, b"[mail]\nfrom = \"J\xf6rg@example.org\"\n").unwrap();
        let told = read(Some(&path), NO_VARIABLES).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(told[0].to_string().ends_with("can't be read: it is no UTF-8 text, from byte 17 on"), "{told:?}");
    }

    #[test]
    fn a_wrong_type_and_broken_toml_are_refused_at_their_place() {
        assert!(
            complaint("[server]\nport = \"x\"\n").starts_with(":2:8: invalid type"),
            "{}",
            complaint("[server]\nport = \"x\"\n")
        );
        assert!(complaint("[server\n").starts_with(":1:"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let mistakes = read(Some(Path::new("/nowhere/gatehouse.toml")), NO_VARIABLES).unwrap_err();
        assert!(mistakes[0].to_string().starts_with("/nowhere/gatehouse.toml: can't be read"));
    }

    #[test]
    fn variables_override_and_are_named_when_they_do_not_fit() {
        assert_eq!(with("GATEHOUSE_SERVER__PORT", "9000").unwrap().server.port, 9000);
        assert!(with("GATEHOUSE_LOGGING__JSON", "true").unwrap().logging.json);
        let bounds = with("GATEHOUSE_BOUNDS__PROVIDERS", "{ machines = 8 }").unwrap().bounds;
        assert_eq!(bounds.providers.get("machines"), Some(&8));
        assert_eq!(with("GATEHOUSE_MAIL__PASSWORD", "12345").unwrap().mail.password.unwrap().expose(), "12345");
        assert!(
            with("GATEHOUSE_SERVER__PORT", "70000").unwrap_err().starts_with("GATEHOUSE_SERVER__PORT: invalid value")
        );
        assert!(with("GATEHOUSE_SERVER__PROT", "80").unwrap_err().contains("did you mean `port`?"));
        assert!(with("GATEHOUSE_SERVICE_HOST", "10.0.0.1").is_ok());
    }

    #[test]
    fn what_can_not_work_together_is_refused() {
        assert!(
            with("GATEHOUSE_SERVER__PUBLIC_URL", "gate.example.org").unwrap_err().contains("starts with `https://`")
        );
        assert!(with("GATEHOUSE_DATABASE__URL_FILE", "/nowhere").unwrap_err().contains("can't be read"));
        let for_ages = with("GATEHOUSE_RETENTION__MAILS_DAYS", "40000").unwrap_err();
        assert!(for_ages.contains("retention.mails_days is 40000: use 36500 at most, or 0 for ever"), "{for_ages}");
        let bound = with("GATEHOUSE_BOUNDS__PROVIDERS", "{ machines = 0, dns = 2 }").unwrap_err();
        assert!(bound.contains("bounds.providers says machines = 0: nothing of it would ever go on"), "{bound}");
        assert!(with("GATEHOUSE_WORKER__CONCURRENCY", "0").unwrap_err().contains("no run would ever move"));
    }

    #[test]
    fn a_sealing_key_is_asked_for_where_several_read_it_and_refused_where_it_is_none() {
        let on_server = with("GATEHOUSE_DATABASE__URL", "postgres://gate@localhost/gate").unwrap_err();
        assert!(on_server.contains("secrets.key_file is not set"), "{on_server}");
        let lost = with("GATEHOUSE_SECRETS__KEY_FILE", "/nowhere/secrets.key").unwrap_err();
        let told = "GATEHOUSE_SECRETS__KEY_FILE: secrets.key_file `/nowhere/secrets.key` can't be read";
        assert!(lost.starts_with(told), "{lost}");
        let (key, toml) = (file("key", "c2hvcnQ=\n"), "[secrets]\nkey_file = ");
        let told = complaint(&format!("{toml}\"{}\"\n", key.display()));
        assert!(told.contains(" holds no key: it has to be 32 bytes in Base64"), "{told}");
        std::fs::write(&key, app::secret::SealingKey::fresh()).unwrap();
        assert!(with("GATEHOUSE_SECRETS__KEY_FILE", key.to_str().unwrap()).is_ok());
        std::fs::remove_file(&key).unwrap();
    }

    #[test]
    fn secrets_are_never_shown() {
        let settings = with("GATEHOUSE_MAIL__PASSWORD", "s3cret").unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
