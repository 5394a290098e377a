//! `targets.toml` as text: a target put into it, or taken out, every other byte kept. Pure: text in, text out.

use neronet_model::target::{LOCAL, Targets};

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

/// The parts of a header's line: `targets`, `gpu1`, perhaps `vars`. None of another line.
fn header(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('[')?;
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
        assert_eq!(with_folder("targets = { a = { address = \"ssh://a\" } }", "a", "/w"), None);
    }
}
