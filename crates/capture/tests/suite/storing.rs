//! Snapshots and the copies made of them.

use crate::tree::{Tree, holds, read};
use neronet_capture::code::{self, ChangeKind};
use sha2::{Digest, Sha256};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

#[test]
fn neither_the_source_nor_the_work_copy_changes_a_snapshot_and_no_two_copies_share_a_file() {
    let tree = Tree::git();
    tree.put("train.py", "one\n").put("run.sh", "#!/bin/sh\n").executable("run.sh").put("empty", "").commit();
    symlink("train.py", tree.top.join("link.py")).expect("a link");
    let hash = tree.store();
    let (first, second) = (tree.work("work1", &[]), tree.work("work2", &[]));
    tree.put("train.py", "two\n");
    std::fs::write(first.join("train.py"), "three\n").expect("the copy is writable");
    std::fs::write(first.join("model.pt"), "").expect("the folder is writable");
    assert_eq!(read(&second.join("train.py")), "one\n");
    assert_eq!(read(&second.join("link.py")), "one\n");
    assert!(second.join("link.py").is_symlink());
    let stored = tree.beside("snapshots").join(&hash).join("files");
    assert_eq!(read(&stored.join("train.py")), "one\n");
    let mode = |place: &Path| std::fs::metadata(place).expect("a file").mode() & 0o777;
    assert_eq!((mode(&stored.join("train.py")), mode(&stored.join("run.sh"))), (0o444, 0o555));
    assert_eq!((mode(&second.join("train.py")) & 0o300, mode(&second.join("run.sh")) & 0o300), (0o200, 0o300));
    assert_eq!(std::fs::metadata(second.join("train.py")).expect("a file").nlink(), 1);
}

#[test]
fn the_same_code_is_the_same_snapshot_and_unchanged_files_are_stored_once() {
    let tree = Tree::git();
    tree.put("a.py", "a\n").put("d/b.py", "b\n").commit();
    let first = tree.store();
    assert_eq!(tree.store(), first);
    tree.put("a.py", "changed\n");
    let second = tree.store();
    assert_ne!(first, second);
    let inode =
        |hash: &str, path: &str| std::fs::metadata(tree.beside("snapshots").join(hash).join("files").join(path)).expect("a file").ino();
    assert_eq!(inode(&first, "d/b.py"), inode(&second, "d/b.py"));
    assert_ne!(inode(&first, "a.py"), inode(&second, "a.py"));
    assert_eq!(code::diff_text(&tree.beside("snapshots"), &first), None);
    let diff = code::diff_text(&tree.beside("snapshots"), &second).expect("a diff");
    assert!(String::from_utf8(diff).expect("text").contains("+changed"));
}

#[test]
fn what_changes_between_survey_and_store_is_stored_as_it_was_copied() {
    let tree = Tree::git();
    tree.put("a.py", "a\n").put("b.py", "b\n").put("c.py", "c\n");
    let survey = tree.survey();
    tree.put("a.py", "other\n");
    std::fs::remove_file(tree.top.join("b.py")).expect("removed");
    let snapshots = tree.beside("snapshots");
    let hash = code::store(&survey, &snapshots).expect("a snapshot");
    let work = tree.beside("work");
    code::materialise(&snapshots, &hash, &work, &[], &tree.top).expect("a copy");
    assert_eq!((read(&work.join("a.py")).as_str(), work.join("b.py").exists()), ("other\n", false));
    let manifest = read(&snapshots.join(&hash).join("manifest.json"));
    let sha: String = Sha256::digest(b"other\n").iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(manifest.contains(&sha) && manifest.contains("vanished"), "{manifest}");
}

#[test]
fn many_who_store_the_same_at_once_get_one_whole_snapshot() {
    let tree = Tree::git();
    for i in 0..80 {
        tree.put(&format!("d{}/f{i}", i % 5), format!("{i}"));
    }
    let (survey, snapshots) = (tree.survey(), tree.beside("snapshots"));
    let names: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| code::store(&survey, &snapshots).expect("a snapshot"))).collect();
        all.into_iter().map(|one| one.join().expect("a thread")).collect()
    });
    assert!(names.iter().all(|name| *name == names[0]));
    assert_eq!(std::fs::read_dir(&snapshots).expect("a folder").count(), 1);
    code::materialise(&snapshots, &names[0], &tree.beside("work"), &[], &tree.top).expect("a copy");
    assert_eq!(read(&tree.beside("work").join("d4/f79")), "79");
}

