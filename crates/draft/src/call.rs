//! One call of a program, taken apart: which of its words are parameters, and the command with placeholders in their places.
//!
//! The command stands for the very same arguments as before. Where `{flags}` or `{overrides}` would write a run of words as they
//! stand, they take that place; elsewhere each parameter has a placeholder of its own, and what cannot have one stays.

use crate::program::{self, Head};
use crate::shell::{self, Statement, Word};
use crate::toml::{self, Block};
use crate::{IsSecret, known::Known};
use neronet_model::Value;
use neronet_spec::{Piece, is_name, template};
use std::collections::BTreeMap;

/// A parameter, with its value in TOML.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) value: Given,
    pub(crate) comment: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Given {
    /// As it was typed, and whether it is a text although it looks like something else.
    Typed(String, bool),
    Switch,
    /// A list that is one value.
    List(Vec<Value>),
    /// In TOML already: what a loop or an array of jobs runs through.
    Varies(String),
}

impl Given {
    pub(crate) fn toml(&self) -> String {
        match self {
            Given::Typed(text, true) => toml::string(text),
            Given::Typed(text, false) => toml::typed(text),
            Given::Switch => "true".to_string(),
            Given::List(items) => format!("{{ value = {} }}", toml::list(items)),
            Given::Varies(toml) => toml.clone(),
        }
    }
}

/// The call as a specification has it.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) params: Vec<Param>,
    /// Variables before the command.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) secrets: Vec<String>,
    /// Keys of `[flags]`.
    pub(crate) flags: Vec<(&'static str, &'static str)>,
    pub(crate) remarks: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) processes: Option<(String, String)>,
    pub(crate) program: String,
    /// The parameters that variables of the shell have become.
    variables: BTreeMap<String, String>,
}

impl Call {
    /// Takes the words of one command apart. `known` are the variables of the shell whose values are at hand.
    pub(crate) fn of(words: &[Word], known: &Known, secret: IsSecret) -> Call {
        let mut call = Call::default();
        let mut words = words;
        while let Some((name, value)) = words.first().and_then(shell::assignment) {
            match value.literal() {
                Some(_) if secret(name) => call.secrets.push(name.to_string()),
                Some(value) => call.env.push((name.to_string(), value)),
                // Only the shell knows its value.
                None => break,
            }
            words = &words[1..];
        }
        let assigned = words.iter().take_while(|word| shell::assignment(word).is_some()).count();
        let Head { length, processes, program } = program::head(&words[assigned..]);
        let length = assigned + length;
        (call.processes, call.program) = (processes, program);
        let mut arguments = Arguments { known, secret, reserved: Vec::new(), call: &mut call };
        for (at, word) in words[..length.min(words.len())].iter().enumerate() {
            // A keyword of the shell is a program here.
            if at == 0 && is_keyword(&word.raw) { arguments.text(&format!("'{}'", word.raw)) } else { arguments.word(word) }
        }
        arguments.all(&words[length.min(words.len())..]);
        call
    }

    /// Puts another command before this one, or behind it: its words as they are, with the same parameters.
    pub(crate) fn beside(&mut self, words: &[Word], before: bool, joined: &str, known: &Known) {
        let own = std::mem::take(&mut self.pieces);
        let mut arguments = Arguments { known, secret: |_| false, reserved: Vec::new(), call: self };
        words.iter().for_each(|word| arguments.word(word));
        let other = std::mem::take(&mut self.pieces);
        let (first, last) = if before { (other, own) } else { (own, other) };
        self.pieces = first.into_iter().chain([Piece::Text(joined.to_string())]).chain(last).collect();
    }

    /// The parameter that a variable is; made where there is none yet.
    pub(crate) fn parameter(&mut self, variable: &str, known: &Known) -> String {
        Arguments { known, secret: |_| false, reserved: Vec::new(), call: self }.of_variable(variable)
    }

