//! The body of a script: what prepares, what is the program, what runs through values. A script that is more than that (`if`,
//! functions, here-documents) is called as it is.

use crate::IsSecret;
use crate::call::{self, Call};
use crate::known::Known;
use crate::resources::Request;
use crate::shell::{self, Statement, Word};
use crate::toml::{self, Page};
use crate::{command_line, program};
use neronet_spec::{Piece, template};
use std::collections::{BTreeMap, BTreeSet};

/// What says something to whoever reads the log, and prepares nothing.
const SAYING: &str = "echo date hostname pwd nvidia-smi which printf scontrol squeue sacct sinfo sleep wait exit true : env printenv lscpu free df \
    uptime whoami id nproc qstat type lsb_release uname";
/// What prepares the shell or the folder for the program.
const PREPARING: &str = "module ml source . conda mamba micromamba eval set ulimit umask unset shopt spack pyenv alias trap declare local readonly \
    mkdir cp rsync tar ln unzip gunzip mv rm touch chmod wget curl pip pip3 hash";
/// A script with more is no job script.
const MOST_COMMANDS: usize = 1000;
const MANY: &str = "so many commands";
const COMPLEX: &str = "if while until case select function { } [[ [ coproc then else elif fi esac break continue return";

/// What a script does.
#[derive(Default)]
pub(crate) struct Body {
    call: Option<Call>,
    setup: Vec<String>,
    env: Vec<(String, String)>,
    secrets: Vec<String>,
    python: Option<String>,
    directory: Option<String>,
    notes: Vec<String>,
}

/// Jobs of an array: the variable that holds their number, and the numbers in TOML.
pub(crate) type Index<'a> = Option<(&'a str, String)>;

/// A line that was typed, for the shell.
pub(crate) fn of_line(line: &str, mut page: Page, secret: IsSecret) -> Result<Page, String> {
    match read(line, &None, secret) {
        Ok(body) => body.write(&mut page),
        Err(why) => as_it_is(line, why, &mut page),
    }
    Ok(page)
}

/// A job script: its body, and what it asked its scheduler for.
pub(crate) fn of_script(text: &str, name: &str, variable: &str, request: &Request, secret: IsSecret, mut page: Page) -> Page {
    let index = request.array.clone().map(|(jobs, _)| (variable, jobs));
    match read(text, &index, secret) {
        Ok(mut body) => {
            if let Some(directory) = &request.directory {
                body.change_to(directory);
            }
            body.write(&mut page);
            let left = page.top.text();
            scheduled(&left, variable, request, &mut page);
        }
        Err(why) => {
            as_it_is(&format!("bash {}", shell::quoted(name)), why, &mut page);
            if let Some((variable, jobs)) = index {
                page.top.set("params", "task", jobs, "");
                page.top.set("env", variable, toml::string("{task}"), "");
            }
            scheduled(text, variable, request, &mut page);
        }
    }
    page
}

/// Gives the variables that only a scheduler sets, and that `text` uses, what they would hold, and names the others.
fn scheduled(text: &str, index: &str, request: &Request, page: &mut Page) {
    let mut unknown = BTreeSet::new();
    for behind in text.split('$').skip(1) {
        let behind = behind.strip_prefix('{').unwrap_or(behind);
        let name = &behind[..behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(behind.len())];
        let said = request.variables.iter().find(|(known, _)| *known == name);
        let of_scheduler =
            said.is_some() || name == index || ["SLURM_", "SGE_", "PBS_"].iter().any(|beginning| name.starts_with(beginning));
        if !of_scheduler || page.top.has("env", name) || text.contains(&format!("{name}=")) {
            continue;
        }
        match said {
            Some((name, value)) => page.top.set("env", name, toml::string(value), "as the scheduler would set it"),
            None => drop(unknown.insert(format!("${name}"))),
        }
    }
    if !unknown.is_empty() {
        let names = unknown.into_iter().collect::<Vec<_>>().join(", ");
        page.note(format!("{names} would be set by the scheduler, and is empty here: give it a value below [env]"));
    }
}