#[test]
fn what_a_crash_left_half_built_is_not_believed_and_can_be_removed() {
    let tree = Tree::git();
    tree.put("a.py", "a\n");
    let snapshots = tree.beside("snapshots");
    let half = snapshots.join(".new-1-2/files");
    std::fs::create_dir_all(&half).expect("a folder");
    std::fs::write(half.join("a.py"), "").expect("half a file");
    std::fs::create_dir_all(tree.beside(".work.part/left")).expect("a folder");
    let work = tree.work("work", &[]);
    assert_eq!(read(&work.join("a.py")), "a\n");
    assert!(!work.join("left").exists());
    assert_eq!(code::remove_unfinished(&snapshots, std::time::UNIX_EPOCH), 0);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    assert_eq!(code::remove_unfinished(&snapshots, later), 1);
    assert_eq!(
        code::materialise(&snapshots, ".new-1-2", &tree.beside("w"), &[], &tree.top).expect_err("no name").what,
        "'.new-1-2' is no snapshot's name"
    );
}

#[test]
fn large_files_and_linked_folders_are_symlinks_to_the_original_place() {
    let tree = Tree::git();
    tree.put(".gitignore", "data/\n").put("data/x", "x").put("cfg/kept", "k").put("cfg/over", "o").put("deep/er/f", "");
    std::fs::create_dir_all(tree.beside("elsewhere")).expect("a folder");
    let file = std::fs::File::create(tree.top.join("deep/big.bin")).expect("a file");
    file.set_len(101_000_000).expect("a length");
    let elsewhere = tree.beside("elsewhere");
    let work = tree.work("work", &["data/", "./cfg", "cfg/over", elsewhere.to_str().expect("a path")]);
    let target = |path: &str| std::fs::read_link(work.join(path)).expect("a link");
    assert_eq!(target("data"), tree.top.join("data"));
    assert_eq!(target("cfg"), tree.top.join("cfg"));
    assert_eq!(target("deep/big.bin"), tree.top.join("deep/big.bin"));
    assert_eq!(target("elsewhere"), elsewhere);
    assert!(work.join("deep/er/f").is_file());
}

#[test]
fn a_large_file_that_has_room_is_a_run_s_own() {
    let tree = Tree::git();
    tree.put("train.py", "").put("model.pt", vec![b'a'; 10_000_001]);
    let work = tree.work("work", &[]);
    std::fs::write(work.join("model.pt"), "the run's").expect("written");
    assert_eq!(std::fs::metadata(tree.top.join("model.pt")).expect("there").len(), 10_000_001);
}

#[test]
fn folders_that_hold_nothing_of_the_snapshot_are_there_in_the_work_copy() {
    let made = |work: &Path| -> Vec<String> {
        let folders = |folder: &Path| -> Vec<std::path::PathBuf> {
            let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
            entries.filter(|path| path.is_dir()).collect()
        };
        let mut waiting = folders(work);
        let mut found = Vec::new();
        while let Some(folder) = waiting.pop() {
            waiting.extend(folders(&folder));
            found.push(folder.strip_prefix(work).expect("below").display().to_string());
        }
        found.sort();
        found
    };
    let fill = |tree: &Tree| {
        tree.put("src/a.py", "").put("venv/pyvenv.cfg", "").put(".cache/x/y", "").put("src/__pycache__/a.pyc", "");
        tree.put("home/home.lock", "").put("home/journal/1", "");
        for folder in ["out", "src/results", "deep/er/empty"] {
            std::fs::create_dir_all(tree.top.join(folder)).expect("a folder");
        }
    };
    let git = Tree::git();
    fill(&git);
    git.put(".gitignore", "logs/\nvenv/\n.cache/\n__pycache__/\n").put("logs/1/log.txt", "").put("src/logs/x", "");
    assert_eq!(made(&git.work("work", &[])), ["deep", "logs", "out", "src", "src/logs", "src/results"]);
    assert_eq!(git.store(), git.store());
    // What is linked is not empty.
    assert_eq!(std::fs::read_link(git.work("linked", &["logs"]).join("logs")).expect("a link"), git.top.join("logs"));
    let plain = Tree::plain();
    fill(&plain);
    std::fs::remove_dir_all(plain.top.join(".cache")).expect("removed");
    assert_eq!(made(&plain.work("work", &[])), ["deep", "deep/er", "deep/er/empty", "out", "src", "src/results"]);
}

#[test]
fn a_symlink_that_leaves_the_tree_and_comes_back_leads_into_the_work_copy() {
    let tree = Tree::git();
    tree.put("src/a.py", "one\n");
    symlink("../../tree/src/a.py", tree.top.join("src/back")).expect("a link");
    let work = tree.work("work", &[]);
    std::fs::write(work.join("src/a.py"), "two\n").expect("written");
    assert_eq!(read(&work.join("src/back")), "two\n");
}

