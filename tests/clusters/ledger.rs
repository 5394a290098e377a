//! What really happened: the lines that runs write outside their folders, and what lies on the targets.

use crate::lab::Lab;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each line `RUN ATTEMPT PID WORD TIME`, written at once, by the one clock that all hosts have and nobody sets. What is said between
/// start and end says that it still runs. What it leaves at its end is an artifact.
pub(crate) const WORK: &str = r#"
ledger=$1 ticks=$2 fails=$3
note() { read -r now _ < /proc/uptime; echo "$NERONET_RUN $NERONET_ATTEMPT $$ $1 $now" >> "$ledger"; }
note start
n=0
while [ "$n" -lt "$ticks" ]; do
    n=$((n + 1))
    echo "step $n loss 0.$((1000 + n))"
    sleep 0.1
    note tick
done
if [ "$NERONET_ATTEMPT" -le "$fails" ]; then note end3; exit 3; fi
head -c 300000 /dev/urandom > left.bin 2>/dev/null
note end0
"#;

/// What a process said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) host: String,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) end: Option<u64>,
}

/// By run, attempt and process: of each attempt there should be one.
pub(crate) type Ledger = BTreeMap<(u64, u64), BTreeMap<(String, u64), Page>>;

pub(crate) fn read(lab: &Lab, hosts: &[&str]) -> Ledger {
    let mut ledger = Ledger::new();
    for host in hosts {
        for line in lab.noted(host, "ledger").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [run, attempt, pid, word, time] = words[..] else { panic!("{host}: no line of a run: {line}") };
            let number = |text: &str| text.parse::<u64>().unwrap_or_else(|e| panic!("{host}: {line}: {e}"));
            let time: f64 = time.parse().unwrap_or_else(|e| panic!("{host}: {line}: {e}"));
            let pages = ledger.entry((number(run), number(attempt))).or_default();
            // A pid is used again after a reboot: what starts anew is another one.
            let mut key = (host.to_string(), number(pid));
            if word == "start" {
                while pages.contains_key(&key) {
                    key.1 += 1_000_000;
                }
            }
            let page = pages.entry(key).or_insert_with(|| Page { host: host.to_string(), first: time, last: time, end: None });
            page.last = time;
            page.end = word.strip_prefix("end").map(number).or(page.end);
        }
    }
    ledger
}

/// What is wrong about who executed when.
pub(crate) fn twice(ledger: &Ledger) -> Vec<(u64, String)> {
    let mut wrong = Vec::new();
    for ((run, attempt), pages) in ledger {
        if pages.len() > 1 {
            wrong.push((*run, format!("attempt {attempt} of run {run} was begun {} times: {pages:?}", pages.len())));
        }
        for ((_, other), later) in ledger.range((*run, attempt + 1)..(*run + 1, 0)) {
            for (one, two) in pages.values().flat_map(|one| later.values().map(move |two| (one, two))) {
                if one.first < two.last && two.first < one.last {
                    wrong.push((*run, format!("attempts {attempt} and {other} of run {run} were there together: {one:?}, {two:?}")));
                }
            }
        }
    }
    wrong
}

/// Files of attempts that a target has and that are not at home as they are there, and artifacts of the runs that finished there.
pub(crate) fn not_at_home(lab: &Lab, target: &str, finished: &[u64]) -> Vec<String> {
    let (there, home) = (lab.there(target).join("runs"), lab.world.home().join("runs"));
    let mut wrong = Vec::new();
    for run in finished {
        let name = format!("{run}/work/left.bin");
        let (theirs, ours) = (read_file(&there.join(&name)), read_file(&home.join(&name)));
        if theirs.is_some() && ours != theirs {
            wrong.push(format!("{name}: {} is not at home", if ours.is_some() { "as it is" } else { "it" }));
        }
    }
    for run in entries(&there) {
        for attempt in entries(&there.join(&run).join("attempts")) {
            let folder = Path::new(&run).join("attempts").join(&attempt);
            for name in entries(&there.join(&folder)) {
                let recorded =
                    ["events.", "metrics.", "output.", "outputs."].iter().any(|kind| name.starts_with(kind)) && name.ends_with(".jsonl");
                if !recorded && name != "keeper.jsonl" && name != "launch.json" {
                    continue;
                }
                let (theirs, ours) = (read_file(&there.join(&folder).join(&name)), read_file(&home.join(&folder).join(&name)));
                if theirs.is_some() && ours != theirs {
                    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
                    wrong.push(format!("{}/{name}: {:?} bytes here, {:?} on {target}", folder.display(), length(&ours), length(&theirs)));
                }
            }
        }
    }
    wrong
}

fn read_file(path: &PathBuf) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

fn entries(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
