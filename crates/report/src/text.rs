//! Text from elsewhere, made harmless and measured: for terminals, for HTML and SVG.

use std::iter::Peekable;
use std::str::Chars;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Without escape sequences, control characters and direction overrides; line feeds and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() != Some(&'\n') => out.push('\n'),
            '\u{1b}' => skip_sequence(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            _ if c.is_control() || reorders_text(c) || is_no_character(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// Skips what follows an escape character.
fn skip_sequence(rest: &mut Peekable<Chars>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        // Strings for the terminal (titles, links, clipboard): up to BEL or ESC \, but never past the line's end.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(&c) = rest.peek() {
                if c == '\n' {
                    return;
                }
                rest.next();
                match c {
                    '\u{7}' | '\u{9c}' => return,
                    '\u{1b}' => {
                        rest.next_if_eq(&'\\');
                        return;
                    }
                    _ => {}
                }
            }
        }
        Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => {
            rest.next();
            rest.next_if(|c| c.is_ascii_graphic());
        }
        Some(c) if c.is_ascii_graphic() => {
            rest.next();
        }
        _ => {}
    }
}

fn skip_control_sequence(rest: &mut Peekable<Chars>) {
    while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
    rest.next_if(|c| ('@'..='~').contains(c));
}

/// Zero-width and direction-changing characters: they make one name look like another.
fn reorders_text(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// What XML refuses.
fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// On one line, cleaned, at most `max` columns wide.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let cleaned = clean(text);
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    cut_end(&words.join(" "), max)
}

/// Terminal columns that a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The longest start of `text` within `max` columns.
fn start_within(text: &str, max: usize) -> &str {
    let mut used = 0;
    let wide = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > max
    });
    let mut start = wide.map_or(text, |(at, _)| &text[..at]);
    // Some characters are wider together than alone: a digit and the sign that makes it a picture.
    while columns(start) > max {
        start = start.char_indices().next_back().map_or("", |(at, _)| &start[..at]);
    }
    start
}

/// The longest end of `text` within `max` columns; it begins with a character that is seen.
fn end_within(text: &str, max: usize) -> &str {
    let mut used = 0;
    let wide = text.char_indices().rev().find(|(_, c)| {
        used += c.width().unwrap_or(0);
        used > max
    });
    let mut end = wide.map_or(text, |(at, c)| &text[at + c.len_utf8()..]);
    let unseen = |end: &str| end.chars().next().is_some_and(|c| c.width().unwrap_or(0) == 0);
    while columns(end) > max || unseen(end) {
        end = end.char_indices().nth(1).map_or("", |(at, _)| &end[at..]);
    }
    end
}

/// `a long te…`
pub(crate) fn cut_end(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    match max {
        0 => String::new(),
        _ => format!("{}…", start_within(text, max - 1).trim_end()),
    }
}

/// `a lo…ext`: names of runs differ at their ends, so more of the end stays than of the start.
pub(crate) fn cut_middle(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    if max < 3 {
        return cut_end(text, max);
    }
    let start = (max - 1) * 2 / 5;
    format!("{}…{}", start_within(text, start), end_within(text, max - 1 - start))
}

/// For the text and the quoted attributes of HTML and XML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Advance widths of the characters from space to tilde in DejaVu Sans, in hundredths of the font size.
const WIDTHS: [u8; 95] = [
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53, 100,
    68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63,
    55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
];

/// Pixels that a text takes in the font of our pictures.
pub(crate) fn pixels(text: &str, size: f64) -> f64 {
    let hundredths: u32 = text
        .chars()
        .map(|c| match (c as usize).checked_sub(32).and_then(|at| WIDTHS.get(at)) {
            Some(&width) => u32::from(width),
            None => c.width().unwrap_or(0) as u32 * 70,
        })
        .sum();
    f64::from(hundredths) * size / 100.0
}

/// Cuts in the middle until the text takes no more than `max` pixels.
pub(crate) fn cut_to_pixels(text: &str, size: f64, max: f64) -> String {
    let mut keep = columns(text);
    let mut cut = text.to_owned();
    while pixels(&cut, size) > max && keep > 0 {
        keep = (keep - 1).min((keep as f64 * max / pixels(&cut, size)).ceil() as usize);
        cut = cut_middle(text, keep);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_keep_within_their_width_with_wide_characters_too() {
        assert_eq!(cut_end("learning", 5), "lear…");
        assert_eq!(cut_end("学習率学習率", 6), "学習…");
        assert_eq!(cut_middle("cifar-resnet-seed0", 9), "cif…seed0");
        for max in 0..20 {
            assert!(columns(&cut_middle("学習率 of cifar-resnet", max)) <= max);
            assert!(columns(&cut_end("学習率 of cifar-resnet", max)) <= max);
        }
    }

    #[test]
    fn cuts_keep_within_their_width_where_characters_are_wider_together() {
        for text in ["!A0\u{fe0f}A𝕊꜀ A𑓐ઃ®𖩠a𑅐𑃐𞺡𐀼 𑎹 0", "1\u{fe0f}2\u{fe0f}3\u{fe0f}4\u{fe0f}5", "é\u{301}\u{fe0f}x☂\u{fe0f}y☂\u{fe0f}"]
        {
            for max in 0..20 {
                assert!(columns(&cut_middle(text, max)) <= max, "{text} within {max}: {}", cut_middle(text, max));
                assert!(columns(&cut_end(text, max)) <= max, "{text} within {max}: {}", cut_end(text, max));
            }
        }
    }

    #[test]
    fn text_for_pages_has_no_markup_and_nothing_that_xml_refuses() {
        assert_eq!(escape("<b a='\"'>&\u{0}\u{1b}[31m\u{ffff}x"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;x");
    }
}
