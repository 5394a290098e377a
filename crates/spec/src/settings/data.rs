//! `[inputs.NAME]` and `[outputs]`: the data that runs read, and the files of theirs that are kept.

use crate::check::{Style, Written};
use crate::fill::Part;
use crate::keys::FINGERPRINTS;
use crate::problem::quoted;
use crate::read::{Reader, below};
use crate::template;
use crate::tree::{Node, Table, Tree};
use crate::wanted::{Wanted, What};
use neronet_model::settings::{Input, Needs, Outputs};
use neronet_model::{Value, size};

pub(super) fn inputs(table: &Table, reader: &mut Reader<'_, '_>, written: &mut Vec<Written>, wanted: &mut Vec<Wanted>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (key, table) in reader.named(table, "inputs") {
        let name = key.name.clone();
        let of = |key: &str| format!("inputs.{name}.{key}");
        if !template::is_name(&name) || name.contains('.') {
            let hint = "letters, digits, _ and -, not beginning with a digit: it is written {inputs.NAME}".to_string();
            reader.found.error(key.span, format!("{} cannot be the name of an input", quoted(&name)), hint);
        }
        let needs = table.get("needs").and_then(|node| needs(node, &of("needs"), reader));
        let fingerprint = table.get("fingerprint").and_then(|node| reader.word(node, &of("fingerprint"), FINGERPRINTS)).unwrap_or_default();
        let push = table.get("push").and_then(|node| reader.flag(node, &of("push"))).unwrap_or(false);
        let mut files = Vec::new();
        for (file, span) in table.get("files").map(|node| reader.paths(node, &of("files"))).unwrap_or_default() {
            match below(&file).filter(|file| !file.is_empty()) {
                Some(file) => files.push(file),
                None => {
                    let message = format!("expected a file in the input for '{}', found {}", of("files"), quoted(&file));
                    reader.found.error(span, message, "write it relative to the path of the input".to_string());
                }
            }
        }
        let Some(node) = table.get("path") else {
            reader.found.error(
                key.span,
                format!("the input {} has no path", quoted(&name)),
                "write path = \"data/cifar\" below it".to_string(),
            );
            continue;
        };
        let Some(path) = reader.path(node, &of("path")) else { continue };
        written.push(Written::new(Part::Input, Style::Word, &path, node.span));
        let input = Input { name, path, needs, files, fingerprint, push };
        wanted.push(Wanted::new(What::Input(input.clone()), node.span, reader.found));
        inputs.push(input);
    }
    inputs
}

/// `3 GB` or `50000 files`.
fn needs(node: &Node, key: &str, reader: &mut Reader<'_, '_>) -> Option<Needs> {
    let hint = "write \"3 GB\" or \"50000 files\"; single files are named by files = [\"train.bin\"]".to_string();
    let (Tree::Scalar(Value::Str(text)) | Tree::Word(text)) = &node.tree else {
        reader.wrong(node, "a size or a number of files", key, Some(hint));
        return None;
    };
    let files = text.trim().strip_suffix("files").or_else(|| text.trim().strip_suffix("file"));
    let needs = match files {
        Some(number) => number.trim().parse().ok().filter(|number| *number > 0).map(Needs::Files),
        None => size::parse(text).filter(|bytes| *bytes > 0).map(Needs::Bytes),
    };
    if needs.is_none() {
        reader.found.error(node.span, format!("expected a size or a number of files for '{key}', found {}", quoted(text)), hint);
    }
    needs
}

pub(super) fn outputs(table: &Table, reader: &mut Reader<'_, '_>) -> Outputs {
    let Some(section) = reader.section(table, "outputs") else {
        return Outputs::default();
    };
    let keep = section.get("keep").map(|node| reader.globs(node, "outputs.keep")).unwrap_or_default();
    let mut inside = Vec::new();
    for (glob, span) in keep {
        if glob.starts_with('/') || glob.split(['/', '{', '}', ',']).any(|part| part == "..") {
            let message =
                format!("only files below the folder where the command starts are outputs, and {} leads out of it", quoted(&glob));
            reader.found.error(span, message, "write it relative, as \"*.png\"".to_string());
        } else {
            inside.push(glob);
        }
    }
    Outputs { keep: inside, max: section.get("max").and_then(|node| reader.size(node, "outputs.max")) }
}
