//! A target as `targets.toml` names it: where it is, which scheduler it has, what runs may have of it.

use crate::hours::{Hours, Maintenance};
use crate::settings::Environment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How a machine is reached, and what starts runs there: `ssh://me@gpu1`, `ssh://triton?scheduler=slurm`, `local://`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub transport: Transport,
    pub scheduler: Scheduler,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// The machine that we are on.
    Local,
    /// By the user's own ssh: what the host is called there, which may be a name of ssh's configuration alone.
    Ssh { user: Option<String>, host: String, port: Option<u16> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduler {
    /// None: runs start at once, as there is room.
    #[default]
    Direct,
    Slurm,
    GridEngine,
}

impl Scheduler {
    pub const ALL: [Scheduler; 3] = [Scheduler::Direct, Scheduler::Slurm, Scheduler::GridEngine];

    pub const fn word(self) -> &'static str {
        match self {
            Scheduler::Direct => "direct",
            Scheduler::Slurm => "slurm",
            Scheduler::GridEngine => "gridengine",
        }
    }
}

/// Why a text is no address, and one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAddress {
    pub why: String,
    pub hint: &'static str,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, self.hint)
    }
}

const USUAL: &str = "write ssh://user@host, ssh://host?scheduler=slurm, or local://";

/// What ssh is told must not be read as an option, and no shell and no configuration of ssh may find anything in it.
fn is_plain(text: &str, also: &str) -> bool {
    !text.is_empty() && !text.starts_with(['-', '.']) && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Address, NoAddress> {
        let no = |why: String| NoAddress { why, hint: USUAL };
        let (way, rest) = text.split_once("://").ok_or_else(|| no(format!("'{}' is no address", text.escape_debug())))?;
        let (place, asked) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let mut scheduler = Scheduler::Direct;
        for pair in asked.split('&').filter(|pair| !pair.is_empty()) {
            let known = pair.strip_prefix("scheduler=").and_then(|word| Scheduler::ALL.into_iter().find(|known| known.word() == word));
            let why = || format!("'{}' behind '?' says nothing: scheduler is one of slurm, gridengine, direct", pair.escape_debug());
            scheduler = known.ok_or_else(|| no(why()))?;
        }
        let transport = match way {
            "local" if place.is_empty() => Transport::Local,
            "local" => return Err(no(format!("local:// is this machine, so '{}' means nothing there", place.escape_debug()))),
            "ssh" => host(place).map_err(no)?,
            _ => return Err(no(format!("'{}' is no way to a target", way.escape_debug()))),
        };
        Ok(Address { transport, scheduler })
    }
}

fn host(place: &str) -> Result<Transport, String> {
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, place),
    };
    if let Some(user) = user.filter(|user| !is_plain(user, "._-+@")) {
        return Err(format!("'{}' cannot be the name of a user", user.escape_debug()));
    }
    let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| format!("'{}' is no port", port.escape_debug()))?)),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_v6 = place.starts_with('[') && host.chars().all(|c| c.is_ascii_hexdigit() || ":.%".contains(c)) && host.contains(':');
    if !is_v6 && !is_plain(host, "._-") {
        return Err(format!("'{}' cannot be the name of a host", host.escape_debug()));
    }
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("'{}' is no port", port.escape_debug()))?),
    };
    Ok(Transport::Ssh { user: user.map(str::to_string), host: host.to_string(), port })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Local => f.write_str("local://")?,
            Transport::Ssh { user, host, port } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                match host.contains(':') {
                    true => write!(f, "[{host}]")?,
                    false => f.write_str(host)?,
                }
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
            }
        }
        match self.scheduler {
            Scheduler::Direct => Ok(()),
            other => write!(f, "?scheduler={}", other.word()),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = NoAddress;
    fn try_from(text: String) -> Result<Address, NoAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

/// Why a text cannot name a target, if it cannot.
pub fn refused_name(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("it is empty"),
        LOCAL => Some("it means this machine"),
        name if name.len() > 64 => Some("it is longer than 64 characters"),
        name if !is_plain(name, "._-") => Some("letters, digits, '-', '_' and '.' are allowed, and it begins with a letter or a digit"),
        _ => None,
    }
}

/// Why everything of neronet cannot be in a folder of this name on a target, if it cannot.
pub fn refused_folder(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
    match path {
        path if path.contains(char::is_control) => Some("it has a control character"),
        path if path.starts_with('~') || path.contains('$') => Some("'~' and '$' mean nothing in it: it is taken as it is written"),
        path if !path.starts_with('/') => Some("it is not absolute"),
        _ if parts.peek().is_none() => Some("it is the root of all that is there"),
        _ if parts.any(|part| part == "..") => Some("'..' leads out of what is written"),
        _ => None,
    }
}

