//! Which arguments become parameters, how each is written in the command, and what they are called.

use super::items::{self, Argument, Item};
use super::{Call, Given, Param};
use crate::IsSecret;
use crate::known::Known;
use crate::shell::{self, Word};
use crate::toml;
use neronet_model::Value;
use neronet_spec::{Piece, is_name};
use std::collections::BTreeMap;

pub(super) struct Arguments<'a> {
    pub(super) known: &'a Known,
    pub(super) secret: IsSecret,
    /// Names of the group, which no other parameter may take.
    pub(super) reserved: Vec<String>,
    pub(super) call: &'a mut Call,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Grouped {
    No,
    Flags,
    Overrides,
}

impl Arguments<'_> {
    pub(super) fn text(&mut self, text: &str) {
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
    pub(super) fn word(&mut self, word: &Word) {
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
    pub(super) fn of_variable(&mut self, variable: &str) -> String {
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

    pub(super) fn all(&mut self, words: &[Word]) {
        let items = items::merged(items::items(words, self.known));
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
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        items.iter().for_each(|item| *counts.entry(item.name()).or_default() += 1);
        let alone = |name: &String| counts.get(name) == Some(&1);
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
                    Argument::Opaque => false,
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
                        let other = ["null", "true", "false"].contains(&text.to_lowercase().as_str());
                        word && !other && text.replace('_', "").parse::<f64>().is_err()
                    }
                    // A number that TOML can only have as a text is quoted by Hydra's rules.
                    value => !toml::value(&value).starts_with(['"', '\'']),
                };
                if is_name(spelled) && plain(text) && !(self.secret)(spelled) && !spelled.starts_with("hydra.") {
                    Grouped::Overrides
                } else {
                    Grouped::No
                }
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
                    self.space();
                    self.text(&format!("{}{joined}", shell::quoted(spelled)));
                    return self.by_variable(name);
                }
                if let Some(word) = words.last().filter(|_| is_output(name) && !values.is_empty()) {
                    self.output(spelled, word);
                }
                match values.as_slice() {
                    [value] if !is_output(name) && *value != Argument::Opaque => {
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
                if name.starts_with("hydra.") {
                    return self.word(word);
                }
                self.space();
                self.text(&format!("{}=", shell::quoted(spelled)));
                if (self.secret)(name) {
                    return self.by_variable(name);
                }
                self.hole(name.replace(['/', '@'], "_"), value);
            }
        }
    }

    /// A secret's value is that of a variable.
    fn by_variable(&mut self, name: &str) {
        let variable: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        self.text(&format!("\"${variable}\""));
        self.call.secrets.push(variable);
    }

    fn hole(&mut self, name: String, value: &Argument) {
        let param = match value {
            Argument::Opaque => return,
            Argument::Known(variable) => self.variable_as(variable, &name),
            Argument::Text(text) => {
                let param = self.free(&name);
                self.params_push(&param, Given::Typed(text.clone(), false), "");
                param
            }
        };
        self.call.pieces.push(Piece::Hole(param));
    }

    fn output(&mut self, spelled: &str, place: &Word) {
        if place.variables().any(|(name, _)| self.known.has(name)) {
            return;
        }
        let anywhere = place.beginning().is_empty() && place.literal().is_none();
        let remark = if place.beginning().starts_with('/') || anywhere {
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
        Argument::Known(_) | Argument::Opaque => Value::Str(String::new()),
    }
}

/// What a short flag is called, where everybody calls it so.
fn named(name: &str, value: &Argument) -> String {
    match (name, value) {
        ("b", Argument::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => "batch".to_string(),
        _ => name.to_string(),
    }
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

/// What argparse takes for a value although it begins with a dash.
fn is_plain_negative(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !rest.is_empty() && !fraction.is_empty() && digits(whole) && digits(fraction)
}

/// Flags that say where a program writes.
fn is_output(name: &str) -> bool {
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
