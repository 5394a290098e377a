//! The lines of the live table: columns under each other, and fields left out whole where the terminal is narrow.

use neronet_report::words;

/// What the line of a run is made of.
pub(crate) struct Line {
    /// Where the runs are of several.
    pub(crate) experiment: String,
    pub(crate) run: String,
    pub(crate) params: String,
    pub(crate) fields: Vec<(Field, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Progress,
    Metric(usize),
    /// Steps a second.
    Rate,
    /// The time that is left.
    Left,
    Params,
}

/// What is left out first where there is no room.
const SPARE: [Field; 6] = [Field::Rate, Field::Metric(2), Field::Params, Field::Metric(1), Field::Left, Field::Metric(0)];

/// The lines, with all that fits in this width; of each the same.
pub(crate) fn fitted(table: &[Line], width: usize) -> Vec<String> {
    let fits = |lines: &[String]| lines.iter().all(|line| words::columns(line) <= width);
    let shown = (0..=SPARE.len()).map(|spared| without(table, &SPARE[..spared]));
    let mut narrowest = Vec::new();
    for lines in shown {
        if fits(&lines) {
            return lines;
        }
        narrowest = lines;
    }
    narrowest
}

fn without(table: &[Line], spared: &[Field]) -> Vec<String> {
    let params = |line: &Line| if spared.contains(&Field::Params) { String::new() } else { line.params.clone() };
    let heads: Vec<[String; 3]> = table.iter().map(|line| [line.experiment.clone(), line.run.clone(), params(line)]).collect();
    let widest = |at: usize| heads.iter().map(|head| words::columns(&head[at])).max().unwrap_or(0);
    let widths = [widest(0), widest(1), widest(2)];
    let line = |(head, line): (&[String; 3], &Line)| {
        let mut text = String::new();
        for (part, width) in head.iter().zip(widths).filter(|(_, width)| *width > 0) {
            text += &format!("  {part}{}", " ".repeat(width - words::columns(part)));
        }
        for (_, field) in line.fields.iter().filter(|(field, _)| !spared.contains(field)) {
            text += &format!("  {}", words::one_line(field, usize::MAX));
        }
        text.trim_end().to_string()
    };
    heads.iter().zip(table).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Line> {
        let line = |experiment: &str, run: &str, params: &str, loss: &str| Line {
            experiment: experiment.into(),
            run: run.into(),
            params: params.into(),
            fields: vec![
                (Field::Progress, "epoch 3/50".into()),
                (Field::Metric(0), format!("val_acc {loss}")),
                (Field::Metric(1), "loss 0.31".into()),
                (Field::Metric(2), "lr 0.001".into()),
                (Field::Rate, "1.3/s".into()),
                (Field::Left, "ETA 2 min 05 s".into()),
            ],
        };
        vec![line("wide", "run 9", "学習率=0.1", "0.71234"), line("deeper", "run 10", "lr=0.01 act=relu", "0.5")]
    }

    #[test]
    fn what_runs_stands_under_each_other() {
        assert_eq!(
            fitted(&table(), 200),
            [
                "  wide    run 9   学習率=0.1        epoch 3/50  val_acc 0.71234  loss 0.31  lr 0.001  1.3/s  ETA 2 min 05 s",
                "  deeper  run 10  lr=0.01 act=relu  epoch 3/50  val_acc 0.5  loss 0.31  lr 0.001  1.3/s  ETA 2 min 05 s",
            ]
        );
    }

    #[test]
    fn fields_are_left_out_whole() {
        for (width, first) in [
            (100, "  wide    run 9   学習率=0.1        epoch 3/50  val_acc 0.71234  loss 0.31  lr 0.001  ETA 2 min 05 s"),
            (95, "  wide    run 9   学習率=0.1        epoch 3/50  val_acc 0.71234  loss 0.31  ETA 2 min 05 s"),
            (75, "  wide    run 9   epoch 3/50  val_acc 0.71234  loss 0.31  ETA 2 min 05 s"),
            (70, "  wide    run 9   epoch 3/50  val_acc 0.71234  ETA 2 min 05 s"),
            (50, "  wide    run 9   epoch 3/50  val_acc 0.71234"),
            (40, "  wide    run 9   epoch 3/50"),
            (10, "  wide    run 9   epoch 3/50"),
        ] {
            assert_eq!(fitted(&table(), width)[0], first, "{width}");
        }
    }
}
