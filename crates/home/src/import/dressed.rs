//! What a run of another tracker is called and described by here: its ULID, experiment, tags, note, parameters, and the files that hold
//! them.

use super::arrival::{self, Arrival};
use super::{Found, Importing, Words};
use crate::begin::Frozen;
use crate::clone::in_shell;
use crate::error::HomeError;
use crate::masked;
use neronet_foreign::{Run, Source};
use neronet_model::journal::{Code, Git, Imported, Member, Submitted, Sweep};
use neronet_model::launch::{Launch, Limits};
use neronet_model::queue::Wishes;
use neronet_model::settings::Command;
use neronet_model::{AttemptNo, FORMAT, Outcome, Params, RunId, Settings, Uid, UnixMs};
use neronet_store::files::{self, Durability};
use neronet_store::history::History;
use neronet_store::spool::LAUNCH;
use neronet_supervise::os::process;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the journal keeps of a run is read by every command.
const MOST_PARAMS: usize = 5_000;
const LONGEST_PARAM: usize = 64 << 10;
const MOST_PARAM_BYTES: usize = 1 << 20;
const MOST_TAGS: usize = 100;
const LONGEST_TAG: usize = 200;
const LONGEST_NOTE: usize = 64 << 10;

/// Who recorded a run, and where that lies.
pub(super) struct Origin {
    pub(super) from: String,
    pub(super) path: PathBuf,
}

/// A run whose record lies in a folder.
pub(super) struct Body {
    pub(super) uid: Uid,
    pub(super) began: UnixMs,
    pub(super) folder: PathBuf,
    /// Of each attempt whether it goes on from those before.
    pub(super) resumes: Vec<bool>,
    pub(super) outcome: Outcome,
    pub(super) history: History,
}

/// The same whenever this run is read: its time is that of the run, the rest is a hash of what it is called.
pub(super) fn uid(key: &str, began: UnixMs) -> Uid {
    let hash = Sha256::new().chain_update(b"neronet import\0").chain_update(key).finalize();
    let mut random = [0; 10];
    random.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
    Uid::new(u64::try_from(began.0).unwrap_or(0), random)
}

/// What it is called there, else where it lies.
pub(super) fn experiment(words: &Words, source: &Source, run: &Run) -> String {
    let folder = || source.root.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = words.experiment.clone().or_else(|| run.project.clone()).or_else(folder);
    named.map(|name| one_line(&name)).filter(|name| !name.is_empty()).unwrap_or_else(|| source.kind.to_string().to_lowercase())
}

/// Writes the files that say what the run is, beside its attempts.
pub(super) fn dress(importing: &Importing<'_>, origin: &Origin, run: &Run, found: &Found, body: &Body) -> Result<Arrival, HomeError> {
    let Importing { context, words, secrets, .. } = importing;
    let (ids, sweep) = arrival::next(context, &[body.uid])?;
    let id = ids.first().copied().unwrap_or(RunId(1));
    let (params, left_out) = params(&run.params, secrets);
    let typed = masked::arguments(&run.command, secrets);
    let sweep = Sweep {
        id: sweep,
        at: body.began,
        project: found.project.clone(),
        experiment: found.experiment.clone(),
        settings: Settings::of(Command::Argv(typed.clone())).into(),
        varying: Vec::new(),
        parallel: None,
        driver: process::myself(),
        detached: false,
        code: code(run),
        host: run.host.clone().unwrap_or_default(),
        user: run.user.clone().unwrap_or_default(),
        spec: None,
        best_of: Vec::new(),
        wishes: Wishes::default(),
        targets: Vec::new(),
        imported: Some(Imported {
            at: context.now(),
            from: origin.from.clone(),
            path: origin.path.display().to_string(),
            name: run.name.clone(),
        }),
    };
    let mut tags: Vec<String> = words.tags.clone();
    tags.extend(run.tags.iter().take(MOST_TAGS).filter_map(|(name, value)| tag(name, value, secrets)));
    let note = note(run, left_out, secrets);
    write(importing, body, &sweep, id, &params, &in_shell(&typed))?;
    let folder = &body.folder;
    // What is stored of a run that is there is not of this folder.
    let is_known = importing.known.contains_key(&arrival::identity(&body.uid));
    let stored = if is_known { body.folder.clone() } else { context.cache.join("series") }.join(format!("{}.series", body.uid));
    let entries = arrival::learned(id, folder, &stored, Some(body.outcome))?;
    let member = Member { id, uid: body.uid, params, after: None, gpus: None, tags, note };
    Ok(Arrival {
        sweeps: vec![Submitted { sweep, members: vec![member] }],
        entries,
        folders: BTreeMap::from([(id, folder.clone())]),
        worlds: BTreeMap::new(),
    })
}

