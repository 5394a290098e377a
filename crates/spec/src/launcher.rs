//! Programs that start another one: where in their words that begins, and which script or module a Python is given.

use crate::simple::name;

/// Words as the program gets them; `None` where only the run knows.
pub(crate) type Words<'w> = &'w [Option<String>];

/// What Python is told to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// The path of a script, relative to where the command is then.
    Script(String),
    /// `-m MODULE`
    Module(String),
}

/// Launchers whose words in front of the program are known: which short options take a value, and how many words come after
/// the options.
const PLAIN: [(&str, &str, usize); 14] = [
    ("chrt", "DPT", 1),
    ("command", "", 0),
    ("env", "uC", 0),
    ("exec", "a", 0),
    ("ionice", "cn", 0),
    ("nice", "n", 0),
    ("nohup", "", 0),
    ("numactl", "CNPimp", 0),
    ("setsid", "", 0),
    ("stdbuf", "eio", 0),
    ("taskset", "", 1),
    ("time", "fo", 0),
    ("timeout", "ks", 1),
    ("unbuffer", "", 0),
];

/// Their long options that take the next word.
const LONG_WITH_VALUE: [&str; 13] = [
    "--adjustment",
    "--chdir",
    "--class",
    "--classdata",
    "--cpunodebind",
    "--format",
    "--interleave",
    "--kill-after",
    "--membind",
    "--output",
    "--physcpubind",
    "--signal",
    "--unset",
];

/// Launchers with too many options to know: behind them the first Python is what they start.
const MANY_OPTIONS: [&str; 6] = ["horovodrun", "ibrun", "jsrun", "mpiexec", "mpirun", "srun"];

/// What runs a script in the Python that it is itself written for; with the word that must come first, if one must.
const OF_PYTHON: [(&str, &str); 8] = [
    ("accelerate", "launch"),
    ("coverage", "run"),
    ("deepspeed", ""),
    ("ipython", ""),
    ("kernprof", ""),
    ("scalene", ""),
    ("torchrun", ""),
    ("viztracer", ""),
];

/// Modules that run the script behind them.
const MODULES: [&str; 9] = [
    "accelerate.commands.launch",
    "cProfile",
    "coverage",
    "deepspeed.launcher.runner",
    "kernprof",
    "pdb",
    "profile",
    "torch.distributed.launch",
    "torch.distributed.run",
];

/// Whether a program of this name is a Python.
pub(crate) fn is_python(program: &str) -> bool {
    let version = name(program).strip_prefix("python").or_else(|| name(program).strip_prefix("pypy"));
    version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// Where the program begins that these words start through another one.
pub(crate) fn handed_over(words: Words<'_>) -> Option<usize> {
    let first = name(words.first()?.as_deref()?);
    if MANY_OPTIONS.contains(&first) {
        return (1..words.len()).find(|at| words[*at].as_deref().is_some_and(is_python));
    }
    let (_, with_value, own) = PLAIN.iter().find(|(launcher, ..)| *launcher == first)?;
    let mut at = 1;
    loop {
        let word = words.get(at)?.as_deref()?;
        let Some(option) = word.strip_prefix('-') else { break };
        at += match option.strip_prefix('-') {
            Some("") => {
                at += 1;
                break;
            }
            Some(_) => 1 + usize::from(LONG_WITH_VALUE.contains(&word)),
            // A string that env splits, and one that takes PATH away.
            None if first == "env" && option.contains(['S', 'i']) => return None,
            // Only asks for it.
            None if first == "command" && option.contains(['v', 'V']) => return None,
            // `-n 10`, but `-n10` and `-10` are one word.
            None => 1 + usize::from(option.len() == 1 && with_value.contains(option)),
        };
    }
    at += own;
    (at < words.len()).then_some(at)
}

/// What a Python, or what runs scripts in its own Python, is told to run, and Python's options that change where it looks for
/// modules. Nothing where it is not told by these words.
pub(crate) fn entries(words: Words<'_>) -> (Vec<Entry>, String) {
    let Some(first) = words.first().and_then(Option::as_deref) else { return Default::default() };
    if is_python(first) {
        return of_python(words).unwrap_or_default();
    }
    let known = OF_PYTHON.iter().find(|(launcher, _)| *launcher == name(first));
    let Some((_, word)) = known else { return Default::default() };
    if !word.is_empty() && words.get(1).and_then(Option::as_deref) != Some(word) {
        return Default::default();
    }
    (script_among(&words[1..]).into_iter().collect(), String::new())
}

/// The first script, or the module of a `-m` before it.
fn script_among(words: Words<'_>) -> Option<Entry> {
    for (at, word) in words.iter().enumerate() {
        match word.as_deref()? {
            "-m" | "--module" => return Some(Entry::Module(words.get(at + 1)?.clone()?)),
            word if word.ends_with(".py") && !word.starts_with('-') => return Some(Entry::Script(word.to_string())),
            _ => {}
        }
    }
    None
}

fn of_python(words: Words<'_>) -> Option<(Vec<Entry>, String)> {
    let mut letters = String::new();
    let mut at = 1;
    loop {
        let word = words.get(at)?.as_deref()?;
        let Some(options) = word.strip_prefix('-').filter(|options| !options.is_empty()) else {
            return (word != "-").then(|| (vec![Entry::Script(word.to_string())], letters));
        };
        at += 1;
        if options.starts_with('-') {
            at += usize::from(options == "-check-hash-based-pycs");
            continue;
        }
        for (place, option) in options.char_indices() {
            let rest = &options[place + option.len_utf8()..];
            match option {
                'c' => return None,
                'm' => {
                    let module = if rest.is_empty() { words.get(at)?.clone()? } else { rest.to_string() };
                    let behind = at + usize::from(rest.is_empty());
                    let inner = MODULES.contains(&module.as_str()).then(|| script_among(&words[behind.min(words.len())..])).flatten();
                    return Some((std::iter::once(Entry::Module(module)).chain(inner).collect(), letters));
                }
                'W' | 'X' => {
                    at += usize::from(rest.is_empty());
                    break;
                }
                'E' | 'I' | 's' | 'S' | 'P' => letters.push(option),
                _ => {}
            }
        }
    }
}
