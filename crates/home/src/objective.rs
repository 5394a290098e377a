//! What "best" means among runs: their objectives, else a guess from the names of their metrics. Guesses are only ever shown.

use crate::varying::names as names_of_params;
use crate::view::{View, metric_names, of_extents};
use neronet_model::event::Extent;
use neronet_model::settings::Goal;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Metrics that a listing has room for.
const MOST: usize = 3;

/// A metric that tells how good a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    pub metric: String,
    pub goal: Option<Goal>,
    /// Nobody said so: it was guessed from its name.
    pub guessed: bool,
}

impl Telling {
    /// Any metric by its name, as these runs see it.
    pub fn of(views: &[&View<'_>], metric: &str) -> Telling {
        let stated = views.iter().flat_map(|view| &view.sweep.settings.objectives).find(|objective| objective.metric == metric);
        match stated {
            Some(objective) => Telling { metric: metric.to_string(), goal: Some(objective.goal), guessed: false },
            None => Telling { metric: metric.to_string(), goal: goal_of(metric), guessed: true },
        }
    }

    /// The number that stands for a run: its best where an objective says what that is, else its last.
    pub fn value(&self, view: &View<'_>) -> Option<f64> {
        view.extent(&self.metric).map(|extent| self.value_of(&extent))
    }

    pub fn value_of(&self, extent: &Extent) -> f64 {
        match self.goal {
            Some(Goal::Min) if !self.guessed => extent.min,
            Some(Goal::Max) if !self.guessed => extent.max,
            _ => extent.last,
        }
    }

    /// The column of that number.
    pub(crate) fn column(&self) -> String {
        let which = match self.goal {
            Some(Goal::Min) if !self.guessed => "min",
            Some(Goal::Max) if !self.guessed => "max",
            _ => "last",
        };
        format!("metrics.{}.{which}", self.metric)
    }

    /// `test_acc max` of an objective, which is how it is written in a specification; the bare name of a guess.
    pub fn title(&self) -> String {
        match self.goal {
            Some(goal) if !self.guessed => format!("{} {}", self.metric, word(goal)),
            _ => self.metric.clone(),
        }
    }

    /// Better first; what is no number or not there comes last. Without a direction: ascending.
    pub fn order(&self, a: Option<f64>, b: Option<f64>) -> Ordering {
        match (a.filter(|a| !a.is_nan()), b.filter(|b| !b.is_nan())) {
            (Some(a), Some(b)) if self.goal == Some(Goal::Max) => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => b.is_some().cmp(&a.is_some()),
        }
    }

    /// The best of several runs, when there are several to choose from and a direction to choose by.
    pub fn best<'v, 'a>(&self, views: &[&'v View<'a>]) -> Option<(&'v View<'a>, f64)> {
        self.goal?;
        let mut with: Vec<_> =
            views.iter().filter_map(|view| Some((*view, self.value(view)?))).filter(|(_, value)| value.is_finite()).collect();
        with.sort_by(|a, b| self.order(Some(a.1), Some(b.1)));
        if with.len() > 1 { with.first().copied() } else { None }
    }
}

pub fn word(goal: Goal) -> &'static str {
    match goal {
        Goal::Min => "min",
        Goal::Max => "max",
    }
}

