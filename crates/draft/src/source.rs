//! What kind of source a text is.

use neronet_spec::plain::{self, Plain};

/// Texts that say themselves how to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A script with `#SBATCH` lines.
    Sbatch,
    /// A script with `#$` lines.
    GridEngine,
    /// A sweep of Weights & Biases.
    Sweep,
    /// A `config.yaml` of the first neronet.
    Ancestor,
    /// A line a command, or a script for the shell.
    Commands,
    /// What a program prints on `--help`.
    Help,
}

impl Source {
    /// By the file's name and by what is in it. Nothing where nobody would know what to do with it.
    pub fn of(name: &str, text: &str) -> Option<Source> {
        let ending = name.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match ending.as_str() {
            "yaml" | "yml" => return of_yaml(&plain::yaml(text, name).ok()?),
            "toml" | "py" | "json" | "ipynb" | "md" | "csv" | "tsv" | "xlsx" | "ods" => return None,
            _ => {}
        }
        let begins = |mark: &str| text.lines().any(|line| line.strip_prefix(mark).is_some_and(|rest| rest.starts_with([' ', '\t', '-'])));
        if begins("#SBATCH") {
            return Some(Source::Sbatch);
        }
        if begins("#$") {
            return Some(Source::GridEngine);
        }
        let mut said = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(40);
        let is_usage = |line: &str| line.to_ascii_lowercase().starts_with("usage:") || line == "NAME";
        if !text.starts_with("#!") && said.any(is_usage) {
            return Some(Source::Help);
        }
        (!text.contains('\0')).then_some(Source::Commands)
    }
}

fn of_yaml(yaml: &Plain) -> Option<Source> {
    let has = |name: &str| yaml.get(name).is_some();
    if has("parameters") && (has("method") || has("program") || has("metric")) {
        return Some(Source::Sweep);
    }
    let ancestor = has("run_command_prefix") || has("main_code_file") || yaml.entries().iter().any(|(key, _)| key.starts_with('+'));
    ancestor.then_some(Source::Ancestor)
}
