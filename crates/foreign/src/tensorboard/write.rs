//! Event files for TensorBoard: each record is handed to `out` whole, so that a reader never waits for half of one for long.

use super::{hparams, records};
use crate::proto::Message;
use neronet_model::{Outcome, Params, UnixMs};
use std::io::{self, Write};

const DT_FLOAT: i64 = 1;
const DT_STRING: i64 = 7;

/// The name of an event file, by which TensorBoard knows it and orders it among others of its folder.
pub fn file_name(started: UnixMs, host: &str, pid: u32, number: u32) -> String {
    let host: String = host.chars().map(|c| if c.is_alphanumeric() || "-._".contains(c) { c } else { '-' }).collect();
    format!("events.out.tfevents.{:010}.{host}.{pid}.{number}", started.0.div_euclid(1000))
}

/// Writes the events of one run.
#[derive(Debug)]
pub struct EventWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> EventWriter<W> {
    /// Begins a file: writes the record that says which format this is.
    pub fn new(out: W, at: UnixMs) -> io::Result<EventWriter<W>> {
        let mut writer = EventWriter { out, frame: Vec::new() };
        writer.event(at, 0, |event| {
            event.bytes(3, b"brain.Event:2");
        })?;
        Ok(writer)
    }

    /// Values of one step. TensorBoard keeps them with the precision of 32 bits, as it shows them.
    pub fn scalars(&mut self, at: UnixMs, step: i64, values: &[(&str, f64)]) -> io::Result<()> {
        self.event(at, step, |event| {
            event.message(5, |summary| {
                for (name, number) in values {
                    summary.message(1, |value| {
                        value.bytes(1, name.as_bytes()).float(2, *number as f32);
                    });
                }
            });
        })
    }

    /// A text under a name, in Markdown.
    pub fn text(&mut self, at: UnixMs, step: i64, name: &str, text: &str) -> io::Result<()> {
        self.value(at, step, &format!("{name}/text_summary"), ("text", &[]), |tensor| {
            tensor.int(1, DT_STRING);
            tensor.message(2, |shape| {
                shape.message(2, |dimension| {
                    dimension.int(1, 1);
                });
            });
            tensor.bytes(8, text.as_bytes());
        })
    }

    /// The parameters of the run, for the tab HPARAMS.
    pub fn params(&mut self, at: UnixMs, params: &Params) -> io::Result<()> {
        self.session(at, hparams::START, &hparams::start(params, Some(at)))
    }

    /// How the run ended, for the tab HPARAMS.
    pub fn ended(&mut self, at: UnixMs, outcome: Outcome) -> io::Result<()> {
        self.session(at, hparams::END, &hparams::end(outcome, Some(at)))
    }

    /// What was written with this step or a later one is superseded: TensorBoard shows it no longer.
    pub fn restarted(&mut self, at: UnixMs, step: i64) -> io::Result<()> {
        self.event(at, step, |event| {
            event.message(7, |log| {
                log.int(1, 1);
            });
        })
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What it writes to, with nothing held back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn session(&mut self, at: UnixMs, tag: &str, content: &[u8]) -> io::Result<()> {
        self.value(at, 0, tag, (hparams::PLUGIN, content), |tensor| {
            tensor.int(1, DT_FLOAT);
            tensor.message(2, |shape| {
                shape.message(2, |dimension| {
                    dimension.int(1, 0);
                });
            });
        })
    }

    fn value(
        &mut self,
        at: UnixMs,
        step: i64,
        tag: &str,
        (plugin, content): (&str, &[u8]),
        tensor: impl FnOnce(&mut Message),
    ) -> io::Result<()> {
        self.event(at, step, |event| {
            event.message(5, |summary| {
                summary.message(1, |value| {
                    value.bytes(1, tag.as_bytes()).message(8, tensor).message(9, |metadata| {
                        metadata.message(1, |data| {
                            data.bytes(1, plugin.as_bytes()).bytes(2, content);
                        });
                    });
                });
            });
        })
    }

    fn event(&mut self, at: UnixMs, step: i64, fill: impl FnOnce(&mut Message)) -> io::Result<()> {
        let mut event = Message::default();
        event.double(1, at.seconds()).int(2, step);
        fill(&mut event);
        self.frame.clear();
        records::write(&event.0, &mut self.frame);
        self.out.write_all(&self.frame)
    }
}
