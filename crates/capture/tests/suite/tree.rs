//! A work tree in a folder that goes away with the test.

use neronet_capture::code::{self, Caps, Survey};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(crate) struct Tree {
    scratch: TempDir,
    pub(crate) top: PathBuf,
}

impl Tree {
    /// A folder without git.
    pub(crate) fn plain() -> Tree {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let top = scratch.path().canonicalize().expect("a path").join("tree");
        std::fs::create_dir(&top).expect("a folder");
        Tree { scratch, top }
    }

    /// A repository without a commit.
    pub(crate) fn git() -> Tree {
        let tree = Tree::plain();
        git(&tree.top, &["init", "-q", "-b", "main"]);
        tree
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) -> &Tree {
        let place = self.top.join(path);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
        std::fs::write(place, content).expect("a file");
        self
    }

    pub(crate) fn executable(&self, path: &str) -> &Tree {
        std::fs::set_permissions(self.top.join(path), PermissionsExt::from_mode(0o755)).expect("a mode");
        self
    }

    pub(crate) fn commit(&self) -> &Tree {
        git(&self.top, &["add", "-A"]);
        git(&self.top, &["commit", "-q", "--allow-empty", "-m", "a commit"]);
        self
    }

    /// A place beside the tree.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().canonicalize().expect("a path").join(name)
    }

    pub(crate) fn survey(&self) -> Survey {
        self.survey_with(&Caps::default())
    }

    pub(crate) fn survey_with(&self, caps: &Caps) -> Survey {
        code::survey(&self.top, None, caps, &self.beside("cache")).expect("a survey")
    }

    pub(crate) fn store(&self) -> String {
        code::store(&self.survey(), &self.beside("snapshots")).expect("a snapshot")
    }

    /// A work copy of what is stored now.
    pub(crate) fn work(&self, name: &str, link: &[&str]) -> PathBuf {
        let link: Vec<String> = link.iter().map(|path| path.to_string()).collect();
        let work = self.beside(name);
        code::materialise(&self.beside("snapshots"), &self.store(), &work, &link, &self.top).expect("a work copy");
        work
    }
}

pub(crate) fn git(place: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "protocol.file.allow=always", "-C"])
        .arg(place)
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

pub(crate) fn paths(survey: &Survey) -> Vec<&str> {
    survey.files.iter().map(|file| file.path.as_str()).collect()
}

pub(crate) fn read(place: &Path) -> String {
    std::fs::read_to_string(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()))
}

/// Whether any file below holds the text.
pub(crate) fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let place = entry.path();
        if place.is_dir() {
            return holds(&place, text);
        }
        let bytes = std::fs::read(&place).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
