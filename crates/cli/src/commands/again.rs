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
    let Begun { runs, notes } = again::begin(&session.context, &chosen, wanted, !words.detach)?;
    notes.iter().for_each(|note| output::notice(note));
    drop(views);
    drop(snapshot);
    run::carry_out(session, &runs, &run::Manner { detach: words.detach, wait: false, quiet: words.quiet, json: false })
}
