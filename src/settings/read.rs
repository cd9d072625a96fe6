//! Reading the settings: the file first, then one variable after the other, so that each mistake has its place.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Mistake, Settings};

/// Variables of this shape override the file: `GATEHOUSE_SERVER__PORT=9000`.
const PREFIX: &str = "GATEHOUSE_";

/// Reads the file, if one is named, and the variables over it.
///
/// Every mistake of the first source that has any is returned: a file that can't be read, text that is no TOML, an
/// unknown or misfitting key, a combination that can't work.
pub fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Vec<Mistake>> {
    let mut table = file.map(read_file).transpose().map_err(|mistake| vec![mistake])?.unwrap_or_default();
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    variables.sort();
    let mistakes: Vec<Mistake> =
        variables.iter().filter_map(|(name, text)| override_with(&mut table, name, text).err()).collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let place = file.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let settings = Settings::deserialize(table).map_err(|error| vec![Mistake::in_variable(&place, &error)])?;
    let objections: Vec<Mistake> =
        settings.objections().into_iter().map(|objection| Mistake::new(place.clone(), objection)).collect();
    if objections.is_empty() { Ok(settings) } else { Err(objections) }
}

fn read_file(path: &Path) -> Result<Table, Mistake> {
    let shown = path.display().to_string();
    let text =
        fs::read_to_string(path).map_err(|cause| Mistake::new(shown.clone(), format!("can't be read: {cause}")))?;
    // Once into the settings for mistakes with their place, once into a table that variables can change.
    toml::from_str::<Settings>(&text).map_err(|error| Mistake::in_text(&shown, &text, &error))?;
    text.parse().map_err(|error| Mistake::in_text(&shown, &text, &error))
}

/// Puts one variable's value into the table, if it is one of ours.
fn override_with(table: &mut Table, name: &str, text: &str) -> Result<(), Mistake> {
    // Without the double underscore it is somebody else's, such as Kubernetes' `GATEHOUSE_SERVICE_HOST`.
    let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else { return Ok(()) };
    let as_text = Value::String(text.to_owned());
    let as_typed = format!("value = {text}").parse::<Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let mut refusal = None;
    for value in [Some(as_text), as_typed].into_iter().flatten() {
        let mut changed = table.clone();
        let entry = changed.entry(section.to_lowercase()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(entry) = entry else { return Err(Mistake::new(name, "names no section")) };
        entry.insert(key.to_lowercase(), value);
        match Settings::deserialize(changed.clone()) {
            Ok(_) => {
                *table = changed;
                return Ok(());
            }
            Err(error) => refusal = Some(Mistake::in_variable(name, &error)),
        }
    }
    refusal.map_or(Ok(()), Err)
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

    fn complaint(text: &str) -> String {
        let path = file(&format!("{:x}", text.len() * 31 + text.matches('e').count()), text);
        let mistakes = read(Some(&path), NO_VARIABLES).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        mistakes[0].to_string().rsplit_once(".toml").unwrap().1.to_owned()
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
        for section in ["catalog", "database", "datacenter", "logging", "mail", "server", "worker"] {
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
        assert!(with("GATEHOUSE_WORKER__CONCURRENCY", "0").unwrap_err().contains("no run would ever move"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let settings = with("GATEHOUSE_MAIL__PASSWORD", "s3cret").unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
