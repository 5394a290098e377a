//! A home on another machine, `NERONET_HOME=ssh://…`: every command works as if it were here.

use crate::hosts::{Hosts, drift, folder, hosts};
use crate::world::{Said, World, text, wait_until};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const UNREACHED: i32 = 3;

/// Somebody whose home is on a host.
struct Afar {
    world: World,
    hosts: &'static Hosts,
    host: &'static str,
    home: String,
}

impl Afar {
    fn new(hosts: &'static Hosts, user: &str, host: &'static str) -> Afar {
        let world = World::new();
        std::fs::write(world.path("ssh_config"), format!("Include {}\n", hosts.config().display())).expect("written");
        let name = world.path("").file_name().expect("a name").to_string_lossy().into_owned();
        let top = if user == "student" { folder() } else { format!("/tmp/{user}") };
        let home = format!("{top}/{name} home");
        Afar { world, hosts, host, home: format!("ssh://{user}@{host}{home}") }
    }

    fn command(&self, at: &Path, words: &[&str]) -> Command {
        let mut command = self.world.neronet(words);
        command.env("NERONET_HOME", &self.home).current_dir(at);
        command
    }

    fn say(&self, words: &[&str]) -> Said {
        self.say_at(&self.world.project(), words)
    }

    fn say_at(&self, at: &Path, words: &[&str]) -> Said {
        self.command(at, words).output().expect("neronet starts").into()
    }

    fn list(&self) -> Vec<Value> {
        self.say(&["ls", "-a", "--json"]).with_code(0).json().as_array().expect("a list").clone()
    }
}

impl Drop for Afar {
    fn drop(&mut self) {
        self.say(&["down"]);
        let (_, home) = self.home.split_once(&format!("@{}", self.host)).expect("an address");
        self.hosts.exec(self.host, &["rm", "-rf", home]);
    }
}

fn git(at: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words).current_dir(at);
    assert!(git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().expect("git").status.success());
}

fn project(world: &World) {
    world
        .write("train.py", "import sys, socket\nprint('loss=' + sys.argv[1])\nprint('on ' + socket.gethostname())\n")
        .write("exp/neronet.toml", "command = 'python3 ../train.py {lr}'\nparams.lr = [0.1, 0.2]\n")
        .write(".gitignore", "own.toml\n")
        .write("own.toml", "command = 'true'\n")
        .write("placed.toml", "command = 'true'\ncode.in_place = true\n");
    git(&world.project(), &["init", "-q"]);
    git(&world.project(), &["add", "-A"]);
    git(&world.project(), &["commit", "-qm", "first"]);
    world.write("notes.txt", "not committed\n");
}

#[test]
fn code_goes_there_and_files_come_here_and_the_queue_is_there() {
    let Some(hosts) = hosts() else { return };
    let afar = Afar::new(hosts, "student", "alpha");
    let world = &afar.world;
    project(world);
    let at = world.project().join("exp");
    assert_eq!(afar.say(&["ls", "--json"]).with_code(0).json(), Value::Array(Vec::new()));
    afar.say_at(&at, &["submit", "--wait", "--quiet"]).with_code(0);
    let runs = afar.list();
    assert_eq!(runs.iter().map(|run| text(&run["outcome"])).collect::<Vec<_>>(), ["finished", "finished"]);
    assert_eq!(runs[0]["project"], "project");
    assert!(!world.home().exists(), "nothing is at home");
    assert_eq!(afar.say(&["logs", "2"]).with_code(0).out, "loss=0.2\non alpha\n");
    // In the current project alone, as everywhere.
    assert_eq!(afar.say_at(&at, &["ls", "--json"]).json().as_array().map(Vec::len), Some(2));
    assert_eq!(afar.say_at(&world.path("user"), &["ls", "--json"]).json(), Value::Array(Vec::new()));
    let shown = afar.say(&["show", "1", "--json"]).with_code(0).json();
    let head = std::fs::read_to_string(world.project().join(".git/refs/heads/master"))
        .or_else(|_| std::fs::read_to_string(world.project().join(".git/refs/heads/main")))
        .expect("a commit");
    assert_eq!((text(&shown["git"]["commit"]).as_str(), &shown["git"]["dirty"]), (head.trim(), &true.into()), "{shown:#}");
    // What is there is known, whichever command it came with.
    let again = afar.say(&["submit", "exp/neronet.toml"]).with_code(0);
    assert!(again.err.contains("nothing is new"), "{again:#?}");
    afar.say(&["run", "--quiet", "--", "sh", "-c", "echo \"$1|$2\"", "sh", "a 'b\" $(id)", "x\ny"]).with_code(0);
    assert_eq!(afar.say(&["logs", "last"]).out, "a 'b\" $(id)|x\ny\n");
    // A command that ends as one that is not there was executed all the same, and once.
    assert_eq!(afar.say(&["shell", "last", "--", "sh", "-c", "echo once; exit 127"]).with_code(127).out, "once\n");
    assert_eq!(afar.say(&["shell", "last", "--", "sh", "-c", "echo once; exit 255"]).with_code(255).out, "once\n");
    // Files that are written are written here.
    afar.say_at(&at, &["export", "1-2", "-o", "../out put.csv", "--fields", "id,lr"]).with_code(0);
    assert_eq!(std::fs::read_to_string(world.project().join("out put.csv")).expect("a file").lines().count(), 3);
    let there = afar.say_at(&at, &["export", "1-2", "-o", "../out put.csv"]).with_code(2);
    assert!(there.err.contains("is there already"), "{there:#?}");
    afar.say(&["report", "1-2", "-o", "report.html"]).with_code(0);
    assert!(std::fs::read_to_string(world.project().join("report.html")).expect("a file").contains("<html"));
    afar.say(&["clone", "1", "cloned"]).with_code(0);
    assert!(world.project().join("cloned/train.py").is_file());
    // And those that are read are read from here.
    afar.say(&["export", "1", "-o", "one.neronet"]).with_code(0);
    afar.say(&["import", "./one.neronet"]).with_code(0);
    assert_eq!(afar.list().len(), 3, "it is the same run");
}

