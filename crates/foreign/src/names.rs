//! Names of metrics, each with its number, told to the sink when it first appears.

use crate::clean;
use crate::error::Refusal;
use crate::sink::{Metric, Sink};
use std::collections::HashMap;

/// More than this many names, or bytes of names, no run has: they are values in the place of names.
const MOST: usize = 100_000;
const MOST_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Box<[u8]>, Metric>,
    bytes: usize,
}

impl Names {
    /// The number of a metric; nothing where there are too many.
    #[inline]
    pub(crate) fn metric(&mut self, name: &[u8], sink: &mut dyn Sink) -> Result<Option<Metric>, Refusal> {
        match self.known.get(name) {
            Some(metric) => Ok(Some(*metric)),
            None => self.add(name, sink),
        }
    }

    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.known.contains_key(name)
    }

    fn add(&mut self, name: &[u8], sink: &mut dyn Sink) -> Result<Option<Metric>, Refusal> {
        self.bytes = self.bytes.saturating_add(name.len());
        if self.known.len() >= MOST || self.bytes > MOST_BYTES {
            return Ok(None);
        }
        let metric = Metric(self.known.len() as u32);
        self.known.insert(name.into(), metric);
        sink.metric(metric, &clean::name(name))?;
        Ok(Some(metric))
    }
}
