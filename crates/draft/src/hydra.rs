//! From a Hydra project: the primary configuration and its groups become comments to switch on, a sweeper's parameters a sweep.

use crate::command_line;
use crate::program;
use crate::shell;
use crate::toml::{self, Page};
use neronet_model::Value;
use neronet_spec::is_name;
use neronet_spec::plain::{self, Plain};

/// A Hydra project, as it was found.
#[derive(Debug, Clone, Default)]
pub struct Hydra<'t> {
    /// What calls the script: `python train.py`.
    pub command: &'t [String],
    /// The virtual environment of the project.
    pub python: Option<&'t str>,
    /// The primary configuration, and what it is called.
    pub primary: &'t str,
    pub name: &'t str,
    /// Each group, with the names of its configurations.
    pub groups: &'t [(String, Vec<String>)],
}

impl Hydra<'_> {
    /// The folder and the name of the primary configuration that a script names in `@hydra.main(…)`.
    pub fn main_of(script: &str) -> Option<(Option<String>, Option<String>)> {
        let at = script.match_indices("@hydra.main").map(|(at, _)| at).find(|at| {
            let line = &script[script[..*at].rfind('\n').map_or(0, |line| line + 1)..*at];
            line.trim().is_empty()
        })?;
        let rest = script[at..].strip_prefix("@hydra.main")?;
        let arguments = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or("", |(arguments, _)| arguments);
        let named = |name: &str| {
            let value = arguments.split(name).nth(1)?.trim_start().strip_prefix('=')?.trim_start();
            let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
            value[1..].split_once(quote).map(|(value, _)| value.to_string())
        };
        Some((named("config_path"), named("config_name")))
    }
}

/// Values of the configuration that are shown.
const MOST_VALUES: usize = 300;
const SAMPLES: u64 = 20;

pub(crate) fn draft(project: &Hydra<'_>) -> Result<Page, String> {
    let mut page = Page::default();
    let words = project.command.iter().map(|word| shell::Word::typed(word)).collect::<Vec<_>>();
    let program = program::head(&words).program;
    page.head.push(format!("Drafted by `neronet init` from the Hydra project of {program}."));
    page.head.push("A parameter becomes an override: lr = [0.1, 0.01] makes two runs, with lr=0.1 and lr=0.01.".to_string());
    let config = match plain::yaml(project.primary, project.name) {
        _ if project.primary.is_empty() => Plain::Map(Vec::new()),
        Ok(config) => config,
        Err(problems) => {
            page.note(format!(
                "{} cannot be read, so its values are not shown: {}",
                project.name,
                problems.0.first().map_or("", |problem| &problem.message)
            ));
            Plain::Map(Vec::new())
        }
    };
    page.top.set("", "name", toml::string(&program::stem(&program)), "");
    page.top.remark("", "hydra.run.dir=. lets Hydra write into the run's own folder, and .hydra/ is kept with it.");
    page.top.set("", "command", String::new(), "");
    page.top.propose("", "objective", toml::string("val_loss min"), "what \"best\" means");
    groups(&config, project.groups, &mut page);
    let mut values = Vec::new();
    flat(&config, "", &mut values);
    if !values.is_empty() {
        page.top.remark("params", &format!("What {} sets itself:", project.name));
    }
    for (name, value) in values.iter().take(MOST_VALUES) {
        page.top.propose("params", name, value.clone(), "");
    }
    if values.len() > MOST_VALUES {
        page.note(format!("{} more values of {} are not shown", values.len() - MOST_VALUES, project.name));
    }
    let added = sweeper(&config, &mut page);
    let mut required = Vec::new();
    missing(&config, "", &mut required);
    required.retain(|name| !page.top.is_on("params", name));
    for name in required {
        page.top.propose("params", &name, toml::string("???"), "required: write yours");
        page.note(format!("{name} is required (???): switch its line below [params] on"));
    }
    let added: String = added.iter().map(|name| format!(" +{name}={{{name}}}")).collect();
    let words = words.iter().map(|word| word.raw.as_str()).collect::<Vec<_>>().join(" ");
    let command = format!("{}{added} {{overrides}} hydra.run.dir=. hydra.output_subdir=.hydra", command_line::verbatim(&words));
    page.top.set("", "command", toml::string(&command), "");
    page.python(project.python);
    Ok(page)
}