fn as_it_is(line: &str, why: &str, page: &mut Page) {
    page.note(format!("the command is kept as it is, since it has {why}: put placeholders such as {{lr}} in it where something varies"));
    let first = line.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let words: Vec<Word> = first.split_whitespace().map(Word::typed).collect();
    page.top.set("", "name", toml::string(&program::stem(&program::head(&words).program)), "");
    page.top.remark("", "Where something varies, write {NAME} and give NAME = [0.1, 0.01] below [params].");
    page.top.set("", "command", toml::string(&command_line::verbatim(line.trim())), "");
}

/// Takes a script apart. The error says in few words what it holds that cannot be.
pub(crate) fn read(text: &str, index: &Index<'_>, secret: IsSecret) -> Result<Body, &'static str> {
    let statements = shell::statements(text)?;
    let mut reader = Reader {
        known: Known::default(),
        uses: uses(&statements),
        body: Body::default(),
        loops: 0,
        left: false,
        secret,
        training: training(&statements),
        programs: 0,
        background: false,
        commands: 0,
        before: Vec::new(),
    };
    if let Some((variable, jobs)) = index {
        reader.known.index(variable, jobs.clone());
    }
    // What only the program's words use can be parameters; what prepares needs variables of the shell.
    let mut at = 0;
    while let Some(statement) = statements.get(at) {
        let mut end = at;
        while statements[end].joined.starts_with('|') && end + 1 < statements.len() {
            end += 1;
        }
        reader.statement(statement, &statements[at + 1..=end])?;
        at = end + 1;
    }
    let Reader { mut body, known, before, .. } = reader;
    let Some(call) = &mut body.call else { return Err("no program that could be a training") };
    for words in before.iter().rev() {
        call.beside(words, true, " && ", &known);
    }
    if let Some((variable, _)) = index {
        let param = call.parameter(variable, &known);
        body.env.push((variable.to_string(), template(&[Piece::Hole(param)])));
    }
    Ok(body)
}

/// Of several programs the one that says so itself, else the one with the most arguments.
fn training(statements: &[Statement]) -> usize {
    let inner = |statement: &Statement| match role(statement) {
        Role::Block => Statement { words: statement.words[1..].to_vec(), ..Statement::default() },
        _ => statement.clone(),
    };
    let is_program = |statement: &Statement| !statement.words.is_empty() && role(statement) == Role::Program;
    let programs: Vec<Statement> = statements.iter().map(inner).filter(is_program).collect();
    let said = programs.iter().position(|program| program.raw().contains("train"));
    let longest = programs.iter().enumerate().rev().max_by_key(|(_, program)| program.words.len());
    said.or(longest.map(|(at, _)| at)).unwrap_or(0)
}

/// How often each variable is used, and how often where something is prepared.
fn uses(statements: &[Statement]) -> BTreeMap<String, (usize, usize)> {
    let mut uses: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for statement in statements {
        let preparing = !matches!(role(statement), Role::Program | Role::Loop);
        for word in &statement.words {
            for (name, _) in word.variables() {
                let counts = uses.entry(name.to_string()).or_default();
                counts.0 += 1;
                counts.1 += usize::from(preparing);
            }
            // A variable inside of `$(…)` or `${NAME[…]}` is known to the shell alone.
            if word.literal().is_none() {
                for part in word.raw.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|part| !part.is_empty()) {
                    let plain = word.variables().filter(|(name, _)| *name == part).count();
                    if plain == 0 {
                        uses.entry(part.to_string()).or_default().1 += 1;
                    }
                }
            }
        }
        for redirected in statement.inputs.iter() {
            for part in redirected.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|part| !part.is_empty()) {
                uses.entry(part.to_string()).or_default().1 += 1;
            }
        }
    }
    uses
}

#[derive(Debug, PartialEq)]
pub(crate) enum Role {
    Loop,
    Block,
    Complex,
    Saying,
    Assigning,
    Exporting,
    Changing,
    Preparing,
    Program,
}

