//! The datacenter's own file: a journal of changed rows, one JSON line each, shared by every process that opens it.
//!
//! A lock beside the file lets one process work at a time; before it works it reads what the others appended. When
//! the journal has grown much longer than what it describes, it is written anew under the next generation and
//! renamed into place, so that a crash leaves either the old file or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::world::World;

/// A journal is not rewritten below this length.
const LINES_WORTH_REWRITING: usize = 2_000;

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Head {
    generation: u64,
}

/// Every other line: table, id, and the row, or null where it was removed.
#[derive(Serialize, Deserialize)]
struct Line(String, String, Option<Value>);

/// The file, and how far this process has read it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    lock: File,
    generation: u64,
    read_to: u64,
    lines: usize,
}

impl Journal {
    /// Opens the journal at `path`, which is made if it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let lock_path = path.with_added_extension("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock_path)?;
        Ok(Self { path: path.to_owned(), lock, generation: 0, read_to: 0, lines: 0 })
    }

    /// Lets `work` change the world while nobody else does, and writes down what it changed.
    pub fn with<T>(&mut self, world: &mut World, work: impl FnOnce(&mut World) -> T) -> io::Result<T> {
        self.lock.lock()?;
        let outcome = self.work_locked(world, work);
        self.lock.unlock()?;
        outcome
    }

    fn work_locked<T>(&mut self, world: &mut World, work: impl FnOnce(&mut World) -> T) -> io::Result<T> {
        self.catch_up(world)?;
        let value = work(world);
        let changes = changes_of(world)?;
        if !changes.is_empty() {
            self.append(&changes)?;
        }
        if self.lines > LINES_WORTH_REWRITING && self.lines > 4 * world.size() {
            self.rewrite(world)?;
        }
        Ok(value)
    }

    /// Reads what other processes wrote since this one looked last.
    fn catch_up(&mut self, world: &mut World) -> io::Result<()> {
        if !self.path.exists() {
            return self.rewrite(world);
        }
        let mut file = BufReader::new(File::open(&self.path)?);
        let mut line = String::new();
        let head_length = file.read_line(&mut line)? as u64;
        let head: Head = serde_json::from_str(&line)?;
        if head.generation != self.generation {
            *world = World::default();
            (self.generation, self.read_to, self.lines) = (head.generation, head_length, 0);
        }
        if file.get_ref().metadata()?.len() > self.read_to {
            file.seek(SeekFrom::Start(self.read_to))?;
            self.load(file, world)?;
        }
        Ok(())
    }

    fn load(&mut self, mut file: impl BufRead, world: &mut World) -> io::Result<()> {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A crash in the middle of an append leaves a torn last line: it was never answered for, so it never was.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for line in text[..whole].lines() {
            let Line(table, id, row) = serde_json::from_str(line)?;
            world.load(&table, id, row)?;
            self.lines += 1;
        }
        self.read_to += whole as u64;
        Ok(())
    }

    fn append(&mut self, changes: &[Line]) -> io::Result<()> {
        let text = text_of(changes)?;
        let mut file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.read_to)?;
        file.seek(SeekFrom::Start(self.read_to))?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.read_to += text.len() as u64;
        self.lines += changes.len();
        Ok(())
    }

    /// Writes the world as it is into a fresh file and puts that in the journal's place.
    fn rewrite(&mut self, world: &World) -> io::Result<()> {
        let head = serde_json::to_string(&Head { generation: self.generation + 1 })? + "\n";
        let rows: Vec<Line> =
            world.dump()?.into_iter().map(|(table, id, row)| Line(table.to_owned(), id, Some(row))).collect();
        let text = head + &text_of(&rows)?;
        let fresh = self.path.with_added_extension("fresh");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.generation += 1;
        self.read_to = text.len() as u64;
        self.lines = rows.len();
        Ok(())
    }
}

fn changes_of(world: &mut World) -> io::Result<Vec<Line>> {
    let changes = world.drain()?;
    Ok(changes.into_iter().map(|(table, id, row)| Line(table.to_owned(), id, row)).collect())
}

fn text_of(lines: &[Line]) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    Ok(text)
}
