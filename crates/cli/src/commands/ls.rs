//! `neronet ls`: runs as a table, or as JSON.

use crate::args::Ls;
use crate::commands::groups;
use crate::commands::listing::{Listing, Wanted};
use crate::commands::page::count;
use crate::commands::read;
use crate::output;
use crate::session::Session;
use neronet_home::listing::{self, Part, assignment, duration};
use neronet_home::objective::{self, Telling, telling};
use neronet_home::varying::{varying, varying_of};
use neronet_home::view::{Snapshot, View};
use neronet_home::{HomeError, json, refused, select};
use neronet_model::runs::Known;
use neronet_model::settings::Objective;
use neronet_model::size::grouped;
use neronet_model::{Outcome, State, UnixMs};
use neronet_query::sort_keys;
use neronet_report::{Align, Cell, Column, Style, Table, words};
use std::collections::BTreeSet;
use std::process::ExitCode;

/// Columns of a parameter's value, of a reason.
const LONG: usize = 48;

/// Runs that are shown where nothing else is asked for: all of what people look at, and of a hundred thousand the newest.
const SHOWN: usize = 1_000;

pub(crate) fn ls(session: &Session, words: Ls) -> Result<ExitCode, HomeError> {
    if words.json {
        let (snapshot, notices) = read::snapshot_and_notices(session)?;
        notices.iter().for_each(|notice| output::notice(notice));
        if let Some(by) = &words.group_by {
            output::json(&groups::found(session, &snapshot, &words, by)?.json());
            return Ok(ExitCode::SUCCESS);
        }
        let found = Found::by(session, &snapshot, &words, words.limit)?;
        output::json_array(found.views.into_iter().map(|view| json::limited(&view, &words.fields)));
    } else {
        Wanted::Ls(words).listing(session)?.print(session);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn listing(session: &Session, words: &Ls) -> Result<Listing, HomeError> {
    let (snapshot, mut notices) = read::snapshot_and_notices(session)?;
    if let Some(by) = &words.group_by {
        return groups::listing(session, &snapshot, words, by, notices);
    }
    let found = Found::by(session, &snapshot, words, Some(words.limit.unwrap_or(SHOWN)))?;
    let Found { views, count: all, varying, sorted_by, project } = &found;
    if *all == 0 {
        notices.extend(nothing(session, &snapshot, words, project.as_deref()));
        return Ok(Listing::nothing(notices));
    }
    let views: Vec<&View<'_>> = views.iter().collect();
    let keys = words.sort.as_deref().map_or(Ok(Vec::new()), sort_keys)?;
    let sort: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let (table, told) = if words.fields.is_empty() {
        let told = told(&views, sorted_by.clone());
        (usual(session, &views, &told, varying, &sort, words.trash), told)
    } else {
        (chosen_fields(session, &views, &words.fields), Vec::new())
    };
    let mut below = Vec::new();
    if !words.trash {
        below.extend(best_of_each(told.first(), sorted_by.is_some(), &views, varying));
    }
    below.extend(refused::notices(&session.context, &snapshot));
    if views.len() < *all {
        below.push(format!("{} of {} shown (--limit)", grouped(views.len() as u64), count(*all, "run")));
    }
    Ok(Listing { notices, table: Some(table), below })
}

/// The runs that the words name.
struct Found<'a> {
    /// Those to be shown, in their order.
    views: Vec<View<'a>>,
    count: usize,
    /// Of all that were found: what is shown of them may have it in common.
    varying: Vec<String>,
    sorted_by: Option<Telling>,
    project: Option<String>,
}

impl<'a> Found<'a> {
    fn by(session: &Session, snapshot: &'a Snapshot, words: &Ls, limit: Option<usize>) -> Result<Found<'a>, HomeError> {
        let context = &session.context;
        let project = read::project(session, &words.reach);
        if words.which.is_empty() && !words.trash && words.sort.is_none() && words.top.is_none() {
            // Of many runs only those are looked at that are shown.
            let runs: Vec<Known<'_>> =
                snapshot.runs().filter(|run| project.as_ref().is_none_or(|project| snapshot.is_of(*run, project))).collect();
            let until = runs.len().saturating_sub(words.offset);
            let newest = until.saturating_sub(limit.unwrap_or(usize::MAX));
            let views = snapshot.views_of(context, runs[newest..until].iter().copied());
            listing::check_fields(&views.iter().collect::<Vec<_>>(), &words.fields)?;
            let varying = varying_of(&runs);
            return Ok(Found { views, count: runs.len(), varying, sorted_by: None, project });
        }
        let all = if words.trash { listing::trashed(context, snapshot) } else { snapshot.views(context) };
        let mut views = asked_for(session, snapshot, &all, words)?;
        listing::check_fields(&views, &words.fields)?;
        let (count, varying) = (views.len(), varying(&views));
        let best = words.top.filter(|_| words.sort.is_none() && count > 0).map(|_| best_first(&views)).transpose()?;
        let part = Part { limit: words.top.or(limit), offset: words.offset, after: None };
        let sorted_by = listing::arrange(&mut views, words.sort.as_deref().or(best.as_deref()), part, session.now())?;
        Ok(Found { views: views.into_iter().cloned().collect(), count, varying, sorted_by, project })
    }
}

/// All runs that the words name, or those of the project.
pub(crate) fn asked_for<'v, 'a>(
    session: &Session,
    snapshot: &Snapshot,
    all: &'v [View<'a>],
    words: &Ls,
) -> Result<Vec<&'v View<'a>>, HomeError> {
    let project = read::project(session, &words.reach);
    match &words.which[..] {
        [] if words.trash => Ok(all.iter().collect()),
        [] => Ok(all.iter().filter(|view| project.as_ref().is_none_or(|project| view.sweep.project == *project)).collect()),
        which => select::listed(snapshot, all, which, project.as_deref(), session.now()),
    }
}

/// The metric that tells most, as it is written to sort by.
pub(crate) fn best_first(views: &[&View<'_>]) -> Result<String, HomeError> {
    let first = telling(views).into_iter().next().filter(|first| first.goal.is_some());
    let first = first.ok_or_else(|| HomeError::Words("--top: nothing says which of these runs are best; say --sort NAME".into()))?;
    Ok(format!("\"{}\"", first.metric))
}

/// That nothing was found, and what there is.
pub(crate) fn nothing(session: &Session, snapshot: &Snapshot, words: &Ls, project: Option<&str>) -> Vec<String> {
    if !words.which.is_empty() {
        let all = if words.trash { listing::trashed(&session.context, snapshot) } else { snapshot.views(&session.context) };
        return words.which.iter().map(|word| select::nothing(&all, word, project, session.now())).collect();
    }
    if words.trash {
        return vec!["the trash is empty".into()];
    }
    let others: BTreeSet<&str> = snapshot.runs().filter_map(|run| Some(snapshot.sweep_of(run)?.project.as_str())).collect();
    vec![match others.len() {
        0 => "there are no runs yet; `neronet run -- CMD` makes one, `neronet run` those of neronet.toml".into(),
        _ => {
            let named = neronet_home::nearest::some_of(others.iter().copied(), 5);
            let project = project.unwrap_or_default();
            format!("project {project} has no runs; {} in {named}: `neronet ls -a`", count(snapshot.runs().count(), "run"))
        }
    }]
}

/// The metrics to show: the one that the list is sorted by first.
fn told(views: &[&View<'_>], sorted_by: Option<Telling>) -> Vec<Telling> {
    let mut told = telling(views);
    if let Some(first) = sorted_by {
        told.retain(|known| known.metric != first.metric);
        told.insert(0, first);
    }
    told
}

/// Objectives that have a line of their own.
const OBJECTIVES: usize = 5;

/// The best run; where experiments have objectives of their own, that of each.
fn best_of_each(first: Option<&Telling>, sorted: bool, views: &[&View<'_>], varying: &[String]) -> Vec<String> {
    let objective = |view: &View<'_>| view.sweep.settings.objectives.first().cloned();
    let mut objectives: Vec<Objective> = Vec::new();
    for own in views.iter().filter_map(|view| objective(view)) {
        if !objectives.contains(&own) {
            objectives.push(own);
        }
    }
    let Some(first) = first else { return Vec::new() };
    if sorted || objectives.len() < 2 {
        return best(first, views, varying).into_iter().collect();
    }
    let of = |own: Objective| {
        let of_this: Vec<&View<'_>> = views.iter().copied().filter(|view| objective(view).as_ref() == Some(&own)).collect();
        let telling = Telling { metric: own.metric, goal: Some(own.goal), guessed: false };
        best(&telling, &of_this, varying)
    };
    objectives.into_iter().take(OBJECTIVES).filter_map(of).collect()
}

/// Which run is best, by what, and whether that is a guess.
fn best(first: &Telling, views: &[&View<'_>], varying: &[String]) -> Option<String> {
    let (view, value) = first.best(views)?;
    let goal = objective::word(first.goal?);
    let metric = &first.metric;
    let state = state_unless_finished(view);
    let with = assignment(view, varying);
    let with = if with.is_empty() { with } else { format!(", with {}", words::one_line(&with, LONG * 2)) };
    let found = format!("best: run {}{state}, {metric} {}{with}", view.id, words::number(value));
    Some(match first.guessed {
        true => format!("{found} (guessed; set objective = \"{metric} {goal}\")"),
        false => found,
    })
}

/// ` (failed)`: a best run that did not get to its end is no whole result.
pub(crate) fn state_unless_finished(view: &View<'_>) -> String {
    if view.outcome() == Some(Outcome::Finished) { String::new() } else { format!(" ({})", view.status()) }
}

/// What goes first where the terminal has no room: metrics but the first, then parameters, then the first metric and what the
/// list is sorted by.
const SPARE: [u8; 3] = [2, 1, 0];

fn usual(session: &Session, views: &[&View<'_>], told: &[Telling], varying: &[String], sorted_by: &[&str], trash: bool) -> Table {
    let several = |of: &dyn Fn(&View<'_>) -> String| views.iter().map(|view| of(view)).collect::<BTreeSet<_>>().len() > 1;
    let mut table = Table::default();
    let mut add = |column: Column, cell: &dyn Fn(&View<'_>) -> Cell| {
        table.columns.push(column);
        table.rows.resize(views.len(), Vec::new());
        for (row, view) in table.rows.iter_mut().zip(views) {
            row.push(cell(view));
        }
    };
    add(Column::right("id"), &|view| Cell::plain(view.id.to_string()));
    if several(&|view| view.sweep.project.clone()) {
        add(Column::left("project"), &|view| Cell::plain(&view.sweep.project));
    }
    if several(&|view| view.run().experiment.to_string()) {
        add(Column::left("experiment"), &|view| Cell::plain(&*view.run().experiment));
    }
    if several(&|view| view.target().to_string()) {
        add(Column::left("target"), &|view| Cell::plain(view.target()));
    }
    add(Column::left("state").whole(), &state);
    let mut names = varying.to_vec();
    // What the list is sorted by is shown, even where the runs have it in common.
    for name in sorted_by.iter().filter(|name| views.iter().any(|view| view.params().get(name).is_some())) {
        if names.iter().all(|known| known != name) {
            names.push((*name).to_string());
        }
    }
    for name in names {
        let align = align(views.iter().filter_map(|view| Some(view.params().get(&name)?.number().is_some())));
        let spare = if sorted_by.contains(&name.as_str()) { SPARE[2] } else { SPARE[1] };
        add(Column::aligned(&name, align).spare(spare), &|view| {
            Cell::plain(view.params().get(&name).map(|value| words::one_line(&value.to_string(), LONG)).unwrap_or_default())
        });
    }
    for (at, telling) in told.iter().enumerate() {
        let best = telling.best(views).map(|(view, _)| view.id);
        let spare = if at == 0 { SPARE[2] } else { SPARE[0] };
        add(Column::right(telling.title()).spare(spare), &|view| metric(telling.value(view), best == Some(view.id)));
    }
    add(Column::right("took"), &|view| Cell::plain(duration(view, session.now()).map(words::duration).unwrap_or_default()));
    if trash {
        add(Column::left("removed").whole(), &|view| {
            Cell::plain(view.run().trashed.map(|at| words::age(at, session.now())).unwrap_or_default())
        });
    } else {
        add(Column::left("age").whole(), &|view| Cell::plain(age(view.run().created, session)));
    }
    if views.iter().any(|view| view.outcome() != Some(Outcome::Finished) && view.reason().is_some()) {
        add(Column::left("why"), &|view| Cell::plain(words::one_line(view.reason().unwrap_or_default(), LONG * 2)));
    }
    if views.iter().any(|view| !view.run().tags.is_empty()) {
        add(Column::left("tags"), &|view| Cell::plain(tags(view)));
    }
    table
}

/// `3 min`: that it is ago goes without saying.
fn age(at: UnixMs, session: &Session) -> String {
    words::age(at, session.now()).trim_end_matches(" ago").to_string()
}

fn tags(view: &View<'_>) -> String {
    view.run().tags.iter().map(|tag| format!("@{tag}")).collect::<Vec<_>>().join(" ")
}

pub(crate) fn state(view: &View<'_>) -> Cell {
    Cell::styled(view.status(), state_style(view))
}

pub(crate) fn state_style(view: &View<'_>) -> Style {
    match (view.state(), view.outcome()) {
        (State::Running | State::Starting, _) => Style::Strong,
        (_, Some(Outcome::Failed | Outcome::Lost | Outcome::Unknown)) => Style::Bad,
        (_, Some(Outcome::Finished)) => Style::Good,
        _ => Style::Faint,
    }
}

fn metric(value: Option<f64>, best: bool) -> Cell {
    let style = match value {
        Some(value) if !value.is_finite() => Style::Bad,
        _ if best => Style::Strong,
        _ => Style::Plain,
    };
    Cell::styled(value.map(words::number).unwrap_or_default(), style)
}

/// To the right when all are numbers.
fn align(mut numeric: impl Iterator<Item = bool>) -> Align {
    if numeric.all(|one| one) { Align::Right } else { Align::Left }
}

fn chosen_fields(session: &Session, views: &[&View<'_>], fields: &[String]) -> Table {
    let cells = |name: &String| views.iter().map(|view| field(session, views, view, name)).collect::<Vec<_>>();
    let columns: Vec<Vec<(String, bool)>> = fields.iter().map(cells).collect();
    Table {
        columns: fields
            .iter()
            .zip(&columns)
            .map(|(name, cells)| Column::aligned(name, align(cells.iter().map(|(_, numeric)| *numeric))))
            .collect(),
        rows: (0..views.len()).map(|at| columns.iter().map(|cells| Cell::plain(&cells[at].0)).collect()).collect(),
    }
}

/// A field's text, and whether it is a number.
fn field(session: &Session, views: &[&View<'_>], view: &View<'_>, name: &str) -> (String, bool) {
    let time = |at: Option<UnixMs>| (at.map(words::local_time).unwrap_or_default(), false);
    let text = |text: String| (text, false);
    if let Some(value) = view.params().get(name) {
        return (value.to_string(), value.number().is_some());
    }
    match name {
        "id" => (view.id.to_string(), true),
        "uid" => text(view.run().uid.to_string()),
        "project" => text(view.sweep.project.clone()),
        "experiment" => text(view.run().experiment.to_string()),
        "sweep" => (view.run().sweep.to_string(), true),
        "after" => (view.after().map(|run| run.to_string()).unwrap_or_default(), true),
        "state" => text(view.status()),
        "outcome" => text(view.outcome().map(|outcome| outcome.to_string()).unwrap_or_default()),
        "reason" => text(view.reason().unwrap_or_default().to_string()),
        "params" => text(assignment(view, &view.params().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>())),
        "tags" => text(tags(view)),
        "target" => text(view.target().to_string()),
        "created" => time(Some(view.run().created)),
        "started" => time(view.started()),
        "ended" => time(view.ended()),
        "attempts" => (view.run().attempts.to_string(), true),
        "duration" => (duration(view, session.now()).map(words::duration).unwrap_or_default(), true),
        "metrics" => {
            let pairs = view.metrics().iter().map(|(name, extent)| format!("{name}={}", words::number(extent.last)));
            text(pairs.collect::<Vec<_>>().join(" "))
        }
        metric => (Telling::of(views, metric).value(view).map(words::number).unwrap_or_default(), true),
    }
}
