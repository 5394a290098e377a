//! Which runs an experiment has: the combinations of its parameters' values, counted and made one at a time.

use crate::draw::Distribution;
use crate::expr::{Expr, Failure};
use neronet_model::{Params, Value};
use std::collections::BTreeSet;

/// Combinations that are looked at one by one, where a condition or a derived value asks for it.
pub(crate) const MOST_LOOKED_AT: u64 = 10_000_000;

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Space {
    /// In the order of the file.
    params: Vec<(String, Source)>,
    /// How many values each axis has, the last one fastest.
    axes: Vec<u64>,
    /// Places of derived parameters, each behind those that it needs.
    derived: Vec<usize>,
    /// The combinations that a condition leaves, where there is one.
    kept: Option<Vec<u64>>,
}

/// Where a parameter gets its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Fixed(Value),
    /// One value for each place on an axis.
    Axis(usize, Vec<Value>),
    /// The draw of each place on an axis. Made when it is asked for: millions of them would be large.
    Drawn {
        axis: usize,
        distribution: Distribution,
        seed: i64,
    },
    Derived(Expr<usize>),
}

/// A combination at which something cannot be worked out.
#[derive(Debug)]
pub(crate) struct Stuck {
    /// The place of a derived parameter; none where it is the condition.
    pub(crate) param: Option<usize>,
    pub(crate) why: Failure,
    pub(crate) at: Params,
}

impl Space {
    /// `derived` must list the places of all derived parameters so that each comes behind what it needs.
    pub(crate) fn new(params: Vec<(String, Source)>, axes: Vec<u64>, derived: Vec<usize>) -> Space {
        Space { params, axes, derived, kept: None }
    }

    /// The one combination with these values; what is derived is worked out from them. Nothing where that cannot be done, or a
    /// value is not among them.
    pub(crate) fn one(&self, params: &Params) -> Option<Space> {
        let fixed = |(name, source): &(String, Source)| {
            let source = match source {
                Source::Derived(expr) => Source::Derived(expr.clone()),
                _ => Source::Fixed(params.get(name)?.clone()),
            };
            Some((name.clone(), source))
        };
        let params = self.params.iter().map(fixed).collect::<Option<_>>()?;
        let mut one = Space::new(params, Vec::new(), self.derived.clone());
        one.settle(&[]).ok()?;
        Some(one)
    }

    fn combinations(&self) -> u64 {
        self.axes.iter().product()
    }

    pub(crate) fn count(&self) -> u64 {
        self.kept.as_ref().map_or_else(|| self.combinations(), |kept| kept.len() as u64)
    }

