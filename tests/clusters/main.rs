//! Targets, with real servers: sshd hosts of their own on this machine (`hosts.sh`, which needs root and Debian's packages).

mod hosts;
mod reach;
#[path = "../behaviour/world.rs"]
#[expect(dead_code, reason = "targets need only a part of it")]
mod world;
