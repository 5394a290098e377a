//! The words of the command line. Their comments are the manual.

mod exchange;
mod ls;
mod room;
mod target;

pub(crate) use exchange::{Export, ExportFormat, Import, Packed};
pub(crate) use ls::Ls;
pub(crate) use room::{Du, Gc, Rm};
pub(crate) use target::{Fetch, Push, Shell, Target, TargetAdd, TargetCheck, TargetCommand, TargetLs, TargetName, TargetShow, There};

use clap::{Args as Words, Parser, Subcommand, ValueEnum, value_parser};
use neronet_model::Millis;
use neronet_spec::{MOMENTS, Moment};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Runs, watches and explains neural-network training.
///
/// Runs are named by number (42, 40-50, 1,3,5), `last`, an experiment's name, @TAG, sweep:7, or a filter such as
/// 'state == failed and lr > 0.01' (`neronet ls --help` says all of it). Several words mean the runs of all of them.
/// Names, tags, filters and `last` mean runs of the current project, with -a of all; numbers mean the same everywhere.
#[derive(Debug, Parser)]
#[command(name = "neronet", version, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Keep everything in this folder instead of $NERONET_HOME; ssh://HOST works through the home there
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first neronet.toml from what there is: a command, a script, a job script, a sweep, a list of commands
    ///
    /// `neronet init -- python train.py --lr 0.1` finds the flags. SOURCE is a Python script (`neronet init train.py` runs
    /// `python train.py --help` and reads what it prints; a Hydra project is read, not run), a script for Slurm or Grid Engine, a W&B
    /// sweep, a config.yaml of the first neronet, a file with a command on each line, or a file with the output of --help.
    /// Without any the folder is looked at. An existing file is left alone.
    Init(Init),
    /// Run experiments now, here, in the foreground
    Run(Run),
    /// Submit experiments: what is new of them starts in the background
    ///
    /// A sweep is a set: runs whose command and parameters are there already are left out, so an edited file is submitted once
    /// more for what was added to it. Where they ran other code, nothing starts until --again or --keep says what is meant.
    /// A command after -- always starts.
    Submit(Submit),
    /// Show what a specification would run, or what would be read from a log, and run nothing
    ///
    /// With --smoke one configuration of each experiment is run for a moment, one after the other, to see whether it crashes,
    /// what its first loss is, how fast it goes, how much memory it takes, whether the seed changes anything, and how long the
    /// whole sweep would take. Home stays as it is.
    Check(Check),
    /// List runs
    ///
    /// A filter is made of NAME OPERATOR VALUE. Operators: == != < <= > >=, ~ (holds the text), in [A, B], not in [A, B]; NAME exists,
    /// NAME is missing. They are joined by and, or, not and ( ); @TAG or tag:TAG stands for the runs that have it. A value with blanks
    /// is put in quotes. Several filters, or other words for runs, list the runs of all of them. One that asks for `project` is not
    /// limited to the current one.
    ///
    /// NAME is a parameter (lr, or params.lr), a metric, or one of id, uid, project, experiment, sweep, state, outcome, reason,
    /// tag, created, started, ended, attempts, duration. A metric means its last value; loss.min, loss.max, loss.best, loss.step
    /// and loss.points mean what they say. Times are written 2026-11-20, '2026-11-20 15:04', 15:04, yesterday, '2 days ago'; durations
    /// in seconds or with a unit (duration > 10min). What a run lacks is different (!=) from any value and nothing else.
    ///
    /// For instance: neronet ls 'state == failed and reason ~ memory' '@keep and val_acc.max > 0.9'
    ///
    /// Or: neronet ls 'lr in [0.1, 0.01] and started > "2 days ago"' --group-by lr --metric val_acc.max
    Ls(Ls),
    /// Show everything about a run
    Show(Show),
    /// Print what a run printed
    Logs(Logs),
    /// List a run's metrics, or print the points of one
    Metrics(Metrics),
    /// Draw curves, in the terminal or to a file
    Plot(Plot),
    /// Write a report on runs: one HTML page with table, curves and facts
    Report(Report),
    /// Write runs for other programs (.xlsx, .csv, .json, .jsonl, .parquet, TensorBoard) or for a colleague (.neronet)
    ///
    /// One row a run, with all parameters and metrics. A metric's value is the best where the objective says what that is
    /// (val_error@best), else the last (loss@last). With --points one row a point of each metric. In CSV a text that a spreadsheet
    /// program would run as a formula begins with an apostrophe.
    ///
    /// For instance: neronet export 40-50 -o runs.parquet   neronet export 42 --points -o curves.csv
    ///
    /// Or: neronet export @best --format tensorboard -o logs
    ///
    /// A name that ends in .neronet is a bundle: all that belongs to runs that have ended, for a colleague's `neronet import`: their
    /// specification, code, curves, output and the best checkpoint, but no environment, and secrets masked as `show` masks them.
    Export(Export),
    /// Bring runs here that were recorded elsewhere: by TensorBoard, MLflow, W&B, Sacred, or another neronet
    ///
    /// PATH is a folder with runs in it, or one of their files: event files of TensorBoard, MLflow's mlruns/, offline runs of W&B
    /// (run-ID.wandb), the folders of Sacred's FileStorageObserver, a bundle or the points that `export` wrote. What it is is found out. The runs get numbers here, with their
    /// parameters, metrics, output, tags and times; files that they left stay where they are and are listed. What was imported
    /// before is known again: a second time only what is new where it came from is added. An imported run cannot be started again.
    ///
    /// For instance: neronet import mlruns   neronet import logs/ --experiment baseline --tag old
    Import(Import),
    /// Show how runs differ: parameters, configuration, metrics, code, packages
    Compare(Compare),
    /// Show what runs, what waits, why, and when it will probably start
    ///
    /// In the order in which runs start if everything fits: by priority, then in the order of submission, which `move` changes. When
    /// a run will start is told once three runs of its experiment have finished.
    Queue(Queue),
    /// Keep queued runs from starting until they are released
    Hold(Hold),
    /// Let held runs start; one that waits before it is tried again starts at once
    Release(Which),
    /// Change the order of queued runs
    Move(Move),
    /// Change the priority of queued runs
    Priority(Priority),
    /// Limit what the runs of a project may have at a time
    Quota(Quota),
    /// Ask runs to stop (they may save a checkpoint first)
    Stop(Which),
    /// End runs at once
    Kill(Which),
    /// Go on with an ended run from its latest complete checkpoint
    ///
    /// From its best one where the specification asks for {checkpoint.best} alone.
    ///
    /// Of several runs only those that did not finish.
    Resume(Again),
    /// Run an ended run once more, from scratch
    ///
    /// Of several runs only those that did not finish.
    Retry(Again),
    /// Add tags to runs, or take them away with --remove
    Tag(Tag),
    /// Write a note on a run, or print it
    Note(Note),
    /// Put runs in the trash
    Rm(Rm),
    /// Take runs out of the trash
    Restore(Which),
    /// Show what takes the space: by kind, and the largest runs and experiments
    ///
    /// Of everything below home and in the cache, or of the runs that are named. Counted is what the disk has given for it; a file with
    /// several names counts once. Links are not followed.
    Du(Du),
    /// Show what may go to make room; with --apply it goes
    ///
    /// Checkpoints of ended runs beyond what their specification keeps, by the same rules as while they ran; of all home also snapshots and
    /// builds that no run has any more, what was never finished, and what is over in the trash. Never anything of a run that has a tag
    /// or a note, that has not ended, that executes in place, or that another run still goes on from.
    Gc(Gc),
    /// Copy the code and the specification of a run into a new folder
    Clone(Clone),
    /// Make anew what is stored of home's records, compare it with what it was, and say what of the records cannot be read
    ///
    /// Nothing that was recorded is changed: what is stored beside it, in the cache, so that lists and curves come at once, is made from
    /// the records again.
    Repair(Repair),
    /// Name, list and check the machines that runs may execute on
    Target(Target),
    #[command(flatten)]
    There(There),
    /// Serve home: keep the queue, and answer on a socket
    ///
    /// Commands that need a daemon start one by themselves, which leaves when there has been nothing to do for ten minutes. This one
    /// stays until Ctrl-C or `neronet down`. Runs go on without it.
    Serve(Serve),
    /// End the daemon; runs go on
    Down,
    /// Make a token for --listen, list or take them back
    Token(Token),
    /// Print the JSON Schema of specifications, by which an editor completes and checks them
    Schema,
    /// Print this reference as Markdown
    #[command(hide = true)]
    Reference,
    /// Print what the daemon answers to, as an OpenAPI document
    #[command(hide = true)]
    Openapi,
}

