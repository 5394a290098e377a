//! `targets.toml` in home: the machines that runs may execute on, this one (`[targets.local]`) among them.

use crate::context::Context;
use crate::error::HomeError;
use crate::nearest::{did_you_mean, some_of};
use crate::select::spans;
use crate::{binaries, refused, runtime, target_file};
use neronet_capture::hash;
use neronet_model::RunId;
use neronet_model::target::{Address, LOCAL, Target, Targets, refused_name};
use neronet_store::files::{self, Durability};
use neronet_target::Trouble;
use neronet_target::channel::{self, Channel};
use neronet_target::probe::{self, Found};
use neronet_target::ssh::Ssh;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

pub const FILE: &str = "targets.toml";
/// A target's name with what is behind it, and what ssh adds while it opens a socket.
const LONGEST_SOCKET: usize = 1 + 64 + 4 + 20;
const LONGEST_PATH: usize = 107;
/// The first time the binary is brought there, over whatever network.
const OPENED: Duration = Duration::from_secs(300);
/// One that is busy is asked so often more, after so long each.
const BUSY_TIMES: u32 = 2;
const BUSY: Duration = Duration::from_millis(200);

/// Nothing without the file.
///
/// # Errors
/// The file cannot be read, or says what nobody can do.
pub fn all(context: &Context) -> Result<Targets, HomeError> {
    let path = context.home.root().join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(neronet_spec::targets(&text, &path.display().to_string())?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Targets::default()),
        Err(e) => Err(HomeError::Words(format!("{}: it cannot be read: {e}", path.display()))),
    }
}

/// Whether it is named there now.
pub(crate) fn has(context: &Context, name: &str) -> bool {
    all(context).is_ok_and(|all| all.get(name).is_some())
}

/// By what it is told that the file is another one.
pub(crate) fn stamp(context: &Context) -> Option<(i64, i64, u64)> {
    let meta = std::fs::metadata(context.home.root().join(FILE)).ok()?;
    Some((meta.mtime(), meta.mtime_nsec(), meta.ino()))
}

/// What it says of this machine.
pub(crate) fn local(context: &Context) -> Result<Option<Target>, HomeError> {
    Ok(all(context)?.targets.into_iter().find(|(name, _)| name == LOCAL).map(|(_, target)| target))
}

/// The variables of a target. Without the file there are none.
///
/// # Errors
/// As `all`.
pub fn variables(context: &Context, name: &str) -> Result<Vec<(String, String)>, HomeError> {
    Ok(all(context)?.get(name).map(|target| target.vars.clone()).unwrap_or_default())
}

/// The user's ssh, as it is called for targets of this home.
///
/// # Errors
/// There is no folder for the sockets of its master connections.
pub fn ssh(context: &Context) -> Result<Ssh, HomeError> {
    let home = context.home.root().to_string_lossy().into_owned();
    let own: String = hash(home.as_bytes()).chars().take(8).collect();
    let sockets = runtime::folder(context, own.len() + LONGEST_SOCKET, LONGEST_PATH).map_err(HomeError::Failed)?;
    let config = context.variable("NERONET_SSH_CONFIG").filter(|config| !config.is_empty()).map(PathBuf::from);
    Ok(Ssh { config, sockets, home: own, carries_files: false })
}

/// A session that has just ended counts for another moment.
fn once_free<T>(ask: impl Fn() -> Result<T, Trouble>) -> Result<T, Trouble> {
    for _ in 0..BUSY_TIMES {
        match ask() {
            Err(Trouble::Busy(_)) => std::thread::park_timeout(BUSY),
            answer => return answer,
        }
    }
    ask()
}

/// What a target says of itself.
///
/// # Errors
/// It was not reached, or did not answer.
pub fn probe(context: &Context, ssh: &Ssh, name: &str, target: &Target) -> Result<Found, Trouble> {
    let found = once_free(|| probe::probe(ssh.shell(name, &target.address), target.folder.as_deref(), || context.now()));
    refused::heard(context, ssh, (name, target), &found);
    found
}

/// Opens a channel to the agent of a target, which is brought there where it is not. `copied`: how many bytes of it are
/// there, and of how many.
///
/// # Errors
/// It was not reached, or the binary cannot run there.
pub fn open(
    context: &Context,
    ssh: &Ssh,
    (name, target): (&str, &Target),
    folder: &str,
    copied: &dyn Fn(u64, u64),
) -> Result<Channel, Trouble> {
    let binaries = binaries::all(context).map_err(|e| Trouble::Failed(format!("neronet's own binary cannot be read: {e}")))?;
    let place = channel::Place { folder, binaries: &binaries };
    let channel = once_free(|| Channel::open(ssh.shell(name, &target.address), &place, OPENED, copied));
    refused::heard(context, ssh, (name, target), &channel);
    let channel = channel?;
    if brought(context, name).as_deref() != Some(&channel.binary) {
        // Best effort: else it is looked for there the next time.
        let path = folder_of(context, name).join(BROUGHT);
        files::make_folder(path.parent().unwrap_or(&path))
            .and_then(|()| files::replace(&path, channel.binary.as_bytes(), Durability::Renamed))
            .ok();
    }
    Ok(channel)
}

