//! What a run printed, made safe for a terminal: colours stay; nothing else of it may steer the terminal.

/// `text` without control sequences and control characters, but for colours (where `color`), tabs and line ends.
pub(crate) fn safe(text: &str, color: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\x1b' => match rest.next() {
                Some('[') => control_sequence(&mut rest, color, &mut out),
                // A title, a link, a picture: up to its end.
                Some(']' | 'P' | 'X' | '^' | '_') => control_string(&mut rest),
                // A character set: one letter more.
                Some('(' | ')' | '*' | '+' | '#' | '%' | ' ') => drop(rest.next()),
                _ => {}
            },
            '\u{9b}' => control_sequence(&mut rest, color, &mut out),
            c if c.is_control() || overrides_direction(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// What makes text read in another order than it is written.
fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn control_sequence(rest: &mut Rest<'_>, color: bool, out: &mut String) {
    let mut parameters = String::new();
    while let Some(c) = rest.next_if(|c| (' '..='?').contains(c)) {
        parameters.push(c);
    }
    let last = rest.next_if(|c| ('@'..='~').contains(c));
    if color && last == Some('m') && parameters.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':') {
        out.push_str(&format!("\x1b[{parameters}m"));
    }
}

fn control_string(rest: &mut Rest<'_>) {
    // It cannot go on over lines: a cut one must not swallow what follows.
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_what_steers_the_terminal_does_not() {
        let text = "a\x1b[1;31mred\x1b[0m\x1b[2J\x1b[10;20H\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1b(0d\u{9b}3Ae\x07\rf\tg\n";
        assert_eq!(safe(text, true), "a\x1b[1;31mred\x1b[0mbcdef\tg\n");
        assert_eq!(safe(text, false), "aredbcdef\tg\n");
        assert_eq!(safe("a\u{202e}b\u{2066}c\u{2069}d", true), "abcd");
        assert_eq!(safe("\x1b]0;cut\nnext", true), "\nnext");
        assert_eq!(safe("\x1b[?25l\x1b[>4;2mx\x1b", true), "x");
    }
}
