//! A home on another machine (`NERONET_HOME=ssh://gpu1`): each command is carried out there, by the same neronet, which is brought there
//! as it is to targets. Here a small home stands for it, whose only target is that machine.

mod carried;
pub(crate) mod login;
mod project;
mod there;

pub use carried::{Carried, carried};
pub use login::say as say_environment;
pub use project::{Code, Place, Project};
pub(crate) use there::{ATTENDED, Own};

use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::{self, Folder, Outgoing};
use crate::submit::project_of;
use crate::travel::brought::Set;
use crate::travel::{self, Going, Lost, Moved, Traveller, Way};
use crate::within::{self, Within};
use crate::{contact, listing, targets, word};
use neronet_capture::code::{self as captured, Caps, Survey};
use neronet_model::target::{Address, Scheduler, Transport};
use neronet_model::{Millis, Uid};
use neronet_store::files::{self, Durability};
use neronet_target::channel::Channel;
use neronet_target::parcel::{Entry, Hash, Inner};
use neronet_target::wire::{Ask, Ground};
use neronet_target::{PassedOn, Trouble};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

const PATIENCE: Duration = Duration::from_secs(60);

/// Linux passes 128 KiB on as one word; what is not known yet of the code goes with it.
const LONGEST: usize = 120 << 10;

/// What the machine is called in the home that stands for it.
pub const NAME: &str = "home";

/// Where home is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteHome {
    address: Address,
    /// Absolute. None: where a home is for who logs in there.
    folder: Option<String>,
}

impl FromStr for RemoteHome {
    type Err = HomeError;

    fn from_str(text: &str) -> Result<RemoteHome, HomeError> {
        let no = |why: &str| {
            let usual = "write ssh://user@host, or ssh://user@host/absolute/folder";
            HomeError::Words(format!("home is to be '{}': {why} ({usual})", text.escape_debug()))
        };
        let (way, rest) = text.split_once("://").ok_or_else(|| no("it is no address"))?;
        let (host, folder) = rest.split_once('/').map_or((rest, ""), |(host, folder)| (host, folder));
        let address: Address = format!("{way}://{host}").parse().map_err(|e: neronet_model::target::NoAddress| no(&e.why))?;
        if address.scheduler != Scheduler::Direct || address.transport == Transport::Local {
            return Err(no("it is a machine that ssh reaches"));
        }
        if folder.chars().any(char::is_control) {
            return Err(no("a folder has no such name"));
        }
        let folder = folder.trim_end_matches('/');
        Ok(RemoteHome { address, folder: (!folder.is_empty()).then(|| format!("/{folder}")) })
    }
}

impl RemoteHome {
    /// What `--home` or `NERONET_HOME` says, if that is no folder of this machine.
    pub fn meant(home: &OsStr) -> Option<Result<RemoteHome, HomeError>> {
        home.to_str().filter(|home| home.contains("://")).map(str::parse)
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where what stands for it is kept: nothing that could not be made again.
    pub fn stand_in(&self, cache: &Path) -> PathBuf {
        let name: String = format!("{}{}", self.address, self.folder.as_deref().unwrap_or_default())
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c.to_string() } else { format!("%{:x}", c as u32) })
            .collect();
        cache.join("homes").join(name)
    }
}

/// A way to the machine, for a context whose home stands for it.
pub struct Remote<'a> {
    context: &'a Context,
    home: &'a RemoteHome,
    needs_login: Cell<bool>,
}

/// What is to be carried out there.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Behind the name of the program.
    pub words: Vec<String>,
    /// It starts something: in the environment that a login there gives.
    pub login: bool,
    pub project: Project,
    pub scratch: Option<Uid>,
    /// It stays while runs execute, and asks them to stop when it is asked to end.
    pub signals: bool,
    /// For whoever writes to the terminal, or pretends what time it is.
    pub variables: Vec<(String, String)>,
}

