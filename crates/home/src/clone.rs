//! The code and the specification of a run, copied into a folder of the user's.

use crate::compare;
use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::view::View;
use neronet_capture::code;
use neronet_model::settings::Command;
use neronet_spec::{Experiment, again};
use neronet_store::StoreError;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What was copied, in sentences, and how to run it there.
#[derive(Debug, Default)]
pub struct Cloned {
    pub notes: Vec<String>,
    /// Where to run it, and the words after `neronet run`.
    pub folder: PathBuf,
    pub again: Vec<String>,
    /// Some of these words hold `***` in the place of a secret.
    pub masked: bool,
}

pub fn clone(context: &Context, view: &View<'_>, folder: &Path) -> Result<Cloned, HomeError> {
    let id = view.id;
    let frozen = &view.sweep.code;
    refuse_what_is_there(folder)?;
    let mut cloned = Cloned { folder: folder.join(&frozen.below), ..Cloned::default() };
    let changes = match &frozen.git {
        Some(git) => format!("commit {}", compare::commit(&git.commit, git.dirty)),
        None => "no git".to_string(),
    };
    match &frozen.snapshot {
        Some(snapshot) => {
            let below = Path::new(&frozen.below);
            let links: Vec<String> = view.sweep.settings.code.link.iter().map(|link| below.join(link).display().to_string()).collect();
            code::materialise(&context.home.snapshots(), snapshot, folder, &links, Path::new(&frozen.top))?;
            cloned.notes.push(format!("the code of run {id} as it was submitted ({changes}), from {}", frozen.top));
            if code::diff_text(&context.home.snapshots(), snapshot).is_some_and(|diff| !diff.is_empty()) {
                let diff = context.home.snapshots().join(snapshot).join("diff.patch");
                cloned.notes.push(format!("what was uncommitted is in it; as a patch it is {}", diff.display()));
            }
        }
        None if let (Some(imported), None) = (&view.sweep.imported, &view.sweep.spec) => {
            return Err(HomeError::Failed(format!(
                "run {id} was imported from {} without its code: there is nothing to copy",
                imported.from
            )));
        }
        None if view.sweep.spec.is_none() => {
            return Err(HomeError::Failed(format!(
                "run {id} executed in {} itself, so its code was not frozen ({changes}), and it had no specification: there is nothing to copy.\n\
                 `neronet show {id}` has its command and parameters",
                frozen.top
            )));
        }
        None => {
            cloned.notes.push(format!(
                "run {id} executed in {} itself, so its code was not frozen ({changes}): only its specification is copied",
                frozen.top
            ));
            if let Some(git) = frozen.git.as_ref().filter(|git| !git.commit.is_empty()) {
                let word = if git.dirty { ", without what was uncommitted then," } else { "" };
                let top = in_shell(std::slice::from_ref(&frozen.top));
                cloned.notes.push(format!("the commit{word} is at hand with: git -C {top} worktree add FOLDER {}", git.commit));
            }
        }
    }
    write_spec(context, view, &mut cloned)?;
    Ok(cloned)
}

fn refuse_what_is_there(folder: &Path) -> Result<(), HomeError> {
    match std::fs::read_dir(folder) {
        Ok(_) if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()) => Ok(()),
        Ok(_) => {
            let shown = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
            Err(HomeError::Words(format!("{} is not empty; name a folder that does not exist yet", shown.display())))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(HomeError::Words(format!("{} cannot become that folder: {e}", folder.display()))),
    }
}

/// The specification as it was read, where the snapshot does not hold the same already.
fn write_spec(context: &Context, view: &View<'_>, cloned: &mut Cloned) -> Result<(), HomeError> {
    let Some(spec) = &view.sweep.spec else {
        if let Command::Argv(words) = &view.sweep.settings.command {
            set(view, None, cloned);
            let typed = again::typed(words);
            let shown = masked::arguments(&typed, &masked::known(context, view.sweep));
            cloned.masked |= shown != typed;
            cloned.again.push("--".to_string());
            cloned.again.extend(shown);
        }
        return Ok(());
    };
    let name = Path::new(&spec.path).file_name().map_or_else(|| "neronet.toml".into(), |name| name.to_string_lossy().into_owned());
    let mut place = cloned.folder.join(&name);
    if std::fs::read(&place).ok().as_deref() != Some(spec.text.as_bytes()) {
        // What has that name and says something else, a link that leads nowhere included, came from the snapshot and stays.
        if place.symlink_metadata().is_ok() {
            place = cloned.folder.join(format!("run-{}-{name}", view.id));
        }
        write_new(&place, &spec.text)?;
    }
    let beside = Path::new(&spec.path).parent().unwrap_or(Path::new(""));
    for included in &spec.included {
        let below = Path::new(&included.path).strip_prefix(beside).ok();
        let inside = below.filter(|below| below.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        let place = inside.map(|below| cloned.folder.join(below));
        match place {
            Some(place) if place.symlink_metadata().is_err() => write_new(&place, &included.text)?,
            Some(place) if std::fs::read(&place).ok().as_deref() == Some(included.text.as_bytes()) => {}
            _ => cloned.notes.push(format!("the specification includes {}, which may say something else now", included.path)),
        }
    }
    let file = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or(name);
    let wanted = &view.run().experiment;
    let all = neronet_spec::recorded(spec, None, &[]).ok();
    let alone = all.as_ref().is_some_and(|plan| plan.experiments.len() == 1);
    let named = if alone { None } else { neronet_spec::recorded(spec, Some(wanted), &[]).ok() };
    cloned.again.push(if named.is_some() { format!("{file}:{wanted}") } else { file });
    if view.sweep.settings.code.commit.is_some() && view.sweep.code.snapshot.is_some() {
        // Its files are what was copied.
        cloned.again.extend(["--set".to_string(), "code.commit=".to_string()]);
    }
    let plan = named.or(all);
    let experiment = plan.as_ref().and_then(|plan| plan.experiments.first());
    set(view, experiment, cloned);
    if experiment.is_some_and(|experiment| experiment.settings != *view.sweep.settings) {
        cloned.notes.push(format!("run {} was submitted with --set of more than parameters, which is not in its specification", view.id));
    }
    Ok(())
}

fn write_new(place: &Path, text: &str) -> Result<(), HomeError> {
    let folder = place.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(StoreError::io("make the folder", folder))?;
    let written = File::create_new(place).and_then(|mut file| file.write_all(text.as_bytes()));
    Ok(written.map_err(StoreError::io("write", place))?)
}

/// Adds the `--set` that give the run's parameters.
fn set(view: &View<'_>, experiment: Option<&Experiment>, cloned: &mut Cloned) {
    for (name, mut word) in again::sets(&view.run().params, experiment) {
        let shown = view.params().get(&name);
        if let (Some(shown), Some((key, _))) = (shown.filter(|shown| Some(*shown) != view.run().params.get(&name)), word.split_once('=')) {
            word = format!("{key}={shown}");
            cloned.masked = true;
        }
        cloned.again.extend(["--set".to_string(), word]);
    }
}

/// The words as a shell would take them.
pub fn in_shell(words: &[String]) -> String {
    let plain = |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&b));
    let quoted = words.iter().map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        let words = ["run", "--set", "a=1", "", "it's $HOME"].map(str::to_string);
        assert_eq!(in_shell(&words), r"run --set a=1 '' 'it'\''s $HOME'");
    }
}
