//! `[sweep]` and the parameters as written, to the space of an experiment's runs.

use crate::expr::Expr;
use crate::params::{self, Given, Values};
use crate::problem::quoted;
use crate::read::Reader;
use crate::source::{Found, Span};
use crate::space::{MOST_LOOKED_AT, Source, Space};
use crate::suggest::did_you_mean;
use crate::tree::{Table, Tree};
use neronet_model::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More runs than anybody can start is a slip of the pen.
const MOST_RUNS: u64 = 1_000_000_000_000;
const MOST_SAMPLES: u64 = 10_000_000;
/// Draws that are compared with each other.
const MOST_COMPARED: u64 = 100_000;

/// What `[sweep]` says of the parameters.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// Names that vary together.
    zip: Vec<Vec<(String, Span)>>,
    only_if: Vec<(String, Span)>,
    samples: Option<(u64, Span)>,
    seed: i64,
    /// Paths of parameters that the experiment takes away; empty for all.
    unset: Vec<String>,
}

impl Sweep {
    fn unsets(&self, name: &str) -> bool {
        let below = |path: &String| name.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.unset.iter().any(|path| path.is_empty() || below(path))
    }
}

pub(crate) fn read(table: &Table, unset: Vec<String>, reader: &mut Reader<'_, '_>) -> Sweep {
    let Some(section) = reader.section(table, "sweep") else { return Sweep { unset, ..Sweep::default() } };
    let only_if = section.get("only_if").map(|node| reader.texts(node, "sweep.only_if")).unwrap_or_default();
    let samples = section.get("samples").and_then(|node| Some((reader.whole(node, "sweep.samples", 1)?, node.span)));
    let samples = samples.filter(|(samples, span)| {
        let few = *samples <= MOST_SAMPLES;
        if !few {
            reader.found.error(*span, format!("{samples} samples, over the limit of {MOST_SAMPLES}"), "draw fewer".to_string());
        }
        few
    });
    let seed = section.get("seed").and_then(|node| reader.whole(node, "sweep.seed", 0)).and_then(|seed| i64::try_from(seed).ok());
    let zip = match section.get("zip").map(|node| (&node.tree, node)) {
        Some((Tree::List(groups), _)) if groups.iter().all(|group| matches!(group.tree, Tree::List(_))) => {
            groups.iter().map(|group| reader.texts(group, "sweep.zip")).collect()
        }
        Some((_, node)) => vec![reader.texts(node, "sweep.zip")],
        None => Vec::new(),
    };
    Sweep { zip, only_if, samples, seed: seed.unwrap_or(0), unset }
}

/// The space of the runs, as far as there is one: what is wrong is among the problems.
pub(crate) fn space(given: &[Given], sweep: &Sweep, found: &mut Found<'_>) -> Space {
    let together = zipped(given, sweep, found);
    let drawn = given.iter().find(|given| matches!(given.values, Values::Drawn(_)));
    // What could not be read may have been meant to be drawn.
    let wrong = given.iter().any(|given| matches!(given.values, Values::Wrong));
    let samples = if wrong { 1 } else { samples(drawn, sweep, found) };
    let mut axes: Vec<u64> = Vec::new();
    let mut axis_of: BTreeMap<Shared, usize> = BTreeMap::new();
    let mut last_varying = None;
    let mut params = Vec::new();
    for (at, param) in given.iter().enumerate() {
        let (shared, len) = match &param.values {
            Values::Wrong | Values::Derived(..) => (Shared::Own(at), 1),
            Values::Drawn(_) => (Shared::Samples, samples),
            Values::Listed(values) => (together.get(&at).map_or(Shared::Own(at), |group| Shared::Zip(*group)), values.len() as u64),
        };
        let axis = || {
            last_varying = Some(param.span);
            *axis_of.entry(shared).or_insert_with(|| {
                axes.push(len);
                axes.len() - 1
            })
        };
        let source = match &param.values {
            Values::Drawn(distribution) if len == 1 => Source::Fixed(distribution.draw(sweep.seed, &param.name, 0)),
            Values::Drawn(distribution) => Source::Drawn { axis: axis(), distribution: distribution.clone(), seed: sweep.seed },
            Values::Listed(values) => match values.as_slice() {
                [value] => Source::Fixed(value.clone()),
                values => Source::Axis(axis(), values.to_vec()),
            },
            Values::Wrong | Values::Derived(..) => Source::Fixed(Value::Bool(false)),
        };
        params.push((param.name.clone(), source));
    }
    let within = axes.iter().try_fold(1_u64, |runs, len| runs.checked_mul(*len).filter(|runs| *runs <= MOST_RUNS)).is_some();
    if let (false, Some(span)) = (within, last_varying) {
        let sizes: Vec<String> = axes.iter().take(12).map(ToString::to_string).collect();
        let more = if axes.len() > 12 { " × …" } else { "" };
        let message = format!("the grid has {}{more} runs, over the limit of 10^12", sizes.join(" × "));
        found.error(span, message, "vary fewer parameters at once".to_string());
        return Space::default();
    }
    if !wrong {
        draws_that_differ(given, sweep, samples, found);
    }
    let derived = derived(given, &mut params, found);
    let conditions = conditions(given, sweep, found);
    if wrong {
        return Space::default();
    }
    let (Some(derived), Some(conditions)) = (derived, conditions) else { return Space::default() };
    let mut space = Space::new(params, axes, derived);
    let all = space.count();
    match space.settle(&conditions) {
        Ok(()) if space.count() == 0 => {
            let span = sweep.only_if.first().map_or(Span::START, |(_, span)| *span);
            let message = format!("only_if excludes all {all} combinations, so there is no run");
            found.error(span, message, "it keeps the runs for which it is true".to_string());
        }
        Ok(()) => {}
        Err(stuck) => told(stuck, given, sweep, found),
    }
    space
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Own(usize),
    Zip(usize),
    Samples,
}

