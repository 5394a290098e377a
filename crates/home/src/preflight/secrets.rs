//! Whether the secrets that a specification names can be had, and whether one of them would be recorded all the same.

use super::Look;
use crate::secrets::{Place, holds, is_kept_out};
use neronet_model::settings::SecretSource;
use neronet_spec::{Experiment, Plan, Problem, Wanted, What};
use neronet_supervise::Secrets;
use neronet_supervise::secrets::lines;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Every problem, and whether nothing may be started then.
pub(super) fn look(look: &Look<'_>, plan: &Plan) -> Vec<(bool, Problem)> {
    let settings = look.settings();
    if settings.secrets.is_empty() {
        return Vec::new();
    }
    let place = Place { environment: look.environment, folder: look.start() };
    let recorded = recorded(look.experiment, plan);
    let mut found = Vec::new();
    for wanted in &look.experiment.wanted {
        let What::Secret(name, source) = &wanted.what else { continue };
        let mut say = |found_by: (bool, String, String)| found.push(said(wanted, found_by));
        match place.at_hand(source) {
            Some(Err(missing)) => say((true, format!("secret {name}: {}", missing.what), missing.remedy)),
            Some(Ok(value)) => look_at(look, &place, &recorded, (name, source, value)).into_iter().for_each(say),
            None => no_program(&place, name, source).into_iter().for_each(say),
        }
    }
    found
}

fn said(wanted: &Wanted, (is_error, message, hint): (bool, String, String)) -> (bool, Problem) {
    (is_error, if is_error { wanted.error(message, Some(hint)) } else { wanted.warning(message, Some(hint)) })
}

/// A value that is known now.
fn look_at(
    look: &Look<'_>,
    place: &Place<'_>,
    recorded: &str,
    (name, source, value): (&str, &SecretSource, Vec<u8>),
) -> Vec<(bool, String, String)> {
    let mut found = Vec::new();
    if let SecretSource::File(path) = source {
        let path = place.file(path);
        let shown = path.display();
        if look.frozen && is_copied(look, &path) {
            let ignored = if look.survey.git.is_some() { ", or let git ignore it" } else { "" };
            let hint = format!("keep it outside the code, as file:~/.{}{ignored}", name.to_ascii_lowercase().replace('_', "-"));
            found.push((true, format!("secret {name}: {shown} would be copied with the code"), hint));
        }
        if std::fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o044 != 0) {
            found.push((false, format!("secret {name}: others may read {shown}"), format!("chmod 600 {shown}")));
        }
    }
    if holds(recorded.as_bytes(), &value) {
        let message = format!("the value of the secret {name} stands in the specification or in a parameter, and those are recorded");
        found.push((true, message, format!("take it out: the command finds it in ${name}")));
    }
    if lines(&value).is_empty() {
        let message = format!("secret {name}: a value so short is not masked where the run prints it");
        found.push((false, message, "print it nowhere".to_string()));
    }
    let mut secrets = Secrets::default();
    secrets.add(name, value);
    let declared =
        |own: &str| look.settings().secrets.iter().any(|(known, source)| known == own || *source == SecretSource::Env(own.into()));
    let others = place.environment.iter().filter(|(own, value)| is_kept_out(look.settings(), &secrets, (own, value)));
    let others: Vec<&str> = others.filter_map(|(own, _)| own.to_str()).filter(|own| !declared(own)).collect();
    if let Some(first) = others.first() {
        let message = format!("the value of the secret {name} is also in {}, so runs do not get that", others.join(", "));
        found.push((false, message, format!("if they need it, write {first} = \"env\" below [secrets]")));
    }
    found
}

fn is_copied(look: &Look<'_>, path: &Path) -> bool {
    let (Ok(path), Ok(top)) = (path.canonicalize(), look.survey.top.canonicalize()) else { return false };
    let Ok(below) = path.strip_prefix(&top) else { return false };
    let survey = look.survey;
    let mut copied = survey.files.iter().map(|file| &file.path).chain(survey.large.iter().map(|large| &large.path));
    copied.any(|held| Path::new(held) == below)
}

/// All that is recorded of an experiment, as text.
fn recorded(experiment: &Experiment, plan: &Plan) -> String {
    let mut text = serde_json::to_string(&experiment.settings).unwrap_or_default();
    if let Some(source) = &plan.source {
        text.push_str(&source.text);
        source.included.iter().for_each(|included| text.push_str(&included.text));
    }
    for params in experiment.runs() {
        params.iter().for_each(|(_, value)| text.push_str(&format!("\n{value}")));
    }
    text
}

/// A command that would not be found. What a shell makes of other first words is its own affair.
fn no_program(place: &Place<'_>, name: &str, source: &SecretSource) -> Option<(bool, String, String)> {
    /// Words of the shell's own.
    const BUILT_IN: &str = ". : alias bg break case cd command continue eval exec exit export fg for getopts hash if jobs read readonly \
         return set shift source times trap type ulimit umask unalias unset until wait while";
    let SecretSource::Command(text) = source else { return None };
    let program = text.split_whitespace().next()?;
    let plain = program.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./+~".contains(&b));
    if !plain || BUILT_IN.split_whitespace().any(|own| own == program) {
        return None;
    }
    let there = match program.contains('/') {
        true => place.file(program).is_file(),
        false => super::on_path(program, super::path_of(place.environment)),
    };
    let message = format!("secret {name}: there is no program '{program}' here");
    (!there).then(|| (false, message, "the command of a secret runs where runs are started from".to_string()))
}
