//! Why a command failed, from the last lines that it printed. Pure.

use neronet_model::outcome::{Cause, Outcome};

/// What frameworks say when memory is short.
const OUT_OF_MEMORY: [&str; 9] = [
    "CUDA out of memory",
    "torch.OutOfMemoryError",
    "torch.cuda.OutOfMemoryError",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "hipErrorOutOfMemory",
    "RESOURCE_EXHAUSTED",
    "std::bad_alloc",
    "MemoryError",
    "Cannot allocate memory",
];

/// What the line behind each line of `[environment] setup` says when that failed (`spec::render`).
const SETUP_FAILED: &str = "neronet: setup failed, the command was not started: ";

/// What is in a line that tells of an error, in small letters.
const OF_ERRORS: [&str; 19] = [
    "abort",
    "assertion",
    "can't",
    "cannot",
    "could not",
    "denied",
    "error",
    "exception",
    "failed",
    "failure",
    "fatal",
    "invalid",
    "missing",
    "no such",
    "not found",
    "panicked",
    "unknown",
    "unrecognized",
    "usage:",
];

/// Levels that loggers put before what is no error.
const LEVELS: [&str; 5] = ["DEBUG", "INFO", "NOTE", "WARN", "WARNING"];

/// Says more of a failure than its exit code, where the output does. `lines` are the last ones, oldest first. `called` is the command
/// that said them on standard error; what was said on standard output was meant for a reader.
pub fn refine(outcome: Outcome, cause: Option<Cause>, lines: &[String], called: Option<&str>) -> Option<Cause> {
    let mut backwards = lines.iter().rev().map(|line| line.trim());
    let code = match (outcome, &cause) {
        (Outcome::Failed, Some(Cause::ExitCode(code))) => code,
        // How C++ ends when nobody catches what it throws.
        (Outcome::Failed, Some(Cause::Signal(6))) => return backwards.find_map(out_of_memory).or(cause),
        _ => return cause,
    };
    for line in backwards {
        let found = missing_module(line)
            .or_else(|| out_of_memory(line))
            .or_else(|| Some(Cause::NotStarted(format!("setup failed: {}", shortened(line.strip_prefix(SETUP_FAILED)?)))))
            .or_else(|| if *code == 127 || *code == 126 { missing_interpreter(line) } else { None })
            .or_else(|| if *code == 127 { not_found(line) } else { None })
            .or_else(|| if *code == 126 { not_executable(line) } else { None })
            // What came before the last exception was not the end of it.
            .or_else(|| is_exception(line).then(|| Cause::Exception { line: shortened(line), code: *code }));
        if found.is_some() {
            return found;
        }
    }
    // Above that a signal ended it, whatever was said last.
    let said = called.filter(|_| *code <= 128).and_then(|called| said(lines, called));
    said.map(|line| Cause::Said { line: shortened(line), code: *code }).or(cause)
}

/// The last of these lines that looks like an error.
fn said<'l>(lines: &'l [String], called: &str) -> Option<&'l str> {
    let is_of_warning = |at: usize| at > 0 && lines[at - 1].contains("Warning:");
    let found = (0..lines.len()).rev().find(|at| !is_of_warning(*at) && is_error(&lines[*at], called));
    found.map(|at| lines[at].trim())
}

/// Whether a line has a word of an error in it.
pub fn names_an_error(line: &str) -> bool {
    let small = line.to_lowercase();
    OF_ERRORS.iter().any(|sign| small.contains(sign))
}

fn is_error(line: &str, called: &str) -> bool {
    let bar = ["%|", "it/s]", "s/it]"].iter().any(|sign| line.contains(sign));
    // Source that is shown, what `set -x` shows, a state of a progress bar.
    if bar || line.starts_with([' ', '\t']) || line.starts_with("+ ") || line.contains("Warning:") {
        return false;
    }
    let words: Vec<&str> = line.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).take(3).collect();
    // The level stands first, or behind a time and a name.
    let first = words.first().map(|word| word.to_uppercase());
    if words.iter().copied().chain(first.as_deref()).any(|word| LEVELS.contains(&word)) {
        return false;
    }
    let program = line.split_once(": ").map(|(program, _)| program);
    names_an_error(line) || program.is_some_and(|program| calls(called, program))
}

/// Whether a program or script of this name is in the command.
fn calls(called: &str, program: &str) -> bool {
    let words = called.split(|c: char| c.is_whitespace() || "'\";&|()".contains(c));
    let name = |word: &str| word.rsplit('/').next().map(str::to_string);
    words.filter(|word| !word.is_empty()).any(|word| name(word) == name(program))
}