impl<'a> Remote<'a> {
    pub fn new(context: &'a Context, home: &'a RemoteHome) -> Remote<'a> {
        Remote { context, home, needs_login: Cell::new(false) }
    }

    /// What asks the user on their terminal for what the machine wants, once it has refused us.
    pub fn login(&self) -> Option<Command> {
        targets::ssh(self.context).ok().filter(|_| self.needs_login.take())?.login(NAME, &self.home.address)
    }

    /// Sees to it that it is known where neronet is to be there.
    ///
    /// # Errors
    /// It is not reached.
    pub fn ready(&self) -> Result<(), HomeError> {
        let context = self.context;
        let mut all = targets::all(context)?;
        if all.get(NAME).is_none() {
            targets::add(context, NAME, &self.home.address, None)?;
            all = targets::all(context)?;
        }
        let Some(target) = all.get(NAME).filter(|target| target.folder.is_none()) else { return Ok(()) };
        let found = targets::probe(context, &targets::ssh(context)?, NAME, target).map_err(|trouble| self.told(&trouble))?;
        targets::place(context, NAME, &format!("{}/.cache/neronet", found.home.trim_end_matches('/')))
    }

    /// For people; what needs login is asked for by `login`.
    pub fn told(&self, trouble: &Trouble) -> HomeError {
        if let Trouble::NeedsLogin(why) = trouble {
            self.needs_login.set(true);
            // Best effort: else ssh asks each time.
            std::fs::write(self.asked(), "").ok();
            return HomeError::Target(format!(
                "{}, where home is, needs login: any command in a terminal asks for it ({why})",
                self.home.address
            ));
        }
        HomeError::Target(format!("{}, where home is: {trouble}", self.home.address))
    }

    /// Brings neronet there where it is not; `sure`: what is known to be there is not believed. Whether it was not.
    ///
    /// # Errors
    /// The machine is not reached, or it does not run there.
    pub fn open(&self, sure: bool, tick: &dyn Fn(u64, u64)) -> Result<bool, HomeError> {
        if !sure && targets::has_binary(self.context, NAME)?.is_some() {
            return Ok(false);
        }
        let (copied, before) = (Cell::new(false), targets::has_binary(self.context, NAME)?);
        let channel = self.channel(&|there, all| {
            copied.set(true);
            tick(there, all);
        })?;
        Ok(copied.get() || before.as_deref() != Some(&channel.binary))
    }

    /// It has asked for a password or the like, of which a file tells.
    fn asked(&self) -> PathBuf {
        self.context.home.root().join("asks")
    }

    /// Whether ssh could ask the user on their terminal, and leave nothing open for the next command.
    fn might_ask(&self) -> bool {
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
        let is_open = || targets::ssh(self.context).is_ok_and(|ssh| ssh.is_open(NAME));
        terminal && self.asked().exists() && !is_open()
    }

    fn channel(&self, tick: &dyn Fn(u64, u64)) -> Result<Channel, HomeError> {
        let all = targets::all(self.context)?;
        let target = all.get(NAME).ok_or_else(|| targets::unknown(&all, NAME))?;
        let (folder, ssh) = (targets::place_there(NAME, target)?, targets::ssh(self.context)?);
        targets::open(self.context, &ssh, (NAME, target), folder, tick).map_err(|trouble| self.told(&trouble))
    }

    fn uid(&self) -> Result<Uid, HomeError> {
        travel::named(self.context)
    }

    /// # Errors
    /// The machine is not known yet.
    pub fn command(&self, wanted: &Wanted, tick: &dyn Fn(u64, u64)) -> Result<PassedOn, HomeError> {
        if self.might_ask() {
            self.open(true, tick)?;
            // By now it is content with a key.
            std::fs::remove_file(self.asked()).ok();
        } else {
            self.open(false, tick)?;
        }
        within::there(self.context, NAME, self.within(wanted)?, tick)
    }

    /// Refuses what is too long for a command line, before anything is sent.
    ///
    /// # Errors
    /// It is.
    pub fn fits(&self, wanted: &Wanted) -> Result<(), HomeError> {
        let address = &self.home.address;
        let refused =
            || format!("these words are too long to be sent to {address}: name a folder instead of the files in it, or a file with them");
        if word::of(&self.within(wanted)?).len() > LONGEST { Err(HomeError::Words(refused())) } else { Ok(()) }
    }

    fn within(&self, wanted: &Wanted) -> Result<Within, HomeError> {
        let own = Own {
            home: self.home.folder.clone(),
            login: wanted.login,
            project: wanted.project.clone(),
            scratch: wanted.scratch,
            signals: wanted.signals,
            known_as: None,
            variables: wanted.variables.clone(),
        };
        Ok(Within::neronet(self.uid()?, NAME, &wanted.words, own))
    }

    /// The folder's project by name, of which nothing is sent.
    pub fn named_project(&self) -> Project {
        Project { name: listing::project_of(&self.context.folder), ..Project::default() }
    }

    /// Sends the code of the current folder's project, as a snapshot of it has it, where it is not there. `spec` is to be in it. With
    /// sentences that the user should read.
    ///
    /// # Errors
    /// The machine is not reached, or the code cannot be read or sent: nothing that lies there may take its place.
    pub fn send_project(&self, spec: Option<&str>, tick: &dyn Fn(u64, u64)) -> Result<(Project, Vec<String>), HomeError> {
        let context = self.context;
        let mut project = self.named_project();
        let survey = captured::survey(&context.folder, context.user_home.as_deref(), &Caps::default(), &context.cache)?;
        if let Some(why) = &survey.in_place_because {
            let (top, address) = (survey.top.display(), &self.home.address);
            return Err(HomeError::Words(format!(
                "{top} is not sent to {address}: {why}; what is to run in place is submitted on that machine"
            )));
        }
        if let Some(spec) = spec {
            self.has(&survey, spec)?;
        }
        let snapshots = context.home.snapshots();
        files::make_folder(&snapshots)?;
        there::sweep(&snapshots, SystemTime::now() - there::UNUSED);
        let hash = captured::store(&survey, &snapshots)?;
        let sent = context.home.root().join("sent");
        if std::fs::read_to_string(&sent).ok().as_deref() != Some(&hash) {
            self.send(&hash, tick)?;
            files::replace(&sent, hash.as_bytes(), Durability::Renamed)?;
        }
        let mut notes = survey.notes.clone();
        notes.extend(survey.left_out.iter().map(|(path, why)| format!("{path} is not sent: {why}")));
        notes.extend(
            survey.large.iter().map(|large| format!("{} is not sent, as it is large: it is to be on {}", large.path, self.home.address)),
        );
        project.code = Some(Code { snapshot: hash, top: project_of(&survey.top), below: survey.below, git: survey.git });
        Ok((project, notes))
    }

    /// A specification that stays here would not be found there.
    fn has(&self, survey: &Survey, spec: &str) -> Result<(), HomeError> {
        let there = |path: &str| self.context.folder.join(path).is_file();
        let file = spec.rsplit_once(':').map_or(spec, |(file, _)| if there(spec) { spec } else { file });
        if !there(file) {
            // Found out there, and said as it always is.
            return Ok(());
        }
        let path = self.context.folder.join(file).canonicalize().ok();
        let below = path.as_ref().and_then(|path| path.strip_prefix(&survey.top).ok()?.to_str());
        if Path::new(file).is_relative() && below.is_some_and(|below| survey.files.iter().any(|entry| entry.path == below)) {
            return Ok(());
        }
        let top = survey.top.display();
        Err(HomeError::Words(format!(
            "{file} is not sent to {}: it must lie in {top}, git must not ignore it, and be named by its path from here",
            self.home.address
        )))
    }

    /// Sends a snapshot where it is not there, whatever is known of that. Whether it was not.
    ///
    /// # Errors
    /// As `send_project`.
    pub fn send(&self, hash: &str, tick: &dyn Fn(u64, u64)) -> Result<bool, HomeError> {
        let hash = Hash::try_from(hash.to_string()).map_err(HomeError::Failed)?;
        let (channel, home) = (self.channel(&|_, _| {})?, self.uid()?);
        let sent = || {
            channel.ask(Ask::Open { home, target: NAME.into(), settings: String::new(), lease: Millis(0), runs: Vec::new() }, PATIENCE)?;
            contact::send_snapshot(self.context, &channel, &hash, tick)
        };
        let sent = sent().map_err(|trouble| self.told(&trouble))?;
        // It goes nowhere else.
        Outgoing::discard(&self.context.home, &hash).ok();
        Ok(sent)
    }

    fn way(&self) -> Result<(Way, String), HomeError> {
        let way = Way::open(self.context, NAME, &|_, _| {}).map_err(|lost| self.lost(lost))?;
        Ok((way, format!("{}/{NAME}/{}", self.uid()?, there::SCRATCH)))
    }

    fn lost(&self, lost: Lost) -> HomeError {
        match lost {
            Lost::Target(trouble) => self.told(&trouble),
            lost => lost.of(NAME),
        }
    }

    /// Brings files and folders of this machine to where a command looks for them by their names.
    ///
    /// # Errors
    /// One is not there, or the machine is not reached.
    pub fn bring(&self, scratch: Uid, all: &[Carried], tick: &mut dyn FnMut(&Going)) -> Result<(), HomeError> {
        let (way, scratches) = self.way()?;
        let to = format!("{scratches}/{scratch}");
        let mut sets = Vec::new();
        for one in all {
            sets.push(Set::called(&self.context.folder.join(&one.path), &to, one.name.clone())?);
            if let Some((path, name)) = &one.beside {
                sets.push(Set::called(path, &to, name.clone())?);
            }
        }
        for set in sets {
            let moved = set.bring(&way, tick).map_err(|lost| self.lost(lost))?;
            whole(moved)?;
        }
        Ok(())
    }

    /// Removes what a command read or wrote there. Where that fails, it goes after a day.
    pub fn clear(&self, scratch: Uid) {
        let clear = || -> Result<_, HomeError> {
            let all = targets::all(self.context)?;
            let target = all.get(NAME).ok_or_else(|| targets::unknown(&all, NAME))?;
            let place = format!("{}/{}/{NAME}/{}/{scratch}", targets::place_there(NAME, target)?, self.uid()?, there::SCRATCH);
            let mut gone = within::of_target(self.context, NAME, &["rm".into(), "-rf".into(), place], &|_, _| {})?;
            gone.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            gone.command.status().map_err(|e| HomeError::Failed(e.to_string()))
        };
        clear().ok();
    }

    /// Fetches what a command has written there to `place`, which has the same name there, and nothing that lies beside it. Whether there
    /// was something.
    ///
    /// # Errors
    /// The machine is not reached, not all of it can travel, or it cannot be written here.
    pub fn fetch(&self, scratch: Uid, place: &Path, tick: &mut dyn FnMut(&Going)) -> Result<bool, HomeError> {
        let name = own_name(place)?;
        let (way, scratches) = self.way()?;
        let ground = Ground::Folder(format!("{scratches}/{scratch}"));
        let listed = travel::list(&way, &ground, &travel::left::exactly([name.clone()])).map_err(|lost| self.lost(lost))?;
        if listed.cut_short {
            return Err(HomeError::Failed(format!("{} has too many files there to come here", place.display())));
        }
        let is_file = listed.entries.iter().any(|entry| entry.path == name);
        // A link leads where it does for whoever writes here.
        let real = place.canonicalize().unwrap_or_else(|_| place.to_path_buf());
        let (folder, own) = if is_file { (real.parent().unwrap_or(&real), own_name(&real)?) } else { (real.as_path(), name.clone()) };
        let named = |path: &Inner| {
            if is_file {
                return (*path == name).then(|| own.clone());
            }
            // Whatever the machine there says.
            let below = Path::new(path.as_str()).strip_prefix(name.as_str()).ok()?;
            Inner::try_from(below.to_str()?.to_string()).ok()
        };
        let all = listed.entries.into_iter();
        let all: Vec<Traveller> = all
            .filter_map(|entry| Some(Traveller { from: entry.path.clone(), to: Entry { path: named(&entry.path)?, ..entry } }))
            .collect();
        let some = !all.is_empty();
        if some {
            let (into, paths) = (Folder::made(folder)?, all.iter().map(|one| one.to.path.clone()).collect::<Vec<_>>());
            let moved = travel::fetch(&way, &ground, &into, all, tick).map_err(|lost| self.lost(lost)).and_then(whole);
            if moved.is_err() {
                // Nobody goes on with it: the next time it is written anew there.
                parcel::give_up(&into, &paths).ok();
            }
            moved?;
        }
        if listed.left_out > 0 {
            let (stays, names) = (travel::stays_there(listed.left_out), listed.unfit.join(", "));
            return Err(HomeError::Failed(format!("{}: {stays}: {names}", place.display())));
        }
        Ok(some)
    }
}

