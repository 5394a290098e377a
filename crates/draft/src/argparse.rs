//! From what a program prints on `--help`: argparse, and what looks alike (click, typer, absl, fire, jsonargparse, Lightning's CLI).
//! Options with a known default become parameters, the others comments to switch on.

use crate::IsSecret;
use crate::program;
use crate::shell::{self, Word};
use crate::toml::{self, Page};
use neronet_model::Value;
use neronet_spec::{Piece, is_name, template};

mod declared;
mod entry;
mod usage;

use entry::Entry;
use usage::Usage;

/// What `neronet check` refuses until somebody writes a value in its place.
pub(crate) const NO_VALUE: &str = "[]";
const MOST_OPTIONS: usize = 1000;
/// What is asked for no run.
const NO_SETTINGS: &str = "help helpfull helpshort helpxml version install-completion show-completion print_config print-config";
/// What takes a checkpoint to go on from.
const RESUMING: &str =
    "resume resume_from resume_from_checkpoint resume_path ckpt_path load_checkpoint restore restore_from init_checkpoint";

/// `source` is the script that printed it, where that is at hand.
pub(crate) fn draft(text: &str, program: &[String], source: &str, secret: IsSecret) -> Result<Page, String> {
    let text = plain(text);
    let usage = Usage::of(&text);
    let (mut positionals, mut options) = entry::all(&text);
    let declared = declared::all(source);
    for option in options.iter_mut().filter(|option| !option.is_switch()) {
        let Some(declared) = declared.get(&option.name) else { continue };
        option.kind = declared.kind.clone();
        option.declared = declared.default.clone().filter(|_| option.default.is_none());
    }
    if positionals.is_empty() {
        positionals = usage.positionals.iter().map(|name| Entry::positional(name)).collect();
    }
    if options.is_empty() && positionals.is_empty() {
        return Err("no option is named in it: this is not what --help prints, as far as is known".to_string());
    }
    let mut words = if program.is_empty() { usage.program.clone() } else { program.to_vec() };
    if program.is_empty() {
        words.retain(|word| positionals.iter().all(|positional| positional.name != *word));
    }
    let typed: Vec<Word> = words.iter().map(|word| Word::typed(word)).collect();
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {} --help.", words.join(" ")));
    page.head.push("A list varies, one run for each value: lr = [0.1, 0.01]. Defaults are those that --help names.".to_string());
    page.top.set("", "name", toml::string(&program::stem(&program::head(&typed).program)), "");
    let mut drafting = Drafting { page: &mut page, usage: &usage, secret, negated: negations(&options), resume: None };
    let mut pieces = vec![Piece::Text(words.iter().map(|word| shell::quoted(word)).collect::<Vec<_>>().join(" "))];
    let mut holes: Vec<String> = Vec::new();
    // Behind its subcommand a program takes other options.
    let mut flags_at = None;
    for positional in &positionals {
        if let Some(name) = drafting.positional(positional) {
            flags_at = flags_at.or((usage.subcommands && !positional.choices.is_empty()).then_some(holes.len()));
            holes.push(name);
        }
    }
    holes.insert(flags_at.unwrap_or(holes.len()), "flags".to_string());
    pieces.extend(holes.into_iter().flat_map(|name| [Piece::Text(" ".to_string()), Piece::Hole(name)]));
    options.iter().take(MOST_OPTIONS).for_each(|option| drafting.option(option));
    let (negated, resume) = (drafting.negated, drafting.resume.take());
    if options.len() > MOST_OPTIONS {
        page.note(format!("{} more options are not taken up", options.len() - MOST_OPTIONS));
    }
    page.top.set("", "command", toml::string(&template(&pieces)), "");
    page.top.propose("", "objective", toml::string("val_loss min"), "what \"best\" means");
    if negated == Negated::All {
        page.top.set("flags", "bool", toml::string("no-prefix"), "--name or --no-name");
    }
    if let Some(name) = resume {
        page.top.remark("checkpoints", "With these three lines `neronet resume` goes on from the latest checkpoint:");
        page.top.remark("checkpoints", "paths = [\"ckpt/*.pt\"]");
        page.top.remark("checkpoints", "[resume]");
        page.top.remark("checkpoints", &format!("arguments = \"--{name} {{checkpoint}}\""));
    }
    if usage.subcommands {
        page.note("it has subcommands, each with options of its own: print their help to a file and give that: `… COMMAND --help > help.txt`, `neronet init help.txt`");
    }
    Ok(page)
}

