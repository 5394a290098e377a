//! What takes the space, and what goes.

use crate::mounts::{fill, small_disk, with_own_mounts};
use crate::world::{World, disk_use, text, wait_for, wait_until};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Epochs with a checkpoint and a value each, an artifact, another file. The value is best in the epoch that the first word names.
const TRAIN: &str = r#"
import os, sys
best, epochs = int(sys.argv[1]), int(sys.argv[2])
os.makedirs("ckpt", exist_ok=True)
for epoch in range(1, epochs + 1):
    print(f"epoch {epoch}/{epochs} val_loss {abs(epoch - best) + 0.5}", flush=True)
    with open("state.tmp", "wb") as file: file.write(b"x" * 50_000)
    os.rename("state.tmp", f"ckpt/{epoch}.bin")
    record = os.environ["NERONET_RUN_DIR"] + "/attempts/1/events.1.jsonl"
    import time
    while not (os.path.exists(record) and f"ckpt/{epoch}.bin" in open(record).read()): time.sleep(0.01)
with open("picture.png", "wb") as file: file.write(b"x" * 30_000)
with open("other.txt", "wb") as file: file.write(b"x" * 20_000)
"#;

const SPEC: &str = "name = 'digits'\ncommand = ['python3', 'train.py', '3', '{epochs}']\nparams.epochs = 5\n\
     objective = 'val_loss min'\n[checkpoints]\npaths = ['ckpt/*.bin']\n[outputs]\nkeep = ['*.png']\n";

fn trained() -> World {
    let world = World::new();
    world.write("train.py", TRAIN);
    world.run_spec(SPEC).with_code(0);
    world
}

fn du(world: &World, words: &[&str]) -> Value {
    world.say(&[&["du", "--json"], words].concat()).with_code(0).json()
}

/// As `du` counts it, the folder itself too.
fn own_sum(folder: &Path) -> u64 {
    disk_use(folder) + folder.metadata().expect("there").blocks() * 512
}

#[test]
fn what_takes_the_space_adds_up_to_a_full_walk_and_each_file_has_its_kind() {
    let world = trained();
    world.say(&["run", "-q", "--", "echo", "hello"]).with_code(0);
    world.say(&["rm", "2", "-y"]).with_code(0);
    let used = du(&world, &[]);
    let own = own_sum(&world.home()) + own_sum(&world.path("user/.cache/neronet"));
    assert_eq!(used["total"]["disk"], own, "{used:#}");
    let kinds = used["kinds"].as_object().expect("by kind");
    let sum: u64 = kinds.values().filter_map(|size| size["disk"].as_u64()).sum();
    assert_eq!(sum, own);
    for (kind, files, bytes) in
        [("checkpoints", 5, 250_000), ("artifacts", 1, 30_000), ("other_outputs", 1, 20_000), ("code", 2, 0), ("removed", 0, 0)]
    {
        assert_eq!(kinds[kind]["files"], files, "{kind}: {used:#}");
        assert!(bytes == 0 || kinds[kind]["bytes"] == bytes, "{kind}: {used:#}");
    }
    assert_eq!(kinds["trash"]["disk"], own_sum(&world.home().join("runs/2")), "{used:#}");
    assert_eq!((&used["runs"][0]["id"], &used["runs"][1]["trashed"]), (&1.into(), &true.into()), "{used:#}");
    assert!(used["disk"]["free"].as_u64().is_some(), "{used:#}");
    let one = du(&world, &["digits"]);
    assert_eq!(one["total"]["disk"], own_sum(&world.home().join("runs/1")), "{one:#}");
    let said = world.say(&["du"]).with_code(0);
    assert!(said.out.contains("checkpoints") && said.out.contains("are free where home is"), "{said:#?}");
}