fn write(importing: &Importing<'_>, body: &Body, sweep: &Sweep, id: RunId, params: &Params, shown: &str) -> Result<(), HomeError> {
    let run_directory = importing.context.home.run(id).display().to_string();
    for (n, resumes) in (1..).map(AttemptNo).zip(&body.resumes) {
        let launch = Launch { resumes: *resumes, ..launch(id, body.uid, n, sweep, (shown, &run_directory)) };
        let attempt = body.folder.join("attempts").join(n.to_string());
        files::replace_json(&attempt.join(LAUNCH), &launch, Durability::Synced)?;
    }
    let frozen = Frozen {
        version: FORMAT,
        id,
        uid: body.uid,
        sweep: sweep.id,
        project: sweep.project.clone(),
        experiment: sweep.experiment.clone(),
        params: params.clone(),
        command: shown.to_string(),
        directory: String::new(),
        created: sweep.at,
        host: sweep.host.clone(),
        user: sweep.user.clone(),
        code: sweep.code.clone(),
        after: None,
        inputs: Vec::new(),
    };
    if !body.history.is_empty() {
        body.history.write(&body.folder, id)?;
    }
    files::replace_json(&body.folder.join("params.json"), params, Durability::Synced)?;
    Ok(files::replace_json(&body.folder.join("run.json"), &frozen, Durability::Synced)?)
}

fn launch(run: RunId, uid: Uid, attempt: AttemptNo, sweep: &Sweep, (shown, run_directory): (&str, &str)) -> Launch {
    let settings = &sweep.settings;
    Launch {
        version: FORMAT,
        run,
        uid,
        attempt,
        argv: Vec::new(),
        setup: Vec::new(),
        shown: shown.to_string(),
        hides_ends: false,
        steps: Vec::new(),
        steps_only: false,
        directory: String::new(),
        run_directory: run_directory.to_string(),
        env: Vec::new(),
        secrets: Vec::new(),
        time_limit: None,
        stop: settings.stop.clone(),
        metrics: settings.metrics.clone(),
        checkpoints: settings.checkpoints.clone(),
        outputs: settings.outputs.clone(),
        code: None,
        objectives: Vec::new(),
        resumes: false,
        resumed_from: None,
        files_found: BTreeMap::new(),
        limits: Limits::default(),
        grant: None,
        courtesy: Default::default(),
        notices: Vec::new(),
    }
}

fn code(run: &Run) -> Code {
    let commit = run.commit.as_deref().filter(|commit| !commit.is_empty()).map(one_line);
    let git = commit.map(|commit| Git { commit, branch: String::new(), dirty: false });
    Code { top: run.repository.as_deref().map(one_line).unwrap_or_default(), git, ..Code::default() }
}

/// Those that there is room for, and how many there are beyond.
fn params(all: &Params, secrets: &[String]) -> (Params, usize) {
    let mut room = MOST_PARAM_BYTES;
    let mut fits = |name: &str, text: usize| {
        let bytes = name.len() + text;
        let fits = text <= LONGEST_PARAM && bytes <= room;
        room -= if fits { bytes } else { 0 };
        fits
    };
    let kept = all.iter().filter(|(name, value)| fits(name, value.to_string().len())).take(MOST_PARAMS);
    let kept: Params = kept.map(|(name, value)| (name.to_string(), value.clone())).collect();
    let left_out = all.len() - kept.len();
    (masked::params(&kept, &[], || secrets.to_vec()).into_owned(), left_out)
}

/// A tag as it can be asked for: one word without `@`. One that is a text of its own is none.
fn tag(name: &str, value: &str, secrets: &[String]) -> Option<String> {
    let tag = if value.is_empty() { name.to_string() } else { format!("{name}={value}") };
    let word = |c: char| if c.is_whitespace() || c.is_control() || c == '@' { '_' } else { c };
    let tag: String = masked::tag(tag.trim(), secrets).chars().map(word).collect();
    (!tag.is_empty() && tag.len() <= LONGEST_TAG).then_some(tag)
}

/// Its name, which is the only one it has, and what somebody wrote on it.
fn note(run: &Run, left_out: usize, secrets: &[String]) -> Option<String> {
    let mut note = one_line(&run.name);
    if let Some(own) = run.note.as_deref().map(str::trim).filter(|own| !own.is_empty()) {
        let gap = if own.contains('\n') { "\n" } else { ": " };
        note = if note.is_empty() { own.to_string() } else { format!("{note}{gap}{own}") };
    }
    if left_out > 0 {
        note.push_str(&format!("\n{left_out} parameters were too long or too many and are not here"));
    }
    let end = (0..=LONGEST_NOTE.min(note.len())).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
    note.truncate(end);
    (!note.is_empty()).then(|| masked::note(&note, secrets))
}

fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
