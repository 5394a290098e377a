//! Every example of the language's page is a whole specification.

use crate::reading::lines;
use neronet_spec::{Plan, Severity, parse};

/// The blocks of a page in one language.
pub(crate) fn examples(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_string())).collect()
}

const PAGE: &str = include_str!("../../../../docs/specification.md");

fn plans(language: &str, path: &str) -> Vec<Plan> {
    let read = |text: String| parse(&text, path, None, &[]).unwrap_or_else(|problems| panic!("{problems}\nin\n{text}"));
    examples(PAGE, language).into_iter().map(read).collect()
}

#[test]
fn every_example_is_read_without_a_word_of_warning() {
    let toml = plans("toml", "neronet.toml");
    let yaml = plans("yaml", "neronet.yaml");
    assert!(toml.len() >= 6 && yaml.len() == 1, "{} {}", toml.len(), yaml.len());
    for plan in toml.iter().chain(&yaml) {
        // What is understood and not honoured yet is a note.
        let warnings = plan.warnings.iter().filter(|problem| problem.severity == Severity::Warning);
        let said: Vec<String> = warnings.map(ToString::to_string).collect();
        assert_eq!(said, Vec::<String>::new());
    }
    let counts = |plan: &Plan| plan.experiments.iter().map(neronet_spec::Experiment::count).collect::<Vec<_>>();
    // What the page says of them.
    let all: Vec<Vec<u64>> = toml.iter().map(counts).collect();
    assert!(all[0] == [3] && all.contains(&vec![60]) && all.contains(&vec![1, 2]), "{all:?}");
    assert!(lines(&yaml[0], 0)[0].contains("amp=no"));
}

#[test]
fn the_example_of_targets_is_read() {
    let page = include_str!("../../../../docs/targets.md");
    let whole: Vec<String> = examples(page, "toml").into_iter().filter(|text| text.contains("[targets.")).collect();
    assert!(!whole.is_empty());
    for text in whole {
        let read = neronet_spec::targets(&text, "targets.toml").unwrap_or_else(|problems| panic!("{problems}\nin\n{text}"));
        assert!(!read.groups.is_empty() && read.targets.len() > 1, "{text}");
    }
}
