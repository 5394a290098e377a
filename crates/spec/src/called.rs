//! The programs that a command calls, as far as that is known before it runs. What a shell learns only on its way (a file that is
//! sourced, a PATH that is changed, an environment that is activated) ends what is known: from there on nothing is said.

use crate::launcher::{self, Entry, Words};
use crate::scan;
use crate::simple::{self, Simple};
use crate::template::{self, Token};
use neronet_model::Settings;
use neronet_model::settings::Command;
use std::ops::Range;

/// One program that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub program: String,
    /// What it runs, if it is a Python or runs scripts in its own: the last is the researcher's.
    pub entries: Vec<Entry>,
    /// Python's options that change where it looks for modules, as letters.
    pub options: String,
    /// Variables of Python that are set in front of it; `None` where only the run knows the value.
    pub variables: Vec<(String, Option<String>)>,
    /// Where the command is by then, relative to where it starts; `None` where only the run knows.
    pub folder: Option<String>,
    /// It is called whatever happens, and nothing before it can have made what it needs.
    pub sure: bool,
    /// A shell looks for it, which knows words of its own.
    pub by_shell: bool,
    /// Its place in the template; the number of the word in a command that is a list.
    pub(crate) place: Range<usize>,
}

/// All that these settings call, in order.
pub fn calls(settings: &Settings) -> Vec<Call> {
    let mut walk = Walk::new();
    for line in &settings.environment.setup {
        walk.text(line, false);
    }
    match &settings.command {
        Command::Shell(text) => walk.text(text, true),
        Command::Argv(words) => walk.list(words),
    }
    walk.found
}

/// The variables of `[env]`; `None` where a parameter has a part in the value.
pub fn variables(settings: &Settings) -> Vec<(String, Option<String>)> {
    settings.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
}

/// Those of one command alone.
pub(crate) fn of_text(text: &str) -> Vec<Call> {
    let mut walk = Walk::new();
    walk.text(text, true);
    walk.found
}

pub(crate) fn of_list(words: &[String]) -> Vec<Call> {
    let mut walk = Walk::new();
    walk.list(words);
    walk.found
}

/// More than anybody looks at.
const MOST: usize = 20;

/// Words of shells themselves, which no file needs to hold.
const OWN_WORDS: [&str; 78] = [
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unset",
    "wait",
];

/// Behind these nobody knows what a name stands for.
const CHANGING: [&str; 17] = [
    ".",
    "alias",
    "case",
    "coproc",
    "conda",
    "enable",
    "eval",
    "function",
    "mamba",
    "micromamba",
    "ml",
    "module",
    "popd",
    "pyenv",
    "source",
    "spack",
    "trap",
];

/// Behind these nobody knows what is installed.
const INSTALLING: [&str; 10] = ["apt", "apt-get", "cmake", "guix", "make", "nix", "pip", "pip3", "pixi", "uv"];

/// What makes nothing that a later program needs, and whose end decides nothing.
const HARMLESS: [&str; 15] =
    [":", "cd", "date", "echo", "exit", "export", "hostname", "mkdir", "nvidia-smi", "printf", "pwd", "set", "shopt", "true", "ulimit"];

/// Where another user or another machine looks for programs, or the tool's own environment is used.
const ELSEWHERE: [&str; 16] = [
    "apptainer",
    "chroot",
    "conda",
    "docker",
    "doas",
    "hatch",
    "pdm",
    "pipenv",
    "pixi",
    "podman",
    "poetry",
    "rye",
    "singularity",
    "ssh",
    "sshpass",
    "sudo",
];

struct Walk {
    found: Vec<Call>,
    variables: Vec<(String, Option<String>)>,
    folder: Option<String>,
    sure: bool,
    /// Nothing is known any more.
    lost: bool,
}

impl Walk {
    fn new() -> Walk {
        Walk { found: Vec::new(), variables: Vec::new(), folder: Some(String::new()), sure: true, lost: false }
    }

    /// A text for the shell. `told`: its programs are wanted, not only what becomes of the shell.
    fn text(&mut self, text: &str, told: bool) {
        let Ok(scan) = scan::scan(text, &template::tokens(text), true) else {
            self.lost = true;
            return;
        };
        let mut after = "";
        for command in simple::commands(text, &scan) {
            // `name() {`
            self.lost |= command.joined == "(" || self.found.len() >= MOST;
            if self.lost {
                return;
            }
            // What stands behind `||` runs when something went wrong, what stands behind that in any case.
            let sure = self.sure;
            self.sure &= after != "||";
            self.command(&command, told);
            self.sure = self.sure || (sure && after == "||" && HARMLESS.contains(&command.name()));
            // What a subshell did to itself.
            if command.joined == ")" {
                self.folder = None;
            }
            after = command.joined;
        }
    }

