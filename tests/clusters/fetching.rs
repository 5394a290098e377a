//! Files that travel: what runs left comes home by itself and when it is asked for, data sets go to targets, checkpoints go where runs
//! go on from them.

use crate::hosts::{Hosts, hosts};
use crate::world::{Said, World, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const FOLDER: &str = "/home/student/fetching";

/// A home with targets in hosts, one each: `gpu1` in alpha, `gpu2` in beta.
struct Far {
    world: World,
    hosts: &'static Hosts,
}

impl std::ops::Deref for Far {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Far {
    fn new() -> Option<Far> {
        let far = Far { hosts: hosts()?, world: World::new() };
        for (name, host) in [("gpu1", "alpha"), ("gpu2", "beta")] {
            far.on(&["target", "add", name, &format!("ssh://{host}"), "--folder", FOLDER]).with_code(0);
        }
        Some(far)
    }

    fn on(&self, words: &[&str]) -> Said {
        self.world.say_with(self.hosts, words)
    }

    /// Over a wire that takes no more after a while.
    fn stalling(&self, words: &[&str]) -> Child {
        let config = self.path("stalling");
        fs::write(&config, self.hosts.stalling(&self.world, 12 << 20)).expect("written");
        let mut command = self.world.with(self.hosts, words);
        let command = command.env("NERONET_SSH_CONFIG", config).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("neronet starts")
    }

    /// Everything of the targets' folder in a host, as it is seen from here.
    fn there(&self, host: &str) -> PathBuf {
        self.hosts.config().with_file_name(host).join(FOLDER.trim_start_matches('/'))
    }

    fn uid(&self) -> String {
        let home: Value = serde_json::from_slice(&fs::read(self.home().join("home.json")).expect("a home")).expect("JSON");
        home["uid"].as_str().expect("a name").to_string()
    }

    /// The folder of a run on a target.
    fn run_there(&self, host: &str, target: &str, run: u64) -> PathBuf {
        self.there(host).join(self.uid()).join(target).join(format!("runs/{run}"))
    }

    fn here(&self, path: &str) -> PathBuf {
        self.home().join("runs/1").join(path)
    }

    /// Submits what the project's specification says, and waits for its end.
    fn submit(&self, spec: &str, code: i32) -> Said {
        self.write("neronet.toml", spec);
        self.on(&["submit", "--wait", "--quiet"]).with_code(code)
    }

    fn fetched(&self, words: &[&str]) -> Value {
        self.on(&[&["fetch", "1", "--json"], words].concat()).with_code(0).json()
    }

    /// Once nothing is on its way any more.
    fn wait_collected(&self, target: &str) {
        let folder = self.home().join("targets").join(target).join("collect");
        wait_until("all has come", || fs::read_dir(&folder).is_ok_and(|mut all| all.next().is_none()));
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.on(&["down"]);
        if self.home().join("home.json").exists() && !std::thread::panicking() {
            let uid = self.uid();
            let mine =
                |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| String::from_utf8_lossy(&words).contains(&uid));
            let pids = fs::read_dir("/proc").expect("Linux").flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
            pids.filter(mine).for_each(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default());
            for host in ["alpha", "beta"] {
                [PathBuf::from(&uid), Path::new("data").join(&uid)]
                    .iter()
                    .for_each(|own| drop(fs::remove_dir_all(self.there(host).join(own))));
            }
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const TRAIN: &str = r#"
mkdir -p ck out
for step in 1 2 3; do
    echo "step $step loss 0.$step"
    echo "weights $step" > ck/new && mv ck/new ck/$step.pt
    sleep 0.3
done
echo "a,b" > out/table.csv
echo "what nobody named" > other.txt
"#;

const SPEC: &str = "name = 'train'\ncommand = 'sh train.sh'\ntarget = ['gpu1']\nobjective = 'loss min'\n[checkpoints]\npaths = ['ck/*.pt']\n[outputs]\nkeep = ['out/*.csv']\n";

#[test]
fn what_a_run_left_comes_home_by_itself_and_the_rest_when_it_is_asked_for() {
    let Some(far) = Far::new() else { return };
    far.write("train.sh", TRAIN);
    far.submit(&SPEC.replace("[outputs]", "fetch = 'last'\n[outputs]"), 0);
    far.wait_collected("gpu1");
    assert_eq!((text(&far.here("work/ck/3.pt")), text(&far.here("work/out/table.csv"))), ("weights 3\n".into(), "a,b\n".into()));
    assert!(!far.here("work/ck/1.pt").exists() && !far.here("work/train.sh").exists());
    // A file is as it was, but for what is here.
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).expect("a time");
    let there = far.run_there("alpha", "gpu1", 1);
    let ms = |path: &Path| modified(path).duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    assert_eq!(ms(&far.here("work/ck/3.pt")), ms(&there.join("work/ck/3.pt")));
    assert!(far.say(&["show", "1"]).with_code(0).out.contains("2 of these are on gpu1 alone; `neronet fetch 1`"));
    let all = far.fetched(&[]);
    assert_eq!((&all["files"], &all["there"]), (&Value::from(2), &Value::from(2)), "{all:#}");
    assert_eq!(far.fetched(&[])["files"], 0);
    assert_eq!(text(&far.here("work/ck/1.pt")), "weights 1\n");
    // What has changed there comes anew, and what is gone stays here.
    fs::write(there.join("work/ck/1.pt"), "weights 4\n").expect("written");
    fs::remove_file(there.join("work/ck/2.pt")).expect("removed");
    assert_eq!((&far.fetched(&[])["files"], text(&far.here("work/ck/1.pt"))), (&Value::from(1), "weights 4\n".into()));
    assert!(far.here("work/ck/2.pt").exists());
    far.on(&["fetch", "1", "*.txt", "ck", "--into", "got"]).with_code(0);
    assert_eq!(text(&far.project().join("got/other.txt")), "what nobody named\n");
    assert!(far.project().join("got/ck/3.pt").exists() && !far.here("work/other.txt").exists());
    // Nothing of it is in the way of what a bundle takes along.
    far.on(&["export", "1", "--checkpoints", "last", "-o", "one.neronet"]).with_code(0);
    for bad in ["../attempts/*", "/etc/passwd", "a[", "../../../*"] {
        far.on(&["fetch", "1", bad]).with_code(2);
    }
    assert_eq!(far.fetched(&["nothing/*.pt"])["files"], 0);
}

#[test]
fn of_checkpoints_those_come_by_themselves_that_the_specification_names() {
    let Some(far) = Far::new() else { return };
    // The first is the best.
    far.write("train.sh", TRAIN);
    let expected: [(&str, &[&str]); 4] = [("best", &["1.pt"]), ("last", &["3.pt"]), ("all", &["1.pt", "2.pt", "3.pt"]), ("none", &[])];
    for (run, (fetch, come)) in (1..).zip(expected) {
        far.write("neronet.toml", SPEC.replace("[outputs]", &format!("fetch = '{fetch}'\n[outputs]")));
        far.on(&["submit", "--again", "--wait", "--quiet"]).with_code(0);
        far.wait_collected("gpu1");
        let work = far.home().join(format!("runs/{run}/work"));
        let mut names: Vec<String> =
            fs::read_dir(work.join("ck")).into_iter().flatten().flatten().map(|file| file.file_name().to_string_lossy().into()).collect();
        names.sort();
        assert_eq!(names, come, "{fetch}");
        for name in come {
            assert_eq!(text(&work.join("ck").join(name)), format!("weights {}\n", &name[..1]));
        }
        // Whatever it says of checkpoints.
        assert_eq!(text(&work.join("out/table.csv")), "a,b\n");
    }
}

/// What has arrived of something that is on its way.
fn some_of(arriving: &Path) -> PathBuf {
    wait_for("some of it", || {
        let part = fs::read_dir(arriving).ok()?.flatten().next()?;
        Some(part.path()).filter(|_| part.metadata().is_ok_and(|meta| meta.len() > 8 << 20))
    })
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    fs::File::open("/dev/urandom").and_then(|mut random| std::io::Read::read_exact(&mut random, &mut noise)).expect("Linux");
    noise
}

#[test]
fn a_push_that_is_cut_goes_on_where_it_was() {
    let Some(far) = Far::new() else { return };
    let big = noise(100 << 20);
    far.write("big.bin", &big);
    let place = format!("cut-{}", std::process::id());
    let there = far.there("alpha").join(&place);
    let words = ["push", "gpu1", "big.bin", "--to", &place, "--json"];
    let mut cut = far.stalling(&words);
    let part = some_of(&there.join(".arriving"));
    cut.kill().expect("killed");
    cut.wait().expect("ended");
    // What was on the wire may arrive still.
    let some = part.metadata().expect("it is still there").len();
    assert!(some < big.len() as u64, "it was not cut");
    let rest = far.on(&words).with_code(0).json();
    assert!(rest["files"] == 1 && rest["bytes"].as_u64().is_some_and(|rest| rest <= big.len() as u64 - some), "{rest:#} after {some}");
    assert!(fs::read(there.join("big.bin")).expect("there") == big);
    assert!(!there.join(".arriving").exists());
    fs::remove_dir_all(there).expect("removed");
}

#[test]
fn a_fetch_that_is_cut_goes_on_where_it_was() {
    let Some(far) = Far::new() else { return };
    const BYTES: u64 = 100 << 20;
    far.write("train.sh", format!("head -c {BYTES} /dev/urandom > big.bin\n"));
    far.submit(SPEC, 0);
    let mut cut = far.stalling(&["fetch", "1", "big.bin"]);
    let arriving = far.here(".arriving");
    let part = some_of(&arriving);
    cut.kill().expect("killed");
    cut.wait().expect("ended");
    let some = part.metadata().expect("it is still there").len();
    assert!(some < BYTES, "it was not cut");
    let rest = far.fetched(&["big.bin"]);
    assert_eq!((rest["files"].as_u64(), rest["bytes"].as_u64()), (Some(1), Some(BYTES - some)));
    let there = far.run_there("alpha", "gpu1", 1).join("work/big.bin");
    assert!(fs::read(far.here("work/big.bin")).expect("here") == fs::read(there).expect("there"));
    assert!(!arriving.exists());
}

#[test]
fn what_leads_out_of_the_runs_folder_stays_and_so_does_what_changes_all_the_time() {
    let Some(far) = Far::new() else { return };
    let script = r#"
mkdir -p out
ln -s /etc/passwd out/leak.csv
ln -s ../../../../../.. out/up
ln -s out/a.csv last.csv
mkfifo out/pipe.csv
echo 1 > out/a.csv
head -c 200000000 /dev/zero > grow.log
while :; do echo more >> grow.log; sleep 0.001; done
"#;
    far.write("train.sh", script).write("neronet.toml", SPEC);
    far.on(&["submit", "--quiet"]).with_code(0);
    let there = wait_for("the run", || Some(far.run_there("alpha", "gpu1", 1)).filter(|there| there.join("work/grow.log").exists()));
    wait_until("its log", || there.join("work/grow.log").metadata().is_ok_and(|meta| meta.len() > 200_000_000));
    wait_until("its record", || far.here("attempts/1/launch.json").exists());
    let said = far.on(&["fetch", "1", "out/*", "out/up/etc/*", "last.csv"]).with_code(0);
    assert!(said.err.contains("3 more cannot be fetched: links that lead elsewhere"), "{said:#?}");
    assert_eq!((text(&far.here("work/out/a.csv")), text(&far.here("work/last.csv"))), ("1\n".into(), "1\n".into()));
    assert!(!far.here("work/out/leak.csv").exists() && !far.here("work/out/up").exists());
    let said = far.on(&["fetch", "1", "grow.log"]).with_code(1);
    assert!(said.err.contains("changed while it was fetched"), "{said:#?}");
    assert!(!far.here("work/grow.log").exists());
    far.on(&["kill", "1"]).with_code(0);
    far.ended(1);
    assert_eq!(far.fetched(&["grow.log"])["files"], 1);
}

#[test]
fn data_goes_to_a_target_once_and_then_only_what_changed() {
    let Some(far) = Far::new() else { return };
    far.write("set/train.bin", vec![7; 3 << 20]).write("set/test/1.bin", "one").write("set/test/empty", "").write("one.csv", "1,2\n");
    let place = format!("sets-{}", std::process::id());
    let push = || far.on(&["push", "gpu1", "set", "one.csv", "--to", &place, "--json"]).with_code(0).json();
    let counts = |said: Value| (said["files"].as_u64(), said["there"].as_u64(), said["bytes"].as_u64());
    assert_eq!(counts(push()), (Some(4), Some(0), Some((3 << 20) + 3 + 4)));
    let there = far.there("alpha").join(&place);
    assert!(fs::read(there.join("set/train.bin")).expect("there") == vec![7; 3 << 20]);
    assert_eq!((text(&there.join("set/test/1.bin")), text(&there.join("one.csv"))), ("one".into(), "1,2\n".into()));
    assert_eq!(counts(push()), (Some(0), Some(4), Some(0)));
    // Touched is not changed; as long with other content is.
    far.write("set/train.bin", vec![7; 3 << 20]).write("set/test/1.bin", "two");
    assert_eq!(counts(push()), (Some(1), Some(3), Some(3)));
    assert_eq!((text(&there.join("set/test/1.bin")), counts(push())), ("two".into(), (Some(0), Some(4), Some(0))));
    // Nothing is written through a link that lies there.
    fs::write(there.join("mine"), "precious").expect("written");
    fs::remove_file(there.join("one.csv")).expect("removed");
    std::os::unix::fs::symlink("mine", there.join("one.csv")).expect("linked");
    far.write("one.csv", "3,4\n");
    let said = far.on(&["push", "gpu1", "one.csv", "--to", &place]).with_code(1);
    assert!(said.err.contains("what is there is no file") && text(&there.join("mine")) == "precious", "{said:#?}");
    far.on(&["push", "gpu1", "absent"]).with_code(2);
    far.on(&["push", "nowhere", "set"]).with_code(2);
    far.on(&["push", "gpu1", "set", "--to", "../x"]).with_code(2);
    fs::remove_dir_all(there).expect("removed");
}

/// What files travel in where nobody chose: AES, if this machine's processor has it.
fn quick() -> &'static str {
    let has_aes = text(Path::new("/proc/cpuinfo")).split_whitespace().any(|word| word == "aes");
    if has_aes { "aes128-gcm@openssh.com" } else { "chacha20-poly1305@openssh.com" }
}

#[test]
fn files_travel_in_the_quickest_cipher_unless_somebody_chose_another() {
    let Some(far) = Far::new() else { return };
    far.write("set/a", "a").script("bin/ssh", "#!/bin/sh\nexec /usr/bin/ssh -v -E \"$SSH_LOG\" \"$@\"\n");
    let own = fs::read_to_string(far.hosts.config()).expect("a configuration");
    fs::write(far.path("chosen"), format!("Ciphers aes256-ctr,aes128-gcm@openssh.com\n{own}")).expect("written");
    let place = format!("ciphers-{}", std::process::id());
    for (config, cipher) in [(far.hosts.config(), quick()), (far.path("chosen"), "aes256-ctr")] {
        let log = far.path(cipher);
        let mut push = far.world.with(far.hosts, &["push", "gpu1", "set", "--to", &place]);
        let path = format!("{}:{}", far.project().join("bin").display(), std::env::var("PATH").expect("a path"));
        push.env("PATH", path).env("SSH_LOG", &log).env("NERONET_SSH_CONFIG", config);
        let said: Said = push.output().expect("neronet starts").into();
        said.with_code(0);
        let told = text(&log);
        let agreed: Vec<&str> = told.lines().filter(|line| line.contains("kex: server->client cipher:")).collect();
        assert!(agreed.len() == 1 && agreed[0].contains(&format!("cipher: {cipher} ")), "{cipher}: {agreed:?}");
    }
    fs::remove_dir_all(far.there("alpha").join(place)).expect("removed");
}

const RESUMED: &str = r#"
if [ "$1" = --resume ]; then cat "$2"; exit 0; fi
mkdir -p ck
echo "loss 0.5"
echo "weights 1" > ck/new && mv ck/new ck/1.pt
sleep 1
exit 3
"#;

#[test]
fn a_run_goes_on_from_a_checkpoint_that_is_on_its_target_alone() {
    let Some(far) = Far::new() else { return };
    far.write("train.sh", RESUMED);
    far.submit(&format!("{}[resume]\narguments = '--resume {{checkpoint}}'\n", SPEC.replace("[outputs]", "fetch = 'none'\n[outputs]")), 1);
    far.wait_collected("gpu1");
    assert!(!far.here("work").exists());
    let said = far.on(&["resume", "1"]).with_code(0);
    assert!(format!("{}{}", said.out, said.err).contains("work/ck/1.pt"), "{said:#?}");
    let run = far.show(1);
    assert_eq!((run["outcome"].as_str(), far.output(1, 2).as_str()), (Some("finished"), "weights 1\n"), "{run:#}");
}

#[test]
fn a_run_that_goes_on_at_home_has_its_checkpoint_brought_from_where_it_lies() {
    let Some(far) = Far::new() else { return };
    far.write("train.sh", RESUMED);
    let spec = SPEC.replace("['gpu1']", "['gpu1', 'local']").replace("[outputs]", "fetch = 'none'\n[outputs]");
    far.submit(&format!("{spec}[resume]\narguments = '--resume {{checkpoint}}'\n"), 1);
    far.wait_collected("gpu1");
    assert!(!far.here("work").exists());
    // Its own target takes no more, so it goes on here.
    far.on(&["down"]).with_code(0);
    let targets = far.home().join("targets.toml");
    let closed = "[targets.gpu1]\nmaintenance = [{ from = '2026-01-01' }]";
    let toml = text(&targets).replace("[targets.gpu1]", closed);
    fs::write(&targets, toml.replace("ssh://alpha", "ssh://nowhere.invalid")).expect("written");
    far.on(&["resume", "--detach", "1"]).with_code(0);
    let waits = "its checkpoint is being brought here from gpu1: gpu1 unreachable";
    wait_until("it is said to be away", || far.show(1)["reason"] == waits);
    fs::write(&targets, toml).expect("written");
    let run = far.ended(1);
    assert_eq!((run["outcome"].as_str(), far.output(1, 2).as_str()), (Some("finished"), "weights 1\n"), "{run:#}");
    assert_eq!(text(&far.here("work/ck/1.pt")), "weights 1\n");
    assert!(far.here("work/train.sh").is_file());
}

#[test]
fn a_run_of_the_next_stage_gets_the_checkpoint_on_whatever_machine_it_starts() {
    let Some(far) = Far::new() else { return };
    far.write("train.sh", TRAIN);
    let spec = "[checkpoints]\npaths = ['ck/*.pt']\nfetch = 'none'\n[[experiment]]\nname = 'first'\ncommand = 'sh train.sh'\ntarget = ['gpu1']\n\
                [[experiment]]\nname = 'second'\nafter = 'first'\ncommand = 'cat {first.checkpoint}'\ntarget = ['gpu2']\n\
                [[experiment]]\nname = 'third'\nafter = 'first'\ncommand = 'cat {first.checkpoint.best}'\ntarget = ['local']\n";
    far.submit(spec, 0);
    assert_eq!((far.output(3, 1).as_str(), far.show(3)["outcome"].as_str()), ("weights 3\n", Some("finished")));
    assert_eq!((far.output(2, 1).as_str(), far.show(2)["outcome"].as_str()), ("weights 3\n", Some("finished")));
    assert_eq!(text(&far.run_there("beta", "gpu2", 1).join("work/ck/3.pt")), "weights 3\n");
    // It comes home once more where it is not there any more.
    fs::remove_dir_all(far.here("work")).expect("removed");
    far.on(&["retry", "3"]).with_code(0);
    assert_eq!((far.output(3, 2).as_str(), far.show(3)["outcome"].as_str()), ("weights 3\n", Some("finished")));
}

#[test]
fn a_run_goes_on_from_what_has_come_home_where_its_own_target_is_away() {
    let Some(far) = Far::new() else { return };
    far.write("train.sh", RESUMED);
    let spec = SPEC.replace("['gpu1']", "['gpu1', 'gpu2']");
    far.submit(&format!("{spec}[resume]\narguments = '--resume {{checkpoint}}'\n"), 1);
    far.wait_collected("gpu1");
    assert_eq!(text(&far.here("work/ck/1.pt")), "weights 1\n");
    far.on(&["down"]).with_code(0);
    let targets = far.home().join("targets.toml");
    fs::write(&targets, text(&targets).replace("ssh://alpha", "ssh://nowhere.invalid")).expect("written");
    far.on(&["resume", "1"]).with_code(0);
    assert_eq!((far.output(1, 2).as_str(), far.show(1)["outcome"].as_str()), ("weights 1\n", Some("finished")));
    let there = far.run_there("beta", "gpu2", 1);
    assert!(there.join("work/train.sh").is_file() && there.join("work/ck/1.pt").is_file());
}

#[test]
fn an_input_is_brought_where_its_runs_execute_and_again_only_what_changed() {
    let Some(far) = Far::new() else { return };
    let spec = |path: &str| {
        let input = format!("[inputs.cifar]\npath = '{path}'\nfiles = ['labels.txt']\npush = true\n");
        format!("command = 'cat {{inputs.cifar}}/{{n}}.txt'\nparams.n = [1, 2]\ntarget = ['gpu1']\n{input}")
    };
    let data = |name: &str, content: &str| {
        far.write(&format!("sets/cifar/{name}"), content);
    };
    // What is not there at home is told.
    far.write("neronet.toml", spec("sets/cifar"));
    let said = far.on(&["submit"]).with_code(2).err;
    assert!(said.contains("sets/cifar is not there") && said.contains("neronet.toml:5:8"), "{said}");
    // Where it goes while its runs wait, nothing starts until somebody has seen to it.
    ["1.txt", "labels.txt"].iter().for_each(|name| data(name, ""));
    let (targets, open) = (far.home().join("targets.toml"), text(&far.home().join("targets.toml")));
    fs::write(&targets, open.replace("[targets.gpu1]", "[targets.gpu1]\nmaintenance = [{ from = '2026-01-01' }]")).expect("written");
    far.on(&["submit"]).with_code(0);
    fs::remove_dir_all(far.project().join("sets/cifar")).expect("removed");
    fs::write(&targets, open).expect("written");
    let reason = || far.show(1)["reason"].as_str().unwrap_or_default().to_string();
    wait_until("it is held", || reason().starts_with("held: it cannot go to gpu1: input 'cifar': "));
    assert!(reason().ends_with("sets/cifar is not there, and is to be brought"), "{}", reason());
    ["1.txt", "2.txt", "labels.txt"].iter().for_each(|name| data(name, &format!("{name} at first\n")));
    far.on(&["release", "1-2"]).with_code(0);
    for run in [1, 2] {
        assert_eq!((&far.ended(run)["outcome"], far.output(run, 1)), (&Value::from("finished"), format!("{run}.txt at first\n")));
    }
    let project = far.project().canonicalize().expect("there");
    let there = far.there("alpha").join("data").join(far.uid()).join(project.strip_prefix("/").expect("absolute")).join("sets/cifar");
    let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(there.join(name)).expect("brought"));
    let before = ["1.txt", "labels.txt"].map(inode);
    data("2.txt", "2.txt has changed since\n");
    far.on(&["submit", "--again", "--wait", "--quiet"]).with_code(0);
    assert_eq!((far.output(3, 1), far.output(4, 1)), ("1.txt at first\n".into(), "2.txt has changed since\n".into()));
    assert_eq!(["1.txt", "labels.txt"].map(inode), before, "what is there stays as it is");
    // Where the target says where its data is, it goes there.
    let targets = far.home().join("targets.toml");
    let sets = format!("{FOLDER}/{}/sets", far.uid());
    let here = project.join("sets");
    let vars = format!("[targets.gpu1.vars]\nsets = '{sets}'\n[targets.local]\nvars = {{ sets = '{}' }}\n", here.display());
    fs::write(&targets, text(&targets) + &vars).expect("written");
    far.submit(&spec("{target.sets}/cifar"), 0);
    assert_eq!(far.output(6, 1), "2.txt has changed since\n");
    assert_eq!(text(&far.there("alpha").join(far.uid()).join("sets/cifar/1.txt")), "1.txt at first\n");
}
