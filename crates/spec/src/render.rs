//! A run's command and environment with its values filled in. The settings come checked out of `parse`, or from a
//! submission that was; what can still be missing here is what only the run knows.

use crate::fill::{self, Filling, Of, Part};
use crate::template::{self, Token};
use crate::{flags, quote, scan, simple};
use neronet_model::launch::{self, Awaited};
use neronet_model::settings::{Command, Gpus, Input, Resume, Step};
use neronet_model::{Params, RunId, Settings, Value};
use std::collections::BTreeSet;

/// What the run brings besides its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub run: RunId,
    pub run_directory: &'a str,
    pub seed: Option<i64>,
    pub checkpoint: Option<&'a str>,
    pub best_checkpoint: Option<&'a str>,
    /// Names with paths, as `inputs` makes them.
    pub inputs: &'a [(String, String)],
    /// The variables of the target.
    pub target: &'a [(String, String)],
    /// A free port that was reserved for the run.
    pub port: Option<u16>,
    /// How many it was given. Before that, the fewest that it may have stand for them.
    pub gpus: Option<u32>,
    /// Of the run that this one goes on from.
    pub stage_checkpoint: Option<&'a str>,
    pub best_stage_checkpoint: Option<&'a str>,
    /// The parameters that the templates of its files use, as `parameters_in` tells: `{flags}` leaves them out.
    pub in_files: &'a [String],
}