    pub(crate) fn command(&self) -> String {
        template(&self.pieces)
    }

    /// Everything but the name.
    pub(crate) fn write(&self, block: &mut Block) {
        for remark in &self.remarks {
            block.remark("", remark);
        }
        block.set("", "command", toml::string(&self.command()), "");
        self.params.iter().for_each(|param| block.set("params", &param.name, param.value.toml(), param.comment));
        self.flags.iter().for_each(|(key, value)| block.set("flags", key, toml::string(value), ""));
        for (name, value) in &self.env {
            let comment = if name == "CUDA_VISIBLE_DEVICES" { "as typed; the same GPU for all runs" } else { "" };
            block.set("env", name, toml::string(&template(&[Piece::Text(value.clone())])), comment);
        }
        self.secrets
            .iter()
            .for_each(|name| block.set("secrets", name, toml::string("env"), "taken from your environment; never written down"));
        if let Some((count, launcher)) = &self.processes {
            block.propose("resources", "gpus", toml::typed(count), &format!("{launcher} starts {count} processes"));
        }
    }
}

fn is_keyword(word: &str) -> bool {
    let keywords = "! { } [[ ]] if then else elif fi for while until do done case esac in function select time coproc";
    keywords.split(' ').any(|keyword| keyword == word)
}

/// A run of words that belong together.
#[derive(Debug)]
enum Item<'w> {
    Stays(&'w Word),
    /// A switch has no values; `joined` stands between the flag and its value.
    Flag {
        spelled: String,
        joined: &'static str,
        values: Vec<Argument>,
        words: Vec<&'w Word>,
        repeated: bool,
    },
    Override {
        spelled: String,
        value: Argument,
        word: &'w Word,
    },
}

