//! How a target is reached, what is said of it, and what is said where it is not.

use crate::hosts::{drift, folder, hosts, odd};
use crate::lab::Lab;
use crate::world::{World, text};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

const UNREACHED: i32 = 3;

fn targets_of(world: &World) -> String {
    std::fs::read_to_string(world.home().join("targets.toml")).unwrap_or_default()
}

#[test]
fn a_target_is_added_and_says_what_it_is_and_goes_again() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let added = world.say_with(hosts, &["target", "add", "gpu1", "ssh://alpha"]).with_code(0);
    assert!(added.out.contains("gpu1 is ssh://alpha, in ") && added.out.contains("/home/student"), "{added:#?}");
    assert_eq!(targets_of(&world), "[targets.gpu1]\nfolder = \"/home/student/neronet\"\naddress = \"ssh://alpha\"\n");
    let checked = world.say_with(hosts, &["target", "check", "--json"]).with_code(0).json();
    let found = &checked[0];
    assert_eq!((found["host"].as_str(), found["user"].as_str(), found["os"].as_str()), (Some("alpha"), Some("student"), Some("Linux")));
    assert_eq!((&found["reached"], &found["folder"]), (&Value::Bool(true), &Value::from("/home/student/neronet")));
    // The agent was brought there, and answered.
    assert!(found["gpus"].is_array() && found["gpus_in_use"].is_object(), "{found:#}");
    assert!(found["problems"].as_array().is_some_and(|problems| problems.iter().all(|problem| !problem.to_string().contains("neronet"))));
    assert!(found["clock_ms"].as_i64().is_some_and(|offset| offset.abs() < 5_000), "{found:#}");
    let listed = world.say(&["target", "ls", "--json"]).with_code(0).json();
    assert_eq!((&listed[0]["name"], &listed[0]["address"]), (&Value::from("gpu1"), &Value::from("ssh://alpha")));
    let gone = world.say(&["target", "rm", "gpu1"]).with_code(0);
    assert!(gone.out.contains("/home/student/neronet there is left as it is"), "{gone:#?}");
    assert_eq!(targets_of(&world), "");
}

#[test]
fn any_login_shell_will_do_and_what_login_files_print_is_passed_over() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    for user in ["tcsh", "fish", "noisy"] {
        world.say_with(hosts, &["target", "add", user, &format!("ssh://{user}@alpha")]).with_code(0);
    }
    let checked = world.say_with(hosts, &["target", "check", "--json"]).with_code(0).json();
    let users: Vec<&str> = checked.as_array().expect("an array").iter().filter_map(|found| found["user"].as_str()).collect();
    assert_eq!(users, ["tcsh", "fish", "noisy"]);
    let closed = world.say_with(hosts, &["target", "add", "closed", "ssh://closed@alpha"]).with_code(UNREACHED);
    assert!(closed.out.contains("This account is currently not available."), "{closed:#?}");
}

#[test]
fn who_is_refused_needs_login_and_login_opens_it_for_all_that_follows() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let refused = world.say_with(hosts, &["target", "add", "asks", "ssh://locked@alpha"]).with_code(UNREACHED);
    assert!(refused.out.contains("needs login: ") && refused.out.contains("neronet target login asks"), "{refused:#?}");
    world.script("password", "#!/bin/sh\necho open sesame\n");
    let log_in = || {
        let mut login = world.with(hosts, &["target", "login", "asks"]);
        login.env("SSH_ASKPASS", world.project().join("password")).env("SSH_ASKPASS_REQUIRE", "force");
        // What stays of it must not keep a pipe open.
        let log = || std::fs::File::create(world.path("login")).expect("a file");
        let status = login.stdout(log()).stderr(log()).status().expect("neronet starts");
        assert!(status.success(), "{}", world.told("login").unwrap_or_default());
        let checked = world.say_with(hosts, &["target", "check", "asks"]).with_code(0);
        assert!(checked.out.contains("/home/locked"), "{checked:#?}");
    };
    log_in();
    // One that was killed leaves its socket, which is in nobody's way.
    assert!(Command::new("pkill").args(["-KILL", "-f", "--", "-asks.ssh"]).status().expect("pkill").success());
    world.say_with(hosts, &["target", "check", "asks"]).with_code(UNREACHED);
    log_in();
    world.say_with(hosts, &["target", "logout", "asks"]).with_code(0);
    world.say_with(hosts, &["target", "check", "asks"]).with_code(UNREACHED);
}

