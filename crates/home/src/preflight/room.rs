//! Whether there is room for what the runs need: disk, files, memory, memory of GPUs; and whether their checkpoints can be written.

use super::outside::Depth;
use crate::context::Context;
use crate::estimate::{self, Bounds, Estimate};
use neronet_capture::code::Survey;
use neronet_capture::devices::{self, Gpu};
use neronet_capture::space::{self, Disk, Memory, shown};
use neronet_model::settings::Gpus;
use neronet_model::{Millis, Settings};
use neronet_spec::{Experiment, Plan, Problem, Severity, Wanted, What, plain};
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
    /// What all runs are likely to take, where earlier ones tell.
    pub expected: Option<Estimate>,
}

/// Below this it does not matter what the runs take.
const PLENTY: u64 = 200_000_000_000;

pub(super) fn look(context: &Context, plan: &Plan, survey: &Survey, project: &str, depth: Depth) -> (Room, Vec<Problem>) {
    let mut room = Room { disk: space::disk(context.home.root()), memory: space::memory(), ..Room::default() };
    let mut problems = Vec::new();
    let needs: Vec<Need> = plan.experiments.iter().map(|experiment| need(&experiment.settings)).collect();
    let wants_gpus = |experiment: &Experiment| {
        let resources = &experiment.settings.resources;
        resources.gpus.is_some() || resources.gpu_memory.is_some()
    };
    if depth == Depth::Check || plan.experiments.iter().any(wants_gpus) {
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
    let earlier = |experiment: &Experiment| bounds.and_then(|bounds| estimate::of(context, project, experiment, bounds));
    let mut load = Load::default();
    for (experiment, need) in plan.experiments.iter().zip(&needs) {
        load.add(experiment, need, survey, room.disk.as_ref(), earlier(experiment));
        problems.extend(memory_for(experiment, need, &room));
        problems.extend(gpus_for(experiment, need, &room.gpus));
        problems.extend(cpus_for(experiment));
        problems.extend(checkpoints(experiment, survey));
    }
    if let Some(disk) = &room.disk {
        problems.extend(load.on(disk, context.home.root()));
    }
    room.expected = load.expected;
    (room, problems)
}

/// What all runs take together.
#[derive(Debug, Default)]
struct Load<'e> {
    runs: u64,
    bytes: u64,
    files: u64,
    /// The largest that one run was said to need, and where.
    said: Option<(u64, &'e Wanted)>,
    expected: Option<Estimate>,
}

impl<'e> Load<'e> {
    fn add(&mut self, experiment: &'e Experiment, need: &Need, survey: &Survey, disk: Option<&Disk>, earlier: Option<Estimate>) {
        let runs = experiment.count();
        let frozen = survey.in_place_because.is_none() && !experiment.settings.code.in_place;
        let size = survey.files.iter().map(|file| file.size).sum::<u64>();
        let shares = disk.is_some_and(|disk| disk.shares_copies);
        let copy = if frozen && !shares { size } else { 0 };
        let left = earlier
            .as_ref()
            .and_then(|earlier| earlier.bytes)
            .map(|bytes| if shares && frozen { bytes.saturating_sub(size) } else { bytes });
        let one = need.disk.unwrap_or_else(|| left.unwrap_or(0).max(copy));
        self.runs = self.runs.saturating_add(runs);
        self.bytes = self.bytes.saturating_add(one.saturating_mul(runs));
        let files = if frozen { survey.files.len() as u64 } else { 0 };
        self.files = self.files.saturating_add((files + FILES_OF_ITS_OWN).saturating_mul(runs));
        if let Some((need, place)) = need.disk.zip(key(experiment, "disk"))
            && self.said.is_none_or(|(said, _)| said < need)
        {
            self.said = Some((need, place));
        }
        if let Some(earlier) = earlier {
            let all = self.expected.get_or_insert_default();
            all.runs += earlier.runs;
            if let Some(one) = earlier.duration {
                let these = estimate::together(one, runs, experiment.parallel.unwrap_or(1));
                all.duration = Some(Millis(all.duration.unwrap_or_default().0.saturating_add(these.0)));
            }
            if let Some(left) = left {
                all.bytes = Some(all.bytes.unwrap_or(0).saturating_add(left.saturating_mul(runs)));
            }
            all.scaled_from.extend(earlier.scaled_from);
        }
    }

    fn on(&self, disk: &Disk, home: &Path) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mount = disk.mount.display();
        let by = if disk.by_quota { " by your quota" } else { "" };
        let them = if self.runs == 1 { "the run needs".to_string() } else { format!("{} runs need", self.runs) };
        let advice = "free some space, or let NERONET_HOME name a folder on a larger disk";
        let free = shown(disk.free);
        if let Some((said, place)) = self.said.filter(|(said, _)| *said > disk.free) {
            let message = format!("a run needs {} ([resources] disk), and {free} are free{by} on {mount}, where home is", shown(said));
            problems.push(place.error(message, Some(advice.to_string())));
        } else if self.bytes > disk.free {
            let ground = self.expected.as_ref().map(|expected| format!(", as {} earlier did", expected.runs)).unwrap_or_default();
            let message = format!("{them} about {}{ground}, and {free} are free{by} on {mount}, where home is", shown(self.bytes));
            problems.push(of(home, message, advice));
        }
        if let Some(inodes) = disk.inodes.filter(|inodes| *inodes < self.files) {
            let message = format!("{them} about {} files, and {mount}, where home is, has room for {inodes} more", self.files);
            problems.push(of(home, message, "remove what is not needed: many small files fill a disk before its bytes are used"));
        }
        problems
    }
}

