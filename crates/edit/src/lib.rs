//! Values set by path in a configuration file (YAML, JSON, TOML, INI); all other bytes stay as they are.
//!
//! A reader for each format makes a `tree` of values that know their bytes. A `path` is looked up in it, the new value
//! is written as the format wants it, and only the bytes of the old one are replaced. The result is read again before
//! anybody gets it: it must differ in the values that were set and in nothing else. No I/O: text in, text out.

mod find;
mod ini;
mod json;
mod mistake;
mod near;
mod number;
mod path;
mod splice;
mod toml;
mod tree;
mod yaml;

pub use mistake::Mistake;

use find::find;
use mistake::Refusal;
use neronet_model::Value;
use neronet_model::settings::FileFormat;
use path::Path;
use splice::Splice;
use tree::{Kind, Node, Scalar};

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    /// Also with `//` and `/* */` comments and trailing commas.
    Json,
    Toml,
    /// As Python's configparser reads it.
    Ini,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Format {
        match format {
            FileFormat::Yaml => Format::Yaml,
            FileFormat::Json => Format::Json,
            FileFormat::Toml => Format::Toml,
            FileFormat::Ini => Format::Ini,
        }
    }
}

/// A configuration file is written by hand; what is larger is another file by mistake.
const LARGEST: usize = 16 << 20;
/// Values that a file may hold, as far as its separators tell before it is read.
const MOST_VALUES: usize = 200_000;
/// Changes to one file.
const MOST_CHANGES: usize = 10_000;
/// Mistakes that are worth a search for what was meant.
const HINTED: usize = 20;
/// Mistakes that are told at once; the place of each costs a look through the file.
const MOST_MISTAKES: usize = 100;
/// Lists and tables in each other.
const DEEPEST: usize = 100;
const BOM: &str = "\u{feff}";

impl Format {
    /// The format of a file by the ending of its name, in any case.
    pub fn of(path: &str) -> Option<Format> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "json" | "jsonc" => Some(Format::Json),
            "toml" => Some(Format::Toml),
            // A .conf of another kind is no INI for the reader either: it wants every line to be section, key or comment.
            "ini" | "cfg" | "conf" => Some(Format::Ini),
            _ => None,
        }
    }

    /// What a word without quotes becomes in place of `old`: the boolean or number that it means, or itself where the format has such
    /// a word.
    fn of_word(self, value: &Value, old: &str) -> Value {
        match value {
            Value::Word(word) => match (self, word.meaning()) {
                (Format::Ini, _) => value.clone(),
                (Format::Json, Some(Value::Float(number))) if !number.value().is_finite() && !json::is_odd(old) => {
                    Value::Str(word.text().to_string())
                }
                (_, Some(meaning)) => meaning,
                (Format::Yaml, None) => value.clone(),
                (Format::Json, None) if word.text() == "null" => value.clone(),
                _ => Value::Str(word.text().to_string()),
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.of_word(item, old)).collect()),
            value => value.clone(),
        }
    }

    fn read(self, text: &str) -> Result<Node, Mistake> {
        match self {
            Format::Yaml => yaml::read(text),
            Format::Json => json::read(text),
            Format::Toml => toml::read(text),
            Format::Ini => ini::read(text),
        }
    }

    /// The new value as it stands in the file, in place of `old`.
    fn write(self, value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
        match self {
            Format::Yaml => yaml::write(value, old, text),
            Format::Json => json::write(value, old, text),
            Format::Toml => toml::write(value, old, text),
            Format::Ini => ini::write(value, old, text),
        }
    }

    /// Whether a program that reads `scalar` sees `value`, which was written as `written`.
    fn reads_as(self, scalar: &Scalar, value: &Value, written: &str) -> bool {
        match self {
            Format::Yaml => yaml::reads_as(scalar, value),
            Format::Json => json::reads_as(scalar, value),
            Format::Toml => toml::reads_as(scalar, value),
            Format::Ini => ini::reads_as(scalar, written),
        }
    }
}

