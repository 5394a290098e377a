//! The code of a commit: its files, and nothing of the repository changed by looking at them.

use crate::tree::{Tree, git, paths};
use neronet_capture::code::{self, Caps, Survey};
use std::os::unix::fs::symlink;

fn survey(tree: &Tree, commit: &str) -> Survey {
    code::survey_commit(&tree.top, commit, &Caps::default()).expect("a survey")
}

fn refused(tree: &Tree, commit: &str) -> String {
    let said = code::survey_commit(&tree.top, commit, &Caps::default()).expect_err("refused").to_string();
    said.replace(&tree.top.display().to_string(), "[top]")
}

/// Everything that git keeps, by path and content, and what it says of the work tree.
fn state(tree: &Tree) -> (String, Vec<u8>, String, String) {
    let index = std::fs::read(tree.top.join(".git/index")).expect("an index");
    let asked = |words: &[&str]| git(&tree.top, words);
    (asked(&["status", "--porcelain"]), index, asked(&["worktree", "list"]), asked(&["for-each-ref"]))
}

#[test]
fn the_files_of_a_commit_are_frozen_and_the_repository_stays_as_it_is() {
    let tree = Tree::git();
    tree.put("train.py", "old\n").put("lib/a.py", "a\n").put(".gitignore", "data/\n").executable("train.py").commit();
    let first = git(&tree.top, &["rev-parse", "HEAD"]);
    git(&tree.top, &["tag", "v1.0"]);
    tree.put("train.py", "new\n").put("later.py", "").commit().put("train.py", "uncommitted\n").put("staged.py", "").put("data/x", "1");
    git(&tree.top, &["add", "staged.py"]);
    let before = state(&tree);
    for name in [&first[..7], &first, "v1.0", "HEAD~1", "main^"] {
        let survey = survey(&tree, name);
        assert_eq!(paths(&survey), [".gitignore", "lib/a.py", "train.py"]);
        let facts = survey.git.as_ref().expect("git's facts");
        assert_eq!((facts.commit.as_str(), facts.branch.as_str(), facts.dirty), (first.as_str(), "", false));
        assert_eq!(survey.top, tree.top);
        let place = survey.place().to_path_buf();
        assert_eq!(std::fs::read_to_string(place.join("train.py")).expect("a file"), "old\n");
        let stored = code::store(&survey, &tree.beside("snapshots")).expect("stored");
        let work = tree.beside(&format!("work-{}", name.len()));
        code::materialise(&tree.beside("snapshots"), &stored, &work, &["data".to_string()], &tree.top).expect("a copy");
        assert_eq!(std::fs::read_to_string(work.join("train.py")).expect("a file"), "old\n");
        assert_eq!(std::fs::read_to_string(work.join("data/x")).expect("linked"), "1");
        assert!(!work.join("later.py").exists());
        std::fs::remove_dir_all(work).expect("ours");
        drop(survey);
        assert!(!place.exists(), "nothing is left of the checkout");
    }
    assert_eq!(state(&tree), before);
}

#[test]
fn symlinks_lead_to_the_work_tree_where_the_commit_has_nothing() {
    let tree = Tree::git();
    tree.put("a.py", "").put(".gitignore", "data/\n").put("data/set.bin", "1").put("in/b.py", "");
    symlink("data", tree.top.join("own")).expect("a link");
    symlink("../outside", tree.top.join("out")).expect("a link");
    symlink("in/b.py", tree.top.join("within")).expect("a link");
    tree.commit();
    let here = tree.survey();
    let mut then = survey(&tree, "HEAD");
    then.links.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(then.links, here.links);
}

#[test]
fn what_names_no_commit_is_refused_and_never_read_as_an_option() {
    let tree = Tree::git();
    tree.put("a.py", "").commit();
    for name in ["", "-h", "--help", "--exec=x", "a b", "main..HEAD", "HEAD\n"] {
        assert!(refused(&tree, name).contains("is no commit"), "{name}");
    }
    assert!(refused(&tree, "0000000").contains("git knows no commit '0000000'"), "{}", refused(&tree, "0000000"));
    assert!(refused(&tree, "HEAD:a.py").contains("git knows no commit"), "{}", refused(&tree, "HEAD:a.py"));
    let plain = Tree::plain();
    assert!(refused(&plain, "main").contains("there is no git repository"), "{}", refused(&plain, "main"));
}

#[test]
fn an_ambiguous_hash_says_so() {
    let tree = Tree::git();
    tree.put("a.py", "").commit();
    // Git asks for four digits at least, and two of so many names begin alike more often than not.
    let mut names: Vec<String> = (0..400).map(|n| git(&tree.top, &["commit-tree", "HEAD^{tree}", "-m", &n.to_string()])).collect();
    names.sort_unstable();
    let twins = names.windows(2).find(|pair| pair[0][..4] == pair[1][..4] && pair[0] != pair[1]);
    if let Some(twins) = twins {
        let said = refused(&tree, &twins[0][..4]);
        assert!(said.contains("is ambiguous") && said.contains("write more of its hash"), "{said}");
    }
}

#[test]
fn filters_that_the_repository_brings_are_not_run_and_submodules_are_told() {
    let inner = Tree::git();
    inner.put("lib.py", "1\n").commit();
    let tree = Tree::git();
    tree.put("a.txt", "as it is\n").put(".gitattributes", "*.txt filter=evil\n").commit();
    git(&tree.top, &["submodule", "--quiet", "add", inner.top.to_str().expect("a path"), "vendor"]);
    tree.commit();
    let marker = tree.beside("marker");
    git(&tree.top, &["config", "filter.evil.smudge", &format!("touch {}; cat", marker.display())]);
    let survey = survey(&tree, "HEAD");
    assert!(!marker.exists());
    assert!(survey.left_out.iter().any(|(path, why)| path == "vendor" && why.contains("submodule")), "{:?}", survey.left_out);
    assert_eq!(survey.submodules.len(), 1);
}

#[test]
fn what_is_too_large_to_be_copied_is_refused_before_it_is_written() {
    let tree = Tree::git();
    tree.put("a.bin", vec![0; 3_000_000]).put("b.py", "").commit();
    let caps = Caps { bytes: 2_000_000, files: 20, large: 1_000_000 };
    let said = code::survey_commit(&tree.top, "HEAD", &caps).expect_err("refused").to_string();
    assert!(said.contains("commit HEAD holds 2 files of 3 MB together, and 20 files of 2 MB are copied at most"), "{said}");
    let caps = Caps { files: 1, ..Caps::default() };
    assert!(code::survey_commit(&tree.top, "HEAD", &caps).is_err());
}

#[test]
fn a_folder_that_the_commit_does_not_have_is_refused() {
    let tree = Tree::git();
    tree.put("a.py", "").commit().put("lab/b.py", "");
    let said = code::survey_commit(&tree.top.join("lab"), "HEAD", &Caps::default()).expect_err("refused").to_string();
    assert!(said.contains("commit HEAD has no folder 'lab'"), "{said}");
    tree.commit();
    let survey = code::survey_commit(&tree.top.join("lab"), "HEAD", &Caps::default()).expect("a survey");
    assert_eq!((survey.below.as_str(), paths(&survey)), ("lab", vec!["a.py", "lab/b.py"]));
}
