//! One axis: which values it spans, where each lies, and which ones are named.

use crate::words;

/// From `low` to `high`, both finite and apart; with `log` both are above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    pub(crate) log: bool,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Only whole numbers lie on it, such as steps and epochs: none between them is named.
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// The measure in which an axis is even. Halved, since the span between two large numbers can be infinite and that of their halves cannot.
pub(crate) fn warp(value: f64, log: bool) -> f64 {
    if log { value.log10() } else { value / 2.0 }
}

fn unwarp(place: f64, log: bool) -> f64 {
    let value = if log { 10f64.powf(place) } else { place * 2.0 };
    // The smallest number that there is: between two below the smallest normal one there is a span as well.
    value.clamp(if log { f64::from_bits(1) } else { f64::MIN }, f64::MAX)
}

impl Axis {
    /// Spans all values, so that nothing is clipped, and `margin` of its length more at both ends. Nothing without values.
    /// Values must be finite, and above zero for a logarithm.
    pub(crate) fn around(values: impl Iterator<Item = f64>, log: bool, margin: f64) -> Option<Axis> {
        let nothing = (f64::INFINITY, f64::NEG_INFINITY, true);
        let (low, high, whole) = values.fold(nothing, |(low, high, whole), v| (low.min(v), high.max(v), whole && v.fract() == 0.0));
        if low > high {
            return None;
        }
        let size = low.abs().max(high.abs());
        let (a, b) = (warp(low, log), warp(high, log));
        // What differs only by rounding is one value: an axis around it, wide enough for readable numbers.
        let same = if log { b - a < 1e-9 } else { (b - a) * 2.0 < (size * 1e-12).max(1e-290) };
        let margin = match (same, log) {
            (false, _) => (b - a) * margin,
            (true, true) => 0.3,
            (true, false) if size < 1e-290 => 0.5,
            (true, false) => size * 0.05,
        };
        let (mut start, end) = (unwarp(a - margin, log), unwarp(b + margin, log));
        // An axis of positive values does not begin below zero, and one that nearly reaches zero shows it.
        if !log && low >= 0.0 && !same && (start < 0.0 || low < high * 0.15) && margin > 0.0 {
            start = 0.0;
        }
        Some(Axis { log, low: start, high: end, whole: whole && !same })
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (a, b) = (warp(self.low, self.log), warp(self.high, self.log));
        ((warp(value, self.log) - a) / (b - a)).clamp(0.0, 1.0)
    }

    /// Round values within the axis, `about` as many as asked for.
    pub(crate) fn ticks(&self, about: usize) -> Vec<Tick> {
        let about = about.max(2);
        if self.log {
            let ticks = self.log_ticks(about);
            if ticks.len() >= 2 {
                return ticks;
            }
        }
        let mut step = Step::about((self.high / 2.0 - self.low / 2.0) / about as f64);
        if self.whole && step.exponent < 0 {
            step = Step { factor: 1.0, exponent: 0 };
        }
        let values = step.multiples(self.low, self.high);
        let labels = step.labels(&values);
        values.into_iter().zip(labels).map(|(value, label)| Tick { value, label }).collect()
    }

    /// Powers of ten; when there are few, their double and fivefold too.
    fn log_ticks(&self, about: usize) -> Vec<Tick> {
        let (a, b) = (self.low.log10(), self.high.log10());
        let decades = b - a;
        let stride = (decades / about as f64).ceil().max(1.0) as i32;
        let factors: &[u8] = if decades * 3.0 <= about as f64 * 1.3 { &[1, 2, 5] } else { &[1] };
        (a.floor() as i32..=b.ceil() as i32)
            .filter(|exponent| exponent % stride == 0)
            .flat_map(|exponent| factors.iter().map(move |&factor| (factor, exponent)))
            .map(|(factor, exponent)| {
                let value = f64::from(factor) * power(exponent);
                let label = if (-3..4).contains(&exponent) { words::number(value) } else { format!("{factor}e{exponent}") };
                Tick { value, label }
            })
            .filter(|tick| (self.low..=self.high).contains(&tick.value))
            .collect()
    }
}

/// The nearest number to a power of ten. Read from text because `powi` is off by rounding, and 0 below 1e-308.
fn power(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::MAX)
}

/// 1, 2 or 5 times a power of ten.
struct Step {
    factor: f64,
    exponent: i32,
}

impl Step {
    /// The next round step above twice `half` (the span comes halved, see [`warp`]).
    fn about(half: f64) -> Step {
        let mut exponent = (half.log10() + std::f64::consts::LOG10_2).floor() as i32;
        let mantissa = half / power(exponent) * 2.0;
        // The bounds lie between the factors: the count of ticks stays near what was asked for, above or below.
        let factor = match mantissa {
            ..1.42 => 1.0,
            ..3.17 => 2.0,
            ..7.08 => 5.0,
            _ => {
                exponent += 1;
                1.0
            }
        };
        Step { factor, exponent }
    }

