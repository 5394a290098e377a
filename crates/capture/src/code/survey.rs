//! The survey: what of a folder belongs into its snapshot, and why the rest does not.
//!
//! While git lists the files, those that the last survey knew are looked at; only what changed since is read, and git is asked
//! for the differences only when something it would compare has changed.

use super::cache::{Known, RepoState, Shelf};
use super::git::{self, Listing, Repo};
use super::settle::SECRET;
use super::{Caps, Submodule, Survey, diff, read, size, walk};
use crate::CaptureError;
use crate::sign::{Draft, Sign};
use neronet_model::journal::Git;
use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Deeper nesting of repositories than this is a loop or a joke.
const NESTING: usize = 8;

/// Looks at the folder `start`: git's facts, and every file with its hash. `cache` is a folder for what need not be read again; it
/// may be absent or unwritable. `home_dir` is the user's home folder, which is never copied.
pub fn survey(start: &Path, home_dir: Option<&Path>, caps: &Caps, cache: &Path) -> Result<Survey, CaptureError> {
    let start = start.canonicalize().map_err(|error| CaptureError::io("open the folder", start, &error))?;
    let inside_git = start.components().any(|part| part.as_os_str() == ".git");
    let repo = if inside_git { None } else { Repo::around(&start) };
    let top = repo.as_ref().map_or(start.clone(), |repo| repo.top.clone());
    let below = start.strip_prefix(&top).unwrap_or(Path::new(""));
    let Some(below) = below.to_str() else {
        return Err(CaptureError::new("the folder's name is not UTF-8", &start, "rename the folder"));
    };
    let home_dir = home_dir.and_then(|home| home.canonicalize().ok());
    let mut surveyor = Surveyor::of(top, below.to_string(), caps, cache);
    surveyor.refuse_home(home_dir.as_deref());
    surveyor.look(repo.as_ref(), &start, cache);
    Ok(surveyor.survey)
}

/// The same of a copy that is the top, whatever lies above it: it is part of no work tree there, and nobody's home.
pub fn survey_copy(top: &Path, caps: &Caps, cache: &Path) -> Result<Survey, CaptureError> {
    let top = top.canonicalize().map_err(|error| CaptureError::io("open the folder", top, &error))?;
    let mut surveyor = Surveyor::of(top.clone(), String::new(), caps, cache);
    surveyor.look(None, &top, cache);
    Ok(surveyor.survey)
}

pub(super) struct Surveyor<'a> {
    pub(super) survey: Survey,
    pub(super) caps: &'a Caps,
    pub(super) shelf: Shelf,
    pub(super) known: Known,
    pub(super) draft: Option<Draft>,
    /// Every path to look at, and whether git tracks it.
    pub(super) tracked: BTreeMap<String, bool>,
    pub(super) looked_at: HashMap<String, Metadata>,
    /// What goes into the cache.
    pub(super) found: BTreeMap<String, (Option<Sign>, String)>,
    /// Folders of neronet's own, each with a `/` at the end.
    pub(super) own: Vec<String>,
    /// Where symlinks lead from, if not from where they lie.
    pub(super) links_from: Option<PathBuf>,
    repos: Vec<(Repo, RepoState)>,
    pub(super) diff_known: Option<Vec<u8>>,
    git_answers: bool,
}

impl<'a> Surveyor<'a> {
    pub(super) fn of(top: PathBuf, below: String, caps: &'a Caps, cache: &Path) -> Surveyor<'a> {
        let shelf = Shelf::of(cache, &top);
        let survey = Survey {
            below,
            top,
            git: None,
            files: Vec::new(),
            large: Vec::new(),
            folders: Vec::new(),
            left_out: Vec::new(),
            in_place_because: None,
            links: Vec::new(),
            submodules: Vec::new(),
            untracked: Vec::new(),
            diff: Vec::new(),
            checkout: None,
            notes: Vec::new(),
        };
        Surveyor {
            survey,
            caps,
            known: shelf.load(),
            shelf,
            draft: None,
            tracked: BTreeMap::new(),
            looked_at: HashMap::new(),
            found: BTreeMap::new(),
            own: Vec::new(),
            links_from: None,
            repos: Vec::new(),
            diff_known: None,
            git_answers: true,
        }
    }
}

impl Surveyor<'_> {
    fn refuse_home(&mut self, home_dir: Option<&Path>) {
        let top = &self.survey.top;
        if top.parent().is_none() {
            self.survey.in_place_because = Some("the folder is /, which is never copied; start from the folder of the code".to_string());
        } else if home_dir.is_some_and(|home| home.starts_with(top)) {
            self.survey.in_place_because = Some(format!(
                "{} is or holds your home folder, which is never copied; start from a folder of its own for the code, or make that a git repository",
                top.display()
            ));
        }
    }

