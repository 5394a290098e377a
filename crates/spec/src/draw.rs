//! Parameters that are drawn. A draw depends on `[sweep] seed`, the parameter's name and the number of the sample, and on
//! nothing else: more samples, or another drawn parameter, leave those that were there as they were.

use crate::problem::quoted;
use crate::source::Found;
use crate::tree::{Node, Tree};
use neronet_model::Value;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Distribution {
    Uniform(f64, f64),
    LogUniform(f64, f64),
    /// Both ends count.
    IntUniform(i64, i64),
    /// Mean and standard deviation.
    Normal(f64, f64),
    /// Of the logarithm.
    LogNormal(f64, f64),
    Choice(Vec<Value>),
}

const TOO_LARGE: &str = "these draws are larger than any number can be";

/// Reads `{ NAME = [...] }`; the values of a choice are made by `scalar`.
pub(crate) fn read(
    name: &str,
    node: &Node,
    param: &str,
    found: &mut Found<'_>,
    scalar: impl Fn(&Node, &mut Found<'_>) -> Option<Value>,
) -> Option<Distribution> {
    let items = match &node.tree {
        Tree::List(items) => items.as_slice(),
        _ => {
            let example = if name == "choice" { "[\"relu\", \"gelu\"]" } else { "[0.1, 0.9]" };
            let message = format!("expected a list for '{name}' of parameter {}, found {}", quoted(param), node.kind());
            found.error(node.span, message, format!("write {param} = {{ {name} = {example} }}"));
            return None;
        }
    };
    if name == "choice" {
        if items.is_empty() {
            found.error(
                node.span,
                format!("there is nothing to choose from for parameter {}", quoted(param)),
                format!("write {param} = {{ choice = [\"relu\", \"gelu\"] }}"),
            );
            return None;
        }
        return Some(Distribution::Choice(items.iter().map(|item| scalar(item, found)).collect::<Option<_>>()?));
    }
    let (first, second) = if name.ends_with("normal") { ("a mean", "a standard deviation") } else { ("a lower", "an upper bound") };
    let [low, high] = items else {
        let message = format!("'{name}' of parameter {} takes {first} and {second}, and has {} values", quoted(param), items.len());
        found.error(node.span, message, format!("write {param} = {{ {name} = {} }}", example(name)));
        return None;
    };
    let mut number = |node: &Node| {
        let value = scalar(node, found)?.meaning().into_owned();
        let number = value.number().filter(|number| number.is_finite());
        if number.is_none() {
            let message =
                format!("expected a finite number for '{name}' of parameter {}, found {}", quoted(param), quoted(&value.to_string()));
            found.error(node.span, message, format!("write {param} = {{ {name} = {} }}", example(name)));
        }
        Some((value, number?))
    };
    let ((low_value, low_number), (high_value, high_number)) = (number(low)?, number(high)?);
    let mut refuse = |node: &Node, message: String, hint: Option<String>| {
        found.error(node.span, message, hint);
        None
    };
    match name {
        "normal" | "log_normal" if high_number < 0.0 => refuse(
            high,
            "a standard deviation is not negative".to_string(),
            Some(format!("write {param} = {{ {name} = {} }}", example(name))),
        ),
        "normal" if !(low_number.abs() + 9.0 * high_number).is_finite() => {
            refuse(node, TOO_LARGE.to_string(), Some("take a smaller mean or deviation".to_string()))
        }
        "normal" => Some(Distribution::Normal(low_number, high_number)),
        "log_normal" => {
            let distribution = Distribution::LogNormal(low_number, high_number);
            if low_number.abs() + 9.0 * high_number > 700.0 {
                let hint = "mean and standard deviation are those of the natural logarithm".to_string();
                return refuse(node, TOO_LARGE.to_string(), Some(hint));
            }
            Some(distribution)
        }
        _ if low_number >= high_number => {
            let message = format!("the lower bound {low_value} of parameter {} is not below the upper bound {high_value}", quoted(param));
            refuse(node, message, Some("write the smaller one first".to_string()))
        }
        "log_uniform" if low_number <= 0.0 => {
            let hint = format!("write {param} = {{ uniform = [{low_value}, {high_value}] }}, or a lower bound above 0");
            refuse(low, format!("the logarithm of the lower bound {low_value} does not exist"), Some(hint))
        }
        "log_uniform" => Some(Distribution::LogUniform(low_number, high_number)),
        "int_uniform" => match (low_value, high_value) {
            (Value::Int(low), Value::Int(high)) => Some(Distribution::IntUniform(low, high)),
            _ => refuse(
                node,
                format!("the bounds of 'int_uniform' of parameter {} are whole numbers", quoted(param)),
                Some(format!("write {param} = {{ int_uniform = [1, 8] }}, or uniform")),
            ),
        },
        _ if !(high_number - low_number).is_finite() => {
            refuse(node, "these bounds are further apart than any number can be".to_string(), Some("take nearer ones".to_string()))
        }
        _ => Some(Distribution::Uniform(low_number, high_number)),
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "log_uniform" => "[1e-6, 1e-2]",
        "int_uniform" => "[1, 8]",
        "normal" => "[0, 1]",
        "log_normal" => "[-7, 1.5]",
        _ => "[0.1, 0.9]",
    }
}

impl Distribution {
    /// How many values there are; none of those that are spread over numbers.
    pub(crate) fn values(&self) -> Option<u64> {
        match self {
            Distribution::Choice(values) => Some(values.len() as u64),
            Distribution::IntUniform(low, high) => Some(high.abs_diff(*low).saturating_add(1)),
            Distribution::Uniform(..) | Distribution::LogUniform(..) | Distribution::Normal(..) | Distribution::LogNormal(..) => None,
        }
    }

    /// The value of sample number `index`. These numbers are what a seed stands for: to change them changes old sweeps.
    pub(crate) fn draw(&self, seed: i64, name: &str, index: u64) -> Value {
        let mut bits = Bits::new(seed, name, index);
        match self {
            Distribution::Choice(values) => values[bits.below(values.len() as u64) as usize].clone(),
            Distribution::IntUniform(low, high) => {
                let span = high.abs_diff(*low);
                let up = if span == u64::MAX { bits.next() } else { bits.below(span + 1) };
                Value::Int(low.wrapping_add_unsigned(up))
            }
            Distribution::Uniform(low, high) => {
                let value = low + (high - low) * bits.unit();
                Value::from_f64(rounded(value, (high - low) * 1e-6).clamp(*low, *high))
            }
            Distribution::LogUniform(low, high) => {
                let value = (low.ln() + (high.ln() - low.ln()) * bits.unit()).exp();
                Value::from_f64(rounded(value, (value * 1e-6).min((high - low) * 1e-6)).clamp(*low, *high))
            }
            Distribution::Normal(mean, deviation) => {
                let value = mean + deviation * bits.normal();
                Value::from_f64(if *deviation > 0.0 { rounded(value, deviation * 1e-6) } else { value })
            }
            Distribution::LogNormal(mean, deviation) => {
                let value = (mean + deviation * bits.normal()).exp();
                Value::from_f64(rounded(value, value * 1e-6))
            }
        }
    }
}

/// A number without the digits that nobody reads: to a power of ten of at most `step`.
fn rounded(value: f64, step: f64) -> f64 {
    let digits = -step.log10().floor();
    if !digits.is_finite() || !(0.0..=300.0).contains(&digits) {
        return value;
    }
    format!("{value:.*}", digits as usize).parse().unwrap_or(value)
}

/// SplitMix64 (Steele, Lea, Flood 2014), begun from a hash of what the draw depends on.
struct Bits(u64);

impl Bits {
    fn new(seed: i64, name: &str, index: u64) -> Bits {
        // FNV-1a, 64 bits.
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut bits = Bits(seed.cast_unsigned());
        bits.0 = bits.next() ^ name;
        bits.0 = bits.next() ^ index;
        bits.0 = bits.next();
        bits
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_these_draws_for_ever() {
        let three = Distribution::Choice(vec![Value::Int(1), Value::Bool(true), Value::Str("a".into())]);
        for (distribution, expected) in [
            (Distribution::Uniform(0.0, 1.0), "0.788109 0.835748 0.871764 0.611805"),
            (Distribution::LogUniform(1e-6, 1e-2), "0.001420484 0.002202895 0.00306941 0.0002800399"),
            (Distribution::IntUniform(1, 8), "7 7 7 5"),
            (Distribution::Normal(0.0, 1.0), "1.074081 -1.350403 -2.021838 1.305386"),
            (Distribution::LogNormal(-7.0, 1.5), "0.004567092 0.0001202901 4.393686e-5 0.006461324"),
            (three, "a a a true"),
        ] {
            let draws: Vec<String> = (0..4).map(|index| distribution.draw(7, "lr", index).to_string()).collect();
            assert_eq!(draws.join(" "), expected, "{distribution:?}");
        }
    }

    #[test]
    fn draws_stay_within_bounds_and_fill_them() {
        let mean = |distribution: &Distribution, of: fn(f64) -> f64| {
            let draws = (0..20_000).map(|index| of(distribution.draw(0, "x", index).number().expect("a number")));
            draws.sum::<f64>() / 20_000.0
        };
        assert!((mean(&Distribution::Uniform(2.0, 4.0), |x| x) - 3.0).abs() < 0.02);
        assert!((mean(&Distribution::LogUniform(1e-6, 1e-2), f64::log10) + 4.0).abs() < 0.04);
        assert!((mean(&Distribution::IntUniform(1, 3), |x| x) - 2.0).abs() < 0.03);
        assert!(mean(&Distribution::Normal(0.0, 1.0), |x| x).abs() < 0.03);
        assert!((mean(&Distribution::Normal(0.0, 1.0), |x| x * x) - 1.0).abs() < 0.05);
        assert!((mean(&Distribution::LogNormal(-7.0, 1.5), f64::ln) + 7.0).abs() < 0.05);
        let narrow = Distribution::Uniform(0.999_999_9, 0.999_999_95);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..1000 {
            let value = narrow.draw(0, "x", index);
            assert!((0.999_999_9..=0.999_999_95).contains(&value.number().expect("a number")), "{value}");
            seen.insert(value.to_string());
        }
        assert!(seen.len() > 900);
        let whole = Distribution::IntUniform(i64::MIN, i64::MAX);
        assert_ne!(whole.draw(0, "x", 0), whole.draw(0, "x", 1));
    }
}