/// Without colours and boxes.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                chars.next();
            }
            '\u{2500}'..='\u{257f}' => out.push(' '),
            '\t' => out.push_str("    "),
            '\u{8}' => {
                // Bold by overstriking, as man pages have it.
                out.pop();
            }
            c => out.push(c),
        }
    }
    out
}

/// Which switches have a `--no-` form.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Negated {
    None,
    /// All of them, so that every boolean can be written so.
    All,
    /// Some have, some have not.
    Mixed,
}

fn negations(options: &[Entry]) -> Negated {
    let switches: Vec<&Entry> = options.iter().filter(|option| option.is_switch() && !is_one_of(&option.name, NO_SETTINGS)).collect();
    let negated = switches.iter().filter(|option| option.negated).count();
    match negated {
        0 => Negated::None,
        all if all == switches.len() => Negated::All,
        _ => Negated::Mixed,
    }
}

fn is_one_of(name: &str, names: &str) -> bool {
    names.split(' ').any(|known| known == name)
}

struct Drafting<'a> {
    page: &'a mut Page,
    usage: &'a Usage,
    secret: IsSecret,
    negated: Negated,
    resume: Option<String>,
}

impl Drafting<'_> {
    /// The parameter that stands in the command for it.
    fn positional(&mut self, entry: &Entry) -> Option<String> {
        let shown = if entry.choices.is_empty() { entry.name.clone() } else { entry.choices.join(", ") };
        let wanted: String = entry.name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let name = if entry.choices.is_empty() || !entry.name.starts_with('{') { wanted } else { "subcommand".to_string() };
        if !is_name(&name)
            || self.usage.is_optional(&entry.name)
            || self.page.top.has("params", &name)
            || is_one_of(&name, "flags overrides checkpoint")
        {
            self.page.note(format!("the argument {shown} is left out: write it in the command where it is needed"));
            return None;
        }
        let value = entry.default.clone().or(entry.choices.first().cloned());
        if value.is_none() {
            self.page.note(format!("{} is required: give {name} its value below [params]", entry.name));
        }
        let comment = comment(entry, if value.is_none() { "required: write yours here" } else { "" });
        self.page.top.set("params", &name, value.map_or_else(|| NO_VALUE.to_string(), |value| toml::typed(&value)), &comment);
        Some(name)
    }

    fn option(&mut self, entry: &Entry) {
        let name = entry.name.as_str();
        let normal = name.to_lowercase().replace('-', "_");
        if is_one_of(name, NO_SETTINGS) || self.page.top.has("params", name) {
            return;
        }
        if !entry.long {
            if name != "h" {
                self.page
                    .top
                    .remark("params", &format!("-{name} has no long form: where it is needed, write it in the command. {}", entry.help));
            }
            return;
        }
        if (self.secret)(name) {
            return self.page.note(format!("--{name} is left out, since it is a secret: let the script read it from its environment, and name the variable below [secrets]"));
        }
        if is_one_of(&normal, RESUMING) && !entry.is_switch() {
            self.resume.get_or_insert_with(|| name.to_string());
            return;
        }
        if !is_name(name) {
            return self.page.note(format!("--{name} is left out: a parameter's name is made of letters, digits, _ and -"));
        }
        if entry.is_switch() {
            return self.switch(entry);
        }
        let required = entry.required || self.usage.required.contains(&format!("--{name}"));
        match entry.default.as_deref().and_then(|default| value(entry, default)) {
            Some(value) if entry.takes_any_truth() => {
                let comment = comment(entry, "its default; with type=bool every text but the empty one is true");
                self.page.top.propose("params", name, value, &comment);
            }
            Some(value) => self.page.top.set("params", name, value, &comment(entry, "")),
            None if required => {
                self.page.note(format!("--{name} is required: give it its value below [params]"));
                let comment = comment(entry, &format!("required: write yours here, {}", entry.wants()));
                self.page.top.set("params", name, NO_VALUE.to_string(), &comment);
            }
            None if let Some(value) = entry.declared.as_deref().and_then(|declared| value(entry, declared)) => {
                self.page.top.propose("params", name, value, &comment(entry, "the script's own default"));
            }
            None => {
                let example = entry.default.as_ref().or(entry.choices.first());
                let comment = comment(entry, &if example.is_none() { entry.wants() } else { String::new() });
                self.page.top.propose("params", name, example.map_or_else(String::new, |example| toml::string(example)), &comment);
            }
        }
    }

    fn switch(&mut self, entry: &Entry) {
        let on = entry.default.as_deref().is_some_and(|default| default.eq_ignore_ascii_case("true"));
        let known = entry.default.as_deref().is_none_or(|default| on || default.eq_ignore_ascii_case("false"));
        let comment = comment(entry, if entry.negated { "" } else { "a switch" });
        match (entry.negated, self.negated) {
            (true, Negated::All) if entry.default.is_some() && known => self.page.top.set("params", &entry.name, on.to_string(), &comment),
            // Without a default both `--amp` and `--no-amp` may change something.
            (true, Negated::All) => self.page.top.propose("params", &entry.name, "true".to_string(), &comment),
            (true, _) => {
                let comment = format!("its off is --no-{}, in the command; {comment}", entry.name);
                self.page.top.propose("params", &entry.name, "true".to_string(), comment.trim_end_matches([' ', ';']));
            }
            (false, Negated::All) => self.page.top.propose("params", &entry.name, "true".to_string(), &comment),
            // A switch that is on by default is switched by nothing.
            (false, _) if on => self.page.top.propose("params", &entry.name, "true".to_string(), &comment),
            (false, _) => self.page.top.set("params", &entry.name, "false".to_string(), &comment),
        }
    }
}

