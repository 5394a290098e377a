//! Checks every template of an experiment when it is read, so that no run can fail to be rendered for what was written.

use crate::draw::Distribution;
use crate::fill::{self, Filling, Of, Part};
use crate::handed;
use crate::literal;
use crate::params::{self, Given, Values};
use crate::problem::quoted;
use crate::quote;
use crate::scan::{self, Refusal, Scan};
use crate::settings::Read;
use crate::simple;
use crate::source::{Found, Span};
use crate::suggest::{did_you_mean, nearest};
use crate::template::{self, Token};
use neronet_model::settings::{Command, FileEdit, Gpus, Resume};
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
    /// Of which `[on.TARGET]`; none where it holds for all.
    pub(crate) target: Option<usize>,
    pub(crate) part: Part,
    pub(crate) style: Style,
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Written {
    pub(crate) fn new(part: Part, style: Style, text: &str, span: Span) -> Written {
        Written { target: None, part, style, text: text.to_string(), span }
    }
}

/// What Linux takes as one argument, less room for the values.
const LONGEST_COMMAND: usize = 100_000;

pub(crate) fn templates(read: &Read, given: &[Given], found: &mut Found<'_>) {
    let Read { settings, written, .. } = read;
    let params: Vec<&str> = given.iter().map(|param| param.name.as_str()).collect();
    let no_seed = no_seed(given);
    let everywhere = std::iter::once((None, settings));
    let targets = settings.on.iter().enumerate().map(|(at, (_, settings))| (Some(at), settings));
    for (target, settings) in everywhere.chain(targets) {
        let written: Vec<&Written> = written.iter().filter(|template| template.target == target).collect();
        // Unset means bash where there is one; the check at the start of a run asks the shell that is there.
        let ansi = settings.environment.shell.as_deref().is_none_or(scan::knows_ansi);
        for template in &written {
            one(template, &Known { params: &params, no_seed: no_seed.as_deref(), settings }, ansi, found);
        }
        let steps = (0..settings.then.len()).map(Part::Step);
        for part in [Part::Command, Part::Resume].into_iter().chain(steps) {
            listed_shell(&written, part, found);
        }
        appendable(&written, settings, ansi, found);
        pipes(&written, settings, ansi, found);
    }
    // What a file that could not be read uses is not known.
    if !read.lacks_files {
        unused(settings, given, found);
    }
    handed::check(settings, given, found);
}

/// What a derived one comes to is known only for each run.
fn no_seed(given: &[Given]) -> Option<String> {
    match given.iter().find(|param| param.name == "seed").map(|param| &param.values) {
        None => Some("there is none".to_string()),
        Some(Values::Listed(values) | Values::Drawn(Distribution::Choice(values))) => {
            match values.iter().find(|value| value.int().is_none())? {
                Value::Str(text) => Some(format!("the text {} is no integer", quoted(text))),
                other => Some(format!("{} is no integer", quoted(&other.to_string()))),
            }
        }
        Some(Values::Drawn(Distribution::IntUniform(..)) | Values::Derived(..) | Values::Wrong) => None,
        Some(Values::Drawn(_)) => Some("its draws are no integers".to_string()),
    }
}

/// What placeholders can stand for.
struct Known<'a> {
    params: &'a [&'a str],
    /// Why `{run.seed}` stands for nothing.
    no_seed: Option<&'a str>,
    settings: &'a Settings,
}

