//! What a cell means: from what the sheet holds to a value, in the form in which people read it.

use crate::grid::{Fault, Raw};
use crate::sheet::Cell;
use neronet_model::Value;

/// The cell, or why it has none. Of a text file, numbers have decimal commas where `commas` says so: `0,001`.
pub(crate) fn cell(raw: Raw, commas: bool) -> Result<Cell, Fault> {
    let (text, value) = match raw {
        Raw::Text(text) => {
            let value = Value::Str(text.trim().to_string());
            (text, value)
        }
        Raw::Typed(text) if commas => typed(text, |word| decimal(word).unwrap_or_else(|| meaning(word)))?,
        Raw::Typed(text) => typed(text, meaning)?,
        Raw::Number(number) => shown(number),
        Raw::Computed(number) => shown(fifteen_digits(number)),
        Raw::Percent(number) => (format!("{}%", plain(fifteen_digits(number * 100.0))), plain(fifteen_digits(number))),
        Raw::Bool(value) => (value.to_string(), Value::Bool(value)),
        Raw::Moment(text) => (text.clone(), Value::Str(text)),
        Raw::Faulty(fault) => return Err(fault),
    };
    Ok(Cell { text, value })
}

/// The text of a header cell, or of a row that may repeat it.
pub(crate) fn title(raw: &Raw) -> String {
    let text = match cell(raw.clone(), false) {
        Ok(cell) => cell.text,
        Err(Fault::Error(text)) => text,
        Err(_) => String::new(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a cell of a text file is neither number nor boolean, whichever its decimal sign.
pub(crate) fn is_words(text: &str) -> bool {
    let word = text.trim();
    matches!(Value::from_word(word), Value::Str(_)) && matches!(*meaning(word).meaning(), Value::Str(_)) && !is_decimal_comma(word)
}

/// What a cell of a text file means; spreadsheet programs write `TRUE` and `10%`, and what
/// stands otherwise is what YAML would make of it.
fn meaning(word: &str) -> Value {
    let percent = || word.strip_suffix('%').map(|number| number.trim_end().replace(',', ".")).and_then(|number| plain_number(&number));
    match word {
        "TRUE" => Value::Bool(true),
        "FALSE" => Value::Bool(false),
        // No integer of a specification is so large.
        _ if word.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) && word.parse::<i64>().is_err() => {
            Value::Str(word.to_string())
        }
        _ => percent().map_or_else(|| Value::as_word(word), |number| plain(fifteen_digits(number / 100.0))),
    }
}

fn plain_number(word: &str) -> Option<f64> {
    Value::as_typed(word).number()
}

/// `0,001`
pub(crate) fn is_decimal_comma(word: &str) -> bool {
    decimal(word).is_some()
}

/// `0.001`
pub(crate) fn is_decimal_point(word: &str) -> bool {
    word.contains('.') && !matches!(Value::from_word(word), Value::Str(_))
}

/// The words with which spreadsheet programs say that a formula went wrong; text files hold them too.
pub(crate) fn is_error(text: &str) -> bool {
    const ERRORS: [&str; 10] = ["#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!", "#FIELD!"];
    let number = text.strip_prefix("Err:").unwrap_or_default();
    ERRORS.contains(&text) || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn typed(text: String, meaning: impl Fn(&str) -> Value) -> Result<(String, Value), Fault> {
    let word = text.trim();
    if is_error(word) {
        return Err(Fault::Error(word.to_string()));
    }
    let value = meaning(word);
    Ok((text, value))
}

/// `0,001` with the point that a process can read. Anything that is not digits, one comma and digits is left as it is.
fn decimal(word: &str) -> Option<Value> {
    let (whole, rest) = word.split_once(',')?;
    let fraction = rest.split(['e', 'E']).next().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = Value::as_typed(&format!("{whole}.{rest}"));
    (digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction) && value.number().is_some()).then_some(value)
}

fn shown(number: f64) -> (String, Value) {
    let value = plain(number);
    (value.to_string(), value)
}

/// Sheets keep every number as a float. A whole one is an integer to people, as long as it is written without an exponent; others
/// have their shortest form that reads back.
fn plain(number: f64) -> Value {
    const EXPONENTS_BEGIN: f64 = 1e16;
    let negative_zero = number == 0.0 && number.is_sign_negative();
    let whole = number.fract() == 0.0 && number.abs() < EXPONENTS_BEGIN && !negative_zero;
    if whole { Value::Int(number as i64) } else { Value::from_f64(number) }
}

/// What a spreadsheet program shows at most, so that `=0.1+0.2` is 0.3.
fn fifteen_digits(number: f64) -> f64 {
    format!("{number:.14e}").parse().unwrap_or(number)
}