#[test]
fn what_a_configuration_wants_of_its_users_own_connections_is_in_nobodys_way() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[]);
    let config = std::fs::read_to_string(lab.path("ssh_config")).expect("a configuration");
    let own = "LogLevel QUIET\nRemoteCommand echo hello\nRequestTTY force\nForwardAgent yes\nForwardX11 yes\n";
    std::fs::write(lab.path("ssh_config"), format!("{own}{config}")).expect("written");
    lab.say(&["target", "add", "gpu1", "ssh://alpha", "--folder", &folder()]).with_code(0);
    let agent = Command::new("ssh-agent").arg("-s").output().expect("ssh-agent");
    let agent = String::from_utf8(agent.stdout).expect("text");
    let of = |name: &str| agent.split([';', '\n']).find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).expect("told").to_string();
    let mut exec = lab.neronet(&["target", "exec", "gpu1", "--", "sh", "-c", "echo ${SSH_AUTH_SOCK-none} ${SSH_TTY-none}"]);
    let said: crate::world::Said = exec.env("SSH_AUTH_SOCK", of("SSH_AUTH_SOCK")).output().expect("neronet starts").into();
    let pid = of("SSH_AGENT_PID").parse().expect("a number");
    crate::world::signal(pid, nix::sys::signal::Signal::SIGTERM);
    assert_eq!(said.with_code(0).out, "none none\n");
    let refused = lab.say(&["target", "add", "asks", "ssh://locked@alpha", "--folder", "/home/locked/n"]).with_code(UNREACHED);
    assert!(refused.out.contains("needs login: "), "{refused:#?}");
}

/// The lines of what is said that tell of a target.
fn lines_of(said: &str, target: &str) -> Vec<String> {
    said.lines().filter(|line| line.starts_with(target)).map(str::to_string).collect()
}

#[test]
fn a_refused_login_is_told_once_and_left_to_the_user_whatever_waits_for_it() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[]);
    // Whoever is called counts.
    let calls = lab.path("calls");
    let config = std::fs::read_to_string(lab.path("ssh_config")).expect("a configuration");
    std::fs::write(lab.path("ssh_config"), format!("{config}Match exec \"echo x >> {}\"\n", calls.display())).expect("written");
    let called = || std::fs::read_to_string(&calls).unwrap_or_default().len();
    let toml = format!("[targets.gpu1]\naddress = \"ssh://locked@alpha\"\nfolder = \"/home/locked/n.{}\"\n", std::process::id());
    std::fs::create_dir_all(lab.home()).expect("made");
    std::fs::write(lab.home().join("targets.toml"), toml).expect("written");
    lab.say(&["submit", "--target", "gpu1", "--", "true"]).with_code(0);
    let waits = |run: &Value| text(&run["reason"]).contains("needs login (`neronet target login gpu1`)");
    lab.wait_listed(1, "refused", waits);
    let (calls, notice) = (called(), "gpu1 needs login (`neronet target login gpu1`); 1 run waits for it");
    for words in [&["ls"][..], &["queue"]] {
        assert_eq!(lines_of(&lab.say(words).with_code(0).out, "gpu1"), [notice], "{words:?}");
    }
    let second = lab.say(&["submit", "--target", "gpu1", "--", "true", "2"]).with_code(0);
    assert_eq!(lines_of(&second.err, "gpu1"), ["gpu1 needs login (`neronet target login gpu1`); 2 runs wait for it"]);
    // Nor does another daemon ask.
    lab.down();
    lab.say(&["serve", "--background"]).with_code(0);
    lab.wait_listed(2, "refused", waits);
    lab.down();
    assert_eq!(called(), calls, "nobody asked again");
    let logged = std::fs::read_to_string(lab.home().join("daemon.log")).expect("a log");
    assert_eq!(logged.matches("gpu1 needs login").count(), 1, "{logged}");
    let shown = lab.say(&["target", "show", "gpu1", "--json"]).with_code(0).json();
    assert_eq!((&shown["reached"], &shown["queued"]), (&Value::Bool(false), &json!([1, 2])), "{shown:#}");
    let listed = lab.say(&["target", "ls"]).with_code(0).out;
    assert!(listed.contains("needs login"), "{listed}");

    lab.script("password", "#!/bin/sh\necho open sesame\n");
    let mut login = lab.neronet(&["target", "login", "gpu1"]);
    login.env("SSH_ASKPASS", lab.project().join("password")).env("SSH_ASKPASS_REQUIRE", "force");
    let log = || std::fs::File::create(lab.path("login")).expect("a file");
    assert!(login.stdout(log()).stderr(log()).status().expect("neronet starts").success(), "{}", lab.told("login").unwrap_or_default());
    lab.say(&["serve", "--background"]).with_code(0);
    lab.all_ended();
    assert_eq!(lines_of(&lab.say(&["ls"]).with_code(0).out, "gpu1"), Vec::<String>::new());
    let shown = lab.say(&["target", "show", "gpu1", "--json"]).with_code(0).json();
    assert_eq!((&shown["reached"], &shown["running"], &shown["queued"]), (&Value::Bool(true), &json!([]), &json!([])), "{shown:#}");
    assert!(shown["machine"]["cores"].as_u64().is_some_and(|cores| cores > 0) && shown["machine"]["seen"].is_string(), "{shown:#}");
    lab.say(&["target", "logout", "gpu1"]).with_code(0);
    std::fs::remove_dir_all(hosts.outside("alpha", &format!("/home/locked/n.{}", std::process::id()))).ok();
}

