//! The code that runs execute: frozen at submission, a copy of its own for each run.

use crate::world::{World, all_below, end_of, text};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn six_runs_at_once_that_write_the_same_file_keep_six() {
    let world = World::new();
    let script = "import os, sys, time\nmarks = os.environ['WORLD'] + '/marks'\nos.makedirs(marks, exist_ok=True)\nopen(marks + '/' + sys.argv[1], 'w').close()\n\
                  while len(os.listdir(marks)) < 6: time.sleep(0.01)\nopen('./model.pt', 'w').write('weights of ' + sys.argv[1])\n";
    world.write("train.py", script).write("model.pt", "the one in the project");
    world.run_spec("command = 'python3 train.py {seed}'\n[params]\nseed = [0, 1, 2, 3, 4, 5]\n[sweep]\nparallel = 6\n").with_code(0);
    for run in 1..=6 {
        let kept = std::fs::read_to_string(world.home().join(format!("runs/{run}/work/model.pt"))).expect("kept");
        assert_eq!(kept, format!("weights of {}", run - 1));
    }
    assert_eq!(std::fs::read_to_string(world.project().join("model.pt")).expect("there"), "the one in the project");
}

#[test]
fn editing_and_deleting_the_source_changes_nothing_in_a_sweep_that_runs() {
    let world = World::new();
    let script = "import os, sys, time, helper\nworld = os.environ['WORLD']\nopen(world + '/ready', 'w').close()\n\
                  while not os.path.exists(world + '/go'): time.sleep(0.01)\nprint(helper.WORD, open('data/input.txt').read())\n";
    world.write("train.py", script).write("helper.py", "WORD = 'first'\n").write("data/input.txt", "original");
    world.write("neronet.toml", "command = 'python3 train.py {x}'\n[params]\nx = [1, 2]\n[sweep]\nparallel = 1\n");
    let cli = world.start(&["run"]);
    world.wait_told("ready");
    world.write("helper.py", "WORD = 'second'\n").write("data/input.txt", "edited").write("neronet.toml", "command = 'false'\n");
    std::fs::remove_file(world.project().join("train.py")).expect("there");
    world.tell("go");
    end_of(cli).with_code(0);
    assert_eq!([world.output(1, 1), world.output(2, 1)], ["first original\n", "first original\n"]);
    // Also of a retry.
    world.say(&["retry", "2"]).with_code(0);
    assert_eq!(world.output(2, 2), "first original\n");
}

#[test]
fn a_large_file_of_the_work_tree_is_not_written_by_a_run() {
    let world = World::new();
    let script = "import os\nopen('model.pt', 'w').write('trained')\nos.makedirs('logs', exist_ok=True)\nopen('out/last.txt', 'w').write('x')\n\
                  assert os.path.islink('huge.bin') and not os.path.exists('ckpt/best.pt')\n";
    world.write("train.py", script).write("model.pt", vec![0; 11_000_000]).write("ckpt/note.txt", "");
    for name in ["huge.bin", "ckpt/best.pt"] {
        std::fs::File::create(world.project().join(name)).expect("made").set_len(200_000_000).expect("a hole");
    }
    std::fs::create_dir(world.project().join("out")).expect("made");
    let said = world.run_spec("command = 'python3 train.py'\n[checkpoints]\npaths = ['ckpt/*.pt']\n").with_code(0);
    assert!(
        said.err.contains("linked to where they lie, as they are too large to be copied: huge.bin (200 MB); a run that writes"),
        "{said:#?}"
    );
    assert!(said.err.contains("ckpt/best.pt is not in the snapshot: runs save it: [checkpoints] paths names it"), "{said:#?}");
    assert_eq!(std::fs::metadata(world.project().join("model.pt")).expect("there").len(), 11_000_000);
    assert_eq!(std::fs::read_to_string(world.home().join("runs/1/work/model.pt")).expect("kept"), "trained");
    assert!(world.home().join("runs/1/work/out/last.txt").exists() && !world.project().join("out/last.txt").exists());
}

