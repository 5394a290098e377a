//! Every mistake that the other modules snapshot is told with its place, its reason and what to do.

use std::fs;
use std::path::Path;

/// Mistakes in the command line have no line; of a whole file nothing is a place.
fn has_place(first: &str) -> bool {
    let rest = first.trim_start_matches("error: ");
    let mut parts = rest.splitn(4, ':');
    let numbers = parts.by_ref().skip(1).take(2).all(|part| part.trim().parse::<usize>().is_ok());
    numbers || rest.starts_with("--set: ") || rest.starts_with("the command: ") || rest.contains(".toml: there is no such file")
}

#[test]
fn every_mistake_has_its_place_and_a_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/snapshots");
    let (mut specifications, mut mistakes, mut wrong) = (0, 0, Vec::new());
    for entry in fs::read_dir(folder).expect("there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(name.contains("malformed") || name.contains("go_wrong") || name.contains("goes_wrong")) {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("read");
        let text = text.splitn(3, "---\n").nth(2).unwrap_or_default().to_string();
        specifications += text.matches("\n== ").count().max(1);
        let mut blocks: Vec<String> = Vec::new();
        for line in text.lines() {
            match blocks.last_mut() {
                _ if ["error: ", "warning: ", "note: ", "== "].iter().any(|begin| line.starts_with(begin)) => blocks.push(line.to_string()),
                Some(block) => *block = format!("{block}\n{line}"),
                None => {}
            }
        }
        for block in blocks.iter().filter(|block| block.starts_with("error: ")) {
            mistakes += 1;
            let first = block.lines().next().unwrap_or_default();
            let remedy = first.contains("(did you mean ") || block.lines().any(|line| line.trim_start().starts_with("= "));
            if !has_place(first) || !remedy {
                wrong.push(format!("{name}: {first}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(specifications >= 60 && mistakes >= 200, "{specifications} specifications, {mistakes} mistakes");
}
