//! The one language for asking: filters with their mistakes, order and pages, groups over seeds; the same on the command line and in
//! requests.

use crate::api::{get, served};
use crate::world::{Said, World};
use serde_json::{Value, json};

/// Two rates with three seeds each, runs 1 to 6; the last diverges.
const TRAIN: &str = "case $1-$2 in
0.1-1) acc=0.90;; 0.1-2) acc=0.94;; 0.1-3) acc=0.92;; 0.01-1) acc=0.5;; 0.01-2) acc=0.7;; *) acc=nan;;
esac
echo step 1 val_acc 0.1
echo step 2 val_acc $acc
";
const SPEC: &str = "name = 'fit'\ncommand = 'sh train.sh {lr} {seed}'\n[params]\nlr = [0.1, 0.01]\nseed = [1, 2, 3]\n";

fn trained(world: World) -> World {
    world.write("train.sh", TRAIN);
    world.run_spec(SPEC).with_code(0);
    world
}

fn ids(world: &World, words: &[&str]) -> Vec<u64> {
    let listed = world.say(&[&["ls", "--json", "--fields", "id"], words].concat()).with_code(0).json();
    listed.as_array().expect("an array").iter().filter_map(|run| run["id"].as_u64()).collect()
}

/// Lines with their blanks pushed together.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn filters_ask_for_lists_ranges_tags_and_what_is_missing() {
    let world = trained(World::new());
    world.say(&["tag", "1-2", "best"]).with_code(0);
    world.say(&["run", "--", "true"]).with_code(0);
    for (filter, expected) in [
        (
            "state == \"ended\" and metrics.val_acc.max > 0.9 and params.lr in [0.1, 0.01] and tag:best and started > \"2 days ago\"",
            &[2][..],
        ),
        ("lr in [1e-1] and seed not in (1, 2)", &[3]),
        ("0.01 <= lr < 0.1", &[4, 5, 6]),
        ("lr=0.1&&seed=1||lr=0.01&&seed>=3", &[1, 6]),
        ("tag:best", &[1, 2]),
        ("@best and not seed == 1", &[2]),
        ("lr is missing", &[7]),
        ("exists(lr) and val_acc != nan", &[1, 2, 3, 4, 5]),
        ("val_acc == nan", &[6]),
        ("val_acc.points == none", &[7]),
        ("after == none and id < 3", &[1, 2]),
        ("state:finished and id > 6", &[7]),
    ] {
        assert_eq!(ids(&world, &[filter]), expected, "{filter}");
    }
    // A run that lacks the parameter may have a metric by its name.
    world.say(&["run", "--", "sh", "-c", "echo step 1 lr 0.05"]).with_code(0);
    assert_eq!(ids(&world, &["lr == 0.05"]), [8]);
    assert_eq!(ids(&world, &["lr > 0.01"]), [1, 2, 3, 8]);
    assert_eq!(ids(&world, &["params.lr > 0.01"]), [1, 2, 3]);
    assert_eq!(world.say(&["ls", "tag:nothing"]).with_code(0).err, "no run matches 'tag:nothing'; `neronet ls -a` lists all of them\n");
}

#[test]
fn times_are_relative_to_now() {
    let world = trained(World::new());
    let started = world.show(1)["started"].as_str().expect("a time").to_string();
    let day = &started[..10];
    let millis = |days: i64| (unix_millis(&started) + days * 86_400_000 + 3_600_000).to_string();
    let found = |days: i64, filter: &str| {
        let said: Said =
            world.neronet(&["ls", "--json", filter]).env("TZ", "UTC").env("NERONET_NOW", millis(days)).output().expect("it starts").into();
        said.with_code(0).json().as_array().map(Vec::len)
    };
    for (days, filter, expected) in [
        (3, "started > '2 days ago'", 0),
        (3, "started > 4 days ago", 6),
        (3, "started > '4d ago' and started < '3d ago'", 6),
        (0, "started > 30min ago", 0),
        (0, "started > 2h ago", 6),
        (400, "started > '1 year ago'", 0),
        (400, "started > '14 months ago'", 6),
    ] {
        assert_eq!(found(days, filter), Some(expected), "{filter}");
    }
    // Between the first start and the last no midnight may pass.
    if world.show(6)["started"].as_str().is_some_and(|last| last.starts_with(day)) {
        assert_eq!(found(0, &format!("started == {day}")), Some(6));
        assert_eq!(found(0, &format!("{day} <= created <= now")), Some(6));
        assert_eq!(found(0, &format!("started < {day}")), Some(0));
    }
}

