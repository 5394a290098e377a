//! The word that was probably meant.

/// ` (did you mean 'and'?)`, or nothing where no candidate is near enough.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let length = word.chars().count();
    // What is that long was not mistyped, and comparing costs the square of the length.
    if length > 60 {
        return String::new();
    }
    let low = word.to_lowercase();
    let reach = (length / 3).max(1);
    let near = candidates.into_iter().map(|candidate| (strsim::osa_distance(&low, candidate), candidate));
    let near = near.filter(|(distance, _)| *distance <= reach && *distance < length).min_by_key(|(distance, _)| *distance);
    near.map(|(_, guess)| format!(" (did you mean '{guess}'?)")).unwrap_or_default()
}
