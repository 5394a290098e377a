//! How long a training is, as its parameters say. Pure.

use neronet_model::{Params, Value};

/// Parameters that say how long a training is, by the last part of their names.
pub(crate) const EPOCHS: [&str; 6] = ["epochs", "max_epochs", "num_epochs", "n_epochs", "num_train_epochs", "train_epochs"];
pub(crate) const STEPS: [&str; 12] = [
    "steps",
    "max_steps",
    "num_steps",
    "total_steps",
    "train_steps",
    "iterations",
    "max_iterations",
    "num_iterations",
    "iters",
    "max_iters",
    "num_iters",
    "total_timesteps",
];

/// Every parameter that says so, and its value.
pub(crate) type Lengths = Vec<(String, f64)>;

pub(crate) fn all(params: &Params) -> Lengths {
    let mut all: Lengths =
        params.iter().filter_map(|(name, value)| Some((name.to_string(), count(name, value, &[&EPOCHS, &STEPS])?))).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// A parameter with one of these names, and its value.
pub(crate) fn given(params: &Params, names: &[&str]) -> Option<(f64, Option<String>)> {
    params.iter().find_map(|(name, value)| Some((count(name, value, &[names])?, Some(name.to_string()))))
}

fn count(name: &str, value: &Value, names: &[&[&str]]) -> Option<f64> {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase().replace('-', "_");
    let count = match value {
        Value::Str(text) => text.parse().ok(),
        other => other.number(),
    };
    count.filter(|count: &f64| *count > 0.0 && count.is_finite() && names.iter().any(|names| names.contains(&last.as_str())))
}
