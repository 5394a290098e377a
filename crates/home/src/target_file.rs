//! `targets.toml` as text: a target put into it, or taken out, every other byte kept. Pure: text in, text out.

use neronet_model::hours::Maintenance;
use neronet_model::target::{LOCAL, Target, Targets};

/// A text in quotes, as TOML has them: it holds no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { name.to_string() } else { quoted(name) }
}

/// With this target behind all that is there.
pub(crate) fn with(text: &str, name: &str, address: &str, folder: Option<&str>) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let folder = folder.map(|folder| format!("folder = {}\n", quoted(folder))).unwrap_or_default();
    format!("{text}{gap}[targets.{}]\naddress = {}\n{folder}", key(name), quoted(address))
}

/// What the target itself is to know of this, as its own `targets.toml`: what runs may have there, and what `{target.NAME}` stands for.
pub(crate) fn as_local(target: &Target) -> String {
    use std::fmt::Write;
    let mut text = format!("[targets.{LOCAL}]\naddress = \"local://\"\n");
    let numbers = [
        ("max_runs", target.max_runs),
        ("leave_cores", target.leave_cores.map(u64::from)),
        ("leave_gpus", target.leave_gpus.map(u64::from)),
        ("nice", target.nice.and_then(|nice| u64::try_from(nice).ok())),
    ];
    let flags = [("idle_disk", target.idle_disk), ("pause_on_battery", target.pause_on_battery)];
    let memory = target.leave_memory.map(|bytes| ("leave_memory", as_text(&format!("{bytes} B"))));
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))).chain(memory);
    for (name, value) in numbers.chain(flags.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())))) {
        // To write into memory does not fail.
        writeln!(text, "{name} = {value}").ok();
    }
    let hours: Vec<String> = target.hours.iter().map(|hours| as_text(&hours.to_string())).collect();
    for (name, values) in [("hours", hours), ("maintenance", target.maintenance.iter().map(as_table).collect())] {
        if !values.is_empty() {
            writeln!(text, "{name} = [{}]", values.join(", ")).ok();
        }
    }
    let vars = target.vars.iter().map(|(name, value)| (key(name), as_text(value)));
    for (table, entries) in
        [("named", target.named.iter().map(|(name, amount)| (key(name), amount.to_string())).collect::<Vec<_>>()), ("vars", vars.collect())]
    {
        if !entries.is_empty() {
            writeln!(text, "[targets.{LOCAL}.{table}]").ok();
            entries.iter().for_each(|(name, value)| text.push_str(&format!("{name} = {value}\n")));
        }
    }
    text
}

fn as_table(Maintenance { from, until, why }: &Maintenance) -> String {
    let until = until.map(|until| format!(", until = {}", as_text(&until.to_string())));
    let why = why.as_ref().map(|why| format!(", why = {}", as_text(why)));
    format!("{{ from = {}{}{} }}", as_text(&from.to_string()), until.unwrap_or_default(), why.unwrap_or_default())
}

/// Any text as TOML has it.
fn as_text(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '\\' => "\\\\".to_string(),
        '"' => "\\\"".to_string(),
        c if c.is_control() => format!("\\u{:04X}", c as u32),
        c => c.to_string(),
    });
    format!("\"{}\"", plain.collect::<String>())
}

/// The parts of a header's line: `targets`, `gpu1`, perhaps `vars`. None of another line.
fn header(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let inner = line.strip_prefix("[[").or(line.strip_prefix('['))?;
    let (mut parts, mut part, mut quote) = (Vec::new(), String::new(), None);
    for c in inner.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('.', None) => parts.push(std::mem::take(&mut part).trim().to_string()),
            (']', None) => {
                parts.push(part.trim().to_string());
                return Some(parts);
            }
            (c, _) => part.push(c),
        }
    }
    None
}

fn is_of(line: &str, name: &str) -> bool {
    header(line).is_some_and(|parts| parts.len() >= 2 && parts[0] == "targets" && parts[1] == name)
}