/// The last name of a path, be it `.` or `..`: what it is called where it goes.
///
/// # Errors
/// It has none that is text.
pub fn own_name(path: &Path) -> Result<Inner, HomeError> {
    let real = || path.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    let name = path.file_name().map(OsStr::to_owned).or_else(real);
    let name = name.and_then(|name| Inner::try_from(name.into_string().ok()?).ok());
    name.ok_or_else(|| HomeError::Words(format!("{}: it has no name that it could get there", path.display())))
}

fn whole(moved: Moved) -> Result<(), HomeError> {
    if moved.failed.is_empty() { Ok(()) } else { Err(HomeError::Failed(moved.failed.join("\n"))) }
}

/// As words of a command line that goes elsewhere.
///
/// # Errors
/// One is no text.
pub fn as_text(words: &[OsString]) -> Result<Vec<String>, HomeError> {
    let text =
        |word: &OsString| word.to_str().map(str::to_string).ok_or_else(|| HomeError::Words(format!("{} is no UTF-8", word.display())));
    words.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_elsewhere_is_a_host_and_perhaps_a_folder() {
        let read = |text: &str| text.parse::<RemoteHome>().map(|home| (home.address.to_string(), home.folder));
        assert_eq!(read("ssh://me@gpu1").expect("a home"), ("ssh://me@gpu1".into(), None));
        assert_eq!(read("ssh://gpu1:2222/").expect("a home"), ("ssh://gpu1:2222".into(), None));
        assert_eq!(read("ssh://gpu1/data/me/neronet").expect("a home"), ("ssh://gpu1".into(), Some("/data/me/neronet".into())));
        for text in [
            "ssh://",
            "ssh:///data",
            "ssh://-oProxyCommand=id/x",
            "ssh://a b",
            "local://",
            "http://gpu1",
            "ssh://gpu1?scheduler=slurm",
            "ssh://gpu1/a\nb",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(
            RemoteHome::meant(OsStr::new("/data/neronet")).is_none()
                && RemoteHome::meant(OsStr::new("ssh://x;y")).is_some_and(|home| home.is_err())
        );
        let folder = |text: &str| text.parse::<RemoteHome>().expect("a home").stand_in(Path::new("/c"));
        assert_ne!(folder("ssh://gpu1/a"), folder("ssh://gpu1/b"));
        assert_eq!(folder("ssh://gpu1").parent(), Some(Path::new("/c/homes")));
    }
}
