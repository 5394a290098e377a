//! `neronet stop` and `neronet kill`.

use crate::args::Which;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::steer;
use neronet_home::view::Snapshot;
use neronet_supervise::start::How;
use std::process::ExitCode;

pub(crate) fn ask(session: &Session, words: &Which, how: How) -> Result<ExitCode, HomeError> {
    let snapshot = Snapshot::read(&session.context)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    let not_asked = steer::ask(&session.context, &chosen, how)?;
    for view in chosen.iter().filter(|view| not_asked.iter().all(|(id, _)| *id != view.id)) {
        let done = if how == How::Kill { "killed" } else { "asked to stop" };
        output::print_line(&format!("run {} {done}", view.id));
    }
    for (id, why) in &not_asked {
        output::notice(&format!("run {id} not asked: {why}"));
    }
    Ok(if not_asked.len() == chosen.len() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
