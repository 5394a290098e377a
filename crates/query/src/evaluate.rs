//! The rows of a table for which a filter holds: a set of rows for each comparison, texts compared once for each that there is.

use crate::mistake::Mistake;
use crate::moment::{Clock, Moment};
use crate::nearest::did_you_mean;
use crate::parse::{is_missing, parse};
use crate::rows::Rows;
use crate::table::{Cells, Column, NEVER, TAGS, Table, Unit};
use crate::tree::{Expr, Operator, Test, Word};
use crate::wanted::{Numbers, OneOf, Wanted, number_of, shown};
use neronet_model::Millis;

/// A filter that was read, with its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
    tree: Expr,
}

impl Filter {
    pub fn parse(text: &str) -> Result<Filter, Mistake> {
        Ok(Filter { tree: parse(text)?, text: text.to_string() })
    }

    pub fn tree(&self) -> &Expr {
        &self.tree
    }

    /// The names that it asks for, from left to right; `TAGS` where it asks for a tag.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.tree.names(&mut |name| names.push(name.text.as_str()));
        names.extend(has_tag(&self.tree).then_some(TAGS));
        names
    }

    /// The rows that it holds for. A name that the table does not know, or a value that its column cannot have, is a mistake.
    pub fn rows(&self, table: &impl Table, clock: &Clock) -> Result<Rows, Mistake> {
        Evaluation { text: &self.text, table, clock }.of(&self.tree)
    }
}

fn has_tag(tree: &Expr) -> bool {
    match tree {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(has_tag),
        Expr::Not(part) => has_tag(part),
        Expr::Tag(_) => true,
        Expr::Test(..) => false,
    }
}

struct Evaluation<'e, T> {
    text: &'e str,
    table: &'e T,
    clock: &'e Clock,
}

