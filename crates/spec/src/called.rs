//! The programs that a command calls, as far as that is known before it runs. What a shell learns only on its way (a file that is
//! sourced, a PATH that is changed, an environment that is activated) ends what is known: from there on nothing is said.

use crate::launcher::{self, Entry, Words};
use crate::scan;
use crate::simple::{self, Simple};
use crate::template::{self, Token};
use neronet_model::Settings;
use neronet_model::settings::Command;
use std::ops::Range;

/// Where in the settings a program is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// A line of `[environment] setup`.
    Setup(usize),
    /// `[code] build`
    Build,
    Command,
    /// A `[[then]]`.
    Step(usize),
}

/// One program that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub text: Text,
    pub program: String,
    /// What it runs, if it is a Python or runs scripts in its own: the last is the researcher's.
    pub entries: Vec<Entry>,
    /// Python's options that change where it looks for modules, as letters.
    pub options: String,
    /// Variables of Python that are set in front of it; `None` where only the run knows the value.
    pub variables: Vec<(String, Option<String>)>,
    /// Where the command is by then, relative to where it starts; `None` where only the run knows.
    pub folder: Option<String>,
    /// It is called whatever happens, nothing before it can have made what it needs, and nothing behind it goes on without it.
    pub sure: bool,
    /// A shell looks for it, which knows words of its own.
    pub by_shell: bool,
    /// Its place in the template; the number of the word in a command that is a list.
    pub(crate) place: Range<usize>,
}

/// A path that the shell goes to or reads, whatever happens, and that nothing before it can have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// As it is written, without quotes: `~/` at the beginning is left to the shell.
    pub path: String,
    /// Where the shell is by then, as [`Call::folder`] has it.
    pub from: String,
    /// It is gone to, so it must be a folder.
    pub is_folder: bool,
    pub(crate) text: Text,
    pub(crate) place: Range<usize>,
}

/// All that these settings call, the build first, then the command and its steps.
pub fn calls(settings: &Settings) -> Vec<Call> {
    walked(settings).0
}

pub(crate) fn walked(settings: &Settings) -> (Vec<Call>, Vec<Reached>) {
    let mut setup = Walk::new();
    for (at, line) in settings.environment.setup.iter().enumerate() {
        setup.of = Text::Setup(at);
        setup.text(line, false);
    }
    let mut reached = std::mem::take(&mut setup.reached);
    let after_setup = |of: Text, sure: bool| Walk { of, sure: setup.sure && sure, ..setup.clone() };
    let build = settings.code.build.as_ref().map(|text| after_setup(Text::Build, true).of_shell(text));
    // What a build makes is not there yet.
    let command = after_setup(Text::Command, build.is_none()).of(&settings.command);
    // Training with a script makes neither programs nor scripts; what else a command does nobody knows.
    let trains = command.found.iter().any(|call| matches!(call.entries.last(), Some(Entry::Script(_))));
    let sure = trains && build.is_none() && !command.installs;
    let steps = settings.then.iter().enumerate().map(|(at, step)| after_setup(Text::Step(at), sure).of(&step.command));
    let mut calls = Vec::new();
    for walk in build.into_iter().chain([command]).chain(steps) {
        calls.extend(walk.found);
        reached.extend(walk.reached);
    }
    (calls, reached)
}

