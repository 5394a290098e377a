//! NVIDIA's own library, looked for when it is needed: what is built without it works where it is.
#![expect(unsafe_code, reason = "calls into a C library; each use says why it is sound")]

use crate::gpus::{Holder, Seen, Use};
use neronet_model::queue::{Gpu, GpuVendor};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr::NonNull;

type Device = *mut c_void;
type Call<T> = unsafe extern "C" fn(Device, *mut T) -> c_int;

const SUCCESS: c_int = 0;
const INSUFFICIENT_SIZE: c_int = 7;
/// What is known of no process in particular.
const NOT_AVAILABLE: c_ulonglong = c_ulonglong::MAX;
const TEXT: usize = 96;
/// A program that draws and computes with no more than this draws.
const DRAWS: u64 = 1 << 30;

/// The library, initialised until this is dropped. It stays loaded.
pub(crate) struct Nvml(NonNull<c_void>);

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

/// Here `used` is without what the driver keeps for itself.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Memory2 {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Utilisation {
    gpu: c_uint,
    memory: c_uint,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Process {
    pid: c_uint,
    memory: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

/// As drivers before 2021 know it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct OldProcess {
    pid: c_uint,
    memory: c_ulonglong,
}

impl From<OldProcess> for Process {
    fn from(OldProcess { pid, memory }: OldProcess) -> Process {
        Process { pid, memory, ..Process::default() }
    }
}

