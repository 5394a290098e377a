//! Homes that earlier versions wrote must read for ever as they read then. `testdata/formats/N` is a home of format N, made by
//! `testdata/formats/make.sh`; each test here says what it holds.

use neronet_model::event::{Event, Stamped};
use neronet_model::journal::HomeState;
use neronet_model::left::Left;
use neronet_model::outcome::Cause;
use neronet_model::run::{Again, KnownEnd};
use neronet_model::settings::{Command, Resume};
use neronet_model::{Attempt, AttemptNo, Outcome, RunId, SweepId, Uid, Value};
use neronet_store::journal::Replayed;
use neronet_store::lines::Damage;
use neronet_store::{Home, sealed, series, spool};
use std::path::{Path, PathBuf};

fn sample(name: &str) -> Home {
    Home::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/formats").join(name)).expect("a home of format 1")
}

fn home() -> Home {
    sample("1")
}

fn journal() -> Replayed {
    home().read().expect("its journal reads")
}

fn folder(run: u64, n: u64) -> PathBuf {
    home().attempt(RunId(run), AttemptNo(n))
}

fn attempt(run: u64, n: u64) -> Attempt {
    spool::attempt(&folder(run, n), AttemptNo(n)).expect("its spool reads")
}

fn points(run: u64, metric: &str) -> Vec<(f64, f64)> {
    let mut all = series::of_run(&home().run(RunId(run)), None, None).expect("its series read");
    let series = all.remove(metric).expect("the metric is there");
    series.points.iter().map(|point| (point.step, point.value)).collect()
}

#[test]
fn the_journal_of_format_1_says_which_runs_there_are() {
    let Replayed { state, damage, .. } = journal();
    assert!(damage.is_empty(), "{damage:?}");
    let runs: Vec<(u64, &str, u64)> = state.runs.values().map(|run| (run.id.0, &*run.experiment, run.attempts)).collect();
    // Run 5 is purged, run 6 was in the trash and came back.
    assert_eq!(runs, [(1, "grid", 1), (2, "grid", 1), (3, "fails", 1), (4, "waits", 2), (6, "sh", 1)]);
    assert!(state.runs.values().all(|run| run.trashed.is_none() && Uid::parse(run.uid.as_str()).is_some()));
    let first = state.runs.get(&RunId(1)).expect("a run");
    assert!(first.tags.contains("good"));
    assert_eq!(first.note.as_deref(), Some("the better one"));
    let written = |run: u64| state.runs.get(&RunId(run)).expect("a run").params.get("lr").map(Value::to_string);
    assert_eq!((written(1), written(2), written(3)), (Some("0.1".into()), Some("1e-2".into()), None));
    assert_eq!((state.last_run, state.last_sweep), (6, 5));
}

#[test]
fn the_journal_of_format_1_says_what_was_submitted_and_decided() {
    let state = journal().state;
    let grid = &state.sweeps[&SweepId(1)];
    assert_eq!(grid.settings.command, Command::Shell("sh train.sh {lr}".into()));
    assert_eq!(grid.settings.resume, Some(Resume::Arguments("{checkpoint}".into())));
    assert_eq!(grid.settings.objectives[0].metric, "test_acc");
    assert_eq!((grid.varying.as_slice(), grid.host.as_str(), grid.user.as_str()), (&["lr".to_string()][..], "host", "nobody"));
    assert!(grid.spec.as_ref().is_some_and(|spec| spec.path == "neronet.toml" && spec.text.starts_with("command = ")));
    let git = grid.code.git.as_ref().expect("git's facts");
    assert!(git.commit.len() == 40 && git.branch == "main" && git.dirty);
    let snapshot = grid.code.snapshot.as_ref().expect("a snapshot");
    assert!(home().snapshots().join(snapshot).join("files/train.sh").is_file());
    let in_place = &state.sweeps[&SweepId(5)];
    assert!(in_place.settings.code.in_place && in_place.code.snapshot.is_none());
    assert!(state.sweeps[&SweepId(3)].detached && !grid.detached);
    let decision = &state.decisions[&RunId(4)];
    assert_eq!(decision.attempt, AttemptNo(2));
    assert!(matches!(&decision.again, Again::Resume { checkpoint: Some(path), .. } if path.ends_with("runs/4/work/model.ckpt")));
}

fn end_of(state: &HomeState, run: u64) -> KnownEnd {
    home().end_of(state.runs.get(&RunId(run)).expect("a run")).expect("reads").expect("an end")
}

#[test]
fn the_ends_that_home_learned_are_those_of_the_spools() {
    let state = journal().state;
    for (run, outcome) in [(1, Outcome::Finished), (2, Outcome::Finished), (3, Outcome::Failed), (4, Outcome::Finished)] {
        let known = end_of(&state, run);
        let spool = attempt(run, known.attempt.n.0);
        assert_eq!(known.outcome, outcome, "run {run}");
        assert_eq!(spool.end.as_ref().map(|end| end.outcome), Some(outcome), "run {run}");
        assert_eq!((spool.begun, spool.lasted, spool.exit_code), (known.attempt.begun, known.attempt.lasted, known.attempt.exit_code));
    }
    let metrics = end_of(&state, 4).metrics;
    assert_eq!((metrics["loss"].points, metrics["loss"].max, metrics["loss"].last), (3, 0.9, 0.3));
}

