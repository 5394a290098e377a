//! Lines of a specification that no message repeats: those of `[secrets]`, where somebody may have written a secret itself.

use crate::problem::Problem;

/// A line longer than that, in bytes, is not searched for each problem in it.
const LONGEST: usize = 64 << 10;
/// What is shorter is no secret, and a word of many sentences.
const SHORTEST: usize = 5;

/// A problem without anything of its line, which belongs to secrets.
pub(crate) fn hide(problem: Problem, line: &str) -> Problem {
    let value = line.split_once(['=', ':']).map_or("", |(_, value)| value);
    let words = value.split(|c: char| c.is_whitespace() || "\"'={},".contains(c)).filter(|word| word.len() >= SHORTEST);
    let words: Vec<&str> = if line.len() > LONGEST { vec![""] } else { words.collect() };
    let tells = |said: &str| words.iter().any(|word| said.contains(word));
    let message = if tells(&problem.message) { "this line of [secrets] is wrong".to_string() } else { problem.message };
    Problem { message, hint: problem.hint.filter(|hint| !tells(hint)), excerpt: None, ..problem }
}

/// Of each line, whether it names secrets, or stands below a table of them, in TOML or by its indentation in YAML.
/// All in one pass: a file may have as many places to tell of as it has lines.
pub(crate) fn lines(text: &str) -> Vec<bool> {
    let mut table = false;
    // The lines that the next one may stand below, each indented more than the one before it, and whether they are of secrets.
    let mut above: Vec<(usize, bool)> = Vec::new();
    let is_secret = |line: &str| {
        let depth = indent(line);
        let outer = above.partition_point(|(outer, _)| *outer < depth);
        let below = outer.checked_sub(1).is_some_and(|nearest| above[nearest].1);
        let named = names(line);
        let secret = named || below;
        let hidden = secret || table;
        if line.trim_start().starts_with('[') {
            table = named;
            above.clear();
        } else if !line.trim().is_empty() {
            above.truncate(outer);
            above.push((depth, secret));
        }
        hidden
    };
    text.split('\n').map(is_secret).collect()
}

fn names(line: &str) -> bool {
    line.trim_start().trim_start_matches(['[', '-', ' ']).split([']', '=', ':', ' ']).next().is_some_and(is_path)
}

/// `secrets`, `on.gpu1.secrets`, `secrets.KEY`.
fn is_path(name: &str) -> bool {
    name.split('.').any(|part| part.trim_matches(['"', '\'']) == "secrets")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