const BROUGHT: &str = "binary";

/// The binary that was taken at a target last.
fn brought(context: &Context, name: &str) -> Option<String> {
    std::fs::read_to_string(folder_of(context, name).join(BROUGHT)).ok()
}

/// The binary that a target is known to have, if it is one that we would bring.
///
/// # Errors
/// Our own cannot be read.
pub(crate) fn has_binary(context: &Context, name: &str) -> Result<Option<String>, HomeError> {
    let binaries = binaries::all(context).map_err(|e| HomeError::Failed(format!("neronet's own binary: {e}")))?;
    Ok(brought(context, name).filter(|known| binaries.iter().any(|binary| binary.name == *known)))
}

/// Where everything is on a target.
///
/// # Errors
/// Nobody has said so yet.
pub(crate) fn place_there<'t>(name: &str, target: &'t Target) -> Result<&'t str, HomeError> {
    target.folder.as_deref().ok_or_else(|| HomeError::Words(format!("{name} has no folder yet: neronet target check {name}")))
}

/// What home keeps of a target.
pub(crate) fn folder_of(context: &Context, target: &str) -> PathBuf {
    context.home.root().join("targets").join(target)
}

/// Writes a target into the file.
///
/// # Errors
/// The name or the file cannot be used; nothing is written then.
pub fn add(context: &Context, name: &str, address: &Address, folder: Option<&str>) -> Result<(), HomeError> {
    if let Some(why) = refused_name(name) {
        return Err(HomeError::Words(format!("'{}' cannot be the name of a target: {why}", name.escape_debug())));
    }
    change(context, |text, targets| {
        if targets.get(name).is_some() {
            return Err(HomeError::Words(format!("there is a target {name}; `neronet target rm {name}` takes it out")));
        }
        Ok(target_file::with(text, name, &address.to_string(), folder))
    })
}

/// Writes down where everything is on a target that has no folder yet.
///
/// # Errors
/// The file cannot be used, or has the target in a form that is left to people.
pub fn place(context: &Context, name: &str, folder: &str) -> Result<(), HomeError> {
    let by_hand = || HomeError::Words(format!("[targets.{name}] has no folder; write folder = \"{folder}\" there"));
    change(context, |text, _| target_file::with_folder(text, name, folder).ok_or_else(by_hand))
}

/// Takes a target out of the file.
///
/// # Errors
/// It is not there, or something else in the file names it.
pub fn remove(context: &Context, name: &str) -> Result<(), HomeError> {
    change(context, |text, targets| {
        if targets.get(name).is_none() {
            return Err(unknown(targets, name));
        }
        let known = context.home.read()?;
        let there: Vec<RunId> = known.queue.away_at(name).map(|(run, ..)| run).collect();
        if !there.is_empty() {
            let runs = spans(&there);
            return Err(HomeError::Failed(format!("{name} has {runs}, whose end is not on record: `neronet stop {runs}`, or wait for it")));
        }
        if let Some(place) = target_file::still_named(targets, name) {
            return Err(HomeError::Words(format!("{place} still means {name}: take it out of {FILE} there first")));
        }
        let left = target_file::without(text, name);
        match neronet_spec::targets(&left, FILE) {
            Ok(known) if known.get(name).is_none() => Ok(left),
            _ => Err(HomeError::Words(format!("{name} is no table [targets.{name}] of its own: take it out of {FILE} by hand"))),
        }
    })?;
    refused::forget(context, name);
    Ok(())
}

/// Refuses the name of this machine where another one is meant. `instead`: what to do.
///
/// # Errors
/// It is.
pub fn not_this_machine(name: &str, instead: &str) -> Result<(), HomeError> {
    if name == LOCAL { Err(HomeError::Words(format!("{LOCAL} is this machine: {instead}"))) } else { Ok(()) }
}

/// That there is no target of this name, and which there are.
pub fn unknown(targets: &Targets, name: &str) -> HomeError {
    let names = || targets.targets.iter().map(|(name, _)| name.as_str());
    let guess = did_you_mean(name, names());
    let known = match targets.targets.len() {
        0 => "there are none yet: neronet target add NAME ssh://HOST".to_string(),
        _ => format!("there is {}", some_of(names(), 12)),
    };
    HomeError::Absent(format!("there is no target '{}'{guess}; {known}", name.escape_debug()))
}

/// Replaces the file's text by what `change` makes of it, if that can be read again.
fn change(context: &Context, change: impl FnOnce(&str, &Targets) -> Result<String, HomeError>) -> Result<(), HomeError> {
    // Whoever holds home's lock is the only one who changes what is in it.
    let _home = context.lock()?;
    let path = context.home.root().join(FILE);
    let targets = all(context)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(HomeError::Words(format!("{}: it cannot be read: {e}", path.display()))),
    };
    let text = change(&text, &targets)?;
    neronet_spec::targets(&text, &path.display().to_string())?;
    Ok(files::replace(&path, text.as_bytes(), Durability::Synced)?)
}