/// Which configuration each group has, and which it could have.
fn groups(config: &Plain, groups: &[(String, Vec<String>)], page: &mut Page) {
    let mut chosen: Vec<(String, String)> = Vec::new();
    if let Some(Plain::List(defaults)) = config.get("defaults") {
        for (group, choice) in defaults.iter().flat_map(Plain::entries) {
            let choice = choice.text().unwrap_or("null");
            match group.split_whitespace().last().unwrap_or(group) {
                "hydra/launcher" => {
                    page.note(format!("the launcher {choice} is left out: neronet starts the runs, see [resources] for what it asked for"));
                }
                "hydra/sweeper" => {
                    page.note(format!("the sweeper {choice} is left out: what it searches adaptively becomes lists or random draws"));
                }
                group if group.starts_with("hydra/") => {}
                group => chosen.push((group.split('@').next().unwrap_or(group).to_string(), choice.to_string())),
            }
        }
    }
    for (group, options) in groups.iter().filter(|(group, _)| !group.starts_with("hydra")) {
        let now = chosen.iter().find(|(known, _)| known == group).map(|(_, choice)| choice.as_str());
        let others: Vec<&str> = options.iter().map(String::as_str).filter(|option| Some(*option) != now).collect();
        let others = if others.is_empty() { String::new() } else { format!("; or {}", others.join(", ")) };
        let choice = now.or(options.first().map(String::as_str)).unwrap_or("");
        match is_name(group) {
            true => page.top.propose("params", group, toml::string(choice), &format!("a group{others}")),
            // A parameter's name has no slash.
            false => page.top.remark("params", &format!("The group {group} is set in the command, as {group}={choice}{others}")),
        }
    }
}

/// All values with their dotted names, in TOML.
fn flat(yaml: &Plain, prefix: &str, values: &mut Vec<(String, String)>) {
    for (key, value) in yaml.entries().iter().filter(|(key, _)| !prefix.is_empty() || (key != "defaults" && key != "hydra")) {
        let name = format!("{prefix}{key}");
        match value {
            Plain::Map(_) => flat(value, &format!("{name}."), values),
            // Interpolations follow what they name.
            Plain::Text { text, .. } if text.contains("${") || matches!(text.as_str(), "null" | "~" | "" | "???") => {}
            _ if !is_name(&name) => {}
            Plain::Text { text, quoted: true } => values.push((name, toml::string(text))),
            Plain::Text { text, .. } => values.push((name, toml::typed(text))),
            Plain::List(items) => {
                let items: Option<Vec<Value>> = items.iter().map(|item| item.text().map(Value::as_typed)).collect();
                values.extend(items.map(|items| (name, format!("{{ value = {} }}", toml::list(&items).replace('\n', " ")))));
            }
        }
    }
}

/// The names of the values that whoever starts a run must give.
fn missing(yaml: &Plain, prefix: &str, names: &mut Vec<String>) {
    for (key, value) in yaml.entries().iter().filter(|(key, _)| !prefix.is_empty() || key != "hydra") {
        let name = format!("{prefix}{key}");
        match value {
            Plain::Map(_) => missing(value, &format!("{name}."), names),
            Plain::Text { text, .. } if text == "???" && is_name(&name) => names.push(name),
            _ => {}
        }
    }
}

/// The sweeper's parameters; those that are added to the configuration (`+name`) are handed back.
fn sweeper(config: &Plain, page: &mut Page) -> Vec<String> {
    let Some(sweeper) = config.get("hydra").and_then(|hydra| hydra.get("sweeper")) else { return Vec::new() };
    // It tries so many of the combinations, not all of them.
    let adaptive = sweeper.get("n_trials").is_some()
        || sweeper.get("_target_").and_then(Plain::text).is_some_and(|target| !target.contains("BasicSweeper"));
    let mut drawn = false;
    let mut added = Vec::new();
    for (name, value) in sweeper.get("params").map_or(&[][..], Plain::entries) {
        let written = match value {
            Plain::Text { text, .. } => swept(text),
            _ => None,
        };
        let own = name.trim_start_matches('+');
        match written.filter(|_| is_name(own) && !matches!(own, "flags" | "overrides" | "checkpoint") && !own.starts_with("run.")) {
            Some((toml, is_drawn)) => {
                let (toml, is_drawn) = match adaptive && toml.starts_with('[') {
                    true => (format!("{{ choice = {} }}", toml.replace('\n', " ")), true),
                    false => (toml, is_drawn),
                };
                drawn |= is_drawn;
                if own != name {
                    added.push(own.to_string());
                }
                page.top.set("params", own, toml, "of the sweeper");
            }
            None => page.note(format!("the sweeper's parameter {name} is left out: its values are not known here")),
        }
    }
    if drawn {
        let trials = sweeper
            .get("n_trials")
            .and_then(Plain::text)
            .and_then(|trials| trials.parse::<u64>().ok())
            .filter(|trials| (1..1_000_000).contains(trials));
        page.top.set("sweep", "samples", trials.unwrap_or(SAMPLES).to_string(), "how many draws");
    }
    if let Some(jobs) = sweeper.get("n_jobs").and_then(Plain::text).and_then(|jobs| jobs.parse::<u64>().ok()).filter(|jobs| *jobs > 0) {
        page.top.set("sweep", "parallel", jobs.to_string(), "at a time");
    }
    added
}

