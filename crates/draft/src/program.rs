//! Where in a command line the program ends and its own arguments begin: launchers, interpreters, modules.

use crate::shell::Word;

/// The words up to the script or program, and what a launcher among them says of GPUs.
pub(crate) struct Head {
    pub(crate) length: usize,
    /// How many processes, and who starts them.
    pub(crate) processes: Option<(String, String)>,
    /// The script, module or program.
    pub(crate) program: String,
}

const LAUNCHERS: [&str; 31] = [
    "accelerate",
    "apptainer",
    "bash",
    "conda",
    "dash",
    "deepspeed",
    "docker",
    "doas",
    "env",
    "horovodrun",
    "ionice",
    "jsrun",
    "mamba",
    "micromamba",
    "mpiexec",
    "mpirun",
    "nice",
    "nohup",
    "pipenv",
    "podman",
    "poetry",
    "setsid",
    "sh",
    "singularity",
    "srun",
    "stdbuf",
    "time",
    "timeout",
    "torchrun",
    "uv",
    "xvfb-run",
];
const INTERPRETERS: [&str; 8] = ["python", "pypy", "Rscript", "julia", "node", "perl", "ruby", "ipython"];
/// Modules that run a script.
const RUNNING: [&str; 9] = [
    "torch.distributed.launch",
    "torch.distributed.run",
    "torch.distributed.elastic",
    "accelerate.commands.launch",
    "deepspeed.launcher.runner",
    "coverage",
    "cProfile",
    "kernprof",
    "debugpy",
];
const SCRIPTS: [&str; 9] = [".py", ".sh", ".bash", ".R", ".r", ".jl", ".pl", ".rb", ".lua"];
/// Options of launchers that say how many processes there are, each with a GPU, most often.
const PROCESSES: [&str; 6] = ["--nproc_per_node", "--nproc-per-node", "--num_processes", "--num-processes", "--num_gpus", "--num-gpus"];

pub(crate) fn head(words: &[Word]) -> Head {
    let literal: Vec<String> = words.iter().map(|word| word.literal().unwrap_or_default()).collect();
    let length = length(&literal);
    let mut processes = None;
    for (at, word) in literal[..length].iter().enumerate() {
        let (name, joined) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value.to_string())));
        if let Some(value) = joined.or_else(|| literal[..length].get(at + 1).cloned()).filter(|_| PROCESSES.contains(&name)) {
            let launcher = literal.iter().find(|word| LAUNCHERS.contains(&file(word))).map_or("the launcher", |word| file(word));
            processes = Some((value, launcher.to_string()));
        }
    }
    let program = literal[..length].last().cloned().unwrap_or_default();
    Head { length, processes, program }
}

fn length(words: &[String]) -> usize {
    let Some(first) = words.first() else { return 0 };
    if !is_launcher(first) && !is_interpreter(first) {
        return 1;
    }
    let mut at = 1;
    let mut interpreter = is_interpreter(first);
    while let Some(word) = words.get(at) {
        if is_script(word) {
            return at + 1;
        }
        if interpreter && word == "-c" {
            return (at + 2).min(words.len());
        }
        if interpreter && word == "-m" {
            let module = words.get(at + 1).map_or("", String::as_str);
            if !RUNNING.contains(&module) {
                return (at + 2).min(words.len());
            }
            interpreter = false;
            at += 1;
        }
        interpreter |= is_interpreter(word);
        at += 1;
    }
    // No script at all: the first word behind the launchers that is neither an option nor a number.
    let is_program = |word: &String| {
        !word.starts_with('-')
            && !word.contains('=')
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && !is_launcher(word)
            && !is_interpreter(word)
    };
    let path = words.iter().skip(1).position(|word| is_program(word) && word.contains('/'));
    let found =
        path.or_else(|| words.iter().skip(1).position(|word| is_program(word) && !matches!(word.as_str(), "run" | "launch" | "exec")));
    found.map_or(1, |at| at + 2)
}

fn file(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_launcher(word: &str) -> bool {
    LAUNCHERS.contains(&file(word))
}

fn is_interpreter(word: &str) -> bool {
    INTERPRETERS.contains(&file(word).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

fn is_script(word: &str) -> bool {
    !word.starts_with('-') && SCRIPTS.iter().any(|ending| word.ends_with(ending))
}

/// A name for what a program does: of `src/train.py` and of `pkg.train` it is `train`.
pub(crate) fn stem(program: &str) -> String {
    let file = file(program);
    let jobs = [".sbatch", ".slurm", ".sge", ".job"];
    let stem = match SCRIPTS.iter().chain(&jobs).find_map(|ending| file.strip_suffix(ending)) {
        Some(stem) => stem,
        None => file.rsplit('.').next().unwrap_or(file),
    };
    experiment_name(stem)
}

/// A text as the name of an experiment.
pub(crate) fn experiment_name(text: &str) -> String {
    let clean: String = text.chars().take(60).map(|c| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' }).collect();
    let clean = clean.trim_matches(['-', '.']);
    // A number would be the id of a run, and `last` is the last one.
    let taken = clean.is_empty() || clean == "last" || clean.chars().all(|c| c.is_ascii_digit() || c == '-');
    if taken { format!("run-{clean}").trim_end_matches('-').to_string() } else { clean.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_begin_behind_the_script() {
        for (line, length) in [
            ("python -u train.py --lr 0.1", 3),
            ("python -m pkg.train --config x.py", 3),
            ("python -m torch.distributed.launch --nproc_per_node=4 train.py --lr 1", 5),
            ("torchrun --nproc_per_node 4 train.py --lr 1", 4),
            ("accelerate launch fit.py x", 3),
            ("mpirun -np 4 ./sim --dt 0.1", 4),
            ("nice -n 10 sim --dt 0.1", 4),
            ("uv run train.py", 3),
            ("./train --x 1", 1),
            ("conda run -n env python train.py --x 1", 6),
            ("python", 1),
        ] {
            let words: Vec<Word> = line.split(' ').map(Word::typed).collect();
            assert_eq!(head(&words).length, length, "{line}");
        }
    }
}
