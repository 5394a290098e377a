//! The word that was probably meant.

use crate::problem::quoted;

/// The candidate nearest to `word`, if one is near enough to be worth a guess.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is that long was not mistyped, and comparing costs the square of the length.
    if word.chars().count() > 60 {
        return None;
    }
    let low = word.to_lowercase();
    let reach = (low.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len() <= 100)
        .map(|candidate| (strsim::osa_distance(&low, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= reach && *distance < low.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean 'gpus'?`
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|guess| format!("did you mean {}?", quoted(guess)))
}