#[test]
fn a_home_without_room_or_without_right_is_told() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let full = world.say_with(hosts, &["target", "add", "full", "ssh://full@alpha"]).with_code(0);
    assert!(full.out.contains("warning: there is no folder that you may write to and that outlives a reboot"), "{full:#?}");
    let fixed = world.say_with(hosts, &["target", "add", "fixed", "ssh://fixed@alpha"]).with_code(0);
    assert!(fixed.out.contains("warning: there is no folder that you may write to"), "{fixed:#?}");
    assert!(targets_of(&world).contains("[targets.fixed]\naddress"), "{}", targets_of(&world));
}

#[test]
fn a_folder_that_takes_nothing_is_told_with_what_to_do_and_nothing_stays_there() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let room = "No space left on device; make room there, or write another `folder` into targets.toml";
    for (user, why) in [("full", room), ("fixed", "Read-only file system; write another `folder` into targets.toml")] {
        let top = format!("/home/{user}/n.{}", std::process::id());
        let folder = format!("{top}/deep");
        let added = world.say_with(hosts, &["target", "add", user, &format!("ssh://{user}@alpha"), "--folder", &folder]).with_code(1);
        let warning = format!("  warning: neronet does not run there: its binary cannot be put into {folder}: ");
        assert!(added.out.lines().any(|line| line.starts_with(&warning) && line.ends_with(why)), "{added:#?}");
        hosts.exec("alpha", &["test", "-e", &top]).with_code(1);
    }
}

#[test]
fn files_travel_where_sshd_offers_no_sftp() {
    let Some(hosts) = odd() else { return };
    let lab = Lab::new(hosts, &[("gpu1", "attic")]);
    let config = hosts.config().display().to_string();
    for words in [&["sftp", "-F", &config, "-b", "/dev/null", "attic"][..], &["scp", "-F", &config, "attic:/etc/hostname", "copied"]] {
        let mut command = Command::new(words[0]);
        lab.settle(&mut command);
        let said: crate::world::Said = command.args(&words[1..]).output().expect("it starts").into();
        assert!(said.code != Some(0) && said.err.contains("subsystem request failed"), "{said:#?}");
    }
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "sh", "-c", "echo 42 > out.txt"]).with_code(0);
    lab.say(&["fetch", "1", "out.txt"]).with_code(0);
    assert_eq!(std::fs::read_to_string(lab.home().join("runs/1/work/out.txt")).expect("it came"), "42\n");
}

#[test]
fn a_host_behind_another_one_is_a_target_by_the_configuration_alone() {
    let Some(hosts) = hosts() else { return };
    let lab = Lab::new(hosts, &[]);
    let config = std::fs::read_to_string(hosts.config()).expect("a configuration");
    let address_of = |host: &str| {
        let lines = config.lines().skip_while(|line| *line != format!("Host {host}"));
        lines.map(str::trim).find_map(|line| line.strip_prefix("HostName ")).expect("an address").to_string()
    };
    let (near, far, keys) = (address_of("alpha"), address_of("beta"), hosts.config().display().to_string().replace("config", ""));
    let more = format!(
        "Host far\n  HostName {far}\n  ProxyJump alpha\n  User student\n  IdentityFile {keys}id\n  IdentitiesOnly yes\n  \
         UserKnownHostsFile {keys}known_hosts\n"
    );
    let own = std::fs::read_to_string(lab.path("ssh_config")).expect("a configuration");
    std::fs::write(lab.path("ssh_config"), format!("{own}{more}")).expect("written");
    lab.say(&["target", "add", "far", "ssh://far", "--folder", &folder()]).with_code(0);
    let from = lab.say(&["target", "exec", "far", "--", "sh", "-c", "echo $(hostname) $SSH_CONNECTION"]).with_code(0).out;
    assert!(from.starts_with(&format!("beta {near} ")), "{from}");
    lab.write("train.py", "print('from beta')\n");
    lab.say(&["submit", "--target", "far", "--wait", "--quiet", "--", "python3", "train.py"]).with_code(0);
    assert_eq!((lab.output_so_far(1).as_str(), &lab.listed(1)["target"]), ("from beta\n", &json!("far")));
}

