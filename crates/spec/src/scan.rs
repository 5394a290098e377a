//! The quoting scanner: which of the shell's quotes are open at each placeholder. `quote` writes the values there.

use crate::template::Token;
use std::ops::Range;

mod refusal;

/// The quotes around a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Bare,
    /// `'…'`
    Single,
    /// `"…"` and `$"…"`
    Double,
    /// `$'…'`
    Ansi,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) hole: Range<usize>,
    pub(crate) context: Context,
    /// A backslash that is itself stands before it and must not touch the quotes that are put there.
    pub(crate) after_backslash: bool,
    /// Nothing of the same word touches it.
    pub(crate) alone: bool,
    /// What touches it would take in a value without quotes: `$HOME{x}`, `{x}>file`.
    pub(crate) needs_quotes: bool,
}

/// What is wrong with a command, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The placeholders that the shell reads; those in comments are left as they are.
    pub(crate) places: Vec<Place>,
    /// Why nothing can be appended to this command, if so.
    pub(crate) closed_end: Option<&'static str>,
    /// The command, byte for byte, with `x` for what stands in quotes and expansions and blanks for comments: what is left are the
    /// shell's own operators, and blanks between words.
    pub(crate) outline: String,
}

/// Whether a shell is one whose quoting is known here.
pub(crate) fn is_known(shell: &str) -> bool {
    matches!(base(shell), "bash" | "sh" | "dash" | "ash" | "zsh" | "ksh" | "mksh")
}

/// Whether `$'…'` are quotes of this shell. Of `sh` nobody knows.
pub(crate) fn knows_ansi(shell: &str) -> bool {
    matches!(base(shell), "bash" | "zsh" | "ksh" | "mksh")
}

fn base(shell: &str) -> &str {
    shell.rsplit('/').next().unwrap_or(shell)
}

/// What is open, with the place where it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Double,
    Ansi,
    Backtick,
    /// `${`, in double quotes or not.
    Expansion {
        in_double: bool,
    },
    /// `$(`, with the parentheses that are open in it.
    Substitution {
        depth: usize,
    },
    /// `((`, `$((` or `$[`, which ends at the closing bracket of depth 0.
    Arithmetic {
        depth: usize,
        closes: char,
    },
}

/// The patterns of a `case` have a parenthesis that closes nothing.
const CASE: &str = "or after $(…) with a 'case'";

struct Heredoc {
    delimiter: String,
    /// Nothing of its delimiter is quoted: variables are filled in, and a backslash joins lines.
    expands: bool,
    strip_tabs: bool,
    opened: usize,
}

struct Scanner<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    open: Vec<(Kind, usize)>,
    heredocs: Vec<Heredoc>,
    places: Vec<Place>,
    /// The next character would begin a word.
    word_start: bool,
    word: String,
    comment: bool,
    /// What hides where something ended, so that quotes behind it mean nothing for sure: the patterns of a `case` in `$(…)`, or a
    /// `((` that may be two subshells.
    unsure: Option<&'static str>,
    closed_end: Option<&'static str>,
    outline: String,
}

