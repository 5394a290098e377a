//! A folder with event files for TensorBoard, one folder a run in it.

use super::{To, runs};
use crate::commands::progress::Progress;
use crate::output;
use crate::session::Session;
use neronet_foreign::tensorboard::{EventWriter, file_name};
use neronet_home::view::View;
use neronet_home::{HomeError, points};
use neronet_model::UnixMs;
use neronet_store::files;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

pub(super) fn write(session: &Session, views: &[&View<'_>], to: &To) -> Result<String, HomeError> {
    let taken = fs::read_dir(&to.place).map_or_else(|_| to.place.symlink_metadata().is_ok(), |mut entries| entries.next().is_some());
    if taken {
        return Err(HomeError::Words(format!("{} is there already; name a folder that is not there yet, or is empty", to.name)));
    }
    let name = to.place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unfinished = to.place.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let meter = Progress::new();
    let made = fs::create_dir(&unfinished).map_err(|e| HomeError::unwritable(&to.name, &e)).and_then(|()| {
        for (done, view) in views.iter().enumerate() {
            run(session, view, &unfinished, to, &mut || meter.say(|| format!("exporting: {done} of {}", runs(views))))?;
        }
        files::sync_folder_of(&unfinished.join("run"))?;
        // An empty folder gives way to it.
        fs::rename(&unfinished, &to.place).map_err(|e| HomeError::unwritable(&to.name, &e))
    });
    if made.is_err() {
        fs::remove_dir_all(&unfinished).ok();
    }
    made.map(|()| runs(views))
}

fn run(session: &Session, view: &View<'_>, folder: &Path, to: &To, tick: &mut dyn FnMut()) -> Result<(), HomeError> {
    let experiment: String =
        view.run().experiment.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '-' }).take(100).collect();
    let folder = folder.join(format!("{experiment}-{}", view.id));
    let failed = |e: io::Error| HomeError::unwritable(&to.name, &e);
    let started = view.started().unwrap_or(view.run().created);
    let path = folder.join(file_name(started, &view.sweep.host, 0, 0));
    let file = fs::create_dir(&folder).and_then(|()| File::create_new(&path)).map_err(failed)?;
    let mut writer = EventWriter::new(BufWriter::with_capacity(256 << 10, file), started).map_err(failed)?;
    if !view.params().is_empty() {
        writer.params(started, view.params()).map_err(failed)?;
    }
    let mut told = 0_u64;
    let notices = points::each(&session.context, view, |point| {
        told += 1;
        if told.is_multiple_of(10_000) {
            tick();
        }
        // What later attempts went back behind is shown by no tracker.
        if point.superseded {
            Ok(())
        } else {
            writer.scalars(point.point.at, point.point.step as i64, &[(point.metric, point.point.value)])
        }
    })?;
    notices.iter().for_each(|notice| output::notice(notice));
    if let Some(note) = &view.run().note {
        writer.text(started, 0, "note", note).map_err(failed)?;
    }
    if let Some(outcome) = view.outcome() {
        writer.ended(view.ended().unwrap_or(UnixMs(started.0)), outcome).map_err(failed)?;
    }
    let synced = writer.into_inner().into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_data());
    synced.map_err(failed)?;
    Ok(files::sync_folder_of(&path)?)
}
