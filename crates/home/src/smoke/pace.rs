//! How fast a training goes and how long it would take, by what its rows tell of steps and epochs. Pure.

use crate::length::{EPOCHS, STEPS, given};
use neronet_model::{Millis, Params, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    Step,
    Epoch,
}

/// Once it is warm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    pub axis: Axis,
    pub per_second: f64,
}

/// How long a training is.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    pub axis: Axis,
    pub count: f64,
    /// Epochs, and steps in each, where `count` is their product.
    pub epochs_of: Option<(f64, f64)>,
    /// The parameter that says so, else the script printed it.
    pub param: Option<String>,
}

/// How long one run would take.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub start_up: Millis,
    pub run: Millis,
    pub total: Total,
}

/// A fold over the rows of a run, in their order.
#[derive(Debug, Default)]
pub(super) struct Pace {
    steps: Track,
    epochs: Track,
    /// Steps of the epochs before, where a script counts anew in each; how many the last had.
    before: f64,
    lap: Option<f64>,
    step: Option<f64>,
    epoch: Option<f64>,
    first_epoch: Option<f64>,
    fractions: bool,
    /// Steps went on growing from one epoch to the next.
    went_on: bool,
    steps_told: Option<f64>,
    epochs_told: Option<f64>,
}

/// Seconds since the start, with what was reached by then; both grow.
#[derive(Debug, Default)]
struct Track(Vec<(f64, f64)>);

impl Track {
    fn add(&mut self, t: f64, reached: f64) {
        if self.0.last().is_some_and(|(_, last)| reached <= *last) {
            return;
        }
        // What was read in one go came at no time that is known.
        self.0.pop_if(|(last, _)| *last >= t);
        self.0.push((t, reached));
    }

    /// A second, over the second half of the time.
    fn rate(&self, lasted: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1).filter(|last| *last > 0)?;
        let half = self.0.partition_point(|(t, _)| *t <= lasted / 2.0);
        let (from, to) = (self.0[half.saturating_sub(1).min(last - 1)], self.0[last]);
        Some((to.1 - from.1) / (to.0 - from.0)).filter(|rate| rate.is_finite() && *rate > 0.0)
    }
}

impl Pace {
    pub(super) fn add(&mut self, row: &Row) {
        let t = row.t.seconds();
        self.steps_told = row.steps.filter(|steps| *steps > 0).map(|steps| steps as f64).or(self.steps_told);
        self.epochs_told = row.epochs.filter(|epochs| *epochs > 0.0).or(self.epochs_told);
        let next_epoch = row.epoch.zip(self.epoch).is_some_and(|(now, last)| now.floor() > last.floor());
        if let Some(step) = row.step.map(|step| step as f64) {
            match self.step {
                Some(last) if step < last || (next_epoch && step == last) => {
                    let lap = row.steps.map_or(last, |steps| steps as f64);
                    self.lap = Some(lap);
                    self.before += lap;
                }
                Some(_) if next_epoch => self.went_on = true,
                _ => {}
            }
            self.step = Some(step);
            self.steps.add(t, self.before + step);
        }
        if let Some(epoch) = row.epoch.filter(|epoch| epoch.is_finite()) {
            self.first_epoch.get_or_insert(epoch);
            self.fractions |= epoch.fract() != 0.0;
            self.epoch = Some(epoch);
            self.epochs.add(t, epoch);
        }
    }

    pub(super) fn speed(&self, lasted: Millis) -> Option<Speed> {
        let of = |axis, track: &Track| Some(Speed { axis, per_second: track.rate(lasted.seconds())? });
        of(Axis::Step, &self.steps).or_else(|| of(Axis::Epoch, &self.epochs))
    }

