//! A float's written form, changed only as far as a format cannot read it as a number.

/// A decimal number in its pieces.
pub(crate) struct Number<'a> {
    negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    fraction: Option<&'a str>,
    /// The letter, the sign or nothing, the digits.
    exponent: Option<(char, &'a str, &'a str)>,
}

/// What a format wants of a float.
pub(crate) struct Wants {
    /// A point or an exponent: without either it would be an integer.
    pub(crate) mark: bool,
    /// A point also where there is an exponent, and a sign in the exponent: YAML 1.1.
    pub(crate) point_and_sign: bool,
}

impl Number<'_> {
    /// The pieces of what a float may be written as; nothing for `inf`, `nan` and their likes.
    pub(crate) fn parse(text: &str) -> Option<Number<'_>> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => {
                let digits = text[at + 1..].trim_start_matches(['+', '-']);
                let sign = &text[at + 1..text.len() - digits.len()];
                if sign.len() > 1 || !all_digits(digits) {
                    return None;
                }
                (&text[..at], Some((if text[at..].starts_with('E') { 'E' } else { 'e' }, sign, digits)))
            }
            None => (text, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let plausible = |digits: &str| digits.is_empty() || all_digits(digits);
        if !plausible(whole) || !plausible(fraction.unwrap_or("")) || (whole.is_empty() && fraction.is_none_or(str::is_empty)) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        Some(Number { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, exponent })
    }

    pub(crate) fn written(&self, wants: &Wants) -> String {
        let sign = if self.negative { "-" } else { "" };
        let mut text = format!("{sign}{}", self.whole);
        // A zero that is an integer has no sign to keep.
        let bare = self.fraction.is_none() && self.exponent.is_none();
        let minus_zero = self.negative && self.whole == "0";
        match self.fraction {
            Some("") => text.push_str(".0"),
            Some(fraction) => text.extend([".", fraction]),
            None if bare && (wants.mark || minus_zero) || (!bare && wants.point_and_sign) => text.push_str(".0"),
            None => {}
        }
        if let Some((letter, sign, digits)) = self.exponent {
            text.push(letter);
            text.extend([if sign.is_empty() && wants.point_and_sign { "+" } else { sign }, digits]);
        }
        text
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two numbers are the same; not a number is the same as itself.
pub(crate) fn same(one: f64, other: f64) -> bool {
    (one.is_nan() && other.is_nan()) || one.total_cmp(&other).is_eq()
}