/// Of every command that takes runs.
#[derive(Debug, Clone, Words, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// Runs of all projects, not only of the current one
    #[arg(long, short)]
    pub(crate) all: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Init {
    /// What to begin with (default: what is found in this folder)
    pub(crate) source: Option<PathBuf>,
    /// The command to begin with, after --
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
    /// Write to this file
    #[arg(long, short, value_name = "FILE", default_value = "neronet.toml")]
    pub(crate) output: PathBuf,
    /// Print to standard output and write nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Of `run` and `submit`: what to start.
#[derive(Debug, Words)]
pub(crate) struct What {
    /// The specification, FILE:NAME for one of its experiments, or a spreadsheet, FILE:SHEET for one of its sheets (default: neronet.toml)
    pub(crate) spec: Option<String>,
    /// A command to run without any file, after --
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
    /// Set a parameter or a key: lr=0.1, or lr=0.1,0.01 for one run each
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// How many runs at a time
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..), allow_negative_numbers = true)]
    pub(crate) parallel: Option<u64>,
    /// Runs with a higher one start first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) priority: Option<i64>,
    /// Start no run before this: 22:00, '2026-11-23 22:00' in local time, or 'in 2h'
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(crate) not_before: Option<Moment>,
    /// Start no run before these runs have ended, however that was; may be repeated
    #[arg(long, value_name = "RUNS")]
    pub(crate) after: Vec<String>,
    /// Start no run before these runs have finished; while one has failed, it is held; may be repeated
    #[arg(long, value_name = "RUNS")]
    pub(crate) after_ok: Vec<String>,
    /// The project that the runs belong to (default: the name of the git work tree)
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Do not ask, however many runs there are
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Start without asking the system first whether programs, imported modules and room are there
    #[arg(long)]
    pub(crate) no_preflight: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) what: What,
    /// Return at once; the runs go on when the terminal is closed
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the ended runs as JSON; with --detach the runs as they are then
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) what: What,
    /// Where the runs execute: targets or groups of them, the first that has room; local is this machine (default: what the specification says)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) target: Vec<String>,
    /// Start runs anew that are there already: all, or those that did not finish
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(crate) again: Option<AgainWhich>,
    /// Leave runs out that are there already, whatever their code was
    #[arg(long, conflicts_with = "again")]
    pub(crate) keep: bool,
    /// Stay until the runs have ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print the runs as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgainWhich {
    All,
    Failed,
}