/// One target of `targets.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub address: Address,
    /// Where everything of ours is there, absolute.
    pub folder: Option<String>,
    pub max_runs: Option<u64>,
    /// What is left to others: processors, bytes of memory, GPUs.
    pub leave_cores: Option<u32>,
    pub leave_memory: Option<u64>,
    pub leave_gpus: Option<u32>,
    /// How many there are of what `[resources.named]` asks for.
    pub named: BTreeMap<String, u64>,
    /// Added to the niceness of what runs there.
    pub nice: Option<i32>,
    /// Runs use the disk when nobody else does.
    pub idle_disk: Option<bool>,
    pub pause_on_battery: Option<bool>,
    /// When it takes runs; none: always.
    pub hours: Vec<Hours>,
    pub maintenance: Vec<Maintenance>,
    /// What `{target.NAME}` stands for.
    pub vars: Vec<(String, String)>,
    /// The scheduler's: account, partition or queue, further options.
    pub account: Option<String>,
    pub partition: Option<String>,
    pub options: Vec<String>,
    pub environment: Environment,
}

impl Target {
    /// This machine, where `targets.toml` says nothing of it.
    pub fn this_machine() -> Target {
        Target {
            address: Address { transport: Transport::Local, scheduler: Scheduler::Direct },
            folder: None,
            max_runs: None,
            leave_cores: None,
            leave_memory: None,
            leave_gpus: None,
            hours: Vec::new(),
            maintenance: Vec::new(),
            named: BTreeMap::new(),
            nice: None,
            idle_disk: None,
            pause_on_battery: None,
            vars: Vec::new(),
            account: None,
            partition: None,
            options: Vec::new(),
            environment: Environment::default(),
        }
    }
}

/// `targets.toml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Targets {
    /// Where runs go that name no target.
    pub default: Option<String>,
    pub groups: BTreeMap<String, Vec<String>>,
    /// In the order of the file.
    pub targets: Vec<(String, Target)>,
}

/// What this machine is called as a target.
pub const LOCAL: &str = "local";
/// Of `nice`: processes yield no more than this.
pub const NICEST: i32 = 19;

impl Targets {
    pub fn get(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|(known, _)| known == name).map(|(_, target)| target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were_written() {
        for text in [
            "local://",
            "local://?scheduler=gridengine",
            "ssh://gpu1",
            "ssh://me@gpu1",
            "ssh://me@gpu1.lab.example.org:2222",
            "ssh://first.last@example.org@login.example.org",
            "ssh://triton?scheduler=slurm",
            "ssh://me@[fe80::1]:22",
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        assert_eq!("ssh://gpu1/".parse::<Address>().expect("an address").to_string(), "ssh://gpu1");
    }

    #[test]
    fn what_ssh_or_a_shell_would_read_otherwise_is_refused() {
        for text in [
            "",
            "gpu1",
            "ssh://",
            "ssh://-oProxyCommand=id",
            "ssh://me@-oProxyCommand=id",
            "ssh://-l@gpu1",
            "ssh://a b",
            "ssh://a'b",
            "ssh://a\"b",
            "ssh://a;b",
            "ssh://$(id)",
            "ssh://`id`",
            "ssh://gpu1\nProxyCommand id",
            "ssh://me;id@gpu1",
            "ssh://gpu1:0",
            "ssh://gpu1:99999",
            "ssh://gpu1:22x",
            "ssh://gpu1/data",
            "ssh://gpu1?scheduler=pbs",
            "ssh://gpu1?command=id",
            "local://elsewhere",
            "https://gpu1",
            "ssh://gpü1",
            "ssh://[::1",
            "ssh://[;]",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        for name in ["", "-x", ".x", "a b", "a/b", "..", "local", "a;b", "$(id)", "a\n", &"x".repeat(65)] {
            assert!(refused_name(name).is_some(), "{name:?}");
        }
        for name in ["gpu1", "lab.gpu_2", "a-b"] {
            assert_eq!(refused_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_folder_is_somewhere_below_the_root_by_its_whole_name() {
        for (path, why) in [
            ("", "absolute"),
            ("data", "absolute"),
            ("~/n", "'~'"),
            ("$HOME/n", "'$'"),
            ("/a$(id)", "'$'"),
            ("/a\nb", "control"),
            ("/", "root"),
            ("/./", "root"),
            ("//", "root"),
            ("/a/../b", "'..'"),
            ("/..", "'..'"),
        ] {
            assert!(refused_folder(path).is_some_and(|said| said.contains(why)), "{path:?}");
        }
        for path in ["/n", "/data/me/", "/a b'c\"d;e`f`", "/..a/b~/ü"] {
            assert_eq!(refused_folder(path), None, "{path}");
        }
    }
}
