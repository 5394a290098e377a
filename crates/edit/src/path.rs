//! A path to a value as it is written: `optim.lr`, `layers[0].width`, `"a.b".c`.

use crate::mistake::{Refusal, quoted};

#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// A name, or the number of a list's element; perhaps only the part of a name before a dot.
    Bare,
    Quoted,
    /// `[0]`: only the number of an element.
    Index,
}

/// Bytes; no name is that long.
const LONGEST: usize = 1000;

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Path, Refusal> {
        let refused = |why: &str| Refusal::new(format!("{} is no path: {why}", quoted(text))).hint("write it as in optim.lr or layers.0");
        if text.len() > LONGEST {
            return Err(refused("it is too long"));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            // A list may be the outermost value: `[0].lr`.
            if !steps.is_empty() || bracketed(rest).is_none() {
                let (step, after) = step(rest).map_err(refused)?;
                steps.push(step);
                rest = after;
            }
            while let Some((index, after)) = bracketed(rest) {
                steps.push(Step { name: index.to_string(), form: Form::Index });
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.is_empty() => return Ok(Path { steps }),
                None => return Err(refused("a dot is missing behind a quote or bracket")),
            }
        }
    }
}

fn step(text: &str) -> Result<(Step, &str), &'static str> {
    let quoted = |name: String, after| Ok((Step { name, form: Form::Quoted }, after));
    if let Some(inside) = text.strip_prefix('\'') {
        let (name, after) = inside.split_once('\'').ok_or("a ' is missing")?;
        return quoted(name.to_string(), after);
    }
    if text.starts_with('"') {
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        let (end, _) = end.ok_or("a \" is missing")?;
        let name = toml::de::DeValue::parse(&text[..=end]).ok();
        let name = name.and_then(|value| value.get_ref().as_str().map(str::to_string)).ok_or("an escape in it is none")?;
        return quoted(name, &text[end + 1..]);
    }
    let end = text.char_indices().find(|(at, c)| *c == '.' || bracketed(&text[*at..]).is_some());
    let (name, after) = text.split_at(end.map_or(text.len(), |(at, _)| at));
    if name.is_empty() { Err("a name is empty") } else { Ok((Step { name: name.to_string(), form: Form::Bare }, after)) }
}

/// `[12]` and what follows it.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (index, after) = text.strip_prefix('[')?.split_once(']')?;
    let number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    (number && (after.is_empty() || after.starts_with(['.', '[']))).then_some((index, after))
}

/// A key as a step of a path, in quotes where it would be read as something else.
pub(crate) fn shown(key: &str) -> String {
    let plain = !key.is_empty() && !key.contains(['.', '"', '\'', '[', ']']) && !key.chars().any(char::is_control);
    if plain { key.to_string() } else { serde_json::to_string(key).unwrap_or_else(|_| key.to_string()) }
}
