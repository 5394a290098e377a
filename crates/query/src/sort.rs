//! What rows are sorted by, as it is written: `-val_acc.max,lr`, `lr desc`.

use crate::mistake::Mistake;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    /// From the largest to the smallest.
    pub descending: bool,
    /// Where it stands in the text, in bytes.
    pub at: usize,
}

/// Keys with commas between them, the first counting most. A name with a comma or an edge of blanks is put in quotes.
pub fn sort_keys(text: &str) -> Result<Vec<Key>, Mistake> {
    let mut keys = Vec::new();
    let mut at = 0;
    loop {
        let end = part_end(text, at)?;
        keys.push(key(text, at, end)?);
        if end == text.len() {
            return Ok(keys);
        }
        at = end + 1;
    }
}

/// The next comma outside quotes, or the end. Quotes are those that a name begins with: `it's` has none.
fn part_end(text: &str, from: usize) -> Result<usize, Mistake> {
    let part = &text[from..];
    let start = from + part.len() - part.trim_start_matches(|c: char| c.is_whitespace() || c == '-').len();
    let open = text[start..].chars().next().filter(|c| ['"', '\''].contains(c));
    let behind = match open {
        None => start,
        Some(quote) => match text[start + 1..].find(quote) {
            Some(end) => start + 1 + end + 1,
            None => return Err(Mistake::new("sort", text, start, "the quote does not end")),
        },
    };
    Ok(text[behind..].find(',').map_or(text.len(), |comma| behind + comma))
}

fn key(text: &str, from: usize, until: usize) -> Result<Key, Mistake> {
    let part = text[from..until].trim();
    let at = from + text[from..until].len() - text[from..until].trim_start().len();
    let (turned, name) = part.strip_prefix('-').map_or((false, part), |name| (true, name.trim_start()));
    let worded = |word: &str| {
        let (name, last) = name.rsplit_once(char::is_whitespace)?;
        last.eq_ignore_ascii_case(word).then_some(name.trim_end())
    };
    let (name, down) = match (worded("desc"), worded("asc")) {
        (Some(name), _) => (name, true),
        (_, Some(name)) => (name, false),
        _ => (name, false),
    };
    let unquoted = ['"', '\''].iter().find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote));
    let name = unquoted.unwrap_or(name);
    if name.is_empty() {
        return Err(Mistake::new("sort", text, at, "expected a name"));
    }
    Ok(Key { name: name.to_string(), descending: turned != down, at })
}
