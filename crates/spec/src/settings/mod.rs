//! One experiment's tree to its settings: every value checked for its type and its sense. A file each concept.

mod checkpoints;
mod code;
mod command;
mod data;
mod environment;
mod metrics;
mod queue;
mod resources;

use crate::check::Written;
use crate::fill::Part;
use crate::literal;
use crate::moment::Moment;
use crate::problem::quoted;
use crate::read::Reader;
use crate::source::Span;
use crate::tree::Table;
use crate::wanted::{self, Wanted, What};
use neronet_model::Settings;
use neronet_model::queue::Wishes;
use neronet_model::settings::{Command, Environment};

/// An experiment as written: what it says of its runs, without its parameters.
pub(crate) struct Read {
    pub(crate) settings: Settings,
    pub(crate) parallel: Option<u64>,
    pub(crate) wishes: Wishes,
    pub(crate) not_before: Option<Moment>,
    pub(crate) written: Vec<Written>,
    pub(crate) wanted: Vec<Wanted>,
    /// The same by the entries of `settings.on`.
    pub(crate) wanted_on: Vec<Vec<Wanted>>,
    /// A `[[file]]` could not be read.
    pub(crate) lacks_files: bool,
}

/// Reads the settings. Nothing when there is no command; then that is among the problems.
pub(crate) fn read(table: &Table, header: Span, reader: &mut Reader<'_, '_>) -> Option<Read> {
    let mut written = Vec::new();
    let mut wanted = Vec::new();
    let (environment, setup) = environment::environment(table, reader, &mut wanted);
    let code = code::code(table, reader, &mut written, &mut wanted);
    let env = environment::env(table, reader, &mut written);
    let (resources, time_limit) = resources::resources(table, reader, &mut written, &mut wanted);
    let mut settings = Settings {
        flags: metrics::flags(table, reader),
        objectives: metrics::objectives(table, reader),
        secrets: environment::secrets(table, &env, reader, &mut wanted),
        env,
        inputs: data::inputs(table, reader, &mut written, &mut wanted),
        files: code::files(table, &code, reader, &mut written, &mut wanted),
        metrics: metrics::metrics(table, reader),
        checkpoints: checkpoints::checkpoints(table, &code, reader, &mut wanted),
        outputs: data::outputs(table, reader),
        then: command::then(table, reader, &mut written),
        time_limit,
        resources,
        stop: resources::stop(table, reader),
        stage: queue::stage(table, reader),
        target: queue::target(table, reader, &mut wanted),
        retry: queue::retry(table, reader, &mut written),
        notify: queue::notify(table, reader),
        rules: queue::rules(table, reader),
        environment,
        code,
        ..Settings::of(Command::Argv(Vec::new()))
    };
    let sweep = reader.section(table, "sweep");
    let parallel = sweep.and_then(|sweep| reader.whole(sweep.get("parallel")?, "sweep.parallel", 1));
    let wishes = sweep.map(|sweep| queue::wishes(sweep, reader)).unwrap_or_default();
    let not_before = sweep.and_then(|sweep| reader.moment(sweep.get("not_before")?, "sweep.not_before"));
    let command = match table.get("command") {
        Some(node) => command::command(node, "command", Part::Command, reader, &mut written),
        None => {
            command::no_command(table, header, reader);
            None
        }
    };
    let shell = matches!(command, Some(Command::Shell(_)));
    settings.resume = command::resume(table, shell, reader, &mut written);
    settings.command = command?;
    wanted.extend(wanted::words(&written, reader.found));
    wanted.extend(wanted::programs(&settings, &written, &setup, reader.found));
    written.extend(literal::written(table));
    let wanted_on;
    (settings.on, wanted_on) = on(table, header, reader, &mut written, &mut wanted).into_iter().unzip();
    let lacks_files = reader.tables(table, "file").len() > settings.files.len();
    Some(Read { settings, parallel, wishes, not_before, written, wanted, wanted_on, lacks_files })
}

/// What `[targets.NAME]` says of the environment there, which a specification may say otherwise.
pub(crate) fn environment_of_target(own: &Table, reader: &mut Reader<'_, '_>) -> Environment {
    environment::lines(own, "targets", reader, &mut Vec::new()).0
}

/// Values times targets that have them.
const MOST_ON_TARGETS: usize = 20_000;

/// A target's name with the whole settings of a run there, and what must be there for it.
type There = ((String, Settings), Vec<Wanted>);

/// What holds on each target that an `[on.TARGET]` names.
fn on(table: &Table, header: Span, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>, wanted: &mut Vec<Wanted>) -> Vec<There> {
    let targets = reader.named(table, "on");
    if targets.is_empty() {
        return Vec::new();
    }
    let shared = table.without(&["on", "params", "sweep", "experiment"]);
    if shared.size().saturating_mul(targets.len()) > MOST_ON_TARGETS {
        let message = format!("{} [on.TARGET] with {} values each are more than an experiment may have", targets.len(), shared.size());
        reader.found.error(header, message, "what is the same on all targets belongs above them".to_string());
        return Vec::new();
    }
    let mut settings = Vec::new();
    for (key, own) in targets {
        if let Some(why) = queue::no_target(&key.name) {
            reader.found.error(
                key.span,
                format!("{} cannot be the name of a target: {why}", quoted(&key.name)),
                "a short word, such as gpu1".to_string(),
            );
        }
        // What is the same everywhere is told as misplaced.
        let own = own.without(&["on", "params", "sweep", "experiment"]);
        let Some(read) = read(&shared.merged(&own), header, reader) else { continue };
        written.extend(read.written.into_iter().map(|template| Written { target: Some(settings.len()), ..template }));
        wanted.push(Wanted::new(What::On(key.name.clone()), key.span, reader.found));
        settings.push(((key.name.clone(), read.settings), read.wanted));
    }
    settings
}
