//! A home on another machine, for which a script in the place of ssh stands: what that machine may do here.

use crate::world::{Said, World};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Carries out here what ssh is to carry out there, and then what `$WORLD/there.sh` says, in the folder where commands write. It is as old
/// as an ssh may be, and knows no `RemoteCommand`. What stands at its input it takes, whether that is read there or not.
const SSH: &str = r#"#!/bin/sh
case "$*" in *RemoteCommand*) exit 255 ;; esac
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
[ $# -gt 2 ] || exit 0
shift 2
case "$*" in
*" within "*)
    [ ! -e "$WORLD/hangs" ] || exec sleep 60
    taken=$(mktemp -u) && mkfifo "$taken" && exec 3<&0
    cat <&3 >"$taken" &
    sh -c "$*" <"$taken" 3<&-
    code=$?
    kill $! 2>/dev/null
    rm "$taken"
    ;;
*)
    if [ -n "$SLOWLY" ]; then python3 -c "$SLOWLY" | sh -c "$*"; else sh -c "$*"; fi
    code=$?
    ;;
esac
for folder in "$HOME"/.cache/neronet/*/home/scratch/*/; do
    (cd "$folder" && . "$WORLD/there.sh") 2>/dev/null
done
exit $code
"#;

/// Passes on 64 KiB at most each tenth of a second: what is sent is on its way for longer than others need for all of it.
const SLOWLY: &str = "
import os, time
while some := os.read(0, 1 << 16):
    while some: some = some[os.write(1, some):]
    time.sleep(0.1)
";

struct Elsewhere(World);

impl Elsewhere {
    fn new() -> Elsewhere {
        let world = World::new();
        world.script("bin/ssh", SSH).write("train.py", "ours");
        let elsewhere = Elsewhere(world);
        elsewhere.does("true");
        elsewhere.say(&["run", "--quiet", "--", "true"]).with_code(0);
        elsewhere
    }

    fn does(&self, script: &str) {
        std::fs::write(self.0.path("there.sh"), script).expect("written");
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.neronet(words);
        let path = format!("{}:{}", self.here("bin").display(), std::env::var("PATH").expect("a path"));
        command.env("PATH", path).env("NERONET_HOME", "ssh://elsewhere");
        command
    }

    fn say(&self, words: &[&str]) -> Said {
        self.command(words).output().expect("neronet starts").into()
    }

    fn here(&self, path: &str) -> PathBuf {
        self.0.project().join(path)
    }
}

#[test]
fn what_a_command_writes_comes_and_nothing_that_lies_beside_it() {
    let elsewhere = Elsewhere::new();
    elsewhere.does("mkdir -p .git; for file in train.py .bashrc .git/config x.json.py; do echo pwned > $file; done");
    for name in ["x.json", "sub/.hidden.json"] {
        std::fs::create_dir_all(elsewhere.here("sub")).expect("made");
        elsewhere.say(&["export", "1", "-o", name]).with_code(0);
        assert!(std::fs::read_to_string(elsewhere.here(name)).is_ok_and(|text| text.contains("finished")), "{name}");
    }
    assert_eq!(std::fs::read_to_string(elsewhere.here("train.py")).expect("there"), "ours");
    for name in [".bashrc", ".git", "x.json.py", "sub/train.py", "sub/.bashrc"] {
        assert!(!elsewhere.here(name).exists(), "{name}");
    }
    elsewhere.does("rm -f y.json");
    let said = elsewhere.say(&["export", "1", "-o", "y.json"]).with_code(1);
    assert!(said.err.contains("y.json did not come: ssh://elsewhere says that it is written"), "{said:#?}");
}

#[test]
fn what_a_command_reads_has_its_own_name_there() {
    let elsewhere = Elsewhere::new();
    elsewhere.say(&["export", "1", "-o", "sub/one.neronet"]).with_code(0);
    std::fs::create_dir_all(elsewhere.here("other")).expect("made");
    std::fs::copy(elsewhere.here("sub/one.neronet"), elsewhere.here("other/one.neronet")).expect("copied");
    let said = elsewhere.say(&["import", "sub/one.neronet", "other/one.neronet"]).with_code(2);
    assert!(said.err.contains("sub/one.neronet and other/one.neronet would both be 'one.neronet' there"), "{said:#?}");
    for name in [".", "sub/.."] {
        let said = elsewhere.say(&["import", name]);
        assert!(
            !said.err.contains("a value is required") && said.err.contains("project: there is nothing that import knows"),
            "{name}: {said:#?}"
        );
    }
}

