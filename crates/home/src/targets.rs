//! `targets.toml` in home, as far as it says something of this machine: `[targets.local]`, its `vars` for `{target.NAME}` among it.

use crate::context::Context;
use crate::error::HomeError;
use toml::{Table, Value};

pub const FILE: &str = "targets.toml";
/// The machine itself.
const LOCAL: &str = "local";

/// What it says of this machine; nothing without the file.
pub(crate) fn local(context: &Context) -> Result<Table, HomeError> {
    let path = context.home.root().join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Table::new()),
        Err(e) => return Err(wrong(context, format!("it cannot be read: {e}"))),
    };
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| wrong(context, format!("this is no TOML: {}", e.message())))?;
    match table.get_mut("targets").and_then(|targets| targets.as_table_mut()?.remove(LOCAL)) {
        None => Ok(Table::new()),
        Some(Value::Table(local)) => Ok(local),
        Some(_) => Err(wrong(context, format!("[targets.{LOCAL}] is a table"))),
    }
}

pub(crate) fn wrong(context: &Context, what: String) -> HomeError {
    HomeError::Words(format!("{}: {what}", context.home.root().join(FILE).display()))
}

/// The variables of this machine as a target. Without the file there are none.
pub fn variables(context: &Context) -> Result<Vec<(String, String)>, HomeError> {
    let wrong = |what| wrong(context, what);
    let mut local = local(context)?;
    let Some(vars) = local.remove("vars") else { return Ok(Vec::new()) };
    let Value::Table(vars) = vars else { return Err(wrong(format!("[targets.{LOCAL}] vars is a table, as {{ data = \"/data\" }}"))) };
    let text = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Integer(number) => Ok((name.clone(), number.to_string())),
        _ => Err(wrong(format!("the variable '{name}' of [targets.{LOCAL}] is no text"))),
    };
    vars.iter().map(text).collect()
}
