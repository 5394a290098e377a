//! `[code] build`: carried out once for a snapshot, in a copy of its own that the runs' copies are then made from. Whoever drives
//! a sweep starts it and goes on with other work; of two who want the same, one builds.

use crate::context::Context;
use crate::error::HomeError;
use crate::preflight::{activated, default_shell, virtual_environment};
use crate::submit::environment_of;
use neronet_capture::code;
use neronet_model::journal::Sweep;
use neronet_spec::plain;
use neronet_spec::render;
use neronet_store::{StoreError, files};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Lines of what a failed build said that its runs' reason holds.
const LAST_LINES: usize = 10;

/// The build of a sweep, as far as it has come.
pub(crate) enum Build {
    /// There is none, or it is done.
    Ready,
    /// Another neronet builds the same.
    Elsewhere,
    Running(Box<Running>),
    Failed(String),
}

pub(crate) struct Running {
    child: Child,
    since: Instant,
    draft: PathBuf,
    place: PathBuf,
    log: PathBuf,
    ended: bool,
    /// Held while it runs.
    _lock: Flock<File>,
}

/// Nobody would take up what a build that is left alone comes to: it ends with whoever waits for it, with all that it started.
impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL).ok();
            self.child.wait().ok();
        }
        std::fs::remove_dir_all(&self.draft).ok();
    }
}

/// Where the built copy of a sweep's code is, or will be; none where nothing is built or runs execute in place.
pub(crate) fn place(context: &Context, sweep: &Sweep) -> Option<PathBuf> {
    let settings = &sweep.settings;
    let (build, snapshot) = settings.code.build.as_ref().zip(sweep.code.snapshot.as_ref())?;
    let what = (snapshot, build, &settings.environment, &settings.code.directory, &settings.code.link, &sweep.code.below);
    let key = neronet_capture::hash(&serde_json::to_vec(&what).unwrap_or_default());
    Some(context.home.root().join("builds").join(&key[..32]))
}

/// Begins the build of a sweep, if it needs one that is not there.
pub(crate) fn begin(context: &Context, sweep: &Sweep) -> Result<Build, HomeError> {
    let Some(place) = place(context, sweep) else { return Ok(Build::Ready) };
    if place.is_dir() {
        return Ok(Build::Ready);
    }
    files::make_folder(place.parent().unwrap_or(&place))?;
    let lock = place.with_extension("lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock).map_err(StoreError::io("open", &lock))?;
    let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else { return Ok(Build::Elsewhere) };
    if place.is_dir() {
        return Ok(Build::Ready);
    }
    clear(&place);
    // Of a name of its own: what is left of a build whose neronet was killed may still write to its.
    let draft = place.with_extension(format!("{}.new", std::process::id()));
    let below = Path::new(&sweep.code.below);
    let links: Vec<String> = sweep.settings.code.link.iter().map(|link| below.join(link).display().to_string()).collect();
    let snapshot = sweep.code.snapshot.as_deref().unwrap_or_default();
    code::materialise(&context.home.snapshots(), snapshot, &draft, &links, Path::new(&sweep.code.top))?;
    let log = place.with_extension("log");
    let child =
        command(context, sweep, &draft, &log)?.spawn().map_err(|e| HomeError::Failed(format!("the build cannot be started: {e}")))?;
    let build = sweep.settings.code.build.as_deref().unwrap_or_default();
    (context.say)(&match context.passing {
        true => format!("building: {build}"),
        false => format!("building for sweep {}: {build} (it prints to {})", sweep.id, log.display()),
    });
    Ok(Build::Running(Box::new(Running { child, since: Instant::now(), draft, place, log, ended: false, _lock: lock })))
}

/// Removes what builds that were cut short have left. The lock is held, so none is at work here.
fn clear(place: &Path) {
    let (Some(folder), Some(key)) = (place.parent(), place.file_name().and_then(|name| name.to_str())) else { return };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(key) && name.ends_with(".new") {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn command(context: &Context, sweep: &Sweep, draft: &Path, log: &Path) -> Result<Command, HomeError> {
    let settings = &sweep.settings;
    let environment = environment_of(context, sweep.id);
    let argv = render::build(settings, default_shell(&environment)).unwrap_or_default();
    let said = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(log).map_err(StoreError::io("open", log))?;
    let also = said.try_clone().map_err(StoreError::io("open", log))?;
    let start = draft.join(&sweep.code.below).join(settings.code.directory.as_deref().unwrap_or_default());
    let mut command = Command::new(argv.first().map_or("sh", String::as_str));
    command.args(argv.iter().skip(1)).current_dir(plain(&start)).stdin(Stdio::null()).stdout(said).stderr(also);
    // Ctrl-C is a question to us; a group of its own is also what can be ended with all that it started.
    command.process_group(0).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    if let Some(python) = &settings.environment.python {
        let venv = virtual_environment(&Path::new(&sweep.code.top).join(&sweep.code.below), python);
        let path = environment.iter().find(|(name, _)| name == "PATH").and_then(|(_, value)| value.to_str());
        for (name, value) in activated(&venv, path) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
    command.envs(neronet_spec::variables(settings).into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(command)
}

impl Build {
    /// What has become of it by now.
    pub(crate) fn look(self, context: &Context, sweep: &Sweep) -> Build {
        match self {
            Build::Elsewhere => begin(context, sweep).unwrap_or_else(|e| Build::Failed(e.to_string())),
            Build::Running(mut running) => match running.child.try_wait() {
                Ok(None) => Build::Running(running),
                Ok(Some(status)) => {
                    running.ended = true;
                    if !status.success() {
                        return Build::Failed(failed(context, &status.to_string(), &running.log));
                    }
                    match std::fs::rename(&running.draft, &running.place) {
                        Ok(()) => {
                            (context.say)(&format!("built in {} s", running.since.elapsed().as_secs()));
                            Build::Ready
                        }
                        Err(e) => Build::Failed(format!("the built code cannot be kept: {e}")),
                    }
                }
                Err(e) => Build::Failed(format!("the build cannot be watched: {e}")),
            },
            other => other,
        }
    }
}

fn failed(context: &Context, how: &str, log: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    let said = if last.is_empty() { String::new() } else { format!(":\n{last}") };
    let place = if context.passing { String::new() } else { format!("; all that it said is in {}", log.display()) };
    format!("the build failed ({how}{place}){said}")
}
