//! What of a run's record goes to others: without secrets, without what only this machine needs.

use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::view::View;
use neronet_capture::secrets::mask_text;
use neronet_model::event::{Event, Segment, Stamped};
use neronet_model::journal::{SpecSource, Sweep};
use neronet_model::launch::Launch;
use neronet_model::queue::Wishes;
use neronet_model::settings::{Command, Settings};
use neronet_model::{Attempt, AttemptNo};
use neronet_store::files;
use neronet_store::lines;
use neronet_store::spool::{self, KEEPER, Segments};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// A sweep as others may read it. Nothing of it is ever started.
pub(super) fn sweep(sweep: &Sweep, known: &[String], code: bool) -> Sweep {
    let mut clean = sweep.clone();
    settings(Arc::make_mut(&mut clean.settings), known);
    clean.spec = clean.spec.map(|spec| {
        let included = spec.included.into_iter().map(|mut file| {
            file.text = masked::settings(&file.text, known);
            file
        });
        SpecSource { path: spec.path, text: masked::settings(&spec.text, known), included: included.collect() }
    });
    clean.wishes = Wishes::default();
    clean.best_of.clear();
    clean.code.snapshot = clean.code.snapshot.filter(|_| code);
    clean
}

fn settings(settings: &mut Settings, known: &[String]) {
    let command = |command: &mut Command| match command {
        Command::Shell(line) => *line = mask_text(line, known),
        Command::Argv(words) => *words = masked::arguments(words, known),
    };
    command(&mut settings.command);
    settings.then.iter_mut().for_each(|step| command(&mut step.command));
    for (name, value) in &mut settings.env {
        *value = masked::variable(name, value, known);
    }
    settings.environment.setup.iter_mut().for_each(|line| *line = mask_text(line, known));
    // Where secrets are found, who is told, and what other machines do is nobody else's.
    settings.secrets.clear();
    settings.notify = Default::default();
    settings.on.clear();
}

/// `launch.json`, with paths below the run's folder relative to it.
pub(super) fn launch(folder: &Path, known: &[String]) -> Result<Option<Vec<u8>>, HomeError> {
    let Some(mut launch) = spool::launch(folder)? else { return Ok(None) };
    let within = Path::new(&launch.directory).strip_prefix(&launch.run_directory).ok();
    launch.directory = within.map_or_else(|| launch.directory.clone(), |within| within.display().to_string());
    launch = Launch { argv: Vec::new(), setup: Vec::new(), env: Vec::new(), secrets: Vec::new(), grant: None, ..launch };
    launch.run_directory.clear();
    launch.shown = mask_text(&launch.shown, known);
    launch.steps.iter_mut().for_each(|step| step.argv.clear());
    Ok(Some(files::json_bytes(folder, &launch)?))
}

/// The files of events, by name. What scripts told of themselves is masked as it is where it is shown, and the end is told of what
/// these files hold then; without `output` it is told of none.
pub(super) fn events(folder: &Path, output: bool) -> Result<Vec<(String, Vec<u8>)>, HomeError> {
    let mut files = Vec::new();
    let mut changed: Vec<Segment> = Vec::new();
    let keeper = folder.join(KEEPER);
    let segments = Segments::of(folder)?;
    // The end is in the last of them, or the keeper's.
    for path in segments.of_kind("events").chain([keeper.as_path()]) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (mut bytes, mut found) = (Vec::new(), false);
        lines::read(path, 0, |line| {
            found = true;
            match serde_json::from_slice::<Stamped>(line) {
                Ok(stamped) => bytes.extend(serde_json::to_vec(&masked_event(stamped, &changed, output)).unwrap_or_default()),
                Err(_) => return false,
            }
            bytes.push(b'\n');
            true
        })?;
        if found {
            changed.push(Segment { name: name.clone(), bytes: bytes.len() as u64, sha256: neronet_capture::hex(&Sha256::digest(&bytes)) });
            files.push((name, bytes));
        }
    }
    Ok(files)
}

fn masked_event(mut stamped: Stamped, changed: &[Segment], output: bool) -> Stamped {
    match &mut stamped.event {
        Event::Config { values, .. } => {
            let mut told = Attempt::new(AttemptNo(1));
            told.config = std::mem::take(values);
            masked::attempt(&mut told);
            *values = told.config;
        }
        Event::Tag { name, value } => *value = masked::variable(name, value, &[]),
        Event::Ended { segments, last_lines, .. } => {
            if !output {
                segments.retain(|segment| !segment.name.starts_with("output."));
                last_lines.clear();
            }
            for segment in segments {
                if let Some(now) = changed.iter().find(|now| now.name == segment.name) {
                    segment.clone_from(now);
                }
            }
        }
        _ => {}
    }
    stamped
}

/// `run.json` and `params.json`.
pub(super) fn frozen(context: &Context, view: &View<'_>, known: &[String]) -> Result<Vec<(String, Vec<u8>)>, HomeError> {
    let mut files = Vec::new();
    let folder = context.home.run(view.id);
    if let Some(mut frozen) = crate::begin::Frozen::of(context, view.id) {
        frozen.params = masked::params(&frozen.params, &view.sweep.varying, || known.to_vec()).into_owned();
        frozen.command = mask_text(&frozen.command, known);
        let params = files::json_bytes(&folder, &frozen.params)?;
        files.push(("params.json".to_string(), params));
        files.push(("run.json".to_string(), files::json_bytes(&folder, &frozen)?));
    }
    Ok(files)
}
