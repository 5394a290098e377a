//! From a sweep of Weights & Biases: grid and random searches. What needs results to go on is named and left out.

use crate::program;
use crate::shell;
use crate::toml::{self, Page};
use neronet_model::Value;
use neronet_spec::plain::{self, Plain};
use neronet_spec::{Piece, is_name, template};

/// Rounded draws with no more values than this are a list to choose from.
const MOST_STEPS: f64 = 1000.0;
const SAMPLES: u64 = 20;

pub(crate) fn draft(text: &str, name: &str) -> Result<Page, String> {
    let sweep = plain::yaml(text, name).map_err(|problems| problems.to_string())?;
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {name}, a sweep of Weights & Biases."));
    let said = |key: &str| sweep.get(key).and_then(Plain::text);
    let method = said("method").unwrap_or("grid").to_lowercase();
    let program = said("program").unwrap_or("train.py");
    let label = said("name").map_or_else(|| program::stem(program), program::experiment_name);
    page.top.set("", "name", toml::string(&label), "");
    if let Some(description) = said("description") {
        page.top.remark("", description);
    }
    let passed = command(&sweep, program, &mut page);
    if let Some(metric) = sweep.get("metric") {
        let goal = match metric.get("goal").and_then(Plain::text) {
            Some(goal) if goal.to_lowercase().starts_with("max") => "max",
            _ => "min",
        };
        if let Some(metric) = metric.get("name").and_then(Plain::text).filter(|metric| !metric.trim().is_empty()) {
            page.top.set("", "objective", toml::string(&format!("{} {goal}", metric.trim())), "what \"best\" means");
        }
    }
    let mut reader = Reader { grid: method == "grid", passed, drawn: false, page: &mut page };
    reader.parameters(sweep.get("parameters").map_or(&[], Plain::entries), "");
    let drawn = reader.drawn;
    if drawn {
        let cap = said("run_cap").and_then(|cap| cap.parse::<u64>().ok()).filter(|cap| (1..=1_000_000).contains(cap));
        page.top.set("sweep", "samples", cap.unwrap_or(SAMPLES).to_string(), if cap.is_some() { "run_cap" } else { "how many runs" });
    } else if let Some(cap) = said("run_cap") {
        page.note(format!("run_cap: {cap} is left out: all combinations are run"));
    }
    match method.as_str() {
        "grid" | "random" => {}
        "bayes" => page.note("method: bayes is left out, since it needs results to go on: the parameters are drawn at random"),
        other => page.note(format!("method: {other} is not known: the parameters are drawn at random")),
    }
    for (key, value) in sweep.entries() {
        match key.as_str() {
            "program" | "method" | "metric" | "parameters" | "name" | "description" | "command" | "run_cap" => {}
            "early_terminate" => {
                let kind = value.get("type").and_then(Plain::text).unwrap_or("early_terminate");
                page.note(format!(
                    "early_terminate: {kind} is left out, since it stops runs by the results of others; a [[rule]] stops a run by its own"
                ));
            }
            "project" | "entity" => {
                page.note(format!("{key}: {} is left out; neronet's own project is that of the git work tree", value.text().unwrap_or("")));
            }
            key => page.note(format!("{key} is left out")),
        }
    }
    Ok(page)
}

/// How the program gets its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Passed {
    /// `--name=value`, booleans as `True` and `False`.
    Hyphens,
    /// Switches.
    Switches,
    /// `name=value`
    Overrides,
}

fn command(sweep: &Plain, program: &str, page: &mut Page) -> Passed {
    let mut passed = Passed::Hyphens;
    let mut words: Vec<Piece> = Vec::new();
    let mut push = |piece: Vec<Piece>| {
        if !words.is_empty() {
            words.push(Piece::Text(" ".to_string()));
        }
        words.extend(piece);
    };
    let default = ["${env}", "${interpreter}", "${program}", "${args}"].map(|text| Plain::Text { text: text.to_string(), quoted: false });
    let given = match sweep.get("command") {
        Some(Plain::List(items)) => items.clone(),
        Some(Plain::Text { text, .. }) => {
            text.split_whitespace().map(|text| Plain::Text { text: text.to_string(), quoted: false }).collect()
        }
        _ => default.to_vec(),
    };
    let flags = || vec![Piece::Hole("flags".to_string())];
    for word in given.iter().filter_map(Plain::text) {
        match word {
            "${env}" | "/usr/bin/env" => {}
            "${interpreter}" => push(vec![Piece::Text("python".to_string())]),
            "${program}" => push(vec![Piece::Text(shell::quoted(program))]),
            "${args}" | "${args_no_equals}" => push(flags()),
            "${args_no_boolean_flags}" => {
                passed = Passed::Switches;
                push(flags());
            }
            "${args_no_hyphens}" => {
                passed = Passed::Overrides;
                push(vec![Piece::Hole("overrides".to_string())]);
            }
            "${args_json}" | "${args_json_file}" => {
                page.note(format!("{word} is written as \"$NERONET_PARAMS\", the path of a JSON file with the parameters"));
                push(vec![Piece::Text("\"$NERONET_PARAMS\"".to_string())]);
            }
            word => push(vec![Piece::Text(of_word(word, page))]),
        }
    }
    let text = template(&words);
    let text = if text.trim().is_empty() { format!("python {} {{flags}}", shell::quoted(program)) } else { text };
    page.top.set("", "command", toml::string(&text), "");
    passed
}

