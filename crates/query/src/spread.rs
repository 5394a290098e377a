//! What several runs of the same have in common: mean, spread, and how sure the mean is.

/// Means that are drawn for an interval. Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, ask for a
/// thousand at least.
pub const RESAMPLES: usize = 2_000;

/// Of more values than this the mean is as good as normal, and drawing would take as long as it is useless.
const MANY: usize = 2_000;

/// Of one metric over several runs. Values that are no finite numbers are left out: `count` says of how many it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub count: usize,
    pub mean: f64,
    /// The standard deviation of a sample (divided by `count` - 1); of one value none.
    pub deviation: Option<f64>,
    pub min: f64,
    pub max: f64,
    pub median: f64,
}

impl Spread {
    /// Nothing where there is no finite value.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let values = sorted(values);
        let (min, max) = (*values.first()?, *values.last()?);
        let mean = mean(&values)?;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt());
        let middle = |at: usize| values.get(at).copied().unwrap_or(mean);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 { middle(half) } else { f64::midpoint(middle(half - 1), middle(half)) };
        Some(Spread { count: values.len(), mean, deviation, min, max, median })
    }
}

/// In which the mean lies with 95 % confidence, by the percentile method: values are drawn with replacement, as many as there are,
/// `RESAMPLES` times; of the means so found the 50th and the 1950th are the bounds (Efron and Tibshirani 1993, section 13.3). What
/// is drawn depends on the values alone. Of less than two values there is none.
pub fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let values = sorted(values);
    let count = values.len();
    if count < 2 {
        return None;
    }
    if count > MANY {
        let Spread { mean, deviation, .. } = Spread::of(&values)?;
        let half = 1.959_963_984_540_054 * deviation? / (count as f64).sqrt();
        return Some((mean - half, mean + half));
    }
    let (min, max) = (*values.first()?, *values.last()?);
    // Sums of the largest numbers would be none.
    let part = if (min.abs().max(max.abs()) * count as f64).is_finite() { 1.0 } else { count as f64 };
    let mut random = Random(0x6e65_726f_6e65_7421);
    let mut drawn = || -> f64 { (0..count).filter_map(|_| values.get(random.below(count))).map(|value| value / part).sum() };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| (drawn() / (count as f64 / part)).clamp(min, max)).collect();
    let mut bound = |at: usize| *means.select_nth_unstable_by(at, f64::total_cmp).1;
    Some((bound(RESAMPLES / 40 - 1), bound(RESAMPLES - RESAMPLES / 40 - 1)))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Never outside of the values, whatever rounding does.
fn mean(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = if sum.is_finite() { sum / count } else { values.iter().map(|value| value / count).sum() };
    let min = values.iter().copied().reduce(f64::min)?;
    let max = values.iter().copied().reduce(f64::max)?;
    Some(mean.clamp(min, max))
}

/// SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * count as u128) >> 64) as usize
    }
}
