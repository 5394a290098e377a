//! Filter expressions over runs: `state == failed and lr >= 0.01`, `test_acc.max > 97 or @keep`, `not (model ~ resnet)`.
//! A name is a parameter, a field of listings, or a metric: its last value, or with `.min`, `.max`, `.best` another. Never code.

use crate::error::HomeError;
use crate::listing::{self, duration};
use crate::nearest::did_you_mean;
use crate::objective::goal_of;
use crate::view::View;
use jiff::tz::TimeZone;
use neronet_model::event::Extent;
use neronet_model::settings::Goal;
use neronet_model::{Millis, UnixMs, Value};

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

    /// The runs that it holds for, of all that there are. A name that none of them has is a slip of the pen, not an answer.
    pub fn of<'v, 'a>(&self, views: &'v [View<'a>], now: UnixMs) -> Result<Vec<&'v View<'a>>, HomeError> {
        let mut names = Vec::new();
        self.names(&mut names);
        let known = |name: &str| FIELDS.contains(&name) || views.iter().any(|view| !values(view, name, now).is_empty());
        if let Some(name) = names.into_iter().find(|name| !views.is_empty() && !known(name)) {
            return Err(listing::unknown(&views.iter().collect::<Vec<_>>(), "nothing to filter by", name, &FIELDS));
        }
        self.check_words(views)?;
        Ok(views.iter().filter(|view| self.matches(view, now)).collect())
    }

    /// Whether it says itself which projects it means.
    pub fn names_project(&self) -> bool {
        let mut names = Vec::new();
        self.names(&mut names);
        names.contains(&"project")
    }

    /// Refuses states and outcomes that there are not.
    fn check_words(&self, views: &[View<'_>]) -> Result<(), HomeError> {
        match self {
            Filter::All(parts) | Filter::Any(parts) => parts.iter().try_for_each(|part| part.check_words(views)),
            Filter::Not(part) => part.check_words(views),
            Filter::Compare { name, operator: Operator::Equal | Operator::NotEqual, value } => {
                let known = match name.as_str() {
                    "state" => STATES.iter().chain(&OUTCOMES).copied().collect::<Vec<_>>(),
                    "outcome" => OUTCOMES.to_vec(),
                    _ => return Ok(()),
                };
                let is_param = || views.iter().any(|view| view.params.get(name).is_some());
                if known.contains(&value.as_str()) || is_param() {
                    return Ok(());
                }
                let guess = did_you_mean(value, known.iter().copied());
                Err(HomeError::Words(format!("no {name} is called '{value}'{guess}; there are: {}", known.join(", "))))
            }
            Filter::Tag(_) | Filter::Compare { .. } => Ok(()),
        }
    }

    fn names<'f>(&'f self, names: &mut Vec<&'f str>) {
        match self {
            Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| part.names(names)),
            Filter::Not(part) => part.names(names),
            Filter::Tag(_) => {}
            Filter::Compare { name, .. } => names.push(name),
        }
    }

    fn matches(&self, view: &View<'_>, now: UnixMs) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches(view, now)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches(view, now)),
            Filter::Not(part) => !part.matches(view, now),
            Filter::Tag(tag) => view.run.tags.contains(tag),
            Filter::Compare { name, operator, value } => {
                let lasted = Millis::parse(value).filter(|_| name == "duration").map(|time| time.seconds().to_string());
                let value = lasted.as_ref().unwrap_or(value);
                let found = values(view, name, now);
                match operator {
                    // A run without the name is different from any value, and nothing else.
                    Operator::NotEqual => found.iter().all(|found| compare(found, Operator::NotEqual, value)),
                    operator => found.iter().any(|found| compare(found, *operator, value)),
                }
            }
        }
    }
}

const STATES: [&str; 4] = ["queued", "starting", "running", "ended"];
/// Of runs: that of an attempt may be unknown too.
const OUTCOMES: [&str; 4] = ["finished", "failed", "stopped", "lost"];

