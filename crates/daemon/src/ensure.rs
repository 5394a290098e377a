//! That there is a daemon when one is needed, of this version or a newer one; and that there is none when none is wanted.

use crate::client::{Client, Unanswered};
use crate::handlers::life::Leaving;
use crate::log;
use crate::notice::{self, Found, Notice, VERSION, is_older};
use neronet_home::{Context, HomeError};
use neronet_model::event::Process;
use neronet_store::{Home, files};
use neronet_supervise::os::process::{self, Alive};
use neronet_supervise::start;
use serde_json::json;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// For a daemon to answer, or to be gone.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// What a daemon says that was started in the background.
pub fn log_of(home: &Home) -> PathBuf {
    home.root().join("daemon.log")
}

/// Finds the daemon of this home, or starts one and waits until it answers. One that nobody asked for leaves by itself when there has
/// been nothing to do for a while. An older one is asked to hand over; no run notices.
pub fn ensure(context: &Context) -> Result<Notice, HomeError> {
    ready(context, &["--until-idle", "10min"], |_| true)
}

/// The same, of one that stays.
pub fn ensure_it_stays(context: &Context) -> Result<Notice, HomeError> {
    ready(context, &[], |there| there.stays)
}

fn ready(context: &Context, words: &[&str], suits: impl Fn(&Notice) -> bool) -> Result<Notice, HomeError> {
    let home = &context.home;
    files::make_folder(home.root())?;
    let log = log_of(home);
    log::cut(&log);
    let said_before = log.metadata().map_or(0, |meta| meta.len());
    let began = Instant::now();
    let mut started: Option<Child> = None;
    let mut why = String::new();
    while began.elapsed() < PATIENCE {
        match notice::find(home) {
            Found::Elsewhere(there) => return Err(notice::elsewhere(&there)),
            Found::Here(there) => {
                let client = Client::of(&there);
                let answer = match is_older(&there.version, VERSION) {
                    true => client.post("/v1/hand-over", &json!({"version": VERSION})).map(|_| false),
                    false => client.get("/v1/about").map(|_| true),
                };
                match answer {
                    Ok(true) if suits(&there) => return Ok(there),
                    // It leaves: whoever comes next is waited for.
                    Ok(false) => gone(&there.process, began),
                    Ok(true) if started.is_none() => started = Some(start(context, words)?),
                    Ok(true) => {}
                    Err(e) => why = e.to_string(),
                }
            }
            Found::Nobody if started.is_none() => started = Some(start(context, words)?),
            Found::Nobody => {}
        }
        match started.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) if !status.success() => {
                let said = log::last_lines(&log, said_before);
                return Err(HomeError::Daemon(format!("the daemon could not start: {said} ({} has all of it)", log.display())));
            }
            // Another one was there by then, and may have left since.
            Some(Ok(Some(_))) => started = None,
            _ => {}
        }
        std::thread::sleep(POLL);
    }
    let said = log::last_lines(&log, said_before);
    let said = if said.is_empty() { why } else { said };
    Err(HomeError::Daemon(format!("no daemon answers after {} seconds: {said}; {} has all of it", PATIENCE.as_secs(), log.display())))
}

fn start(context: &Context, words: &[&str]) -> Result<Child, HomeError> {
    let words: Vec<String> = ["serve", "--detached"].iter().chain(words).map(ToString::to_string).collect();
    let home = &context.home;
    Ok(start::detached(&context.neronet, &words, &[("NERONET_HOME", home.root())], &log_of(home))?)
}

/// Waits until a process has ended.
fn gone(process: &Process, began: Instant) {
    while process::alive(process) == Alive::Yes && began.elapsed() < PATIENCE {
        std::thread::sleep(POLL);
    }
}

/// Asks the daemon to leave and waits until it has. Gives its process and how many runs go on; nothing when there was none.
pub fn down(home: &Home) -> Result<Option<(i32, u64)>, HomeError> {
    let there = match notice::find(home) {
        Found::Nobody => return Ok(None),
        Found::Elsewhere(there) => return Err(notice::elsewhere(&there)),
        Found::Here(there) => there,
    };
    let answer = match Client::of(&there).post("/v1/down", &json!({})) {
        Ok(answer) => answer,
        // It left by itself at this moment.
        Err(Unanswered::Gone(_)) if process::alive(&there.process) == Alive::No => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let began = Instant::now();
    gone(&there.process, began);
    if process::alive(&there.process) == Alive::Yes {
        return Err(HomeError::Daemon(format!(
            "process {} was told to leave and is still there after {} seconds",
            there.process.pid,
            PATIENCE.as_secs()
        )));
    }
    let running = serde_json::from_value::<Leaving>(answer).map_or(0, |leaving| leaving.running);
    Ok(Some((there.process.pid, running)))
}
