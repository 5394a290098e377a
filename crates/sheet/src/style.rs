//! What a number is shown as, by the format of its cell: `0%`, `yyyy-mm-dd`, `[h]:mm`.

use crate::grid::Raw;
use crate::moment::{self, Moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    #[default]
    Plain,
    Percent,
    /// `000`: at least so many digits.
    Zeros(usize),
    Moment(Moment),
}

impl Style {
    /// A format that every spreadsheet program knows by its number.
    pub(crate) fn of_number(id: u32) -> Style {
        match id {
            9 | 10 => Style::Percent,
            14..=17 | 22 | 27..=36 | 50..=58 => Style::Moment(Moment::Date),
            18..=21 | 45 | 47 => Style::Moment(Moment::Time),
            46 => Style::Moment(Moment::Elapsed),
            _ => Style::Plain,
        }
    }

    /// A format that the file describes. Only its first part counts: the others are for negative numbers and texts.
    pub(crate) fn of_code(code: &str) -> Style {
        let mut letters = String::new();
        let mut chars = code.chars();
        while let Some(c) = chars.next() {
            match c {
                ';' => break,
                '"' => drop(chars.by_ref().find(|c| *c == '"')),
                // A character as it is, the width of one, or one that fills the cell.
                '\\' | '_' | '*' => drop(chars.next()),
                '[' => {
                    let inside: String = chars.by_ref().take_while(|c| *c != ']').collect::<String>().to_ascii_lowercase();
                    if matches!(inside.as_str(), "h" | "hh" | "m" | "mm" | "s" | "ss") {
                        return Style::Moment(Moment::Elapsed);
                    }
                }
                c => letters.push(c.to_ascii_lowercase()),
            }
        }
        if letters.contains('%') {
            return Style::Percent;
        }
        let has = |wanted: &[char]| letters.contains(wanted);
        match letters.as_str() {
            "general" => Style::Plain,
            zeros if zeros.len() > 1 && zeros.bytes().all(|b| b == b'0') => Style::Zeros(zeros.len()),
            _ if has(&['y', 'd']) => Style::Moment(Moment::Date),
            _ if has(&['h', 's']) => Style::Moment(Moment::Time),
            _ if has(&['m']) => Style::Moment(Moment::Date),
            _ => Style::Plain,
        }
    }

    pub(crate) fn show(self, number: f64, computed: bool, since_1904: bool) -> Raw {
        let plain = if computed { Raw::Computed(number) } else { Raw::Number(number) };
        match self {
            Style::Zeros(digits) if number.fract() == 0.0 && (0.0..1e15).contains(&number) => Raw::Typed(format!("{number:0digits$}")),
            Style::Plain | Style::Zeros(_) => plain,
            Style::Percent => Raw::Percent(number),
            Style::Moment(moment) => moment::of_serial(number, moment, since_1904).map_or(plain, Raw::Moment),
        }
    }
}
