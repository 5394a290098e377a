//! One attempt as `run` follows it: its rows for the table, its raw output for the terminal; with secrets in it, the recorded output,
//! which has them masked.

use crate::commands::lines::Field;
use crate::commands::screen::Screen;
use neronet_model::row::Steps;
use neronet_model::{Millis, Row};
use neronet_report::words;
use neronet_store::spool;
use nix::unistd::{Whence, lseek};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// One attempt's spool, read as it grows.
pub(crate) struct Followed {
    folder: PathBuf,
    /// It has secrets: what it prints is shown as it is recorded.
    masked: bool,
    pub(crate) announced: bool,
    at: BTreeMap<PathBuf, u64>,
    steps: Steps,
    pub(crate) last: BTreeMap<String, f64>,
    row: Option<Row>,
    step: Option<i64>,
    /// Time and progress of the first row, from which the rate is reckoned.
    first: Option<(Millis, f64)>,
    /// Standard output and error, once they are there. They can be read to their end even when they are removed meanwhile.
    raw: Option<(Raw, Raw)>,
}

/// Rows that are further behind than this are passed over: the live view shows now.
const BEHIND: u64 = 4 << 20;

impl Followed {
    pub(crate) fn new(folder: PathBuf, masked: bool) -> Followed {
        Followed {
            folder,
            masked,
            announced: false,
            at: BTreeMap::new(),
            steps: Steps::default(),
            last: BTreeMap::new(),
            row: None,
            step: None,
            first: None,
            raw: None,
        }
    }

    pub(crate) fn read_rows(&mut self) {
        for path in spool::segments(&self.folder, "metrics").unwrap_or_default() {
            let length = spool::length(&path).unwrap_or(0);
            let mut from = self.at.get(&path).copied().unwrap_or(0);
            if length > from + BEHIND {
                // In the middle of a line most likely: that one does not parse and is passed over.
                from = length - BEHIND / 4;
            }
            let read = spool::lines(&path, from, |line| {
                if let Ok(row) = serde_json::from_slice::<Row>(line) {
                    self.take(row);
                }
            });
            self.at.insert(path, read.unwrap_or(from));
        }
    }

    fn take(&mut self, mut row: Row) {
        self.step = self.steps.of(&row).or(self.step);
        for (name, value) in &row.m.0 {
            self.last.insert(name.clone(), *value);
        }
        if let (None, Some(done)) = (self.first, progress(&row)) {
            self.first = Some((row.t, done));
        }
        // A summary at the end must not hide how far the training is.
        let Some(last) = self.row.as_ref().filter(|_| row.step.is_some() || row.epoch.is_some()) else {
            self.row.get_or_insert(row);
            return;
        };
        // A file of metrics tells of the epoch that the output told of with its total and its steps.
        let same_or_coarser = last.epochs.is_some() && row.epochs.is_none() && row.step.is_none();
        if same_or_coarser && (last.step.is_some() || row.epoch <= last.epoch) {
            return;
        }
        if row.epoch.is_some() {
            row.epochs = row.epochs.or(last.epochs);
        }
        self.row = Some(row);
    }

    /// What its line of the table says of it.
    pub(crate) fn fields(&self, telling: &[String]) -> Vec<(Field, String)> {
        let Some(row) = &self.row else { return vec![(Field::Progress, "running".into())] };
        let of = |at: String, total: Option<String>| total.map_or(at.clone(), |total| format!("{at}/{total}"));
        let mut fields = Vec::new();
        if let Some(epoch) = row.epoch {
            fields.push((Field::Progress, format!("epoch {}", of(words::number(epoch), row.epochs.map(words::number)))));
        }
        if let Some(step) = row.step {
            fields.push((Field::Progress, format!("step {}", of(step.to_string(), row.steps.map(|steps| steps.to_string())))));
        }
        let last = telling.iter().filter_map(|name| self.last.get(name).map(|value| format!("{name} {}", words::number(*value))));
        fields.extend(last.enumerate().map(|(nth, text)| (Field::Metric(nth), text)));
        if let (Some((t, first)), Some(done)) = (self.first, progress(row)) {
            let seconds = Millis(row.t.0.saturating_sub(t.0)).seconds();
            if seconds > 0.0 && done > first {
                let rate = (done - first) / seconds;
                fields.push((Field::Rate, pace(rate)));
                if let Some(total) = total(row) {
                    let left = Millis(((total - done).max(0.0) / rate * 1000.0) as u64);
                    fields.push((Field::Left, format!("ETA {}", words::duration(left))));
                }
            }
        }
        fields
    }

    /// The bytes themselves as they come, progress bars included; for as long as they are taken. True when more is there.
    pub(crate) fn print_output(&mut self, out: &mut Screen, err: &mut Screen) -> bool {
        if self.masked {
            self.print_chunks(out, err);
            return false;
        }
        if self.raw.is_none() {
            let open = |name: &str| File::open(spool::raw(&self.folder, name)).ok().map(|file| Raw { file, at: 0 });
            self.raw = open("stdout").zip(open("stderr"));
        }
        let Some((stdout, stderr)) = &mut self.raw else { return false };
        // Both, each turn.
        stdout.copy(out) | stderr.copy(err)
    }

