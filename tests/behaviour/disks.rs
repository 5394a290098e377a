//! Homes in trouble: a full disk, a read-only one, damage, a newer version.

use crate::api::post;
use crate::mounts::{fill, free, leave, mount, small_disk, with_own_mounts};
use crate::world::{World, end_of, text, wait_until};

#[test]
fn a_home_on_a_full_disk_takes_no_run_and_works_when_there_is_room() {
    with_own_mounts("disks::a_home_on_a_full_disk_takes_no_run_and_works_when_there_is_room", || {
        let world = World::new();
        small_disk(&world.home(), 2 << 20);
        fill(&world.home());
        let said = world.say(&["run", "--", "true"]).with_code(3);
        assert!(said.err.contains("No space left") && said.err.contains("free some space"), "{said:#?}");
        assert_eq!(world.say(&["ls", "-a", "--json"]).with_code(0).json(), serde_json::json!([]));
        free(&world.home());
        world.say(&["run", "--", "echo", "one"]).with_code(0);
        // A home that knew better days.
        fill(&world.home());
        let said = world.say(&["run", "--", "true"]).with_code(3);
        assert!(said.err.contains("No space left"), "{said:#?}");
        assert_eq!(world.list().len(), 1);
        free(&world.home());
        world.say(&["run", "--", "echo", "two"]).with_code(0);
        assert_eq!([world.output(1, 1), world.output(2, 1)], ["one\n", "two\n"]);
        assert!(world.list().iter().all(|run| run["outcome"] == "finished"));
    });
}

#[test]
fn what_is_submitted_to_a_full_disk_is_there_whole_or_not_at_all() {
    with_own_mounts("disks::what_is_submitted_to_a_full_disk_is_there_whole_or_not_at_all", || {
        let world = World::new();
        small_disk(&world.home(), 1 << 20);
        world.say(&["serve", "--background"]).with_code(0);
        world.write("neronet.toml", "command = 'true'\nparams.n = [1, 2, 3]\nsweep.not_before = 'in 10h'\n");
        let by_api = |pages: u64| {
            let body = serde_json::json!({"folder": world.project(), "again": "all"});
            post(&world, "/v1/submit", &format!("Idempotency-Key: {pages}\r\n"), &body)
        };
        fill(&world.home());
        let refused = by_api(100);
        assert!(refused.status == 507 && refused.json()["error"].as_str().is_some_and(|e| e.contains("No space left")), "{refused:#?}");
        let mut there = 0;
        for pages in 0..10 {
            fill(&world.home());
            leave(&world.home(), pages * 4096);
            let said = world.say(&["submit", "--again"]);
            let answer = by_api(pages);
            free(&world.home());
            assert!(matches!((said.code, answer.status), (Some(0 | 3), 200 | 507)), "{pages} pages: {said:#?} {answer:#?}");
            assert!(said.code == Some(0) || said.err.contains("No space left"), "{pages} pages: {said:#?}");
            there += 3 * (usize::from(said.code == Some(0)) + usize::from(answer.status == 200));
            assert_eq!(world.list().len(), there, "{pages} pages");
            std::fs::remove_dir_all(world.home().join("snapshots")).ok();
        }
        assert!((3..60).contains(&there), "{there}: none or all were refused");
        // The key of what was refused is free for another try.
        assert_eq!(by_api(100).json()["runs"].as_array().map(Vec::len), Some(3));
        world.say(&["release", "last"]).with_code(0);
        assert_eq!(world.ended(there as u64 + 3)["outcome"], "finished");
    });
}

