//! What would be read from a log, and what would not, for `neronet check --learn`.

use crate::lexer::{Kind, Token, tokens};
use crate::names::{Meaning, judge};
use crate::pairs::is_exception;
use crate::{Found, Scraper};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, BufRead};

/// Longer lines are read up to here.
const LONGEST: usize = 64 * 1024;
/// Different shapes of unread lines that are counted, and that are reported.
const SHAPES: usize = 10_000;
const REPORTED: usize = 20;
/// Series and configuration entries that are kept.
const MOST: usize = 10_000;
/// Examples are cut to this many characters.
const EXAMPLE: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Learned {
    pub lines: u64,
    /// In the order in which they first appear.
    pub series: Vec<Series>,
    /// The most frequent shape first.
    pub unread: Vec<Unread>,
    /// Names and values of the configuration that the log holds.
    pub config: BTreeMap<String, String>,
}

/// A series that would be recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    pub points: u64,
    #[serde(with = "neronet_model::number")]
    pub first: f64,
    #[serde(with = "neronet_model::number")]
    pub last: f64,
    /// `step`, `epoch`, `step and epoch` or `summary`.
    pub axis: &'static str,
    pub reader: &'static str,
    pub example: String,
}

/// Lines of one shape that hold numbers and gave nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unread {
    /// The line with its numbers replaced by `#`.
    pub shape: String,
    pub lines: u64,
    pub example: String,
    /// A pattern that would read them, ready for `[metrics] patterns`.
    pub pattern: Option<String>,
}

/// Reads a log as a run's output would be read. Errors are those of reading `log`, and `InvalidInput` for a pattern that is
/// no regular expression.
pub fn learn<R: BufRead>(mut log: R, patterns: &[String], ignore: &[String]) -> io::Result<Learned> {
    let mut scraper = Scraper::new(patterns, ignore).map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
    let mut learned = Learned::default();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut shapes: HashMap<String, usize> = HashMap::new();
    let mut found = Found::default();
    let mut bytes = Vec::new();
    let mut buffer = Vec::new();
    while let Some(ends_with) = next_line(&mut log, &mut bytes)? {
        let line = String::from_utf8_lossy(&bytes);
        let in_traceback = scraper.in_traceback();
        scraper.line(&line, &mut found);
        for (name, value) in &found.values {
            let axis = match (found.step, found.epoch) {
                (Some(_), Some(_)) => "step and epoch",
                (Some(_), None) => "step",
                (None, Some(_)) => "epoch",
                (None, None) => "summary",
            };
            match known.get(name) {
                Some(at) => {
                    let series = &mut learned.series[*at];
                    series.points += 1;
                    series.last = *value;
                    if series.axis == "summary" {
                        series.axis = axis;
                    }
                }
                None if learned.series.len() < MOST => {
                    known.insert(name.clone(), learned.series.len());
                    learned.series.push(Series {
                        name: name.clone(),
                        points: 1,
                        first: *value,
                        last: *value,
                        axis,
                        reader: found.reader.unwrap_or("pairs"),
                        example: example(&line),
                    });
                }
                None => {}
            }
        }
        // An epoch alone is a heading, unless a result is named with it.
        let heading = !found.is_empty() && found.values.is_empty() && found.tags.is_empty() && found.config.is_empty();
        let unread = (found.is_empty() || heading) && !scraper.awaits_rows() && !in_traceback;
        for (name, value) in found.config.drain(..) {
            if learned.config.len() < MOST {
                learned.config.insert(name, value);
            }
        }
        // A state that was written over gives its values, as in a run; nobody sees it as a line.
        if ends_with == End::Rewrite {
            continue;
        }
        learned.lines += 1;
        if unread && line.bytes().any(|b| b.is_ascii_digit()) {
            tokens(&line, &mut buffer);
            if heading && !names_result(&line, &buffer) {
                continue;
            }
            let shape = shape(&line, &buffer);
            match shapes.get(&shape) {
                Some(at) => learned.unread[*at].lines += 1,
                None if learned.unread.len() < SHAPES && holds_values(&line, &buffer) => {
                    shapes.insert(shape.clone(), learned.unread.len());
                    learned.unread.push(Unread { shape, lines: 1, example: example(&line), pattern: None });
                }
                None => {}
            }
        }
    }
    // The sort is stable: among equals the earlier shape stays first.
    learned.unread.sort_by_key(|unread| std::cmp::Reverse(unread.lines));
    learned.unread.truncate(REPORTED);
    for unread in &mut learned.unread {
        tokens(&unread.example, &mut buffer);
        unread.pattern = propose(&unread.example, &buffer);
    }
    Ok(learned)
}

