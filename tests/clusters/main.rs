//! Targets, with real servers: sshd hosts of their own on this machine (`hosts.sh`, which needs root and Debian's packages).

mod apart;
#[path = "../chance.rs"]
mod chance;
mod checked;
mod clocks;
mod cut;
mod ending;
mod faults;
mod fetching;
mod harm;
mod hostile;
mod hosts;
mod lab;
mod lease;
mod ledger;
#[path = "../behaviour/mounts.rs"]
#[expect(dead_code, reason = "targets need only a part of it")]
mod mounts;
mod reach;
mod remote;
mod room;
mod runs;
mod sessions;
mod shared;
mod there;
mod tidy;
mod upgrade;
#[path = "../behaviour/world.rs"]
#[expect(dead_code, reason = "targets need only a part of it")]
mod world;
