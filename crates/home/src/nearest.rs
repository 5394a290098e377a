//! The word that was probably meant.

/// ` (did you mean 'lr'?)`, or nothing when no candidate is near enough to be worth a guess.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|guess| format!(" (did you mean '{guess}'?)")).unwrap_or_default()
}

pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is that long was not mistyped, and comparing costs the square of the length.
    if word.chars().count() > 60 {
        return None;
    }
    let low = word.to_lowercase();
    let length = low.chars().count();
    let reach = (length / 3).max(1);
    let near = candidates.into_iter().filter(|candidate| candidate.len() <= 100).filter_map(|candidate| {
        let other = candidate.to_lowercase();
        let distance = strsim::osa_distance(&low, &other);
        // The end of a name with parts: `loss` for `train/loss`.
        let part = length > 1 && other.split(['/', '.', '_']).any(|part| part == low);
        (part || distance <= reach && distance < length).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// At most so many names, and how many more there are.
pub fn some_of<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let more = names.len().saturating_sub(most);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_nothing_far() {
        assert_eq!(nearest("tets_acc", ["loss", "test_acc"]), Some("test_acc"));
        assert_eq!(nearest("loss", ["train/loss", "acc"]), Some("train/loss"));
        assert_eq!(did_you_mean("reward", ["loss", "acc"]), "");
        assert_eq!(nearest("", ["a"]), None);
    }
}
