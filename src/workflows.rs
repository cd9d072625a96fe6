//! Where blueprint files come from: a folder, or the five that come with Gatehouse inside the program.

use std::fs;
use std::io;
use std::path::Path;

use app::catalog::File;
use domain::blueprint::Mistake;

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
    if path.is_file() {
        return Ok(vec![file(path)]);
    }
    let mut paths: Vec<_> = fs::read_dir(path)
        .map_err(|cause| format!("`{}` can't be read: {cause}", path.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"))
        .collect();
    paths.sort();
    Ok(paths.iter().map(|path| file(path)).collect())
}

/// One file. What can't be read, is no text or too large says so in its place: the others are still read.
pub fn file(path: &Path) -> File {
    let name = path.display().to_string();
    let mistake = |(line, column), message| Mistake { file: name.clone(), line, column, message, hint: None };
    let text = bytes(path).map_err(|why| mistake((1, 1), why)).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|cause| {
            let good = &cause.as_bytes()[..cause.utf8_error().valid_up_to()];
            let why = format!("the file is no UTF-8 text: byte {} can't be read", good.len() + 1);
            mistake(end_of(&String::from_utf8_lossy(good)), why)
        })
    });
    File { text, name }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |cause: io::Error| format!("the file can't be read: {cause}");
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(format!("the file has {size} bytes: a blueprint has at most {LARGEST}"));
    }
    fs::read(path).map_err(unreadable)
}

/// Line and column behind a text; both count from 1.
fn end_of(text: &str) -> (usize, usize) {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (text.matches('\n').count() + 1, last.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{File, SHIPPED, read};

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
        let folder = std::env::temp_dir().join(format!("gatehouse-workflows-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("folder.yaml")).unwrap();
        std::fs::write(folder.join("good.yaml"), "a: b").unwrap();
        std::fs::write(folder.join("latin.yaml"), b"# one\ntitle: J\xf6rg").unwrap();
        let told = |file: File| file.text.map_err(|mistake| mistake.to_string().rsplit_once('/').unwrap().1.to_owned());
        let files: Vec<Result<String, String>> = read(Some(&folder)).unwrap().into_iter().map(told).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(files[0].as_ref().unwrap_err().starts_with("folder.yaml:1:1: the file can't be read"), "{files:?}");
        assert_eq!(files[1], Ok("a: b".to_owned()), "the others are read");
        assert_eq!(files[2], Err("latin.yaml:2:9: the file is no UTF-8 text: byte 15 can't be read".to_owned()));
    }
}
