//! The record of an attempt that nobody here watched: somebody tells what happened, and it is written as a supervisor would have.
//!
//! It goes into a folder that nobody knows of yet; a mistake, a full disk included, ends it, and the folder is to be thrown away.

use crate::lines::Lines;
use crate::output::Output;
use crate::segment::Writer;
use neronet_capture::secrets::mask_text;
use neronet_model::event::{Event, Process, Summary};
use neronet_model::launch::Limits;
use neronet_model::left::Left;
use neronet_model::row::Steps;
use neronet_model::{Cause, FORMAT, Millis, Outcome, Row, Stamped, UnixMs};
use neronet_store::files;
use neronet_store::spool::{KEEPER, OUTPUTS, Segments};
use std::io;
use std::path::{Path, PathBuf};

/// So much waits in memory at most before it is written.
const WAITING: usize = 256 << 10;
/// Lines of the end that are kept with it.
const LAST_LINES: usize = 20;

pub struct Retold {
    folder: PathBuf,
    begun: UnixMs,
    keeper: Writer,
    rows: Writer,
    left: Writer,
    output: Output,
    streams: [(&'static str, Lines); 2],
    last_lines: Vec<String>,
    secrets: Vec<String>,
    steps: Steps,
    summary: Summary,
    /// The latest that was told of.
    last: Millis,
}

impl Retold {
    /// Begins the record in an empty folder. `host` is where it ran, as far as that is known; `secrets` do not get into the output.
    pub fn begin(folder: &Path, begun: UnixMs, host: &str, secrets: &[String]) -> io::Result<Retold> {
        let limits = Limits::default();
        let line = usize::try_from(limits.line_bytes).unwrap_or(usize::MAX);
        let mut retold = Retold {
            folder: folder.to_path_buf(),
            begun,
            keeper: Writer::new(folder, KEEPER.to_string()),
            rows: Writer::new(folder, "metrics.1.jsonl".into()),
            left: Writer::new(folder, format!("{OUTPUTS}.1.jsonl")),
            output: Output::new(folder, 1, limits.output_bytes, &Segments::default())?,
            streams: ["o", "e"].map(|src| (src, Lines::from(0, false, line))),
            last_lines: Vec::new(),
            secrets: secrets.to_vec(),
            steps: Steps::default(),
            summary: Summary::default(),
            last: Millis(0),
        };
        // No process of any machine: nobody looks for it.
        let keeper = Process { host: host.to_string(), boot: String::new(), pid_namespace: 0, pid: 0, start: 0 };
        retold.event(Millis(0), Event::Begun { keeper, at: begun, clock: Millis(0), version: FORMAT, steps: Vec::new() })?;
        Ok(retold)
    }

    /// How long after the beginning that was. What came before it came with it; without a time it came with what came last.
    pub fn since(&self, at: Option<UnixMs>) -> Millis {
        at.map_or(self.last, |at| Millis(u64::try_from(at.0.saturating_sub(self.begun.0)).unwrap_or(0)))
    }

    pub fn begun(&self) -> UnixMs {
        self.begun
    }

    /// The step of the row since the start of the training.
    pub fn row(&mut self, row: &Row) -> io::Result<Option<i64>> {
        let step = self.steps.of(row);
        self.summary.steps = step.or(self.summary.steps);
        self.summary.add(&row.m, step, row.epoch);
        self.last = self.last.max(row.t);
        push(&mut self.rows, row)?;
        Ok(step)
    }

    /// Takes bytes that were printed.
    pub fn printed(&mut self, t: Millis, error: bool, bytes: &[u8]) -> io::Result<()> {
        self.last = self.last.max(t);
        let Retold { streams: [out, err], output, last_lines, secrets, .. } = self;
        let (src, lines) = if error { err } else { out };
        lines.feed(bytes, |line| {
            if !line.rewritten {
                keep(output, last_lines, (t, src), line.end, &mask_text(&line.text, secrets));
            }
        });
        if output.waiting() > WAITING { output.flush() } else { Ok(()) }
    }

    pub fn event(&mut self, t: Millis, event: Event) -> io::Result<()> {
        self.last = self.last.max(t);
        push(&mut self.keeper, &Stamped { t, event })
    }

    /// A file that it left.
    pub fn left(&mut self, left: &Left) -> io::Result<()> {
        push(&mut self.left, left)
    }

    /// The end. Durable once it returns, with the names in the folder. Gives when it ended and what became of its metrics.
    pub fn end(mut self, (outcome, cause): (Outcome, Option<Cause>), at: Option<UnixMs>) -> io::Result<(UnixMs, Summary)> {
        let t = self.since(at).max(self.last);
        let Retold { streams, output, last_lines, secrets, .. } = &mut self;
        for (src, lines) in streams {
            lines.finish(|line| keep(output, last_lines, (t, src), line.end, &mask_text(&line.text, secrets)));
        }
        self.output.flush()?;
        self.output.sync()?;
        if self.output.dropped_bytes > 0 {
            let what = format!("{} bytes in the middle of the output were not kept", self.output.dropped_bytes);
            self.event(t, Event::Dropped { what })?;
        }
        let mut segments = self.output.sealed(&Segments::of(&self.folder).map_err(io::Error::other)?)?;
        for segment in [&mut self.rows, &mut self.left] {
            segment.flush()?;
            segment.sync()?;
            segments.extend(segment.sealed());
        }
        let (at, last_lines) = (at.unwrap_or(self.begun.plus(t)), std::mem::take(&mut self.last_lines));
        let summary = self.summary.clone();
        self.event(t, Event::Ended { outcome, cause, at, last_lines, segments, summary })?;
        self.keeper.flush()?;
        self.keeper.sync()?;
        files::sync_folder_of(&self.folder.join(KEEPER)).map_err(io::Error::other)?;
        Ok((at, self.summary))
    }
}

fn push<T: serde::Serialize>(writer: &mut Writer, line: &T) -> io::Result<()> {
    writer.push(line);
    if writer.waiting() > WAITING { writer.flush() } else { Ok(()) }
}

fn keep(output: &mut Output, last_lines: &mut Vec<String>, (t, src): (Millis, &str), end: u64, text: &str) {
    if !text.trim().is_empty() {
        if last_lines.len() == LAST_LINES {
            last_lines.remove(0);
        }
        last_lines.push(text.chars().take(500).collect());
    }
    output.line(t.0, src, end, text);
}
