//! `[code] build`: once for a snapshot, before its runs, and never in the work tree.

use crate::world::{Said, World, signal, wait_until};
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
    let world = world("echo first >&2; cc -o sim nowhere.c");
    let said = world.say(&["run", "--quiet"]).with_code(1);
    assert!(!said.err.contains("panicked"), "{said:#?}");
    assert_eq!((said.err.matches("the build failed").count(), said.err.matches("for the same reason").count()), (1, 2), "{said:#?}");
    for run in 1..=3 {
        let shown = world.show(run);
        let reason = shown["reason"].as_str().unwrap_or_default().to_string();
        assert!(shown["outcome"] == "failed" && reason.contains("the build failed (exit status: 1; all that it said is in "), "{shown:#}");
        assert!(reason.contains("nowhere.c"), "{reason}");
    }
    let left: Vec<_> = std::fs::read_dir(world.home().join("builds")).expect("there").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
    let tried = world.say(&["check", "--smoke", "20s"]).with_code(1);
    assert!(tried.out.contains("could not be started") || tried.out.contains("the build failed (exit status: 1)\n"), "{tried:#?}");
    assert!(tried.out.contains("nowhere.c") && !(tried.out + &tried.err).contains(".log"));
    world.write("nowhere.c", "int main() { return 0; }\n");
    world.say(&["run", "--quiet"]).with_code(0);
}

#[test]
fn a_build_ends_with_whoever_waits_for_it() {
    let world = world("echo $$ > \"$WORLD/pid\"; sleep 1000; touch sim");
    let child = world.start(&["run"]);
    let pid: i32 = wait_for_number(&world, "pid");
    signal(child.id() as i32, Signal::SIGINT);
    let said: Said = child.wait_with_output().expect("it ends").into();
    said.with_code(1);
    wait_until("the build is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(world.show(1)["outcome"], "stopped");
    let left = std::fs::read_dir(world.home().join("builds")).expect("there").flatten().filter(|entry| entry.path().is_dir()).count();
    assert_eq!(left, 0);
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
