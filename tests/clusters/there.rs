//! What `targets.toml` and the specification say of a machine holds there, and what a run finds there is that machine's.

use crate::hosts::{Hosts, folder, hosts};
use crate::lab::Lab;
use crate::shared::Passing;
use crate::world::{Said, text, wait_until};
use std::process::Command;

fn executed(lab: &Lab, target: &str, code: i32) -> String {
    lab.say(&["submit", "--again", "--wait", "--quiet", "--target", target]).with_code(code);
    lab.output(lab.list().len() as u64, 1)
}

#[test]
fn what_a_table_says_of_one_target_holds_there_alone() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta"), ("gpu3", "beta")]);
    lab.settings("[groups]\nlab = ['gpu1', 'gpu2']\n");
    lab.write(
        "neronet.toml",
        "command = 'echo plain {lr} of $OF, $MORE'\nparams.lr = 0.1\n[env]\nOF = 'all'\nMORE = 'more'\n\
         [on.gpu1]\ncommand = 'echo own {lr} of $OF, $MORE'\nenv.OF = 'one'\n[on.lab]\nenv.OF = 'a group'\n",
    );
    assert_eq!(executed(&lab, "gpu1", 0), "own 0.1 of one, more\n");
    assert_eq!(executed(&lab, "gpu2", 0), "plain 0.1 of a group, more\n");
    assert_eq!(executed(&lab, "gpu3", 0), "plain 0.1 of all, more\n");
    assert_eq!(executed(&lab, "local", 0), "plain 0.1 of all, more\n");
}

/// A virtual environment, as far as a shell can tell.
fn with_python(lab: &Lab, host: &str) -> String {
    let place = lab.note("venv");
    let bin = lab.hosts.outside(host, &place).join("bin");
    lab.hosts.exec(host, &["install", "-d", "-o", "student", &format!("{place}/bin")]).with_code(0);
    std::os::unix::fs::symlink("/usr/bin/env", bin.join("python")).expect("linked");
    std::fs::write(bin.with_file_name("pyvenv.cfg"), "").expect("written");
    place
}

#[test]
fn setup_python_and_shell_of_a_target_hold_for_its_runs_and_for_who_looks_at_them() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    let python = with_python(&lab, "alpha");
    lab.keys("gpu1", &format!("setup = ['export SITE=first', 'export LAST=$SITE']\npython = '{python}'\nshell = 'sh'"));
    let found = "echo ${SITE-none} ${LAST-none} ${VIRTUAL_ENV-none} $(command -v python) ${BASH_VERSION+bash}";
    lab.write("neronet.toml", format!("command = '{found}'\n"));
    assert_eq!(executed(&lab, "gpu1", 0), format!("first first {python} {python}/bin/python\n"));
    let plain = executed(&lab, "gpu2", 0);
    assert!(plain.starts_with("none none none ") && plain.ends_with(" bash\n"), "{plain}");
    // Its lines come behind those of the target.
    lab.write(
        "neronet.toml",
        format!("command = '{found}'\nenvironment.shell = 'bash'\nenvironment.setup = ['export SITE=\"$SITE, mine\"']\n"),
    );
    assert_eq!(executed(&lab, "gpu1", 0), format!("first, mine first {python} {python}/bin/python bash\n"));
    let looked = lab.say(&["shell", "3", "--", "sh", "-c", "echo $SITE $LAST $VIRTUAL_ENV $(command -v python)"]).with_code(0);
    assert_eq!(looked.out, format!("first, mine first {python} {python}/bin/python\n"));
}

/// What users of several shells have in the files that their logins read.
const LOGINS: [(&str, &str, &str); 3] = [
    ("noisy", ".bash_profile", "export SITE_OF_LOGIN=noisy\n. ~/.bashrc\n"),
    ("tcsh", ".login", "setenv SITE_OF_LOGIN tcsh\n"),
    ("fish", ".config/fish/config.fish", "set -gx SITE_OF_LOGIN fish\n"),
];

fn logs_in(hosts: &Hosts, user: &str, file: &str, content: &str) {
    let path = hosts.outside("beta", &format!("/home/{user}/{file}"));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, content).expect("written");
    hosts
        .exec("beta", &["chown", "-R", &format!("{user}:"), &format!("/home/{user}/{}", file.split('/').next().unwrap_or(file))])
        .with_code(0);
}

