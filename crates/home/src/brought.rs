//! What was brought into a run's `work/` before the run began there: it was fetched from where the run executed before, or sent for it to
//! go on from. It comes without the code, and has its place in the run's copy of that.

use crate::context::Context;
use neronet_model::{AttemptNo, RunId};
use neronet_store::{files, spool};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Whether what lies in `work/` came there although no attempt executed in it.
pub(crate) fn before(context: &Context, run: RunId, n: AttemptNo) -> bool {
    let here = context.home.run(run).display().to_string();
    let launch = |n: u64| spool::launch(&context.home.attempt(run, AttemptNo(n))).ok().flatten();
    context.home.work(run).exists() && !(1..n.0).filter_map(launch).any(|launch| launch.run_directory == here)
}

/// Puts all of it into the copy that is to take its place, and makes that free.
pub(crate) fn kept(work: &Path, copy: &Path) -> io::Result<()> {
    link(work, copy)?;
    let old = work.with_file_name(".work.brought");
    files::remove_folder(&old).map_err(io::Error::other)?;
    fs::rename(work, &old)?;
    // What is left of it goes with the next start.
    files::remove_folder(&old).ok();
    Ok(())
}

/// A file in place of one of the code is what the run made of that. Links of the code lead elsewhere and stay.
fn link(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = into.join(entry.file_name());
        let there = place.symlink_metadata().ok().map(|meta| meta.file_type());
        match (entry.file_type()?, there) {
            (kind, None) if kind.is_dir() => {
                fs::create_dir(&place)?;
                link(&entry.path(), &place)?;
            }
            // As in a home that was moved, where the run itself made it.
            (kind, None) if kind.is_symlink() => symlink(fs::read_link(entry.path())?, &place)?,
            (kind, Some(there)) if kind.is_dir() && there.is_dir() => link(&entry.path(), &place)?,
            (kind, there) if kind.is_file() && there.is_none_or(|there| there.is_file()) => {
                if there.is_some() {
                    fs::remove_file(&place)?;
                }
                fs::hard_link(entry.path(), &place)?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_is_in_the_copy_of_the_code_and_nothing_goes_through_its_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let (work, copy, data) = (folder.path().join("work"), folder.path().join(".work.1"), folder.path().join("data"));
        for (top, path, text) in [
            (&work, "ck/1.pt", "weights"),
            (&work, "log.csv", "3"),
            (&work, "data/x", "y"),
            (&copy, "log.csv", "0"),
            (&copy, "ck/.keep", ""),
        ] {
            fs::create_dir_all(top.join(path).parent().expect("a parent")).expect("made");
            fs::write(top.join(path), text).expect("written");
        }
        fs::create_dir(&data).expect("made");
        symlink(&data, copy.join("data")).expect("linked");
        kept(&work, &copy).expect("kept");
        assert!(!work.exists() && fs::read_dir(&data).expect("there").next().is_none());
        let read = |path: &str| fs::read_to_string(copy.join(path)).expect("there");
        assert_eq!((read("ck/1.pt"), read("log.csv"), read("ck/.keep")), ("weights".into(), "3".into(), String::new()));
        // Nothing is left that the next start would take for something else.
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 2);
    }
}
