//! The load of the queue: sweeps of small runs of which each writes a diary, and what was done to them.

use crate::chance::Random;
use crate::world::{Process, Role, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

/// How many runs are queued or at work whenever a round begins. What waits for a run that failed is not counted: it starts when
/// somebody sees to that, which happens between the rounds, at rest.
const LOAD: usize = 200;

/// Of what `[resources] named` asks for there are so many, and no more runs than that at a time.
pub(crate) const DESKS: usize = 2;
pub(crate) const AT_A_TIME: usize = 8;

/// All runs write in one file, a line at once, so that the order of everything is known: `RUN ATTEMPT PID WORD [NUMBER]`.
/// What is about to be done is written before, what was done behind it.
const WORK: &str = r#"
diary=$1 steps=$2 pause=$3 manner=$4 crashes=$5
note() { echo "$NERONET_RUN $NERONET_ATTEMPT $$ $*" >> "$diary"; }
finish() { note end "$1"; exit "$1"; }
mkdir -p ckpt
n=0
if [ -n "$NERONET_RESUME_FROM" ]; then read -r n < "$NERONET_RESUME_FROM"; fi
note start "$n"
half=$(( (steps + n + 1) / 2 ))
while [ "$n" -lt "$steps" ]; do
    n=$((n + 1))
    note prints "$n"
    echo "step $n loss 0.$((1000 + n))"
    note printed "$n"
    if [ "$manner" = saves ]; then
        echo "$n" > part
        note saves "$n"
        mv part "ckpt/$n"
        note saved "$n"
    fi
    if [ "$NERONET_ATTEMPT" -le "$crashes" ] && [ "$n" -ge "$half" ]; then finish 3; fi
    sleep "$pause"
done
finish 0
"#;

/// A sweep that is submitted again and again. What it holds besides is said with each of its uses.
struct Kind {
    name: &'static str,
    runs: usize,
    retries: u64,
    parallel: usize,
    spec: &'static str,
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "grid",
        runs: 24,
        retries: 0,
        parallel: 6,
        spec: "params.steps = [3, 6, 12]\nparams.pause = [0.04, 0.2]\nparams.manner = ['plain', 'saves']\nparams.copy = [1, 2]\n",
    },
    Kind { name: "narrow", runs: 6, retries: 0, parallel: 2, spec: "params.steps = [2, 4, 6]\nparams.copy = [1, 2]\n" },
    Kind {
        name: "crashing",
        runs: 16,
        retries: 2,
        parallel: 6,
        spec: "params.steps = [4, 9]\nparams.crashes = [0, 1, 2, 3]\nparams.copy = [1, 2]\nretry.times = 2\n",
    },
    Kind {
        name: "desk",
        runs: 8,
        retries: 1,
        parallel: 6,
        spec: "params.steps = [3, 8]\nparams.copy = [1, 2, 3, 4]\nresources.named = { desk = 1 }\nretry = { times = 1, on = ['lost'] }\n",
    },
    Kind {
        name: "saving",
        runs: 12,
        retries: 3,
        parallel: 6,
        spec: "params.steps = [6, 12]\nparams.crashes = [0, 1, 2]\nparams.manner = 'saves'\nparams.copy = [1, 2]\ncheckpoints.paths = ['ckpt/*']\n\
               retry = { times = 3, backoff = '1s' }\nresume.automatic = true\n",
    },
    // Of each two, the second goes on from the first.
    Kind {
        name: "stages",
        runs: 8,
        retries: 0,
        parallel: 6,
        spec: "[[experiment]]\nname = 'first'\nparams.steps = [3, 5]\nparams.copy = [1, 2]\n\
               [[experiment]]\nname = 'second'\nafter = 'first'\nmatch = ['steps', 'copy']\nparams.steps = [3, 5]\nparams.copy = [1, 2]\n",
    },
];

pub(crate) fn parallel_of(experiment: &str) -> usize {
    KINDS.iter().find(|kind| kind.name == experiment).map_or(6, |kind| kind.parallel)
}
pub(crate) fn retries_of(experiment: &str) -> u64 {
    KINDS.iter().find(|kind| kind.name == experiment).map_or(0, |kind| kind.retries)
}

