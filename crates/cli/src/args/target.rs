//! The words of `neronet target`, and of what is done with what lies on targets.

use super::Reach;
use clap::{Args as Words, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Words)]
pub(crate) struct Target {
    #[command(subcommand)]
    pub(crate) what: Option<TargetCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TargetCommand {
    /// Write a machine into targets.toml, and ask it what it is
    ///
    /// It is reached by your own ssh: what `ssh HOST` reaches, with its configuration, keys, agents and jumps, works here. Where a
    /// password or a code is asked for, `neronet target login NAME` opens the connection on your terminal.
    Add(TargetAdd),
    /// List the targets
    Ls(TargetLs),
    /// Show what is known of a target: its keys, whether it is reached, its machine, what executes and waits there
    ///
    /// Nobody is asked for it: it is what the daemon saw last. `neronet target check NAME` asks.
    Show(TargetShow),
    /// Ask targets what they are, and look whether runs could execute there
    Check(TargetCheck),
    /// Open a connection on your terminal, which neronet then uses: for machines that ask for a password or a code
    Login(TargetName),
    /// Execute a command on a target
    Exec(TargetExec),
    /// Close that connection
    Logout(TargetName),
    /// Take a target out of targets.toml; what is on the machine stays
    Rm(TargetName),
}

#[derive(Debug, Words)]
pub(crate) struct TargetAdd {
    /// What to call it, such as gpu1
    pub(crate) name: String,
    /// How it is reached: ssh://user@host, ssh://host?scheduler=slurm
    pub(crate) address: String,
    /// Where everything is to be there, an absolute path (default: the place with most room that is proposed)
    #[arg(long)]
    pub(crate) folder: Option<String>,
}

#[derive(Debug, Words)]
pub(crate) struct TargetLs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct TargetShow {
    /// What it is called in targets.toml; local is this machine
    pub(crate) name: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct TargetCheck {
    /// Which targets (default: all)
    pub(crate) names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct TargetName {
    /// What it is called in targets.toml
    pub(crate) name: String,
}

#[derive(Debug, Words)]
pub(crate) struct TargetExec {
    /// What it is called in targets.toml
    pub(crate) name: String,
    /// The program and its arguments, behind --
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Words)]
pub(crate) struct Shell {
    /// Which run
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// The program and its arguments, behind --; without them your login shell
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// What is done where runs execute.
#[derive(Debug, Subcommand)]
pub(crate) enum There {
    /// Open a shell in the folder and environment of a run, where it executes; behind -- a command instead
    Shell(Shell),
    /// Bring home what a run left on its target: its checkpoints and artifacts, or the files that patterns name
    ///
    /// They come into the run's folder, to the place that they have there, and are found by `show`, `export` and `resume`. What is here
    /// already is left; what was cut off is gone on with; what has come is what it is there, by its hash.
    Fetch(Fetch),
    /// Bring data sets to a target, only what is not there as it is here
    ///
    /// Each file or folder gets a place under its own name: in data/ of the target's folder, or in --to. What was cut off is gone on
    /// with. What is there and not here stays.
    Push(Push),
}

#[derive(Debug, Words)]
pub(crate) struct Fetch {
    /// Which run
    pub(crate) run: String,
    /// Patterns relative to where its command started (default: what is on record as checkpoints and artifacts)
    pub(crate) globs: Vec<String>,
    /// Copy into this folder instead, by their paths from where the command started
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Push {
    /// What it is called in targets.toml
    pub(crate) target: String,
    /// Files and folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The folder there that they are put into: absolute, or relative to the target's
    #[arg(long, value_name = "FOLDER", default_value = "data")]
    pub(crate) to: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
