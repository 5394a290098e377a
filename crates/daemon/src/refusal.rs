//! What went wrong, as answers say it: a status, what was wrong, and what to do.

use neronet_home::HomeError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) said: Said,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct Said {
    /// What was wrong.
    pub(crate) error: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, error: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal { status, said: Said { error: error.into(), hint: Some(hint.into()) } }
    }
}

impl From<HomeError> for Refusal {
    fn from(e: HomeError) -> Refusal {
        let status = match &e {
            HomeError::Words(_) => 400,
            HomeError::Absent(_) => 404,
            HomeError::Spec(_) => 422,
            HomeError::Failed(_) => 409,
            HomeError::Home(neronet_store::StoreError::Io { source, .. })
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                507
            }
            HomeError::Snapshots(e) if e.full => 507,
            HomeError::Home(_) | HomeError::Snapshots(_) | HomeError::Daemon(_) | HomeError::Target(_) => 503,
        };
        let text = e.to_string();
        // Messages say what to do behind what was wrong.
        let (error, hint) = match text.split_once('\n').or_else(|| text.split_once("; ")) {
            Some((error, hint)) => (error.to_string(), Some(hint.to_string())),
            None => (text, None),
        };
        Refusal { status, said: Said { error, hint } }
    }
}
