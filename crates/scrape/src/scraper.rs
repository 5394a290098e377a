//! One line of output after the other, with what earlier lines mean for later ones.
//!
//! The order of the readers: the researcher's patterns; tracebacks and printed configuration, which hold no metrics; tables;
//! JSON and dictionaries; free text. All but the patterns read what stands behind a logging library's prefix. Then the epoch or step of the last header is given to values that have none.

use crate::columns::Columns;
use crate::lexer::{Token, tokens};
use crate::names::{Judge, is_section};
use crate::patterns::{Ignore, Patterns};
use crate::state::{Block, Part};
use crate::{Found, State, coco, columns, config, grid, pairs, prefix, structured};

/// Longer lines are read up to here.
const LONGEST: usize = 64 * 1024;

/// Reads metrics from the output of a script, line by line.
#[derive(Clone, Debug, Default)]
pub struct Scraper {
    patterns: Patterns,
    ignore: Ignore,
    state: State,
    // What follows only saves work: results never depend on it.
    judge: Judge,
    tokens: Vec<Token>,
    scratch: pairs::Scratch,
    plain: String,
}

impl Scraper {
    /// `patterns` are regular expressions with named groups, `ignore` names (exact, or with `*`) that are never recorded.
    pub fn new(patterns: &[String], ignore: &[String]) -> Result<Scraper, String> {
        Ok(Scraper { patterns: Patterns::new(patterns)?, ignore: Ignore::new(ignore), ..Scraper::default() })
    }

    /// Reads one line of output, without its newline. `found` is cleared first.
    pub fn line(&mut self, line: &str, found: &mut Found) {
        found.clear();
        let line = cut(shown(line));
        if memchr::memchr(0x1b, line.as_bytes()).is_some() {
            let mut plain = std::mem::take(&mut self.plain);
            strip_ansi(line, &mut plain);
            self.plain_line(&plain, found);
            self.plain = plain;
        } else {
            self.plain_line(line, found);
        }
        self.ignore.filter(found);
        self.judge.trim();
    }

    pub fn state(&self) -> State {
        self.state.clone()
    }

    pub fn restore(&mut self, state: State) {
        self.state = state;
    }

    /// A table was just begun or goes on: its numbers come out with its end.
    pub(crate) fn awaits_rows(&self) -> bool {
        self.state.grid.is_some()
    }

    pub(crate) fn in_traceback(&self) -> bool {
        self.state.traceback
    }

    fn plain_line(&mut self, line: &str, found: &mut Found) {
        let patterned = self.patterns.read(line, found);
        // The frames of a traceback are indented, whatever their text begins with; noise is told by how the whole line begins.
        let message = (!self.state.traceback).then(|| prefix::message(line, &mut self.tokens, &mut self.judge)).flatten();
        let message = message.filter(|_| !is_noise(line.trim_start()));
        let logged = message.is_some();
        let line = message.unwrap_or(line);
        if !patterned && !self.context(line, found) {
            self.read(line, logged, found);
        }
        self.sticky(line, found);
    }

    /// What only makes sense with the lines around it. True: the line is dealt with.
    fn context(&mut self, line: &str, found: &mut Found) -> bool {
        if self.state.traceback {
            // The frames are indented; the exception itself ends it.
            self.state.traceback = line.is_empty() || line.starts_with([' ', '\t']);
            return true;
        }
        if let Some(block) = &mut self.state.block {
            match config::block_line(line, block, found) {
                config::Line::Taken => return true,
                config::Line::Series => self.state.training = true,
                config::Line::Other => {}
            }
            self.state.block = None;
        }
        false
    }

    fn read(&mut self, line: &str, logged: bool, found: &mut Found) {
        let start = line.trim_start();
        let Some(first) = start.as_bytes().first().copied() else {
            return;
        };
        if (first == b'|' || first == 0xe2)
            && let Some(cells) = grid::cells(line)
            && grid::box_row(line, &cells, &mut self.state.grid)
        {
            return;
        }
        if self.state.grid.is_some() && grid::is_rule(line) {
            if let Some(table) = self.state.grid.take() {
                grid::close(table, found);
            }
            return;
        }
        if let Some(columns) = Columns::header(line) {
            self.state.table = Some(columns);
            return;
        }
        if let Some(table) = &mut self.state.table {
            match table.line(line, found) {
                columns::Line::Row => return,
                columns::Line::Other => {}
                columns::Line::End => self.state.table = None,
            }
        }
        if !has_number(line) {
            if first == b'T' && start.starts_with("Traceback (most recent call last)") {
                self.state.traceback = true;
            } else if config::is_header(line) {
                self.state.block = Some(Block { announced: true, ..Block::default() });
            } else {
                config::namespace(line, found);
            }
            return;
        }
        if is_noise(start) || within_json(start) {
            return;
        }
        if first == b'A' && coco::read(line, found) {
            return;
        }
        if first == b'P'
            && let Some(block) = config::parameter_group(start)
        {
            self.state.block = Some(block);
            return;
        }
        if config::namespace(line, found) {
            return;
        }
        if let Some(open) = memchr::memchr(b'{', line.as_bytes())
            && line.trim_end().ends_with('}')
            && structured::printed(line[open..].trim_end(), self.state.training, &mut self.judge, found)
        {
            self.lead(&line[..open], found);
            structured::drop_doubtful(&mut self.judge, found);
            return;
        }
        self.free_text(line, logged, found);
    }

