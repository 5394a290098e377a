//! Each reader on bytes alone, for whoever tests it with bytes that nobody wrote. What they say is of no interest, only that they
//! come back.

use crate::sink::Nobody;
use crate::tensorboard::EventReader;
use crate::{json, wandb, yaml};
use std::path::Path;

/// An event file of TensorBoard.
pub fn events(bytes: &[u8]) {
    let mut reader = EventReader::new(Path::new("bytes"), 0);
    if let Ok(done) = reader.feed(bytes, &mut Nobody) {
        reader.finish((bytes.len() - done) as u64);
    }
}

/// A `.wandb` file.
pub fn wandb(bytes: &[u8]) {
    wandb::read_bytes(bytes, &mut Nobody);
}

/// A JSON file of Sacred or W&B, whole and passed over.
pub fn json(bytes: &[u8]) {
    json::whole(bytes).ok();
    json::Json::new(bytes, 0).skip().ok();
}

/// A `meta.yaml` of MLflow.
pub fn meta(bytes: &[u8]) {
    yaml::flat(&String::from_utf8_lossy(bytes)).ok();
}
