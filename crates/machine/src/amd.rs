//! AMD's GPUs, from what its driver writes below /sys: those that can compute, in the order in which its libraries number them.

use crate::gpus::{Holder, Seen, Use};
use neronet_model::queue::{Gpu, GpuVendor};
use std::fs;
use std::path::Path;

/// Nothing where its driver for computing is not there.
pub(crate) fn look_under(root: &Path) -> Option<Vec<Seen>> {
    let kfd = root.join("sys/class/kfd/kfd");
    let mut nodes: Vec<u32> = numbers_in(&kfd.join("topology/nodes"));
    nodes.sort_unstable();
    let mut processes: Vec<u32> = numbers_in(&kfd.join("proc"));
    processes.sort_unstable();
    // Processors are nodes too, with the number 0; those that are not for us cannot be read.
    let gpus = nodes.iter().filter_map(|node| {
        let node = kfd.join("topology/nodes").join(node.to_string());
        number(&node.join("gpu_id")).filter(|gpu| *gpu != 0).map(|gpu| (node, gpu))
    });
    let seen = gpus.zip(0..).map(|((node, gpu), index)| {
        let properties = fs::read_to_string(node.join("properties")).unwrap_or_default();
        let property =
            |name: &str| properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok());
        let card = property("drm_render_minor").map(|minor| root.join(format!("sys/class/drm/renderD{minor}/device"))).unwrap_or_default();
        let holder = |pid: &u32| {
            let memory = number(&kfd.join("proc").join(pid.to_string()).join(format!("vram_{gpu}"))).filter(|bytes| *bytes > 0)?;
            Some(Holder { pid: *pid as i32, memory: Some(memory), word: String::new() })
        };
        let named = text(&card.join("product_name")).or_else(|| Some(format!("AMD GPU {}", text(&card.join("device"))?)));
        let gpu = Gpu {
            id: property("unique_id").filter(|id| *id != 0).map_or_else(|| index.to_string(), |id| format!("GPU-{id:016x}")),
            index,
            name: named.unwrap_or_else(|| "AMD GPU".to_string()),
            vendor: GpuVendor::Amd,
            memory: number(&card.join("mem_info_vram_total")).unwrap_or(0),
        };
        let processes: Vec<Holder> = processes.iter().filter_map(holder).collect();
        let memory = number(&card.join("mem_info_vram_used")).unwrap_or(0);
        // Screens are told of by nobody; what computes cannot hide from its driver.
        let drawing = memory.saturating_sub(processes.iter().filter_map(|holder| holder.memory).sum());
        let utilisation = number(&card.join("gpu_busy_percent")).and_then(|percent| u32::try_from(percent).ok());
        Seen { gpu, now: Use { memory, utilisation, processes, drawing } }
    });
    kfd.is_dir().then(|| seen.collect())
}

fn text(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_string()).filter(|text| !text.is_empty())
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

fn numbers_in(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;

    #[test]
    fn gpus_are_read_from_what_the_driver_writes() {
        let stand_in = StandIn::new();
        assert_eq!(look_under(&stand_in.path("")), None);
        let nodes = "sys/class/kfd/kfd/topology/nodes";
        for (path, content) in [
            (format!("{nodes}/0/gpu_id"), "0\n"),
            (format!("{nodes}/2/gpu_id"), "777\n"),
            (format!("{nodes}/2/properties"), "simd_count 416\nunique_id 11651590505119483\ndrm_render_minor 129\n"),
            (format!("{nodes}/10/gpu_id"), "778\n"),
            (format!("{nodes}/10/properties"), "unique_id 0\ndrm_render_minor 130\n"),
            ("sys/class/drm/renderD129/device/product_name".into(), "AMD Instinct MI210\n"),
            ("sys/class/drm/renderD129/device/mem_info_vram_total".into(), "68702699520\n"),
            ("sys/class/drm/renderD129/device/mem_info_vram_used".into(), "1000000000\n"),
            ("sys/class/drm/renderD129/device/gpu_busy_percent".into(), "37\n"),
            ("sys/class/drm/renderD130/device/device".into(), "0x744c\n"),
            ("sys/class/kfd/kfd/proc/4242/vram_777".into(), "900000000\n"),
            ("sys/class/kfd/kfd/proc/4242/vram_778".into(), "0\n"),
        ] {
            stand_in.put(&path, content);
        }
        let seen = look_under(&stand_in.path("")).expect("a driver");
        let holder = Holder { pid: 4242, memory: Some(900_000_000), word: String::new() };
        let gpu = |id: &str, index, name: &str, memory| Gpu { id: id.into(), index, name: name.into(), vendor: GpuVendor::Amd, memory };
        let now = Use { memory: 1_000_000_000, utilisation: Some(37), processes: vec![holder], drawing: 100_000_000 };
        assert_eq!(seen[0], Seen { gpu: gpu("GPU-0029650f51203efb", 0, "AMD Instinct MI210", 68_702_699_520), now });
        assert_eq!(seen[1], Seen { gpu: gpu("1", 1, "AMD GPU 0x744c", 0), now: Use::default() });
        assert_eq!(seen.len(), 2);
    }
}
