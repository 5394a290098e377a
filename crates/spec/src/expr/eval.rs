//! What an expression comes to. Whole numbers stay whole: `/` gives one where it divides evenly, as `batch / 2` is meant to.

use super::{Comparison, Expr, Function, Operator};
use crate::problem::quoted;
use neronet_model::Value;
use std::cmp::Ordering;

/// Why it comes to nothing, in words.
pub(crate) type Failure = String;

type Worked = Result<Value, Failure>;

/// A number that an expression made: 15 digits, so that 0.1 * 3 is 0.3.
fn made(value: f64) -> Worked {
    if !value.is_finite() {
        return Err("the result is no finite number".to_string());
    }
    let rounded = format!("{value:.14e}").parse().unwrap_or(value);
    Ok(Value::from_f64(rounded))
}

impl Expr<usize> {
    /// `values` are the run's parameters, by their places.
    pub(crate) fn eval(&self, values: &[Value]) -> Worked {
        match self {
            Expr::Value(value) => Ok(value.clone()),
            Expr::Name(at) => values.get(*at).cloned().ok_or_else(|| "a value is missing".to_string()),
            Expr::List(items) => items.iter().map(|item| item.eval(values)).collect::<Result<_, _>>().map(Value::List),
            Expr::Not(inner) => Ok(Value::Bool(!inner.truth(values)?)),
            Expr::Minus(inner) => match meant(inner.eval(values)?) {
                Value::Int(int) => int.checked_neg().map(Value::Int).ok_or_else(too_large),
                value => made(-number(&value)?),
            },
            Expr::And(a, b) => Ok(Value::Bool(a.truth(values)? && b.truth(values)?)),
            Expr::Or(a, b) => Ok(Value::Bool(a.truth(values)? || b.truth(values)?)),
            Expr::Compare(first, rest) => {
                let mut left = first.eval(values)?;
                for (comparison, right) in rest {
                    let right = right.eval(values)?;
                    if !holds(*comparison, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expr::Binary(operator, a, b) => binary(*operator, meant(a.eval(values)?), meant(b.eval(values)?)),
            Expr::Choose { condition, yes, no } => {
                if condition.truth(values)? {
                    yes.eval(values)
                } else {
                    no.eval(values)
                }
            }
            Expr::Call(function, arguments) => {
                // As text a word is what was written.
                let as_text = matches!(function, Function::Str | Function::Len);
                let argument = |argument: &Expr<usize>| argument.eval(values).map(|value| if as_text { value } else { meant(value) });
                let arguments: Vec<Value> = arguments.iter().map(argument).collect::<Result<_, _>>()?;
                call(*function, &arguments)
            }
        }
    }

    /// The places that it looks at.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut places = Vec::new();
        let noted = self.clone().map(&mut |place| {
            places.push(place);
            Ok::<_, Failure>(place)
        });
        drop(noted);
        places
    }

    /// A condition is a truth or a number, which holds unless it is 0.
    pub(crate) fn truth(&self, values: &[Value]) -> Result<bool, Failure> {
        // Compared without a copy: a condition is looked at for each of millions of combinations.
        if let Expr::Compare(first, rest) = self
            && let (Some(left), [(comparison, right)]) = (first.known(values), rest.as_slice())
            && let Some(right) = right.known(values)
        {
            return holds(*comparison, left, right);
        }
        match meant(self.eval(values)?) {
            Value::Bool(truth) => Ok(truth),
            Value::Int(int) => Ok(int != 0),
            value => Err(format!("expected a condition, which is true or false, found {}", shown(&value))),
        }
    }

    fn known<'v>(&'v self, values: &'v [Value]) -> Option<&'v Value> {
        match self {
            Expr::Value(value) => Some(value),
            Expr::Name(at) => values.get(*at),
            _ => None,
        }
    }
}

/// A value without its written form, where that is a word.
fn meant(value: Value) -> Value {
    match value {
        Value::Word(_) => value.meaning().into_owned(),
        value => value,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => format!("the text {}", quoted(text)),
        Value::List(_) => format!("the list {}", quoted(&value.to_string())),
        value => value.to_string(),
    }
}

fn too_large() -> Failure {
    "the result is too large for a whole number of 64 bits".to_string()
}

fn number(value: &Value) -> Result<f64, Failure> {
    value.number().ok_or_else(|| format!("expected a number, found {}", shown(value)))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // Where it is compared with a text, a word is what was written.
        (Value::Word(word), Value::Str(text)) | (Value::Str(text), Value::Word(word)) => return word.text() == text,
        (Value::List(a), Value::List(b)) => return a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        _ => {}
    }
    match (&*a.meaning(), &*b.meaning(), a.number(), b.number()) {
        // As floats, large whole numbers would be equal to their neighbours.
        (Value::Int(a), Value::Int(b), ..) => a == b,
        (.., Some(a), Some(b)) => a == b,
        (a, b, ..) => a == b,
    }
}

fn holds(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, Failure> {
    let order = || match (&*left.meaning(), &*right.meaning()) {
        (Value::Str(a), Value::Str(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        _ => number(left)?.partial_cmp(&number(right)?).ok_or_else(|| "nan cannot be compared".to_string()),
    };
    let within = || match (left, &*right.meaning()) {
        (left, Value::List(items)) => Ok(items.iter().any(|item| equal(left, item))),
        (Value::Str(_) | Value::Word(_), Value::Str(whole)) => Ok(whole.contains(&left.to_string())),
        _ => Err(format!("'in' looks into a list or a text, not into {}", shown(right))),
    };
    Ok(match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order()? == Ordering::Less,
        Comparison::LessOrEqual => order()? != Ordering::Greater,
        Comparison::Greater => order()? == Ordering::Greater,
        Comparison::GreaterOrEqual => order()? != Ordering::Less,
        Comparison::In => within()?,
        Comparison::NotIn => !within()?,
    })
}

fn binary(operator: Operator, left: Value, right: Value) -> Worked {
    let by_zero = || "division by zero".to_string();
    match (operator, &left, &right) {
        (Operator::Add, Value::Str(a), Value::Str(b)) => return Ok(Value::Str(format!("{a}{b}"))),
        (Operator::Add, Value::Str(_), _) | (Operator::Add, _, Value::Str(_)) => {
            return Err("a text and a number cannot be added; write str(…) around the number".to_string());
        }
        (Operator::Add, Value::List(a), Value::List(b)) => return Ok(Value::List([a.as_slice(), b].concat())),
        (operator, Value::Int(a), Value::Int(b)) => {
            let (a, b) = (*a, *b);
            let whole = match operator {
                Operator::Add => a.checked_add(b).ok_or_else(too_large)?,
                Operator::Subtract => a.checked_sub(b).ok_or_else(too_large)?,
                Operator::Multiply => a.checked_mul(b).ok_or_else(too_large)?,
                _ if b == 0 && operator != Operator::Power => return Err(by_zero()),
                Operator::Divide if a.checked_rem(b) != Some(0) => return made(a as f64 / b as f64),
                Operator::Divide => a.checked_div(b).ok_or_else(too_large)?,
                // Rounded down, and with the sign of the divisor, as Python does.
                Operator::FloorDivide => {
                    let down = a.checked_rem(b).is_some_and(|rest| rest != 0) && (a < 0) != (b < 0);
                    a.checked_div(b).ok_or_else(too_large)? - i64::from(down)
                }
                Operator::Remainder => {
                    let rest = a.checked_rem(b).unwrap_or(0);
                    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
                }
                Operator::Power => match u32::try_from(b) {
                    Ok(exponent) => a.checked_pow(exponent).ok_or_else(too_large)?,
                    Err(_) if a == 0 => return Err(by_zero()),
                    Err(_) => return made((a as f64).powf(b as f64)),
                },
            };
            return Ok(Value::Int(whole));
        }
        _ => {}
    }
    let (a, b) = (number(&left)?, number(&right)?);
    if b == 0.0 && matches!(operator, Operator::Divide | Operator::FloorDivide | Operator::Remainder) {
        return Err(by_zero());
    }
    made(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::FloorDivide => (a / b).floor(),
        Operator::Remainder => a - b * (a / b).floor(),
        Operator::Power => a.powf(b),
    })
}

fn whole(value: f64) -> Worked {
    // Beyond this a float no longer tells whole numbers apart.
    if value.abs() < 9.0e15 { Ok(Value::Int(value as i64)) } else { Err(too_large()) }
}

fn call(function: Function, arguments: &[Value]) -> Worked {
    let Some(first) = arguments.first() else { return Err("a value is missing".to_string()) };
    let least = |wanted: Ordering| {
        let all = match arguments {
            [Value::List(items)] => items.as_slice(),
            all => all,
        };
        let mut best = all.first().ok_or("min and max of an empty list")?;
        for value in all {
            if number(value)?.partial_cmp(&number(best)?) == Some(wanted) {
                best = value;
            }
        }
        number(best)?;
        Ok(best.clone())
    };
    let positive = |value: &Value| match number(value)? {
        value if value > 0.0 => Ok(value),
        value => Err(format!("the logarithm of {value} does not exist")),
    };
    match function {
        Function::Min => least(Ordering::Less),
        Function::Max => least(Ordering::Greater),
        Function::Abs => match first {
            Value::Int(int) => int.checked_abs().map(Value::Int).ok_or_else(too_large),
            value => made(number(value)?.abs()),
        },
        Function::Round => match arguments.get(1) {
            None => whole(number(first)?.round_ties_even()),
            Some(digits) => {
                let digits = number(digits)?.clamp(-300.0, 300.0) as i32;
                if let (Value::Int(_), 0..) = (first, digits) {
                    return Ok(first.clone());
                }
                let factor = 10f64.powi(digits.abs());
                let number = number(first)?;
                let rounded =
                    if digits < 0 { (number / factor).round_ties_even() * factor } else { (number * factor).round_ties_even() / factor };
                // A whole number stays one, as in Python.
                if matches!(first, Value::Int(_)) { whole(rounded) } else { made(rounded) }
            }
        },
        Function::Floor => whole(number(first)?.floor()),
        Function::Ceil => whole(number(first)?.ceil()),
        Function::Sqrt => match number(first)? {
            value if value >= 0.0 => made(value.sqrt()),
            value => Err(format!("the square root of {value} does not exist")),
        },
        Function::Exp => made(number(first)?.exp()),
        Function::Log => match arguments.get(1) {
            None => made(positive(first)?.ln()),
            Some(base) if number(base)? == 1.0 => Err("division by zero".to_string()),
            Some(base) => made(positive(first)?.ln() / positive(base)?.ln()),
        },
        Function::Log2 => made(positive(first)?.log2()),
        Function::Log10 => made(positive(first)?.log10()),
        Function::Int => match first {
            Value::Bool(truth) => Ok(Value::Int(i64::from(*truth))),
            Value::Str(text) => text.trim().parse().map(Value::Int).map_err(|_| format!("{} is no whole number", quoted(text))),
            value => whole(number(value)?.trunc()),
        },
        Function::Float => match first {
            Value::Str(text) => made(text.trim().parse().map_err(|_| format!("{} is no number", quoted(text)))?),
            value => made(number(value)?),
        },
        Function::Str => Ok(Value::Str(first.to_string())),
        Function::Len => match first {
            Value::List(items) => Ok(Value::Int(items.len() as i64)),
            Value::Str(text) => Ok(Value::Int(text.chars().count() as i64)),
            Value::Word(word) => Ok(Value::Int(word.text().len() as i64)),
            value => Err(format!("expected a list or a text for len, found {}", shown(value))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Name, parse};
    use super::*;

    fn worked(text: &str) -> String {
        let params = [("width", Value::Int(64)), ("lr", Value::from_word("0.1")), ("opt.name", Value::Str("sgd".into()))];
        let params = [&params[..], &[("layers", Value::List(vec![Value::Int(1), Value::Int(2)])), ("batch-size", Value::Int(8))]].concat();
        let look_up = &mut |name: Name| params.iter().position(|(known, _)| *known == name.name).ok_or(name.name);
        let expr = match parse(text) {
            Ok(expr) => expr,
            Err(mistake) => return format!("{}: {}", &text[mistake.at.clone()], mistake.message),
        };
        let values: Vec<Value> = params.iter().map(|(_, value)| value.clone()).collect();
        match expr.map(look_up) {
            Ok(expr) => expr.eval(&values).map_or_else(|why| why, |value| value.to_string()),
            Err(name) => format!("no {name}"),
        }
    }

    #[test]
    fn numbers_texts_and_conditions() {
        for (text, expected) in [
            ("width * 4", "256"),
            ("width / 2", "32"),
            ("width / 3", "21.3333333333333"),
            ("lr * 3", "0.3"),
            ("-7 // 2", "-4"),
            ("-7 % 3", "2"),
            ("7 % -3", "-2"),
            ("2 ** 3 ** 2", "512"),
            ("-2 ** 2", "-4"),
            ("2 ** -1", "0.5"),
            ("1e3 + 1", "1001.0"),
            ("round(3.14159, 2)", "3.14"),
            ("round(2.5)", "2"),
            ("round(width, 2)", "64"),
            ("round(width, -1)", "60"),
            ("round(1.25e3, -2)", "1200.0"),
            ("9007199254740993 == 9007199254740992", "false"),
            ("9007199254740993 in [9007199254740992, 9007199254740993]", "true"),
            ("1_000 == 1e3", "true"),
            ("int(7.9)", "7"),
            ("min(layers)", "1"),
            ("max(1, 2.5)", "2.5"),
            ("log10(1000)", "3.0"),
            ("{batch-size} * 2", "16"),
            ("opt.name + \"-\" + str(width)", "sgd-64"),
            ("1 if opt.name == 'sgd' else 2", "1"),
            ("0 < lr < 1 and not width in [1, 2]", "true"),
            ("width not in (64, 128)", "false"),
            ("len(layers) == 2", "true"),
            ("lr == 1e-1", "true"),
            ("opt.name == 'adam' or opt.name in ['sgd']", "true"),
        ] {
            assert_eq!(worked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_worked_out_says_why() {
        for (text, expected) in [
            ("width / 0", "division by zero"),
            ("width % 0", "division by zero"),
            ("lr // 0", "division by zero"),
            ("0 ** -1", "division by zero"),
            ("width ** 99", "the result is too large for a whole number of 64 bits"),
            ("exp(1e9)", "the result is no finite number"),
            ("log(0)", "the logarithm of 0 does not exist"),
            ("opt.name * 2", "expected a number, found the text 'sgd'"),
            ("opt.name + 2", "a text and a number cannot be added; write str(…) around the number"),
            ("nothing + 1", "no nothing"),
            ("width *", ": a value is missing at the end"),
            ("(width", ": ')' is missing"),
            ("width = 3", "=: '=' is not expected here"),
            ("1 2", "2: '2' is not expected here"),
            ("12ab", "12ab: '12ab' is no number"),
            ("1__0", "1__0: '1__0' is no number"),
            ("1e-400", "1e-400: '1e-400' is no number"),
            ("'abc", "'abc: the text is not closed: a ' is missing"),
            ("__import__('os')", "__import__: there is no function '__import__'"),
            ("round(1, 2, 3)", "round: round takes 1 to 2 values, and has 3"),
            ("not 'a'", "expected a condition, which is true or false, found the text 'a'"),
        ] {
            assert_eq!(worked(text), expected, "{text}");
        }
        assert!(worked(&"(".repeat(1000)).contains("nested more than 100 deep"));
        assert!(worked(&"1".repeat(3000)).contains("more than 2000 characters"));
        assert!(worked(&"2**".repeat(600)).contains("nested more than 100 deep"));
    }
}
