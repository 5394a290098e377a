//! What a survey finds, and what it leaves out.

use crate::tree::{Tree, git, paths};
use neronet_capture::code::{self, Caps};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

#[test]
fn uncommitted_and_untracked_files_belong_to_the_survey_and_ignored_and_deleted_ones_do_not() {
    let tree = Tree::git();
    tree.put("a.py", "1\n").put("gone.py", "x\n").put(".gitignore", "*.log\ndata/\n").commit();
    tree.put("a.py", "2\n").put("new dir/b.py", "3\n").put("x.log", "").put("data/big", "");
    std::fs::remove_file(tree.top.join("gone.py")).expect("removed");
    let survey = tree.survey();
    assert_eq!(paths(&survey), [".gitignore", "a.py", "new dir/b.py"]);
    assert_eq!(survey.untracked, ["new dir/b.py"]);
    let facts = survey.git.expect("git's facts");
    assert_eq!((facts.commit, facts.branch.as_str(), facts.dirty), (git(&tree.top, &["rev-parse", "HEAD"]), "main", true));
    let diff = String::from_utf8(survey.diff).expect("text");
    assert!(diff.contains("-1\n+2\n") && diff.contains("gone.py"), "{diff}");
}

#[test]
fn a_clean_tree_is_clean_and_every_kind_of_change_makes_it_dirty_with_and_without_the_cache() {
    let tree = Tree::git();
    tree.put("a.py", "1\n").put("b.py", "1\n").commit();
    let dirty = || tree.survey().git.expect("git's facts").dirty;
    for _ in 0..2 {
        assert!(!dirty());
    }
    tree.put("a.py", "2\n");
    assert!(dirty() && dirty());
    tree.put("a.py", "1\n");
    assert!(!dirty());
    git(&tree.top, &["rm", "-q", "--cached", "b.py"]);
    assert!(dirty() && dirty());
    git(&tree.top, &["reset", "-q"]);
    assert!(!dirty());
    std::fs::remove_file(tree.top.join("b.py")).expect("removed");
    assert!(dirty() && dirty());
    tree.put("b.py", "1\n");
    assert!(!dirty());
    tree.put("c.py", "");
    assert!(dirty());
    tree.commit();
    assert!(!dirty());
    symlink("a.py", tree.top.join("l")).expect("a link");
    assert!(dirty());
    tree.commit();
    assert!(!dirty());
    tree.executable("c.py");
    assert!(dirty());
}

#[test]
fn a_warm_survey_says_the_same_as_a_cold_one() {
    let tree = Tree::git();
    for i in 0..60 {
        tree.put(&format!("d{}/f{i}.py", i % 7), format!("{i}\n"));
    }
    tree.commit().put("d1/f1.py", "changed\n").put("u.py", "");
    // Files that rest are remembered; their times are set back instead of waiting.
    for entry in std::fs::read_dir(tree.top.join("d2")).expect("a folder").flatten() {
        let file = std::fs::File::open(entry.path()).expect("a file");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).expect("a time");
    }
    let cold = tree.survey();
    assert_eq!(tree.survey(), cold);
    let without = code::survey(&tree.top, None, &Caps::default(), std::path::Path::new("/proc/no-cache")).expect("a survey");
    assert_eq!(without, cold);
    std::fs::write(tree.beside("cache").join("junk.json"), "{").expect("junk");
    for entry in std::fs::read_dir(tree.beside("cache")).expect("a folder").flatten() {
        std::fs::write(entry.path(), b"{\"format\":1,").expect("damage");
    }
    assert_eq!(tree.survey(), cold);
}

