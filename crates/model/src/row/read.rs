//! Rows read from the lines that we write ourselves: keys in our order, no escapes. Millions of them are read when curves are drawn,
//! so nothing is allocated for a row like the one before. Any other line is left to serde.

use super::{Row, Values};
use crate::time::Millis;

impl Row {
    /// Reads a line into this row, which keeps its memory. Whether the line was a row; where not, what is in it has no meaning.
    pub fn read(&mut self, line: &[u8]) -> bool {
        if self.read_ours(line).is_some() {
            return true;
        }
        match serde_json::from_slice(line) {
            Ok(row) => *self = row,
            Err(_) => return false,
        }
        true
    }

    fn read_ours(&mut self, line: &[u8]) -> Option<()> {
        let mut rest = line.strip_prefix(b"{\"t\":")?;
        self.t = Millis(whole(&mut rest)?);
        rest = rest.strip_prefix(b",\"src\":")?;
        replace(&mut self.src, text(&mut rest)?)?;
        rest = rest.strip_prefix(b",\"at\":")?;
        self.at = whole(&mut rest)?;
        self.step = optional(&mut rest, b",\"step\":", number)?;
        self.steps = optional(&mut rest, b",\"steps\":", number)?;
        self.epoch = optional(&mut rest, b",\"epoch\":", float)?;
        self.epochs = optional(&mut rest, b",\"epochs\":", float)?;
        self.time = optional(&mut rest, b",\"time\":", float)?;
        self.again = false;
        if let Some(behind) = rest.strip_prefix(b",\"again\":true") {
            (self.again, rest) = (true, behind);
        }
        rest = rest.strip_prefix(b",\"m\":{")?;
        self.m.read_ours(&mut rest)?;
        (rest == b"}").then_some(())
    }
}

impl Values {
    fn read_ours(&mut self, rest: &mut &[u8]) -> Option<()> {
        let mut count = 0;
        if let Some(after) = rest.strip_prefix(b"}") {
            *rest = after;
            self.0.clear();
            return Some(());
        }
        loop {
            let name = text(rest)?;
            *rest = rest.strip_prefix(b":")?;
            let value = match float(rest) {
                Some(value) => value,
                None => match text(rest)? {
                    b"NaN" => f64::NAN,
                    b"Infinity" => f64::INFINITY,
                    b"-Infinity" => f64::NEG_INFINITY,
                    _ => return None,
                },
            };
            match self.0.get_mut(count) {
                Some(known) => {
                    replace(&mut known.0, name)?;
                    known.1 = value;
                }
                None => self.0.push((std::str::from_utf8(name).ok()?.to_string(), value)),
            }
            count += 1;
            let (next, after) = rest.split_first()?;
            *rest = after;
            match next {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        self.0.truncate(count);
        Some(())
    }
}

/// Without its quotes. None where it holds an escape.
fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let inner = rest.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| matches!(byte, b'"' | b'\\') || *byte < b' ')?;
    let (text, after) = inner.split_at(end);
    *rest = after.strip_prefix(b"\"")?;
    Some(text)
}

fn replace(known: &mut String, with: &[u8]) -> Option<()> {
    if known.as_bytes() != with {
        known.clear();
        known.push_str(std::str::from_utf8(with).ok()?);
    }
    Some(())
}

/// Digits alone, as JSON has them.
fn whole<T: std::str::FromStr>(rest: &mut &[u8]) -> Option<T> {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    parsed(rest, end)
}

/// A number as we write it; other forms that JSON allows come out of serde.
fn number<T: std::str::FromStr>(rest: &mut &[u8]) -> Option<T> {
    let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'e' | b'+')).unwrap_or(rest.len());
    parsed(rest, end)
}

fn parsed<T: std::str::FromStr>(rest: &mut &[u8], end: usize) -> Option<T> {
    let (digits, after) = rest.split_at(end);
    // What Rust reads and JSON does not: `.5`, `5.`, `5.e1`, `+5`, `007`.
    let (sign, first) = (digits.first()? == &b'-', digits.iter().find(|byte| **byte != b'-')?);
    let after_zero = digits.get(usize::from(sign) + 1).is_some_and(u8::is_ascii_digit);
    let bare_point = digits.windows(2).any(|two| two[0] == b'.' && !two[1].is_ascii_digit());
    if bare_point || !first.is_ascii_digit() || !digits.last()?.is_ascii_digit() || (*first == b'0' && after_zero) {
        return None;
    }
    // To serde a whole `-0` is no integer.
    if digits == b"-0" {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    *rest = after;
    Some(number)
}

/// A number beyond the largest is none in JSON; Rust reads it as infinite.
fn float(rest: &mut &[u8]) -> Option<f64> {
    number(rest).filter(|value: &f64| value.is_finite())
}

/// `Some(None)` where the key is not there; `None` where what follows it is no number.
fn optional<T>(rest: &mut &[u8], key: &[u8], read: impl FnOnce(&mut &[u8]) -> Option<T>) -> Option<Option<T>> {
    match rest.strip_prefix(key) {
        Some(after) => {
            *rest = after;
            read(rest).map(Some)
        }
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = Row> {
        let value = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), (-1_000_000..1_000_000i64).prop_map(|n| n as f64 / 1e6)];
        let name = prop_oneof![4 => "[a-z/_]{1,8}", 1 => any::<String>()];
        let finite = prop::option::of(prop_oneof![Just(3.0), -1e300..1e300f64]);
        let numbers = (prop::option::of(any::<i64>()), prop::option::of(0..100i64), finite.clone(), finite.clone(), finite);
        let again = prop::bool::weighted(0.2);
        (any::<u64>(), "[oem]|f:[a-z ./]{1,9}", any::<u64>(), numbers, again, prop::collection::vec((name, value), 0..6)).prop_map(
            |(t, src, at, (step, steps, epoch, epochs, time), again, m)| Row {
                t: Millis(t),
                src,
                at,
                step,
                steps,
                epoch,
                epochs,
                time,
                again,
                m: Values(m),
            },
        )
    }

    #[test]
    fn a_point_without_digits_behind_it_makes_no_number() {
        for number in ["3.e0", "3.", "3.e", "-3.E1"] {
            let line = format!(r#"{{"t":1,"src":"o","at":1,"epoch":{number},"m":{{}}}}"#);
            assert!(!Row::default().read(line.as_bytes()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_serde_reads_it(rows in prop::collection::vec(row(), 1..5)) {
            let mut read = Row::default();
            for row in rows {
                let line = serde_json::to_vec(&row).expect("serialises");
                prop_assert!(read.read(&line));
                // As text, so that NaN equals NaN.
                let expected: Row = serde_json::from_slice(&line).expect("reads back");
                prop_assert_eq!(format!("{:?}", read), format!("{:?}", expected));
            }
        }

        #[test]
        fn what_serde_takes_or_refuses_is_taken_or_refused_alike(
            row in row(), at in any::<prop::sample::Index>(), with in r#"[-+.0-9eE"{},:\\a]{0,2}"#, takes in 0..3usize,
        ) {
            let line = serde_json::to_string(&row).expect("serialises");
            let at = (0..=at.index(line.len() + 1)).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            let behind: String = line[at..].chars().skip(takes).collect();
            let line = format!("{}{with}{behind}", &line[..at]);
            let mut read = Row::default();
            let expected = serde_json::from_str::<Row>(&line).ok();
            let found = read.read(line.as_bytes()).then_some(read);
            prop_assert_eq!(format!("{:?}", found), format!("{:?}", expected), "{}", line);
        }
    }
}