#[test]
fn what_is_not_there_or_means_this_machine_is_refused() {
    let Some(hosts) = hosts() else { return };
    let afar = Afar::new(hosts, "student", "beta");
    project(&afar.world);
    for (spec, why) in [
        ("own.toml", "own.toml is not sent to ssh://student@beta"),
        ("placed.toml", "there is only a copy of it"),
        ("absent.toml", "absent.toml"),
        (afar.world.project().join("exp/neronet.toml").to_str().expect("text"), "named by its path from here"),
    ] {
        let said = afar.say(&["submit", spec]);
        assert!(said.code == Some(2) && said.err.contains(why), "{spec}: {said:#?}");
    }
    assert!(afar.list().is_empty());
    for home in
        ["ssh://-oProxyCommand=touch pwned", "ssh://a;touch pwned", "ssh://$(touch pwned)/x", "http://beta", "ssh://beta?scheduler=slurm"]
    {
        let said: Said = afar.world.neronet(&["ls"]).env("NERONET_HOME", home).output().expect("neronet starts").into();
        assert!(said.code == Some(2) && said.err.contains("home is to be"), "{home}: {said:#?}");
        assert!(!afar.world.project().join("pwned").exists());
    }
}

#[test]
fn any_login_shell_will_do_for_a_home_and_what_login_files_print_is_no_part_of_an_answer() {
    let Some(hosts) = hosts() else { return };
    for user in ["noisy", "tcsh", "fish"] {
        let afar = Afar::new(hosts, user, "alpha");
        assert!(afar.list().is_empty(), "{user}");
        afar.say(&["run", "--quiet", "--", "echo", "here"]).with_code(0);
        let said = afar.say(&["logs", "1"]).with_code(0);
        assert_eq!((said.out.as_str(), said.err.as_str()), ("here\n", ""), "{user}");
    }
    let locked = Afar::new(hosts, "locked", "alpha").say(&["ls"]);
    assert!(locked.code == Some(UNREACHED) && locked.err.contains("needs login: any command in a terminal asks for it"), "{locked:#?}");
}

#[test]
fn a_home_that_is_not_reached_is_said_to_be_so_and_goes_on_without_us() {
    let Some((hosts, _alone)) = drift() else { return };
    let afar = Afar::new(hosts, "student", "drift");
    let note = format!("{}/{}.go", folder(), afar.world.path("").file_name().expect("a name").to_string_lossy());
    afar.world.script("work.sh", &format!("#!/bin/sh\nuntil [ -e '{note}' ]; do sleep 0.1; done\necho done\n"));
    afar.say(&["submit", "--quiet", "--", "./work.sh"]).with_code(0);
    wait_until("it runs", || afar.list()[0]["state"] == "running");
    hosts.tell("cut", "drift");
    let said = afar.say(&["ls"]);
    std::fs::write(hosts.outside("drift", &note), "").expect("written");
    hosts.tell("mend", "drift");
    assert!(said.code == Some(UNREACHED) && said.err.contains("ssh://student@drift, where home is"), "{said:#?}");
    wait_until("its end", || afar.list()[0]["outcome"] == "finished");
    hosts.exec("drift", &["rm", "-f", &note]);
}

/// Executes what is behind it on a terminal of its own.
const TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

#[test]
fn a_machine_that_asks_is_answered_on_the_terminal_wherever_the_output_goes() {
    let Some(hosts) = hosts() else { return };
    let afar = Afar::new(hosts, "locked", "alpha");
    let world = &afar.world;
    world.script("password", "#!/bin/sh\necho open sesame\n");
    for to in [" > \"$WORLD/list\"", ""] {
        let mut asked = Command::new("python3");
        world.settle(&mut asked);
        asked.args(["-c", TERMINAL, "sh", "-c", &format!("\"$NERONET\" ls --json{to}")]).env("NERONET_HOME", &afar.home);
        asked.env("SSH_ASKPASS", world.project().join("password")).env("SSH_ASKPASS_REQUIRE", "force");
        let said: Said = asked.output().expect("python3").into();
        said.with_code(0);
        assert_eq!(world.told("list").as_deref().map(str::trim), Some("[]"));
        // It is open for those that follow, until something ends it.
        afar.list();
        let ours = format!("{}.*-home.ssh", world.path("").file_name().expect("a name").to_string_lossy());
        assert!(Command::new("pkill").args(["-KILL", "-f", "--", &ours]).status().expect("pkill").success());
        let refused = afar.say(&["ls"]).with_code(UNREACHED);
        assert!(refused.err.contains("needs login: any command in a terminal asks for it"), "{refused:#?}");
    }
}
