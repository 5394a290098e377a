//! `show`, `logs`, `metrics`, `compare`, `report` on runs that ended in different ways.

use crate::world::World;

#[test]
fn everything_about_a_run_is_one_page() {
    let world = World::with_sweep();
    world.neronet(&["tag", "3", "@keep", "fast"]).succeeded();
    world.neronet(&["note", "3", "the one for the paper"]).succeeded();
    world.compare("show_finished", &world.neronet(&["show", "3"]).succeeded());
}

#[test]
fn a_failed_run_shows_its_last_lines_and_what_to_do() {
    let world = World::new();
    world.neronet(&["run", "--", "sh", "-c", r"printf 'loading\n\033]0;title\007\033[31mit broke\033[0m\n' >&2; exit 3"]).refused(1);
    let shown = world.neronet(&["show"]).succeeded();
    assert!(!shown.out.contains('\x1b'), "control sequences of the script's reach the terminal");
    world.compare("show_failed", &shown);
}

/// A script that fails in its third epoch, and goes on from there.
/// An epoch lasts until it is on record: what is saved then is known to be of it.
fn resumed() -> World {
    let world = World::new();
    world.write(
        "train.sh",
        "from=1; [ -n \"$1\" ] && from=$(cat $1) && echo going on\n\
         for e in $(seq $from 4); do echo \"epoch $e/4 loss 0.$((8 - e))$NERONET_ATTEMPT\"; \
         until grep -qs \"epoch\\\":$e\" $NERONET_RUN_DIR/attempts/$NERONET_ATTEMPT/metrics.1.jsonl; do sleep 0.02; done; \
         echo $e > new && mv new last.ck; \
         [ $e = 3 ] && [ -z \"$1\" ] && exit 1; done; exit 0\n",
    );
    world.write(
        "neronet.toml",
        "name = \"goes-on\"\ncommand = \"sh train.sh\"\n[checkpoints]\npaths = [\"*.ck\"]\n[resume]\narguments = \"{checkpoint}\"\n",
    );
    world.neronet(&["run", "-q"]).refused(1);
    world.neronet(&["resume", "1", "-q"]).succeeded();
    world
}

#[test]
fn a_resumed_run_joins_its_curve_and_keeps_what_was_superseded() {
    let world = resumed();
    world.compare("metrics_joined", &world.neronet(&["metrics", "1", "loss"]).succeeded());
    world.compare("metrics_superseded", &world.neronet(&["metrics", "1", "loss", "--superseded"]).succeeded());
    world.compare("metrics_names", &world.neronet(&["metrics", "1"]).succeeded());
    world.compare("logs_of_attempts", &world.neronet(&["logs", "1"]).succeeded());
    world.compare("logs_tail", &world.neronet(&["logs", "1", "--tail", "1", "--attempt", "1"]).succeeded());
    world.compare("show_resumed", &world.neronet(&["show", "1"]).succeeded());
}

#[test]
fn following_ends_with_the_run() {
    let world = World::new();
    let script = "echo one; until [ -e go ]; do sleep 0.05; done; echo two >&2";
    world.neronet(&["run", "--detach", "--", "sh", "-c", script]).succeeded();
    // The run waits for a file that appears only while it is followed.
    let go = std::thread::spawn({
        let work = world.path("home/runs/1/work");
        move || {
            while !work.exists() {
                std::thread::yield_now();
            }
            std::fs::write(work.join("go"), "").unwrap();
        }
    });
    let followed = world.neronet(&["logs", "-f", "1"]).succeeded();
    go.join().unwrap();
    assert!(followed.out.contains("one\n") && followed.out.contains("two\n"), "{}", followed.out);
    assert_eq!(world.neronet(&["logs", "1", "--stderr"]).succeeded().out, "two\n");
}

#[test]
fn output_is_passed_on_as_it_came_where_no_terminal_can_be_harmed() {
    let world = World::new();
    world.neronet(&["run", "-q", "--", "printf", "\\033[31mred\\033[0m\\033]0;title\\007\\n"]).succeeded();
    assert_eq!(world.neronet(&["logs"]).succeeded().out, "\x1b[31mred\x1b[0m\x1b]0;title\x07\n");
}

