//! Filter expressions over runs: `state == failed and lr >= 0.01`, `test_acc > 97 or @keep`, `not (model ~ resnet)`.
//! A name is a field (id, sweep, experiment, project, state, outcome), a parameter, or a metric's last value. Never code.

use crate::error::HomeError;
use crate::view::View;
use neronet_model::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Tag(String),
    Compare { name: String, operator: Operator, value: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// Holds the text.
    Contains,
}

const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("~", Operator::Contains),
];

impl Filter {
    pub fn parse(text: &str) -> Result<Filter, HomeError> {
        let mut parser = Parser { rest: text, whole: text, depth: 0 };
        let filter = parser.any()?;
        if parser.skip_space().is_empty() { Ok(filter) } else { Err(parser.wrong("expected 'and', 'or' or the end")) }
    }

    pub fn matches(&self, view: &View<'_>) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches(view)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches(view)),
            Filter::Not(part) => !part.matches(view),
            Filter::Tag(tag) => view.run.tags.contains(tag),
            Filter::Compare { name, operator, value } => match field(view, name) {
                Some(found) => compare(&found, *operator, value),
                // A run without the name is different from any value, and nothing else.
                None => *operator == Operator::NotEqual,
            },
        }
    }
}

fn field(view: &View<'_>, name: &str) -> Option<Value> {
    let text = |text: String| Some(Value::Str(text));
    match name {
        "id" => Some(Value::Int(view.run.id.0 as i64)),
        "sweep" => Some(Value::Int(view.run.sweep.0 as i64)),
        "experiment" => text(view.run.experiment.clone()),
        "project" => text(view.sweep.project.clone()),
        // `state == failed` is what people type.
        "state" => text(view.status()),
        "outcome" => view.outcome.and_then(|outcome| text(outcome.to_string())),
        _ => view.params.get(name).cloned().or_else(|| view.metrics.get(name).map(|extent| Value::from_f64(extent.last))),
    }
}

fn compare(found: &Value, operator: Operator, value: &str) -> bool {
    let wanted = Value::from_word(value);
    let shown = found.to_string();
    if operator == Operator::Contains {
        return shown.contains(value);
    }
    let order = match (found.number(), wanted.number()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(shown.as_str().cmp(value)),
    };
    match operator {
        Operator::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Operator::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
        Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Operator::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
        Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Operator::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
        Operator::Contains => false,
    }
}

struct Parser<'a> {
    rest: &'a str,
    whole: &'a str,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn wrong(&self, what: &str) -> HomeError {
        let at = self.whole.len() - self.rest.len();
        HomeError::Words(format!(
            "filter: {what}\n  {}\n  {}^\nA filter is written like: state == failed and lr >= 0.01",
            self.whole,
            " ".repeat(self.whole[..at].chars().count())
        ))
    }

    fn skip_space(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.skip_space();
        let found = rest.strip_prefix(word).filter(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        self.rest = found.unwrap_or(rest);
        found.is_some()
    }

    fn any(&mut self) -> Result<Filter, HomeError> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self) -> Result<Filter, HomeError> {
        let mut parts = vec![self.not()?];
        while self.word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn not(&mut self) -> Result<Filter, HomeError> {
        if self.depth > 50 {
            return Err(self.wrong("too deeply nested"));
        }
        self.depth += 1;
        let filter = if self.word("not") {
            Filter::Not(Box::new(self.not()?))
        } else if self.skip_space().starts_with('(') {
            self.rest = &self.rest[1..];
            let inner = self.any()?;
            self.rest = self.skip_space().strip_prefix(')').ok_or_else(|| self.wrong("expected ')'"))?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, HomeError> {
        if let Some(rest) = self.skip_space().strip_prefix('@') {
            self.rest = rest;
            return Ok(Filter::Tag(self.value()?));
        }
        let name = self.value()?;
        let rest = self.skip_space();
        let Some((sign, operator)) = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign)) else {
            return Err(self.wrong("expected one of == != < <= > >= ~"));
        };
        self.rest = &rest[sign.len()..];
        Ok(Filter::Compare { name, operator: *operator, value: self.value()? })
    }

    /// A word, or a text in quotes.
    fn value(&mut self) -> Result<String, HomeError> {
        let rest = self.skip_space();
        if let Some(quote) = rest.chars().next().filter(|c| ['"', '\''].contains(c)) {
            let inner = &rest[1..];
            let end = inner.find(quote).ok_or_else(|| self.wrong("the quote does not end"))?;
            self.rest = &inner[end + 1..];
            return Ok(inner[..end].to_string());
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=<>!~()@".contains(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong("expected a name or a value"));
        }
        self.rest = &rest[end..];
        Ok(rest[..end].to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_bind_as_people_read_them() {
        let parsed = Filter::parse("a=1 and not b < 'x y' or (@t and c ~ d)").map_err(|e| e.to_string());
        let compare = |name: &str, operator, value: &str| Filter::Compare { name: name.into(), operator, value: value.into() };
        let expected = Filter::Any(vec![
            Filter::All(vec![compare("a", Operator::Equal, "1"), Filter::Not(Box::new(compare("b", Operator::Less, "x y")))]),
            Filter::All(vec![Filter::Tag("t".into()), compare("c", Operator::Contains, "d")]),
        ]);
        assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn what_is_no_filter_says_where() {
        for text in ["", "a", "a ==", "a == 1 b", "(a == 1", "'a == 1", "and", &"(".repeat(1000)] {
            let error = Filter::parse(text).map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.contains('^')), "{text}: {error:?}");
        }
    }
}
