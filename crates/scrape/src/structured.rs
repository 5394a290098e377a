//! Metrics that are written as data: the lines of `$NERONET_METRICS`, JSON files, and JSON or dictionaries in the output.

use crate::Found;
use crate::literal::{Dialect, Literal, parse};
use crate::names::{Judge, Meaning};

/// The longest text that is kept as a tag or as configuration.
const TEXT: usize = 500;

/// Reads one line of `$NERONET_METRICS`, e.g. `{"step": 12, "loss": 0.31, "train/acc": 0.93}`, with `epoch` and `time` where
/// the script has them. Nested objects are joined with `/`; text, booleans and short lists become tags; `null` is nothing.
pub fn metrics_line(line: &str, found: &mut Found) -> Result<(), String> {
    found.clear();
    let entries = object(line)?;
    let result = take(entries, Axes::Exact, found);
    if result.is_err() {
        found.clear();
    }
    result
}

/// Reads a whole JSON file of results as one summary: nested names are joined with `/`.
pub fn json_document(text: &str, found: &mut Found) -> Result<(), String> {
    found.clear();
    let entries = object(text)?;
    let result = take(entries, Axes::Usual, found);
    if result.is_err() {
        found.clear();
    }
    result
}

/// Reads a JSON file that holds rows: a list of objects, on its own or under a key of an object (such as `log_history`).
pub fn json_rows(text: &str) -> Result<Vec<Found>, String> {
    let rows = match parse(text, Dialect::Json)? {
        Literal::List(rows) => rows,
        Literal::Map(entries) => {
            let of_objects = |value: &Literal| matches!(value, Literal::List(rows) if matches!(rows.first(), Some(Literal::Map(_))));
            // The longest list of objects is the history; others describe parts.
            let list = entries
                .into_iter()
                .filter(|(_, value)| of_objects(value))
                .filter_map(|(_, value)| if let Literal::List(rows) = value { Some(rows) } else { None })
                .max_by_key(Vec::len);
            list.ok_or("no list of objects in this JSON: one is expected, with an object for each row")?
        }
        _ => return Err("a JSON list of objects is expected, with an object for each row".into()),
    };
    rows.into_iter()
        .enumerate()
        .map(|(i, row)| match row {
            Literal::Map(entries) => {
                let mut found = Found::default();
                take(entries, Axes::Usual, &mut found).map_err(|what| format!("row {}: {what}", i + 1))?;
                Ok(found)
            }
            other => Err(format!("row {} is '{}', not an object", i + 1, cut(other.text()))),
        })
        .collect()
}

/// Reads JSON or a printed dictionary at the end of a line of output. `training`: values, steps or epochs came before. False:
/// it is neither.
pub(crate) fn printed(text: &str, training: bool, judge: &mut Judge, found: &mut Found) -> bool {
    let (reader, mut entries) = match parse(text, Dialect::Json) {
        Ok(Literal::Map(entries)) => ("json", entries),
        _ => match parse(text, Dialect::Python) {
            Ok(Literal::Map(entries)) => ("dict", entries),
            _ => return false,
        },
    };
    // Neither is a metric in free text; the speeds come from the Hugging Face Trainer.
    entries.retain(|(name, _)| !name.ends_with("runtime") && !name.ends_with("_per_second"));
    for (name, value) in &mut entries {
        unquote(name, value, judge);
    }
    let names: Vec<Meaning> = entries.iter().map(|(name, _)| judge.meaning(name)).collect();
    let axis = entries.iter().any(|(name, _)| axis(name, Axes::Usual).is_some_and(|axis| axis != Axis::Time));
    let any = |meaning| names.contains(&meaning);
    // A logging library's own record: only what is surely a result may count.
    let record = entries
        .iter()
        .any(|(name, _)| matches!(name.as_str(), "level" | "levelname" | "severity" | "msg" | "message" | "logger" | "lineno"));
    let rates = || !training && names.iter().all(|name| *name == Meaning::Rate);
    if !axis && !any(Meaning::Result) && (any(Meaning::Config) || any(Meaning::Total) || rates()) {
        let mut flat = Vec::new();
        flatten(String::new(), '.', Literal::Map(entries), &mut flat);
        found.config.extend(flat.into_iter().map(|(name, value)| (name, cut(value.text()))));
    } else {
        if record {
            entries.retain(|(name, _)| self::axis(name, Axes::Usual).is_some() || judge.meaning(name) == Meaning::Result);
        }
        if take(entries, Axes::Usual, found).is_err() {
            return false;
        }
        // A time alone is a log's, not a training's.
        if found.values.is_empty() && found.tags.is_empty() && found.step.is_none() && found.epoch.is_none() {
            found.clear();
            return true;
        }
    }
    found.reader = Some(reader);
    true
}