/// A submission, told apart from all others by a parameter of its runs.
pub(crate) struct Submitted {
    pub(crate) salt: u64,
    pub(crate) runs: usize,
    /// A run that must have finished before these start.
    pub(crate) after_ok: Option<u64>,
    /// Their ids, where they were told.
    pub(crate) acknowledged: Option<Vec<u64>>,
}

pub(crate) struct Load {
    pub(crate) world: World,
    pub(crate) submitted: Vec<Submitted>,
    /// Processes that were killed here.
    pub(crate) killed: BTreeSet<i32>,
    /// Attempts whose keeper or supervisor was.
    pub(crate) unattended: BTreeSet<PathBuf>,
    /// Runs that were asked to stop, and those that were begun again.
    pub(crate) asked: BTreeSet<u64>,
    pub(crate) again: BTreeSet<u64>,
    /// Pages of runs that agreed with their spools, by how many attempts they had.
    pub(crate) pages_seen: BTreeSet<(u64, usize)>,
    /// What was done, and how often.
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Load {
    pub(crate) fn new() -> Load {
        let world = World::new();
        std::fs::create_dir(world.home()).expect("made");
        let targets = format!("[targets.local]\nmax_runs = {AT_A_TIME}\nleave_memory = \"1 MB\"\nnamed = {{ desk = {DESKS} }}\n");
        std::fs::write(world.home().join("targets.toml"), targets).expect("written");
        std::fs::write(world.path("project/work.sh"), WORK).expect("written");
        for Kind { name, parallel, spec, .. } in KINDS {
            let (head, experiments) = spec.split_at(spec.find("[[").unwrap_or(spec.len()));
            let diary = world.path("diary").display().to_string();
            let mut given = format!("name = '{name}'\n");
            given += &format!(
                "command = ['sh', 'work.sh', '{diary}', '{{steps}}', '{{pause}}', '{{manner}}', '{{crashes}}', '{{salt}}', '{{copy}}']\n"
            );
            given += &format!("sweep.parallel = {parallel}\n");
            for (name, value) in [("pause", "0.1"), ("manner", "'plain'"), ("crashes", "0"), ("salt", "0")] {
                if !spec.contains(&format!("params.{name} =")) {
                    given += &format!("params.{name} = {value}\n");
                }
            }
            std::fs::write(world.path(&format!("project/{name}.toml")), given + head + experiments).expect("written");
        }
        Load {
            world,
            submitted: Vec::new(),
            killed: BTreeSet::new(),
            unattended: BTreeSet::new(),
            asked: BTreeSet::new(),
            again: BTreeSet::new(),
            pages_seen: BTreeSet::new(),
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_string()).or_default() += 1;
    }

    /// What neronet says, whoever was killed before: it may refuse and must not break.
    pub(crate) fn say(&self, words: &[&str]) -> Output {
        let said = self.world.neronet().args(words).output().expect("neronet starts");
        let told = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.code().is_some_and(|code| code < 100), "{words:?}: {} {told}", said.status);
        said
    }

