//! What a name in front of a number means: an axis, a result, configuration, or nothing that belongs in a curve.
//!
//! A name keeps the researcher's spelling; only spaces become `_`. The lists lean to silence: a wrong metric annoys more
//! than a missing one, which a pattern mends.

use crate::prefix::LEVELS;
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Meaning {
    Epoch,
    Step,
    /// A step that counts over the whole training, better than one within an epoch.
    GlobalStep,
    /// `epochs`, `steps`: a total when alone, an axis only as `3/50`.
    Total,
    /// A word that says it is a result: loss, accuracy.
    Result,
    /// Learning rates and the like: results in a line with a step, configuration in a printed configuration or before any step.
    Rate,
    Config,
    /// Nothing is known about it.
    Plain,
    Rejected,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) meaning: Meaning,
    pub(crate) words: usize,
    /// It was cut out of a sentence.
    pub(crate) prose: bool,
    /// The leading word for a part of the data (`Train`, `val`), which also holds for the names after it.
    pub(crate) section: Option<String>,
    /// A part of the data is named anywhere inside.
    pub(crate) sectioned: bool,
}

#[rustfmt::skip]
const SECTIONS: &[&str] = &[
    "train", "training", "val", "valid", "validation", "validating", "test", "testing", "eval", "evaluation", "evaluating", "dev",
];
/// Words between a section's word and its colon, as in `Test set:`.
#[rustfmt::skip]
const SECTION_NOUNS: &[&str] = &[
    "set", "results", "result", "phase", "stats", "metrics", "net", "output", "loop", "dataset", "data",
];
#[rustfmt::skip]
const STOP: &[&str] = &[
    "of", "in", "for", "to", "from", "with", "took", "the", "and", "at", "on", "is", "by", "after", "over", "than", "was", "a", "an",
    "or", "has", "have", "are", "using", "used", "loaded", "found", "into", "per", "about", "between", "until", "only", "got", "reached",
];
/// What often begins a name, besides a part of the data.
const QUALIFIERS: &[&str] =
    &["best", "final", "mean", "avg", "average", "total", "running", "min", "max", "current", "last", "ema", "overall"];
