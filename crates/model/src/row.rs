//! One line of a `metrics` segment: values that belong to one step of one attempt.

mod read;

use crate::number::Num;
use crate::time::Millis;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a row was read: `o` standard output, `e` standard error, `m` the file `$NERONET_METRICS`, `f:PATH` a named file.
/// With `at` it identifies the bytes that the row came from, so none is ever recorded twice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Row {
    pub t: Millis,
    pub src: String,
    /// Offset in the source of the byte after the line; of a named file the line's number.
    pub at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// The last step there will be, where the script says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// The script's own time in Unix seconds: kept, never used for order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
    /// The training began again before this row, within the attempt: it joins what was before as a further attempt would.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    pub m: Values,
}

impl Row {
    /// Whether it tells the results of its epoch: values, not merely the epoch's number, and not of a batch within it.
    pub fn ends_epoch(&self) -> bool {
        let batch = self.step.is_some_and(|step| self.steps.is_none_or(|steps| step < steps));
        self.epoch.is_some() && !self.m.0.is_empty() && !batch
    }
}

/// Steps that go on growing, from scripts that count anew in each epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    first_epoch: Option<f64>,
    last: Option<(f64, i64)>,
    anew: bool,
    before: i64,
}

impl Steps {
    /// The step of a row since the start of the training. Rows must come in order.
    pub fn of(&mut self, row: &Row) -> Option<i64> {
        let step = row.step?;
        let Some(epoch) = row.epoch.map(f64::floor) else { return Some(step) };
        let first = *self.first_epoch.get_or_insert(epoch);
        if let Some((last_epoch, last_step)) = self.last
            && epoch > last_epoch
            && step <= last_step
        {
            self.anew = true;
            self.before = self.before.saturating_add(row.steps.unwrap_or(last_step));
        }
        self.last = Some((epoch, step));
        match row.steps {
            _ if !self.anew => Some(step),
            // Also right for an attempt that goes on in a later epoch, or in an earlier one again.
            Some(steps) => Some(((epoch - first).max(0.0) as i64).saturating_mul(steps).saturating_add(step)),
            None => Some(self.before.saturating_add(step)),
        }
    }
}

/// Names with their values, in the order in which they were read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values(pub Vec<(String, f64)>);

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, &Num(*value))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Values, D::Error> {
        struct Pairs;
        impl<'de> serde::de::Visitor<'de> for Pairs {
            type Value = Values;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of numbers")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some((name, Num(value))) = map.next_entry::<String, Num>()? {
                    values.push((name, value));
                }
                Ok(Values(values))
            }
        }
        input.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_counted_anew_in_each_epoch_go_on_growing() {
        let mut steps = Steps::default();
        let mut of = |epoch: f64, step: i64, total: Option<i64>| {
            steps.of(&Row { epoch: Some(epoch), step: Some(step), steps: total, ..Row::default() })
        };
        assert_eq!(of(1.0, 50, Some(100)), Some(50));
        assert_eq!(of(1.0, 100, Some(100)), Some(100));
        assert_eq!(of(2.0, 50, Some(100)), Some(150));
        assert_eq!(of(4.0, 1, Some(100)), Some(301));
        let mut global = Steps::default();
        let mut of = |epoch: f64, step: i64| global.of(&Row { epoch: Some(epoch), step: Some(step), ..Row::default() });
        assert_eq!([of(1.0, 100), of(2.0, 200), of(2.5, 250)], [Some(100), Some(200), Some(250)]);
    }

    #[test]
    fn a_row_reads_back_non_finite_values_included() {
        let row = Row {
            t: Millis(12),
            src: "o".into(),
            at: 99,
            step: Some(3),
            steps: Some(50),
            m: Values(vec![("loss".into(), f64::INFINITY), ("train/acc".into(), 0.5)]),
            ..Row::default()
        };
        let line = serde_json::to_string(&row).expect("serialises");
        assert_eq!(line, r#"{"t":12,"src":"o","at":99,"step":3,"steps":50,"m":{"loss":"Infinity","train/acc":0.5}}"#);
        assert_eq!(serde_json::from_str::<Row>(&line).expect("reads back"), row);
    }
}
