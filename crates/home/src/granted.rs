//! The variables by which a run sees the GPUs that it was given, and no others.

use neronet_model::queue::{GpuVendor, Grant};

/// Their ids, for scripts.
pub(crate) const IDS: &str = "NERONET_GPUS";

/// Nothing where the run sees what was visible at submission.
pub(crate) fn variables(grant: &Grant) -> Vec<(&'static str, String)> {
    let Some(gpus) = &grant.gpus else { return Vec::new() };
    let of = |vendor| gpus.iter().filter(|gpu| gpu.vendor == vendor).map(|gpu| gpu.id.as_str()).collect::<Vec<_>>();
    let (nvidia, amd) = (of(GpuVendor::Nvidia), of(GpuVendor::Amd));
    let ids: Vec<&str> = gpus.iter().map(|gpu| gpu.id.as_str()).collect();
    let mut all = vec![(IDS, ids.join(","))];
    if amd.is_empty() || !nvidia.is_empty() {
        all.extend([("CUDA_DEVICE_ORDER", "PCI_BUS_ID".to_string()), ("CUDA_VISIBLE_DEVICES", nvidia.join(","))]);
    }
    if nvidia.is_empty() || !amd.is_empty() {
        // HIP counts those that ROCr leaves; -1 is none.
        let counted: Vec<String> = (0..amd.len()).map(|n| n.to_string()).collect();
        let counted = if counted.is_empty() { "-1".to_string() } else { counted.join(",") };
        all.extend([("ROCR_VISIBLE_DEVICES", amd.join(",")), ("HIP_VISIBLE_DEVICES", counted)]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::queue::{GpuShare, WHOLE};

    #[test]
    fn a_run_sees_its_own_gpus_and_no_others() {
        let told = |gpus: Option<&[(&str, GpuVendor)]>| {
            let share = |(id, vendor): &(&str, GpuVendor)| GpuShare { id: id.to_string(), share: WHOLE, vendor: *vendor };
            let gpus = gpus.map(|gpus| gpus.iter().map(share).collect());
            let told = variables(&Grant { gpus, ..Grant::default() });
            told.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let (nvidia, amd) = (GpuVendor::Nvidia, GpuVendor::Amd);
        assert_eq!(told(None), "");
        let order = "CUDA_DEVICE_ORDER=PCI_BUS_ID";
        let hidden = format!("NERONET_GPUS= {order} CUDA_VISIBLE_DEVICES= ROCR_VISIBLE_DEVICES= HIP_VISIBLE_DEVICES=-1");
        assert_eq!(told(Some(&[])), hidden);
        let parts = told(Some(&[("GPU-a", nvidia), ("MIG-b", nvidia)]));
        assert_eq!(parts, format!("NERONET_GPUS=GPU-a,MIG-b {order} CUDA_VISIBLE_DEVICES=GPU-a,MIG-b"));
        let others = told(Some(&[("GPU-c", amd), ("1", amd)]));
        assert_eq!(others, "NERONET_GPUS=GPU-c,1 ROCR_VISIBLE_DEVICES=GPU-c,1 HIP_VISIBLE_DEVICES=0,1");
    }
}