    pub(super) fn forecast(&self, lasted: Millis, params: &Params) -> Option<Forecast> {
        self.totals(params).into_iter().find_map(|total| {
            let (track, behind) = match total.axis {
                Axis::Step => (&self.steps, 0.0),
                // Epochs that are told when they end, the first as 0.
                Axis::Epoch => (&self.epochs, if self.first_epoch == Some(0.0) && !self.fractions { 1.0 } else { 0.0 }),
            };
            let rate = track.rate(lasted.seconds())?;
            let (t, reached) = track.0.last().map(|(t, reached)| (*t, reached + behind))?;
            let millis = |seconds: f64| Millis((seconds.max(0.0) * 1000.0) as u64);
            Some(Forecast { start_up: millis(t - reached / rate), run: millis(t + (total.count - reached).max(0.0) / rate), total })
        })
    }

    /// What is known of the length, the finest first.
    fn totals(&self, params: &Params) -> Vec<Total> {
        let told = |told: Option<f64>| told.map(|count| (count, None));
        let epochs = told(self.epochs_told).or_else(|| given(params, &EPOCHS));
        let steps = told(self.steps_told).or_else(|| given(params, &STEPS));
        // Of bars and counters with a total, most begin anew with each epoch.
        let all_told = given(params, &STEPS).is_some_and(|(count, _)| Some(count) == self.steps_told);
        let anew = self.lap.is_some() || (!self.went_on && !all_told && epochs.is_some() && self.steps_told.is_some());
        let by_step = match (anew, epochs.clone(), self.steps_told.or(self.lap), steps) {
            (true, Some((epochs, param)), Some(each), _) => {
                Some(Total { axis: Axis::Step, count: epochs * each, epochs_of: Some((epochs, each)), param })
            }
            (false, _, _, Some((count, param))) => Some(Total { axis: Axis::Step, count, epochs_of: None, param }),
            _ => None,
        };
        let by_epoch = epochs.map(|(count, param)| Total { axis: Axis::Epoch, count, epochs_of: None, param });
        by_step.into_iter().chain(by_epoch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::Value;

    #[derive(Default)]
    struct Told {
        epoch: Option<f64>,
        epochs: Option<f64>,
        step: Option<i64>,
        steps: Option<i64>,
    }

    /// Rows at these seconds, and what is made of them: speed, length, start-up and the whole, in seconds.
    fn forecast(rows: &[(f64, Told)], lasted: f64, params: &[(&str, i64)]) -> (Option<Speed>, Option<(f64, f64, f64)>) {
        let mut pace = Pace::default();
        for (t, Told { epoch, epochs, step, steps }) in rows {
            let t = Millis((t * 1000.0) as u64);
            pace.add(&Row { t, epoch: *epoch, epochs: *epochs, step: *step, steps: *steps, ..Row::default() });
        }
        let params = params.iter().map(|(name, value)| (name.to_string(), Value::Int(*value))).collect();
        let lasted = Millis((lasted * 1000.0) as u64);
        let told = pace.forecast(lasted, &params);
        (pace.speed(lasted), told.map(|told| (told.total.count, told.start_up.seconds(), told.run.seconds())))
    }

    fn steps_at(times: &[(f64, i64)], steps: Option<i64>) -> Vec<(f64, Told)> {
        times.iter().map(|(t, step)| (*t, Told { step: Some(*step), steps, ..Told::default() })).collect()
    }

    fn by(axis: Axis, per_second: f64) -> Option<Speed> {
        Some(Speed { axis, per_second })
    }

    #[test]
    fn the_first_steps_are_slow_and_count_as_start_up() {
        let warm = [(8.0, 1), (9.0, 2), (10.0, 10), (15.0, 60), (20.0, 110)];
        assert_eq!(forecast(&steps_at(&warm, Some(1000)), 20.0, &[]), (by(Axis::Step, 10.0), Some((1000.0, 9.0, 109.0))));
        assert_eq!(forecast(&steps_at(&warm, None), 20.0, &[]), (by(Axis::Step, 10.0), None));
        assert_eq!(forecast(&steps_at(&warm, None), 20.0, &[("max_steps", 1000)]).1, Some((1000.0, 9.0, 109.0)));
        assert_eq!(forecast(&steps_at(&warm[..1], Some(1000)), 20.0, &[]), (None, None), "one point has no speed");
    }

    #[test]
    fn epochs_that_are_told_at_their_ends_give_a_total_or_a_parameter_does() {
        let epochs = |first: f64, total: Option<f64>| -> Vec<(f64, Told)> {
            (0..4).map(|n| (5.0 + 4.0 * n as f64, Told { epoch: Some(first + n as f64), epochs: total, ..Told::default() })).collect()
        };
        let expected = Some((50.0, 1.0, 201.0));
        assert_eq!(forecast(&epochs(1.0, Some(50.0)), 20.0, &[]), (by(Axis::Epoch, 0.25), expected));
        assert_eq!(forecast(&epochs(1.0, None), 20.0, &[("optim.num-epochs", 50)]).1, expected);
        assert_eq!(forecast(&epochs(0.0, None), 20.0, &[("epochs", 50)]).1, expected, "the first is 0");
        assert_eq!(forecast(&epochs(1.0, None), 20.0, &[("epochs", -1)]).1, None);
    }

    #[test]
    fn steps_that_begin_anew_are_those_of_an_epoch() {
        let row = |t, epoch, step| (t, Told { epoch: Some(epoch), epochs: Some(10.0), step: Some(step), steps: Some(100) });
        let within = [row(1.0, 1.0, 10), row(10.0, 1.0, 100)];
        assert_eq!(forecast(&within, 10.0, &[]), (by(Axis::Step, 10.0), Some((1000.0, 0.0, 100.0))));
        let over = [row(1.0, 1.0, 10), row(10.0, 1.0, 100), row(11.0, 2.0, 10), row(20.0, 2.0, 100)];
        assert_eq!(forecast(&over, 20.0, &[]), (by(Axis::Step, 10.0), Some((1000.0, 0.0, 100.0))));
        let bars = steps_at(&[(1.0, 10), (10.0, 100), (11.0, 10), (20.0, 100)], Some(100));
        assert_eq!(forecast(&bars, 20.0, &[("epochs", 10)]), (by(Axis::Step, 10.0), Some((1000.0, 0.0, 100.0))));
        assert_eq!(forecast(&bars, 20.0, &[]).1, None, "nobody says how many bars there will be");
    }

    #[test]
    fn steps_that_go_on_over_epochs_are_those_of_the_training() {
        let row = |t, epoch, step| (t, Told { epoch: Some(epoch), epochs: Some(10.0), step: Some(step), steps: Some(1000) });
        let rows = [row(1.0, 1.0, 10), row(10.0, 1.0, 100), row(11.0, 2.0, 110), row(20.0, 2.0, 200)];
        assert_eq!(forecast(&rows, 20.0, &[]).1, Some((1000.0, 0.0, 100.0)));
        let named = steps_at(&[(1.0, 10), (20.0, 200)], Some(1000));
        assert_eq!(forecast(&named, 20.0, &[("epochs", 10), ("steps", 1000)]).1, Some((1000.0, 0.0, 100.0)));
    }

    #[test]
    fn what_makes_no_sense_gives_no_speed() {
        let same_time = steps_at(&[(1.0, 1), (1.0, 2), (1.0, 3)], Some(10));
        assert_eq!(forecast(&same_time, 2.0, &[]), (None, None));
        let strange = [(1.0, Told { epoch: Some(f64::NAN), epochs: Some(f64::NAN), ..Told::default() })];
        assert_eq!(forecast(&strange, 2.0, &[]), (None, None));
        let far = forecast(&steps_at(&[(1.0, 1), (2.0, 2)], Some(i64::MAX)), 2.0, &[]).1.expect("a forecast");
        assert!(far.2.is_finite());
    }
}
