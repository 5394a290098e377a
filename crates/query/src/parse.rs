//! From the text of a filter to its tree. The grammar is at the top of the crate.

use crate::mistake::Mistake;
use crate::nearest::did_you_mean;
use crate::tree::{Expr, Operator, Test, Word};
use neronet_model::Value;

/// Bytes of a filter: more than anybody types, and a list of all the runs of a large project.
const LONGEST: usize = 256 << 10;
const DEEPEST: usize = 50;

/// As they are written, longer ones first, and whether they say the opposite.
const OPERATORS: [(&str, Operator, bool); 13] = [
    ("==", Operator::Equal, false),
    ("!=", Operator::NotEqual, false),
    ("<>", Operator::NotEqual, false),
    ("<=", Operator::AtMost, false),
    (">=", Operator::AtLeast, false),
    ("!~", Operator::Contains, true),
    ("≤", Operator::AtMost, false),
    ("≥", Operator::AtLeast, false),
    ("≠", Operator::NotEqual, false),
    ("=", Operator::Equal, false),
    ("<", Operator::Less, false),
    (">", Operator::Greater, false),
    ("~", Operator::Contains, false),
];

/// Words of other languages for what `~` does, or nearly.
const LIKE: [&str; 8] = ["like", "ilike", "matches", "regexp", "rlike", "glob", "startswith", "endswith"];

