//! Which imports of a script its Python would not find. The environment's own interpreter reads the script, with a program of ours,
//! and runs none of it; what it answered is remembered until the interpreter, its packages or the files change.

use crate::sign::{Draft, Sign, hash};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const PROGRAM: &str = include_str!("imports.py");
const MARK: &str = "neronet-imports:";
/// Of an answer that is read.
const LONGEST: u64 = 4 << 20;
const FORMAT: u32 = 1;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub interpreter: &'a Path,
    /// Python's own options that change where it looks, as letters.
    pub options: &'a str,
    /// All variables of the run, but `PYTHONPATH`.
    pub env: &'a [(String, String)],
    pub python_path: &'a [String],
    /// The top of the code, without links, and where the command is by then.
    pub top: &'a Path,
    pub folder: &'a Path,
    /// What a run's copy of the code has; nothing where runs work in the code itself.
    pub held: Option<Held<'a>>,
    /// `script` and its path, or `module` and its name; in the order in which they are started.
    pub entries: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Paths below the top, of modules that are files, with the hash of their content; sorted.
    pub files: &'a [(&'a str, &'a str)],
    /// All below these is there too: what is linked.
    pub beginnings: &'a [String],
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    pub version: String,
    #[serde(default)]
    pub executable: String,
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    places: Vec<PathBuf>,
    /// Files of the researcher's that were read.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    #[serde(default)]
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// Empty where it is about no file; the line is then 0.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// In bytes of `text`, counted from 0.
    pub column: usize,
    pub text: String,
    pub name: String,
    /// It happens whatever the script does.
    pub certain: bool,
    pub detail: String,
    /// A file of that name which a run's copy lacks.
    pub ignored: String,
    /// What it would take, of a syntax error.
    pub needs: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// No module of that name; `detail` is `weak` where it may never be imported, `unsure` where it may be found all the same.
    Missing,
    /// A folder without modules of that name, `detail`, is what would be imported.
    Empty,
    /// The file cannot be read by this Python: `detail` is what it says.
    Syntax,
    /// `from . import x` where there is no package around.
    Relative,
    NoScript,
    NoModule,
    /// A package without `__main__.py`.
    NoMain,
    /// The file `detail` hides the library or Python's own module of that name.
    Hides,
}

/// What is known, with all that must be as it was for it to be true.
#[derive(Serialize, Deserialize)]
struct Remembered {
    format: u32,
    interpreter: Option<Sign>,
    places: Vec<(PathBuf, Option<Sign>)>,
    /// Each file that was read, and the hash of its content.
    files: Vec<(PathBuf, String)>,
    answer: Answer,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// It took longer than anybody waits: a network disk that hangs, most likely.
    TooSlow,
    /// It is there, and says that it cannot be started.
    NotStarted(String),
    Failed(String),
}

/// Asks the interpreter, for at most `patience`, unless the answer is known from before.
pub fn ask(question: &Question<'_>, cache: &Path, patience: Duration) -> Result<Answer, Silence> {
    if [question.top, question.folder].iter().any(|folder| folder.to_str().is_none()) {
        return Err(Silence::Failed("the folder's name is not UTF-8".to_string()));
    }
    let place = cache.join(format!("imports-{}.json", &key(question)[..16]));
    if let Some(answer) = remembered(&place, question) {
        return Ok(answer);
    }
    let draft = question.held.and_then(|_| Draft::of(&place));
    let answer = fresh(question, patience)?;
    if let Some(draft) = draft {
        remember(&draft, question, &answer);
    }
    Ok(answer)
}

