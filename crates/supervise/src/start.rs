//! How home starts an attempt, asks it to end, and takes up one whose keeper is gone. Called on the machine where it runs.

use crate::nursery::Nursery;
use crate::os::process::{self, Alive};
use crate::secrets::Secrets;
use neronet_model::launch::Launch;
use neronet_model::{Attempt, AttemptNo};
use neronet_store::StoreError;
use neronet_store::files::{self, Durability};
use neronet_store::spool;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Which process belongs to which attempt: this variable has another value in each.
pub const METRICS_VARIABLE: &str = "NERONET_METRICS";
/// Beside the launch: who asks the command to end, and how.
const REQUEST: &str = "request.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) who: String,
    pub(crate) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The stop signal, then KILL after the grace.
    Stop,
    /// KILL at once.
    Kill,
}

/// An attempt that we started. It lives on without us.
pub struct Started {
    /// Becomes readable (end of file) when the keeper is gone.
    pub gone: OwnedFd,
    /// Of a supervisor that took up an attempt; keepers are nobody's children.
    child: Option<Child>,
}

impl Started {
    /// What a keeper that could not begin said of it. Call when `gone` is readable.
    pub fn last_words(&self) -> Option<String> {
        let mut words = String::new();
        File::from(self.gone.try_clone().ok()?).read_to_string(&mut words).ok()?;
        Some(words).filter(|words| !words.is_empty())
    }

    /// Takes the exit of whoever it was, so that no zombie is left behind. Call when `gone` is readable.
    pub fn reap(self) {
        if let Some(mut child) = self.child {
            child.wait().ok();
        }
    }
}

/// Writes the launch and starts its keeper, which needs neither us nor our terminal. `folder` must be new: an attempt is
/// begun once. The secrets, whose names the launch has, are in no file.
pub fn start(nursery: &Nursery, folder: &Path, launch: &Launch, secrets: &Secrets) -> Result<Started, StoreError> {
    files::make_folder(folder.parent().unwrap_or(folder))?;
    // The claim: of two that want to start the same attempt, one makes the folder.
    std::fs::DirBuilder::new().mode(0o700).create(folder).map_err(StoreError::io("begin the attempt in", folder))?;
    let written = files::replace_json(&folder.join(spool::LAUNCH), launch, Durability::Renamed);
    let keep = || nursery.keep(folder, secrets).map_err(|e| StoreError::io("start the keeper of", folder)(e.into()));
    let kept = written.and_then(|()| keep());
    if kept.is_err() {
        // Nobody has begun it: it may be begun again.
        std::fs::remove_dir_all(folder).ok();
    }
    kept.map(|gone| Started { gone, child: None })
}

/// Starts a supervisor for an attempt whose keeper and supervisor are both gone: it watches what still runs, reads what was
/// printed, and records the end. It is told the secrets that are known here, to mask them.
pub fn adopt(neronet: &Path, folder: &Path, secrets: &Secrets) -> Result<Started, StoreError> {
    let (gone, held) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|e| StoreError::io("watch", folder)(e.into()))?;
    let mut command = Command::new(neronet);
    command.arg0("neronet").arg("supervisor").arg(folder).current_dir("/").env_remove(METRICS_VARIABLE);
    let stdin = if secrets.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(held).stderr(Stdio::null());
    detach(&mut command);
    let mut child = command.spawn().map_err(|source| StoreError::Io { doing: "start", path: neronet.to_path_buf(), source })?;
    if let Some(mut stdin) = child.stdin.take() {
        let mut message = Vec::new();
        secrets.write(&mut message);
        // One that has nothing to do ends without reading.
        stdin.write_all(&message).ok();
        message.fill(0);
    }
    Ok(Started { gone, child: Some(child) })
}

/// Watches an attempt that somebody else started, until its keeper is gone, or else its supervisor.
pub fn attend(folder: &Path, attempt: &Attempt) -> Result<Started, StoreError> {
    let seen_to = [&attempt.keeper, &attempt.supervisor].into_iter().flatten().find(|process| process::alive(process) == Alive::Yes);
    let gone = match seen_to.and_then(process::end_of) {
        Some(gone) => gone,
        // Readable at once, as nobody holds its other end: whoever waits looks by himself.
        None => nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|e| StoreError::io("watch", folder)(e.into()))?.0,
    };
    Ok(Started { gone, child: None })
}