pub(crate) fn role(statement: &Statement) -> Role {
    let is = |word: &str, known: &str| known.split_whitespace().any(|known| known == word);
    let assigned = statement.words.iter().take_while(|word| shell::assignment(word).is_some()).count();
    let Some(first) = statement.words.get(assigned) else { return Role::Assigning };
    let first = first.literal().unwrap_or_default();
    let second = statement.word(assigned + 1);
    match first.as_str() {
        "for" => Role::Loop,
        "do" | "done" => Role::Block,
        "export" => Role::Exporting,
        "cd" | "pushd" => Role::Changing,
        "popd" => Role::Saying,
        "python" | "python3" if matches!(second.as_str(), "--version" | "-V") => Role::Saying,
        "conda" | "mamba" | "micromamba" if matches!(second.as_str(), "run") => Role::Program,
        word if is(word, COMPLEX) => Role::Complex,
        word if is(word, SAYING) => Role::Saying,
        word if is(word, PREPARING) => Role::Preparing,
        _ => Role::Program,
    }
}

struct Reader {
    known: Known,
    uses: BTreeMap<String, (usize, usize)>,
    body: Body,
    /// Loops that are open.
    loops: usize,
    /// The loop around the program is over.
    left: bool,
    secret: IsSecret,
    /// Which of the programs is the training, and how many there were so far.
    training: usize,
    programs: usize,
    /// One of them runs while the script goes on.
    background: bool,
    /// Statements so far.
    commands: usize,
    /// What prepares something for each value of a loop.
    before: Vec<Vec<Word>>,
}

