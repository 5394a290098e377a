//! The spool of an attempt as its supervisor writes it: events, output and metrics, each in segments of its own.

use crate::metrics::Metrics;
use crate::output::Output;
use crate::secrets::Secrets;
use crate::segment::Writer;
use neronet_capture::secrets;
use neronet_model::event::{Event, Stamped};
use neronet_model::launch::Launch;
use neronet_model::row::Values;
use neronet_model::{Millis, Row};
use neronet_scrape::Found;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::sync::OnceLock;

/// So many changes of tags and configuration are recorded, and of each so much.
const MOST_TOLD: usize = 10_000;
const LONGEST_TOLD: usize = 8 << 10;

#[derive(Debug, Default)]
pub(crate) struct Told {
    values: BTreeMap<String, String>,
    changes: usize,
}

pub(crate) struct Spooler {
    pub(crate) events: Writer,
    pub(crate) output: Output,
    pub(crate) metrics: Metrics,
    /// Tags and configuration as they are on record: scripts print the same again and again.
    pub(crate) told: Told,
    /// Values that must not reach the record.
    pub(crate) secrets: Vec<String>,
}

impl Spooler {
    pub(crate) fn event(&mut self, t: Millis, mut event: Event) {
        let mask = |value: &mut String| *value = self.masked(Cow::Borrowed(value)).into_owned();
        match &mut event {
            Event::Tag { value, .. } => mask(value),
            Event::Config { values, .. } => values.values_mut().for_each(mask),
            Event::CheckpointSkipped { path, .. } => mask(path),
            // Whoever goes on from it would have to be told the name.
            Event::Checkpoint(checkpoint) if self.masked(Cow::Borrowed(&checkpoint.path)) != checkpoint.path => {
                let path = self.masked(Cow::Borrowed(&checkpoint.path)).into_owned();
                event = Event::CheckpointSkipped { path, why: "its name holds a secret".into() };
            }
            _ => {}
        }
        self.events.push(&Stamped { t, event });
    }

    /// Takes what one piece of a source says. The values are taken out of `found`; `at` is the byte behind the piece; `again`: before
    /// it the training began again.
    pub(crate) fn found(&mut self, found: &mut Found, src: &str, at: u64, (t, again): (Millis, bool)) {
        if found.is_empty() || self.metrics.has(src, at) {
            return;
        }
        for (name, value) in found.tags.drain(..) {
            let value = self.beginning(value);
            if self.is_news(&name, &value) {
                self.event(t, Event::Tag { name, value });
            }
        }
        if !found.config.is_empty() {
            let shown = |name: &str, value: String| {
                if secrets::is_secret_setting(name) { secrets::MASK.to_string() } else { self.beginning(value) }
            };
            let values: BTreeMap<String, String> =
                found.config.drain(..).map(|(name, value)| (name.clone(), shown(&name, value))).collect();
            let values: BTreeMap<String, String> =
                values.into_iter().filter(|(name, value)| self.is_news(&format!("config.{name}"), value)).collect();
            if !values.is_empty() {
                self.event(t, Event::Config { source: src.to_string(), values });
            }
        }
        let mut values = std::mem::take(&mut found.values);
        // What is printed is masked as a whole before it is read.
        if src != "o" && src != "e" {
            for (name, _) in &mut values {
                if let Cow::Owned(masked) = self.masked(Cow::Borrowed(name)) {
                    *name = masked;
                }
            }
        }
        let Found { step, steps, epoch, epochs, time, .. } = *found;
        if !values.is_empty() || step.is_some() || epoch.is_some() {
            self.metrics.add(Row { t, src: src.to_string(), at, step, steps, epoch, epochs, time, again, m: Values(values) });
        }
    }

    /// As much of a text as is kept. It is masked before it is cut: half of a secret would not be known for one.
    fn beginning(&self, text: String) -> String {
        if text.len() <= LONGEST_TOLD {
            return text;
        }
        let mut text = self.masked(text.into()).into_owned();
        text.truncate(text.floor_char_boundary(LONGEST_TOLD));
        text
    }

    /// Whether a tag says something new. A tag that changes with every line is no tag: at some point it stays as it is.
    fn is_news(&mut self, name: &str, value: &str) -> bool {
        if self.told.values.get(name).is_some_and(|told| told == value) {
            return false;
        }
        self.told.changes += 1;
        if self.told.changes == MOST_TOLD {
            self.metrics.notices.push(format!("tags changed {MOST_TOLD} times: further changes are not recorded"));
        }
        let news = self.told.changes < MOST_TOLD;
        if news {
            self.told.values.insert(name.to_string(), value.to_string());
        }
        news
    }

    /// Known values only: what merely looks like a secret may as well be a metric's name.
    pub(crate) fn masked<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.secrets.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, secrets::MASK).into() } else { text })
    }

    pub(crate) fn nothing_waits(&self) -> bool {
        self.events.waiting() + self.output.waiting() + self.metrics.waiting() == 0
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()?;
        self.metrics.flush()?;
        self.events.flush()
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.output.sync()?;
        self.metrics.sync()?;
        self.events.sync()
    }
}

/// Of the environment, which stays as it is for as long as we live, and is the same for those forked from us: looked for once.
pub(crate) fn inherited_secrets() -> &'static [String] {
    static KNOWN: OnceLock<Vec<String>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        secrets::secret_values(&std::env::vars_os().filter_map(text).collect::<Vec<_>>())
    })
}

/// Values that must not reach the record by way of the output. Short ones are words that stand everywhere.
pub(crate) fn secret_values(launch: &Launch, declared: &Secrets) -> Vec<String> {
    // A parameter of the name of a secret is not one for that: `cls_token`.
    let harmless = |name: &str| name.strip_prefix("NERONET_PARAM_").is_some_and(|param| !secrets::is_secret_setting(param));
    let set = launch.env.iter().filter(|(name, _)| !harmless(name)).filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let set = secrets::secret_values(&set.collect::<Vec<_>>());
    let known = inherited_secrets().iter().cloned().chain(set).chain(secrets::values_in_command(&launch.argv));
    let known = known.chain(launch.steps.iter().flat_map(|step| secrets::values_in_command(&step.argv)));
    // Output is masked line by line.
    let lines = |value: String| value.lines().map(str::to_string).collect::<Vec<_>>();
    let mut values: Vec<String> = known.flat_map(lines).filter(|line| line.len() >= 8).chain(declared.lines()).collect();
    // One that holds another goes first, else its rest would stay.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}
