//! One experiment's tree to its settings: every value checked for its type and its sense.

use crate::check::{self, Style, Written};
use crate::fill::Part;
use crate::keys;
use crate::problem::quoted;
use crate::read::Reader;
use crate::scan;
use crate::source::Span;
use crate::suggest::{did_you_mean, nearest};
use crate::template;
use crate::tree::{Node, Table, Tree};
use crate::wanted::{self, Wanted, What};
use neronet_model::settings::{
    BoolStyle, Checkpoints, Code, Command, Environment, Flags, Goal, Keep, ListStyle, Metrics, Objective, Resume, STOP_SIGNALS, Settings,
    Stop,
};

/// An experiment as written: what it says of its runs, without its parameters.
pub(crate) struct Read {
    pub(crate) settings: Settings,
    pub(crate) parallel: Option<u64>,
    pub(crate) written: Vec<Written>,
    pub(crate) wanted: Vec<Wanted>,
}

/// Reads the settings. Nothing when there is no command; then that is among the problems.
pub(crate) fn read(table: &Table, header: Span, reader: &mut Reader<'_, '_>) -> Option<Read> {
    let mut written = Vec::new();
    let mut wanted = Vec::new();
    let environment = environment(table, reader, &mut wanted);
    let code = code(table, reader, &mut wanted);
    let mut settings = Settings {
        flags: flags(table, reader),
        objectives: objectives(table, reader),
        env: env(table, reader, &mut written),
        metrics: metrics(table, reader),
        checkpoints: checkpoints(table, &code, reader, &mut wanted),
        resume: None,
        time_limit: reader.section(table, "resources").and_then(|resources| reader.duration(resources.get("time")?, "resources.time")),
        stop: stop(table, reader),
        environment,
        code,
        ..Settings::of(Command::Argv(Vec::new()))
    };
    let parallel = reader.section(table, "sweep").and_then(|sweep| reader.whole(sweep.get("parallel")?, "sweep.parallel", 1));
    let command = match table.get("command") {
        Some(node) => command(node, "command", Part::Command, reader, &mut written),
        None => {
            no_command(table, header, reader);
            None
        }
    };
    let shell = matches!(command, Some(Command::Shell(_)));
    settings.resume = resume(table, shell, reader, &mut written);
    settings.command = command?;
    wanted.extend(wanted::words(&written, reader.found));
    Some(Read { settings, parallel, written, wanted })
}

fn no_command(table: &Table, header: Span, reader: &mut Reader<'_, '_>) {
    // In TOML a key behind a [table] belongs to it: the commonest way to lose a command.
    let lost = table.entries.iter().find_map(|(section, node)| match &node.tree {
        Tree::Table(inner) if section.name != "resume" => inner.entry("command").map(|(key, _)| (section.name.clone(), key.span)),
        _ => None,
    });
    match lost {
        Some((section, span)) => reader.found.error(
            span,
            format!("no command: this one belongs to [{section}]"),
            "in TOML a key belongs to the [table] above it; move the command up, before the first [table]".to_string(),
        ),
        // A key that was meant to be it is told as unknown.
        None if table.entries.iter().any(|(key, _)| nearest(&key.name, keys::top()) == Some("command")) => {}
        None => reader.found.error(header, "no command", "say what to run: command = \"python train.py {flags}\"".to_string()),
    }
}

