//! Bundles become runs: unpacked beside home's own, looked at as a whole, then landed together. Of a damaged one nothing comes.

use super::arrival::{self, Arrival, Landing, identity, learned, renumber};
use super::checked;
use super::{Became, Found, Importing, Result};
use crate::begin::Frozen;
use crate::bundle::{FORMAT, Head, Packaged};
use crate::context::Context;
use crate::error::HomeError;
use crate::steer;
use neronet_capture::{code, space};
use neronet_model::journal::{Entry, Imported, Member, Submitted, Sweep};
use neronet_model::launch::Launch;
use neronet_model::queue::Wishes;
use neronet_model::run::{Again, Decision};
use neronet_model::{AttemptNo, Params, RunId, SweepId, Uid};
use neronet_store::bundle::Reader;
use neronet_store::files::{self, Durability};
use neronet_store::spool::{self, LAUNCH};
use neronet_store::{StoreError, bundle};
use neronet_supervise::os::process;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether this file is a bundle, by what it begins with.
pub(super) fn is_one(place: &Path) -> bool {
    let mut first = [0; 8];
    File::open(place).and_then(|mut file| file.read_exact(&mut first)).is_ok_and(|()| bundle::is_one(&first))
}

pub(super) fn import(importing: &mut Importing<'_>, path: &Path, place: &Path, result: &mut Result) -> std::result::Result<(), HomeError> {
    let damaged = |why: String| HomeError::Failed(format!("{}: {why}; nothing of it was imported", path.display()));
    let file = File::open(place).map_err(StoreError::io("read", place))?;
    let (reader, head) = Reader::open(BufReader::new(file)).map_err(|e| damaged(e.to_string()))?;
    let head = read_head(&head).map_err(damaged)?;
    checked::head(&head).map_err(damaged)?;
    let there = |run: &Packaged| importing.known.get(&identity(&run.member.uid)).copied();
    let all = || head.sweeps.iter().flat_map(|packet| packet.runs.iter().map(move |run| (packet, run)));
    let mut found: Vec<Found> = all()
        .map(|(packet, run)| Found {
            from: "neronet".into(),
            path: path.to_path_buf(),
            name: format!("run {}", run.member.id),
            project: importing.project.clone(),
            experiment: importing.words.experiment.clone().unwrap_or_else(|| packet.sweep.experiment.clone()),
            became: there(run).map_or(Became::Would, Became::There),
            points: run.end.metrics.values().map(|extent| extent.points).fold(0, u64::saturating_add),
            notices: Vec::new(),
        })
        .collect();
    let state = importing.context.home.read()?.state;
    for (found, (_, run)) in found.iter_mut().zip(all()) {
        if let Became::There(id) = found.became
            && state.runs.get(&id).is_some_and(|known| known.attempts < run.end.attempt.n.0)
        {
            found.notices.push(format!("run {id} has fewer attempts than in the bundle, and stays so: `neronet rm --purge {id}` it first"));
        }
    }
    let new: BTreeSet<RunId> = all().filter(|(_, run)| there(run).is_none()).map(|(_, run)| run.member.id).collect();
    importing.at.sources += found.len();
    if !new.is_empty()
        && let Some(mut landing) = importing.landing.take()
    {
        let landed = land(importing, &mut landing, &head, &new, (path, reader));
        importing.landing = Some(landing);
        let (ids, notices) = landed?;
        let mut ids = ids.into_iter();
        for (found, (_, run)) in found.iter_mut().zip(all()).filter(|(found, _)| found.became == Became::Would) {
            let Some(id) = ids.next() else { continue };
            importing.known.insert(identity(&run.member.uid), id);
            found.became = Became::New(id);
        }
        result.notices.extend(notices);
    }
    importing.at.done += found.len();
    result.found.append(&mut found);
    Ok(())
}