    fn look(&mut self, repo: Option<&Repo>, start: &Path, cache: &Path) {
        let Some(repo) = repo else {
            if self.survey.in_place_because.is_none() {
                self.walk(start);
                self.settle(cache);
            }
            self.remember(None);
            return;
        };
        let head = repo.head();
        self.survey.git = Some(Git {
            commit: head.commit.clone(),
            branch: head.branch,
            // Until it is known better: a commit that may not hold what runs must not be trusted.
            dirty: true,
        });
        self.add_repo(repo.clone(), String::new(), head.commit);
        let listing = self.survey.in_place_because.is_none().then(|| repo.start_listing());
        let may_differ = self.differs_from_known();
        if may_differ {
            self.draft = self.shelf.draft();
        }
        // Without a commit there is nothing to differ from.
        let first_diff = may_differ && !self.repos[0].1.commit.is_empty();
        let outer_diff = std::thread::scope(|scope| {
            let asked = first_diff.then(|| scope.spawn(|| repo.diff("")));
            let listed = match listing {
                Some(Some(child)) => git::finish_listing(child),
                Some(None) => Err("the git program cannot be started".to_string()),
                None => Ok(Listing::default()),
            };
            match listed {
                Ok(listing) => self.take(listing, "", 0),
                Err(reason) => {
                    self.git_answers = false;
                    self.survey.notes.push(format!(
                        "git does not list the files of {}: {reason}; the folder was walked instead, ignored files included",
                        self.survey.top.display()
                    ));
                    let top = self.survey.top.clone();
                    self.walk(&top);
                }
            }
            // Git ignores the folder that the command starts in, so nobody has said that its files do not matter.
            let below = format!("{}/", self.survey.below);
            if self.survey.in_place_because.is_none() && below.len() > 1 && !self.tracked.keys().any(|path| path.starts_with(&below)) {
                self.walk(start);
            }
            if self.survey.in_place_because.is_none() {
                self.settle(cache);
                self.empty_folders();
            }
            asked.map(|asked| asked.join().ok().flatten())
        });
        self.compare(outer_diff);
    }

    fn add_repo(&mut self, repo: Repo, path: String, commit: String) {
        let index = Sign::at(&repo.index());
        self.repos.push((repo, RepoState { path, commit, index }));
    }

    /// Looks at every file that the last survey knew. False when no repository and no file has changed since: then git's answer
    /// would be the same, and is taken from the cache.
    fn differs_from_known(&mut self) -> bool {
        let mut differs = self.known.repos.first() != self.repos.first().map(|(_, state)| state);
        for (path, (sign, _)) in &self.known.files {
            let meta = std::fs::symlink_metadata(self.survey.top.join(path)).ok();
            differs |= sign.is_none() || *sign != meta.as_ref().map(Sign::of);
            if let Some(meta) = meta {
                self.looked_at.insert(path.clone(), meta);
            }
        }
        if !differs {
            self.diff_known = self.shelf.load_diff(&self.known);
        }
        self.diff_known.is_none()
    }

    /// Takes a repository's files, and then those of the repositories inside it. `prefix` ends in `/` or is empty.
    fn take(&mut self, listing: Listing, prefix: &str, nesting: usize) {
        self.survey.notes.extend(listing.warnings);
        for file in listing.files {
            self.tracked.insert(format!("{prefix}{}", file.path), file.tracked);
        }
        for path in listing.not_utf8 {
            self.leave_out(format!("{prefix}{path}"), "its name is not UTF-8");
        }
        let mut inner = Vec::new();
        for (path, commit) in listing.submodules {
            let path = format!("{prefix}{path}");
            let repo = Repo::at(&self.survey.top.join(&path));
            let head = repo.as_ref().map(Repo::head);
            if repo.is_none() {
                let why = format!("the submodule is not checked out; `git submodule update --init {path}` fetches it");
                self.leave_out(path.clone(), &why);
            }
            self.survey.submodules.push(Submodule {
                path: path.clone(),
                commit: head.map_or(commit, |head| head.commit),
                checked_out: repo.is_some(),
            });
            inner.extend(repo.map(|repo| (path, repo)));
        }
        for path in listing.embedded {
            let path = format!("{prefix}{path}");
            self.survey.untracked.push(format!("{path}/"));
            match Repo::at(&self.survey.top.join(&path)) {
                Some(repo) => inner.push((path, repo)),
                None => self.leave_out(path, "it is a repository of its own that cannot be read"),
            }
        }
        // All of them are started before the first is waited for.
        let started: Vec<_> = inner.into_iter().map(|(path, repo)| (repo.start_listing(), path, repo)).collect();
        for (child, path, repo) in started {
            let listed = child.map(git::finish_listing);
            match listed {
                Some(Ok(listing)) if nesting < NESTING => {
                    let commit = repo.head().commit;
                    self.add_repo(repo, path.clone(), commit);
                    self.take(listing, &format!("{path}/"), nesting + 1);
                }
                Some(Err(reason)) => self.leave_out(path, &format!("git does not list its files: {reason}")),
                _ => self.leave_out(path, "its files cannot be listed"),
            }
        }
    }

