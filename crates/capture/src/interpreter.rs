//! A program as the system would find and start it: where it lies, what it is, or why it cannot run. Nothing is started.

use crate::environment;
use nix::unistd::{AccessFlags, access};
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// As it was found.
    pub path: PathBuf,
    /// Behind all links.
    pub real: PathBuf,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A Python, or a script for one.
    Python(Python),
    Other,
}

/// The Python that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    pub interpreter: PathBuf,
    /// The folder of its virtual or conda environment.
    pub prefix: Option<PathBuf>,
    /// It is the interpreter of a script's first line.
    pub of_script: bool,
}

/// Why a program cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    Folder(PathBuf),
    NotExecutable(PathBuf),
    /// What its first line names is not there.
    NoInterpreter(PathBuf, String),
    /// Its first line ends as lines do on Windows.
    CarriageReturn(PathBuf),
    /// It is a text whose first line names no interpreter. A shell reads it itself.
    NoFirstLine(PathBuf),
    /// It is built for machines of this kind.
    OtherMachine(PathBuf, &'static str),
    /// The loader that it is built for is not there.
    NoLoader(PathBuf, String),
}

/// Where programs are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// `PATH` as the run will have it.
    pub path: &'a str,
    /// Where the command is by then.
    pub folder: &'a Path,
    /// All variables of the run.
    pub env: &'a [(String, String)],
}

/// Interpreters of interpreters: nobody nests deeper, and the kernel would not follow.
const NESTING: usize = 4;

/// Finds a program by its name or its path.
pub fn resolve(program: &str, search: &Search<'_>) -> Result<Resolved, Trouble> {
    follow(program, search, NESTING)
}

fn follow(program: &str, search: &Search<'_>, nesting: usize) -> Result<Resolved, Trouble> {
    let path = if program.contains('/') { by_path(&search.folder.join(program))? } else { by_name(program, search)? };
    let get = |name: &str| search.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let path = environment::behind_shim(&path, &get).unwrap_or(path);
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let kind = if is_python(&path) { Kind::Python(python(&path, false)) } else { kind(&path, search, nesting)? };
    Ok(Resolved { path, real, kind })
}

fn by_path(path: &Path) -> Result<PathBuf, Trouble> {
    let meta = std::fs::metadata(path).map_err(|_| Trouble::NotFound)?;
    let trouble = match meta.is_dir() {
        true => Some(Trouble::Folder(path.to_path_buf())),
        false => (!is_executable(path)).then(|| Trouble::NotExecutable(path.to_path_buf())),
    };
    trouble.map_or_else(|| Ok(path.to_path_buf()), Err)
}

/// The first in PATH that may be executed; else one that may not.
fn by_name(name: &str, search: &Search<'_>) -> Result<PathBuf, Trouble> {
    let places = folders(search).map(|folder| folder.join(name)).filter(|place| place.is_file());
    let mut refused = None;
    for place in places {
        if is_executable(&place) {
            return Ok(place);
        }
        refused.get_or_insert(place);
    }
    Err(refused.map_or(Trouble::NotFound, Trouble::NotExecutable))
}

/// An empty or relative entry of PATH begins where the command is.
fn folders<'s>(search: &'s Search<'_>) -> impl Iterator<Item = PathBuf> + 's {
    search.path.split(':').map(|folder| search.folder.join(folder))
}

fn is_executable(path: &Path) -> bool {
    access(path, AccessFlags::X_OK).is_ok()
}

