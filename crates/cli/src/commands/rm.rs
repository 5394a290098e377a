//! `neronet rm` (into the trash, or with `--purge` out of it for good) and `neronet restore`.

use crate::args::{Rm, Which};
use crate::commands::page::count;
use crate::commands::{question, read};
use crate::output;
use crate::session::Session;
use neronet_home::listing::trashed;
use neronet_home::view::{Snapshot, View};
use neronet_home::{HomeError, nearest, select, steer};
use neronet_model::RunId;
use neronet_report::words;
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) fn rm(session: &Session, words: &Rm) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    if words.purge {
        return purge(session, &snapshot, words);
    }
    let views = snapshot.views_meant(&session.context, &words.which);
    let chosen = read::chosen(session, &snapshot, &views, &words.which, &words.reach)?;
    steer::may_be_removed(&session.context, &chosen)?;
    let ids = ids(&chosen);
    let size = words::bytes(size(session, &chosen));
    let sized = named(&ids, Some(&of_projects(&chosen, &size)));
    warn_of_dependants(session, &snapshot, &ids);
    if question::confirmed(words.yes, &format!("put {sized} in the trash?"), &format!("{sized} would go to the trash"))? {
        steer::trash(&session.context, &chosen)?;
        let them = if ids.len() == 1 { "it" } else { "them" };
        output::print_line(&format!("{sized} put in the trash; `neronet restore {}` takes {them} out", select::spans(&ids)));
    }
    Ok(ExitCode::SUCCESS)
}

fn purge(session: &Session, snapshot: &Snapshot, words: &Rm) -> Result<ExitCode, HomeError> {
    let kept = snapshot.views(&session.context);
    let views = trashed(&session.context, snapshot);
    let project = read::project(session, &words.reach);
    let chosen = match select::select(&views, &words.which, project.as_deref(), session.now()) {
        Ok(chosen) => chosen,
        Err(e) => {
            let there = select::select(&kept, &words.which, project.as_deref(), session.now())
                .ok()
                .and_then(|there| there.first().map(|view| view.id));
            return Err(there.map_or(e, |id| HomeError::Words(format!("run {id} is not in the trash: `neronet rm {id}` first"))));
        }
    };
    let ids = ids(&chosen);
    let size = words::bytes(size(session, &chosen));
    let sized = named(&ids, Some(&of_projects(&chosen, &size)));
    warn_of_dependants(session, snapshot, &ids);
    if question::confirmed(words.yes, &format!("take {sized} from the disk for good?"), &format!("{sized} would be gone for good"))? {
        let named = named(&ids, None);
        steer::purge(&session.context, ids)?;
        output::print_line(&format!("{named} gone for good, {size} freed"));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(session: &Session, words: &Which) -> Result<ExitCode, HomeError> {
    let snapshot = read::snapshot(session)?;
    let views = trashed(&session.context, &snapshot);
    if views.is_empty() {
        return Err(HomeError::Words("the trash is empty".into()));
    }
    let project = read::project(session, &words.reach);
    let chosen = select::select(&views, &words.which, project.as_deref(), session.now()).map_err(|e| match (e, &words.which[..]) {
        (HomeError::Absent(text), [word]) if text.starts_with("no run") && text.ends_with("all of them") => {
            HomeError::Absent(format!("no run in the trash is called '{word}'; `neronet ls --trash` lists what is there"))
        }
        (e, _) => e,
    })?;
    let ids = ids(&chosen);
    let named = named(&ids, None);
    steer::restore(&session.context, ids)?;
    output::print_line(&format!("{named} restored"));
    Ok(ExitCode::SUCCESS)
}

fn warn_of_dependants(session: &Session, snapshot: &Snapshot, ids: &[RunId]) {
    let dependants = steer::dependants(&session.context, &snapshot.state, ids);
    if !dependants.is_empty() {
        output::notice(&format!("warning: {} went on from a checkpoint in there", named(&dependants, None)));
    }
}

fn ids(views: &[&View<'_>]) -> Vec<RunId> {
    views.iter().map(|view| view.id).collect()
}

fn size(session: &Session, views: &[&View<'_>]) -> u64 {
    views.iter().map(|view| steer::disk_use(&session.context.home.run(view.id))).sum()
}

/// A size, behind the projects where there are several: what goes should be no surprise.
fn of_projects(views: &[&View<'_>], size: &str) -> String {
    let projects: BTreeSet<&str> = views.iter().map(|view| view.sweep.project.as_str()).collect();
    if projects.len() < 2 { size.to_string() } else { format!("of {}; {size}", nearest::some_of(projects, 5)) }
}

/// `run 3`, `run 3 (94 kB)`, `2 runs (3, 5; 94 kB)`.
fn named(ids: &[RunId], size: Option<&str>) -> String {
    match (ids, size) {
        ([id], None) => format!("run {id}"),
        ([id], Some(size)) => format!("run {id} ({size})"),
        (_, size) => {
            let size = size.map(|size| format!("; {size}")).unwrap_or_default();
            format!("{} ({}{size})", count(ids.len(), "run"), listed(ids))
        }
    }
}

/// `3, 5-7`: for people.
pub(crate) fn listed(ids: &[RunId]) -> String {
    nearest::some_of(select::spans(ids).split(','), 20)
}
