//! Takes the sections of files that look like secrets out of git's diff.

use crate::secrets::looks_like_secret_file;

/// Git's diff without the content of files that look like secrets by their names or otherwise; a line says that they changed.
pub(super) fn without_secrets(diff: &[u8], is_left_out: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(diff.len());
    let mut dropping = false;
    // Lines of a hunk begin with a blank, a sign or a backslash, so none of them can be taken for a header.
    for line in diff.split_inclusive(|b| *b == b'\n') {
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            let path = path_of(names.trim_ascii_end());
            let secret = path.as_deref().is_none_or(|path| looks_like_secret_file(path) || is_left_out(path));
            dropping = secret;
            if secret {
                let path = path.as_deref().unwrap_or("a file").escape_debug().to_string();
                kept.extend_from_slice(format!("# {path} has changed; it is left out because it looks like a secret\n").as_bytes());
            }
        }
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    kept
}

/// The path in `a/PATH b/PATH`. Renames are never asked for, so both sides are the same.
fn path_of(names: &[u8]) -> Option<String> {
    let names = String::from_utf8_lossy(names);
    if names.starts_with('"') {
        return unquoted(names.strip_prefix("\"a/")?);
    }
    let half = names.len().checked_sub(1)? / 2;
    let (first, second) = (names.get(..half)?, names.get(half + 1..)?);
    let path = first.strip_prefix("a/")?;
    (second.strip_prefix("b/") == Some(path)).then(|| path.to_string())
}

/// Reads git's C-like quoting up to the closing quote. What follows a backslash only matters for telling secrets by their name.
fn unquoted(text: &str) -> Option<String> {
    let mut path = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(path),
            '\\' => match chars.next()? {
                'n' => path.push('\n'),
                't' => path.push('\t'),
                other => path.push(other),
            },
            plain => path.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sections_of_secret_files_are_replaced_by_a_word() {
        let diff = "diff --git a/x y.py b/x y.py\n--- a/x y.py\n+one\ndiff --git a/.env b/.env\n+TOKEN=canary\n\
            diff --git \"a/q\\n/id_rsa\" \"b/q\\n/id_rsa\"\n+canary\ndiff --git a/z b/z\n+two\n";
        let kept = String::from_utf8(without_secrets(diff.as_bytes(), |_| false)).expect("text");
        assert!(!kept.contains("canary"), "{kept}");
        assert!(kept.contains("+one") && kept.contains("+two") && kept.contains("# .env has changed"), "{kept}");
        let named = without_secrets(b"diff --git a/z b/z\n+canary\n", |path| path == "z");
        assert!(!String::from_utf8_lossy(&named).contains("canary"));
    }
}
