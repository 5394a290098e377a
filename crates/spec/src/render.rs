//! A run's command and environment with its values filled in. The settings come checked out of `parse`, or from a
//! submission that was; what can still be missing here is what only the run knows.

use crate::fill::{self, Filling, Part};
use crate::template::{self, Token};
use crate::{flags, quote, scan, simple};
use neronet_model::settings::{Command, Resume};
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
    let used = fill::used(settings, resume.is_some(), scan::knows_ansi(shell));
    let values = Values { params, context, settings, used };
    let part = if resume.is_some() { Part::Resume } else { Part::Command };
    let setup = &settings.environment.setup;
    match base {
        Command::Shell(text) => {
            let text = match arguments {
                Some(arguments) => format!("{} {}", text.trim_end(), arguments.trim()),
                None => text.clone(),
            };
            let (script, shown) = values.script(&text, part, shell)?;
            let script = format!("{}{script}", setup_lines(setup));
            let argv = vec![shell.to_string(), "-c".to_string(), script];
            Ok(Rendered { argv, shown, hides_ends: simple::hides_ends(&text, scan::knows_ansi(shell)) })
        }
        Command::Argv(words) => {
            let mut argv = Vec::new();
            for word in words {
                values.word(word, &template::tokens(word), part, &mut argv)?;
            }
            if let Some(arguments) = arguments {
                for word in quote::split(&template::tokens(arguments)).map_err(|why| format!("[resume] arguments: {why}"))? {
                    values.word(arguments, &word, part, &mut argv)?;
                }
            }
            let shown = argv.iter().map(|word| quote::pretty(word)).collect::<Vec<_>>().join(" ");
            let hides_ends = simple::words_hide_ends(&argv);
            if !setup.is_empty() {
                let script = format!("{}exec \"$@\"", setup_lines(setup));
                argv.splice(0..0, [shell.to_string(), "-c".to_string(), script, "neronet".to_string()]);
            }
            Ok(Rendered { argv, shown, hides_ends })
        }
    }
}

/// The variables of `[env]`, in the order of the file.
pub fn env(settings: &Settings, params: &Params, context: &Context<'_>) -> Result<Vec<(String, String)>, String> {
    let used = BTreeSet::new();
    let values = Values { params, context, settings, used };
    let mut env = Vec::new();
    for (name, value) in &settings.env {
        let mut words = Vec::new();
        values.word(value, &template::tokens(value), Part::Env, &mut words)?;
        env.push((name.clone(), words.pop().unwrap_or_default()));
    }
    Ok(env)
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
    context: &'a Context<'a>,
    settings: &'a Settings,
    /// What `{flags}` leaves out.
    used: BTreeSet<String>,
}

impl Values<'_> {
    /// A placeholder's value as one text, or as the words that it stands for.
    fn of(&self, name: &str, part: Part) -> Result<Result<String, Vec<String>>, String> {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| name).collect();
        let rest = || self.params.iter().filter(|(name, _)| !self.used.contains(*name));
        let missing = |what: &str| format!("{{{name}}}: {what}");
        let text = match fill::resolve(name, part, &names).map_err(|(message, _)| message)? {
            Filling::Flags => return no_nul(flags::flags(rest(), &self.settings.flags)).map(Err),
            Filling::Overrides => return no_nul(flags::overrides(rest())).map(Err),
            Filling::Param => self.params.get(name).map(Value::to_string).unwrap_or_default(),
            Filling::RunId => self.context.run.to_string(),
            Filling::RunDir => self.context.run_directory.to_string(),
            Filling::RunSeed => {
                let seed = self.context.seed.ok_or_else(|| missing("the run has no seed; give it a parameter 'seed'"))?;
                seed.to_string()
            }
            Filling::Checkpoint => {
                let path = self.context.checkpoint.ok_or_else(|| missing("the run has no complete checkpoint"))?;
                path.to_string()
            }
            Filling::BestCheckpoint => {
                let path = self.context.best_checkpoint.ok_or_else(|| missing("the run has no best checkpoint"))?;
                path.to_string()
            }
        };
        Ok(Ok(no_nul(vec![text])?.remove(0)))
    }

    /// One argument of a command without a shell. `{flags}` alone becomes as many as it stands for.
    fn word(&self, text: &str, tokens: &[Token], part: Part, argv: &mut Vec<String>) -> Result<(), String> {
        let mut word = String::new();
        for token in tokens {
            match token {
                Token::Char(c, _) => word.push(*c),
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
        Ok((script, shown.trim_start().trim_end_matches('\n').to_string()))
    }
}

fn no_nul(words: Vec<String>) -> Result<Vec<String>, String> {
    if words.iter().any(|word| word.contains('\0')) {
        return Err("a value holds a NUL character, which no process can be given".into());
    }
    Ok(words)
}