/// Of `2026-11-22T12:00:00.000Z`.
fn unix_millis(time: &str) -> i64 {
    let number = |from: usize, until: usize| time[from..until].parse::<i64>().expect("digits");
    let (year, month) = (number(0, 4), number(5, 7));
    // Days since the epoch by the civil calendar, the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + number(8, 10) - 1 - 719_468;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60_000 + number(17, 19) * 1000
}

#[test]
fn a_mistake_is_shown_under_its_column() {
    let world = trained(World::new());
    for (words, expected) in [
        (
            &["ls", "val_acc > 0.5 and sede == 1"][..],
            "error: filter: nothing to filter by is called 'sede' (did you mean 'seed'?)
  val_acc > 0.5 and sede == 1
                    ^
parameters: lr, seed
metrics: val_acc
others: id, uid, project, experiment, sweep, after, target, state, outcome, reason, tags, tag, created, started, ended, attempts, duration
",
        ),
        (
            &["stop", "lr > 0.5 nad seed == 1"],
            "error: filter: expected 'and', 'or' or the end (did you mean 'and'?)
  lr > 0.5 nad seed == 1
           ^
A filter is written like: state == failed and lr >= 0.01
",
        ),
        (
            &["ls", "started > 2d"],
            "error: filter: '2d' is no time; so long before now is \"2d ago\"
  started > 2d
            ^
A time is written like: 2026-11-20, \"2026-11-20 15:04\", 15:04, \"2 days ago\", yesterday
",
        ),
        (
            &["ls", "--group-by", "lr", "--sort", "-lr,sde"],
            "error: sort: groups are not sorted by 'sde'
  -lr,sde
      ^
There are: lr, val_acc, runs, mean, sd, min, max, median, low, high
",
        ),
        (
            &["ls", "--group-by", "lr,sede"],
            "error: group: nothing to group by is called 'sede' (did you mean 'seed'?)
  lr,sede
     ^
parameters: lr, seed
metrics: val_acc
others: id, uid, project, experiment, sweep, after, target, state, outcome, reason, tags, tag, created, started, ended, attempts, duration
",
        ),
    ] {
        assert_eq!(world.say(words).with_code(2).err, expected);
    }
}

#[test]
fn a_list_is_sorted_by_several_names_and_cut_to_a_page() {
    let world = trained(World::new());
    for (words, expected) in [
        (&["--sort", "seed,-lr"][..], &[1, 4, 2, 5, 3, 6][..]),
        (&["--sort", "-seed,val_acc"], &[3, 6, 2, 5, 1, 4]),
        (&["--sort", "val_acc"], &[2, 3, 1, 5, 4, 6]),
        (&["--sort", "-val_acc"], &[4, 5, 1, 3, 2, 6]),
        (&["--sort", "-metrics.val_acc.max,id"], &[2, 3, 1, 5, 4, 6]),
        (&["--sort", "val_acc.max"], &[6, 4, 5, 1, 3, 2]),
        (&["--top", "2"], &[2, 3]),
        (&["--top", "2", "--sort", "seed,-id"], &[4, 1]),
        (&["--sort", "val_acc", "--limit", "2", "--offset", "1"], &[3, 1]),
        (&["--limit", "2"], &[5, 6]),
        (&["--limit", "2", "--offset", "2"], &[3, 4]),
        (&["--offset", "9"], &[]),
        (&["lr > 0", "--limit", "2", "--offset", "1"], &[4, 5]),
    ] {
        assert_eq!(ids(&world, words), expected, "{words:?}");
    }
    let shown = world.say(&["ls", "--sort", "val_acc", "--limit", "2"]).with_code(0).out;
    assert!(shown.ends_with("2 of 6 runs shown (--limit)\n"), "{shown}");
    assert!(world.say(&["ls", "--top", "1", "--limit", "2"]).with_code(2).err.contains("cannot be used with"));
    world.write("neronet.toml", "command = 'echo note {n}'\nparams.n = [1, 2]\nproject = 'bare'\n");
    world.say(&["run"]).with_code(0);
    assert!(world.say(&["ls", "--top", "1"]).with_code(2).err.contains("say --sort NAME"));
}

