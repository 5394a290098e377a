//! Masking within a text: passwords in addresses, private keys, tokens, and what is assigned to a secret name.

use super::{MASK, SHORTEST_KNOWN, is_secret_assigned};

/// How tokens of known services begin, and how many characters follow at least.
const TOKEN_STARTS: [(&str, usize); 20] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("hf_", 20),
    ("sk-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("AIza", 30),
    ("pypi-", 30),
    ("npm_", 30),
    ("wandb_v1_", 20),
];

/// `text` without the `known` values and without what looks like a secret: passwords in addresses, private keys, the tokens of known
/// services, and what is assigned to a secret name.
pub fn mask_text(text: &str, known: &[String]) -> String {
    let mut known: Vec<&str> = known.iter().map(String::as_str).filter(|value| value.len() >= SHORTEST_KNOWN).collect();
    // A secret that holds another goes first, else its rest would stay.
    known.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut masked = text.to_string();
    for value in known {
        if masked.contains(value) {
            masked = masked.replace(value, MASK);
        }
    }
    let masked = mask_key_blocks(&masked);
    let masked = mask_passwords_in_addresses(&masked);
    mask_words(&masked)
}

fn mask_key_blocks(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(begin) = rest.find("-----BEGIN ") {
        let header = begin + "-----BEGIN ".len();
        let Some(header_end) = rest[header..].find("-----") else { break };
        if !rest[header..header + header_end].contains("PRIVATE KEY") {
            kept.push_str(&rest[..header]);
            rest = &rest[header..];
            continue;
        }
        kept.push_str(&rest[..begin]);
        kept.push_str(MASK);
        // A block that is cut off is a secret to its end.
        let end = rest[begin..].find("-----END ").map_or(rest.len(), |at| begin + at + "-----END ".len());
        rest = rest[end..].split_once("-----").map_or("", |(_, after)| after);
    }
    kept + rest
}

/// The passwords in `scheme://user:password@host`.
pub(super) fn passwords_in_addresses(text: &str) -> Vec<String> {
    let of_address = |after: &str| {
        let authority = &after[..after.find(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).unwrap_or(after.len())];
        Some(authority[..authority.rfind('@')?].split_once(':')?.1.to_string())
    };
    text.split("://").skip(1).filter_map(of_address).collect()
}

/// `scheme://user:password@host`, and `scheme://token@host`.
fn mask_passwords_in_addresses(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        kept.push_str(before);
        let authority_end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>`".contains(c)).unwrap_or(after.len());
        rest = after;
        if let Some(user_end) = after[..authority_end].rfind('@') {
            let user = &after[..user_end];
            match user.split_once(':') {
                Some((name, _)) => kept.push_str(&format!("{name}:{MASK}")),
                // A user of ssh is a name; one of http is a token.
                None if before.ends_with("http://") || before.ends_with("https://") => kept.push_str(MASK),
                None => kept.push_str(user),
            }
            rest = &after[user_end..];
        }
    }
    kept + rest
}

/// Masks word by word: the tokens of known services, and the value after `name=`, `name:` or `--name`.
fn mask_words(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut names_secret = false;
    // Between the name and the value there was a sign: a quote that follows opens the value, it does not close the name.
    let mut separated = false;
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        if word.is_empty() {
            let c_end = after.chars().next().map_or(0, char::len_utf8);
            let (between, next) = after.split_at(c_end);
            // A value may follow its name behind `=`, `: `, quotes and blanks; a new line or another clause ends the wait.
            names_secret &= !between.contains(['\n', ';', ',', '&', '|', ')', '}', ']']);
            separated |= between.contains(['=', ':', ' ']);
            kept.push_str(between);
            rest = next;
            if names_secret
                && separated
                && let Some(value) = quoted(between, next)
            {
                kept.push_str(if is_plain(value) { value } else { MASK });
                rest = &next[value.len()..];
                names_secret = false;
            }
            continue;
        }
        let assigns = matches!(after.trim_start_matches(['"', '\'', ' ']).chars().next(), Some('=' | ':'));
        let is_option = word.starts_with("--");
        if is_secret_assigned(word) && (assigns || is_option) && !after.starts_with("://") {
            kept.push_str(word);
            (names_secret, separated) = (true, false);
            rest = after;
        } else if names_secret && !is_option {
            // The whole value, with whatever signs stand in it.
            let ends = |c: char| c.is_whitespace() || "\"'`,;".contains(c);
            let value_end = rest.find(ends).unwrap_or(rest.len());
            let value = &rest[..value_end];
            kept.push_str(if is_plain(value) { value } else { MASK });
            rest = &rest[value_end..];
            // `Authorization: Bearer TOKEN`.
            names_secret = ["bearer", "basic", "token"].contains(&value.to_ascii_lowercase().as_str());
        } else {
            names_secret = false;
            kept.push_str(if is_token(word) { MASK } else { word });
            rest = after;
        }
    }
    kept
}

