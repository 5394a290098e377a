//! Files of a target that are read for home and brought by it. Two threads of their own: one reads, writes and hashes, the other sends,
//! so that neither the disk waits for the wire nor the wire for the disk.

use super::Out;
use crate::error::HomeError;
use crate::parcel::{Arriving, Compared, Folder, Listing, Reading};
use crate::travel;
use neronet_model::Uid;
use neronet_target::frame::widen;
use neronet_target::parcel::{Entry, Inner};
use neronet_target::wire::{Answer, Ask, Ground, Reply};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Questions that wait, with up to 1 MiB each, and answers.
const WAITING: usize = 32;
const ANSWERS: usize = 4;
/// Of the head of an answer.
const PAGE: usize = 256 << 10;

struct Question {
    id: u64,
    ask: Ask,
    body: Vec<u8>,
}

/// To the threads, which end when it goes.
pub(super) struct Files(SyncSender<Question>);

impl Files {
    pub(super) fn enter(home: Uid, target: &str, out: Out) -> Result<Files, HomeError> {
        let (top, ours) = (super::top()?, super::folder_of(home, target)?);
        let none = |e: io::Error| HomeError::Failed(format!("no thread can be started: {e}"));
        widen(&io::stdin());
        widen(&io::stdout());
        let (questions, asked) = sync_channel(WAITING);
        let (answers, answered) = sync_channel(ANSWERS);
        let worker = Worker { top, ours, ground: None, listed: None, reading: None, arriving: None };
        std::thread::Builder::new().name("files".into()).spawn(move || worker.answer(&asked, &answers)).map_err(none)?;
        std::thread::Builder::new().name("send".into()).spawn(move || send(&answered, &out)).map_err(none)?;
        Ok(Files(questions))
    }

    pub(super) fn ask(&self, id: u64, ask: Ask, body: Vec<u8>) -> Result<(), String> {
        self.0.send(Question { id, ask, body }).map_err(|_| "nobody listens".to_string())
    }
}

fn send(answers: &Receiver<(Answer, Vec<u8>)>, out: &Out) {
    for (answer, body) in answers {
        if out.send(&answer, &body).is_err() {
            return;
        }
    }
}

struct Worker {
    /// Where everything of the target is, and what is ours of that.
    top: PathBuf,
    ours: PathBuf,
    /// What was used last.
    ground: Option<(Ground, Folder)>,
    listed: Option<(Ground, Vec<String>, Listing)>,
    reading: Option<(Ground, Reading)>,
    arriving: Option<Arriving<Folder>>,
}

impl Worker {
    fn answer(mut self, asked: &Receiver<Question>, answers: &SyncSender<(Answer, Vec<u8>)>) {
        for Question { id, ask, body } in asked {
            let (reply, bytes) = self.carried_out(ask, &body).unwrap_or_else(|e| (Reply::Refused(e.to_string()), Vec::new()));
            if answers.send((Answer { id, reply }, bytes)).is_err() {
                return;
            }
        }
    }

    fn carried_out(&mut self, ask: Ask, body: &[u8]) -> Result<(Reply, Vec<u8>), HomeError> {
        let reply = match ask {
            Ask::Read { ground, path, at, most } => {
                let (now, bytes) = self.read(ground, &path, at)?.read(at, most)?;
                return Ok((Reply::File(now), bytes));
            }
            Ask::Hashed { ground, path } => Reply::File(self.read(ground, &path, u64::MAX)?.hashed()?),
            Ask::List { ground, globs, from } => self.list(ground, globs, from)?,
            Ask::Compare { ground, files } => self.compare(&ground, &files)?,
            Ask::BeginFile { ground, file } => {
                self.arriving = None;
                travel::may_be_brought(&ground, &file.path)?;
                let folder = Folder::made(&self.place(&ground)?)?;
                let (arriving, begun) = Arriving::begin(folder, file)?;
                self.arriving = Some(arriving);
                Reply::At(begun.at)
            }
            Ask::AppendFile { at } => Reply::At(self.arriving.as_mut().ok_or_else(nothing)?.add(at, body)?),
            Ask::PutFile { file } => {
                self.arriving.take().ok_or_else(nothing)?.finish(&file)?;
                Reply::Done
            }
            _ => return Err(HomeError::Failed("asked out of turn".into())),
        };
        Ok((reply, Vec::new()))
    }

    fn place(&self, ground: &Ground) -> Result<PathBuf, HomeError> {
        match ground {
            Ground::Run(run) => Ok(self.ours.join("runs").join(run.to_string())),
            Ground::Folder(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            Ground::Folder(path) => Ok(self.top.join(Inner::try_from(path.clone()).map_err(HomeError::Failed)?.as_str())),
        }
    }

    fn folder(&mut self, ground: &Ground) -> Result<&Folder, HomeError> {
        if self.ground.as_ref().is_none_or(|(known, _)| known != ground) {
            self.ground = Some((ground.clone(), Folder::open(&self.place(ground)?)?));
        }
        self.ground.as_ref().map(|(_, folder)| folder).ok_or_else(nothing)
    }

    /// The file as it was opened, while it is read on; else as it is now.
    fn read(&mut self, ground: Ground, path: &Inner, at: u64) -> Result<&mut Reading, HomeError> {
        let goes_on = |(known, reading): &(Ground, Reading)| *known == ground && reading.begun().path == *path && at > 0;
        if !self.reading.as_ref().is_some_and(goes_on) {
            self.reading = None;
            let reading = self.folder(&ground)?.reading(path)?;
            self.reading = Some((ground, reading));
        }
        self.reading.as_mut().map(|(_, reading)| reading).ok_or_else(nothing)
    }

    fn list(&mut self, ground: Ground, globs: Vec<String>, from: usize) -> Result<Reply, HomeError> {
        let goes_on = |(known, asked, _): &(Ground, Vec<String>, Listing)| *known == ground && *asked == globs && from > 0;
        if !self.listed.as_ref().is_some_and(goes_on) {
            // What was there before may be another folder by now.
            self.ground = None;
            let listing = self.folder(&ground)?.list(&globs)?;
            self.listed = Some((ground, globs, listing));
        }
        let Some((.., listing)) = &self.listed else { return Err(nothing()) };
        let behind = listing.entries.get(from..).unwrap_or_default();
        let entries: Vec<Entry> = travel::page(behind, PAGE).to_vec();
        let more = entries.len() < behind.len();
        Ok(Reply::Listed { entries, left_out: listing.left_out, unfit: listing.unfit.clone(), cut_short: listing.cut_short, more })
    }

    fn compare(&mut self, ground: &Ground, files: &[Entry]) -> Result<Reply, HomeError> {
        self.ground = None;
        let place = self.place(ground)?;
        let Compared { missing, unsure } = match exists(&place) {
            true => self.folder(ground)?.compare(files),
            false => Compared { missing: (0..files.len()).collect(), unsure: Vec::new() },
        };
        Ok(Reply::Compared { missing, unsure })
    }
}

/// Whatever it is: what is no folder is told when it is opened.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn nothing() -> HomeError {
    HomeError::Failed("nothing was begun".into())
}