    fn free_text(&mut self, line: &str, logged: bool, found: &mut Found) {
        tokens(line, &mut self.tokens);
        let known = pairs::Known { epoch: self.state.epoch.is_some(), training: self.state.training, logged };
        pairs::read(line, &self.tokens, known, &mut self.judge, &mut self.scratch, found);
        if !found.values.is_empty() {
            self.part(line, found);
        }
        if !found.config.is_empty() && found.values.is_empty() && config::begins_block(line) {
            let mut block = Block::default();
            found.config.clear();
            config::block_line(line, &mut block, found);
            self.state.block = Some(block);
        }
    }

    /// What a line on a part of the data has from the lines before it.
    fn part(&mut self, line: &str, found: &mut Found) {
        let section = self.scratch.section.map(|(start, end)| &line[start..end]);
        // ` * Acc@1 71.3` sums up the lines `Test: [ 10/196] … Acc@1 …` before it: it is of their part, at its end.
        if section.is_none() && line.trim_start().starts_with('*') {
            let Some(part) = &self.state.part else { return };
            for (name, _) in &mut found.values {
                *name = format!("{}_{name}", part.name);
            }
            if found.step.is_none() && found.epoch.is_none() {
                found.step = part.step;
                found.steps = part.steps;
            }
            return;
        }
        let counted = section.filter(|_| found.steps.is_some());
        let evaluates = section.is_some_and(|word| !word.to_lowercase().starts_with("train"));
        let epochs = found.epoch.is_some() || self.state.epoch.is_some();
        if !evaluates {
            self.state.trained = found.step.or(self.state.trained);
        } else if !epochs && counted.is_some() && self.state.trained.is_some() {
            // `eval batch 1/2` counts anew each time, and no epoch tells one time from the next: it is at the training's step.
            (found.step, found.steps) = (self.state.trained, None);
        }
        let part = |name: &str| Part { name: name.to_string(), step: found.steps.or(found.step), steps: found.steps };
        self.state.part = counted.map(part);
    }

    /// The axes in front of a dictionary, as in `Epoch 3: {'loss': 0.3}`.
    fn lead(&mut self, lead: &str, found: &mut Found) {
        if lead.trim().is_empty() {
            return;
        }
        // `val: {"loss": 0.3}`
        let word = lead.trim().trim_end_matches(':');
        if is_section(word) {
            for (name, _) in &mut found.values {
                *name = format!("{}_{name}", word.split_whitespace().next().unwrap_or(word));
            }
            return;
        }
        let mut before = Found::default();
        tokens(lead, &mut self.tokens);
        pairs::read(lead, &self.tokens, pairs::Known::default(), &mut self.judge, &mut self.scratch, &mut before);
        if found.step.is_none() {
            found.step = before.step;
            found.steps = before.steps;
        }
        if found.epoch.is_none() {
            found.epoch = before.epoch;
            found.epochs = before.epochs;
        }
    }

    /// Remembers the axes of headers, and gives them to values that have none.
    fn sticky(&mut self, line: &str, found: &mut Found) {
        if found.is_empty() {
            return;
        }
        let has_values = !found.values.is_empty();
        if !has_values && speaks_of_another(line) {
            (found.epoch, found.epochs, found.step, found.steps) = (None, None, None, None);
            return;
        }
        let (own_epoch, own_step) = (found.epoch, found.step);
        self.state.training |= has_values || own_epoch.is_some() || own_step.is_some();
        if own_epoch.is_some() && found.epochs.is_none() {
            found.epochs = self.state.epochs.filter(|epochs| own_epoch.is_some_and(|epoch| epoch <= *epochs));
        }
        if has_values && own_epoch.is_none() && !is_final(line) {
            found.epoch = self.state.epoch;
            found.epochs = self.state.epochs;
            if own_step.is_none() {
                found.step = self.state.step;
                found.steps = self.state.steps;
            }
        }
        if own_epoch.is_some() {
            if self.state.epoch != own_epoch {
                self.state.step = None;
                self.state.steps = None;
            }
            self.state.epoch = own_epoch;
            self.state.epochs = found.epochs;
        }
        if own_step.is_some() {
            // A value's own step says nothing of the next line; a header's does.
            let header = !has_values;
            self.state.step = own_step.filter(|_| header);
            self.state.steps = found.steps.filter(|_| header);
        }
    }
}

