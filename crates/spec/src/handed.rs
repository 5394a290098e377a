//! Parameters on their way into a run: two that would come under one name, and values that no argument can hold.

use crate::fill::{self, Of};
use crate::params::{Given, Values};
use crate::problem::quoted;
use crate::source::Found;
use crate::{scan, template, variable};
use neronet_model::settings::FileEdit;
use neronet_model::{Settings, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Linux takes 128 kB as one argument or variable; this leaves room for what stands around a value.
pub const LONGEST_ARGUMENT: usize = 100_000;

pub(crate) fn check(settings: &Settings, given: &[Given], found: &mut Found<'_>) {
    for (first, second, name) in twice(given.iter(), variable) {
        let message =
            format!("parameters {} and {} are one variable, ${name}, which holds the second", quoted(&first.name), quoted(&second.name));
        let hint = "give one of them another name, unless the script takes them from elsewhere".to_string();
        found.warning(second.span, message, hint);
    }
    for settings in std::iter::once(settings).chain(settings.on.iter().map(|(_, settings)| settings)) {
        let steps = settings.then.iter().map(|step| (Of::Step(&step.command), &step.command));
        for (of, command) in std::iter::once((Of::First, &settings.command)).chain(steps) {
            let ansi = settings.environment.shell.as_deref().is_none_or(scan::knows_ansi);
            let mut named: BTreeSet<String> = fill::of_command(command, ansi).into_iter().collect();
            // What the text of a template uses, and `{flags}` leaves out, is known only when it is read.
            let told = !settings.files.iter().any(|file| matches!(file, FileEdit::Template { .. }));
            let (flags, overrides) = (named.contains("flags") && told, named.contains("overrides") && told);
            let elsewhere = fill::used(settings, of, ansi);
            let rest: Vec<&Given> = given.iter().filter(|given| (flags || overrides) && !elsewhere.contains(&given.name)).collect();
            if flags && settings.flags.dashes {
                dashed(&rest, found);
            }
            named.extend(settings.env.iter().flat_map(|(_, value)| template::names(value)));
            given.iter().filter(|given| named.contains(&given.name)).chain(rest).for_each(|given| fits(given, found));
        }
    }
}

/// Those that come to one name, and that name.
fn twice<'g>(given: impl Iterator<Item = &'g Given>, name: impl Fn(&str) -> String) -> Vec<(&'g Given, &'g Given, String)> {
    let mut seen: BTreeMap<String, &Given> = BTreeMap::new();
    let before = |given: &'g Given| {
        let name = name(&given.name);
        Some((seen.insert(name.clone(), given)?, given, name))
    };
    given.filter_map(before).collect()
}

fn dashed(flags: &[&Given], found: &mut Found<'_>) {
    for (first, second, name) in twice(flags.iter().copied(), |name| name.replace('_', "-")) {
        let message = format!("parameters {} and {} are one flag, --{name}", quoted(&first.name), quoted(&second.name));
        found.error(second.span, message, "give one of them another name, or leave out dashes = true in [flags]".to_string());
    }
}

fn fits(given: &Given, found: &mut Found<'_>) {
    let Values::Listed(values) = &given.values else { return };
    let length = |value: &Value| match value {
        Value::Str(text) => text.len(),
        Value::List(_) => value.to_string().len(),
        _ => 0,
    };
    if let Some(length) = values.iter().map(length).find(|length| *length > LONGEST_ARGUMENT) {
        let message =
            format!("parameter {} has a value of {} kB, more than an argument or a variable can hold", quoted(&given.name), length / 1000);
        found.error(given.span, message, "let the script read it from the file $NERONET_PARAMS, which has all parameters".to_string());
    }
}
