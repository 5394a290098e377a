//! What varies and how: drawn, repeated, derived, together, under a condition; `--set` in Hydra's spelling; nested experiments.

use crate::reading::{grid, lines, plan, plan_with};
use neronet_model::{Params, Value};
use proptest::prelude::*;

#[test]
fn draws_are_the_same_for_every_combination_and_for_every_reading() {
    let text = "command = \"t {flags}\"\nparams.lr = { log_uniform = [1e-6, 1e-2] }\nparams.opt = [\"sgd\", \"adam\"]\nsweep.samples = 3\n";
    let runs = grid(text, &[]);
    assert_eq!(
        runs,
        [
            "lr=1.996415e-6 opt=sgd",
            "lr=1.996415e-6 opt=adam",
            "lr=0.00379614 opt=sgd",
            "lr=0.00379614 opt=adam",
            "lr=0.00422827 opt=sgd",
            "lr=0.00422827 opt=adam"
        ]
    );
    assert_eq!(grid(text, &["sweep.samples=5"])[..6], runs, "more samples leave the first ones as they were");
    assert_ne!(grid(text, &["sweep.seed=7"]), runs);
    let more = text.replace("params.opt", "params.wd = { uniform = [0, 1] }\nparams.opt");
    assert_eq!(grid(&more, &[]).len(), 6, "drawn parameters are drawn together");
    assert!(grid(&more, &[])[0].starts_with("lr=1.996415e-6 wd="));
}

#[test]
fn a_repeated_parameter_counts_from_0() {
    let runs = grid("command = \"t {flags} {run.seed}\"\nparams.seed = { repeat = 3 }\nparams.a = [1, 2]\n", &[]);
    assert_eq!(grid("command = \"t {run.seed}\"\nparams.seed = { choice = [3] }\nsweep.samples = 1\n", &[]), ["seed=3"]);
    assert_eq!(runs, ["seed=0 a=1", "seed=0 a=2", "seed=1 a=1", "seed=1 a=2", "seed=2 a=1", "seed=2 a=2"]);
}

#[test]
fn derived_values_follow_what_they_are_derived_from() {
    let text = r#"
command = "t {flags}"
[params]
out = { derive = "hidden + 1" }
width = [32, 64]
depth = 2
hidden = { derive = "width * depth" }
tag = { derive = "'w' + str(width)" }
half = { derive = "width / 2" }
"#;
    assert_eq!(
        grid(text, &[]),
        ["out=65 width=32 depth=2 hidden=64 tag=w32 half=16", "out=129 width=64 depth=2 hidden=128 tag=w64 half=32"]
    );
    assert_eq!(plan(text).experiments[0].varying(), ["out", "width", "hidden", "tag", "half"]);
    assert_eq!(grid(text, &["width=1", "hidden=7"]), ["out=8 width=1 depth=2 hidden=7 tag=w1 half=0.5"]);
}

#[test]
fn long_chains_and_many_draws_are_read_all_the_same() {
    let chain: String = (1..6000).map(|at| format!("a{at} = {{ derive = \"a{} + 1\" }}\n", at - 1)).collect();
    let runs = grid(&format!("command = \"t {{flags}}\"\n[params]\n{chain}a0 = 1\n"), &[]);
    assert!(runs[0].contains(" a5999=6000 "), "{}", runs[0]);
    let drawn: String = (0..40).map(|at| format!("p{at} = {{ uniform = [0, 1] }}\n")).collect();
    let plan = plan(&format!("command = \"t {{flags}}\"\n[params]\n{drawn}[sweep]\nsamples = 10000000\n"));
    assert_eq!(plan.experiments[0].count(), 10_000_000);
    assert_eq!(plan.experiments[0].runs().next().map(|run| run.len()), Some(40));
}

#[test]
fn what_is_zipped_varies_together() {
    let text = r#"
command = "t {flags}"
[params]
width = [32, 64]
lr = [0.1, 0.2]
depth = [2, 4]
[sweep]
zip = [["width", "depth"]]
"#;
    assert_eq!(
        grid(text, &[]),
        ["width=32 lr=0.1 depth=2", "width=32 lr=0.2 depth=2", "width=64 lr=0.1 depth=4", "width=64 lr=0.2 depth=4"]
    );
    assert_eq!(grid(&text.replace("[[\"width\", \"depth\"]]", "[\"width\", \"depth\"]"), &[]).len(), 4);
}