    fn command(&mut self, command: &Simple<'_>, told: bool) {
        let raw: Vec<&str> = command.words.iter().map(|(word, _)| *word).collect();
        let before = simple::before_program(&raw);
        if raw[..before].iter().any(|word| matches!(*word, "then" | "else" | "elif" | "do")) {
            self.sure = false;
        }
        let assigned: Vec<_> = raw[..before].iter().filter_map(|word| assignment(word)).collect();
        let name = raw.get(before).map_or("", |word| simple::name(word));
        match name {
            "" => return self.assign(assigned),
            "export" | "declare" | "typeset" | "readonly" => {
                return self.assign(raw[before + 1..].iter().filter_map(|word| assignment(word)));
            }
            "unset" => return self.assign(raw[before + 1..].iter().map(|name| (name.to_string(), Some(String::new())))),
            "cd" | "pushd" => return self.go_to(raw.get(before + 1).map_or(Some("~"), |word| Some(*word))),
            "for" | "while" | "until" | "select" => {
                self.sure = false;
                return;
            }
            _ if CHANGING.contains(&name) => {
                self.lost = true;
                return;
            }
            _ => {}
        }
        let words: Vec<Option<String>> = raw[before..].iter().map(|word| literal(word)).collect();
        let places = command.words[before..].iter().map(|(_, place)| place.clone()).collect();
        if told {
            let kept = self.variables.clone();
            self.assign(assigned);
            self.words(&words, places, true);
            self.variables = kept;
        }
        self.sure &= HARMLESS.contains(&name);
        let module = self.found.last().and_then(|call| call.entries.first());
        self.lost |= INSTALLING.contains(&name) || module == Some(&Entry::Module("pip".into()));
    }

    /// A command that is a list.
    fn list(&mut self, words: &[String]) {
        if self.lost {
            return;
        }
        let places = (0..words.len()).map(|at| at..at + 1).collect();
        let words: Vec<Option<String>> = words.iter().map(|word| filled(word)).collect();
        self.words(&words, places, false);
    }

    fn assign(&mut self, assigned: impl IntoIterator<Item = (String, Option<String>)>) {
        for (name, value) in assigned {
            self.lost |= name == "PATH";
            if name.starts_with("PYTHON") {
                self.variables.retain(|(known, _)| *known != name);
                self.variables.push((name, value));
            }
        }
    }

    fn go_to(&mut self, folder: Option<&str>) {
        let to = folder.and_then(literal).filter(|to| to != "-");
        self.folder = match (self.folder.take(), to) {
            (_, Some(to)) if to.starts_with('/') => Some(to),
            (Some(from), Some(to)) => Some(if from.is_empty() { to } else { format!("{from}/{to}") }),
            _ => None,
        };
    }

    /// The program of these words, and those that it hands over to.
    fn words(&mut self, words: Words<'_>, places: Vec<Range<usize>>, mut by_shell: bool) {
        let (mut from, mut sure) = (0, self.sure);
        let mut variables = self.variables.clone();
        while let Some(Some(program)) = words.get(from).filter(|_| !self.lost) {
            let (entries, options) = launcher::entries(&words[from..]);
            if !(by_shell && OWN_WORDS.contains(&program.as_str())) {
                self.found.push(Call {
                    program: program.clone(),
                    entries,
                    options,
                    variables: variables.clone(),
                    folder: self.folder.clone(),
                    sure,
                    by_shell,
                    place: places[from].clone(),
                });
            }
            let next = launcher::handed_over(&words[from..]).filter(|_| !ELSEWHERE.contains(&simple::name(program)));
            let Some(next) = next else { return };
            // Another machine may have what this one lacks.
            sure &= simple::name(program) != "srun";
            by_shell = by_shell && matches!(program.as_str(), "command" | "exec" | "time");
            from += next;
            while let Some((name, value)) =
                words.get(from).and_then(|word| assignment(word.as_deref()?)).filter(|_| simple::name(program) == "env")
            {
                if name == "PATH" {
                    return;
                }
                variables.push((name, value));
                from += 1;
            }
        }
    }
}

/// `NAME=VALUE`
fn assignment(word: &str) -> Option<(String, Option<String>)> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name.to_string(), if value.is_empty() { Some(String::new()) } else { literal(value) }))
}

/// A word of a list: as it is, without placeholders.
fn filled(word: &str) -> Option<String> {
    let chars = template::tokens(word).into_iter().map(|token| match token {
        Token::Char(c, _) => Some(c),
        Token::Hole(_) => None,
    });
    chars.collect()
}

/// A word as the shell hands it over. Nothing where it would expand something first.
fn literal(word: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = word.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '$' | '`') if quote != Some('\'') => return None,
            // A placeholder, or braces of the shell.
            (_, '{' | '}') => return None,
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => out.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => out.extend(chars.next().filter(|c| *c != '\n')),
            (Some(_), '\\') => match chars.next()? {
                c @ ('"' | '\\' | '$' | '`') => out.push(c),
                c => out.extend(['\\', c]),
            },
            (None, '*' | '?' | '[' | '~' | '!' | '(') if word.len() != 1 => return None,
            (None, '~') => return None,
            (_, c) => out.push(c),
        }
    }
    (!out.is_empty() && quote.is_none()).then_some(out)
}
