//! Inputs that are brought to a target before runs start there (`push = true`): where each lies here and there, and whether it is there
//! as it is here.

use super::{Going, Lost, Way, brought::Set};
use crate::context::Context;
use crate::error::HomeError;
use crate::filling::Filling;
use crate::targets;
use crate::there::settings_on;
use neronet_model::journal::Sweep;
use neronet_model::settings::Input;
use neronet_model::target::Target;
use neronet_model::{Run, Settings, Uid};
use neronet_spec::{plain, render};
use neronet_target::parcel::Inner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// In a target's folder: what was brought there.
const DATA: &str = "data";

/// An input of a run, here and on its target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pushed {
    name: String,
    from: PathBuf,
    to: PathBuf,
}

/// What was brought over one connection, when it was looked at here last, and what it was like.
#[derive(Default)]
pub(crate) struct Known(BTreeMap<Pushed, (Instant, u64)>);

/// The settings of runs on a target, with the places that inputs get there. One whose path the target's variables say goes where they
/// say; every other one below a folder with the name of home, at the path that it has here: so no two are ever taken for each other.
pub(crate) fn place(settings: &mut Settings, sweep: &Sweep, folder: &str, home: Uid) {
    let start = start(sweep);
    for input in settings.inputs.iter_mut().filter(|input| input.push && !is_said_there(input)) {
        input.path = placed(&input.path, &start, folder, home);
    }
}

/// A template as `path` is one.
fn placed(path: &str, start: &Path, folder: &str, home: Uid) -> String {
    let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
    let here = Path::new(&escaped(&start.display().to_string())).join(path);
    format!("{}/{DATA}/{home}{}", escaped(folder), plain(&here).display())
}

fn is_said_there(input: &Input) -> bool {
    render::named_in(&input.path).any(|name| name.starts_with("target."))
}

fn start(sweep: &Sweep) -> PathBuf {
    Path::new(&sweep.code.top).join(&sweep.code.below)
}

/// What of a run's inputs is to be on a target. Else why that can be known only when somebody has seen to it.
pub(crate) fn of(
    context: &Context,
    run: &Run,
    sweep: &Sweep,
    (name, target): (&str, &Target),
) -> Result<Result<Vec<Pushed>, String>, HomeError> {
    let here = settings_on(sweep, name);
    if !here.inputs.iter().any(|input| input.push) {
        return Ok(Ok(Vec::new()));
    }
    let folder = targets::place_there(name, target)?;
    let home = context.home.uid()?.ok_or_else(|| HomeError::Failed("home has no name yet".into()))?;
    let mut there = Settings { target: vec![name.to_string()], ..here.clone() };
    place(&mut there, sweep, folder, home);
    let start = start(sweep);
    let filled = |settings| Filling::without_files(context, settings, &run.params, run.id, &start).map(|filling| filling.inputs);
    let (from, to) = match (filled(&here), filled(&there)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
    };
    let all = here.inputs.iter().zip(from.into_iter().zip(to)).filter(|(input, _)| input.push);
    Ok(all.map(|(input, ((_, from), (_, to)))| pushed(input, from.into(), to.into(), &Path::new(folder).join(DATA))).collect())
}

fn pushed(input: &Input, from: PathBuf, to: PathBuf, data: &Path) -> Result<Pushed, String> {
    let name = input.name.clone();
    // A parameter may have led elsewhere.
    if !is_said_there(input) && !to.starts_with(data) {
        return Err(format!("input '{name}': {} would get no place in {} there", from.display(), data.display()));
    }
    let parts = std::iter::once(from.clone()).chain(input.files.iter().map(|file| from.join(file)));
    match parts.into_iter().find(|path| std::fs::metadata(path).is_err()) {
        Some(missing) => Err(format!("input '{name}': {} is not there, and is to be brought", missing.display())),
        None => Ok(Pushed { name, from, to }),
    }
}

/// Brings what is not there as it was here since a moment. Why that cannot be, if it cannot.
pub(crate) fn bring(
    way: &Way,
    pushed: &Pushed,
    (known, since): (&mut Known, Instant),
    tick: &mut dyn FnMut(&Going),
) -> Result<Option<String>, Lost> {
    let Pushed { name, from, to } = pushed;
    if known.0.get(pushed).is_some_and(|(looked, _)| *looked >= since) {
        return Ok(None);
    }
    let looked = Instant::now();
    let own = to.file_name().and_then(|own| Inner::try_from(own.to_str()?.to_string()).ok());
    let Some((own, folder)) = own.zip(to.parent().and_then(Path::to_str)) else {
        return Ok(Some(format!("input '{name}': {} is no place that it could get", to.display())));
    };
    let set = match Set::called(from, folder.trim_end_matches('/'), own) {
        Ok(set) => set,
        Err(e) => return Ok(Some(format!("input '{name}': {e}"))),
    };
    let fingerprint = set.fingerprint();
    if known.0.get(pushed).is_none_or(|(_, before)| *before != fingerprint)
        && let Some(why) = set.bring(way, tick)?.failed.pop()
    {
        return Ok(Some(format!("input '{name}': {why}")));
    }
    known.0.insert(pushed.clone(), (looked, fingerprint));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::settings::Fingerprint;

    #[test]
    fn an_input_gets_a_place_that_no_other_can_have() {
        let home = Uid::new(7, [0; 10]);
        let at = |path: &str| {
            let placed = placed(path, Path::new("/home/me/{x}/owlet"), "/data/{me}", home);
            placed.strip_prefix(&format!("/data/{{{{me}}}}/data/{home}")).map(str::to_string)
        };
        assert_eq!(at("data/{split}").as_deref(), Some("/home/me/{{x}}/owlet/data/{split}"));
        assert_eq!(at("../sets/./cifar").as_deref(), Some("/home/me/{{x}}/sets/cifar"));
        assert_eq!(at("/scratch/{n}").as_deref(), Some("/scratch/{n}"));
    }

    #[test]
    fn what_is_not_here_or_would_lie_elsewhere_is_not_brought() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("train.bin"), "1").expect("written");
        let input = |path: &str, files: &[&str]| Input {
            name: "cifar".into(),
            path: path.into(),
            needs: None,
            files: files.iter().map(ToString::to_string).collect(),
            fingerprint: Fingerprint::Listing,
            push: true,
        };
        let brought = |input: &Input, to: &str| pushed(input, folder.path().into(), to.into(), Path::new("/w/data"));
        assert!(brought(&input("a", &["train.bin"]), "/w/data/a").is_ok());
        assert!(
            brought(&input("a", &["test.bin"]), "/w/data/a").expect_err("absent").ends_with("test.bin is not there, and is to be brought")
        );
        assert!(brought(&input("a", &[]), "/w/other").is_err() && brought(&input("{target.a}", &[]), "/w/other").is_ok());
    }
}