impl Nvml {
    /// Nothing where it is not, or where no driver is behind it.
    pub(crate) fn open(name: &CStr) -> Option<Nvml> {
        // SAFETY: the name ends with NUL. Its constructors run, as in every program that uses this library.
        let library = NonNull::new(unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) })?;
        type Init = unsafe extern "C" fn() -> c_int;
        // SAFETY: that is its type, and it may be called first.
        let init = unsafe { symbol::<Init>(library, c"nvmlInit_v2").map(|init| init()) };
        (init == Some(SUCCESS)).then_some(Nvml(library))
    }

    /// In the order of the bus. Nothing when the driver is gone; a GPU that is gone is left out.
    pub(crate) fn look(&self) -> Option<Vec<Seen>> {
        let mut count: c_uint = 0;
        type Count = unsafe extern "C" fn(*mut c_uint) -> c_int;
        // SAFETY: that is its type; the number outlives the call.
        let counted = unsafe { symbol::<Count>(self.0, c"nvmlDeviceGetCount_v2").map(|get| get(&raw mut count)) };
        if counted != Some(SUCCESS) {
            return None;
        }
        let by_index = |index| self.numbered(c"nvmlDeviceGetHandleByIndex_v2", None, index).map(|device| (index, device));
        let seen = (0..count).filter_map(by_index).flat_map(|(index, device)| match self.parts(device) {
            Some(parts) => parts.into_iter().filter_map(|part| self.seen(part, index)).collect(),
            None => self.seen(device, index).into_iter().collect::<Vec<_>>(),
        });
        Some(seen.collect())
    }

    /// Those that a GPU is divided into; nothing where it is not.
    fn parts(&self, device: Device) -> Option<Vec<Device>> {
        let (mut now, mut later): (c_uint, c_uint) = (0, 0);
        type Mode = unsafe extern "C" fn(Device, *mut c_uint, *mut c_uint) -> c_int;
        // SAFETY: that is its type; the numbers outlive the call, and the device is one that it gave.
        let told = unsafe { symbol::<Mode>(self.0, c"nvmlDeviceGetMigMode").map(|mode| mode(device, &raw mut now, &raw mut later)) };
        if told != Some(SUCCESS) || now == 0 {
            return None;
        }
        let most = self.ask(c"nvmlDeviceGetMaxMigDeviceCount", device, 0 as c_uint).unwrap_or(0);
        Some((0..most).filter_map(|index| self.numbered(c"nvmlDeviceGetMigDeviceHandleByIndex", Some(device), index)).collect())
    }

    fn seen(&self, device: Device, index: u32) -> Option<Seen> {
        let id = self.text(c"nvmlDeviceGetUUID", device)?;
        let name = self.text(c"nvmlDeviceGetName", device).unwrap_or_else(|| "NVIDIA GPU".to_string());
        let version = (size_of::<Memory2>() as c_uint) | (2 << 24);
        let memory = self.ask(c"nvmlDeviceGetMemoryInfo_v2", device, Memory2 { version, ..Memory2::default() });
        let (total, used) = match memory {
            Some(Memory2 { total, used, .. }) => (total, used),
            None => self.ask(c"nvmlDeviceGetMemoryInfo", device, Memory::default()).map_or((0, 0), |memory| (memory.total, memory.used)),
        };
        let utilisation = self.ask(c"nvmlDeviceGetUtilizationRates", device, Utilisation::default()).map(|rates| rates.gpu);
        let (processes, drawing) = self.holders(device);
        let gpu = Gpu { id, index, name, vendor: GpuVendor::Nvidia, memory: total };
        Some(Seen { gpu, now: Use { memory: used, utilisation, processes, drawing } })
    }

    /// Those that compute, and what the others hold.
    fn holders(&self, device: Device) -> (Vec<Holder>, u64) {
        let memory = |process: &Process| Some(process.memory).filter(|bytes| *bytes != NOT_AVAILABLE);
        let graphics = [c"nvmlDeviceGetGraphicsRunningProcesses_v3", c"nvmlDeviceGetGraphicsRunningProcesses_v2"];
        let graphics = self.processes(graphics, c"nvmlDeviceGetGraphicsRunningProcesses", device);
        let compute = [c"nvmlDeviceGetComputeRunningProcesses_v3", c"nvmlDeviceGetComputeRunningProcesses_v2"];
        let mut compute = self.processes(compute, c"nvmlDeviceGetComputeRunningProcesses", device);
        let drawers: BTreeSet<c_uint> = graphics.iter().map(|process| process.pid).collect();
        compute.retain(|process| !drawers.contains(&process.pid) || memory(process).is_some_and(|bytes| bytes > DRAWS));
        let computers: BTreeSet<c_uint> = compute.iter().map(|process| process.pid).collect();
        let drawing = graphics.iter().filter(|process| !computers.contains(&process.pid)).filter_map(memory).sum();
        let holder = |process: &Process| Holder { pid: process.pid as i32, memory: memory(process), word: String::new() };
        (compute.iter().map(holder).collect(), drawing)
    }

    fn processes(&self, names: [&CStr; 2], old: &CStr, device: Device) -> Vec<Process> {
        let new = names.iter().find_map(|name| self.list::<Process>(name, device));
        new.or_else(|| Some(self.list::<OldProcess>(old, device)?.into_iter().map(Process::from).collect())).unwrap_or_default()
    }

    /// A function that gives a device for a number.
    fn numbered(&self, name: &CStr, of: Option<Device>, index: c_uint) -> Option<Device> {
        let mut device: Device = std::ptr::null_mut();
        type First = unsafe extern "C" fn(c_uint, *mut Device) -> c_int;
        type Within = unsafe extern "C" fn(Device, c_uint, *mut Device) -> c_int;
        // SAFETY: with a device and without one those are the types of the two functions that this is called for; what they
        // write outlives the call, and the device is one that they gave.
        let status = unsafe {
            match of {
                None => symbol::<First>(self.0, name)?(index, &raw mut device),
                Some(of) => symbol::<Within>(self.0, name)?(of, index, &raw mut device),
            }
        };
        (status == SUCCESS).then_some(device)
    }

    /// A function that fills in one value of a device.
    fn ask<T>(&self, name: &CStr, device: Device, mut answer: T) -> Option<T> {
        // SAFETY: each name is given with the type that NVML's public interface has for its answer, which outlives the call; the
        // device is one that it gave.
        let status = unsafe { symbol::<Call<T>>(self.0, name)?(device, &raw mut answer) };
        (status == SUCCESS).then_some(answer)
    }

    fn text(&self, name: &CStr, device: Device) -> Option<String> {
        let mut text = [0u8; TEXT];
        type Get = unsafe extern "C" fn(Device, *mut c_char, c_uint) -> c_int;
        // SAFETY: that is the type of the functions that this is called for, and the length is that of the room.
        let status = unsafe { symbol::<Get>(self.0, name)?(device, text.as_mut_ptr().cast(), TEXT as c_uint) };
        let text = CStr::from_bytes_until_nul(&text).ok().filter(|_| status == SUCCESS)?;
        Some(text.to_string_lossy().into_owned())
    }

    /// A function that fills in a list. Nothing where it is not there.
    fn list<T: Copy + Default>(&self, name: &CStr, device: Device) -> Option<Vec<T>> {
        type Get<T> = unsafe extern "C" fn(Device, *mut c_uint, *mut T) -> c_int;
        // SAFETY: each name is given with the type of its elements.
        let get = unsafe { symbol::<Get<T>>(self.0, name)? };
        let mut room = 32;
        for _ in 0..8 {
            let mut list = vec![T::default(); room];
            let mut count = room as c_uint;
            // SAFETY: the count is that of the room; the device is one that it gave.
            match unsafe { get(device, &raw mut count, list.as_mut_ptr()) } {
                SUCCESS => {
                    list.truncate(count as usize);
                    return Some(list);
                }
                // There may be more of them by then.
                INSUFFICIENT_SIZE => room = room.max(count as usize) * 2,
                _ => return None,
            }
        }
        None
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        type Shutdown = unsafe extern "C" fn() -> c_int;
        // SAFETY: that is its type; it was initialised, and nothing is asked any more.
        unsafe { symbol::<Shutdown>(self.0, c"nvmlShutdown").map(|shutdown| shutdown()) };
    }
}