/// Takes the folder away of an attempt that no keeper has begun. False where one has: of us and a keeper that is late, one makes
/// the file that says so.
pub fn take_back(folder: &Path) -> Result<bool, StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(spool::KEEPER));
    match made {
        Ok(_) => files::remove_folder(folder).map(|()| true),
        // Whoever made it was cut short before it took the folder away.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_left_empty(folder) => files::remove_folder(folder).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(StoreError::io("take back", folder)(e)),
    }
}

/// The keeper's record has been there for a while, nothing is in it, and no keeper holds it.
fn is_left_empty(folder: &Path) -> bool {
    let path = folder.join(spool::KEEPER);
    let Ok(meta) = path.metadata() else { return false };
    let age = meta.modified().ok().and_then(|made| made.elapsed().ok());
    meta.len() == 0 && age.is_some_and(|age| age >= BEGINNING) && !holds(&path)
}

/// A keeper has written that it began long before that.
const BEGINNING: Duration = Duration::from_secs(10);

/// A session of its own: no terminal can hang it up, no Ctrl-C reaches it.
#[expect(unsafe_code, reason = "setsid between fork and exec has no other form; it is async-signal-safe")]
pub(crate) fn detach(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
}

/// What an attempt is at, beyond what its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its keeper or supervisor sees to it.
    Attended,
    /// Nobody sees to it, and it is not recorded how it ended.
    Abandoned,
    /// Its record is complete.
    Complete,
    /// Only another host can tell.
    Elsewhere,
}

/// Who sees to the attempt now.
pub fn watch(folder: &Path, attempt: &Attempt) -> Watch {
    if attempt.end.is_some() {
        return Watch::Complete;
    }
    match attempt.keeper.as_ref().map(|keeper| (process::alive(keeper), process::same_boot(keeper))) {
        Some((Alive::Yes, _)) => return Watch::Attended,
        // In another pid namespace, as containers have, but under the same kernel: there its lock tells.
        Some((Alive::ElsewhereUnknown, same_boot)) if !same_boot || holds(&folder.join(spool::KEEPER)) => return Watch::Elsewhere,
        _ => {}
    }
    if holds(&folder.join(spool::LAUNCH)) { Watch::Attended } else { Watch::Abandoned }
}

