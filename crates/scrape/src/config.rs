//! Configuration that a script prints: `Namespace(…)`, and blocks of `name: value` lines as argparse and Hydra users print
//! them, and as objects such as `TrainingArguments(` and PyTorch's optimizers print themselves.

use crate::Found;
use crate::names::{Meaning, is_whole_result, judge};
use crate::state::Block;
use crate::structured::cut;

/// More parents than this is no configuration file.
const DEPTH: usize = 16;
/// Nor are more entries than this printed by anybody.
const MOST: usize = 500;

/// Reads `Namespace(a=1, b='x')` anywhere in a line.
pub(crate) fn namespace(line: &str, found: &mut Found) -> bool {
    let mut starts = memchr::memchr_iter(b'N', line.as_bytes());
    let Some(at) = starts.find(|at| line[*at..].starts_with("Namespace(")) else {
        return false;
    };
    let inner = &line[at + "Namespace(".len()..];
    let (mut depth, mut quote, mut from) = (0usize, None, 0);
    let mut end = None;
    let mut escaped = false;
    for (i, c) in inner.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => {
                end = Some(i);
                break;
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                argument(&inner[from..i], found);
                from = i + 1;
            }
            _ => {}
        }
    }
    argument(&inner[from..end.unwrap_or(inner.len())], found);
    found.reader = Some("config");
    true
}

fn argument(text: &str, found: &mut Found) {
    if let Some((name, value)) = text.split_once('=') {
        found.config.push((name.trim().to_string(), cut(unquoted(value).to_string())));
    }
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// Whether a line without numbers announces a configuration, e.g. `Arguments:`, `------ Options ------` or `TrainingArguments(`.
pub(crate) fn is_header(line: &str) -> bool {
    const OBJECTS: [&str; 7] = ["Arguments", "Args", "Config", "Configuration", "Options", "Settings", "Namespace"];
    if let Some(object) = line.trim_end().strip_suffix('(') {
        return OBJECTS.iter().any(|end| object.ends_with(end));
    }
    let bare = line.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.len() > 40 {
        return false;
    }
    matches!(
        bare.to_lowercase().as_str(),
        "options"
            | "arguments"
            | "args"
            | "config"
            | "configs"
            | "configuration"
            | "hyperparameters"
            | "hyper-parameters"
            | "hyper parameters"
            | "hparams"
            | "parameters"
            | "settings"
            | "command line arguments"
            | "training arguments"
            | "experiment config"
            | "training config"
            | "run config"
            | "training configuration"
            | "opts"
            | "flags"
    )
}

/// The block that `Parameter Group 0` begins within a printed optimizer.
pub(crate) fn parameter_group(line: &str) -> Option<Block> {
    let number: u16 = line.strip_prefix("Parameter Group ")?.trim_end().parse().ok()?;
    let parents = if number == 0 { Vec::new() } else { vec![(0, format!("group_{number}"))] };
    Some(Block { announced: true, parents, ..Block::default() })
}

/// A `name: value` or `name = value` line in its parts: indentation, name, value.
fn entry(line: &str) -> Option<(usize, &str, &str)> {
    let body = line.trim_start_matches([' ', '\t', '-', '|', '*', '>']);
    let indent = line.len() - body.len();
    let end = body.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))).unwrap_or(body.len());
    let (name, rest) = body.split_at(end);
    let rest = rest.trim_start().strip_prefix([':', '='])?;
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with(['/', ':']) {
        return None;
    }
    Some((indent, name, rest.trim()))
}

/// What a line is to a block. The block ends before all but `Taken`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Line {
    Taken,
    /// A name that was there before: these are values that change.
    Series,
    Other,
}

/// Reads a line within a block.
pub(crate) fn block_line(line: &str, block: &mut Block, found: &mut Found) -> Line {
    if matches!(line.trim(), "" | ")") {
        return Line::Other;
    }
    if !line.chars().any(char::is_alphanumeric) {
        return Line::Taken;
    }
    let Some((indent, name, value)) = entry(line) else { return Line::Other };
    let numeric = value.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    let ends = numeric
        && match judge(name).meaning {
            Meaning::Epoch | Meaning::Step | Meaning::GlobalStep => true,
            Meaning::Result => !block.announced || is_whole_result(name),
            _ => false,
        };
    if ends {
        return Line::Other;
    }
    let indent = u16::try_from(indent).unwrap_or(u16::MAX);
    while block.parents.last().is_some_and(|(outer, _)| *outer >= indent) {
        block.parents.pop();
    }
    if value.is_empty() {
        if block.parents.len() < DEPTH {
            block.parents.push((indent, cut(name.to_string())));
        }
        return Line::Taken;
    }
    // What an option's printer says of its default is not the value.
    let value = value.split("[default:").next().unwrap_or(value).trim_end().trim_end_matches([',', '|']).trim_end();
    let mut full = String::new();
    for (_, parent) in &block.parents {
        full.push_str(parent);
        full.push('.');
    }
    full.push_str(name);
    let hash = full.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    if block.seen.contains(&hash) || block.seen.len() >= MOST {
        return Line::Series;
    }
    block.seen.push(hash);
    found.config.push((full, cut(unquoted(value).to_string())));
    found.reader = Some("config");
    Line::Taken
}

/// Whether a line that held configuration is one of a block that has begun unannounced.
pub(crate) fn begins_block(line: &str) -> bool {
    entry(line).is_some_and(|(_, _, value)| !value.contains([' ', '=']) && !value.is_empty())
}
