//! `[code] build`: carried out once for a snapshot, in a copy of its own that the runs' copies are then made from. Whoever drives
//! a sweep starts it and goes on with other work; of two who want the same, one builds.

use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::preflight::{activated, default_shell, virtual_environment};
use crate::submit::environment_of;
use crate::there;
use neronet_capture::code;
use neronet_capture::secrets::mask_text;
use neronet_model::journal::{HomeState, Sweep};
use neronet_spec::plain;
use neronet_spec::render;
use neronet_store::StoreError;
use neronet_store::files::{self, Durability};
use neronet_supervise::cause;
use neronet_supervise::os::process;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Lines of what a failed build said that its runs' reason holds.
const LAST_LINES: usize = 10;
/// Which process belongs to which build.
const VARIABLE: &str = "NERONET_BUILD";
/// Variables that tell compilers and interpreters what to do. All others differ from one login or job to the next, and a build would be
/// carried out again for each of them.
#[rustfmt::skip]
const STEERING: [&str; 25] = [
    "PATH", "CC", "CXX", "CPP", "FC", "F77", "LD", "AR", "NVCC", "CUDACXX", "CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "TORCH_CUDA_ARCH_LIST",
    "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "PKG_CONFIG_PATH", "CONDA_PREFIX",
    "VIRTUAL_ENV", "LOADEDMODULES", "MAKEFLAGS", "RUSTFLAGS",
];
/// The longest line of what a build prints, and as much as is read of it at once.
const LONGEST_LINE: usize = 64 << 10;
const AT_ONCE: u64 = 4 << 20;

/// How far the build of a sweep has come.
pub(crate) enum Build {
    /// There is none, or it is done.
    Ready,
    /// Another neronet builds the same.
    Elsewhere,
    Running(Box<Running>),
}

pub(crate) struct Running {
    child: Child,
    since: Instant,
    place: PathBuf,
    said: Said,
    /// Nothing is left to be taken away.
    kept: bool,
    /// Held while it runs.
    _lock: Flock<File>,
}

/// Nobody would take up what a build that is left alone comes to: it ends with whoever waits for it, with all that it started.
impl Drop for Running {
    fn drop(&mut self) {
        if !self.kept {
            // Once it has ended its number may be another's.
            let lives = matches!(self.child.try_wait(), Ok(None));
            end(&self.place, lives.then(|| self.child.id().cast_signed()));
            self.child.wait().ok();
            files::remove_folder(&self.place).ok();
        }
    }
}

/// Ends what is left of a build, however far that put itself from it.
fn end(place: &Path, shell: Option<i32>) {
    let of_shell = || shell.map(|shell| [process::descendants(shell), vec![shell]].concat()).unwrap_or_default();
    let mut ended = BTreeSet::new();
    loop {
        let all = process::with_variable(VARIABLE, &place.display().to_string()).into_iter().chain(of_shell());
        let living: Vec<i32> = all.filter(|pid| ended.insert(*pid)).collect();
        if let Some(shell) = shell {
            killpg(Pid::from_raw(shell), Signal::SIGKILL).ok();
        }
        for pid in &living {
            kill(Pid::from_raw(*pid), Signal::SIGKILL).ok();
        }
        if living.is_empty() {
            return;
        }
    }
}

/// Where the built copy of a sweep's code is, or will be; none where nothing is built or runs execute in place.
pub(crate) fn place(context: &Context, sweep: &Sweep) -> Option<PathBuf> {
    let sweep = &*there::here(sweep);
    let (snapshot, _) = sweep.code.snapshot.as_ref().zip(sweep.settings.code.build.as_ref())?;
    let given = environment(context, sweep);
    let argv = argv(sweep, &given)?;
    let own = neronet_spec::variables(&sweep.settings);
    let steers = |name: &OsStr| own.iter().any(|(own, _)| name == own.as_str()) || steers(name, &argv);
    let lasting: Vec<_> = given.iter().filter(|(name, _)| steers(name)).collect();
    let code = &sweep.settings.code;
    let what = serde_json::to_vec(&(snapshot, &argv, lasting, &code.directory, &code.link, &sweep.code.below)).ok()?;
    Some(folder(context).join(&neronet_capture::hash(&what)[..32]))
}

fn folder(context: &Context) -> PathBuf {
    context.home.root().join("builds")
}

/// Whether a variable can change what is built: one that compilers know, or that the build itself names.
fn steers(name: &OsStr, argv: &[String]) -> bool {
    let name = name.to_string_lossy();
    let known = STEERING.contains(&&*name) || name.ends_with("FLAGS") || name.starts_with("PYTHON") || name.starts_with("CMAKE_");
    known || (name.len() > 2 && argv.iter().any(|word| word.contains(&*name)))
}

