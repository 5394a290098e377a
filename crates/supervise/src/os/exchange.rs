//! Two folders that change places, so that nobody ever finds neither.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Lets `new` and `there` change places: in one step where the file system can, else in three, and `mend` undoes the first.
pub fn folders(new: &Path, there: &Path) -> io::Result<()> {
    match renameat2(AT_FDCWD, new, AT_FDCWD, there, RenameFlags::RENAME_EXCHANGE) {
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::ENOTSUP) => {
            let aside = aside(there);
            fs::rename(there, &aside)?;
            if let Err(error) = fs::rename(new, there) {
                fs::rename(&aside, there)?;
                return Err(error);
            }
            fs::rename(&aside, new)
        }
        changed => Ok(changed?),
    }
}

/// Makes good what was cut short.
pub fn mend(there: &Path) -> io::Result<()> {
    let aside = aside(there);
    if !there.exists() && aside.exists() { fs::rename(aside, there) } else { Ok(()) }
}

fn aside(there: &Path) -> PathBuf {
    there.with_extension("was")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_change_places_and_half_of_it_is_undone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        for path in [&a, &b] {
            fs::create_dir(path).expect("made");
            fs::write(path.join("name"), path.display().to_string()).expect("written");
        }
        let name = |path: &Path| fs::read_to_string(path.join("name")).expect("there");
        folders(&a, &b).expect("ours");
        assert_eq!((name(&a), name(&b)), (b.display().to_string(), a.display().to_string()));
        fs::rename(&b, aside(&b)).expect("ours");
        mend(&b).expect("ours");
        mend(&b).expect("nothing to do");
        assert_eq!(name(&b), a.display().to_string());
    }
}