impl Reader {
    /// A statement, with those that its output is piped to.
    fn statement(&mut self, statement: &Statement, piped: &[Statement]) -> Result<(), &'static str> {
        self.commands += 1;
        let role = role(statement);
        let ends = piped.last().unwrap_or(statement);
        if ends.joined == "||" && role != Role::Program {
            return Err("an '||'");
        }
        if !piped.is_empty() && !matches!(role, Role::Program | Role::Saying | Role::Block) {
            return Err("a pipe");
        }
        match role {
            Role::Complex => return Err("an 'if', a 'while' or another block"),
            Role::Loop => self.for_loop(statement)?,
            Role::Block => {
                let is_end = statement.word(0) == "done";
                if is_end {
                    self.loops = self.loops.checked_sub(1).ok_or("a 'done' without a loop")?;
                    self.left |= self.body.call.is_some() && self.loops == 0;
                }
                let inner = Statement { words: statement.words[1..].to_vec(), ..statement.clone() };
                if !is_end && !inner.words.is_empty() {
                    self.statement(&inner, piped)?;
                } else if !piped.is_empty() {
                    return Err("a pipe behind a loop");
                }
            }
            Role::Saying if piped.is_empty() => {}
            Role::Saying => return Err("a pipe"),
            Role::Assigning => statement.words.iter().filter_map(shell::assignment).for_each(|(name, value)| self.assign(name, &value)),
            Role::Exporting => self.export(statement),
            Role::Changing => self.change(statement),
            Role::Preparing => self.prepare(statement)?,
            Role::Program => self.program(statement, piped)?,
        }
        Ok(())
    }

    fn for_loop(&mut self, statement: &Statement) -> Result<(), &'static str> {
        const NOT_SIMPLE: &str = "a loop over what only the shell knows";
        if self.body.call.is_some() {
            return Err("a loop behind another program");
        }
        if statement.word(2) != "in" {
            return Err(NOT_SIMPLE);
        }
        let mut values = Vec::new();
        for word in &statement.words[3..] {
            match word.literal() {
                Some(value) => values.push(value),
                None => values.extend(counted(&word.raw).ok_or(NOT_SIMPLE)?),
            }
        }
        if values.is_empty() || values.len() > 10_000 {
            return Err(NOT_SIMPLE);
        }
        let name = statement.word(1);
        let once = self.uses.get(&name).is_some_and(|uses| *uses == (1, 0));
        self.known.vary(&name, &values, once);
        self.loops += 1;
        Ok(())
    }

    fn assign(&mut self, name: &str, value: &Word) {
        let (all, prepares) = self.uses.get(name).copied().unwrap_or_default();
        match value.literal() {
            Some(_) if (self.secret)(name) => {
                self.body.notes.push(format!("the value of {name} is not written down: export it in your own environment"));
            }
            Some(text) if all > 0 && prepares == 0 && self.body.call.is_none() => self.known.assign(name, &text, all == 1),
            _ => self.body.setup.push(format!("{name}={}", value.raw)),
        }
    }

    fn export(&mut self, statement: &Statement) {
        for word in &statement.words[1..] {
            match shell::assignment(word).map(|(name, value)| (name, value.literal())) {
                Some((name, Some(_))) if (self.secret)(name) => self.body.secrets.push(name.to_string()),
                // neronet's own variables cannot be set.
                Some((name, Some(value))) if !name.starts_with("NERONET_") => {
                    self.body.env.push((name.to_string(), template(&[Piece::Text(value)])));
                }
                _ => self.body.setup.push(format!("export {}", word.raw)),
            }
        }
    }

    fn change(&mut self, statement: &Statement) {
        match statement.words.get(1) {
            Some(word) => match word.literal() {
                Some(place) => self.body.change_to(&place),
                None if ["SUBMIT_DIR", "O_WORKDIR", "PWD"].iter().any(|known| word.raw.contains(known)) => {}
                None => self.body.change_to(&word.raw),
            },
            None => self.body.change_to("~"),
        }
    }

    fn prepare(&mut self, statement: &Statement) -> Result<(), &'static str> {
        // An environment that lies in the project is not in the copy of a run.
        if matches!(statement.word(0).as_str(), "source" | ".")
            && let Some(folder) = statement.word(1).strip_suffix("/bin/activate")
            && !folder.starts_with(['/', '~', '$'])
            && !folder.is_empty()
        {
            self.body.python = Some(folder.trim_start_matches("./").to_string());
            return Ok(());
        }
        let varies = statement.words.iter().flat_map(Word::variables).any(|(name, _)| self.known.has(name));
        if self.left {
            return Err("more commands behind its loop");
        }
        match &mut self.body.call {
            Some(_) | None if self.commands > MOST_COMMANDS => return Err(MANY),
            Some(call) => call.beside(&statement.words, false, "\n", &self.known),
            None if varies => self.before.push(statement.words.clone()),
            None => self.body.setup.push(statement.raw()),
        }
        Ok(())
    }

    fn program(&mut self, statement: &Statement, piped: &[Statement]) -> Result<(), &'static str> {
        if self.commands > MOST_COMMANDS {
            return Err(MANY);
        }
        if self.left {
            return Err("more commands behind its loop");
        }
        self.background |= piped.last().unwrap_or(statement).joined == "&";
        let mut statement = call::trimmed(statement, &mut self.body.notes);
        while matches!(statement.word(0).as_str(), "time" | "exec" | "srun") {
            let options = if statement.word(0) == "srun" { srun_options(&statement, &mut self.body.notes) } else { 0 };
            statement.words.drain(..1 + options);
        }
        if statement.words.is_empty() {
            return Err("a launcher without a program");
        }
        let only_tee = piped.iter().all(|statement| statement.word(0) == "tee");
        if !piped.is_empty() && only_tee {
            self.body.notes.push("| tee is left out: neronet keeps what a run prints, see `neronet logs`".to_string());
        } else if !piped.is_empty() {
            return Err("a pipe");
        }
        let mut words = statement.words.clone();
        words.extend(statement.inputs.iter().map(|input| Word::written(input)));
        let is_before = self.programs < self.training;
        self.programs += 1;
        if self.background && self.programs > 1 {
            return Err("programs that run at the same time");
        }
        if is_before || self.body.call.is_some() {
            let note = "there is more than one program: a step after the training can be a [[then]], another training an [[experiment]]";
            self.body.notes.push(note.to_string());
        }
        match &mut self.body.call {
            None if is_before => self.before.push(words),
            Some(call) => call.beside(&words, false, if statement.joined == "||" { "\n" } else { " && " }, &self.known),
            None => {
                let call = Call::of(&words, &self.known, self.secret);
                self.body.notes.extend(call.notes.iter().cloned());
                self.body.call = Some(call);
            }
        }
        Ok(())
    }
}

