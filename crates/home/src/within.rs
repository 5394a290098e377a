//! Something executed on a target for whoever is at home: a command, or a shell in a run's folder and environment. What is wanted goes
//! there as one word of letters and digits, which every login shell passes on as it is.

use crate::agent;
use crate::context::Context;
use crate::error::HomeError;
use crate::remote::{ATTENDED, Own, login};
use crate::runner::login_shell;
use crate::targets;
use crate::view::View;
use crate::word;
use neronet_model::target::{LOCAL, Target};
use neronet_model::{AttemptNo, RunId, Uid};
use neronet_store::spool;
use neronet_supervise::start::METRICS_VARIABLE;
use neronet_target::channel::Channel;
use neronet_target::{PassedOn, Signals, attended, shell};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is to be executed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Within {
    /// Whose folder it is, where a run is meant.
    home: Option<Uid>,
    target: String,
    run: Option<(RunId, AttemptNo)>,
    /// None: a shell.
    argv: Vec<String>,
    /// neronet itself, with these words.
    own: Option<Own>,
    /// Said before it begins, where somebody waits for that.
    mark: Option<String>,
}

impl Within {
    pub(crate) fn neronet(home: Uid, target: &str, words: &[String], own: Own) -> Within {
        Within { home: Some(home), target: target.to_string(), run: None, argv: words.to_vec(), own: Some(own), mark: None }
    }
}

/// A shell where a run executes, or did; or a command there. `tick` is told how much of our own binary is there, where it is brought, and
/// of how much.
///
/// # Errors
/// The run has no folder yet, or its target is not known any more.
pub fn of_run(context: &Context, view: &View<'_>, argv: &[String], tick: &dyn Fn(u64, u64)) -> Result<PassedOn, HomeError> {
    let (id, n) = (view.id, AttemptNo(view.run().attempts));
    let attempts = spool::attempts_of(&context.home.run(id))?;
    let Some(n) = attempts.into_iter().rev().find(|known| *known <= n) else {
        return Err(HomeError::Failed(format!("run {id} has not been started, so there is no folder of it yet ({})", view.status())));
    };
    if view.target() == LOCAL {
        return Ok(PassedOn { command: in_run(&context.home.attempt(id, n), argv, None)?, mark: None, signals: Signals::End });
    }
    let home = context.home.uid()?;
    let within = Within { home, target: view.target().to_string(), run: Some((id, n)), argv: argv.to_vec(), own: None, mark: None };
    there(context, view.target(), within, tick)
}

/// A command on a target, where its user comes in.
///
/// # Errors
/// There is no such target.
pub fn of_target(context: &Context, name: &str, argv: &[String], tick: &dyn Fn(u64, u64)) -> Result<PassedOn, HomeError> {
    let within = Within { home: None, target: name.to_string(), run: None, argv: argv.to_vec(), own: None, mark: None };
    there(context, name, within, tick)
}

