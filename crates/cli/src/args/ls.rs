//! The words of `neronet ls`.

use crate::args::Reach;
use clap::Args as Words;
use serde::{Deserialize, Serialize};

#[derive(Debug, Words, Serialize, Deserialize)]
pub(crate) struct Ls {
    /// Runs, or a filter such as 'state == failed and lr > 0.01' (default: all runs of the current project)
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Runs in the trash
    #[arg(long)]
    pub(crate) trash: bool,
    /// Sort by names with commas between them: a metric (best first, where its objective or its name says which way), loss.min and its like, a parameter, or created, started, ended, duration, state; -NAME turns the order round
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Show the best so many: the first by --sort, else by the metric that tells most
    #[arg(long, value_name = "K", allow_negative_numbers = true, conflicts_with = "limit")]
    pub(crate) top: Option<usize>,
    /// Show at most so many: the newest, or with --sort the first (default: 1000; with --json all)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) limit: Option<usize>,
    /// Pass over so many before that
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t, hide_default_value = true)]
    pub(crate) offset: usize,
    /// Put runs together that have the same values of these parameters, with commas between them: over the others, such as the seed, a metric has a mean, a spread and an interval
    #[arg(long, value_name = "NAMES", conflicts_with_all = ["fields", "trash"])]
    pub(crate) group_by: Option<String>,
    /// With --group-by: of this metric, such as loss or loss.min; several have commas between them (default: those that tell most)
    #[arg(long, value_delimiter = ',', value_name = "NAMES", requires = "group_by")]
    pub(crate) metric: Vec<String>,
    /// What to show, separated by commas: parameters, metrics, duration, or the names that --json prints
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) fields: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