/// The variables of `[env]`; `None` where a parameter has a part in the value.
pub fn variables(settings: &Settings) -> Vec<(String, Option<String>)> {
    settings.env.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
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
const CHANGING: [&str; 14] =
    [".", "alias", "case", "coproc", "enable", "eval", "function", "ml", "module", "popd", "pyenv", "source", "spack", "trap"];

/// Programs that also change the shell they are called from, where a function of it goes by their name.
const OF_CONDA: [&str; 3] = ["conda", "mamba", "micromamba"];

/// Behind these nobody knows what is installed.
const INSTALLING: [&str; 13] =
    ["apt", "apt-get", "cmake", "conda", "guix", "make", "mamba", "micromamba", "nix", "pip", "pip3", "pixi", "uv"];

/// What makes nothing that a later program needs, and whose end decides nothing.
const HARMLESS: [&str; 15] =
    [":", "cd", "date", "echo", "exit", "export", "hostname", "mkdir", "nvidia-smi", "printf", "pwd", "set", "shopt", "true", "ulimit"];

/// Where another user or another machine looks for programs, or the tool's own environment is used.
const ELSEWHERE: [&str; 18] = [
    "apptainer",
    "chroot",
    "conda",
    "docker",
    "doas",
    "hatch",
    "mamba",
    "micromamba",
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

#[derive(Clone)]
struct Walk {
    of: Text,
    found: Vec<Call>,
    reached: Vec<Reached>,
    variables: Vec<(String, Option<String>)>,
    folder: Option<String>,
    sure: bool,
    /// `set -e`: what fails ends the shell.
    ends: bool,
    /// Folders may have been made.
    made: bool,
    /// Nothing is known any more.
    lost: bool,
    /// As something may have been installed.
    installs: bool,
}

impl Walk {
    fn new() -> Walk {
        Walk {
            of: Text::Command,
            found: Vec::new(),
            reached: Vec::new(),
            variables: Vec::new(),
            folder: Some(String::new()),
            sure: true,
            ends: false,
            made: false,
            lost: false,
            installs: false,
        }
    }

    fn of_shell(mut self, text: &str) -> Walk {
        self.text(text, true);
        self
    }

    fn of(mut self, command: &Command) -> Walk {
        match command {
            Command::Shell(text) => self.text(text, true),
            Command::Argv(words) => self.list(words),
        }
        self
    }

    /// A text for the shell. `told`: its programs are wanted, not only what becomes of the shell.
    fn text(&mut self, text: &str, told: bool) {
        let Ok(scan) = scan::scan(text, &template::tokens(text), true) else {
            self.lost = true;
            return;
        };
        let mut after = "";
        let commands = simple::commands(text, &scan);
        for (at, command) in commands.iter().enumerate() {
            // `name() {`
            self.lost |= command.joined == "(" || self.found.len() >= MOST;
            if self.lost {
                return;
            }
            // What stands behind `||` runs when something went wrong, what stands behind that in any case.
            let sure = self.sure;
            self.sure &= after != "||";
            self.command(command, told.then_some(&commands[at..]));
            self.sure = self.sure || (sure && after == "||" && HARMLESS.contains(&command.name()));
            // What a subshell did to itself.
            if command.joined == ")" {
                self.folder = None;
            }
            after = command.joined;
        }
    }

    /// `told`: this one and all behind it, where its program is wanted.
    fn command(&mut self, command: &Simple<'_>, told: Option<&[Simple<'_>]>) {
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
            "cd" | "pushd" => {
                let options = raw[before + 1..].iter().take_while(|word| matches!(**word, "--" | "-L" | "-P")).count();
                let to = before + 1 + options;
                self.reaches(command, to, true);
                return self.go_to(raw.get(to).map_or(Some("~"), |word| Some(*word)));
            }
            "for" | "while" | "until" | "select" => {
                self.sure = false;
                return;
            }
            _ if CHANGING.contains(&name) => {
                // Without a slash it is looked for in PATH.
                if matches!(name, "source" | ".") && raw.get(before + 1).is_some_and(|word| word.contains('/')) {
                    self.reaches(command, before + 1, false);
                }
                self.lost = true;
                return;
            }
            _ if OF_CONDA.contains(&name)
                && raw.get(before + 1).is_none_or(|word| matches!(*word, "activate" | "deactivate" | "shell")) =>
            {
                self.lost = true;
                return;
            }
            _ => {}
        }
        let words: Vec<Option<String>> = raw[before..].iter().map(|word| literal(word)).collect();
        let places = command.words[before..].iter().map(|(_, place)| place.clone()).collect();
        if name == "set" {
            self.ends = ends_with_errors(&raw[before + 1..]).unwrap_or(self.ends);
        }
        if let Some(list) = told {
            let asked = raw[..before].iter().any(|word| matches!(*word, "if" | "elif" | "!"));
            // What is there on every system and decides nothing may be missing on this one.
            let sure = self.sure && !asked && !HARMLESS.contains(&name) && decides(list, self.ends);
            let kept = self.variables.clone();
            self.assign(assigned);
            self.words(&words, places, (sure, true));
            self.variables = kept;
        }
        self.sure &= HARMLESS.contains(&name);
        self.made |= name == "mkdir";
        let module = self.found.last().and_then(|call| call.entries.first());
        self.installs |= INSTALLING.contains(&name) || module == Some(&Entry::Module("pip".into()));
        self.lost |= self.installs;
    }

    /// The path that a `cd` or a `source` names, its word `at`. One that is asked for, or that has something to be done in its place, need not be
    /// there.
    fn reaches(&mut self, command: &Simple<'_>, at: usize, is_folder: bool) {
        let (Some((word, place)), Some(from)) = (command.words.get(at), self.folder.clone()) else { return };
        let home = word.strip_prefix("~/");
        let path = literal(home.unwrap_or(word)).map(|path| if home.is_some() { format!("~/{path}") } else { path });
        let Some(path) = path.filter(|path| !path.starts_with('-')) else { return };
        if self.sure && !self.made && command.joined != "||" {
            self.reached.push(Reached { path, from, is_folder, text: self.of, place: place.clone() });
        }
    }

    /// A command that is a list.
    fn list(&mut self, words: &[String]) {
        if self.lost {
            return;
        }
        let places = (0..words.len()).map(|at| at..at + 1).collect();
        let words: Vec<Option<String>> = words.iter().map(|word| filled(word)).collect();
        self.words(&words, places, (self.sure, false));
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
        let to = folder.and_then(literal).filter(|to| !to.starts_with('-'));
        self.folder = match (self.folder.take(), to) {
            (_, Some(to)) if to.starts_with('/') => Some(to),
            (Some(from), Some(to)) => Some(if from.is_empty() { to } else { format!("{from}/{to}") }),
            _ => None,
        };
    }

    /// The program of these words, and those that it hands over to.
    fn words(&mut self, words: Words<'_>, places: Vec<Range<usize>>, (mut sure, mut by_shell): (bool, bool)) {
        let mut from = 0;
        let mut variables = self.variables.clone();
        while let Some(Some(program)) = words.get(from).filter(|_| !self.lost) {
            let (entries, options) = launcher::entries(&words[from..]);
            if !(by_shell && OWN_WORDS.contains(&program.as_str())) {
                self.found.push(Call {
                    text: self.of,
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

/// A variable and its value, where that is known.
fn assignment(word: &str) -> Option<(String, Option<String>)> {
    let (name, value) = simple::assignment(word)?;
    Some((name.to_string(), value.and_then(|value| if value.is_empty() { Some(String::new()) } else { literal(value) })))
}

/// Whether the first of these cannot be missing without the whole text going wrong: only `&&` and pipes join it to the end, or the
/// shell `ends` with what fails.
fn decides(list: &[Simple<'_>], ends: bool) -> bool {
    for (at, command) in list.iter().enumerate() {
        match command.joined {
            "&&" | "|" | "|&" => {}
            "" => return true,
            ";" | "\n" => return at + 1 == list.len() || ends && at == 0,
            ")" => return at + 1 == list.len(),
            _ => return false,
        }
    }
    true
}

/// What `set` with these words says of `-e`, if anything.
fn ends_with_errors(words: &[&str]) -> Option<bool> {
    let of = |(at, word): (usize, &&str)| {
        let (on, letters) = match word.strip_prefix('-') {
            Some(letters) => (true, letters),
            None => (false, word.strip_prefix('+')?),
        };
        let named = letters.ends_with('o') && words.get(at + 1) == Some(&"errexit");
        (named || letters.contains('e')).then_some(on)
    };
    words.iter().enumerate().filter_map(of).next_back()
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
