//! The same answers found one row at a time, without dictionaries, bitmaps or ranks. How a value compares with a word is written here
//! as it was before there were columns.

use crate::runs::{Cell, Run};
use neronet_model::Value;
use neronet_query::{Expr, Operator, Test, Word};
use std::cmp::Ordering;

/// What a run has of a name, as values.
fn found(run: &Run, name: &str) -> Vec<Value> {
    match run.get(name) {
        None => Vec::new(),
        Some(Cell::Value(value)) => vec![value.clone()],
        Some(Cell::Set(set)) => set.clone(),
        Some(Cell::Number(number) | Cell::Seconds(number)) => vec![Value::from_f64(*number)],
        Some(Cell::Time(at)) => vec![Value::Int(*at)],
    }
}

pub(crate) fn holds(tree: &Expr, run: &Run) -> bool {
    match tree {
        Expr::All(parts) => parts.iter().all(|part| holds(part, run)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, run)),
        Expr::Not(part) => !holds(part, run),
        Expr::Tag(tag) => found(run, "tags").iter().any(|known| known.to_string() == tag.text),
        Expr::Test(name, Test::Exists) => !found(run, &name.text).is_empty(),
        Expr::Test(name, Test::In(values)) => values.iter().any(|value| equal(run, name, value)),
        Expr::Test(name, Test::Compare(Operator::NotEqual, value)) => !equal(run, name, value),
        Expr::Test(name, Test::Compare(operator, value)) => {
            found(run, &name.text).iter().any(|found| compare(found, *operator, &value.text))
        }
    }
}

fn equal(run: &Run, name: &Word, value: &Word) -> bool {
    found(run, &name.text).iter().any(|found| compare(found, Operator::Equal, &value.text))
}

fn compare(found: &Value, operator: Operator, value: &str) -> bool {
    let wanted = Value::from_word(value);
    let shown = found.to_string();
    if operator == Operator::Contains {
        return shown.contains(value);
    }
    let truth = |value: &Value| matches!(*value.meaning(), Value::Bool(true));
    let is_truth = |value: &Value| matches!(*value.meaning(), Value::Bool(_));
    let wanted = if is_truth(found) { Value::as_word(value) } else { wanted };
    let order = match (found.number(), wanted.number()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ if is_truth(found) && is_truth(&wanted) => Some(truth(found).cmp(&truth(&wanted))),
        _ => Some(shown.as_str().cmp(value)),
    };
    match operator {
        Operator::Equal => order.is_some_and(Ordering::is_eq),
        Operator::NotEqual => !order.is_some_and(Ordering::is_eq),
        Operator::Less => order.is_some_and(Ordering::is_lt),
        Operator::AtMost => order.is_some_and(Ordering::is_le),
        Operator::Greater => order.is_some_and(Ordering::is_gt),
        Operator::AtLeast => order.is_some_and(Ordering::is_ge),
        Operator::Contains => false,
    }
}