#[test]
fn what_could_not_be_copied_out_again_is_not_stored() {
    let tree = Tree::git();
    tree.put("a.py", "");
    let mut survey = tree.survey();
    survey.files[0].path = "../a.py".to_string();
    let error = code::store(&survey, &tree.beside("snapshots")).expect_err("refused");
    assert!(error.what.contains("would leave the run's folder") && !tree.beside("snapshots").exists(), "{error}");
}

#[test]
fn links_that_would_leave_the_work_copy_or_lead_nowhere_are_refused_and_leave_nothing() {
    let tree = Tree::git();
    tree.put("a.py", "");
    symlink("/tmp", tree.top.join("away")).expect("a link");
    let (hash, snapshots, work) = (tree.store(), tree.beside("snapshots"), tree.beside("work"));
    for link in ["../x", "a/../../x", "", "/", "not-there", "away/x"] {
        let refused = code::materialise(&snapshots, &hash, &work, &[link.to_string()], &tree.top);
        let error = refused.expect_err(link);
        assert!(!error.remedy.is_empty() && !work.exists(), "{link}: {error}");
    }
}

/// Puts a manifest of one's own making, under its right name.
fn forge(snapshots: &Path, edit: impl Fn(&mut serde_json::Value), from: &str) -> String {
    let mut manifest: serde_json::Value = serde_json::from_str(&read(&snapshots.join(from).join("manifest.json"))).expect("json");
    edit(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).expect("json");
    let name: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::create_dir_all(snapshots.join(&name).join("files")).expect("a folder");
    std::fs::write(snapshots.join(&name).join("manifest.json"), bytes).expect("a manifest");
    name
}

#[test]
fn manifests_that_lead_out_of_the_work_copy_or_are_damaged_or_newer_are_refused() {
    let tree = Tree::git();
    tree.put("a.py", "");
    let (hash, snapshots) = (tree.store(), tree.beside("snapshots"));
    let link = |path: &str, target: &str, outside: bool| serde_json::json!({"path": path, "target": target, "outside": outside});
    let forged = [
        forge(&snapshots, |m| m["files"][0]["path"] = "../out".into(), &hash),
        forge(&snapshots, |m| m["files"][0]["path"] = "/tmp/out".into(), &hash),
        forge(&snapshots, |m| m["files"][0]["path"] = "x/./out".into(), &hash),
        forge(&snapshots, |m| m["folders"] = serde_json::json!(["a/../../out"]), &hash),
        forge(&snapshots, |m| m["links"] = serde_json::json!([link("l", "../out", false)]), &hash),
        forge(&snapshots, |m| m["links"] = serde_json::json!([link("l", "/out", false)]), &hash),
        forge(&snapshots, |m| (m["links"], m["files"][0]["path"]) = (serde_json::json!([link("l", "/tmp", true)]), "l/out".into()), &hash),
        forge(&snapshots, |m| m["format"] = 99.into(), &hash),
    ];
    for name in forged {
        let error = code::materialise(&snapshots, &name, &tree.beside("work"), &[], &tree.top).expect_err("refused");
        assert!(!tree.beside("work").exists() && !tree.beside("out").exists(), "{error}");
    }
    let place = snapshots.join(&hash).join("manifest.json");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o644)).expect("a mode");
    std::fs::write(&place, read(&place).replace("a.py", "b.py")).expect("damage");
    let error = code::materialise(&snapshots, &hash, &tree.beside("work"), &[], &tree.top).expect_err("damaged");
    assert!(error.what.contains("damaged"), "{error}");
}

#[test]
fn a_stored_file_that_was_cut_short_is_noticed() {
    let tree = Tree::git();
    tree.put("a.py", "abcdef");
    let (hash, snapshots) = (tree.store(), tree.beside("snapshots"));
    let place = snapshots.join(&hash).join("files/a.py");
    for content in ["", "abc", "abcdefg"] {
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o644)).expect("a mode");
        std::fs::write(&place, content).expect("damage");
        let error = code::materialise(&snapshots, &hash, &tree.beside("work"), &[], &tree.top).expect_err("cut");
        assert!(error.what.contains("should have 6"), "{error}");
    }
}

