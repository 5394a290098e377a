//! The words of `neronet export` and `neronet import`.

use super::Reach;
use clap::{Args as Words, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Words)]
pub(crate) struct Export {
    /// Runs, or a filter as in ls (default: all runs of the current project)
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Write to this file: .xlsx, .csv, .json, .jsonl, .parquet or .neronet; to this folder with --format tensorboard; - prints
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// What is written (default: what the file's name ends in; CSV where it is printed)
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ExportFormat>,
    /// One row a point of each metric: run, uid, experiment, attempt, metric, step, by, time, value, superseded
    #[arg(long, conflicts_with = "fields")]
    pub(crate) points: bool,
    /// Which checkpoints go into a bundle (default: best)
    #[arg(long, value_name = "WHICH")]
    pub(crate) checkpoints: Option<Packed>,
    /// Leave the code out of a bundle
    #[arg(long)]
    pub(crate) without_code: bool,
    /// Leave what the runs printed out of a bundle
    #[arg(long)]
    pub(crate) without_output: bool,
    /// What to write, separated by commas: as in ls, and commit, note
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) fields: Vec<String>,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Xlsx,
    Csv,
    /// One list of objects
    Json,
    /// One object a line
    Jsonl,
    Parquet,
    /// A folder with event files for each run
    Tensorboard,
    /// A bundle for a colleague
    Neronet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packed {
    /// The best by the objective, else the latest
    Best,
    /// The latest
    Last,
    All,
    None,
}

#[derive(Debug, Words)]
pub(crate) struct Import {
    /// What to import
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The project that they belong to here (default: the current one)
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// The experiment that they belong to here (default: what they are called there)
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Tag them
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// Say what would come, and import nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
