//! What takes the space, and what goes.

use crate::world::{World, disk_use};
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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

const SPEC: &str = "name = 'digits'\ncommand = ['python3', 'train.py', '2', '{epochs}']\nparams.epochs = 3\n\
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
        [("checkpoints", 3, 150_000), ("artifacts", 1, 30_000), ("other_outputs", 1, 20_000), ("code", 2, 0), ("removed", 0, 0)]
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
