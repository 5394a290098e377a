//! How a value compares with what was written: numbers by size, truths as truths however they are written, all else by its letters.

use crate::tree::Operator;
use neronet_model::{Value, number};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What a value is compared with.
pub(crate) struct Wanted<'w> {
    text: &'w str,
    number: Option<f64>,
    truth: Option<bool>,
}

fn truth(value: &Value) -> Option<bool> {
    match *value.meaning() {
        Value::Bool(truth) => Some(truth),
        _ => None,
    }
}

/// The text by which a value is compared; borrowed where there is one.
pub(crate) fn shown(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::Str(text) => text.into(),
        Value::Word(word) => word.text().into(),
        Value::Float(float) => float.text().into(),
        value => value.to_string().into(),
    }
}

impl<'w> Wanted<'w> {
    pub(crate) fn new(text: &'w str) -> Wanted<'w> {
        // `amp=True` is a truth however it is written.
        Wanted { text, number: Value::from_word(text).number(), truth: truth(&Value::as_word(text)) }
    }

    pub(crate) fn holds(&self, operator: Operator, found: &Value) -> bool {
        if operator == Operator::Contains {
            return shown(found).contains(self.text);
        }
        let order = match (found.number(), self.number) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => match (truth(found), self.truth) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => Some(shown(found).as_ref().cmp(self.text)),
            },
        };
        operator.holds(order)
    }
}

/// What a value may be equal to: the same as `==` with one of them, for lists of any length.
pub(crate) struct OneOf<'w> {
    texts: BTreeSet<&'w str>,
    numbers: Numbers,
    truths: BTreeSet<bool>,
}

impl<'w> OneOf<'w> {
    pub(crate) fn new(words: impl Iterator<Item = &'w str> + Clone) -> OneOf<'w> {
        let wanted = || words.clone().map(Wanted::new);
        OneOf {
            texts: words.clone().collect(),
            numbers: Numbers::new(wanted().filter_map(|wanted| wanted.number).collect()),
            truths: wanted().filter_map(|wanted| wanted.truth).collect(),
        }
    }

    pub(crate) fn holds(&self, found: &Value) -> bool {
        let by_letters = || self.texts.contains(shown(found).as_ref());
        match (found.number(), truth(found)) {
            (Some(number), _) => self.numbers.has(number) || by_letters(),
            (None, Some(truth)) => self.truths.contains(&truth) || by_letters(),
            _ => by_letters(),
        }
    }
}

/// Numbers to look one up in; NaN is the same as NaN here.
pub(crate) struct Numbers(Vec<f64>);

impl Numbers {
    pub(crate) fn new(mut numbers: Vec<f64>) -> Numbers {
        // -0 is 0.
        numbers.iter_mut().for_each(|number| *number += 0.0);
        numbers.sort_unstable_by(f64::total_cmp);
        Numbers(numbers)
    }

    pub(crate) fn has(&self, number: f64) -> bool {
        let order = |known: &f64| if known.is_nan() && number.is_nan() { Ordering::Equal } else { known.total_cmp(&(number + 0.0)) };
        self.0.binary_search_by(order).is_ok()
    }
}

/// A number in a filter on numbers: `0.1`, `1e-3`, `nan`, `-inf`.
pub(crate) fn number_of(text: &str) -> Option<f64> {
    Value::from_word(text).number().or_else(|| number::parse_word(text))
}
