//! The simple commands of a command line: which programs it calls, what joins them, and which of their words a second shell reads.

use crate::scan::{self, Scan};
use crate::template;
use std::ops::Range;

/// One program with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Simple<'t> {
    /// Each word as it is written, quotes included, with its place. Never empty.
    pub(crate) words: Vec<(&'t str, Range<usize>)>,
    /// From its first word to the end, redirections included.
    pub(crate) place: Range<usize>,
    /// The operator that joins it to the one behind it; empty at the end.
    pub(crate) joined: &'t str,
}

/// What only prepares the shell for the program that is meant. Each is one word, or two.
const PREPARING: [&str; 37] = [
    ".",
    "cd",
    "conda activate",
    "conda deactivate",
    "cp",
    "date",
    "declare",
    "echo",
    "eval",
    "exit",
    "export",
    "hash",
    "hostname",
    "ln",
    "mamba activate",
    "micromamba activate",
    "mkdir",
    "ml",
    "module",
    "mv",
    "nvidia-smi",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "pyenv shell",
    "rm",
    "set",
    "shopt",
    "source",
    "spack load",
    "test",
    "touch",
    "true",
    "ulimit",
    "umask",
    "unset",
];

/// Programs that hand the rest of their words to another one.
const LAUNCHERS: [&str; 13] =
    ["builtin", "command", "doas", "env", "exec", "ionice", "nice", "nohup", "setsid", "sshpass", "sudo", "time", "timeout"];

/// What feeds a pipe and is no training.
const SOURCES: [&str; 18] = [
    "bzcat",
    "cat",
    "curl",
    "echo",
    "find",
    "gunzip",
    "gzip",
    "head",
    "ls",
    "nvidia-smi",
    "printf",
    "seq",
    "tail",
    "tar",
    "true",
    "wget",
    "yes",
    "zcat",
];

/// The options of ssh that take an argument.
const SSH_WITH_ARGUMENT: &str = "BbcDEeFIiJLlmOopQRSWw";

/// Takes a scanned line apart.
pub(crate) fn commands<'t>(text: &'t str, scan: &Scan) -> Vec<Simple<'t>> {
    let outline = scan.outline.as_bytes();
    let mut found = Vec::new();
    let mut words = Vec::new();
    let (mut start, mut at) = (None, 0);
    // The next word is the file of a redirection.
    let mut is_file = false;
    while at <= outline.len() {
        let rest = &outline[at..];
        let redirection = match rest {
            [b'&', b'>', b'>', ..] => 3,
            [b'&', b'>', ..] | [b'>', b'>' | b'&' | b'|', ..] | [b'<', b'&' | b'>', ..] => 2,
            [b'>' | b'<', ..] => 1,
            _ => 0,
        };
        let operator = match rest {
            _ if redirection > 0 => 0,
            [b'&', b'&', ..] | [b'|', b'|' | b'&', ..] | [b';', b';', ..] => 2,
            [b';' | b'&' | b'|' | b'\n' | b'(' | b')', ..] => 1,
            _ => 0,
        };
        if redirection + operator > 0 || matches!(rest, [] | [b' ' | b'\t', ..]) {
            if let Some(start) = start.take()
                && !std::mem::take(&mut is_file)
                // `2>log` has no word `2`.
                && (redirection == 0 || !text[start..at].bytes().all(|byte| byte.is_ascii_digit()))
            {
                words.push((&text[start..at], start..at));
            }
        } else {
            start.get_or_insert(at);
        }
        is_file |= redirection > 0;
        if (operator > 0 || rest.is_empty()) && !words.is_empty() {
            let words: Vec<(&str, Range<usize>)> = std::mem::take(&mut words);
            let place = words[0].1.start..scan.outline[..at].trim_end().len();
            found.push(Simple { words, place, joined: &text[at..at + operator] });
        }
        at += (redirection + operator).max(1);
    }
    found
}

/// `NAME=VALUE`; of `NAME+=VALUE` and `NAME[i]=VALUE` the name, as the value is only a part.
pub(crate) fn assignment(word: &str) -> Option<(&str, Option<&str>)> {
    let (left, value) = word.split_once('=')?;
    let name = left.strip_suffix('+').unwrap_or(left);
    let name = name.split_once('[').filter(|_| name.ends_with(']')).map_or(name, |(name, _)| name);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some((name, (name == left).then_some(value)))
}

/// How many keywords of the shell and assignments stand before the program.
pub(crate) fn before_program(words: &[&str]) -> usize {
    let passed_over =
        |word: &str| assignment(word).is_some() || matches!(word, "!" | "{" | "}" | "if" | "then" | "else" | "elif" | "fi" | "do");
    words.iter().take_while(|word| passed_over(word)).count()
}

/// The name of a program, however it is written.
pub(crate) fn name(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'']);
    word.rsplit('/').next().unwrap_or(word)
}

