//! Values by name, gathered from many places: the last one of a name holds, in the place of the first.

use crate::clean;
use neronet_model::{Params, Value};
use std::collections::HashMap;

/// More than this no run has.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 32 << 20;

/// `Params` looks each name up among all others, which is too slow for what anybody may have written.
#[derive(Debug, Default, Clone)]
pub(crate) struct Gathered {
    values: Vec<(String, Value)>,
    places: HashMap<String, usize>,
    bytes: usize,
}

impl Gathered {
    /// Sets a value. Of more names, or more text, than a run has none is added.
    pub(crate) fn set(&mut self, name: &[u8], value: Value) {
        let name = clean::name(name);
        let slot = self.places.get(&name).and_then(|place| self.values.get_mut(*place));
        let bytes = self.bytes - slot.as_ref().map_or(0, |(_, old)| size(old)) + size(&value);
        if bytes > MOST_BYTES {
            return;
        }
        match slot {
            Some((_, old)) => *old = value,
            None if self.places.len() < MOST => {
                self.places.insert(name.clone(), self.values.len());
                self.values.push((name, value));
            }
            None => return,
        }
        self.bytes = bytes;
    }

    pub(crate) fn params(&self) -> Params {
        self.values.iter().cloned().collect()
    }
}

/// About the memory that a value takes.
fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Str(text) => text.len(),
            Value::Word(word) => word.text().len(),
            Value::Float(float) => float.text().len(),
            Value::List(items) => items.iter().map(size).sum(),
            Value::Bool(_) | Value::Int(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_holds_and_there_is_an_end_of_room() {
        let mut gathered = Gathered::default();
        for i in 0..20_000 {
            gathered.set(b"a", Value::Int(i));
            gathered.set(format!("{i}").as_bytes(), Value::Int(i));
        }
        let params = gathered.params();
        assert_eq!((params.len(), params.get("a"), params.get("9998")), (MOST, Some(&Value::Int(19_999)), Some(&Value::Int(9998))));
        let mut gathered = Gathered::default();
        for i in 0..100 {
            gathered.set(b"same", Value::Str("x".repeat(MOST_BYTES / 4)));
            gathered.set(format!("{i}").as_bytes(), Value::Str("x".repeat(MOST_BYTES / 4)));
        }
        assert_eq!(gathered.params().len(), 3);
    }
}
