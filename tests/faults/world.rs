//! A home of its own, a training that leaves its own word of what it printed, and the processes to be killed.

use crate::record::Record;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) struct World {
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Daemon,
    Nursery,
    Keeper,
    Supervisor,
    Training,
}

#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) role: Role,
    /// Of a keeper and a supervisor: the attempt that it sees to, and nothing of the others.
    pub(crate) attempt: PathBuf,
}

/// Says in `printed` how far it is, before and after each line, with writes that no kill can lose. In halves, the line is torn
/// within its number for as long as between lines.
const TRAINING: &str = r#"
import os, sys, time
steps, marks = int(sys.argv[1]), os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
halves = sys.argv[3] == "halves"
for i in range(1, steps + 1):
    os.write(marks, b"b")
    line = b"step %d loss %.4f\n" % (i, 1.0 / i)
    if halves:
        os.write(1, line[:-3])
        time.sleep(0.0025)
        line = line[-3:]
    os.write(1, line)
    os.write(marks, b"a")
    time.sleep(0.0025 if halves else 0.005)
"#;

/// How the training prints, and who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Lines,
    Halves,
    /// In halves, behind a shell that ends well whatever becomes of the training.
    Shell,
}

impl Process {
    pub(crate) fn kill(&self) {
        // Gone already, it is what it should be.
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).ok();
    }
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::Builder::new().prefix("neronet-faults-").tempdir().expect("a folder").keep();
        std::fs::create_dir(folder.join("project")).expect("made");
        std::fs::DirBuilder::new().mode(0o700).create(folder.join("runtime")).expect("made");
        std::fs::write(folder.join("project/train.py"), TRAINING).expect("written");
        World { folder }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn neronet(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_neronet"));
        command.current_dir(self.folder.join("project")).env("NERONET_HOME", self.home()).env("HOME", &self.folder);
        command.env("XDG_RUNTIME_DIR", self.path("runtime"));
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run_training(&self, steps: u64, manner: Manner) -> Child {
        self.training(steps, manner).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("neronet starts")
    }

    /// The command that starts the training.
    pub(crate) fn training(&self, steps: u64, manner: Manner) -> Command {
        let mut command = self.neronet();
        let how = if manner == Manner::Lines { "lines" } else { "halves" };
        let words =
            ["python3", "train.py", &steps.to_string(), &self.folder.join("printed").display().to_string(), how].map(str::to_string);
        command.args(["run", "--quiet", "--"]);
        match manner {
            Manner::Shell => command.args(["sh", "-c", &format!("{}; true", words.join(" "))]),
            Manner::Lines | Manner::Halves => command.args(words),
        };
        command
    }

    /// At least and at most so many lines were printed.
    pub(crate) fn printed(&self) -> (u64, u64) {
        let marks = std::fs::read(self.folder.join("printed")).unwrap_or_default();
        let count = |mark: u8| marks.iter().filter(|byte| **byte == mark).count() as u64;
        (count(b'a'), count(b'b'))
    }

    /// KILL to those of our processes that have one of the roles.
    pub(crate) fn kill(&self, roles: &[Role]) {
        self.processes().into_iter().filter(|process| roles.contains(&process.role)).for_each(|process| process.kill());
    }

    pub(crate) fn processes(&self) -> Vec<Process> {
        let marker = self.folder.display().to_string();
        let entries = std::fs::read_dir("/proc").expect("Linux");
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words: Vec<String> = words.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let one = |role, attempt: PathBuf| Process { pid, role, attempt };
            let without_folder = match words.get(1).map(String::as_str) {
                Some("nursery") => Some(Role::Nursery),
                Some("serve") => Some(Role::Daemon),
                _ => None,
            };
            if let Some(role) = without_folder {
                // It shows no folder, but was given ours.
                let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
                return environment.windows(marker.len()).any(|window| window == marker.as_bytes()).then(|| one(role, PathBuf::new()));
            }
            if !words.iter().any(|word| word.starts_with(&marker)) {
                return None;
            }
            let role = match (words.first()?.as_str(), words.get(1)?.as_str()) {
                ("neronet", "keeper" | "supervisor") => {
                    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
                    let role = if name.starts_with("neronet-superv") { Role::Supervisor } else { Role::Keeper };
                    return Some(one(role, words.get(2)?.into()));
                }
                // The command line has it too, behind `run`. Python may be a wrapper that is still on its way to the real one.
                _ if words[1] != "run" && words.iter().any(|word| word == "train.py" || word == "work.sh") => Role::Training,
                _ => return None,
            };
            Some(one(role, PathBuf::new()))
        })
        .collect()
    }

    /// The record once nothing can change any more: every command that looks lets home catch up.
    pub(crate) fn settled(&self) -> Option<Record> {
        let shown = self.neronet().args(["show", "1", "--json"]).output().expect("neronet starts");
        if shown.status.code() == Some(2) {
            // There is no run 1.
            return self.processes().is_empty().then(|| Record::none(&self.home()));
        }
        let mut run: serde_json::Value = serde_json::from_slice(&shown.stdout).ok()?;
        run["attempts_list"] = run["attempts"].take();
        let nobody_left = self.processes().is_empty();
        let ended = run["state"] == "ended";
        (nobody_left && (ended || run["reason"].as_str().is_some_and(|reason| reason.contains("retry"))))
            .then(|| Record::read(&self.home(), run))
    }

    pub(crate) fn describe(&self) -> String {
        let shown = self.neronet().args(["show", "1", "--json"]).output().expect("neronet starts");
        format!("{:?}\n{}{}", self.processes(), String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr))
    }

    /// Only after a round that went well: the others are there to be looked at.
    pub(crate) fn remove(&self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