fn told(stuck: Option<crate::space::Stuck>, given: &[Given], sweep: &Sweep, found: &mut Found<'_>) {
    let condition = sweep.only_if.first().map(|(_, span)| *span);
    let derived = given.iter().find(|given| matches!(given.values, Values::Derived(..)));
    let Some(stuck) = stuck else {
        let span = condition.or(derived.map(|given| given.place)).unwrap_or(Span::START);
        let message =
            format!("conditions and derived values are worked out for each combination, and these are more than {MOST_LOOKED_AT}");
        return found.error(span, message, "vary fewer parameters at once, or list the values".to_string());
    };
    let at: Vec<String> = stuck.at.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let at = if at.is_empty() { String::new() } else { format!(" for {}", at.join(" ")) };
    match stuck.param.and_then(|place| given.get(place)) {
        Some(param) => {
            let message = format!("parameter {} cannot be worked out{at}: {}", quoted(&param.name), stuck.why);
            found.error(param.place, message, "exclude such runs by only_if in [sweep], or write … if … else …".to_string());
        }
        None => {
            found.error(
                condition.unwrap_or(Span::START),
                format!("only_if cannot be worked out{at}: {}", stuck.why),
                "guard it: 'a != 0 and 1 / a > 2' looks at the second only where the first holds".to_string(),
            );
        }
    }
}

/// The group of each parameter that varies together with others, by its place.
fn zipped(given: &[Given], sweep: &Sweep, found: &mut Found<'_>) -> BTreeMap<usize, usize> {
    let mut groups = BTreeMap::new();
    for (group, names) in sweep.zip.iter().enumerate() {
        let mut first: Option<(&str, usize)> = None;
        if let [(name, span)] = names.as_slice() {
            let hint = "write zip = [[\"width\", \"depth\"]]".to_string();
            found.error(*span, format!("{} alone has nothing to vary together with", quoted(name)), hint);
        }
        for (name, span) in names {
            // What an experiment takes away, or gives one value, leaves the zip that it inherits.
            let own = given.iter().find(|given| given.name == *name);
            if own.map_or(sweep.unsets(name), |own| own.overrides && !varies(&own.values)) {
                continue;
            }
            let Some(at) = known(name, *span, None, given, found) else { continue };
            let Values::Listed(values) = &given[at].values else {
                if !matches!(given[at].values, Values::Wrong) {
                    let hint = "drawn parameters are drawn together anyhow, and derived ones follow what they are derived from".to_string();
                    found.error(*span, format!("{} is no list of values, so it cannot be zipped", quoted(name)), hint);
                }
                continue;
            };
            if groups.insert(at, group).is_some() {
                found.error(*span, format!("{} is zipped twice", quoted(name)), "put all that vary together into one list".to_string());
            }
            match first {
                Some((other, len)) if len != values.len() => {
                    let message = format!("{} has {}, and {} has {len}", quoted(name), count(values.len()), quoted(other));
                    found.error(*span, message, "parameters that vary together have equally many values".to_string());
                }
                Some(_) => {}
                None => first = Some((name, values.len())),
            }
        }
    }
    groups
}

fn varies(values: &Values) -> bool {
    matches!(values, Values::Listed(values) if values.len() > 1)
}

fn count(values: usize) -> String {
    if values == 1 { "1 value".to_string() } else { format!("{values} values") }
}

/// The place of a parameter that is named at `span`, in the expression at `expression` if it is one.
fn known(name: &str, span: Span, expression: Option<Span>, given: &[Given], found: &mut Found<'_>) -> Option<usize> {
    let place = given.iter().position(|given| given.name == name);
    if place.is_none() {
        // `batch-size` is one name to whoever writes it: told once.
        let text = expression.map(|span| found.sources.slice(span)).unwrap_or_default();
        let is_difference = |known: &&str| known.split('-').any(|part| part == name) && known.contains('-') && text.contains(known);
        let in_braces = given.iter().map(|given| given.name.as_str()).find(is_difference);
        if in_braces.is_some_and(|known| !known.starts_with(&format!("{name}-"))) {
            return None;
        }
        let hint = match in_braces {
            Some(known) => Some(format!("write {{{known}}} in braces: the name has a dash")),
            None => did_you_mean(name, given.iter().map(|given| given.name.as_str())),
        };
        let hint = hint.unwrap_or_else(|| match given {
            [] => "there are no [params]; a text stands in quotes".to_string(),
            given => {
                let names: Vec<&str> = given.iter().take(8).map(|given| given.name.as_str()).collect();
                format!("the parameters are {}{}; a text stands in quotes", names.join(", "), if given.len() > 8 { ", …" } else { "" })
            }
        });
        found.error(span, format!("there is no parameter {}", quoted(name)), hint);
    }
    place
}