fn one(template: &Written, known: &Known<'_>, ansi: bool, found: &mut Found<'_>) {
    let Known { params, no_seed, settings } = *known;
    let Written { part, style, text, span, .. } = template;
    match part {
        Part::Gpus | Part::OnOom => return expression(*part, text, *span, params, found),
        Part::Named(key) => {
            if !params.contains(&text.as_str()) {
                let message = format!("no parameter is called {}, which '{key}' names", quoted(text));
                let hint = did_you_mean(text, params.iter().copied());
                found.error(*span, message, hint.unwrap_or_else(|| lacking(params, &format!("unset = [\"{key}.{text}\"]"))));
            }
            return;
        }
        _ => {}
    }
    if text.contains('\0') {
        found.error(*span, "a NUL character, which no process can be given", "take it out".to_string());
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
                second_shell(text, *span, &scan, found);
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
        if *part == Part::Build {
            // It is no template, so braces around other names mean something to the shell or a program.
            if fill::resolve(name, Part::Resume, params, settings).is_ok() {
                let hint = "what depends on a parameter belongs in the command".to_string();
                let message = format!("{{{name}}} cannot stand in [code] build, which is carried out once, before any run");
                refuse(Refusal { at: hole.clone(), message, hint: Some(hint) }, found);
            }
            continue;
        }
        if let Part::Literal(key) = part {
            if fill::resolve(name, Part::Resume, params, settings).is_err() {
                continue;
            }
            let hint = Some(literal::instead(key, text, hole, params));
            if *key == literal::SETUP {
                // To the shell they may mean something, in the body of a function or what awk gets.
                let is_comment = scan::scan(text, &tokens, ansi).is_ok_and(|scan| scan.places.iter().all(|place| place.hole != *hole));
                if !is_comment {
                    let message = format!("{{{name}}} stands for nothing in '{key}', which takes no placeholders: it is left as it is");
                    found.warning(found.sources.inside(*span, hole.clone()), message, hint);
                }
                continue;
            }
            let message = format!("{{{name}}} cannot stand in '{key}', which takes no placeholders");
            refuse(Refusal { at: hole.clone(), message, hint }, found);
            continue;
        }
        match fill::resolve(name, *part, params, settings) {
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
            Ok(Filling::RunSeed) if let Some(why) = no_seed => {
                let hint = Some("it is one below [params], as seed = 1".to_string());
                let message = format!("{{run.seed}} is the integer parameter 'seed', and {why}");
                refuse(Refusal { at: hole.clone(), message, hint }, found);
            }
            Ok(Filling::Param | Filling::Flags | Filling::Overrides) => {}
            Ok(_) if params.contains(&name) => {
                let hint = "give the parameter another name, and the flag its own: --flag {NAME}".to_string();
                let message = format!("{{{name}}} is a placeholder of its own, and a parameter has the same name");
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

/// What to do about a name that is no parameter's.
fn lacking(params: &[&str], unset: &str) -> String {
    match params {
        [] => "there are no [params]".to_string(),
        params => {
            let few: Vec<&str> = params.iter().copied().take(8).collect();
            let more = if params.len() > few.len() { ", …" } else { "" };
            format!("the parameters are {}{more}; an [[experiment]] that lacks one says {unset}", few.join(", "))
        }
    }
}

/// An expression of parameters.
fn expression(part: Part, text: &str, span: Span, params: &[&str], found: &mut Found<'_>) {
    let Some(expr) = params::expression(text, span, found) else { return };
    let known = expr.map(&mut |name| {
        if !params.contains(&name.name.as_str()) {
            let all = (part == Part::Gpus).then_some("all");
            let hint = did_you_mean(&name.name, params.iter().copied().chain(all)).unwrap_or_else(|| match part {
                Part::Gpus => {
                    "write a number, \"all\", a range such as \"2-8\", a fraction such as 0.5, or an expression of parameters".to_string()
                }
                _ => lacking(params, "unset = [\"retry.on_oom\"]"),
            });
            let at = found.sources.inside(span, name.at);
            found.error(at, format!("no parameter is called {}", quoted(&name.name)), hint);
        }
        Ok::<_, ()>(0)
    });
    drop(known);
}

/// What another shell reads once more is quoted for the first one only.
fn read_again(reader: &str, at: Span, found: &mut Found<'_>) {
    let hint = "what is in the value would be carried out there; hand it over as $NERONET_PARAM_… or as an argument".to_string();
    found.warning(at, format!("the value stands in a text that {reader} reads as a command once more"), hint);
}

fn second_shell(text: &str, span: Span, scan: &Scan, found: &mut Found<'_>) {
    let commands = if scan.places.is_empty() { Vec::new() } else { simple::commands(text, scan) };
    for command in &commands {
        let words: Vec<&str> = command.words.iter().map(|(word, _)| *word).collect();
        let Some((reader, read)) = simple::read_again(&words) else { continue };
        for (_, place) in command.words[read].iter().filter(|(word, _)| !is_whole_script(reader, word)) {
            let first = scan.places.partition_point(|hole| hole.hole.start < place.start);
            for hole in scan.places[first..].iter().map(|place| &place.hole).take_while(|hole| hole.end <= place.end) {
                read_again(reader, found.sources.inside(span, hole.clone()), found);
            }
        }
    }
}

/// The same in a command that is a list.
fn listed_shell(written: &[&Written], part: Part, found: &mut Found<'_>) {
    let list: Vec<&Written> = written.iter().copied().filter(|template| template.part == part && template.style == Style::Word).collect();
    let words: Vec<&str> = list.iter().map(|template| template.text.as_str()).collect();
    let Some((reader, read)) = simple::read_again(&words) else { return };
    for template in list[read].iter().filter(|template| !is_whole_script(reader, &template.text)) {
        for token in template::tokens(&template.text) {
            if let Token::Hole(hole) = token {
                read_again(reader, found.sources.inside(template.span, hole), found);
            }
        }
    }
}

/// `bash -c {script}`: there the value is meant to be carried out.
fn is_whole_script(reader: &str, word: &str) -> bool {
    let word = word.trim_matches(['"', '\'']);
    !matches!(reader, "eval" | "ssh") && matches!(template::tokens(word).as_slice(), [Token::Hole(_)])
}

/// `[resume] arguments` go behind the command, so its end must take them.
fn appendable(written: &[&Written], settings: &Settings, ansi: bool, found: &mut Found<'_>) {
    let (Command::Shell(text), Some(Resume::Arguments(arguments))) = (&settings.command, &settings.resume) else {
        return;
    };
    let Some(span) = written.iter().find(|template| template.part == Part::Resume).map(|template| template.span) else { return };
    let text = text.trim_end();
    let Ok(scan) = scan::scan(text, &template::tokens(text), ansi) else { return };
    let whole = |command: &str| format!("write the whole command instead, below [resume]: command = {command}");
    if let Some(end) = scan.closed_end {
        found.error(span, format!("these arguments would be written behind the command, which ends in {end}"), whole("\"…\""));
        return;
    }
    let commands = simple::commands(text, &scan);
    let Some((last, before)) = commands.split_last() else { return };
    let message = format!("these arguments would go to {}, the last program of the command", quoted(last.name()));
    if before.last().is_some_and(|command| ["|", "|&"].contains(&command.joined)) {
        let first = before.iter().rev().take_while(|command| ["|", "|&"].contains(&command.joined)).last();
        let end = first.map_or(0, |first| first.place.end);
        let line = format!("{} {}{}", &text[..end], arguments.trim(), &text[end..]);
        let quotes = if line.contains(['"', '\\', '\n']) { "'''" } else { "\"" };
        found.error(span, message, whole(&format!("{quotes}{line}{quotes}")));
    } else if !before.iter().all(simple::Simple::prepares) {
        // `pip install -e . && python train.py` means the last, `python train.py && python eval.py` does not.
        found.warning(span, message, whole("\"…\""));
    }
}

/// Of a pipe the shell tells only how its last program ended.
fn pipes(written: &[&Written], settings: &Settings, ansi: bool, found: &mut Found<'_>) {
    let tells_all = |line: &String| line.contains("pipefail");
    if settings.environment.setup.iter().any(tells_all) {
        return;
    }
    for Written { text, span, .. } in written.iter().filter(|template| template.style == Style::Shell && !tells_all(&template.text)) {
        let Ok(scan) = scan::scan(text, &template::tokens(text), ansi) else { continue };
        let commands = simple::commands(text, &scan);
        let Some(last) = simple::end_of_pipe(&commands) else { continue };
        let message = format!("the exit code is that of {}: when a program before it fails, nobody learns of it", quoted(last.name()));
        let hint = format!("write set -o pipefail; before it, or leave {} out: neronet keeps the output", last.name());
        found.warning(found.sources.inside(*span, last.place.clone()), message, hint);
    }
}

/// A parameter that no command and no variable takes has no effect, most likely.
fn unused(settings: &Settings, params: &[Given], found: &mut Found<'_>) {
    // What the text of a template uses is known only when it is read.
    if settings.files.iter().any(|file| matches!(file, FileEdit::Template { .. })) {
        return;
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut holes: Vec<String> = Vec::new();
    for settings in std::iter::once(settings).chain(settings.on.iter().map(|(_, settings)| settings)) {
        let ansi = settings.environment.shell.as_deref().is_none_or(scan::knows_ansi);
        let steps = settings.then.iter().map(|step| Of::Step(&step.command));
        for of in [Of::First, Of::Resumed].into_iter().chain(steps) {
            names.extend(fill::used(settings, of, ansi));
        }
        let commands = std::iter::once(&settings.command).chain(settings.then.iter().map(|step| &step.command));
        holes.extend(commands.flat_map(|command| fill::of_command(command, ansi)));
        if let Some(Gpus::Expression(text)) = &settings.resources.gpus {
            names.extend(text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).map(str::to_string));
        }
    }
    if holes.iter().any(|name| name == "flags" || name == "overrides") {
        return;
    }
    let known: BTreeSet<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let unknown: BTreeSet<&str> = holes.iter().map(String::as_str).filter(|hole| !known.contains(hole)).collect();
    // A parameter that a placeholder was meant to be: that is told already.
    let nearest = |hole: &&str| nearest(hole, params.iter().map(|param| param.name.as_str()));
    let meant: BTreeSet<&str> = unknown.iter().filter(|_| !found.is_full()).filter_map(nearest).collect();
    for param in params {
        let name = param.name.as_str();
        // The seed is in the environment of every run.
        if !names.contains(name) && !meant.contains(name) && !holes.iter().any(|hole| hole == name) && name != "seed" {
            let hint = format!("write {{{name}}} or {{flags}} in the command, unless the script reads $NERONET_PARAMS");
            found.warning(param.span, format!("parameter {} is used nowhere", quoted(name)), hint);
        }
    }
}

/// Setup lines are no templates, but what they leave open would swallow the command.
pub(crate) fn setup_line(line: &str, span: Span, ansi: bool, found: &mut Found<'_>) {
    let tokens: Vec<Token> = line.char_indices().map(|(at, c)| Token::Char(c, at)).collect();
    match scan::scan(line, &tokens, ansi) {
        Err(refusal) => found.error(found.sources.inside(span, refusal.at), refusal.message, refusal.hint),
        Ok(scan) if scan.closed_end == Some("a backslash") => {
            found.error(span, "a setup line cannot end in a backslash", "write what is one line as one element of the list".to_string());
        }
        Ok(_) => {}
    }
}
