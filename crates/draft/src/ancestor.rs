//! From a `config.yaml` of the first neronet: keys that begin with `+` are experiments, and inherit all around them.

use crate::program;
use crate::sbatch;
use crate::toml::{self, Block, Page};
use neronet_model::Value;
use neronet_spec::plain::{self, Plain};
use neronet_spec::{Piece, is_name, template};

pub(crate) fn draft(text: &str, name: &str) -> Result<Page, String> {
    let config = plain::yaml(text, name).map_err(|problems| problems.to_string())?;
    let mut page = Page::default();
    page.head.push(format!("Drafted by `neronet init` from {name} of the first neronet."));
    let mut top = Block::default();
    let here = Around::default().with(&config);
    match experiments(&config).as_slice() {
        [] => block(&config, &here, Some(here.command(&[])), &mut top, &mut page),
        // One experiment is the file itself.
        [(name, only)] if experiments(only).is_empty() => {
            top.set("", "name", toml::string(&label(name)), "");
            block(&config, &here, None, &mut top, &mut page);
            let here = here.with(only);
            block(only, &here, Some(here.command(&[])), &mut top, &mut page);
        }
        several => {
            // No run of its own, so what any experiment has is a parameter of the command that all of them inherit.
            let command = here.is_complete().then(|| here.command(&below(&config)));
            block(&config, &here, command.clone(), &mut top, &mut page);
            for (name, said) in several {
                let made = experiment(name, said, &here, command.as_deref(), &mut page);
                page.experiments.push(made);
            }
        }
    }
    page.top = top;
    Ok(page)
}

fn experiment(name: &str, said: &Plain, around: &Around, inherited: Option<&str>, page: &mut Page) -> Block {
    let here = around.with(said);
    let mut made = Block::default();
    made.set("", "name", toml::string(&label(name)), "");
    let inner = experiments(said);
    if !inner.is_empty() {
        made.set("", "include_self", "true".to_string(), "it is an experiment itself");
    }
    let command = here.command(&[]);
    block(said, &here, (inherited != Some(&command)).then(|| command.clone()), &mut made, page);
    for (name, said) in inner {
        let child = experiment(name, said, &here, Some(&command), page);
        made.inner.push(child);
    }
    made
}

fn experiments(said: &Plain) -> Vec<(&str, &Plain)> {
    said.entries().iter().filter(|(key, _)| key.starts_with('+')).map(|(key, value)| (key.as_str(), value)).collect()
}

/// The parameters of all experiments within.
fn below(said: &Plain) -> Vec<String> {
    let own =
        |inner: &Plain| inner.get("parameters").map_or(&[][..], Plain::entries).iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    experiments(said).into_iter().flat_map(|(_, inner)| [own(inner), below(inner)].concat()).collect()
}

fn label(name: &str) -> String {
    program::experiment_name(name.trim_start_matches('+'))
}

/// What makes the command, as it is inherited.
#[derive(Debug, Clone, Default)]
struct Around {
    prefix: Option<String>,
    file: Option<String>,
    format: Option<String>,
    params: Vec<String>,
}

impl Around {
    fn with(&self, said: &Plain) -> Around {
        let text = |key: &str, old: &Option<String>| said.get(key).and_then(Plain::text).map(str::to_string).or_else(|| old.clone());
        let mut params = self.params.clone();
        params.extend(said.get("parameters").map_or(&[][..], Plain::entries).iter().map(|(name, _)| name.clone()));
        Around {
            prefix: text("run_command_prefix", &self.prefix),
            file: text("main_code_file", &self.file),
            // The manual of then says it without the first s.
            format: text("parameters_format", &text("parameter_format", &self.format)),
            params,
        }
    }

    fn is_complete(&self) -> bool {
        self.prefix.is_some() || self.file.is_some()
    }

    /// With placeholders for its own parameters, and for `more`.
    fn command(&self, more: &[String]) -> String {
        let mut pieces = Vec::new();
        let words = [self.prefix.as_deref(), self.file.as_deref()];
        for text in words.into_iter().flatten().filter(|text| !text.trim().is_empty()) {
            pieces.push(Piece::Text(format!("{} ", text.trim())));
        }
        let Some(format) = &self.format else {
            pieces.push(Piece::Hole("flags".to_string()));
            return template(&pieces);
        };
        let mut rest = format.trim();
        while let Some((before, behind)) = rest.split_once('{') {
            match behind.split_once('}').filter(|(name, _)| is_name(name) && self.params.iter().chain(more).any(|known| known == name)) {
                Some((name, after)) => {
                    pieces.extend([Piece::Text(before.to_string()), Piece::Hole(name.to_string())]);
                    rest = after;
                }
                None => {
                    pieces.push(Piece::Text(format!("{before}{{")));
                    rest = behind;
                }
            }
        }
        pieces.push(Piece::Text(rest.to_string()));
        template(&pieces).trim_end().to_string()
    }
}

