//! The language as a table: every key of a specification, what its value is, what it says, and whether it is carried out.

use super::{Key, Kind, Place, Section, State, When};

const fn key(name: &'static str, kind: Kind, says: &'static str) -> Key {
    Key { name, kind, says, place: Place::Anywhere, state: State::Now, needed: false }
}

impl Key {
    const fn of_top(self) -> Key {
        Key { place: Place::Top, ..self }
    }

    const fn of_experiment(self) -> Key {
        Key { place: Place::Experiment, ..self }
    }

    const fn of_run(self) -> Key {
        Key { place: Place::Run, ..self }
    }

    const fn later(self, when: When, instead: &'static str) -> Key {
        Key { state: State::Later(when, instead), ..self }
    }

    const fn needed(self) -> Key {
        Key { needed: true, ..self }
    }
}

const fn section(header: &'static str, keys: &'static [Key]) -> Section {
    Section { header, keys, ways: &[] }
}

pub(crate) const BOOL_STYLES: &[&str] = &["switch", "value", "no-prefix"];
pub(crate) const LIST_STYLES: &[&str] = &["spaces", "commas", "repeat", "brackets"];
pub(crate) const FINGERPRINTS: &[&str] = &["listing", "hash", "none"];
pub(crate) const FILE_FORMATS: &[&str] = &["yaml", "json", "toml", "ini"];
pub(crate) const FETCHED: &[&str] = &["best", "last", "all", "none"];
pub(crate) const MATCHES: &[&str] = &["best", "all"];
pub(crate) const RULE_ACTIONS: &[&str] = &["notify", "stop", "checkpoint-and-stop", "requeue", "run"];
pub(crate) const RETRY_ON: &[&str] = &["crash", "oom", "lost", "time"];
pub(crate) const NOTIFY_ON: &[&str] = &["started", "finished", "failed", "stopped", "problem"];

/// What begins with `~` or holds `$` would mean something to a shell.
pub(crate) const PATH: &str = "^[^~$][^$]*$";
const SECRET: &str = r"^(env$|env:[A-Za-z_][A-Za-z0-9_]*$|file:\s*\S|command:\s*\S)";
const NEEDS: &str = r"^\s*([0-9]+\s*files?|[0-9]+(\.[0-9]+)?\s*([bB]|[bB]ytes|[kKmMgGtTpP]([iI]?[bB]?)))\s*$";
/// What git takes for a commit and nobody for an option.
pub(crate) const COMMIT: &str = "^([A-Za-z0-9_.][A-Za-z0-9_./+@^~-]*)?$";
const HOLD: &str = r"^\s*[0-9]+(\.[0-9]+)?\s*[A-Za-z]+(\s+[0-9]+\s*[A-Za-z]+)*\s*$";

#[rustfmt::skip]
pub(crate) static TOP: Section = section("", &[
    key("project", Kind::Name, "The project that the runs belong to. Default: the name of the git work tree, else of the folder").of_top(),
    key("include", Kind::Paths, "Specifications whose keys hold here as well; what this file says stands instead").of_top(),
    key("name", Kind::Name, "The name of the experiment. Default: the script's name").of_run(),
    key("id", Kind::Text, "Of an element of a list: one with the same id replaces it").of_experiment(),
    key("command", Kind::Command, "What a run executes: a text for the shell, or a list of arguments. {NAME} stands for a parameter, {flags} for all that are used nowhere else"),
    key("objective", Kind::Objective, "What \"best\" means: a metric and min or max, as \"val_error min\"; of several in a list the first counts most"),
    key("target", Kind::Texts, "The targets, or groups of them, where the runs execute, the first that has room; local is this machine. Default: what targets.toml says, else this machine").of_run(),
    key("params", Kind::Params, "The parameters. A list varies: one run for each combination").of_run(),
    key("sweep", Kind::Table(&SWEEP), "How the parameters combine, and how many runs execute at a time").of_run(),
    key("flags", Kind::Table(&FLAGS), "How {flags} writes parameters"),
    key("environment", Kind::Table(&ENVIRONMENT), "Which Python, modules and shell the command gets"),
    key("env", Kind::Scalars, "Variables of the process. Values take placeholders"),
    key("secrets", Kind::Alike(SECRET), "Variables whose values are found when a run starts, and never written down: \"env\", \"env:NAME\", \"file:PATH\" or \"command:TEXT\""),
    key("inputs", Kind::Named(&INPUT), "Data that the runs read, used as {inputs.NAME}"),
    key("code", Kind::Table(&CODE), "What is frozen of the code, and where the command starts"),
    key("file", Kind::Tables(&FILE), "Configuration files that each run gets"),
    key("resources", Kind::Table(&RESOURCES), "What a run needs"),
    key("stop", Kind::Table(&STOP), "How a run is asked to stop"),
    key("metrics", Kind::Table(&METRICS), "Metrics beyond those that are read from the output by themselves"),
    key("checkpoints", Kind::Table(&CHECKPOINTS), "Which files are checkpoints, and which of them stay"),
    key("resume", Kind::Table(&RESUME), "How a run goes on from a checkpoint: one of three ways"),
    key("outputs", Kind::Table(&OUTPUTS), "Other files that a run leaves and that are kept"),
    key("then", Kind::Tables(&THEN), "Further steps of the same run, after its command has ended well"),
    key("rule", Kind::Tables(&RULE), "Conditions on metrics, each with an action").later(When::Rules, "judges no rule"),
    key("retry", Kind::Table(&RETRY), "Whether a failed run is tried again by itself"),
    key("notify", Kind::Table(&NOTIFY), "Who is told what").later(When::Notifications, "tells nobody"),
    key("on", Kind::Targets, "Keys that hold only for runs on the target of this name, or on those of a group").of_run(),
    key("experiment", Kind::Experiments, "An experiment. It has everything above it, and overrides what it names").of_run(),
    key("include_self", Kind::Flag, "Whether the top of the file is an experiment as well, where it holds others").of_run(),
    key("unset", Kind::Texts, "Keys that do not hold here, although they are inherited: \"params.depth\"").of_experiment(),
    key("after", Kind::Text, "Another experiment: each of its finished runs gives one run here").of_experiment(),
    key("match", Kind::WordOrTexts(MATCHES), "Which runs of the experiment that `after` names: those with the same values of these parameters, the best one, or all").of_experiment(),
]);