/// Of an object with neither step, epoch nor result, keeps what may still be measured: an answer of a server, the shape of a
/// batch and the like are no metrics.
pub(crate) fn drop_doubtful(judge: &mut Judge, found: &mut Found) {
    let results = found.values.iter().any(|(name, _)| judge.meaning(name) == Meaning::Result);
    if results || found.step.is_some() || found.epoch.is_some() || !found.config.is_empty() {
        return;
    }
    found.values.retain(|(name, _)| judge.meaning(name) != Meaning::Rejected);
    if found.values.iter().all(|(name, value)| value.fract() == 0.0 && judge.meaning(name) == Meaning::Plain) {
        found.clear();
    }
}

/// Numbers that a logger wrote as texts, as fairseq does: `"loss": "12.3"`. Of a name that says nothing only fractions
/// count: `"name": "12"` is a text.
fn unquote(name: &str, value: &mut Literal, judge: &mut Judge) {
    let Literal::Text(text) = value else { return };
    let Some(number) = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))) else { return };
    let meant = axis(name, Axes::Usual).is_some()
        || match judge.meaning(name) {
            Meaning::Result | Meaning::Rate => true,
            Meaning::Plain => text.contains('.'),
            _ => false,
        };
    if meant {
        *value = Literal::Number(number);
    }
}

fn object(text: &str) -> Result<Vec<(String, Literal)>, String> {
    match parse(text, Dialect::Json)? {
        Literal::Map(entries) => Ok(entries),
        other => Err(format!("'{}' is no JSON object; one like {{\"step\": 12, \"loss\": 0.31}} is expected", cut(other.text()))),
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Axes {
    /// `step`, `epoch`, `time` and nothing else: the file that is written for us.
    Exact,
    /// The names that loggers use too.
    Usual,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Axis {
    Step,
    Epoch,
    Time,
}

pub(crate) fn axis(name: &str, axes: Axes) -> Option<Axis> {
    match name {
        "step" => return Some(Axis::Step),
        "epoch" => return Some(Axis::Epoch),
        "time" => return Some(Axis::Time),
        _ if axes == Axes::Exact => return None,
        _ => {}
    }
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is(&["step", "steps", "_step", "iter", "iters", "iteration", "global_step", "trainer/global_step", "batch", "num_updates"]) {
        Some(Axis::Step)
    } else if is(&["epoch", "epochs"]) {
        Some(Axis::Epoch)
    } else if is(&["time", "timestamp", "_timestamp", "wall_time", "wall time", "ts"]) {
        Some(Axis::Time)
    } else {
        None
    }
}

/// Unix times since 1990; smaller numbers are durations.
pub(crate) fn is_unix_time(value: f64) -> bool {
    (6e8..1e11).contains(&value)
}

/// A step must be a whole number that every consumer can hold exactly.
pub(crate) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
}

/// Distributes the entries of an object. Errors only for an exact axis that cannot be one.
fn take(entries: Vec<(String, Literal)>, axes: Axes, found: &mut Found) -> Result<(), String> {
    let mut rest = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        match (axis(&name, axes), &value) {
            (Some(Axis::Step), Literal::Number(number)) if whole(*number).is_some() && (found.step.is_none() || name == "step") => {
                found.step = whole(*number);
            }
            (Some(Axis::Epoch), Literal::Number(number)) if number.is_finite() => found.epoch = Some(*number),
            (Some(Axis::Time), Literal::Number(number)) if number.is_finite() && (axes == Axes::Exact || is_unix_time(*number)) => {
                found.time = Some(*number);
            }
            (Some(_), Literal::Null) => {}
            (Some(Axis::Step), _) if axes == Axes::Exact => {
                return Err(format!("\"step\" is {}, and must be a whole number", cut(value.text())));
            }
            (Some(_), _) if axes == Axes::Exact => return Err(format!("\"{name}\" is {}, and must be a finite number", cut(value.text()))),
            _ => rest.push((name, value)),
        }
    }
    let mut flat = Vec::new();
    for (name, value) in rest {
        flatten(name, '/', value, &mut flat);
    }
    for (name, value) in flat {
        match value {
            Literal::Number(number) => found.set(name, number),
            // Non-finite numbers in strict JSON are words in quotes.
            Literal::Text(text) => match neronet_model::number::parse_word(&text) {
                Some(number) => found.set(name, number),
                None => found.tags.push((name, cut(text))),
            },
            Literal::Null => {}
            other => found.tags.push((name, cut(other.text()))),
        }
    }
    Ok(())
}

fn flatten(prefix: String, joint: char, value: Literal, out: &mut Vec<(String, Literal)>) {
    match value {
        Literal::Map(entries) => {
            for (name, value) in entries {
                let name = if prefix.is_empty() { name } else { format!("{prefix}{joint}{name}") };
                flatten(name, joint, value, out);
            }
        }
        value => out.push((prefix, value)),
    }
}

/// Cuts a text to a length that a table can show.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        let at = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(at);
        text.push('…');
    }
    text
}
