//! The words of `neronet target`.

use clap::{Args as Words, Subcommand};

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
    /// Ask targets what they are, and look whether runs could execute there
    Check(TargetCheck),
    /// Open a connection on your terminal, which neronet then uses: for machines that ask for a password or a code
    Login(TargetName),
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