/// The choices, else the beginning of the help.
fn comment(entry: &Entry, first: &str) -> String {
    const LONGEST: usize = 70;
    let choices = if entry.choices.is_empty() { String::new() } else { format!("one of {}", entry.choices.join(", ")) };
    let mut help: String = entry.help.chars().take(LONGEST).collect();
    if entry.help.chars().nth(LONGEST).is_some() {
        help.push('…');
    }
    let parts = [first.to_string(), choices.clone(), if choices.is_empty() { help } else { String::new() }];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A default in TOML, where it can be handed over as it is.
fn value(entry: &Entry, default: &str) -> Option<String> {
    let inner = default.strip_prefix('[').and_then(|text| text.strip_suffix(']')).or_else(|| default.strip_prefix('(')?.strip_suffix(')'));
    if entry.is_list() {
        let items: Vec<&str> = match inner {
            Some(inner) => inner.split(',').map(|item| item.trim().trim_matches(['"', '\''])).filter(|item| !item.is_empty()).collect(),
            // click writes commas.
            None => default.split([' ', ',']).filter(|item| !item.is_empty()).collect(),
        };
        let items: Vec<Value> = items.into_iter().map(Value::as_typed).collect();
        return (!items.is_empty()).then(|| format!("{{ value = {} }}", toml::list(&items).replace('\n', " ")));
    }
    let odd = default.contains(char::is_whitespace) || default.starts_with(['<', '{', '[', '(']) || default.is_empty();
    (!odd).then(|| match default {
        // Of a program that asks for a value, `true` is one, and no switch.
        "true" | "false" => toml::string(default),
        default => toml::typed(default),
    })
}
