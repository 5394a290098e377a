//! What looks like a secret, and its removal from what is recorded. Rather one value too many is masked than one too few.

mod command;
mod setting;
mod text;

pub use command::{secret_parts, values_in_command};
pub use setting::{is_secret_assigned, is_secret_setting};
pub use text::mask_text;

use std::path::Path;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Shorter values are words that stand everywhere, `1` or `yes`: masking them would spoil the text and hide nothing.
const SHORTEST_KNOWN: usize = 6;

/// Words of a name that say that the value is a secret.
const SECRET_WORDS: [&str; 15] = [
    "SECRET",
    "SECRETS",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
    "AUTH",
    "AUTHORIZATION",
    "COOKIE",
    "PAT",
];
/// Words after which a `KEY` is none to a door: `SSH_KEY` is one, `CACHE_KEY` is not.
const HARMLESS_KEYS: [&str; 6] = ["PUBLIC", "CACHE", "SORT", "PRIMARY", "FOREIGN", "HOST"];
/// Whether a variable of the environment of this name holds a secret. `PWD` and `OLDPWD` are folders, and `*_PATH`, `*_FILE` name places.
pub fn is_secret_name(name: &str) -> bool {
    let words = words_of(name);
    let is = |word: &str, known: &str| word == known || (known.len() > 4 && word.ends_with(known));
    if matches!(words.as_slice(), [only] if only == "PWD" || only == "OLDPWD" || only == "PAT") {
        return false;
    }
    // `SSH_AUTH_SOCK`, `TOKENIZERS_PARALLELISM`, `MAX_TOKENS`, `TOKEN_COUNT`: places, switches and numbers.
    if words.last().is_some_and(|last| ["PATH", "FILE", "DIR", "SOCK", "COUNT", "LENGTH", "SIZE", "LIMIT", "ID"].contains(&last.as_str())) {
        return words.iter().any(|word| is(word, "SECRET") || is(word, "PASSWORD"));
    }
    if words.windows(2).any(|pair| ["MAX", "MIN", "NUM", "N"].contains(&pair[0].as_str()) && pair[1] == "TOKENS") {
        return false;
    }
    let key = words.iter().enumerate().any(|(i, word)| {
        let after_harmless =
            i.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|before| HARMLESS_KEYS.contains(&before.as_str()));
        (word == "KEY" || word == "KEYS") && !after_harmless && (i > 0 || words.len() == 1) && i + 2 >= words.len()
    });
    key || words.iter().any(|word| SECRET_WORDS.iter().any(|known| is(word, known)))
}

/// `apiKey`, `api-key` and `API_KEY` are the same words.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_lower = false;
    for c in name.chars() {
        let begins = c.is_uppercase() && before_lower;
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_uppercase());
        }
        before_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The pairs with the values of secret names masked, and what looks like a secret within the other values.
pub fn mask_env(pairs: &[(String, String)]) -> Vec<(String, String)> {
    let known: Vec<String> = secret_values(pairs);
    let masked = |name: &str, value: &str| match (is_secret_name(name), value.is_empty()) {
        (true, false) => MASK.to_string(),
        _ => mask_text(value, &known),
    };
    pairs.iter().map(|(name, value)| (name.clone(), masked(name, value))).collect()
}

/// The values that must not appear in any record, for `mask_text`: those of secret names, and the passwords in addresses.
pub fn secret_values(pairs: &[(String, String)]) -> Vec<String> {
    let of = |(name, value): &(String, String)| {
        let whole = is_secret_name(name).then(|| value.clone());
        whole.into_iter().chain(text::passwords_in_addresses(value)).collect::<Vec<_>>()
    };
    pairs.iter().flat_map(of).filter(|value| value.len() >= SHORTEST_KNOWN).collect()
}

