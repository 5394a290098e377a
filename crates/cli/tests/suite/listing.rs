//! `ls`: columns, order, limits, projects.

use crate::world::World;

/// A sweep, a failed run, one of another project.
fn world() -> World {
    let world = World::with_sweep();
    world.neronet(&["run", "--", "sh", "-c", "echo before; echo 'it broke' >&2; exit 3"]).refused(1);
    world.neronet(&["run", "--quiet", "--project", "other", "--", "true"]).succeeded();
    world
}

fn ids(world: &World, words: &[&str]) -> Vec<u64> {
    let listed = world.json(&[&["ls", "--json"], words].concat());
    listed.as_array().unwrap().iter().map(|run| run["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_runs_of_the_project_are_a_table_with_what_varies_and_what_tells() {
    let world = world();
    world.compare("ls", &world.neronet(&["ls"]));
    world.compare("ls_all", &world.neronet(&["ls", "-a"]));
    world.compare("ls_fields", &world.neronet(&["ls", "1-2", "--fields", "id,act,test_acc,outcome"]));
}

#[test]
fn an_objective_is_shown_at_its_best_and_said_to_be_one() {
    let world = World::new();
    world.write(
        "neronet.toml",
        "command = \"for v in 3 1 2; do echo step $v val_error $v; done\"\nobjective = \"val_error min\"\n[params]\nn = [1, 2]\n",
    );
    world.neronet(&["run", "-q"]).succeeded();
    world.compare("ls_objective", &world.neronet(&["ls"]));
}

#[test]
fn runs_are_sorted_with_the_better_first() {
    let world = world();
    assert_eq!(ids(&world, &["--sort", "test_acc"]), [3, 4, 1, 2, 5]);
    assert_eq!(ids(&world, &["--sort", "loss"]), [3, 4, 1, 2, 5]);
    assert_eq!(ids(&world, &["--sort", "act", "--limit", "3"]), [2, 4, 1]);
    assert_eq!(ids(&world, &["--limit", "2"]), [4, 5]);
    assert_eq!(ids(&world, &["-a"]), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn filters_choose_and_may_match_nothing() {
    let world = world();
    assert_eq!(ids(&world, &["state == failed"]), [5]);
    assert_eq!(ids(&world, &["lr > 0.1 and act = relu", "2"]), [2, 3]);
    assert_eq!(ids(&world, &["toy"]), [1, 2, 3, 4]);
    assert_eq!(ids(&world, &["lr > 7"]), [0u64; 0]);
    world.compare("ls_nothing_matches", &world.neronet(&["ls", "lr > 7"]).succeeded());
}

#[test]
fn elsewhere_the_list_says_where_the_runs_are() {
    let world = world();
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    world.compare("ls_elsewhere", &world.neronet_in(&elsewhere, &["ls"], &[]).succeeded());
    world.compare("ls_no_runs", &World::new().neronet(&["ls"]).succeeded());
}

#[test]
fn a_home_that_cannot_be_written_can_be_read() {
    let world = world();
    let read_only = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        for path in ["home/home.lock", "home/journal", "home"] {
            std::fs::set_permissions(world.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    read_only(0o500);
    let listed = world.neronet(&["ls"]);
    read_only(0o700);
    let listed = listed.succeeded();
    assert!(listed.out.contains("toy") && listed.err.is_empty(), "{}{}", listed.out, listed.err);
}
