//! The HTML page around charts and reports: one file with its style and script inside, and a policy under which a browser runs and loads nothing else.

use crate::text::escape;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/chart.js");

/// `body` must be escaped already, title and subtitle not.
pub(crate) fn page(title: &str, subtitle: &str, body: &str) -> String {
    let scripted = body.contains("<figure class=\"chart\"");
    let script_source = if scripted { fingerprint(SCRIPT) } else { "'none'".to_owned() };
    let script = if scripted { format!("<script>{SCRIPT}</script>\n") } else { String::new() };
    let title = escape(title);
    let subtitle = match subtitle {
        "" => String::new(),
        _ => format!("<p class=\"subtitle\">{}</p>\n", escape(subtitle)),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src {script_source}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{subtitle}{body}</main>\n{script}</body>\n</html>\n",
        fingerprint(STYLE)
    )
}

/// How a content security policy names an inline script or style: by its hash.
fn fingerprint(content: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(content.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_standard_has_it() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
