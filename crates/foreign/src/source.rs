//! Which runs of which trackers lie below a folder.

use crate::disk::{self, Entry, EntryKind};
use crate::error::{ForeignError, Result};
use crate::report::{Notice, Place, Report};
use crate::sink::Sink;
use crate::{clean, mlflow, sacred, tensorboard, wandb};
use std::collections::hash_map::DefaultHasher;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A tracker, by what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    TensorBoard,
    MlFlow,
    Wandb,
    Sacred,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::TensorBoard => "TensorBoard",
            Kind::MlFlow => "MLflow",
            Kind::Wandb => "W&B",
            Kind::Sacred => "Sacred",
        })
    }
}

/// One run on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub kind: Kind,
    /// What was looked at; the run lies in it.
    pub root: PathBuf,
    /// The folder of the run; of several, as of one that went on elsewhere, the first.
    pub path: PathBuf,
    /// The files that hold its points, in the order in which they were written, where a kind has such.
    pub files: Vec<PathBuf>,
}

impl Source {
    /// The path below what was looked at; where that is the run itself, the name of its folder.
    pub fn name(&self) -> String {
        let below = self.path.strip_prefix(&self.root).unwrap_or(&self.path).as_os_str();
        let name = if below.is_empty() { self.path.file_name().unwrap_or_default() } else { below };
        clean::name(name.as_encoded_bytes())
    }

    /// What its files are by name, length and time: another text once any of them has been written. It means nothing else, and may be
    /// another one in another version.
    pub fn stamp(&self) -> String {
        let mut hasher = DefaultHasher::new();
        let mut add = |path: &Path| {
            let Ok(meta) = path.symlink_metadata() else { return };
            path.strip_prefix(&self.path).unwrap_or(path).hash(&mut hasher);
            (meta.len(), meta.mtime(), meta.mtime_nsec()).hash(&mut hasher);
        };
        self.files.iter().for_each(|path| add(path));
        // Of a run in event files only these are read; of others what lies beside them too.
        if self.kind != Kind::TensorBoard {
            let folders: BTreeSet<&Path> = self.files.iter().filter_map(|path| path.parent()).chain([self.path.as_path()]).collect();
            for folder in folders {
                disk::each_file(folder, &mut Report::default(), |_, path, _| {
                    add(path);
                    Ok(())
                })
                .ok();
            }
        }
        format!("{:016x}", hasher.finish())
    }
}

/// What lies below a path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// By kind and path.
    pub sources: Vec<Source>,
    /// What was passed over: links, folders that may not be read.
    pub notices: Vec<Notice>,
}

/// Finds the runs at `path` and below it, without reading their points. The path itself may be a link; those below it are not followed.
pub fn look(path: &Path) -> Result<Look> {
    let root = path.canonicalize().map_err(ForeignError::io("open", path))?;
    let mut looking = Looking { root: root.clone(), sources: Vec::new(), wandb: HashMap::new(), report: Report::default(), entries: 0 };
    if root.is_dir() {
        looking.folder(root, 0)?;
    } else {
        let entry = Entry { path: root, kind: EntryKind::File };
        looking.root = entry.path.parent().map(Path::to_path_buf).unwrap_or_default();
        let folder = looking.root.clone();
        looking.files(&folder, &[entry]);
    }
    tensorboard::join_sessions(&mut looking.sources);
    looking.sources.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    Ok(Look { sources: looking.sources, notices: looking.report.notices })
}

/// Reads a run. An error ends it: either the sink refused, or what says which run this is cannot be read. All else is in the report.
pub fn read(source: &Source, sink: &mut dyn Sink) -> Result<Report> {
    match source.kind {
        Kind::TensorBoard => tensorboard::read(source, sink),
        Kind::MlFlow => mlflow::read(source, sink),
        Kind::Wandb => wandb::read(source, sink),
        Kind::Sacred => sacred::read(source, sink),
    }
}

