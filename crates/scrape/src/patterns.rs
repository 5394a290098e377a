//! The researcher's own patterns, and the names that are never recorded.

use crate::Found;
use crate::structured::whole;
use regex::Regex;

/// `[metrics] patterns`: the groups `step`, `steps`, `epoch`, `epochs` and `time` are axes, each other named group is a metric.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(Vec<Regex>);

impl Patterns {
    pub(crate) fn new(patterns: &[String]) -> Result<Patterns, String> {
        let mut compiled = Vec::with_capacity(patterns.len());
        for (i, pattern) in patterns.iter().enumerate() {
            let regex = Regex::new(pattern).map_err(|error| format!("pattern {} is no regular expression: {error}", i + 1))?;
            if regex.capture_names().flatten().next().is_none() {
                return Err(format!(
                    "pattern {} '{pattern}' has no named group, so it would read nothing: name what it reads, as in 'loss is (?P<loss>\\S+)'",
                    i + 1
                ));
            }
            compiled.push(regex);
        }
        Ok(Patterns(compiled))
    }

    /// Reads the groups of every pattern that matches. False: none does.
    pub(crate) fn read(&self, line: &str, found: &mut Found) -> bool {
        let mut matched = false;
        for regex in &self.0 {
            let Some(groups) = regex.captures(line) else { continue };
            matched = true;
            found.reader = Some("pattern");
            for name in regex.capture_names().flatten() {
                let Some(value) = groups.name(name).and_then(|group| number(group.as_str())) else {
                    continue;
                };
                match name {
                    "step" => found.step = whole(value),
                    "steps" => found.steps = whole(value),
                    "epoch" => found.epoch = value.is_finite().then_some(value),
                    "epochs" => found.epochs = value.is_finite().then_some(value),
                    "time" => found.time = value.is_finite().then_some(value),
                    _ => found.set(name.to_string(), value),
                }
            }
        }
        matched
    }
}

/// A number as people print it: `1,234`, `98 %` and a full stop at its end are understood.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches(['%', ',', ';']).trim_end();
    crate::table::number(text)
        .or_else(|| crate::table::number(text.trim_end_matches('.')))
        .or_else(|| crate::table::number(&text.replace(',', "")))
}

/// `[metrics] ignore`: names, exact or with `*`.
#[derive(Clone, Debug, Default)]
pub struct Ignore(Vec<String>);

impl Ignore {
    pub fn new(names: &[String]) -> Ignore {
        Ignore(names.to_vec())
    }

    /// Takes what has such a name out of what was found.
    pub fn filter(&self, found: &mut Found) {
        if !self.0.is_empty() {
            found.values.retain(|(name, _)| !self.has(name));
            found.tags.retain(|(name, _)| !self.has(name));
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|glob| matches(glob.as_bytes(), name.as_bytes()))
    }
}

/// Whether `name` is `glob`, where `*` stands for any text.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n) = (0, 0);
    // Where the last star was, and how much of the name it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, n));
            g += 1;
        } else if glob.get(g) == Some(&name[n]) {
            g += 1;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            g = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|byte| *byte == b'*')
}
