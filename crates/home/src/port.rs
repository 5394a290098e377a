//! `{run.port}`: a TCP port that nobody listens on and no other run of this home was given.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::{AttemptNo, RunId};
use neronet_store::{StoreError, files, spool};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const TRIES: usize = 100;

/// Above what services are known by, below torchrun's usual one.
const OURS: Range<u16> = 10_000..29_500;

/// A port that is free at this moment. The kernel gives it to nobody who asks for any, where it leaves us some: it may take a while
/// until the run listens.
pub fn free() -> Option<u16> {
    let given = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let lowest = given.split_whitespace().next().and_then(|low| low.parse().ok()).unwrap_or(OURS.end);
    let ours = OURS.start..OURS.end.min(lowest);
    let any = || {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).ok()?;
        Some(ours.start + u16::from_ne_bytes(bytes) % u16::try_from(ours.len()).ok().filter(|count| *count > 0)?)
    };
    let chosen = (0..TRIES).map_while(|_| any());
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).and_then(|listener| listener.local_addr()).ok();
    chosen.chain([0]).find_map(is_free).map(|address| address.port())
}

/// Reserves a port for an attempt, until that has ended.
pub(crate) fn reserve(context: &Context, run: RunId, n: AttemptNo) -> Result<u16, HomeError> {
    let folder = context.home.private().join("ports");
    files::make_folder(&folder)?;
    give_back(context, &folder);
    for _ in 0..TRIES {
        let Some(port) = free() else { break };
        let place = folder.join(port.to_string());
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place) {
            Ok(mut file) => {
                file.write_all(format!("{run} {n}").as_bytes()).map_err(StoreError::io("write", &place))?;
                return Ok(port);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(StoreError::io("write", &place)(e).into()),
        }
    }
    Err(HomeError::Failed("there is no free port for {run.port}".into()))
}

/// Takes away what attempts that have ended held.
fn give_back(context: &Context, folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let holder = text.split_once(' ').and_then(|(run, n)| Some((RunId(run.parse().ok()?), AttemptNo(n.parse().ok()?))));
        // What is just being written is not ours to judge.
        let Some((run, n)) = holder else { continue };
        let folder = context.home.attempt(run, n);
        let has_ended = spool::attempt(&folder, n).is_ok_and(|attempt| attempt.end.is_some());
        let never_began = !folder.exists()
            && entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > 60));
        if has_ended || never_began {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}