#[test]
fn odd_names_survive_and_names_that_are_no_utf8_are_left_out_with_a_word() {
    let tree = Tree::git();
    let names = ["with space", "new\nline", "tab\there", "quote\"s'", "ünï-日本", "-dash", "back\\slash", "?star*"];
    for name in names {
        tree.put(name, name);
    }
    std::fs::write(tree.top.join(std::ffi::OsStr::from_bytes(b"bad\xff")), "").expect("a file");
    for tracked in [false, true] {
        if tracked {
            tree.commit();
        }
        let survey = tree.survey();
        let mut sorted = names;
        sorted.sort_unstable();
        assert_eq!(paths(&survey), sorted);
        assert_eq!(survey.left_out.len(), 1);
        assert!(survey.left_out[0].1.contains("UTF-8"));
    }
}

#[test]
fn submodules_are_included_where_checked_out_and_named_where_not() {
    let inner = Tree::git();
    inner.put("lib.py", "1\n").put(".gitignore", "*.o\n").commit();
    let tree = Tree::git();
    tree.put("main.py", "").commit();
    let url = inner.top.to_str().expect("a path");
    git(&tree.top, &["submodule", "--quiet", "add", url, "vendor/there"]);
    git(&tree.top, &["submodule", "--quiet", "add", url, "absent"]);
    tree.commit();
    git(&tree.top, &["submodule", "--quiet", "deinit", "-f", "absent"]);
    let survey = tree.survey();
    assert_eq!(paths(&survey), [".gitmodules", "main.py", "vendor/there/.gitignore", "vendor/there/lib.py"]);
    assert!(!survey.git.as_ref().expect("facts").dirty);
    assert_eq!(survey.left_out.len(), 1);
    assert!(
        survey.left_out[0].0 == "absent" && survey.left_out[0].1.contains("git submodule update --init absent"),
        "{:?}",
        survey.left_out
    );
    let checked_out: Vec<_> = survey.submodules.iter().map(|module| (module.path.as_str(), module.checked_out)).collect();
    assert_eq!(checked_out, [("absent", false), ("vendor/there", true)]);

    tree.put("vendor/there/lib.py", "2\n").put("vendor/there/more.py", "").put("vendor/there/x.o", "");
    let survey = tree.survey();
    assert!(paths(&survey).contains(&"vendor/there/more.py") && !paths(&survey).contains(&"vendor/there/x.o"));
    assert!(survey.git.expect("facts").dirty);
    let diff = String::from_utf8(survey.diff).expect("text");
    assert!(diff.contains("b/vendor/there/lib.py") && diff.contains("+2"), "{diff}");
}

#[test]
fn worktrees_detached_heads_packed_refs_and_repositories_without_a_commit_are_read() {
    let tree = Tree::git();
    tree.put("a.py", "");
    let facts = tree.survey().git.expect("facts");
    assert_eq!((facts.commit.as_str(), facts.branch.as_str(), facts.dirty), ("", "main", true));
    tree.commit();
    git(&tree.top, &["pack-refs", "--all"]);
    let commit = git(&tree.top, &["rev-parse", "HEAD"]);
    assert_eq!(tree.survey().git.expect("facts").commit, commit);

    let second = tree.beside("second");
    git(&tree.top, &["worktree", "add", "-q", "-b", "feature/x", second.to_str().expect("a path")]);
    let survey = code::survey(&second, None, &Caps::default(), &tree.beside("cache")).expect("a survey");
    let facts = survey.git.clone().expect("facts");
    assert_eq!((facts.commit, facts.branch.as_str(), facts.dirty), (commit.clone(), "feature/x", false));
    assert_eq!(paths(&survey), ["a.py"]);

    git(&tree.top, &["checkout", "-q", "--detach"]);
    let facts = tree.survey().git.expect("facts");
    assert_eq!((facts.commit, facts.branch.as_str()), (commit, ""));
}

#[test]
fn a_start_below_the_top_is_told_and_an_ignored_start_folder_is_taken_along() {
    let tree = Tree::git();
    tree.put("src/a.py", "").put(".gitignore", "scratch/\nother/\n").commit();
    tree.put("scratch/try.py", "").put("other/no.py", "");
    let start = |below: &str| code::survey(&tree.top.join(below), None, &Caps::default(), &tree.beside("cache")).expect("a survey");
    let survey = start("src");
    assert_eq!((survey.top.as_path(), survey.below.as_str()), (tree.top.as_path(), "src"));
    assert_eq!(paths(&survey), [".gitignore", "src/a.py"]);
    assert_eq!(paths(&start("scratch")), [".gitignore", "scratch/try.py", "src/a.py"]);
}

