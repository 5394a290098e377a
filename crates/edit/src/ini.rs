//! INI as Python's configparser reads it: sections, `key = value` or `key: value`, deeper indented lines that go on with a
//! value, `#` and `;` for comments, also behind a value and a blank.

use crate::mistake::{Mistake, Refusal, quoted};
use crate::tree::{Kind, Node, Scalar, Table};
use neronet_model::Value;
use std::ops::Range;

const BARE: &str = "it stands without '=', so it has no value";
const UNCLEAR: &str = "what follows '=' may be its value or a comment; move the comment to a line of its own";
const MAY_BE_KEY: &str = "an indented line below it may go on with its value or be a key of its own; take away the indentation, or the '='";

pub(crate) fn read(text: &str) -> Result<Node, Mistake> {
    let mut reader = Reader { text, root: Table::default(), section: None, open: None };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        reader.line(start, line.trim_end_matches(['\r', '\n'])).map_err(|(refusal, place)| refusal.in_file(text, place))?;
        start += line.len();
    }
    reader.close_section().map_err(|(refusal, place)| refusal.in_file(text, place))?;
    Ok(Node::new(0..0, Kind::Table(reader.root)))
}

struct Reader<'a> {
    text: &'a str,
    root: Table,
    /// The section that is being read; none before the first.
    section: Option<(String, usize, Table)>,
    open: Option<Open>,
}

/// A key whose value may go on below.
struct Open {
    key: String,
    indent: usize,
    value: Range<usize>,
    line_end: usize,
    /// From the end of its line to that of the last one that goes on with the value.
    rest: Option<Range<usize>>,
    locked: Option<&'static str>,
}

/// What is wrong, and at which byte.
type Outcome<T> = Result<T, (Refusal, usize)>;

impl Reader<'_> {
    fn line(&mut self, start: usize, line: &str) -> Outcome<()> {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return Ok(());
        }
        if line.contains('\r') {
            return Err((Refusal::new("a line holds a carriage return, which some readers take for its end"), start));
        }
        let indent = line.len() - line.trim_start().len();
        if let Some(open) = self.open.as_mut().filter(|open| indent > open.indent) {
            open.go_on(self.text, start + indent..start + indent + value_length(content));
            return Ok(());
        }
        self.close_key()?;
        if let Some(header) = content.strip_prefix('[') {
            let end = header.rfind(']').filter(|end| *end > 0);
            let end = end.ok_or_else(|| (Refusal::new("the name of a section is not closed").hint("write [NAME]"), start))?;
            // A comment may have a bracket too.
            let end = header[..end].find(']').filter(|first| is_comment(&header[first + 1..])).unwrap_or(end);
            if !is_comment(&header[end + 1..]) {
                return Err((Refusal::new("something follows the name of a section").hint("one section on a line"), start));
            }
            self.close_section()?;
            self.section = Some((header[..end].to_string(), start + indent, Table::default()));
            return Ok(());
        }
        self.open = Some(Open::at(start, line, indent).map_err(|refusal| (refusal, start))?);
        Ok(())
    }

    fn close_key(&mut self) -> Outcome<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let table = self.section.as_mut().map_or(&mut self.root, |(_, _, table)| table);
        let place = open.value.start;
        let mut node = Node::scalar(open.value, "", true);
        if let Some(rest) = open.rest {
            node.rest = rest;
        }
        node.kind = Kind::Scalar(Scalar { text: self.text[node.slot.start..node.end()].into(), quoted: true });
        node.locked = open.locked;
        let folded = table.folded.entry(open.key.to_lowercase());
        folded.and_modify(|key| *key = None).or_insert_with(|| Some(open.key.clone()));
        if table.add(open.key.clone(), node) { Ok(()) } else { Err((twice("the key", &open.key), place)) }
    }

    fn close_section(&mut self) -> Outcome<()> {
        self.close_key()?;
        let Some((name, at, table)) = self.section.take() else { return Ok(()) };
        let added = self.root.add(name.clone(), Node::new(at..at, Kind::Table(table)));
        if added { Ok(()) } else { Err((twice("the section or key", &name), at)) }
    }
}

fn twice(what: &str, name: &str) -> Refusal {
    Refusal::new(format!("{what} {} is there twice", quoted(name)))
}

