//! The reader of free text: names and numbers in a line, as `name=value`, `name: value` or `name value`, with the step and
//! the epoch from where they stand (`[3/50]`, `Epoch 3/50`, `step=12`, the counter of a progress bar).
//!
//! First all candidates are collected, then the line as a whole decides which of them count.

mod axes;
mod decide;

use crate::Found;
use crate::lexer::{Kind, Token, is_unit};
use crate::literal::holds_number;
use crate::names::{Judge, Meaning, Name, begins_name, is_prose, is_section};

/// Candidates beyond this are no line of metrics.
const MOST: usize = 500;

#[derive(Clone, Copy, Debug)]
struct Candidate {
    name: u32,
    /// Bytes of the section's word, when the name has to be put under it.
    section: Option<(usize, usize)>,
    /// Bytes of the value.
    text: (usize, usize),
    value: f64,
    whole: bool,
    percent: bool,
    by: By,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    Blank,
    /// `the loss is 0.5`
    Is,
    Colon,
    /// `name:3` without any blank.
    GluedColon,
    Equals,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Axis {
    Epoch,
    Step,
}

/// Buffers that live as long as the scraper.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    candidates: Vec<Candidate>,
    /// Where the last word for a part of the data stands in the line.
    pub(crate) section: Option<(usize, usize)>,
}

/// What is known of a line besides its text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    /// An earlier header says in which epoch we are.
    pub(crate) epoch: bool,
    /// Values, steps or epochs came before.
    pub(crate) training: bool,
    /// A logging library wrote it.
    pub(crate) logged: bool,
}

/// Reads a line into `found`.
pub(crate) fn read(line: &str, tokens: &[Token], known: Known, judge: &mut Judge, scratch: &mut Scratch, found: &mut Found) {
    scratch.candidates.clear();
    let mut reading = Reading {
        line,
        tokens,
        judge,
        candidates: &mut scratch.candidates,
        found,
        run: None,
        pending: None,
        section: None,
        attached: None,
        parts: 0,
        global: false,
        counter: None,
        numbered: None,
        bar: false,
        stray: false,
        worded: false,
        aside: false,
    };
    reading.scan();
    scratch.section = reading.decide(known);
}

struct Reading<'a> {
    line: &'a str,
    tokens: &'a [Token],
    judge: &'a mut Judge,
    candidates: &'a mut Vec<Candidate>,
    found: &'a mut Found,
    /// Words that may be a name: first and last token.
    run: Option<(usize, usize)>,
    /// An axis whose number is still to come, as in `Epoch: [3]`.
    pending: Option<Axis>,
    section: Option<(usize, usize)>,
    /// The last section that was the first word of a name, as in `val loss 0.5`, and how many different ones there were.
    attached: Option<(usize, usize)>,
    parts: u8,
    /// The step found counts over the whole training.
    global: bool,
    /// `3/50` with no word: a step only if values come with it.
    counter: Option<(f64, f64)>,
    /// `E5` at the head of the line: the epoch, if values come with it.
    numbered: Option<f64>,
    bar: bool,
    /// Words that belong to no number: the line may be prose.
    stray: bool,
    /// An axis was named by its word.
    worded: bool,
    /// A batch behind other words, as in `using 8 workers, batch 32`, is more likely a size than a step.
    aside: bool,
}