fn block(said: &Plain, here: &Around, command: Option<String>, block: &mut Block, page: &mut Page) {
    if let Some(command) = command {
        block.set("", "command", toml::string(&command), "");
        if here.format.is_none() {
            page.note("there is no parameters_format: {flags} writes --name value for each parameter");
        }
    }
    for (key, value) in said.entries() {
        match key.as_str() {
            "run_command_prefix" | "main_code_file" | "parameters_format" | "parameter_format" => {}
            key if key.starts_with('+') => {}
            "parameters" => value.entries().iter().for_each(|(name, value)| param(name, value, block, page)),
            "conditions" => value.entries().iter().for_each(|(name, condition)| rule(name, condition, block, page)),
            "outputs" => block.set("outputs", "keep", toml::strings(texts(value)), ""),
            "required_files" => {
                let files = texts(value).join(", ");
                block.remark(
                    "code",
                    &format!("required_files: {files}. The whole project is taken along; what git ignores is named in link = […]."),
                );
            }
            "sbatch_args" => {
                let (request, _) = sbatch::arguments(&texts(value).join(" "), page);
                request.write("slurm", block);
            }
            "custom_msg" => texts(value).into_iter().for_each(|text| block.remark("", text)),
            "collection" => page.note(format!("collection: {} is left out: `neronet tag` puts runs together", texts(value).join(", "))),
            "plot" => page.note("plot is left out: `neronet plot` draws any metric of any runs"),
            "output_line_processor" | "output_file_processor" => {
                page.note(format!("{key} is left out: metrics are read from what is printed; `neronet check --learn LOG` shows which"));
            }
            key => page.note(format!("{key} is left out")),
        }
    }
}

fn texts(value: &Plain) -> Vec<&str> {
    match value {
        Plain::List(items) => items.iter().filter_map(Plain::text).collect(),
        Plain::Text { text, .. } => vec![text],
        Plain::Map(_) => Vec::new(),
    }
}

fn param(name: &str, yaml: &Plain, block: &mut Block, page: &mut Page) {
    let Some(value) = value(yaml).filter(|value| is_name(name) && *value != Value::List(Vec::new())) else {
        return page.note(format!("parameter {name} is left out: its name or its value cannot be one"));
    };
    block.set("params", name, toml::value(&value), "");
}

/// A list varies, as it does here.
fn value(yaml: &Plain) -> Option<Value> {
    match yaml {
        Plain::Text { text, quoted: true } => Some(Value::Str(text.clone())),
        Plain::Text { text, .. } => Some(Value::as_typed(text)),
        Plain::List(items) => Some(Value::List(items.iter().map(value).collect::<Option<_>>()?)),
        Plain::Map(_) => None,
    }
}

fn rule(name: &str, condition: &Plain, block: &mut Block, page: &mut Page) {
    let said = |key: &str| condition.get(key).and_then(Plain::text).unwrap_or("");
    let comparator = match said("comparator") {
        "gt" => ">",
        "lt" => "<",
        "eq" => "==",
        "geq" => ">=",
        "leq" => "<=",
        _ => return page.note(format!("the condition {name} is left out: its comparator is none of gt, lt, eq, geq, leq")),
    };
    let (variable, value) = (said("variablename"), said("killvalue"));
    if variable.is_empty() || value.is_empty() {
        return page.note(format!("the condition {name} is left out: it lacks variablename or killvalue"));
    }
    let action = if said("action") == "warn" { "notify" } else { "stop" };
    let mut keys = vec![("when", toml::string(&format!("{variable} {comparator} {value}")))];
    if let Some(minutes) = said("when").strip_prefix("time").and_then(|rest| rest.trim().parse::<f64>().ok()) {
        keys.push(("after", toml::string(&format!("{minutes} min"))));
    }
    keys.push(("do", toml::string(action)));
    block.rule(keys);
}
