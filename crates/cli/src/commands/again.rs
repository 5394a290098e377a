//! `neronet resume` and `neronet retry`: another attempt of runs that ended; of several only those that did not finish.

use crate::args::Again as Words;
use crate::commands::{read, run};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::again::{self, Begun, Wanted};
use std::process::ExitCode;

pub(crate) fn again(session: &Session, words: &Words, wanted: Wanted) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    // Those that execute on other machines are left to whoever keeps the queue, and waited for.
    let mut away = false;
    for view in &chosen {
        away = away || !view.sweep.targets.is_empty() || again::is_from_elsewhere(&session.context, &snapshot, view, wanted)?;
    }
    let detach = words.detach || away;
    let Begun { runs, notes } = again::begin(&session.context, &chosen, wanted, !detach)?;
    notes.iter().for_each(|note| output::notice(note));
    drop(views);
    drop(snapshot);
    run::carry_out(session, &runs, &run::Manner { detach, wait: !words.detach, quiet: words.quiet, json: false })
}