/// `targets.toml`.
#[rustfmt::skip]
pub(crate) static TARGETS: Section = section("targets.toml", &[
    key("default", Kind::Text, "The target or group where runs go that name none. Default: local, this machine"),
    key("groups", Kind::Values, "Names for several targets: gpu = [\"gpu1\", \"gpu2\"]"),
    key("targets", Kind::Named(&TARGET), "The targets by their names"),
]);

#[rustfmt::skip]
static TARGET: Section = section("[targets.NAME]", &[
    key("address", Kind::Text, "How it is reached: ssh://user@host, with ?scheduler=slurm or ?scheduler=gridengine behind it where runs are handed to one. Of [targets.local], which is this machine, local://"),
    key("folder", Kind::Path, "Where everything of neronet is there: an absolute path with room"),
    key("max_runs", Kind::Whole(1), "So many runs at a time at most"),
    key("leave_cores", Kind::Whole(0), "So many processors are left to others. Default: one of a laptop's"),
    key("leave_memory", Kind::Size, "So much memory is left to others, as \"4 GB\". Default: an eighth of a laptop's"),
    key("leave_gpus", Kind::Whole(0), "So many GPUs are left to others"),
    key("named", Kind::Amounts, "How many there are of what [resources.named] asks for: matlab = 2"),
    key("nice", Kind::Whole(0), "Added to the niceness of what runs there, up to 19: more yields more. Default: 10 on a laptop"),
    key("idle_disk", Kind::Flag, "Whether runs use the disk only when nobody else does. Default: false"),
    key("pause_on_battery", Kind::Flag, "Whether nothing starts while the machine runs on its battery. Default: false"),
    key("hours", Kind::Lines, "When runs start there, by its own clock: [\"mon-fri 18:00-08:00\", \"sat-sun\"]. What runs goes on. Default: always"),
    key("maintenance", Kind::Tables(&MAINTENANCE), "When no runs start there, and none that could still run when it begins"),
    key("vars", Kind::Scalars, "What {target.NAME} stands for there"),
    key("account", Kind::Text, "The scheduler's account"),
    key("partition", Kind::Text, "The scheduler's partition"),
    key("queue", Kind::Text, "The scheduler's queue"),
    key("options", Kind::Texts, "Further options for the scheduler: [\"--constraint=a100\"]"),
    key("setup", Kind::Lines, "Lines of shell before each command there, as \"module load cuda\""),
    key("python", Kind::Path, "The virtual or conda environment there"),
    key("shell", Kind::Text, "A shell of the Bourne family. Default: bash where there is one, else sh"),
]);

#[rustfmt::skip]
static MAINTENANCE: Section = section("maintenance", &[
    key("from", Kind::Moment, "Its begin, by the clock of that machine: \"2026-12-01 08:00\""),
    key("until", Kind::Moment, "Its end. Default: until further notice"),
    key("why", Kind::Text, "What whoever waits for it is told: \"new disks\""),
]);

