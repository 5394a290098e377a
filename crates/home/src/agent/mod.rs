//! The other end of a channel to this machine: `neronet agent`, which whoever is at home speaks to. It reads and appends for home what
//! lies here, and decides nothing; it lives as long as the connection.

mod files;
mod following;
mod opened;
mod tidy;

use crate::context::Context;
use crate::error::HomeError;
use crate::parcel::take_snapshot;
use files::Files;
use following::{Following, Request};
use neronet_capture::space;
use neronet_machine::{Watch, elsewhere};
use neronet_model::target::refused_name;
use neronet_model::{Millis, Uid};
use neronet_schedule::{Disk, Place};
use neronet_supervise::os::{clock, process};
use neronet_target::frame;
use neronet_target::wire::{Answer, Ask, Hello, OLDEST, PROTOCOL, Question, Reply};
use opened::Opened;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// While a runner is awaited, it is looked for so often.
const SOON: Millis = Millis(200);

/// Where answers go, from several threads.
#[derive(Clone)]
pub(super) struct Out(Arc<Mutex<dyn Write + Send>>);

impl Out {
    pub(super) fn send(&self, head: &impl Serialize, body: &[u8]) -> Result<(), String> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out: &mut dyn Write = &mut *out;
        frame::write(&mut out, head, body).map_err(|e| format!("nobody listens: {e}"))
    }
}

/// Until the input ends. The exit code. `at` makes a home of a folder.
pub fn serve(version: &str, at: &dyn Fn(&Path) -> Result<Context, HomeError>) -> i32 {
    // Past the buffer of lines that standard output has: what is sent are frames.
    let out = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(out) => Out(Arc::new(Mutex::new(File::from(out)))),
        Err(_) => Out(Arc::new(Mutex::new(io::stdout()))),
    };
    match answer(&mut io::stdin().lock(), &out, version, at) {
        Ok(()) => 0,
        Err(why) => {
            writeln!(io::stderr(), "neronet agent: {why}").ok();
            1
        }
    }
}

fn answer(input: &mut impl Read, out: &Out, version: &str, at: &dyn Fn(&Path) -> Result<Context, HomeError>) -> Result<(), String> {
    let me = process::myself();
    out.send(&Hello { protocol: PROTOCOL, oldest: OLDEST, version: version.to_string(), host: me.host, boot: me.boot }, &[])?;
    let mut opened: Option<(Opened, Following)> = None;
    let mut entered: Option<Files> = None;
    while let Some((Question { id, ask }, body)) = frame::read(input).map_err(|e| e.to_string())? {
        if let Some(files) = &entered {
            files.ask(id, ask, body)?;
            continue;
        }
        let reply = match (ask, &mut opened) {
            (Ask::Ping, _) => Ok(Reply::Done),
            (Ask::Machine, Some((opened, _))) => opened.machine(),
            (Ask::Machine, None) => Ok(machine()),
            (Ask::Open { home, target, settings, lease, runs }, opened) => {
                Opened::at(at, home, &target, &settings, lease).and_then(|new| {
                    let reply = new.reply(&runs)?;
                    let following = Following::begin(new.context(), out.clone())?;
                    *opened = Some((new, following));
                    Ok(reply)
                })
            }
            (Ask::Enter { home, target }, _) => Files::enter(home, &target, out.clone()).map(|files| {
                entered = Some(files);
                Reply::Done
            }),
            (Ask::Follow { journal, runs }, Some((opened, following))) => {
                opened.go_on();
                following.ask(Request::Follow { journal, runs }).map(|()| Reply::Done)
            }
            (Ask::More { patience }, Some((opened, following))) => {
                let patience = if opened.runner_is_awaited() { patience.min(SOON) } else { patience };
                match opened.renew().and_then(|()| following.ask(Request::More { id, patience })) {
                    Ok(()) => continue,
                    Err(e) => Err(e),
                }
            }
            (Ask::Unpack { parcel, snapshot }, Some((opened, _))) => {
                let (context, out) = (opened.context().clone(), out.clone());
                beside(id, out, move || {
                    neronet_store::files::make_folder(&context.home.snapshots())?;
                    take_snapshot(&context.home, &parcel, &snapshot)?;
                    Ok(Reply::Done)
                })?;
                continue;
            }
            (Ask::Tidy, Some((opened, _))) => {
                let (context, out) = (opened.context().clone(), out.clone());
                beside(id, out, move || tidy::tidy(&context, &top()?))?;
                continue;
            }
            (ask, Some((opened, _))) => opened.answer(ask, &body),
            (_, None) => Err(HomeError::Failed("nobody said which target this is".into())),
        };
        let reply = reply.unwrap_or_else(|e| Reply::Refused(e.to_string()));
        out.send(&Answer { id, reply }, &[])?;
    }
    Ok(())
}