/// A word for the shell, with the variables of the environment that it names.
fn of_word(word: &str, page: &mut Page) -> String {
    let mut written = String::new();
    let mut rest = word;
    while let Some((before, (name, behind))) =
        rest.split_once("${envvar:").and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
    {
        if !is_name(name) || name.contains(['.', '-']) {
            break;
        }
        if !before.is_empty() {
            written.push_str(&shell::quoted(before));
        }
        written.push_str(&format!("\"${name}\""));
        rest = behind;
    }
    if rest.contains("${") {
        page.note(format!("{rest} in the command is not known, and is handed over as it is written"));
    }
    if written.is_empty() || !rest.is_empty() {
        written.push_str(&shell::quoted(rest));
    }
    written
}

struct Reader<'p> {
    grid: bool,
    passed: Passed,
    drawn: bool,
    page: &'p mut Page,
}

impl Reader<'_> {
    fn parameters(&mut self, entries: &[(String, Plain)], prefix: &str) {
        for (key, value) in entries {
            let name = format!("{prefix}{key}");
            if let Some(inner) = value.get("parameters").filter(|inner| !inner.entries().is_empty()) {
                self.page
                    .note(format!("{name} holds parameters of its own: they are written {name}.NAME, so the program gets --{name}.NAME"));
                self.parameters(inner.entries(), &format!("{name}."));
            } else if !is_name(&name) {
                self.page.note(format!("parameter {name} is left out: a name is made of letters, digits, _ and -"));
            } else if !self.known(&name, value) {
                self.page.note(format!("parameter {name} is left out: it does not say its values in a way that is known"));
            }
        }
    }

    fn set(&mut self, name: &str, toml: String, comment: &str) {
        // As W&B hands lists over: `--layers=[64, 32]`, one argument.
        if (toml.contains("[[") || toml.contains("{ value = [")) && self.passed != Passed::Overrides {
            self.page.top.set("flags", "list", toml::string("brackets"), "");
        }
        self.page.top.set("params", name, toml, comment);
    }

    /// A distribution, which only a random search draws from.
    fn draw(&mut self, name: &str, kind: &str, toml: &str, comment: &str) {
        self.drawn = true;
        self.set(name, format!("{{ {kind} = {toml} }}"), comment);
    }

    fn known(&mut self, name: &str, said: &Plain) -> bool {
        if let Some(value) = said.get("value") {
            let Some(value) = self.value(value) else {
                self.page.note(format!("parameter {name} has no value (null): the program's own default counts"));
                return true;
            };
            let toml = toml::value(&value);
            self.set(name, if matches!(value, Value::List(_)) { format!("{{ value = {toml} }}") } else { toml }, "");
            return true;
        }
        if let Some(Plain::List(items)) = said.get("values") {
            return self.values(name, items, said);
        }
        let number = |key: &str| said.get(key).and_then(Plain::text).filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
        let float = |key: &str| number(key).and_then(|text| text.parse::<f64>().ok());
        let given = said.get("distribution").and_then(Plain::text).map(str::to_lowercase);
        let whole = |key: &str| number(key).is_some_and(|text| text.parse::<i64>().is_ok());
        let distribution = given.unwrap_or_else(|| if whole("min") && whole("max") { "int_uniform" } else { "uniform" }.to_string());
        let quantum = float("q").filter(|q| *q > 0.0);
        let bounds = || Some((number("min")?, number("max")?, float("min")?, float("max")?));
        let pair = |low: &str, high: &str| {
            format!("[{}, {}]", toml::typed(low.trim_start_matches('+')), toml::typed(high.trim_start_matches('+')))
        };
        // Nobody reads more digits.
        let short = |number: f64| toml::value(&Value::from_f64(format!("{number:.5e}").parse().unwrap_or(number)));
        let made = |low: f64, high: f64| format!("[{}, {}]", short(low), short(high));
        let kind = distribution.strip_prefix("q_").unwrap_or(&distribution);
        let rounded = distribution.starts_with("q_").then(|| quantum.unwrap_or(1.0));
        let comment = rounded.map(|q| format!("{distribution}, q = {q}: not rounded here")).unwrap_or_default();
        let listed = |q: f64| kind == "uniform" && bounds().is_some_and(|(.., from, to)| from < to && (to - from) / q < MOST_STEPS);
        if let Some(q) = rounded.filter(|q| !listed(*q)) {
            self.page.note(format!("parameter {name}: its draws are not rounded to multiples of {q} ({distribution})"));
        }
        match kind {
            "uniform" | "int_uniform" | "log_uniform" | "log_uniform_values" | "inv_log_uniform" | "inv_log_uniform_values" => {
                let Some((low, high, from, to)) = bounds().filter(|(.., from, to)| from < to) else { return false };
                if let Some(q) = rounded.filter(|q| listed(*q)) {
                    let steps = ((to - from) / q + 1e-9).floor() as u64;
                    // To as many digits as the step has.
                    let value = |step: u64| Value::from_f64((((from + step as f64 * q) / q).round() * q * 1e9).round() / 1e9);
                    let values: Vec<Value> = (0..=steps).map(value).map(integral).collect();
                    self.choose(name, toml::list(&values), &format!("{distribution}, q = {q}"));
                } else if kind == "int_uniform" {
                    if !(whole("min") && whole("max")) {
                        return false;
                    }
                    self.draw(name, "int_uniform", &pair(low, high), "both ends count");
                } else if kind == "log_uniform" {
                    self.draw(
                        name,
                        "log_uniform",
                        &made(from.exp(), to.exp()),
                        format!("e^{low} to e^{high}; {comment}").trim_end_matches("; "),
                    );
                } else if kind == "inv_log_uniform" {
                    self.draw(name, "log_uniform", &made((-to).exp(), (-from).exp()), "inv_log_uniform");
                } else if kind.ends_with("_values") {
                    if from <= 0.0 {
                        return false;
                    }
                    self.draw(name, "log_uniform", &pair(low, high), &comment);
                } else {
                    self.draw(name, "uniform", &pair(low, high), &comment);
                }
                true
            }
            "normal" | "log_normal" => {
                let mean = number("mu").unwrap_or("0");
                let deviation = number("sigma").unwrap_or("1");
                self.draw(name, kind, &pair(mean, deviation), &comment);
                true
            }
            "beta" | "q_beta" => false,
            _ => false,
        }
    }

    fn values(&mut self, name: &str, items: &[Plain], said: &Plain) -> bool {
        let values: Vec<Value> = items.iter().filter_map(|item| self.value(item)).collect();
        if values.len() < items.len() {
            self.page.note(format!("parameter {name}: null cannot be handed over and is left out of its values"));
        }
        match values.as_slice() {
            [] => return false,
            [only] => {
                let toml = toml::value(only);
                self.set(name, if matches!(only, Value::List(_)) { format!("{{ value = {toml} }}") } else { toml }, "");
            }
            values => self.choose(name, toml::list(values), ""),
        }
        if said.get("probabilities").is_some() {
            self.page.note(format!("parameter {name}: its probabilities are left out, every value is as likely"));
        }
        true
    }

    /// One of several values: in a grid each of them, else drawn.
    fn choose(&mut self, name: &str, list: String, comment: &str) {
        match self.grid {
            true => self.set(name, list, comment),
            false => self.draw(name, "choice", &list, comment),
        }
    }

    /// A value as the program gets it from W&B. Nothing stands for null.
    fn value(&self, yaml: &Plain) -> Option<Value> {
        Some(match yaml {
            Plain::Text { text, quoted: true } => Value::Str(text.clone()),
            Plain::Text { text, .. } => match text.as_str() {
                "" | "~" | "null" | "Null" | "NULL" => return None,
                "true" | "True" | "TRUE" | "yes" | "Yes" | "on" | "On" => self.boolean(true),
                "false" | "False" | "FALSE" | "no" | "No" | "off" | "Off" => self.boolean(false),
                text => Value::as_typed(text),
            },
            Plain::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect::<Option<_>>()?),
            Plain::Map(_) => return None,
        })
    }

    fn boolean(&self, on: bool) -> Value {
        match self.passed {
            Passed::Hyphens => Value::Str(if on { "True" } else { "False" }.to_string()),
            Passed::Switches | Passed::Overrides => Value::Bool(on),
        }
    }
}

/// `2.0` as `2`.
fn integral(value: Value) -> Value {
    match value.number() {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => Value::Int(number as i64),
        _ => value,
    }
}