#[test]
fn nothing_takes_the_place_of_code_that_is_not_sent() {
    let elsewhere = Elsewhere::new();
    let home = elsewhere.0.path("user");
    std::fs::write(home.join("neronet.toml"), "command = 'sh -c \"echo > $WORLD/executed\"'\n").expect("written");
    for words in [&["run"][..], &["submit", "--wait"], &["check"], &["run", "--", "sh", "-c", "echo > $WORLD/executed"]] {
        let said: Said = elsewhere.command(words).current_dir(&home).output().expect("neronet starts").into();
        let said = said.with_code(2);
        assert!(said.err.contains("is not sent to ssh://elsewhere: ") && said.err.contains("your home folder"), "{said:#?}");
        // Whoever sends none all the same.
        let word: String = br#"{"name":"lab"}"#.iter().map(|byte| format!("{byte:02x}")).collect();
        let said: Said =
            elsewhere.0.neronet(&[&["from", &word], words].concat()).current_dir(&home).output().expect("neronet starts").into();
        assert!(said.with_code(2).err.contains("the code did not come along"), "{words:?}");
    }
    assert_eq!(elsewhere.0.told("executed"), None);
}

#[test]
fn a_home_that_is_a_git_repository_takes_no_code_in() {
    let elsewhere = Elsewhere::new();
    let home = elsewhere.0.path("user");
    std::fs::write(home.join(".bashrc"), "").expect("written");
    for words in [&["init"][..], &["add", ".bashrc"], &["commit", "-m", "dotfiles"]] {
        elsewhere.0.git_in(&home, words);
    }
    elsewhere.say(&["run", "--", "sh", "-c", "cp train.py $WORLD/got"]).with_code(0);
    assert_eq!(elsewhere.0.told("got").as_deref(), Some("ours"));
    elsewhere.0.write("neronet.toml", "command = 'true'\ncode.commit = 'main'\n");
    let said = elsewhere.say(&["run"]).with_code(2);
    assert!(said.err.contains("[code] commit means the git repository"), "{said:#?}");
}

#[test]
fn what_a_run_left_comes_whatever_its_name_is_and_what_is_gone_is_named() {
    let world = World::new();
    world.script("bin/ssh", SSH);
    let say = |words: &[&str]| -> Said {
        let path = format!("{}:{}", world.project().join("bin").display(), std::env::var("PATH").expect("a path"));
        world.neronet(words).env("PATH", path).output().expect("neronet starts").into()
    };
    let there = world.path("there");
    say(&["target", "add", "gpu1", "ssh://elsewhere", "--folder", there.to_str().expect("text")]).with_code(0);
    world.write("train.sh", "mkdir ck out && echo weights > ck/1.pt && echo weights > 'ck/a\\b.pt' && echo x > 'out/[a]\\b'");
    world.write(
        "neronet.toml",
        "command = 'sh train.sh'\ntarget = 'gpu1'\n[checkpoints]\npaths = ['ck/*']\nfetch = 'none'\n[outputs]\nkeep = ['out/*']\n",
    );
    say(&["submit", "--wait", "--quiet"]).with_code(0);
    let here = world.home().join("runs/1/work");
    say(&["fetch", "1"]).with_code(0);
    assert!([r"ck/a\b.pt", r"out/[a]\b", "ck/1.pt"].iter().all(|path| here.join(path).is_file()));
    let home: serde_json::Value = serde_json::from_slice(&std::fs::read(world.home().join("home.json")).expect("a home")).expect("JSON");
    let run = there.join(home["uid"].as_str().expect("a name")).join("gpu1/runs/1");
    std::fs::remove_file(run.join("work/ck/1.pt")).expect("removed");
    // It is here.
    say(&["fetch", "1"]).with_code(0);
    std::fs::remove_file(here.join("ck/1.pt")).expect("removed");
    let said = say(&["fetch", "1"]).with_code(1);
    assert!(said.err.contains("gpu1: 'work/ck/1.pt' is on record, and is not there") && !said.err.contains("a\\b"), "{said:#?}");
    say(&["down"]);
}

