//! What schedulers and scripts write of time, memory and GPUs, in the words of a specification.

use crate::toml::{self, Block, Page};

/// What a job asks for, whoever is asked.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) cpus: Option<u64>,
    pub(crate) gpus: Option<u64>,
    pub(crate) memory_mb: Option<u64>,
    pub(crate) disk_mb: Option<u64>,
    pub(crate) time: Option<String>,
    /// Lines for the target in `targets.toml`, in TOML.
    pub(crate) target: Vec<(&'static str, String)>,
    /// The scheduler's own options, for the same place.
    pub(crate) options: Vec<String>,
    pub(crate) email: Option<String>,
    pub(crate) mail_on: Vec<&'static str>,
    pub(crate) directory: Option<String>,
    /// Jobs of an array in TOML, how many that are, and how many may run at a time.
    pub(crate) array: Option<(String, u64)>,
    pub(crate) parallel: Option<u64>,
    /// Variables that the scheduler sets, with what they would hold.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Request {
    /// A cluster knows its own users by their names; here a mail needs an address.
    pub(crate) fn mail_to(&mut self, user: &str, page: &mut Page) {
        self.email = Some(user.to_string());
        if !user.contains('@') {
            page.note(format!("no mail is sent, since {user} is no address: write yours below [notify]"));
        }
    }

    pub(crate) fn write(&self, scheduler: &str, block: &mut Block) {
        let mut set = |key: &str, value: Option<String>, comment: &str| {
            if let Some(value) = value {
                block.set("resources", key, value, comment);
            }
        };
        set("cpus", self.cpus.map(|cpus| cpus.to_string()), "");
        set("gpus", self.gpus.map(|gpus| gpus.to_string()), "");
        set("memory", self.memory_mb.map(size), "");
        set("disk", self.disk_mb.map(size), "");
        set("time", self.time.as_deref().map(toml::string), "of a run; slot = \"…\" is what one job may take of it");
        if let Some(parallel) = self.parallel {
            block.set("sweep", "parallel", parallel.to_string(), "at a time");
        }
        if let Some(email) = &self.email {
            match email.contains('@') {
                true => block.set("notify", "email", toml::string(email), ""),
                false => block.propose("notify", "email", toml::string(&format!("{email}@…")), "an address"),
            }
            if email.contains('@') && !self.mail_on.is_empty() {
                block.set("notify", "on", toml::strings(self.mail_on.iter().copied()), "");
            }
        }
        if !self.target.is_empty() || !self.options.is_empty() {
            block.remark("resources", "");
            block.remark("resources", "Of the cluster, for targets.toml:");
            block.remark("resources", "  [targets.CLUSTER]");
            block.remark("resources", &format!("  address = \"ssh://CLUSTER?scheduler={scheduler}\""));
            self.target.iter().for_each(|(key, value)| block.remark("resources", &format!("  {key} = {value}")));
            if !self.options.is_empty() {
                let options = toml::strings(self.options.iter().map(String::as_str)).replace('\n', " ");
                block.remark("resources", &format!("  options = {options}"));
            }
        }
    }
}

fn size(megabytes: u64) -> String {
    match megabytes {
        mb if mb >= 1024 && mb % 1024 == 0 => format!("\"{} GB\"", mb / 1024),
        mb if mb >= 1000 && mb % 1000 == 0 => format!("\"{} GB\"", mb / 1000),
        mb => format!("\"{mb} MB\""),
    }
}

/// `16G`, `16000`, `16GB`, `1.5T` in megabytes; a number alone counts in `unit`.
pub(crate) fn megabytes(text: &str, unit: char) -> Option<u64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let letter = text[end..].chars().next().unwrap_or(unit).to_ascii_uppercase();
    if !["", "B", "IB", "iB"].contains(&text[end..].get(1..).unwrap_or("")) {
        return None;
    }
    let factor = match letter {
        'B' => 1.0 / 1_048_576.0,
        'K' => 1.0 / 1024.0,
        'M' => 1.0,
        'G' => 1024.0,
        'T' => 1_048_576.0,
        _ => return None,
    };
    let megabytes = (number * factor).ceil();
    (1.0..1e12).contains(&megabytes).then_some(megabytes as u64)
}