/// Whether a file of this name holds a run, or a part of one, that is called and known by the folder it lies in.
pub fn is_named_by_its_folder(name: &[u8]) -> bool {
    tensorboard::is_event_file(name) || wandb::id(name).is_some()
}

struct Looking {
    root: PathBuf,
    sources: Vec<Source>,
    /// Where in `sources` the run is that lies in such a folder and has a file of this name.
    wandb: HashMap<(PathBuf, Vec<u8>), usize>,
    report: Report,
    entries: usize,
}

impl Looking {
    fn folder(&mut self, folder: PathBuf, depth: usize) -> Result<()> {
        let entries = match disk::list(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                self.report.notice(&folder, Place::Whole, error.to_string());
                return Ok(());
            }
        };
        self.entries += entries.len();
        if self.files(&folder, &entries) {
            return Ok(());
        }
        for entry in entries {
            match entry.kind {
                EntryKind::Folder if is_passed(entry.name()) => {}
                EntryKind::Folder if depth >= disk::DEEPEST || self.entries > disk::MOST_ENTRIES => {
                    self.report.notice(&entry.path, Place::Whole, "is too deep or too much to look at; look at it alone");
                }
                EntryKind::Folder => self.folder(entry.path, depth + 1)?,
                // What is in the folder is found in its own place.
                EntryKind::Link if entry.path.is_dir() && entry.path.canonicalize().is_ok_and(|target| !target.starts_with(&self.root)) => {
                    self.report.notice(
                        &entry.path,
                        Place::Whole,
                        "is a link that leads out of the folder, and is passed over; look at what it names",
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds what these files of a folder are, and says whether nothing else is to be looked for in it: what others keep in the folder of
    /// their run belongs to that run.
    fn files(&mut self, folder: &Path, entries: &[Entry]) -> bool {
        let files = || entries.iter().filter(|entry| entry.kind == EntryKind::File);
        let has = |name: &[u8]| files().any(|entry| entry.name() == name);
        if has(b"meta.yaml") && mlflow::is_run(folder) {
            self.add(Kind::MlFlow, folder, Vec::new());
            return true;
        }
        if has(sacred::RUN.as_bytes()) && sacred::is_run(folder) {
            self.add(Kind::Sacred, folder, Vec::new());
            return true;
        }
        if let Some(entry) = files().find(|entry| wandb::id(entry.name()).is_some()) {
            self.add_wandb(folder, entry);
            return true;
        }
        let events: Vec<PathBuf> =
            files().filter(|entry| tensorboard::is_event_file(entry.name())).map(|entry| entry.path.clone()).collect();
        if !events.is_empty() {
            self.add(Kind::TensorBoard, folder, events);
        }
        false
    }

    /// A run that was resumed has a folder for each time, beside one another; they come in the order of their names, which is that of time.
    fn add_wandb(&mut self, folder: &Path, entry: &Entry) {
        let known = self.wandb.entry((folder.parent().map(Path::to_path_buf).unwrap_or_default(), entry.name().to_vec()));
        match known {
            Slot::Occupied(at) => {
                if let Some(source) = self.sources.get_mut(*at.get()) {
                    source.files.push(entry.path.clone());
                }
            }
            Slot::Vacant(slot) => {
                slot.insert(self.sources.len());
                self.add(Kind::Wandb, folder, vec![entry.path.clone()]);
            }
        }
    }

    fn add(&mut self, kind: Kind, path: &Path, files: Vec<PathBuf>) {
        self.sources.push(Source { kind, root: self.root.clone(), path: path.to_path_buf(), files });
    }
}

/// Folders in which nobody keeps runs, and which are large. Those of two trackers begin with a dot too.
fn is_passed(name: &[u8]) -> bool {
    (name.starts_with(b".") && name != b".trash" && name != b".wandb") || name == b"node_modules" || name == b"__pycache__"
}
