//! What takes the space: every file below home and in the cache, once, by what it is for. What `du` shows.

use crate::build;
use crate::context::Context;
use neronet_capture::code;
use neronet_capture::space::{self, Disk};
use neronet_model::journal::HomeState;
use neronet_model::left::Left;
use neronet_model::{AttemptNo, Run, RunId, SweepId};
use neronet_store::spool;
use neronet_store::walk::{Counted, Size, Unread, Walk};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Checkpoints,
    Artifacts,
    OtherOutputs,
    Code,
    Metrics,
    Output,
    Raw,
    Records,
    Trash,
    Removed,
    Snapshots,
    Builds,
    Journal,
    Private,
    Other,
    CachedSeries,
    OtherCache,
}

/// Each with its name and with what it is, in the order in which they are shown.
pub const KINDS: [(Kind, &str, &str); 17] = [
    (Kind::Checkpoints, "checkpoints", "of runs"),
    (Kind::Artifacts, "artifacts", "what [outputs] keep names"),
    (Kind::OtherOutputs, "other outputs", "other files in work copies that are no code"),
    (Kind::Code, "code", "of the work copies"),
    (Kind::Metrics, "metrics", "rows on record"),
    (Kind::Output, "output", "printed text on record"),
    (Kind::Raw, "raw output", "printed text that is not on record yet"),
    (Kind::Records, "records", "all else that is known of runs"),
    (Kind::Trash, "trash", "runs that `rm` put there"),
    (Kind::Removed, "removed", "left of runs that were removed for good"),
    (Kind::Snapshots, "snapshots", "frozen code, shared by runs"),
    (Kind::Builds, "builds", "what [code] build made"),
    (Kind::Journal, "journal", "what was decided and learned"),
    (Kind::Private, "private", "environments of submitters"),
    (Kind::Other, "other", "in home"),
    (Kind::CachedSeries, "cached series", "curves, made again when they are needed"),
    (Kind::OtherCache, "other caches", "made again when they are needed"),
];

impl Kind {
    pub fn name(self) -> &'static str {
        KINDS[self as usize].1
    }
}

/// By kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes([Size; KINDS.len()]);

impl Sizes {
    pub fn of(&self, kind: Kind) -> Size {
        self.0[kind as usize]
    }

    pub fn total(&self) -> Size {
        let mut total = Size::default();
        self.0.iter().for_each(|size| total += *size);
        total
    }

    fn add(&mut self, kind: Kind, size: Size) {
        self.0[kind as usize] += size;
    }
}

#[derive(Debug, Clone)]
pub struct OfRun {
    pub run: RunId,
    pub trashed: bool,
    pub sizes: Sizes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfExperiment {
    pub project: String,
    pub experiment: String,
    pub runs: u64,
    pub size: Size,
}

#[derive(Debug)]
pub struct Usage {
    pub sizes: Sizes,
    /// The largest first, as many as were asked for.
    pub runs: Vec<OfRun>,
    pub experiments: Vec<OfExperiment>,
    pub unread: Unread,
    /// Where home lies.
    pub disk: Option<Disk>,
}

/// All of home and of the cache, or what these runs have. `most` runs and experiments are named; `tell` is told how many files were
/// looked at.
pub fn of(context: &Context, state: &HomeState, runs: Option<&[RunId]>, most: usize, tell: &dyn Fn(u64)) -> Usage {
    let mut count = Count {
        context,
        state,
        most,
        walk: Walk::new(Counted::Once, tell),
        sizes: Sizes::default(),
        runs: Vec::new(),
        experiments: BTreeMap::new(),
        code_of: None,
    };
    match runs {
        Some(runs) => runs.iter().filter_map(|run| state.runs.get(run)).for_each(|run| count.run(run)),
        None => count.home(),
    }
    count.done()
}

struct Count<'c> {
    context: &'c Context,
    state: &'c HomeState,
    most: usize,
    walk: Walk<'c>,
    sizes: Sizes,
    runs: Vec<OfRun>,
    experiments: BTreeMap<(&'c str, &'c str), (u64, Size)>,
    /// Where the code of the last sweep lies that was asked for.
    code_of: Option<(SweepId, Vec<PathBuf>)>,
}

