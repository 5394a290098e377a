//! How a target is reached, what is said of it, and what is said where it is not.

use crate::hosts::hosts;
use crate::world::World;
use serde_json::Value;

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
    let refused = world.say_with(hosts, &["target", "add", "gpu1", "ssh://locked@alpha"]).with_code(UNREACHED);
    assert!(refused.out.contains("needs login: ") && refused.out.contains("neronet target login gpu1"), "{refused:#?}");
    world.script("password", "#!/bin/sh\necho open sesame\n");
    let mut login = world.with(hosts, &["target", "login", "gpu1"]);
    login.env("SSH_ASKPASS", world.project().join("password")).env("SSH_ASKPASS_REQUIRE", "force");
    // What stays of it must not keep a pipe open.
    let log = || std::fs::File::create(world.path("login")).expect("a file");
    let status = login.stdout(log()).stderr(log()).status().expect("neronet starts");
    assert!(status.success(), "{}", world.told("login").unwrap_or_default());
    let checked = world.say_with(hosts, &["target", "check", "gpu1"]).with_code(0);
    assert!(checked.out.contains("/home/locked"), "{checked:#?}");
    world.say_with(hosts, &["target", "logout", "gpu1"]).with_code(0);
    world.say_with(hosts, &["target", "check", "gpu1"]).with_code(UNREACHED);
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
fn a_host_with_another_key_or_without_a_wire_or_frozen_is_told() {
    let Some(hosts) = hosts() else { return };
    let world = World::new();
    world.say_with(hosts, &["target", "add", "gpu1", "ssh://beta", "--folder", "/home/student/n"]).with_code(0);
    let config = std::fs::read_to_string(hosts.config()).expect("a configuration");
    let known = world.path("known_hosts");
    std::fs::write(&known, "10.213.9.11 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM6hEKcbSGCGJfUhHmO4DyRXCKIGE0+XVXpYdWeVYUF\n")
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
    for (harm, mend) in [("cut", "mend"), ("freeze", "thaw")] {
        hosts.tell(harm, "beta");
        let away = world.say_with(hosts, &["target", "check", "gpu1", "--json"]);
        hosts.tell(mend, "beta");
        let away = away.with_code(UNREACHED).json();
        assert!(away[0]["trouble"].as_str().is_some_and(|said| said.starts_with("unreachable: ")), "{harm}: {away:#}");
        world.say_with(hosts, &["target", "check", "gpu1"]).with_code(0);
    }
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
    world.say(&["target", "add", "gpu1", "ssh://nowhere.invalid", "--folder", "relative"]).with_code(2);
    assert_eq!(targets_of(&world), "");
    assert!(!world.project().join("pwned").exists());
    world.say(&["target", "check", "gpu1"]).with_code(2);
    world.say(&["target", "rm", "gpu1"]).with_code(2);
}
