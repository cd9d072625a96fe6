//! Reading the settings: the file first, then one variable after the other, so that each mistake has its place.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::file::SettingsFile;
use super::{Mistake, Settings};

/// Variables of this shape override the file: `GATEHOUSE_SERVER__PORT=9000`.
const PREFIX: &str = "GATEHOUSE_";

/// Reads the file, if one is named, and the variables over it.
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
    for (name, text) in &variables {
        let Some((section, key)) = setting_of(name) else { continue };
        match value_of(name, (&section, &key), text) {
            Ok(value) => {
                places.insert(format!("{section}.{key}"), name.clone());
                let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
                section.as_table_mut().map(|section| section.insert(key, value));
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let place = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let settings = Settings::deserialize(table).map_err(|error| vec![Mistake::in_variable(&place, &error)])?;
    let objections = settings.objections();
    mistakes.extend(objections.iter().map(|it| it.at(places.get(it.setting).unwrap_or(&place))));
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// Section and key of a variable of ours. Without the double underscore it is somebody else's, such as Kubernetes'
/// `GATEHOUSE_SERVICE_HOST`.
fn setting_of(variable: &str) -> Option<(String, String)> {
    let (section, key) = variable.strip_prefix(PREFIX)?.split_once("__")?;
    Some((section.to_lowercase(), key.to_lowercase()))
}

/// What a variable says: text, or the number or the boolean that it reads as, whichever the setting takes.
fn value_of(variable: &str, (section, key): (&str, &str), text: &str) -> Result<Value, Mistake> {
    let as_text = Value::String(text.to_owned());
    let as_typed = format!("value = {text}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let fits = |value: &Value| {
        let keys = Table::from_iter([(key.to_owned(), value.clone())]);
        Settings::deserialize(Table::from_iter([(section.to_owned(), Value::Table(keys))])).map(drop)
    };
    let Err(mut refusal) = fits(&as_text) else { return Ok(as_text) };
    if let Some(value) = as_typed {
        match fits(&value) {
            Ok(()) => return Ok(value),
            Err(closer) => refusal = closer,
        }
    }
    Err(Mistake::in_variable(variable, &refusal))
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
    fn the_example_documents_every_key() {
        let example = include_str!("../../gatehouse.example.toml");
        for section in
            ["bounds", "catalog", "database", "datacenter", "logging", "mail", "retention", "server", "worker"]
        {
            assert!(example.contains(&format!("[{section}]")), "[{section}] is missing");
        }
        // What is optional is documented as a comment.
        for key in ["folder", "url_file", "password", "password_file"] {
            assert!(example.contains(&format!("# {key} = ")), "{key} is missing");
        }
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
    fn secrets_are_never_shown() {
        let settings = with("GATEHOUSE_MAIL__PASSWORD", "s3cret").unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