impl<'c> Count<'c> {
    fn home(&mut self) {
        let root = self.context.home.root();
        let own = self.walk.own(root);
        self.sizes.add(Kind::Other, own);
        for path in self.walk.names(root) {
            match path.file_name().and_then(|name| name.to_str()) {
                _ if path == self.context.cache => self.cache(&path),
                Some("runs") => self.all_runs(&path),
                Some("snapshots") => self.folder(&path, Kind::Snapshots),
                Some("builds") => self.folder(&path, Kind::Builds),
                Some("journal") => self.folder(&path, Kind::Journal),
                Some("private") => self.folder(&path, Kind::Private),
                Some("sweeps") => self.folder(&path, Kind::Records),
                _ => self.folder(&path, Kind::Other),
            }
        }
        let cache = &self.context.cache;
        if !cache.starts_with(root) {
            self.cache(cache);
        }
        if let Some(elsewhere) = self.context.projections.folder(cache).filter(|folder| !folder.starts_with(cache)) {
            self.folder(elsewhere, Kind::CachedSeries);
        }
    }

    /// Folders of home may be links to another disk: these alone are followed.
    fn folder(&mut self, path: &Path, kind: Kind) {
        let sizes = &mut self.sizes;
        let mut add = |size| sizes.add(kind, size);
        self.walk.walk(path, &mut |_, size| add(size));
        if let Some(there) = led_to(path) {
            self.walk.walk(&there, &mut |_, size| add(size));
        }
    }

    fn cache(&mut self, cache: &Path) {
        let (sizes, series) = (&mut self.sizes, cache.join("series"));
        self.walk.walk(cache, &mut |path, size| {
            sizes.add(if path.starts_with(&series) { Kind::CachedSeries } else { Kind::OtherCache }, size);
        });
    }

    fn all_runs(&mut self, folder: &Path) {
        let own = self.walk.own(folder);
        self.sizes.add(Kind::Records, own);
        let there = led_to(folder).unwrap_or_else(|| folder.to_path_buf());
        let state = self.state;
        for path in self.walk.names(&there) {
            let id: Option<RunId> = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            match id.map(|id| (state.runs.get(&id), state.purged.contains_key(&id))) {
                Some((Some(run), _)) => self.run(run),
                Some((None, true)) => self.folder(&path, Kind::Removed),
                _ => self.folder(&path, Kind::Other),
            }
        }
    }

    fn run(&mut self, run: &'c Run) {
        let folder = self.context.home.run(run.id);
        let mut sizes = Sizes::default();
        if run.trashed.is_some() {
            self.walk.walk(&folder, &mut |_, size| sizes.add(Kind::Trash, size));
        } else {
            let known = Known::of(&folder, run, self.code(run));
            self.walk.walk(&folder, &mut |path, size| sizes.add(known.kind(path), size));
        }
        self.sizes.0.iter_mut().zip(sizes.0).for_each(|(all, own)| *all += own);
        if let Some(sweep) = self.state.sweeps.get(&run.sweep) {
            let (runs, size) = self.experiments.entry((&sweep.project, &sweep.experiment)).or_default();
            *runs += 1;
            *size += sizes.total();
        }
        self.runs.push(OfRun { run: run.id, trashed: run.trashed.is_some(), sizes });
        if self.runs.len() > self.most.saturating_mul(2).saturating_add(100) {
            self.leave_the_largest();
        }
    }

    fn leave_the_largest(&mut self) {
        self.runs.sort_by_key(|run| (std::cmp::Reverse(run.sizes.total().disk), run.run));
        self.runs.truncate(self.most);
    }