impl<'a> Context<'a> {
    /// Of a run that brings nothing more.
    pub const fn of(run: RunId, run_directory: &'a str) -> Context<'a> {
        Context {
            run,
            run_directory,
            seed: None,
            checkpoint: None,
            best_checkpoint: None,
            inputs: &[],
            target: &[],
            port: None,
            gpus: None,
            stage_checkpoint: None,
            best_stage_checkpoint: None,
            in_files: &[],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    First,
    /// Goes on from the checkpoint as `[resume]` says.
    Resume,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What is executed, with no shell to be added.
    pub argv: Vec<String>,
    /// The command with its values, for people; without the setup.
    pub shown: String,
    /// It may end well although a program that it calls did not.
    pub hides_ends: bool,
}

/// The command of a run. `default_shell` is used where the experiment names none.
pub fn command(settings: &Settings, params: &Params, context: &Context<'_>, mode: Mode, default_shell: &str) -> Result<Rendered, String> {
    let shell = settings.environment.shell.as_deref().unwrap_or(default_shell);
    let resume = match (mode, &settings.resume) {
        (Mode::First, _) => None,
        (Mode::Resume, Some(resume)) => Some(resume),
        (Mode::Resume, None) => return Err("nothing says how a run goes on: give the experiment a [resume] table".into()),
    };
    let base = match resume {
        Some(Resume::Command(command)) => command,
        _ => &settings.command,
    };
    let arguments = match resume {
        Some(Resume::Arguments(arguments)) => Some(arguments.as_str()),
        _ => None,
    };
    let (of, part) = if resume.is_some() { (Of::Resumed, Part::Resume) } else { (Of::First, Part::Command) };
    Values::new(settings, params, context, of, shell).command(base, arguments, part, shell)
}

/// The command of a `[[then]]`. Its checkpoints are filled in when it starts.
pub fn step(settings: &Settings, params: &Params, context: &Context<'_>, step: &Step, default_shell: &str) -> Result<launch::Step, String> {
    let shell = settings.environment.shell.as_deref().unwrap_or(default_shell);
    let values = Values::new(settings, params, context, Of::Step(&step.command), shell);
    let Rendered { argv, shown, hides_ends } = values.command(&step.command, None, Part::Step(0), shell)?;
    let named = fill::of_command(&step.command, scan::knows_ansi(shell));
    let awaits = named.iter().filter_map(|name| values.awaited(name, Part::Step(0)));
    let awaits = awaits.fold(Vec::new(), |known, one| if known.contains(&one) { known } else { [known, vec![one]].concat() });
    Ok(launch::Step { name: step.name.clone(), argv, shown, hides_ends, awaits })
}

/// Where the inputs of a run lie: names with paths, relative ones as they were written. `context.inputs` does not count.
pub fn inputs(settings: &Settings, params: &Params, context: &Context<'_>) -> Result<Vec<(String, String)>, String> {
    let values = Values::plain(settings, params, context);
    let path = |input: &Input| {
        Ok((input.name.clone(), values.text(&input.path, Part::Input).map_err(|why| format!("[inputs.{}] path: {why}", input.name))?))
    };
    settings.inputs.iter().map(path).collect()
}

/// More is no configuration file.
const LONGEST_TEXT: usize = 1 << 20;

/// The text of a configuration file with its placeholders filled in, and no quotes added.
pub fn text(template: &str, settings: &Settings, params: &Params, context: &Context<'_>) -> Result<String, String> {
    if template.len() > LONGEST_TEXT {
        return Err(format!("it has {} kB, and a template may have {} kB", template.len() / 1000, LONGEST_TEXT / 1000));
    }
    Values::plain(settings, params, context).text(template, Part::File)
}

/// A value that is set in a configuration file. A placeholder alone keeps the type of what it stands for.
pub fn value(template: &Value, settings: &Settings, params: &Params, context: &Context<'_>) -> Result<Value, String> {
    match template {
        Value::Str(text) => Values::plain(settings, params, context).typed(text),
        Value::List(items) => {
            items.iter().map(|item| value(item, settings, params, context)).collect::<Result<_, String>>().map(Value::List)
        }
        other => Ok(other.clone()),
    }
}

/// The parameters that the text of a configuration file uses, or the first placeholder in it that means nothing.
pub fn parameters_in(template: &str, settings: &Settings, params: &Params) -> Result<Vec<String>, String> {
    let known: Vec<&str> = params.iter().map(|(name, _)| name).collect();
    let mut used = Vec::new();
    for (at, name) in placeholders(template) {
        match fill::resolve(name, Part::File, &known, settings) {
            Ok(Filling::Param) if !used.iter().any(|known| known == name) => used.push(name.to_string()),
            Ok(_) => {}
            Err((message, _)) => return Err(on_line(template, at, &message)),
        }
    }
    Ok(used)
}

/// Every name in a placeholder of an experiment, its templates excepted.
pub fn named(settings: &Settings) -> BTreeSet<String> {
    fill::named(settings)
}

/// Every name in a placeholder of a text.
pub fn named_in(text: &str) -> impl Iterator<Item = &str> {
    placeholders(text).map(|(_, name)| name)
}

fn placeholders(text: &str) -> impl Iterator<Item = (usize, &str)> {
    template::tokens(text).into_iter().filter_map(|token| match token {
        Token::Hole(range) => Some((range.start, template::name(text, &range))),
        Token::Char(..) => None,
    })
}

/// A mistake in a text of several lines, with its place.
fn on_line(text: &str, at: usize, message: &str) -> String {
    if !text.contains('\n') {
        return message.to_string();
    }
    format!("line {}: {message}", text[..at].matches('\n').count() + 1)
}

/// The variables of `[env]`, in the order of the file.
pub fn env(settings: &Settings, params: &Params, context: &Context<'_>) -> Result<Vec<(String, String)>, String> {
    let values = Values::plain(settings, params, context);
    let mut env = Vec::new();
    for (name, value) in &settings.env {
        let mut words = Vec::new();
        values.word(value, &template::tokens(value), Part::Env, &mut words)?;
        env.push((name.clone(), words.pop().unwrap_or_default()));
    }
    Ok(env)
}

/// What `[code] build` executes, with the setup before it.
pub fn build(settings: &Settings, default_shell: &str) -> Option<Vec<String>> {
    let shell = settings.environment.shell.as_deref().unwrap_or(default_shell);
    let script = format!("{}{}", setup_lines(&settings.environment.setup), settings.code.build.as_ref()?);
    Some(vec![shell.to_string(), "-c".to_string(), script])
}

/// What carries the setup out and then becomes the words behind it, whatever came of the setup: whoever looks at a run may look for that.
/// What they read and write is none of the setup's. Nothing without a setup.
pub fn setup(settings: &Settings, default_shell: &str) -> Vec<String> {
    let lines = &settings.environment.setup;
    if lines.is_empty() {
        return Vec::new();
    }
    let mut script = "{\n".to_string();
    for line in lines.iter().map(|line| line.trim()) {
        let said = quote::single_quoted(&format!("neronet: setup failed: {line}"));
        script.push_str(&format!("{line}\nneronet_status=$?\n"));
        script.push_str(&format!("[ \"$neronet_status\" -eq 0 ] || printf '%s (exit code %s)\\n' {said} \"$neronet_status\"\n"));
    }
    script.push_str("unset neronet_status\n} </dev/null >&2\nexec \"$@\"");
    let shell = settings.environment.shell.as_deref().unwrap_or(default_shell);
    vec![shell.to_string(), "-c".to_string(), script, "neronet".to_string()]
}

/// Each line of the setup with a check behind it: a failed one ends the run with its exit code and says which it was.
fn setup_lines(lines: &[String]) -> String {
    let mut script = String::new();
    for line in lines {
        let line = line.trim();
        let said = quote::single_quoted(&format!("neronet: setup failed, the command was not started: {line}"));
        script.push_str(line);
        script.push_str("\nneronet_status=$?\n");
        script.push_str("if [ \"$neronet_status\" -ne 0 ]; then ");
        script.push_str(&format!("printf '%s (exit code %s)\\n' {said} \"$neronet_status\" >&2; exit \"$neronet_status\"; fi\n"));
    }
    script
}

struct Values<'a> {
    params: &'a Params,
    names: Vec<&'a str>,
    context: &'a Context<'a>,
    settings: &'a Settings,
    /// What `{flags}` leaves out.
    used: BTreeSet<String>,
}

impl<'a> Values<'a> {
    fn new(settings: &'a Settings, params: &'a Params, context: &'a Context<'a>, of: Of<'_>, shell: &str) -> Values<'a> {
        let mut used = fill::used(settings, of, scan::knows_ansi(shell));
        used.extend(context.in_files.iter().cloned());
        Values { used, ..Values::plain(settings, params, context) }
    }

    /// For texts that take no `{flags}`.
    fn plain(settings: &'a Settings, params: &'a Params, context: &'a Context<'a>) -> Values<'a> {
        let names = params.iter().map(|(name, _)| name).collect();
        Values { params, names, context, settings, used: BTreeSet::new() }
    }

    /// A command, and what is written behind it.
    fn command(&self, base: &Command, arguments: Option<&str>, part: Part, shell: &str) -> Result<Rendered, String> {
        let setup = &self.settings.environment.setup;
        match base {
            Command::Shell(text) => {
                let text = match arguments {
                    Some(arguments) => format!("{} {}", text.trim_end(), arguments.trim()),
                    None => text.clone(),
                };
                let (script, shown) = self.script(&text, part, shell)?;
                let script = format!("{}{script}", setup_lines(setup));
                let argv = vec![shell.to_string(), "-c".to_string(), script];
                Ok(Rendered { argv, shown, hides_ends: simple::hides_ends(&text, scan::knows_ansi(shell)) })
            }
            Command::Argv(words) => {
                let mut argv = Vec::new();
                for word in words {
                    self.word(word, &template::tokens(word), part, &mut argv)?;
                }
                if let Some(arguments) = arguments {
                    for word in quote::split(&template::tokens(arguments)).map_err(|why| format!("[resume] arguments: {why}"))? {
                        self.word(arguments, &word, part, &mut argv)?;
                    }
                }
                let shown = argv.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ");
                let hides_ends = simple::words_hide_ends(&argv);
                if !setup.is_empty() {
                    let script = format!("{}exec \"$@\"", setup_lines(setup));
                    argv.splice(0..0, [shell.to_string(), "-c".to_string(), script, "neronet".to_string()]);
                }
                Ok(Rendered { argv, shown, hides_ends })
            }
        }
    }

    /// A text with the values in the places of its placeholders.
    fn text(&self, text: &str, part: Part) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        for token in template::tokens(text) {
            match token {
                Token::Char(c, _) => out.push(c),
                Token::Hole(range) => match self.of(template::name(text, &range), part) {
                    Ok(Ok(value)) => out.push_str(&value),
                    Ok(Err(words)) => out.push_str(&words.join(" ")),
                    Err(message) => return Err(on_line(text, range.start, &message)),
                },
            }
        }
        Ok(out)
    }

    /// A text as a value; a placeholder alone has the type of what it stands for.
    fn typed(&self, text: &str) -> Result<Value, String> {
        let whole = match template::tokens(text).as_slice() {
            [Token::Hole(range)] => Some(template::name(text, range)),
            _ => None,
        };
        let filled = self.text(text, Part::File)?;
        let filling = whole.and_then(|name| Some((name, fill::resolve(name, Part::File, &self.names, self.settings).ok()?)));
        Ok(match filling {
            Some((name, Filling::Param)) => self.params.get(name).cloned().unwrap_or(Value::Str(filled)),
            Some((_, Filling::RunId | Filling::RunSeed | Filling::RunGpus | Filling::RunPort)) => Value::as_typed(&filled),
            _ => Value::Str(filled),
        })
    }

    /// A placeholder's value as one text, or as the words that it stands for.
    fn of(&self, name: &str, part: Part) -> Result<Result<String, Vec<String>>, String> {
        let rest = || self.params.iter().filter(|(name, _)| !self.used.contains(*name));
        let missing = |what: &str| format!("{{{name}}}: {what}");
        let of_run = |path: Option<&str>, what: &str| path.map(str::to_string).ok_or_else(|| missing(what));
        let of_list = |list: &[(String, String)], name: &str, what: &str| {
            list.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).ok_or_else(|| missing(what))
        };
        let text = match fill::resolve(name, part, &self.names, self.settings).map_err(|(message, _)| message)? {
            Filling::Flags => return no_nul(flags::flags(rest(), &self.settings.flags)).map(Err),
            Filling::Overrides => return no_nul(flags::overrides(rest())).map(Err),
            Filling::Param => self.params.get(name).map(Value::to_string).unwrap_or_default(),
            Filling::RunId => self.context.run.to_string(),
            Filling::RunDir => self.context.run_directory.to_string(),
            Filling::RunSeed => {
                let seed = self.context.seed.ok_or_else(|| missing("the run has no seed; give it a parameter 'seed'"))?;
                seed.to_string()
            }
            Filling::RunGpus => {
                let fewest = || match self.settings.resources.gpus.as_ref()? {
                    Gpus::Count(count) | Gpus::Range(count, _) => Some(*count),
                    Gpus::All | Gpus::Fraction(_) | Gpus::Expression(_) => Some(1),
                };
                self.context.gpus.or_else(fewest).ok_or_else(|| missing("nobody said how many GPUs the run needs"))?.to_string()
            }
            Filling::RunPort => self.context.port.ok_or_else(|| missing("no port was reserved for the run"))?.to_string(),
            Filling::Checkpoint => of_run(self.context.checkpoint, "the run has no complete checkpoint")?,
            Filling::BestCheckpoint => of_run(self.context.best_checkpoint, "the run has no best checkpoint")?,
            Filling::StageCheckpoint => of_run(self.context.stage_checkpoint, "the run before has no complete checkpoint")?,
            Filling::BestStageCheckpoint => of_run(self.context.best_stage_checkpoint, "the run before has no best checkpoint")?,
            Filling::Input(name) => of_list(self.context.inputs, name, "nobody says where this input is")?,
            Filling::Target(name) => of_list(self.context.target, name, "the target has no such variable")?,
        };
        Ok(Ok(no_nul(vec![text])?.remove(0)))
    }

