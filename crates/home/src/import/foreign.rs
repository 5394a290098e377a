//! Runs of other trackers: looked for below a path, read one after the other, each landed when it is whole.

use super::arrival;
use super::dressed;
use super::grown;
use super::told::Teller;
use super::{Became, Found, Importing, Result, nothing_at};
use crate::error::HomeError;
use neronet_foreign::{ForeignError, Notice, Refusal, Source};
use neronet_store::StoreError;
use std::path::Path;

pub(super) fn import(importing: &mut Importing<'_>, path: &Path, place: &Path, result: &mut Result) -> std::result::Result<(), HomeError> {
    let look = neronet_foreign::look(place).map_err(|e| HomeError::Words(e.to_string()))?;
    result.notices.extend(look.notices.iter().map(Notice::to_string));
    if look.sources.is_empty() {
        return Err(nothing_at(path));
    }
    importing.at.sources += look.sources.len();
    for source in &look.sources {
        importing.at.points = 0;
        result.found.push(one(importing, source)?);
        importing.at.done += 1;
        (importing.progress)(importing.at);
    }
    Ok(())
}

fn one(importing: &mut Importing<'_>, source: &Source) -> std::result::Result<Found, HomeError> {
    let mut found = Found {
        from: source.kind.to_string(),
        path: importing.origin(&source.path),
        name: source.name(),
        project: importing.project.clone(),
        experiment: String::new(),
        became: Became::Would,
        points: 0,
        notices: Vec::new(),
    };
    // As it is before it is read: what is written meanwhile is read the next time.
    let stamp = source.stamp();
    let mut teller = Teller::new(importing, source, &stamp);
    let report = match neronet_foreign::read(source, &mut teller) {
        Ok(report) => report,
        Err(ForeignError::Refused(refusal)) => {
            return Err(refused(refusal));
        }
        Err(error) => {
            found.became = Became::Failed(error.to_string());
            return Ok(found);
        }
    };
    found.points = report.points;
    found.notices = report.notices.iter().map(Notice::to_string).collect();
    if report.more_notices > 0 {
        found.notices.push(format!("and {} more of that sort", report.more_notices));
    }
    found.notices.extend(report.passed.iter().map(|(what, count)| format!("{count} {what} passed over: there is no place for them")));
    let (told, there, run) = teller.told();
    found.name.clone_from(&run.name);
    found.experiment = dressed::experiment(importing.words, source, &run);
    let Some(told) = told else {
        found.became = there.unwrap_or(Became::Would);
        return Ok(found);
    };
    found.notices.extend(told.notices().cloned());
    let uid = told.uid;
    let arrival = told.finish(importing, source, &run, &found)?;
    if let Some(Became::Changed(id)) = there {
        let (became, word) = grown::take_over(importing, id, (arrival, &stamp))?;
        found.became = became;
        found.notices.extend(word);
        return Ok(found);
    }
    for folder in arrival.folders.values() {
        grown::note(folder, &stamp)?;
    }
    if let Some(landing) = &mut importing.landing {
        let ids = arrival::land(importing.context, landing, arrival)?;
        if let Some(id) = ids.first() {
            importing.known.insert(arrival::identity(&uid), *id);
            found.became = Became::New(*id);
        }
    }
    Ok(found)
}

/// Why we took no more: never the run's fault.
fn refused(refusal: Refusal) -> HomeError {
    let other = match refusal.downcast::<HomeError>() {
        Ok(error) => return *error,
        Err(other) => other,
    };
    match other.downcast::<StoreError>() {
        Ok(error) => HomeError::Home(*error),
        Err(other) => HomeError::Failed(other.to_string()),
    }
}