#[rustfmt::skip]
static SWEEP: Section = section("[sweep]", &[
    key("zip", Kind::Groups, "Parameters that vary together: a list of names, or one for each group"),
    key("only_if", Kind::Lines, "A condition on parameters: other combinations are no runs"),
    key("samples", Kind::Whole(1), "How many values are drawn for parameters that are"),
    key("seed", Kind::Whole(0), "Another seed gives other draws. Default: 0"),
    key("parallel", Kind::Whole(1), "How many runs at a time. Default: as many as the machine has room for; one with `neronet run`"),
    key("priority", Kind::Integer, "Runs with a higher one start first. Default: 0"),
    key("not_before", Kind::Moment, "No run starts before this: \"2026-11-23 22:00\" in local time, \"22:00\" for the next such time, or \"in 2h\" from the submission"),
    key("gpu_hours", Kind::Positive, "Nothing more starts once the runs had GPUs for so many hours together"),
    key("hold_after", Kind::Whole(1), "The sweep is held when so many of its runs failed of the same cause"),
]);

#[rustfmt::skip]
static FLAGS: Section = section("[flags]", &[
    key("bool", Kind::Word(BOOL_STYLES), "switch: --amp or nothing; value: --amp true; no-prefix: --amp or --no-amp. Default: switch"),
    key("list", Kind::Word(LIST_STYLES), "spaces: --betas 0.9 0.999; commas: --betas 0.9,0.999; repeat: the flag once for each; brackets: one argument. Default: spaces"),
    key("dashes", Kind::Flag, "Whether batch_size is written --batch-size. Default: false"),
]);

#[rustfmt::skip]
static ENVIRONMENT: Section = section("[environment]", &[
    key("setup", Kind::Lines, "Lines of shell before the command, as \"module load cuda\""),
    key("python", Kind::Path, "A virtual or conda environment, relative to the specification"),
    key("shell", Kind::Text, "A shell of the Bourne family. Default: bash where there is one, else sh"),
]);

#[rustfmt::skip]
static INPUT: Section = section("[inputs.NAME]", &[
    key("path", Kind::Path, "Where it is: absolute, or relative to the specification. Takes parameters and {target.NAME}").needed(),
    key("needs", Kind::Like(NEEDS), "How much must be there at least: \"3 GB\" or \"50000 files\""),
    key("files", Kind::Inners, "Files that must be in it"),
    key("fingerprint", Kind::Word(FINGERPRINTS), "By what it is known again: names, sizes and times (listing), its bytes (hash), or not at all (none). Default: listing"),
    key("push", Kind::Flag, "Whether it is brought from here to the other machines where runs execute, before they start. Default: false"),
]);

#[rustfmt::skip]
static CODE: Section = section("[code]", &[
    key("directory", Kind::Path, "Where the command starts, relative to the specification"),
    key("link", Kind::Paths, "Ignored or large folders and files that the run reads"),
    key("build", Kind::Text, "Shell text, run once for each snapshot and target before its runs"),
    key("commit", Kind::Like(COMMIT), "A commit, tag or branch of the repository: the runs get its files, not those of the work tree. Empty: those of the work tree"),
    key("in_place", Kind::Flag, "Run in the work tree itself; nothing is frozen. Default: false"),
]);

#[rustfmt::skip]
static FILE: Section = Section { ways: &[(&["template", "to"], &["edit", "set", "format"]), (&["edit", "set"], &["template"])], ..section("[[file]]", &[
    key("id", Kind::Text, "One with the same id replaces it"),
    key("template", Kind::Inner(PATH), "A file whose text has placeholders, as a command has"),
    key("to", Kind::Inner(PATH), "Where the result is written, relative to the specification"),
    key("edit", Kind::Inner(PATH), "A YAML, JSON, TOML or INI file in which values are set; the rest of it stays as it is"),
    key("format", Kind::Word(FILE_FORMATS), "How the file of `edit` is written. Default: by the ending of its name, .yaml, .yml, .json, .toml, .ini, .cfg or .conf"),
    key("set", Kind::Values, "The values by their paths: \"optim.lr\" = \"{lr}\""),
]) };

