//! Sealing: an attempt that has ended takes less room. Each of its segments is compressed beside the original, which goes once what was
//! written has been read back, durable, and found to be what the event `ended` recorded.
//!
//! Cut short at any point, there is the original, or the sealed segment, or both; the next time goes on from there. Readers look for
//! the original first (`lines::read`), so that it makes no difference to them.

use crate::error::StoreError;
use crate::files::{self, Durability};
use crate::lines::{self, Damage};
use crate::sealed::{self, Original};
use crate::spool::{self, Segments};
use neronet_model::event::{Event, Segment, Stamped};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Which segments of an attempt cannot be sealed; not there where all can.
pub const UNSEALED: &str = "unsealed.json";
/// What scripts write into `$NERONET_METRICS`. No end records it; it is sealed as it is found.
const WRITTEN_BY_SCRIPTS: &str = "metrics-in.jsonl";
/// What takes no more than a block of the disk stays as it is.
const BLOCK: u64 = 4 << 10;

#[derive(Debug, Serialize, Deserialize)]
pub struct Unsealed {
    format: u32,
    segments: Vec<Differs>,
}

impl Unsealed {
    pub(crate) fn notices(&self) -> impl Iterator<Item = String> {
        self.segments.iter().map(|Differs { name, why }| format!("{name} is not what was recorded when the attempt ended: {why}"))
    }
}

/// A segment that is not what `ended` says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    pub name: String,
    pub why: String,
}

/// What sealing an attempt came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sealing {
    /// Segments that were sealed now, and bytes that they took before and take now.
    pub segments: u64,
    pub before: u64,
    pub after: u64,
    /// Those that were left as they are.
    pub differs: Vec<Differs>,
    /// `go_on` said no before all was done.
    pub stopped: bool,
}

/// Since when nobody has written to an attempt's segments; `None` where it has none, or a clock was set back.
pub fn rests(folder: &Path) -> Option<Duration> {
    let changed = |name: &str| fs::metadata(folder.join(name)).and_then(|meta| meta.modified()).ok();
    let segments = Segments::of(folder).ok()?;
    let segments = segments.all().filter_map(|path| changed(path.file_name()?.to_str()?));
    let last = segments.chain([spool::KEEPER, WRITTEN_BY_SCRIPTS].into_iter().filter_map(changed)).max()?;
    SystemTime::now().duration_since(last).ok()
}

/// Seals what can be sealed of the attempt in `folder`: nothing where no end is on record, where somebody works on it, or where
/// nothing would be gained. Between steps of a fraction of a second `go_on` is asked whether to.
///
/// Errors: the disk; where that is full nothing is lost, and nothing is left behind. What a newer version wrote is not touched.
pub fn attempt(folder: &Path, go_on: &dyn Fn() -> bool) -> Result<Sealing, StoreError> {
    let mut sealing = Sealing::default();
    if spool::launch(folder)?.is_none() || folder.join(UNSEALED).exists() {
        return Ok(sealing);
    }
    let Some(_lock) = lock(folder)? else { return Ok(sealing) };
    let Some(recorded) = recorded(folder)? else { return Ok(sealing) };
    let recorded = recorded.into_iter().map(|segment| {
        let Segment { name, bytes, sha256 } = segment;
        (name, Some(Original { bytes, sha256 }))
    });
    for (name, original) in recorded.chain([(WRITTEN_BY_SCRIPTS.to_string(), None)]) {
        let path = folder.join(&name);
        if original.is_some() && (spool::numbers_of(&name).is_none() || name.contains('/')) {
            sealing.differs.push(Differs { name, why: "no segment has such a name".into() });
            continue;
        }
        match segment(&path, original, go_on)? {
            Step::Nothing => {}
            Step::Stopped => return Ok(Sealing { stopped: true, ..sealing }),
            Step::Differs(why) => sealing.differs.push(Differs { name, why }),
            Step::Sealed { before, after } => {
                sealing.segments += 1;
                sealing.before += before;
                sealing.after += after;
            }
        }
    }
    if !sealing.differs.is_empty() {
        let unsealed = Unsealed { format: neronet_model::FORMAT, segments: sealing.differs.clone() };
        files::replace_json(&folder.join(UNSEALED), &unsealed, Durability::Synced)?;
    }
    Ok(sealing)
}