#[derive(Debug, Words)]
pub(crate) struct Check {
    /// The specification, FILE:NAME for one of its experiments, or a spreadsheet, FILE:SHEET for one of its sheets (default: neronet.toml)
    pub(crate) spec: Option<String>,
    /// Set a parameter or a key, as in run
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Show what metrics would be read from this log, and propose patterns for the rest (- reads standard input)
    #[arg(long, value_name = "LOG")]
    pub(crate) learn: Option<PathBuf>,
    /// Exit with code 1 where there is any warning
    #[arg(long)]
    pub(crate) strict: bool,
    /// Look at the specification and the code alone, not at programs, imported modules and room
    #[arg(long)]
    pub(crate) no_preflight: bool,
    /// Run one configuration of each experiment for so long (default: 30s), in a place that is removed afterwards
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "30s", value_parser = for_so_long, conflicts_with = "learn")]
    pub(crate) smoke: Option<Millis>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn moment(word: &str) -> Result<Moment, String> {
    Moment::parse(word).ok_or_else(|| format!("it is no time: {MOMENTS}"))
}

fn for_so_long(word: &str) -> Result<Millis, String> {
    let time = Millis::parse(word).ok_or("it is no duration, such as 30s or 2min; a specification stands before --smoke")?;
    if time < Millis(1_000) { Err("it must be 1s at least".into()) } else { Ok(time) }
}