fn repository(world: &World) {
    world.write("train.py", "print('trained')\n").write(".gitignore", "data/\n*.log\n");
    world.git(&["init", "-q"]);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "first"]);
}

#[test]
fn commit_branch_and_uncommitted_changes_are_on_record() {
    let world = World::new();
    repository(&world);
    world.write("train.py", "print('trained more')\n").write("new.py", "untracked = True\n");
    let (run, said) = world.run(&["python3", "train.py"]);
    assert!(said.with_code(0).out.contains("trained more"));
    assert_eq!((&run["git"]["branch"], &run["git"]["dirty"]), (&"main".into(), &true.into()), "{run:#}");
    assert_eq!(run["git"]["commit"].as_str().map(str::len), Some(40));
    assert!(world.home().join("runs/1/work/new.py").exists());
    assert!(run["code"]["snapshot"].is_string(), "{run:#}");
}

#[test]
fn it_works_without_git() {
    let world = World::new();
    repository(&world);
    // The programs that a run needs, and no git.
    let programs = world.path("bin");
    std::fs::create_dir(&programs).expect("made");
    for name in ["python3", "bash", "sh", "cat"] {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", name]).env("PATH", world_path(&world)).output().expect("sh starts");
        std::os::unix::fs::symlink(String::from_utf8_lossy(&found.stdout).trim(), programs.join(name)).expect("linked");
    }
    let said = world.neronet(&["run", "--", "python3", "train.py"]).env("PATH", &programs).output().expect("neronet starts");
    assert!(said.status.success(), "{said:?}");
    assert_eq!(world.output(1, 1), "trained\n");
    assert!(world.home().join("runs/1/work/train.py").exists());
    // A folder that is no repository.
    let plain = World::new();
    plain.write("sub/train.py", "print('plain')\n");
    let (run, said) = plain.run(&["python3", "sub/train.py"]);
    assert_eq!((said.with_code(0).out.as_str(), &run["git"]), ("plain\n", &serde_json::Value::Null));
    assert!(plain.home().join("runs/1/work/sub/train.py").exists());
}

fn world_path(world: &World) -> String {
    let mut command = Command::new("true");
    world.settle(&mut command);
    command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path?.to_str()).expect("set").to_string()
}

#[test]
fn what_the_home_holds_is_for_its_owner_alone() {
    let world = World::new();
    repository(&world);
    world.run(&["python3", "train.py"]).1.with_code(0);
    // Copies of the researcher's files keep the modes that they had; the folders above them let nobody else in.
    let copies = [world.home().join("snapshots"), world.home().join("runs/1/work")];
    for path in all_below(&world.home()) {
        let meta = path.symlink_metadata().expect("there");
        if !meta.is_symlink() && !copies.iter().any(|copy| path.starts_with(copy) && path != copies[0]) {
            let mode = meta.permissions().mode() & 0o777;
            assert_eq!(mode, if meta.is_dir() { 0o700 } else { 0o600 }, "{} {mode:o}", path.display());
        }
    }
    assert_eq!(std::fs::metadata(world.home()).expect("there").permissions().mode() & 0o777, 0o700);
}

#[test]
fn in_place_runs_in_the_work_tree_and_the_record_says_so() {
    let world = World::new();
    repository(&world);
    world.run_spec("command = 'pwd -P; touch made-here'\n[code]\nin_place = true\n").with_code(0);
    let project = world.project().canonicalize().expect("there");
    assert_eq!(world.output(1, 1), format!("{}\n", project.display()));
    assert!(project.join("made-here").exists());
    let run = world.show(1);
    assert_eq!(run["code"]["snapshot"], serde_json::Value::Null, "{run:#}");
    let shown = world.say(&["show", "1"]).with_code(0).out;
    assert!(shown.contains("in place") || shown.contains("not frozen"), "{shown}");
}

