//! A small home to which planned failures are done (`shim.c`), as often as it takes, and all that is seen of it.

use crate::world::World;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const MANNERS: [&str; 3] = ["kill", "torn", "full"];
/// From so many rounds on all points are tried.
pub(crate) const ALL_FROM: u64 = 100;

/// Three checkpoints, of which one is superfluous when two are to be kept.
const KEPT: &str = "name = 'kept'\ncommand = '''
mkdir ckpt
for n in 1 2 3; do echo $n > new.tmp; mv new.tmp ckpt/$n.bin; echo \"epoch $n/3 loss 0.$n\"; sleep 0.3; done'''
[checkpoints]\npaths = ['ckpt/*.bin']\n";
/// Its code and its build have no run any more.
const GONE: &str = "name = 'gone'\ncommand = 'cat built.txt'\n[code]\nbuild = 'echo built > built.txt'\n";

/// A command, and in what circumstances it is given.
#[derive(Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) words: &'static [&'static str],
    /// The file that it makes, its last word.
    pub(crate) makes: &'static str,
    /// What is wanted of the trash.
    pub(crate) trash: &'static str,
    /// So many seconds from now.
    pub(crate) later: u64,
}

impl Planned {
    pub(crate) const fn of(words: &'static [&'static str]) -> Planned {
        Planned { words, makes: "", trash: "least_free = '0 B'", later: 0 }
    }

    pub(crate) const fn making(words: &'static [&'static str], makes: &'static str) -> Planned {
        Planned { makes, ..Planned::of(words) }
    }
}

pub(crate) struct Tried {
    pub(crate) world: World,
    pub(crate) shim: PathBuf,
    pristine: PathBuf,
}

/// The library that is preloaded.
pub(crate) fn shim(world: &World) -> PathBuf {
    let shim = world.path("shim.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/faults/shim.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&shim).arg(&source).arg("-ldl").status();
    assert!(made.is_ok_and(|status| status.success()), "planned failures need a C compiler: cc");
    shim
}

/// Names of files that were being written.
pub(crate) fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "work" {
            found.extend(unfinished(&path));
        } else if entry.file_name().to_string_lossy().ends_with(".new") {
            found.push(path);
        }
    }
    found
}

fn shell(words: &str, folder: &Path) {
    let done = Command::new("sh").args(["-ec", words]).current_dir(folder).status();
    assert!(done.is_ok_and(|status| status.success()), "{words}");
}

