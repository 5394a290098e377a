//! The accelerators of this machine, from what their drivers write under /proc and /sys.

use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Devices {
    pub gpus: Vec<Gpu>,
    /// Driver name and version, e.g. `nvidia 550.54.14`.
    pub drivers: Vec<String>,
    /// `CUDA_VISIBLE_DEVICES` as given; an empty value hides every GPU.
    pub cuda_visible_devices: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Gpu {
    pub vendor: String,
    pub name: String,
    pub uuid: Option<String>,
    /// PCI address.
    pub bus: Option<String>,
    pub memory_bytes: Option<u64>,
}

/// Without a driver there are no GPUs and no error.
pub fn describe() -> Devices {
    let visible = std::env::var_os("CUDA_VISIBLE_DEVICES").map(|value| value.to_string_lossy().into_owned());
    describe_under(Path::new("/"), visible)
}

fn describe_under(root: &Path, cuda_visible_devices: Option<String>) -> Devices {
    let (mut gpus, mut drivers) = (Vec::new(), Vec::new());
    nvidia(&root.join("proc/driver/nvidia"), &mut gpus, &mut drivers);
    amd(root, &mut gpus, &mut drivers);
    Devices { gpus, drivers, cuda_visible_devices }
}

fn nvidia(folder: &Path, gpus: &mut Vec<Gpu>, drivers: &mut Vec<String>) {
    if let Some(text) = text(&folder.join("version")) {
        let is_version = |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let version = text.lines().next().unwrap_or_default().split_whitespace().find(is_version);
        drivers.push(format!("nvidia {}", version.unwrap_or("of unknown version")));
    }
    for name in sorted_names(&folder.join("gpus")) {
        let Some(information) = text(&folder.join("gpus").join(&name).join("information")) else {
            continue;
        };
        let field = |wanted: &str| {
            let value = information.lines().find_map(|line| line.strip_prefix(wanted)?.trim_start().strip_prefix(':'))?;
            Some(value.trim().to_string()).filter(|value| !value.is_empty())
        };
        gpus.push(Gpu {
            vendor: "nvidia".to_string(),
            name: field("Model").unwrap_or_else(|| "unknown".to_string()),
            // Until the device is first used the driver shows question marks.
            uuid: field("GPU UUID").filter(|uuid| !uuid.contains('?')),
            bus: field("Bus Location").or(Some(name)),
            memory_bytes: None,
        });
    }
}

/// A card counts only where the compute driver is there too.
fn amd(root: &Path, gpus: &mut Vec<Gpu>, drivers: &mut Vec<String>) {
    if !root.join("sys/class/kfd/kfd").is_dir() {
        return;
    }
    let drm = root.join("sys/class/drm");
    for card in sorted_names(&drm) {
        // `card0-HDMI-A-1` is a socket of the card.
        let device = drm.join(&card).join("device");
        if !card.starts_with("card") || card.contains('-') || text(&device.join("vendor")).as_deref() != Some("0x1002") {
            continue;
        }
        let uevent = text(&device.join("uevent")).unwrap_or_default();
        let number = text(&device.join("device")).unwrap_or_default();
        gpus.push(Gpu {
            vendor: "amd".to_string(),
            name: text(&device.join("product_name")).unwrap_or_else(|| format!("AMD GPU {number}")),
            uuid: text(&device.join("unique_id")),
            bus: uevent.lines().find_map(|line| line.strip_prefix("PCI_SLOT_NAME=")).map(str::to_string),
            memory_bytes: text(&device.join("mem_info_vram_total")).and_then(|bytes| bytes.parse().ok()),
        });
    }
    if gpus.iter().any(|gpu| gpu.vendor == "amd") {
        let version = text(&root.join("sys/module/amdgpu/version")).unwrap_or_else(|| "of the kernel".to_string());
        drivers.push(format!("amdgpu {version}"));
    }
}

fn text(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_string()).filter(|text| !text.is_empty())
}

fn sorted_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, content: &str) {
        let place = root.join(path);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
        std::fs::write(place, content).expect("a file");
    }

    #[test]
    fn gpus_are_read_from_what_the_drivers_write() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        put(
            root,
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build\nGCC version: 12.2.0\n",
        );
        put(
            root,
            "proc/driver/nvidia/gpus/0000:01:00.0/information",
            "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 100\nGPU UUID: \t GPU-5a\nBus Location: \t 0000:01:00.0\n",
        );
        put(root, "sys/class/kfd/kfd/dev", "1:1");
        put(root, "sys/class/drm/card1/device/vendor", "0x1002\n");
        put(root, "sys/class/drm/card1/device/device", "0x74a1\n");
        put(root, "sys/class/drm/card1/device/mem_info_vram_total", "206141652992\n");
        put(root, "sys/class/drm/card1/device/uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=0000:05:00.0\n");
        put(root, "sys/class/drm/card0/device/vendor", "0x8086\n");
        put(root, "sys/module/amdgpu/version", "6.8.5\n");
        let devices = describe_under(root, Some("0".into()));
        assert_eq!(devices.drivers, ["nvidia 560.35.03", "amdgpu 6.8.5"]);
        let short: Vec<_> =
            devices.gpus.iter().map(|gpu| (gpu.name.as_str(), gpu.uuid.as_deref(), gpu.bus.as_deref(), gpu.memory_bytes)).collect();
        assert_eq!(
            short,
            [
                ("NVIDIA A100-SXM4-40GB", Some("GPU-5a"), Some("0000:01:00.0"), None),
                ("AMD GPU 0x74a1", None, Some("0000:05:00.0"), Some(206_141_652_992)),
            ]
        );
    }

    #[test]
    fn without_drivers_there_are_no_gpus_and_no_error() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(describe_under(root.path(), None), Devices::default());
    }
}