    fn walk(&mut self, folder: &Path) {
        let prefix = match folder.strip_prefix(&self.survey.top).ok().and_then(Path::to_str) {
            Some("") | None => String::new(),
            Some(below) => format!("{below}/"),
        };
        let walked = walk::walk(folder, self.caps.files);
        for path in walked.paths {
            self.tracked.entry(format!("{prefix}{path}")).or_insert(false);
        }
        self.survey.folders.extend(walked.empty.into_iter().map(|path| format!("{prefix}{path}")));
        for path in walked.not_utf8 {
            self.leave_out(format!("{prefix}{path}"), "its name is not UTF-8");
        }
        for (path, why) in walked.unreadable {
            self.leave_out(format!("{prefix}{path}"), &why);
        }
        if walked.too_many {
            self.survey.in_place_because = Some(size::too_many(&self.survey.top, self.tracked.keys(), self.caps));
        }
    }

    pub(super) fn leave_out(&mut self, path: String, why: &str) {
        self.survey.left_out.push((path, why.to_string()));
    }

    /// Sets the diff and whether the work tree is dirty; remembers all of it.
    fn compare(&mut self, outer_diff: Option<Option<Vec<u8>>>) {
        let same_repos = self.known.repos.iter().eq(self.repos.iter().map(|(_, state)| state));
        let mut refused = false;
        let diff = match self.diff_known.take().filter(|_| same_repos) {
            Some(diff) => diff,
            None => {
                // Before git looks, so that what changes after it looked shows next time.
                self.draft = self.draft.take().or_else(|| self.shelf.draft());
                let (outer, inner) = (&self.repos[..1], &self.repos[1..]);
                let asked = |(repo, state): &(Repo, RepoState)| match state.commit.as_str() {
                    "" => Some(Vec::new()),
                    _ if state.path.is_empty() => repo.diff(""),
                    _ => repo.diff(&format!("{}/", state.path)),
                };
                let mut diffs: Vec<Option<Vec<u8>>> = vec![outer_diff.unwrap_or_else(|| outer.first().and_then(asked))];
                diffs.extend(read::in_parallel(inner, asked));
                refused = diffs.iter().any(Option::is_none);
                let joined: Vec<u8> = diffs.into_iter().flatten().flatten().collect();
                let secret = |path: &str| self.survey.left_out.iter().any(|(name, why)| name == path && why == SECRET);
                diff::without_secrets(&joined, secret)
            }
        };
        let unsure = refused || !self.git_answers;
        if let Some(git) = &mut self.survey.git {
            git.dirty = unsure || git.commit.is_empty() || !diff.is_empty() || !self.survey.untracked.is_empty();
        }
        self.remember(Some(&diff).filter(|_| !unsure).map(Vec::as_slice));
        self.survey.diff = diff;
    }

    fn remember(&mut self, diff: Option<&[u8]>) {
        // Nothing is known in whole of a folder that was given up halfway.
        if self.survey.in_place_because.is_some() {
            return;
        }
        let repos: Vec<RepoState> = self.repos.iter().map(|(_, state)| state.clone()).collect();
        let files = std::mem::take(&mut self.found);
        if self.known.repos == repos && self.known.files == files && self.draft.is_none() {
            return;
        }
        let Some(draft) = self.draft.take().or_else(|| self.shelf.draft()) else {
            return;
        };
        self.shelf.save(&draft, Known::new(files, repos), diff);
    }
}
