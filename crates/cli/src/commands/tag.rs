//! `neronet tag`.

use crate::args::Tag;
use crate::commands::page::count;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::{HomeError, steer};
use neronet_model::RunId;
use std::process::ExitCode;

pub(crate) fn tag(session: &Session, words: &Tag) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = snapshot.views_meant(&session.context, std::slice::from_ref(&words.which));
    let chosen = read::chosen(session, &snapshot, &views, std::slice::from_ref(&words.which), &words.reach)?;
    let runs: Vec<RunId> = chosen.iter().map(|view| view.id).collect();
    // `@keep` selects, so people write it here too.
    let mut tags: Vec<String> = words.tags.iter().map(|tag| tag.strip_prefix('@').unwrap_or(tag).to_string()).collect();
    if words.remove {
        let worn = |tag: &String| chosen.iter().any(|view| view.run().tags.contains(tag));
        if let Some(tag) = tags.iter().find(|tag| !worn(tag)) {
            output::notice(&format!("none of these runs is tagged @{tag}"));
        }
        tags.retain(worn);
        if tags.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let named = tags.iter().map(|tag| format!("@{tag}")).collect::<Vec<_>>().join(" ");
    let of = match runs[..] {
        [run] => format!("run {run}"),
        _ => count(runs.len(), "run"),
    };
    let (add, remove) = if words.remove { (Vec::new(), tags) } else { (tags, Vec::new()) };
    steer::tag(&session.context, &runs, add, remove)?;
    output::print_line(&if words.remove { format!("{of} no longer tagged {named}") } else { format!("{of} tagged {named}") });
    Ok(ExitCode::SUCCESS)
}
