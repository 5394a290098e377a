//! Tokens for whoever comes by TCP: shown once, kept as hashes, taken back by name.

use crate::keyed::hex;
use neronet_home::{Context, HomeError};
use neronet_model::{FORMAT, UnixMs};
use neronet_store::files::{self, Durability};
use neronet_store::{Home, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Admin,
    /// To look, and to change nothing.
    Viewer,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub name: String,
    pub role: Role,
    pub created: UnixMs,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tokens {
    format: u32,
    tokens: Vec<Token>,
}

fn path(home: &Home) -> PathBuf {
    home.root().join("tokens.json")
}

pub fn all(home: &Home) -> Result<Vec<Token>, StoreError> {
    let tokens: Option<Tokens> = files::read_json(&path(home))?;
    Ok(tokens.map(|tokens| tokens.tokens).unwrap_or_default())
}

/// Makes a token: this is the only time that it is known.
pub fn make(context: &Context, name: &str, role: Role) -> Result<String, HomeError> {
    if name.is_empty() || name.len() > 100 || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(HomeError::Words(format!("'{}' is no name for a token: it is one word", name.escape_debug())));
    }
    // Whoever holds home's lock is the only one who changes what is in it.
    let _home = context.lock()?;
    let mut tokens = all(&context.home)?;
    if tokens.iter().any(|token| token.name == name) {
        return Err(HomeError::Words(format!("there is a token called '{name}'; `neronet token --revoke {name}` takes it back")));
    }
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|e| HomeError::Failed(format!("the system gives no random numbers: {e}")))?;
    let token = format!("neronet_{}", hex(&random));
    tokens.push(Token { name: name.to_string(), role, created: context.now(), sha256: hash(token.as_bytes()) });
    write(context, tokens)?;
    Ok(token)
}

/// False when there is none of this name.
pub fn revoke(context: &Context, name: &str) -> Result<bool, HomeError> {
    let _home = context.lock()?;
    let mut tokens = all(&context.home)?;
    let before = tokens.len();
    tokens.retain(|token| token.name != name);
    let found = tokens.len() < before;
    if found {
        write(context, tokens)?;
    }
    Ok(found)
}

fn write(context: &Context, tokens: Vec<Token>) -> Result<(), StoreError> {
    files::replace_json(&path(&context.home), &Tokens { format: FORMAT, tokens }, Durability::Synced)
}

/// What a token opens, if it is one. Hashes are compared, so how long that takes says nothing of the token.
pub(crate) fn role(home: &Home, given: &[u8]) -> Option<Role> {
    let given = hash(given);
    all(home).ok()?.into_iter().find(|token| token.sha256 == given).map(|token| token.role)
}

fn hash(token: &[u8]) -> String {
    hex(&Sha256::digest(token))
}
