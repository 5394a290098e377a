//! A connection to the agent of a target: brought there where it is not, greeted, then asked. One channel carries everything.

use crate::binary::Binary;
use crate::frame;
use crate::shell;
use crate::trouble::Trouble;
use crate::wire::{Answer, Ask, Hello, OLDEST, PROTOCOL, Question, Reply};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Kept of what is said on standard error, and passed over of what login files print.
const MOST_ERRORS: usize = 8 << 10;
const MOST_NOISE: u64 = 256 << 10;
/// A line of the script is no longer.
const LONGEST_LINE: u64 = 4 << 10;
const CHUNK: usize = 256 << 10;

/// What a target is to be for a channel to it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where everything of ours is there, absolute.
    pub folder: &'a str,
    pub binary: &'a Binary,
}

pub struct Channel {
    child: Child,
    input: Mutex<ChildStdin>,
    waiting: Arc<Mutex<Waiting>>,
    errors: Arc<Mutex<Vec<u8>>>,
    next: Mutex<u64>,
    pub hello: Hello,
}

#[derive(Default)]
struct Waiting {
    /// Who waits for which answer.
    askers: BTreeMap<u64, Sender<(Reply, Vec<u8>)>>,
    /// Why there will be none any more.
    ended: Option<String>,
}

/// What the script says, and then the agent.
enum Word {
    /// A line behind our mark.
    Line(String),
    Hello(Box<Hello>),
    /// Why nothing more comes.
    End(String),
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For `/bin/sh`, which nothing in it means anything to.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn script(place: &Place<'_>, mark: &str) -> String {
    let Binary { name, size, sum, .. } = place.binary;
    let (folder, name) = (quoted(place.folder), quoted(name));
    // In braces, so that all of it is read before any of it is carried out: what follows is the binary's, or the agent's.
    format!(
        r#"{{
LC_ALL=C; export LC_ALL; umask 077
b={folder}/bin/{name}
if [ -x "$b" ]; then printf '\n%s run\n' {mark}; exec "$b" agent; exit 1; fi
printf '\n%s absent %s %s %s\n' {mark} "$(uname -s)" "$(uname -m)" "$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //')"
IFS= read -r go && [ "$go" = copy ] || exit 0
t="$b.part.$$"
if mkdir -p {folder}/bin && head -c {size} >"$t" && [ "$(cksum <"$t")" = '{sum} {size}' ] && chmod 700 "$t" && mv -f "$t" "$b"; then
  printf '\n%s run\n' {mark}; exec "$b" agent; exit 1
fi
rm -f "$t"
printf '\n%s failed\n' {mark}
}}
exit 1
"#
    )
}

