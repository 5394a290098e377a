//! `[code] build`: once for a snapshot, before its runs, and never in the work tree.

use crate::mounts::{small_disk, with_own_mounts};
use crate::world::{Said, World, all_below, end_of, runs, signal, text, wait_until};
use nix::sys::signal::Signal;

fn world(build: &str) -> World {
    let world = World::new();
    world.write("main.c", "#include <stdio.h>\nint main(int n, char **v) { printf(\"loss %s\\n\", v[n - 1]); return 0; }\n");
    world.write(
        "neronet.toml",
        format!("command = \"./sim {{x}}\"\nparams.x = [1, 2, 3]\nsweep.parallel = 2\n[code]\nbuild = '''{build}'''\n"),
    );
    world
}

#[test]
fn the_code_is_built_once_and_every_run_has_what_was_built() {
    let world = world("echo built >> \"$WORLD/builds\"; cc -o sim main.c && ln -s sim other");
    let said = world.say(&["run"]).with_code(0);
    assert!(said.err.contains("building for sweep 1: echo built"), "{said:#?}");
    assert_eq!(world.told("builds").as_deref(), Some("built\n"));
    assert_eq!((1..=3).map(|run| world.output(run, 1)).collect::<String>(), "loss 1\nloss 2\nloss 3\n");
    assert!(!world.project().join("sim").exists(), "the work tree stays as it is");
    assert!(world.home().join("runs/2/work/other").is_symlink());
    // The same code once more, then other code.
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.told("builds").as_deref(), Some("built\n"));
    world.write("main.c", "int main() { return 0; }\n");
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.told("builds").as_deref(), Some("built\nbuilt\n"));
}

#[test]
fn a_build_that_fails_ends_its_runs_and_says_why() {
    let world = world("echo first >&2; mkdir -p locked && touch locked/file && chmod a-w locked; cc -o sim nowhere.c");
    let said = world.say(&["run", "--quiet"]).with_code(1);
    assert!(!said.err.contains("panicked"), "{said:#?}");
    assert_eq!((said.err.matches("the build failed").count(), said.err.matches("for the same reason").count()), (1, 2), "{said:#?}");
    for run in 1..=3 {
        let shown = world.show(run);
        let reason = shown["reason"].as_str().unwrap_or_default().to_string();
        assert!(
            shown["outcome"] == "failed"
                && reason.contains("the build failed (exit status: 1): ")
                && reason.contains("all that it said is in "),
            "{shown:#}"
        );
        assert!(reason.contains("nowhere.c"), "{reason}");
    }
    assert_eq!(folders(&world), 0);
    let tried = world.say(&["check", "--smoke", "20s"]).with_code(1);
    assert!(tried.out.contains("could not be started") || tried.out.contains("the build failed (exit status: 1): "), "{tried:#?}");
    assert!(tried.out.contains("nowhere.c") && !(tried.out + &tried.err).contains(".log"));
    world.write("nowhere.c", "int main() { return 0; }\n");
    world.say(&["run", "--quiet"]).with_code(0);
}