#[rustfmt::skip]
static RESOURCES: Section = section("[resources]", &[
    key("cpus", Kind::Whole(1), "Processor cores"),
    key("gpus", Kind::Gpus, "A number, \"all\", a range such as \"2-8\", a fraction such as 0.5, or an expression of parameters; 0 hides them"),
    key("gpu_memory", Kind::Size, "Memory of each GPU: runs that say so share one"),
    key("memory", Kind::Size, "Main memory"),
    key("disk", Kind::Size, "Room on the disk where home is"),
    key("named", Kind::Amounts, "Licences and the like, of which config.toml says how many there are: matlab = 1"),
    key("time", Kind::Duration, "The whole training is asked to stop after this"),
    key("slot", Kind::Duration, "One attempt, where a cluster limits it; the training goes on in the next one").later(When::Queue, "knows no slots"),
]);

#[rustfmt::skip]
static STOP: Section = section("[stop]", &[
    key("signal", Kind::Signal, "What a run is asked by. Default: TERM"),
    key("before", Kind::Duration, "The signal is sent so long before the end of a slot").later(When::Queue, "knows no slots"),
    key("grace", Kind::Grace, "From the signal to KILL. Default: 30 s"),
]);

#[rustfmt::skip]
static METRICS: Section = section("[metrics]", &[
    key("patterns", Kind::Lines, "Regular expressions with named groups, tried on each line first"),
    key("ignore", Kind::Texts, "Names that are not recorded; * stands for any text"),
    key("files", Kind::Paths, "CSV and JSON files that hold metrics: globs relative to where the command starts"),
    key("tensorboard", Kind::Paths, "TensorBoard event files, and folders with such at any depth: globs relative to where the command starts"),
]);

#[rustfmt::skip]
static CHECKPOINTS: Section = section("[checkpoints]", &[
    key("paths", Kind::Paths, "Globs relative to where the command starts"),
    key("keep", Kind::Table(&KEEP), "What stays; without it nothing is deleted"),
    key("fetch", Kind::Word(FETCHED), "Which checkpoint comes home from another machine by itself. Default: the best, up to 2 GB"),
    key("signal", Kind::Signal, "The signal that makes the script save one now; without it none is sent").later(When::Later, "never sends it"),
]);

#[rustfmt::skip]
static KEEP: Section = section("[checkpoints.keep]", &[
    key("best", Kind::Whole(0), "So many of the best, by the first objective"),
    key("last", Kind::Whole(0), "So many of the last"),
]);

#[rustfmt::skip]
static RESUME: Section = Section { ways: &[(&["arguments"], &["command", "automatic"]), (&["command"], &["arguments", "automatic"]), (&["automatic"], &["arguments", "command"])], ..section("[resume]", &[
    key("arguments", Kind::Text, "Appended to the command: \"--resume {checkpoint}\""),
    key("command", Kind::Command, "Run instead of the command"),
    key("automatic", Kind::True, "The script finds its own checkpoint"),
]) };

#[rustfmt::skip]
static OUTPUTS: Section = section("[outputs]", &[
    key("keep", Kind::Inners, "Globs relative to where the command starts"),
    key("max", Kind::Size, "So much of them at most"),
]);

#[rustfmt::skip]
static THEN: Section = section("[[then]]", &[
    key("id", Kind::Text, "One with the same id replaces it"),
    key("name", Kind::Name, "The name of the step. Default: the script's name"),
    key("command", Kind::Command, "What it executes; {checkpoint} and {checkpoint.best} are those of the run").needed(),
]);

#[rustfmt::skip]
static RULE: Section = Section { ways: &[(&["when"], &[]), (&["after"], &[])], ..section("[[rule]]", &[
    key("id", Kind::Text, "One with the same id replaces it"),
    key("when", Kind::Text, "A condition on metrics: \"val_error > 0.5 and epoch >= 3\""),
    key("after", Kind::Duration, "Not before the run is this old"),
    key("for", Kind::Like(HOLD), "So long the condition must hold: \"3 epochs\", \"500 steps\", \"10 min\""),
    key("do", Kind::Word(RULE_ACTIONS), "What is done then").needed(),
]) };

#[rustfmt::skip]
static RETRY: Section = section("[retry]", &[
    key("times", Kind::Whole(0), "So many times at most; slots, preemptions and lost nodes never count"),
    key("on", Kind::Words(RETRY_ON), "After which ends. Default: any"),
    key("backoff", Kind::Duration, "Before the first retry; doubled before each further one. Default: none"),
    key("on_oom", Kind::Expressions, "Parameters that a retry after \"oom\" changes: batch_size = \"batch_size / 2\""),
]);

#[rustfmt::skip]
static NOTIFY: Section = section("[notify]", &[
    key("email", Kind::Texts, "Addresses that get a mail"),
    key("on", Kind::Words(NOTIFY_ON), "What is told"),
]);
