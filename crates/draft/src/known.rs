//! Variables of a script that become parameters: those of loops and of arrays of jobs, and those that are set to a plain value.

use crate::toml;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<String, Variable>);

#[derive(Debug)]
struct Variable {
    /// The name of the parameter, where no flag gives a better one.
    name: String,
    toml: String,
    /// Nothing else uses it, as far as is known.
    once: bool,
}

impl Known {
    /// `NAME=value`
    pub(crate) fn assign(&mut self, name: &str, value: &str, once: bool) {
        self.0.insert(name.to_string(), Variable { name: name.to_lowercase(), toml: toml::typed(value), once });
    }

    /// `for NAME in …`
    pub(crate) fn vary(&mut self, name: &str, values: &[String], once: bool) {
        let values: Vec<_> = values.iter().map(|value| neronet_model::Value::as_typed(value)).collect();
        self.0.insert(name.to_string(), Variable { name: name.to_lowercase(), toml: toml::list(&values), once });
    }

    /// A word that differs between the lines of a list.
    pub(crate) fn differ(&mut self, variable: &str, name: &str, toml: String) {
        self.0.insert(variable.to_string(), Variable { name: name.to_string(), toml, once: true });
    }

    /// The number of a job in an array.
    pub(crate) fn index(&mut self, variable: &str, toml: String) {
        self.0.insert(variable.to_string(), Variable { name: "task".to_string(), toml, once: false });
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn once(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|variable| variable.once)
    }

    pub(crate) fn name(&self, name: &str) -> String {
        self.0.get(name).map_or(name, |variable| &variable.name).to_string()
    }

    pub(crate) fn toml(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|variable| variable.toml.clone())
    }
}
