//! What a command reads here, and what it is called where the command works.

use super::own_name;
use crate::error::HomeError;
use neronet_target::parcel::Inner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Of Weights & Biases: what a run has beside its `.wandb` file.
const BESIDE: &str = "files";

/// A file or a folder that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// As it was typed.
    pub path: PathBuf,
    pub name: Inner,
    /// The first part of its name, and where that lies here.
    pub place: (String, PathBuf),
    /// What goes with it.
    pub(super) beside: Option<(PathBuf, Inner)>,
}

/// Each by its own name. `of_trackers`: a file that has its run's name from its folder goes in a folder of that name.
///
/// # Errors
/// One has no name, or two have the same: one would take the place of the other.
pub fn carried(folder: &Path, paths: &[PathBuf], of_trackers: bool) -> Result<Vec<Carried>, HomeError> {
    let mut known: BTreeMap<String, &PathBuf> = BTreeMap::new();
    let mut all = Vec::new();
    for (n, path) in paths.iter().enumerate() {
        let whole = folder.join(path);
        let in_folder = if of_trackers { in_its_folder(&whole, path, n) } else { None };
        let one = match in_folder {
            Some(one) => one,
            None => {
                let name = own_name(&whole)?;
                let place = (String::from(name.clone()), whole.canonicalize().unwrap_or(whole));
                Carried { path: path.clone(), name, place, beside: None }
            }
        };
        if let Some(other) = known.insert(one.place.0.clone(), path) {
            let (other, path) = (other.display(), path.display());
            return Err(HomeError::Words(format!("{other} and {path} would both be '{}' there: rename one of them", one.place.0)));
        }
        all.push(one);
    }
    Ok(all)
}

fn in_its_folder(whole: &Path, path: &Path, n: usize) -> Option<Carried> {
    let (real, name) = (whole.canonicalize().ok()?, whole.file_name()?.to_str()?);
    if !real.is_file() || !neronet_foreign::is_named_by_its_folder(name.as_bytes()) {
        return None;
    }
    let parent = real.parent()?;
    // Several may lie in folders of one name.
    let (above, below) = (format!("file {n}"), parent.file_name()?.to_str()?);
    let named = |name: &str| Inner::try_from(format!("{above}/{below}/{name}")).ok();
    let beside = Some(parent.join(BESIDE)).filter(|beside| name.ends_with(".wandb") && beside.is_dir());
    let beside = beside.and_then(|beside| Some((beside, named(BESIDE)?)));
    Some(Carried { path: path.to_path_buf(), name: named(name)?, place: (above, parent.parent()?.to_path_buf()), beside })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_its_name_from_its_folder_goes_with_that_name() {
        let top = tempfile::tempdir().expect("a folder");
        let real = top.path().canonicalize().expect("there");
        for (folder, file) in [("a/run-1", "run-1.wandb"), ("b/logs", "events.out.tfevents.1.h"), ("c/logs", "events.out.tfevents.1.h")] {
            std::fs::create_dir_all(real.join(folder).join("files")).expect("made");
            std::fs::write(real.join(folder).join(file), "").expect("written");
        }
        let paths =
            ["a/run-1/run-1.wandb", "b/logs/events.out.tfevents.1.h", "c/logs/events.out.tfevents.1.h", "c/logs"].map(PathBuf::from);
        let all = carried(&real, &paths, true).expect("names");
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            ["file 0/run-1/run-1.wandb", "file 1/logs/events.out.tfevents.1.h", "file 2/logs/events.out.tfevents.1.h", "logs"]
        );
        assert_eq!(all[1].place, ("file 1".into(), real.join("b")));
        let beside = |n: usize| all[n].beside.as_ref().map(|(_, name)| name.as_str());
        assert_eq!((beside(0), beside(1)), (Some("file 0/run-1/files"), None));
        assert!(carried(&real, &paths, false).is_err(), "as pushed, two have one name");
    }
}