/// Held by the supervisor while it works, and by us.
fn lock(folder: &Path) -> Result<Option<Flock<File>>, StoreError> {
    let path = folder.join(spool::LAUNCH);
    // To be held over a network it must be open for writing.
    let mut file = OpenOptions::new().write(true).open(&path).map_err(StoreError::io("open", &path))?;
    // Somebody who looks whether it is held holds it for that moment.
    for _ in 0..5 {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(StoreError::io("lock", &path)(errno.into())),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// The segments that the end of the attempt names; `None` where it has not ended.
fn recorded(folder: &Path) -> Result<Option<Vec<Segment>>, StoreError> {
    let mut recorded = None;
    let segments = Segments::of(folder)?;
    let keeper = folder.join(spool::KEEPER);
    for path in [keeper.as_path()].into_iter().chain(segments.of_kind("events")) {
        lines::typed(path, 0, |stamped: Stamped| {
            if let Event::Ended { segments, .. } = stamped.event {
                recorded = Some(segments);
            }
        })?;
    }
    Ok(recorded)
}

enum Step {
    Nothing,
    Stopped,
    Differs(String),
    Sealed { before: u64, after: u64 },
}

/// `recorded` is what the original must be.
fn segment(path: &Path, recorded: Option<Original>, go_on: &dyn Fn() -> bool) -> Result<Step, StoreError> {
    let sealed = sealed::path_of(path);
    let unfinished = unfinished(path);
    // Of somebody who was killed; its name is nobody's but ours, who hold the lock.
    remove(&unfinished)?;
    let mut original = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let gone = recorded.is_some() && !sealed.exists();
            return Ok(if gone { Step::Differs("it is gone".into()) } else { Step::Nothing });
        }
        Err(source) => return Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
    };
    let before = original.metadata().map_err(StoreError::io("read", path))?;
    if let Some(recorded) = recorded.as_ref().filter(|recorded| recorded.bytes != before.len()) {
        let why = format!("it has {} bytes, and had {}", before.len(), recorded.bytes);
        return Ok(Step::Differs(why));
    }
    if before.len() <= BLOCK {
        return Ok(Step::Nothing);
    }
    if !go_on() {
        return Ok(Step::Stopped);
    }
    let found = sealed::measure(&mut original).map_err(StoreError::io("read", path))?;
    if recorded.is_some_and(|recorded| recorded != found) {
        return Ok(Step::Differs(damage(path)?));
    }
    // Cut short before the original went, perhaps.
    if !verified(&sealed, &found, go_on)? {
        if !write(&unfinished, path, &found, go_on)? {
            return Ok(Step::Stopped);
        }
        if let Some(step) = refused(&unfinished, &found, before.len(), go_on)? {
            remove(&unfinished)?;
            return Ok(step);
        }
        fs::rename(&unfinished, &sealed).map_err(StoreError::io("write", &sealed))?;
    }
    files::sync_folder_of(path)?;
    if !go_on() {
        return Ok(Step::Stopped);
    }
    let after = fs::metadata(&sealed).map_err(StoreError::io("read", &sealed))?.len();
    // What no end records may still be written by somebody.
    let now = fs::metadata(path).map_err(StoreError::io("read", path))?;
    if (now.len(), now.modified().ok()) != (before.len(), before.modified().ok()) {
        remove(&sealed)?;
        return Ok(Step::Nothing);
    }
    remove(path)?;
    Ok(Step::Sealed { before: before.len(), after })
}

/// Why what was written is not to be, if so.
fn refused(unfinished: &Path, original: &Original, before: u64, go_on: &dyn Fn() -> bool) -> Result<Option<Step>, StoreError> {
    if !verified(unfinished, original, &|| true)? {
        let what = "does not read back as it was written; look after the disk".to_string();
        return Err(StoreError::Damaged { path: unfinished.to_path_buf(), what });
    }
    let after = fs::metadata(unfinished).map_err(StoreError::io("read", unfinished))?.len();
    if after >= before {
        return Ok(Some(Step::Nothing));
    }
    Ok((!go_on()).then_some(Step::Stopped))
}

/// Whether a sealed segment is there and gives the original, to the byte.
fn verified(sealed: &Path, original: &Original, go_on: &dyn Fn() -> bool) -> Result<bool, StoreError> {
    let Some(reader) = sealed::Reader::of_file(sealed.to_path_buf())? else { return Ok(false) };
    Ok(reader.verify(go_on)?.as_ref() == Some(original))
}

/// Durable once it returns; false where it was to stop. Nothing is left of what did not come to its end.
fn write(unfinished: &Path, path: &Path, original: &Original, go_on: &dyn Fn() -> bool) -> Result<bool, StoreError> {
    let written = (|| {
        let mut from = File::open(path)?;
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(unfinished)?;
        let whole = sealed::write(original, &mut from, &mut to, go_on)?;
        to.flush()?;
        if whole {
            to.sync_all()?;
        }
        Ok(whole)
    })();
    if !matches!(written, Ok(true)) {
        remove(unfinished).ok();
    }
    written.map_err(StoreError::io("write", unfinished))
}

fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}{}.new", sealed::ENDING))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(StoreError::Io { doing: "remove", path: path.to_path_buf(), source: e }),
        _ => Ok(()),
    }
}

/// What can be said of a segment that is as long as it was and holds something else.
fn damage(path: &Path) -> Result<String, StoreError> {
    let (_, damage) = lines::typed(path, 0, |_: IgnoredAny| {})?;
    let Damage { lines, bytes, .. } = damage.of_ended();
    Ok(format!("{lines} of its lines are damaged ({bytes} bytes); the others are read, and may have been changed"))
}

#[cfg(test)]
mod tests;
