//! The words of a shell's text: what each says when it says it literally, which variables it holds, and what joins the commands.
//! Enough for job scripts and lists of commands; what is beyond it is an error, and the caller keeps the text as it is.

use std::ops::Range;

/// No command line that a person wrote has more.
pub(crate) const MOST_WORDS: usize = 2000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// As it is written, quotes included.
    pub(crate) raw: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `$NAME` or `${NAME}`, and where it stands in the raw word.
    Variable(String, Range<usize>),
    /// What only a shell can tell: `$(…)`, `*`, `~`.
    Other,
}

/// One command with its words; redirections stand apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    pub(crate) words: Vec<Word>,
    /// Where output goes, as written: `> log.txt`, `2>&1`.
    pub(crate) outputs: Vec<String>,
    /// What is read: `< data`.
    pub(crate) inputs: Vec<String>,
    /// The operator behind it: `;`, `&&`, `|`, `&`, a new line; empty at the end.
    pub(crate) joined: String,
}

impl Word {
    /// A word that somebody typed, quoted where it must be.
    pub(crate) fn typed(text: &str) -> Word {
        Word { raw: quoted(text), parts: vec![Part::Text(text.to_string())] }
    }

    /// A text with a variable behind it.
    pub(crate) fn with_variable(beginning: &str, name: &str) -> Word {
        let beginning_raw = if beginning.is_empty() { String::new() } else { quoted(beginning) };
        let raw = format!("{beginning_raw}${name}");
        let variable = Part::Variable(name.to_string(), beginning_raw.len()..raw.len());
        let text = (!beginning.is_empty()).then(|| Part::Text(beginning.to_string()));
        Word { raw, parts: text.into_iter().chain([variable]).collect() }
    }

    /// A piece of a script as it stands.
    pub(crate) fn written(raw: &str) -> Word {
        Word { raw: raw.to_string(), parts: vec![Part::Other] }
    }

    /// The text that a program sees, where that is known.
    pub(crate) fn literal(&self) -> Option<String> {
        self.parts.iter().map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect()
    }

    /// The text up to the first thing that only a shell can tell.
    pub(crate) fn beginning(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The variable that this word is, behind `beginning` bytes of text.
    pub(crate) fn variable_behind(&self, beginning: &str) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Variable(name, _)] if beginning.is_empty() => Some(name),
            [Part::Text(text), Part::Variable(name, _)] if text == beginning => Some(name),
            _ => None,
        }
    }

    /// Its variables, and where they stand in the raw word.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.parts.iter().filter_map(|part| if let Part::Variable(name, at) = part { Some((name.as_str(), at.clone())) } else { None })
    }
}

