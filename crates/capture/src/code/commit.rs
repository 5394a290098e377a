//! The code of a commit: checked out into a folder of its own, which goes when nobody needs it any more, and surveyed there.
//! The user's repository, its index and its work trees stay as they are.

use super::git::Repo;
use super::survey::Surveyor;
use super::{Caps, Submodule, Survey};
use crate::CaptureError;
use crate::sign::unique;
use neronet_model::journal::Git;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a commit for as long as they are looked at.
#[derive(Debug, PartialEq)]
pub struct Checkout {
    folder: PathBuf,
    files: PathBuf,
}

impl Checkout {
    fn new() -> std::io::Result<Checkout> {
        let folder = std::env::temp_dir().join(format!("neronet-commit-{}", unique()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let checkout = Checkout { files: folder.canonicalize()?.join("files"), folder };
        std::fs::create_dir(&checkout.files)?;
        Ok(checkout)
    }

    pub fn files(&self) -> &Path {
        &self.files
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Looks at what `commit` holds, seen from the folder `start` of its work tree. What git does not know, such as data that is
/// linked, is still looked for in the work tree itself: only the files are those of the commit.
pub fn survey_commit(start: &Path, commit: &str, caps: &Caps) -> Result<Survey, CaptureError> {
    let start = start.canonicalize().map_err(|error| CaptureError::io("open the folder", start, &error))?;
    let failed = |what: String, remedy: &str| CaptureError::new(what, &start, remedy);
    // A name that git would take for an option, or for more than one commit.
    if commit.is_empty() || commit.starts_with('-') || commit.contains("..") || commit.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(failed(format!("'{}' is no commit", commit.escape_debug()), "write its hash, a tag or a branch"));
    }
    let repo = Repo::around(&start)
        .ok_or_else(|| failed(format!("there is no git repository to take commit {commit} from"), "take the commit out"))?;
    let whole = repo.commit(commit).map_err(|said| {
        let (what, remedy) = match said.contains("ambiguous") {
            true => (format!("commit '{commit}' is ambiguous"), "write more of its hash"),
            false => (format!("git knows no commit '{commit}'"), "git log shows those that there are; git fetch brings new ones"),
        };
        let more = if said.contains("ambiguous") || said.contains("single revision") { String::new() } else { format!(": {said}") };
        failed(format!("{what}{more}"), remedy)
    })?;
    let refused = |said: String| failed(format!("git does not give the files of commit {commit}: {said}"), "see whether git checks it out");
    let held = repo.tree(&whole).map_err(refused)?;
    let (count, bytes) = (held.files.len() as u64, held.files.iter().map(|(_, size)| size).sum::<u64>());
    let too_much = |count: u64, bytes: u64| {
        let what = format!(
            "commit {commit} holds {count} files of {} MB together, and {} files of {} MB are copied at most",
            bytes / 1_000_000,
            caps.files,
            caps.bytes / 1_000_000
        );
        failed(what, "check the commit out yourself, and run in place there")
    };
    if count > caps.files || bytes > caps.bytes {
        return Err(too_much(count, bytes));
    }
    let below = start.strip_prefix(&repo.top).ok().and_then(Path::to_str).unwrap_or_default();
    let within = format!("{below}/");
    if !below.is_empty() && !held.files.iter().any(|(path, _)| path.starts_with(&within)) {
        return Err(failed(format!("commit {commit} has no folder '{below}'"), "start from a folder that was there then"));
    }
    let checkout = Checkout::new().map_err(|error| CaptureError::io("make a folder in", &std::env::temp_dir(), &error))?;
    repo.check_out(&whole, &checkout.folder.join("index"), &checkout.files).map_err(refused)?;
    let mut surveyor = Surveyor::of(checkout.files.clone(), below.to_string(), caps, &checkout.folder.join("cache"));
    surveyor.links_from = Some(repo.top.clone());
    surveyor.tracked.extend(held.files.into_iter().map(|(path, _)| (path, true)));
    held.not_utf8.into_iter().for_each(|path| surveyor.leave_out(path, "its name is not UTF-8"));
    for (path, commit) in held.submodules {
        surveyor.leave_out(path.clone(), "it is a submodule, and a commit is taken without them");
        surveyor.survey.submodules.push(Submodule { path, commit, checked_out: false });
    }
    surveyor.settle(&checkout.folder.join("cache"));
    let mut survey = surveyor.survey;
    // What a filter made larger than git said; what is too large would be linked to the work tree, where it may be another one.
    if survey.in_place_because.is_some() || !survey.large.is_empty() {
        let large: u64 = survey.large.iter().map(|large| large.size).sum();
        return Err(too_much(count, survey.files.iter().map(|file| file.size).sum::<u64>() + large));
    }
    survey.git = Some(Git { commit: whole, branch: String::new(), dirty: false });
    survey.top = repo.top;
    survey.checkout = Some(Arc::new(checkout));
    Ok(survey)
}