/// A command: one string for the shell, or a list of arguments.
fn command(node: &Node, key: &str, part: Part, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Command> {
    let mut note = |style, text: &str, span| {
        written.push(Written { part, style, text: text.to_string(), span });
    };
    if let Tree::List(items) = &node.tree {
        if items.is_empty() {
            reader.found.error(node.span, format!("'{key}' is an empty list: there is nothing to run"), None);
            return None;
        }
        let mut words = Vec::new();
        for item in items {
            // An argument such as 3 or 0.1 may be written without quotes.
            let word = reader.written_scalar(item, key)?;
            note(Style::Word, &word, item.span);
            words.push(word);
        }
        if words[0].is_empty() {
            reader.found.error(items[0].span, "the name of the program is empty", None);
        }
        return Some(Command::Argv(words));
    }
    let text = reader.text(node, key)?;
    if text.trim().is_empty() {
        reader.found.error(node.span, format!("'{key}' is empty"), "say what to run: command = \"python train.py {flags}\"".to_string());
        return None;
    }
    note(Style::Shell, &text, node.span);
    Some(Command::Shell(text))
}

fn resume(table: &Table, shell: bool, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Resume> {
    let resume = reader.section(table, "resume")?;
    let (key, node) = table.entry("resume")?;
    let ways: Vec<_> =
        resume.entries.iter().filter(|(key, _)| ["arguments", "command", "automatic"].contains(&key.name.as_str())).collect();
    let hint = "one of: arguments = \"--resume {checkpoint}\", command = \"python resume.py {checkpoint}\", automatic = true".to_string();
    let (way, value) = match ways.as_slice() {
        [] => {
            let span = if key.span.source == node.span.source { node.span } else { key.span };
            reader.found.error(span, "[resume] does not say how a run goes on", hint);
            return None;
        }
        [way] => (way.0.name.as_str(), &way.1),
        [_, second, ..] => {
            reader.found.error(second.0.span, format!("[resume] takes exactly one way, and has {}", ways.len()), hint);
            return None;
        }
    };
    match way {
        "arguments" => {
            let text = reader.filled(value, "resume.arguments")?;
            if !template::names(&text).iter().any(|name| matches!(name.as_str(), "checkpoint" | "checkpoint.best")) {
                let hint = "write it as in arguments = \"--resume {checkpoint}\", unless the script reads $NERONET_RESUME_FROM".to_string();
                reader.found.warning(value.span, "these arguments do not say {checkpoint}, so the script is not told where to go on", hint);
            }
            let style = if shell { Style::Shell } else { Style::Arguments };
            written.push(Written { part: Part::Resume, style, text: text.clone(), span: value.span });
            Some(Resume::Arguments(text))
        }
        "command" => command(value, "resume.command", Part::Resume, reader, written).map(Resume::Command),
        _ => match reader.flag(value, "resume.automatic")? {
            true => Some(Resume::Automatic),
            false => {
                reader.found.error(value.span, "automatic = false says nothing", "leave the [resume] table out".to_string());
                None
            }
        },
    }
}

fn flags(table: &Table, reader: &mut Reader<'_, '_>) -> Flags {
    let Some(flags) = reader.section(table, "flags") else {
        return Flags::default();
    };
    let bools = [("switch", BoolStyle::Switch), ("value", BoolStyle::Value), ("no-prefix", BoolStyle::NoPrefix)];
    let lists =
        [("spaces", ListStyle::Spaces), ("commas", ListStyle::Commas), ("repeat", ListStyle::Repeat), ("brackets", ListStyle::Brackets)];
    Flags {
        bool_style: flags.get("bool").and_then(|node| reader.choice(node, "flags.bool", &bools)).unwrap_or_default(),
        list_style: flags.get("list").and_then(|node| reader.choice(node, "flags.list", &lists)).unwrap_or_default(),
        dashes: flags.get("dashes").and_then(|node| reader.flag(node, "flags.dashes")).unwrap_or_default(),
    }
}

fn objectives(table: &Table, reader: &mut Reader<'_, '_>) -> Vec<Objective> {
    let Some(node) = table.get("objective") else { return Vec::new() };
    let mut objectives: Vec<Objective> = Vec::new();
    for (text, span) in reader.texts(node, "objective") {
        let goal = |word: &str| match word.to_lowercase().as_str() {
            "min" | "minimize" | "minimise" => Some(Goal::Min),
            "max" | "maximize" | "maximise" => Some(Goal::Max),
            _ => None,
        };
        let parts = text.trim().rsplit_once(char::is_whitespace);
        match parts.and_then(|(metric, word)| Some((metric.trim(), goal(word)?))) {
            Some((metric, _)) if objectives.iter().any(|known| known.metric == metric) => {
                reader.found.error(span, format!("the objective {} is there twice", quoted(metric)), None);
            }
            Some((metric, goal)) => objectives.push(Objective { metric: metric.to_string(), goal }),
            None => reader.found.error(
                span,
                format!("expected a metric and min or max for 'objective', found {}", quoted(&text)),
                format!("write objective = \"{} min\"", text.split_whitespace().next().unwrap_or("val_error")),
            ),
        }
    }
    objectives
}

fn environment(table: &Table, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> Environment {
    let Some(section) = reader.section(table, "environment") else {
        return Environment::default();
    };
    let shell = section.get("shell").and_then(|node| {
        let shell = reader.filled(node, "environment.shell")?;
        if scan::is_known(&shell) {
            wanted.push(Wanted::new(What::Shell(shell.clone()), node.span, reader.found));
            return Some(shell);
        }
        reader.found.error(
            node.span,
            format!("expected a shell of the Bourne family for 'environment.shell', found {}", quoted(&shell)),
            "bash, sh, dash, zsh, ksh, by name or by path; any other: write the command as a list, [\"fish\", \"-c\", …]".to_string(),
        );
        None
    });
    let ansi = shell.as_deref().is_none_or(scan::knows_ansi);
    let mut setup = Vec::new();
    for (line, span) in section.get("setup").map(|node| reader.texts(node, "environment.setup")).unwrap_or_default() {
        check::setup_line(&line, span, ansi, reader.found);
        setup.push(line);
    }
    let python = section.get("python").and_then(|node| {
        let python = reader.path(node, "environment.python")?;
        wanted.push(Wanted::new(What::Python(python.clone()), node.span, reader.found));
        Some(python)
    });
    Environment { setup, python, shell }
}

fn env(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Vec<(String, String)> {
    let Some(section) = reader.section(table, "env") else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, node) in &section.entries {
        let name = key.name.as_str();
        let good =
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            let hint = "letters, digits and _, not beginning with a digit".to_string();
            reader.found.error(key.span, format!("{} cannot be the name of a variable", quoted(name)), hint);
        } else if name.starts_with("NERONET_") {
            reader.found.error(key.span, format!("{name}: the variables NERONET_… are set by neronet itself"), None);
        }
        if let Some(value) = reader.written_scalar(node, &format!("env.{name}")) {
            if let Some(meant) = left_to_a_shell(&value) {
                let hint = format!("write `export {name}={value}` as a line of setup below [environment]");
                let message = format!("{} is taken as it is written: no shell reads the values of [env]", quoted(meant));
                reader.found.warning(node.span, message, hint);
            }
            written.push(Written { part: Part::Env, style: Style::Word, text: value.clone(), span: node.span });
            env.push((key.name.clone(), value));
        }
    }
    env
}

/// `$NAME`, `${NAME}` or a `~` at the beginning, which only a shell would fill in.
fn left_to_a_shell(value: &str) -> Option<&str> {
    if value == "~" || value.starts_with("~/") {
        return Some("~");
    }
    value.match_indices('$').find_map(|(at, _)| {
        let name = value[at + 1..].trim_start_matches('{');
        let end = value.len() - name.len() + name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        let end = match &value[at + 1..value.len() - name.len()] {
            "" => end,
            "{" if value[end..].starts_with('}') => end + 1,
            _ => return None,
        };
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then(|| &value[at..end])
    })
}

fn code(table: &Table, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> Code {
    let Some(section) = reader.section(table, "code") else {
        return Code::default();
    };
    let directory = section.get("directory").and_then(|node| {
        let path = reader.path(node, "code.directory")?;
        let mut depth = 0_i64;
        let inside = !path.starts_with('/')
            && path.split('/').all(|part| {
                depth += match part {
                    "" | "." => 0,
                    ".." => -1,
                    _ => 1,
                };
                depth >= 0
            });
        if !inside {
            reader.found.error(
                node.span,
                format!("expected a folder below the specification's for 'code.directory', found {}", quoted(&path)),
                "only what is in the snapshot exists where a run works; write it relative, as \"experiments\"".to_string(),
            );
        }
        if inside {
            wanted.push(Wanted::new(What::Directory(path.clone()), node.span, reader.found));
        }
        inside.then_some(path)
    });
    let links = section.get("link").map(|node| reader.paths(node, "code.link")).unwrap_or_default();
    wanted.extend(links.iter().map(|(path, span)| Wanted::new(What::Link(path.clone()), *span, reader.found)));
    let links = links.into_iter().map(|(path, _)| path).collect();
    let in_place = section.get("in_place").and_then(|node| reader.flag(node, "code.in_place")).unwrap_or_default();
    Code { directory, link: links, in_place }
}

fn metrics(table: &Table, reader: &mut Reader<'_, '_>) -> Metrics {
    let Some(section) = reader.section(table, "metrics") else {
        return Metrics::default();
    };
    let mut patterns = Vec::new();
    for (pattern, span) in section.get("patterns").map(|node| reader.texts(node, "metrics.patterns")).unwrap_or_default() {
        match regex::Regex::new(&pattern) {
            Ok(regex) if regex.capture_names().flatten().next().is_none() => reader.found.error(
                span,
                "the pattern has no named group, so nothing would be read",
                r"name what is to be read: 'Loss: (?<loss>\S+)'".to_string(),
            ),
            Ok(_) => patterns.push(pattern),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().next_back().unwrap_or("").trim_start_matches("error: ");
                let hint = "look-around and back references do not exist here; in TOML a pattern stands best in single quotes";
                reader.found.error(span, format!("the pattern cannot be read: {last}"), hint.to_string());
            }
        }
    }
    let names = section.get("ignore").map(|node| reader.texts(node, "metrics.ignore")).unwrap_or_default();
    Metrics {
        patterns,
        ignore: names.into_iter().map(|(name, _)| name).collect(),
        files: section
            .get("files")
            .map(|node| reader.globs(node, "metrics.files"))
            .unwrap_or_default()
            .into_iter()
            .map(|(glob, _)| glob)
            .collect(),
    }
}

fn checkpoints(table: &Table, code: &Code, reader: &mut Reader<'_, '_>, wanted: &mut Vec<Wanted>) -> Checkpoints {
    let Some(section) = reader.section(table, "checkpoints") else {
        return Checkpoints::default();
    };
    let paths = section.get("paths").map(|node| reader.globs(node, "checkpoints.paths")).unwrap_or_default();
    let keep = reader.section(section, "keep").map(|keep| {
        let mut count = |name: &str| {
            let node = keep.get(name)?;
            let most = reader.whole(node, &format!("checkpoints.keep.{name}"), 0)?;
            Some(u32::try_from(most).unwrap_or(u32::MAX))
        };
        let (best, last) = (count("best"), count("last"));
        // A number that cannot be read is told already.
        let unread = [("best", best), ("last", last)].iter().any(|(name, count)| keep.get(name).is_some() && count.is_none());
        let misspelt = keep.entries.iter().any(|(key, _)| !matches!(key.name.as_str(), "best" | "last"));
        (Keep { best: best.unwrap_or(0), last: last.unwrap_or(0) }, unread || misspelt)
    });
    if let (Some((keep, told)), Some(node)) = (keep, section.get("keep")) {
        if keep == Keep::default() && !told {
            reader.found.error(
                node.span,
                "keep = { best = 0, last = 0 } would delete every checkpoint",
                "write keep = { best = 1, last = 2 }, or leave keep out to keep all".to_string(),
            );
        }
        wanted.push(Wanted::new(What::OwnCopy, node.span, reader.found));
        for (path, span) in &paths {
            if let Some(where_to) = leads_out(path, code) {
                let message = format!("'keep' deletes only what lies in a run's own copy of the code, and {} {where_to}", quoted(path));
                let hint = "let the command write its checkpoints elsewhere, or leave keep out to keep all".to_string();
                reader.found.error(*span, message, hint);
            }
        }
    }
    Checkpoints { paths: paths.into_iter().map(|(path, _)| path).collect(), keep: keep.map(|(keep, _)| keep) }
}

/// Where a pattern of checkpoints leads, if not into the run's own copy.
fn leads_out(pattern: &str, code: &Code) -> Option<String> {
    if pattern.starts_with('/') || pattern.starts_with('{') && (pattern.contains("{/") || pattern.contains(",/")) {
        return Some("is absolute".to_string());
    }
    if pattern.split(['{', '}', ',']).any(|part| part.split('/').any(|part| part == "..")) {
        return Some("has '..'".to_string());
    }
    let parts = |path: &str| -> Vec<String> { path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_string).collect() };
    let pattern = [parts(code.directory.as_deref().unwrap_or("")), parts(pattern)].concat();
    let link = code.link.iter().find(|link| match link.rsplit_once('/') {
        // It goes by its last name.
        Some((_, last)) if link.starts_with('/') && !last.is_empty() => pattern.starts_with(&parts(last)),
        _ => pattern.starts_with(&parts(link)),
    });
    link.map(|link| format!("lies behind the link {}", quoted(link)))
}

fn stop(table: &Table, reader: &mut Reader<'_, '_>) -> Stop {
    let mut stop = Stop::default();
    let Some(section) = reader.section(table, "stop") else {
        return stop;
    };
    if let Some((node, signal)) = section.get("signal").and_then(|node| Some((node, reader.text(node, "stop.signal")?))) {
        let upper = signal.to_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if STOP_SIGNALS.contains(&name) {
            stop.signal = name.to_string();
        } else {
            let hint = did_you_mean(name, STOP_SIGNALS).unwrap_or_else(|| format!("one of {}", STOP_SIGNALS.join(", ")));
            reader.found.error(node.span, format!("expected a signal for 'stop.signal', found {}", quoted(&signal)), hint);
        }
    }
    if let Some(grace) = section.get("grace").and_then(|node| reader.duration_or_none(node, "stop.grace")) {
        stop.grace = grace;
    }
    stop
}