/// The few metrics that tell most about these runs: their objectives first, then by their names. Only such as a run has.
pub fn telling(views: &[&View<'_>]) -> Vec<Telling> {
    let mut found: Vec<Telling> = Vec::new();
    let has = |metric: &str| of_extents(views, metric, |_, _| Some(())).iter().any(Option::is_some);
    for objective in views.iter().flat_map(|view| &view.sweep.settings.objectives) {
        if found.iter().all(|known| known.metric != objective.metric) && has(&objective.metric) {
            found.push(Telling { metric: objective.metric.clone(), goal: Some(objective.goal), guessed: false });
        }
    }
    let params: BTreeSet<&str> = names_of_params(views).into_iter().collect();
    let names = metric_names(views);
    let mut guesses: Vec<(u8, bool, usize, &str)> = names
        .iter()
        .map(|(name, known)| (name.as_str(), *known))
        .filter(|(name, _)| !name.starts_with("sys/") && !params.contains(name) && !is_setting(name))
        .filter(|(name, _)| found.iter().all(|known| known.metric != *name))
        .map(|(name, (runs, curve))| (rank(name), !curve, usize::MAX - runs, name))
        .collect();
    guesses.sort_unstable();
    // What has neither a telling name nor better company is shown all the same.
    let plain = found.is_empty() && guesses.first().is_some_and(|guess| guess.0 >= 6);
    let worth = guesses.into_iter().filter(|guess| plain || guess.0 < 6).map(|(.., name)| name);
    let room = MOST.saturating_sub(found.len());
    found.extend(worth.take(room).map(|name| Telling { metric: name.to_string(), goal: goal_of(name), guessed: true }));
    found
}

/// Held-out data before the rest, scores before losses, what has a direction before what has none.
fn rank(name: &str) -> u8 {
    let parts = parts(name);
    let held_out = parts.iter().any(|part| matches!(part.as_str(), "val" | "valid" | "validation" | "test" | "eval" | "dev"));
    match (goal_of(name), held_out) {
        (Some(Goal::Max), true) => 0,
        (Some(Goal::Min), true) => 1,
        (Some(Goal::Max), false) => 2,
        (Some(Goal::Min), false) => 3,
        (None, true) => 5,
        (None, false) => 6,
    }
}

/// What scripts print beside their results.
pub(crate) fn is_setting(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    matches!(last, "lr" | "learning_rate" | "epoch" | "epochs" | "step" | "steps" | "iter" | "time" | "seed" | "batch_size" | "grad_norm")
}

/// Which way a metric is better, by its name.
pub fn goal_of(name: &str) -> Option<Goal> {
    const LOW: [&str; 16] = [
        "loss",
        "err",
        "error",
        "perplexity",
        "ppl",
        "mse",
        "mae",
        "rmse",
        "nll",
        "wer",
        "cer",
        "fid",
        "bpc",
        "bpd",
        "regret",
        "elbo_loss",
    ];
    const HIGH: [&str; 22] = [
        "acc",
        "accuracy",
        "f1",
        "auc",
        "auroc",
        "score",
        "reward",
        "rewards",
        "bleu",
        "rouge",
        "return",
        "iou",
        "miou",
        "map",
        "psnr",
        "ssim",
        "dice",
        "precision",
        "recall",
        "r2",
        "top1",
        "top5",
    ];
    // The last word of a name is what it is; those before say of what: `error_rate`, `acc_loss`.
    parts(name).iter().rev().find_map(|part| {
        let bare = part.trim_end_matches(|c: char| c.is_ascii_digit());
        if LOW.contains(&part.as_str()) || LOW.contains(&bare) || part.ends_with("loss") || part.ends_with("error") {
            Some(Goal::Min)
        } else if HIGH.contains(&part.as_str()) || HIGH.contains(&bare) || part.ends_with("accuracy") || part.ends_with("acc") {
            Some(Goal::Max)
        } else {
            None
        }
    })
}

/// `val/topAcc_1` as val, top, acc, 1.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before.is_lowercase()) {
            parts.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_read_from_names() {
        for name in ["loss", "train/loss", "valLoss", "val_error", "error_rate", "test_ppl", "eval_loss", "RMSE"] {
            assert_eq!(goal_of(name), Some(Goal::Min), "{name}");
        }
        for name in ["acc", "test_accuracy", "Acc@1", "acc5", "val/F1", "episode_reward", "top1", "bleu"] {
            assert_eq!(goal_of(name), Some(Goal::Max), "{name}");
        }
        for name in ["lr", "width", "", "glossary_x", "sys/gpu0_memory"] {
            assert_eq!(goal_of(name), None, "{name}");
        }
        assert!(rank("val_acc") < rank("val_loss") && rank("val_loss") < rank("acc") && rank("acc") < rank("loss"));
    }

    #[test]
    fn better_comes_first_and_no_number_last() {
        let max = Telling { metric: "acc".into(), goal: Some(Goal::Max), guessed: true };
        let mut values = [Some(f64::NAN), Some(1.0), None, Some(3.0), Some(f64::NEG_INFINITY)];
        values.sort_by(|a, b| max.order(*a, *b));
        assert_eq!(values[..3], [Some(3.0), Some(1.0), Some(f64::NEG_INFINITY)]);
        assert!(values[3].is_some_and(f64::is_nan) && values[4].is_none());
    }
}
