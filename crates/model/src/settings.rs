//! What an experiment says of its runs, checked and complete: the specification without its axes.
//! Made by `spec`, stored with each submission, read by whoever starts a run.

use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// A template with placeholders. `spec::render` fills it in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// One string, run by the shell of `Environment::shell`.
    Shell(String),
    /// Program and arguments, run without a shell.
    Argv(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub command: Command,
    #[serde(default)]
    pub flags: Flags,
    /// What "best" means; the first counts most.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    #[serde(default)]
    pub environment: Environment,
    /// Variables of the process, templates, in the order of the file.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    #[serde(default)]
    pub code: Code,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    #[serde(default)]
    pub resume: Option<Resume>,
    /// `[resources] time`: the whole training.
    #[serde(default)]
    pub time_limit: Option<Millis>,
    #[serde(default)]
    pub stop: Stop,
}

impl Settings {
    /// The settings of a command alone, everything else by default.
    pub fn of(command: Command) -> Settings {
        Settings {
            command,
            flags: Flags::default(),
            objectives: Vec::new(),
            environment: Environment::default(),
            env: Vec::new(),
            code: Code::default(),
            metrics: Metrics::default(),
            checkpoints: Checkpoints::default(),
            resume: None,
            time_limit: None,
            stop: Stop::default(),
        }
    }
}

/// How `{flags}` writes parameters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Flags {
    pub bool_style: BoolStyle,
    pub list_style: ListStyle,
    /// `batch_size` becomes `--batch-size`.
    pub dashes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoolStyle {
    /// `--amp` or nothing.
    #[default]
    Switch,
    /// `--amp true`.
    Value,
    /// `--amp` or `--no-amp`.
    NoPrefix,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListStyle {
    /// `--betas 0.9 0.999`.
    #[default]
    Spaces,
    /// `--betas 0.9,0.999`.
    Commas,
    /// `--betas 0.9 --betas 0.999`.
    Repeat,
    /// `--betas [0.9, 0.999]` as one argument.
    Brackets,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    pub metric: String,
    pub goal: Goal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    Min,
    Max,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Shell lines before the command, e.g. `module load cuda`.
    #[serde(default)]
    pub setup: Vec<String>,
    /// A virtual environment, relative to the spec's folder.
    #[serde(default)]
    pub python: Option<String>,
    /// Default: bash where present, else sh.
    #[serde(default)]
    pub shell: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Code {
    /// Where the command starts, relative to the spec's folder.
    #[serde(default)]
    pub directory: Option<String>,
    /// Ignored or large folders and files that the run reads, linked into its work folder. Relative to the spec's folder.
    #[serde(default)]
    pub link: Vec<String>,
    /// Run in the work tree itself.
    #[serde(default)]
    pub in_place: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Regular expressions with named groups; checked when the spec is read.
    #[serde(default)]
    pub patterns: Vec<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
    /// CSV, JSON or JSON-lines files, as globs relative to the work folder.
    #[serde(default)]
    pub files: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Checkpoints {
    /// Globs relative to where the command starts.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What stays; without it nothing is deleted.
    #[serde(default)]
    pub keep: Option<Keep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Keep {
    #[serde(default)]
    pub best: u32,
    #[serde(default)]
    pub last: u32,
}

/// How a run goes on from `{checkpoint}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resume {
    /// Appended to the command from the second attempt on.
    Arguments(String),
    /// Run instead of the command.
    Command(Command),
    /// The script finds its own checkpoint.
    Automatic,
}

/// How a run is asked to stop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Without `SIG`: `TERM`, `INT`, `USR1`, `USR2`, `HUP`, `QUIT`.
    pub signal: String,
    /// From the signal to KILL.
    pub grace: Millis,
}

pub const STOP_SIGNALS: [&str; 6] = ["TERM", "INT", "USR1", "USR2", "HUP", "QUIT"];

impl Default for Stop {
    fn default() -> Stop {
        Stop { signal: "TERM".into(), grace: Millis(30_000) }
    }
}