/// # Safety
/// `F` must be the type of the function of that name.
unsafe fn symbol<F: Copy>(library: NonNull<c_void>, name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: the library is loaded for good, and the name ends with NUL.
    let found = NonNull::new(unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) })?;
    // SAFETY: a function pointer is as large as any, and the caller says that this is its type.
    Some(unsafe { std::mem::transmute_copy(&found) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;

    fn short(seen: &[Seen]) -> Vec<String> {
        let one = |Seen { gpu, now }: &Seen| {
            let holders: Vec<_> =
                now.processes.iter().map(|holder| format!("{}:{:?}", holder.pid, holder.memory.map(|m| m >> 20))).collect();
            let Use { memory, utilisation, drawing, .. } = now;
            let (id, total) = (gpu.id.rsplit('-').next().unwrap_or_default().trim_start_matches('0'), gpu.memory >> 20);
            format!("{} {id} {} {total} {} {utilisation:?} {holders:?} {}", gpu.index, gpu.name, memory >> 20, drawing >> 20)
        };
        seen.iter().map(one).collect()
    }

    #[test]
    fn gpus_parts_of_them_and_their_processes_are_seen_and_lost_ones_are_not() {
        let stand_in = StandIn::with_nvml("");
        let many: String = (100..140).map(|pid| format!("proc {pid} 1\n")).collect();
        let gpus = "gpu NVIDIA_A 81920 5000 40 10 60 200000\nproc 12 4000\nproc 13 -1\ndraw 14 900\nproc 15 200\ndraw 15 200\n\
                    proc 16 2000\ndraw 16 2000\ngpu B 100 1 0 0 30 1 lost\ngpu C 100 1 0 0 30 1\npart C_MIG_1g 50 7\nproc 20 5\n\
                    part C_MIG_2g 60 8\ngpu D 64 40 1 1 1 1\n";
        stand_in.gpus(&format!("{gpus}{many}"));
        let nvml = Nvml::open(&stand_in.library()).expect("opened");
        let mut seen = short(&nvml.look().expect("gpus"));
        let last = seen.pop().expect("there");
        assert!(last.starts_with("3 3 D 64 40 Some(1) [") && last.contains("139:Some(1)"), "more than there was room for at first: {last}");
        assert_eq!(
            seen,
            [
                r#"0  NVIDIA A 81920 5000 Some(40) ["12:Some(4000)", "13:None", "16:Some(2000)"] 1100"#,
                r#"2 200 C MIG 1g 50 7 None ["20:Some(5)"] 0"#,
                r#"2 201 C MIG 2g 60 8 None [] 0"#,
            ]
        );
        stand_in.gpus("gpu A 10 1 0 0 1 1\n");
        assert_eq!(short(&nvml.look().expect("gpus")), ["0  A 10 1 Some(0) [] 0"]);
        stand_in.unload();
        assert_eq!(nvml.look(), None);
    }

    #[test]
    fn a_library_without_a_driver_or_none_at_all_is_no_error() {
        assert!(Nvml::open(c"/nowhere/libnvidia-ml.so.1").is_none());
        let stand_in = StandIn::with_nvml("");
        stand_in.unload();
        assert!(Nvml::open(&stand_in.library()).is_none());
    }
}