#[test]
fn a_spool_of_format_1_folds_to_its_attempt() {
    let finished = attempt(1, 1);
    assert!(finished.keeper.is_some() && finished.supervisor.is_some() && finished.command.is_some());
    assert_eq!(finished.config["optimizer"], "sgd");
    assert_eq!(finished.tags["phase"], "over");
    assert_eq!(finished.checkpoints[0].path, "model.ckpt");
    assert_eq!(finished.checkpoints[0].epoch, Some(3.0));
    let failed = attempt(3, 1);
    let end = failed.end.as_ref().expect("an end");
    assert_eq!((end.outcome, &end.cause), (Outcome::Failed, &Some(Cause::ExitCode(3))));
    assert_eq!(end.last_lines, ["no such data: digits.npz"]);
    let stopped = attempt(4, 1);
    assert_eq!((stopped.signal, stopped.exit_code, stopped.supervisors_died), (Some(15), None, 1));
    assert_eq!(stopped.asked, Some(Cause::Asked("nobody".into())));
    let resumed = attempt(4, 2);
    assert!(resumed.resumes && resumed.resumed_from.is_some_and(|path| path.ends_with("model.ckpt")));
    let launch = spool::launch(&folder(4, 2)).expect("it reads").expect("it is there");
    assert_eq!((launch.run, launch.attempt, launch.argv[0].as_str()), (RunId(4), AttemptNo(2), "sh"));
    assert!(launch.env.iter().any(|(name, value)| name == "NERONET_RESUME_FROM" && value.is_some()));
}

#[test]
fn the_points_of_format_1_join_over_attempts() {
    assert_eq!(points(1, "loss"), [(1.0, 0.9), (2.0, 0.4), (3.0, 0.3)]);
    // Two attempts: stopped after epoch 2, resumed at epoch 3.
    assert_eq!(points(4, "loss"), [(1.0, 0.9), (2.0, 0.4), (3.0, 0.3)]);
    assert_eq!(points(4, "test_acc"), [(3.0, 97.5)]);
    let grad = points(1, "grad");
    assert!(matches!(grad[..], [(3.0, value)] if value.is_nan()), "{grad:?}");
    let mut sources = Vec::new();
    spool::rows(&folder(1, 1), |row| sources.push((row.src, row.at))).expect("rows read");
    assert!(sources.contains(&("m".into(), 43)) && sources.contains(&("f:log.csv".into(), 22)), "{sources:?}");
    let mut text = String::new();
    spool::output(&folder(4, 2), |chunk| text += &chunk.text).expect("chunks read");
    assert_eq!(text, "Namespace(lr=0.5, optimizer='sgd', epochs=3)\nepoch 3/3 loss 0.3\ntest_acc 97.5\n");
}

#[test]
fn the_end_record_of_format_1_names_every_other_segment_with_its_length() {
    for (run, n) in [(1, 1), (2, 1), (3, 1), (4, 1), (4, 2), (6, 1)] {
        let folder = folder(run, n);
        let mut ends = Vec::new();
        let events = spool::segments(&folder, "events").expect("the folder reads");
        for path in &events {
            spool::lines(path, 0, |line| {
                let stamped: Stamped = serde_json::from_slice(line).expect("an event");
                if let Event::Ended { segments, .. } = stamped.event {
                    ends.push(segments);
                }
            })
            .expect("events read");
        }
        assert_eq!(ends.len(), 1, "run {run}");
        let others = ["metrics", "output"].map(|kind| spool::segments(&folder, kind).expect("the folder reads").len());
        assert_eq!(ends[0].len(), others.iter().sum::<usize>() + events.len() - 1, "run {run}");
        for segment in &ends[0] {
            let bytes = std::fs::metadata(folder.join(&segment.name)).expect("the segment is there").len();
            assert_eq!(bytes, segment.bytes, "run {run}: {}", segment.name);
        }
    }
}

