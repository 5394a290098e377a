//! Drafts as their readers get them: whole files for real sources, and what must hold for any text.

mod argv;
mod hostile;
mod said;
mod whole;

use neronet_draft::Draft;
use neronet_spec::{Plan, Problems};

/// As of a variable or a flag: good enough for tests.
fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.ends_with(word))
}

/// Reads a draft as `neronet check` would, once what is required has a value.
fn read(draft: &Draft) -> Result<Plan, Problems> {
    neronet_spec::parse(&draft.text.replace(" = []", " = 0"), "neronet.toml", None, &[])
}