/// Whether a file of this name usually holds secrets.
pub fn looks_like_secret_file(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    let example = ["example", "sample", "template", "dist", "pub"].iter().any(|end| name.ends_with(&format!(".{end}")));
    if example {
        return false;
    }
    let names = [
        ".env",
        ".envrc",
        ".netrc",
        "_netrc",
        ".npmrc",
        ".pypirc",
        ".pgpass",
        ".my.cnf",
        ".htpasswd",
        ".git-credentials",
        ".dockercfg",
        ".boto",
        "credentials",
        "credentials.json",
        "credentials.toml",
        "credentials.yaml",
        "credentials.yml",
        "client_secret.json",
        "client_secrets.json",
        "kaggle.json",
        "service_account.json",
        "service-account.json",
        "application_default_credentials.json",
        "secrets.json",
        "secrets.yaml",
        "secrets.yml",
        "secrets.toml",
        ".secrets",
        "secring.gpg",
        ".vault-token",
        "terraform.tfstate",
        "huggingface_token",
    ];
    let endings = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk", ".asc-private", ".env"];
    names.contains(&name)
        || name.starts_with(".env.")
        || ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"].iter().any(|key| name.starts_with(key))
        || endings.iter().any(|ending| name.ends_with(ending))
        || (folder == ".docker" && name == "config.json")
        || (folder == ".kube" && name == "config")
        || (folder == ".aws" && name == "config")
        || (folder == ".streamlit" && name == "secrets.toml")
}

/// Whether a file whose name looks like a secret's does hold one. Certificates and settings without a token do not.
pub(crate) fn file_holds_secret(place: &Path) -> bool {
    /// Longer than any certificate bundle.
    const MOST: u64 = 1 << 20;
    let name = place.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let pem = name.ends_with(".pem");
    if !(pem || name == ".npmrc") || std::fs::metadata(place).map_or(true, |meta| meta.len() > MOST) {
        return true;
    }
    match std::fs::read_to_string(place) {
        Ok(text) if pem => text.contains("PRIVATE KEY") || !text.contains("-----BEGIN "),
        Ok(text) => text.to_ascii_lowercase().contains("auth") || text.to_ascii_lowercase().contains("password"),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_that_only_sound_so() {
        for name in [
            "WANDB_API_KEY",
            "HF_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "MYSQL_PWD",
            "PGPASSWORD",
            "GITHUB_PAT",
            "apiKey",
            "--api-key",
            "OPENAI_APIKEY",
            "token",
            "client-secret",
            "GOOGLE_CREDENTIALS",
            "SLACK_AUTH",
            "SSH_PASSPHRASE",
            "KEY",
            "SIGNING_KEYS",
            "AWS_SESSION_TOKEN",
            "authToken",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PATH",
            "PWD",
            "OLDPWD",
            "TOKENIZERS_PARALLELISM",
            "SSH_AUTH_SOCK",
            "MAX_TOKENS",
            "KEYBOARD",
            "MONKEY",
            "CACHE_KEY",
            "HOME",
            "LR",
            "AUTHOR",
            "key_dim",
            "num_key_value_heads",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn an_environment_is_masked_by_name_and_by_value() {
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> { list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect() };
        let masked = mask_env(&pairs(&[
            ("HF_TOKEN", "canary-1"),
            ("URL", "http://x/?q=canary-1"),
            ("EMPTY_TOKEN", ""),
            ("PIP_INDEX_URL", "https://u:canary-2@host"),
            ("LR", "0.1"),
        ]));
        assert_eq!(
            masked,
            pairs(&[
                ("HF_TOKEN", MASK),
                ("URL", "http://x/?q=***"),
                ("EMPTY_TOKEN", ""),
                ("PIP_INDEX_URL", "https://u:***@host"),
                ("LR", "0.1")
            ])
        );
    }

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for path in [
            ".env",
            "a/.env.local",
            "prod.env",
            "id_rsa",
            "keys/server.pem",
            "x.key",
            "credentials.json",
            ".netrc",
            ".ssh/id_ed25519",
            ".docker/config.json",
        ] {
            assert!(looks_like_secret_file(path), "{path}");
        }
        for path in [".env.example", "id_rsa.pub", "config.json", "environment.yml", "train.py", "keys.py", "tokenizer.json", "monkey"] {
            assert!(!looks_like_secret_file(path), "{path}");
        }
    }
}
