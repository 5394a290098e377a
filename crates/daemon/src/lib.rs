//! The daemon: the process that holds `daemon.lock`, has the queue kept, and answers for home on a socket, and on request by TCP.
//!
//! It is no owner of anything: whoever writes the journal holds `home.lock` for that moment, the daemon like any command. What it
//! answers is what the functions of `home` answer in any process.
//!
//! A request comes through `server` and `door`, finds its place in `routes`, is read by `asked` and answered in `handlers`.

mod asked;
mod body;
pub mod client;
mod door;
mod ensure;
mod handlers;
mod keyed;
mod log;
mod notice;
mod openapi;
mod refusal;
mod routes;
mod serve;
mod served;
mod server;
mod socket;
pub mod token;
pub mod unit;

pub use client::Client;
pub use ensure::{down, ensure, ensure_it_stays, log_of};
pub use notice::{Found, Notice, VERSION, find};
pub use openapi::document;
pub use serve::{Ended, Wanted, serve};
pub use served::Lister;
