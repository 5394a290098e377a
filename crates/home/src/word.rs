//! Anything as one word of letters and digits, which every login shell passes on as it is: its JSON in hexadecimal digits.

use neronet_capture::hex;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn of(what: &impl Serialize) -> String {
    hex(&serde_json::to_vec(what).unwrap_or_default())
}

pub(crate) fn read<T: DeserializeOwned>(word: &str) -> Option<T> {
    let digits = word.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    serde_json::from_slice(&digits.collect::<Option<Vec<u8>>>()?).ok()
}