#[test]
fn groups_have_a_mean_a_spread_and_an_interval_over_seeds() {
    let world = trained(World::new());
    let shown = world.say(&["ls", "--group-by", "lr", "--metric", "val_acc"]).with_code(0).out;
    assert_eq!(
        lines(&shown),
        [
            "lr runs val_acc",
            "0.01 3 0.6 ± 0.14142 [0.5, 0.7] (2 of 3)",
            "0.1 3 0.92 ± 0.02 [0.9, 0.94]",
            "over seed: mean ± standard deviation [95 % interval of the mean, by bootstrap]",
        ]
    );
    let grouped = |words: &[&str]| -> Value { world.say(&[&["ls", "--json", "--group-by", "lr"], words].concat()).with_code(0).json() };
    let all = grouped(&["--metric", "val_acc,val_acc.min"]);
    assert_eq!((&all[0]["by"], &all[0]["runs"]), (&json!({"lr": 0.01}), &json!([4, 5, 6])));
    let best = &all[1]["metrics"]["val_acc"];
    assert_eq!([&best["count"], &best["median"], &best["interval"]], [&json!(3), &json!(0.92), &json!([0.9, 0.94])]);
    assert_eq!(all[1]["metrics"]["val_acc.min"]["mean"], 0.1);
    let rates =
        |words: &[&str]| grouped(words).as_array().expect("an array").iter().map(|group| group["by"]["lr"].clone()).collect::<Vec<_>>();
    assert_eq!(rates(&["--sort", "val_acc"]), [0.1, 0.01]);
    assert_eq!(rates(&["--sort", "-lr"]), [0.1, 0.01]);
    assert_eq!(rates(&["--sort", "-val_acc:sd"]), [0.01, 0.1]);
    assert_eq!(rates(&["--sort", "runs,-low"]), [0.1, 0.01]);
    assert_eq!(rates(&["--top", "1"]), [0.1]);
    assert_eq!(rates(&["--limit", "1", "--offset", "1"]), [0.1]);
    assert_eq!(rates(&["seed < 0"]), [0.0; 0]);
    let of_one = world.say(&["ls", "--group-by", "lr,seed", "--metric", "val_acc", "--top", "2"]).with_code(0).out;
    assert_eq!(lines(&of_one)[..3], ["lr seed runs val_acc", "0.1 2 1 0.94", "0.1 3 1 0.92"]);
    assert!(of_one.contains("2 of 6 groups shown"), "{of_one}");
    assert!(world.say(&["ls", "--metric", "val_acc"]).with_code(2).err.contains("--group-by"));
}

#[test]
fn requests_ask_in_the_same_words() {
    let world = trained(served());
    let listed = |query: &str| {
        let answer = get(&world, &format!("/v1/runs?fields=id&{query}")).with(200);
        let ids: Vec<u64> = answer.json().as_array().expect("an array").iter().filter_map(|run| run["id"].as_u64()).collect();
        let total = answer.head.lines().find_map(|line| line.strip_prefix("x-total-count: ")).and_then(|total| total.parse::<u64>().ok());
        (ids, total)
    };
    assert_eq!(listed("which=lr+in+%5B0.1%5D"), (vec![1, 2, 3], Some(3)));
    assert_eq!(listed("sort=val_acc&limit=2&offset=1"), (vec![3, 1], Some(6)));
    assert_eq!(listed("sort=val_acc&limit=2&after=1"), (vec![5, 4], Some(6)));
    assert_eq!(listed("limit=2&after=1"), (vec![2, 3], Some(6)));
    assert_eq!(listed("limit=2"), (vec![5, 6], Some(6)));
    let groups = get(&world, "/v1/groups?by=lr&metric=val_acc&sort=val_acc&limit=1").with(200);
    assert!(groups.head.contains("x-total-count: 2"), "{groups:?}");
    assert_eq!(groups.json(), world.say(&["ls", "--group-by", "lr", "--metric", "val_acc", "--top", "1", "--json"]).json());
    let refused = get(&world, "/v1/groups?by=nothing").with(400).json();
    assert_eq!(refused["error"], "group: nothing to group by is called 'nothing'");
    get(&world, "/v1/groups").with(400);
    let refused = get(&world, "/v1/runs?which=lr+%3E+0.1+nad+x+%3D+1").with(400).json();
    assert!(refused["hint"].as_str().is_some_and(|hint| hint.contains('^')), "{refused}");
}