#[test]
fn runs_are_compared_in_all_that_may_differ() {
    let world = World::with_sweep();
    world.compare("compare_parameters", &world.neronet(&["compare", "1", "4"]).succeeded());
    let train = std::fs::read_to_string(world.project().join("train.sh")).unwrap();
    world.write("train.sh", &train.replace("*5}", "*6}"));
    world.neronet(&["run", "-q", "--set", "lr=0.1", "--set", "act=relu"]).succeeded();
    world.compare("compare_code", &world.neronet(&["compare", "1", "5"]).succeeded());
    world.compare("compare_many", &world.neronet(&["compare", "1-5"]).succeeded());
    world.neronet(&["run", "-q"]).succeeded();
    world.compare("compare_by_value", &world.neronet(&["compare", "1-9"]).succeeded());
    let json = world.json(&["compare", "1", "5", "--json"]);
    assert_eq!(json["runs"], serde_json::json!([1, 5]));
    assert_eq!(json["params"], serde_json::json!({}));
    assert_eq!(json["code"][0]["same"], false);
    assert_eq!(json["code"][0]["changes"][0]["path"], "train.sh");
    assert!(json["code"][0]["changes"][0]["diff"].as_str().unwrap().contains("+  echo"), "{json:#}");
}

#[test]
fn the_code_of_two_projects_is_not_compared() {
    let world = World::with_sweep();
    world.write("other.sh", "echo of another project");
    world.neronet(&["run", "-q", "--project", "other", "--", "true"]).succeeded();
    let compared = world.neronet(&["compare", "1", "5"]).succeeded();
    assert!(compared.out.contains("not compared, they are of two projects, digits and other"), "{}", compared.out);
    assert!(!compared.out.contains("of another project"), "{}", compared.out);
}

#[test]
fn where_a_metric_stands_is_said_with_its_kind() {
    let world = World::new();
    let script = "for i in 1 2; do echo step ${i}0 loss 0.$i; echo epoch $i/2 val_loss 0.$i; done; echo final_acc 0.9";
    world.neronet(&["run", "-q", "--", "sh", "-c", script]).succeeded();
    let told = world.neronet(&["metrics", "1"]).succeeded().out;
    let row =
        |name: &str| told.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().skip(4).collect::<Vec<_>>().join(" ");
    assert_eq!([row("loss"), row("val_loss"), row("final_acc")], ["step 20 2", "epoch 2 2", "1"], "{told}");
    let title = |name: &str| world.neronet(&["metrics", "1", name]).succeeded().out.split_whitespace().next().unwrap().to_string();
    assert_eq!([title("loss"), title("val_loss"), title("final_acc")], ["step", "epoch", "count"]);
}

#[test]
fn a_command_that_another_attempt_ran_is_shown() {
    let world = resumed();
    let shown = world.neronet(&["show", "1"]).succeeded().out;
    assert!(shown.contains("attempt 2 ran: sh train.sh ") && shown.contains("/last.ck"), "{shown}");
    world.neronet(&["retry", "1", "-q"]).refused(1);
    world.neronet(&["retry", "1", "-q"]).refused(1);
    let shown = world.neronet(&["show", "1"]).succeeded().out;
    assert!(shown.contains("attempt 3 ran: sh train.sh\n") && !shown.contains("attempt 4 ran"), "{shown}");
}

#[test]
fn nothing_is_linked_or_left_out_where_the_code_is_not_frozen() {
    let world = World::new();
    std::fs::File::create(world.project().join("big.bin")).unwrap().set_len(120_000_000).unwrap();
    world.write(".env", "API_KEY=x\n");
    world.write("neronet.toml", "command = \"true\"\n");
    world.neronet(&["run", "-q"]).succeeded();
    world.write("neronet.toml", "command = \"true\"\n[code]\nin_place = true\n");
    world.neronet(&["run", "-q"]).succeeded();
    let says = |words: &[&str]| world.neronet(words).succeeded().out;
    assert!(says(&["show", "1"]).contains("linked, not copied: big.bin"));
    for words in [&["show", "2"][..], &["check"]] {
        let said = says(words);
        assert!(!said.contains("big.bin") && !said.contains("left out"), "{said}");
    }
}

#[test]
fn a_run_that_was_stopped_is_said_so_once() {
    let world = World::new();
    let follow = std::thread::scope(|scope| {
        let run = scope.spawn(|| world.neronet(&["run", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]));
        while !std::fs::read_to_string(world.path("home/runs/1/attempts/1/keeper.jsonl")).is_ok_and(|text| text.contains("started")) {
            std::thread::yield_now();
        }
        world.neronet(&["kill", "1"]).succeeded();
        run.join().unwrap().refused(1)
    });
    assert!(follow.err.contains("run 1 stopped by ") && follow.err.contains(" (killed) after "), "{}", follow.err);
    let shown = world.neronet(&["show", "1"]).succeeded().out;
    assert!(shown.contains("  stopped by ") && !shown.contains("stopped: stopped"), "{shown}");
}
