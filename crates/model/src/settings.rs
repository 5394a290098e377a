//! What an experiment says of its runs, checked and complete: the specification without its axes.
//! Made by `spec`, stored with each submission, read by whoever starts a run. What is said to the queue is in `demands`.

mod demands;

pub use demands::{Fetch, Gpus, Match, Notify, NotifyOn, Resources, Retry, RetryOn, Rule, RuleAction, Stage};

use crate::Value;
use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// What says nothing is not written down: most experiments use few of the keys.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

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
    /// Variables whose values are found when a run starts. Never a value itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: Vec<(String, SecretSource)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Vec<Input>,
    #[serde(default)]
    pub code: Code,
    /// Configuration files that each run gets, in the order of the file.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files: Vec<FileEdit>,
    #[serde(default)]
    pub metrics: Metrics,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    #[serde(default)]
    pub resume: Option<Resume>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub outputs: Outputs,
    /// What runs after the command has ended well, in this order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub then: Vec<Step>,
    /// `[resources] time`: the whole training.
    #[serde(default)]
    pub time_limit: Option<Millis>,
    /// All else that `[resources]` says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resources: Resources,
    #[serde(default)]
    pub stop: Stop,
    /// Set where each run goes on from a run of another experiment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stage: Option<Stage>,
    /// Targets or groups of them; the first that fits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub retry: Retry,
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: Notify,
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Vec<Rule>,
    /// `[on.TARGET]`: the target's name, and the whole settings of a run that goes there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: Vec<(String, Settings)>,
}

impl Settings {
    /// Those of a run on a target: all that `[on.TARGET]` says where there is one. It names no targets any more.
    #[must_use]
    pub fn there(&self, target: &str) -> Settings {
        Settings { target: Vec::new(), on: Vec::new(), ..self.on_target(target).clone() }
    }

    /// Those that hold on a target, as they are.
    pub fn on_target(&self, target: &str) -> &Settings {
        self.on.iter().find(|(name, _)| name == target).map_or(self, |(_, settings)| settings)
    }

    /// The settings of a command alone, everything else by default.
    pub fn of(command: Command) -> Settings {
        Settings {
            command,
            flags: Flags::default(),
            objectives: Vec::new(),
            environment: Environment::default(),
            env: Vec::new(),
            secrets: Vec::new(),
            inputs: Vec::new(),
            code: Code::default(),
            files: Vec::new(),
            metrics: Metrics::default(),
            checkpoints: Checkpoints::default(),
            resume: None,
            outputs: Outputs::default(),
            then: Vec::new(),
            time_limit: None,
            resources: Resources::default(),
            stop: Stop::default(),
            stage: None,
            target: Vec::new(),
            retry: Retry::default(),
            notify: Notify::default(),
            rules: Vec::new(),
            on: Vec::new(),
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

impl Environment {
    /// Puts in what a machine's own table says: its lines come first, and where this says something, that wins.
    pub fn on_machine(&mut self, own: &Environment) {
        self.setup.splice(0..0, own.setup.iter().cloned());
        self.python = self.python.take().or_else(|| own.python.clone());
        self.shell = self.shell.take().or_else(|| own.shell.clone());
    }
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
    /// Shell text, run once for each snapshot and target before the first run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub build: Option<String>,
    /// What git knows the code by that runs get instead of the work tree as it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub commit: Option<String>,
}

/// Where the value of a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// A variable of the submitter's environment.
    Env(String),
    /// The content of a file; `~/` at the beginning is the submitter's home folder.
    File(String),
    /// What a shell command of the submitter's prints.
    Command(String),
}

/// Data that the runs read, used as `{inputs.NAME}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    /// A template with `{target.NAME}` and parameters. Relative to the specification's folder.
    pub path: String,
    #[serde(default)]
    pub needs: Option<Needs>,
    /// Files and folders that must be in it, relative to it.
    #[serde(default)]
    pub files: Vec<String>,
    #[serde(default)]
    pub fingerprint: Fingerprint,
    /// It is brought from here to other machines before runs start there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub push: bool,
}

/// How much must be there at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    Bytes(u64),
    Files(u64),
}

/// By what an input is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fingerprint {
    /// Names, sizes and times.
    #[default]
    Listing,
    /// The bytes themselves.
    Hash,
    None,
}

/// A configuration file that a run gets in its work folder. Paths are relative to the specification's folder and never lead out
/// of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileEdit {
    /// The text of `template`, its placeholders filled in by `spec::render::text`.
    Template { template: String, to: String },
    /// A YAML, JSON, TOML or INI file with values set by path; texts in them are templates, for `spec::render::value`.
    Edit {
        edit: String,
        #[serde(serialize_with = "crate::value::exactly")]
        set: Vec<(String, Value)>,
        /// How it is written, where its name does not tell.
        #[serde(default, skip_serializing_if = "is_default")]
        format: Option<FileFormat>,
        /// Where it is written; without it the file itself changes.
        #[serde(default)]
        to: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    Yaml,
    Json,
    Toml,
    Ini,
}

impl FileEdit {
    /// The file that is read.
    pub fn source(&self) -> &str {
        match self {
            FileEdit::Template { template, .. } => template,
            FileEdit::Edit { edit, .. } => edit,
        }
    }

    /// The file that is written.
    pub fn destination(&self) -> &str {
        match self {
            FileEdit::Template { to, .. } => to,
            FileEdit::Edit { edit, to, .. } => to.as_ref().unwrap_or(edit),
        }
    }
}

/// What is kept of the files that a run leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outputs {
    /// Globs relative to where the command starts.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Bytes that are kept of them at most.
    #[serde(default)]
    pub max: Option<u64>,
}

impl Outputs {
    pub fn is_empty(&self) -> bool {
        *self == Outputs::default()
    }
}

/// A further step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// No other step of the run has it.
    pub name: String,
    pub command: Command,
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
    /// TensorBoard event files, and folders with such, as globs relative to the work folder.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tensorboard: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Checkpoints {
    /// Globs relative to where the command starts.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What stays; without it nothing is deleted.
    #[serde(default)]
    pub keep: Option<Keep>,
    /// What is brought home from another machine.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fetch: Option<Fetch>,
    /// What makes the script save one now, without `SIG`; without it the script is never signalled for that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub signal: Option<String>,
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
    /// The signal is sent so long before the end of a slot as well.
    #[serde(default, skip_serializing_if = "is_default")]
    pub before: Option<Millis>,
}

pub const STOP_SIGNALS: [&str; 6] = ["TERM", "INT", "USR1", "USR2", "HUP", "QUIT"];

impl Default for Stop {
    fn default() -> Stop {
        Stop { signal: "TERM".into(), grace: Millis(30_000), before: None }
    }
}
