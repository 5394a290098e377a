//! A connection to the agent of a target: brought there where it is not, greeted, then asked. One channel carries everything.

use crate::binary::Binary;
use crate::frame::{self, widen};
use crate::last_words::{LastWords, last_line};
use crate::opening::{Opening, Stop, script};
use crate::shell;
use crate::trouble::Trouble;
use crate::wire::{Answer, Ask, Hello, OLDEST, PROTOCOL, Question, Reply};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Passed over of what login files print.
const MOST_NOISE: u64 = 256 << 10;
/// A line of the script is no longer.
const LONGEST_LINE: u64 = 4 << 10;
/// Of what it says about itself for people.
const LONGEST_WORDS: usize = 500;
/// Answers that come when nobody waits for them any more.
const MOST_LATE: usize = 1_000;

/// What a target is to be for a channel to it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where everything of ours is there, absolute.
    pub folder: &'a str,
    /// The first that fits the machine is taken. What is this machine's own comes first.
    pub binaries: &'a [Binary],
}

pub struct Channel {
    child: Mutex<Child>,
    input: Mutex<ChildStdin>,
    output: OwnedFd,
    waiting: Arc<Mutex<Waiting>>,
    errors: Arc<LastWords>,
    next: Mutex<u64>,
    pub hello: Hello,
    /// The name of the binary that answers.
    pub binary: String,
}

/// A question that is not answered yet.
pub struct Asked<'c> {
    channel: &'c Channel,
    id: u64,
    answer: Receiver<(Reply, Vec<u8>)>,
    sent: bool,
}

impl Asked<'_> {
    /// # Errors
    /// The connection ended, the answer does not come in time, or is that it cannot be done.
    pub fn wait(self, patience: Duration) -> Result<(Reply, Vec<u8>), Trouble> {
        match self.answer.recv_timeout(if self.sent { patience } else { Duration::from_secs(1) }) {
            Ok((Reply::Refused(why), _)) => Err(Trouble::Failed(shortened(&why))),
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => Err(Trouble::Silent(patience.as_secs())),
            Err(RecvTimeoutError::Disconnected) => {
                let over = lock(&self.channel.waiting).ended.clone();
                Err(self.channel.lost(&over.unwrap_or(Over::Closed(String::new()))))
            }
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        lock(&self.channel.waiting).askers.remove(&self.id);
    }
}

#[derive(Default)]
struct Waiting {
    /// Who waits for which answer.
    askers: BTreeMap<u64, Sender<(Reply, Vec<u8>)>>,
    /// Why there will be none any more.
    ended: Option<Over>,
}

impl Waiting {
    /// No answer comes any more.
    fn end(&mut self, over: Over) {
        self.ended.get_or_insert(over);
        self.askers.clear();
    }
}

/// How what was said came to its end.
#[derive(Debug, Clone)]
pub(crate) enum Over {
    /// The connection went.
    Closed(String),
    /// What came is nothing that an agent says.
    Broken(String),
}

/// What the script says, and then the agent.
pub(crate) enum Word {
    /// A line behind our mark.
    Line(String),
    Hello(Box<Hello>),
    /// Why nothing more comes.
    End(Over),
}

pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Words of the other end, for one line.
fn shortened(words: &str) -> String {
    let mut short: String = words.chars().take(LONGEST_WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    short
}

impl Channel {
    /// Opens one. `command` is a shell that reads from its input; `copied` is told how much of the binary is there, and
    /// of how much, where it has to be brought.
    ///
    /// # Errors
    /// Why there is none: the machine is not reached, the binary would not run there, or has no room.
    pub fn open(command: Command, place: &Place<'_>, patience: Duration, copied: &dyn Fn(u64, u64)) -> Result<Channel, Trouble> {
        let mark = shell::mark()?;
        let (mut child, input, words, shared) = begin(command, &mark)?;
        let mut opening = Opening { input, words, until: Instant::now() + patience };
        match opening.greeted(&script(place, &mark), place.binaries, copied) {
            Ok((hello, binary)) if hello.common().is_some() => {
                let Shared { waiting, errors, output } = shared;
                let (child, input) = (Mutex::new(child), Mutex::new(opening.input));
                let binary = binary.name.clone();
                Ok(Channel { child, input, output, waiting, errors, next: Mutex::new(1), hello, binary })
            }
            Ok((hello, _)) => {
                end(&mut child);
                let Hello { protocol, oldest, version, .. } = hello;
                let theirs =
                    format!("neronet {} there speaks {oldest} to {protocol}, this one {OLDEST} to {PROTOCOL}", shortened(&version));
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
                let said = shared.errors.all();
                Err(match stop {
                    Stop::NotBrought => {
                        let why = last_line(&said).unwrap_or("it does not say why");
                        let room = if ["No space left", "uota exceeded"].iter().any(|word| why.contains(word)) {
                            "make room there, or "
                        } else {
                            ""
                        };
                        let advice = format!("{room}write another `folder` into targets.toml");
                        Trouble::Failed(format!("its binary cannot be put into {}: {why}; {advice}", place.folder))
                    }
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
        self.ask_with(ask, &[], patience)
    }

    /// The same, with bytes that belong to the question.
    ///
    /// # Errors
    /// As `ask`.
    pub fn ask_with(&self, ask: Ask, body: &[u8], patience: Duration) -> Result<(Reply, Vec<u8>), Trouble> {
        self.send(ask, body)?.wait(patience)
    }

    /// Asks without waiting, so that several questions are on their way at once.
    ///
    /// # Errors
    /// The connection ended.
    pub fn send(&self, ask: Ask, body: &[u8]) -> Result<Asked<'_>, Trouble> {
        let (asker, answer) = channel();
        let id = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        {
            let mut waiting = lock(&self.waiting);
            if let Some(over) = &waiting.ended {
                return Err(self.lost(over));
            }
            waiting.askers.insert(id, asker);
        }
        let sent = frame::write(&mut *lock(&self.input), &Question { id, ask }, body).is_ok();
        Ok(Asked { channel: self, id, answer, sent })
    }

    /// For what is long.
    pub fn widen(&self) {
        widen(&self.output);
        widen(&*lock(&self.input));
    }

    /// Ends the connection: whoever waits for an answer hears so.
    pub fn close(&self) {
        // What was called as ssh may have started the real one, which does not end with it.
        lock(&self.waiting).end(Over::Closed("it was closed".into()));
        end(&mut lock(&self.child));
    }

    fn lost(&self, over: &Over) -> Trouble {
        let why = match over {
            Over::Closed(why) => why,
            Over::Broken(what) => return Trouble::Garbled(what.clone()),
        };
        let said = self.errors.all();
        Trouble::Unreachable(last_line(&said).unwrap_or(why).to_string())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.close();
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
    errors: Arc<LastWords>,
    output: OwnedFd,
}

fn begin(mut shell: Command, mark: &str) -> Result<(Child, ChildStdin, Receiver<Word>, Shared), Trouble> {
    let mut child =
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| Trouble::NoSsh(e.to_string()))?;
    let (Some(input), Some(output), Some(said)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        end(&mut child);
        return Err(Trouble::Failed("a connection without its pipes".into()));
    };
    let output_again = match output.as_fd().try_clone_to_owned() {
        Ok(again) => again,
        Err(e) => {
            end(&mut child);
            return Err(Trouble::Failed(format!("a pipe cannot be set up: {e}")));
        }
    };
    let shared = Shared { waiting: Arc::default(), errors: Arc::default(), output: output_again };
    let (words, heard) = channel();
    let (waiting, errors, mark) = (Arc::clone(&shared.waiting), Arc::clone(&shared.errors), mark.to_string());
    std::thread::spawn(move || listen(output, &mark, &words, &waiting));
    std::thread::spawn(move || errors.keep(said, io::sink()));
    Ok((child, input, heard, shared))
}

/// Reads standard output: what login files print, the script's lines, the agent's frames.
fn listen(output: ChildStdout, mark: &str, words: &Sender<Word>, waiting: &Mutex<Waiting>) {
    let mut output = BufReader::with_capacity(64 << 10, output);
    let over = match lines(&mut output, mark, words) {
        Ok(()) => frames(&mut output, words, waiting),
        Err(noise) => Over::Closed(noise),
    };
    // Whoever waits hears that first.
    lock(waiting).end(over.clone());
    words.send(Word::End(over)).ok();
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
                let runs = said.starts_with("run ");
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
fn frames(output: &mut BufReader<ChildStdout>, words: &Sender<Word>, waiting: &Mutex<Waiting>) -> Over {
    let broken = |broken| match broken {
        frame::Broken::Cut(_) => Over::Closed(format!("{broken}")),
        frame::Broken::TooLong { .. } | frame::Broken::Unknown(_) => Over::Broken(shortened(&broken.to_string())),
    };
    match frame::read::<Hello>(output) {
        Ok(Some((hello, _))) => words.send(Word::Hello(Box::new(hello))).ok(),
        Ok(None) => return Over::Closed(String::new()),
        Err(e) => return broken(e),
    };
    let mut late = 0;
    loop {
        match frame::read::<Answer>(output) {
            Ok(Some((Answer { id, reply }, body))) => {
                match lock(waiting).askers.remove(&id) {
                    Some(asker) => drop(asker.send((reply, body))),
                    // Whoever asked may wait no more.
                    None if late < MOST_LATE => late += 1,
                    None => return Over::Broken("answers that nobody asked for".into()),
                }
            }
            Ok(None) => return Over::Closed("the connection was closed".into()),
            Err(e) => return broken(e),
        }
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
        offer(folder, std::slice::from_ref(binary), &|there, _| copied(there))
    }

    fn offer(folder: &Path, binaries: &[Binary], copied: &dyn Fn(u64, u64)) -> Result<Channel, Trouble> {
        let place = Place { folder: folder.to_str().expect("text"), binaries };
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
    fn nothing_of_the_script_is_left_for_the_agent_whichever_shell_is_called_sh() {
        let answer = frame_of(r#"{"id":2,"reply":{"refused":"not today"}}"#);
        let agent = format!("{}; [ \"$(head -c 4 | tr -d '\\000')\" = exit ] || {answer}; cat >/dev/null", hello(1, 1));
        for sh in ["/bin/sh", "bash"] {
            let world = tempfile::tempdir().expect("a folder");
            let binaries = [binary(world.path(), &agent)];
            let place = Place { folder: world.path().to_str().expect("text"), binaries: &binaries };
            // Brought, and there already.
            for _ in 0..2 {
                let mut shell = Command::new(sh);
                std::os::unix::process::CommandExt::arg0(&mut shell, "sh");
                let channel = Channel::open(shell, &place, LONG, &|_, _| {}).unwrap_or_else(|trouble| panic!("{sh}: {trouble}"));
                assert_eq!(channel.ask(Ask::Machine, LONG), Err(Trouble::Failed("not today".into())), "{sh}");
            }
        }
    }

    #[test]
    fn nothing_is_put_into_a_home_of_neronet_by_whatever_name() {
        let world = tempfile::tempdir().expect("a folder");
        let home = world.path().join("my home");
        std::fs::create_dir_all(home.join("journal")).expect("made");
        std::fs::write(home.join("home.json"), "{}").expect("written");
        std::os::unix::fs::symlink(&home, world.path().join("link")).expect("linked");
        let binary = binary(world.path(), "exit 1");
        for folder in ["my home", "my home/a/b", "link/runs/3"] {
            let Err(trouble) = open(&world.path().join(folder), &binary, &|_| panic!("nothing is brought")) else { panic!("no channel") };
            let home = home.canonicalize().expect("there").display().to_string();
            assert_eq!(trouble, Trouble::NoPlace(home), "{folder}");
        }
        assert_eq!(std::fs::read_dir(&home).expect("there").count(), 2);
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
        assert!(matches!(said, Trouble::Garbled(_)), "{said:?}");
        let unasked = frame_of(r#"{"id":77,"reply":"done"}"#);
        let said = told("unasked", &format!("{}; while {unasked}; do :; done", hello(1, 1))).expect_err("no answer").to_string();
        assert!(said.contains("answers that nobody asked for"), "{said}");
        let said = told("newer", &format!("{}; cat >/dev/null", hello(9, 8))).expect_err("no answer").to_string();
        assert!(said.contains("neronet 9 there speaks 8 to 9, this one 1 to 1"), "{said}");
        let said =
            told("hangs up", &format!("{}; head -c 1 >/dev/null; exec >&-; echo Out of memory >&2", hello(1, 1))).expect_err("no answer");
        assert_eq!(said, Trouble::Unreachable("Out of memory".into()));
        let said = told("dies", "exec >&-; echo Illegal instruction >&2; exit 132").expect_err("no answer");
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
        let other = Binary { sum: binary.sum ^ 1, name: "other".into(), ..binary };
        assert!(matches!(open(world.path(), &other, &|_| {}), Err(Trouble::Failed(_))));
        assert!(!world.path().join("bin").exists());
        assert!(open(&world.path().join("a/b"), &other, &|_| {}).is_err() && !world.path().join("a").exists());
    }

    #[test]
    fn the_first_binary_that_fits_the_machine_is_taken_whatever_lies_there() {
        let world = tempfile::tempdir().expect("a folder");
        let fits = binary(world.path(), &format!("{}; cat >/dev/null", hello(1, 1)));
        let other = Binary { arch: "pdp11".into(), name: "other".into(), size: 7, ..fits.clone() };
        let newer = Binary { needs: (9, 9), name: "newer".into(), size: 7, ..fits.clone() };
        let later = Binary { name: "later".into(), ..fits.clone() };
        // A folder that machines of two kinds share.
        let there = world.path().join("bin");
        std::fs::create_dir(&there).expect("made");
        for name in ["other", "newer"] {
            std::fs::copy(&fits.path, there.join(name)).expect("copied");
            std::fs::set_permissions(there.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("executable");
        }
        let all = [other.clone(), newer.clone(), fits.clone(), later];
        for expected in [fits.size, 0] {
            let sent = Cell::new(0);
            let channel = offer(world.path(), &all, &|there, all| sent.set(there.min(all))).expect("a channel");
            assert_eq!((sent.get(), channel.binary.as_str()), (expected, fits.name.as_str()));
        }
        let refused = |binaries: &[Binary]| match offer(world.path(), binaries, &|_, _| panic!("nothing is brought")) {
            Err(trouble) => trouble.to_string(),
            Ok(_) => panic!("no channel"),
        };
        let (own, beside) = (&fits.arch, world.path().display());
        let said = refused(std::slice::from_ref(&other));
        let put = format!("put one built for it beside this one, as {beside}/neronet-linux-{own}");
        assert_eq!(said, format!("it is Linux {own}, and there is no neronet for that here: {put}"));
        let said = refused(&[other, newer]);
        let put = format!("put the released one (`make dist`, which asks for 2.17) beside this one, as {beside}/neronet-linux-{own}");
        assert!(said.starts_with("it has glibc 2.") && said.ends_with(&format!(", and this binary asks for 9.9: {put}")), "{said}");
    }
}
