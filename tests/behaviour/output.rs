//! What commands print, however they print it: kept, visible, and bounded in memory and on the disk.

use crate::world::{World, all_below, disk_use, end_of, signal, text, wait_for, wait_until};
use nix::sys::signal::Signal;
use std::os::unix::fs::MetadataExt;

/// The most memory that a process ever took, in bytes.
fn peak_memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1024
}

#[test]
fn a_line_of_a_gigabyte_is_cut_and_costs_neither_memory_nor_disk() {
    let world = World::new();
    let script =
        "echo before; head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo after\nwhile [ ! -e \"$WORLD/go\" ]; do sleep 0.05; done\n";
    let cli = world.script("long.sh", script).start(&["run", "--quiet", "--", "sh", "long.sh"]);
    wait_until("all of it is read", || world.output(1, 1).ends_with("after\n"));
    let peak = peak_memory(world.pid(1, "begun", "keeper")) + peak_memory(world.pid(1, "watched", "supervisor"));
    // The code of a build for tests is larger by itself.
    let allowed = if cfg!(debug_assertions) { 28 << 20 } else { 12 << 20 };
    assert!(peak < allowed, "keeper and supervisor took {peak} bytes together");
    wait_until("the disk is given back", || disk_use(&world.home()) < 8 << 20);
    world.tell("go");
    end_of(cli).with_code(0);
    let output = world.output(1, 1);
    assert!(output.starts_with("before\nxxxx") && output.ends_with("\nafter\n"));
    assert!(output.contains("[line cut here") && output.len() < 70_000, "{} bytes", output.len());
    assert!(disk_use(&world.home()) < 2 << 20);
}

#[test]
fn a_million_progress_updates_leave_the_last_one() {
    let world = World::new();
    let script = "import sys\nfor i in range(1, 1_000_001): sys.stdout.write(f'\\r{i}/1000000 loss={1 / i:.8f}')\nprint()\nprint('done')\n";
    world.write("bar.py", script).write("neronet.toml", "command = ['python3', 'bar.py']\n[env]\nPYTHONUNBUFFERED = ''\n");
    world.say(&["run", "--quiet"]).with_code(0);
    assert_eq!(world.output(1, 1), "1000000/1000000 loss=0.00000100\ndone\n");
    let run = world.show(1);
    assert_eq!((&run["metrics"]["loss"]["last"], &run["metrics"]["loss"]["step"]), (&1e-6.into(), &1e6.into()), "{run:#}");
    assert!(disk_use(&world.home()) < 8 << 20, "{}", disk_use(&world.home()));
}

#[test]
fn bytes_that_are_no_text_stay_visible_and_the_last_line_needs_no_newline() {
    let world = World::new();
    world.script("bytes.sh", "printf 'caf\\303\\251 \\377\\376 x\\nnull \\000 byte\\n'; printf 'last words'");
    let said = world.say(&["run", "--", "sh", "bytes.sh"]).with_code(0);
    let expected = "café \u{fffd}\u{fffd} x\nnull \0 byte\nlast words\n";
    assert_eq!(world.output(1, 1), expected);
    assert_eq!(said.out, expected);
    assert_eq!(world.say(&["logs", "1"]).with_code(0).out, expected);
}

#[test]
fn endless_output_keeps_its_beginning_and_its_end_and_says_what_is_missing() {
    let world = World::new();
    let script = "for i in range(100_000): print(f'line {i} of very many')\n";
    world.write("endless.py", script);
    let said = world.neronet(&["run", "--quiet", "--", "python3", "endless.py"]).env("NERONET_OUTPUT_LIMIT", "200000").output();
    assert!(said.expect("neronet starts").status.success());
    let output = world.output(1, 1);
    assert!(output.starts_with("line 0 of very many\n") && output.ends_with("line 99999 of very many\n"));
    assert!((50_000..300_000).contains(&output.len()), "{} bytes", output.len());
    // What is there are whole lines, in order.
    let numbers: Vec<u64> = output.lines().map(|line| line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a whole line")).collect();
    assert!(numbers.is_sorted());
    let notices = text(&world.show(1)["attempts"][0]["notices"]);
    assert!(notices.contains("output beyond 200000 bytes: the first and the last half of that are kept, the middle is not"), "{notices}");
    assert!(world.say(&["show", "1"]).with_code(0).out.contains("output beyond 200000 bytes"));
}

#[test]
fn a_flood_does_not_fill_the_disk_while_it_waits_to_be_read() {
    let world = World::new();
    // The supervisor is stopped, as one that cannot keep up, until all is printed.
    let script = "until [ -e $WORLD/stopped ]; do sleep 0.02; done; yes 'a line of very many' | head -c 20000000; echo last; \
                  touch $WORLD/printed; until [ -e $WORLD/go ]; do sleep 0.02; done";
    let mut command = world.neronet(&["run", "--quiet", "--", "sh", "-c", script]);
    let cli = command.env("NERONET_OUTPUT_LIMIT", "1000000").spawn().expect("neronet starts");
    let supervisor =
        wait_for("the supervisor", || world.attempt(1, 1).join("keeper.jsonl").exists().then(|| world.pid(1, "watched", "supervisor")));
    signal(supervisor, Signal::SIGSTOP);
    world.tell("stopped");
    world.wait_told("printed");
    signal(supervisor, Signal::SIGCONT);
    let raw = world.attempt(1, 1).join("raw.stdout");
    wait_until("the room to be given back", || std::fs::metadata(&raw).is_ok_and(|meta| meta.blocks() * 512 < 2_000_000));
    world.tell("go");
    end_of(cli).with_code(0);
    let notices = text(&world.show(1)["attempts"][0]["notices"]);
    assert!(notices.contains("bytes of output were passed over: more than 1000000 bytes waited to be read"), "{notices}");
    let output = world.output(1, 1);
    assert!(output.ends_with("a line of very many\nlast\n") && output.lines().all(|line| ["a line of very many", "last"].contains(&line)));
}

#[test]
fn what_is_printed_appears_while_the_run_goes_on() {
    let world = World::new();
    world.script("slow.sh", "echo early\nwhile [ ! -e \"$WORLD/go\" ]; do sleep 0.05; done\necho late >&2\n");
    let cli = world.start(&["run", "--", "sh", "slow.sh"]);
    wait_until("the early line", || world.attempt(1, 1).exists() && world.output(1, 1) == "early\n");
    let follower = world.start(&["logs", "-f", "1"]);
    world.tell("go");
    assert_eq!(end_of(cli).with_code(0).out, "early\n");
    let followed = end_of(follower).with_code(0);
    assert!(followed.out.contains("early"), "{followed:#?}");
    assert!((followed.out + &followed.err).contains("late"));
}

#[test]
fn the_raw_output_goes_when_the_record_has_it() {
    let world = World::new();
    world.run(&["sh", "-c", "echo out; echo err >&2"]).1.with_code(0);
    let left: Vec<_> = wait_for("the end", || Some(all_below(&world.attempt(1, 1))));
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("/raw.") || path.ends_with("position.json")), "{left:?}");
}