#[test]
fn runs_have_the_environment_that_a_login_there_has() {
    let Some(hosts) = hosts() else { return };
    for (user, file, content) in LOGINS {
        logs_in(hosts, user, file, content);
        let place = folder().replace("student", user) + ".login";
        let _goes = Passing(hosts.outside("beta", &place));
        let mut lab = Lab::new(hosts, &[]);
        lab.add(user, &format!("{user}@beta"), &place);
        lab.say(&["submit", "--target", user, "--wait", "--quiet", "--", "sh", "-c", "echo of $SITE_OF_LOGIN in $HOME"]).with_code(0);
        assert_eq!(lab.output(1, 1), format!("of {user} in /home/{user}\n"));
        let looked = lab.say(&["shell", "1", "--", "sh", "-c", "echo of $SITE_OF_LOGIN"]).with_code(0);
        assert_eq!(looked.out, format!("of {user}\n"));
    }
}

#[test]
fn an_input_that_is_not_on_the_target_is_named_and_one_that_is_there_is_read() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha"), ("gpu2", "beta")]);
    let set = lab.note("set");
    hosts.exec("alpha", &["install", "-d", "-o", "student", &set]).with_code(0);
    std::fs::write(hosts.outside("alpha", &set).join("x"), "what is there\n").expect("written");
    lab.write("neronet.toml", format!("command = 'cat {{inputs.set}}/x'\n[inputs.set]\npath = '{set}'\nfiles = ['x']\n"));
    assert_eq!(executed(&lab, "gpu1", 0), "what is there\n");
    assert_eq!(executed(&lab, "gpu2", 1), "");
    let absent = lab.listed(2);
    let why = text(&absent["reason"]);
    assert!(absent["outcome"] == "failed" && why.contains("'set'") && why.contains(&format!("{set} is not there")), "{absent:#}");
    // So is what is not whole.
    std::fs::remove_file(hosts.outside("alpha", &set).join("x")).expect("removed");
    assert_eq!(executed(&lab, "gpu1", 1), "");
    let why = text(&lab.listed(3)["reason"]);
    assert!(why.contains(&format!("{set}/x is not there")), "{why}");
}

#[test]
fn a_target_takes_so_many_runs_at_a_time_as_it_says() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.keys("gpu1", "max_runs = 2");
    let go = lab.note("go");
    lab.write("work.sh", format!("until [ -e {go}.$NERONET_RUN ]; do sleep 0.1; done\n"));
    lab.write("neronet.toml", "command = 'sh work.sh'\ntarget = 'gpu1'\nparams.n = [1, 2, 3]\nsweep.parallel = 8\n");
    lab.say(&["submit", "--quiet"]).with_code(0);
    lab.wait_listed(3, "waits there", |run| text(&run["reason"]).contains("on gpu1: waits for its turn"));
    wait_until("two to run", || [1, 2].iter().all(|run| lab.listed(*run)["state"] == "running"));
    assert_eq!(lab.listed(3)["state"], "queued");
    lab.notes("alpha", "go.1");
    lab.wait_listed(3, "runs", |run| run["state"] == "running");
    assert_eq!((&lab.listed(1)["outcome"], &lab.listed(2)["state"]), (&"finished".into(), &"running".into()));
    ["go.2", "go.3"].iter().for_each(|go| lab.notes("alpha", go));
    assert!(lab.all_ended().iter().all(|run| run["outcome"] == "finished"));
}

/// Executes what is behind it on a terminal, and answers the shell there. One that says nothing more is hung up on.
const TERMINAL: &str = r#"
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
said, told = b"", False
try:
    while select.select([terminal], [], [], 60)[0]:
        said += os.read(terminal, 4096)
        if not told and b"$" in said:
            told = True
            os.write(terminal, b"tty; echo in $(pwd) as $NERONET_RUN on $(hostname); exit 7\n")
except OSError: pass
print(said.decode(), flush=True)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn a_shell_on_a_terminal_is_in_the_folder_of_its_run() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "alpha")]);
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "true"]).with_code(0);
    let mut shell = Command::new("python3");
    lab.settle(&mut shell);
    let said: Said = shell.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_neronet"), "shell", "1"]).output().expect("python3").into();
    let work = format!("{}/{}/gpu1/runs/1/work", folder(), lab.uid());
    let is_there = said.out.contains("/dev/pts/") && said.out.contains(&format!("in {work} as 1 on alpha"));
    assert!(said.code == Some(7) && is_there, "{said:#?}");
}
