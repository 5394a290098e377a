//! Checks every template of an experiment when it is read, so that no run can fail to be rendered for what was written.

use crate::fill::{self, Filling, Part};
use crate::params::Axis;
use crate::problem::quoted;
use crate::quote;
use crate::scan::{self, Context, Refusal};
use crate::source::{Found, Span};
use crate::suggest::nearest;
use crate::template::{self, Token};
use neronet_model::settings::{Command, Resume};
use neronet_model::{Settings, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How the text of a template is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// By the shell.
    Shell,
    /// As one argument, or the value of a variable.
    Word,
    /// Split into arguments, with no shell.
    Arguments,
}

/// A template, and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) part: Part,
    pub(crate) style: Style,
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// What Linux takes as one argument, less room for the values.
const LONGEST_COMMAND: usize = 100_000;

pub(crate) fn templates(written: &[Written], settings: &Settings, axes: &[Axis], found: &mut Found<'_>) {
    let params: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    // Unset means bash where there is one; the check at the start of a run asks the shell that is there.
    let ansi = settings.environment.shell.as_deref().is_none_or(scan::knows_ansi);
    let seed = axes.iter().find(|axis| axis.name == "seed");
    let seeded = seed.is_some_and(|axis| axis.values.iter().all(|value| matches!(value, Value::Int(_))));
    for template in written {
        one(template, &params, seeded, ansi, found);
    }
    appendable(written, settings, ansi, found);
    unused(settings, axes, ansi, found);
}

fn one(template: &Written, params: &[&str], seeded: bool, ansi: bool, found: &mut Found<'_>) {
    let Written { part, style, text, span } = template;
    if text.contains('\0') {
        found.error(*span, "a NUL character, which no process can be given", None);
        return;
    }
    if text.len() > LONGEST_COMMAND {
        let hint = "put it into a script and call that".to_string();
        found.error(*span, format!("{} kB are more than a command can have", text.len() / 1000), hint);
        return;
    }
    for (at, _) in text.match_indices('{') {
        let format = text[at + 1..].split_once('}').and_then(|(inside, _)| inside.split_once([':', '!']));
        if let Some((name, spec)) = format
            && params.contains(&name)
            && !text[..at].ends_with('$')
        {
            let span = found.sources.inside(*span, at..at + name.len() + spec.len() + 3);
            let hint = format!("only {{{name}}} stands for the parameter, as it is written below [params]");
            found.warning(span, format!("a format behind the name of parameter {} is left as it is", quoted(name)), hint);
        }
    }
    let tokens = template::tokens(text);
    let refuse = |refusal: Refusal, found: &mut Found<'_>| {
        found.error(found.sources.inside(*span, refusal.at), refusal.message, refusal.hint);
    };
    // What a word of `{flags}` needs around it; for the shell the scanner knows, which passes over comments.
    let mut alone: BTreeMap<usize, bool> = BTreeMap::new();
    let mut scanned = *style != Style::Shell;
    match style {
        Style::Shell => match scan::scan(text, &tokens, ansi) {
            Ok(scan) => {
                for place in scan.places.iter().filter(|place| place.context != Context::Bare) {
                    if let Some(reader) = second_shell(&text[..place.hole.start]) {
                        let hint = "what is in the value would be carried out there; hand it over as $NERONET_PARAM_… or as an argument"
                            .to_string();
                        let message = format!("the value stands in a text that {reader} reads as a command once more");
                        found.warning(found.sources.inside(*span, place.hole.clone()), message, hint);
                    }
                }
                alone = scan.places.into_iter().map(|place| (place.hole.start, place.alone)).collect();
                scanned = true;
            }
            Err(refusal) => refuse(refusal, found),
        },
        Style::Arguments => match quote::split(&tokens) {
            Ok(words) => alone.extend(words.iter().filter_map(|word| match word.as_slice() {
                [Token::Hole(hole)] => Some((hole.start, true)),
                _ => None,
            })),
            Err(why) => found.error(*span, format!("in [resume] arguments {why}"), None),
        },
        Style::Word => {
            if let [Token::Hole(hole)] = tokens.as_slice() {
                alone.insert(hole.start, true);
            }
        }
    }
    for token in &tokens {
        let Token::Hole(hole) = token else { continue };
        let name = template::name(text, hole);
        let is_alone = alone.get(&hole.start) == Some(&true);
        if found.is_full() {
            return;
        }
        if *style == Style::Shell && scanned && !alone.contains_key(&hole.start) {
            continue;
        }
        match fill::resolve(name, *part, params) {
            Ok(Filling::Flags | Filling::Overrides) if scanned && !is_alone => {
                let hint = match style {
                    Style::Word => format!("write \"{{{name}}}\" as an element of the list"),
                    _ => format!(
                        "it stands for many arguments: write it with blanks around it and no quotes, as in python train.py {{{name}}}"
                    ),
                };
                refuse(
                    Refusal { at: hole.clone(), message: format!("{{{name}}} must stand alone, outside of quotes"), hint: Some(hint) },
                    found,
                );
            }
            Ok(Filling::RunSeed) if !seeded => {
                let hint = "add one below [params], as seed = 1".to_string();
                let message = "{run.seed} is the integer parameter 'seed', and there is none".to_string();
                refuse(Refusal { at: hole.clone(), message, hint: Some(hint) }, found);
            }
            Ok(_) => {}
            Err((message, hint)) => {
                let at = hole.clone();
                refuse(Refusal { at, message, hint }, found);
            }
        }
    }
}