#[derive(Debug, Words)]
pub(crate) struct Show {
    /// A run
    #[arg(default_value = "last")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Logs {
    /// A run
    #[arg(default_value = "last")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Go on printing until the run has ended
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only the last N lines
    #[arg(long, short, value_name = "N", allow_negative_numbers = true)]
    pub(crate) tail: Option<usize>,
    /// Only this attempt (default: all)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) attempt: Option<u64>,
    /// Only standard error
    #[arg(long)]
    pub(crate) stderr: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Metrics {
    /// A run
    pub(crate) run: String,
    /// Print the points of this metric
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Points that a resumed attempt replaced, too
    #[arg(long)]
    pub(crate) superseded: bool,
    /// Not each point, but at most so many stretches of neighbouring ones: their first, last, least, greatest and mean
    #[arg(long, value_name = "N", requires = "name", conflicts_with = "superseded", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) buckets: Option<u32>,
    /// Print JSON: of a metric [step, Unix time, value] for each point, or an object for each stretch
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Plot {
    /// Runs
    #[arg(default_value = "last")]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// A metric; several are drawn together (default: the first objective, else a guess that is shown)
    #[arg(long, short, value_name = "NAME")]
    pub(crate) metric: Vec<String>,
    /// Write to this file: .svg, .png or .html
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The horizontal axis
    #[arg(long, default_value = "step", value_parser = ["step", "epoch", "time"])]
    pub(crate) x: String,
    /// Logarithmic vertical axis
    #[arg(long)]
    pub(crate) log: bool,
    /// Logarithmic horizontal axis
    #[arg(long)]
    pub(crate) log_x: bool,
    /// Smooth with this weight, from 0 (not at all) to below 1
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) smooth: Option<f64>,
    /// Width and height: of the terminal plot in characters, of a picture in pixels (default: 960x540)
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<String>,
    /// Points that a resumed attempt replaced, too, drawn faintly
    #[arg(long)]
    pub(crate) superseded: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Report {
    /// Runs
    #[arg(default_value = "last")]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Write to this file
    #[arg(long, short, value_name = "FILE", default_value = "report.html")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Words)]
pub(crate) struct Compare {
    /// Two runs or more
    #[arg(required = true)]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Also what is the same
    #[arg(long)]
    pub(crate) same: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Which {
    /// Runs
    #[arg(required = true)]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Words)]
pub(crate) struct Again {
    /// Runs
    #[arg(required = true)]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Return at once; the runs go on when the terminal is closed
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Tag {
    /// Runs: one word, such as 3, 40-50, or a filter
    pub(crate) which: String,
    /// Tags; @TAG then names the runs that have it
    #[arg(required = true)]
    pub(crate) tags: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Take the tags away
    #[arg(long)]
    pub(crate) remove: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Note {
    /// A run
    pub(crate) run: String,
    /// The note; without it the present one is printed, "" removes it
    pub(crate) text: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Words)]
pub(crate) struct Repair {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Clone {
    /// A run
    pub(crate) run: String,
    /// The folder to make; it must not exist, or be empty
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Words, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// Show at most so many queued runs (default: 50)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) limit: Option<usize>,
    /// Print JSON: as ls does, with when each will probably start
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Hold {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Why; it is shown with the runs
    #[arg(long, value_name = "TEXT")]
    pub(crate) because: Option<String>,
}

#[derive(Debug, Words)]
pub(crate) struct Move {
    /// Queued runs
    #[arg(required = true)]
    pub(crate) which: Vec<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Before all others of the same priority
    #[arg(long, conflicts_with_all = ["last", "before", "behind"])]
    pub(crate) first: bool,
    /// Behind all others of the same priority
    #[arg(long, conflicts_with_all = ["before", "behind"])]
    pub(crate) last: bool,
    /// Directly before this run
    #[arg(long, value_name = "RUN", conflicts_with = "behind")]
    pub(crate) before: Option<u64>,
    /// Directly behind this run
    #[arg(long, value_name = "RUN")]
    pub(crate) behind: Option<u64>,
}

#[derive(Debug, Words)]
pub(crate) struct Priority {
    /// Queued runs: one word, such as 3, 40-50, sweep:7, or a filter
    pub(crate) which: String,
    /// Higher ones start first; 0 is what runs have by themselves
    #[arg(allow_negative_numbers = true)]
    pub(crate) priority: i64,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Words)]
pub(crate) struct Quota {
    /// The project
    pub(crate) project: String,
    /// So many runs
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) runs: Option<u64>,
    /// So many GPUs
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) gpus: Option<u32>,
    /// No limit
    #[arg(long, conflicts_with_all = ["runs", "gpus"])]
    pub(crate) none: bool,
}

#[derive(Debug, Words)]
pub(crate) struct Serve {
    /// Answer by TCP, too, whoever has a token: 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Return as soon as the daemon answers
    #[arg(long, conflicts_with = "listen")]
    pub(crate) background: bool,
    /// Have systemd start the daemon for this user, now and from login on
    #[arg(long, conflicts_with_all = ["listen", "background"])]
    pub(crate) install: bool,
    /// Take that back; runs go on
    #[arg(long, conflicts_with_all = ["listen", "background", "install"])]
    pub(crate) uninstall: bool,
    /// It is the background
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// Leave when there has been nothing to do for so long
    #[arg(long, hide = true, value_name = "DURATION", value_parser = |word: &str| Millis::parse(word).ok_or("it is no duration"))]
    pub(crate) until_idle: Option<Millis>,
}

#[derive(Debug, Words)]
pub(crate) struct Token {
    /// What to call it; without a name the tokens are listed
    pub(crate) name: Option<String>,
    /// It may look, and change nothing
    #[arg(long, requires = "name", conflicts_with = "revoke")]
    pub(crate) viewer: bool,
    /// Take this token back
    #[arg(long, requires = "name")]
    pub(crate) revoke: bool,
}