fn read_head(bytes: &[u8]) -> std::result::Result<Head, String> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let unreadable = |e: serde_json::Error| format!("its head cannot be read: {e}");
    let Versioned { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format > FORMAT {
        return Err(format!("a newer neronet wrote it (format {format}, this one reads up to {FORMAT})"));
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

type Unpacked<'u> = (&'u Path, Reader<BufReader<File>>);

fn land(
    importing: &mut Importing<'_>,
    landing: &mut Landing,
    head: &Head,
    new: &BTreeSet<RunId>,
    (path, reader): Unpacked<'_>,
) -> std::result::Result<(Vec<RunId>, Vec<String>), HomeError> {
    let context = importing.context;
    let folder = landing.place()?;
    unpack(importing, head, new, &folder, (path, reader))?;
    let mut notices = Vec::new();
    let codes = adopt(context, head, new, &folder, &mut notices)?;
    let arrival = arrival(importing, head, new, &folder, (path, &codes))?;
    // One look at the whole file system instead of a wait for each file.
    let synced = File::open(&folder).and_then(|folder| Ok(nix::unistd::syncfs(folder)?));
    synced.map_err(StoreError::io("make durable", &folder))?;
    Ok((arrival::land(context, landing, arrival)?, notices))
}

/// Writes the files of new runs and the code that they ran below `folder`, each only as long as it says.
fn unpack(
    importing: &mut Importing<'_>,
    head: &Head,
    new: &BTreeSet<RunId>,
    folder: &Path,
    (path, mut reader): Unpacked<'_>,
) -> std::result::Result<(), HomeError> {
    let total = head.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    if let Some(disk) = space::disk(folder).filter(|disk| disk.free < total) {
        let (needs, has) = (space::shown(total), space::shown(disk.free));
        return Err(HomeError::Failed(format!("{} holds {needs}, and {} has room for {has}", path.display(), disk.mount.display())));
    }
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => HomeError::Home(StoreError::io("write", folder)(e)),
        _ => HomeError::Failed(format!("{}: {e}; nothing of it was imported", path.display())),
    };
    for file in &head.files {
        let wanted = checked::run_of(&file.path).is_none_or(|run| new.contains(&run));
        if !wanted {
            reader.member(file.bytes, io::sink()).map_err(failed)?;
            continue;
        }
        let place = folder.join(&file.path);
        files::make_folder(place.parent().unwrap_or(folder))?;
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place).map_err(failed)?;
        reader.member(file.bytes, made).map_err(failed)?;
        (importing.progress)(importing.at);
    }
    reader.end().map_err(failed)
}

/// Takes over the code of new runs, as far as it is to be believed. Gives the snapshots that are there now.
fn adopt(
    context: &Context,
    head: &Head,
    new: &BTreeSet<RunId>,
    folder: &Path,
    notices: &mut Vec<String>,
) -> std::result::Result<BTreeSet<String>, HomeError> {
    let wanted = head.sweeps.iter().filter(|packet| packet.runs.iter().any(|run| new.contains(&run.member.id)));
    let names: BTreeSet<&String> = wanted.filter_map(|packet| packet.sweep.code.snapshot.as_ref()).collect();
    let (snapshots, mut there) = (context.home.snapshots(), BTreeSet::new());
    for name in names {
        if snapshots.join(name).join("manifest.json").is_file() {
            there.insert(name.clone());
            continue;
        }
        files::make_folder(&snapshots)?;
        match code::adopt(&folder.join("snapshots"), name, &snapshots) {
            Ok(()) => drop(there.insert(name.clone())),
            Err(e) => notices.push(format!("imported without code: {e}")),
        }
    }
    Ok(there)
}

fn arrival(
    importing: &Importing<'_>,
    head: &Head,
    new: &BTreeSet<RunId>,
    folder: &Path,
    (path, codes): (&Path, &BTreeSet<String>),
) -> std::result::Result<Arrival, HomeError> {
    let context = importing.context;
    let runs = || head.sweeps.iter().flat_map(|packet| &packet.runs).filter(|run| new.contains(&run.member.id));
    let uids: Vec<Uid> = runs().map(|run| run.member.uid).collect();
    let (ids, first) = arrival::next(context, &uids)?;
    let numbers: HashMap<RunId, RunId> = runs().map(|run| run.member.id).zip(ids).collect();
    let by_uid: HashMap<Uid, RunId> = runs().filter_map(|run| Some((run.member.uid, *numbers.get(&run.member.id)?))).collect();
    let here = |uid: &Uid| by_uid.get(uid).or_else(|| importing.known.get(&identity(uid))).copied();
    let mut arrival = Arrival::default();
    let packets = head.sweeps.iter().filter(|packet| packet.runs.iter().any(|run| new.contains(&run.member.id)));
    for (number, packet) in (first.0..).zip(packets) {
        let sweep = sweep(importing, &packet.sweep, SweepId(number), (path, codes));
        let mut members = Vec::new();
        for run in packet.runs.iter().filter(|run| new.contains(&run.member.id)) {
            let Some(id) = numbers.get(&run.member.id).copied() else { continue };
            let after = run.after.as_ref().and_then(here);
            let place = folder.join("runs").join(run.member.id.to_string());
            files::make_folder(&place)?;
            settle(context, &place, (id, &sweep, after), &run.member)?;
            let stored = context.cache.join("series").join(format!("{}.series", run.member.uid));
            arrival.entries.extend(learned(id, &place, &stored, Some(run.end.outcome))?);
            arrival.entries.extend(rest(id, run, spool::attempts_of(&place)?.last().copied()));
            arrival.folders.insert(id, place);
            let mut tags: Vec<String> = run.member.tags.iter().filter(|tag| steer::may_be_tag(tag).is_ok()).cloned().collect();
            tags.extend(importing.words.tags.iter().cloned());
            members.push(Member { id, after, gpus: None, tags, ..run.member.clone() });
        }
        arrival.worlds.extend(packet.world.as_ref().map(|world| (sweep.id, world.to_string().into_bytes())));
        arrival.sweeps.push(Submitted { sweep, members });
    }
    Ok(arrival)
}