/// What may stand before an axis without making it a remark: `end of epoch 3`.
#[rustfmt::skip]
const BEFORE_AXIS: &[&str] = &[
    "end", "of", "start", "after", "begin", "beginning", "starting", "finished", "completed", "current", "running", "the",
];
const EPOCH: &[&str] = &["epoch", "ep", "epochs seen", "epochs_seen", "epoch no"];
#[rustfmt::skip]
const STEP: &[&str] = &[
    "step", "iter", "iteration", "it", "batch", "minibatch", "timestep", "episode", "update", "train_step", "n_iter", "round",
];
#[rustfmt::skip]
const GLOBAL_STEP: &[&str] = &[
    "global_step", "global step", "num_updates", "total_timesteps", "num_timesteps", "batches seen", "batches_seen",
    "trainer/global_step", "total steps", "timesteps", "total timesteps",
];
const TOTAL: &[&str] = &["epochs", "steps", "iters", "iterations", "batches", "updates", "episodes", "rounds"];
#[rustfmt::skip]
const RATE: &[&str] = &[
    "lr", "learning_rate", "wd", "weight_decay", "momentum", "temperature", "beta", "gamma", "epsilon", "eps", "alpha",
    "lambda", "max_grad_norm", "clip_grad_norm",
];
/// What a loss or another result is weighted with ends so; some are annealed, and printed with their steps.
const RATE_ENDS: &[&str] = &["weight", "coef", "coeff", "coefficient", "scale", "lambda", "smoothing"];
#[rustfmt::skip]
const RESULT: &[&str] = &[
    "acc", "err", "f1", "auc", "ap", "map", "iou", "miou", "dice", "psnr", "ssim", "lpips", "mse", "mae", "rmse", "rmsle", "logloss",
    "nll", "bpb", "bpc", "bpd", "kl", "elbo", "entropy", "ppl", "perplexity", "bleu", "rouge", "meteor", "chrf", "cider", "wer", "cer",
    "fid", "kid", "return", "returns", "reward", "rewards", "score", "precision", "recall", "prec", "top1", "top5", "gnorm", "r2", "mcc",
    "mfu", "mrr", "ndcg", "hit", "hits", "sharpe", "auroc", "auprc", "map50", "ndcg@10", "mlogloss", "merror", "error", "l1", "l2", "ce",
    "bce", "likelihood", "elo",
];
#[rustfmt::skip]
const RESULT_PARTS: &[&str] = &[
    "loss", "accura", "reward", "perplex", "misclass", "likelihood", "grad_norm", "ep_len", "episode_len", "acc@", "prec@", "map@",
];
/// Endings and beginnings of configuration.
#[rustfmt::skip]
const CONFIG_ENDS: &[&str] = &[
    "size", "dim", "dims", "threshold", "decay", "factor", "steps", "epochs", "workers", "interval", "freq", "every", "path", "dir",
    "file", "type", "layers", "heads", "channels", "width", "depth", "units", "ratio", "weights", "bs", "bsz", "patience", "clip", "fn",
];
const CONFIG_STARTS: &[&str] = &["num", "n", "max", "hidden", "use", "warmup", "adam", "no", "enable"];
#[rustfmt::skip]
const CONFIG: &[&str] = &[
    "seed", "dropout", "optimizer", "model", "dataset", "arch", "device", "batchsize", "batch-size", "betas", "nesterov", "backbone",
    "amp", "config", "scheduler", "activation", "output_dir", "data_dir", "fp16", "bf16", "nhead", "nhid", "emsize", "bptt", "nlayers", "bsz", "bs",
    "world_size",
];
/// Measures of the machine, and numbers that identify.
#[rustfmt::skip]
const REJECTED: &[&str] = &[
    "time", "eta", "elapsed", "fps", "mem", "memory", "port", "pid", "ppid", "ip", "version", "python", "pytorch", "torch", "tensorflow",
    "keras", "jax", "numpy", "cuda", "cudnn", "nccl", "driver", "gpu", "gpus", "cpu", "cpus", "cores", "threads", "worker", "workers",
    "node", "nodes", "rank", "host", "hostname", "line", "file", "id", "fold", "trial", "layer", "stage", "phase", "task", "run",
    "client", "page", "chapter", "part", "figure", "table", "exit", "code", "status", "signal", "error_code", "params", "parameters",
    "weights", "flops", "macs", "size", "length", "len", "count", "number", "total", "num", "classes", "images", "samples", "examples",
    "files", "tokens", "vocab", "instances", "warning", "warn", "info", "debug", "critical", "fatal", "commit", "hash", "sha", "date",
    "progress", "runtime", "duration", "speed", "throughput", "wall", "train_wall", "wps", "ups", "wpb", "downloading", "loading",
    "loaded", "loader", "retry", "attempt", "retries", "seconds", "minutes", "hours", "secs", "sec", "ms", "kb", "mb", "gb", "tb",
    "eta_seconds", "v_num", "num_parameters", "level", "year", "month", "day", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
    "sep", "oct", "nov", "dec", "pip", "shape", "address", "localhost", "job", "process", "compute", "capability", "bytes", "rows",
    "columns", "index", "idx", "shards", "checkpoint", "ckpt", "data_time", "batch_time", "eps_time", "timestamp", "created", "mac",
    "uid", "gid", "data", "skipped", "iterations", "steps", "epochs", "batches", "updates", "maxdets", "area", "group", "rev", "revision", "build", "release", "slot", "queue", "partition", "jobid", "temp", "power", "imgsz",
];

/// Decides on a run of words.
pub(crate) fn judge(raw: &str) -> Name {
    let lower = raw.to_lowercase();
    let all: Vec<&str> = raw.split_whitespace().collect();
    let low: Vec<&str> = lower.split_whitespace().collect();
    // Lowering can change what is white space only in theory; then nothing is read.
    if all.len() != low.len() || all.is_empty() || all.len() > 8 {
        return rejected();
    }
    // `WARNING loss` is a loss, `TEST ERROR` is an error.
    let level = |at: usize| at + 1 < all.len() && LEVELS.contains(&all[at]);
    let ends = |at: &usize| STOP.contains(&low[*at]) || low[*at].contains('\u{fffd}') || level(*at);
    let cut = (0..low.len()).rev().find(ends).map_or(0, |at| at + 1);
    let section = (cut == 0 && SECTIONS.contains(&low[0])).then(|| all[0].to_string());
    let skip = usize::from(section.is_some());
    let axis_words = low[cut.max(skip).min(low.len())..].join(" ");
    // `Loss for final step: 0.1` is a loss.
    if let ["final" | "last", axis] = &low[cut..]
        && (STEP.contains(axis) || EPOCH.contains(axis))
    {
        let before = judge(&all[..cut.saturating_sub(1)].join(" "));
        if before.meaning == Meaning::Result {
            return before;
        }
    }
    let before_axis = low[..cut].iter().all(|word| BEFORE_AXIS.contains(word) || SECTIONS.contains(word));
    let axis = if EPOCH.contains(&axis_words.as_str()) {
        Some(Meaning::Epoch)
    } else if STEP.contains(&axis_words.as_str()) {
        Some(Meaning::Step)
    } else if GLOBAL_STEP.contains(&axis_words.as_str()) {
        Some(Meaning::GlobalStep)
    } else if TOTAL.contains(&axis_words.as_str()) {
        Some(Meaning::Total)
    } else {
        None
    };
    let text = all[cut..].join("_");
    let low_text = low[cut..].join("_");
    let words = all.len() - cut;
    let meaning = match axis {
        Some(axis) if before_axis => axis,
        Some(_) => Meaning::Rejected,
        None if words == 0 => Meaning::Rejected,
        None => meaning(&low_text),
    };
    let sectioned = low_text.split(|c: char| !c.is_alphanumeric()).any(|part| SECTIONS.contains(&part));
    Name { text, meaning, words, prose: cut > 0, section, sectioned }
}

