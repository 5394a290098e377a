//! `neronet target`: the machines that runs may execute on.

use crate::args::{Target as Words, TargetAdd, TargetCheck, TargetCommand, TargetLs, TargetName};
use crate::commands::shell;
use crate::commands::target_check::{Asked, check, checked, exit_code};
use crate::commands::target_show::{ls, show};
use crate::output;
use crate::session::{self, Session};
use neronet_home::{HomeError, refused, targets, within};
use neronet_model::target::{Address, Target, Transport, refused_folder};
use neronet_target::Trouble;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(crate) fn target(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    match &words.what {
        Some(TargetCommand::Add(words)) => add(session, words),
        Some(TargetCommand::Check(words)) => check(session, words),
        Some(TargetCommand::Login(words)) => login(session, words),
        Some(TargetCommand::Logout(words)) => logout(session, words),
        Some(TargetCommand::Exec(words)) => {
            targets::not_this_machine(&words.name, "call the command by itself")?;
            let made = || shell::with_progress(&words.name, |tick| within::of_target(&session.context, &words.name, &words.command, tick));
            shell::carried_out(session, &words.name, made()?, made)
        }
        Some(TargetCommand::Rm(words)) => rm(session, words),
        Some(TargetCommand::Ls(words)) => ls(session, words),
        Some(TargetCommand::Show(words)) => show(session, words),
        None => ls(session, &TargetLs { json: false }),
    }
}

fn add(session: &Session, words: &TargetAdd) -> Result<ExitCode, HomeError> {
    let context = &session.context;
    let wrong = |why: String| HomeError::Words(format!("'{}': {why}", words.address.escape_debug()));
    let address: Address = words.address.parse().map_err(|e: neronet_model::target::NoAddress| wrong(e.to_string()))?;
    if address.transport == Transport::Local {
        return Err(wrong("this machine is a target without being added; `[targets.local]` says what runs may have of it".into()));
    }
    if let Some((folder, why)) = words.folder.as_deref().and_then(|folder| Some((folder, refused_folder(folder)?))) {
        return Err(HomeError::Words(format!("--folder '{}': {why}; write the whole path, as /data/me/neronet", folder.escape_debug())));
    }
    targets::add(context, &words.name, &address, words.folder.as_deref())?;
    output::print_line(&format!("{} is {address}, in {}", words.name, context.home.root().join(targets::FILE).display()));
    let asked = checked(session, &TargetCheck { names: vec![words.name.clone()], json: false })?;
    if let Some(why) = asked.iter().find_map(Asked::is_in_a_home) {
        targets::remove(context, &words.name)?;
        return Err(HomeError::Words(format!("{} was not added: {why}; --folder names another place", words.name)));
    }
    Ok(exit_code(&asked))
}

fn named(session: &Session, name: &str) -> Result<Target, HomeError> {
    targets::not_this_machine(name, "it needs no connection")?;
    let targets = targets::all(&session.context)?;
    targets.get(name).cloned().ok_or_else(|| targets::unknown(&targets, name))
}

fn login(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = named(session, name)?;
    let ssh = targets::ssh(&session.context)?;
    let Some(command) = ssh.login(name, &target.address) else {
        return Err(HomeError::Words(format!("{name} is {}: there is nothing to log in to", target.address)));
    };
    // One that is left from before may be dead.
    if let Some(command) = ssh.logout(name, &target.address) {
        silently(command);
    }
    carried_out(command)?;
    refused::forget(&session.context, name);
    output::print_line(&format!("the connection to {name} is open, also for the daemon; `neronet target logout {name}` closes it"));
    Ok(ExitCode::SUCCESS)
}

fn logout(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = named(session, name)?;
    let said = match targets::ssh(&session.context)?.logout(name, &target.address) {
        Some(command) => {
            silently(command);
            "closed"
        }
        None => "not open",
    };
    output::print_line(&format!("the connection to {name} is {said}"));
    Ok(ExitCode::SUCCESS)
}

fn silently(mut command: Command) {
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().ok();
}

/// On the user's terminal, which ssh asks on.
fn carried_out(mut command: Command) -> Result<(), HomeError> {
    let status = command.status().map_err(|e| HomeError::Target(Trouble::NoSsh(e.to_string()).to_string()))?;
    if status.success() { Ok(()) } else { Err(HomeError::Target("no connection was opened: ssh says above why".into())) }
}

fn rm(session: &Session, TargetName { name }: &TargetName) -> Result<ExitCode, HomeError> {
    let target = targets::all(&session.context)?.get(name).cloned();
    targets::remove(&session.context, name)?;
    let left = target.and_then(|target| target.folder).map(|folder| format!("; {folder} there is left as it is")).unwrap_or_default();
    output::print_line(&format!("{name} is no target any more{left}"));
    Ok(ExitCode::SUCCESS)
}

/// What starts runs on a target, whether home is there or not.
pub(crate) fn runner(folder: &Path) -> ExitCode {
    match session::of_target(folder).and_then(|context| neronet_home::runner::run(&context)) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(e) => {
            output::error(&e.to_string());
            ExitCode::from(e.exit_code())
        }
    }
}
