//! A Python script as a source: a Hydra project is read, any other is asked for its `--help`.

use super::{asked, read};
use crate::output;
use crate::session::Session;
use neronet_capture::secrets::is_secret_assigned;
use neronet_draft::{Draft, Hydra, of_command, of_help, of_hydra};
use neronet_home::HomeError;
use neronet_home::clone::in_shell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a script may take to print its help: importing a framework from a slow disk takes its time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Files of configuration that are named, and how deep they lie.
const MOST_FILES: usize = 1000;
const DEEPEST: usize = 4;
/// Words of scripts that understand `--help`.
const PARSERS: [&str; 12] = [
    "argparse",
    "ArgumentParser",
    "click",
    "typer",
    "fire",
    "absl",
    "jsonargparse",
    "LightningCLI",
    "simple_parsing",
    "tyro",
    "docopt",
    "draccus",
];

/// Whether a script reads options when it is run.
pub(super) fn reads_options(text: &str) -> bool {
    let imports = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("from "));
    let of_library = imports.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_'))).any(|word| PARSERS.contains(&word));
    of_library && ["__main__", "parse_args(", "Fire(", "app.run(", "LightningCLI("].iter().any(|word| text.contains(word))
}

pub(super) fn of_script(session: &Session, script: &Path, text: &str, carefully: bool) -> Result<(Draft, String), HomeError> {
    let shown = script.display().to_string();
    let python = Python::of(session);
    let command = [python.name.clone(), shown.clone()];
    let wrong = |why: String| HomeError::Words(format!("{shown}: {why}"));
    if let Some((path, name)) = Hydra::main_of(text) {
        let beside = session.context.folder.join(script).parent().map(Path::to_path_buf).unwrap_or_default();
        let conf = path
            .map(|path| beside.join(path))
            .or_else(|| ["conf", "config", "configs"].map(|name| beside.join(name)).into_iter().find(|path| path.is_dir()));
        let conf = conf.unwrap_or(beside);
        let name = name.unwrap_or_else(|| "config".to_string());
        let file = format!("{}.yaml", name.trim_end_matches(".yaml"));
        let primary = read(&conf.join(&file)).unwrap_or_default();
        let groups = groups(&conf);
        let project = Hydra { command: &command, python: python.environment.as_deref(), primary: &primary, name: &file, groups: &groups };
        let draft = of_hydra(&project).map_err(wrong)?;
        return Ok((draft, format!("the Hydra project of {shown}")));
    }
    if carefully && !PARSERS.iter().any(|word| text.contains(word)) {
        let mut draft = of_command(&command, is_secret_assigned).map_err(wrong)?;
        draft.notes.push(format!(
            "{shown} names no library that reads options, so it was not asked; `neronet init {shown}` asks for its --help nevertheless"
        ));
        return Ok((draft, shown));
    }
    let asked = format!("{} --help", in_shell(&command));
    output::notice(&format!("running `{asked}` to see its options (for at most {} s)", PATIENCE.as_secs()));
    let words = [shown.clone(), "--help".to_string()];
    let said = asked::what_it_prints(&python.program, &words, &session.context.folder, PATIENCE).map_err(|why| {
        HomeError::Failed(format!("`{asked}` {why}; give a command instead: neronet init -- {} --lr 0.1", in_shell(&command)))
    })?;
    let help = |said: &str| of_help(said, &command, python.environment.as_deref(), text, is_secret_assigned);
    let draft = help(&said.out).or_else(|why| help(&said.err).map_err(|_| why));
    let draft = draft.map_err(|why| {
        let last = said.err.lines().rev().find(|line| !line.trim().is_empty());
        let last = last.filter(|_| !said.succeeded).map(|line| format!("; it ended with: {}", line.trim())).unwrap_or_default();
        HomeError::Failed(format!("`{asked}`: {why}{last}; give a command instead: neronet init -- {} --lr 0.1", in_shell(&command)))
    })?;
    Ok((draft, asked))
}

/// The Python that a script is asked with.
struct Python {
    program: PathBuf,
    /// As it stands in the command.
    name: String,
    /// The virtual environment in the folder.
    environment: Option<String>,
}

impl Python {
    fn of(session: &Session) -> Python {
        let own = [".venv", "venv"].into_iter().find(|name| session.context.folder.join(name).join("bin/python").exists());
        if let Some(own) = own {
            let program = session.context.folder.join(own).join("bin/python");
            return Python { program, name: "python".to_string(), environment: Some(own.to_string()) };
        }
        let path = session.context.variable("PATH").unwrap_or_default();
        let there = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        let name = ["python", "python3"].into_iter().find(there).unwrap_or("python");
        Python { program: PathBuf::from(name), name: name.to_string(), environment: None }
    }
}

/// The groups of a folder of configuration, with the names in each.
fn groups(conf: &Path) -> Vec<(String, Vec<String>)> {
    let mut groups = Vec::new();
    let mut left = MOST_FILES;
    collect(conf, "", DEEPEST, &mut left, &mut groups);
    groups
}

fn collect(folder: &Path, group: &str, depth: usize, left: &mut usize, groups: &mut Vec<(String, Vec<String>)>) {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(*left)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    *left = left.saturating_sub(names.len());
    names.sort();
    let options: Vec<String> =
        names.iter().filter_map(|name| name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).map(str::to_string)).collect();
    if !group.is_empty() && !options.is_empty() {
        groups.push((group.to_string(), options));
    }
    for name in names.iter().filter(|name| depth > 0 && !name.starts_with('.') && folder.join(name).is_dir()) {
        let inner = if group.is_empty() { name.clone() } else { format!("{group}/{name}") };
        collect(&folder.join(name), &inner, depth - 1, left, groups);
    }
}
