//! What other trackers left.

use crate::{records, sections};
use neronet_foreign::bytes;
use neronet_home::import::{self, Words};
use neronet_home::view::Snapshot;
use std::path::Path;

/// An event file, with the checksums of its frames as they are and made right.
pub(crate) fn tensorboard(bytes: &[u8], _: &Path) {
    bytes::events(bytes);
    bytes::events(&mended(bytes));
}

fn mended(bytes: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let (mut file, mut rest) = (Vec::new(), bytes);
    while let Some((length, behind)) = rest.split_first_chunk::<8>() {
        let most = behind.len().saturating_sub(4);
        let payload = &behind[behind.len() - most..][..most.min(usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX))];
        file.extend([&length[..], &masked(length), payload, &masked(payload)].concat());
        rest = behind.get(4 + payload.len() + 4..).unwrap_or_default();
    }
    file
}

pub(crate) fn wandb(bytes: &[u8], _: &Path) {
    bytes::wandb(bytes);
    bytes::json(bytes);
    bytes::meta(bytes);
}

/// Files as a folder of MLflow or Sacred, imported.
pub(crate) fn folders(bytes: &[u8], folder: &Path) {
    let given = folder.join("given");
    std::fs::create_dir(&given).unwrap();
    sections::unfold(bytes, &given);
    let context = records::context(folder);
    import::import(&context, &[given], &Words::default(), &mut |_| {}).ok();
    for view in Snapshot::read(&context).unwrap().views(&context) {
        view.status();
        neronet_store::series::of_run(&context.home.run(view.id), None, None).unwrap();
    }
}
