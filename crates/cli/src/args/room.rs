//! The words of the commands that look at the room on the disk, and make some.

use crate::args::Reach;
use clap::Args as Words;

#[derive(Debug, Words)]
pub(crate) struct Rm {
    /// Runs
    #[arg(required = true)]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Take runs that are in the trash from the disk for good
    #[arg(long)]
    pub(crate) purge: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Du {
    /// Runs (default: everything)
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Name so many runs and experiments: the largest
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 10)]
    pub(crate) limit: usize,
    /// Print JSON: with files and the bytes that they say they hold
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Gc {
    /// Runs: only their checkpoints (default: whatever may go in all of home)
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Take it away; without this nothing is touched
    #[arg(long)]
    pub(crate) apply: bool,
    /// Keep so many checkpoints of each of these runs, the best by the first objective, whatever its specification says
    #[arg(long, value_name = "N", requires = "which", allow_negative_numbers = true)]
    pub(crate) keep_best: Option<u32>,
    /// Keep so many, the newest; one always stays
    #[arg(long, value_name = "N", requires = "which", allow_negative_numbers = true)]
    pub(crate) keep_last: Option<u32>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
