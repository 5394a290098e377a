//! What is said of that which travels. A name and a path are checked as they are read, so that nothing that the other end says is one
//! which leads elsewhere.

use neronet_model::UnixMs;
use serde::{Deserialize, Serialize};
use std::fmt;

const LONGEST_PATH: usize = 4096;
const LONGEST_NAME: usize = 255;
const DEEPEST: usize = 128;

/// A SHA-256, in 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(String);

/// A path within a folder: plain names joined by single slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Inner(String);

/// Bytes that travel as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    pub sha256: Hash,
    pub bytes: u64,
}

/// A file, as it was when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub path: Inner,
    pub bytes: u64,
    pub modified: UnixMs,
    /// Who may do what, nine bits.
    #[serde(default)]
    pub mode: u32,
    /// To find it out takes as long as to read the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Hash>,
}

impl Entry {
    /// Whether nobody seems to have changed it between two looks.
    pub fn is_as(&self, other: &Entry) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Hash, String> {
        let is_one = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_one { Ok(Hash(text)) } else { Err(format!("'{}' is no SHA-256", text.escape_debug())) }
    }
}

impl TryFrom<String> for Inner {
    type Error = String;

    fn try_from(text: String) -> Result<Inner, String> {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= LONGEST_NAME;
        let is_one = text.len() <= LONGEST_PATH && !text.contains('\0') && text.split('/').all(plain) && text.split('/').count() <= DEEPEST;
        if is_one { Ok(Inner(text)) } else { Err(format!("'{}' is no path within a folder", text.escape_debug())) }
    }
}

impl Hash {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Inner {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders on the way, and the name.
    pub fn split(&self) -> (impl Iterator<Item = &str>, &str) {
        let (folders, name) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (folders.split('/').filter(|folder| !folder.is_empty()), name)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.0
    }
}

impl From<Inner> for String {
    fn from(path: Inner) -> String {
        path.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For people: whatever it is called, it is one line, and does nothing to a terminal.
impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_debug().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_neither_a_name_nor_a_path() {
        let path = |text: &str| serde_json::from_value::<Inner>(serde_json::json!(text));
        let deep = |n: usize| vec!["a"; n].join("/");
        for good in ["a", "a/b.pt", "...", "a b/\u{e4}", "-rf", "a\nb", &deep(DEEPEST)] {
            assert_eq!(path(good).expect("a path").as_str(), good);
        }
        for bad in ["", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a\0b", &"a".repeat(256), &deep(DEEPEST + 1)] {
            assert!(path(bad).is_err(), "{bad}");
        }
        let split = |text: &str| {
            let path = path(text).expect("a path");
            let (folders, name) = path.split();
            (folders.map(str::to_string).collect::<Vec<_>>().join(">"), name.to_string())
        };
        assert_eq!((split("a"), split("a/b/c")), ((String::new(), "a".into()), ("a>b".into(), "c".into())));
        assert_eq!(path("a\u{1b}[2J").expect("a path").to_string(), "a\\u{1b}[2J");
        let hash = |text: &str| serde_json::from_value::<Hash>(serde_json::json!(text));
        assert!(hash(&"0123456789abcdef".repeat(4)).is_ok());
        for bad in ["", "..", &"A".repeat(64), &"a".repeat(63), &"a".repeat(65), &format!("../{}", "a".repeat(61))] {
            assert!(hash(bad).is_err(), "{bad}");
        }
    }
}
