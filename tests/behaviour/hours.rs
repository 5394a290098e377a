//! Hours and maintenance of this machine, as `targets.toml` says them.

use crate::world::{Said, World, text, wait_for, wait_until};
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything by the clock of UTC, whatever the machine's.
fn say(world: &World, words: &[&str]) -> Said {
    world.neronet(words).env("TZ", "UTC0").output().expect("neronet starts").into()
}

fn settled(world: &World, lines: &str) {
    std::fs::create_dir_all(world.home()).expect("made");
    std::fs::write(world.home().join("targets.toml"), format!("[targets.local]\n{lines}\n")).expect("written");
}

/// The hour of the day in so many hours from now.
fn hour(later: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (now / 3_600 + later) % 24
}

fn reason(world: &World, run: &str, part: &str) -> String {
    let told = || text(&say(world, &["show", run, "--json"]).json()["reason"]);
    wait_for(part, || Some(told()).filter(|reason| reason.contains(part)))
}

#[test]
fn a_run_waits_for_the_hours_of_its_machine_and_for_the_end_of_its_maintenance() {
    let world = World::new();
    let opens = hour(6);
    settled(&world, &format!("hours = '{opens:02}:00-{:02}:00'", hour(9)));
    say(&world, &["submit", "--", "sh", "-c", "echo it is time"]).with_code(0);
    let told = reason(&world, "1", "this machine takes runs from ");
    assert!(told.ends_with(&format!("{opens:02}:00")), "{told}");
    // By the queue carried on until then.
    let starts = text(&say(&world, &["queue", "--json"]).json()[0]["starts"]);
    assert!(starts.contains(&format!("T{opens:02}:00:00")), "{starts}");
    say(&world, &["down"]).with_code(0);
    settled(&world, "maintenance = [{ from = '2026-01-01 08:00', why = 'new disks' }]");
    say(&world, &["serve", "--background"]).with_code(0);
    reason(&world, "1", "this machine is in maintenance until further notice (new disks)");
    say(&world, &["down"]).with_code(0);
    settled(&world, &format!("hours = '{:02}:00-{:02}:00'", hour(22), hour(4)));
    say(&world, &["serve", "--background"]).with_code(0);
    wait_until("it has its turn", || world.show(1)["outcome"] == "finished");
    assert_eq!(world.output(1, 1), "it is time\n");
}

#[test]
fn a_run_starts_before_a_maintenance_if_it_will_be_over() {
    let world = World::new();
    settled(&world, "maintenance = [{ from = '9000-01-01', until = '9000-01-02' }]");
    world.write("neronet.toml", "command = 'true'\nresources.time = '1h'\n");
    say(&world, &["submit", "--wait", "--quiet"]).with_code(0);
    let long = "command = 'true #'\nresources.time = '3000000 days'\n";
    world.write("neronet.toml", long);
    say(&world, &["submit"]).with_code(0);
    reason(&world, "2", "is in maintenance from 9000-01-01 00:00, when the run might not be over");
}

#[test]
fn hours_that_are_none_are_refused_with_their_place() {
    let world = World::new();
    settled(&world, "hours = ['mon-fri 18:00-08:00', 'weekend']");
    let said = say(&world, &["target", "ls"]).with_code(2);
    assert!(said.err.contains("targets.toml:2:33: expected hours for 'targets.local.hours', found 'weekend'"), "{}", said.err);
    assert!(said.err.contains("write \"mon-fri 18:00-08:00\", \"sat-sun\""), "{}", said.err);
    settled(&world, "hours = 'sat-sun'\nmaintenance = [{ from = '2026-12-01 08:00', until = '2026-12-01 12:00', why = 'x' }]");
    let told = say(&world, &["target", "ls", "--json"]).json();
    assert_eq!(told[0]["hours"][0], "sat-sun");
    assert_eq!((&told[0]["maintenance"][0]["until"], &told[0]["maintenance"][0]["why"]), (&"2026-12-01 12:00:00".into(), &"x".into()));
}