impl<T: Table> Evaluation<'_, T> {
    fn of(&self, tree: &Expr) -> Result<Rows, Mistake> {
        match tree {
            Expr::All(parts) => self.each(parts, Rows::all(self.table.rows()), Rows::and),
            Expr::Any(parts) => self.each(parts, Rows::none(self.table.rows()), Rows::or),
            Expr::Not(part) => self.of(part).map(inverted),
            Expr::Tag(tag) => {
                let column = self.column(&Word { text: TAGS.to_string(), bare: true, at: tag.at })?;
                self.compared(&column, Operator::Equal, tag)
            }
            Expr::Test(name, test) => {
                let column = self.column(name)?;
                match test {
                    Test::Exists => Ok(column.cells.there(self.table.rows())),
                    Test::In(values) => self.one_of(name, &column, values),
                    Test::Compare(Operator::NotEqual, value) => self.equal(name, &column, value).map(inverted),
                    Test::Compare(Operator::Equal, value) => self.equal(name, &column, value),
                    Test::Compare(operator, value) => self.compared(&column, *operator, value),
                }
            }
        }
    }

    fn each(&self, parts: &[Expr], mut rows: Rows, join: fn(&mut Rows, &Rows)) -> Result<Rows, Mistake> {
        for part in parts {
            join(&mut rows, &self.of(part)?);
        }
        Ok(rows)
    }

    fn wrong(&self, word: &Word, what: String) -> Mistake {
        Mistake::new("filter", self.text, word.at, what)
    }

    fn column(&self, name: &Word) -> Result<Column<'_>, Mistake> {
        self.table.column(&name.text).map_err(|unknown| self.wrong(name, unknown.what).with_more(unknown.more))
    }

    /// Refuses words that the column has never.
    fn check(&self, name: &Word, column: &Column<'_>, value: &Word) -> Result<(), Mistake> {
        if column.only.is_empty() || column.only.contains(&value.text.as_str()) {
            return Ok(());
        }
        let guess = did_you_mean(&value.text, column.only.iter().copied());
        let only = column.only.join(", ");
        Err(self.wrong(value, format!("no {} is called '{}'{guess}; there are: {only}", name.text, value.text)))
    }

    fn equal(&self, name: &Word, column: &Column<'_>, value: &Word) -> Result<Rows, Mistake> {
        // Of what is never a text, nobody can mean the text 'none'.
        let never_text = !column.only.is_empty() || matches!(column.cells, Cells::Numbers { .. } | Cells::Times(_));
        if never_text && value.bare && is_missing(&value.text, false) {
            return Ok(inverted(column.cells.there(self.table.rows())));
        }
        self.check(name, column, value)?;
        self.compared(column, Operator::Equal, value)
    }

    fn compared(&self, column: &Column<'_>, operator: Operator, value: &Word) -> Result<Rows, Mistake> {
        let count = self.table.rows();
        let text = value.text.as_str();
        Ok(match column.cells {
            Cells::Values { codes, entries } => {
                let wanted = Wanted::new(text);
                by_entry(count, codes, entries, |entry| wanted.holds(operator, entry))
            }
            Cells::Sets { codes, sets } => {
                let wanted = Wanted::new(text);
                by_entry(count, codes, sets, |set| set.iter().any(|entry| wanted.holds(operator, entry)))
            }
            Cells::Numbers { values, there, unit } => {
                let mut rows = match operator {
                    Operator::Contains => Rows::of(count, values, |number| shown(&unit.value(*number)).contains(text)),
                    _ => numbers(count, values, operator, self.number(value, unit)?),
                };
                rows.and(there);
                rows
            }
            Cells::Times(at) if operator == Operator::Contains => {
                Rows::of(count, at, |at| *at != NEVER && self.clock.shown(*at).contains(text))
            }
            Cells::Times(at) => {
                let moment = self.moment(value)?;
                Rows::of(count, at, |at| *at != NEVER && moment.holds(operator, *at))
            }
        })
    }

    fn one_of(&self, name: &Word, column: &Column<'_>, values: &[Word]) -> Result<Rows, Mistake> {
        let count = self.table.rows();
        values.iter().try_for_each(|value| self.check(name, column, value))?;
        let wanted = || OneOf::new(values.iter().map(|value| value.text.as_str()));
        Ok(match column.cells {
            Cells::Values { codes, entries } => {
                let wanted = wanted();
                by_entry(count, codes, entries, |entry| wanted.holds(entry))
            }
            Cells::Sets { codes, sets } => {
                let wanted = wanted();
                by_entry(count, codes, sets, |set| set.iter().any(|entry| wanted.holds(entry)))
            }
            Cells::Numbers { values: found, there, unit } => {
                let wanted = Numbers::new(values.iter().map(|value| self.number(value, unit)).collect::<Result<_, _>>()?);
                let mut rows = Rows::of(count, found, |number| wanted.has(*number));
                rows.and(there);
                rows
            }
            Cells::Times(at) => {
                let wanted = values.iter().map(|value| self.moment(value)).collect::<Result<Vec<_>, _>>()?;
                Rows::of(count, at, |at| *at != NEVER && wanted.iter().any(|moment| moment.holds(Operator::Equal, *at)))
            }
        })
    }

    fn number(&self, value: &Word, unit: Unit) -> Result<f64, Mistake> {
        let duration = || Millis::parse(&value.text).map(Millis::seconds).filter(|_| unit == Unit::Seconds);
        let more = match unit {
            Unit::Seconds => "A duration is written like: 90, 10min, \"1h 30min\"",
            _ => "A number is written like: 3, 0.1, 1e-3, nan, -inf; to ask whether there is one: NAME is missing",
        };
        number_of(&value.text)
            .or_else(duration)
            .ok_or_else(|| self.wrong(value, format!("'{}' is no number, and is compared with one", value.text)).with_more(more))
    }

    fn moment(&self, value: &Word) -> Result<Moment, Mistake> {
        Moment::parse(&value.text, self.clock).ok_or_else(|| {
            let long = value.text.ends_with(|c: char| c.is_ascii_alphabetic()) && Millis::parse(&value.text).is_some();
            let ago = if long { format!("; so long before now is \"{} ago\"", value.text) } else { String::new() };
            let more = "A time is written like: 2026-11-20, \"2026-11-20 15:04\", 15:04, \"2 days ago\", yesterday";
            self.wrong(value, format!("'{}' is no time{ago}", value.text)).with_more(more)
        })
    }
}

fn inverted(mut rows: Rows) -> Rows {
    rows.invert();
    rows
}

fn by_entry<E>(count: usize, codes: &[u32], entries: &[E], holds: impl Fn(&E) -> bool) -> Rows {
    let verdicts: Vec<bool> = entries.iter().map(holds).collect();
    Rows::of(count, codes, |code| verdicts.get(*code as usize).copied().unwrap_or(false))
}

/// NaN is the same as NaN here, and neither more nor less than anything.
fn numbers(count: usize, values: &[f64], operator: Operator, wanted: f64) -> Rows {
    match operator {
        Operator::Equal if wanted.is_nan() => Rows::of(count, values, |value| value.is_nan()),
        Operator::Equal => Rows::of(count, values, |value| *value == wanted),
        Operator::NotEqual => inverted(numbers(count, values, Operator::Equal, wanted)),
        Operator::Less => Rows::of(count, values, |value| *value < wanted),
        Operator::AtMost => Rows::of(count, values, |value| *value <= wanted),
        Operator::Greater => Rows::of(count, values, |value| *value > wanted),
        Operator::AtLeast => Rows::of(count, values, |value| *value >= wanted),
        // Of texts alone.
        Operator::Contains => Rows::none(count),
    }
}