    /// The places on its only axis, which has `len` of them, that make runs; nothing where the space is another one.
    pub(crate) fn along(&self, len: u64) -> Option<Vec<u64>> {
        let fits = match self.axes.as_slice() {
            [] => len == 1,
            [only] => *only == len,
            _ => false,
        };
        fits.then(|| self.kept.clone().unwrap_or_else(|| (0..len).collect()))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|(name, _)| name.as_str())
    }

    /// The only value that a parameter has, if it does not vary.
    pub(crate) fn only(&self, name: &str) -> Option<&Value> {
        let (_, source) = self.params.iter().find(|(known, _)| known == name)?;
        match source {
            Source::Fixed(value) => Some(value),
            Source::Axis(_, values) if values.len() == 1 => values.first(),
            _ => None,
        }
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.params.iter().any(|(known, _)| known == name)
    }

    /// The parameters that are not the same in all runs. Of a derived one it is enough that something varies that it needs.
    pub(crate) fn varying(&self) -> Vec<String> {
        let mut varies: Vec<bool> = self.params.iter().map(|(_, source)| self.differs(source)).collect();
        for place in &self.derived {
            if let (_, Source::Derived(expr)) = &self.params[*place] {
                varies[*place] = expr.places().iter().any(|needed| varies[*needed]);
            }
        }
        self.params.iter().zip(varies).filter(|(_, varies)| *varies).map(|((name, _), _)| name.clone()).collect()
    }

    fn differs(&self, source: &Source) -> bool {
        let (Source::Axis(axis, _) | Source::Drawn { axis, .. }) = source else { return false };
        match &self.kept {
            None => self.axes[*axis] > 1,
            Some(kept) => {
                let below: u64 = self.axes[*axis + 1..].iter().product();
                let mut places = kept.iter().map(|index| (index / below % self.axes[*axis]) as usize);
                let first = places.next();
                places.any(|place| Some(place) != first)
            }
        }
    }

    /// The parameters of each run. Made one at a time: a grid may be far larger than memory.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Params> + '_ {
        (0..self.count()).map(|n| {
            let index = self.kept.as_ref().map_or(n, |kept| kept[n as usize]);
            let mut values = Vec::new();
            self.pick(index, &mut values, |_| true);
            // What could not be worked out was told when the experiment was read; there is no such run then.
            self.derive(&mut values).ok();
            self.params.iter().map(|(name, _)| name.clone()).zip(values).collect()
        })
    }

    /// The values of one combination, but for those that are derived, and draws that are not `asked` for.
    fn pick(&self, index: u64, values: &mut Vec<Value>, asked: impl Fn(usize) -> bool) {
        let mut places = vec![0; self.axes.len()];
        let mut rest = index;
        for (place, len) in places.iter_mut().zip(&self.axes).rev() {
            *place = (rest % len) as usize;
            rest /= len;
        }
        values.clear();
        values.extend(self.params.iter().enumerate().map(|(at, (name, source))| match source {
            Source::Fixed(value) => value.clone(),
            Source::Axis(axis, all) => all[places[*axis]].clone(),
            Source::Drawn { axis, distribution, seed } if asked(at) => distribution.draw(*seed, name, places[*axis] as u64),
            Source::Drawn { .. } | Source::Derived(_) => Value::Bool(false),
        }));
    }

    fn derive(&self, values: &mut [Value]) -> Result<(), (usize, Failure)> {
        for place in &self.derived {
            if let (_, Source::Derived(expr)) = &self.params[*place] {
                values[*place] = expr.eval(values).map_err(|why| (*place, why))?;
            }
        }
        Ok(())
    }

    /// Works every derived value out once, and keeps only the combinations at which all conditions hold. `Err(None)`: there are
    /// more than can be looked at.
    pub(crate) fn settle(&mut self, conditions: &[Expr<usize>]) -> Result<(), Option<Stuck>> {
        if conditions.is_empty() && self.derived.is_empty() {
            return Ok(());
        }
        let mut is_needed = vec![false; self.params.len()];
        self.needed(conditions).into_iter().for_each(|place| is_needed[place] = true);
        // Without a condition it is enough to look at the axes that the values depend on.
        let on = |source: &Source| match source {
            Source::Axis(axis, _) | Source::Drawn { axis, .. } => Some(*axis),
            Source::Fixed(_) | Source::Derived(_) => None,
        };
        let depended: BTreeSet<usize> =
            self.params.iter().zip(&is_needed).filter_map(|((_, source), needed)| on(source).filter(|_| *needed)).collect();
        let depends = |axis: usize| depended.contains(&axis);
        let counts = |axis: usize| !conditions.is_empty() || depends(axis);
        let axes: Vec<u64> = self.axes.iter().enumerate().map(|(axis, len)| if counts(axis) { *len } else { 1 }).collect();
        let all = axes.iter().try_fold(1_u64, |all, len| all.checked_mul(*len)).filter(|all| *all <= MOST_LOOKED_AT).ok_or(None)?;
        // A value that cannot be worked out matters only where no condition excludes the run.
        let is_derived = |place: &usize| matches!(self.params[*place].1, Source::Derived(_));
        let (late, early): (Vec<_>, Vec<_>) = conditions.iter().partition(|condition| condition.places().iter().any(is_derived));
        let mut kept = Vec::new();
        let mut values = Vec::new();
        for looked in 0..all {
            let index = self.index(looked, &axes);
            self.pick(index, &mut values, |place| is_needed[place]);
            match self.holds(&early, &late, &mut values) {
                Ok(true) if !conditions.is_empty() => kept.push(index),
                Ok(_) => {}
                Err((param, why)) => {
                    let told = |place: &usize| is_needed[*place] && !is_derived(place);
                    let pairs = self.params.iter().map(|(name, _)| name.clone()).zip(values.iter().cloned()).enumerate();
                    let at = pairs.filter(|(place, _)| told(place)).map(|(_, pair)| pair).collect();
                    return Err(Some(Stuck { param, why, at }));
                }
            }
        }
        if !conditions.is_empty() {
            kept.shrink_to_fit();
            self.kept = Some(kept);
        }
        Ok(())
    }

    fn holds(&self, early: &[&Expr<usize>], late: &[&Expr<usize>], values: &mut [Value]) -> Result<bool, (Option<usize>, Failure)> {
        for condition in early {
            if !condition.truth(values).map_err(|why| (None, why))? {
                return Ok(false);
            }
        }
        self.derive(values).map_err(|(place, why)| (Some(place), why))?;
        for condition in late {
            if !condition.truth(values).map_err(|why| (None, why))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The places that conditions and derived values need, those of derived ones included.
    fn needed(&self, conditions: &[Expr<usize>]) -> Vec<usize> {
        // Every derived value is worked out, so what one needs that another one needs is among these.
        let of_derived = self.derived.iter().filter_map(|place| match &self.params[*place].1 {
            Source::Derived(expr) => Some(expr.places()),
            _ => None,
        });
        conditions.iter().flat_map(Expr::places).chain(self.derived.iter().copied()).chain(of_derived.flatten()).collect()
    }

    /// The combination that is number `looked` of those of `axes`, each of which is an axis of ours or a single place.
    fn index(&self, looked: u64, axes: &[u64]) -> u64 {
        let (mut rest, mut index, mut weight) = (looked, 0, 1);
        for (len, own) in axes.iter().zip(&self.axes).rev() {
            index += rest % len * weight;
            rest /= len;
            weight *= own;
        }
        index
    }
}
