//! `[resources]` and `[stop]`: what a run needs, how long it may take, and how it is asked to stop.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::name;
use crate::problem::quoted;
use crate::read::Reader;
use crate::tree::{Node, Table, Tree};
use crate::wanted::{Wanted, What};
use neronet_model::settings::{Gpus, Resources, Stop};
use neronet_model::{Millis, Value};

/// The resources, and the time of the whole training.
pub(super) fn resources(
    table: &Table,
    reader: &mut Reader<'_, '_>,
    written: &mut Vec<Written>,
    wanted: &mut Vec<Wanted>,
) -> (Resources, Option<Millis>) {
    let Some(section) = reader.section(table, "resources") else {
        return (Resources::default(), None);
    };
    let keys = ["cpus", "disk", "gpu_memory", "gpus", "memory", "named"].into_iter();
    wanted.extend(keys.filter_map(|key| Some(Wanted::new(What::Resource(key), section.get(key)?.span, reader.found))));
    let mut size = |name: &str| reader.size(section.get(name)?, &format!("resources.{name}"));
    let (gpu_memory, memory, disk) = (size("gpu_memory"), size("memory"), size("disk"));
    let time = section.get("time").and_then(|node| reader.duration(node, "resources.time"));
    let slot = section.get("slot").and_then(|node| Some((reader.duration(node, "resources.slot")?, node.span)));
    if let (Some(time), Some((slot, span))) = (time, slot)
        && slot > time
    {
        let hint = "time is the whole training, slot is one attempt of it".to_string();
        reader.found.warning(span, "the slot is longer than the whole training may take", hint);
    }
    let resources = Resources {
        cpus: section.get("cpus").and_then(|node| reader.count(node, "resources.cpus", 1)),
        gpus: section.get("gpus").and_then(|node| gpus(node, reader, written)),
        gpu_memory,
        memory,
        disk,
        named: section.get("named").map(|node| named(node, reader)).unwrap_or_default(),
        slot: slot.map(|(slot, _)| slot),
    };
    if resources.gpus == Some(Gpus::Count(0))
        && let Some(node) = section.get("gpu_memory")
    {
        reader.found.warning(node.span, "gpus = 0 hides the GPUs, so this asks for nothing", None);
    }
    (resources, time)
}

/// How many a run needs of each.
fn named(node: &Node, reader: &mut Reader<'_, '_>) -> Vec<(String, u64)> {
    const KEY: &str = "resources.named";
    let Tree::Table(table) = &node.tree else {
        reader.wrong(node, "a table", KEY, Some("write named = { matlab = 1 }".to_string()));
        return Vec::new();
    };
    let mut named = Vec::new();
    for (key, node) in &table.entries {
        if let Some(why) = name::refusal(&key.name) {
            let hint = format!("write {}, for instance", quoted(&name::mended(&key.name)));
            reader.found.error(key.span, format!("{} cannot be the name of a resource: {why}", quoted(&key.name)), hint);
        }
        named.extend(reader.whole(node, &format!("{KEY}.{}", key.name), 1).map(|amount| (key.name.clone(), amount)));
    }
    named
}

/// More characters are no number of GPUs.
const LONGEST: usize = 500;

/// A number, `"all"`, `"2-8"`, a fraction, or an expression of parameters.
fn gpus(node: &Node, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>) -> Option<Gpus> {
    const KEY: &str = "resources.gpus";
    let hint = "write a number, \"all\", a range such as \"2-8\", a fraction such as 0.5, or an expression of parameters".to_string();
    let text = match &node.tree {
        Tree::Scalar(Value::Int(_)) => return reader.count(node, KEY, 0).map(Gpus::Count),
        Tree::Scalar(Value::Bool(_)) | Tree::Date(_) | Tree::List(_) | Tree::Table(_) => {
            reader.wrong(node, "a number of GPUs", KEY, Some(hint));
            return None;
        }
        Tree::Scalar(value) => value.to_string(),
        Tree::Word(word) => word.clone(),
    };
    let text = text.trim();
    let range = text.split_once('-').map(|(least, most)| (least.trim().parse::<u32>(), most.trim().parse::<u32>()));
    let wrong = match (text.parse::<f64>(), range) {
        _ if text == "all" => return Some(Gpus::All),
        (Ok(number), _) if number.fract() == 0.0 && (0.0..=1e6).contains(&number) && !text.contains(['.', 'e', 'E']) => {
            return Some(Gpus::Count(number as u32));
        }
        (Ok(number), _) if number > 0.0 && number < 1.0 => return Some(Gpus::Fraction(number)),
        (Ok(_), _) => true,
        (_, Some((Ok(least), Ok(most)))) if least >= 1 && least < most => return Some(Gpus::Range(least, most)),
        (_, Some((Ok(_), Ok(_)))) => true,
        // Whether its names are parameters is checked with the templates.
        _ => {
            text.len() > LONGEST
                || !text.chars().all(|c| c.is_alphanumeric() || " _.+-*/%()<>=!,".contains(c))
                || !text.contains(char::is_alphabetic)
        }
    };
    if wrong {
        reader.found.error(node.span, format!("expected a number of GPUs for '{KEY}', found {}", quoted(text)), hint);
        return None;
    }
    written.push(Written::new(Part::Gpus, Style::Word, text, node.span));
    Some(Gpus::Expression(text.to_string()))
}

pub(super) fn stop(table: &Table, reader: &mut Reader<'_, '_>) -> Stop {
    let mut stop = Stop::default();
    let Some(section) = reader.section(table, "stop") else {
        return stop;
    };
    if let Some(signal) = section.get("signal").and_then(|node| reader.signal(node, "stop.signal")) {
        stop.signal = signal;
    }
    if let Some(grace) = section.get("grace").and_then(|node| reader.duration_or_none(node, "stop.grace")) {
        stop.grace = grace;
    }
    stop.before = section.get("before").and_then(|node| reader.duration(node, "stop.before"));
    stop
}