/// Of several supervisors of one attempt, one works: the one that holds the launch, which is written once and stays.
pub(crate) fn supervisor_lock(folder: &Path) -> io::Result<Option<Flock<File>>> {
    // To be held over a network it must be open for writing.
    let mut file = OpenOptions::new().write(true).open(folder.join(spool::LAUNCH))?;
    // Somebody who looks whether it is held holds it for that moment.
    for _ in 0..5 {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((back, nix::errno::Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Ok(None)
}

fn holds(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}

/// The last request to end, if there was one.
pub(crate) fn request(folder: &Path) -> Result<Option<Request>, StoreError> {
    files::read_json(&folder.join(REQUEST))
}

/// Who asked an attempt to end, whatever has become of that.
pub fn asked_by(folder: &Path) -> Option<String> {
    request(folder).ok().flatten().map(|request| request.who)
}

/// Asks an attempt to end. True when somebody was there to be asked, or will be: a keeper that is just beginning looks for the
/// request, which is therefore written first.
pub fn ask(folder: &Path, n: AttemptNo, who: &str, how: How) -> Result<bool, StoreError> {
    let path = folder.join(REQUEST);
    let written = files::replace_json(&path, &Request { who: who.to_string(), how }, Durability::Renamed);
    if written.is_err() {
        // A full disk must not keep anything running; an older request would say something else.
        std::fs::remove_file(&path).ok();
    }
    let attempt = spool::attempt(folder, n)?;
    let Some(keeper) = &attempt.keeper else { return written.map(|()| attempt.end.is_none()) };
    if process::signal(keeper, Signal::SIGTERM) {
        return Ok(true);
    }
    // Without its keeper the supervisor asks; that also where the keeper died before it read our signal.
    if written.is_ok() && holds(&folder.join(spool::LAUNCH)) {
        return Ok(true);
    }
    // Without either the command is asked directly, with all that it started.
    let Some(command) = &attempt.command else { return Ok(false) };
    let launch = spool::launch(folder)?;
    let mut all = launch.as_ref().map(processes_of).unwrap_or_default();
    if process::alive(command) == Alive::Yes {
        all.extend(process::descendants(command.pid).into_iter().chain([command.pid]));
    }
    all.sort_unstable();
    all.dedup();
    let signal = match how {
        How::Kill => Signal::SIGKILL,
        How::Stop => launch.as_ref().map_or(Signal::SIGTERM, stop_signal),
    };
    signal_all(&all, signal);
    Ok(!all.is_empty())
}

/// The host where an attempt executes, where that is another one: only there it can be asked.
pub fn host_elsewhere(folder: &Path, n: AttemptNo) -> Option<String> {
    let attempt = spool::attempt(folder, n).ok().filter(|attempt| attempt.end.is_none())?;
    let keeper = attempt.keeper.filter(|keeper| process::alive(keeper) == Alive::ElsewhereUnknown)?;
    // Where its keeper has died, its supervisor finds what is asked in the folder.
    let is_there = holds(&folder.join(spool::KEEPER)) || (!process::same_boot(&keeper) && !holds(&folder.join(spool::LAUNCH)));
    is_there.then_some(keeper.host)
}

/// Kills whatever was started in this run's folder, by the variable that each of its processes has.
pub fn kill_all_below(run: &Path) {
    let below = format!("{}/", run.join("attempts").display());
    signal_all(&process::with_variable_below(METRICS_VARIABLE, &below), Signal::SIGKILL);
}

/// Processes of an attempt, by a variable that no other has.
pub(crate) fn processes_of(launch: &Launch) -> Vec<i32> {
    let variable = launch.env.iter().find(|(name, _)| name == METRICS_VARIABLE);
    variable.and_then(|(name, value)| Some(process::with_variable(name, value.as_deref()?))).unwrap_or_default()
}

/// The signal by which the researcher wants to be asked.
pub(crate) fn stop_signal(launch: &Launch) -> Signal {
    format!("SIG{}", launch.stop.signal).parse().unwrap_or(Signal::SIGTERM)
}

pub(crate) fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), signal).ok();
    }
}

/// Starts the runner of a target's folder by a login shell of this user, so that it has the environment that a login gives; what is
/// said on the way goes to `log`. Every shell knows how to put a variable in the place of a word.
pub fn through_login(shell: &Path, neronet: &Path, folder: &Path, log: &Path) -> Result<Child, StoreError> {
    let name = shell.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut command = Command::new(shell);
    command.arg0(format!("-{name}")).arg("-c").arg(r#"exec "$NERONET_BINARY" runner "$NERONET_RUNNER""#);
    command.env("NERONET_BINARY", neronet).env("NERONET_RUNNER", folder).current_dir("/");
    on_its_own(command, shell, log)
}

/// Starts neronet with these words, detached from us and our terminal; what it says goes to `log`.
pub fn detached(neronet: &Path, words: &[String], environment: &[(&str, &Path)], log: &Path) -> Result<Child, StoreError> {
    let mut command = Command::new(neronet);
    command.arg0("neronet").args(words).envs(environment.iter().copied());
    on_its_own(command, neronet, log)
}

fn on_its_own(mut command: Command, program: &Path, log: &Path) -> Result<Child, StoreError> {
    let said = OpenOptions::new().append(true).create(true).mode(0o600).open(log).map_err(StoreError::io("open", log))?;
    let also = said.try_clone().map_err(StoreError::io("open", log))?;
    // Of a run that it is started from within: its processes are known by that.
    command.env_remove(METRICS_VARIABLE).stdin(Stdio::null()).stdout(said).stderr(also);
    detach(&mut command);
    command.spawn().map_err(|source| StoreError::Io { doing: "start", path: program.to_path_buf(), source })
}
