//! Where blueprint files come from: a folder, or the five that come with Gatehouse inside the program.

use std::fs;
use std::io;
use std::path::Path;

use app::catalog::File;

/// The blueprints that come with Gatehouse.
const SHIPPED: [(&str, &str); 5] = [
    ("container-space.yaml", include_str!("../workflows/container-space.yaml")),
    ("docker-machine.yaml", include_str!("../workflows/docker-machine.yaml")),
    ("linux-vm.yaml", include_str!("../workflows/linux-vm.yaml")),
    ("scale-out-tomcat.yaml", include_str!("../workflows/scale-out-tomcat.yaml")),
    ("sql-database-vm.yaml", include_str!("../workflows/sql-database-vm.yaml")),
];

/// Larger files are no blueprints; they are refused before anything of them is understood.
const LARGEST: u64 = 256 * 1024;

/// The files of a folder or the file itself, sorted by name; without a path those that come with Gatehouse.
pub fn read(path: Option<&Path>) -> Result<Vec<File>, String> {
    let Some(path) = path else {
        let shipped = SHIPPED.map(|(name, text)| File { name: name.to_owned(), text: Ok(text.to_owned()) });
        return Ok(shipped.into());
    };
    let unreadable = |cause: io::Error| format!("`{}` can't be read: {cause}", path.display());
    if path.is_file() {
        return Ok(vec![read_file(path)?]);
    }
    let mut paths: Vec<_> = fs::read_dir(path)
        .map_err(unreadable)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

/// A file that is no text or too large is one that says so: the others are still read.
fn read_file(path: &Path) -> Result<File, String> {
    let unreadable = |cause: io::Error| format!("`{}` can't be read: {cause}", path.display());
    let name = path.display().to_string();
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST {
        return Ok(File { name, text: Err(format!("the file has {size} bytes: a blueprint has at most {LARGEST}")) });
    }
    let text = String::from_utf8(fs::read(path).map_err(unreadable)?).map_err(|cause| {
        format!("the file is no UTF-8 text: byte {} can't be read", cause.utf8_error().valid_up_to() + 1)
    });
    Ok(File { name, text })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SHIPPED, read};

    #[test]
    fn every_file_of_workflows_comes_with_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows");
        let found: Vec<String> =
            read(Some(&folder)).unwrap().into_iter().map(|file| file.text.expect("it is text")).collect();
        assert_eq!(found, SHIPPED.map(|(_, text)| text.to_owned()));
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        assert!(read(Some(Path::new("/nowhere"))).err().unwrap().starts_with("`/nowhere` can't be read"));
    }
}