/// All of the question but what is looked at anew each time.
fn key(question: &Question<'_>) -> String {
    let mut parts: Vec<&[u8]> = vec![question.interpreter.as_os_str().as_encoded_bytes(), question.options.as_bytes()];
    parts.extend([question.top, question.folder].map(|folder| folder.as_os_str().as_encoded_bytes()));
    parts.extend(question.python_path.iter().map(String::as_bytes));
    parts.extend(question.entries.iter().flat_map(|(what, entry)| [what.as_bytes(), entry.as_bytes()]));
    let of_python = question.env.iter().filter(|(name, _)| name.starts_with("PYTHON") || name == "HOME" || name == "VIRTUAL_ENV");
    parts.extend(of_python.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    let held = question.held.map(|held| (held.files, held.beginnings)).unwrap_or_default();
    parts.extend(held.0.iter().map(|(path, _)| path.as_bytes()).chain(held.1.iter().map(String::as_bytes)));
    hash(&parts.join(&0))
}

fn remembered(place: &Path, question: &Question<'_>) -> Option<Answer> {
    question.held?;
    let known: Remembered = serde_json::from_slice(&std::fs::read(place).ok()?).ok()?;
    let same = known.format == FORMAT
        && known.interpreter.is_some()
        && known.interpreter == sign(question.interpreter)
        && known.places.iter().all(|(place, known)| sign(place) == *known)
        && known.files.iter().all(|(path, hash)| content(path, question).as_ref() == Some(hash))
        && known.answer.findings.iter().all(|finding| Path::new(&finding.ignored).exists() != finding.ignored.is_empty());
    same.then_some(known.answer)
}

/// Of what is behind links.
fn sign(path: &Path) -> Option<Sign> {
    std::fs::metadata(path).ok().map(|meta| Sign::of(&meta))
}

fn content(path: &Path, question: &Question<'_>) -> Option<String> {
    let below = path.strip_prefix(question.top).ok().and_then(Path::to_str);
    let held = question.held.and_then(|held| {
        let below = below?;
        let at = held.files.binary_search_by(|(known, _)| (*known).cmp(below)).ok()?;
        Some(held.files[at].1.to_string())
    });
    held.or_else(|| Some(hash(&std::fs::read(path).ok()?)))
}

fn remember(draft: &Draft, question: &Question<'_>, answer: &Answer) {
    let places: Vec<_> = answer.places.iter().map(|place| (place.clone(), sign(place))).collect();
    let interpreter = sign(question.interpreter);
    let settled = |sign: &Option<Sign>| sign.as_ref().is_none_or(|sign| draft.is_after(sign));
    let files: Option<Vec<_>> = answer.files.iter().map(|path| Some((path.clone(), content(path, question)?))).collect();
    let Some(files) = files.filter(|_| settled(&interpreter) && places.iter().all(|(_, sign)| settled(sign))) else { return };
    let known = Remembered { format: FORMAT, interpreter, places, files, answer: answer.clone() };
    if let Ok(bytes) = serde_json::to_vec(&known) {
        draft.save(&bytes);
    }
}

fn fresh(question: &Question<'_>, patience: Duration) -> Result<Answer, Silence> {
    let failed = |why: String| Silence::Failed(why);
    let files: Option<Vec<&str>> = question.held.map(|held| held.files.iter().map(|(path, _)| *path).collect());
    let asked = serde_json::json!({
        "top": question.top,
        "folder": question.folder,
        "held": files,
        "beginnings": question.held.map_or(&[][..], |held| held.beginnings),
        "python_path": question.python_path,
        "entries": question.entries,
    });
    let mut command = Command::new(question.interpreter);
    command.args(question.options.chars().map(|option| format!("-{option}")));
    command.args(["-B", "-W", "ignore", "-c", PROGRAM]);
    // What would make it print, wait or begin with a file of the user's.
    let ours = |name: &str| {
        ["PYTHONPATH", "PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "PYTHONIOENCODING", "PYTHONWARNINGS"]
            .contains(&name)
    };
    command.env_clear().envs(question.env.iter().filter(|(name, _)| !ours(name)).map(|(name, value)| (name, value)));
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|e| failed(format!("it cannot be started: {e}")))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(output), Some(errors)) = pipes else { return Err(failed("it has no pipes".into())) };
    let (done, told) = mpsc::channel();
    let (complained, complaints) = mpsc::channel();
    // Threads of their own, which a disk that hangs may keep.
    std::thread::spawn(move || complained.send(all_of(errors)).ok());
    std::thread::spawn(move || {
        input.write_all(asked.to_string().as_bytes()).ok();
        drop(input);
        done.send(all_of(output)).ok();
    });
    let text = match told.recv_timeout(patience) {
        Ok(Ok(text)) => text,
        Ok(Err(e)) => return Err(end(child, failed(e.to_string()))),
        Err(_) => return Err(end(child, Silence::TooSlow)),
    };
    let silence = || failed("it gave no answer".to_string());
    let text = String::from_utf8_lossy(&text);
    let answer = text.lines().rev().find_map(|line| line.strip_prefix(MARK));
    let answer = answer.and_then(|answer| serde_json::from_str(answer).ok());
    match answer {
        // It has said all; that it ends well nobody needs to wait for.
        Some(answer) => {
            end(child, silence());
            Ok(answer)
        }
        None => match exit_code(&mut child, patience) {
            // As shells and what stands in for a program say it.
            Some(126 | 127) => {
                let said = complaints.recv_timeout(patience).ok().and_then(Result::ok).unwrap_or_default();
                let said = String::from_utf8_lossy(&said);
                let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
                Err(Silence::NotStarted(last.unwrap_or("it cannot be started").to_string()))
            }
            _ => Err(end(child, silence())),
        },
    }
}

/// All that is said there, as far as it is read.
fn all_of(mut pipe: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    pipe.by_ref().take(LONGEST).read_to_end(&mut text)?;
    // Whoever says more is not kept waiting.
    std::io::copy(&mut pipe, &mut std::io::sink())?;
    Ok(text)
}

/// Of one that has closed its output, and so is about to end.
fn exit_code(child: &mut Child, patience: Duration) -> Option<i32> {
    let since = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) if since.elapsed() < patience => std::thread::sleep(Duration::from_millis(2)),
            status => return status.ok()??.code(),
        }
    }
}

/// Ends it with all that it has started. One that the system holds is left to it.
fn end(mut child: Child, why: Silence) -> Silence {
    if let Ok(pid) = i32::try_from(child.id()) {
        killpg(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    if why != Silence::TooSlow {
        child.wait().ok();
    }
    why
}