/// What stands before the other of two quotes, in one line.
fn quoted<'t>(quote: &str, text: &'t str) -> Option<&'t str> {
    let line = ["\"", "'"].contains(&quote).then(|| text.split('\n').next())??;
    line.split_once(quote).map(|(value, _)| value).filter(|value| !value.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// What code and configuration put after a secret's name without giving it away.
fn is_plain(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["none", "null", "true", "false", "bearer", "basic", "token", MASK].contains(&lower.as_str())
        || value.bytes().all(|b| !b.is_ascii_alphanumeric())
}

fn is_token(word: &str) -> bool {
    TOKEN_STARTS.iter().any(|(start, least)| {
        let Some(rest) = word.strip_prefix(start) else { return false };
        // Words with hyphens begin like tokens; a token has a digit in it.
        rest.len() >= *least && rest.bytes().any(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_canary_stays_in_a_text() {
        let key = format!("-----BEGIN RSA {}-----\nCANARY\nCANARY\n-----END RSA PRIVATE KEY-----", "PRIVATE KEY");
        let (token, aws) = (format!("hf_{}", "CANARY1x".repeat(4)), format!("AKIA{}", "CANARY12CANARY34"));
        for text in [
            key.clone(),
            key[..60].to_string(),
            "https://user:CANARY@host/path".into(),
            "git clone https://CANARY@host/x".into(),
            "postgres://u:CA@NARY-CANARY@db:5432/x".into(),
            format!("--hub {token}"),
            format!("id {aws}."),
            format!("ghp_{}", "CANARY12".repeat(4)),
            format!("sk-proj-{}", "CANARY12".repeat(4)),
            "export WANDB_API_KEY=CANARYdeadbeef".into(),
            "password: \"CANARY$!x\"".into(),
            "{\"api_key\": \"CANARY\"}".into(),
            "train --token CANARY --lr 1".into(),
            "train --api-key=CANARY".into(),
            "train --password 'CANARY CANARY, CANARY' --lr 1".into(),
            "train --password=\"!CANARY; CANARY\"".into(),
            "{\"api_key\": \"CANARY CANARY\", \"lr\": 1}".into(),
            "Authorization: Bearer CANARY".into(),
            "run --auth-token --api-key CANARY".into(),
            "mentions known-CANARY-value here".into(),
        ] {
            let masked = mask_text(&text, &["known-CANARY-value".into()]);
            assert!(!masked.contains("CANARY") && masked.contains(MASK), "{text} -> {masked}");
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in [
            "epoch 3: loss=0.5 acc=0.9 tokens: 12",
            "https://example.org/a@b",
            "ssh://git@host/x",
            "sk-learn and hf_hub",
            "key_dim=64 n_heads=8",
            "https://example.org",
            "a b\tc\n",
            "token = None",
            "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
            "max_tokens=512",
            "train --cls_token mean --label-key=name --lr 1",
            "pad_token: '<pad>'",
            "--use-auth-token --lr 1",
            "naïve ünïcode: ok",
        ] {
            let masked = mask_text(text, &["yes".into()]);
            assert_eq!(masked, text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_masked_without_panic_and_known_values_go(before in ".{0,40}", secret in "[a-z0-9]{8,20}", after in ".{0,40}") {
            let masked = mask_text(&format!("{before}{secret}{after}"), std::slice::from_ref(&secret));
            proptest::prop_assert!(!masked.contains(&secret) || before.contains(&secret) || after.contains(&secret) || MASK.contains(&secret));
        }
    }
}
