//! Lines of a specification that no message repeats: those of `[secrets]`, where somebody may have written a secret itself.

use crate::problem::Problem;

/// So far a header is looked for above a line, in bytes.
const REACH: usize = 64 << 10;
/// What is shorter is no secret, and a word of many sentences.
const SHORTEST: usize = 5;

/// A problem without anything of its line, where that belongs to secrets. `from` is where the line begins.
pub(crate) fn hide(problem: Problem, text: &str, from: usize) -> Problem {
    let line = text[from..].lines().next().unwrap_or("");
    if !is_secret(text, from, line) {
        return problem;
    }
    let value = line.split_once(['=', ':']).map_or("", |(_, value)| value);
    let words = value.split(|c: char| c.is_whitespace() || "\"'={},".contains(c)).filter(|word| word.len() >= SHORTEST);
    // A line that long is not searched for each problem in it.
    let words: Vec<&str> = if line.len() > REACH { vec![""] } else { words.collect() };
    let tells = |said: &str| words.iter().any(|word| said.contains(word));
    let message = if tells(&problem.message) { "this line of [secrets] is wrong".to_string() } else { problem.message };
    Problem { message, hint: problem.hint.filter(|hint| !tells(hint)), excerpt: None, ..problem }
}

/// Whether the line names secrets, or stands below a table of them, in TOML or by its indentation in YAML.
fn is_secret(text: &str, from: usize, line: &str) -> bool {
    let names = |line: &str| line.trim_start().trim_start_matches(['[', '-', ' ']).split([']', '=', ':', ' ']).next().is_some_and(is_path);
    if names(line) {
        return true;
    }
    let begin = text.floor_char_boundary(from.saturating_sub(REACH));
    let mut depth = indent(line);
    for above in text[begin..from].lines().rev() {
        if above.trim_start().starts_with('[') {
            return names(above);
        }
        if !above.trim().is_empty() && indent(above) < depth {
            depth = indent(above);
            if names(above) {
                return true;
            }
        }
    }
    false
}

/// `secrets`, `on.gpu1.secrets`, `secrets.KEY`.
fn is_path(name: &str) -> bool {
    name.split('.').any(|part| part.trim_matches(['"', '\'']) == "secrets")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
