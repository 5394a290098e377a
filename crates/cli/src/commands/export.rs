//! `neronet export`: runs as a spreadsheet, one row a run.

use crate::args::Export;
use crate::commands::page::count;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::view::View;
use neronet_home::{HomeError, export, select};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn export(session: &Session, words: &Export) -> Result<ExitCode, HomeError> {
    let file = words.output.display().to_string();
    let to_screen = file == "-";
    let ending = words.output.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    let as_xlsx = match ending.as_deref() {
        _ if to_screen => false,
        Some("xlsx") => true,
        Some("csv") => false,
        _ => return Err(HomeError::Words(format!("-o {file}: the name must end in .xlsx or .csv; - prints CSV"))),
    };
    let place = session.context.folder.join(&words.output);
    if !to_screen && !words.force && place.symlink_metadata().is_ok() {
        return Err(HomeError::Words(format!("{file} is there already; --force writes over it")));
    }
    let snapshot = read::snapshot(session)?;
    let all = snapshot.views(&session.context);
    let project = read::project(session, &words.reach);
    let only_filters = words.which.iter().all(|word| select::matches(word));
    let views: Vec<&View<'_>> = match &words.which[..] {
        [] => all.iter().filter(|view| project.as_ref().is_none_or(|project| view.sweep.project == *project)).collect(),
        which if only_filters => select::matching(&all, which, project.as_deref(), session.now())?,
        which => read::chosen(session, &snapshot, &all, which, &words.reach)?,
    };
    if views.is_empty() {
        return Err(HomeError::Failed("there is no run to write; `neronet ls -a` lists those of all projects".into()));
    }
    let table = export::table(&views, &words.fields, session.now())?;
    let rows = table.rows.into_iter();
    let bytes = match as_xlsx {
        true => neronet_sheet::write_xlsx(&file, &table.columns, rows).map_err(|mistake| HomeError::Failed(mistake.to_string()))?,
        false => neronet_sheet::write_csv(&table.columns, rows),
    };
    if to_screen {
        output::print(&String::from_utf8_lossy(&bytes));
        return Ok(ExitCode::SUCCESS);
    }
    write(&place, &bytes, words.force).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => HomeError::Words(format!("{file} is there already; --force writes over it")),
        _ => HomeError::Failed(format!("{file} cannot be written: {e}")),
    })?;
    output::notice(&format!("{} written to {file}", count(views.len(), "run")));
    Ok(ExitCode::SUCCESS)
}

/// Writes the file in whole or not at all. What is there goes only with `force`.
fn write(place: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unfinished = place.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()?;
        match force {
            true => fs::rename(&unfinished, place),
            // Fails where somebody else has made the file since we looked.
            false => fs::hard_link(&unfinished, place).or_else(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => Err(e),
                _ => fs::rename(&unfinished, place),
            }),
        }
    });
    // A link leaves it behind, and so does a failure.
    fs::remove_file(&unfinished).ok();
    written
}
