//! Event files as tensorboardX and TensorBoard's own writer make them, and ours.

use crate::recorder::{Recorder, record, samples, source};
use neronet_foreign::tensorboard::{EventFile, EventWriter, file_name};
use neronet_foreign::{Kind, look, read};
use neronet_model::{Outcome, Params, UnixMs, Value};
use std::fs::{self, File};

fn logged(step: i64) -> f64 {
    f64::from((-step as f64 / 10.0).exp() as f32)
}

#[test]
fn folders_of_event_files_are_found_as_runs() {
    let names: Vec<String> = look(&samples("tensorboard")).expect("readable").sources.iter().map(|source| source.name()).collect();
    assert_eq!(names, ["nested/tensors", "restarted", "session", "simple"]);
    let alone = look(&samples("tensorboard/simple/events.out.tfevents.1700000000.lab1.4242.0")).expect("readable").sources;
    assert_eq!(alone.iter().map(|source| source.name()).collect::<Vec<_>>(), ["simple"]);
}

#[test]
fn simple_values_texts_and_what_is_passed_over() {
    let (found, report) = record(&source(Kind::TensorBoard, &samples("tensorboard"), "simple"));
    assert_eq!(found.names, ["train/loss", "train/µ", "odd"]);
    assert_eq!(found.series("train/loss"), (0..40).map(|step| (step, logged(step))).collect::<Vec<_>>());
    assert_eq!(found.points[5], ("train/µ".to_string(), Some(1_700_000_000_500), Some(2), 1.0_f64.to_bits()));
    let odd = found.series("odd");
    assert!(odd[0].1.is_nan() && odd[1].1 == f64::INFINITY);
    assert_eq!(found.texts, [("about".to_string(), "a *text*\nof two lines".to_string())]);
    assert_eq!((report.rows, report.points, report.texts), (82, 82, 1));
    assert_eq!(report.passed.iter().map(|(kind, n)| (kind.as_str(), *n)).collect::<Vec<_>>(), [("histograms", 1), ("images", 1)]);
    assert!(report.notices.is_empty(), "{:?}", report.notices);
    let run = found.run();
    assert_eq!((run.name.as_str(), run.host.as_deref(), run.outcome), ("simple", Some("lab1"), None));
    assert_eq!(found.begun.as_ref().map(|begun| &begun.key), Some(&run.key));
}

