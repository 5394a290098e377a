//! Whether there is room for what the runs need: disk, files, memory, memory of GPUs; and whether their checkpoints can be written.

use super::outside::Depth;
use crate::context::Context;
use crate::estimate::{self, Bounds, Estimate};
use neronet_capture::code::Survey;
use neronet_capture::devices::{self, Gpu};
use neronet_capture::space::{self, Disk, Memory, shown};
use neronet_model::{Millis, Settings};
use neronet_spec::plain;
use neronet_spec::{Experiment, Plan, Problem, Severity};
use std::path::{Path, PathBuf};

/// What one run needs, where somebody said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    pub disk: Option<u64>,
    pub memory: Option<u64>,
    /// Of one GPU.
    pub gpu_memory: Option<u64>,
}

/// What `[resources]` says of it.
pub fn need(settings: &Settings) -> Need {
    let resources = &settings.resources;
    Need { disk: resources.disk, memory: resources.memory, gpu_memory: resources.gpu_memory }
}

/// What there is, for whoever is shown it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Room {
    pub disk: Option<Disk>,
    pub memory: Memory,
    pub gpus: Vec<Gpu>,
    /// Earlier runs that are the ground of what follows.
    pub earlier: usize,
    /// What all runs are likely to take.
    pub duration: Option<Millis>,
    pub bytes: Option<u64>,
}

/// Below this it does not matter what the runs take.
const PLENTY: u64 = 200_000_000_000;

pub(super) fn look(context: &Context, plan: &Plan, survey: &Survey, project: &str, depth: Depth) -> (Room, Vec<Problem>) {
    let mut room = Room { disk: space::disk(context.home.root()), memory: space::memory(), ..Room::default() };
    let mut problems = Vec::new();
    let needs: Vec<Need> = plan.experiments.iter().map(|experiment| need(&experiment.settings)).collect();
    if depth == Depth::Check || needs.iter().any(|need| need.gpu_memory.is_some()) {
        room.gpus = devices::describe().gpus;
    }
    let runs = plan.experiments.iter().map(Experiment::count).fold(0, u64::saturating_add);
    let scarce = room.disk.as_ref().is_some_and(|disk| disk.free < PLENTY.min(disk.total / 20));
    let bounds = match depth {
        Depth::Check => Some(Bounds { runs: 20, folders: 20, files: 20_000 }),
        // A few milliseconds, where they may matter.
        Depth::Start if runs > 1 || scarce => Some(Bounds { runs: 3, folders: 3, files: 1_000 }),
        Depth::Start => None,
    };
    let earlier = |experiment: &Experiment| bounds.and_then(|bounds| estimate::of(context, project, &experiment.name, bounds));
    let mut load = Load::default();
    for (experiment, need) in plan.experiments.iter().zip(&needs) {
        load.add(experiment, need, survey, room.disk.as_ref(), earlier(experiment));
        problems.extend(memory_for(need, &room, context.home.root()));
        problems.extend(gpu_memory_for(need, &room.gpus, context.home.root()));
        problems.extend(checkpoints(experiment, survey, plan));
    }
    (room.earlier, room.duration, room.bytes) = (load.earlier, load.duration, load.expected);
    if let Some(disk) = &room.disk {
        problems.extend(load.on(disk, context.home.root()));
    }
    (room, problems)
}

/// What all runs take together.
#[derive(Debug, Default)]
struct Load {
    runs: u64,
    bytes: u64,
    files: u64,
    /// The largest that one run was said to need.
    said: Option<u64>,
    earlier: usize,
    duration: Option<Millis>,
    /// Where earlier runs tell it.
    expected: Option<u64>,
}

impl Load {
    fn add(&mut self, experiment: &Experiment, need: &Need, survey: &Survey, disk: Option<&Disk>, earlier: Option<Estimate>) {
        let runs = experiment.count();
        let frozen = survey.in_place_because.is_none() && !experiment.settings.code.in_place;
        let size = survey.files.iter().map(|file| file.size).sum::<u64>();
        let shares = disk.is_some_and(|disk| disk.shares_copies);
        let copy = if frozen && !shares { size } else { 0 };
        let left = earlier.and_then(|earlier| earlier.bytes).map(|bytes| if shares && frozen { bytes.saturating_sub(size) } else { bytes });
        let one = need.disk.unwrap_or_else(|| left.unwrap_or(0).max(copy));
        self.runs = self.runs.saturating_add(runs);
        self.bytes = self.bytes.saturating_add(one.saturating_mul(runs));
        let files = if frozen { survey.files.len() as u64 } else { 0 };
        self.files = self.files.saturating_add((files + FILES_OF_ITS_OWN).saturating_mul(runs));
        self.said = self.said.max(need.disk);
        if let Some(earlier) = earlier {
            self.earlier += earlier.runs;
            let at_a_time = experiment.parallel.unwrap_or(1);
            if let Some(one) = earlier.duration {
                let all = estimate::together(one, runs, at_a_time);
                self.duration = Some(Millis(self.duration.unwrap_or_default().0.saturating_add(all.0)));
            }
            if let Some(left) = left {
                self.expected = Some(self.expected.unwrap_or(0).saturating_add(left.saturating_mul(runs)));
            }
        }
    }