#[test]
fn without_git_the_folder_is_walked_and_environments_and_caches_are_skipped() {
    let tree = Tree::plain();
    tree.put("a.py", "1").put("pkg/b.py", "").put("pkg/__pycache__/b.pyc", "").put("c.pyc", "");
    tree.put("my-env/pyvenv.cfg", "").put("my-env/lib/x.py", "").put("node_modules/x/y.js", "").put(".git/HEAD.txt", "").put(".env", "X=1");
    let survey = tree.survey();
    assert_eq!(paths(&survey), ["a.py", "pkg/b.py"]);
    assert_eq!(survey.git, None);
    assert_eq!(survey.left_out, [(".env".to_string(), "it looks like a secret".to_string())]);
}

#[test]
fn a_repository_that_git_refuses_is_walked_with_a_word() {
    let tree = Tree::git();
    tree.put("a.py", "").commit();
    std::fs::write(tree.top.join(".git/config"), "[core\nbroken").expect("damage");
    let survey = tree.survey();
    assert_eq!(paths(&survey), ["a.py"]);
    assert!(survey.notes[0].contains("git does not list the files"), "{:?}", survey.notes);
    assert!(survey.git.expect("facts").dirty, "what cannot be known must not be called clean");
}

#[test]
fn nothing_that_a_repository_configures_is_executed() {
    let tree = Tree::git();
    tree.put("a.txt", "1\n").put("b.py", "1\n").put(".gitattributes", "*.txt filter=evil diff=evil\n*.py filter=a=b\n").commit();
    let trap = tree.beside("trap");
    let set = format!("touch {}; cat", trap.display());
    for key in [
        "core.fsmonitor",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.a=b.clean",
        "core.pager",
        "filter.evil.process",
    ] {
        git(&tree.top, &["config", key, &set]);
    }
    git(&tree.top, &["config", "filter.evil.required", "true"]);
    for hook in ["post-index-change", "fsmonitor-watchman"] {
        let place = tree.top.join(".git/hooks").join(hook);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("a folder");
        std::fs::write(&place, format!("#!/bin/sh\n{set}\n")).expect("a hook");
        std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    }
    tree.put("a.txt", "2\n").put("b.py", "2\n");
    let survey = tree.survey();
    assert!(!trap.exists(), "a configured program was run");
    assert!(String::from_utf8(survey.diff).expect("text").contains("+2"));
}

#[test]
fn a_huge_sparse_file_is_linked_and_many_bytes_or_files_end_the_survey_early() {
    let tree = Tree::git();
    tree.put("a.py", "").put("data/one.bin", [0; 600]).put("data/two.bin", [0; 500]);
    let file = std::fs::File::create(tree.top.join("huge.bin")).expect("a file");
    file.set_len(20_000_000_000).expect("a length");
    let survey = tree.survey();
    assert_eq!((survey.large.len(), survey.large[0].size), (1, 20_000_000_000));
    assert_eq!(survey.in_place_because, None);
    let caps = |bytes, files| Caps { bytes, files, ..Caps::default() };
    let why = tree.survey_with(&caps(1000, 100)).in_place_because.expect("too big");
    assert!(why.contains("data/one.bin (0.6 kB)") && why.contains(".gitignore"), "{why}");
    let why = tree.survey_with(&caps(10_000, 2)).in_place_because.expect("too many");
    assert!(why.contains("more than 2 files") && why.contains("data (2 seen)"), "{why}");
    let plain = Tree::plain();
    for i in 0..50 {
        plain.put(&format!("d/{i}"), "");
    }
    assert!(plain.survey_with(&caps(1000, 10)).in_place_because.is_some());
}