    /// Every run that is on record.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.listed(&["ls", "-a", "--json"])
    }

    /// Those that are at work or queued.
    pub(crate) fn queue(&self) -> Vec<Value> {
        self.listed(&["queue", "--json"])
    }

    fn listed(&self, words: &[&str]) -> Vec<Value> {
        let said = self.say(words);
        assert!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
        serde_json::from_slice(&said.stdout).expect("a list")
    }

    /// One that was killed is still seen for a moment, where the machine is busy.
    pub(crate) fn daemon(&self) -> bool {
        self.world.processes().iter().any(|process| process.role == Role::Daemon && !self.killed.contains(&process.pid))
    }

    /// KILL to those of whom `chosen` says so, as they are at this moment.
    pub(crate) fn kill(&mut self, mut chosen: impl FnMut(&Process) -> bool) {
        for process in self.world.processes().into_iter().filter(|process| chosen(process)) {
            self.killed.insert(process.pid);
            if matches!(process.role, Role::Keeper | Role::Supervisor) {
                self.unattended.insert(process.attempt.clone());
            }
            self.count(&format!("killed: {:?}", process.role));
            process.kill();
        }
    }

    /// So many further submissions as keep up the load, or one if there is to be any.
    pub(crate) fn submit_what_is_missing(&mut self, queue: &[Value], any: bool, random: &mut Random) -> Vec<UnderWay> {
        let mut there = queue.iter().filter(|run| !is_held_by_a_failure(run, queue)).count();
        let mut all = Vec::new();
        while there < LOAD || (any && all.is_empty()) {
            let kind = &KINDS[random.below(KINDS.len() as u64) as usize];
            there += kind.runs;
            all.push(self.submit(kind, queue, random));
        }
        all
    }

    fn submit(&mut self, kind: &Kind, queue: &[Value], random: &mut Random) -> UnderWay {
        let salt = self.submitted.len() as u64 + 1;
        let upstream = queue.get(random.below(4 * queue.len().max(1) as u64) as usize);
        let after_ok = upstream.and_then(|run| run["id"].as_u64());
        let mut command = self.world.neronet();
        command.args(["submit", &format!("{}.toml", kind.name), "--set", &format!("params.salt={salt}"), "--json"]);
        command.args(after_ok.map(|run| format!("--after-ok={run}")));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts");
        self.submitted.push(Submitted { salt, runs: kind.runs, after_ok, acknowledged: None });
        UnderWay { child, number: self.submitted.len() - 1, killed: false }
    }

    /// Stops a run, or begins it again. In the diary stands when that was acknowledged, and when it was asked for.
    pub(crate) fn steer(&mut self, words: &[&str], runs: &[u64]) -> bool {
        if words[0] == "retry" {
            runs.iter().for_each(|run| self.mark(*run, "again"));
            self.again.extend(runs);
        } else {
            self.asked.extend(runs);
        }
        let ids: Vec<String> = runs.iter().map(u64::to_string).collect();
        let done = self.say(&[words, ids.iter().map(String::as_str).collect::<Vec<_>>().as_slice()].concat()).status.success();
        if done && words[0] != "retry" {
            runs.iter().for_each(|run| self.mark(*run, "asked"));
        }
        self.count(&format!("people: {}, {}", words[0], if done { "done" } else { "refused" }));
        done
    }

    fn mark(&self, run: u64, word: &str) {
        let diary = OpenOptions::new().append(true).create(true).open(self.world.path("diary")).expect("opened");
        (&diary).write_all(format!("{run} 0 0 {word} 0\n").as_bytes()).expect("written");
    }

    /// Waits for a submission and notes what it came to.
    pub(crate) fn acknowledge(&mut self, UnderWay { child, number, killed }: UnderWay, context: &str) {
        let said = child.wait_with_output().expect("it is ours");
        let told = String::from_utf8_lossy(&said.stderr).into_owned();
        self.submitted[number].acknowledged = match said.status.code() {
            Some(0) => {
                let runs: Vec<Value> = serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{context}: {e}: {told}"));
                Some(runs.iter().filter_map(|run| run["id"].as_u64()).collect())
            }
            None => {
                assert!(killed, "{context}: a submission died of itself: {told}");
                self.count("submission: cut short");
                return;
            }
            // The runs are on record and the daemon that it waited for was killed.
            Some(_) => {
                assert!(told.contains("daemon"), "{context}: a submission was refused: {told}");
                self.count("submission: the daemon was killed meanwhile");
                None
            }
        };
        self.count("submission");
    }
}

pub(crate) fn reason(run: &Value) -> &str {
    run["reason"].as_str().unwrap_or_default()
}

/// It does not start before somebody sees to a run that failed: one that it goes on from, or one before that.
pub(crate) fn is_held_by_a_failure(run: &Value, queue: &[Value]) -> bool {
    let before = reason(run).strip_prefix("after run ").and_then(|id| id.parse::<u64>().ok());
    let upstream = before.and_then(|id| queue.iter().find(|other| other["id"].as_u64() == Some(id)));
    reason(run).starts_with("held: run ") || upstream.is_some_and(|upstream| is_held_by_a_failure(upstream, queue))
}

impl Drop for Load {
    /// A test that failed leaves its folder to be looked at, and no process.
    fn drop(&mut self) {
        while self.world.processes().iter().inspect(|process| process.kill()).count() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

pub(crate) struct UnderWay {
    child: Child,
    number: usize,
    killed: bool,
}

impl UnderWay {
    pub(crate) fn kill(&mut self) {
        self.killed = true;
        self.child.kill().ok();
    }
}