#[test]
fn what_cannot_be_read_is_named_and_not_fatal_and_links_are_not_followed() {
    let world = trained();
    std::fs::create_dir(world.path("elsewhere")).expect("made");
    std::fs::write(world.path("elsewhere/large"), vec![1; 500_000]).expect("written");
    std::os::unix::fs::symlink(world.path("elsewhere"), world.home().join("runs/1/work/link")).expect("linked");
    let shut = world.home().join("runs/1/work/shut");
    std::fs::create_dir(&shut).expect("made");
    let mode = |mode: u32| std::fs::set_permissions(&shut, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("ours");
    mode(0o000);
    let said = world.say(&["du", "--json"]).with_code(0);
    let root = std::fs::read_dir(&shut).is_ok();
    mode(0o700);
    let used = said.json();
    assert!(used["total"]["disk"].as_u64().is_some_and(|disk| disk < 500_000 + own_sum(&world.home())), "{used:#}");
    assert!(used["kinds"]["other_outputs"]["bytes"].as_u64().is_some_and(|bytes| bytes < 100_000), "{used:#}");
    // Whoever is root reads everything.
    assert_eq!(used["unread"]["count"], u64::from(!root), "{used:#}");
    assert_eq!(said.err.contains("shut"), !root, "{said:#?}");
}

fn gc(world: &World, words: &[&str]) -> Value {
    world.say(&[&["gc", "--json"], words].concat()).with_code(0).json()
}

/// The things of a kind that go, by the last part of their paths.
fn names(collected: &Value, kind: &str) -> Vec<String> {
    let items = collected["items"].as_array().expect("items").iter().filter(|item| item["kind"] == kind);
    let mut names: Vec<String> = items.map(|item| text(&item["path"]).rsplit('/').next().expect("a name").to_string()).collect();
    names.sort();
    names
}

fn checkpoints(world: &World, run: u64) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(world.home().join(format!("runs/{run}/work/ckpt")))
        .expect("there")
        .map(|entry| entry.expect("there").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

fn shown(world: &World, run: u64) -> Vec<String> {
    world.show(run)["checkpoints"].as_array().expect("a list").iter().map(|one| text(&one["path"])).collect()
}

/// As if nobody had touched it for two days.
fn age(path: &Path) {
    let before = SystemTime::now() - Duration::from_secs(2 * 24 * 3_600);
    std::fs::File::open(path).and_then(|file| file.set_modified(before)).expect("ours");
}

#[test]
fn checkpoints_beyond_what_is_kept_go_when_they_are_told_to_and_are_on_record_as_gone() {
    let world = trained();
    assert_eq!(names(&gc(&world, &[]), "checkpoints"), [""; 0], "its specification keeps all");
    let words = ["1", "--keep-best", "1", "--keep-last", "1"];
    let dry = gc(&world, &words);
    // The best value was measured before the third was saved and behind the second: in doubt both stay.
    assert_eq!((names(&dry, "checkpoints"), &dry["applied"]), (vec!["1.bin".to_string(), "4.bin".into()], &false.into()), "{dry:#}");
    assert!(dry["disk"].as_u64().is_some_and(|disk| disk >= 100_000), "{dry:#}");
    assert_eq!((checkpoints(&world, 1).len(), shown(&world, 1).len()), (5, 5));
    world.say(&["tag", "1", "paper"]).with_code(0);
    let kept = gc(&world, &[&words[..], &["--apply"]].concat());
    assert_eq!((&kept["protected"]["runs"], checkpoints(&world, 1).len()), (&serde_json::json!([1]), 5), "{kept:#}");
    assert!(kept["protected"]["disk"].as_u64().is_some_and(|disk| disk >= 100_000), "{kept:#}");
    world.say(&["tag", "1", "paper", "--remove"]).with_code(0);
    let said = world.say(&[&["gc", "--apply"], &words[..]].concat()).with_code(0);
    assert!(said.out.contains("freed") && said.out.contains("beyond keep = { best = 1, last = 1 }"), "{said:#?}");
    assert_eq!(checkpoints(&world, 1), ["2.bin", "3.bin", "5.bin"]);
    assert_eq!(shown(&world, 1), ["ckpt/2.bin", "ckpt/3.bin", "ckpt/5.bin"]);
    assert!(text(&world.show(1)["attempts"][0]["notices"]).contains("2 checkpoints were deleted by `neronet gc`"));
    assert_eq!(gc(&world, &words)["items"], serde_json::json!([]));
    // A crash between the record and the deletion: the file is there, and goes the next time.
    let path = world.home().join("runs/1/work/ckpt/1.bin");
    let record = std::fs::read_to_string(world.attempt(1, 1).join("deleted.jsonl")).expect("a record");
    let record: Value = serde_json::from_str(record.lines().next().expect("two lines")).expect("JSON");
    std::fs::write(&path, vec![b'x'; 50_000]).expect("written");
    let modified = Duration::from_millis(record["checkpoint"]["modified"].as_u64().expect("a time"));
    std::fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + modified)).expect("ours");
    assert_eq!(names(&gc(&world, &["1", "--keep-last", "9", "--apply"]), "checkpoints"), ["1.bin"]);
    assert_eq!(checkpoints(&world, 1), ["2.bin", "3.bin", "5.bin"]);
    // What is other than it was recorded is somebody's.
    std::fs::write(world.home().join("runs/1/work/ckpt/2.bin"), "mine").expect("written");
    assert_eq!(names(&gc(&world, &["1", "--keep-last", "1"]), "checkpoints"), ["3.bin"]);
}