impl Reading<'_> {
    fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|token| token.kind)
    }

    fn is_mark(&self, i: usize, mark: u8) -> bool {
        self.kind(i) == Some(Kind::Mark(mark))
    }

    fn text(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |token| &self.line[token.start..token.end])
    }

    fn scan(&mut self) {
        let mut i = 0;
        while let Some(token) = self.tokens.get(i).copied() {
            if self.candidates.len() >= MOST {
                return;
            }
            i = match token.kind {
                Kind::Word => self.word(i, token),
                Kind::Number { value, whole } => self.number(i, value, whole),
                Kind::Ratio { part, total } => self.ratio(i, part, total),
                Kind::Grouped { value } => self.grouped(i, value),
                Kind::Quantity | Kind::Opaque => {
                    self.run = None;
                    i + 1
                }
                Kind::Mark(mark) => self.mark(i, mark),
            };
        }
        self.drop_run();
    }

    fn word(&mut self, i: usize, token: Token) -> usize {
        if let Some((first, last)) = self.run {
            if last + 1 == i && token.gap < 2 {
                self.run = Some((first, i));
                return i + 1;
            }
            self.drop_run();
        }
        self.pending = None;
        if i == 0 || (i == 1 && self.is_mark(0, b'[')) {
            self.numbered = numbered_epoch(self.text(i));
            if self.numbered.is_some() {
                return i + 1;
            }
        }
        self.run = Some((i, i));
        i + 1
    }

    /// The verdict on the current run, which ends with it.
    fn take_run(&mut self) -> Option<u32> {
        let (first, mut last) = self.run.take()?;
        if last > first && self.text(last).eq_ignore_ascii_case("is") {
            last -= 1;
        }
        let raw = &self.line[self.tokens[first].start..self.tokens[last].end];
        if raw.len() > 120 || last - first > 8 {
            self.stray = true;
            return None;
        }
        Some(self.judge.judge(raw))
    }

    /// A run that no number follows: a section's word, or prose.
    fn drop_run(&mut self) {
        let Some((first, last)) = self.run else { return };
        let Some(name) = self.take_run() else { return };
        if let Some(section) = self.section_of(name, first) {
            self.section = Some(section);
        } else if last > first || self.text(first).len() > 1 {
            self.stray = true;
        }
    }

    fn axis_of(&self, name: u32) -> Option<Axis> {
        match self.judge.name(name).meaning {
            Meaning::Epoch => Some(Axis::Epoch),
            Meaning::Step | Meaning::GlobalStep => Some(Axis::Step),
            _ => None,
        }
    }

    fn section_of(&self, name: u32, first: usize) -> Option<(usize, usize)> {
        let name: &Name = self.judge.name(name);
        name.section.as_ref().and_then(|_| self.tokens.get(first)).map(|token| (token.start, token.end))
    }

    /// The token after the group that opens at `open`. Brackets within are counted whatever their kind.
    fn behind_group(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for (i, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Mark(b'(' | b'[' | b'{') => depth += 1,
                Kind::Mark(b')' | b']' | b'}') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return i + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// A bare number, or one behind a name and a blank. Returns the next token to look at.
    fn number(&mut self, i: usize, value: f64, whole: bool) -> usize {
        let first = self.run.map(|(first, _)| first);
        match (self.take_run(), self.pending.take()) {
            (Some(name), _) => {
                let is = i > 0 && self.text(i - 1).eq_ignore_ascii_case("is");
                self.pair(i, name, first.unwrap_or(i), value, whole, if is { By::Is } else { By::Blank })
            }
            (None, Some(axis)) => {
                self.worded = true;
                let (total, next) = self.of_total(i + 1);
                self.set_axis(axis, value, total, false);
                next
            }
            (None, None) => {
                // A progress bar's percentage.
                if self.is_mark(i + 1, b'%') {
                    self.bar |= self.is_mark(i + 2, b'|');
                    return i + 2;
                }
                // `0:  learn: 0.68  test: 0.67`, as CatBoost counts.
                if i == 0 && whole && self.is_mark(1, b':') && self.text(2) == "learn" {
                    self.counter = Some((value, f64::NAN));
                }
                i + 1
            }
        }
    }

    /// `1,000` behind a blank: only an axis counts so far that it is sure what the comma means.
    fn grouped(&mut self, i: usize, value: f64) -> usize {
        let first = self.run.map(|(first, _)| first);
        match (self.take_run(), self.pending.take()) {
            (Some(name), _) if self.axis_of(name).is_some() => self.pair(i, name, first.unwrap_or(i), value, true, By::Blank),
            (None, Some(axis)) => {
                self.worded = true;
                let (total, next) = self.of_total(i + 1);
                self.set_axis(axis, value, total, false);
                next
            }
            _ => i + 1,
        }
    }

    /// A name with its number at token `i`: an axis, or a candidate.
    fn pair(&mut self, i: usize, name: u32, first: usize, value: f64, whole: bool, by: By) -> usize {
        let section = self.section_of(name, first);
        let Name { meaning, sectioned, .. } = self.judge.name(name);
        let (meaning, sectioned) = (*meaning, *sectioned);
        let axis = match meaning {
            Meaning::Epoch => Some(Axis::Epoch),
            Meaning::Step | Meaning::GlobalStep if whole => Some(Axis::Step),
            _ => None,
        };
        if let Some(axis) = axis {
            if section.is_some() {
                self.section = section;
            }
            self.worded = true;
            let (total, next) = self.of_total(i + 1);
            self.aside |= self.stray && total.is_none() && self.judge.name(name).text.eq_ignore_ascii_case("batch");
            self.set_axis(axis, value, total, meaning == Meaning::GlobalStep);
            return next;
        }
        let percent = self.is_mark(i + 1, b'%');
        let mut next = i + 1 + usize::from(percent);
        if percent && self.is_mark(next, b'|') && self.tokens.get(next).is_some_and(|bar| bar.gap == 0) {
            // `Training:  45%|███`
            self.bar = true;
            self.section = section.or(self.section);
            return next;
        }
        let is_bare_section = is_section(self.name_text(first, i));
        if is_bare_section && whole && section.is_some() {
            // `Train: 3 [ 100/1251 …`: what is counted is the epoch.
            self.section = section;
            if self.is_mark(next, b'[') && matches!(self.kind(next + 1), Some(Kind::Ratio { .. })) {
                self.set_axis(Axis::Epoch, value, None, false);
            }
            return next;
        }
        let text = self.tokens.get(i).map_or((0, 0), |token| (token.start, token.end));
        let followed = self.tokens.get(next).copied();
        // `D loss 0.5 G loss 0.4`
        let generator = || meaning == Meaning::Result && self.text(next) == "G" && self.kind(next + 1) == Some(Kind::Word);
        let unit = matches!(followed, Some(Token { kind: Kind::Word, gap: 1, .. })) && is_unit(self.text(next)) && !generator();
        // `Fold 2: …` is a label; `12,` and `12)` are not, nor is `loss 0.5:  45%|███` before a progress bar.
        let bar_behind =
            || matches!(self.kind(next + 1), Some(Kind::Number { .. })) && self.is_mark(next + 2, b'%') && self.is_mark(next + 3, b'|');
        let label = matches!(followed, Some(Token { kind: Kind::Mark(b':' | b'='), .. })) && !((!whole || by != By::Blank) && bar_behind());
        if unit {
            next += 1;
        }
        if self.is_mark(next, b'(') {
            // The average behind the value, or a remark.
            next = self.behind_group(next);
        }
        if let Some((start, end)) = section {
            let word = &self.line[start..end];
            let again = self.attached.is_some_and(|(start, end)| self.line[start..end].eq_ignore_ascii_case(word));
            self.parts = self.parts.saturating_add(u8::from(!again));
            self.attached = section;
            self.section = section;
        }
        if !unit && !label {
            let section = if sectioned { None } else { self.section };
            self.candidates.push(Candidate { name, section, text, value, whole, percent, by });
        }
        next
    }

    /// The words before the separator and the number at token `i`.
    fn name_text(&self, first: usize, i: usize) -> &str {
        let end = (first..i).rev().find(|j| self.kind(*j) == Some(Kind::Word)).unwrap_or(first);
        match (self.tokens.get(first), self.tokens.get(end)) {
            (Some(from), Some(to)) => &self.line[from.start..to.end],
            _ => "",
        }
    }

    fn mark(&mut self, i: usize, mark: u8) -> usize {
        match mark {
            b':' | b'=' if self.run.is_some() => self.separator(i, mark),
            b'(' => self.parenthesis(i),
            b'[' => self.bracket(i),
            b'{' => {
                self.drop_run();
                self.behind_group(i)
            }
            // `AP @[ IoU=0.50 | maxDets=100 ]`: what was measured, and no value.
            b'@' if self.is_mark(i + 1, b'[') => {
                self.drop_run();
                self.behind_group(i + 1)
            }
            // `Epoch #3`
            b'#' => {
                if let Some((first, _)) = self.run
                    && let Some(name) = self.take_run()
                {
                    self.section = self.section_of(name, first).or(self.section);
                    self.pending = self.axis_of(name);
                }
                i + 1
            }
            _ => {
                self.drop_run();
                i + 1
            }
        }
    }

    /// `:` or `=` behind a name.
    fn separator(&mut self, i: usize, mark: u8) -> usize {
        let Some((mut first, last)) = self.run else { return i + 1 };
        let next = i + 1;
        // An exception or a warning says numbers, never metrics.
        if self.run.is_some_and(|(_, last)| is_exception(self.text(last))) {
            self.candidates.clear();
            self.found.clear();
            self.counter = None;
            self.run = None;
            return self.tokens.len();
        }
        let glued = self.tokens.get(i).is_some_and(|t| t.gap == 0) && self.tokens.get(next).is_some_and(|t| t.gap == 0);
        let by = match mark {
            b'=' => By::Equals,
            _ if glued => By::GluedColon,
            _ => By::Colon,
        };
        if mark == b'=' && glued && (first..last).any(|word| is_prose(self.text(word))) {
            // `no newline loss=0.5` is `loss`, with what a name often begins with.
            let known = (first..last).rev().take_while(|word| begins_name(self.text(*word))).count();
            first = last - known;
            self.run = Some((first, last));
        }
        if mark == b'=' && glued && self.worded && first < last && is_model(self.text(first)) {
            first += 1;
            self.run = Some((first, last));
        }
        match self.kind(next) {
            Some(Kind::Number { value, whole }) => match self.take_run() {
                Some(name) => self.pair(next, name, first, value, whole, by),
                None => next + 1,
            },
            Some(Kind::Ratio { part, total }) => self.score(next, first, part, total),
            Some(Kind::Grouped { value }) => self.grouped(next, value),
            Some(Kind::Word) if self.is_mark(next + 1, b'(') && holds_number(self.text(next)) => {
                let Some(Kind::Number { value, whole }) = self.kind(next + 2) else {
                    self.run = None;
                    return self.behind_group(next + 1);
                };
                let end = self.behind_group(next + 1);
                if let Some(name) = self.take_run() {
                    self.pair(next + 2, name, first, value, whole, by);
                }
                end
            }
            Some(Kind::Mark(b'[' | b'(' | b'{')) => {
                let Some(name) = self.take_run() else { return next };
                if let Some(section) = self.section_of(name, first) {
                    self.section = Some(section);
                }
                self.pending = self.axis_of(name);
                if self.pending.is_none() && !is_section(self.name_text(first, i)) {
                    // A list, a shape, a dictionary: no numbers of ours.
                    return self.behind_group(next);
                }
                next
            }
            // `model=resnet loss=0.5`: the value is no part of the next name, but for `split=val loss=0.5`.
            Some(Kind::Word) if mark == b'=' && glued && !self.is_mark(next + 1, b'=') => {
                self.drop_run();
                if is_section(self.text(next)) {
                    self.section = self.tokens.get(next).map(|token| (token.start, token.end));
                }
                if self.is_mark(next + 1, b'(') || self.is_mark(next + 1, b'[') { self.behind_group(next + 1) } else { next + 1 }
            }
            _ => {
                self.drop_run();
                next
            }
        }
    }

    /// `Accuracy: 9826/10000 (98%)`: the percentage, worked out where the printed one is the same but for rounding. Other
    /// ratios behind a name are axes.
    fn score(&mut self, i: usize, first: usize, part: f64, total: f64) -> usize {
        let Some((_, last)) = self.run else { return i + 1 };
        let name = self.take_run();
        let Some(name) = name else { return i + 1 };
        let accuracy = self.judge.name(name).text.to_lowercase().contains("acc");
        if !accuracy {
            self.run = Some((first, last));
            return self.ratio(i, part, total);
        }
        let printed = match (self.kind(i + 1), self.kind(i + 2), self.kind(i + 3)) {
            (Some(Kind::Mark(b'(')), Some(Kind::Number { value, .. }), Some(Kind::Mark(b'%'))) => Some(value),
            _ => None,
        };
        let exact = (total > 0.0).then(|| 100.0 * part / total);
        let decimals = self.text(i + 2).split_once('.').map_or(0, |(_, decimals)| decimals.len().min(15));
        let rounded = |exact: &f64| printed.is_none_or(|printed| (printed - exact).abs() < 0.1_f64.powi(decimals as i32));
        let value = exact.filter(rounded).or(printed);
        match value {
            Some(value) => self.pair(i, name, first, value, false, By::Colon),
            None => i + 1,
        }
    }

    fn parenthesis(&mut self, i: usize) -> usize {
        let Some((first, _)) = self.run else {
            let remark = i > 0 && matches!(self.kind(i - 1), Some(Kind::Number { .. } | Kind::Ratio { .. } | Kind::Mark(b'%' | b')')));
            return if remark { self.behind_group(i) } else { i + 1 };
        };
        let behind = self.behind_group(i);
        // `loss tensor(0.31, grad_fn=…)`
        if let (Some((first, last)), Some(Kind::Number { value, whole })) = (self.run, self.kind(i + 1))
            && last > first
            && holds_number(self.text(last))
        {
            self.run = Some((first, last - 1));
            if let Some(name) = self.take_run() {
                self.pair(i + 1, name, first, value, whole, By::Blank);
            }
            return behind;
        }
        let part = behind == i + 3 && is_section(self.text(i + 1));
        let glued = self.tokens.get(i).is_some_and(|token| token.gap == 0);
        if part {
            self.section = self.tokens.get(i + 1).map(|token| (token.start, token.end));
        }
        let separated = self.is_mark(behind, b':') || self.is_mark(behind, b'=');
        let is_axis = {
            let (first, last) = self.run.unwrap_or((first, first));
            let raw = &self.line[self.tokens[first].start..self.tokens[last].end];
            let verdict = self.judge.judge(raw);
            self.axis_of(verdict)
        };
        match is_axis {
            // `Epoch(train)  [1]`
            Some(axis) => {
                self.run = None;
                self.pending = Some(axis);
            }
            // `loss (px): 0.3`: a unit; the name goes on to its separator.
            None if separated => {}
            None => {
                // A call, or a remark about a word.
                self.run = None;
                self.stray |= !glued || !part;
            }
        }
        behind
    }
}

/// `E5`, `ep5` and `epoch5`.
fn numbered_epoch(word: &str) -> Option<f64> {
    if !word.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let head = &word[..word.len() - digits.len()];
    let is_head = ["e", "ep", "epoch"].iter().any(|known| head.eq_ignore_ascii_case(known));
    (is_head && digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// `ResNet18`
fn is_model(word: &str) -> bool {
    word.bytes().filter(u8::is_ascii_uppercase).count() > 1
        && word.bytes().any(|b| b.is_ascii_lowercase())
        && word.ends_with(|c: char| c.is_ascii_digit())
}

/// `ValueError`, `UserWarning`: written together, unlike `Val Error`.
pub(crate) fn is_exception(word: &str) -> bool {
    ["Error", "Warning", "Exception"]
        .iter()
        .any(|end| word.strip_suffix(end).is_some_and(|kind| kind.ends_with(|c: char| c.is_ascii_lowercase())))
}