#[test]
fn tensors_of_any_number_type_and_a_session_of_hparams() {
    let (found, report) = record(&source(Kind::TensorBoard, &samples("tensorboard"), "tensors"));
    for name in ["float", "double", "half"] {
        assert_eq!(found.series(name), (0..5).map(|step| (step, step as f64 + 0.25)).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(found.series("int"), (0..5).map(|step| (step, step as f64)).collect::<Vec<_>>());
    assert_eq!(found.series("content"), (0..5).map(|step| (step, step as f64 / 3.0)).collect::<Vec<_>>());
    assert_eq!(found.texts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(report.passed.len(), 0);
    let begun = found.begun.as_ref().expect("begun");
    let params = |name| begun.params.get(name).cloned();
    assert_eq!(params("lr"), Some(Value::from_f64(0.001)));
    assert_eq!(params("batch_size"), Some(Value::Int(64)));
    assert_eq!(params("optimizer"), Some(Value::Str("adam".into())));
    assert_eq!(params("nesterov"), Some(Value::Bool(true)));
    let run = found.run();
    assert_eq!(run.started, Some(UnixMs(1_700_000_999_500)));
    assert_eq!((run.outcome, run.ended), (Some(Outcome::Finished), Some(UnixMs(1_700_001_500_000))));
}

#[test]
fn the_parameters_of_add_hparams_belong_to_the_run_above() {
    let (found, _) = record(&source(Kind::TensorBoard, &samples("tensorboard"), "session"));
    let params: Vec<(&str, String)> = found.run().params.iter().map(|(name, value)| (name, value.to_string())).collect();
    assert_eq!(params, [("lr", "0.1".to_string()), ("bsize", "4".to_string()), ("relu", "true".to_string())]);
    assert_eq!(found.begun.as_ref().map(|begun| begun.params.len()), Some(3), "known before the first row");
    assert_eq!((found.series("loss"), found.series("hparam/accuracy")), (vec![(1, 0.5)], vec![(0, 0.75)]));
    assert_eq!(found.run().outcome, Some(Outcome::Finished));
}

#[test]
fn a_training_that_began_again_supersedes_what_it_had_done() {
    let (found, _) = record(&source(Kind::TensorBoard, &samples("tensorboard"), "restarted"));
    assert_eq!(found.restarts, [(20, 10)]);
    assert_eq!(found.points.len(), 40);
    assert_eq!(found.series("loss")[20].0, 10);
}

#[test]
fn a_run_keeps_its_key_while_it_grows_and_wherever_it_is_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("runs/a");
    fs::create_dir_all(&run).expect("made");
    let name = "events.out.tfevents.1700000000.lab1.4242.0";
    let bytes = fs::read(samples("tensorboard/simple").join(name)).expect("readable");
    fs::write(run.join(name), &bytes[..2000]).expect("written");
    let (before, _) = record(&source(Kind::TensorBoard, folder.path(), "a"));
    fs::write(run.join(name), &bytes).expect("written");
    let (after, _) = record(&source(Kind::TensorBoard, &run, "a"));
    assert_eq!(before.run().key, after.run().key);
    assert_ne!(before.points.len(), after.points.len());
    let (other, _) = record(&source(Kind::TensorBoard, &samples("tensorboard"), "restarted"));
    assert_ne!(other.run().key, after.run().key);
}

#[test]
fn points_that_are_known_are_not_read_again() {
    let mut nothing = Recorder { refuses: true, ..Recorder::default() };
    let source = source(Kind::TensorBoard, &samples("tensorboard"), "simple");
    read(&source, &mut nothing).expect("readable");
    assert!(nothing.points.is_empty() && nothing.ended.is_some());
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = UnixMs(1_700_000_000_250);
    let path = folder.path().join(file_name(begun, "lab 1/../x", 7, 0));
    assert_eq!(path.file_name().and_then(|name| name.to_str()), Some("events.out.tfevents.1700000000.lab-1-..-x.7.0"));
    let mut params = Params::new();
    for (name, value) in [("lr", "1e-3"), ("batch", "64"), ("opt", "adam"), ("fast", "true")] {
        params.set(name, Value::as_typed(value));
    }
    params.set("layers", Value::List(vec![Value::Int(64), Value::Int(32)]));
    let mut writer = EventWriter::new(File::create(&path).expect("made"), begun).expect("written");
    writer.params(begun, &params).expect("written");
    for step in 0..10 {
        writer.scalars(UnixMs(begun.0 + step), step, &[("loss", step as f64 / 8.0), ("train/µ", -1.0)]).expect("written");
    }
    writer.restarted(UnixMs(begun.0 + 20), 5).expect("written");
    writer.scalars(UnixMs(begun.0 + 21), -1, &[("odd", f64::NAN)]).expect("written");
    writer.text(UnixMs(begun.0 + 22), 9, "note", "one\ntwo").expect("written");
    writer.ended(UnixMs(begun.0 + 30), Outcome::Failed).expect("written");
    writer.flush().expect("flushed");
    let (found, report) = record(&source(Kind::TensorBoard, folder.path(), ""));
    assert!(report.notices.is_empty() && report.passed.is_empty(), "{report:?}");
    assert_eq!(found.series("loss"), (0..10).map(|step| (step, step as f64 / 8.0)).collect::<Vec<_>>());
    assert_eq!(found.points[2].1, Some(begun.0 + 1));
    assert_eq!(found.restarts, [(20, 5)]);
    assert_eq!(found.points[20].2, Some(-1));
    assert_eq!(found.texts, [("note".to_string(), "one\ntwo".to_string())]);
    let run = found.run();
    let back: Vec<(String, String)> = run.params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let pairs = [("lr", "0.001"), ("batch", "64"), ("opt", "adam"), ("fast", "true"), ("layers", "[64, 32]")];
    assert_eq!(back, pairs.map(|(name, value)| (name.to_string(), value.to_string())));
    assert_eq!((run.outcome, run.started, run.ended), (Some(Outcome::Failed), Some(begun), Some(UnixMs(begun.0 + 30))));
}

#[test]
fn a_file_that_was_written_anew_is_not_taken_for_grown() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tfevents");
    let bytes = fs::read(samples("tensorboard/simple/events.out.tfevents.1700000000.lab1.4242.0")).expect("readable");
    fs::write(&path, &bytes).expect("written");
    let mut file = EventFile::open(&path, 0).expect("opens");
    file.poll(&mut Recorder::default()).expect("read");
    fs::write(&path, &bytes[..100]).expect("written");
    let error = file.poll(&mut Recorder::default()).expect_err("it is shorter");
    assert!(error.to_string().contains("written anew"), "{error}");
}
