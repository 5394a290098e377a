//! Whether there is room for what the runs need: what the queue can ever give them, and disk, files and memory as they are now; and
//! whether their checkpoints can be written.

use super::outside::Depth;
use crate::context::Context;
use crate::estimate::{self, Bounds, Estimate};
use crate::there::Views;
use crate::world;
use neronet_capture::code::Survey;
use neronet_capture::devices::{self, Gpu};
use neronet_capture::space::{self, Disk, Memory, shown};
use neronet_model::Millis;
use neronet_model::settings::{Gpus, Resources};
use neronet_schedule::{self as queue, Cpus, Lack, Needs, Queue, World};
use neronet_spec::{Experiment, Plan, Planned, Problem, Severity, Wanted, What, plain};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    // Drivers are asked only where something is asked for: that takes longer than to start a run.
    let world = plan.experiments.iter().any(asks).then(|| world::local(context));
    for experiment in &plan.experiments {
        load.add(experiment, survey, room.disk.as_ref(), earlier(experiment));
        let world = world.as_ref().filter(|_| asks(experiment));
        let never = world.map(|world| never_fits(context, world, plan, experiment)).unwrap_or_default();
        problems.extend(memory_for(experiment, &room).filter(|_| never.is_empty()));
        problems.extend(gpus_for(experiment, &room.gpus).filter(|_| never.is_empty()));
        problems.extend(never);
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
    fn add(&mut self, experiment: &'e Experiment, survey: &Survey, disk: Option<&Disk>, earlier: Option<Estimate>) {
        let (runs, need) = (experiment.count(), experiment.settings.resources.disk);
        let frozen = survey.in_place_because.is_none() && !experiment.settings.code.in_place;
        let size = survey.files.iter().map(|file| file.size).sum::<u64>();
        let shares = disk.is_some_and(|disk| disk.shares_copies);
        let copy = if frozen && !shares { size } else { 0 };
        let left = earlier
            .as_ref()
            .and_then(|earlier| earlier.bytes)
            .map(|bytes| if shares && frozen { bytes.saturating_sub(size) } else { bytes });
        let one = need.unwrap_or_else(|| left.unwrap_or(0).max(copy));
        self.runs = self.runs.saturating_add(runs);
        self.bytes = self.bytes.saturating_add(one.saturating_mul(runs));
        let files = if frozen { survey.files.len() as u64 } else { 0 };
        self.files = self.files.saturating_add((files + FILES_OF_ITS_OWN).saturating_mul(runs));
        if let Some((need, place)) = need.zip(key(experiment, "disk"))
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
            if said <= disk.total {
                let message = format!(
                    "a run needs {} of the disk, and {free} are free{by} on {mount}, where home is: it waits for them",
                    shown(said)
                );
                problems.push(place.warning(message, Some(advice.to_string())));
            }
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

/// Runs whose own numbers of GPUs are looked at; of the others it is told when they are queued.
const FORESEEN: usize = 10_000;

fn asks(experiment: &Experiment) -> bool {
    experiment.settings.resources != Resources::default()
}

/// For whoever wants nothing looked at: what would wait without end is told all the same.
pub(crate) fn beyond(context: &Context, plan: &Plan) -> Vec<Problem> {
    let here = Views::of(plan).here;
    let mut asking = here.experiments.iter().filter(|experiment| asks(experiment)).peekable();
    if asking.peek().is_none() {
        return Vec::new();
    }
    let world = world::local(context);
    let never = asking.flat_map(|experiment| never_fits(context, &world, plan, experiment));
    never.map(|problem| Problem { severity: Severity::Warning, ..problem }).collect()
}

/// What the runs need that the queue can never give them: they would wait without end.
fn never_fits(context: &Context, world: &World, plan: &Plan, experiment: &Experiment) -> Vec<Problem> {
    let resources = &experiment.settings.resources;
    let own = |planned: Planned| neronet_spec::gpus(&experiment.settings, &planned.params).ok()?;
    let gpus = match &resources.gpus {
        Some(Gpus::Expression(_)) => plan.runs(experiment).take(FORESEEN).filter_map(own).max(),
        _ => None,
    };
    let needs = Needs::asked(resources, true, experiment.parallel, gpus);
    // Each by itself, so that all that is too much is told at once.
    let whole = Needs::asked(&Resources { gpu_memory: None, ..resources.clone() }, true, None, gpus).gpus;
    let nothing = || Needs {
        cpus: Cpus::Uncounted,
        gpus: queue::Gpus::Inherited,
        memory: 0,
        usual_memory: 0,
        disk: 0,
        named: BTreeMap::new(),
        time: None,
    };
    let lack = |name: &'static str, part: Needs| Some((key(experiment, name)?, Queue::never_fits(world, &part)?));
    let gpus = lack("gpus", Needs { gpus: whole, ..nothing() });
    let lacks = [
        lack("cpus", Needs { cpus: needs.cpus, ..nothing() }),
        gpus.or_else(|| lack("gpu_memory", Needs { gpus: needs.gpus, ..nothing() })),
        lack("memory", Needs { memory: needs.memory, ..nothing() }),
        lack("disk", Needs { disk: needs.disk, ..nothing() }),
        lack("named", Needs { named: needs.named.clone(), ..nothing() }),
    ];
    let told = |(place, lack): (&Wanted, Lack)| {
        let hint = match lack {
            Lack::Named { .. } => "say there how many there are, or let it need less",
            _ => "run it on a larger machine, or let it need less",
        };
        place.error(format!("a run {}", lack.never()), Some(hint.to_string()))
    };
    let mut problems: Vec<Problem> = lacks.into_iter().flatten().map(told).collect();
    if let (true, Some(lack)) = (problems.is_empty(), Queue::never_fits(world, &needs)) {
        let targets = context.home.root().join(crate::targets::FILE);
        problems.push(Problem::of_file(&targets.display().to_string(), lack.never(), Some("let it allow more, or let the runs need less")));
    }
    problems
}

fn memory_for(experiment: &Experiment, room: &Room) -> Option<Problem> {
    let (place, need) = (key(experiment, "memory")?, experiment.settings.resources.memory?);
    let available = room.memory.available.filter(|available| *available < need)?;
    let message = format!("a run needs {} of memory ([resources] memory), and {} are free now", shown(need), shown(available));
    Some(place.warning(message, Some("it waits until more is free: end what else runs".to_string())))
}

/// What asks for GPUs without a number runs where there is none, too.
fn gpus_for(experiment: &Experiment, gpus: &[Gpu]) -> Option<Problem> {
    let resources = &experiment.settings.resources;
    let place = match &resources.gpus {
        Some(Gpus::All) => key(experiment, "gpus")?,
        None => key(experiment, "gpu_memory")?,
        Some(_) => return None,
    };
    let message = "asks for GPUs, and this machine has none that the driver tells of".to_string();
    gpus.is_empty().then(|| place.warning(message, Some("it runs without one; run it on another machine".to_string())))
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