#[test]
fn what_login_files_leave_behind_holds_nothing_up_and_a_login_that_fails_is_told() {
    let elsewhere = Elsewhere::new();
    let login = |lines: &str| std::fs::write(elsewhere.0.path("user/.profile"), lines).expect("written");
    login("export FROM_LOGIN=yes\nsleep 60 &\n");
    let began = Instant::now();
    let said = elsewhere.say(&["run", "--", "sh", "-c", "echo login: $FROM_LOGIN"]).with_code(0);
    assert!(said.out.contains("login: yes") && !said.err.contains("no login shell"), "{said:#?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    login("exit 0\n");
    let said = elsewhere.say(&["run", "--", "sh", "-c", "echo login: $FROM_LOGIN"]).with_code(0);
    assert!(
        !said.out.contains("login: yes") && said.err.contains("note: where home is, no login shell gives its environment"),
        "{said:#?}"
    );
}

#[test]
fn the_input_of_a_script_is_left_to_the_script() {
    let elsewhere = Elsewhere::new();
    let input = |words: &[&str]| -> String {
        let mut command = elsewhere.command(words);
        let lines = std::fs::File::open(elsewhere.here("lines")).expect("there");
        // As a pipe would be, it is the same for all who have it.
        let left = lines.try_clone().expect("a file");
        let said: Said = command.stdin(lines).output().expect("neronet starts").into();
        said.with_code(0);
        std::io::read_to_string(left).expect("read")
    };
    elsewhere.0.write("lines", "1\n2\n");
    assert_eq!(input(&["show", "1"]), "1\n2\n");
    assert_eq!(input(&["shell", "1", "--", "cat"]), "");
}

#[test]
fn what_is_asked_to_end_here_asks_the_runs_there_and_a_connection_that_is_cut_asks_nobody() {
    let elsewhere = Elsewhere::new();
    let start = |script: &str| {
        let mut command = elsewhere.command(&["run", "--", "sh", "-c", script]);
        // As a terminal has its foreground.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts")
    };
    let running = start("echo > $WORLD/two; sleep 60");
    elsewhere.0.wait_told("two");
    killpg(Pid::from_raw(running.id() as i32), Signal::SIGINT).expect("there");
    let said: Said = running.wait_with_output().expect("ended").into();
    let said = said.with_code(1);
    assert!(said.err.contains("asking the runs to stop") && said.err.contains("run 2"), "{said:#?}");
    let running = start("echo > $WORLD/three; until [ -e $WORLD/go ]; do sleep 0.1; done; echo > $WORLD/done");
    elsewhere.0.wait_told("three");
    kill(Pid::from_raw(running.id() as i32), Signal::SIGKILL).expect("there");
    running.wait_with_output().expect("ended");
    elsewhere.0.tell("go");
    elsewhere.0.wait_told("done");
}

#[test]
fn files_of_imported_runs_are_on_record_where_they_lie() {
    let elsewhere = Elsewhere::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../foreign/tests/samples/mlruns");
    assert!(Command::new("cp").args(["-r", samples]).arg(elsewhere.here("mlruns")).status().expect("cp").success());
    elsewhere.say(&["import", "mlruns"]).with_code(0);
    let all = elsewhere.say(&["ls", "-a", "--json"]).with_code(0).json().as_array().expect("runs").len();
    let shown: String = (2..=all).map(|run| elsewhere.say(&["show", &run.to_string(), "--json"]).with_code(0).out).collect();
    let here = elsewhere.here("mlruns").canonicalize().expect("there");
    assert!(!shown.contains("/scratch/") && shown.contains("/artifacts/"), "{shown}");
    assert!(shown.matches(&format!("\"{}/", here.display())).count() > 1, "{shown}");
}

#[test]
fn what_commands_needed_there_goes() {
    let elsewhere = Elsewhere::new();
    let folder = |name: &str| -> PathBuf {
        let all = std::fs::read_dir(elsewhere.0.path("user/.cache/neronet")).expect("there").flatten();
        let found = all.map(|entry| entry.path().join("home")).find(|home| home.join("projects").is_dir());
        found.expect("what is there of a home elsewhere").join(name)
    };
    let names = |name: &str| -> Vec<String> {
        let all = std::fs::read_dir(folder(name)).expect("there").flatten();
        all.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| !name.starts_with('.')).collect()
    };
    elsewhere.say(&["export", "1", "-o", "one.neronet"]).with_code(0);
    elsewhere.say(&["import", "one.neronet"]).with_code(0);
    elsewhere.say(&["import", "train.py"]).with_code(1);
    assert_eq!(names("scratch"), Vec::<String>::new());
    // Code that nobody has used for a month.
    let old = names("snapshots");
    let month = SystemTime::now() - Duration::from_secs(31 * 86_400);
    for name in ["snapshots", "projects"].map(|kind| folder(kind).join(&old[0])) {
        std::fs::File::open(name).and_then(|folder| folder.set_modified(month)).expect("set back");
    }
    elsewhere.0.write("train.py", "new");
    elsewhere.say(&["run", "--quiet", "--", "true"]).with_code(0);
    let new = names("snapshots");
    assert!(new.len() == 1 && new != old && names("projects") == new, "{old:?} {new:?}");
    // It comes again where it is wanted.
    std::fs::remove_dir_all(folder("snapshots").join(&new[0])).expect("removed");
    elsewhere.say(&["run", "--quiet", "--", "true"]).with_code(0);
    assert_eq!(names("snapshots"), new);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let elsewhere = Elsewhere::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    for words in [&["ls"][..], &["ls", "--json"], &["clone", "1", "cloned"]] {
        let said: Said = elsewhere.command(words).stdout(full()).output().expect("neronet starts").into();
        assert!(said.code == Some(1) && said.err.contains("No space left"), "{words:?}: {said:#?}");
    }
    assert!(elsewhere.here("cloned/train.py").is_file());
}