    /// Which checkpoint of a step a placeholder stands for.
    fn awaited(&self, name: &str, part: Part) -> Option<Awaited> {
        let Part::Step(_) = part else { return None };
        match fill::resolve(name, part, &self.names, self.settings) {
            Ok(Filling::Checkpoint) => Some(Awaited::Latest),
            Ok(Filling::BestCheckpoint) => Some(Awaited::Best),
            _ => None,
        }
    }

    /// One argument of a command without a shell. `{flags}` alone becomes as many as it stands for.
    fn word(&self, text: &str, tokens: &[Token], part: Part, argv: &mut Vec<String>) -> Result<(), String> {
        let mut word = String::new();
        for token in tokens {
            match token {
                Token::Char(c, _) => word.push(*c),
                Token::Hole(range) if let Some(awaited) = self.awaited(template::name(text, range), part) => word.push_str(awaited.mark()),
                Token::Hole(range) => match self.of(template::name(text, range), part)? {
                    Ok(value) => word.push_str(&value),
                    Err(words) if tokens.len() == 1 => {
                        argv.extend(words);
                        return Ok(());
                    }
                    Err(_) => return Err(format!("{} must be an argument of its own", &text[range.clone()])),
                },
            }
        }
        argv.push(word);
        Ok(())
    }