pub(crate) fn there(context: &Context, name: &str, mut within: Within, tick: &dyn Fn(u64, u64)) -> Result<PassedOn, HomeError> {
    let all = targets::all(context)?;
    let target: &Target = all.get(name).ok_or_else(|| targets::unknown(&all, name))?;
    let folder = targets::place_there(name, target)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if !folder.chars().all(plain) {
        let what = folder.escape_debug();
        return Err(HomeError::Words(format!(
            "{name}: a login shell could read '{what}' as something else: choose a folder of plain letters"
        )));
    }
    let ssh = targets::ssh(context)?;
    let binary = match targets::has_binary(context, name)? {
        Some(binary) => binary,
        None => open(context, name, tick)?.binary.clone(),
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // On a terminal, what login files print is where it always is.
    within.mark = if terminal { None } else { Some(shell::mark().map_err(|trouble| HomeError::of_target(name, &trouble))?) };
    let execute = |within: &Within, terminal| {
        let words = [&format!("{folder}/bin/{binary}"), "within", &word::of(within)];
        ssh.execute(name, &target.address, &words, terminal)
    };
    let signals = match &mut within.own {
        Some(own) if own.signals && terminal => {
            // Ctrl-C goes there as the key that it is.
            own.signals = false;
            let known_as = context.uid()?;
            own.known_as = Some(known_as);
            let path = format!("{folder}/{}/{name}/{ATTENDED}/{known_as}", within.home.map(|home| home.to_string()).unwrap_or_default());
            let argv = ["/bin/sh", "-c", r#"read -r pid <"$0" && kill -TERM "$pid""#, &path].map(String::from).into();
            let tell = Within { home: None, target: name.to_string(), run: None, argv, own: None, mark: None };
            Signals::Terminal(Some(execute(&tell, false)))
        }
        Some(own) if own.signals => Signals::Bytes,
        _ if terminal => Signals::Terminal(None),
        _ => Signals::End,
    };
    Ok(PassedOn { command: execute(&within, terminal), mark: within.mark, signals })
}

/// Brings the binary to a target where it is not, and tells `tick` how much of it is there. Whether it was not, or another one is right.
///
/// # Errors
/// It was not reached, or the binary cannot run there.
pub fn bring(context: &Context, name: &str, tick: &dyn Fn(u64, u64)) -> Result<bool, HomeError> {
    let (copied, before) = (Cell::new(false), targets::has_binary(context, name)?);
    let channel = open(context, name, &|there, all| {
        copied.set(true);
        tick(there, all);
    })?;
    Ok(copied.get() || before.as_deref() != Some(&channel.binary))
}

fn open(context: &Context, name: &str, tick: &dyn Fn(u64, u64)) -> Result<Channel, HomeError> {
    let all = targets::all(context)?;
    let target = all.get(name).ok_or_else(|| targets::unknown(&all, name))?;
    let (ssh, folder) = (targets::ssh(context)?, targets::place_there(name, target)?);
    targets::open(context, &ssh, (name, target), folder, tick).map_err(|trouble| HomeError::of_target(name, &trouble))
}

/// On the target: becomes what the word asks for. Why not, if it cannot.
pub fn become_it(word: &str) -> String {
    let Some(within) = word::read::<Within>(word) else { return "what is to be executed cannot be read".into() };
    if let Some(mark) = &within.mark {
        // Where nobody reads it, nobody reads what follows.
        io::stdout().write_all(mark.as_bytes()).and_then(|()| io::stdout().flush()).ok();
        io::stderr().write_all(mark.as_bytes()).ok();
    }
    let made = match (within.home, within.run, &within.own) {
        (Some(home), _, Some(own)) => agent::folder_of(home, &within.target).and_then(|folder| own.command(&folder, &within.argv)),
        (Some(home), Some((run, n)), None) => {
            let runs = agent::folder_of(home, &within.target).map(|folder| folder.join("runs"));
            let login = std::env::current_exe().ok().and_then(|neronet| login::environment(&neronet));
            runs.and_then(|runs| in_run(&runs.join(run.to_string()).join("attempts").join(n.to_string()), &within.argv, login))
        }
        _ => command(&within.argv),
    };
    match made {
        Ok(mut command) => {
            let program = command.get_program().to_string_lossy().into_owned();
            if within.own.is_some_and(|own| own.signals) {
                match attended(command) {
                    Ok(code) => std::process::exit(code),
                    Err(e) => return format!("{program}: {e}"),
                }
            }
            format!("{program}: {}", command.exec())
        }
        Err(e) => e.to_string(),
    }
}

fn command(argv: &[String]) -> Result<Command, HomeError> {
    let (program, words) = match argv {
        [program, words @ ..] => (PathBuf::from(program), words),
        [] => (login_shell().unwrap_or_else(|| PathBuf::from("/bin/sh")), &[][..]),
    };
    let mut command = Command::new(program);
    command.args(words);
    Ok(command)
}

/// In the folder and environment of an attempt, behind its setup, but for where its metrics go: what is tried out is not the run.
/// `login`: the environment that it has from a login, where we have none.
fn in_run(attempt: &Path, argv: &[String], login: Option<Vec<(OsString, OsString)>>) -> Result<Command, HomeError> {
    let launch = spool::launch(attempt)?.ok_or_else(|| HomeError::Failed(format!("{} has no launch.json", attempt.display())))?;
    let mut command = command(argv)?;
    if let [shell, words @ ..] = launch.setup.as_slice() {
        let mut behind = Command::new(shell);
        behind.args(words).arg(command.get_program()).args(command.get_args());
        command = behind;
    }
    command.envs(login.unwrap_or_default());
    for (name, value) in launch.env.iter().filter(|(name, _)| name != METRICS_VARIABLE) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if !Path::new(&launch.directory).is_dir() {
        return Err(HomeError::Failed(format!("its folder {} is not there any more", launch.directory)));
    }
    command.current_dir(&launch.directory);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_goes_as_one_plain_word() {
        let argv: Vec<String> = ["a b", "'", "\"", "$(id)", "`id`", "a\nb", "ü", "-x", ";"].map(String::from).into();
        let word = Within { home: None, target: "gpu1".into(), run: None, argv: argv.clone(), own: None, mark: None };
        let word = word::of(&word);
        assert!(word.chars().all(|c| c.is_ascii_alphanumeric()), "{word}");
        assert_eq!(word::read::<Within>(&word).expect("it reads back").argv, argv);
        assert!(["zz", "7b", "é"].iter().all(|word| word::read::<Within>(word).is_none()));
    }
}
