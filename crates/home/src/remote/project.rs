//! The project that whoever is elsewhere works in: its name, and where its code was unpacked for their command.

use crate::word;
use neronet_model::journal::Git;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub name: String,
    pub code: Option<Code>,
    /// Where it was unpacked.
    pub place: Option<Place>,
    /// Where files and folders lie that were brought along, by the names that they have where the command works.
    #[serde(default)]
    pub brought: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Of the code, without symlinks.
    pub top: PathBuf,
    /// Where the snapshot lies among others.
    pub snapshots: PathBuf,
}

/// What a snapshot alone does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Code {
    pub snapshot: String,
    /// The name of its top folder.
    pub top: String,
    /// Where the command was typed, relative to the top.
    pub below: String,
    pub git: Option<Git>,
}

impl Project {
    /// From the word that it came as.
    pub fn of(word: &str) -> Option<Project> {
        word::read(word)
    }
}