/// Hydra's own words for values, in TOML, and whether they are drawn: `a,b`, `choice(a, b)`, `range(1, 10)`, `interval(0, 1)`,
/// `tag(log, interval(1e-6, 1e-2))`, `int(interval(1, 8))`.
pub(crate) fn swept(text: &str) -> Option<(String, bool)> {
    let text = text.trim();
    let inside = |name: &str| text.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')').map(str::trim);
    let numbers = |inside: &str| -> Option<Vec<f64>> {
        inside.split(',').map(|number| number.trim().parse().ok().filter(|number: &f64| number.is_finite())).collect()
    };
    let range = |kind: &str, inside: &str| {
        let bounds: Vec<&str> = inside.split(',').map(str::trim).collect();
        let [low, high] = bounds.as_slice() else { return None };
        let (from, to) = (low.parse::<f64>().ok()?, high.parse::<f64>().ok()?);
        let good = from.is_finite() && to.is_finite() && from < to && (kind != "log_uniform" || from > 0.0);
        let whole = kind != "int_uniform" || (low.parse::<i64>().is_ok() && high.parse::<i64>().is_ok());
        (good && whole).then(|| {
            (format!("{{ {kind} = [{}, {}] }}", toml::typed(low.trim_start_matches('+')), toml::typed(high.trim_start_matches('+'))), true)
        })
    };
    if let Some(inner) = inside("interval") {
        return range("uniform", inner);
    }
    if let Some(inner) = inside("int") {
        return range("int_uniform", inner.strip_prefix("interval")?.trim_start().strip_prefix('(')?.strip_suffix(')')?);
    }
    if let Some(inner) = inside("tag") {
        let (tag, inner) = inner.split_once(',')?;
        let inner = inner.trim();
        let is_int = inner.strip_prefix("int").is_some_and(|rest| rest.trim_start().starts_with('('));
        let bounds = inner.rsplit_once("interval")?.1.trim_start().strip_prefix('(')?.trim_end_matches(')');
        return match (tag.trim(), is_int) {
            ("log", false) => range("log_uniform", bounds),
            ("log", true) => None,
            _ => swept(inner),
        };
    }
    if let Some(inner) = inside("range") {
        let numbers = numbers(inner)?;
        let (from, to, step) = match numbers.as_slice() {
            [to] => (0.0, *to, 1.0),
            [from, to] => (*from, *to, 1.0),
            [from, to, step] => (*from, *to, *step),
            _ => return None,
        };
        let count = ((to - from) / step - 1e-9).ceil();
        if !(1.0..=10_000.0).contains(&count) {
            return None;
        }
        let value =
            |number: f64| if number.fract() == 0.0 { Value::Int(number as i64) } else { Value::from_f64((number * 1e9).round() / 1e9) };
        return Some((toml::list(&(0..count as u64).map(|n| value(from + n as f64 * step)).collect::<Vec<_>>()), false));
    }
    let list = inside("choice").or_else(|| inside("shuffle")).unwrap_or(text);
    if list.contains(['(', '{', '[', '$']) || list.trim().is_empty() {
        return None;
    }
    let items: Vec<Value> = list.split(',').map(|item| Value::as_typed(item.trim().trim_matches(['"', '\'']))).collect();
    Some((if items.len() == 1 { toml::value(&items[0]) } else { toml::list(&items) }, false))
}
