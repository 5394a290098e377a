//! What runs left on targets: which attempt executed where, and where in the run's folder its files are, which is the same on every
//! machine. Records name them as they are called there.

use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::{Folder, Globs, literally};
use crate::stages;
use crate::steer;
use crate::there::settings_on;
use crate::travel::{Going, Lost, Moved, Traveller, Way, fetch, is_of_run, list};
use neronet_model::journal::HomeState;
use neronet_model::launch::Launch;
use neronet_model::left::Left;
use neronet_model::settings::Fetch;
use neronet_model::{AttemptNo, Run, RunId, Uid};
use neronet_store::spool;
use neronet_target::parcel::{Entry, Inner};
use neronet_target::wire::Ground;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Patterns in one question, and their bytes.
const GLOBS: usize = 500;
const MOST_BYTES: usize = 128 << 10;
/// Of checkpoints that nobody asked for.
const MOST_UNASKED: u64 = 2 << 30;

/// The target where an attempt executed: its folder there is `FOLDER/HOME/TARGET/runs/RUN`. Nothing for this machine.
pub fn target_of(home: Uid, run: RunId, launch: &Launch) -> Option<String> {
    let mut names = Path::new(&launch.run_directory).components().rev().map(|part| match part {
        Component::Normal(name) => name.to_str().unwrap_or_default(),
        _ => "",
    });
    let is_a_home = names.next()? == run.to_string() && names.next()? == "runs";
    let target = names.next().filter(|_| is_a_home)?;
    (names.next()? == home.as_str()).then(|| target.to_string())
}

/// Where a path that an attempt recorded is in the run's folder, where it is one of the run's own files.
pub fn inner(launch: &Launch, path: &str) -> Option<Inner> {
    let below = spool::here(Path::new(""), launch, path)?;
    Inner::try_from(below.to_str()?.to_string()).ok().filter(is_of_run)
}

/// The files of a run that are on other machines.
#[derive(Debug, Default)]
pub struct There {
    /// By target: files and folders within the run's folder.
    pub paths: BTreeMap<String, BTreeSet<Inner>>,
    /// What is not in the run's folder there, as it is called.
    pub outside: Vec<String>,
}

/// The attempts of a run that executed on targets, each with its launch.
fn attempts(context: &Context, run: RunId, last: u64) -> Result<Vec<(AttemptNo, String, Launch)>, HomeError> {
    let Some(home) = context.home.uid()? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for n in (1..=last).map(AttemptNo) {
        let launch = spool::launch(&context.home.attempt(run, n))?;
        all.extend(launch.and_then(|launch| Some((n, target_of(home, run, &launch)?, launch))));
    }
    Ok(all)
}

pub(crate) fn launches(context: &Context, run: RunId, last: u64) -> Result<Vec<Launch>, HomeError> {
    Ok(attempts(context, run, last)?.into_iter().map(|(.., launch)| launch).collect())
}

/// The target where a file of a run was written last, as far as that is on record.
pub(crate) fn target_with(context: &Context, run: RunId, last: u64, path: &Inner) -> Result<Option<String>, HomeError> {
    let there = recorded(context, run, last)?;
    Ok(there.paths.into_iter().find(|(_, paths)| paths.contains(path)).map(|(target, _)| target))
}

/// All checkpoints and artifacts that its attempts recorded. What a later one wrote again is where that executed.
pub fn recorded(context: &Context, run: RunId, last: u64) -> Result<There, HomeError> {
    let (mut where_is, mut outside) = (BTreeMap::new(), BTreeSet::new());
    for (n, target, launch) in attempts(context, run, last)? {
        let folder = context.home.attempt(run, n);
        let checkpoints = spool::attempt(&folder, n)?.checkpoints.into_iter().map(|checkpoint| checkpoint.path);
        for path in checkpoints.chain(artifacts(&folder)?) {
            match inner(&launch, &path) {
                Some(inner) => drop(where_is.insert(inner, target.clone())),
                None => drop(outside.insert(path)),
            }
        }
    }
    let mut there = There { outside: outside.into_iter().collect(), ..There::default() };
    for (path, target) in where_is {
        there.paths.entry(target).or_default().insert(path);
    }
    Ok(there)
}

