//! `targets.toml` in home, as far as it says something of this machine: `[targets.local] vars`, for `{target.NAME}`.

use crate::context::Context;
use crate::error::HomeError;
use toml::{Table, Value};

pub const FILE: &str = "targets.toml";
/// The machine itself.
const LOCAL: &str = "local";

/// The variables of this machine as a target. Without the file there are none.
pub fn variables(context: &Context) -> Result<Vec<(String, String)>, HomeError> {
    let path = context.home.root().join(FILE);
    let wrong = |what: String| HomeError::Words(format!("{}: {what}", path.display()));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(wrong(format!("it cannot be read: {e}"))),
    };
    let table: Table = text.parse().map_err(|e: toml::de::Error| wrong(format!("this is no TOML: {}", e.message())))?;
    let local = table.get("targets").and_then(|targets| targets.get(LOCAL)).and_then(|local| local.get("vars"));
    let Some(vars) = local else { return Ok(Vec::new()) };
    let Value::Table(vars) = vars else { return Err(wrong(format!("[targets.{LOCAL}] vars is a table, as {{ data = \"/data\" }}"))) };
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Integer(number) => Ok((name.clone(), number.to_string())),
        _ => Err(wrong(format!("the variable '{name}' of [targets.{LOCAL}] is no text"))),
    };
    vars.iter().map(text).collect()
}