#[test]
fn a_folder_is_called_as_it_may_be_called_there() {
    let Some(hosts) = hosts() else { return };
    let mut lab = Lab::new(hosts, &[]);
    let odd = format!("{}/-a b'c\"d;e`f`&g|h<i>*?[j]#!\\k{{l}}(m)~%n:ü", folder());
    lab.add("gpu1", "alpha", &odd);
    lab.write("train.py", "import os\nfrom lib import word\nopen('out.txt', 'w').write(word)\nprint(os.getcwd())\n")
        .write("lib.py", "word = 'grüße'\n");
    lab.write("set/one.csv", "1\n");
    lab.say(&["submit", "--target", "gpu1", "--wait", "--quiet", "--", "python3", "train.py"]).with_code(0);
    let within = lab.output_so_far(1);
    assert!(within.starts_with(&format!("{odd}/{}/gpu1/runs/1/", lab.uid())), "{within}");
    // A login shell reads what begins it there, whichever that is.
    let refused = lab.say(&["shell", "1", "--", "pwd"]).with_code(2);
    assert!(refused.err.contains("as something else: choose a folder of plain letters"), "{refused:#?}");
    lab.say(&["fetch", "1", "out.txt"]).with_code(0);
    assert_eq!(std::fs::read_to_string(lab.home().join("runs/1/work/out.txt")).expect("it came"), "grüße");
    lab.say(&["push", "gpu1", "set"]).with_code(0);
    let there = hosts.outside("alpha", &odd);
    assert_eq!(std::fs::read_to_string(there.join("data/set/one.csv")).expect("it went"), "1\n");
    lab.say(&["down"]).with_code(0);
    std::fs::remove_dir_all(there).ok();
}

#[test]
fn a_host_with_another_key_or_without_a_wire_or_frozen_is_told() {
    let Some((hosts, _alone)) = drift() else { return };
    let world = World::new();
    world.say_with(hosts, &["target", "add", "gpu1", "ssh://drift", "--folder", "/home/student/n"]).with_code(0);
    let config = std::fs::read_to_string(hosts.config()).expect("a configuration");
    let known = world.path("known_hosts");
    std::fs::write(&known, "10.213.77.13 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM6hEKcbSGCGJfUhHmO4DyRXCKIGE0+XVXpYdWeVYUF\n")
        .expect("written");
    let config: String = config
        .lines()
        .map(|line| match line.trim().starts_with("UserKnownHostsFile") {
            true => format!("  UserKnownHostsFile \"{}\"\n", known.display()),
            false => format!("{line}\n"),
        })
        .collect();
    std::fs::write(world.path("config"), config).expect("written");
    let mut check = world.with(hosts, &["target", "check"]);
    let strange: crate::world::Said = check.env("NERONET_SSH_CONFIG", world.path("config")).output().expect("neronet starts").into();
    assert!(strange.with_code(UNREACHED).out.contains("its host key is not the known one"));
    let is_told =
        || world.say(&["target", "ls"]).with_code(0).out.contains("has another host key than it had (`neronet target check gpu1`)");
    assert!(is_told());
    world.say_with(hosts, &["target", "check"]).with_code(0);
    assert!(!is_told(), "it was reached");
    for (harm, mend) in [("cut", "mend"), ("freeze", "thaw")] {
        hosts.tell(harm, "drift");
        let away = world.say_with(hosts, &["target", "check", "gpu1", "--json"]);
        hosts.tell(mend, "drift");
        let away = away.with_code(UNREACHED).json();
        assert!(away[0]["trouble"].as_str().is_some_and(|said| said.starts_with("unreachable: ")), "{harm}: {away:#}");
        world.say_with(hosts, &["target", "check", "gpu1"]).with_code(0);
    }
}