    /// Where the code of a run came from: what has the same path there is code.
    fn code(&mut self, run: &Run) -> Vec<PathBuf> {
        if let Some((_, code)) = self.code_of.as_ref().filter(|(sweep, _)| *sweep == run.sweep) {
            return code.clone();
        }
        let sweep = self.state.sweeps.get(&run.sweep);
        let snapshot = sweep.and_then(|sweep| sweep.code.snapshot.as_deref());
        let snapshot = snapshot.map(|snapshot| code::stored(&self.context.home.snapshots(), snapshot));
        let built = sweep.and_then(|sweep| build::place(self.context, sweep));
        let code: Vec<PathBuf> = snapshot.into_iter().chain(built).collect();
        self.code_of = Some((run.sweep, code.clone()));
        code
    }

    fn done(mut self) -> Usage {
        self.leave_the_largest();
        let of = |((project, experiment), (runs, size)): ((&str, &str), (u64, Size))| OfExperiment {
            project: project.to_string(),
            experiment: experiment.to_string(),
            runs,
            size,
        };
        let mut experiments: Vec<OfExperiment> = self.experiments.into_iter().map(of).collect();
        experiments.sort_by_key(|of| std::cmp::Reverse(of.size.disk));
        experiments.truncate(self.most);
        let disk = space::disk(self.context.home.root());
        Usage { sizes: self.sizes, runs: self.runs, experiments, unread: self.walk.unread, disk }
    }
}

fn led_to(path: &Path) -> Option<PathBuf> {
    path.is_symlink().then(|| path.canonicalize().ok()).flatten()
}

/// What is known of the files of a run.
struct Known {
    folder: PathBuf,
    checkpoints: BTreeSet<PathBuf>,
    artifacts: BTreeSet<PathBuf>,
    code: Vec<PathBuf>,
}

impl Known {
    fn of(folder: &Path, run: &Run, code: Vec<PathBuf>) -> Known {
        let mut known = Known { folder: folder.to_path_buf(), checkpoints: BTreeSet::new(), artifacts: BTreeSet::new(), code };
        if !folder.join("work").exists() {
            return known;
        }
        for n in (1..=run.attempts).map(AttemptNo) {
            let attempt = folder.join("attempts").join(n.to_string());
            let Ok(Some(launch)) = spool::launch(&attempt) else { continue };
            let here = |path: &str| spool::here(folder, &launch, path);
            let recorded = spool::attempt(&attempt, n).map(|attempt| attempt.checkpoints).unwrap_or_default();
            known.checkpoints.extend(recorded.iter().filter_map(|checkpoint| here(&checkpoint.path)));
            let artifact = |left: &Left| if let Left::Artifact(artifact) = left { here(&artifact.path) } else { None };
            known.artifacts.extend(spool::left(&attempt).unwrap_or_default().iter().filter_map(artifact));
        }
        known
    }

    fn kind(&self, path: &Path) -> Kind {
        let Ok(below) = path.strip_prefix(&self.folder) else { return Kind::Records };
        let mut parts = below.iter().map(|part| part.to_str().unwrap_or_default());
        let within = |known: &BTreeSet<PathBuf>| {
            !known.is_empty() && path.ancestors().take_while(|path| *path != self.folder).any(|path| known.contains(path))
        };
        match parts.next() {
            Some("checkpoints") => Kind::Checkpoints,
            _ if within(&self.checkpoints) => Kind::Checkpoints,
            Some("work") if self.artifacts.contains(path) => Kind::Artifacts,
            Some("work") if self.is_code(below) => Kind::Code,
            Some("work") => Kind::OtherOutputs,
            // A copy that is just being made, or that a crash cut short.
            Some(".work.part") => Kind::Code,
            Some("attempts") => of_spool(parts.nth(1).unwrap_or_default()),
            _ => Kind::Records,
        }
    }

    fn is_code(&self, below: &Path) -> bool {
        let Ok(below) = below.strip_prefix("work") else { return false };
        self.code.iter().any(|code| code.join(below).symlink_metadata().is_ok())
    }
}

/// Of a file in an attempt's folder, sealed or not.
fn of_spool(name: &str) -> Kind {
    match name.split('.').next() {
        Some("metrics" | "metrics-in") => Kind::Metrics,
        Some("output") => Kind::Output,
        Some("raw") => Kind::Raw,
        _ => Kind::Records,
    }
}