impl Open {
    fn at(start: usize, line: &str, indent: usize) -> Result<Open, Refusal> {
        let line_end = start + line.len();
        let Some(sign) = line.find(['=', ':']) else {
            let word = line.trim();
            if !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
                return Err(Refusal::new(format!("{} is no section, key or comment of an INI file", quoted(word))));
            }
            let end = start + indent + word.len();
            return Ok(Open { key: word.to_string(), indent, value: end..end, line_end, rest: None, locked: Some(BARE) });
        };
        let key = line[..sign].trim().to_string();
        if key.is_empty() {
            return Err(Refusal::new("a key is missing before '=' or ':'"));
        }
        let behind = &line[sign + 1..];
        let value = behind.trim_start();
        let from = start + line.len() - value.len();
        let (value, locked) = match value_length(value) {
            0 if value.trim().is_empty() => (start + sign + 1..start + sign + 1, None),
            0 => (from..from, Some(UNCLEAR)),
            length => (from..from + length, None),
        };
        Ok(Open { key, indent, value, line_end, rest: None, locked })
    }

    /// One more line of the value.
    fn go_on(&mut self, text: &str, line: Range<usize>) {
        let name = text[line.clone()].split(['=', ':']).next().unwrap_or("").trim_end();
        let sign = text[line.start + name.len()..line.end].trim_start();
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        // `a==1` is a requirement of a Python package.
        if !self.value.is_empty() && is_name && !sign.is_empty() && !sign.starts_with("==") {
            self.locked = self.locked.or(Some(MAY_BE_KEY));
        }
        self.rest = Some(self.line_end..line.end);
    }
}

/// The length of a value at the start of `text`, without a comment and blanks behind it.
fn value_length(text: &str) -> usize {
    // In quotes a comment sign is none.
    let mut from = 0;
    if let Some(quote) = text.chars().next().filter(|c| ['"', '\''].contains(c)) {
        from = text[1..].find(quote).map_or(0, |end| end + 2);
    }
    let signs = text[from..].match_indices(['#', ';']).map(|(at, _)| from + at);
    let comment = signs.into_iter().find(|at| text[..*at].ends_with(char::is_whitespace) || *at == 0);
    text[..comment.unwrap_or(text.len())].trim_end().len()
}

/// Whether nothing but a comment is there.
fn is_comment(text: &str) -> bool {
    text.trim().is_empty() || text.trim_start().starts_with(['#', ';'])
}

pub(crate) fn write(value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
    let was = &text[old.slot.clone()];
    let quote = was.chars().next().filter(|c| ['"', '\''].contains(c) && was.matches(*c).count() == 2 && was.ends_with(*c));
    let bare = quote.map_or(was, |_| &was[1..was.len() - 1]);
    let new = match &*value.meaning() {
        Value::Bool(bool) => as_boolean(*bool, bare).unwrap_or_else(|| value.to_string()),
        _ => value.to_string(),
    };
    let refused = |why: &str| Err(Refusal::new(format!("{} cannot stand in an INI file: {why}", quoted(&new))));
    if new.contains(|c: char| c.is_control() && c != '\t') {
        return refused("it has a line break or a control character");
    }
    let stays = [&text[old.slot.end..old.rest.start], text[old.end()..].lines().next().unwrap_or("")];
    if new.is_empty() && quote.is_none() && stays.iter().any(|text| !text.trim().is_empty()) {
        return refused("the comment behind it would become the value");
    }
    // Not every reader knows quotes, so none of them hide a comment sign.
    let signs = new.match_indices(['#', ';']).any(|(at, _)| new[..at].ends_with(char::is_whitespace) || (at == 0 && quote.is_none()));
    if signs {
        return refused("a part of it would be a comment");
    }
    let written = match quote {
        Some(quote) if new.contains(quote) => return refused("the value stands in quotes, and it has such a quote itself"),
        Some(quote) => format!("{quote}{new}{quote}"),
        None if new.trim() != new => return refused("blanks at its ends would be lost"),
        None => new,
    };
    // `key =` without a value goes on with a blank, `key=` does not.
    let before = &text[..old.slot.start];
    let airy = before.ends_with(':') || before.strip_suffix('=').is_some_and(|key| key.ends_with([' ', '\t']));
    Ok(if old.slot.is_empty() && airy && !written.is_empty() { format!(" {written}") } else { written })
}

/// In the words of the old value.
fn as_boolean(new: bool, old: &str) -> Option<String> {
    const PAIRS: [[&str; 2]; 4] = [["no", "yes"], ["off", "on"], ["false", "true"], ["0", "1"]];
    let low = old.to_lowercase();
    let word = PAIRS.iter().find(|pair| pair.contains(&low.as_str()))?[usize::from(new)];
    Some(match (old.starts_with(char::is_uppercase), old.ends_with(char::is_uppercase)) {
        (true, true) => word.to_uppercase(),
        (true, false) => word[..1].to_uppercase() + &word[1..],
        _ => word.to_string(),
    })
}

pub(crate) fn reads_as(scalar: &Scalar, written: &str) -> bool {
    *scalar.text == *written.trim()
}
