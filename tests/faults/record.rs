//! The record of a round, read from the files themselves and not through the code that wrote them.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

pub(crate) struct Record {
    pub(crate) run: Option<serde_json::Value>,
    /// The steps in `metrics` segments, in their order.
    pub(crate) steps: Vec<u64>,
    /// Lines of standard output in `output` segments; what a shell has to say is not among them.
    pub(crate) lines: u64,
    pub(crate) damage: Vec<String>,
    ends: Vec<serde_json::Value>,
}

impl Record {
    pub(crate) fn none(home: &Path) -> Record {
        Record { run: None, steps: Vec::new(), lines: 0, damage: unfinished(home), ends: Vec::new() }
    }

    pub(crate) fn read(home: &Path, run: serde_json::Value) -> Record {
        let attempt = home.join("runs/1/attempts/1");
        let mut record = Record { run: Some(run), ..Record::none(home) };
        for path in segments(&attempt, "metrics.") {
            for row in json_lines(&path, &mut record.damage) {
                let step = row["step"].as_u64();
                record.steps.extend(step);
                let loss = step.map(|step| format!("{:.4}", 1.0 / step as f64));
                if loss.is_none() || row["m"]["loss"].as_f64().map(|loss| format!("{loss:.4}")) != loss {
                    record.damage.push(format!("half a line was believed: {row}"));
                }
            }
        }
        for path in segments(&attempt, "output.") {
            for chunk in json_lines(&path, &mut record.damage) {
                if chunk["src"] == "o" {
                    record.lines += chunk["text"].as_str().map_or(0, |text| text.lines().count() as u64);
                }
            }
        }
        for path in [attempt.join("keeper.jsonl")].into_iter().chain(segments(&attempt, "events.")) {
            record.ends.extend(json_lines(&path, &mut record.damage).into_iter().map(|line| line["event"]["ended"].clone()));
        }
        record
    }

    pub(crate) fn describe(&self) -> String {
        let Some(run) = &self.run else { return "no run on record".into() };
        let word = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_string();
        let steps = match self.steps.len() {
            0 => "nothing printed",
            120 => "all printed",
            _ => "some printed",
        };
        format!("{} {} ({}), {steps}", word(&run["state"]), word(&run["outcome"]), word(&run["attempts_list"][0]["cause"]))
    }

    pub(crate) fn verify_segments(&self, home: &Path, context: &str) {
        self.ends.iter().for_each(|end| verify_segments(&home.join("runs/1/attempts/1"), end, context));
    }
}

/// The end record names the length and hash of every other segment.
pub(crate) fn verify_segments(attempt: &Path, end: &serde_json::Value, context: &str) {
    for segment in end["segments"].as_array().into_iter().flatten() {
        let path = attempt.join(segment["name"].as_str().expect("a name"));
        let content = std::fs::read(&path).unwrap_or_else(|e| panic!("{context}: {}: {e}", path.display()));
        assert_eq!(Some(content.len() as u64), segment["bytes"].as_u64(), "{context}: {}", path.display());
        let found: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, segment["sha256"], "{context}: {}", path.display());
    }
}

/// Journal frames that were never finished are set aside, not damage; anything else beside the journal is.
pub(crate) fn unfinished(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("journal")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "1.log" && !name.starts_with("unfinished-") && !name.starts_with('.')).collect()
}

pub(crate) fn segments(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u64>, PathBuf)> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name.split('.').filter_map(|part| part.parse().ok()).collect(), entry.path())
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whole lines; a last one without its newline is no line yet.
pub(crate) fn json_lines(path: &Path, damage: &mut Vec<String>) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut rows = Vec::new();
    // An empty one ends a line that a full disk refused before its first byte.
    for line in whole.lines().filter(|line| !line.is_empty()) {
        match serde_json::from_str(line) {
            Ok(row) => rows.push(row),
            Err(e) => damage.push(format!("{}: {e}: {line}", path.display())),
        }
    }
    rows
}
