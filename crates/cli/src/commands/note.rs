//! `neronet note`: with a text it is written, without one the present note is printed.

use crate::args::Note;
use crate::commands::{read, stream};
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, steer};
use std::process::ExitCode;

pub(crate) fn note(session: &Session, words: &Note) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
    let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
    let id = view.id;
    match (&words.text, &view.run().note) {
        (Some(text), _) => {
            let text = text.trim();
            let note = (!text.is_empty()).then(|| text.to_string());
            output::print_line(&if note.is_some() { format!("note on run {id} written") } else { format!("note on run {id} removed") });
            steer::note(&session.context, id, note)?;
        }
        (None, Some(note)) => output::print_line(&stream::safe(note, false)),
        (None, None) => output::notice(&format!("run {id} has no note; `neronet note {id} TEXT` writes one")),
    }
    Ok(ExitCode::SUCCESS)
}