/// What ended a line.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Line,
    /// A carriage return: what comes next is written over it.
    Rewrite,
}

/// The next line, or state of one that is written over, without its end and cut to what is read of it. None at the end of
/// the log.
fn next_line<R: BufRead>(log: &mut R, line: &mut Vec<u8>) -> io::Result<Option<End>> {
    line.clear();
    loop {
        let chunk = log.fill_buf()?;
        if chunk.is_empty() {
            return Ok((!line.is_empty()).then_some(End::Line));
        }
        let stop = memchr::memchr2(b'\n', b'\r', chunk);
        let piece = &chunk[..stop.unwrap_or(chunk.len())];
        let room = LONGEST - line.len();
        // The rest of a long line goes by without being kept.
        line.extend_from_slice(&piece[..piece.len().min(room)]);
        let mark = stop.map(|at| chunk[at]);
        let used = piece.len() + usize::from(mark.is_some());
        log.consume(used);
        match mark {
            Some(b'\n') => return Ok(Some(End::Line)),
            Some(_) => {
                let newline = log.fill_buf()?.first().map(|next| *next == b'\n');
                if newline == Some(true) {
                    log.consume(1);
                }
                return Ok(Some(if newline == Some(false) { End::Rewrite } else { End::Line }));
            }
            None => {}
        }
    }
}

fn example(line: &str) -> String {
    line.trim_end().chars().take(EXAMPLE).collect()
}

/// Whether a line that gave nothing may hold values: numbers, rows such as `1,0.5,0.3`, or a result that is written in a way
/// that is not read, such as `loss 0,31` and `loss: 0.5K`.
fn holds_values(line: &str, tokens: &[Token]) -> bool {
    let text = |token: &Token| &line[token.start..token.end];
    let result = || names_result(line, tokens);
    tokens.iter().any(|token| match token.kind {
        Kind::Number { .. } | Kind::Grouped { .. } => true,
        Kind::Opaque | Kind::Quantity if text(token).starts_with(|c: char| c.is_ascii_digit()) => is_list(text(token)) || result(),
        _ => false,
    })
}

fn names_result(line: &str, tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.kind == Kind::Word && judge(&line[token.start..token.end]).meaning == Meaning::Result)
}

/// `1,0.5,0.3`
fn is_list(text: &str) -> bool {
    text.contains(',') && text.split(',').all(|part| crate::table::number(part).is_some())
}

fn shape(line: &str, tokens: &[Token]) -> String {
    let mut shape = String::new();
    for token in tokens.iter().take(60) {
        if token.gap > 0 && !shape.is_empty() {
            shape.push(' ');
        }
        match token.kind {
            Kind::Word | Kind::Mark(_) => shape.push_str(&line[token.start..token.end]),
            Kind::Number { .. } | Kind::Grouped { .. } => shape.push('#'),
            Kind::Ratio { .. } => shape.push_str("#/#"),
            Kind::Opaque if is_list(&line[token.start..token.end]) => {
                shape.push_str(&line[token.start..token.end].split(',').map(|_| "#").collect::<Vec<_>>().join(","));
            }
            Kind::Quantity | Kind::Opaque => shape.push('~'),
        }
    }
    shape
}