/// The program that hands the quoted text which is open at the end of `before` to a shell, if it is a usual one.
fn second_shell(before: &str) -> Option<&'static str> {
    let command = &before[before.rfind([';', '|', '&', '\n', '(']).map_or(0, |at| at + 1)..];
    let quote = command.rfind(['\'', '"'])?;
    let words: Vec<&str> = command[..quote].split_whitespace().collect();
    let program = words.iter().find(|word| !word.contains('='))?;
    let takes_script = words.last().is_some_and(|word| word.starts_with('-') && word.ends_with('c'));
    let known = ["eval", "ssh", "sh", "bash", "dash", "zsh", "ksh"];
    let program = known.into_iter().find(|known| program.rsplit('/').next() == Some(known))?;
    (matches!(program, "eval" | "ssh") || takes_script).then_some(program)
}

/// `[resume] arguments` go behind the command, so its end must take them.
fn appendable(written: &[Written], settings: &Settings, ansi: bool, found: &mut Found<'_>) {
    let (Command::Shell(text), Some(Resume::Arguments(_))) = (&settings.command, &settings.resume) else {
        return;
    };
    let arguments = written.iter().find(|template| template.part == Part::Resume);
    let text = text.trim_end();
    if let (Ok(scan), Some(arguments)) = (scan::scan(text, &template::tokens(text), ansi), arguments)
        && let Some(end) = scan.closed_end
    {
        found.error(
            arguments.span,
            format!("these arguments would be written behind the command, which ends in {end}"),
            "write the whole command instead, below [resume]: command = \"…\"".to_string(),
        );
    }
}

/// A parameter that no command and no variable takes has no effect, most likely.
fn unused(settings: &Settings, axes: &[Axis], ansi: bool, found: &mut Found<'_>) {
    let mut names: BTreeSet<String> = fill::used(settings, false, ansi);
    names.extend(fill::used(settings, true, ansi));
    let holes = fill::of_command(&settings.command, ansi);
    if holes.iter().any(|name| name == "flags" || name == "overrides") {
        return;
    }
    for axis in axes {
        // A placeholder that was meant to be it is told as unknown.
        let params = || axes.iter().map(|axis| axis.name.as_str());
        let meant = |hole: &String| nearest(hole, params()) == Some(&axis.name) && !params().any(|name| name == hole);
        if holes.iter().any(meant) {
            continue;
        }
        // The seed is in the environment of every run.
        if !names.contains(&axis.name) && axis.name != "seed" {
            let hint = format!("write {{{}}} or {{flags}} in the command, unless the script reads $NERONET_PARAMS", axis.name);
            found.warning(axis.span, format!("parameter {} is used nowhere", quoted(&axis.name)), hint);
        }
    }
}

/// Setup lines are no templates, but what they leave open would swallow the command.
pub(crate) fn setup_line(line: &str, span: Span, ansi: bool, found: &mut Found<'_>) {
    let tokens: Vec<Token> = line.char_indices().map(|(at, c)| Token::Char(c, at)).collect();
    match scan::scan(line, &tokens, ansi) {
        Err(refusal) => found.error(found.sources.inside(span, refusal.at), refusal.message, refusal.hint),
        Ok(scan) if scan.closed_end == Some("a backslash") => {
            found.error(span, "a setup line cannot end in a backslash", None);
        }
        Ok(_) => {}
    }
}