/// How many of them are on their target alone, by its name.
pub fn away(context: &Context, run: RunId, last: u64) -> Result<BTreeMap<String, usize>, HomeError> {
    let (there, folder) = (recorded(context, run, last)?.paths, context.home.run(run));
    let missing = |paths: BTreeSet<Inner>| paths.iter().filter(|path| !folder.join(path.as_str()).exists()).count();
    Ok(there.into_iter().map(|(target, paths)| (target, missing(paths))).filter(|(_, missing)| *missing > 0).collect())
}

fn artifacts(attempt: &Path) -> Result<Vec<String>, HomeError> {
    let left = spool::left(attempt)?.into_iter();
    Ok(left.filter_map(|left| if let Left::Artifact(artifact) = left { Some(artifact.path) } else { None }).collect())
}

/// How many bytes of what comes by itself from a target are not here, as far as records say.
pub(crate) fn missing(context: &Context, state: &HomeState, run: &Run, target: &str) -> Result<u64, HomeError> {
    let folder = context.home.run(run.id);
    let wanted = by_itself(context, state, run, target)?.into_iter().filter(|path| !folder.join(path.as_str()).exists());
    let wanted: BTreeSet<Inner> = wanted.collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    let mut bytes: BTreeMap<Inner, u64> = BTreeMap::new();
    for (n, _, launch) in attempts(context, run.id, run.attempts)?.into_iter().filter(|(_, at, _)| at == target) {
        let folder = context.home.attempt(run.id, n);
        let checkpoints = spool::attempt(&folder, n)?.checkpoints.into_iter().map(|checkpoint| (checkpoint.path, checkpoint.bytes));
        let left = spool::left(&folder)?.into_iter();
        let artifacts =
            left.filter_map(|left| if let Left::Artifact(artifact) = left { Some((artifact.path, artifact.bytes)) } else { None });
        bytes.extend(checkpoints.chain(artifacts).filter_map(|(path, bytes)| Some((inner(&launch, &path)?, bytes))));
    }
    Ok(wanted.iter().filter_map(|path| bytes.get(path)).sum())
}

/// What comes home by itself from a target: the artifacts of a run's attempts there, checkpoints as `[checkpoints] fetch` says, and those
/// that other runs go on from.
pub fn by_itself(context: &Context, state: &HomeState, run: &Run, target: &str) -> Result<BTreeSet<Inner>, HomeError> {
    let Some(sweep) = state.sweeps.get(&run.sweep) else { return Ok(BTreeSet::new()) };
    let (run, last) = (run.id, run.attempts);
    let mut paths = BTreeSet::new();
    let mut checkpoints: BTreeMap<Inner, u64> = BTreeMap::new();
    for (n, _, launch) in attempts(context, run, last)?.into_iter().filter(|(_, at, _)| at == target) {
        let folder = context.home.attempt(run, n);
        paths.extend(artifacts(&folder)?.iter().filter_map(|path| inner(&launch, path)));
        let of_attempt = spool::attempt(&folder, n)?.checkpoints;
        checkpoints.extend(of_attempt.iter().filter_map(|checkpoint| Some((inner(&launch, &checkpoint.path)?, checkpoint.bytes))));
    }
    let asked = settings_on(sweep, target).checkpoints.fetch;
    if asked == Some(Fetch::All) {
        paths.extend(checkpoints.into_keys());
        return Ok(paths);
    }
    let found = steer::checkpoints_of(context, run, sweep, AttemptNo(last))?;
    let chosen = match asked {
        Some(Fetch::None) => None,
        Some(Fetch::Last) => found.latest.as_deref(),
        _ => found.best_or_latest(),
    };
    if stages::is_gone_on_from(state, run) {
        let all = [found.latest.as_deref(), found.best.as_deref()].into_iter().flatten();
        paths.extend(all.filter_map(|path| within(context, run, path)).filter(|path| checkpoints.contains_key(path)));
    }
    let chosen = chosen.and_then(|path| within(context, run, path)).filter(|path| match (asked, checkpoints.get(path)) {
        (_, None) => false,
        (Some(_), _) => true,
        (None, Some(bytes)) => *bytes <= MOST_UNASKED,
    });
    paths.extend(chosen);
    Ok(paths)
}