fn out_of_memory(line: &str) -> Option<Cause> {
    OUT_OF_MEMORY.iter().any(|sign| line.contains(sign)).then(|| Cause::FrameworkOutOfMemory(shortened(line)))
}

/// `ValueError: bad batch`, `torch.cuda.SomeError: …`, `KeyboardInterrupt`: how Python ends. Launchers put one of their own behind
/// that of the script, which says nothing.
fn is_exception(line: &str) -> bool {
    let name = line.split_once(": ").map_or(line.trim_end_matches(':'), |(name, _)| name);
    let class = name.rsplit('.').next().unwrap_or_default();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let launchers = ["ChildFailedError", "CalledProcessError", "ProcessRaisedException", "ProcessExitedException"];
    let ends = ["Error", "Exception", "Interrupt", "Exit", "StopIteration", "Warning", "Timeout", "Expired"];
    plain
        && class.starts_with(|c: char| c.is_ascii_uppercase())
        && ends.iter().any(|end| class.ends_with(end))
        && !launchers.contains(&class)
}

/// `bash: ./t.py: cannot execute: required file not found`, `bad interpreter: No such file or directory`.
fn missing_interpreter(line: &str) -> Option<Cause> {
    let signs = ["cannot execute: required file not found", "bad interpreter: No such file or directory"];
    let before = signs.iter().find_map(|sign| line.strip_suffix(sign))?;
    // With `bad interpreter` the interpreter itself stands between: `bash: ./t.py: /usr/bin/nosuch: bad interpreter: …`.
    Some(Cause::NotFound(format!("the interpreter that the first line of {} names", subject(before))))
}

/// `ModuleNotFoundError: No module named 'x'`, and Julia's and R's ways of saying so.
fn missing_module(line: &str) -> Option<Cause> {
    let quoted = |rest: &str, open: char, close: char| {
        let rest = rest.trim_start().strip_prefix(open)?;
        Some(Cause::MissingModule(shortened(&rest[..rest.find(close)?])))
    };
    let after = |sign: &str| line.find(sign).map(|at| &line[at + sign.len()..]);
    after("No module named")
        .and_then(|rest| {
            quoted(rest, '\'', '\'').or_else(|| rest.split_whitespace().next().map(|name| Cause::MissingModule(shortened(name))))
        })
        .or_else(|| after("there is no package called").and_then(|rest| quoted(rest, '‘', '’')))
        .or_else(|| after("ArgumentError: Package").and_then(|rest| Some(Cause::MissingModule(shortened(rest.split_whitespace().next()?)))))
}

/// `bash: line 1: NAME: command not found`, `sh: 1: NAME: not found`, `env: ‘NAME’: No such file or directory`.
fn not_found(line: &str) -> Option<Cause> {
    let before = ["command not found", "not found", "No such file or directory"].iter().find_map(|sign| line.strip_suffix(sign))?;
    Some(Cause::NotFound(subject(before)))
}

fn not_executable(line: &str) -> Option<Cause> {
    let before = ["Permission denied", "cannot execute binary file: Exec format error", "Is a directory"]
        .iter()
        .find_map(|sign| line.strip_suffix(sign))?;
    Some(Cause::NotExecutable(subject(before)))
}

