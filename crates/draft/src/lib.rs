//! First specifications, drafted from what a researcher has already: a command line, a `--help`, a job script, a sweep.
//!
//! Text goes in, a commented `neronet.toml` comes out, with notes on what was guessed and what was left out. Nothing is read or run
//! here; each source has a file of its own, and [`Source::of`] tells one from another.

mod ancestor;
mod argparse;
mod batch;
mod call;
mod command_line;
mod commands;
mod gridengine;
mod hydra;
mod known;
mod program;
mod resources;
mod sbatch;
mod shell;
mod source;
mod toml;
mod wandb;

pub use hydra::Hydra;
pub use source::Source;

use toml::Page;

/// Larger texts are no job scripts and no lists of commands.
pub const LARGEST: usize = 1 << 20;

/// Whether a variable or a flag of this name holds a secret, so that its value must not be written down.
pub type IsSecret = fn(&str) -> bool;

/// A specification to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The `neronet.toml`.
    pub text: String,
    /// What was left out or guessed, and why.
    pub notes: Vec<String>,
}

/// From the words of a command. One word with blanks in it is a line for the shell.
pub fn of_command(words: &[String], secret: IsSecret) -> Result<Draft, String> {
    words.iter().try_for_each(|word| bounded(word).map(drop))?;
    if words.len() > shell::MOST_WORDS {
        return Err(format!("{} words are more than a command has", words.len()));
    }
    finish(command_line::draft(words, secret)?)
}

/// From what `PROGRAM --help` prints. `program` are the words that call it, without `--help`; `python` is the environment that it
/// was called in, where it lies in the project; `source` is the script's own text, if that is at hand.
pub fn of_help(text: &str, program: &[String], python: Option<&str>, source: &str, secret: IsSecret) -> Result<Draft, String> {
    let mut page = argparse::draft(&bounded(text)?, program, source, secret)?;
    page.python(python);
    finish(page)
}

pub fn of_hydra(project: &Hydra<'_>) -> Result<Draft, String> {
    finish(hydra::draft(project)?)
}

/// From a text that says itself what it is. `name` is the file's, as it is called from the folder of the specification.
pub fn of_text(source: Source, text: &str, name: &str, secret: IsSecret) -> Result<Draft, String> {
    let text = bounded(text)?;
    finish(match source {
        Source::Sbatch => sbatch::draft(&text, name, secret)?,
        Source::GridEngine => gridengine::draft(&text, name, secret)?,
        Source::Sweep => wandb::draft(&text, name)?,
        Source::Ancestor => ancestor::draft(&text, name)?,
        Source::Commands => commands::draft(&text, name, secret)?,
        Source::Help => argparse::draft(&text, &[], "", secret)?,
    })
}

/// As every reader wants it: not too long, with one kind of line end.
fn bounded(text: &str) -> Result<String, String> {
    if text.len() > LARGEST {
        return Err(format!("it is larger than {} MB, so it is no source of a specification", LARGEST >> 20));
    }
    if text.contains('\0') {
        return Err("it is no text: it holds a NUL byte".to_string());
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"))
}

/// What cannot be read again is not handed out, but for values that only its reader knows.
fn finish(page: Page) -> Result<Draft, String> {
    let text = page.written();
    let filled = text.replace(&format!(" = {}", argparse::NO_VALUE), " = 0");
    if let Err(problems) = neronet_spec::parse(&filled, "neronet.toml", None, &[])
        && let Some(problem) = problems.0.first()
    {
        return Err(format!("no specification can be made of it: {}", problem.message));
    }
    Ok(Draft { text, notes: page.notes })
}