#[test]
fn checkpoints_that_another_run_goes_on_from_stay_and_so_does_what_is_behind_a_link() {
    let world = trained();
    let path = world.home().join("runs/1/work/ckpt/1.bin").display().to_string();
    let waits = format!("until [ -e \"$WORLD/go\" ]; do sleep 0.02; done # {path}");
    world.say(&["run", "--detach", "--", "sh", "-c", &waits]).with_code(0);
    let words = ["1", "--keep-last", "1", "--apply"];
    let kept = gc(&world, &words);
    assert_eq!((&kept["protected"]["needed"], checkpoints(&world, 1).len()), (&serde_json::json!([1]), 5), "{kept:#}");
    world.tell("go");
    world.ended(2);
    // The folder is a link now: what lies behind it is somebody else's.
    let (folder, elsewhere) = (world.home().join("runs/1/work/ckpt"), world.path("elsewhere"));
    std::fs::rename(&folder, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &folder).expect("linked");
    assert_eq!(gc(&world, &words)["items"], serde_json::json!([]));
    std::fs::remove_file(&folder).expect("a link");
    std::fs::rename(&elsewhere, &folder).expect("moved");
    assert_eq!(names(&gc(&world, &words), "checkpoints"), ["1.bin", "2.bin", "3.bin", "4.bin"]);
    assert_eq!(checkpoints(&world, 1), ["5.bin"]);
}

#[test]
fn what_no_run_has_any_more_goes_once_it_has_rested() {
    let world = World::new();
    world.write("a.sh", "echo one").say(&["run", "-q", "--", "sh", "a.sh"]).with_code(0);
    world.write("a.sh", "echo two").say(&["run", "-q", "--", "sh", "a.sh"]).with_code(0);
    let snapshots = world.home().join("snapshots");
    let snapshot = |run: u64| text(&world.show(run)["code"]["snapshot"]);
    let (first, second) = (snapshot(1), snapshot(2));
    world.say(&["rm", "1", "-y"]).with_code(0);
    age(&snapshots.join(&first));
    age(&snapshots.join(&second));
    assert_eq!(gc(&world, &[])["items"], serde_json::json!([]), "the trash may be taken back");
    world.say(&["rm", "1", "--purge", "-y"]).with_code(0);
    assert_eq!(names(&gc(&world, &[]), "snapshots"), [first.as_str()]);
    // Somebody who submits the same finds it, and it is no longer at rest.
    world.write("a.sh", "echo one").say(&["run", "-q", "--", "sh", "a.sh"]).with_code(0);
    world.say(&["rm", "3", "-y"]).with_code(0);
    world.say(&["rm", "3", "--purge", "-y"]).with_code(0);
    assert_eq!(gc(&world, &["--apply"])["items"], serde_json::json!([]));
    age(&snapshots.join(&first));
    for (folder, name) in [("runs/2", ".run.json.999999999.new"), ("snapshots", ".new-999999999-00"), ("runs/2/work", ".mine.1.new")] {
        let path = world.home().join(folder).join(name);
        std::fs::create_dir(&path).expect("made");
        age(&path);
    }
    let done = gc(&world, &["--apply"]);
    assert_eq!(names(&done, "snapshots"), [first.as_str()], "{done:#}");
    assert_eq!(names(&done, "unfinished"), [".new-999999999-00", ".run.json.999999999.new"], "{done:#}");
    assert!(!snapshots.join(&first).exists() && snapshots.join(&second).exists());
    assert_eq!(world.output(2, 1), "two\n");
    assert!(world.home().join("runs/2/work/.mine.1.new").exists(), "a work copy is the run's own");
}