/// The text with the value at each path replaced, and no other byte changed.
///
/// A path is `optim.lr`, `layers.0.width` or `layers[0].width`; a name that has dots itself may be quoted as in TOML
/// (`'"a.b".c'`). In an INI file it is `section.key`, or `key` before any section. What is not there is never added.
///
/// - Numbers keep the form in which they are written (`1e-3`) where the format reads that as a number. YAML 1.1, which
///   most Python programs read, takes `1e-3` for a text, so YAML gets `1.0e-3`; TOML and JSON want digits on both sides of a
///   point.
/// - A text is quoted wherever the format would read it as something else, in the quotes of the old value where they can
///   hold it. Instead of a date, a text that is a date is written bare, so that it stays one. INI has no quotes: what would
///   not come through as it is (line breaks, blanks at the ends, comment signs) is a mistake.
/// - A word that stood without quotes is the boolean or number that it means (`True`, `.5`, `1_000`); `null` and its likes are
///   written without quotes where the format has them. What the format cannot say is a text, as `inf` in JSON.
/// - A list takes the place of a list or of a scalar, on one line; comments between the elements of the old one go with
///   them, those around it stay. In an INI file it is the text that a command would get, `[1, 2]`. A table is never replaced.
/// - A YAML anchor stays with the value that it names, so what refers to it changes along. A path that leads through an
///   alias or `<<`, and a value with a tag, are mistakes.
/// - A boolean in an INI file is written as the old value was: `yes`, `on`, `True`, `1`, else `true`.
///
/// All mistakes that could be found come back at once (at most a hundred), and then nothing is changed.
pub fn set(text: &str, format: Format, changes: &[(String, Value)]) -> Result<String, Vec<Mistake>> {
    let (bom, body) = opened(text, changes.len())?;
    let root = format.read(body).map_err(|mistake| vec![mistake])?;
    let paths: Vec<&str> = changes.iter().map(|(path, _)| path.as_str()).collect();
    let (nodes, mut mistakes) = targets(body, &root, &paths);
    let old = |node: &Option<&Node>| node.map_or("", |node| &body[node.slot.clone()]);
    let values: Vec<Value> = nodes.iter().zip(changes).map(|(node, (_, value))| format.of_word(value, old(node))).collect();
    let mut splices = Vec::new();
    for ((node, path), value) in nodes.into_iter().zip(paths).zip(&values) {
        let Some(node) = node.filter(|_| mistakes.len() < MOST_MISTAKES) else { continue };
        match suits(node, value, path).and_then(|()| format.write(value, node, body)) {
            Ok(written) => splices.push(Splice { node, path, value, written }),
            Err(refusal) => mistakes.push(refusal.at(path, body, node.slot.start)),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    splices.sort_by_key(|splice| splice.node.slot.start);
    let edited = splice::apply(body, &splices);
    splice::verify(format, (&root, body), &edited, &splices).map_err(|mistake| vec![mistake])?;
    Ok(format!("{bom}{edited}"))
}

/// Whether there is a value at each path that [`set`] could replace; for a look before anything runs.
pub fn check(text: &str, format: Format, paths: &[String]) -> Result<(), Vec<Mistake>> {
    let (_, body) = opened(text, paths.len())?;
    let root = format.read(body).map_err(|mistake| vec![mistake])?;
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (_, mistakes) = targets(body, &root, &paths);
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// The byte order mark, if there is one, and the text behind it; nothing that is too large to be read.
fn opened(text: &str, changes: usize) -> Result<(&str, &str), Vec<Mistake>> {
    let refused = |message: String| Err(vec![Mistake::of_file(message)]);
    if text.len() > LARGEST {
        return refused(format!("it is larger than {} MB, so it is no configuration file", LARGEST >> 20));
    }
    if changes > MOST_CHANGES {
        return refused(format!("more than {MOST_CHANGES} values are set in it"));
    }
    if text.bytes().filter(|byte| b",:=[{-\n".contains(byte)).count() > MOST_VALUES {
        return refused(format!("it may hold more than {MOST_VALUES} values, so it is no configuration file"));
    }
    Ok(text.split_at(if text.starts_with(BOM) { BOM.len() } else { 0 }))
}

/// The value at each path, where there is one that may be replaced.
fn targets<'t>(text: &str, root: &'t Node, paths: &[&str]) -> (Vec<Option<&'t Node>>, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut nodes = Vec::with_capacity(paths.len());
    for path in paths {
        if mistakes.len() >= MOST_MISTAKES {
            return (nodes, mistakes);
        }
        let found = Path::parse(path).map_err(|refusal| refusal.at(path, text, 0)).and_then(|parsed| {
            let node = find(root, &parsed).map_err(|lost| lost.mistake(root, path, &parsed, text, mistakes.len() < HINTED))?;
            may_change(node, path).map_err(|refusal| refusal.at(path, text, node.slot.start))?;
            Ok(node)
        });
        nodes.push(found.map_err(|mistake| mistakes.push(mistake)).ok());
    }
    let mut placed: Vec<(&Node, &str)> = nodes.iter().zip(paths).filter_map(|(node, path)| Some(((*node)?, *path))).collect();
    placed.sort_by_key(|(node, _)| node.slot.start);
    let mut before: Option<(&Node, &str)> = None;
    for (node, path) in placed {
        if mistakes.len() >= MOST_MISTAKES {
            break;
        }
        match before {
            Some((other, first)) if node.slot.start < other.end() || node.slot.start == other.slot.start => {
                let message = match std::ptr::eq(node, other) {
                    true => format!("'{first}' is set twice"),
                    false => format!("'{first}' and '{path}' are both set, and one is inside the other"),
                };
                mistakes.push(Refusal::new(message).at(path, text, node.slot.start));
            }
            _ => before = Some((node, path)),
        }
    }
    (nodes, mistakes)
}

fn may_change(node: &Node, path: &str) -> Result<(), Refusal> {
    match (&node.kind, node.locked) {
        (Kind::Table(_), _) => {
            let hint = format!("set the values in it, such as '{path}.NAME'");
            Err(Refusal::new(format!("'{path}' is a table, which is not replaced as a whole")).hint(hint))
        }
        (Kind::Alias, _) => {
            let hint = "write the value itself in the file in place of the alias".to_string();
            Err(Refusal::new(format!("'{path}' is an alias: its value is written elsewhere, and belongs to other places too")).hint(hint))
        }
        (_, Some(reason)) => Err(Refusal::new(format!("'{path}' cannot be set: {reason}"))),
        _ => Ok(()),
    }
}

/// A list is replaced only by a list: a single value in its place is a slip.
fn suits(node: &Node, value: &Value, path: &str) -> Result<(), Refusal> {
    match (&node.kind, value) {
        (Kind::List(_), Value::List(_)) | (Kind::Scalar(_), _) => Ok(()),
        (Kind::List(items), value) => {
            let hint = match items.is_empty() {
                true => format!("give a list: [{value}]"),
                false => format!("give a list, or set one element: '{path}.0'"),
            };
            Err(Refusal::new(format!("'{path}' is a list, and the new value is none")).hint(hint))
        }
        _ => Ok(()),
    }
}