impl Item<'_> {
    /// Without dashes.
    fn name(&self) -> String {
        match self {
            Item::Flag { spelled, .. } => spelled.trim_start_matches('-').to_string(),
            Item::Override { spelled, .. } => spelled.clone(),
            Item::Stays(_) => String::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Argument {
    Text(String),
    /// A variable whose values are known.
    Known(String),
}

struct Arguments<'a> {
    known: &'a Known,
    secret: IsSecret,
    /// Names of the group, which no other parameter may take.
    reserved: Vec<String>,
    call: &'a mut Call,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Grouped {
    No,
    Flags,
    Overrides,
}

impl Arguments<'_> {
    fn text(&mut self, text: &str) {
        match self.call.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.call.pieces.push(Piece::Text(text.to_string())),
        }
    }

    fn space(&mut self) {
        if !self.call.pieces.is_empty() {
            self.text(" ");
        }
    }

    /// A word as it is, with parameters for the variables that are known.
    fn word(&mut self, word: &Word) {
        self.space();
        self.inside(word, 0);
    }

    fn inside(&mut self, word: &Word, from: usize) {
        let mut at = from;
        let variables: Vec<(String, std::ops::Range<usize>)> = word.variables().map(|(name, place)| (name.to_string(), place)).collect();
        for (name, place) in variables.into_iter().filter(|(name, place)| self.known.has(name) && place.start >= from) {
            self.text(&word.raw[at..place.start]);
            let param = self.of_variable(&name);
            self.call.pieces.push(Piece::Hole(param));
            at = place.end;
        }
        self.text(&word.raw[at..]);
    }

    /// The parameter that a variable of a loop is.
    fn of_variable(&mut self, variable: &str) -> String {
        self.variable_as(variable, &self.known.name(variable))
    }

    fn variable_as(&mut self, variable: &str, wanted: &str) -> String {
        if let Some(name) = self.call.variables.get(variable) {
            return name.clone();
        }
        let name = self.free(wanted);
        self.params_push(&name, Given::Varies(self.known.toml(variable).unwrap_or_default()), "");
        self.call.variables.insert(variable.to_string(), name.clone());
        name
    }

    fn params_push(&mut self, name: &str, value: Given, comment: &'static str) {
        self.call.params.push(Param { name: name.to_string(), value, comment });
    }

    /// A name that no parameter has yet and that no placeholder of neronet's own has.
    fn free(&self, wanted: &str) -> String {
        let clean: String = wanted.chars().map(|c| if c.is_alphanumeric() || "_-.".contains(c) { c } else { '_' }).collect();
        let clean = if is_name(&clean) { clean } else { format!("p_{}", clean.replace('.', "_")) };
        let clean = if is_built_in(&clean) { format!("{}_", clean.replace('.', "_")) } else { clean };
        let taken = |name: &str| self.reserved.iter().any(|known| known == name) || self.call.params.iter().any(|param| param.name == name);
        let mut name = clean.clone();
        let mut number = 2;
        while taken(&name) {
            name = format!("{clean}_{number}");
            number += 1;
        }
        name
    }

    fn all(&mut self, words: &[Word]) {
        let items = merged(self.items(words));
        let (group, kind) = self.group(&items);
        self.reserved = items[group.clone()].iter().map(Item::name).collect();
        let booleans = kind == Grouped::Flags && boolean_style(&items[group.clone()]);
        if kind == Grouped::Flags {
            if booleans {
                self.call.flags.push(("bool", "value"));
            }
            if items[group.clone()].iter().any(|item| matches!(item, Item::Flag { repeated: true, .. })) {
                self.call.flags.push(("list", "repeat"));
            }
        }
        self.name_variables(&items);
        for (at, item) in items.iter().enumerate() {
            if group.contains(&at) {
                if at == group.start {
                    self.space();
                    self.call.pieces.push(Piece::Hole(if kind == Grouped::Flags { "flags" } else { "overrides" }.to_string()));
                }
                self.grouped(item, kind, booleans);
            } else {
                self.single(item);
            }
        }
    }

    /// A variable is called as the flag that takes it, wherever else it stands.
    fn name_variables(&mut self, items: &[Item<'_>]) {
        for item in items {
            let value = match item {
                Item::Flag { values, .. } => values.first(),
                Item::Override { value, .. } => Some(value),
                Item::Stays(_) => None,
            };
            let name = item.name();
            if let Some(Argument::Known(variable)) = value
                && !self.reserved.contains(&name)
                && !is_output(&name)
            {
                self.variable_as(&variable.clone(), name.trim_start_matches(['+', '~']));
            }
        }
    }

    fn items<'w>(&self, words: &'w [Word]) -> Vec<Item<'w>> {
        let mut items = Vec::new();
        let mut at = 0;
        let mut over = false;
        while let Some(word) = words.get(at) {
            at += 1;
            over |= word.raw == "--";
            let beginning = word.beginning();
            let (spelled, joined) = match beginning.split_once('=') {
                Some((spelled, _)) => (spelled, true),
                None => (beginning, false),
            };
            let behind = joined.then(|| self.argument(word, spelled.len() + 1)).flatten();
            // A flag that only the shell knows the whole of stays.
            if over || (!joined && word.literal().is_none()) || (joined && behind.is_none()) || !is_argument_name(spelled) {
                items.push(Item::Stays(word));
                continue;
            }
            if !spelled.starts_with('-') {
                items.push(match behind {
                    Some(value) => Item::Override { spelled: spelled.to_string(), value, word },
                    None => Item::Stays(word),
                });
                continue;
            }
            let (mut values, mut taken, mut join) = (Vec::new(), vec![word], "=");
            let mut name = spelled.to_string();
            if let Some(value) = behind {
                values.push(value);
            } else if let Some(number) = attached(spelled) {
                (name, join) = (spelled[..2].to_string(), "");
                values.push(Argument::Text(number.to_string()));
            } else {
                join = " ";
                let length = self.value_count(&words[at..]);
                for value in &words[at..at + length] {
                    values.extend(self.argument(value, 0));
                    taken.push(value);
                }
                at += length;
            }
            items.push(Item::Flag { spelled: name, joined: join, values, words: taken, repeated: false });
        }
        items
    }

    /// What the word says from this byte on, where that is known.
    fn argument(&self, word: &Word, from: usize) -> Option<Argument> {
        if let Some(text) = word.literal() {
            return Some(Argument::Text(text[from..].to_string()));
        }
        let name = word.variable_behind(&word.beginning()[..from])?;
        self.known.has(name).then(|| Argument::Known(name.to_string()))
    }

    /// How many of the words behind a flag are its values.
    fn value_count(&self, words: &[Word]) -> usize {
        let is_value = |word: &&Word| match self.argument(word, 0) {
            Some(Argument::Text(text)) => !text.starts_with('-') || is_number(&text),
            Some(Argument::Known(_)) => true,
            None => false,
        };
        let run: Vec<&Word> = words.iter().take_while(is_value).collect();
        let text = |word: &Word| word.literal().unwrap_or_default();
        let Some(first) = run.first() else { return 0 };
        if is_override(&text(first)) {
            return 0;
        }
        let same = |word: &&&Word| {
            let (first, other) = (text(first), text(word));
            is_number(&first) == is_number(&other) && first.contains('/') == other.contains('/') && !is_override(&other)
        };
        let alike = run.iter().take_while(same).count();
        // Words at the very end may be arguments of their own; numbers seldom are.
        if is_number(&text(first)) || run.len() < words.len() { alike.max(1) } else { 1 }
    }

    /// The longest run of items that `{flags}` or `{overrides}` would write as they stand.
    fn group(&self, items: &[Item<'_>]) -> (std::ops::Range<usize>, Grouped) {
        let repeats = items.iter().any(|item| matches!(item, Item::Flag { repeated: true, .. }));
        let kinds: Vec<Grouped> = items.iter().map(|item| self.kind(item, repeats)).collect();
        let mut best = (0..0, Grouped::No);
        let mut at = 0;
        while at < kinds.len() {
            let length = kinds[at..].iter().take_while(|kind| **kind == kinds[at]).count();
            if kinds[at] != Grouped::No && length > best.0.len() {
                best = (at..at + length, kinds[at]);
            }
            at += length;
        }
        // Names in a group must be the parameters' own, so each is there once.
        let names: Vec<String> = items[best.0.clone()].iter().map(Item::name).collect();
        let all: Vec<String> = items.iter().map(Item::name).collect();
        let alone = |name: &String| all.iter().filter(|other| *other == name).count() == 1;
        let taken = |name: &String| self.call.params.iter().any(|param| param.name == *name);
        if names.iter().all(|name| alone(name) && !taken(name)) { best } else { (0..0, Grouped::No) }
    }

    fn kind(&self, item: &Item<'_>, repeats: bool) -> Grouped {
        match item {
            Item::Flag { spelled, joined: " ", values, repeated, .. } => {
                let Some(name) = spelled.strip_prefix("--") else { return Grouped::No };
                let good = values.iter().all(|value| match value {
                    Argument::Text(text) if values.len() > 1 && !*repeated => !text.starts_with('-') || is_plain_negative(text),
                    Argument::Text(text) => !text.starts_with('-') || is_plain_negative(text),
                    Argument::Known(name) => self.known.once(name) && values.len() == 1,
                });
                let lists = values.len() < 2 || *repeated || !repeats;
                let stays = is_output(name) || (self.secret)(name) || !is_name(name);
                if good && lists && !stays { Grouped::Flags } else { Grouped::No }
            }
            Item::Override { spelled, value: Argument::Text(text), .. } => {
                let plain = |text: &str| match Value::as_typed(text) {
                    Value::Str(text) => {
                        let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
                            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.".contains(c));
                        word && !["null", "true", "false"].contains(&text.to_lowercase().as_str())
                            && text.replace('_', "").parse::<f64>().is_err()
                    }
                    _ => true,
                };
                if is_name(spelled) && plain(text) && !(self.secret)(spelled) { Grouped::Overrides } else { Grouped::No }
            }
            _ => Grouped::No,
        }
    }

    /// A parameter that is written by `{flags}` or `{overrides}`.
    fn grouped(&mut self, item: &Item<'_>, kind: Grouped, booleans: bool) {
        let name = item.name();
        let values = match item {
            Item::Flag { values, .. } => values.as_slice(),
            Item::Override { value, .. } => std::slice::from_ref(value),
            Item::Stays(_) => return,
        };
        let (value, comment) = match values {
            [] => (Given::Switch, "a switch: false leaves it out"),
            [Argument::Text(text)] => {
                let is_bool = matches!(text.as_str(), "true" | "false");
                (Given::Typed(text.clone(), is_bool && kind == Grouped::Flags && !booleans), "")
            }
            [Argument::Known(variable)] => {
                self.call.variables.insert(variable.clone(), name.clone());
                (Given::Varies(self.known.toml(variable).unwrap_or_default()), "")
            }
            several => (Given::List(several.iter().map(listed).collect()), "one value, which is a list"),
        };
        self.params_push(&name, value, comment);
    }

    /// An item outside of the group.
    fn single(&mut self, item: &Item<'_>) {
        match item {
            Item::Stays(word) => self.word(word),
            Item::Flag { spelled, joined, values, words, .. } => {
                let name = spelled.trim_start_matches('-');
                if let ([Argument::Text(_)], true) = (values.as_slice(), (self.secret)(name)) {
                    let variable: String =
                        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
                    self.space();
                    self.text(&format!("{}{joined}\"${variable}\"", shell::quoted(spelled)));
                    self.call
                        .notes
                        .push(format!("the value of {spelled} is not written down: it is taken from ${variable} of your environment"));
                    self.call.secrets.push(variable);
                    return;
                }
                if is_output(name) && !values.is_empty() {
                    let place = words.last().map_or("", |word| word.raw.as_str());
                    self.output(spelled, place);
                }
                match values.as_slice() {
                    [value] if !is_output(name) => {
                        self.space();
                        self.text(&shell::quoted(spelled));
                        self.text(joined);
                        self.hole(named(name, value), value);
                    }
                    _ => words.iter().for_each(|word| self.word(word)),
                }
            }
            Item::Override { spelled, value, word } => {
                let name = spelled.trim_start_matches(['+', '~']);
                if (self.secret)(name) {
                    return self.word(word);
                }
                self.space();
                self.text(&format!("{}=", shell::quoted(spelled)));
                self.hole(name.replace(['/', '@'], "_"), value);
            }
        }
    }

    fn hole(&mut self, name: String, value: &Argument) {
        let param = match value {
            Argument::Known(variable) => self.variable_as(variable, &name),
            Argument::Text(text) => {
                let param = self.free(&name);
                self.params_push(&param, Given::Typed(text.clone(), false), "");
                param
            }
        };
        self.call.pieces.push(Piece::Hole(param));
    }

    fn output(&mut self, spelled: &str, place: &str) {
        let remark = if place.starts_with(['/', '~', '$', '"']) {
            format!(
                "{spelled} names one place for all runs: they would overwrite each other. {spelled} {{run.dir}}/out is a folder for each run."
            )
        } else {
            format!("{spelled} is relative to where the run works, and each run has a folder of its own: nothing is overwritten.")
        };
        self.call.remarks.push(remark);
    }
}

