//! The parameters of one run, in the order of the file.

use crate::Value;
use crate::value::Exactly;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Names (dotted where the file had tables) with their values. Names are unique; order is the file's.
/// Names are shared between the runs that have them: there may be a hundred thousand.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(Vec<(Arc<str>, Value)>);

impl Params {
    pub fn new() -> Params {
        Params::default()
    }
    /// Sets a value in its place, or behind all others when the name is new.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
    }
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Value)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(items: I) -> Params {
        Params(items.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// As JSON that reads back as it was, for use as `serialize_with`.
pub(crate) fn exactly<S: Serializer>(params: &Params, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(params.0.iter().map(|(name, value)| (name, Exactly(value))))
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Params, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Params;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of parameters")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
                let mut params = Vec::new();
                while let Some(pair) = map.next_entry::<Arc<str>, Value>()? {
                    params.push(pair);
                }
                Ok(Params(params))
            }
        }
        input.deserialize_map(Pairs)
    }
}