/// The jobs `first-last:step` of an array, or a list of such ranges, and how many there are.
pub(crate) fn array(text: &str) -> Option<(String, u64)> {
    const MOST: usize = 10_000;
    let mut all: Vec<u64> = Vec::new();
    for range in text.split(',') {
        let (range, step) = range.split_once(':').unwrap_or((range, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last, step): (u64, u64, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?, step.trim().parse().ok()?);
        if step == 0 || last < first || (last - first) / step as u64 >= MOST as u64 {
            return None;
        }
        all.extend((first..=last).step_by(step));
        if all.len() > MOST {
            return None;
        }
    }
    let plain = all.iter().enumerate().all(|(at, job)| *job == at as u64);
    let toml = match plain {
        true => format!("{{ repeat = {} }}", all.len()),
        false => toml::list(&all.iter().map(|job| neronet_model::Value::Int(*job as i64)).collect::<Vec<_>>()),
    };
    Some((toml, all.len() as u64))
}

/// All forms of Slurm: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S. Nothing where there is no limit.
pub(crate) fn slurm_time(text: &str) -> Option<String> {
    let whole = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (Some(whole(days)?), clock),
        None => (None, text),
    };
    let parts: Vec<u64> = clock.split(':').map(whole).collect::<Option<_>>()?;
    let seconds = match (days, parts.as_slice()) {
        (Some(_), [hours]) => hours * 3600,
        (Some(_), [hours, minutes]) => hours * 3600 + minutes * 60,
        (None, [minutes]) => minutes * 60,
        (None, [minutes, seconds]) => minutes * 60 + seconds,
        (_, [hours, minutes, seconds]) => hours * 3600 + minutes * 60 + seconds,
        _ => return None,
    };
    duration(days.unwrap_or(0) * 86_400 + seconds)
}

/// Grid Engine: seconds, or H:M:S.
pub(crate) fn gridengine_time(text: &str) -> Option<String> {
    let parts: Vec<u64> = text
        .split(':')
        .map(|part| if part.is_empty() { Some(0) } else { part.parse::<u32>().ok().map(u64::from) })
        .collect::<Option<_>>()?;
    match parts.as_slice() {
        [seconds] => duration(*seconds),
        [hours, minutes, seconds] => duration(hours * 3600 + minutes * 60 + seconds),
        _ => None,
    }
}

/// Seconds as people write them.
pub(crate) fn duration(seconds: u64) -> Option<String> {
    if seconds == 0 {
        return None;
    }
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    Some(match (days, hours, minutes, rest) {
        (_, _, _, 1..) if days > 0 => format!("{days}-{hours:02}:{minutes:02}:{rest:02}"),
        (0, 0, 0, rest) => format!("{rest} s"),
        (_, _, _, 1..) => format!("{hours}:{minutes:02}:{rest:02}"),
        (0, 0, minutes, 0) => format!("{minutes} min"),
        (days, hours, 0, 0) if seconds < 100 * 3600 || hours > 0 => format!("{}h", days * 24 + hours),
        (days, 0, 0, 0) => format!("{days}d"),
        (days, hours, minutes, 0) => format!("{}h {minutes}min", days * 24 + hours),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_slurm() {
        for (text, expected) in [
            ("90", "1h 30min"),
            ("30", "30 min"),
            ("1:30", "0:01:30"),
            ("01:00:00", "1h"),
            ("3-0", "72h"),
            ("7-0", "7d"),
            ("1-12", "36h"),
            ("2-03:30", "51h 30min"),
            ("1-23:59:59", "1-23:59:59"),
        ] {
            let written = slurm_time(text);
            assert_eq!(written.as_deref(), Some(expected), "{text}");
            assert!(neronet_model::Millis::parse(expected).is_some(), "{expected}");
        }
        assert!(slurm_time("0").is_none() && slurm_time("UNLIMITED").is_none());
    }

    #[test]
    fn arrays_of_jobs() {
        assert_eq!(array("0-9"), Some(("{ repeat = 10 }".to_string(), 10)));
        assert_eq!(array("1-7:3,20"), Some(("[1, 4, 7, 20]".to_string(), 4)));
        assert!(array("0-99999999999").is_none() && array("a").is_none() && array("5-1").is_none());
    }

    #[test]
    fn sizes() {
        assert_eq!(megabytes("16G", 'M').map(size).as_deref(), Some("\"16 GB\""));
        assert_eq!(megabytes("16000", 'M').map(size).as_deref(), Some("\"16 GB\""));
        assert_eq!(megabytes("1500MB", 'M').map(size).as_deref(), Some("\"1500 MB\""));
        assert!(megabytes("lots", 'M').is_none() && megabytes("0", 'M').is_none());
    }
}