#[test]
fn large_files_are_frozen_while_there_is_room_and_what_runs_save_is_never_linked() {
    let tree = Tree::git();
    tree.put("a.py", [0; 50]).put("c.bin", [0; 300]).put("b.bin", [0; 500]).put("ckpt/d.pt", [0; 600]).put("e.bin", [0; 700]);
    let caps = Caps { bytes: 1000, large: 100, ..Caps::default() };
    let mut survey = tree.survey_with(&caps);
    assert_eq!(paths(&survey), ["a.py", "b.bin", "c.bin"]);
    assert_eq!(tree.survey_with(&caps), survey);
    let linked = |survey: &code::Survey| survey.large.iter().map(|large| large.path.clone()).collect::<Vec<_>>();
    assert_eq!(linked(&survey), ["ckpt/d.pt", "e.bin"]);
    survey.leave_out_saved(|path| path.starts_with("ckpt/"));
    assert_eq!(linked(&survey), ["e.bin"]);
    assert_eq!(survey.left_out, [("ckpt/d.pt".to_string(), "runs save it: [checkpoints] paths names it".to_string())]);
    // With more room, and from the cache of when there was less.
    let more = tree.survey_with(&Caps { bytes: 1500, ..caps });
    assert_eq!(paths(&more), ["a.py", "b.bin", "c.bin", "ckpt/d.pt"]);
    assert!(more.files.iter().all(|file| file.sha256.len() == 64));
}

#[test]
fn the_home_folder_what_holds_it_and_the_root_are_never_copied() {
    let tree = Tree::git();
    tree.put("inner/a.py", "").commit();
    for home in [tree.top.clone(), tree.top.join("inner")] {
        let survey = code::survey(&tree.top, Some(&home), &Caps::default(), &tree.beside("cache")).expect("a survey");
        assert!(survey.in_place_because.is_some_and(|why| why.contains("home folder")));
        assert!(survey.git.is_some_and(|facts| !facts.commit.is_empty()));
        assert!(survey.files.is_empty());
    }
    let root = code::survey("/".as_ref(), None, &Caps::default(), &tree.beside("cache")).expect("a survey");
    assert!(root.in_place_because.is_some());
}

#[test]
fn symlinks_stay_inside_or_point_to_the_original_place() {
    let tree = Tree::git();
    tree.put("src/a.py", "").put(".gitignore", "data/\n").put("data/x", "").put("real/f.py", "").commit();
    symlink("src/a.py", tree.top.join("near")).expect("a link");
    symlink("data", tree.top.join("ignored")).expect("a link");
    symlink("/etc/hostname", tree.top.join("far")).expect("a link");
    symlink(tree.top.join("src"), tree.top.join("real/absolute")).expect("a link");
    let links: Vec<_> = tree.survey().links.into_iter().map(|link| (link.path, link.target, link.outside)).collect();
    let data = tree.top.join("data").to_str().expect("a path").to_string();
    let expected =
        [("far", "/etc/hostname", true), ("ignored", data.as_str(), true), ("near", "src/a.py", false), ("real/absolute", "../src", false)];
    assert_eq!(links, expected.map(|(path, target, outside)| (path.to_string(), target.to_string(), outside)));

    // A folder of the index that has become a link: what lies behind it is not the repository's.
    std::fs::remove_dir_all(tree.top.join("real")).expect("removed");
    symlink("/etc", tree.top.join("real")).expect("a link");
    assert!(paths(&tree.survey()).iter().all(|path| !path.starts_with("real/")));
}