#[test]
fn no_canary_of_a_secret_file_reaches_snapshot_diff_or_cache() {
    let tree = Tree::git();
    tree.put(".env", "A=old-canary\n").put("keys/id_rsa", "old-canary").put("a.py", "1\n").commit();
    tree.put(".env", "A=canary-new\n").put("cert.key", "canary").put("a.py", "2\n").put("sub/.npmrc", "//x/:_authToken=canary\n");
    tree.put("ca.pem", "-----BEGIN CERTIFICATE-----\n").put(".env.example", "A=\n");
    std::fs::remove_file(tree.top.join("keys/id_rsa")).expect("removed");
    let survey = tree.survey();
    let left_out: Vec<&str> = survey.left_out.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(left_out, [".env", "cert.key", "sub/.npmrc"]);
    let work = tree.work("work", &[]);
    assert!(work.join("ca.pem").is_file() && work.join(".env.example").is_file());
    for folder in ["snapshots", "cache", "work"] {
        assert!(!holds(&tree.beside(folder), "canary"), "{folder}");
    }
    assert!(holds(&tree.beside("snapshots"), "+2"));
}

#[test]
fn two_snapshots_are_compared_file_by_file() {
    let tree = Tree::git();
    tree.put("same", "").put("edit.py", "a\nb\nc\n").put("gone", "x\n").put("bin", b"\0\xff").put("run.sh", "");
    let first = tree.store();
    tree.put("edit.py", "a\nB\nc\n").put("new", "n\n").put("bin", b"\0\xfe").executable("run.sh");
    std::fs::remove_file(tree.top.join("gone")).expect("removed");
    let second = tree.store();
    let changes = code::changed_files(&tree.beside("snapshots"), &first, &second).expect("changes");
    let short: Vec<_> = changes.iter().map(|change| (change.path.as_str(), change.kind, change.diff.as_deref())).collect();
    let edited = "--- a/edit.py\n+++ b/edit.py\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    assert_eq!(
        short,
        [
            ("bin", ChangeKind::Changed, None),
            ("edit.py", ChangeKind::Changed, Some(edited)),
            ("gone", ChangeKind::Removed, Some("--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n")),
            ("new", ChangeKind::Added, Some("--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n")),
            ("run.sh", ChangeKind::Changed, Some("only the permission to execute has changed\n")),
        ]
    );
}

#[test]
fn an_empty_start_folder_is_there_in_the_work_copy() {
    let tree = Tree::git();
    tree.put("a.py", "").commit();
    std::fs::create_dir(tree.top.join("out")).expect("a folder");
    let survey = code::survey(&tree.top.join("out"), None, &code::Caps::default(), &tree.beside("cache")).expect("a survey");
    let hash = code::store(&survey, &tree.beside("snapshots")).expect("a snapshot");
    code::materialise(&tree.beside("snapshots"), &hash, &tree.beside("work"), &[], &survey.top).expect("a copy");
    assert!(tree.beside("work/out").is_dir() && tree.beside("work/a.py").is_file());
}

#[test]
fn what_a_power_cut_emptied_is_put_right_and_what_the_run_changed_stays() {
    let tree = Tree::git();
    tree.put("train.py", "one\n").put("lib/model.py", "two\n").put("empty.py", "").put("notes.txt", "three\n").commit();
    let hash = tree.store();
    let work = tree.work("work", &[]);
    std::fs::write(work.join("train.py"), "").expect("emptied");
    std::fs::remove_dir_all(work.join("lib")).expect("lost");
    std::fs::write(work.join("notes.txt"), "changed by the run\n").expect("written");
    let mended = code::mend(&tree.beside("snapshots"), &hash, &work, &[], &tree.top).expect("mended");
    assert_eq!(mended, 2);
    let now = ["train.py", "lib/model.py", "empty.py", "notes.txt"].map(|name| read(&work.join(name)));
    assert_eq!(now, ["one\n", "two\n", "", "changed by the run\n"]);
    // What was built is put right from the build, and what that took away stays away.
    let built = tree.work("built", &[]);
    std::fs::remove_file(built.join("notes.txt")).expect("there");
    std::fs::write(built.join("sim"), "built\n").expect("written");
    let copy = tree.beside("copy");
    code::copy_built(&tree.beside("snapshots"), &hash, &built, &copy, &[], &tree.top).expect("a copy");
    std::fs::write(copy.join("sim"), "").expect("emptied");
    std::fs::remove_dir_all(copy.join("lib")).expect("lost");
    assert_eq!(code::mend_built(&built, &copy).expect("mended"), 2);
    assert_eq!(["sim", "lib/model.py"].map(|name| read(&copy.join(name))), ["built\n", "two\n"]);
    assert!(!copy.join("notes.txt").exists());
}
