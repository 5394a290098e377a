//! `plot` and `report`: what is drawn, and what is refused.

use crate::world::World;

#[test]
fn curves_are_drawn_in_the_terminal() {
    let world = World::with_sweep();
    world.compare("plot", &world.neronet(&["plot", "1", "3", "-m", "loss", "--size", "72x16"]).succeeded());
    let guessed = world.neronet(&["plot", "1"]).succeeded();
    assert!(guessed.err.contains("drawing test_acc (guessed"), "{}", guessed.err);
    let by_time = world.neronet(&["plot", "1", "--x", "time", "-m", "loss", "-m", "test_acc", "--log", "--smooth", "0.5"]).succeeded();
    assert!(by_time.out.contains("time (s)") && by_time.out.contains("test_acc"), "{}", by_time.out);
}

#[test]
fn pictures_and_pages_are_written_by_their_ending() {
    let world = World::with_sweep();
    for (name, start) in [("a.svg", "<svg"), ("a.png", "\u{89}PNG"), ("a.html", "<!doctype html>")] {
        world.neronet(&["plot", "1-4", "-m", "loss", "-o", name]).succeeded();
        let bytes = std::fs::read(world.project().join(name)).unwrap();
        let begin: String = bytes.iter().take(2000).map(|b| char::from(*b)).collect();
        assert!(begin.contains(start), "{name}: {begin}");
    }
}

#[test]
fn a_run_without_points_is_named_and_the_others_are_drawn() {
    let world = World::with_sweep();
    world.neronet(&["run", "-q", "--", "true"]).succeeded();
    let drawn = world.neronet(&["plot", "1", "5", "-m", "loss"]).succeeded();
    assert!(drawn.err.contains("run 5 has no points of loss"), "{}", drawn.err);
    assert!(drawn.out.contains("run 1"), "{}", drawn.out);
}

#[test]
fn a_report_has_the_table_the_curves_and_the_devices() {
    let world = World::new();
    world.write("neronet.toml", "name = \"a\"\ncommand = \"echo 'Using device: {d}'; for e in 1 2; do echo epoch $e/2 test_acc 9$e; done\"\nobjective = \"test_acc max\"\n[params]\nd = [\"cpu\", \"<b>cuda\"]\n");
    world.neronet(&["run", "-q"]).succeeded();
    world.neronet(&["report", "1-2"]).succeeded();
    let page = std::fs::read_to_string(world.project().join("report.html")).unwrap();
    for wanted in [
        "digits: a",
        "test_acc max",
        "Best: run 1",
        "<h2>Devices</h2>",
        "<td>&lt;b&gt;cuda</td>",
        "class=\"chart\"",
        "mean time per step",
        "<h2>Run 2</h2>",
    ] {
        assert!(page.contains(wanted), "{wanted} is not on the page");
    }
    assert!(!page.contains("<b>"), "what a script prints is markup on the page");
}

#[test]
fn epochs_beside_steps_are_said_to_be_epochs() {
    let world = World::new();
    world.write("train.sh", "for i in 1 2 3; do [ $1 = steps ] && echo step $((i * 100)) loss 0.$i || echo epoch $i/3 loss 0.$i; done\n");
    for axis in ["steps", "epochs"] {
        world.neronet(&["run", "-q", "--", "sh", "train.sh", axis]).succeeded();
    }
    let words = "run 2 counts epochs, not steps; --x epoch or --x time compares them";
    let drawn = world.neronet(&["plot", "1-2", "-m", "loss"]).succeeded();
    assert!(drawn.err.contains(words), "{}", drawn.err);
    for words in [&["plot", "1", "-m", "loss"][..], &["plot", "2", "-m", "loss"], &["plot", "1-2", "-m", "loss", "--x", "time"]] {
        let drawn = world.neronet(words).succeeded();
        assert!(!drawn.err.contains("not steps"), "{}", drawn.err);
    }
    world.neronet(&["report", "1-2"]).succeeded();
    let page = std::fs::read_to_string(world.project().join("report.html")).unwrap();
    assert!(page.contains("In this chart run 2 counts epochs, not steps"), "the report does not say so");
}

#[test]
fn in_a_report_epochs_stand_at_the_steps_that_were_reached() {
    let world = World::new();
    let both = "for e in 1 2 3; do echo epoch $e/3 step ${e}00 train_loss 0.$e; echo epoch $e/3 val_loss 0.$e; done";
    world.neronet(&["run", "-q", "--", "sh", "-c", both]).succeeded();
    world.neronet(&["run", "-q", "--", "sh", "-c", "for i in 1 2 3; do echo step ${i}00 val_loss 0.$i; done"]).succeeded();
    world.neronet(&["report", "1-2"]).succeeded();
    let page = std::fs::read_to_string(world.project().join("report.html")).unwrap();
    assert!(!page.contains("not steps"), "run 1 tells steps too");
    let refused = world.neronet(&["report", "1", "-o", "r.pdf"]).refused(2);
    assert!(refused.err.contains("-o r.pdf: a report is a page, so the name must end in .html"), "{}", refused.err);
    assert!(!world.project().join("r.pdf").exists());
}

#[test]
fn in_common_is_what_is_the_same() {
    let world = World::with_sweep();
    world.neronet(&["report", "1-2", "-o", "same.html"]).succeeded();
    world.write("train.sh", "echo loss 1\n");
    world.neronet(&["run", "-q", "--set", "lr=0.1", "--set", "act=relu"]).succeeded();
    world.neronet(&["report", "1,5", "-o", "other.html"]).succeeded();
    let common = |name: &str| {
        let page = std::fs::read_to_string(world.project().join(name)).unwrap();
        page.split("<h2>").find(|section| section.starts_with("In common")).unwrap().to_string()
    };
    assert!(common("same.html").contains("<dt>code</dt>"), "{}", common("same.html"));
    assert!(!common("other.html").contains("<dt>code</dt>"), "{}", common("other.html"));
}
