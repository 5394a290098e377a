//! Every log of the corpus gives what stands beside it.

use neronet_scrape::{Found, Scraper};
use std::fmt::Write;
use std::path::{Path, PathBuf};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// `LINE reader step/steps epoch/epochs: name=value …`
pub(crate) fn row(number: usize, found: &Found) -> String {
    let mut out = format!("{number:>3} {}", found.reader.unwrap_or("-"));
    if let Some(step) = found.step {
        write!(out, " step {step}").unwrap();
    }
    if let Some(steps) = found.steps {
        write!(out, "/{steps}").unwrap();
    }
    if let Some(epoch) = found.epoch {
        write!(out, " epoch {epoch}").unwrap();
    }
    if let Some(epochs) = found.epochs {
        write!(out, "/{epochs}").unwrap();
    }
    if let Some(time) = found.time {
        write!(out, " time {time}").unwrap();
    }
    out.push(':');
    for (name, value) in &found.values {
        write!(out, " {name}={value}").unwrap();
    }
    for (name, value) in &found.tags {
        write!(out, " tag {name}='{value}'").unwrap();
    }
    for (name, value) in &found.config {
        write!(out, " config {name}='{value}'").unwrap();
    }
    out
}

fn read(log: &str) -> String {
    let mut scraper = Scraper::new(&[], &[]).unwrap();
    let mut found = Found::default();
    let mut out = String::new();
    for (i, line) in log.lines().enumerate() {
        scraper.line(line, &mut found);
        if !found.is_empty() {
            writeln!(out, "{}", row(i + 1, &found)).unwrap();
        }
    }
    out
}

#[test]
fn every_log_of_the_corpus_gives_what_stands_beside_it() {
    let mut wrong = String::new();
    let mut logs: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    logs.sort();
    assert!(logs.len() > 15, "the corpus is gone");
    for log in logs {
        let got = read(&std::fs::read_to_string(&log).unwrap());
        let beside = log.with_extension("expected");
        if std::env::var_os("NERONET_SCRAPE_REGENERATE").is_some() {
            std::fs::write(&beside, &got).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if got != expected {
            write!(wrong, "{}: expected\n{expected}but got\n{got}\n", log.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn noise_gives_nothing() {
    let log = std::fs::read_to_string(folder().join("noise.log")).unwrap();
    assert_eq!(read(&log), "");
}

/// Each line on its own too: what stands before a line must not be what silences it.
#[test]
fn each_line_of_noise_alone_gives_nothing() {
    let log = std::fs::read_to_string(folder().join("noise.log")).unwrap();
    let mut inside_traceback = false;
    for line in log.lines() {
        inside_traceback = (inside_traceback && line.starts_with(' ')) || line.starts_with("Traceback");
        if !inside_traceback && !line.starts_with("ValueError") {
            assert_eq!(read(line), "", "{line}");
        }
    }
}
