//! Watches for the checkpoints of one attempt: finds them by the patterns of the spec, records them once they are complete with
//! the step and the value that they were saved with, and deletes what the spec says, which is never a file of anybody else.

use crate::checkpoints::{MOST_NAMES, Seen, Verdict, Version, Writes, inspect, tells_its_length};
use crate::globs::expand;
use crate::keep::{self, Candidate};
use crate::marks::{Mark, Marks, Measured, Moment};
use crate::saves::Saves;
use neronet_model::event::{Checkpoint, Event};
use neronet_model::launch::Launch;
use neronet_model::settings::{Goal, Keep, Objective};
use neronet_model::{Millis, UnixMs};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// The kernel takes its time to give watches up again, up to 30 ms: where no checkpoints are named, runs shorter than this do
/// without them.
const WATCH_AFTER: Millis = Millis(1_000);

pub(crate) struct Watcher {
    directory: PathBuf,
    run_folder: PathBuf,
    /// Each with the folder that it is relative to.
    patterns: Vec<(PathBuf, String)>,
    keep: Option<Keep>,
    objective: Option<Objective>,
    /// The version of each file that was last spoken of.
    known: BTreeMap<PathBuf, Version>,
    kept: Vec<Kept>,
    saves: Saves,
    /// When this attempt saved checkpoints.
    moments: BTreeSet<Moment>,
    /// From when on the folders are watched.
    watched_from: UnixMs,
    /// A pattern that passes more names than are looked at.
    too_wide: Option<String>,
    said_too_wide: bool,
}

struct Kept {
    path: PathBuf,
    recorded: Checkpoint,
    /// It was seen to be closed or renamed, or its format tells its length: not merely untouched for a while.
    sure: bool,
    /// When it was saved; nothing of what nobody saw being saved: then its value is not known.
    moment: Option<Moment>,
    /// Its epoch, if there is no doubt about that.
    epoch: Option<f64>,
    /// The objective as it was measured last before it was saved, and first after it: a value between two saves may be meant for
    /// either.
    before: Option<Measured>,
    after: Option<Measured>,
    /// `recorded` is on record as it is.
    told: bool,
}

impl Kept {
    /// The values that may be its own: not those of another epoch.
    fn values(&self) -> impl Iterator<Item = f64> {
        let may_be = |measured: &Measured| measured.epoch.zip(self.epoch).is_none_or(|(a, b)| a.floor() == b.floor());
        self.before.into_iter().chain(self.after).filter(may_be).map(|measured| measured.value)
    }

    fn candidate(&self, goal: Option<Goal>) -> Candidate {
        let rank = goal.and_then(|goal| keep::rank(self.values(), goal));
        Candidate { modified: self.recorded.modified, sure: self.sure, rank }
    }
}

impl Watcher {
    /// `recorded`: the checkpoints on record, of this and of earlier attempts. What was changed before `since_ns` is older than this one.
    pub(crate) fn new(launch: &Launch, attempt_began: UnixMs, since_ns: i128, recorded: &[Checkpoint]) -> Watcher {
        let directory = PathBuf::from(&launch.directory);
        let run_folder = PathBuf::from(&launch.run_directory);
        let mut patterns: Vec<(PathBuf, String)> = launch.checkpoints.paths.iter().map(|path| (directory.clone(), path.clone())).collect();
        patterns.push((run_folder.join("checkpoints"), "*".into()));
        let mut watcher = Watcher {
            directory,
            run_folder,
            patterns,
            keep: launch.checkpoints.keep,
            objective: launch.objectives.first().cloned(),
            known: BTreeMap::new(),
            kept: Vec::new(),
            saves: Saves::new(),
            moments: BTreeSet::new(),
            watched_from: attempt_began.plus(if launch.checkpoints.paths.is_empty() { WATCH_AFTER } else { Millis(0) }),
            too_wide: None,
            said_too_wide: false,
        };
        if !launch.checkpoints.paths.is_empty() {
            watcher.watch_folders(None);
        }
        for path in watcher.candidates() {
            let Some(version) = Version::of(&path) else { continue };
            let on_record = recorded.iter().rfind(|checkpoint| watcher.directory.join(&checkpoint.path) == path);
            match on_record.filter(|checkpoint| checkpoint.modified == version.modified() && checkpoint.bytes == version.bytes) {
                Some(checkpoint) => {
                    let recorded = checkpoint.clone();
                    watcher.kept.push(Kept {
                        path: path.clone(),
                        before: recorded.value.map(Measured::on_record),
                        after: recorded.after.map(Measured::on_record),
                        recorded,
                        sure: true,
                        moment: None,
                        epoch: None,
                        told: true,
                    });
                    watcher.known.insert(path, version);
                }
                // What an earlier attempt left is that attempt's.
                None if version.changed_ns < since_ns => drop(watcher.known.insert(path, version)),
                None => {}
            }
        }
        watcher
    }