/// What a filter can ask of every run, beside its parameters and metrics.
const FIELDS: [&str; 16] = [
    "id",
    "uid",
    "project",
    "experiment",
    "sweep",
    "after",
    "state",
    "outcome",
    "reason",
    "tags",
    "tag",
    "created",
    "started",
    "ended",
    "attempts",
    "duration",
];

/// What a name stands for: nothing where the run lacks it, several values where any of them may be meant.
fn values(view: &View<'_>, name: &str, now: UnixMs) -> Vec<Value> {
    let text = |text: String| Some(Value::Str(text));
    let number = |number: u64| Some(Value::Int(number as i64));
    if let Some(value) = view.params.get(name.strip_prefix("params.").unwrap_or(name)).or_else(|| view.params.get(name)) {
        return vec![value.clone()];
    }
    let one = match name {
        "id" => number(view.run.id.0),
        "sweep" => number(view.run.sweep.0),
        "after" => view.after.and_then(|run| number(run.0)),
        "attempts" => number(view.run.attempts),
        "uid" => text(view.run.uid.to_string()),
        "experiment" => text(view.run.experiment.to_string()),
        "project" => text(view.sweep.project.clone()),
        // `state == failed` is what people type, `ended` what --json says.
        "state" => return vec![Value::Str(view.status()), Value::Str(view.state.to_string())],
        "outcome" => view.outcome.and_then(|outcome| text(outcome.to_string())),
        "reason" => view.reason.clone().and_then(text),
        "tags" | "tag" => return view.run.tags.iter().cloned().map(Value::Str).collect(),
        "created" => time(Some(view.run.created)),
        "started" => time(view.started),
        "ended" => time(view.ended),
        "duration" => duration(view, now).map(|lasted| Value::from_f64(lasted.seconds())),
        _ => metric(view, name.strip_prefix("metrics.").unwrap_or(name)).map(Value::from_f64),
    };
    one.into_iter().collect()
}

/// `2026-11-21 15:04:05`, as listings show it: ordered by its letters, and a part of it compares as people mean it.
fn time(at: Option<UnixMs>) -> Option<Value> {
    let stamp = jiff::Timestamp::from_millisecond(at?.0).ok()?.to_zoned(TimeZone::system());
    Some(Value::Str(stamp.strftime("%Y-%m-%d %H:%M:%S").to_string()))
}

fn metric(view: &View<'_>, name: &str) -> Option<f64> {
    if let Some(extent) = view.metrics.get(name) {
        return Some(extent.last);
    }
    let (metric, which) = name.rsplit_once('.')?;
    let extent: &Extent = view.metrics.get(metric)?;
    let stated = view.sweep.settings.objectives.iter().find(|objective| objective.metric == metric).map(|objective| objective.goal);
    match which {
        "last" => Some(extent.last),
        "min" => Some(extent.min),
        "max" => Some(extent.max),
        "step" => Some(extent.step),
        "points" => Some(extent.points as f64),
        "best" => match stated.or_else(|| goal_of(metric))? {
            Goal::Min => Some(extent.min),
            Goal::Max => Some(extent.max),
        },
        _ => None,
    }
}

fn compare(found: &Value, operator: Operator, value: &str) -> bool {
    let wanted = Value::from_word(value);
    let shown = found.to_string();
    if operator == Operator::Contains {
        return shown.contains(value);
    }
    // `amp=True` is a truth however it is written.
    let truth = |value: &Value| matches!(*value.meaning(), Value::Bool(true));
    let is_truth = |value: &Value| matches!(*value.meaning(), Value::Bool(_));
    let wanted = if is_truth(found) { Value::as_word(value) } else { wanted };
    let order = match (found.number(), wanted.number()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ if is_truth(found) && is_truth(&wanted) => Some(truth(found).cmp(&truth(&wanted))),
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
