//! Commands whose home is on another machine: carried out there, with the code, the files and the terminal of whoever typed them.

use crate::args::{Args, Command, ExportFormat, TargetCommand, There};
use crate::commands::fetch::far;
use crate::commands::progress::Progress;
use crate::commands::shell::{Came, UNREACHED, came, with_progress};
use crate::output;
use crate::session::Session;
use clap::Parser;
use neronet_home::remote::{self, Remote, RemoteHome, Wanted};
use neronet_home::travel::Going;
use neronet_home::{Context, HomeError};
use neronet_report::words as written;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

/// What is said there as it would be here.
const VARIABLES: [&str; 3] = ["NO_COLOR", "TERM", "NERONET_NOW"];

/// What a command has of this machine.
enum Files<'c> {
    Nothing,
    /// The code of the project, and the specification in it that is named.
    Code(Option<&'c str>),
    /// It reads these.
    Reads(&'c [PathBuf]),
    /// It writes this: a file or a folder. Whether what is there already goes.
    Writes(&'c Path, bool),
}

/// All but what needs no home at all.
pub(crate) fn is_there(command: &Command) -> bool {
    match command {
        Command::Init(_) | Command::Schema | Command::Openapi | Command::Reference => false,
        Command::Check(words) => words.learn.is_none(),
        _ => true,
    }
}

/// What is carried out in a copy of the code that came along, and nowhere else.
pub(crate) fn needs_code(command: &Command) -> bool {
    matches!(files(command), Files::Code(_))
}

fn files(command: &Command) -> Files<'_> {
    match command {
        Command::Run(words) => Files::Code(words.what.spec.as_deref()),
        Command::Submit(words) => Files::Code(words.what.spec.as_deref()),
        Command::Check(words) => Files::Code(words.spec.as_deref()),
        Command::Import(words) => Files::Reads(&words.paths),
        Command::There(There::Push(words)) => Files::Reads(&words.paths),
        Command::Export(words) if words.output.as_os_str() != "-" => {
            // A folder is never written over.
            Files::Writes(&words.output, words.force && words.format != Some(ExportFormat::Tensorboard))
        }
        Command::Plot(words) => words.output.as_deref().map_or(Files::Nothing, |output| Files::Writes(output, true)),
        Command::Report(words) => Files::Writes(&words.output, true),
        Command::Clone(words) => Files::Writes(&words.folder, false),
        Command::There(There::Fetch(words)) => words.into.as_deref().map_or(Files::Nothing, |into| Files::Writes(into, true)),
        _ => Files::Nothing,
    }
}

/// What starts processes, which get the environment that a login gives.
fn starts(command: &Command) -> bool {
    use Command::{Check, Release, Resume, Retry, Run, Serve, Submit};
    matches!(command, Run(_) | Submit(_) | Check(_) | Resume(_) | Retry(_) | Release(_) | Serve(_) | Command::There(There::Shell(_)))
}

/// What may end with any code, as what it executes does, which gets our input, too.
fn passes_its_end_on(command: &Command) -> bool {
    match command {
        Command::There(There::Shell(_)) => true,
        Command::Target(words) => matches!(words.what, Some(TargetCommand::Exec(_))),
        _ => false,
    }
}

/// What stays while runs execute, and asks them to stop when it is asked to end.
fn stays(command: &Command) -> bool {
    match command {
        Command::Run(words) => !words.detach,
        Command::Submit(words) => words.wait,
        Command::Resume(words) | Command::Retry(words) => !words.detach,
        Command::Check(words) => words.smoke.is_some(),
        _ => false,
    }
}

pub(crate) fn carry_out(session: &Session, home: &RemoteHome, command: &Command, words: &[OsString]) -> Result<ExitCode, HomeError> {
    let remote = Remote::new(&session.context, home);
    let words = without_home(remote::as_text(words)?);
    let first = carried_out(session, (&remote, home), command, words.clone());
    // The machine has refused us, and whoever is there may be asked for what it wants.
    let asks = first.is_err() && io::stdin().is_terminal() && io::stderr().is_terminal();
    if let Some(mut login) = remote.login().filter(|_| asks)
        && login.status().is_ok_and(|ended| ended.success())
    {
        return carried_out(session, (&remote, home), command, words);
    }
    first
}

fn carried_out(
    session: &Session,
    (remote, home): (&Remote<'_>, &RemoteHome),
    command: &Command,
    words: Vec<String>,
) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    remote.ready()?;
    let mut wanted =
        Wanted { words, login: starts(command), signals: stays(command), project: remote.named_project(), ..Wanted::default() };
    wanted.variables = VARIABLES.iter().filter_map(|name| Some(((*name).to_string(), context.variable(name)?))).collect();
    wanted.variables.push(("COLUMNS".into(), session.width.to_string()));
    let files = files(command);
    let carried = match &files {
        Files::Reads(paths) => remote::carried(&context.folder, paths, matches!(command, Command::Import(_)))?,
        _ => Vec::new(),
    };
    for one in &carried {
        wanted.words = by_name(wanted.words, &one.path, one.name.as_str());
        wanted.project.brought.insert(one.place.0.clone(), one.place.1.display().to_string());
    }
    if let Files::Writes(path, over) = files {
        is_free(context, path, over)?;
        wanted.words = by_name(wanted.words, path, remote::own_name(&context.folder.join(path))?.as_str());
    }
    if matches!(files, Files::Reads(_) | Files::Writes(..)) {
        wanted.scratch = Some(context.uid()?);
    }
    remote.fits(&wanted)?;
    if let Some(scratch) = wanted.scratch.filter(|_| !carried.is_empty()) {
        let progress = Progress::new();
        remote.bring(scratch, &carried, &mut |going| progress.say(|| format!("to {}: {}", home.address(), far(going))))?;
    }
    let done = brought_back(session, (remote, home), (command, &files), &mut wanted);
    let is_reached = !matches!(done, Err(HomeError::Target(_)));
    if let Some(scratch) = wanted.scratch.filter(|_| is_reached) {
        remote.clear(scratch);
    }
    Ok(done?.end())
}

/// Carries it out, and fetches what it has written.
fn brought_back(
    session: &Session,
    (remote, home): (&Remote<'_>, &RemoteHome),
    (command, files): (&Command, &Files<'_>),
    wanted: &mut Wanted,
) -> Result<Came, HomeError> {
    let came = executed(remote, home, (command, files), wanted)?;
    if let (Files::Writes(path, over), Some(scratch), 0) = (files, wanted.scratch, came.code) {
        // It may have taken a while.
        is_free(&session.context, path, *over)?;
        let progress = Progress::new();
        let tick = &mut |going: &Going| progress.say(|| format!("from {}: {}", home.address(), far(going)));
        let some = remote.fetch(scratch, &session.context.folder.join(path), tick)?;
        // A folder may have nothing in it.
        if !some && !matches!(command, Command::Clone(_) | Command::There(There::Fetch(_))) {
            let (name, there) = (path.display(), home.address());
            return Err(HomeError::Failed(format!("{name} did not come: {there} says that it is written, and has no such file")));
        }
    }
    Ok(came)
}

fn executed(
    remote: &Remote<'_>,
    home: &RemoteHome,
    (words, files): (&Command, &Files<'_>),
    wanted: &mut Wanted,
) -> Result<Came, HomeError> {
    if let Files::Code(spec) = files {
        let (project, notes) = sending(home, |tick| remote.send_project(*spec, tick))?;
        wanted.project = project;
        notes.iter().for_each(|note| output::notice(&format!("note: {note}")));
    }
    let mut again = false;
    loop {
        let mut command = with_progress(&home.address().to_string(), |tick| remote.command(wanted, tick))?;
        if command.mark.is_some() && !passes_its_end_on(words) {
            // It reads none, and what stands there is for others: the next lines of a loop, the keys of a pager.
            command.command.stdin(Stdio::null());
        }
        let may_be_its_own = command.mark.is_some() && passes_its_end_on(words);
        let came = came(command)?.map_err(|trouble| remote.told(&trouble))?;
        match came.code {
            UNREACHED if !may_be_its_own => {
                let where_home_is = home.address();
                return Err(HomeError::Target(format!("{where_home_is}, where home is, is unreachable, or the connection was lost")));
            }
            // The binary, or what had been sent, may have gone from there; else it is what the command ended with.
            126 | 127 if !again => {
                again = with_progress(&home.address().to_string(), |tick| remote.open(true, tick))?;
                if let Some(code) = &wanted.project.code {
                    again |= sending(home, |tick| remote.send(&code.snapshot, tick))?;
                }
                if !again {
                    return Ok(came);
                }
            }
            _ => return Ok(came),
        }
    }
}

fn sending<T>(home: &RemoteHome, work: impl FnOnce(&dyn Fn(u64, u64)) -> T) -> T {
    let progress = Progress::new();
    work(&|done, all| progress.say(|| format!("the code to {}: {} of {}", home.address(), written::bytes(done), written::bytes(all))))
}

/// Refuses what is there already. A folder with nothing in it is not.
fn is_free(context: &Context, path: &Path, over: bool) -> Result<(), HomeError> {
    let place = context.folder.join(path);
    let taken = match std::fs::read_dir(&place) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => place.symlink_metadata().is_ok(),
    };
    if taken && !over { Err(HomeError::Words(format!("{} is there already", path.display()))) } else { Ok(()) }
}

/// Where home is said only to us.
fn without_home(words: Vec<String>) -> Vec<String> {
    let (mut left, mut all) = (Vec::new(), words.into_iter().skip(1));
    while let Some(word) = all.next() {
        match word.as_str() {
            "--home" => drop(all.next()),
            "--" => {
                left.push(word);
                left.extend(all.by_ref());
            }
            _ if word.starts_with("--home=") => {}
            _ => left.push(word),
        }
    }
    left
}

/// A path as it is called where the command works, wherever it is the path that is meant.
fn by_name(mut words: Vec<String>, path: &Path, name: &str) -> Vec<String> {
    let whole = path.to_string_lossy();
    for at in 0..words.len() {
        let Some(option) = words.get(at).and_then(|word| word.strip_suffix(&*whole)).map(str::to_string) else { continue };
        if is_a_file(&words, at, &option) {
            words[at] = format!("{option}{name}");
        }
    }
    words
}

/// Whether what stands behind the option in this word is read as a file of the command: another one would be, then.
fn is_a_file(words: &[String], at: usize, option: &str) -> bool {
    // Nobody has typed that.
    const OTHER: &str = "\0";
    let other = |(n, word): (usize, &String)| if n == at { format!("{option}{OTHER}") } else { word.clone() };
    let words = std::iter::once("neronet".to_string()).chain(words.iter().enumerate().map(other));
    let Ok(args) = Args::try_parse_from(words) else { return false };
    match files(&args.command) {
        Files::Reads(paths) => paths.iter().any(|path| path.as_os_str() == OTHER),
        Files::Writes(path, _) => path.as_os_str() == OTHER,
        Files::Nothing | Files::Code(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn where_home_is_is_not_said_there() {
        assert_eq!(without_home(words("neronet --home ssh://gpu1 ls -a")), words("ls -a"));
        assert_eq!(without_home(words("neronet run --home=ssh://gpu1 -- x --home y")), words("run -- x --home y"));
    }

    #[test]
    fn files_are_named_as_they_are_called_there() {
        let path = Path::new("../out/a b.csv");
        let named = |words: &[&str]| by_name(words.iter().map(ToString::to_string).collect(), path, "a b.csv");
        assert_eq!(named(&["export", "1", "-o", "../out/a b.csv"]), ["export", "1", "-o", "a b.csv"]);
        assert_eq!(named(&["export", "1", "-o../out/a b.csv"]), ["export", "1", "-oa b.csv"]);
        assert_eq!(named(&["export", "--output=../out/a b.csv", "lr"]), ["export", "--output=a b.csv", "lr"]);
        assert_eq!(named(&["export", "x../out/a b.csv", "-o", "y.csv"]), ["export", "x../out/a b.csv", "-o", "y.csv"]);
        // Other words may say the same, and mean something else.
        let named = |path: &str, name: &str, typed: &str| by_name(words(typed), Path::new(path), name).join(" ");
        assert_eq!(named("ck/best.pt", "best.pt", "fetch 3 ck/best.pt --into ck/best.pt"), "fetch 3 ck/best.pt --into best.pt");
        assert_eq!(named(".", "ss", "fetch 3 . --into ."), "fetch 3 . --into ss");
        assert_eq!(named("a/b", "b", "clone -a a/b a/b"), "clone -a a/b b");
        assert_eq!(named("a/b", "b", "import a/b --project a/b"), "import b --project a/b");
        assert_eq!(named("a/b", "b", "plot a/b -m a/b -oa/b"), "plot a/b -m a/b -ob");
        assert_eq!(named("a/b", "b", "push a/b a/b --to a/b"), "push a/b b --to a/b");
    }
}