impl Channel {
    /// Opens one. `command` is a shell that reads from its input; `copied` is told how much of the binary is there where it has to be brought.
    ///
    /// # Errors
    /// Why there is none: the machine is not reached, the binary would not run there, or has no room.
    pub fn open(command: Command, place: &Place<'_>, patience: Duration, copied: &dyn Fn(u64)) -> Result<Channel, Trouble> {
        let mark = shell::mark()?;
        let (mut child, input, words, shared) = begin(command, &mark)?;
        let mut opening = Opening { input, words, until: Instant::now() + patience };
        match opening.greeted(&script(place, &mark), place.binary, copied) {
            Ok(hello) if hello.common().is_some() => {
                let Shared { waiting, errors } = shared;
                Ok(Channel { child, input: Mutex::new(opening.input), waiting, errors, next: Mutex::new(1), hello })
            }
            Ok(hello) => {
                end(&mut child);
                let Hello { protocol, oldest, version, .. } = hello;
                let theirs = format!("neronet {version} there speaks {oldest} to {protocol}, this one {OLDEST} to {PROTOCOL}");
                Err(Trouble::Failed(format!("the two do not understand each other: {theirs}")))
            }
            Err(Stop::Trouble(trouble)) => {
                end(&mut child);
                Err(trouble)
            }
            Err(Stop::Silent) => {
                end(&mut child);
                Err(Trouble::Silent(patience.as_secs()))
            }
            Err(stop) => {
                // It has ended, or does so now that its input is closed.
                drop(opening);
                let code = ended(&mut child);
                let said = String::from_utf8_lossy(&lock(&shared.errors)).into_owned();
                let last = || said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why").to_string();
                Err(match stop {
                    Stop::NotBrought => Trouble::Failed(format!("its binary cannot be put into {}: {}", place.folder, last())),
                    Stop::Ended(noise) => Trouble::of(&said, &noise, code),
                    Stop::Trouble(_) | Stop::Silent => Trouble::Silent(patience.as_secs()),
                })
            }
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The connection ended, or the answer does not come in time.
    pub fn ask(&self, ask: Ask, patience: Duration) -> Result<(Reply, Vec<u8>), Trouble> {
        let (asker, answer) = channel();
        let id = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        {
            let mut waiting = lock(&self.waiting);
            if let Some(why) = &waiting.ended {
                return Err(self.lost(why));
            }
            waiting.askers.insert(id, asker);
        }
        let sent = frame::write(&mut *lock(&self.input), &Question { id, ask }, &[]);
        let answer = match sent {
            Ok(()) => answer.recv_timeout(patience),
            Err(_) => answer.recv_timeout(Duration::from_secs(1)),
        };
        lock(&self.waiting).askers.remove(&id);
        match answer {
            Ok((Reply::Refused(why), _)) => Err(Trouble::Failed(why)),
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(Trouble::Silent(patience.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err(self.lost(lock(&self.waiting).ended.as_deref().unwrap_or_default())),
        }
    }

    fn lost(&self, why: &str) -> Trouble {
        let said = String::from_utf8_lossy(&lock(&self.errors)).into_owned();
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        Trouble::Unreachable(last.map_or_else(|| why.to_string(), str::to_string))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}

/// The exit code of what is ending; what does not is ended.
fn ended(child: &mut Child) -> Option<i32> {
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return status.code();
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    end(child);
    None
}

struct Shared {
    waiting: Arc<Mutex<Waiting>>,
    errors: Arc<Mutex<Vec<u8>>>,
}

fn begin(mut shell: Command, mark: &str) -> Result<(Child, ChildStdin, Receiver<Word>, Shared), Trouble> {
    let mut child =
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| Trouble::NoSsh(e.to_string()))?;
    let (Some(input), Some(output), Some(said)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        end(&mut child);
        return Err(Trouble::Failed("a connection without its pipes".into()));
    };
    let shared = Shared { waiting: Arc::default(), errors: Arc::default() };
    let (words, heard) = channel();
    let (waiting, errors, mark) = (Arc::clone(&shared.waiting), Arc::clone(&shared.errors), mark.to_string());
    std::thread::spawn(move || listen(output, &mark, &words, &waiting));
    std::thread::spawn(move || keep(said, &errors));
    Ok((child, input, heard, shared))
}

/// Reads standard error to its end, and keeps the last of it.
fn keep(mut said: ChildStderr, errors: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4 << 10];
    while let Ok(n @ 1..) = said.read(&mut buffer) {
        let mut kept = lock(errors);
        kept.extend_from_slice(&buffer[..n]);
        let over = kept.len().saturating_sub(MOST_ERRORS);
        kept.drain(..over);
    }
}

/// Reads standard output: what login files print, the script's lines, the agent's frames.
fn listen(output: ChildStdout, mark: &str, words: &Sender<Word>, waiting: &Mutex<Waiting>) {
    let mut output = BufReader::with_capacity(64 << 10, output);
    let why = match lines(&mut output, mark, words) {
        Ok(()) => frames(&mut output, words, waiting),
        Err(noise) => noise,
    };
    {
        let mut waiting = lock(waiting);
        waiting.askers.clear();
        waiting.ended = Some(why.clone());
    }
    words.send(Word::End(why)).ok();
}

/// Until the agent begins. Else the last line that was said without being asked.
fn lines(output: &mut BufReader<ChildStdout>, mark: &str, words: &Sender<Word>) -> Result<(), String> {
    let (mut noise, mut passed) = (String::new(), 0);
    loop {
        let mut line = Vec::new();
        let n = output.take(LONGEST_LINE).read_until(b'\n', &mut line).unwrap_or(0);
        passed += n as u64;
        if n == 0 || passed > MOST_NOISE {
            return Err(noise);
        }
        let line = String::from_utf8_lossy(&line).trim().to_string();
        match line.strip_prefix(mark).map(str::trim) {
            Some(said) => {
                let runs = said == "run";
                words.send(Word::Line(said.to_string())).ok();
                if runs {
                    return Ok(());
                }
            }
            None if !line.is_empty() => noise = line,
            None => {}
        }
    }
}

/// Until the end, and why that was.
fn frames(output: &mut BufReader<ChildStdout>, words: &Sender<Word>, waiting: &Mutex<Waiting>) -> String {
    match frame::read::<Hello>(output) {
        Ok(Some((hello, _))) => words.send(Word::Hello(Box::new(hello))).ok(),
        Ok(None) => return String::new(),
        Err(e) => return e.to_string(),
    };
    loop {
        match frame::read::<Answer>(output) {
            Ok(Some((Answer { id, reply }, body))) => {
                // Nobody may wait for it any more.
                if let Some(asker) = lock(waiting).askers.remove(&id) {
                    asker.send((reply, body)).ok();
                }
            }
            Ok(None) => return "the connection was closed".into(),
            Err(e) => return e.to_string(),
        }
    }
}

/// Why there is no channel.
enum Stop {
    Trouble(Trouble),
    Silent,
    /// The binary could not be put there.
    NotBrought,
    /// With what was said without being asked.
    Ended(String),
}

struct Opening {
    input: ChildStdin,
    words: Receiver<Word>,
    until: Instant,
}

impl Opening {
    fn next(&self) -> Result<Word, Stop> {
        match self.words.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
            Ok(Word::End(noise)) => Err(Stop::Ended(noise)),
            Ok(word) => Ok(word),
            Err(RecvTimeoutError::Timeout) => Err(Stop::Silent),
            Err(RecvTimeoutError::Disconnected) => Err(Stop::Ended(String::new())),
        }
    }

    fn greeted(&mut self, script: &str, binary: &Binary, copied: &dyn Fn(u64)) -> Result<Hello, Stop> {
        self.input.write_all(script.as_bytes()).ok();
        loop {
            match self.next()? {
                Word::Hello(hello) => return Ok(*hello),
                Word::Line(line) if line == "run" => {}
                Word::Line(line) => match line.strip_prefix("absent ") {
                    Some(machine) => {
                        fits(binary, machine).map_err(Stop::Trouble)?;
                        let unread = |e| Stop::Trouble(Trouble::Failed(format!("neronet's own binary cannot be read: {e}")));
                        let bytes = std::fs::read(&binary.path).map_err(unread)?;
                        self.input.write_all(b"copy\n").ok();
                        let mut sent = 0;
                        for chunk in bytes.chunks(CHUNK) {
                            if self.input.write_all(chunk).is_err() {
                                // What it said tells why.
                                break;
                            }
                            sent += chunk.len() as u64;
                            copied(sent);
                        }
                    }
                    None => return Err(Stop::NotBrought),
                },
                Word::End(noise) => return Err(Stop::Ended(noise)),
            }
        }
    }
}

/// Whether the binary starts on a machine that says of itself `Linux x86_64 2.36`.
fn fits(binary: &Binary, machine: &str) -> Result<(), Trouble> {
    let mut words = machine.split_whitespace();
    let (os, arch, libc) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    if os != "Linux" || arch != std::env::consts::ARCH {
        let ours = std::env::consts::ARCH;
        return Err(Trouble::Failed(format!("it is {os} {arch}, and neronet's binary here is for Linux {ours}")));
    }
    let version = libc.and_then(|libc| libc.split_once('.')).and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let (major, minor) = binary.needs;
    match version {
        Some(version) if version >= binary.needs => Ok(()),
        Some((has, of)) => Err(Trouble::Failed(format!(
            "it has glibc {has}.{of}, and this binary asks for {major}.{minor}: use the released one, which asks for 2.17 (`make dist`)"
        ))),
        None => Err(Trouble::Failed(format!("it has no glibc, which this binary asks for ({major}.{minor})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::path::Path;

    const LONG: Duration = Duration::from_secs(60);

    /// A script that stands in for the binary.
    fn binary(folder: &Path, script: &str) -> Binary {
        let path = folder.join("agent.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        Binary::of(&path, "1").expect("a file")
    }

    /// `printf` of a frame with this head.
    fn frame_of(head: &str) -> String {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(head.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(head.as_bytes());
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        format!("printf '{escaped}'")
    }

    fn hello(protocol: u32, oldest: u32) -> String {
        frame_of(&format!(r#"{{"protocol":{protocol},"oldest":{oldest},"version":"9","host":"h","boot":"b","more":1}}"#))
    }

    fn open(folder: &Path, binary: &Binary, copied: &dyn Fn(u64)) -> Result<Channel, Trouble> {
        let place = Place { folder: folder.to_str().expect("text"), binary };
        Channel::open(Command::new("/bin/sh"), &place, LONG, copied)
    }

    #[test]
    fn the_binary_is_brought_once_whatever_the_folder_is_called() {
        let world = tempfile::tempdir().expect("a folder");
        let folder = world.path().join("a b'c$(touch pwned)\"d;e");
        let answers = format!("{}; {}; cat >/dev/null", hello(PROTOCOL, OLDEST), frame_of(r#"{"id":2,"reply":{"refused":"not today"}}"#));
        let binary = binary(world.path(), &answers);
        for expected in [binary.size, 0] {
            let sent = Cell::new(0);
            let channel = open(&folder, &binary, &|bytes| sent.set(bytes)).expect("a channel");
            assert_eq!((sent.get(), channel.hello.version.as_str()), (expected, "9"));
        }
        let there: Vec<_> =
            std::fs::read_dir(folder.join("bin")).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(there, [binary.name.as_str()]);
        assert!(!world.path().join("pwned").exists() && !Path::new("pwned").exists());
    }

    #[test]
    fn an_answer_is_given_to_whoever_asked() {
        let world = tempfile::tempdir().expect("a folder");
        // It answers when it was asked, and something that nobody asked for before.
        let refused = |id: u32| frame_of(&format!(r#"{{"id":{id},"reply":{{"refused":"not today"}}}}"#));
        let binary =
            binary(world.path(), &format!("{}; head -c 1 >/dev/null; {}; {}; cat >/dev/null", hello(1, 1), refused(77), refused(2)));
        let channel = open(world.path(), &binary, &|_| {}).expect("a channel");
        assert_eq!(channel.ask(Ask::Machine, LONG), Err(Trouble::Failed("not today".into())));
        assert_eq!(channel.ask(Ask::Machine, Duration::from_millis(20)), Err(Trouble::Silent(0)));
    }

    #[test]
    fn what_a_hostile_agent_says_is_bounded_and_told() {
        let world = tempfile::tempdir().expect("a folder");
        let told = |name: &str, script: &str| {
            let folder = world.path().join(name);
            std::fs::create_dir(&folder).expect("made");
            let binary = binary(&folder, script);
            let channel = open(&folder, &binary, &|_| {})?;
            channel.ask(Ask::Machine, LONG).map(|_| ())
        };
        let huge = format!("{}; head -c 1 >/dev/null; printf '\\377\\377\\377\\377\\377\\377\\377\\377'; cat >/dev/null", hello(1, 1));
        let said = told("huge", &huge).expect_err("no answer").to_string();
        assert!(said.contains("which no neronet sends"), "{said}");
        let said = told("garbage", &format!("{}; head -c 1 >/dev/null; echo what is this; exec yes", hello(1, 1))).expect_err("no answer");
        assert!(matches!(said, Trouble::Unreachable(_)), "{said:?}");
        let said = told("newer", &format!("{}; cat >/dev/null", hello(9, 8))).expect_err("no answer").to_string();
        assert!(said.contains("neronet 9 there speaks 8 to 9, this one 1 to 1"), "{said}");
        let said = told("dies", "echo Illegal instruction >&2; exit 132").expect_err("no answer");
        assert_eq!(said, Trouble::Garbled("Illegal instruction".into()));
    }

    #[test]
    fn a_folder_that_takes_nothing_is_told() {
        let world = tempfile::tempdir().expect("a folder");
        let binary = binary(world.path(), "exit 1");
        let file = world.path().join("file");
        std::fs::write(&file, "").expect("written");
        let Err(trouble) = open(&file, &binary, &|_| {}) else { panic!("no channel") };
        assert!(trouble.to_string().starts_with("its binary cannot be put into ") && trouble.to_string().contains("mkdir"), "{trouble}");
        // What arrives is not what was sent.
        let other = Binary { sum: binary.sum ^ 1, name: "other".into(), ..binary.clone() };
        assert!(matches!(open(world.path(), &other, &|_| {}), Err(Trouble::Failed(_))));
        assert!(std::fs::read_dir(world.path().join("bin")).expect("made").next().is_none());
        let newer = Binary { needs: (9, 9), name: "newer".into(), ..binary };
        let Err(trouble) = open(world.path(), &newer, &|_| {}) else { panic!("no channel") };
        assert!(trouble.to_string().contains("this binary asks for 9.9"), "{trouble}");
    }
}