fn listed(argument: &Argument) -> Value {
    match argument {
        Argument::Text(text) => Value::as_typed(text),
        Argument::Known(_) => Value::Str(String::new()),
    }
}

/// What a short flag is called, where everybody calls it so.
fn named(name: &str, value: &Argument) -> String {
    match (name, value) {
        ("b", Argument::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => "batch".to_string(),
        _ => name.to_string(),
    }
}

/// Flags that stand behind each other again and again are one list.
fn merged(items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut all: Vec<Item<'_>> = Vec::new();
    for item in items {
        if let (
            Some(Item::Flag { spelled, joined: " ", values, words, repeated }),
            Item::Flag { spelled: again, joined: " ", values: more, words: also, .. },
        ) = (all.last_mut(), &item)
            && spelled == again
            && more.len() == 1
            && (values.len() == 1 || *repeated)
            && more.iter().chain(values.iter()).all(|value| matches!(value, Argument::Text(_)))
        {
            values.extend(more.clone());
            words.extend(also.iter().copied());
            *repeated = true;
            continue;
        }
        all.push(item);
    }
    all
}

/// Whether `--amp true` is how this program takes booleans: some are given so, and none is a switch.
fn boolean_style(items: &[Item<'_>]) -> bool {
    let is_bool = |item: &Item<'_>| match item {
        Item::Flag { values, .. } => matches!(values.as_slice(), [Argument::Text(text)] if matches!(text.as_str(), "true" | "false")),
        _ => false,
    };
    items.iter().any(is_bool) && !items.iter().any(|item| matches!(item, Item::Flag { values, .. } if values.is_empty()))
}

fn is_built_in(name: &str) -> bool {
    matches!(name, "flags" | "overrides" | "checkpoint" | "checkpoint.best")
        || ["run.", "inputs.", "target."].iter().any(|beginning| name.starts_with(beginning))
        || [".checkpoint", ".checkpoint.best"].iter().any(|ending| name.ends_with(ending))
}

/// `-x`, `--long-one`, `-long`, or `key.of[+~]hydra`.
fn is_argument_name(text: &str) -> bool {
    let name = text.trim_start_matches(['-', '+', '~']);
    let dashes = text.len() - text.trim_start_matches('-').len();
    dashes <= 2
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c))
}