#[test]
fn folders_that_are_linked_are_read_where_they_lie() {
    let world = World::new();
    repository(&world);
    world.write("data/train.bin", "numbers").write("secret.log", "ignored");
    world.write("code/train.sh", "cat ../data/train.bin; ls ..\n");
    world.run_spec("command = ['sh', 'train.sh']\n[code]\nlink = ['data/']\ndirectory = 'code'\n").with_code(0);
    let output = world.output(1, 1);
    assert!(output.starts_with("numbers"), "{output}");
    assert!(!output.contains("secret.log"), "{output}");
    let link = world.home().join("runs/1/work/data");
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert_eq!(link.canonicalize().expect("there"), world.project().canonicalize().expect("there").join("data"));
}

#[test]
fn a_snapshot_of_twenty_gigabytes_is_not_taken_and_the_largest_are_named() {
    let world = World::new();
    repository(&world);
    // Holes: they count by their length and cost nothing.
    let sparse = |name: String, bytes: u64| {
        world.write(&name, "");
        let file = std::fs::OpenOptions::new().write(true).open(world.project().join(name)).expect("ours");
        file.set_len(bytes).expect("a sparse file");
    };
    sparse("huge.bin".into(), 20 << 30);
    (0..300).for_each(|i| sparse(format!("shards/{i:04}.bin"), 9_900_000));
    (0..3000).for_each(|i| sparse(format!("many/{i}.txt"), 10));
    let (run, said) = world.run(&["sh", "-c", "pwd -P"]);
    let said = said.with_code(0);
    assert_eq!(said.out.trim(), world.project().canonicalize().expect("there").display().to_string());
    assert!(said.err.contains("the code is not frozen") && said.err.contains("shards"), "{said:#?}");
    assert!(text(&run["code"]["in_place"]).contains("MB"), "{run:#}");
    assert!(crate::world::disk_use(&world.home()) < 2 << 20);
}

#[test]
fn one_huge_file_is_linked_and_the_rest_is_frozen() {
    let world = World::new();
    repository(&world);
    let file = std::fs::File::create(world.project().join("huge.bin")).expect("made");
    file.set_len(20 << 30).expect("a sparse file");
    let (run, said) = world.run(&["sh", "-c", "pwd -P; wc -c < huge.bin"]);
    let work = world.home().canonicalize().expect("there").join("runs/1/work");
    assert_eq!(said.with_code(0).out, format!("{}\n{}\n", work.display(), 20u64 << 30));
    assert!(text(&run["code"]["large"]).contains("huge.bin"), "{run:#}");
    assert!(crate::world::disk_use(&world.home()) < 2 << 20);
}

#[test]
fn many_files_beyond_the_cap_run_in_place() {
    let world = World::new();
    for folder in 0..21 {
        let path = world.project().join(format!("f{folder}"));
        std::fs::create_dir(&path).expect("made");
        (0..1000).for_each(|i| drop(std::fs::File::create(path.join(i.to_string())).expect("made")));
    }
    let (run, said) = world.run(&["true"]);
    assert!(said.with_code(0).err.contains("the code is not frozen"));
    assert!(text(&run["code"]["in_place"]).contains("20000 files"), "{run:#}");
}

#[test]
fn a_submodule_that_is_not_checked_out_is_named() {
    let world = World::new();
    let library = world.path("library");
    std::fs::create_dir(&library).expect("made");
    std::fs::write(library.join("lib.py"), "X = 1\n").expect("written");
    world.git_in(&library, &["init", "-q"]);
    world.git_in(&library, &["add", "."]);
    world.git_in(&library, &["commit", "-qm", "library"]);
    repository(&world);
    let address = library.display().to_string();
    world.git(&["submodule", "--quiet", "add", &address, "vendor/lib"]);
    world.git(&["commit", "-qm", "with a library"]);
    // Checked out, it is part of the snapshot.
    let (_, said) = world.run(&["cat", "vendor/lib/lib.py"]);
    assert_eq!(said.with_code(0).out, "X = 1\n");
    world.git(&["submodule", "--quiet", "deinit", "--force", "--all"]);
    let said = world.say(&["run", "--", "python3", "train.py"]).with_code(0);
    assert!(said.err.contains("vendor/lib") && said.err.contains("git submodule update --init vendor/lib"), "{said:#?}");
    assert!(text(&world.show(2)["code"]["left_out"]).contains("vendor/lib"));
}
