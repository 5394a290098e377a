//! A sink that keeps everything, and checks the order of the calls.

use neronet_foreign::{Artifact, Kind, Metric, Output, Refusal, Report, Row, Run, Sink, Source, Text, Wanted, look, read};
use std::path::{Path, PathBuf};

#[derive(Debug, Default, PartialEq, Clone)]
pub(crate) struct Recorder {
    pub(crate) begun: Option<Run>,
    pub(crate) names: Vec<String>,
    /// Name, time in milliseconds, step, bits of the value: NaN is equal to itself here.
    pub(crate) points: Vec<(String, Option<i64>, Option<i64>, u64)>,
    pub(crate) restarts: Vec<(usize, i64)>,
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) output: String,
    pub(crate) artifacts: Vec<(String, PathBuf)>,
    pub(crate) ended: Option<Run>,
    pub(crate) refuses: bool,
}

impl Recorder {
    /// Steps and values of one metric.
    pub(crate) fn series(&self, name: &str) -> Vec<(i64, f64)> {
        let of = self.points.iter().filter(|(known, ..)| known == name);
        of.map(|(_, _, step, bits)| (step.unwrap_or(-1), f64::from_bits(*bits))).collect()
    }

    pub(crate) fn run(&self) -> &Run {
        self.ended.as_ref().expect("the run ended")
    }
}

impl Sink for Recorder {
    fn begin(&mut self, run: &Run) -> Result<Wanted, Refusal> {
        assert!(self.begun.is_none() && self.ended.is_none());
        self.begun = Some(run.clone());
        Ok(if self.refuses { Wanted::Nothing } else { Wanted::All })
    }
    fn metric(&mut self, metric: Metric, name: &str) -> Result<(), Refusal> {
        assert_eq!(metric.index(), self.names.len());
        self.names.push(name.to_string());
        Ok(())
    }
    fn row(&mut self, row: Row<'_>) -> Result<(), Refusal> {
        assert!(!row.values.is_empty());
        for (metric, value) in row.values {
            self.points.push((self.names[metric.index()].clone(), row.at.map(|at| at.0), row.step, value.to_bits()));
        }
        Ok(())
    }
    fn restarted(&mut self, step: i64) -> Result<(), Refusal> {
        self.restarts.push((self.points.len(), step));
        Ok(())
    }
    fn text(&mut self, text: Text<'_>) -> Result<(), Refusal> {
        self.texts.push((text.name.to_string(), text.text.to_string()));
        Ok(())
    }
    fn output(&mut self, output: Output<'_>) -> Result<(), Refusal> {
        self.output.push_str(output.text);
        Ok(())
    }
    fn artifact(&mut self, artifact: Artifact<'_>) -> Result<(), Refusal> {
        self.artifacts.push((artifact.name.to_string(), artifact.path.to_path_buf()));
        Ok(())
    }
    fn end(&mut self, run: &Run) -> Result<(), Refusal> {
        assert!(self.begun.is_some() && self.ended.is_none());
        self.ended = Some(run.clone());
        Ok(())
    }
}

pub(crate) fn samples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name)
}

/// The only run of a kind below a path whose name ends so.
pub(crate) fn source(kind: Kind, path: &Path, name: &str) -> Source {
    let look = look(path).expect("readable");
    let mut found = look.sources.into_iter().filter(|source| source.kind == kind && source.name().ends_with(name));
    match (found.next(), found.next()) {
        (Some(source), None) => source,
        found => panic!("not one run {name}: {found:?}"),
    }
}

pub(crate) fn record(source: &Source) -> (Recorder, Report) {
    let mut recorder = Recorder::default();
    let report = read(source, &mut recorder).expect("readable");
    (recorder, report)
}