/// The files that a run has besides its code.
const FILES_OF_ITS_OWN: u64 = 20;

fn of(place: &Path, message: String, advice: &str) -> Problem {
    Problem { severity: Severity::Warning, ..Problem::of_file(&place.display().to_string(), message, Some(advice)) }
}

/// Where a key of `[resources]` stands.
fn key<'e>(experiment: &'e Experiment, name: &'static str) -> Option<&'e Wanted> {
    experiment.wanted.iter().find(|wanted| wanted.what == What::Resource(name))
}

fn memory_for(experiment: &Experiment, need: &Need, room: &Room) -> Option<Problem> {
    let (place, need, total) = (key(experiment, "memory")?, need.memory?, room.memory.total?);
    let of_what = if room.memory.by_group { "the control group that we are in" } else { "this machine" };
    if need > total {
        let message = format!("a run needs {} of memory ([resources] memory), and {of_what} has {}", shown(need), shown(total));
        return Some(place.error(message, Some("run it on a larger machine, or let it need less".to_string())));
    }
    let available = room.memory.available.filter(|available| *available < need)?;
    let message = format!("a run needs {} of memory ([resources] memory), and {} are free now", shown(need), shown(available));
    Some(place.warning(message, Some("end what else runs, or wait".to_string())))
}

/// A driver that tells of no GPU may have some all the same, so this is no error.
fn gpus_for(experiment: &Experiment, need: &Need, gpus: &[Gpu]) -> Option<Problem> {
    let asked = match experiment.settings.resources.gpus.as_ref() {
        Some(Gpus::Count(count) | Gpus::Range(count, _)) => *count,
        Some(Gpus::All | Gpus::Fraction(_)) => 1,
        // Of parameters, each run asks for its own number.
        Some(Gpus::Expression(_)) | None => 0,
    };
    let hint = || Some("run it on another machine, or let it need less".to_string());
    if asked as usize > gpus.len() {
        let named = if asked == 1 { "1 GPU".to_string() } else { format!("{asked} GPUs") };
        let there = if gpus.is_empty() { "none".to_string() } else { gpus.len().to_string() };
        let message = format!("asks for {named}, and this machine has {there} that the driver tells of");
        return Some(key(experiment, "gpus")?.warning(message, hint()));
    }
    let (place, need) = (key(experiment, "gpu_memory")?, need.gpu_memory?);
    if gpus.is_empty() {
        let message = "asks for GPU memory, and this machine has no GPU that the driver tells of";
        return (experiment.settings.resources.gpus != Some(Gpus::Count(0))).then(|| place.warning(message.to_string(), hint()));
    }
    let known: Option<Vec<u64>> = gpus.iter().map(|gpu| gpu.memory_bytes).collect();
    let most = known?.into_iter().max()?;
    let message = || format!("a run needs {} of GPU memory ([resources] gpu_memory), and the largest GPU has {}", shown(need), shown(most));
    (most < need).then(|| place.error(message(), Some("run it on a larger GPU, or let it need less".to_string())))
}

fn cpus_for(experiment: &Experiment) -> Option<Problem> {
    let asked = experiment.settings.resources.cpus? as usize;
    let there = std::thread::available_parallelism().ok()?.get();
    let message = || format!("asks for {asked} CPUs, and this machine has {there} for it");
    (asked > there).then_some(())?;
    Some(key(experiment, "cpus")?.warning(message(), Some("run it on a larger machine, or let it need less".to_string())))
}

/// Folders of checkpoints outside of a run's own copy must be there, or be made, and be ours to write to.
fn checkpoints(experiment: &Experiment, survey: &Survey) -> Vec<Problem> {
    let settings = &experiment.settings;
    let start = survey.top.join(&survey.below).join(settings.code.directory.as_deref().unwrap_or_default());
    let frozen = survey.in_place_because.is_none() && !settings.code.in_place;
    let mut seen = Vec::new();
    let mut problems = Vec::new();
    for wanted in &experiment.wanted {
        let What::Checkpoints(pattern) = &wanted.what else { continue };
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
            problems.push(wanted.error(message, Some("make the folder, or change who may write to it".to_string())));
        }
        seen.push(place);
    }
    problems
}
