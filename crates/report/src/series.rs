//! Smoothing and thinning of one series.

/// The running mean that weighs earlier points less the further away they are.
///
/// With `u` the median distance in x between neighbours, `d_i = weight ^ ((x_i − x_{i−1}) / u)`:
///
/// ```text
/// n_i = d_i · n_{i−1} + 1                       n_0 = 0
/// m_i = (d_i · n_{i−1} · m_{i−1} + y_i) / n_i
/// ```
///
/// Dividing by `n_i` takes away the pull towards zero at the start. For evenly spaced points it is the exponential moving average
/// with the given weight a point; for others the distance counts, so that a curve logged half as often is smoothed over the same stretch.
/// It is made from all points, and does not depend on how many are drawn later. A point that is no number stays as it is and is passed over.
/// A weight of 0 or less changes nothing; 0.9999 is the most.
pub fn smooth(points: &[(f64, f64)], weight: f64) -> Vec<(f64, f64)> {
    if weight.is_nan() || weight <= 0.0 {
        return points.to_vec();
    }
    let weight = weight.min(0.9999);
    let unit = median_distance(points);
    let (mut before, mut count, mut mean) = (None, 0.0, 0.0);
    points
        .iter()
        .map(|&(x, y)| {
            if !x.is_finite() || !y.is_finite() {
                return (x, y);
            }
            let distance = before.map_or(0.0, |before: f64| ((x - before) / unit).max(0.0));
            let carried = weight.powf(distance) * count;
            before = Some(x);
            count = carried + 1.0;
            // The mean of numbers cannot be beyond them; its rounding can.
            mean = (mean * (carried / count) + y / count).clamp(f64::MIN, f64::MAX);
            (x, mean)
        })
        .collect()
}

/// The median of the distances between neighbours that lie apart; 1 when there are none.
fn median_distance(points: &[(f64, f64)]) -> f64 {
    let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).map(|&(x, _)| x);
    let mut distances: Vec<f64> = finite.clone().zip(finite.skip(1)).map(|(a, b)| b - a).filter(|d| *d > 0.0 && d.is_finite()).collect();
    if distances.is_empty() {
        return 1.0;
    }
    let middle = distances.len() / 2;
    *distances.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Few enough points to draw in `columns` pixel columns, with no spike hidden: of the points that fall into one column, the first, the last,
/// the lowest and the highest stay, and the first that is no number. The first and the last of all always stay.
///
/// Of a series with ascending x, at most five points a column are left.
pub fn thin(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    thin_along(points, columns, |x| x)
}

/// As [`thin`], on an axis that `place` warps (a logarithm).
pub(crate) fn thin_along(points: &[(f64, f64)], columns: usize, place: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let columns = columns.max(1);
    if points.len() <= columns.saturating_mul(4) {
        return points.to_vec();
    }
    let mut low = f64::INFINITY;
    let mut high = f64::NEG_INFINITY;
    for place in points.iter().map(|&(x, _)| place(x)).filter(|x| x.is_finite()) {
        low = low.min(place);
        high = high.max(place);
    }
    // Halves, since the whole span of two large numbers can be infinite. Not-a-number goes to column 0.
    let scale = columns as f64 / (high / 2.0 - low / 2.0);
    let column = |x: f64| (((place(x) / 2.0 - low / 2.0) * scale) as usize).min(columns - 1);

    let mut kept = Vec::with_capacity(points.len().min(columns.saturating_mul(5)));
    let mut start = 0;
    while start < points.len() {
        let here = column(points[start].0);
        let length = points[start..].iter().take_while(|(x, _)| column(*x) == here).count().max(1);
        keep_extremes(&points[start..start + length], &mut kept);
        start += length;
    }
    kept
}

/// Appends what must stay of the points of one column, in their order.
fn keep_extremes(points: &[(f64, f64)], kept: &mut Vec<(f64, f64)>) {
    let mut lowest = None;
    let mut highest = None;
    let mut broken = None;
    for (at, &(_, y)) in points.iter().enumerate() {
        if !y.is_finite() {
            broken = broken.or(Some(at));
            continue;
        }
        if lowest.is_none_or(|best: usize| y < points[best].1) {
            lowest = Some(at);
        }
        if highest.is_none_or(|best: usize| y > points[best].1) {
            highest = Some(at);
        }
    }
    let mut stay: Vec<usize> = [Some(0), Some(points.len() - 1), lowest, highest, broken].into_iter().flatten().collect();
    stay.sort_unstable();
    stay.dedup();
    kept.extend(stay.into_iter().map(|at| points[at]));
}