#[test]
fn of_a_purge_that_was_cut_short_the_run_is_whole_in_the_trash_or_its_rest_is_found() {
    let world = World::new();
    for word in ["one", "two"] {
        world.say(&["run", "-q", "--", "echo", word]).with_code(0);
    }
    let runs = world.home().join("runs");
    let saved = world.path("saved");
    let copied = std::process::Command::new("cp").arg("-a").arg(runs.join("1")).arg(&saved).status().expect("cp starts");
    assert!(copied.success());
    world.say(&["rm", "1", "-y"]).with_code(0);
    // Cut short before the journal has it: the folder was not touched yet.
    assert!(runs.join("1").exists());
    world.say(&["rm", "1", "--purge", "-y"]).with_code(0);
    assert!(!runs.join("1").exists());
    // Cut short behind it: the folder is still there.
    std::fs::rename(&saved, runs.join("1")).expect("as it was");
    // Nobody knows of this one, nor whether it was removed: it may be all that is left of a damaged record.
    std::fs::create_dir(runs.join("77")).expect("made");
    assert!(du(&world, &[])["kinds"]["removed"]["files"].as_u64().is_some_and(|files| files > 0));
    assert_eq!(names(&gc(&world, &["--apply"]), "removed"), ["1"]);
    assert!(!runs.join("1").exists() && runs.join("2").exists() && runs.join("77").exists());
}

#[test]
fn the_trash_empties_by_age_and_by_the_daemon() {
    let world = World::new();
    for word in ["one", "two"] {
        world.say(&["run", "-q", "--", "echo", word]).with_code(0);
    }
    world.say(&["tag", "1", "kept"]).with_code(0);
    world.say(&["rm", "1", "-y"]).with_code(0);
    let config = world.home().join("config.toml");
    std::fs::write(&config, "[trash]\nkeep = '10 parsecs'\n").expect("written");
    let refused = world.say(&["gc"]).with_code(2);
    assert!(refused.err.contains("config.toml") && refused.err.contains("'10 parsecs' is no time"), "{refused:#?}");
    std::fs::write(&config, "[trash]\nleast_free = '0 B'\n").expect("written");
    assert_eq!(gc(&world, &[])["items"], serde_json::json!([]));
    std::fs::write(&config, "[trash]\nkeep = '0s'\nleast_free = '0 B'\n").expect("written");
    let done = gc(&world, &["--apply"]);
    assert_eq!(names(&done, "trash"), ["1"], "{done:#}");
    assert!(text(&done["items"][0]["why"]).ends_with("it has a tag or a note"), "{done:#}");
    assert!(!world.home().join("runs/1").exists());
    world.say(&["rm", "2", "-y"]).with_code(0);
    world.say(&["serve", "--background"]).with_code(0);
    wait_until("the daemon to empty the trash", || !world.home().join("runs/2").exists());
    let log = wait_for("a word on it", || {
        std::fs::read_to_string(world.home().join("daemon.log")).ok().filter(|log| log.contains("run 2 is gone for good"))
    });
    assert!(log.contains("in the trash for 0 days"), "{log}");
    world.say(&["down"]).with_code(0);
}