impl<'t> Simple<'t> {
    /// From the program on.
    pub(crate) fn called(&self) -> Vec<&'t str> {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        words[before_program(&words)..].to_vec()
    }

    pub(crate) fn name(&self) -> &'t str {
        self.called().first().map_or("", |word| name(word))
    }

    /// Whether it only prepares the shell, as `cd` and `export` do.
    pub(crate) fn prepares(&self) -> bool {
        match self.called().as_slice() {
            [] | ["[" | "[[" | ":", ..] => true,
            [first] => PREPARING.contains(first),
            [first, second, ..] => PREPARING.contains(first) || PREPARING.contains(&format!("{first} {second}").as_str()),
        }
    }
}

/// The last program of a pipe where its exit code hides that of a training before it.
pub(crate) fn end_of_pipe<'s, 't>(commands: &'s [Simple<'t>]) -> Option<&'s Simple<'t>> {
    let pipes = commands.split_inclusive(|command| !command.joined.starts_with('|') || command.joined == "||");
    pipes.into_iter().find_map(|pipe| {
        let [first, .., last] = pipe else { return None };
        (matches!(last.joined, "" | "&&" | "||") && !SOURCES.contains(&first.name())).then_some(last)
    })
}

/// Whether a shell that ends well with this script may hide that a program in it did not: all but the last of a pipe, what is
/// followed by `;`, `||` or a new line or runs in the background, and whatever another script does.
pub(crate) fn hides_ends(script: &str, ansi: bool) -> bool {
    let Ok(scan) = scan::scan(script, &template::tokens(script), ansi) else { return true };
    let commands = commands(script, &scan);
    let last = commands.len().saturating_sub(1);
    commands.iter().enumerate().any(|(at, command)| {
        let hidden = match command.joined {
            "" | "&&" => false,
            ";" | "\n" => at < last && !command.prepares(),
            _ => true,
        };
        hidden || scan::is_known(command.name())
    })
}

/// The same of a command that is a list.
pub(crate) fn words_hide_ends(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_shell = words.first().is_some_and(|word| scan::is_known(name(word)));
    is_shell && script(&words, 0).is_none_or(|place| hides_ends(words[place.start], true))
}

/// Which of these words a shell reads once more, and the program that hands them to it.
pub(crate) fn read_again<'w>(words: &[&'w str]) -> Option<(&'w str, Range<usize>)> {
    let called = before_program(words);
    let first = name(words.get(called)?);
    if first == "eval" {
        return Some((first, called + 1..words.len()));
    }
    // Behind one of these it is a program, behind any other it may be the value of an option.
    let most = if LAUNCHERS.contains(&first) { words.len() } else { called + 1 };
    if let Some(ssh) = (called..most).find(|at| name(words[*at]) == "ssh") {
        let mut at = ssh + 1;
        while let Some(option) = words.get(at).and_then(|word| word.strip_prefix('-')) {
            at += if option.len() == 1 && SSH_WITH_ARGUMENT.contains(option) { 2 } else { 1 };
        }
        // The word in between is the host.
        return Some(("ssh", (at + 1).min(words.len())..words.len()));
    }
    let shells = (called..words.len()).filter(|at| scan::is_known(name(words[*at])));
    shells.into_iter().find_map(|at| Some((name(words[at]), script(words, at)?)))
}

/// The program of these words; behind a launcher the Python that it starts.
pub(crate) fn program<'w>(words: &[&'w str]) -> Option<&'w str> {
    let (first, rest) = words[before_program(words)..].split_first()?;
    let python = rest.iter().filter(|_| LAUNCHERS.contains(&name(first))).find(|word| name(word).starts_with("python"));
    Some(python.unwrap_or(first).trim_matches(['"', '\'']))
}

/// The word behind a shell's `-c`.
fn script(words: &[&str], shell: usize) -> Option<Range<usize>> {
    let mut at = shell + 1;
    let mut takes_script = false;
    while let Some(option) = words.get(at).filter(|word| word.starts_with(['-', '+'])) {
        takes_script |= option.starts_with('-') && !option.starts_with("--") && option.contains('c');
        at += if matches!(*option, "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file") { 2 } else { 1 };
    }
    (takes_script && at < words.len()).then_some(at..at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_hidden_where_a_shell_goes_on_behind_it() {
        for script in ["python t.py", "cd x && python t.py", "export A=1; python t.py 2>&1", "python t.py --tag 'a|b;c'", "a && b"] {
            assert!(!hides_ends(script, true), "{script}");
        }
        for script in ["python t.py | tee log", "python t.py || true", "python t.py; true", "python t.py\ntrue", "a & b", "bash t.sh"] {
            assert!(hides_ends(script, true), "{script}");
        }
        let words = |line: &str| line.split('|').map(str::to_string).collect::<Vec<_>>();
        assert!(words_hide_ends(&words("sh|t.sh")) && words_hide_ends(&words("sh|-c|t; true")));
        assert!(!words_hide_ends(&words("sh|-c|t")) && !words_hide_ends(&words("python|t.py|;|x")));
    }
}