#[test]
fn one_machine_under_two_names_and_a_folder_that_this_one_sees_too_are_told() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let top = format!("/home/student/shared.{}", std::process::id());
    let seen = hosts.outside("alpha", &top);
    std::fs::create_dir_all(&seen).expect("made");
    let owner = hosts.outside("alpha", "/home/student").metadata().expect("there").uid();
    chown(&seen, Some(owner), Some(owner)).expect("given");
    let folder = format!("{top}/n");
    let other = format!("{}/n", crate::hosts::folder());
    for (name, address, folder) in
        [("gpu1", "ssh://alpha", &folder), ("gpu2", "ssh://student@alpha", &folder), ("gpu3", "ssh://beta", &other)]
    {
        world.say_with(hosts, &["target", "add", name, address, "--folder", folder]).with_code(0);
    }
    let mut check = world.with(hosts, &["target", "check", "--json"]);
    let said: crate::world::Said = check.env("SCRATCH", seen.join("n")).output().expect("neronet starts").into();
    let checked = said.with_code(0).json();
    assert_eq!((&checked[0]["same_machine_as"], &checked[2]["same_machine_as"]), (&json!(["gpu2"]), &json!([])), "{checked:#}");
    let of = |n: usize| checked[n]["folders"].as_array().expect("folders").iter().find(|known| known["path"] == folder.as_str()).cloned();
    let with = format!("this machine ({} here)", seen.join("n").display());
    assert_eq!(of(0).expect("it was looked at")["shared_with"], json!([with]), "{checked:#}");
    assert!(checked[2]["folders"].as_array().expect("folders").iter().all(|folder| folder["shared_with"].is_null()), "{checked:#}");
    assert!(checked[0]["problems"].to_string().contains("it is the machine of gpu2") && checked[0]["disk"]["free"].is_u64(), "{checked:#}");
    std::fs::remove_dir_all(seen).ok();
}

#[test]
fn a_folder_in_a_home_of_neronet_is_refused_and_nothing_is_put_there() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    let home = format!("/home/student/home.{}", std::process::id());
    let seen = hosts.outside("alpha", &home);
    std::fs::create_dir_all(seen.join("journal")).expect("made");
    std::fs::write(seen.join("home.json"), "{}").expect("written");
    for folder in [home.clone(), format!("{home}/runs/3")] {
        let said = world.say_with(hosts, &["target", "add", "gpu1", "ssh://alpha", "--folder", &folder]).with_code(2);
        assert!(said.err.contains(&format!("gpu1 was not added: its folder lies in {home}, which is a home of neronet")), "{said:#?}");
        assert_eq!(targets_of(&world), "");
    }
    let names: Vec<_> = std::fs::read_dir(&seen).expect("there").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    std::fs::remove_dir_all(seen).ok();
}

#[test]
fn names_and_addresses_that_are_none_are_refused_and_nothing_is_written() {
    let world = World::new();
    for (name, address) in [
        ("gpu1", "ssh://-oProxyCommand=touch${IFS}pwned"),
        ("gpu1", "ssh://me@-oProxyCommand=id"),
        ("gpu1", "ssh://a b"),
        ("gpu1", "ssh://$(touch pwned)"),
        ("gpu1", "ssh://a\nProxyCommand touch pwned"),
        ("gpu1", "gpu1"),
        ("gpu1", "local://"),
        ("a b", "ssh://gpu1"),
        ("../x", "ssh://gpu1"),
        ("local", "ssh://gpu1"),
        ("$(id)", "ssh://gpu1"),
    ] {
        let said = world.say(&["target", "add", "--", name, address]).with_code(2);
        assert!(said.err.starts_with("error: "), "{said:#?}");
    }
    for odd in ["a'b", "a\"b", "a;b", "a\nb", "-a", "a`id`", "a|b"] {
        let (user, host) = (format!("ssh://{odd}@gpu1"), format!("ssh://{odd}"));
        for (name, address, what) in [(odd, "ssh://gpu1", "target"), ("gpu1", &user, "user"), ("gpu1", &host, "host")] {
            let said = world.say(&["target", "add", "--", name, address]).with_code(2);
            assert!(said.err.contains(&format!("'{}' cannot be the name of a {what}", odd.escape_debug())), "{said:#?}");
        }
    }
    for (folder, why) in [
        ("relative", "it is not absolute"),
        ("/a\nb", "it has a control character"),
        ("/data/$USER", "'~' and '$' mean nothing in it"),
        ("/", "it is the root of all that is there"),
        ("/a/../b", "'..' leads out of what is written"),
    ] {
        let said = world.say(&["target", "add", "gpu1", "ssh://nowhere.invalid", "--folder", folder]).with_code(2);
        assert!(said.err.contains(&format!("--folder '{}': {why}", folder.escape_debug())), "{said:#?}");
    }
    assert_eq!(targets_of(&world), "");
    assert!(!world.project().join("pwned").exists());
    world.say(&["target", "check", "gpu1"]).with_code(2);
    world.say(&["target", "rm", "gpu1"]).with_code(2);
}