fn rejected() -> Name {
    Name { text: String::new(), meaning: Meaning::Rejected, words: 0, prose: true, section: None, sectioned: false }
}

fn meaning(name: &str) -> Meaning {
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Meaning::Rejected;
    };
    let file = [".py", ".cpp", ".cc", ".cu", ".c", ".h", ".rs", ".js", ".go", ".java", ".so", ".pt", ".pth", ".txt", ".yaml", ".json"];
    let exception = ["warning", "exception", "interrupt"].iter().any(|end| name.ends_with(end))
        || name.strip_suffix("error").is_some_and(|kind| kind.ends_with(|c: char| c.is_alphabetic()) && !kind.ends_with("misclass"));
    if file.iter().any(|end| name.ends_with(end)) || (exception && name != "merror") || name.chars().nth(1).is_none() {
        return Meaning::Rejected;
    }
    let rate = RATE.contains(&name)
        || *first == "lr"
        || *last == "lr"
        || name.ends_with("learning_rate")
        || (parts.len() > 1 && RATE_ENDS.contains(last));
    if rate {
        return Meaning::Rate;
    }
    let technical =
        parts.iter().any(|part| matches!(*part, "time" | "eta" | "mem" | "memory" | "elapsed" | "runtime" | "second" | "fps" | "scaler"));
    if technical || name.ends_with("/s") || name.starts_with("ms/") || name.starts_with("s/") || REJECTED.contains(&name) {
        return Meaning::Rejected;
    }
    let config = CONFIG.contains(&name)
        || CONFIG_ENDS.contains(last) && (parts.len() > 1)
        || (CONFIG_STARTS.contains(first) && parts.len() > 1 && !name.contains("loss"));
    let result =
        parts.iter().any(|part| RESULT.contains(part)) || RESULT.contains(&name) || RESULT_PARTS.iter().any(|part| name.contains(part));
    let max_of_result = matches!(*first, "max" | "no") && result;
    if config && !max_of_result {
        return Meaning::Config;
    }
    if result {
        return Meaning::Result;
    }
    // In a longer name one such word is enough to say what it is about.
    if parts.iter().any(|part| REJECTED.contains(part)) {
        return Meaning::Rejected;
    }
    Meaning::Plain
}

/// Whether a name tells a result and nothing else, as `val_loss` does and `loss_weight` does not.
pub(crate) fn is_whole_result(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).all(|part| match part {
        // Bounds, and what is added to a loss.
        "min" | "max" | "l1" | "l2" => false,
        _ => {
            [SECTIONS, QUALIFIERS, RESULT].iter().any(|list| list.contains(&part)) || RESULT_PARTS.iter().any(|head| part.starts_with(head))
        }
    })
}

/// Whether a word belongs to the name behind it, as in `best val loss`.
pub(crate) fn begins_name(word: &str) -> bool {
    SECTIONS.iter().chain(QUALIFIERS).any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a word before a name shows that a sentence goes on there; bytes that are no text are none of a name's.
pub(crate) fn is_prose(word: &str) -> bool {
    word.contains('\u{fffd}') || ["no", "not", "without"].iter().any(|known| known.eq_ignore_ascii_case(word))
}

pub(crate) fn is_section(word: &str) -> bool {
    let is = |word: &str, list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(word));
    let mut words = word.split_whitespace();
    words.next().is_some_and(|first| is(first, SECTIONS)) && words.all(|noun| is(noun, SECTION_NOUNS))
}

/// Verdicts that were reached before: a script prints the same few names for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    known: HashMap<Box<str>, u32>,
    names: Vec<Name>,
}

impl Judge {
    /// The number of the verdict on `raw`, for [`Judge::name`].
    pub(crate) fn judge(&mut self, raw: &str) -> u32 {
        if let Some(known) = self.known.get(raw) {
            return *known;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(judge(raw));
        self.known.insert(raw.into(), number);
        number
    }

    pub(crate) fn meaning(&mut self, raw: &str) -> Meaning {
        let number = self.judge(raw);
        self.name(number).meaning
    }

    pub(crate) fn name(&self, number: u32) -> &Name {
        &self.names[number as usize]
    }

    /// Between lines: forgets all when scripts that print ever new words have filled it.
    pub(crate) fn trim(&mut self) {
        if self.names.len() > 2000 {
            self.known.clear();
            self.names.clear();
        }
    }
}
