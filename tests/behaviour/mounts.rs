//! File systems of a test's own: the test runs once more in a mount namespace that goes with it.

use crate::world::cannot_be_tested;
use std::path::Path;
use std::process::Command;

const INSIDE: &str = "NERONET_BEHAVIOUR_INSIDE";

/// Runs `body` where it may mount. `test` is its full name: outside, the same test is started again inside.
pub(crate) fn with_own_mounts(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let me = std::env::current_exe().expect("known");
    let attempt = |how: &str| Command::new("unshare").args([how, "true"]).output().is_ok_and(|said| said.status.success());
    let Some(how) = ["-m", "-rm"].into_iter().find(|how| attempt(how)) else {
        let missing = "`unshare -m` and `unshare -rm` are refused; run the tests as root, or allow unprivileged user namespaces";
        return cannot_be_tested(test, missing);
    };
    let said =
        Command::new("unshare").arg(how).arg(me).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output().expect("it starts");
    let told = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && told.contains("1 passed"), "inside a mount namespace:\n{told}");
}

pub(crate) fn mount(words: &[&str]) {
    let said = Command::new("mount").args(words).output().expect("mount starts");
    assert!(said.status.success(), "mount {words:?}: {}", String::from_utf8_lossy(&said.stderr));
}

/// A file system of so many bytes at `folder`.
pub(crate) fn small_disk(folder: &Path, bytes: u64) {
    std::fs::create_dir_all(folder).expect("made");
    mount(&["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "tmpfs", &folder.display().to_string()]);
}

/// Takes all the room that is left.
pub(crate) fn fill(folder: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("filler")).expect("made");
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Gives back so much of it.
pub(crate) fn leave(folder: &Path, bytes: u64) {
    let filler = std::fs::OpenOptions::new().write(true).open(folder.join("filler")).expect("there");
    let length = filler.metadata().expect("there").len();
    filler.set_len(length.saturating_sub(bytes)).expect("ours");
}

pub(crate) fn free(folder: &Path) {
    std::fs::remove_file(folder.join("filler")).expect("there");
}
