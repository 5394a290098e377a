//! A home, a project and an environment that belong to one test alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A training that prints as trainings print; `lr` decides how well it goes.
const TRAIN: &str = r#"lr=$1
act=$2
for epoch in 1 2 3 4; do
  echo "Epoch $epoch/4 loss $(awk "BEGIN{print 1/($epoch*$lr*10+1)}") test_acc $(awk "BEGIN{print 90+$epoch*$lr*5}")"
done
"#;

const SPEC: &str = r#"name = "toy"
command = "sh train.sh {lr} {act}"
[params]
lr = [0.1, 0.2]
act = ["relu", "none"]
"#;

pub(crate) struct World {
    folder: TempDir,
}

/// What a command answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// A project in git, with nothing run yet.
    pub(crate) fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(world.project()).unwrap();
        world.write("train.sh", TRAIN);
        world.write("neronet.toml", SPEC);
        world.commit();
        world
    }

    /// With the four runs of its sweep, all finished.
    pub(crate) fn with_sweep() -> World {
        let world = World::new();
        world.neronet(&["run", "--quiet"]).succeeded();
        world
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("digits")
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.project().join(name), text).unwrap();
    }

    pub(crate) fn commit(&self) {
        for words in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "all"]] {
            let done = self.command("git", &self.project()).args(words).status().unwrap();
            assert!(done.success(), "git {words:?}");
        }
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear();
        for (name, value) in [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TZ", "UTC"),
            ("NO_COLOR", "1"),
            ("LC_ALL", "C.UTF-8"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "t"),
            ("GIT_AUTHOR_EMAIL", "t@example.org"),
            ("GIT_COMMITTER_NAME", "t"),
            ("GIT_COMMITTER_EMAIL", "t@example.org"),
        ] {
            command.env(name, value);
        }
        command.env("HOME", self.path("user")).env("NERONET_HOME", self.path("home"));
        command
    }

    pub(crate) fn neronet(&self, words: &[&str]) -> Answer {
        self.neronet_in(&self.project(), words, &[])
    }

    pub(crate) fn neronet_in(&self, folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Answer {
        let mut command = self.command(env!("CARGO_BIN_EXE_neronet"), folder);
        command.args(words).envs(variables.iter().copied()).stdin(std::process::Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        Answer { code: status.code().unwrap_or(-1), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
    }

    pub(crate) fn json(&self, words: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.neronet(words).succeeded().out).unwrap()
    }

    /// Compares a whole answer with the stored one. Times, durations, hashes and places are masked, and columns are pushed
    /// together: their widths follow from what is masked.
    pub(crate) fn compare(&self, name: &str, answer: &Answer) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let place = std::fs::canonicalize(self.folder.path()).unwrap();
        for (pattern, to) in [
            (&*place.display().to_string(), "[place]"),
            // Of the machine: what is there differs from one to the next.
            (r"(?m)^  (python|packages|modules|system|cpu|memory|gpus|driver|programs|disk|likely)  .*\n", ""),
            (r"(?m)^Packages\n  no difference.*\n\n", ""),
            (r"\(\d+ the same\)", "([n] the same)"),
            (r"(?m)^  by +.*$", "  by [user]"),
            (r"[0-9A-HJKMNP-TV-Z]{26}", "[uid]"),
            (r"\b[0-9a-f]{12,64}\b", "[hash]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d\.\d+)?", "[time]"),
            (r"just now|\b\d+(\.\d+)? (ms|s|min)\b( \d\d s\b)?( ago\b)?", "[span]"),
            (r"\b\d+(\.\d+)? [kM]B\b", "[size]"),
            (r"\b\d+(\.\d+)? (step|epoch)s a second", "[speed]"),
            (r" {2,}", "  "),
        ] {
            settings.add_filter(pattern, to);
        }
        settings.bind(|| insta::assert_snapshot!(name, answer.whole()));
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Answer {
        assert_eq!(self.code, 0, "{}", self.whole());
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "{}", self.whole());
        self
    }

    fn whole(&self) -> String {
        let err = if self.err.is_empty() { String::new() } else { format!("--- standard error\n{}", self.err) };
        let code = if self.code == 0 { String::new() } else { format!("--- exit code {}\n", self.code) };
        format!("{}{err}{code}", self.out)
    }
}
