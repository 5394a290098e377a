//! Targets that refused us, which only their user can mend. That is on record in home, so that nobody asks them again by himself, a later
//! daemon neither: accounts are closed for less. Listings tell of it until the target is reached.

use crate::at_target;
use crate::context::Context;
use crate::targets::{self, folder_of};
use crate::view::Snapshot;
use neronet_model::UnixMs;
use neronet_model::target::Target;
use neronet_store::files::{self, Durability};
use neronet_target::Trouble;
use neronet_target::ssh::Ssh;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Why {
    Login,
    HostKey,
}

/// `targets/NAME/refused.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// When that was said first.
    pub at: UnixMs,
    why: Why,
    /// By ssh.
    said: String,
    address: String,
    /// The connection that the user had opened then: it did not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<Opened>,
    /// It is in the daemon's log.
    #[serde(default)]
    logged: bool,
}

/// One connection of the user's, told from the next by inode and time of its socket.
type Opened = (u64, i64, i64);

fn path(context: &Context, name: &str) -> PathBuf {
    folder_of(context, name).join("refused.json")
}

fn opened(socket: &Path) -> Option<Opened> {
    let meta = socket.symlink_metadata().ok()?;
    Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

fn opened_by_user(context: &Context, name: &str) -> Option<Opened> {
    targets::ssh(context).ok().and_then(|ssh| opened(&ssh.socket(name)))
}

impl Refused {
    /// Nobody but the user may try this again.
    pub(crate) fn is_left_to_the_user(&self) -> bool {
        self.why == Why::Login
    }

    /// As it stands behind the target's name.
    pub(crate) fn words(&self, name: &str) -> String {
        match self.why {
            Why::Login => format!("needs login (`neronet target login {name}`)"),
            Why::HostKey => format!("has another host key than it had (`neronet target check {name}`)"),
        }
    }

    /// For the log.
    fn sentence(&self, name: &str) -> String {
        let then = if self.is_left_to_the_user() { "; it is not asked again before" } else { "" };
        format!("{name} {}{then}: {}", self.words(name), self.said)
    }
}

/// What a target answered to whoever wanted a connection. Best effort: what is not on record is told the next time.
pub(crate) fn heard<T>(context: &Context, ssh: &Ssh, (name, target): (&str, &Target), answer: &Result<T, Trouble>) {
    let (why, said) = match answer {
        Ok(_) => return forget(context, name),
        Err(Trouble::NeedsLogin(said)) => (Why::Login, said),
        Err(Trouble::HostKey(said)) => (Why::HostKey, said),
        Err(_) => return,
    };
    let address = target.address.to_string();
    let before: Option<Refused> = files::read_json(&path(context, name)).ok().flatten();
    let before = before.filter(|before| before.why == why && before.address == address);
    let at = before.as_ref().map_or_else(|| context.now(), |before| before.at);
    let said = said.chars().filter(|c| !c.is_control()).collect();
    let logged = before.is_some_and(|before| before.logged);
    write(context, name, &Refused { at, why, said, address, opened: opened(&ssh.socket(name)), logged });
}

fn write(context: &Context, name: &str, refused: &Refused) {
    let path = path(context, name);
    files::make_folder(path.parent().unwrap_or(&path)).and_then(|()| files::replace_json(&path, refused, Durability::Synced)).ok();
}

/// It was reached, or is another one from now on.
pub fn forget(context: &Context, name: &str) {
    std::fs::remove_file(path(context, name)).ok();
}

/// What a target refused last, unless that was mended since: it was reached, has another address, or its user opened a connection.
pub(crate) fn of(context: &Context, name: &str) -> Option<Refused> {
    let refused: Refused = files::read_json(&path(context, name)).ok().flatten()?;
    let address = targets::all(context).ok()?.get(name)?.address.to_string();
    let now = opened_by_user(context, name);
    (refused.address == address && (now.is_none() || now == refused.opened)).then_some(refused)
}

/// The daemon's log says it once, however often it is tried and whoever does.
pub(crate) fn log(context: &Context, name: &str) {
    if let Some(refused) = of(context, name).filter(|refused| !refused.logged) {
        (context.say)(&refused.sentence(name));
        write(context, name, &Refused { logged: true, ..refused });
    }
}

/// Waits for the user, after a refusal. `goes_on` rests for a moment, and says whether to wait on.
pub(crate) fn until_mended(context: &Context, name: &str, goes_on: impl Fn() -> bool) {
    let (is_on_record, before) = (of(context, name).is_some(), opened_by_user(context, name));
    let is_mended = || match is_on_record {
        true => of(context, name).is_none(),
        // The disk may be full.
        false => opened_by_user(context, name) != before,
    };
    while goes_on() && !is_mended() {}
}

/// A line for each target that refused us and that runs wait for.
pub fn notices(context: &Context, snapshot: &Snapshot) -> Vec<String> {
    let Ok(targets) = targets::all(context) else { return Vec::new() };
    let line = |name: &String| {
        let refused = of(context, name)?;
        let there = at_target::of(context, snapshot, name);
        let counted = |n: usize, one: &str, several: &str| match n {
            0 => None,
            1 => Some(format!("1 run {one}")),
            n => Some(format!("{n} runs {several}")),
        };
        let waiting = counted(there.waiting.len() + there.queued.len(), "waits for it", "wait for it");
        let running = counted(there.running.len(), "that it started is not heard of", "that it started are not heard of");
        let both: Vec<String> = waiting.into_iter().chain(running).collect();
        (!both.is_empty()).then(|| format!("{name} {}; {}", refused.words(name), both.join(", ")))
    };
    targets.targets.iter().filter_map(|(name, _)| line(name)).collect()
}
