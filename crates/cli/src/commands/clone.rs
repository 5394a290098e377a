//! `neronet clone`.

use crate::args::Clone as Words;
use crate::commands::{read, stream};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::clone::{clone as copy, in_shell};
use std::process::ExitCode;

pub(crate) fn clone(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
    let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
    let cloned = copy(&session.context, view, &session.context.folder.join(&words.folder))?;
    let place = cloned.folder.strip_prefix(&session.context.folder).unwrap_or(&cloned.folder);
    for note in &cloned.notes {
        output::print_line(&stream::safe(note, false));
    }
    if !cloned.again.is_empty() {
        let place = in_shell(&[place.display().to_string().trim_end_matches('/').to_string()]);
        let again = stream::safe(&in_shell(&cloned.again), false);
        output::print_line(&format!("to run it there: cd {place} && neronet run {again}"));
        if cloned.masked {
            output::print_line("*** stands for what looks like a secret: write it there yourself");
        }
    }
    Ok(ExitCode::SUCCESS)
}