impl Statement {
    /// Its words as they are written.
    pub(crate) fn raw(&self) -> String {
        let words = self.words.iter().map(|word| word.raw.as_str());
        words.chain(self.inputs.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    /// The literal text of a word.
    pub(crate) fn word(&self, at: usize) -> String {
        self.words.get(at).and_then(Word::literal).unwrap_or_default()
    }
}

/// A text as one word of the shell. `${` is taken apart: in a template it would begin something else.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:,+%@=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', r"'\''").replace("${", "$''{"))
}

/// The assignment that a word is: `NAME=value`, with the raw value.
pub(crate) fn assignment(word: &Word) -> Option<(&str, Word)> {
    let (name, rest) = word.beginning().split_once('=')?;
    let good =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // A quoted name assigns nothing.
    if !good || !word.raw.starts_with(name) {
        return None;
    }
    let cut = name.len() + 1;
    let mut parts: Vec<Part> = word.parts[1..].to_vec();
    parts.iter_mut().for_each(|part| {
        if let Part::Variable(_, at) = part {
            *at = at.start - cut..at.end - cut;
        }
    });
    parts.insert(0, Part::Text(rest.to_string()));
    if rest.is_empty() && parts.len() > 1 {
        parts.remove(0);
    }
    Some((name, Word { raw: word.raw[cut..].to_string(), parts }))
}

/// The commands of a text. Says in few words what it cannot take apart.
pub(crate) fn statements(text: &str) -> Result<Vec<Statement>, &'static str> {
    let mut reader = Reader { text, at: 0 };
    let mut all = Vec::new();
    let mut now = Statement::default();
    while let Some(c) = reader.peek() {
        let rest = reader.rest();
        let operator =
            ["&>>", "&>", "&&", "||", ";;", "|&", ";", "&", "|", "\n", "(", ")"].into_iter().find(|known| rest.starts_with(known));
        let redirection = reader.redirection();
        if rest.starts_with("\\\n") {
            reader.at += 2;
        } else if matches!(c, ' ' | '\t' | '\r') {
            reader.at += 1;
        } else if c == '#' {
            reader.at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(length) = redirection {
            let operator = rest[..length].to_string();
            reader.at += length;
            if operator.contains("<<") && !operator.contains("<<<") {
                return Err("a here-document");
            }
            let blanks = reader.rest().len() - reader.rest().trim_start_matches([' ', '\t']).len();
            reader.at += blanks;
            let file = reader.word()?;
            let written = format!("{operator}{}{}", if blanks > 0 { " " } else { "" }, file.raw);
            if operator.contains('<') { now.inputs.push(written) } else { now.outputs.push(written) }
        } else if let Some(operator) = operator {
            if matches!(operator, "(" | ")" | ";;") {
                return Err("a group in parentheses");
            }
            reader.at += operator.len();
            if !now.words.is_empty() {
                now.joined = operator.to_string();
                all.push(std::mem::take(&mut now));
            } else if operator == "&&" || operator == "||" || operator.starts_with('|') {
                // The end of a line joins what an operator before it left open.
                return Err("an operator without a command before it");
            }
        } else {
            now.words.push(reader.word()?);
            if now.words.len() > MOST_WORDS {
                return Err("more words than a command has");
            }
        }
    }
    if !now.words.is_empty() {
        all.push(now);
    }
    Ok(all)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The length of the redirection that begins here.
    fn redirection(&self) -> Option<usize> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let known = ["&>>", "&>", "<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">"];
        let found = known.into_iter().find(|known| rest[digits..].starts_with(known) && (digits == 0 || !known.starts_with('&')));
        found.map(|known| digits + known.len())
    }

    fn word(&mut self) -> Result<Word, &'static str> {
        let start = self.at;
        let mut parts: Vec<Part> = Vec::new();
        let mut braces = false;
        while let Some(c) = self.peek() {
            let rest = self.rest();
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | ')' => break,
                // `NAME=(a b)`, and nothing else.
                '(' if self.text[start..self.at].ends_with('=') => {
                    self.skip('(', ')')?;
                    parts.push(Part::Other);
                }
                '(' => break,
                '\'' => {
                    let end = rest[1..].find('\'').ok_or("a quote that is never closed")?;
                    text(&rest[1..1 + end], &mut parts);
                    self.at += end + 2;
                }
                '"' => {
                    self.at += 1;
                    text("", &mut parts);
                    self.double(start, &mut parts)?;
                }
                '\\' if rest.starts_with("\\\n") => self.at += 2,
                '\\' => {
                    let escaped = rest[1..].chars().next().ok_or("a backslash at the end")?;
                    text(escaped.encode_utf8(&mut [0; 4]), &mut parts);
                    self.at += 1 + escaped.len_utf8();
                }
                '$' => self.dollar(start, &mut parts)?,
                '`' => self.backtick(&mut parts)?,
                '*' | '?' => {
                    parts.push(Part::Other);
                    self.at += 1;
                }
                '~' if self.at == start || self.text[start..self.at].ends_with('=') => {
                    parts.push(Part::Other);
                    self.at += 1;
                }
                c => {
                    braces |= c == '{' && rest.find('}').is_some_and(|end| rest[..end].contains(',') || rest[..end].contains(".."));
                    text(c.encode_utf8(&mut [0; 4]), &mut parts);
                    self.at += c.len_utf8();
                }
            }
        }
        if braces {
            parts.push(Part::Other);
        }
        Ok(Word { raw: self.text[start..self.at].to_string(), parts })
    }

    fn double(&mut self, start: usize, parts: &mut Vec<Part>) -> Result<(), &'static str> {
        loop {
            let rest = self.rest();
            let c = rest.chars().next().ok_or("a quote that is never closed")?;
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => {
                    let escaped = rest[1..].chars().next().ok_or("a quote that is never closed")?;
                    if !matches!(escaped, '$' | '`' | '"' | '\\' | '\n') {
                        text("\\", parts);
                    }
                    if escaped != '\n' {
                        text(escaped.encode_utf8(&mut [0; 4]), parts);
                    }
                    self.at += 1 + escaped.len_utf8();
                }
                '$' => self.dollar(start, parts)?,
                '`' => self.backtick(parts)?,
                c => {
                    text(c.encode_utf8(&mut [0; 4]), parts);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn dollar(&mut self, start: usize, parts: &mut Vec<Part>) -> Result<(), &'static str> {
        let from = self.at;
        let behind = &self.rest()[1..];
        let in_braces = behind.strip_prefix('{');
        let named = in_braces.unwrap_or(behind);
        let length = named.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(named.len());
        let name = &named[..length];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match in_braces {
            Some(_) if is_name && named[length..].starts_with('}') => self.at += length + 3,
            None if is_name => self.at += length + 1,
            Some(_) => {
                self.at += 1;
                self.skip('{', '}')?;
                parts.push(Part::Other);
                return Ok(());
            }
            None if behind.starts_with('(') => {
                self.at += 1;
                self.skip('(', ')')?;
                parts.push(Part::Other);
                return Ok(());
            }
            None => {
                // `$1`, `$?`, `$'…'`; a dollar alone is a dollar.
                let special = behind.starts_with(|c: char| c.is_ascii_digit() || "?#@*!$-'\"".contains(c));
                if behind.starts_with('\'') {
                    return Err("$'…'");
                }
                if special {
                    parts.push(Part::Other);
                } else {
                    text("$", parts);
                }
                self.at += 1 + usize::from(special && !behind.starts_with('"'));
                return Ok(());
            }
        }
        parts.push(Part::Variable(name.to_string(), from - start..self.at - start));
        Ok(())
    }

    fn backtick(&mut self, parts: &mut Vec<Part>) -> Result<(), &'static str> {
        let end = self.rest()[1..].find('`').ok_or("a backtick that is never closed")?;
        self.at += end + 2;
        parts.push(Part::Other);
        Ok(())
    }

    /// Passes over what stands between two brackets, quotes respected.
    fn skip(&mut self, open: char, close: char) -> Result<(), &'static str> {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match (c, quote) {
                ('\\', None | Some('"')) => {
                    chars.next();
                }
                (c, Some(open)) if c == open => quote = None,
                (_, Some(_)) => {}
                ('\'' | '"', None) => quote = Some(c),
                (c, None) if c == open => depth += 1,
                (c, None) if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += at + c.len_utf8();
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        Err("a bracket that is never closed")
    }
}

fn text(more: &str, parts: &mut Vec<Part>) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push_str(more),
        _ => parts.push(Part::Text(more.to_string())),
    }
}