#[test]
fn pipes_sockets_and_neronets_own_home_are_no_code() {
    let tree = Tree::git();
    tree.put("a.py", "").put("home/home.lock", "").put("home/journal/1", "").put("home/runs/1/x", "");
    let made = std::process::Command::new("mkfifo").arg(tree.top.join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.top.join("socket")).expect("a socket");
    let survey = tree.survey();
    assert_eq!(paths(&survey), ["a.py"]);
    let home = code::survey(&tree.top.join("home"), None, &Caps::default(), &tree.beside("cache")).expect("a survey");
    assert_eq!(home.in_place_because, None);
    let bare = Tree::plain();
    bare.put("home.lock", "").put("journal/1", "");
    assert!(bare.survey().in_place_because.is_some_and(|why| why.contains("own home")));
    // Git does not list them at all; a walk says what they are.
    let plain = Tree::plain();
    assert!(std::process::Command::new("mkfifo").arg(plain.top.join("pipe")).status().expect("mkfifo runs").success());
    assert!(plain.survey().left_out[0].1.contains("pipe"));
}

#[test]
fn a_submodule_that_is_not_checked_out_is_no_secret_in_the_diff() {
    let inner = Tree::git();
    inner.put("lib.py", "1\n").commit();
    let tree = Tree::git();
    tree.put("main.py", "").commit();
    git(&tree.top, &["submodule", "--quiet", "add", inner.top.to_str().expect("a path"), "vendor"]);
    tree.commit();
    inner.put("lib.py", "2\n").commit();
    let newer = git(&inner.top, &["rev-parse", "HEAD"]);
    git(&tree.top, &["submodule", "--quiet", "deinit", "-f", "vendor"]);
    git(&tree.top, &["update-index", "--cacheinfo", &format!("160000,{newer},vendor")]);
    let survey = tree.survey();
    let diff = String::from_utf8(survey.diff).expect("text");
    assert!(diff.contains(&newer[..7]) && !diff.contains("secret"), "{diff}");
    assert_eq!(survey.submodules[0].commit, newer);
}

#[test]
fn a_repository_inside_that_is_no_submodule_is_taken_along() {
    let tree = Tree::git();
    tree.put("main.py", "").commit();
    tree.put("lib/a.py", "").put("lib/.gitignore", "*.o\n").put("lib/x.o", "");
    git(&tree.top.join("lib"), &["init", "-q"]);
    git(&tree.top.join("lib"), &["add", "-A"]);
    git(&tree.top.join("lib"), &["commit", "-q", "-m", "inner"]);
    let survey = tree.survey();
    assert_eq!(paths(&survey), ["lib/.gitignore", "lib/a.py", "main.py"]);
    assert!(survey.git.expect("facts").dirty, "the outer commit does not hold it");
}

#[test]
fn a_tracked_file_that_is_put_back_unchanged_to_git_or_changed_shows_at_once() {
    let tree = Tree::git();
    tree.put("a.py", "1\n").put("b.py", "1\n").commit();
    std::fs::remove_file(tree.top.join("a.py")).expect("removed");
    tree.survey();
    tree.survey();
    tree.put("a.py", "2\n");
    let survey = tree.survey();
    assert_eq!(paths(&survey), ["a.py", "b.py"]);
    assert!(String::from_utf8(survey.diff).expect("text").contains("+2"));
}

#[test]
fn a_folder_that_git_cannot_read_is_named_and_a_file_that_cannot_be_read_is_left_out() {
    use std::os::unix::fs::PermissionsExt;
    let tree = Tree::git();
    tree.put("a.py", "").put("shut/x.py", "").put("shut.py", "x");
    let mode = |path: &str, mode: u32| std::fs::set_permissions(tree.top.join(path), PermissionsExt::from_mode(mode)).expect("a mode");
    mode("shut", 0o000);
    mode("shut.py", 0o000);
    let survey = tree.survey();
    mode("shut", 0o755);
    // Root reads everything; everybody else is told what is missing.
    if std::fs::File::open(tree.top.join("shut.py")).is_ok() {
        assert_eq!(paths(&survey), ["a.py", "shut.py", "shut/x.py"]);
    } else {
        assert_eq!(paths(&survey), ["a.py"]);
        assert!(survey.notes[0].contains("shut") && survey.left_out[0].1.contains("cannot be read"), "{survey:?}");
    }
}