impl Tried {
    /// Five runs, of which one has a long curve, one failed, one is in the trash, and one has checkpoints; what `gc` finds; and a journal
    /// that is worth storing.
    pub(crate) fn new() -> Tried {
        let world = World::new();
        let shim = shim(&world);
        let long = "awk 'BEGIN { for (i = 1; i <= 20000; i++) printf \"step %d loss 0.%d\\n\", i, i }'";
        for (command, code) in [(long, 0), ("echo loss 0.5; exit 3", 1), ("echo loss 0.25 accuracy 0.5", 0), ("echo loss 0.1", 0)] {
            let ran = world.neronet().args(["run", "--quiet", "--", "sh", "-c", command]).output().expect("it starts");
            assert_eq!(ran.status.code(), Some(code), "{}", String::from_utf8_lossy(&ran.stderr));
        }
        for (name, spec) in [("kept", KEPT), ("gone", GONE)] {
            let folder = world.path(name);
            std::fs::create_dir(&folder).expect("made");
            std::fs::write(folder.join("neronet.toml"), spec).expect("written");
            let ran = world.neronet().args(["run", "--quiet"]).current_dir(&folder).output().expect("it starts");
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        }
        let elsewhere = world.path("elsewhere");
        for words in [&["run", "--quiet", "--", "echo", "loss 0.75"][..], &["export", "1", "-o", "../given.neronet"]] {
            let done = world.neronet().args(words).env("NERONET_HOME", &elsewhere).output().expect("it starts");
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        let tried = Tried { shim, pristine: world.path("pristine"), world };
        shell("cp -a builds ../builds", &tried.world.home());
        for words in [&["rm", "4", "6", "--yes"][..], &["rm", "6", "--purge", "--yes"]] {
            tried.done(words);
        }
        // A build goes with its last run, unless that is cut short. All has lain there for days.
        shell("cp -a ../builds/. builds; mkdir snapshots/.new-999999999-00", &tried.world.home());
        shell("touch -d '3 days ago' builds/* snapshots/* snapshots/.new-*", &tried.world.home());
        for _ in 0..12 {
            tried.done(&["note", "3", &"long ".repeat(20_000)]);
        }
        tried.done(&["note", "3", "short"]);
        std::fs::remove_dir_all(tried.world.path(".cache")).ok();
        shell("cp -a home pristine", &tried.world.path(""));
        tried
    }

    fn done(&self, words: &[&str]) {
        let said = self.world.neronet().args(words).output().expect("it starts");
        assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
    }

    /// Home as it was at first, with nothing stored of it.
    pub(crate) fn restore(&self, trash: &str) {
        for folder in [self.world.home(), self.world.path(".cache"), self.world.path("made")] {
            std::fs::remove_dir_all(folder).ok();
        }
        std::fs::create_dir(self.world.path("made")).expect("made");
        let copied = Command::new("cp").arg("-a").arg(&self.pristine).arg(self.world.home()).status();
        assert!(copied.is_ok_and(|status| status.success()));
        std::fs::write(self.world.home().join("config.toml"), format!("[trash]\n{trash}\n")).expect("written");
    }

    /// The command with nothing in its way.
    pub(crate) fn unhindered(&self, planned: &Planned) -> Command {
        let mut command = self.world.neronet();
        command.args(planned.words).stdout(Stdio::null()).stderr(Stdio::piped());
        if !planned.makes.is_empty() {
            command.arg(self.world.path("made").join(planned.makes));
        }
        if planned.later > 0 {
            command.env("LD_PRELOAD", &self.shim).env("NERONET_TEST_LATER", planned.later.to_string());
        }
        command
    }

    pub(crate) fn preloaded(&self, planned: &Planned, point: &str) -> Command {
        let mut command = self.unhindered(planned);
        command.env("LD_PRELOAD", &self.shim).env("NERONET_TEST_POINT", point);
        command
    }

    /// Done in whole, and how many points that has.
    pub(crate) fn counted(&self, planned: &Planned) -> (Output, u64) {
        let count = self.world.path("count");
        let said = self.preloaded(planned, "kill:1000000").env("NERONET_TEST_COUNT", &count).output().expect("it starts");
        let counted = std::fs::read_to_string(&count).ok().and_then(|count| count.parse().ok());
        (said, counted.expect("the calls were counted"))
    }

    /// All that people see of these runs. Nobody starts a daemon for that.
    pub(crate) fn said(&self) -> String {
        let mut said = String::new();
        let questions: [&[&str]; 7] = [
            &["ls", "-a", "--json"],
            &["ls", "-a", "--trash", "--json"],
            &["metrics", "1", "loss", "--buckets", "40", "--json"],
            &["metrics", "3", "--json"],
            &["logs", "2"],
            &["show", "3", "--json"],
            &["show", "5", "--json"],
        ];
        for question in questions {
            let answer = self.world.neronet().args(question).output().expect("it starts");
            said += &String::from_utf8_lossy(&answer.stdout);
            said += &String::from_utf8_lossy(&answer.stderr);
        }
        said
    }

    /// What it made, if it did. The name is another file's until it is whole.
    pub(crate) fn made(&self, planned: &Planned) -> Option<Vec<u8>> {
        let path = self.world.path("made").join(planned.makes);
        std::fs::read(&path).ok()
    }

    /// Bundles hold when they were made: one that another home takes is whole.
    pub(crate) fn is_alike(&self, one: &Option<Vec<u8>>, other: &Option<Vec<u8>>) -> bool {
        let (Some(one), Some(_)) = (one, other) else { return one.is_some() == other.is_some() };
        if Some(one) == other.as_ref() {
            return true;
        }
        let (file, home) = (self.world.path("looked-at.neronet"), self.world.path("looking"));
        std::fs::write(&file, one).expect("written");
        let taken = self.world.neronet().arg("import").arg(&file).env("NERONET_HOME", &home).output().expect("it starts");
        std::fs::remove_dir_all(&home).ok();
        taken.status.success()
    }

    /// The code of each run is there, and where things were to go nothing is left that could.
    pub(crate) fn is_whole(&self, planned: &Planned, context: &str) {
        for run in [1, 2, 3, 5] {
            let Ok(bytes) = std::fs::read(self.world.home().join(format!("runs/{run}/run.json"))) else { continue };
            let told: Value = serde_json::from_slice(&bytes).expect("JSON");
            if let Some(snapshot) = told["code"]["snapshot"].as_str() {
                assert!(
                    self.world.home().join("snapshots").join(snapshot).join("manifest.json").exists(),
                    "{context}: the code of run {run}"
                );
            }
        }
        if planned.words.first() == Some(&"gc") {
            let look = Planned { words: &["gc", "--json"], ..*planned };
            let said = self.unhindered(&look).stdout(Stdio::piped()).output().expect("it starts");
            let found: Value = serde_json::from_slice(&said.stdout).expect("JSON");
            let of_all = planned.words.len() == 2;
            assert!(!of_all || found["items"] == serde_json::json!([]), "{context}: {found:#}");
        }
    }
}
