//! Mistakes in `[[file]]`: templates and edits.

use crate::malformed::refused;

#[test]
fn a_file_that_says_nothing() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
to = "a.txt"
"#
    ));
}

#[test]
fn a_file_that_says_too_much() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
template = "a.in"
edit = "a.yaml"
to = "a.txt"
[[file]]
template = "b.in"
to = "b.txt"
set = { x = 1 }
"#
    ));
}

#[test]
fn files_that_lead_out() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
template = "../a.in"
to = "a.txt"
[[file]]
template = "b.in"
to = "/tmp/b.txt"
[[file]]
template = "~/c.in"
to = "sub/"
"#
    ));
}

#[test]
fn two_files_in_one_place() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
template = "a.in"
to = "config.yaml"
[[file]]
edit = "./config.yaml"
set = { x = 1 }
[[file]]
template = "b.in"
to = "b.in"
"#
    ));
}

#[test]
fn an_edit_that_sets_nothing() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
edit = "a.yaml"
[[file]]
edit = "b.yaml"
set = {}
[[file]]
edit = "c.yaml"
set = ["x"]
"#
    ));
}

#[test]
fn an_edit_of_another_kind_of_file() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
edit = "solver.prototxt"
set = { x = 1 }
"#
    ));
    let said = refused("command = \"t\"\nparams.lr = 1\n[[file]]\nedit = \"a.txt\"\nset = { x = \"{lr}\" }\n");
    assert!(!said.contains("used nowhere"), "it would be used in the file: {said}");
}

#[test]
fn values_that_cannot_be_set() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[[file]]
edit = "a.yaml"
set = { "a..b" = 1, c = [{ d = 1 }], e.f = "{lrr}", "e.f" = 2, g = "{flags}", h = "{target.x}" }
[params]
lr = 1
"#
    ));
}

#[test]
fn an_edit_of_the_users_own_file() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[code]
in_place = true
[[file]]
edit = "a.yaml"
set = { x = 1 }
"#
    ));
}

#[test]
fn a_file_in_single_brackets() {
    insta::assert_snapshot!(refused(
        r#"command = "t"
[file]
template = "a.in"
to = "a"
"#
    ));
}