/// `$(seq 0 9)`, `{0..9}`
fn counted(raw: &str) -> Option<Vec<String>> {
    let whole = |text: &str| text.trim().parse::<i64>().ok();
    let (first, step, last) = if let Some(range) = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) {
        let (first, last) = range.split_once("..")?;
        (whole(first)?, 1, whole(last)?)
    } else {
        let inner = raw.strip_prefix("$(").and_then(|raw| raw.strip_suffix(')')).or_else(|| raw.strip_prefix('`')?.strip_suffix('`'))?;
        let numbers: Vec<i64> = inner.trim().strip_prefix("seq ")?.split_whitespace().map(whole).collect::<Option<_>>()?;
        match numbers.as_slice() {
            [last] => (1, 1, *last),
            [first, last] => (*first, 1, *last),
            [first, step, last] => (*first, *step, *last),
            _ => return None,
        }
    };
    let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
    let few = last.checked_sub(first).is_some_and(|span| (0..10_000).contains(&(span / step as i64)));
    few.then(|| (first..=last).step_by(step).map(|number| number.to_string()).collect())
}

/// How many words behind `srun` are its options.
fn srun_options(statement: &Statement, notes: &mut Vec<String>) -> usize {
    let mut at = 1;
    while let Some(option) = statement.words.get(at).and_then(Word::literal).filter(|word| word.starts_with('-')) {
        let alone = option.contains('=')
            || ["--exclusive", "--unbuffered", "--label", "--pty", "--verbose", "--quiet", "--overlap", "-u", "-l", "-v", "-Q"]
                .contains(&option.as_str())
            || (!option.starts_with("--") && option.len() > 2);
        at += if alone { 1 } else { 2 };
    }
    let options: Vec<&str> = statement.words[1..at.min(statement.words.len())].iter().map(|word| word.raw.as_str()).collect();
    let shown = if options.is_empty() { String::new() } else { format!(" with {}", options.join(" ")) };
    notes.push(format!("srun{shown} is left out: neronet starts the program itself"));
    at.min(statement.words.len()) - 1
}

impl Body {
    fn change_to(&mut self, place: &str) {
        let place = place.trim_end_matches('/');
        let inside = !place.starts_with(['/', '~', '$', '"']) && place.split('/').all(|part| part != "..");
        match place.trim_start_matches("./") {
            "." | "" if !place.starts_with('/') => {}
            folder if inside && self.directory.is_none() => self.directory = Some(folder.to_string()),
            folder if inside => self.directory = self.directory.take().map(|outer| format!("{outer}/{folder}")),
            _ => {
                let note = format!("cd {place} is left out: a run works in a copy of the folder that neronet.toml is in, so put it there");
                self.notes.push(note);
            }
        }
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let Some(call) = &self.call else { return };
        command_line::write(call, page);
        let top = &mut page.top;
        if !self.setup.is_empty() {
            top.set("environment", "setup", toml::strings(self.setup.iter().map(String::as_str)), "before the command, in the same shell");
        }
        if let Some(python) = &self.python {
            top.set("environment", "python", toml::string(python), "used where it lies");
        }
        if let Some(directory) = &self.directory {
            top.set("code", "directory", toml::string(directory), "where the command starts");
        }
        for (name, value) in self.env.iter().filter(|(name, _)| !call.env.iter().any(|(known, _)| known == name)) {
            top.set("env", name, toml::string(value), "");
        }
        self.secrets
            .iter()
            .for_each(|name| top.set("secrets", name, toml::string("env"), "taken from your environment; never written down"));
        self.secrets.iter().for_each(|name| page.note(call::unwritten(name)));
        self.notes.iter().for_each(|note| page.note(note));
    }
}