#[test]
fn a_build_ends_with_whoever_waits_for_it() {
    let world = world("setsid sh -c 'echo $$ > \"$WORLD/pid\"; sleep 1000' & sleep 1000; touch sim");
    let child = world.start(&["run"]);
    let pid: i32 = wait_for_number(&world, "pid");
    signal(child.id() as i32, Signal::SIGINT);
    let said: Said = child.wait_with_output().expect("it ends").into();
    said.with_code(1);
    wait_until("the build is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(world.show(1)["outcome"], "stopped");
    assert_eq!(folders(&world), 0);
    // The same when somebody else stops all of the runs.
    std::fs::remove_file(world.path("pid")).expect("there");
    let child = world.start(&["run"]);
    let pid = wait_for_number(&world, "pid");
    world.say(&["stop", "4-6"]).with_code(0);
    end_of(child).with_code(1);
    assert!(!runs(pid));
    assert_eq!(folders(&world), 0);
}

#[test]
fn a_build_whose_neronet_was_killed_is_made_anew_and_what_is_left_of_it_ended() {
    let world =
        world("[ -e $WORLD/pid ] || { setsid sh -c 'echo $$ > $WORLD/pid; sleep 1000' & sleep 1000; }; pwd > where; cc -o sim main.c");
    let mut child = world.start(&["run"]);
    let pid = wait_for_number(&world, "pid");
    child.kill().and_then(|()| child.wait()).expect("ours");
    world.say(&["run", "--quiet"]).with_code(0);
    wait_until("it is gone", || !runs(pid));
    // Where it was built, it stays.
    let place = std::fs::read_to_string(world.home().join("runs/4/work/where")).expect("built");
    assert!(std::path::Path::new(place.trim()).join("sim").is_file(), "{place}");
    // Without the word that it is whole, which is written last, it does not count.
    let done = format!("{}.done", place.trim());
    std::fs::remove_file(&done).expect("there");
    assert!(world.say(&["run"]).with_code(0).err.contains("building for sweep 3"));
    assert!(std::path::Path::new(&done).is_file());
}

#[test]
fn links_lead_to_the_work_tree_of_the_run_whoever_built() {
    let world = World::new();
    let build = "echo built >> $WORLD/builds; cat data/which > seen; ln -sfn seen current";
    let spec = format!("command = 'cat data/which current'\n[code]\nlink = ['data']\nbuild = \"{build}\"\n");
    world.write("neronet.toml", &spec).write("data/which", "first\n").write("seen", "").write("old", "").write(".gitignore", "data\n");
    world.git(&["init", "-q"]);
    std::os::unix::fs::symlink("old", world.project().join("current")).expect("linked");
    let copied = std::process::Command::new("cp").arg("-a").args([world.project(), world.path("second")]).status().expect("cp starts");
    assert!(copied.success());
    std::fs::write(world.path("second/data/which"), "second\n").expect("written");
    world.say(&["run", "--quiet"]).with_code(0);
    let said: Said = world.neronet(&["run", "--quiet"]).current_dir(world.path("second")).output().expect("neronet starts").into();
    said.with_code(0);
    assert_eq!(world.told("builds").as_deref(), Some("built\n"));
    assert_eq!([1, 2].map(|run| world.output(run, 1)), ["first\nfirst\n", "second\nfirst\n"]);
}

#[test]
fn another_environment_is_another_build_and_another_session_is_not() {
    let world = world("echo $FLAVOUR $OWN >> $WORLD/builds; cc -o sim main.c");
    let run = |words: &[&str], flavour: &str, session: &str| {
        let mut command = world.neronet(&[&["run", "--quiet", "--set", "x=1"], words].concat());
        let said: Said = command.env("FLAVOUR", flavour).env("TMUX_PANE", session).output().expect("neronet starts").into();
        said.with_code(0);
        world.told("builds").expect("built")
    };
    assert_eq!(run(&[], "red", "%1"), "red\n");
    assert_eq!(run(&[], "red", "%2"), "red\n");
    assert_eq!(run(&[], "blue", "%2"), "red\nblue\n");
    assert_eq!(run(&["--set", "env.OWN=1"], "blue", "%2"), "red\nblue\nblue 1\n");
}

#[test]
fn what_is_stopped_or_begun_elsewhere_while_a_build_runs_stays_so() {
    let build = "echo $$ >> $WORLD/pid; while [ ! -e $WORLD/go ]; do sleep 0.05; done; [ ! -e $WORLD/fail ] && cc -o sim main.c";
    let world = world(build);
    let child = world.start(&["run"]);
    wait_for_number(&world, "pid");
    world.say(&["stop", "2"]).with_code(0);
    world.tell("fail");
    world.tell("go");
    end_of(child).with_code(1);
    assert_eq!([1, 2, 3].map(|run| text(&world.show(run)["outcome"])), ["failed", "stopped", "failed"]);
    for name in ["go", "fail", "pid"] {
        std::fs::remove_file(world.path(name)).expect("there");
    }
    let child = world.start(&["run"]);
    wait_for_number(&world, "pid");
    world.say(&["stop", "5"]).with_code(0);
    let retry = world.start(&["retry", "5"]);
    wait_until("it is queued again", || world.show(5)["state"] == "queued");
    signal(child.id() as i32, Signal::SIGINT);
    let said = end_of(child).with_code(1);
    world.tell("go");
    end_of(retry).with_code(0);
    assert_eq!([4, 5, 6].map(|run| text(&world.show(run)["outcome"])), ["stopped", "finished", "stopped"], "{said:#?}");
}

#[test]
fn builds_are_made_one_at_a_time_and_only_for_what_may_start() {
    let world = World::new();
    let experiment = |name: &str, more: &str| {
        let build = format!("echo {name} >> $WORLD/builds; sleep 0.2; echo {name} >> $WORLD/builds");
        format!("[[experiment]]\nname = '{name}'\ncommand = 'echo {name}; test ! -e fails-{name}'\ncode.build = '{build}'\n{more}")
    };
    let all = [experiment("a", ""), experiment("b", ""), experiment("c", "after = 'b'\n")];
    world.write("fails-b", "").run_spec(&all.concat()).with_code(1);
    assert!(["a\na\nb\nb\n", "b\nb\na\na\n"].map(Some).contains(&world.told("builds").as_deref()), "{:?}", world.told("builds"));
}

#[test]
fn a_build_is_carried_out_again_for_what_steers_it_and_when_its_folder_is_gone() {
    let world = world("echo built >> $WORLD/builds; echo $CC $WANTED > sim; chmod +x sim");
    let run = |variables: &[(&str, &str)]| {
        let mut command = world.neronet(&["run", "--quiet"]);
        command.envs(variables.iter().copied()).output().expect("neronet starts");
        world.told("builds").unwrap_or_default().lines().count()
    };
    assert_eq!(run(&[("KRB5CCNAME", "1")]), 1);
    assert_eq!(run(&[("KRB5CCNAME", "2"), ("SLURM_JOB_ID", "7")]), 1);
    assert_eq!(run(&[("CC", "clang")]), 2);
    assert_eq!(run(&[("CC", "clang"), ("WANTED", "named by the build")]), 3);
    for path in all_below(&world.home().join("builds")).into_iter().filter(|path| path.is_dir()) {
        std::fs::remove_dir_all(path).ok();
    }
    assert_eq!(run(&[("KRB5CCNAME", "1")]), 4);
}

#[test]
fn what_a_build_says_is_masked() {
    let world = world("cat > /dev/null https://ada:hunter22@host; echo variable $HUB_TOKEN; printf 'secret '; cat $WORLD/secret; exit 1");
    std::fs::write(world.path("secret"), "canary-file-value\n").expect("written");
    let spec = std::fs::read_to_string(world.project().join("neronet.toml")).expect("there");
    world.write("neronet.toml", format!("{spec}[secrets]\nHUB = 'file:{}'\n", world.path("secret").display()));
    let said: Said = world.neronet(&["run"]).env("HUB_TOKEN", "canary-variable").output().expect("neronet starts").into();
    let reason = text(&world.show(1)["reason"]);
    assert!(reason.contains("variable ***\nsecret ***"), "{reason}");
    let kept = all_below(&world.home().join("builds")).iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect::<String>();
    let journal = String::from_utf8_lossy(&std::fs::read(world.home().join("journal/1.log")).expect("there")).into_owned();
    for shown in [said.out, said.err, kept, journal.split_once("NotStarted").map_or(String::new(), |(_, rest)| rest.to_string())] {
        assert!(["canary", "hunter22"].iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}

#[test]
fn builds_go_with_the_last_run_that_has_them() {
    let world = world("mkdir locked && touch locked/file && chmod a-w locked; cc -o sim main.c");
    world.say(&["run", "--quiet"]).with_code(0);
    world.write("main.c", "int main() { return 0; }\n");
    world.say(&["run", "--quiet"]).with_code(0);
    world.say(&["rm", "-y", "1-3,4"]).with_code(0);
    assert_eq!(folders(&world), 2);
    world.say(&["rm", "-y", "--purge", "1-4"]).with_code(0);
    assert_eq!(folders(&world), 1);
    world.say(&["rm", "-y", "5-6"]).with_code(0);
    world.say(&["rm", "-y", "--purge", "5-6"]).with_code(0);
    assert_eq!(all_below(&world.home().join("builds")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_copy_for_which_there_is_no_room_names_the_file_and_what_to_do() {
    with_own_mounts("building::a_copy_for_which_there_is_no_room_names_the_file_and_what_to_do", || {
        let world = world("head -c 1200000 /dev/zero > large; touch sim");
        small_disk(&world.home(), 2 << 20);
        world.say(&["run", "--quiet"]).with_code(1);
        let reason = text(&world.show(1)["reason"]);
        assert!(reason.contains("large: cannot copy ") && reason.contains("free some space there"), "{reason}");
    });
}

/// Copies that are kept of builds.
fn folders(world: &World) -> usize {
    std::fs::read_dir(world.home().join("builds")).expect("there").flatten().filter(|entry| entry.path().is_dir()).count()
}

#[test]
fn two_who_need_the_same_build_make_it_once() {
    let world = world("echo built >> \"$WORLD/builds\"; while [ ! -e \"$WORLD/go\" ]; do sleep 0.05; done; cc -o sim main.c");
    let both = [world.start(&["run", "--quiet"]), world.start(&["run", "--quiet"])];
    wait_until("six runs are there", || world.list().len() == 6);
    world.wait_told("builds");
    world.tell("go");
    for child in both {
        let said: Said = child.wait_with_output().expect("it ends").into();
        said.with_code(0);
    }
    assert_eq!(world.told("builds").as_deref(), Some("built\n"));
}

fn wait_for_number(world: &World, name: &str) -> i32 {
    let mut number = None;
    wait_until(name, || {
        number = world.told(name).and_then(|text| text.trim().parse().ok());
        number.is_some()
    });
    number.unwrap_or_default()
}
