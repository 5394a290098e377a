//! Which GPUs our own environment leaves us: what `CUDA_VISIBLE_DEVICES` and its like hide from us is not ours to give away.

use crate::gpus::Seen;
use neronet_model::queue::GpuVendor;

/// The variables, as given. An empty one hides all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Visible {
    pub(crate) cuda: Option<String>,
    pub(crate) rocr: Option<String>,
    pub(crate) hip: Option<String>,
}

impl Visible {
    pub(crate) fn of_environment() -> Visible {
        let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Visible { cuda: variable("CUDA_VISIBLE_DEVICES"), rocr: variable("ROCR_VISIBLE_DEVICES"), hip: variable("HIP_VISIBLE_DEVICES") }
    }

    /// Numbers count GPUs in the order of the bus.
    pub(crate) fn of(&self, seen: &[Seen]) -> Vec<Seen> {
        let (nvidia, amd): (Vec<Seen>, Vec<Seen>) = seen.iter().cloned().partition(|seen| seen.gpu.vendor == GpuVendor::Nvidia);
        let by_index = |seen: &Seen, _: usize| seen.gpu.index as usize;
        let mut left = kept(self.cuda.as_deref(), nvidia, by_index);
        // HIP counts what is left of them, and understands what is meant for CUDA too.
        let amd = kept(self.rocr.as_deref(), amd, by_index);
        left.extend(kept(self.hip.as_deref().or(self.cuda.as_deref()), amd, |_, at| at));
        left
    }
}

/// Those that a list names by number or by the beginning of their UUID; one that vanished may be named too. What stands behind
/// anything else, such as -1, is hidden.
fn kept(list: Option<&str>, seen: Vec<Seen>, number: impl Fn(&Seen, usize) -> usize) -> Vec<Seen> {
    let Some(list) = list else { return seen };
    let mut named = vec![false; seen.len()];
    for word in list.split(',').map(str::trim) {
        let wanted = word.parse::<usize>().ok();
        if wanted.is_none() && !word.starts_with("GPU-") && !word.starts_with("MIG-") {
            break;
        }
        for (at, (named, seen)) in named.iter_mut().zip(&seen).enumerate() {
            *named |= wanted.map_or_else(|| seen.gpu.id.starts_with(word), |wanted| number(seen, at) == wanted);
        }
    }
    seen.into_iter().zip(named).filter_map(|(seen, named)| named.then_some(seen)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::queue::Gpu;

    #[test]
    fn only_what_the_environment_names_is_left() {
        let gpu = |id: &str, index, vendor| Seen { gpu: Gpu { id: id.into(), index, vendor, ..Gpu::default() }, ..Seen::default() };
        let (nvidia, amd) = (GpuVendor::Nvidia, GpuVendor::Amd);
        let all = [
            gpu("GPU-aa", 0, nvidia),
            gpu("MIG-bb", 1, nvidia),
            gpu("MIG-bc", 1, nvidia),
            gpu("GPU-dd", 2, nvidia),
            gpu("GPU-ee", 0, amd),
            gpu("1", 1, amd),
        ];
        let left = |cuda: Option<&str>, rocr: Option<&str>, hip: Option<&str>| {
            let text = |value: Option<&str>| value.map(str::to_string);
            let seen = Visible { cuda: text(cuda), rocr: text(rocr), hip: text(hip) }.of(&all);
            seen.iter().map(|seen| seen.gpu.id.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(None, None, None), "GPU-aa MIG-bb MIG-bc GPU-dd GPU-ee 1");
        assert_eq!(left(Some(""), None, None), "");
        assert_eq!(left(Some("2, 0"), None, Some("")), "GPU-aa GPU-dd");
        assert_eq!(left(Some("1"), Some(""), None), "MIG-bb MIG-bc");
        assert_eq!(left(Some("GPU-d,MIG-bc"), Some("GPU-ee"), Some("0")), "MIG-bc GPU-dd GPU-ee");
        assert_eq!(left(Some("0,-1,2"), Some("1"), Some("0")), "GPU-aa 1");
        assert_eq!(left(Some("NoDevFiles"), Some("7,0"), Some("5,0")), "GPU-ee");
    }
}
