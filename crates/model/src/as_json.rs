//! For `#[serde(with)]`: a value as a JSON text within a binary format, from which a type that leaves out what is not there could not
//! be read back otherwise.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// # Errors
/// Where the value has no form in JSON.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&serde_json::to_string(value).map_err(S::Error::custom)?)
}

/// # Errors
/// Where the text is no such value.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    serde_json::from_str(&Cow::<str>::deserialize(input)?).map_err(D::Error::custom)
}