#[test]
fn a_disk_that_fills_at_any_point_of_the_start_leaves_a_home_that_works() {
    with_own_mounts("disks::a_disk_that_fills_at_any_point_of_the_start_leaves_a_home_that_works", || {
        let world = World::new();
        small_disk(&world.home(), 1 << 20);
        world.write("train.py", "print('step 1 loss 0.5')\n");
        for pages in 0..24 {
            fill(&world.home());
            leave(&world.home(), pages * 4096);
            let mut cli = world.start(&["run", "--", "python3", "train.py"]);
            // Refused at once, or waiting for room to write down how it ended, or through.
            let begun = std::time::Instant::now();
            while cli.try_wait().expect("ours").is_none() && begun.elapsed().as_millis() < 1_500 {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            free(&world.home());
            let said = end_of(cli);
            assert!(matches!(said.code, Some(0 | 1 | 3)), "{pages} pages: {said:#?}");
            assert!(!said.err.contains("panicked"), "{pages} pages: {said:#?}");
            if said.code != Some(0) {
                // The script, too, may find no room for what it prints.
                assert!(said.err.contains("No space left") || said.err.contains("exit code 1"), "{pages} pages: {said:#?}");
            }
            std::fs::remove_dir_all(world.home().join("snapshots")).ok();
        }
        let before = world.list();
        world.say(&["run", "--", "echo", "whole"]).with_code(0);
        let runs = world.list();
        assert_eq!(runs.len(), before.len() + 1);
        let ids: Vec<u64> = runs.iter().filter_map(|run| run["id"].as_u64()).collect();
        let expected: std::collections::BTreeSet<u64> = (1..=runs.len() as u64).collect();
        assert_eq!(ids.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
        for run in &runs {
            // One whose end could not be written down is told with what to do about it.
            assert!(
                run["state"] == "ended" || text(&run["reason"]).contains(&format!("`neronet retry {}` starts it", run["id"])),
                "{run:#}"
            );
            if run["outcome"] == "finished" && run["id"] != runs.len() {
                assert_eq!(world.output(run["id"].as_u64().expect("a number"), 1), "step 1 loss 0.5\n");
            }
        }
    });
}

/// Prints lines until told to stop, and notes on another disk which ones the system took whole.
const PRINTER: &str = r#"
import os, time
world = os.environ["WORLD"]
taken = open(world + "/taken", "w")
number = 0
failed = False
while not os.path.exists(world + "/enough"):
    line = f"line {number} loss={number / 7}\n".encode()
    done = 0
    while done < len(line):
        try: done += os.write(1, line[done:])
        except OSError:
            if not failed: open(world + "/full", "w").close()
            failed = True
            time.sleep(0.01)
            if os.path.exists(world + "/enough"): break
    if done == len(line): taken.write(f"{number}\n")
    number += 1
    time.sleep(0.0005)
    if number == 200: open(world + "/ready", "w").close()
taken.close()
"#;

#[test]
fn a_disk_that_fills_while_a_run_runs_costs_no_line_and_doubles_none() {
    with_own_mounts("disks::a_disk_that_fills_while_a_run_runs_costs_no_line_and_doubles_none", || {
        let world = World::new();
        small_disk(&world.home(), 2 << 20);
        let cli = world.write("train.py", PRINTER).start(&["run", "--quiet", "--", "python3", "train.py"]);
        world.wait_told("ready");
        wait_until("lines on record", || !world.output(1, 1).is_empty());
        fill(&world.home());
        world.wait_told("full");
        free(&world.home());
        let until_now = world.output(1, 1).len();
        wait_until("more lines on record", || world.output(1, 1).len() > until_now + 1_000);
        world.tell("enough");
        end_of(cli).with_code(0);
        compare(&world);
    });
}

#[test]
fn a_run_that_ends_on_a_full_disk_is_on_record_once_there_is_room() {
    with_own_mounts("disks::a_run_that_ends_on_a_full_disk_is_on_record_once_there_is_room", || {
        let world = World::new();
        small_disk(&world.home(), 2 << 20);
        let mut cli = world.write("train.py", PRINTER).start(&["run", "--quiet", "--", "python3", "train.py"]);
        world.wait_told("ready");
        let command = world.pid(1, "started", "command");
        fill(&world.home());
        world.wait_told("full");
        world.tell("enough");
        wait_until("the end of the command", || !crate::world::runs(command));
        // Its end is not yet whole on record, so nobody says that it has one.
        assert!(cli.try_wait().expect("ours").is_none());
        free(&world.home());
        end_of(cli).with_code(0);
        compare(&world);
    });
}

fn compare(world: &World) {
    let run = world.show(1);
    assert_eq!((&run["outcome"], &run["attempts"][0]["exit_code"]), (&"finished".into(), &0.into()), "{run:#}");
    let taken: Vec<u64> = world.told("taken").expect("there").lines().filter_map(|line| line.parse().ok()).collect();
    // A line that the full disk tore is passed over, and stands whole behind it.
    let recorded = world.say(&["logs", "1"]).with_code(0).out;
    let whole = |line: &&str| line.contains(" loss=");
    let recorded: Vec<u64> = recorded.lines().filter(whole).filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    let missing: Vec<&u64> = taken.iter().filter(|number| !recorded.contains(number)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert!(recorded.windows(2).all(|pair| pair[0] < pair[1]), "doubled or out of order");
    assert!(recorded.len() <= taken.len() + 1, "{} printed, {} recorded", taken.len(), recorded.len());
}

#[test]
fn a_read_only_home_can_be_looked_at_and_takes_no_run() {
    with_own_mounts("disks::a_read_only_home_can_be_looked_at_and_takes_no_run", || {
        let world = World::new();
        world.say(&["run", "--", "echo", "hello"]).with_code(0);
        let home = world.home().display().to_string();
        mount(&["--bind", &home, &home]);
        mount(&["-o", "remount,ro,bind", &home]);
        assert_eq!(world.list().len(), 1);
        assert_eq!(world.show(1)["outcome"], "finished");
        assert_eq!(world.say(&["logs", "1"]).with_code(0).out, "hello\n");
        let said = world.say(&["run", "--", "true"]).with_code(3);
        assert!(said.err.contains("Read-only") && said.err.contains("NERONET_HOME"), "{said:#?}");
        let said = world.say(&["tag", "1", "best"]).with_code(3);
        assert!(said.err.contains("Read-only"), "{said:#?}");
    });
}

#[test]
fn a_home_in_a_place_that_cannot_be_is_exit_code_3() {
    let world = World::new();
    std::fs::write(world.home(), "a file").expect("written");
    for words in [&["run", "--", "true"][..], &["ls"]] {
        let said = world.say(words);
        assert_eq!(said.code, Some(3), "{words:?}: {said:#?}");
        assert!(said.err.contains(&world.home().display().to_string()), "{said:#?}");
    }
}

#[test]
fn a_home_of_a_newer_version_is_left_alone() {
    let world = World::new();
    world.run(&["true"]).1.with_code(0);
    let identity = world.home().join("home.json");
    let known = std::fs::read_to_string(&identity).expect("there");
    let mut newer: serde_json::Value = serde_json::from_str(&known).expect("JSON");
    newer["format"] = 999.into();
    std::fs::write(&identity, newer.to_string()).expect("written");
    for words in [&["ls"][..], &["show", "1"], &["run", "--", "true"], &["rm", "1", "--yes"]] {
        let said = world.say(words).with_code(3);
        assert!(said.err.contains("written by a newer neronet (format 999"), "{said:#?}");
    }
    std::fs::write(&identity, known).expect("written");
    assert_eq!(world.list().len(), 1);
}

/// Where the frames of the journal begin.
fn frames(journal: &[u8]) -> Vec<usize> {
    journal.windows(4).enumerate().filter(|(_, window)| window == b"NRJ1").map(|(at, _)| at).collect()
}

#[test]
fn damage_within_the_journal_costs_only_what_it_hit_and_is_told() {
    let world = World::new();
    for word in ["one", "two", "three"] {
        world.say(&["run", "--", "echo", word]).with_code(0);
    }
    let path = world.home().join("journal/1.log");
    let mut journal = std::fs::read(&path).expect("there");
    let frames = frames(&journal);
    let second = frames
        .iter()
        .find(|at| String::from_utf8_lossy(&journal[**at..]).split("NRJ1").nth(1).is_some_and(|frame| frame.contains("\"two\"")));
    let second = *second.expect("the submission of the second run");
    journal[second + 40] ^= 0xff;
    std::fs::write(&path, &journal).expect("written");
    let said = world.say(&["ls", "-a", "--json"]).with_code(0);
    let listed: Vec<u64> = said.json().as_array().expect("an array").iter().filter_map(|run| run["id"].as_u64()).collect();
    assert!(listed.contains(&1) && listed.contains(&3) && !listed.contains(&2), "{listed:?}");
    assert!(said.err.contains("damaged"), "{said:#?}");
    assert_eq!(world.show(1)["outcome"], "finished");
    // The damage stays where it is, and the home goes on.
    world.say(&["run", "--", "echo", "four"]).with_code(0);
    assert_eq!(world.output(4, 1), "four\n");
}

#[test]
fn a_number_whose_record_was_lost_is_not_given_again() {
    let world = World::new();
    world.say(&["run", "--", "echo", "one"]).with_code(0);
    world.say(&["run", "--", "echo", "two"]).with_code(0);
    let path = world.home().join("journal/1.log");
    let mut journal = std::fs::read(&path).expect("there");
    // All that the journal knew of the second run.
    let submitted: Vec<usize> = frames(&journal)
        .into_iter()
        .filter(|at| {
            String::from_utf8_lossy(&journal[*at + 12..]).starts_with("{\"Submitted\"")
                || String::from_utf8_lossy(&journal[*at + 12..]).starts_with("{\"submitted\"")
        })
        .collect();
    assert_eq!(submitted.len(), 2);
    journal.truncate(submitted[1] + 50);
    std::fs::write(&path, &journal).expect("written");
    world.say(&["run", "--", "echo", "three"]).with_code(0);
    assert_eq!(world.output(2, 1), "two\n", "what was there stays as it is");
    let ids: Vec<String> = world.list().iter().map(|run| text(&run["id"])).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(world.output(3, 1), "three\n");
}

#[test]
fn what_runs_need_of_the_disk_is_set_aside_for_them() {
    with_own_mounts("disks::what_runs_need_of_the_disk_is_set_aside_for_them", || {
        let world = World::new();
        small_disk(&world.home(), 20_000_000);
        let command = "command = 'touch \"$WORLD/{n}\"; until [ -e \"$WORLD/go\" ]; do sleep 0.02; done'\n";
        world.write("neronet.toml", format!("{command}params.n = [1, 2, 3]\nsweep.parallel = 3\nresources.disk = '8 MB'\n"));
        world.say(&["submit"]).with_code(0);
        world.wait_told("1");
        world.wait_told("2");
        wait_until("the third waits", || text(&world.show(3)["reason"]).starts_with("waits for 8 MB of the disk"));
        assert!(text(&world.show(3)["reason"]).ends_with("held by 1-2"));
        world.tell("go");
        assert_eq!(world.ended(3)["outcome"], "finished");
        world.write("neronet.toml", "command = 'true'\nresources.disk = '1 GB'\n");
        let said = world.say(&["submit"]).with_code(2);
        assert!(said.err.contains("a run needs 1 GB of the disk where home is, which has 20 MB"), "{said:#?}");
        world.write("neronet.toml", "command = 'true'\nresources.disk = '15 MB'\n");
        std::fs::write(world.home().join("mine"), vec![0; 8_000_000]).expect("written");
        let said = world.say(&["submit"]).with_code(0);
        assert!(said.err.contains("it waits for them"), "{said:#?}");
        wait_until("it waits", || text(&world.show(4)["reason"]).starts_with("waits for 15 MB of the disk"));
        std::fs::remove_file(world.home().join("mine")).expect("there");
        world.say(&["stop", "4"]).with_code(0);
        assert_eq!(world.say(&["down"]).code, Some(0));
    });
}