#[test]
fn what_an_experiment_takes_away_or_fixes_leaves_the_zip() {
    let text = |own: &str| {
        format!(
            "command = \"t {{flags}}\"\nparams.width = [32, 64]\nparams.depth = [2, 4]\nparams.k = [7, 8]\n\
             sweep.zip = [[\"width\", \"depth\", \"k\"]]\n[[experiment]]\nname = \"a\"\n{own}"
        )
    };
    assert_eq!(grid(&text("unset = [\"params.depth\"]"), &[]), ["width=32 k=7", "width=64 k=8"]);
    assert_eq!(grid(&text("unset = [\"params.depth\", \"params.k\"]"), &[]), ["width=32", "width=64"]);
    assert_eq!(grid(&text("params.depth = [9]"), &[]), ["width=32 depth=9 k=7", "width=64 depth=9 k=8"]);
    assert_eq!(grid(&text("params.depth = { derive = \"k\" }"), &[])[1], "width=64 depth=8 k=8");
    assert_eq!(grid(&text(""), &["depth=9"]), ["width=32 depth=9 k=7", "width=64 depth=9 k=8"]);
}

/// All keys by example, as they were first laid down.
const ALL_KEYS: &str = include_str!("all_keys.toml");

#[test]
fn all_keys_by_example_are_a_specification() {
    let plan = plan(ALL_KEYS);
    let counts: Vec<(&str, u64)> = plan.experiments.iter().map(|experiment| (experiment.name.as_str(), experiment.count())).collect();
    // 3 lr × 20 draws × 5 seeds × 2 pairs of width and depth; one width without a depth; after each run each with its seed.
    assert_eq!(counts, [("cifar", 600), ("cifar-wide", 300), ("finetune", 600 * 600 / 5)]);
}

#[test]
fn only_the_combinations_for_which_the_condition_holds_are_runs() {
    let text = r#"
command = "t {flags}"
[params]
optimizer = ["sgd", "adam"]
momentum = [0, 0.9]
act = ["relu", "gelu"]
[sweep]
only_if = 'optimizer == "sgd" or momentum == 0'
"#;
    assert_eq!(grid(text, &[]).len(), 6);
    let both = text
        .replace("momentum == 0'", "momentum == 0'\nzip = []")
        .replace("'optimizer", "['optimizer")
        .replace("== 0'", "== 0', \"act != 'gelu'\"]");
    assert_eq!(
        grid(&both, &[]),
        ["optimizer=sgd momentum=0 act=relu", "optimizer=sgd momentum=0.9 act=relu", "optimizer=adam momentum=0 act=relu"]
    );
    assert_eq!(plan(&both).experiments[0].varying(), ["optimizer", "momentum"], "act is the same in all that are left");
}

#[test]
fn a_condition_guards_a_derived_value_and_may_ask_for_one() {
    let text = "command = \"t {flags}\"\n[params]\nheads = [0, 2, 4]\ndim = { derive = \"64 / heads\" }\n[sweep]\nonly_if = [\"heads > 0\", \"dim < 32\"]\n";
    assert_eq!(grid(text, &[]), ["heads=4 dim=16"]);
}

#[test]
fn a_text_equals_no_number_and_no_boolean() {
    for (params, condition, expected) in [
        ("k = [\"1\", \"2\"]", "k != 1", "k=1 k=2"),
        ("k = [\"1\", 1.0, 1]", "k == 1", "k=1.0 k=1"),
        ("k = [\"true\", true]", "k == true", "k=true"),
        ("k = [\"1\", \"2\"]", "k in [1, '2']", "k=2"),
    ] {
        let text = format!("command = \"t {{flags}}\"\n[params]\n{params}\n[sweep]\nonly_if = \"{condition}\"\n");
        assert_eq!(grid(&text, &[]).join(" "), expected, "{params} {condition}");
    }
}