/// A sweep as it is here: nothing of it waits for anybody, or is started.
fn sweep(importing: &Importing<'_>, packed: &Sweep, id: SweepId, (path, codes): (&Path, &BTreeSet<String>)) -> Sweep {
    let mut sweep = Sweep {
        id,
        project: importing.project.clone(),
        experiment: importing.words.experiment.clone().unwrap_or_else(|| packed.experiment.clone()),
        parallel: None,
        driver: process::myself(),
        detached: false,
        best_of: Vec::new(),
        wishes: Wishes::default(),
        targets: Vec::new(),
        imported: Some(Imported {
            at: importing.context.now(),
            from: "neronet".into(),
            path: importing.context.folder.join(path).display().to_string(),
            name: String::new(),
        }),
        ..packed.clone()
    };
    let settings = Arc::make_mut(&mut sweep.settings);
    settings.retry = Default::default();
    settings.rules.clear();
    sweep.code.snapshot = sweep.code.snapshot.filter(|snapshot| codes.contains(snapshot));
    sweep
}

/// Gives what lies in the folder of a run the number that it has here.
fn settle(
    context: &Context,
    place: &Path,
    (id, sweep, after): (RunId, &Sweep, Option<RunId>),
    member: &Member,
) -> std::result::Result<(), HomeError> {
    let run_directory = context.home.run(id).display().to_string();
    for n in spool::attempts_of(place)? {
        let attempt = place.join("attempts").join(n.to_string());
        let Some(launch) = spool::launch(&attempt)? else { continue };
        let directory = match Path::new(&launch.directory).is_relative() {
            true => PathBuf::from(&run_directory).join(&launch.directory).display().to_string(),
            false => launch.directory.clone(),
        };
        let launch = Launch { run: id, uid: member.uid, attempt: n, run_directory: run_directory.clone(), directory, ..launch };
        files::replace_json(&attempt.join(LAUNCH), &launch, Durability::Renamed)?;
    }
    let path = place.join("run.json");
    if let Some(frozen) = files::read_json::<Frozen>(&path)? {
        let (project, experiment) = (sweep.project.clone(), sweep.experiment.clone());
        let frozen = Frozen { uid: member.uid, project, experiment, code: sweep.code.clone(), ..frozen };
        files::replace_json(&path, &frozen, Durability::Renamed)?;
    }
    renumber(context, place, id, sweep.id, after)
}

/// What is known of an end that left no folder, as of a run that was stopped before it began; and the parameters that it had in the end.
fn rest(id: RunId, run: &Packaged, last: Option<AttemptNo>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let n = AttemptNo(run.end.attempt.n.0.max(1));
    if last.is_none_or(|last| last < n) {
        let mut end = run.end.clone();
        end.attempt.n = n;
        if n.0 > 1 {
            entries.push(Entry::Decided { at: head_time(run), decision: decision(id, n, run.changes.clone()) });
        }
        entries.push(Entry::Ended { run: id, end: Box::new(end) });
    }
    entries
}

fn decision(run: RunId, n: AttemptNo, changes: Params) -> Decision {
    Decision { changes, ..Decision::new(run, n, Again::Retry, None) }
}

fn head_time(run: &Packaged) -> neronet_model::UnixMs {
    run.end.attempt.begun.or(run.end.started).unwrap_or(neronet_model::UnixMs(0))
}
