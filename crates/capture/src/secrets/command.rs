//! Secrets in the words of a command: what follows the name of one, and what looks like one.

use super::{MASK, is_secret_assigned, is_secret_setting, mask_text};

/// Where in each word of a command a value begins that is a secret because of the name before it: `--password`, `token=`.
pub fn secret_parts(words: &[String]) -> Vec<Option<usize>> {
    let mut names_secret = false;
    let part = |word: &String| {
        if std::mem::take(&mut names_secret) && !word.starts_with('-') && may_be_secret(word) {
            return Some(0);
        }
        if let Some((name, value)) = word.split_once('=')
            && !name.contains(char::is_whitespace)
            && is_secret_assigned(name)
        {
            return may_be_secret(value).then_some(name.len() + 1);
        }
        names_secret = word.starts_with('-') && is_secret_setting(word);
        None
    };
    words.iter().map(part).collect()
}

/// The values that are masked where a command is shown, so that they can be kept out of what it prints too: all but those that
/// may be the name of a metric, as in `--metric-key val_accuracy`, whose points would be lost.
pub fn values_in_command(words: &[String]) -> Vec<String> {
    let of = |(word, part): (&String, Option<usize>)| part.map_or_else(|| masked_in(word), |at| vec![word[at..].to_string()]);
    words.iter().zip(secret_parts(words)).flat_map(of).filter(|value| !may_be_a_name(value)).collect()
}

/// Plain words, each with a number of one or two digits at most: `val_top5/accuracy`.
fn may_be_a_name(value: &str) -> bool {
    value.split(['_', '/', '.']).all(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()) && part.len() - word.len() <= 2
    })
}

/// What `mask_text` takes out of a text: what stands between the pieces that it leaves.
fn masked_in(text: &str) -> Vec<String> {
    let masked = mask_text(text, &[]);
    let mut pieces = masked.split(MASK);
    let mut rest = pieces.next().and_then(|first| text.strip_prefix(first)).unwrap_or_default();
    let mut pieces = pieces.peekable();
    let mut values = Vec::new();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let Some(at) = (if last { rest.len().checked_sub(piece.len()) } else { rest.find(piece) }) else { break };
        values.extend(rest.get(..at).filter(|value| !value.is_empty() && *value != MASK).map(str::to_string));
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    values
}

/// Neither a placeholder nor a word that says that there is none.
fn may_be_secret(value: &str) -> bool {
    let is_placeholder = value.starts_with('{') && value.ends_with('}');
    !is_placeholder && !["", "none", "null", "true", "false"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secrets_of_a_command_are_known_by_what_stands_before_them_and_by_their_looks() {
        let token = format!("hf_{}", "CANARY1x".repeat(4));
        for (words, expected) in [
            (&["python", "t.py", "--api_key", "sk-ant-1", "--lr", "0.1"][..], &["sk-ant-1"][..]),
            (&["t", "--password=two words", "--use-auth-token", "--lr", "1", "--token", "none"], &["two words"]),
            (&["bash", "-c", "train --api-key A-b --lr 1; train --password 'd e' https://u:F1@h/x"], &["A-b", "d e", "F1"]),
            (&["t", "--token", "val_top5/accuracy", "--api-key=s3cr3t"], &["s3cr3t"]),
            (&["t", &token], &[&token]),
            (&["python", "t.py", "--lr", "0.1", "***"], &[]),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(values_in_command(&words), expected, "{words:?}");
        }
    }
}
