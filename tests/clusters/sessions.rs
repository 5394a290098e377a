//! A machine whose sshd takes few sessions on one connection, which is all that its user opened.

use crate::hosts::{Hosts, hosts};
use crate::lab::Lab;
use crate::world::{Said, wait_until};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const UNREACHED: i32 = 3;
const BUSY: &str = "gpu1: busy: its sshd takes no more sessions on one connection (MaxSessions)";

/// Another sshd of a host, until it is dropped.
struct Sshd {
    hosts: &'static Hosts,
    port: u32,
}

impl Sshd {
    fn start(hosts: &'static Hosts, sessions: u32) -> Sshd {
        let sshd = Sshd { hosts, port: 20_000 + std::process::id() % 20_000 };
        let config = hosts.outside("alpha", "sshd_config").display().to_string();
        let script = "(echo \"PidFile $1.pid\"; echo LogLevel VERBOSE; echo \"MaxSessions $3\"; sed \"/^ListenAddress/s/:22/:$2/\" \"$0\") \
            >$1.conf && : >$1.log && /usr/sbin/sshd -f $1.conf -E $1.log";
        hosts.exec("alpha", &["bash", "-c", script, &config, &sshd.path(), &sshd.port.to_string(), &sessions.to_string()]).with_code(0);
        sshd
    }

    /// In the host.
    fn path(&self) -> String {
        format!("/tmp/sshd.{}", self.port)
    }

    fn log(&self) -> String {
        self.hosts.exec("alpha", &["cat", &format!("{}.log", self.path())]).with_code(0).out
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.hosts.exec("alpha", &["bash", "-c", "kill $(cat $0.pid); rm -f $0.*", &self.path()]);
    }
}

/// A command on the target, until it is dropped.
struct Taken {
    child: Child,
    /// As it is seen from here.
    end: PathBuf,
}

impl Taken {
    fn of(lab: &Lab, folder: &str) -> Taken {
        let script = "echo begun; while [ ! -e $0 ]; do sleep 0.1; done";
        let begun = File::create(lab.path("begun")).expect("a file");
        let mut exec = lab.neronet(&["target", "exec", "gpu1", "--", "sh", "-c", script, &format!("{folder}/end")]);
        let child = exec.stdout(begun).spawn().expect("neronet starts");
        wait_until("it has begun", || lab.told("begun").is_some_and(|said| said.contains("begun")));
        Taken { child, end: lab.hosts.outside("alpha", folder).join("end") }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        std::fs::write(&self.end, "").ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_connection_that_takes_no_more_sessions_is_busy_and_nobody_logs_in_beside_it() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[]);
    let sshd = Sshd::start(hosts, 2);
    let folder = format!("/home/locked/n.{}", std::process::id());
    let toml = format!("[targets.gpu1]\naddress = \"ssh://locked@alpha:{}\"\nfolder = \"{folder}\"\n", sshd.port);
    std::fs::create_dir_all(lab.home()).expect("made");
    std::fs::write(lab.home().join("targets.toml"), toml).expect("written");
    lab.script("password", "#!/bin/sh\necho open sesame\n");
    let mut login = lab.neronet(&["target", "login", "gpu1"]);
    login.env("SSH_ASKPASS", lab.project().join("password")).env("SSH_ASKPASS_REQUIRE", "force");
    let log = || File::create(lab.path("login")).expect("a file");
    assert!(login.stdout(log()).stderr(log()).status().expect("neronet starts").success(), "{}", lab.told("login").unwrap_or_default());
    let tried = || ["Connection from ", "Failed "].map(|what| sshd.log().matches(what).count());
    let before = tried();
    // With two, what follows upon another is never in its way.
    for _ in 0..3 {
        lab.say(&["target", "check", "gpu1"]).with_code(0);
    }

    // One for the daemon, and one for a command.
    let taken = Taken::of(&lab, &folder);
    lab.write("neronet.toml", "command = \"echo done > result.txt; sleep 1; echo over\"\noutputs.keep = [\"result.txt\"]\n");
    lab.say(&["submit", "--target", "gpu1", "--quiet"]).with_code(0);
    lab.wait_listed(1, "has ended", |run| run["state"] == "ended");
    for words in [&["target", "exec", "gpu1", "--", "true"][..], &["fetch", "1"]] {
        let said = lab.say(words).with_code(UNREACHED);
        assert!(said.err.contains(BUSY) && said.err.contains("raise MaxSessions in its sshd_config"), "{said:#?}");
    }
    let checked = lab.say(&["target", "check", "gpu1", "--json"]).with_code(UNREACHED).json();
    assert!(checked[0]["trouble"].as_str().is_some_and(|said| said.starts_with("busy: ")), "{checked:#}");
    let neronet = format!("{} target exec gpu1 -- true", env!("CARGO_BIN_EXE_neronet"));
    let mut on_terminal = Command::new("script");
    lab.settle(&mut on_terminal);
    on_terminal.args(["-qec", &neronet, "/dev/null"]).stdin(Stdio::null());
    let said: Said = on_terminal.output().expect("script").into();
    let said = said.with_code(UNREACHED);
    assert!(said.out.contains(BUSY) && !said.out.contains("password"), "{said:#?}");
    // The daemon has what it had, and nobody holds it for refused.
    let shown = lab.say(&["target", "show", "gpu1", "--json"]).with_code(0).json();
    assert_eq!(shown["reached"], true, "{shown:#}");
    assert!(!lab.home().join("targets/gpu1/refused.json").exists());
    assert!(!lab.home().join("runs/1/work/result.txt").exists());
    assert_eq!(tried(), before, "{}", sshd.log());

    drop(taken);
    wait_until("what the run left has come", || lab.home().join("runs/1/work/result.txt").exists());
    lab.say(&["down"]).with_code(0);
    lab.say(&["target", "check", "gpu1"]).with_code(0);
    let said = lab.say(&["target", "exec", "gpu1", "--", "echo", "here"]).with_code(0);
    assert_eq!(said.out, "here\n");
    lab.say(&["target", "logout", "gpu1"]).with_code(0);
    std::fs::remove_dir_all(hosts.outside("alpha", &folder)).ok();
}
