//! A connection to the agent of a target: brought there where it is not, greeted, then asked. One channel carries everything.

use crate::binary::Binary;
use crate::frame;
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

fn script(place: &Place<'_>, checksum: u32, mark: &str) -> String {
    let Binary { name, size, .. } = place.binary;
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
if mkdir -p {folder}/bin && head -c {size} >"$t" && [ "$(cksum <"$t")" = '{checksum} {size}' ] && chmod 700 "$t" && mv -f "$t" "$b"; then
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
    /// Opens one. `shell` is one that reads from its input; `copied` is told how much of the binary is there where it has to be brought.
    ///
    /// # Errors
    /// Why there is none: the machine is not reached, the binary would not run there, or has no room.
    pub fn open(shell: Command, place: &Place<'_>, patience: Duration, copied: &dyn Fn(u64)) -> Result<Channel, Trouble> {
        let failed = |what: &str, e: std::io::Error| Trouble::Failed(format!("{what}: {e}"));
        let bytes = std::fs::read(&place.binary.path).map_err(|e| failed("neronet's own binary cannot be read", e))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Trouble::Failed(format!("the system gives no random numbers: {e}")))?;
        let mark = format!("neronet-{}", random.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let (mut child, input, words, shared) = begin(shell, &mark)?;
        let mut opening = Opening { input, words, until: Instant::now() + patience };
        let script = script(place, crate::binary::checksum(&bytes), &mark);
        match opening.greeted(&script, place.binary, &bytes, copied) {
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
            Err(Stop::Ended(noise)) => {
                // It has ended, or does so now that its input is closed.
                drop(opening);
                let code = ended(&mut child);
                Err(Trouble::of(&String::from_utf8_lossy(&lock(&shared.errors)), &noise, code))
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

    fn greeted(&mut self, script: &str, binary: &Binary, bytes: &[u8], copied: &dyn Fn(u64)) -> Result<Hello, Stop> {
        self.input.write_all(script.as_bytes()).ok();
        loop {
            match self.next()? {
                Word::Hello(hello) => return Ok(*hello),
                Word::Line(line) if line == "run" => {}
                Word::Line(line) => match line.strip_prefix("absent ") {
                    Some(machine) => {
                        fits(binary, machine).map_err(Stop::Trouble)?;
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
                    None => return Err(Stop::Ended(String::new())),
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
