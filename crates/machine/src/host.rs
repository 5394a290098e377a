//! Processors, memory and power of this machine, as far as they are for us.

use std::fs;
use std::path::Path;

/// Numbers of the processors that we may use. Where a control group gives less time than they have, fewer.
pub(crate) fn cores() -> Vec<u32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let may = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    // Knows of control groups too.
    let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut cores = may.map(|list| numbers(list.trim())).filter(|cores| !cores.is_empty()).unwrap_or_else(|| (0..most as u32).collect());
    // The first ones are what everybody else uses first.
    cores.drain(..cores.len().saturating_sub(most));
    cores
}

/// `0-3,8`.
fn numbers(list: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Whether it runs on its battery; nothing where it has none.
pub(crate) fn on_battery_under(root: &Path) -> Option<bool> {
    let folder = root.join("sys/class/power_supply");
    let supplies: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let says = |supply: &Path, file: &str, word: &str| fs::read_to_string(supply.join(file)).is_ok_and(|text| text.trim() == word);
    // A mouse has a battery too.
    let mut batteries = supplies.iter().filter(|supply| says(supply, "type", "Battery") && !says(supply, "scope", "Device")).peekable();
    batteries.peek()?;
    let plugged = supplies.iter().any(|supply| !says(supply, "type", "Battery") && says(supply, "online", "1"));
    Some(!plugged && batteries.any(|battery| says(battery, "status", "Discharging")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;

    #[test]
    fn processors_are_those_that_we_may_use() {
        assert_eq!(numbers("0-3,8,10-10"), [0, 1, 2, 3, 8, 10]);
        assert!(numbers("").is_empty());
        let cores = cores();
        assert_eq!(cores.len(), std::thread::available_parallelism().expect("known").get());
        assert!(cores.is_sorted());
    }

    #[test]
    fn a_laptop_is_on_its_battery_when_nothing_else_feeds_it() {
        let stand_in = StandIn::new();
        let on_battery = || on_battery_under(&stand_in.path(""));
        let put = |path: &str, content: &str| stand_in.put(&format!("sys/class/power_supply/{path}"), content);
        assert_eq!(on_battery(), None);
        put("hidpp_0/type", "Battery\n");
        put("hidpp_0/scope", "Device\n");
        put("hidpp_0/status", "Discharging\n");
        put("AC/type", "Mains\n");
        put("AC/online", "0\n");
        assert_eq!(on_battery(), None, "a mouse");
        put("BAT0/type", "Battery\n");
        put("BAT0/status", "Discharging\n");
        assert_eq!(on_battery(), Some(true));
        put("AC/online", "1\n");
        assert_eq!(on_battery(), Some(false));
        put("AC/online", "0\n");
        put("BAT0/status", "Full\n");
        assert_eq!(on_battery(), Some(false), "some supplies do not say that they are there");
    }
}