/// Says that a build is done: it is there in whole, also after a power cut.
fn done(place: &Path) -> PathBuf {
    place.with_extension("done")
}

/// Somebody may have taken the folder away and left the mark.
fn is_done(place: &Path) -> bool {
    done(place).is_file() && place.is_dir()
}

fn argv(sweep: &Sweep, given: &[(OsString, OsString)]) -> Option<Vec<String>> {
    render::build(&sweep.settings, default_shell(given))
}

/// What a build is given, in the order of the names.
fn environment(context: &Context, sweep: &Sweep) -> Vec<(OsString, OsString)> {
    let mut given: BTreeMap<OsString, OsString> = environment_of(context, sweep.id).into_iter().collect();
    if let Some(python) = &sweep.settings.environment.python {
        let venv = virtual_environment(&Path::new(&sweep.code.top).join(&sweep.code.below), python);
        let path = given.get(OsStr::new("PATH")).and_then(|path| path.to_str()).map(str::to_string);
        for (name, value) in activated(&venv, path.as_deref()) {
            match value {
                Some(value) => given.insert(name.into(), value.into()),
                None => given.remove(OsStr::new(&name)),
            };
        }
    }
    let own = neronet_spec::variables(&sweep.settings).into_iter();
    given.extend(own.filter_map(|(name, value)| Some((name.into(), value?.into()))));
    given.into_iter().collect()
}

/// Begins the build of a sweep, if it needs one that is not there.
pub(crate) fn begin(context: &Context, sweep: &Sweep) -> Result<Build, HomeError> {
    let Some(place) = place(context, sweep) else { return Ok(Build::Ready) };
    if is_done(&place) {
        return Ok(Build::Ready);
    }
    files::make_folder(&folder(context))?;
    let Some(lock) = lock(&place)? else { return Ok(Build::Elsewhere) };
    if is_done(&place) {
        return Ok(Build::Ready);
    }
    if place.exists() {
        // Its neronet was killed, and what that started may still write there.
        end(&place, None);
        files::remove_folder(&place)?;
    }
    let below = Path::new(&sweep.code.below);
    let links: Vec<String> = sweep.settings.code.link.iter().map(|link| below.join(link).display().to_string()).collect();
    let snapshot = sweep.code.snapshot.as_deref().unwrap_or_default();
    code::materialise(&context.home.snapshots(), snapshot, &place, &links, Path::new(&sweep.code.top))?;
    let started = start(context, sweep, &place);
    if started.is_err() {
        files::remove_folder(&place).ok();
    }
    let (child, said) = started?;
    let command = mask_text(sweep.settings.code.build.as_deref().unwrap_or_default(), &said.known);
    (context.say)(&match context.passing {
        true => format!("building: {command}"),
        false => format!("building for sweep {}: {command} (it prints to {})", sweep.id, said.log.display()),
    });
    Ok(Build::Running(Box::new(Running { child, since: Instant::now(), place, said, kept: false, _lock: lock })))
}