pub(crate) fn parse(text: &str) -> Result<Expr, Mistake> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > LONGEST {
        return Err(parser.wrong(format!("longer than {LONGEST} bytes")));
    }
    let tree = parser.any()?;
    parser.skip_space();
    if parser.rest().is_empty() { Ok(tree) } else { Err(parser.unexpected()) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong(&self, what: impl Into<String>) -> Mistake {
        Mistake::new("filter", self.text, self.at, what)
    }

    /// Of what stands where a filter could have ended.
    fn unexpected(&self) -> Mistake {
        let rest = self.rest();
        let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        match rest.chars().next() {
            Some(')') => self.wrong("this ')' closes nothing"),
            Some(',') => self.wrong("expected 'and', 'or' or the end: a list of values is written NAME in [1, 2]"),
            _ => self.wrong(format!("expected 'and', 'or' or the end{}", did_you_mean(word, ["and", "or"]))),
        }
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes what comes next, if it is this.
    fn sign(&mut self, sign: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    /// The same of a word, in capitals or not.
    fn keyword(&mut self, word: &str) -> bool {
        self.skip_space();
        let (head, after) = match self.rest().split_at_checked(word.len()) {
            Some(parts) => parts,
            None => return false,
        };
        let found = head.eq_ignore_ascii_case(word) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn any(&mut self) -> Result<Expr, Mistake> {
        self.joined(|parser| parser.keyword("or") || parser.sign("||") || parser.sign("|"), Parser::all, Expr::Any)
    }

    fn all(&mut self) -> Result<Expr, Mistake> {
        self.joined(|parser| parser.keyword("and") || parser.sign("&&") || parser.sign("&"), Parser::not, Expr::All)
    }

    fn joined(
        &mut self,
        by: fn(&mut Self) -> bool,
        part: fn(&mut Self) -> Result<Expr, Mistake>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, Mistake> {
        let first = part(self)?;
        let mut parts = vec![first];
        while by(self) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn not(&mut self) -> Result<Expr, Mistake> {
        if self.depth > DEEPEST {
            return Err(self.wrong("too deeply nested"));
        }
        self.depth += 1;
        let tree = if self.negation() {
            Expr::Not(Box::new(self.not()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.wrong("expected ')'"));
            }
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(tree)
    }

    /// `not`, which with an operator behind it is a name, or `!`.
    fn negation(&mut self) -> bool {
        let before = self.at;
        if self.keyword("not") {
            let is_name = self.operator().is_some();
            self.at = if is_name { before } else { self.at };
            return !is_name;
        }
        let is_operator = self.rest().starts_with("!=") || self.rest().starts_with("!~");
        !is_operator && self.sign("!")
    }

    /// Takes an operator, if one comes next, and tells whether the opposite of it is meant.
    fn operator(&mut self) -> Option<(Operator, bool)> {
        self.skip_space();
        let (sign, operator, opposite) = OPERATORS.iter().find(|(sign, ..)| self.rest().starts_with(sign))?;
        self.at += sign.len();
        Some((*operator, *opposite))
    }

    fn test(&mut self) -> Result<Expr, Mistake> {
        if self.sign("@") {
            return Ok(Expr::Tag(self.value()?));
        }
        let before = self.at;
        if self.keyword("exists") && self.sign("(") {
            let name = self.name()?;
            return if self.sign(")") { Ok(Expr::Test(name, Test::Exists)) } else { Err(self.wrong("expected ')'")) };
        }
        self.at = before;
        let name = self.name()?;
        if self.rest().trim_start().starts_with("=~") {
            return Err(self.wrong("there are no patterns; ~ holds the text").with_more("For instance: model ~ resnet"));
        }
        if let Some((operator, opposite)) = self.operator() {
            return Ok(negated(opposite, self.comparison(name, operator)?));
        }
        let with_quotes = name.bare && (name.text.contains(":\"") || name.text.contains(":'"));
        match self.worded(&name) {
            Ok(Some(test)) if !with_quotes => Ok(test),
            Err(mistake) if !with_quotes => Err(mistake),
            _ => self.with_colon(name),
        }
    }

    /// What follows `name operator`; or, where a number comes first, `value operator`, which may be the beginning of a chain.
    fn comparison(&mut self, first: Word, operator: Operator) -> Result<Expr, Mistake> {
        let turned = operator.turned().filter(|_| is_bare_number(&first));
        let second = if turned.is_some() { self.name()? } else { self.value()? };
        let before = self.at;
        let next = self.operator().filter(|(_, opposite)| !opposite);
        self.at = before;
        let Some((next, _)) = next else {
            return Ok(match turned.filter(|_| !is_bare_number(&second)) {
                Some(operator) => compare(second, operator, first),
                None => compare(first, operator, second),
            });
        };
        let direction = operator.direction();
        if direction == 0 || next.direction() != direction || is_bare_number(&second) {
            self.skip_space();
            return Err(self.wrong("expected 'and', 'or' or the end").with_more("A range is written like: 0.1 <= lr < 1"));
        }
        // What stands in the middle is a name after all.
        self.at = second.at;
        let name = self.name()?;
        let (Some((next, false)), Some(turned)) = (self.operator(), operator.turned()) else {
            return Err(self.unexpected());
        };
        let third = self.value()?;
        Ok(Expr::All(vec![compare(name.clone(), turned, first), compare(name, next, third)]))
    }

    /// What is asked in words: `in`, `contains`, `is`, `exists`.
    fn worded(&mut self, name: &Word) -> Result<Option<Expr>, Mistake> {
        let before = self.at;
        let not = self.keyword("not");
        let test = |test| Expr::Test(name.clone(), test);
        if self.keyword("in") {
            return Ok(Some(negated(not, self.one_of(name)?)));
        }
        if self.keyword("contains") {
            return Ok(Some(negated(not, test(Test::Compare(Operator::Contains, self.value()?)))));
        }
        if self.keyword("exists") {
            return Ok(Some(negated(not, test(Test::Exists))));
        }
        if !not && !is_bare_number(name) && self.keyword("is") {
            let not = self.keyword("not");
            let value = self.value()?;
            let missing = value.bare && is_missing(&value.text, true);
            let equal = if not { Operator::NotEqual } else { Operator::Equal };
            return Ok(Some(if missing { negated(!not, test(Test::Exists)) } else { test(Test::Compare(equal, value)) }));
        }
        self.skip_space();
        if let Some(word) = LIKE.into_iter().find(|word| self.rest().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
        {
            return Err(self.wrong(format!("there is no '{word}'; ~ holds the text")).with_more("For instance: model ~ resnet"));
        }
        self.at = before;
        Ok(None)
    }

    /// What follows `in`.
    fn one_of(&mut self, first: &Word) -> Result<Expr, Mistake> {
        for (open, close) in [("[", ']'), ("(", ')'), ("{", '}')] {
            if self.sign(open) {
                return Ok(Expr::Test(first.clone(), Test::In(self.list(close)?)));
            }
        }
        let at = self.at;
        match self.name() {
            Ok(name) if ["tag", "tags"].contains(&name.text.as_str()) => Ok(Expr::Tag(first.clone())),
            _ => Err(Mistake::new("filter", self.text, at, "expected '['").with_more("A list is written like: lr in [0.1, 0.01]")),
        }
    }

    fn list(&mut self, close: char) -> Result<Vec<Word>, Mistake> {
        let mut values = Vec::new();
        loop {
            self.skip_space();
            if self.rest().starts_with(close) {
                self.at += close.len_utf8();
                return Ok(values);
            }
            values.push(self.word(&[',', ']', '}'], "expected a value or the end of the list")?);
            if !self.sign(",") && !self.rest().starts_with(close) {
                return Err(self.wrong(format!("expected ',' or '{close}'")));
            }
        }
    }

    /// `tag:best`, `state:failed`, of a word with no operator behind it.
    fn with_colon(&mut self, word: Word) -> Result<Expr, Mistake> {
        if let Some((name, _)) = word.text.split_once(':').filter(|(name, _)| word.bare && !name.is_empty()) {
            self.at = word.at + name.len() + 1;
            let name = Word { text: name.to_string(), bare: true, at: word.at };
            if !self.rest().starts_with(char::is_whitespace) && !is_bare_number(&name) {
                let value = self.value()?;
                return Ok(if ["tag", "tags"].contains(&name.text.as_str()) {
                    Expr::Tag(value)
                } else {
                    compare(name, Operator::Equal, value)
                });
            }
        }
        self.skip_space();
        let next = self.rest().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let guess = did_you_mean(next, ["in", "contains", "exists", "missing"]);
        Err(self.wrong(format!("expected one of == != < <= > >= ~ in{guess}")))
    }

    /// A name: a word, a text in quotes, or `metrics."val loss".max`, `params["lr"]`.
    fn name(&mut self) -> Result<Word, Mistake> {
        self.skip_space();
        let (at, mut text, mut bare) = (self.at, String::new(), true);
        loop {
            let rest = self.rest();
            let subscript = rest.strip_prefix('[').is_some_and(|rest| rest.starts_with(['"', '\'']));
            if rest.starts_with(['"', '\'', '`']) && (text.is_empty() || text.ends_with('.')) {
                text.push_str(&self.quoted()?);
                bare = false;
            } else if subscript && ["params", "metrics"].contains(&text.as_str()) {
                self.at += 1;
                text.push('.');
                text.push_str(&self.quoted()?);
                bare = false;
                if !self.sign("]") {
                    return Err(self.wrong("expected ']'"));
                }
            } else if bare || rest.starts_with('.') {
                let end = word_end(rest, &[]);
                // A quote begins behind a dot, and a subscript behind these names.
                let end = [".\"", ".'", ".`"].iter().filter_map(|dot| rest[..end].find(dot)).min().map_or(end, |dot| dot + 1);
                let end = ["params[\"", "params['", "metrics[\"", "metrics['"]
                    .iter()
                    .find(|start| rest.starts_with(**start))
                    .map_or(end, |start| start.len() - 2);
                if end == 0 {
                    break;
                }
                text.push_str(&rest[..end]);
                self.at += end;
            } else {
                break;
            }
        }
        if self.at == at {
            return Err(self.wrong("expected a name or a value"));
        }
        Ok(Word { text, bare, at })
    }

    /// A value: a word, a text in quotes, or several words of time.
    fn value(&mut self) -> Result<Word, Mistake> {
        let mut value = self.word(&[], "expected a name or a value")?;
        if value.bare && value.text.starts_with(|c: char| c.is_ascii_digit()) {
            while let Some(more) = self.more_of_a_time() {
                value.text.push(' ');
                value.text.push_str(more);
            }
        }
        Ok(value)
    }

    /// `days`, `ago`, `30min` behind `2` or `1h`.
    fn more_of_a_time(&mut self) -> Option<&'a str> {
        const UNITS: [&str; 26] = [
            "ms", "s", "sec", "secs", "second", "seconds", "m", "min", "mins", "minute", "minutes", "h", "hour", "hours", "d", "day",
            "days", "w", "week", "weeks", "month", "months", "y", "year", "years", "ago",
        ];
        let rest = self.rest().trim_start();
        let word = &rest[..word_end(rest, &[])];
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let found = UNITS.contains(&unit) && self.rest().starts_with(char::is_whitespace);
        self.at = if found { self.text.len() - rest.len() + word.len() } else { self.at };
        found.then_some(word)
    }

    fn word(&mut self, also_end: &[char], missing: &str) -> Result<Word, Mistake> {
        self.skip_space();
        let (at, rest) = (self.at, self.rest());
        if rest.starts_with(['"', '\'']) {
            return Ok(Word { text: self.quoted()?, bare: false, at });
        }
        let end = word_end(rest, also_end);
        if end == 0 {
            return Err(self.wrong(missing));
        }
        self.at += end;
        Ok(Word { text: rest[..end].to_string(), bare: true, at })
    }

    /// From the quote on which we stand to the next of its kind that is not written twice.
    fn quoted(&mut self) -> Result<String, Mistake> {
        let Some(quote) = self.rest().chars().next() else { return Err(self.wrong("expected a quote")) };
        let (mut text, mut at) = (String::new(), self.at + quote.len_utf8());
        loop {
            let rest = &self.text[at..];
            let Some(end) = rest.find(quote) else { return Err(self.wrong("the quote does not end")) };
            text.push_str(&rest[..end]);
            at += end + quote.len_utf8();
            if !self.text[at..].starts_with(quote) {
                self.at = at;
                return Ok(text);
            }
            text.push(quote);
            at += quote.len_utf8();
        }
    }
}

fn compare(name: Word, operator: Operator, value: Word) -> Expr {
    Expr::Test(name, Test::Compare(operator, value))
}

fn negated(opposite: bool, tree: Expr) -> Expr {
    if opposite { Expr::Not(Box::new(tree)) } else { tree }
}

fn is_bare_number(word: &Word) -> bool {
    word.bare && Value::from_word(&word.text).number().is_some()
}

/// What people call having no value. `said`: behind `is`, where nothing else can be meant.
pub(crate) fn is_missing(word: &str, said: bool) -> bool {
    ["none", "null"].iter().any(|known| word.eq_ignore_ascii_case(known)) || said && word.eq_ignore_ascii_case("missing")
}

/// Where a word ends, in bytes.
fn word_end(text: &str, also: &[char]) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || "=<>!~()@≤≥≠".contains(c) || also.contains(&c)).unwrap_or(text.len());
    let joined = ["&&", "||"].iter().filter_map(|sign| text[..end].find(sign)).min();
    joined.unwrap_or(end)
}
