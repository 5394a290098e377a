//! What a folder holds that a specification can be drafted from.

use super::project::reads_options;
use super::{of_file, read};
use crate::session::Session;
use neronet_draft::{Draft, Hydra, Source};
use neronet_home::HomeError;
use neronet_home::clone::in_shell;
use std::path::{Path, PathBuf};

/// Entries of a folder that are looked at.
const MOST: usize = 2000;
/// Scripts that are run by themselves, even where they read no options.
const SCRIPTS: [&str; 6] = ["train.py", "main.py", "run.py", "fit.py", "finetune.py", "experiment.py"];
const LISTS: [&str; 4] = ["commands.txt", "jobs.txt", "runs.txt", "experiments.txt"];

/// Drafts from the only source in a folder; of several names them.
pub(super) fn only(session: &Session, folder: &Path) -> Result<(Draft, String), HomeError> {
    let found = sources(&session.context.folder.join(folder));
    let commands =
        || found.iter().map(|(name, what)| format!("\n  neronet init {:24} {what}", in_shell(&[folder.join(name).display().to_string()])));
    match found.as_slice() {
        [(only, _)] => of_file(session, &folder.join(only), true),
        [] => Err(HomeError::Words(
            "nothing is found here to begin with (train.py, main.py, conf/, *.sbatch, sweep.yaml, commands.txt); give a command: neronet init -- python train.py --lr 0.1".into(),
        )),
        _ => Err(HomeError::Words(format!("there are several things to begin with; take one:{}", commands().collect::<String>()))),
    }
}

/// File names with what each is, sorted.
fn sources(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST);
    let mut names: Vec<PathBuf> = entries.map(|entry| PathBuf::from(entry.file_name())).collect();
    names.sort();
    names.into_iter().filter_map(|name| Some((name.clone(), kind(folder, &name)?))).collect()
}

fn kind(folder: &Path, name: &Path) -> Option<&'static str> {
    let text = name.to_str()?;
    let ending = name.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    if text.starts_with('.') || !["py", "sh", "bash", "sbatch", "slurm", "sge", "job", "yaml", "yml", "txt"].contains(&ending) {
        return None;
    }
    let content = read(&folder.join(name)).ok()?;
    match ending {
        "py" if Hydra::main_of(&content).is_some() => Some("a Hydra project"),
        "py" => (SCRIPTS.contains(&text) || reads_options(&content)).then_some("a script; its --help is asked"),
        "txt" if LISTS.contains(&text) => Some("a list of commands"),
        "txt" => None,
        _ => match Source::of(text, &content)? {
            Source::Sbatch => Some("a script for Slurm"),
            Source::GridEngine => Some("a script for Grid Engine"),
            Source::Sweep => Some("a W&B sweep"),
            Source::Ancestor => Some("a configuration of the first neronet"),
            // Any script of the shell would be one.
            Source::Commands | Source::Help => None,
        },
    }
}