    fn on(&self, disk: &Disk, home: &Path) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mount = disk.mount.display();
        let by = if disk.by_quota { " by your quota" } else { "" };
        let them = if self.runs == 1 { "the run needs".to_string() } else { format!("{} runs need", self.runs) };
        let advice = "free some space, or let NERONET_HOME name a folder on a larger disk";
        let free = shown(disk.free);
        if let Some(said) = self.said.filter(|said| *said > disk.free) {
            let message = format!("a run needs {} ([resources] disk), and {free} are free{by} on {mount}, where home is", shown(said));
            problems.push(of(Severity::Error, home, message, advice));
        } else if self.bytes > disk.free {
            let ground = if self.earlier > 0 { format!(", as {} earlier did", self.earlier) } else { String::new() };
            let message = format!("{them} about {}{ground}, and {free} are free{by} on {mount}, where home is", shown(self.bytes));
            problems.push(of(Severity::Warning, home, message, advice));
        }
        if let Some(inodes) = disk.inodes.filter(|inodes| *inodes < self.files) {
            let message = format!("{them} about {} files, and {mount}, where home is, has room for {inodes} more", self.files);
            problems.push(of(
                Severity::Warning,
                home,
                message,
                "remove what is not needed: many small files fill a disk before its bytes are used",
            ));
        }
        problems
    }
}

/// The files that a run has besides its code.
const FILES_OF_ITS_OWN: u64 = 20;

fn of(severity: Severity, place: &Path, message: String, advice: &str) -> Problem {
    Problem { severity, ..Problem::of_file(&place.display().to_string(), message, Some(advice)) }
}

fn memory_for(need: &Need, room: &Room, place: &Path) -> Option<Problem> {
    let (need, total) = (need.memory?, room.memory.total?);
    let of_what = if room.memory.by_group { "the control group that we are in" } else { "this machine" };
    if need > total {
        let message = format!("a run needs {} of memory ([resources] memory), and {of_what} has {}", shown(need), shown(total));
        return Some(of(Severity::Error, place, message, "run it on a larger machine, or let it need less"));
    }
    let available = room.memory.available.filter(|available| *available < need)?;
    let message = format!("a run needs {} of memory ([resources] memory), and {} are free now", shown(need), shown(available));
    Some(of(Severity::Warning, place, message, "end what else runs, or wait"))
}

/// Only where the driver tells how much each has.
fn gpu_memory_for(need: &Need, gpus: &[Gpu], place: &Path) -> Option<Problem> {
    let need = need.gpu_memory?;
    let known: Option<Vec<u64>> = gpus.iter().map(|gpu| gpu.memory_bytes).collect();
    let most = known?.into_iter().max()?;
    let message = || format!("a run needs {} of GPU memory ([resources] gpu_memory), and the largest GPU has {}", shown(need), shown(most));
    (most < need).then(|| of(Severity::Error, place, message(), "run it on a larger GPU, or let it need less"))
}

/// Folders of checkpoints outside of a run's own copy must be there, or be made, and be ours to write to.
fn checkpoints(experiment: &Experiment, survey: &Survey, plan: &Plan) -> Vec<Problem> {
    let settings = &experiment.settings;
    let start = survey.top.join(&survey.below).join(settings.code.directory.as_deref().unwrap_or_default());
    let frozen = survey.in_place_because.is_none() && !settings.code.in_place;
    let mut seen = Vec::new();
    let mut problems = Vec::new();
    for pattern in &settings.checkpoints.paths {
        let plain_part: PathBuf =
            Path::new(pattern).components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{'])).collect();
        // The last part is the file, unless a glob stood in its place.
        let folder = if plain_part == Path::new(pattern) { plain_part.parent().unwrap_or(&plain_part).to_path_buf() } else { plain_part };
        let place = plain(&start.join(&folder));
        let outside = |place: &Path| !place.starts_with(&survey.top);
        let leads_out = || place.ancestors().find_map(|place| place.canonicalize().ok()).is_some_and(|real| outside(&real));
        let linked = || settings.code.link.iter().any(|link| place.starts_with(plain(&survey.top.join(&survey.below).join(link))));
        if !(pattern.starts_with('/') || !frozen || outside(&place) || leads_out() || linked()) || seen.contains(&place) {
            continue;
        }
        if let Some(why) = space::not_writable(&place) {
            let message = format!("[checkpoints] paths: nothing can be saved as {pattern}: {why}");
            let path = plan.source.as_ref().map_or("the command", |source| source.path.as_str());
            problems.push(Problem::of_file(path, message, Some("make the folder, or change who may write to it")));
        }
        seen.push(place);
    }
    problems
}