/// With the folder of a target that has none. Nothing where its table is not found.
pub(crate) fn with_folder(text: &str, name: &str, folder: &str) -> Option<String> {
    let mut found = false;
    let mut lines = String::new();
    for line in text.split_inclusive('\n') {
        lines.push_str(line);
        if !found && header(line).is_some_and(|parts| parts == ["targets", name]) {
            found = true;
            if !line.ends_with('\n') {
                lines.push('\n');
            }
            lines.push_str(&format!("folder = {}\n", quoted(folder)));
        }
    }
    found.then_some(lines)
}

/// Without this target. The comments above its table stay.
pub(crate) fn without(text: &str, name: &str) -> String {
    let mut inside = false;
    let mut left = String::new();
    for line in text.split_inclusive('\n') {
        if header(line).is_some() {
            inside = is_of(line, name);
        }
        if !inside {
            left.push_str(line);
        }
    }
    // The gap before it.
    let end = left.trim_end_matches('\n').len();
    if end == 0 { String::new() } else { format!("{}\n", &left[..end]) }
}

/// Whether something else in the file means this target, and what.
pub(crate) fn still_named(targets: &Targets, name: &str) -> Option<String> {
    if targets.default.as_deref() == Some(name) {
        return Some(format!("default = \"{name}\""));
    }
    let mut groups = targets.groups.iter();
    let (group, _) = groups.find(|(_, members)| members.iter().any(|member| member == name))?;
    (name != LOCAL).then(|| format!("the group {group}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Targets {
        neronet_spec::targets(text, "targets.toml").expect(text)
    }

    #[test]
    fn a_target_comes_and_goes_and_the_rest_stays() {
        let text = "# mine\n[groups]\nlab = [\"a\"]\n\n# the first\n[targets.a]\naddress = \"ssh://a\"\n[targets.a.vars]\nx = \"[1]\"\n";
        let more = with(text, "lab.b", "ssh://me@b:22", Some("/data/\"me\"/n"));
        let known = read(&more);
        assert_eq!(known.get("lab.b").and_then(|target| target.folder.as_deref()), Some("/data/\"me\"/n"));
        assert_eq!(without(&more, "lab.b"), text);
        assert_eq!(without(&with("", "b", "ssh://b", None), "b"), "");
        assert_eq!(read(&without(&more, "a").replace("\"a\"", "\"lab.b\"")).targets.len(), 1);
        assert_eq!(still_named(&known, "a").as_deref(), Some("the group lab"));
        let placed = with_folder(&more, "a", "/w").expect("a table");
        assert_eq!(read(&placed).get("a").and_then(|target| target.folder.as_deref()), Some("/w"));
        let closed = format!("{more}[[targets.\"lab.b\".maintenance]]\nfrom = \"2026-12-01\"\n");
        assert_eq!((read(&closed).targets.len(), without(&closed, "lab.b")), (2, text.to_string()));
        assert_eq!(with_folder("targets = { a = { address = \"ssh://a\" } }", "a", "/w"), None);
    }

    #[test]
    fn what_the_target_is_told_is_what_was_said_of_it() {
        let text = "[targets.a]\naddress = \"ssh://a\"\nmax_runs = 2\nhours = [\"mon-fri 18:00-08:00\", \"sat-sun\"]\n\
                    maintenance = [{ from = \"2026-12-01 08:00\", until = \"2026-12-01 12:00\", why = \"\\\"new\\\" disks\" }, \
                    { from = 2026-12-24 }]\n[targets.a.vars]\nx = \"1\"\n";
        let (said, told) = (read(text), read(&as_local(read(text).get("a").expect("there"))));
        let (said, told) = (said.get("a").expect("there"), told.get(LOCAL).expect("there"));
        assert_eq!((&said.hours, &said.maintenance, &said.vars), (&told.hours, &told.maintenance, &told.vars));
        assert_eq!((said.hours.len(), said.maintenance.len(), said.max_runs), (2, 2, told.max_runs));
    }
}
