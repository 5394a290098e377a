//! `hours` and `maintenance` of a target.

use crate::moment::When;
use crate::problem::quoted;
use crate::read::Reader;
use crate::tree::{Node, Table, Tree};
use neronet_model::hours::{Civil, HOURS, Hours, Maintenance};

const MOMENT: &str = "write \"2026-12-01 08:00\", as the clock of that machine shows it";

pub(crate) fn hours(own: &Table, name: &str, reader: &mut Reader<'_, '_>) -> Vec<Hours> {
    let Some(node) = own.get("hours") else { return Vec::new() };
    let key = format!("targets.{name}.hours");
    let all = reader.texts(node, &key);
    if matches!(&node.tree, Tree::List(items) if items.is_empty()) {
        let hint = "take it out for always; `maintenance` closes a target".to_string();
        reader.found.error(node.span, format!("'{key}' is empty: nothing would ever start there"), hint);
    }
    let mut hours = Vec::new();
    for (text, span) in all {
        match text.parse() {
            Ok(one) => hours.push(one),
            Err(why) => reader.found.error(span, format!("expected hours for '{key}', found {}: {why}", quoted(&text)), HOURS.to_string()),
        }
    }
    hours
}

pub(crate) fn maintenance(own: &Table, name: &str, reader: &mut Reader<'_, '_>) -> Vec<Maintenance> {
    let mut all = Vec::new();
    for (table, span) in reader.tables(own, "maintenance") {
        let key = |inner: &str| format!("targets.{name}.maintenance.{inner}");
        let Some(begin) = table.get("from") else {
            reader.found.error(span, format!("'{}' is missing", key("from")), format!("{MOMENT}: from = \"2026-12-01 08:00\""));
            continue;
        };
        let from = civil(begin, &key("from"), reader);
        let until = table.get("until").map(|node| (node, civil(node, &key("until"), reader)));
        let why = table.get("why").and_then(|node| {
            let why = reader.filled(node, &key("why"))?;
            let plain = !why.chars().any(char::is_control);
            if !plain {
                let message = format!("'{}' has a character that is none: {}", key("why"), quoted(&why));
                reader.found.error(node.span, message, "write it on one line".to_string());
            }
            plain.then_some(why)
        });
        let (from, until) = match (from, until) {
            (Some(from), None) => (from, None),
            (Some(from), Some((_, Some(until)))) if from < until => (from, Some(until)),
            (Some(_), Some((node, Some(_)))) => {
                let message = format!("'{}' is not later than its begin", key("until"));
                reader.found.error(node.span, message, "leave it out where the end is not known".to_string());
                continue;
            }
            _ => continue,
        };
        all.push(Maintenance { from, until, why });
    }
    all
}

/// A date with a time: it must be clear years later which one was meant.
fn civil(node: &Node, key: &str, reader: &mut Reader<'_, '_>) -> Option<Civil> {
    let moment = reader.moment(node, key)?;
    let When::On { year, month, day, clock } = moment.when else {
        reader.found.error(
            node.span,
            format!("expected a date with a time for '{key}', found {}", quoted(&moment.to_string())),
            MOMENT.to_string(),
        );
        return None;
    };
    Some(Civil { year, month, day, hour: clock.hour, minute: clock.minute, second: clock.second })
}