#[test]
fn room_is_made_on_a_disk_that_is_full() {
    with_own_mounts("housekeeping::room_is_made_on_a_disk_that_is_full", || {
        let world = World::new();
        small_disk(&world.home(), 4 << 20);
        world.write("train.py", TRAIN);
        world.run_spec(SPEC).with_code(0);
        fill(&world.home());
        assert_eq!(names(&gc(&world, &["1", "--keep-last", "1", "--apply"]), "checkpoints"), ["1.bin", "2.bin", "3.bin", "4.bin"]);
        assert_eq!((checkpoints(&world, 1), shown(&world, 1)), (vec!["5.bin".to_string()], vec!["ckpt/5.bin".to_string()]));
        world.say(&["run", "-q", "--", "true"]).with_code(0);
    });
}

#[test]
fn curves_of_a_cache_that_other_machines_share_are_kept_on_this_one() {
    let world = World::new();
    // More than a megabyte of rows: less is not kept at all.
    world.write("train.py", "for step in range(40000): print('{\"step\": %d, \"loss\": %f}' % (step, 1 / (step + 1)))\n");
    world.say(&["run", "-q", "--", "python3", "train.py"]).with_code(0);
    let uid = text(&world.show(1)["uid"]);
    let mounts = world.path("mounts");
    let user = world.path("user").canonicalize().expect("there");
    let lines = format!(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:3 / {} rw - nfs4 server:/users rw,local_lock=none\n3 1 0:4 / {} rw - nfs server:/homes rw,nolock\n",
        user.display(),
        world.home().canonicalize().expect("there").display()
    );
    std::fs::write(&mounts, lines).expect("written");
    let say = |words: &[&str]| {
        let said = world.neronet(words).env("NERONET_MOUNTINFO", &mounts).output().expect("neronet starts");
        crate::world::Said::from(said).with_code(0)
    };
    let said = say(&["metrics", "1", "loss", "--buckets", "4", "--json"]);
    assert!(said.json().as_array().is_some_and(|buckets| !buckets.is_empty()), "{said:#?}");
    let local = std::path::PathBuf::from(format!("/var/tmp/neronet-{}", nix::unistd::getuid()));
    let kept = local.join("series").join(format!("{uid}.series"));
    let shared = user.join(".cache/neronet/series").join(format!("{uid}.series"));
    let (is_kept, is_shared) = (kept.exists(), shared.exists());
    let told = say(&["du"]).err;
    say(&["rm", "1", "-y"]);
    say(&["rm", "1", "--purge", "-y"]);
    assert!(is_kept && !is_shared && !kept.exists(), "{is_kept} {is_shared}");
    assert!(told.contains("the cache lies on nfs4") && told.contains(&local.display().to_string()), "{told}");
    assert!(told.contains("home lies on nfs") && told.contains("(nolock)"), "{told}");
}

#[test]
fn what_a_pattern_matches_beside_what_scripts_wrote_stays_and_so_does_an_artifact() {
    let world = World::new();
    world.write("train.py", TRAIN);
    let wide = SPEC.replace("'ckpt/*.bin'", "'ckpt/*.bin', '../attempts/*/launch.json', '../run.json'").replace("*.png", "ckpt/1.bin");
    world.run_spec(&wide).with_code(0);
    let gone = names(&gc(&world, &["1", "--keep-last", "1", "--apply"]), "checkpoints");
    assert_eq!(gone, ["2.bin", "3.bin", "4.bin"]);
    assert!(world.attempt(1, 1).join("launch.json").exists() && world.home().join("runs/1/run.json").exists());
    assert_eq!(checkpoints(&world, 1), ["1.bin", "5.bin"]);
}