    fn multiple(&self, count: f64) -> f64 {
        // Dividing by a power of ten rounds once, where multiplying with a negative power, itself rounded, would do so twice.
        match self.exponent {
            -300..0 => count * self.factor / power(-self.exponent),
            _ => count * self.factor * power(self.exponent),
        }
    }

    fn multiples(&self, low: f64, high: f64) -> Vec<f64> {
        let first = (low / self.multiple(1.0)).ceil();
        (0..100)
            .map(|k| self.multiple(first + f64::from(k)))
            .take_while(|value| *value <= high)
            .map(|value| if value == 0.0 { 0.0 } else { value })
            .collect()
    }

    /// Labels of one kind for all: as many decimals as the step needs, `k` to `T` for thousands and more, exponents beyond.
    fn labels(&self, values: &[f64]) -> Vec<String> {
        let size = values.iter().fold(0.0, |size: f64, v| size.max(v.abs()));
        if size == 0.0 {
            return values.iter().map(|_| "0".to_owned()).collect();
        }
        let magnitude = size.log10().floor() as i32;
        let (shift, suffix) = match magnitude {
            -3..4 => (0, ""),
            4..15 => {
                let unit = if magnitude < 6 { 3 } else { magnitude / 3 * 3 };
                match unit - self.exponent {
                    // Too many decimals: the whole number reads better.
                    4.. => (0, ""),
                    _ => (unit, ["k", "M", "G", "T"][unit as usize / 3 - 1]),
                }
            }
            _ => return values.iter().map(|v| self.scientific(*v)).collect(),
        };
        let decimals = (shift - self.exponent).clamp(0, 17) as usize;
        let shown = |value: f64| match value {
            0.0 => "0".to_owned(),
            _ => format!("{:.decimals$}{suffix}", value / power(shift)),
        };
        values.iter().map(|v| shown(*v)).collect()
    }

    fn scientific(&self, value: f64) -> String {
        if value == 0.0 {
            return "0".to_owned();
        }
        let digits = (value.abs().log10().floor() as i32 - self.exponent).clamp(0, 17) as usize;
        let text = format!("{value:.digits$e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) => format!("{}e{exponent}", words::trim_zeros(mantissa)),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, log: bool) -> String {
        let labels: Vec<String> = Axis { log, low, high, whole: false }.ticks(5).into_iter().map(|tick| tick.label).collect();
        labels.join(" ")
    }

    #[test]
    fn ticks_are_round_and_as_precise_as_their_step() {
        assert_eq!(labels(0.0, 1.0, false), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(0.973_12, 0.973_15, false), "0.973120 0.973125 0.973130 0.973135 0.973140 0.973145 0.973150");
        assert_eq!(labels(-3.0, 97.0, false), "0 20 40 60 80");
        assert_eq!(labels(0.0, 50_000.0, false), "0 10k 20k 30k 40k 50k");
        assert_eq!(labels(0.0, 2.6e9, false), "0 0.5G 1.0G 1.5G 2.0G 2.5G");
        assert_eq!(labels(1_000_000.0, 1_000_004.0, false), "1000000 1000001 1000002 1000003 1000004");
        assert_eq!(labels(0.0, 3e-5, false), "0 5e-6 1e-5 1.5e-5 2e-5 2.5e-5 3e-5");
        assert_eq!(labels(-1e308, 1e308, false), "-1e308 -5e307 0 5e307 1e308");
    }

    #[test]
    fn log_ticks_are_powers_of_ten_and_finer_ones_where_there_is_room() {
        assert_eq!(labels(0.0005, 20_000.0, true), "0.01 1 100 1e4");
        assert_eq!(labels(0.8, 60.0, true), "1 2 5 10 20 50");
        assert_eq!(labels(31.0, 39.0, true), "32 34 36 38");
    }

    #[test]
    fn one_value_gets_an_axis_around_it() {
        for value in [0.0, 5.0, -1e-300, 1e300, f64::MAX] {
            for log in [false, true] {
                if log && value <= 0.0 {
                    continue;
                }
                let axis = Axis::around([value].into_iter(), log, 0.0).expect("there is a value");
                assert!(axis.low < value && value <= axis.high, "{value}: {axis:?}");
                assert!(!axis.ticks(4).is_empty(), "{value}: {axis:?}");
            }
        }
    }

    #[test]
    fn numbers_below_the_smallest_normal_one_have_a_span_too() {
        for values in [[f64::MIN_POSITIVE, 5e-324], [5e-324, 5e-324]] {
            let axis = Axis::around(values.into_iter(), true, 0.05).expect("values");
            assert!(warp(axis.low, true) < warp(axis.high, true), "{axis:?}");
        }
    }
}