    /// A command for the shell: as it is executed, and as people read it.
    fn script(&self, text: &str, part: Part, shell: &str) -> Result<(String, String), String> {
        let tokens = template::tokens(text);
        let scan = scan::scan(text, &tokens, scan::knows_ansi(shell)).map_err(|refusal| refusal.message)?;
        let mut places = scan.places.iter().peekable();
        let (mut script, mut shown) = (String::new(), String::new());
        for token in &tokens {
            match token {
                Token::Char(c, _) => {
                    script.push(*c);
                    shown.push(*c);
                }
                Token::Hole(range) => {
                    let Some(place) = places.next_if(|place| place.hole == *range) else {
                        // In a comment: it stays as it is written.
                        script.push_str(&text[range.clone()]);
                        shown.push_str(&text[range.clone()]);
                        continue;
                    };
                    if let Some(awaited) = self.awaited(template::name(text, range), part) {
                        script.push_str(&place.write_variable(awaited.variable()));
                        shown.push_str(&text[range.clone()]);
                        continue;
                    }
                    match self.of(template::name(text, range), part)? {
                        Ok(value) => {
                            script.push_str(&place.write(&value, false));
                            shown.push_str(&place.write(&value, true));
                        }
                        Err(words) if place.alone => {
                            let quoted: Vec<String> = words.iter().map(|word| quote::single_quoted(word)).collect();
                            script.push_str(&quoted.join(" "));
                            let pretty: Vec<String> = words.iter().map(|word| quote::pretty(word)).collect();
                            shown.push_str(&pretty.join(" "));
                        }
                        Err(_) => return Err(format!("{} must stand alone, outside of quotes", &text[range.clone()])),
                    }
                }
            }
        }
        let (shown, bare) = (shown.trim(), shown.trim_start().trim_end_matches('\n'));
        // A blank behind a backslash is a part of the last word.
        Ok((script, if shown.ends_with('\\') { bare } else { shown }.to_string()))
    }
}

/// An argument for people, with the names of the checkpoints that it awaits.
fn shown(word: &str) -> String {
    if !word.contains('\0') {
        return quote::pretty(word);
    }
    word.replace(Awaited::Latest.mark(), "{checkpoint}").replace(Awaited::Best.mark(), "{checkpoint.best}")
}

fn no_nul(words: Vec<String>) -> Result<Vec<String>, String> {
    if words.iter().any(|word| word.contains('\0')) {
        return Err("a value holds a NUL character, which no process can be given".into());
    }
    Ok(words)
}