/// A line of a JSON document that is printed over several: a configuration, or data. Results come as one line each.
fn within_json(start: &str) -> bool {
    start.starts_with('"') && start.contains("\":")
}

/// `going on after epoch 5`, `best model from epoch 3 loaded`: an epoch is named, and it is not the one that we are in.
fn speaks_of_another(line: &str) -> bool {
    const SIGNS: [&str; 12] =
        ["after", "best", "before", "checkpoint", "from", "loaded", "restored", "resumed", "resuming", "saved", "since", "until"];
    line.split(|c: char| !c.is_ascii_alphabetic()).any(|word| SIGNS.iter().any(|sign| word.eq_ignore_ascii_case(sign)))
}

/// The first part of a line that is too long.
fn cut(line: &str) -> &str {
    if line.len() <= LONGEST {
        return line;
    }
    let end = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    &line[..end]
}

/// What a terminal shows of a line that rewrote itself.
fn shown(line: &str) -> &str {
    let line = line.trim_end_matches(['\r', '\n']);
    memchr::memrchr(b'\r', line.as_bytes()).map_or(line, |at| &line[at + 1..])
}

/// Copies a line without its escape sequences: colours, cursor movements, titles and links.
fn strip_ansi(line: &str, out: &mut String) {
    out.clear();
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let bytes = rest.as_bytes();
        let mut end = at + 1;
        match bytes.get(end) {
            Some(b'[') => {
                end += 1;
                while bytes.get(end).is_some_and(|b| matches!(b, 0x20..=0x3f)) {
                    end += 1;
                }
                end += usize::from(bytes.get(end).is_some_and(|b| matches!(b, 0x40..=0x7e)));
            }
            Some(b']') => {
                // Ends with a bell, or with ESC and a backslash.
                let close = memchr::memchr2(0x07, 0x1b, &bytes[end..]).map_or(bytes.len(), |close| end + close);
                end = match (bytes.get(close), bytes.get(close + 1)) {
                    (Some(0x07), _) => close + 1,
                    (Some(0x1b), Some(b'\\')) => close + 2,
                    _ => close,
                };
            }
            Some(byte) if byte.is_ascii() && *byte != 0x1b => end += 1,
            _ => {}
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
}

/// Whether a line may hold a number: a digit, or a word such as `nan`.
fn has_number(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.iter().any(u8::is_ascii_digit)
        || memchr::memchr2_iter(b'n', b'N', bytes).any(|at| {
            let word = |from: usize| bytes.get(from..from + 3);
            word(at).is_some_and(|w| w.eq_ignore_ascii_case(b"nan"))
                || (at > 0 && word(at - 1).is_some_and(|w| w.eq_ignore_ascii_case(b"inf")))
        })
}

/// Lines of tools and interpreters that look like pairs and never hold a metric.
fn is_noise(start: &str) -> bool {
    match start.as_bytes().first() {
        Some(b'F') => start.starts_with("File \""),
        Some(b'w') => start.starts_with("wandb:") || start.starts_with("warnings.warn"),
        Some(b'C') => ["Collecting ", "Commit "].iter().any(|word| start.starts_with(word)),
        Some(b'R') => start.starts_with("Requirement already"),
        Some(b'D') => start.starts_with("Downloading "),
        Some(b'S') => start.starts_with("Successfully installed"),
        Some(b'[') => start.starts_with("[LightGBM]") && !start.contains("] Iteration:"),
        Some(b'I') => start.starts_with("Installing "),
        // Early stopping of Lightning.
        Some(b'M') => ["Metric ", "Monitored metric "].iter().any(|head| start.starts_with(head)) && start.contains("est score: "),
        Some(b'>' | b'^' | b'#') => true,
        _ => false,
    }
}

/// Whether a line speaks of the whole training rather than of its last epoch.
fn is_final(line: &str) -> bool {
    let start = line.trim_start();
    ["best", "final", "overall"].iter().any(|word| start.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
}