/// Where a path of this home is in a run's folder.
pub fn within(context: &Context, run: RunId, path: &Path) -> Option<Inner> {
    let below = path.strip_prefix(context.home.run(run)).ok()?;
    Inner::try_from(below.to_str()?.to_string()).ok().filter(is_of_run)
}

/// Where patterns are looked for that are relative to where the command started: the last target of a run, and that folder there.
pub fn started(context: &Context, run: RunId, last: u64) -> Result<Option<(String, PathBuf)>, HomeError> {
    let last = attempts(context, run, last)?.pop();
    Ok(last.map(|(_, target, launch)| {
        let below = spool::here(Path::new(""), &launch, "").filter(|below| below.starts_with("work"));
        (target, below.unwrap_or_else(|| PathBuf::from("work")))
    }))
}

/// Patterns that are these names and nothing else.
pub fn exactly(paths: impl IntoIterator<Item = Inner>) -> Vec<String> {
    paths.into_iter().map(|path| literally(path.as_str())).collect()
}

/// Where a file of a run's folder gets its place.
pub type Places<'p> = dyn Fn(&Inner) -> Option<Inner> + 'p;

/// Fetches what patterns name in a run's folder on a target. `place`: where a file is to be in `into`; nothing for one that is to stay.
///
/// # Errors
/// The target is lost, or nothing can be written here.
pub fn bring(
    way: &Way,
    run: RunId,
    globs: &[String],
    (into, place): (&Folder, &Places<'_>),
    tick: &mut dyn FnMut(&Going),
) -> Result<(Moved, u64), Lost> {
    let (ground, mut wanted, mut left_out, mut from) = (Ground::Run(run), Vec::new(), 0, 0);
    while let Some(left) = globs.get(from..).filter(|left| !left.is_empty()) {
        let mut bytes = 0;
        let fit = left.iter().take(GLOBS).take_while(|glob| {
            bytes += glob.len();
            bytes <= MOST_BYTES
        });
        let some = left.get(..fit.count().max(1)).unwrap_or(left);
        let listing = list(way, &ground, some)?;
        left_out += listing.left_out;
        if listing.cut_short {
            return Err(HomeError::Failed("it has too many files for one time: name some of them".into()).into());
        }
        wanted.extend(listing.entries.into_iter().filter_map(|entry| {
            let path = Some(&entry.path).filter(|path| is_of_run(path)).and_then(place)?;
            Some(Traveller { from: entry.path.clone(), to: Entry { path, ..entry } })
        }));
        from += some.len();
    }
    Ok((fetch(way, &ground, into, wanted, tick)?, left_out))
}

/// What somebody asked for.
#[derive(Debug, Default)]
pub struct Fetched {
    pub moved: Moved,
    /// What patterns name and cannot travel.
    pub left_out: u64,
    /// Recorded, and not in the run's folder there.
    pub outside: Vec<String>,
}

/// Fetches what a run left on its targets: what it recorded, or what patterns name that are relative to where its command started. Into
/// the run's folder here, or else into another one by the paths from where the command started. `copied` is told of our own binary, where
/// it has to be brought to a target first, `tick` of what comes from one.
///
/// # Errors
/// It executed here, a target is not reached, or nothing can be written.
pub fn fetched(
    context: &Context,
    (run, last): (RunId, u64),
    globs: &[String],
    into: Option<&Folder>,
    copied: &dyn Fn(&str, u64, u64),
    tick: &mut dyn FnMut(&str, &Going),
) -> Result<Fetched, HomeError> {
    let Some((target, started)) = started(context, run, last)? else {
        let folder = context.home.run(run);
        return Err(HomeError::Failed(format!("run {run} has not executed on a target: what it left is in {}", folder.display())));
    };
    let mut fetched = Fetched::default();
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut on_record = BTreeMap::new();
    if globs.is_empty() {
        let There { paths, outside } = recorded(context, run, last)?;
        wanted.extend(paths.iter().map(|(target, paths)| (target.clone(), exactly(paths.iter().cloned()))));
        (fetched.outside, on_record) = (outside, paths);
    } else {
        // Whatever they are, they lead nowhere else.
        Globs::of(globs)?;
        let below = literally(started.to_str().unwrap_or("work"));
        wanted.insert(target, globs.iter().map(|glob| format!("{below}/{glob}")).collect());
    }
    let own = if into.is_none() { Some(Folder::made(&context.home.run(run))?) } else { None };
    let Some(folder) = into.or(own.as_ref()) else { return Ok(fetched) };
    let listed: RefCell<BTreeSet<PathBuf>> = RefCell::default();
    let place = |path: &Inner| {
        // What is in a folder says that this is there.
        listed.borrow_mut().extend(Path::new(path.as_str()).ancestors().map(Path::to_path_buf));
        match into {
            None => Some(path.clone()),
            Some(_) => {
                let below = Path::new(path.as_str()).strip_prefix(&started).ok().and_then(Path::to_str);
                below.map_or_else(|| Some(path.clone()), |below| Inner::try_from(below.to_string()).ok())
            }
        }
    };
    for (target, globs) in wanted {
        let way = Way::open(context, &target, &|there, all| copied(&target, there, all)).map_err(|lost| lost.of(&target))?;
        let brought = bring(&way, run, &globs, (folder, &place), &mut |going| tick(&target, going));
        let (mut moved, left_out) = brought.map_err(|lost| lost.of(&target))?;
        let is_here = |path: &str| into.is_none() && context.home.run(run).join(path).exists();
        let paths = on_record.get(&target).into_iter().flatten().map(Inner::as_str);
        let absent: Vec<&str> = paths.filter(|path| !listed.borrow().contains(Path::new(path)) && !is_here(path)).collect();
        // Links that lead elsewhere are on record, too, and counted.
        if absent.len() as u64 > left_out {
            moved.failed.extend(absent.iter().map(|path| format!("'{path}' is on record, and is not there")));
        }
        moved.failed.iter_mut().for_each(|why| *why = format!("{target}: {why}"));
        fetched.left_out += left_out;
        fetched.moved.add(moved);
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::launch::Limits;
    use neronet_model::settings::Stop;

    fn launch(run_directory: &str, directory: &str) -> Launch {
        let launch = serde_json::json!({
            "version": 1, "run": 5, "uid": "01JDYZ3M5T0000000000000000", "attempt": 1, "argv": [], "shown": "",
            "directory": directory, "run_directory": run_directory, "env": [], "stop": Stop::default(), "metrics": {}, "checkpoints": {},
            "objectives": [], "resumes": false, "limits": Limits::default()});
        serde_json::from_value(launch).expect("a launch")
    }

    const HOME: &str = "01JDYZ3M5T0000000000000001";
    const THERE: &str = "/data/me/neronet/01JDYZ3M5T0000000000000001/gpu1/runs/5";

    #[test]
    fn where_an_attempt_executed_is_told_by_its_folder() {
        let home: Uid = serde_json::from_value(serde_json::json!(HOME)).expect("a name");
        let of = |folder: &str| target_of(home, RunId(5), &launch(folder, ""));
        assert_eq!(of(THERE).as_deref(), Some("gpu1"));
        for other in [
            "/home/me/.local/share/neronet/runs/5",
            "/data/me/neronet/01JDYZ3M5T0000000000000001/gpu1/runs/6",
            "/data/me/neronet/01JDYZ3M5T0000000000000002/gpu1/runs/5",
            "/data/me/neronet/01JDYZ3M5T0000000000000001/gpu1/walks/5",
            "/gpu1/runs/5",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn what_records_name_has_the_same_place_in_the_runs_folder_and_nothing_else_has_one() {
        let launch = launch(THERE, &format!("{THERE}/work/lab"));
        let of = |path: &str| inner(&launch, path).map(String::from);
        assert_eq!(of("ck/1.pt").as_deref(), Some("work/lab/ck/1.pt"));
        assert_eq!(of(&format!("{THERE}/checkpoints/1.pt")).as_deref(), Some("checkpoints/1.pt"));
        for bad in ["../../attempts/1/keeper.jsonl", "/data/ck.pt", "../../run.json", "..", &format!("{THERE}/run.json"), "a/../../.."] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
