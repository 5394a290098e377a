//! `neronet fetch`, and what `neronet push` has in common with it: how far it is, and what came of it.

use crate::args::Fetch as Words;
use crate::commands::progress::Progress;
use crate::commands::shell::bringing;
use crate::commands::{read, stream};
use crate::output;
use crate::session::Session;
use neronet_home::HomeError;
use neronet_home::parcel::Folder;
use neronet_home::travel::left::{self, Fetched};
use neronet_home::travel::{self, Going, Moved};
use neronet_report::words as written;
use serde_json::json;
use std::process::ExitCode;

pub(crate) fn fetch(session: &Session, words: &Words) -> Result<ExitCode, HomeError> {
    let (run, last) = {
        let snapshot = read::snapshot(session)?;
        let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.run));
        let view = read::one(session, &snapshot, &views, &words.run, &words.reach)?;
        (view.id, view.run().attempts)
    };
    let into = words.into.as_ref().map(|into| Folder::made(&session.context.folder.join(into))).transpose()?;
    let progress = Progress::new();
    let copied = |target: &str, there, all| progress.say(|| bringing(target, there, all));
    let tick = &mut |target: &str, going: &Going| progress.say(|| format!("from {target}: {}", far(going)));
    let Fetched { moved, left_out, outside } = left::fetched(&session.context, (run, last), &words.globs, into.as_ref(), &copied, tick)?;
    drop(progress);
    for path in &outside {
        output::notice(&format!("{} is not in the run's folder there, and stays", stream::safe(path, false)));
    }
    if left_out > 0 {
        output::notice(&travel::stays_there(left_out));
    }
    let place = words.into.clone().unwrap_or_else(|| session.context.home.run(run));
    told(&moved, "fetched", &format!("in {}", place.display()), words.json)
}

/// `3 of 12 files, 1.2 of 4.0 GB`
pub(crate) fn far(going: &Going) -> String {
    format!("{} of {} files, {} of {}", going.files, going.of, written::bytes(going.done), written::bytes(going.all))
}

/// What came of it, and of what nothing did.
pub(crate) fn told(moved: &Moved, done: &str, place: &str, as_json: bool) -> Result<ExitCode, HomeError> {
    let files = |n: usize| if n == 1 { "1 file".to_string() } else { format!("{n} files") };
    if as_json {
        output::json(&json!({"files": moved.files, "bytes": moved.bytes, "there": moved.there, "failed": moved.failed}));
    } else {
        let there = if moved.there > 0 { format!(", {} there already", files(moved.there)) } else { String::new() };
        output::print_line(&format!("{done}: {} ({}){there}; {place}", files(moved.files), written::bytes(moved.bytes)));
    }
    match moved.failed.as_slice() {
        [] => Ok(ExitCode::SUCCESS),
        some => Err(HomeError::Failed(some.iter().map(|why| stream::safe(why, false)).collect::<Vec<_>>().join("\n"))),
    }
}