#[test]
fn sweeps_in_the_spelling_of_hydra() {
    let grid = |set: &str| {
        let runs = grid("command = \"t {flags}\"\nparams.x = 1\nsweep.samples = 2\n", &[set]);
        runs.iter().map(|run| run.trim_start_matches("x=").to_string()).collect::<Vec<_>>().join(" ")
    };
    for (set, expected) in [
        ("x=range(3)", "0 1 2"),
        ("x=range(1, 10, 4)", "1 5 9"),
        ("x=range(0.1,0.4,0.1)", "0.1 0.2 0.3"),
        ("x=range(3,0,-1)", "3 2 1"),
        ("x=choice(a,b)", "a b"),
        ("x=choice('a,b',007)", "a,b 007"),
        ("x=[1,2],[3]", "[1, 2] [3]"),
        ("x='a,b',c", "a,b c"),
        ("x=f(1)", "f(1)"),
        ("x=a\\,b", "a,b"),
        ("x=a\\,b,c", "a,b c"),
        ("x=a b(c", "a b(c"),
        ("x=interval(0,1)", "0.626901 0.780527"),
        ("x=int(interval(1,8))", "6 7"),
        ("x=tag(log, interval(1e-6,1e-2))", "0.0003218135 0.001324668"),
    ] {
        assert_eq!(grid(set), expected, "{set}");
    }
}

#[test]
fn experiments_nest_inherit_and_take_away() {
    let text = r#"
command = "t {flags}"
[params]
lr = 0.1
depth = 3
[[experiment]]
name = "base"
include_self = true
params.width = 1
resources.time = "1h"
[[experiment.experiment]]
name = "wide"
params.width = [2, 4]
unset = ["params.depth", "resources.time"]
[[experiment.experiment]]
name = "inner"
unset = "params.lr"
[[experiment]]
name = "other"
"#;
    let plan = plan(text);
    let names: Vec<&str> = plan.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    assert_eq!(names, ["base", "wide", "inner", "other"]);
    let runs: Vec<Vec<String>> = (0..4).map(|index| lines(&plan, index)).collect();
    assert_eq!(runs[0], ["lr=0.1 depth=3 width=1"]);
    assert_eq!(runs[1], ["lr=0.1 width=2", "lr=0.1 width=4"]);
    assert_eq!(runs[2], ["depth=3 width=1"]);
    assert_eq!(runs[3], ["lr=0.1 depth=3"]);
    assert!(plan.experiments[0].settings.time_limit.is_some() && plan.experiments[1].settings.time_limit.is_none());
    assert_eq!(plan_with(text, Some("wide"), &[]).experiments.len(), 1);
}

#[test]
fn a_million_combinations_are_counted_and_shown_one_at_a_time() {
    let list = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!("command = \"t {{flags}}\"\n[params]\na = [{list}]\nb = [{list}]\nc = [{list}]\nd = {{ derive = \"a + b * c\" }}\n");
    let experiment = &plan(&text).experiments[0];
    assert_eq!(experiment.count(), 1_000_000);
    assert_eq!(experiment.runs().last().and_then(|run| run.get("d").cloned()), Some(Value::Int(99 + 99 * 99)));
    let half = &plan(&format!("{text}[sweep]\nonly_if = \"(a + b + c) % 2 == 0\"\n")).experiments[0];
    assert_eq!(half.count(), 500_000);
}

