//! Whose a process is and what, in words: `anna: python`.

use nix::unistd::{Uid, User};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Names that were looked up: a directory of users may be far away.
#[derive(Debug, Default)]
pub(crate) struct Words(BTreeMap<u32, String>);

impl Words {
    /// By what /proc says. Of what cannot be seen there the number must do.
    pub(crate) fn of(&mut self, root: &Path, pid: i32) -> String {
        let folder = root.join(format!("proc/{pid}"));
        let Ok(meta) = std::fs::metadata(&folder) else { return format!("process {pid}") };
        let owner = self.0.entry(meta.uid()).or_insert_with_key(|uid| {
            let user = User::from_uid(Uid::from_raw(*uid)).ok().flatten();
            user.map_or_else(|| format!("user {uid}"), |user| user.name)
        });
        match program(&folder) {
            Some(program) => format!("{owner}: {program}"),
            None => format!("{owner}: process {pid}"),
        }
    }
}

/// As it was called: threads and frameworks rename what the kernel calls it.
fn program(folder: &Path) -> Option<String> {
    let words = std::fs::read(folder.join("cmdline")).unwrap_or_default();
    let called = String::from_utf8_lossy(words.split(|byte| *byte == 0).next()?).into_owned();
    // Some write all their words into the first.
    let called = called.split_whitespace().next().and_then(|word| word.rsplit('/').next()).unwrap_or_default().to_string();
    let named = || Some(std::fs::read_to_string(folder.join("comm")).ok()?.trim().to_string());
    Some(called).filter(|word| !word.is_empty()).or_else(named).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;

    #[test]
    fn a_process_is_named_by_its_owner_and_its_program() {
        let stand_in = StandIn::new();
        stand_in.put("proc/12/cmdline", "/opt/venv/bin/python3\0train.py\0--key=secret\0");
        stand_in.put("proc/13/cmdline", "");
        stand_in.put("proc/13/comm", "kworker\n");
        stand_in.put("proc/14/x", "");
        let mut words = Words::default();
        let me = User::from_uid(Uid::current()).ok().flatten().map_or_else(|| format!("user {}", Uid::current()), |user| user.name);
        let mut of = |pid| words.of(&stand_in.path(""), pid);
        assert_eq!([of(12), of(13), of(14)], [format!("{me}: python3"), format!("{me}: kworker"), format!("{me}: process 14")]);
        assert_eq!(of(15), "process 15");
    }
}
