//! The machine where home is: a command that came from elsewhere becomes neronet's own, in a copy of the code that came with it, or in a
//! folder of its own for what it reads or writes.

use super::login;
use super::project::{Place, Project};
use crate::error::HomeError;
use crate::word;
use neronet_capture::code as captured;
use neronet_model::Uid;
use neronet_store::files::{self, Durability};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What commands read and write that is somebody's elsewhere.
pub(super) const SCRATCH: &str = "scratch";
/// Commands that are told from elsewhere to end: the process of each, under the name that is known there.
pub(crate) const ATTENDED: &str = "attended";
const PROJECTS: &str = "projects";
/// What was not used for so long goes.
pub(super) const UNUSED: Duration = Duration::from_secs(30 * 86_400);
const SCRATCHED: Duration = Duration::from_secs(86_400);

/// What neronet is to do for whoever has their home here.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Own {
    pub(crate) home: Option<String>,
    pub(crate) login: bool,
    pub(crate) project: Project,
    pub(crate) scratch: Option<Uid>,
    /// Where whoever asks has no terminal, the signals that ask it to end come at the input.
    pub(crate) signals: bool,
    /// Where they have one, by which name it is told to end, as the terminal does not say that.
    pub(crate) known_as: Option<Uid>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Own {
    /// `ours`: the folder of who asks.
    pub(crate) fn command(&self, ours: &Path, words: &[String]) -> Result<Command, HomeError> {
        let neronet = std::env::current_exe().map_err(|e| HomeError::Failed(format!("cannot find my own binary: {e}")))?;
        let mut command = Command::new(&neronet);
        if self.login {
            match login::environment(&neronet) {
                Some(environment) => drop(command.env_clear().envs(environment)),
                None => drop(writeln!(io::stderr(), "note: {}", login::NONE)),
            }
        }
        let mut project = self.project.clone();
        let folder = match (self.scratch, &project.code) {
            (Some(scratch), _) => {
                let folder = ours.join(SCRATCH).join(scratch.as_str());
                sweep(&ours.join(SCRATCH), SystemTime::now() - SCRATCHED);
                files::make_folder(&folder)?;
                folder
            }
            (None, Some(code)) => {
                let top = unpacked(ours, &code.snapshot, &code.top)?;
                let below = top.join(&code.below);
                project.place = Some(Place { top, snapshots: ours.join("snapshots") });
                below
            }
            (None, None) => std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from),
        };
        if let Some(name) = &self.known_as {
            // Best effort: else it ends with the connection.
            known(&ours.join(ATTENDED), name.as_str()).ok();
        }
        command.env("NERONET_HOME", self.root(ours, &neronet)?).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(["from", &word::of(&project)]).args(words).current_dir(folder);
        Ok(command)
    }

    /// Where home is here: for who logs in, if nobody says so. It stays what it was the first time.
    fn root(&self, ours: &Path, neronet: &Path) -> Result<PathBuf, HomeError> {
        if let Some(home) = &self.home {
            return Ok(home.into());
        }
        let path = ours.join("root.json");
        if let Some(known) = files::read_json(&path)? {
            return Ok(known);
        }
        let environment = login::environment(neronet).unwrap_or_else(|| std::env::vars_os().collect());
        let variable = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| PathBuf::from(value));
        let absolute = |path: &PathBuf| path.is_absolute();
        let root = variable("NERONET_HOME")
            .filter(absolute)
            .or_else(|| variable("XDG_DATA_HOME").filter(absolute).map(|data| data.join("neronet")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/neronet")))
            .ok_or_else(|| HomeError::Words("there is no $HOME there: name the folder behind the host, ssh://host/folder".into()))?;
        files::make_folder(ours)?;
        files::replace_json(&path, &root, Durability::Renamed)?;
        Ok(root)
    }
}

/// Writes down this process, which becomes the command, and forgets those that have ended.
fn known(folder: &Path, name: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let pid = std::fs::read_to_string(entry.path()).unwrap_or_default();
        if !Path::new("/proc").join(pid.trim()).exists() {
            std::fs::remove_file(entry.path()).ok();
        }
    }
    std::fs::write(folder.join(name), format!("{}\n", std::process::id()))
}

/// A copy of a snapshot under the name of the project, that commands and what they start may write to.
fn unpacked(ours: &Path, snapshot: &str, name: &str) -> Result<PathBuf, HomeError> {
    let (projects, plain) = (ours.join(PROJECTS), |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']));
    if !plain(snapshot) || !plain(name) {
        return Err(HomeError::Failed(format!("'{}' cannot be the name of a folder", name.escape_debug())));
    }
    let (of_snapshot, snapshots) = (projects.join(snapshot), ours.join("snapshots"));
    let top = of_snapshot.join(name);
    // Its time stays that of its copy: what differs from the commit is read from it.
    if !captured::is_wanted_again(&snapshots.join(snapshot)) {
        return Err(HomeError::Failed("the code that was sent is not there".into()));
    }
    if !top.is_dir() {
        files::make_folder(&of_snapshot)?;
        // Two commands may come at once.
        let folder = File::open(&of_snapshot).map_err(|e| HomeError::Failed(format!("{}: {e}", of_snapshot.display())))?;
        let _alone = Flock::lock(folder, FlockArg::LockExclusive);
        if !top.is_dir() {
            captured::materialise(&snapshots, snapshot, &top, &[], &top)?;
        }
    }
    // Whoever takes away what nobody needs looks at that.
    File::open(&of_snapshot).and_then(|folder| folder.set_modified(SystemTime::now())).ok();
    sweep(&projects, SystemTime::now() - UNUSED);
    sweep(&snapshots, SystemTime::now() - UNUSED);
    top.canonicalize().map_err(|e| HomeError::Failed(format!("{}: {e}", top.display())))
}

/// Removes what nobody has used since then.
pub(super) fn sweep(folder: &Path, before: SystemTime) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at < before) {
            files::remove_folder(&entry.path()).ok();
        }
    }
}