proptest! {
    /// Whatever is zipped, derived and excluded: the runs are those of the plain grid that fit, in its order.
    #[test]
    fn the_space_is_the_grid_with_less(sizes in proptest::collection::vec(1_usize..4, 1..4), zip in any::<bool>(), limit in 0_i64..8) {
        let names = ["a", "b", "c"];
        let list = |size: usize| (0..size).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let params: String = sizes.iter().zip(names).map(|(size, name)| format!("{name} = [{}]\n", list(*size))).collect();
        let used = &names[..sizes.len()];
        let zipped = zip && sizes.len() > 1 && sizes[0] == sizes[1];
        let zip = if zipped { "zip = [\"a\", \"b\"]\n" } else { "" };
        let sum = used.join(" + ");
        let text = format!("command = \"t {{flags}}\"\n[params]\n{params}s = {{ derive = \"{sum}\" }}\n[sweep]\n{zip}only_if = \"s <= {limit}\"\n");
        let mut expected = Vec::new();
        let all: usize = sizes.iter().product();
        for mut index in 0..all {
            let mut values = vec![0; sizes.len()];
            for (value, size) in values.iter_mut().zip(&sizes).rev() {
                *value = index % size;
                index /= size;
            }
            let sum: usize = values.iter().sum();
            if sum as i64 <= limit && !(zipped && values[0] != values[1]) {
                let pairs = used.iter().zip(&values).map(|(name, value)| format!("{name}={value}"));
                expected.push(pairs.chain([format!("s={sum}")]).collect::<Vec<_>>().join(" "));
            }
        }
        prop_assert_eq!(grid(&text, &[]), expected);
    }
}

#[test]
fn a_stage_has_a_run_for_each_run_before_it_that_matches() {
    let text = |matched: &str| {
        format!(
            "command = \"t {{flags}}\"\n[[experiment]]\nname = \"tune\"\nafter = \"cifar\"\nmatch = {matched}\nparams.seed = [2, 1.0]\nparams.k = [7, 8]\n\
             [[experiment]]\nname = \"cifar\"\nparams.lr = [0.1, 0.2]\nparams.seed = {{ repeat = 3 }}\n\
             [[experiment]]\nname = \"third\"\nafter = \"tune\"\n"
        )
    };
    let runs = |matched: &str| {
        let plan = plan(&text(matched));
        let names: Vec<&str> = plan.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
        assert_eq!(names, ["cifar", "tune", "third"], "what comes after another one stands behind it");
        let shown = |params: &Params| params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let of = |at: usize| plan.runs(&plan.experiments[at]).map(|run| (run.after, shown(&run.params))).collect::<Vec<_>>();
        for (at, experiment) in plan.experiments.iter().enumerate() {
            assert_eq!(of(at).len() as u64, experiment.count());
        }
        (of(1), of(2).len())
    };
    let (matched, behind) = runs("[\"seed\"]");
    let expected = [(1, "1.0", 7), (1, "1.0", 8), (2, "2", 7), (2, "2", 8), (4, "1.0", 7), (4, "1.0", 8), (5, "2", 7), (5, "2", 8)];
    let expected: Vec<_> = expected.iter().map(|(after, seed, k)| (Some(*after), format!("seed={seed} k={k}"))).collect();
    assert_eq!((matched, behind), (expected, 8));
    assert_eq!((runs("\"all\"").0.len(), runs("\"all\"").1), (24, 24));
    let (best, behind) = runs("\"best\"");
    assert!(best.len() == 4 && best.iter().all(|(after, _)| after.is_none()) && behind == 4);
}

#[test]
fn what_does_not_fit_into_memory_is_made_smaller_step_by_step() {
    let steps = |params: &str, on_oom: &str| {
        let text = format!("command = \"t {{flags}}\"\n[params]\n{params}\n[retry]\ntimes = 9\non_oom = {{ {on_oom} }}\n");
        let plan = plan(&text);
        let settings = &plan.experiments[0].settings;
        let mut run = plan.experiments[0].runs().next().expect("a run");
        let mut said = Vec::new();
        loop {
            match neronet_spec::smaller(settings, &run) {
                Ok(changed) => {
                    said.push(changed.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "));
                    changed.iter().for_each(|(name, value)| run.set(name, value.clone()));
                }
                Err(why) => {
                    said.push(why);
                    return said.join("\n");
                }
            }
        }
    };
    insta::assert_snapshot!(
        [
            steps("batch_size = 25\naccumulate = 1", "batch_size = \"batch_size / 2\", accumulate = \"accumulate * 2\""),
            steps("n = 100\nfast = true", "n = \"max(n // 3, 20)\", fast = false"),
            steps("part = 0.5", "part = \"part - 0.25\""),
            steps("\"batch-size\" = 7", "\"batch-size\" = \"{batch-size} / 8\""),
            steps("model = \"large\"", "model = \"'small'\""),
        ]
        .join("\n\n")
    );
}