    /// Readable when something was saved: then what is printed until now should be read, and `note` be told.
    pub(crate) fn woken_by(&self) -> Option<BorrowedFd<'_>> {
        self.saves.fd()
    }

    /// Takes note of what was saved; `now` is how far the rows are read.
    pub(crate) fn note(&mut self, now: Moment, time: UnixMs) {
        if let Some(since) = self.saves.note(now, time) {
            self.watch_folders(Some(since));
        }
    }

    /// What is measured from this moment on is of another command: it says nothing of what is saved already.
    pub(crate) fn begin_anew(&mut self, now: Moment) {
        self.moments.insert(now);
    }

    /// Those that checkpoints may appear in, or that such folders may appear in.
    fn watch_folders(&mut self, since: Option<Moment>) {
        for (folder, pattern) in &self.patterns {
            let within = Path::new(pattern).parent().unwrap_or(Path::new(""));
            // Where a part is a pattern: each folder that it matches, down to the last that is there.
            for upper in within.ancestors().filter_map(|upper| upper.to_str()).filter(|upper| upper.contains(['*', '?', '[', '{'])) {
                expand(folder, upper, MOST_NAMES).found.into_iter().for_each(|matched| self.saves.watch(&matched, since));
            }
            self.saves.watch(&folder.join(within), since);
        }
    }

    fn candidates(&mut self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        for (folder, pattern) in &self.patterns {
            let expanded = expand(folder, pattern, MOST_NAMES);
            if expanded.cut_short {
                self.too_wide = Some(pattern.clone());
            }
            found.extend(expanded.found);
        }
        found
    }

    /// What is new since the last look.
    pub(crate) fn look(&mut self, writes: Writes, marks: &Marks) -> Vec<Event> {
        let watch = matches!(writes, Writes::Still { now } if now >= self.watched_from);
        if watch {
            self.watch_folders(None);
        }
        // Those on record are of the time before what is read now.
        let recorded = self.kept.iter().filter(|kept| kept.moment.is_none());
        self.moments.extend(recorded.map(|kept| marks.moment_of(kept.recorded.modified)));
        let mut events = Vec::new();
        let candidates = self.candidates();
        if watch {
            // Folders are checkpoints too.
            candidates.iter().filter(|path| path.is_dir()).for_each(|path| self.saves.watch(path, None));
        }
        if let Some(pattern) = self.too_wide.take().filter(|_| !std::mem::replace(&mut self.said_too_wide, true)) {
            let what = format!("checkpoints: '{pattern}' passes more than {MOST_NAMES} names, and what lies behind them is not seen");
            events.push(Event::Dropped { what });
        }
        // A script may delete its own: what is gone must not count as the best that stays.
        let known = &mut self.known;
        self.kept.retain(|kept| {
            let there = candidates.contains(&kept.path) || kept.path.symlink_metadata().is_ok();
            if !there {
                known.remove(&kept.path);
                events.push(Event::CheckpointDeleted { path: kept.recorded.path.clone() });
            }
            there
        });
        for path in &candidates {
            let Some(version) = Version::of(path) else { continue };
            if self.known.get(path) == Some(&version) {
                continue;
            }
            let shown = path.strip_prefix(&self.directory).unwrap_or(path).display().to_string();
            let (seen, save) = self.saves.of(path, version);
            match inspect(path, writes, seen) {
                Verdict::NotYet => continue,
                Verdict::Unusable(why) => events.push(Event::CheckpointSkipped { path: shown, why }),
                Verdict::Complete { bytes, modified } => {
                    let about = marks.moment_of(modified);
                    let (since, until) = save.map_or((about, about), |save| (save.since, save.until));
                    let (Mark { step, epoch }, certain) = marks.between(since, until);
                    let recorded = Checkpoint { path: shown, bytes, modified, step, epoch, value: None, after: None };
                    let moment = save.map(|save| save.until);
                    self.moments.insert(until);
                    self.kept.retain(|kept| kept.path != *path);
                    let epoch = epoch.filter(|_| certain);
                    let sure = matches!(seen, Seen::Renamed | Seen::Closed(_)) || tells_its_length(path);
                    self.kept.push(Kept { path: path.clone(), recorded, sure, moment, epoch, before: None, after: None, told: false });
                }
            }
            self.known.insert(path.clone(), version);
        }
        self.saves.keep_only(&candidates);
        self.measure(marks, &mut events);
        if events.iter().any(|event| matches!(event, Event::Checkpoint(_))) {
            self.delete_surplus(&mut events);
        }
        events
    }

    /// Records what is new, and again what is better known now.
    fn measure(&mut self, marks: &Marks, events: &mut Vec<Event>) {
        for kept in &mut self.kept {
            if let Some(moment) = kept.moment {
                let previous = self.moments.range(..moment).next_back().copied().unwrap_or(0);
                let next = self.moments.range(moment + 1..).next().copied().unwrap_or(Moment::MAX);
                kept.before = kept.before.or_else(|| marks.last_within(previous, moment));
                kept.after = kept.after.or_else(|| marks.first_within(moment, next));
            }
            let value = kept.values().next().filter(|value| value.is_finite());
            let after = value.and(kept.values().nth(1)).filter(|after| after.is_finite());
            kept.told &= (value, after) == (kept.recorded.value, kept.recorded.after);
            (kept.recorded.value, kept.recorded.after) = (value, after);
            if !kept.told {
                kept.told = true;
                events.push(Event::Checkpoint(kept.recorded.clone()));
            }
        }
    }

    /// Deletes what `keep` does not name: only what we saw complete and is as we saw it, never the newest.
    fn delete_surplus(&mut self, events: &mut Vec<Event>) {
        let Some(keep) = self.keep else { return };
        let goal = self.objective.as_ref().map(|objective| objective.goal);
        let candidates: Vec<Candidate> = self.kept.iter().map(|kept| kept.candidate(goal)).collect();
        let goes = keep::surplus(keep, goal, &candidates);
        for (kept, goes) in std::mem::take(&mut self.kept).into_iter().zip(goes) {
            // What lies elsewhere is not ours to delete.
            if !goes || !keep::lies_within(&kept.path, &self.run_folder) {
                self.kept.push(kept);
                continue;
            }
            // Being written anew under its old name, it is no longer what may go.
            if Version::of(&kept.path).is_none_or(|version| self.known.get(&kept.path) != Some(&version)) {
                continue;
            }
            let removed = if kept.path.is_dir() { fs::remove_dir_all(&kept.path) } else { fs::remove_file(&kept.path) };
            if removed.is_ok() {
                self.known.remove(&kept.path);
                events.push(Event::CheckpointDeleted { path: kept.recorded.path });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoints::QUIET;
    use crate::os::clock;
    use neronet_model::launch::Limits;
    use neronet_model::settings::{Checkpoints, Settings};
    use neronet_model::{AttemptNo, RunId, Uid};

    struct Training {
        folder: tempfile::TempDir,
        marks: Marks,
        watcher: Watcher,
        time: UnixMs,
    }

    impl Training {
        fn new(keep: Keep, paths: &[&str]) -> Training {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir_all(folder.path().join("run/work/ckpt")).expect("made");
            fs::create_dir_all(folder.path().join("elsewhere")).expect("made");
            let settings = Settings::of(neronet_model::settings::Command::Shell("train".into()));
            let launch = Launch {
                version: 1,
                run: RunId(1),
                uid: Uid::new(1, [0; 10]),
                attempt: AttemptNo(1),
                argv: Vec::new(),
                setup: Vec::new(),
                shown: String::new(),
                hides_ends: false,
                steps: Vec::new(),
                steps_only: false,
                directory: folder.path().join("run/work").display().to_string(),
                run_directory: folder.path().join("run").display().to_string(),
                env: Vec::new(),
                secrets: Vec::new(),
                time_limit: None,
                stop: settings.stop,
                metrics: settings.metrics,
                checkpoints: Checkpoints {
                    paths: paths.iter().map(ToString::to_string).collect(),
                    keep: Some(keep),
                    ..Checkpoints::default()
                },
                outputs: settings.outputs,
                code: None,
                objectives: vec![Objective { metric: "val_loss".into(), goal: Goal::Min }],
                resumes: false,
                resumed_from: None,
                files_found: BTreeMap::new(),
                limits: Limits::default(),
                grant: None,
                courtesy: Default::default(),
                notices: Vec::new(),
            };
            let watcher = Watcher::new(&launch, UnixMs(0), 0, &[]);
            Training { folder, marks: Marks::default(), watcher, time: UnixMs(0) }
        }

        /// Rows are read some time after those before.
        fn read(&mut self) -> UnixMs {
            self.time.0 += 250;
            self.time
        }

        fn prints(&mut self, epoch: Option<f64>, value: Option<f64>) {
            let now = self.read();
            self.marks.add(now, Mark { epoch, step: None }, epoch.is_some() && value.is_some(), value);
            self.watcher.note(self.marks.now(), clock::unix_now());
        }

        fn saves(&mut self, name: &str) {
            let work = self.folder.path().join("run/work");
            fs::write(work.join("new"), name).expect("written");
            fs::rename(work.join("new"), work.join(name)).expect("renamed");
            self.watcher.note(self.marks.now(), clock::unix_now());
            self.watcher.look(Writes::Still { now: clock::unix_now() }, &self.marks);
        }

        fn left(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(self.folder.path().join("run/work/ckpt"))
                .expect("there")
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }

        fn recorded(&self, name: &str) -> (Option<f64>, Option<f64>) {
            let kept = self.watcher.kept.iter().find(|kept| kept.path.ends_with(name)).expect("kept");
            (kept.recorded.epoch, kept.recorded.value)
        }
    }

    const ONE_AND_LAST: Keep = Keep { best: 1, last: 1 };

    #[test]
    fn the_best_stays_whether_it_is_measured_before_or_after_it_is_saved() {
        for measured_first in [true, false] {
            let mut training = Training::new(ONE_AND_LAST, &["ckpt/*.pt"]);
            for (epoch, value) in [(1.0, 0.9), (2.0, 0.2), (3.0, 0.4), (4.0, 0.8)] {
                training.prints(Some(epoch), None);
                if measured_first {
                    training.prints(Some(epoch), Some(value));
                }
                training.saves(&format!("ckpt/e{epoch}.pt"));
                if !measured_first {
                    training.prints(Some(epoch), Some(value));
                }
            }
            assert_eq!(training.left(), ["e2.pt", "e4.pt"], "measured first: {measured_first}");
            assert_eq!(training.recorded("ckpt/e2.pt"), (Some(2.0), Some(0.2)));
        }
    }

    #[test]
    fn a_script_that_prints_on_at_once_does_not_lose_its_best() {
        let mut training = Training::new(ONE_AND_LAST, &["ckpt/*.pt"]);
        for (epoch, value) in [(1.0, 0.9), (2.0, 0.2), (3.0, 0.4), (4.0, 0.8)] {
            // Read together: the end of an epoch, and the beginning of the next behind the save.
            let mark = |epoch| Mark { epoch: Some(epoch), step: None };
            let now = training.read();
            training.marks.add(now, mark(epoch), true, Some(value));
            training.marks.add(now, mark(epoch + 1.0), false, None);
            training.saves(&format!("ckpt/e{epoch}.pt"));
        }
        // Which of the two the best is, is in doubt.
        assert_eq!(training.left(), ["e1.pt", "e2.pt", "e4.pt"]);
        assert_eq!(training.recorded("ckpt/e2.pt"), (Some(2.0), Some(0.2)));
    }

    #[test]
    fn of_values_without_an_epoch_neither_neighbour_is_deleted() {
        let mut training = Training::new(ONE_AND_LAST, &["ckpt/*.pt"]);
        for (i, value) in [0.9, 0.2, 0.4, 0.8, 0.7].into_iter().enumerate() {
            training.saves(&format!("ckpt/{i}.pt"));
            training.prints(None, Some(value));
        }
        // 0.2 was measured after 1 and before 2.
        assert_eq!(training.left(), ["1.pt", "2.pt", "4.pt"]);
    }

    #[test]
    fn nan_is_never_the_best_and_a_value_is_not_carried_on() {
        let mut training = Training::new(ONE_AND_LAST, &["ckpt/*.pt"]);
        for (epoch, value) in [(0.0, None), (1.0, Some(0.5)), (2.0, None), (3.0, Some(f64::NAN)), (4.0, Some(0.9)), (5.0, Some(0.8))] {
            training.prints(Some(epoch), value);
            training.saves(&format!("ckpt/e{epoch}.pt"));
        }
        // What was not measured cannot be ranked.
        assert_eq!(training.left(), ["e0.pt", "e1.pt", "e2.pt", "e5.pt"]);
        assert_eq!(training.recorded("ckpt/e2.pt"), (Some(2.0), None));
    }

    #[test]
    fn what_the_script_deleted_itself_is_not_the_best_that_stays() {
        let mut training = Training::new(ONE_AND_LAST, &["ckpt/*.pt"]);
        for (epoch, value) in [(1.0, 0.1), (2.0, 0.3), (3.0, 0.4)] {
            training.prints(Some(epoch), Some(value));
            training.saves(&format!("ckpt/e{epoch}.pt"));
            fs::remove_file(training.folder.path().join("run/work/ckpt/e1.pt")).ok();
        }
        assert_eq!(training.left(), ["e2.pt", "e3.pt"]);
    }

    #[test]
    fn what_lies_elsewhere_is_never_deleted() {
        let mut training = Training::new(Keep { best: 0, last: 1 }, &["ckpt/*.pt", "linked/*.pt"]);
        let elsewhere = training.folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, training.folder.path().join("run/work/linked")).expect("linked");
        for name in ["linked/1.pt", "linked/2.pt", "ckpt/3.pt", "ckpt/4.pt"] {
            training.saves(name);
        }
        assert_eq!(training.left(), ["4.pt"]);
        assert!(elsewhere.join("1.pt").exists() && elsewhere.join("2.pt").exists());
    }

    #[test]
    fn a_name_that_is_written_anew_is_not_deleted_for_what_it_was() {
        let mut training = Training::new(Keep { best: 0, last: 1 }, &["ckpt/*.pt"]);
        training.saves("ckpt/a.pt");
        // Half-written in place when the next one counts as complete.
        fs::write(training.folder.path().join("run/work/ckpt/a.pt"), "anew").expect("written");
        let long_ago = Writes::Still { now: UnixMs(clock::unix_now().0 - 10 * QUIET.0 as i64) };
        training.watcher.look(long_ago, &training.marks);
        training.saves("ckpt/b.pt");
        assert_eq!(training.left(), ["a.pt", "b.pt"]);
    }
}
