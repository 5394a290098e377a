//! What is refused: in which words, with which exit code.

use crate::world::World;

#[test]
fn words_that_name_nothing_say_what_there_is() {
    let world = World::with_sweep();
    for (name, words) in [
        ("error_no_run", &["show", "77"][..]),
        ("error_no_name", &["logs", "nobody"]),
        ("error_no_match", &["compare", "lr > 7"]),
        ("error_many", &["show", "toy"]),
        ("error_alone", &["compare", "1"]),
        ("error_metric", &["metrics", "1", "lsos"]),
        ("error_plot_metric", &["plot", "1-2", "-m", "accuracy"]),
        ("error_sort", &["ls", "--sort", "tets_acc"]),
        ("error_fields", &["ls", "--fields", "id,colour"]),
        ("error_filter", &["ls", "lr >"]),
        ("error_attempt", &["logs", "1", "--attempt", "2"]),
        ("error_ending", &["plot", "1", "-o", "curve.gif"]),
        ("error_smooth", &["plot", "1", "--smooth", "1"]),
        ("error_size", &["plot", "1", "--size", "10"]),
    ] {
        world.compare(name, &world.neronet(words).refused(2));
    }
}

#[test]
fn an_empty_home_says_how_to_begin() {
    let world = World::new();
    for words in [&["show"][..], &["logs", "3"], &["plot"], &["rm", "1", "-y"], &["tag", "1", "a"]] {
        let refused = world.neronet(words).refused(2);
        assert!(refused.err.contains("there are no runs yet"), "{words:?}: {}", refused.err);
    }
    assert_eq!(world.neronet(&["ls", "--json"]).succeeded().out, "[]\n");
}

#[test]
fn what_cannot_be_done_fails_with_the_reason() {
    let world = World::new();
    world.neronet(&["run", "-q", "--", "true"]).succeeded();
    world.compare("error_no_metrics", &world.neronet(&["plot", "1"]).refused(1));
    world.compare("error_unwritable", &world.neronet(&["report", "1", "-o", "no/such/folder.html"]).refused(1));
    world.compare("nothing_printed", &world.neronet(&["logs", "1"]).succeeded());
}

#[test]
fn a_home_of_a_newer_neronet_is_left_alone() {
    let world = World::with_sweep();
    let identity = world.path("home/home.json");
    let newer = std::fs::read_to_string(&identity).unwrap().replace("\"format\": 1", "\"format\": 99");
    std::fs::write(&identity, newer).unwrap();
    let refused = world.neronet(&["ls"]).refused(3);
    assert!(refused.err.contains("newer"), "{}", refused.err);
}

/// What a specification or a script brings is shown, and never steers the terminal.
#[test]
fn no_name_and_no_value_reaches_the_terminal_with_its_control_sequences() {
    let world = World::new();
    let script = r#"printf '{"step": 1, "lo\\u001b[2Jss": 2, "tag\\u001b[2J": "x\\u001b[2J"}\n' >> "$NERONET_METRICS"; printf 'a\033[2Jb\n'; exit 1"#;
    world.write("train.sh", script);
    world.write("neronet.toml", "command = \"sh train.sh {flags}\"\n[params]\nact = [\"re\\u001b[2Jlu\", \"none\"]\n");
    world.neronet(&["run", "-q"]).refused(1);
    assert!(world.neronet(&["metrics", "1", "--json"]).succeeded().out.contains("\\u001b"), "the metric was not recorded");
    for words in [
        &["ls"][..],
        &["ls", "--fields", "act,metrics,params"],
        &["show", "1"],
        &["metrics", "1"],
        &["metrics", "1", "nothing"],
        &["plot", "1"],
        &["plot", "1-2", "-m", "nothing"],
        &["compare", "1", "2"],
        &["check"],
        &["ls", "--sort", "nothing"],
        &["clone", "1", "../copy"],
        &["report", "1", "-o", "of \u{1b}[2J\u{202e}run.html"],
    ] {
        let answer = world.neronet(words);
        for text in [&answer.out, &answer.err] {
            assert!(!text.contains(['\x1b', '\u{202e}']), "{words:?}: {text:?}");
        }
    }
}

#[test]
fn a_command_without_its_dashes_is_shown_with_them() {
    let world = World::new();
    world.write("train.py", "print('loss 1')\n");
    for (words, expected) in [
        (&["run", "python", "train.py", "--lr", "0.1"][..], "to run a command: neronet run -- python train.py --lr 0.1"),
        (&["run", "train.py", "--lr", "1"], "to run a command: neronet run -- python train.py --lr 1"),
        (
            &["run", "train.py"],
            "'train.py' is no specification, whose name ends in .toml or .yaml; to run a command: neronet run -- python train.py",
        ),
        (&["run", "python"], "and there is no such file; to run a command: neronet run -- python\n"),
        (&["run", "--detach", "python", "train.py"], "to run a command: neronet run -- CMD"),
    ] {
        let refused = world.neronet(words).refused(2);
        assert!(refused.err.contains(expected), "{words:?}: {}", refused.err);
    }
    assert!(!world.neronet(&["run", "neronet.toml", "--stet", "lr=1"]).refused(2).err.contains("run a command"));
}

#[test]
fn tips_do_not_mislead() {
    let world = World::new();
    for (words, expected) in [
        (&["retry", "last", "--set", "lr=1"][..], "unexpected argument '--set'"),
        (&["ls", "--limit", "-1"], "invalid value '-1' for '--limit <N>'"),
        (&["run", "--parallel", "0", "--", "true"], "invalid value '0' for '--parallel <N>'"),
        (&["rn"], "a similar subcommand exists: 'run'"),
        (&["run", "--stet", "lr=1"], "a similar argument exists: '--set'"),
    ] {
        let refused = world.neronet(words).refused(2);
        assert!(refused.err.contains(expected) && !refused.err.contains("'-- "), "{words:?}: {}", refused.err);
    }
}