    /// Of a command that was too quick to be seen as it ran.
    pub(crate) fn print_spool(&mut self, out: &mut Screen, err: &mut Screen) {
        if self.masked {
            self.print_chunks(out, err);
        } else if self.raw.is_none() {
            spool::output(&self.folder, |chunk| if chunk.src == "e" { &mut *err } else { &mut *out }.put(chunk.text.as_bytes())).ok();
        }
    }

    /// What has been recorded since the last look, for as long as it is taken.
    fn print_chunks(&mut self, out: &mut Screen, err: &mut Screen) {
        out.push();
        err.push();
        if out.is_behind() || err.is_behind() {
            return;
        }
        for path in spool::segments(&self.folder, "output").unwrap_or_default() {
            let length = spool::length(&path).unwrap_or(0);
            let mut from = self.at.get(&path).copied().unwrap_or(0);
            if length > from + AT_ONCE {
                out.put_line(&passed_over(length - from));
                from = length - BEHIND / 4;
            }
            let read = spool::lines(&path, from, |line| {
                if let Ok(chunk) = serde_json::from_slice::<spool::Chunk>(line) {
                    if chunk.src == "e" { &mut *err } else { &mut *out }.put(chunk.text.as_bytes());
                }
            });
            self.at.insert(path, read.unwrap_or(from));
        }
    }
}

/// Output as the command writes it. The supervisor gives the disk back what it has recorded, so that of a reader who is late
/// some may be gone here, and only here.
struct Raw {
    file: File,
    at: u64,
}

/// At one turn, so that other things happen in between.
const AT_ONCE: u64 = 4 << 20;

impl Raw {
    /// True when it stopped before the end.
    fn copy(&mut self, screen: &mut Screen) -> bool {
        let until = self.at + AT_ONCE;
        let mut buffer = vec![0; 64 << 10];
        screen.push();
        while !screen.is_behind() && !screen.is_lost() && self.at < until {
            let data = self.data();
            if data > self.at {
                screen.put_line(&passed_over(data - self.at));
                self.at = data;
            }
            let Ok(n @ 1..) = self.file.read_at(&mut buffer, self.at) else { return false };
            // Given back while we read: then these are no bytes of the command.
            if self.data() == self.at {
                screen.put(&buffer[..n]);
                self.at += n as u64;
            }
        }
        !screen.is_lost()
    }

    /// Where the next byte is that is still there.
    fn data(&self) -> u64 {
        let end = self.file.metadata().map_or(self.at, |meta| meta.len());
        let found = lseek(&self.file, self.at as i64, Whence::SeekData);
        found.map_or(end.max(self.at), |at| u64::try_from(at).unwrap_or(self.at))
    }
}

fn passed_over(bytes: u64) -> String {
    format!("\n[{} more were printed meanwhile: `neronet logs` has them]", words::bytes(bytes))
}

/// Steps a second, or the time of a step where that reads better.
fn pace(rate: f64) -> String {
    match rate {
        _ if rate >= 10.0 => format!("{rate:.0}/s"),
        _ if rate >= 0.5 => format!("{rate:.1}/s"),
        _ => format!("{} each", words::duration(Millis((1000.0 / rate) as u64))),
    }
}

/// How far a training is, in steps of the finest counter that has a total, else the finest there is.
fn progress(row: &Row) -> Option<f64> {
    match (row.epoch, row.epochs, row.step, row.steps) {
        (Some(epoch), Some(_), Some(step), Some(steps)) if steps > 0 => Some((epoch - 1.0) * steps as f64 + step as f64),
        (Some(epoch), Some(_), _, _) => Some(epoch),
        (_, _, Some(step), _) => Some(step as f64),
        (epoch, _, None, _) => epoch,
    }
}

fn total(row: &Row) -> Option<f64> {
    match (row.epochs, row.steps) {
        (Some(epochs), Some(steps)) if row.step.is_some() && steps > 0 => Some(epochs * steps as f64),
        (Some(epochs), _) => Some(epochs),
        (None, Some(steps)) => Some(steps as f64),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_total_leaves_the_total_that_is_known() {
        let shown = |rows: &[(u64, f64, Option<f64>)]| {
            let mut followed = Followed::new(PathBuf::new(), false);
            for (t, epoch, epochs) in rows {
                followed.take(Row { t: Millis(*t), epoch: Some(*epoch), epochs: *epochs, ..Row::default() });
            }
            followed.fields(&[]).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            shown(&[(1000, 1.0, Some(5.0)), (1001, 1.0, None), (3000, 2.0, Some(5.0)), (3001, 2.0, None)]),
            "epoch 2/5, 0.5/s, ETA 6 s"
        );
        assert_eq!(shown(&[(1000, 1.0, Some(5.0)), (3000, 2.0, None)]), "epoch 2/5, 0.5/s, ETA 6 s");
    }
}
