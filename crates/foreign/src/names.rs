//! Names of metrics, each with its number, told to the sink when it first appears.

use crate::clean;
use crate::error::Refusal;
use crate::sink::{Metric, Sink};
use std::collections::HashMap;
use std::sync::Arc;

/// More than this many names, or bytes of names, no run has: they are values in the place of names.
const MOST: usize = 100_000;
const MOST_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Arc<[u8]>, Metric>,
    /// By number: the name, and which metric came behind it the last time. Trainings log the same names in the same order, so that
    /// this mostly saves the search.
    names: Vec<(Arc<[u8]>, Metric)>,
    last: Option<Metric>,
    bytes: usize,
}

impl Names {
    /// The number of a metric; nothing where there are too many.
    #[inline]
    pub(crate) fn metric(&mut self, name: &[u8], sink: &mut dyn Sink) -> Result<Option<Metric>, Refusal> {
        let last = self.last.map_or(0, Metric::index);
        let guess = self.names.get(last).map_or(Metric(0), |(_, next)| *next);
        if self.names.get(guess.index()).is_some_and(|(known, _)| **known == *name) {
            self.last = Some(guess);
            return Ok(Some(guess));
        }
        let metric = match self.known.get(name) {
            Some(metric) => Some(*metric),
            None => self.add(name, sink)?,
        };
        if let (Some(metric), Some((_, next))) = (metric, self.names.get_mut(last)) {
            *next = metric;
        }
        self.last = metric;
        Ok(metric)
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
        let shared: Arc<[u8]> = name.into();
        self.known.insert(shared.clone(), metric);
        self.names.push((shared, Metric(0)));
        sink.metric(metric, &clean::name(name))?;
        Ok(Some(metric))
    }
}
