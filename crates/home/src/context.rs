//! Where a command works: its home, its folder, its environment. Filled in by the binary; nothing below it asks the system.

use crate::error::HomeError;
use crate::given::Given;
use crate::projections::Projections;
use crate::remote::Project;
use neronet_model::journal::Entry;
use neronet_model::keyed::Key;
use neronet_model::{Run, Uid, UnixMs};
use neronet_store::{Home, Locked};
use neronet_supervise::os::clock;
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Clone)]
pub struct Context {
    pub home: Home,
    /// Our own binary, which keepers are started from.
    pub neronet: PathBuf,
    pub folder: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    /// The user's home folder, which is never copied.
    pub user_home: Option<PathBuf>,
    /// For what can be made again.
    pub cache: PathBuf,
    /// Where curves are kept instead when the cache lies on a file system that other machines share.
    pub projections: Projections,
    pub user: String,
    /// All that is in home goes when this is done.
    pub passing: bool,
    /// What is decided is asked for under this key, and must not be decided twice.
    pub key: Option<Key>,
    /// On a target: secrets that home has sent. They are looked for nowhere else there.
    pub given: Option<Given>,
    /// A command that came from elsewhere brought its project along.
    pub project: Option<Project>,
    /// For whoever waits for another process.
    pub say: fn(&str),
}

impl Context {
    pub fn now(&self) -> UnixMs {
        clock::unix_now()
    }

    pub fn random(&self) -> Result<[u8; 10], HomeError> {
        let mut bytes = [0; 10];
        getrandom::fill(&mut bytes).map_err(|e| HomeError::Failed(format!("the system gives no random numbers: {e}")))?;
        Ok(bytes)
    }

    pub fn uid(&self) -> Result<Uid, HomeError> {
        Ok(Uid::new(self.now().0.max(0) as u64, self.random()?))
    }

    /// Becomes the only writer of home.
    pub fn lock(&self) -> Result<Locked, HomeError> {
        let say = self.say;
        let waiting = |holder: &str| {
            if !holder.is_empty() && holder != std::process::id().to_string() {
                say(&format!("waiting for another neronet (process {holder}) to finish with home"));
            }
        };
        Ok(self.home.lock(self.random()?, self.now().0.max(0) as u64, waiting)?)
    }

    /// An entry with the key that it is asked for under, if there is one: both are written, or neither.
    pub fn keyed(&self, entry: Entry) -> Entry {
        self.keyed_with(entry, &[])
    }

    /// The same, with what is said of it whenever it is asked for under that key.
    pub(crate) fn keyed_with(&self, entry: Entry, notes: &[String]) -> Entry {
        let Some(Key { key, request }) = self.key.clone() else { return entry };
        // The runs are in the entry.
        let answer = (!notes.is_empty()).then(|| json!({"runs": [], "notes": notes}).to_string());
        Entry::Keyed { at: self.now(), key, request, answer, entry: Box::new(entry) }
    }

    /// Where the projection of a run's metrics is, if there is one. By its ULID: ids are given anew in another home. Nothing where
    /// none can be kept.
    pub fn stored_series(&self, run: &Run) -> Option<PathBuf> {
        self.series_of(run.uid)
    }

    pub(crate) fn series_of(&self, run: Uid) -> Option<PathBuf> {
        Some(self.projections.folder(&self.cache)?.join("series").join(format!("{run}.series")))
    }

    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone().into_string().ok())
    }
}
