//! TOML: the reader of the `toml` crate tells where each value stands.

use crate::json;
use crate::mistake::{Mistake, Refusal, quoted};
use crate::number::{Number, Wants, same};
use crate::tree::{Kind, Node, Scalar, Table};
use neronet_model::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) fn read(text: &str) -> Result<Node, Mistake> {
    let table = DeTable::parse(text).map_err(|error| {
        let message = error.message().split(", expected").next().unwrap_or("").replace('`', "'");
        Refusal::new(format!("this cannot be read as TOML: {message}")).in_file(text, error.span().map_or(0, |span| span.start))
    })?;
    Ok(Node::new(0..0, Kind::Table(of_table(table.get_ref(), text))))
}

fn of_table(table: &DeTable<'_>, text: &str) -> Table {
    let entries = table.iter().map(|(key, value)| (key.get_ref().to_string(), of_value(value, text)));
    Table { entries: entries.collect(), ..Table::default() }
}

fn of_value(value: &Spanned<DeValue<'_>>, text: &str) -> Node {
    let span = value.span();
    match value.get_ref() {
        DeValue::Table(table) => Node::new(span, Kind::Table(of_table(table, text))),
        DeValue::Array(items) => {
            // The place of [[name]] is that of its first header; a list begins before its first element.
            let headers = items.first().is_some_and(|first| first.span().start == span.start);
            let mut node = Node::new(span, Kind::List(items.iter().map(|item| of_value(item, text)).collect()));
            node.locked = headers.then_some("it is a list of [[tables]], whose values are set one by one");
            node
        }
        scalar => Node::scalar(span.clone(), &text[span], scalar.is_str()),
    }
}

pub(crate) fn write(value: &Value, old: &Node, text: &str) -> Result<String, Refusal> {
    let was = &text[old.slot.clone()];
    Ok(match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Str(text) if is_date(was) && is_date(text) => text.clone(),
        Value::Str(text) if was.starts_with('\'') && !text.contains(|c: char| c == '\'' || (c.is_control() && c != '\t')) => {
            format!("'{text}'")
        }
        Value::Str(text) => json::string(text),
        Value::Word(word) => json::string(word.text()),
        Value::List(values) => json::list(values.iter().map(|value| write(value, old, text)))?,
        Value::Float(float) => match Number::parse(float.text()).filter(|_| float.value().is_finite()) {
            Some(number) => number.written(&Wants { mark: true, point_and_sign: false }),
            None if float.value().is_nan() => "nan".to_string(),
            None if float.value().is_infinite() => (if float.value() > 0.0 { "inf" } else { "-inf" }).to_string(),
            None => return Err(Refusal::new(format!("TOML has no number {}", quoted(float.text())))),
        },
    })
}

fn is_date(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && DeValue::parse(text).is_ok_and(|value| value.get_ref().is_datetime())
}

pub(crate) fn reads_as(scalar: &Scalar, value: &Value) -> bool {
    let Ok(read) = DeValue::parse(&scalar.text) else { return false };
    match (read.get_ref(), value) {
        (DeValue::String(read), Value::Str(text)) => read == text,
        (DeValue::Datetime(_), Value::Str(text)) => *scalar.text == **text,
        (DeValue::Boolean(read), Value::Bool(bool)) => read == bool,
        (DeValue::Integer(read), Value::Int(int)) => read.radix() == 10 && read.as_str().parse() == Ok(*int),
        (DeValue::Float(read), Value::Float(float)) => read.as_str().parse().is_ok_and(|number| same(number, float.value())),
        _ => false,
    }
}