#[test]
fn a_failure_that_is_mended_is_not_told() {
    let elsewhere = Elsewhere::new();
    for binary in std::fs::read_dir(elsewhere.0.path("user/.cache/neronet/bin")).expect("there").flatten() {
        std::fs::remove_file(binary.path()).expect("removed");
    }
    let said = elsewhere.say(&["ls", "--json"]).with_code(0);
    assert_eq!((said.json().as_array().map(Vec::len), said.err.as_str()), (Some(1), ""));
}

#[test]
fn a_connection_that_hangs_is_given_up() {
    let elsewhere = Elsewhere::new();
    elsewhere.0.tell("hangs");
    let running = elsewhere.command(&["run", "--", "true"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts");
    std::thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    for _ in 0..2 {
        kill(Pid::from_raw(running.id() as i32), Signal::SIGINT).expect("there");
        std::thread::sleep(Duration::from_secs(1));
    }
    let said: Said = running.wait_with_output().expect("ended").into();
    assert!(said.code == Some(130) && began.elapsed() < Duration::from_secs(20), "{:?} {said:#?}", began.elapsed());
}

/// Executes what is behind it on a terminal of its own.
const TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
";

#[test]
fn what_is_asked_to_end_on_a_terminal_leaves_the_runs_there() {
    let elsewhere = Elsewhere::new();
    let script = "echo > $WORLD/two; until [ -e $WORLD/go ]; do sleep 0.1; done; echo > $WORLD/done";
    let start = |words: &[&str]| {
        let neronet = elsewhere.command(words);
        let mut terminal = Command::new("python3");
        terminal.args(["-c", TERMINAL, "sh", "-c", "echo $$ > \"$WORLD/pid\"; exec \"$@\"", "sh"]).arg(neronet.get_program());
        terminal.args(neronet.get_args()).current_dir(elsewhere.0.project());
        terminal.envs(neronet.get_envs().filter_map(|(name, value)| Some((name, value?))));
        terminal.spawn().expect("python3")
    };
    let end = |mut running: Child| {
        let pid = elsewhere.0.wait_told("pid").trim().parse().expect("a number");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("there");
        running.wait().expect("ended").code()
    };
    let running = start(&["run", "--", "sh", "-c", script]);
    elsewhere.0.wait_told("two");
    // As it ends at home.
    assert_eq!(end(running), Some(1));
    assert_eq!(elsewhere.0.told("done"), None);
    elsewhere.0.tell("go");
    elsewhere.0.wait_told("done");
    let running = start(&["shell", "1", "--", "sh", "-c", "echo > $WORLD/shell; sleep 20"]);
    elsewhere.0.wait_told("shell");
    let began = Instant::now();
    assert_eq!(end(running), Some(128 + 15));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn one_file_of_a_tracker_is_the_same_run_each_time() {
    let elsewhere = Elsewhere::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../foreign/tests/samples");
    for (from, to) in [("tensorboard/simple", "logs"), ("wandb", "wandb")] {
        assert!(Command::new("cp").arg("-r").arg(format!("{samples}/{from}")).arg(elsewhere.here(to)).status().expect("cp").success());
    }
    let names = std::fs::read_dir(elsewhere.here("logs")).expect("there").flatten().map(|entry| entry.file_name());
    let events = names.map(|name| format!("logs/{}", name.to_string_lossy())).find(|name| name.contains("tfevents")).expect("events");
    let of_wandb = "wandb/offline-run-20231114_221320-abcd1234/run-abcd1234.wandb";
    for (file, run) in [(events.as_str(), "2"), (of_wandb, "3")] {
        let said = elsewhere.say(&["import", file]).with_code(0);
        assert!(said.out.contains(&format!("1 run imported as {run}")), "{said:#?}");
        let said = elsewhere.say(&["import", file]).with_code(0);
        assert!(said.out.contains("1 was there already"), "{said:#?}");
    }
    let shown = |run: &str| elsewhere.say(&["show", run, "--json"]).with_code(0).out;
    assert!(shown("2").contains("\"logs\"") && !shown("2").contains("/scratch/"), "{}", shown("2"));
    let files = elsewhere.here("wandb").canonicalize().expect("there").join("offline-run-20231114_221320-abcd1234/files");
    assert!(shown("3").contains(&format!("\"{}/", files.display())), "{}", shown("3"));
}

#[test]
fn two_that_send_the_same_code_at_once_both_have_it_there() {
    let elsewhere = Elsewhere::new();
    for n in 0..8 {
        let mut noise = vec![0; 1 << 20];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").expect("noise"), &mut noise).expect("noise");
        elsewhere.0.write(&format!("noise/{n}"), noise);
    }
    let start = |slowly: &str| {
        let mut command = elsewhere.command(&["run", "--quiet", "--", "true"]);
        command.env("SLOWLY", slowly).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("neronet starts")
    };
    let slow = start(SLOWLY);
    std::thread::sleep(Duration::from_secs(3));
    let quick = start("");
    for one in [quick, slow] {
        Said::from(one.wait_with_output().expect("ended")).with_code(0);
    }
}

#[test]
fn what_is_written_goes_where_links_lead_and_nothing_unfinished_is_left() {
    let elsewhere = Elsewhere::new();
    let outside = elsewhere.0.path("outside");
    std::fs::create_dir(&outside).expect("made");
    std::fs::write(outside.join("page.html"), "old").expect("written");
    symlink(&outside, elsewhere.here("folder")).expect("linked");
    symlink(outside.join("page.html"), elsewhere.here("link.html")).expect("linked");
    elsewhere.say(&["report", "1", "-o", "link.html"]).with_code(0);
    assert!(std::fs::read_to_string(outside.join("page.html")).is_ok_and(|page| page.contains("<html")));
    assert!(elsewhere.here("link.html").is_symlink());
    std::fs::remove_file(outside.join("page.html")).expect("removed");
    elsewhere.say(&["clone", "1", "folder"]).with_code(0);
    assert!(outside.join("train.py").is_file() && elsewhere.here("folder").is_symlink());
    std::fs::create_dir(elsewhere.here("taken.html")).expect("made");
    elsewhere.say(&["report", "1", "-o", "taken.html"]).with_code(1);
    assert!(!elsewhere.here(".arriving").exists() && !elsewhere.here("taken.html/.arriving").exists());
    for folder in ["folder", "."] {
        let said = elsewhere.say(&["export", "1", "--format", "tensorboard", "--force", "-o", folder]).with_code(2);
        assert!(said.err.contains("is there already"), "{said:#?}");
    }
}

#[test]
fn what_cannot_come_or_is_too_long_to_go_is_named() {
    let elsewhere = Elsewhere::new();
    symlink("/etc", elsewhere.here("leads away")).expect("linked");
    elsewhere.say(&["run", "--quiet", "--", "true"]).with_code(0);
    let said = elsewhere.say(&["clone", "2", "cloned"]).with_code(1);
    assert!(said.err.contains("1 more cannot be fetched") && said.err.contains("cloned/leads away"), "{said:#?}");
    assert!(elsewhere.here("cloned/train.py").is_file());
    let said = elsewhere.say(&["note", "1", &"long ".repeat(14_000)]).with_code(2);
    assert!(said.err.contains("these words are too long to be sent to ssh://elsewhere"), "{said:#?}");
}
