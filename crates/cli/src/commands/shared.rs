//! What targets have in common with each other and with this machine: one machine under two names, folders on a file system that several
//! of them see. Found out from what each says of its folders; nothing is written for it.

use neronet_home::Context;
use neronet_target::probe::{self, Folder};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A target that was reached.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) boot: Option<String>,
    pub(crate) folders: Vec<Folder>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Targets that are the same machine.
    pub(crate) machine: Vec<String>,
    /// By folder: who sees it too, each with its name there.
    pub(crate) folders: BTreeMap<String, Vec<String>>,
}

impl Shared {
    pub(crate) fn of(&self, folder: &str) -> Option<String> {
        self.folders.get(folder).map(|with| with.join(" and "))
    }
}

/// Folders of this machine that may lie on a file system which others see, each with its mark.
pub(crate) fn here(context: &Context) -> Vec<(String, String)> {
    let named = ["WRKDIR", "SCRATCH", "WORK"].into_iter().filter_map(|name| Some(PathBuf::from(context.variable(name)?)));
    let tops = ["/scratch", "/data", "/work", "/l", "/local"].map(|top| PathBuf::from(top).join(&context.user));
    let all = named.chain(tops).chain(context.user_home.clone()).chain(context.home.root().parent().map(PathBuf::from));
    let mut marked: Vec<_> = all.filter_map(|path| Some((path.display().to_string(), probe::mark(&path)?))).collect();
    marked.sort();
    marked.dedup();
    marked
}

pub(crate) fn with(one: &Machine, all: &[Option<Machine>], here: &[(String, String)]) -> Shared {
    let mut shared = Shared::default();
    let named = |name: &str, path: &str, own: &str| if path == own { name.to_string() } else { format!("{name} ({path} there)") };
    for other in all.iter().flatten().filter(|other| other.name != one.name) {
        if one.boot.is_some() && one.boot == other.boot {
            shared.machine.push(other.name.clone());
            continue;
        }
        for folder in &one.folders {
            let same = other.folders.iter().find(|theirs| is_same(folder, theirs));
            let with = same.map(|theirs| named(&other.name, &theirs.path, &folder.path));
            with.into_iter().for_each(|with| shared.folders.entry(folder.path.clone()).or_default().push(with));
        }
    }
    for folder in &one.folders {
        let ours = here.iter().find(|(_, mark)| folder.mark.as_ref() == Some(mark));
        let with = ours.map(|(path, _)| if *path == folder.path { "this machine".into() } else { format!("this machine ({path} here)") });
        with.into_iter().for_each(|with| shared.folders.entry(folder.path.clone()).or_default().push(with));
    }
    shared
}

/// What is mounted from the same place of a server is the same, too.
fn is_same(one: &Folder, other: &Folder) -> bool {
    let is_served = one.device.contains(':') && one.path == other.path;
    (one.mark.is_some() && one.mark == other.mark) || (is_served && one.device == other.device && one.kind == other.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, mark: &str, device: &str) -> Folder {
        Folder {
            path: path.into(),
            all: 1,
            free: 1,
            files: None,
            kind: "nfs".into(),
            device: device.into(),
            mark: Some(mark.into()),
            by_quota: false,
            has_home: false,
        }
    }

    fn machine(name: &str, boot: &str, folders: Vec<Folder>) -> Option<Machine> {
        Some(Machine { name: name.into(), boot: Some(boot.into()), folders })
    }

    #[test]
    fn folders_are_the_same_by_their_marks_or_by_their_server_and_machines_by_their_start() {
        let all = [
            machine("a", "1", vec![folder("/scratch/me", "5 1.0", "mds:/s"), folder("/home/me", "7 2.0", "/dev/sda1")]),
            machine("b", "2", vec![folder("/mnt/me", "5 1.0", "mds:/s"), folder("/home/me", "8 2.0", "/dev/sda1")]),
            machine("c", "3", vec![folder("/scratch/me", "5 0.9", "mds:/s")]),
            machine("d", "1", vec![folder("/home/me", "7 2.0", "/dev/sda1")]),
            None,
        ];
        let here = [("/home/me".to_string(), "7 2.0".to_string()), ("/other".to_string(), "5 1.0".to_string())];
        let of = |n: usize| with(all[n].as_ref().expect("a machine"), &all, &here);
        let scratch = ["b (/mnt/me there)", "c", "this machine (/other here)"].map(String::from).to_vec();
        let a = BTreeMap::from([("/scratch/me".into(), scratch), ("/home/me".into(), vec!["this machine".into()])]);
        assert_eq!(of(0), Shared { machine: vec!["d".into()], folders: a });
        assert_eq!(of(0).of("/home/me").as_deref(), Some("this machine"));
        assert_eq!(of(2).folders, BTreeMap::from([("/scratch/me".into(), vec!["a".into()])]));
        assert_eq!(of(1).folders.get("/home/me"), None);
    }
}