/// What a specification may say beyond parameters: stages, steps, inputs, configuration files, outputs, rows of a sheet.
#[test]
fn the_language_of_format_1_reads_as_it_was_written() {
    let home = sample("1-language");
    let Replayed { state, damage, .. } = home.read().expect("its journal reads");
    assert!(damage.is_empty(), "{damage:?}");
    let run = |id: u64| state.runs.get(&RunId(id)).expect("a run");
    let sweep = |id: u64| &state.sweeps[&SweepId(id)];
    // A word without quotes keeps its form and its meaning.
    let bits = run(1).params.get("bits").expect("a parameter");
    assert_eq!((bits.to_string(), bits.meaning().into_owned()), ("0xff".to_string(), Value::Int(255)));
    assert_eq!(run(2).params.get("lr").map(Value::to_string), Some("25e-2".into()));
    let pre = &sweep(1).settings;
    assert_eq!(
        (pre.then[0].name.as_str(), pre.inputs[0].name.as_str(), pre.outputs.keep.as_slice()),
        ("evaluate", "set", &["*.csv".to_string()][..])
    );
    assert_eq!((pre.files.len(), pre.files[0].destination()), (1, "conf.ini"));
    let fine = sweep(2);
    assert_eq!(
        (fine.settings.stage.as_ref().map(|stage| stage.after.as_str()), fine.best_of.as_slice()),
        (Some("pre"), &[RunId(1), RunId(2)][..])
    );
    assert_eq!((run(5).note.as_deref(), run(5).tags.iter().next().map(String::as_str)), (Some("by hand"), Some("phase=first")));
    let attempt = |id: u64| spool::attempt(&home.attempt(RunId(id), AttemptNo(1)), AttemptNo(1)).expect("its spool reads");
    let step = &attempt(2).steps[0];
    assert_eq!((step.name.as_str(), step.exit_code), ("evaluate", Some(0)));
    assert!(step.best.as_ref().is_some_and(|path| path.ends_with("model.ckpt")), "{step:?}");
    let failed = attempt(3).end.expect("an end");
    assert_eq!((failed.outcome, failed.cause), (Outcome::Failed, Some(Cause::Said { line: "fine: no such data".into(), code: 2 })));
    let left = spool::left(&home.attempt(RunId(1), AttemptNo(1))).expect("the list reads");
    let [Left::Artifact(artifact), Left::Other { path, bytes: 15 }] = &left[..] else { panic!("{left:?}") };
    assert_eq!((artifact.path.as_str(), artifact.bytes, path.as_str()), ("preds.csv", 8, "scratch.txt"));
    assert!(artifact.sha256.starts_with("e08f46b56d70"));
    let launch = spool::launch(&home.attempt(RunId(1), AttemptNo(1))).expect("it reads").expect("it is there");
    assert_eq!((launch.outputs.keep.len(), launch.steps[0].name.as_str()), (1, "evaluate"));
    assert!(launch.code.is_some_and(|code| code.ends_with("/files")));
}

/// Segments of ended attempts as they are sealed: the same names, lengths and lines as before.
#[test]
fn what_is_sealed_in_format_1_reads_as_it_was_written() {
    let home = sample("1-sealed");
    for n in [1, 2] {
        let folder = home.attempt(RunId(1), AttemptNo(n));
        let attempt = spool::attempt(&folder, AttemptNo(n)).expect("its spool reads");
        let outcome = if n == 1 { Outcome::Failed } else { Outcome::Finished };
        assert_eq!((attempt.end.expect("an end").outcome, attempt.notices.len()), (outcome, 0));
        let mut recorded = Vec::new();
        for path in spool::segments(&folder, "events").expect("the folder reads").iter().chain([&folder.join(spool::KEEPER)]) {
            spool::lines(path, 0, |line| {
                if let Event::Ended { segments, .. } = serde_json::from_slice::<Stamped>(line).expect("an event").event {
                    recorded.extend(segments);
                }
            })
            .expect("events read");
        }
        for segment in ["metrics.1.jsonl", "output.1.0.jsonl"] {
            let known = recorded.iter().find(|known| known.name == segment).expect("it is on record");
            let path = folder.join(segment);
            assert!(!path.exists() && spool::length(&path).expect("told") == known.bytes, "{segment}");
            // As `zstdcat` reads it.
            let file = std::fs::File::open(sealed::path_of(&path)).expect("it is there");
            let found = sealed::measure(&mut zstd::stream::Decoder::new(file).expect("zstd")).expect("it reads");
            assert_eq!((found.bytes, &found.sha256), (known.bytes, &known.sha256), "{segment}");
        }
        let mut epochs = Vec::new();
        let damage = spool::rows(&folder, |row| epochs.extend(row.epoch.filter(|_| row.src == "o"))).expect("rows read");
        let first = if n == 1 { 1 } else { 101 };
        let expected: Vec<f64> = (first..first + 100).map(f64::from).collect();
        assert_eq!((epochs, damage), (expected, Damage::default()));
        let mut text = String::new();
        spool::output(&folder, |chunk| text += &chunk.text).expect("chunks read");
        assert_eq!(text.lines().count(), 100);
        assert!(text.starts_with(&format!("epoch {first}/200 loss 0.")), "{text}");
    }
    let series = series::of_run(&home.run(RunId(1)), None, None).expect("its series read");
    assert_eq!((series["loss"].points.len(), series["accuracy"].points.len()), (200, 200));
    assert_eq!(series["loss"].points[199].value, 0.8600);
}
