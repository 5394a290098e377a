//! Sizes of memory and disk as people write them, in bytes; and large numbers as people read them.

/// Reads `6 GB`, `1.5 GiB`, `500 MB`, `16G`, `2000000 B`. GB is 1000^3 and GiB 1024^3; G alone is 1024^3, as schedulers mean it.
/// A number without a unit is no size: schedulers take it for megabytes, most programs for bytes.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim_start().to_ascii_lowercase();
    let (letter, rest) = unit.split_at_checked(1)?;
    let power = match letter {
        "b" if matches!(rest, "" | "ytes") => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let thousand: f64 = match rest {
        "b" => 1000.0,
        "" | "i" | "ib" => 1024.0,
        "ytes" if power == 0 => 1.0,
        _ => return None,
    };
    let bytes = (number * thousand.powi(power)).round();
    // Far beyond any disk, and a number that every JSON reader keeps exactly.
    (bytes < 9e15).then_some(bytes as u64)
}

/// A size in powers of a thousand, as disks and specifications count: `512 B`, `1.2 kB`, `34 MB`, `6 GB`.
pub fn shown(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB", "TB", "PB", "EB"] {
        // What would round to a thousand goes to the next unit.
        if value < 999.5 || unit == "EB" {
            let digits = usize::from(value < 9.95 && unit != "B");
            let number = format!("{value:.digits$}");
            return format!("{} {unit}", number.strip_suffix(".0").unwrap_or(&number));
        }
        value /= 1000.0;
    }
    format!("{bytes} B")
}

/// 100000 as 100,000.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_as_researchers_and_schedulers_write_them() {
        for (text, bytes) in [
            ("6 GB", 6_000_000_000),
            ("6GiB", 6 << 30),
            ("16G", 16 << 30),
            ("16Gi", 16 << 30),
            ("1.5 kB", 1500),
            (" 500 mb ", 500_000_000),
            ("2T", 2 << 40),
            ("1 PB", 1_000_000_000_000_000),
            ("12 B", 12),
            ("12 bytes", 12),
            ("0 GB", 0),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "6", "GB", "6 XB", "6 GBB", "-1 GB", "1e3 GB", "6 gigabytes", "99999 PB", "1.2.3 GB", "6 ü", "6 kytes"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