fn samples(drawn: Option<&Given>, sweep: &Sweep, found: &mut Found<'_>) -> u64 {
    match (drawn, sweep.samples) {
        (Some(_), Some((samples, _))) => samples,
        (Some(given), None) => {
            let hint = "say how many below [sweep]: samples = 20".to_string();
            found.error(given.place, format!("parameter {} is drawn, and nothing says how often", quoted(&given.name)), hint);
            1
        }
        (None, Some((_, span))) => {
            found.warning(span, "'samples' says how many draws there are, and no parameter is drawn", None);
            1
        }
        (None, None) => 1,
    }
}

/// Puts the expressions of derived parameters in their places, and orders them. Nothing when one is wrong.
fn derived(given: &[Given], params: &mut [(String, Source)], found: &mut Found<'_>) -> Option<Vec<usize>> {
    let mut good = true;
    let mut needs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, param) in given.iter().enumerate() {
        let Values::Derived(expr, text) = &param.values else { continue };
        match looked_up(expr, *text, given, found) {
            Some(expr) => {
                needs.insert(at, expr.places());
                params[at].1 = Source::Derived(expr);
            }
            None => good = false,
        }
    }
    match ordered(&needs) {
        Ok(order) => good.then_some(order),
        Err(circle) => {
            let last = circle.last().copied().unwrap_or_default();
            let names: Vec<&str> = circle.iter().map(|at| given[*at].name.as_str()).collect();
            let message = format!("parameter {} is derived from itself: {}", quoted(&given[last].name), names.join(" ← "));
            found.error(given[last].place, message, "take one of these expressions out".to_string());
            None
        }
    }
}

/// Each place behind those that it needs, or a circle of them.
fn ordered(needs: &BTreeMap<usize, Vec<usize>>) -> Result<Vec<usize>, Vec<usize>> {
    let mut order = Vec::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for start in needs.keys() {
        // The way from there to what is looked at, and how many of each one's needs are done. No recursion: a chain may be long.
        let mut way: Vec<(usize, usize)> = vec![(*start, 0)];
        let mut on_way: BTreeSet<usize> = [*start].into();
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let need = needs[&at].get(*next).copied();
            *next += 1;
            match need {
                _ if done.contains(&at) => {
                    on_way.remove(&at);
                    way.pop();
                }
                Some(need) if on_way.contains(&need) => {
                    let circle = way.iter().map(|(at, _)| *at).skip_while(|at| *at != need);
                    return Err(circle.chain([need]).collect());
                }
                Some(need) if needs.contains_key(&need) && !done.contains(&need) => {
                    on_way.insert(need);
                    way.push((need, 0));
                }
                Some(_) => {}
                None => {
                    done.insert(at);
                    order.push(at);
                }
            }
        }
    }
    Ok(order)
}

/// Draws of few values come out equal: so many samples make fewer runs.
fn draws_that_differ(given: &[Given], sweep: &Sweep, samples: u64, found: &mut Found<'_>) {
    let drawn = given.iter().filter_map(|given| match &given.values {
        Values::Drawn(distribution) => Some((given.name.as_str(), distribution)),
        _ => None,
    });
    let drawn: Vec<_> = drawn.collect();
    let Some((_, span)) = sweep.samples.filter(|_| samples <= MOST_COMPARED) else { return };
    if drawn.is_empty() || drawn.iter().any(|(_, distribution)| distribution.values().is_none()) {
        return;
    }
    let draw = |index| drawn.iter().map(|(name, of)| format!("{}\n", of.draw(sweep.seed, name, index).identity())).collect::<String>();
    let different = (0..samples).map(draw).collect::<BTreeSet<String>>().len();
    if (different as u64) < samples {
        let message = format!("only {different} of these {samples} draws differ, and equal ones make the same run");
        found.warning(span, message, "draw fewer, or list the values for each of them once".to_string());
    }
}

fn conditions(given: &[Given], sweep: &Sweep, found: &mut Found<'_>) -> Option<Vec<Expr<usize>>> {
    let mut conditions = Vec::new();
    for (text, span) in &sweep.only_if {
        let condition = params::expression(text, *span, found).and_then(|expr| looked_up(&expr, *span, given, found));
        conditions.push(condition);
    }
    conditions.into_iter().collect()
}

fn looked_up(expr: &Expr<crate::expr::Name>, span: Span, given: &[Given], found: &mut Found<'_>) -> Option<Expr<usize>> {
    let mut all_known = true;
    let looked_up = expr.clone().map(&mut |name| {
        let at = found.sources.inside(span, name.at);
        let place = known(&name.name, at, Some(span), given, found);
        all_known &= place.is_some();
        Ok::<_, ()>(place.unwrap_or_default())
    });
    looked_up.ok().filter(|_| all_known)
}