/// Nothing while somebody else has it.
fn lock(place: &Path) -> Result<Option<Flock<File>>, StoreError> {
    let path = place.with_extension("lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(StoreError::io("open", &path))?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok();
    // Whoever took the build away took this file along.
    Ok(lock.filter(|lock| lock.metadata().is_ok_and(|meta| meta.nlink() > 0)))
}

fn start(context: &Context, sweep: &Sweep, place: &Path) -> Result<(Child, Said), HomeError> {
    let given = environment(context, sweep);
    let argv = argv(sweep, &given).unwrap_or_default();
    let mut known = masked::known(context, sweep);
    known.extend(masked::in_environment(given.clone()));
    let (said, stdout) = Said::new(place, known)?;
    let stderr = stdout.try_clone().map_err(StoreError::io("open", &said.log))?;
    let start = place.join(&sweep.code.below).join(sweep.settings.code.directory.as_deref().unwrap_or_default());
    let mut command = Command::new(argv.first().map_or("sh", String::as_str));
    command.args(argv.iter().skip(1)).current_dir(plain(&start)).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    // Ctrl-C is a question to us; a group of its own is also what can be ended with all that it started.
    command.process_group(0).env_clear().envs(given).env(VARIABLE, place);
    let child = command.spawn().map_err(|e| HomeError::Failed(format!("the build cannot be started: {e}")))?;
    Ok((child, said))
}

/// What a build prints, and its log, which is that without its secrets.
struct Said {
    /// It has no name: what it holds goes with the build.
    printed: File,
    /// Of a line that has no end yet.
    rest: Vec<u8>,
    log: PathBuf,
    known: Vec<String>,
}

impl Said {
    /// With the file that the build is to print to.
    fn new(place: &Path, known: Vec<String>) -> Result<(Said, File), StoreError> {
        let (log, path) = (place.with_extension("log"), place.with_extension("printed"));
        files::replace(&log, b"", Durability::Renamed)?;
        let print = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(StoreError::io("open", &path))?;
        let printed = File::open(&path).map_err(StoreError::io("open", &path))?;
        std::fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        Ok((Said { printed, rest: Vec::new(), log, known }, print))
    }

    /// Puts what was printed since into the log, in whole lines while more may come. False when there is more to read at once.
    fn read(&mut self, more: bool) -> io::Result<bool> {
        let got = (&self.printed).take(AT_ONCE).read_to_end(&mut self.rest)? as u64;
        let more = more || got == AT_ONCE;
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let end = match self.rest.iter().rposition(ends) {
            Some(at) if more => at + 1,
            None if more && self.rest.len() < LONGEST_LINE => 0,
            _ => self.rest.len(),
        };
        let lines: Vec<u8> = self.rest.drain(..end).collect();
        if !lines.is_empty() {
            let masked = mask_text(&String::from_utf8_lossy(&lines), &self.known);
            OpenOptions::new().append(true).open(&self.log)?.write_all(masked.as_bytes())?;
        }
        Ok(got < AT_ONCE)
    }
}

impl Running {
    /// What has become of it by now.
    pub(crate) fn look(mut self: Box<Running>, context: &Context) -> Result<Build, HomeError> {
        let ended = self.child.try_wait().map_err(|e| HomeError::Failed(format!("the build cannot be watched: {e}")))?;
        // A log that cannot be written is no reason to fail.
        while matches!(self.said.read(ended.is_none()), Ok(false)) {}
        match ended {
            None => return Ok(Build::Running(self)),
            Some(status) if !status.success() => return Err(HomeError::Failed(failed(context, &status.to_string(), &self.said.log))),
            Some(_) => {}
        }
        let synced = File::open(&self.place).and_then(|folder| Ok(nix::unistd::syncfs(folder)?));
        synced.map_err(StoreError::io("make the build durable in", &self.place))?;
        files::replace(&done(&self.place), b"", Durability::Synced)?;
        self.kept = true;
        (context.say)(&format!("built in {} s", self.since.elapsed().as_secs()));
        Ok(Build::Ready)
    }
}

/// Its first line is for listings; what it said last stands below.
fn failed(context: &Context, how: &str, log: &Path) -> String {
    let text = String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    let telling =
        last.iter().rfind(|line| cause::names_an_error(line)).or(last.last()).map(|line| format!(": {}", line.trim())).unwrap_or_default();
    let below = if last.len() > 1 { format!("\n{}", last.join("\n")) } else { String::new() };
    let place = if context.passing { String::new() } else { format!("\nall that it said is in {}", log.display()) };
    format!("the build failed ({how}){telling}{below}{place}")
}

/// A build that no run has any more. Nobody can begin it anew until this is dropped.
pub(crate) struct Unused {
    place: PathBuf,
    _lock: Flock<File>,
}

/// Where the builds are that no run has any more.
pub(crate) fn unused_places(context: &Context, state: &HomeState) -> Vec<PathBuf> {
    let used: BTreeSet<_> = state.runs.briefs().map(|(_, run)| run.sweep).collect();
    let used = used.iter().filter_map(|sweep| state.sweeps.get(sweep)).filter_map(|sweep| place(context, sweep));
    let used: BTreeSet<PathBuf> = used.collect();
    let there = std::fs::read_dir(folder(context)).into_iter().flatten().flatten();
    let there = there.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let there: BTreeSet<PathBuf> =
        there.map(|entry| folder(context).join(entry.file_name().to_string_lossy().split('.').next().unwrap_or_default())).collect();
    there.into_iter().filter(|place| !used.contains(place)).collect()
}

/// Takes the builds out of use that no run has any more. Home is locked: no submission comes in between.
pub(crate) fn unused(context: &Context, state: &HomeState) -> Vec<Unused> {
    unused_places(context, state).into_iter().filter_map(Unused::take).collect()
}

impl Unused {
    /// Nothing while somebody builds it. Home is locked.
    pub(crate) fn take(place: PathBuf) -> Option<Unused> {
        let lock = lock(&place).ok()??;
        std::fs::remove_file(done(&place)).ok();
        Some(Unused { place, _lock: lock })
    }

    pub(crate) fn remove(self) -> Result<(), StoreError> {
        files::remove_folder(&self.place)?;
        for extension in ["log", "lock"] {
            std::fs::remove_file(self.place.with_extension(extension)).ok();
        }
        Ok(())
    }
}
