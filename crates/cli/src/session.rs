//! What every command needs: where home is, how wide the terminal is, what time it is. The only place that asks the system.

use crate::args::Args;
use neronet_home::projections::Projections;
use neronet_home::remote::{Project, RemoteHome};
use neronet_home::{Context, HomeError};
use neronet_model::UnixMs;
use neronet_store::Home;
use neronet_supervise::os::clock;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

pub(crate) struct Session {
    pub(crate) context: Context,
    /// Of standard output.
    pub(crate) color: bool,
    pub(crate) terminal: bool,
    pub(crate) width: usize,
    pub(crate) fixed_now: Option<UnixMs>,
    /// Home is on another machine: what is in the context stands for it.
    pub(crate) remote: Option<RemoteHome>,
}

impl Session {
    pub(crate) fn new(args: &Args, project: Option<Project>) -> Result<Session, HomeError> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let user_home = variable("HOME").map(PathBuf::from);
        let below_user = |path: &str| user_home.as_ref().map(|home| home.join(path));
        let root = args
            .home
            .clone()
            .or_else(|| variable("NERONET_HOME").map(PathBuf::from))
            .or_else(|| variable("XDG_DATA_HOME").map(|data| Path::new(&data).join("neronet")))
            .or_else(|| below_user(".local/share/neronet"))
            .ok_or_else(|| HomeError::Words("neither $NERONET_HOME nor $HOME is set: say where home is with --home FOLDER".into()))?;
        let remote = RemoteHome::meant(root.as_os_str()).transpose()?;
        let cache = variable("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("neronet")).or_else(|| below_user(".cache/neronet"));
        let folder = std::env::current_dir().map_err(|e| HomeError::Failed(format!("the current folder cannot be found: {e}")))?;
        let cache = match (cache, &remote) {
            (Some(cache), _) => cache,
            (None, None) => folder.join(&root).join("cache"),
            (None, Some(_)) => return Err(HomeError::Words("neither $XDG_CACHE_HOME nor $HOME is set".into())),
        };
        let root = remote.as_ref().map_or_else(|| folder.join(&root), |home| home.stand_in(&cache));
        let neronet = std::env::current_exe().map_err(|e| HomeError::Failed(format!("cannot find my own binary: {e}")))?;
        let terminal = std::io::stdout().is_terminal();
        // Tests pretend that something else is mounted.
        let mounts = variable("NERONET_MOUNTINFO").map_or_else(|| PathBuf::from("/proc/self/mountinfo"), PathBuf::from);
        let local = PathBuf::from(format!("/var/tmp/neronet-{}", nix::unistd::getuid()));
        let (home, projections) = (Home::at(&root)?, Projections::new(mounts, local));
        let context = Context {
            home: match projections.folder(&cache) {
                Some(folder) => home.cached_in(folder),
                None => home,
            },
            projections,
            cache,
            neronet,
            folder,
            environment: std::env::vars_os().collect(),
            user_home,
            user: user_name(),
            passing: false,
            key: None,
            given: None,
            project,
            say: crate::output::notice,
        };
        Ok(Session {
            color: terminal && variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb"),
            terminal,
            width: width(),
            // For tests of whole answers: ages would change from run to run.
            fixed_now: variable("NERONET_NOW").and_then(|now| now.to_str()?.parse().ok().map(UnixMs)),
            context,
            remote,
        })
    }

    /// For listings that the daemon makes and others print.
    pub(crate) fn of_daemon(context: Context, now: Option<UnixMs>) -> Session {
        Session { context, color: false, terminal: false, width: 100, fixed_now: now, remote: None }
    }

    /// For ages and nothing else.
    pub(crate) fn now(&self) -> UnixMs {
        self.fixed_now.unwrap_or_else(clock::unix_now)
    }
}

/// The folder of a target, as those have it who work there for whoever is at home: nothing of it lies anywhere else.
pub(crate) fn of_target(root: &Path) -> Result<Context, HomeError> {
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let neronet = std::env::current_exe().map_err(|e| HomeError::Failed(format!("cannot find my own binary: {e}")))?;
    let cache = root.join("cache");
    let ours = ["NERONET_BINARY", "NERONET_RUNNER", "NERONET_HOME"];
    Ok(Context {
        home: Home::at(root)?.cached_in(&cache),
        projections: Projections::new(PathBuf::from("/proc/self/mountinfo"), cache.clone()),
        cache,
        neronet,
        folder,
        environment: std::env::vars_os().filter(|(name, _)| ours.iter().all(|ours| name != ours)).collect(),
        user_home: std::env::var_os("HOME").map(PathBuf::from),
        user: user_name(),
        passing: false,
        key: None,
        given: None,
        project: None,
        say: crate::output::notice,
    })
}

fn user_name() -> String {
    let named = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    named.unwrap_or_else(|| nix::unistd::getuid().to_string())
}

/// Of the terminal, else what $COLUMNS says, else 100.
fn width() -> usize {
    crate::output::terminal_width().or_else(|| std::env::var("COLUMNS").ok()?.parse().ok()).unwrap_or(100).clamp(40, 400)
}