/// The last of `a: b: NAME: `, without quotes.
fn subject(text: &str) -> String {
    let name = text.trim_end().trim_end_matches(':').rsplit(": ").next().unwrap_or_default();
    shortened(name.trim_matches(['\'', '"', '‘', '’']))
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(code: i32, line: &str) -> Option<Cause> {
        refine(Outcome::Failed, Some(Cause::ExitCode(code)), &["Traceback …".into(), line.into()], None)
    }

    #[test]
    fn the_output_says_more_than_the_exit_code() {
        let missing = |name: &str| Some(Cause::MissingModule(name.into()));
        assert_eq!(cause(1, "ModuleNotFoundError: No module named 'torch'"), missing("torch"));
        assert_eq!(cause(1, "/usr/bin/python3: No module named nosuch"), missing("nosuch"));
        assert_eq!(cause(127, "bash: line 1: trian.py: command not found"), Some(Cause::NotFound("trian.py".into())));
        assert_eq!(cause(127, "sh: 1: nosuch: not found"), Some(Cause::NotFound("nosuch".into())));
        assert_eq!(cause(126, "bash: line 1: ./train.sh: Permission denied"), Some(Cause::NotExecutable("./train.sh".into())));
        let line = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.";
        assert_eq!(cause(1, line), Some(Cause::FrameworkOutOfMemory(line.into())));
        assert_eq!(cause(3, "something else"), Some(Cause::ExitCode(3)));
        let interpreter = cause(127, "bash: line 1: ./t.py: cannot execute: required file not found");
        assert_eq!(interpreter, Some(Cause::NotFound("the interpreter that the first line of ./t.py names".into())));
        let raised = |line: &str| Some(Cause::Exception { line: line.into(), code: 1 });
        assert_eq!(cause(1, "ValueError: bad batch"), raised("ValueError: bad batch"));
        assert_eq!(cause(1, "lightning.fabric.MisconfigurationException: no"), raised("lightning.fabric.MisconfigurationException: no"));
        assert_eq!(cause(1, "Error rate: 0.3"), Some(Cause::ExitCode(1)));
        let setup = "setup failed: module load cuda (exit code 127)";
        let line = "neronet: setup failed, the command was not started: module load cuda (exit code 127)";
        assert_eq!(cause(127, line), Some(Cause::NotStarted(setup.into())));
        let abort = refine(Outcome::Failed, Some(Cause::Signal(6)), &["what():  std::bad_alloc".into()], None);
        assert_eq!(abort, Some(Cause::FrameworkOutOfMemory("what():  std::bad_alloc".into())));
    }

    #[test]
    fn what_came_before_the_last_exception_is_not_the_cause() {
        let lines = ["ModuleNotFoundError: No module named 'apex'", "going on without", "ValueError: bad lr"].map(String::from);
        let found = refine(Outcome::Failed, Some(Cause::ExitCode(1)), &lines, Some("python3 t.py"));
        assert_eq!(found, Some(Cause::Exception { line: "ValueError: bad lr".into(), code: 1 }));
        let lines = ["RuntimeError: CUDA out of memory", "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: "];
        let found = refine(Outcome::Failed, Some(Cause::ExitCode(1)), &lines.map(String::from), Some("python3 t.py"));
        assert_eq!(found, Some(Cause::FrameworkOutOfMemory("RuntimeError: CUDA out of memory".into())));
    }

    #[test]
    fn where_nothing_is_known_the_last_line_that_looks_like_an_error_is_told() {
        let refined = |lines: &[&str], code: i32, called: Option<&str>| {
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            refine(Outcome::Failed, Some(Cause::ExitCode(code)), &lines, called).map(|cause| cause.to_string()).unwrap_or_default()
        };
        let said = |lines: &[&str]| refined(lines, 2, Some("cd src && python3 'bin/train.py' --lr 1"));
        let lines =
            ["usage: train.py [-h]", "train.py: error: unrecognized arguments: --machine gpu1", " 40%|####      | 4/10 [00:01<00:02]", ""];
        assert_eq!(said(&lines), "exit code 2: train.py: error: unrecognized arguments: --machine gpu1");
        assert_eq!(refined(&lines, 2, None), "exit code 2", "what was meant for a reader is no reason");
        assert_eq!(refined(&lines, 130, Some("x")), "exit code 130", "it was told to end");
        assert_eq!(said(&[]), "exit code 2");
        assert_eq!(said(&["cannot read data", "INFO: finished epoch 9", ""]), "exit code 2: cannot read data");
        assert_eq!(said(&["train.py: give two folders"]), "exit code 2: train.py: give two folders");
        assert_eq!(
            said(&["thread 'main' panicked at src/main.rs:3:5:", "epoch 4"]),
            "exit code 2: thread 'main' panicked at src/main.rs:3:5:"
        );
        for harmless in [
            "INFO: could not be better: epoch 9 failed never",
            "INFO:root:error 0.3",
            "WARNING: using CPU, no such GPU",
            "[2026-01-02 10:11:12,345][train][INFO] - error 0.1",
            "t.py:3: UserWarning: foo failed",
            "  warnings.warn('an error')",
            "3it [00:01, 9.5it/s]",
            " 40%|####      | 4/10 [00:01<00:02]",
            "+ false # failed",
            "Done in 3 s, see https://example.org/",
            "epoch 3",
        ] {
            assert_eq!(said(&[harmless]), "exit code 2", "{harmless}");
        }
        assert_eq!(said(&["t.py:3: FutureWarning: is old", "foo = invalid()"]), "exit code 2");
    }

    #[test]
    fn what_is_known_better_is_left_alone() {
        let lines = ["No module named 'x'".to_string()];
        assert_eq!(refine(Outcome::Failed, Some(Cause::TimeLimit), &lines, Some("x")), Some(Cause::TimeLimit));
        assert_eq!(refine(Outcome::Finished, None, &lines, Some("x")), None);
    }
}
