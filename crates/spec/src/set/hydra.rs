//! Sweeps of the command line in Hydra's spelling: `range(1,10,2)`, `choice(a,b)`, `interval(0,1)`, `tag(log, interval(1e-6,1e-2))`.

use super::{one, parts};
use crate::problem::quoted;
use crate::source::{Found, Span};
use crate::tree::{Key, Node, Style, Table, Tree};
use neronet_model::Value;

const LONGEST_RANGE: usize = 1_000_000;

/// The node that a call stands for. `None`: this is no call; `Some(None)`: it is one, and wrong.
pub(super) fn sweep(text: &str, span: Span, found: &mut Found<'_>) -> Option<Option<Node>> {
    let Some((name, inside)) = call(text, span) else {
        let part = parts(text, span).into_iter().find(|part| begins_sweep(&text[part.start..part.end]))?;
        let hint = "write range(1,10) with its ')' and nothing beside it; a text with parentheses stands in quotes: '\"…\"'".to_string();
        found.error(part, "this begins like a sweep of Hydra's and is none", hint);
        return Some(None);
    };
    let arguments: Vec<Span> = if text[inside.start..inside.end].trim().is_empty() { Vec::new() } else { parts(text, inside) };
    Some(match name {
        "choice" => choice(text, span, &arguments, found),
        "range" => range(text, span, &arguments, found),
        "interval" => interval(text, span, &arguments, "uniform", found),
        "tag" => tag(text, span, &arguments, found),
        "int" => match arguments.as_slice() {
            [inner] if call(text, *inner).is_some_and(|(name, _)| name == "interval") => {
                let (_, inside) = call(text, *inner)?;
                interval(text, span, &parts(text, inside), "int_uniform", found)
            }
            _ => refused(name, span, found),
        },
        "shuffle" | "sort" | "glob" | "extend_list" | "str" | "float" | "bool" | "json_str" => refused(name, span, found),
        // Any other text with parentheses is a value.
        _ => return None,
    })
}

fn begins_sweep(written: &str) -> bool {
    let name = written.trim_start().split_once('(').map(|(name, _)| name);
    name.is_some_and(|name| ["choice", "range", "interval", "tag"].contains(&name))
}

fn refused(name: &str, span: Span, found: &mut Found<'_>) -> Option<Node> {
    let hint =
        "range(…), choice(…), interval(…) and tag(log, interval(…)) are; a text with parentheses stands in quotes: '\"…\"'".to_string();
    found.error(span, format!("Hydra's {name}(…) is not carried out here"), hint);
    None
}

/// `name(…)` and nothing else.
fn call(text: &str, span: Span) -> Option<(&str, Span)> {
    let written = &text[span.start..span.end];
    let (start, trimmed) = (span.start + written.len() - written.trim_start().len(), written.trim());
    let open = trimmed.find('(')?;
    let name = &trimmed[..open];
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let closes = trimmed.ends_with(')');
    (is_name && closes).then(|| (name, Span { start: start + open + 1, end: start + trimmed.len() - 1, ..span }))
}

fn choice(text: &str, span: Span, arguments: &[Span], found: &mut Found<'_>) -> Option<Node> {
    let values: Option<Vec<Node>> = arguments.iter().map(|place| one(text, *place, found)).collect();
    Some(Node { span, tree: Tree::List(values?) })
}

fn number(text: &str, place: Span, found: &mut Found<'_>) -> Option<Value> {
    let word = text[place.start..place.end].trim();
    let word = word.split_once('=').filter(|(name, _)| matches!(*name, "start" | "stop" | "step" | "end")).map_or(word, |(_, word)| word);
    let value = Value::from_word(word);
    if value.number().is_some_and(f64::is_finite) {
        return Some(value);
    }
    found.error(
        place,
        format!("expected a number, found {}", quoted(word)),
        "range(1,10,2) stands for 1,3,5,7,9; a list of words is written a,b".to_string(),
    );
    None
}

/// From the first number up to the second, which is not among them, as in Hydra and Python.
fn range(text: &str, span: Span, arguments: &[Span], found: &mut Found<'_>) -> Option<Node> {
    let numbers: Vec<Value> = arguments.iter().map(|place| number(text, *place, found)).collect::<Option<_>>()?;
    let (start, stop, step) = match numbers.as_slice() {
        [stop] => (Value::Int(0), stop.clone(), Value::Int(1)),
        [start, stop] => (start.clone(), stop.clone(), Value::Int(1)),
        [start, stop, step] => (start.clone(), stop.clone(), step.clone()),
        _ => {
            found.error(span, "range takes a start, a stop and a step", "range(1,10,2) stands for 1,3,5,7,9".to_string());
            return None;
        }
    };
    let of = |value: &Value| value.number().unwrap_or_default();
    let (first, last, by) = (of(&start), of(&stop), of(&step));
    let steps = ((last - first) / by - 1e-9).ceil();
    if by == 0.0 || steps < 1.0 || steps.is_nan() {
        found.error(span, "this range has no values", "it begins at the start and ends before the stop: range(0,10)".to_string());
        return None;
    }
    if steps > LONGEST_RANGE as f64 {
        found.error(
            span,
            format!("this range has more than {LONGEST_RANGE} values"),
            "take larger steps: range(0,1000000,100)".to_string(),
        );
        return None;
    }
    let value = |n: usize| match (&start, &step) {
        (Value::Int(start), Value::Int(step)) => Value::Int(start.saturating_add(step.saturating_mul(n as i64))),
        // 15 digits, so that 0.1 + 2 * 0.1 is 0.3.
        _ => Value::from_f64(format!("{:.14e}", first + by * n as f64).parse().unwrap_or_default()),
    };
    let values = (0..steps as usize).map(|n| Node { span, tree: Tree::Scalar(value(n)) });
    Some(Node { span, tree: Tree::List(values.collect()) })
}

fn interval(text: &str, span: Span, arguments: &[Span], distribution: &str, found: &mut Found<'_>) -> Option<Node> {
    let [low, high] = arguments else {
        found.error(span, "interval takes a lower and an upper bound", "write interval(0.1,0.9)".to_string());
        return None;
    };
    let bounds = [*low, *high].map(|place| Some(Node { span: place, tree: Tree::Scalar(number(text, place, found)?) }));
    let [Some(low), Some(high)] = bounds else { return None };
    let entries = vec![(Key::new(distribution, span), Node { span, tree: Tree::List(vec![low, high]) })];
    Some(Node { span, tree: Tree::Table(Table { style: Style::Braces, entries }) })
}

/// `tag(log, interval(…))`: spread evenly over the logarithm.
fn tag(text: &str, span: Span, arguments: &[Span], found: &mut Found<'_>) -> Option<Node> {
    if let [tag, inner] = arguments
        && text[tag.start..tag.end].trim() == "log"
        && let Some(("interval", inside)) = call(text, *inner)
    {
        return interval(text, span, &parts(text, inside), "log_uniform", found);
    }
    let hint = match arguments.last().and_then(|inner| call(text, *inner)) {
        Some(("int", inside)) => {
            let inside = &text[inside.start..inside.end];
            format!("write tag(log, {inside}), and below [params] what is to be whole: {{ derive = \"int(…)\" }} of it")
        }
        _ => "write what stands in it alone".to_string(),
    };
    found.error(span, "of Hydra's tags only tag(log, interval(…)) is carried out", hint);
    None
}
