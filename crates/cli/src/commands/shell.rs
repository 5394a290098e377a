//! `neronet shell`, and what `neronet target exec` has in common with it: something in the place of this process, here or on a target.

use crate::args::Shell as Words;
use crate::commands::progress::Progress;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, within};
use neronet_model::target::LOCAL;
use neronet_report::words;
use neronet_target::{Ended, PassedOn, Said, Trouble};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

/// What ssh ends with where it was not the command that did.
pub(crate) const UNREACHED: i32 = 255;

pub(crate) fn shell(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    let made = || -> Result<(PassedOn, String), HomeError> {
        let snapshot = read::snapshot(session)?;
        let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
        let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
        let target = view.target().to_string();
        let command = with_progress(&target, |tick| within::of_run(&session.context, view, &words.command, tick))?;
        Ok((command, target))
    };
    let (command, target) = made()?;
    carried_out(session, &target, command, || Ok(made()?.0))
}

/// Waits for it, and ends as it ends. Where the binary has gone from the target it is brought there, and the command made once more.
pub(crate) fn carried_out(
    session: &Session,
    target: &str,
    command: PassedOn,
    again: impl Fn() -> Result<PassedOn, HomeError>,
) -> Result<ExitCode, HomeError> {
    let is_unseen = command.mark.is_none() && target != LOCAL;
    let came = came(command)?.map_err(|trouble| HomeError::of_target(target, &trouble))?;
    if came.code == UNREACHED && is_unseen {
        let lost = format!("{target} is unreachable, or the connection was lost (`neronet target check {target}`)");
        return Err(HomeError::Target(format!("{lost}; or the command itself ended with {UNREACHED}")));
    }
    let bring = || with_progress(target, |tick| within::bring(&session.context, target, tick));
    if matches!(came.code, 126 | 127) && target != LOCAL && bring()? {
        return carried_out(session, LOCAL, again()?, again);
    }
    Ok(came.end())
}

/// What became of a command that was passed on.
#[derive(Default)]
pub(crate) struct Came {
    /// What it ended with, as shells say it.
    pub(crate) code: i32,
    said: Said,
}

impl Came {
    /// Where nothing else is tried.
    pub(crate) fn end(self) -> ExitCode {
        io::stderr().write_all(&self.said.instead).ok();
        if let Some(e) = self.said.unwritten {
            output::give_up(&e);
        }
        ExitCode::from(u8::try_from(self.code).unwrap_or(1))
    }
}

/// Carries it out; or why it never began.
pub(crate) fn came(passed: PassedOn) -> Result<Result<Came, Trouble>, HomeError> {
    let program = passed.command.get_program().to_string_lossy().into_owned();
    let ended = passed.ended().map_err(|e| HomeError::Failed(format!("{program} cannot be executed: {e}")))?;
    Ok(match ended {
        Ended::With(status, said) => Ok(Came { code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)), said }),
        Ended::Asked(signal) => Ok(Came { code: 128 + signal as i32, said: Said::default() }),
        Ended::Unreached(trouble) => Err(trouble),
    })
}

/// The first time our own binary may have to be brought to the target.
pub(crate) fn with_progress<T>(target: &str, work: impl FnOnce(&dyn Fn(u64, u64)) -> T) -> T {
    let progress = Progress::new();
    work(&|there, all| progress.say(|| bringing(target, there, all)))
}

/// Our own binary, on its way.
pub(crate) fn bringing(target: &str, there: u64, all: u64) -> String {
    format!("neronet itself is brought to {target}: {} of {}", words::bytes(there), words::bytes(all))
}

/// The other end, in the place of this process.
pub(crate) fn within(word: &str) -> ExitCode {
    output::error(&within::become_it(word));
    ExitCode::from(126)
}