/// A pattern that reads every named number of the example; none if no number has a name that a metric may have.
fn propose(line: &str, tokens: &[Token]) -> Option<String> {
    let words_of_line = || tokens.iter().filter(|token| token.kind == Kind::Word).map(|token| (token.start, &line[token.start..token.end]));
    if words_of_line().any(|(_, word)| is_exception(word)) {
        return None;
    }
    let mut pattern = String::new();
    let mut names: Vec<String> = Vec::new();
    let mut words = String::new();
    // Within `@[ IoU=0.50 | maxDets=100 ]` it says what was measured.
    let mut of = false;
    for (i, token) in tokens.iter().enumerate() {
        let text = &line[token.start..token.end];
        if token.gap > 0 {
            pattern.push_str(r"\s+");
        }
        match token.kind {
            Kind::Word => {
                pattern.push_str(&regex::escape(text));
                if token.gap > 1 {
                    words.clear();
                }
                words.push_str(if words.is_empty() { "" } else { " " });
                words.push_str(text);
            }
            Kind::Mark(mark) => {
                pattern.push_str(&regex::escape(text));
                // `loss -> 0.5`
                let arrow = line[token.start..].starts_with("->") || line[..token.end].ends_with("->");
                if !arrow && !matches!(mark, b':' | b'=' | b'[' | b'(') {
                    words.clear();
                }
                of = (of && mark != b']') || (mark == b'[' && line[..token.start].ends_with('@'));
            }
            Kind::Number { .. } | Kind::Grouped { .. } => {
                let labels = tokens.get(i + 1).is_some_and(|next| next.kind == Kind::Mark(b':'));
                // `Accuracy of the network on the 10000 test images: 54 %`
                let result = || words_of_line().find(|(start, word)| *start < token.start && judge(word).meaning == Meaning::Result);
                let number = if matches!(token.kind, Kind::Grouped { .. }) { r"[-+\w.,]+" } else { r"[-+\w.]+" };
                let name = || group(&words, || result().map(|(_, word)| word.to_lowercase()), &mut names);
                match (!of).then(name).flatten() {
                    Some(name) if !labels => pattern.push_str(&format!("(?P<{name}>{number})")),
                    _ => pattern.push_str(number),
                }
                words.clear();
            }
            Kind::Ratio { .. } => {
                pattern.push_str(r"\d+\s*/\s*\d+");
                words.clear();
            }
            Kind::Quantity | Kind::Opaque => {
                pattern.push_str(r"\S+");
                words.clear();
            }
        }
    }
    // Nothing is proposed that would not do what it promises.
    let mut scraper = Scraper::new(std::slice::from_ref(&pattern), &[]).ok()?;
    let mut found = Found::default();
    scraper.line(line, &mut found);
    (found.reader == Some("pattern") && !found.values.is_empty()).then_some(pattern)
}

/// A new group's name from the words before a number, or from a result that the line names earlier; none for words that
/// name no metric.
fn group(words: &str, result: impl Fn() -> Option<String>, names: &mut Vec<String>) -> Option<String> {
    let verdict = judge(words);
    let base = match verdict.meaning {
        Meaning::Epoch => "epoch".to_string(),
        Meaning::Step | Meaning::GlobalStep => "step".to_string(),
        Meaning::Rejected if verdict.text.is_empty() => return None,
        Meaning::Rejected => result()?,
        Meaning::Config | Meaning::Total => return None,
        _ => verdict.text.replace(|c: char| !c.is_ascii_alphanumeric(), "_").trim_matches('_').to_string(),
    };
    if !base.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let name = if names.contains(&base) { format!("{base}_{}", names.len() + 1) } else { base };
    names.push(name.clone());
    Some(name)
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} lines, {} series would be recorded", self.lines, self.series.len())?;
        let width = self.series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0).min(40);
        for series in &self.series {
            writeln!(
                f,
                "  {:width$}  {} point{} by {}, {} to {}   read as {}: {}",
                series.name,
                series.points,
                if series.points == 1 { "" } else { "s" },
                series.axis,
                series.first,
                series.last,
                series.reader,
                series.example.trim()
            )?;
        }
        if !self.config.is_empty() {
            writeln!(f, "{} entries of configuration would be kept", self.config.len())?;
        }
        if self.unread.is_empty() {
            return Ok(());
        }
        writeln!(f, "Lines with numbers that would not be recorded, by shape:")?;
        for unread in &self.unread {
            writeln!(f, "  {} × {}", unread.lines, unread.example.trim())?;
        }
        let patterns: Vec<&String> = self.unread.iter().filter_map(|unread| unread.pattern.as_ref()).take(5).collect();
        if !patterns.is_empty() {
            writeln!(f, "To record those, take what you need of this into the specification:")?;
            writeln!(f, "[metrics]")?;
            writeln!(f, "patterns = [")?;
            for pattern in patterns {
                writeln!(f, "    '''{pattern}''',")?;
            }
            writeln!(f, "]")?;
        }
        Ok(())
    }
}