/// Where everything of a target is: the folder that the binary was brought to.
fn top() -> Result<PathBuf, HomeError> {
    let own = std::env::current_exe().map_err(|e| HomeError::Failed(format!("cannot find my own binary: {e}")))?;
    Ok(own.parent().and_then(Path::parent).map_or_else(|| PathBuf::from("/"), Path::to_path_buf))
}

/// What is there of a target of a home.
pub(crate) fn folder_of(home: Uid, target: &str) -> Result<PathBuf, HomeError> {
    match refused_name(target) {
        Some(why) => Err(HomeError::Words(format!("'{}' cannot be the name of a target: {why}", target.escape_debug()))),
        None => Ok(top()?.join(home.as_str()).join(target)),
    }
}

/// What takes long keeps nobody else waiting for an answer.
fn beside(id: u64, out: Out, work: impl FnOnce() -> Result<Reply, HomeError> + Send + 'static) -> Result<(), String> {
    let work = move || {
        let reply = work().unwrap_or_else(|e| Reply::Refused(e.to_string()));
        // Home asks again over another connection.
        out.send(&Answer { id, reply }, &[]).ok();
    };
    std::thread::Builder::new().name("work".into()).spawn(work).map(drop).map_err(|e| format!("no thread can be started: {e}"))
}

fn machine() -> Reply {
    let mut watch = Watch::open();
    let (machine, looked) = (watch.machine(), watch.look());
    let place = Place {
        memory_elsewhere: machine.memory.saturating_sub(looked.memory_available),
        gpus_elsewhere: elsewhere(&looked, &BTreeSet::new(), &BTreeSet::new()),
        machine,
        disk: top().ok().and_then(|top| space::disk(&top)).map(|disk| Disk { free: disk.free, all: disk.total }),
        ..Place::default()
    };
    Reply::Machine { now: clock::unix_now(), place: Box::new(place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets_and_answers_under_the_number_of_the_question() {
        let nowhere = |_: &Path| Err(HomeError::Failed("no home".into()));
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let mut asked = Vec::new();
        frame::write(&mut asked, &Question { id: 7, ask: Ask::Machine }, &[]).expect("into memory");
        frame::write(&mut asked, &Question { id: 8, ask: Ask::GiveBack { runs: Vec::new() } }, &[]).expect("into memory");
        answer(&mut &asked[..], &Out(said.clone()), "1.2.3", &nowhere).expect("answered");
        let said = said.lock().expect("nobody panicked").clone();
        let mut said = &said[..];
        let (hello, _) = frame::read::<Hello>(&mut said).expect("a frame").expect("a greeting");
        assert_eq!((hello.version.as_str(), hello.common()), ("1.2.3", Some(PROTOCOL)));
        let (answer, _) = frame::read::<Answer>(&mut said).expect("a frame").expect("an answer");
        assert!(answer.id == 7 && matches!(answer.reply, Reply::Machine { .. }));
        // Of which target nobody said.
        let (answer, _) = frame::read::<Answer>(&mut said).expect("a frame").expect("an answer");
        assert!(answer.id == 8 && matches!(answer.reply, Reply::Refused(_)));
        // What it does not understand ends it.
        let out = Out(Arc::new(Mutex::new(Vec::new())));
        assert!(super::answer(&mut &b"\x02\0\0\0\0\0\0\0{}"[..], &out, "1", &nowhere).is_err());
    }
}