fn is_python(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn python(interpreter: &Path, of_script: bool) -> Python {
    let known = environment::describe_python(interpreter.to_path_buf(), None, None);
    Python { interpreter: known.interpreter, prefix: known.folder, of_script }
}

/// What a file is by its first bytes.
fn kind(path: &Path, search: &Search<'_>, nesting: usize) -> Result<Kind, Trouble> {
    let mut first = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut first));
    // A program may be executed that may not be read.
    if read.is_err() {
        return Ok(Kind::Other);
    }
    match first.as_slice() {
        [b'#', b'!', rest @ ..] => script(path, rest, search, nesting),
        [0x7f, b'E', b'L', b'F', ..] => elf(path, &first).map_or(Ok(Kind::Other), Err),
        [] => Ok(Kind::Other),
        text if !text.contains(&0) && std::str::from_utf8(text).is_ok() => Err(Trouble::NoFirstLine(path.to_path_buf())),
        _ => Ok(Kind::Other),
    }
}

fn script(path: &Path, rest: &[u8], search: &Search<'_>, nesting: usize) -> Result<Kind, Trouble> {
    let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.ends_with('\r') {
        return Err(Trouble::CarriageReturn(path.to_path_buf()));
    }
    let mut words = line.split_whitespace();
    let Some(interpreter) = words.next() else { return Err(Trouble::NoFirstLine(path.to_path_buf())) };
    // `env NAME` and `env -S NAME …` look in PATH.
    let named = match Path::new(interpreter).file_name() {
        Some(name) if name == "env" => words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or(interpreter),
        _ => interpreter,
    };
    let Some(nesting) = nesting.checked_sub(1) else { return Ok(Kind::Other) };
    let none = || Trouble::NoInterpreter(path.to_path_buf(), named.to_string());
    match follow(named, search, nesting) {
        Ok(Resolved { path, .. }) if is_python(&path) => Ok(Kind::Python(python(&path, true))),
        // A text without a first line is read by a shell.
        Ok(_) | Err(Trouble::NoFirstLine(_)) => Ok(Kind::Other),
        Err(_) => Err(none()),
    }
}

/// Kinds of machines that trainings run on, by their number in the header.
const MACHINES: [(u16, &str, &str); 5] = [
    (3, "x86 (32 bits)", "x86"),
    (21, "ppc64", "powerpc64"),
    (62, "x86_64", "x86_64"),
    (183, "arm64", "aarch64"),
    (243, "riscv64", "riscv64"),
];

fn elf(path: &Path, bytes: &[u8]) -> Option<Trouble> {
    let at = |from: usize, length: usize| bytes.get(from..from.checked_add(length)?);
    let number = |from: usize, length: usize| Some(at(from, length)?.iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)));
    // 64 bits, lowest byte first; others are rare enough to leave to the kernel.
    let (class, order, machine) = (bytes.get(4)?, bytes.get(5)?, u16::try_from(number(18, 2)?).ok()?);
    let (_, shown, arch) = MACHINES.iter().find(|(known, ..)| *order == 1 && *known == machine)?;
    let runs_here = *arch == std::env::consts::ARCH || (*arch == "x86" && std::env::consts::ARCH == "x86_64");
    if !runs_here {
        return (!runs_others()).then(|| Trouble::OtherMachine(path.to_path_buf(), shown));
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let headers = (0..count.min(64)).filter(|_| *class == 2).map(|n| table.saturating_add(n * size));
    let loader = headers.filter(|header| *header < bytes.len()).find(|header| number(*header, 4) == Some(3))?;
    let (from, length) = (number(loader + 8, 8)?, number(loader + 32, 8)?);
    let name = std::str::from_utf8(bytes.get(from..from.checked_add(length)?)?).ok()?.trim_end_matches('\0');
    (!Path::new(name).exists()).then(|| Trouble::NoLoader(path.to_path_buf(), name.to_string()))
}

/// Whether the kernel hands programs of other machines to an emulator.
fn runs_others() -> bool {
    let known = std::fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
    let mut emulators = known.filter(|entry| !["register", "status"].iter().any(|own| entry.file_name() == *own));
    emulators.next().is_some()
}

/// Names that a search finds, for whoever mistyped one. Bounded, as PATH may hold very much.
pub fn names(search: &Search<'_>) -> Vec<String> {
    let entries = folders(search).flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    entries.take(20_000).filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