fn is_override(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| is_argument_name(name) && !name.starts_with('-'))
}

/// `-b32`
fn attached(text: &str) -> Option<&str> {
    let letter = text.get(1..2).is_some_and(|letter| letter.bytes().all(|byte| byte.is_ascii_alphabetic()));
    text.get(2..).filter(|number| letter && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok()
}

/// What argparse takes for a value although it begins with a dash.
fn is_plain_negative(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !rest.is_empty() && !fraction.is_empty() && digits(whole) && digits(fraction)
}

/// Flags that say where a program writes.
pub(crate) fn is_output(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let alone = "o out output outdir savedir logdir workdir save_path output_path save_to dump_path result_path default_root_dir hub_dir";
    let folders = [
        "out",
        "output",
        "save",
        "log",
        "logging",
        "work",
        "result",
        "results",
        "ckpt",
        "checkpoint",
        "exp",
        "experiment",
        "tb",
        "tensorboard",
        "run",
        "dump",
    ];
    alone.split(' ').any(|known| known == name) || name.strip_suffix("_dir").is_some_and(|folder| folders.contains(&folder))
}

/// The statement without `nohup` before and what it prints where.
pub(crate) fn trimmed(statement: &Statement, notes: &mut Vec<String>) -> Statement {
    let mut statement = statement.clone();
    if statement.word(0) == "nohup" {
        statement.words.remove(0);
        notes.push("nohup is left out: runs go on when the terminal is closed, see `neronet run --detach`".to_string());
    }
    if !statement.outputs.is_empty() {
        notes.push(format!("{} is left out: neronet keeps what a run prints, see `neronet logs`", statement.outputs.join(" ")));
        statement.outputs.clear();
    }
    if statement.joined == "&" {
        notes.push("the & at the end is left out: [sweep] parallel says how many runs at a time".to_string());
        statement.joined = "\n".to_string();
    }
    statement
}
