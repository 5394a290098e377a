//! Names of experiments: which are allowed, and the one that a command suggests.

use crate::{scan, simple, template};
use neronet_model::settings::Command;

/// Why a text cannot name an experiment, if it cannot: names stand in listings and filters beside ids such as `42` and `40-50`.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.+=,".contains(c);
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > 100 {
        Some("it is longer than 100 characters")
    } else if !name.chars().all(allowed) {
        Some("letters, digits, '-', '_', '.', '+', '=' and ',' are allowed")
    } else if name.chars().all(|c| c.is_ascii_digit() || c == '-') {
        Some("it looks like the id of a run")
    } else if name == "last" {
        Some("it means the last run")
    } else if name.starts_with(['-', '.']) {
        Some("it begins with a dash or a dot")
    } else {
        None
    }
}

/// A name like this one that is allowed.
pub(crate) fn mended(name: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || "-_.+=,".contains(c) { c } else { '-' };
    let name: String = name.trim().chars().take(40).map(allowed).collect();
    let name = name.trim_matches(['-', '.']).to_string();
    if refusal(&name).is_none() { name } else { format!("run-{name}").trim_end_matches('-').to_string() }
}

/// Programs that run another: the name is in what follows them.
fn runs_another(program: &str) -> bool {
    let version = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    matches!(version, "python" | "pypy")
        || matches!(
            program,
            "bash"
                | "sh"
                | "dash"
                | "zsh"
                | "Rscript"
                | "julia"
                | "node"
                | "perl"
                | "ruby"
                | "torchrun"
                | "accelerate"
                | "conda"
                | "mamba"
                | "micromamba"
                | "exec"
                | "deepspeed"
                | "env"
                | "nice"
                | "nohup"
                | "time"
                | "timeout"
                | "stdbuf"
                | "uv"
                | "poetry"
                | "mpirun"
                | "mpiexec"
                | "srun"
                | "xvfb-run"
        )
}

/// The name that a command suggests.
pub(crate) fn of_command(command: &Command) -> String {
    match command {
        Command::Argv(words) => of_words(&words.iter().map(String::as_str).collect::<Vec<_>>()),
        Command::Shell(text) => {
            let Ok(scan) = scan::scan(text, &template::tokens(text), true) else {
                return of_words(&text.split_whitespace().collect::<Vec<_>>());
            };
            let commands = simple::commands(text, &scan);
            let works = commands.iter().find(|command| !command.prepares() && !WAITING.contains(&command.name()));
            of_words(&works.or(commands.first()).map(simple::Simple::called).unwrap_or_default())
        }
    }
}

/// What comes before the program that is meant, besides what prepares the shell.
const WAITING: [&str; 6] = ["sleep", "wait", "trap", "for", "while", "until"];

/// Options of programs that run another whose value is a word of its own.
const WITH_VALUE: [&str; 6] = ["-n", "-p", "--name", "--prefix", "--cwd", "--partition"];

/// The name that a command line suggests: its script, else its program.
pub(crate) fn of_words(words: &[&str]) -> String {
    let is_value = |word: &str| word.starts_with('-') || word.contains('=') || word.starts_with(|c: char| c.is_ascii_digit());
    let mut rest = words;
    // `X=1 python train.py`
    while rest.len() > 1 && rest[0].contains('=') && !rest[0].contains('/') {
        rest = &rest[1..];
    }
    let mut name = stem(rest.first().unwrap_or(&""));
    while let Some((program, arguments)) = rest.split_first()
        && runs_another(file(program))
    {
        name = stem(program);
        if let Some(script) = arguments.iter().find(|word| is_script(word)) {
            name = stem(script);
            break;
        }
        if let Some(at) = arguments.iter().position(|word| *word == "-m") {
            name = arguments.get(at + 1).and_then(|module| module.rsplit('.').next()).unwrap_or(name);
            break;
        }
        let mut next = 0;
        while let Some(word) = arguments.get(next).filter(|word| is_value(word) || matches!(**word, "run" | "launch")) {
            next += 1 + usize::from(WITH_VALUE.contains(word));
        }
        if next >= arguments.len() {
            break;
        }
        // `bash -c 'any text'` has no name of its own.
        if arguments[..next].contains(&"-c") || arguments[next].contains(char::is_whitespace) {
            break;
        }
        rest = &arguments[next..];
        name = stem(rest[0]);
    }
    let clean: String = name.chars().take(60).map(|c| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' }).collect();
    let clean = clean.trim_start_matches(['-', '.']);
    match refusal(clean) {
        None => clean.to_string(),
        Some(_) => format!("command-{clean}").trim_end_matches('-').to_string(),
    }
}

fn is_script(word: &str) -> bool {
    let extensions = [".py", ".sh", ".bash", ".R", ".r", ".jl", ".pl", ".rb", ".js", ".lua"];
    !word.starts_with('-') && extensions.iter().any(|extension| word.ends_with(extension))
}

fn file(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

fn stem(path: &str) -> &str {
    let file = file(path);
    match file.rfind('.') {
        Some(at) if at > 0 => &file[..at],
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::{of_command, of_words};
    use neronet_model::settings::Command;

    #[test]
    fn the_script_names_the_experiment() {
        for (command, name) in [
            ("python train.py --lr 0.1", "train"),
            ("/usr/bin/python3.11 -u src/main.py", "main"),
            ("python -m pkg.train --x 1", "train"),
            ("/bin/true", "true"),
            ("./solve input.txt", "solve"),
            ("torchrun --nproc_per_node 2 ddp.py", "ddp"),
            ("accelerate launch fit.py", "fit"),
            ("env A=1 nice -n 10 python x.py", "x"),
            ("OMP=1 ./a.out", "a"),
            ("nice -n 10 ./sim", "sim"),
            ("conda run -n x python fit.py", "fit"),
            ("conda run --name x ./sim", "sim"),
            ("uv run ./sim", "sim"),
            ("python", "python"),
            ("./42", "command-42"),
            ("..", "command"),
            ("", "command"),
        ] {
            assert_eq!(of_words(&command.split_whitespace().collect::<Vec<_>>()), name, "{command}");
        }
        for (command, name) in [
            ("cd src && python train.py", "train"),
            ("sleep 2; ./sim | tee log", "sim"),
            ("export A=1\nsource env.sh\nmodule load cuda\nconda activate x\nexec python3 -m pkg.fit", "fit"),
            ("for x in 1 2; do python t.py $x; done", "t"),
            ("A=1 ./a.out 'an open quote", "a"),
            ("sleep 2; echo done", "sleep"),
        ] {
            assert_eq!(of_command(&Command::Shell(command.into())), name, "{command}");
        }
        assert_eq!(of_words(&["bash", "-c", "echo hello"]), "bash");
    }
}