/// Follows the shell's quotes through a command. `ansi`: whether `$'…'` are quotes.
pub(crate) fn scan(text: &str, tokens: &[Token], ansi: bool) -> Result<Scan, Refusal> {
    let mut scanner = Scanner {
        text,
        tokens,
        at: 0,
        open: Vec::new(),
        heredocs: Vec::new(),
        places: Vec::new(),
        word_start: true,
        word: String::new(),
        comment: false,
        unsure: None,
        closed_end: None,
        outline: String::with_capacity(text.len()),
    };
    while scanner.at < tokens.len() {
        let (from, outside) = (scanner.at, scanner.open.is_empty() && !scanner.comment);
        scanner.step(ansi)?;
        scanner.draw(from, outside);
    }
    scanner.finish()
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Char(c, _)) => Some(*c),
            _ => None,
        }
    }

    fn offset(&self) -> usize {
        match self.tokens.get(self.at) {
            Some(Token::Char(_, at)) => *at,
            Some(Token::Hole(range)) => range.start,
            None => self.text.len(),
        }
    }

    /// Opens something whose opening takes `length` characters.
    fn push(&mut self, kind: Kind, length: usize) {
        self.open.push((kind, self.offset()));
        self.at += length;
        self.word_start = matches!(kind, Kind::Substitution { .. });
        self.word.clear();
    }

    fn pop(&mut self) {
        self.open.pop();
        self.at += 1;
        self.word_start = false;
    }

    /// Adds what the last step read to the outline. `outside`: it began outside of quotes, expansions and comments.
    fn draw(&mut self, from: usize, outside: bool) {
        let outside = outside && self.open.is_empty();
        let end = self.offset();
        let read = &self.tokens[from..self.at];
        match read {
            _ if self.comment => {}
            [Token::Char(c, _)] if outside => self.outline.push(*c),
            // The end of a line, with the here-documents behind it.
            [Token::Char('\n', _), ..] if outside => self.outline.push('\n'),
            [Token::Char('\\', _), Token::Char('\n', _)] if outside => {}
            _ => self.outline.extend(std::iter::repeat_n('x', end.saturating_sub(self.outline.len()))),
        }
        self.outline.extend(std::iter::repeat_n(' ', end.saturating_sub(self.outline.len())));
    }

    fn refuse(&self, at: Range<usize>, message: impl Into<String>, hint: impl Into<Option<String>>) -> Refusal {
        Refusal { at, message: message.into(), hint: hint.into() }
    }

    fn step(&mut self, ansi: bool) -> Result<(), Refusal> {
        let c = match &self.tokens[self.at] {
            Token::Hole(range) => return self.hole(range.clone()),
            Token::Char(c, _) => *c,
        };
        if self.comment {
            self.comment = c != '\n';
            self.at += usize::from(self.comment);
            return Ok(());
        }
        match self.open.last().map(|(kind, _)| *kind) {
            Some(Kind::Single) if c == '\'' => self.pop(),
            Some(Kind::Single) => self.at += 1,
            Some(Kind::Ansi) => self.ansi(c)?,
            Some(Kind::Double) => self.double(c),
            Some(Kind::Backtick) => match c {
                '\\' => self.at += self.escaped(),
                '`' => self.pop(),
                _ => self.at += 1,
            },
            Some(Kind::Expansion { in_double }) => match c {
                '}' => self.pop(),
                // Bash pairs single quotes even in "${…}"; for a plain sh they are text there.
                '\'' if in_double && ansi => self.push(Kind::Single, 1),
                '\'' if in_double => self.at += 1,
                _ if in_double => self.double_inside(c),
                _ => self.bare(c, ansi)?,
            },
            Some(Kind::Arithmetic { depth, closes }) => self.arithmetic(c, depth, closes, ansi)?,
            Some(Kind::Substitution { .. }) | None => self.bare(c, ansi)?,
        }
        Ok(())
    }

    /// The length of a backslash and what it escapes; a placeholder is no character.
    fn escaped(&self) -> usize {
        if self.peek(1).is_some() { 2 } else { 1 }
    }

    fn ansi(&mut self, c: char) -> Result<(), Refusal> {
        match c {
            '\'' => self.pop(),
            '\\' => {
                let next = self.peek(1);
                let unfinished = matches!(next, Some('x' | 'u' | 'U' | 'c' | '0'..='7'));
                if let (true, Some(Token::Hole(range))) = (unfinished, self.tokens.get(self.at + 2)) {
                    let message = "the escape before this placeholder would take the beginning of its value";
                    return Err(self.refuse(range.clone(), message, "end the quotes before it: $'…'{NAME}".to_string()));
                }
                self.at += self.escaped();
            }
            _ => self.at += 1,
        }
        Ok(())
    }

    fn double(&mut self, c: char) {
        if c == '"' {
            self.pop();
        } else {
            self.double_inside(c);
        }
    }

    /// What double quotes leave special, and the double quotes that may stand inside `"${…}"`.
    fn double_inside(&mut self, c: char) {
        match (c, self.peek(1)) {
            ('\\', _) => self.at += self.escaped(),
            ('"', _) => self.push(Kind::Double, 1),
            ('`', _) => self.push(Kind::Backtick, 1),
            ('$', Some(next)) => self.dollar(next, true),
            _ => self.at += 1,
        }
    }

    fn dollar(&mut self, next: char, in_double: bool) {
        match next {
            '(' if self.peek(2) == Some('(') => self.push(Kind::Arithmetic { depth: 2, closes: ')' }, 3),
            '(' => self.push(Kind::Substitution { depth: 1 }, 2),
            '{' => self.push(Kind::Expansion { in_double }, 2),
            '[' => self.push(Kind::Arithmetic { depth: 1, closes: ']' }, 2),
            // `$#`, `$$`, `$!`: one word, not the beginning of anything.
            '#' | '$' | '!' | '?' | '@' | '*' | '-' => self.at += 2,
            _ => self.at += 1,
        }
        if !matches!(next, '(' | '{' | '[') {
            self.word_start = false;
        }
    }

    fn arithmetic(&mut self, c: char, depth: usize, closes: char, ansi: bool) -> Result<(), Refusal> {
        let opens = if closes == ')' { '(' } else { '[' };
        let new = match c {
            c if c == opens => depth + 1,
            c if c == closes => depth - 1,
            '\'' | '"' | '\\' | '`' | '$' if self.quotes(c, ansi)? => return Ok(()),
            _ => depth,
        };
        let at = self.offset();
        let Some((kind, opened)) = self.open.last_mut() else { return Ok(()) };
        if new == 0 {
            let (before, within) = (&self.text[..*opened], &self.text[*opened..at]);
            let for_loop = before.trim_end().ends_with("for");
            if !for_loop && [";", "\n", "case", " #", "\t#"].iter().any(|hides| within.contains(hides)) {
                self.unsure = Some("or after ((…)) with a ';', a 'case', a comment or a line's end, which may be two subshells");
            }
            self.pop();
            return Ok(());
        }
        *kind = Kind::Arithmetic { depth: new, closes };
        self.at += 1;
        Ok(())
    }

    /// Quotes and expansions outside of quotes; says whether `c` was one.
    fn quotes(&mut self, c: char, ansi: bool) -> Result<bool, Refusal> {
        match (c, self.peek(1)) {
            ('\'', _) => self.push(Kind::Single, 1),
            ('"', _) => self.push(Kind::Double, 1),
            ('`', _) => self.push(Kind::Backtick, 1),
            ('$', Some('\'')) if ansi => self.push(Kind::Ansi, 2),
            ('$', Some('\'')) if self.tokens.iter().any(|token| matches!(token, Token::Hole(_))) => {
                let at = self.offset();
                let hint = "set shell = \"bash\" in [environment], or use other quotes".to_string();
                return Err(self.refuse(at..at + 2, "$'…' is not understood by every sh", hint));
            }
            ('$', Some('"')) => {
                self.at += 1;
                self.push(Kind::Double, 1);
            }
            ('$', Some(next)) => self.dollar(next, false),
            ('\\', _) => {
                if let Some(Token::Hole(range)) = self.tokens.get(self.at + 1) {
                    let (start, end) = (range.start, range.end);
                    let literal = format!("{{{}}}", &self.text[start..end]);
                    let hint = format!("write {literal} for literal braces, or put the backslash in single quotes: '\\'");
                    return Err(self.refuse(start - 1..end, "a backslash before a placeholder would escape its value", hint));
                }
                // A backslash at the end of a line joins it with the next and is no part of a word.
                self.word_start &= self.peek(1) == Some('\n');
                self.at += self.escaped();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn bare(&mut self, c: char, ansi: bool) -> Result<(), Refusal> {
        let began = self.word_start;
        if !matches!(c, ' ' | '\t' | '\n') {
            self.closed_end = None;
        }
        if self.quotes(c, ansi)? {
            self.word.clear();
            return Ok(());
        }
        let substitution = matches!(self.open.last(), Some((Kind::Substitution { .. }, _)));
        match c {
            '#' if began && !matches!(self.open.last(), Some((Kind::Expansion { .. }, _))) => {
                self.comment = true;
                self.closed_end = Some("a comment");
            }
            '(' if began && self.peek(1) == Some('(') => {
                self.push(Kind::Arithmetic { depth: 2, closes: ')' }, 2);
                return Ok(());
            }
            '(' | ')' if substitution && self.parenthesis(c) => return Ok(()),
            '<' if self.peek(1) == Some('<') && self.peek(2) == Some('<') => self.at += 2,
            '<' if self.peek(1) == Some('<') && !matches!(self.open.last(), Some((Kind::Expansion { .. }, _))) => {
                return self.heredoc();
            }
            '\n' if !self.heredocs.is_empty() => {
                self.at += 1;
                self.word_start = true;
                return self.bodies();
            }
            _ => {}
        }
        if matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') {
            self.end_of_word();
            self.word_start = true;
            if matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>') {
                self.closed_end = Some("an operator of the shell");
            }
        } else {
            self.word_start = false;
            self.word.push(c);
        }
        self.at += 1;
        Ok(())
    }

    fn end_of_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word == "case" && matches!(self.open.last(), Some((Kind::Substitution { .. }, _))) {
            self.unsure = Some(CASE);
        }
        if matches!(word.as_str(), "fi" | "done" | "esac" | "}" | "]]") {
            self.closed_end = Some("the end of a block");
        } else if !word.is_empty() {
            self.closed_end = None;
        }
    }

    /// Counts a parenthesis inside `$(…)`; true when it closed that.
    fn parenthesis(&mut self, c: char) -> bool {
        let Some((Kind::Substitution { depth }, _)) = self.open.last_mut() else {
            return false;
        };
        *depth = if c == '(' { *depth + 1 } else { *depth - 1 };
        let closed = *depth == 0;
        if closed {
            self.end_of_word();
            self.closed_end = None;
            self.pop();
        }
        closed
    }

    /// `<<WORD`: its body begins after the next line end.
    fn heredoc(&mut self) -> Result<(), Refusal> {
        let opened = self.offset();
        self.at += 2;
        let strip_tabs = self.peek(0) == Some('-');
        self.at += usize::from(strip_tabs);
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let mut delimiter = String::new();
        let mut quote = None;
        let mut expands = true;
        loop {
            match (self.peek(0), quote) {
                (Some(c), Some(open)) if c == open => quote = None,
                (Some(c @ ('\'' | '"')), None) => (quote, expands) = (Some(c), false),
                (Some('\\'), None) => expands = false,
                (Some(c), None) if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>') => break,
                (Some('\n') | None, _) => break,
                (Some(c), _) => delimiter.push(c),
            }
            self.at += 1;
        }
        self.heredocs.push(Heredoc { delimiter, expands, strip_tabs, opened });
        self.word_start = false;
        Ok(())
    }

    /// Skips the here-documents that begin on this line.
    fn bodies(&mut self) -> Result<(), Refusal> {
        for heredoc in std::mem::take(&mut self.heredocs) {
            loop {
                if self.at >= self.tokens.len() {
                    let message = format!("the here-document never ends: no line is '{}'", heredoc.delimiter);
                    return Err(self.refuse(heredoc.opened..heredoc.opened + 2, message, None));
                }
                let begun = self.offset();
                let mut line = String::new();
                let mut joined = false;
                while let Some(token) = self.tokens.get(self.at) {
                    self.at += 1;
                    match token {
                        Token::Char('\n', _) if heredoc.expands && line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 => {
                            line.pop();
                            joined = true;
                        }
                        Token::Char('\n', _) => break,
                        Token::Char(c, _) => line.push(*c),
                        Token::Hole(range) => return Err(self.forbidden_in(&heredoc, range.clone())),
                    }
                }
                let line = if heredoc.strip_tabs { line.trim_start_matches('\t') } else { &line };
                if line == heredoc.delimiter && joined {
                    let message = "not every shell takes a line that a backslash joins for the end of the here-document";
                    return Err(self.refuse(begun..self.offset(), message, "write the delimiter alone on one line".to_string()));
                }
                if line == heredoc.delimiter {
                    break;
                }
            }
            self.closed_end = Some("a here-document");
        }
        Ok(())
    }

    fn hole(&mut self, hole: Range<usize>) -> Result<(), Refusal> {
        if self.comment {
            self.at += 1;
            return Ok(());
        }
        self.closed_end = None;
        let inside = self.open.iter().find_map(|(kind, _)| match kind {
            Kind::Backtick => Some("backticks"),
            Kind::Expansion { .. } => Some("${…}"),
            Kind::Substitution { .. } => Some("$(…)"),
            Kind::Arithmetic { closes: ')', .. } => Some("((…))"),
            Kind::Arithmetic { .. } => Some("$[…]"),
            _ => None,
        });
        if let Some(inside) = inside.or(self.unsure) {
            return Err(self.forbidden(hole, inside));
        }
        let context = match self.open.last() {
            Some((Kind::Single, _)) => Context::Single,
            Some((Kind::Double, _)) => Context::Double,
            Some((Kind::Ansi, _)) => Context::Ansi,
            _ => Context::Bare,
        };
        let ends_word = |token: Option<&Token>| match token {
            Some(Token::Char(c, _)) => c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>'),
            Some(Token::Hole(_)) => false,
            None => true,
        };
        self.places.push(Place {
            hole,
            context,
            after_backslash: matches!(context, Context::Double | Context::Ansi) && self.odd_backslashes(),
            needs_quotes: self.behind_variable() || matches!(self.peek(1), Some('<' | '>')),
            alone: context == Context::Bare && self.word_start && ends_word(self.tokens.get(self.at + 1)),
        });
        self.word_start = false;
        self.word.clear();
        self.at += 1;
        Ok(())
    }

    /// Whether the characters right before are `$NAME`.
    fn behind_variable(&self) -> bool {
        let mut before = self.tokens[..self.at].iter().rev();
        let end = before.find(|token| !matches!(token, Token::Char(c, _) if c.is_ascii_alphanumeric() || *c == '_'));
        matches!(end, Some(Token::Char('$', _)))
    }

    fn odd_backslashes(&self) -> bool {
        let before = self.tokens[..self.at].iter().rev();
        before.take_while(|token| matches!(token, Token::Char('\\', _))).count() % 2 == 1
    }
}
