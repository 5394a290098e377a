//! The lines of points that `export --points` wrote, one at a time.

use crate::error::HomeError;
use neronet_model::{Uid, UnixMs, number};
use neronet_store::StoreError;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Longer than any that is written.
const LONGEST: u64 = 1 << 20;

/// One point.
pub(super) struct Line {
    pub(super) run: u64,
    pub(super) uid: Uid,
    pub(super) experiment: String,
    pub(super) attempt: u64,
    pub(super) metric: String,
    pub(super) step: f64,
    pub(super) by: String,
    pub(super) time: UnixMs,
    pub(super) value: f64,
    pub(super) superseded: bool,
}

#[derive(Deserialize)]
pub(super) struct Told {
    pub(super) run: u64,
    pub(super) uid: Uid,
    pub(super) experiment: String,
    pub(super) attempt: u64,
    pub(super) metric: String,
    #[serde(with = "number")]
    pub(super) step: f64,
    pub(super) by: String,
    pub(super) time: String,
    #[serde(with = "number")]
    pub(super) value: f64,
    pub(super) superseded: bool,
}

impl Told {
    pub(super) fn line(self) -> Option<Line> {
        let time = UnixMs(self.time.parse::<jiff::Timestamp>().ok()?.as_millisecond());
        self.at(time)
    }

    /// The same with its time as it is.
    pub(super) fn at(self, time: UnixMs) -> Option<Line> {
        let Told { run, uid, experiment, attempt, metric, step, by, value, superseded, .. } = self;
        (attempt > 0).then_some(Line { run, uid, experiment, attempt, metric, step, by, time, value, superseded })
    }
}

/// Where in a line of CSV each value stands.
struct Header([usize; 10]);

pub(super) const COLUMNS: [&str; 10] = ["run", "uid", "experiment", "attempt", "metric", "step", "by", "time", "value", "superseded"];

impl Header {
    fn of(cells: &[String]) -> Option<Header> {
        let mut places = [0; COLUMNS.len()];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = cells.iter().position(|cell| cell == name)?;
        }
        Some(Header(places))
    }

    fn line(&self, cells: &[String]) -> Option<Line> {
        let cell = |at: usize| Some(cells.get(*self.0.get(at)?)?.as_str());
        let float = |text: &str| text.parse().ok().or_else(|| number::parse_word(text));
        let told = Told {
            run: cell(0)?.parse().ok()?,
            uid: Uid::parse(cell(1)?)?,
            experiment: unguarded(cell(2)?),
            attempt: cell(3)?.parse().ok()?,
            metric: unguarded(cell(4)?),
            step: float(cell(5)?)?,
            by: cell(6)?.to_string(),
            time: cell(7)?.to_string(),
            value: float(cell(8)?)?,
            superseded: cell(9)?.parse().ok()?,
        };
        told.line()
    }
}

/// Without the apostrophe that keeps a spreadsheet program from running it.
fn unguarded(text: &str) -> String {
    let bare = text.strip_prefix('\'').filter(|bare| bare.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']));
    bare.unwrap_or(text).to_string()
}

/// Whether a file begins as one of points does.
pub(super) fn is_one(place: &Path) -> bool {
    let Ok(file) = File::open(place) else { return false };
    let mut first = Vec::new();
    if BufReader::new(file).take(64 << 10).read_to_end(&mut first).is_err() {
        return false;
    }
    let text = String::from_utf8_lossy(&first);
    let mut lines = text.lines().map(str::trim).filter(|line| !matches!(*line, "" | "["));
    lines.next().is_some_and(|line| json(line).is_some() || cells(line).and_then(|cells| Header::of(&cells)).is_some())
}

/// Gives every point of a file.
pub(super) fn each(place: &Path, each: &mut dyn FnMut(Line) -> Result<(), HomeError>) -> Result<(), HomeError> {
    let file = File::open(place).map_err(StoreError::io("read", place))?;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let (mut text, mut number, mut header) = (String::new(), 0_u64, None);
    loop {
        text.clear();
        // A cell may hold newlines: as long as a quotation mark is open the line goes on.
        loop {
            let read = reader.by_ref().take(LONGEST).read_line(&mut text).map_err(StoreError::io("read", place))?;
            number += 1;
            if read == 0 || header.is_none() || text.len() as u64 >= LONGEST || text.matches('"').count().is_multiple_of(2) {
                break;
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        let mistake = || {
            let what = "this is no point that export wrote; nothing of the file was imported";
            HomeError::Failed(format!("{}:{number}: {what}", place.display()))
        };
        let line = text.trim();
        if matches!(line, "" | "[" | "]") {
            continue;
        }
        let found = match &header {
            None if line.starts_with('{') => json(line),
            None => {
                header = cells(line).and_then(|cells| Header::of(&cells));
                if header.is_none() {
                    return Err(mistake());
                }
                continue;
            }
            Some(header) => cells(line).and_then(|cells| header.line(&cells)),
        };
        each(found.ok_or_else(mistake)?)?;
    }
}

fn json(line: &str) -> Option<Line> {
    serde_json::from_str::<Told>(line.strip_suffix(',').unwrap_or(line)).ok()?.line()
}

/// The cells of a line of CSV; nothing where a quotation mark stands open.
fn cells(line: &str) -> Option<Vec<String>> {
    let (mut all, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut cell)),
            letter => cell.push(letter),
        }
    }
    all.push(cell);
    (!quoted).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_split_as_they_were_joined() {
        let split = |line: &str| cells(line).map(|cells| cells.join("|"));
        assert_eq!(split(r#"1,"a,b","say ""hi""",,x"#).as_deref(), Some(r#"1|a,b|say "hi"||x"#));
        assert_eq!(split("\"open"), None);
        assert_eq!((unguarded("'=SUM(A1)"), unguarded("''-x"), unguarded("'tis")), ("=SUM(A1)".into(), "'-x".into(), "'tis".into()));
    }
}
