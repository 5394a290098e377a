//! What must hold of any text, for tests and for a fuzzer to call with whatever it makes up.

use crate::evaluate::Filter;
use crate::mistake::Mistake;
use crate::moment::Clock;
use crate::sort::sort_keys;
use crate::table::{Cells, Column, Table, Unit, Unknown};
use crate::{Rows, TAGS};
use jiff::tz::TimeZone;
use neronet_model::{UnixMs, Value};

/// A table of three rows with a column of each kind.
struct Small {
    codes: [u32; 3],
    values: [Value; 2],
    sets: [Vec<Value>; 2],
    there: Rows,
}

impl Table for Small {
    fn rows(&self) -> usize {
        3
    }

    fn column(&self, name: &str) -> Result<Column<'_>, Unknown> {
        let cells = match name {
            TAGS | "s" | "tag" => Cells::Sets { codes: &self.codes, sets: &self.sets },
            "n" => Cells::Numbers { values: &[0.1, f64::NAN, 3.0], there: &self.there, unit: Unit::Float },
            "d" => Cells::Numbers { values: &[60.0, 0.0, 1e9], there: &self.there, unit: Unit::Seconds },
            "t" => Cells::Times(&[0, 1_795_000_000_000, crate::NEVER]),
            "" => return Err(Unknown { what: "no name".into(), more: "s, n, d, t".into() }),
            _ => Cells::Values { codes: &self.codes, entries: &self.values },
        };
        Ok(cells.into())
    }
}

/// Reads a filter and a list of keys from any bytes. What is wrong with them is said within the text; what is right prints as what
/// reads back as the same, and holds for the same rows. Panics where that is not so.
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let table = Small {
        codes: [0, 1, crate::MISSING],
        values: [Value::from_word("0.1"), Value::Str("relu".into())],
        sets: [vec![Value::Str("best".into())], vec![]],
        there: Rows::all(2),
    };
    let clock = Clock { now: UnixMs(1_795_000_000_000), zone: TimeZone::UTC };
    let check = |mistake: Mistake| {
        assert!(mistake.at <= text.len() && text.is_char_boundary(mistake.at), "{mistake:?}");
        assert!(mistake.to_string().contains('^'));
    };
    match Filter::parse(&text) {
        Err(mistake) => check(mistake),
        Ok(filter) => {
            let printed = filter.tree().to_string();
            let again = Filter::parse(&printed);
            assert!(again.as_ref().is_ok_and(|again| again.tree() == filter.tree()), "{text:?} printed as {printed:?}");
            match (filter.rows(&table, &clock), again.map(|again| again.rows(&table, &clock))) {
                (Ok(rows), Ok(again)) => assert_eq!(Ok(rows), again, "{text:?}"),
                (Err(mistake), _) => check(mistake),
                (Ok(_), Err(_)) => {}
            }
        }
    }
    if let Err(mistake) = sort_keys(&text) {
        check(mistake);
    }
}
