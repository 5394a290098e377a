//! Writes a bundle: first all that goes into it is named, then the files follow, a stream.

use super::{FORMAT, File, Head, Packaged, Packet, clean};
use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::steer::find_checkpoints;
use crate::submit::world_file;
use crate::travel::left;
use crate::view::{View, known_end};
use neronet_model::journal::Member;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, State, SweepId};
use neronet_store::bundle::Writer;
use neronet_store::spool::{self, Segments};
use neronet_store::{StoreError, files, sealed};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What goes along.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub checkpoints: Which,
    pub code: bool,
    pub output: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Best,
    Last,
    All,
    None,
}

/// What went into a bundle.
#[derive(Debug, Default)]
pub struct Packed {
    pub files: usize,
    pub bytes: u64,
    pub checkpoints: usize,
    /// Sentences that the researcher should read.
    pub notes: Vec<String>,
}

enum Content {
    Disk(PathBuf),
    Made(Vec<u8>),
}

struct Packing<'p> {
    context: &'p Context,
    wanted: Wanted,
    files: Vec<File>,
    contents: Vec<Content>,
    packed: Packed,
}

/// Packs ended runs. `tick` is told how many of all bytes are written.
pub fn pack(
    context: &Context,
    views: &[&View<'_>],
    wanted: Wanted,
    out: &mut dyn Write,
    tick: &mut dyn FnMut(u64, u64),
) -> Result<Packed, HomeError> {
    if let Some(view) = views.iter().find(|view| view.state() != State::Ended) {
        return Err(HomeError::Failed(format!("run {} is {}: only runs that have ended go into a bundle", view.id, view.status())));
    }
    let mut packing = Packing { context, wanted, files: Vec::new(), contents: Vec::new(), packed: Packed::default() };
    let mut sweeps: BTreeMap<SweepId, Packet> = BTreeMap::new();
    let mut snapshots = BTreeSet::new();
    let uid_of = |id| Ok::<_, HomeError>(context.home.read()?.state.runs.get(&id).map(|run| run.uid));
    for view in views {
        let known = masked::known(context, view.sweep);
        let Some(mut end) = end_of(context, view) else { continue };
        masked::attempt(&mut end.attempt);
        let clean = || Packet {
            sweep: clean::sweep(view.sweep, &known, wanted.code),
            world: files::read_json(&world_file(context, view.sweep.id)).ok().flatten(),
            runs: Vec::new(),
        };
        let after = view.after().map(uid_of).transpose()?.flatten();
        let changes = masked::params(&view.run().changes, &view.sweep.varying, || known.clone()).into_owned();
        let member = Member {
            id: view.id,
            uid: view.run().uid,
            params: view.params().clone(),
            after: None,
            gpus: None,
            tags: view.run().tags.iter().cloned().collect(),
            note: view.run().note.clone(),
        };
        sweeps.entry(view.sweep.id).or_insert_with(clean).runs.push(Packaged { member, after, changes, end });
        packing.run(view, &known)?;
        snapshots.extend(view.sweep.code.snapshot.as_ref().filter(|_| wanted.code));
    }
    for snapshot in snapshots {
        let folder = context.home.snapshots().join(snapshot);
        packing.folder(&folder, &format!("snapshots/{snapshot}"))?;
    }
    packing.write(sweeps.into_values().collect(), out, tick)
}

/// What home knows of its end, or would learn of it now.
fn end_of(context: &Context, view: &View<'_>) -> Option<KnownEnd> {
    context.home.end_of(view.run()).ok().flatten().or_else(|| Some(known_end(context, view.run(), view.attempt()?.clone())))
}

impl Packing<'_> {
    fn run(&mut self, view: &View<'_>, known: &[String]) -> Result<(), HomeError> {
        let (id, folder) = (view.id, self.context.home.run(view.id));
        for (name, bytes) in clean::frozen(self.context, view, known)? {
            self.made(format!("runs/{id}/{name}"), bytes);
        }
        for name in ["history.json", "summary.json"] {
            self.disk(format!("runs/{id}/{name}"), folder.join(name))?;
        }
        for n in spool::attempts_of(&folder)? {
            let attempt = folder.join("attempts").join(n.to_string());
            let place = format!("runs/{id}/attempts/{n}");
            if let Some(bytes) = clean::launch(&attempt, known)? {
                self.made(format!("{place}/{}", spool::LAUNCH), bytes);
            }
            for (name, bytes) in clean::events(&attempt, self.wanted.output)? {
                self.made(format!("{place}/{name}"), bytes);
            }
            let segments = Segments::of(&attempt)?;
            let output = self.wanted.output.then_some("output");
            for path in ["metrics", spool::OUTPUTS].into_iter().chain(output).flat_map(|kind| segments.of_kind(kind)) {
                let path = if path.exists() { path.to_path_buf() } else { sealed::path_of(path) };
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.disk(format!("{place}/{name}"), path)?;
            }
        }
        let (here, away): (Vec<PathBuf>, _) = self.checkpoints(view)?.into_iter().partition(|path| path.exists());
        for path in away {
            let what = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
            self.packed.notes.push(format!("{what} of run {id} is not in the bundle: it is on a target, `neronet fetch {id}` brings it"));
        }
        for path in here {
            self.packed.checkpoints += 1;
            let within = path.strip_prefix(&folder).ok().filter(|within| within.starts_with("work") || within.starts_with("checkpoints"));
            let within = within.map_or_else(|| Path::new("checkpoints").join(path.file_name().unwrap_or_default()), Path::to_path_buf);
            let place = format!("runs/{id}/{}", within.to_string_lossy());
            if path.is_dir() { self.folder(&path, &place)? } else { self.disk(place, path)? }
        }
        Ok(())
    }

    fn checkpoints(&self, view: &View<'_>) -> Result<Vec<PathBuf>, HomeError> {
        let folder = self.context.home.run(view.id);
        let found = match self.wanted.checkpoints {
            Which::None => return Ok(Vec::new()),
            Which::All => {
                let (mut all, home) = (BTreeSet::new(), self.context.home.uid()?);
                for n in (1..=view.run().attempts).map(AttemptNo) {
                    let attempt = folder.join("attempts").join(n.to_string());
                    let Some(launch) = spool::launch(&attempt)? else { continue };
                    let is_elsewhere = home.is_some_and(|home| left::target_of(home, view.id, &launch).is_some());
                    let place = |path: &str| match is_elsewhere {
                        true => spool::here(&folder, &launch, path),
                        false => Some(Path::new(&launch.directory).join(path)).filter(|path| path.exists()),
                    };
                    all.extend(spool::attempt(&attempt, n)?.checkpoints.iter().filter_map(|checkpoint| place(&checkpoint.path)));
                }
                return Ok(all.into_iter().collect());
            }
            Which::Best | Which::Last => find_checkpoints(self.context, view)?,
        };
        let best = found.best_or_latest().filter(|_| self.wanted.checkpoints == Which::Best);
        Ok(best.or(found.latest.as_deref()).map(Path::to_path_buf).into_iter().collect())
    }

    fn made(&mut self, path: String, bytes: Vec<u8>) {
        self.files.push(File { path, bytes: bytes.len() as u64 });
        self.contents.push(Content::Made(bytes));
    }

    /// A file, if it is there.
    fn disk(&mut self, path: String, from: PathBuf) -> Result<(), HomeError> {
        match fs::metadata(&from) {
            Ok(meta) if meta.is_file() => {
                self.files.push(File { path, bytes: meta.len() });
                self.contents.push(Content::Disk(from));
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(StoreError::io("read", &from)(e).into()),
        }
        Ok(())
    }

    /// All files below a folder; what links lead to stays.
    fn folder(&mut self, folder: &Path, place: &str) -> Result<(), HomeError> {
        let entries = fs::read_dir(folder).map_err(StoreError::io("read", folder))?;
        let mut entries: Vec<_> = entries.collect::<io::Result<_>>().map_err(StoreError::io("read", folder))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let kind = entry.file_type().map_err(StoreError::io("read", folder))?;
            match name.to_str() {
                Some(name) if kind.is_dir() => self.folder(&entry.path(), &format!("{place}/{name}"))?,
                Some(name) if kind.is_file() => self.disk(format!("{place}/{name}"), entry.path())?,
                _ => self.packed.notes.push(format!("{} is not in the bundle: it is no plain file", entry.path().display())),
            }
        }
        Ok(())
    }

    fn write(self, sweeps: Vec<Packet>, out: &mut dyn Write, tick: &mut dyn FnMut(u64, u64)) -> Result<Packed, HomeError> {
        let Packing { context, files, contents, mut packed, .. } = self;
        let failed = |e: io::Error| HomeError::unwritable("the bundle", &e);
        let head = Head { format: FORMAT, at: context.now(), sweeps, files };
        let bytes = serde_json::to_vec(&head).map_err(|e| HomeError::Failed(format!("the bundle cannot be written as JSON: {e}")))?;
        let mut writer = Writer::new(out, &bytes).map_err(failed)?;
        let all = head.files.iter().map(|file| file.bytes).sum();
        for (file, content) in head.files.iter().zip(contents) {
            match content {
                Content::Made(bytes) => writer.member(file.bytes, &bytes[..]).map_err(failed)?,
                Content::Disk(path) => {
                    let from = fs::File::open(&path).map_err(StoreError::io("read", &path))?;
                    writer.member(file.bytes, from).map_err(|e| match e.kind() {
                        io::ErrorKind::UnexpectedEof => {
                            HomeError::Failed(format!("{} changed while it was packed: try again", path.display()))
                        }
                        _ => failed(e),
                    })?;
                }
            }
            packed.bytes += file.bytes;
            tick(packed.bytes, all);
        }
        packed.files = head.files.len();
        writer.finish().map_err(failed)?;
        Ok(packed)
    }
}
