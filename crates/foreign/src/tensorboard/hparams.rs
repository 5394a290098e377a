//! What the plugin `hparams` writes about a session: its parameters, and how it ended.
//! <https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/hparams/plugin_data.proto>

use crate::clean;
use crate::gather::Gathered;
use crate::moment;
use crate::proto::{Fields, Malformed, Message, Wire};
use crate::sink::Run;
use neronet_model::{Outcome, Params, UnixMs, Value};

pub(crate) const PLUGIN: &str = "hparams";
pub(crate) const START: &str = "_hparams_/session_start_info";
pub(crate) const END: &str = "_hparams_/session_end_info";
const DEEPEST: usize = 16;

/// Puts into the run what the plugin's content says.
pub(crate) fn read(content: &[u8], run: &mut Run, params: &mut Gathered) -> Result<(), Malformed> {
    for field in Fields::of(content) {
        match field? {
            (2, Wire::Bytes(experiment)) => read_experiment(experiment, run)?,
            (3, Wire::Bytes(start)) => read_start(start, run, params)?,
            (4, Wire::Bytes(end)) => read_end(end, run)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_experiment(bytes: &[u8], run: &mut Run) -> Result<(), Malformed> {
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Bytes(description)) => run.note = clean::some(description),
            (2, Wire::Bytes(user)) => run.user = clean::some(user),
            (6, Wire::Bytes(name)) => run.project = clean::some(name),
            _ => {}
        }
    }
    Ok(())
}

fn read_start(bytes: &[u8], run: &mut Run, params: &mut Gathered) -> Result<(), Malformed> {
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Bytes(entry)) => {
                let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
                for field in Fields::of(entry) {
                    match field? {
                        (1, Wire::Bytes(bytes)) => name = bytes,
                        (2, Wire::Bytes(bytes)) => value = bytes,
                        _ => {}
                    }
                }
                params.set(name, read_value(value, 0)?);
            }
            (5, wire) => run.started = wire.double().and_then(moment::seconds),
            _ => {}
        }
    }
    Ok(())
}

fn read_end(bytes: &[u8], run: &mut Run) -> Result<(), Malformed> {
    for field in Fields::of(bytes) {
        match field? {
            (1, Wire::Varint(status)) => {
                run.outcome = match status {
                    1 => Some(Outcome::Finished),
                    2 => Some(Outcome::Failed),
                    _ => None,
                }
            }
            (2, wire) => run.ended = wire.double().and_then(moment::seconds),
            _ => {}
        }
    }
    Ok(())
}

/// A `google.protobuf.Value`. All its numbers are floats; a whole one was rather an integer.
fn read_value(bytes: &[u8], depth: usize) -> Result<Value, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed);
    }
    let mut value = Value::as_word("null");
    for field in Fields::of(bytes) {
        match field? {
            (2, wire) => {
                let number = wire.double().ok_or(Malformed)?;
                let whole = number.fract() == 0.0 && number.abs() < 9e15 && !(number == 0.0 && number.is_sign_negative());
                value = if whole { Value::Int(number as i64) } else { Value::from_f64(number) };
            }
            (3, wire) => value = Value::Str(clean::text(wire.bytes().ok_or(Malformed)?)),
            (4, wire) => value = Value::Bool(wire.int().ok_or(Malformed)? != 0),
            (6, Wire::Bytes(list)) => {
                let items = Fields::of(list).filter_map(|field| match field {
                    Ok((1, Wire::Bytes(item))) => Some(read_value(item, depth + 1)),
                    Ok(_) => None,
                    Err(malformed) => Some(Err(malformed)),
                });
                value = Value::List(items.collect::<Result<_, _>>()?);
            }
            _ => {}
        }
    }
    Ok(value)
}

/// The content that says with which parameters a session started.
pub(crate) fn start(params: &Params, started: Option<UnixMs>) -> Vec<u8> {
    let mut content = Message::default();
    content.message(3, |start| {
        for (name, value) in params.iter() {
            start.message(1, |entry| {
                entry.bytes(1, name.as_bytes()).message(2, |slot| write_value(value, slot));
            });
        }
        if let Some(at) = started {
            start.double(5, at.seconds());
        }
    });
    content.0
}

/// The content that says how a session ended.
pub(crate) fn end(outcome: Outcome, ended: Option<UnixMs>) -> Vec<u8> {
    let status = match outcome {
        Outcome::Finished => 1,
        Outcome::Failed | Outcome::Stopped => 2,
        Outcome::Lost | Outcome::Unknown => 0,
    };
    let mut content = Message::default();
    content.message(4, |end| {
        end.int(1, status);
        if let Some(at) = ended {
            end.double(2, at.seconds());
        }
    });
    content.0
}

/// TensorBoard shows numbers, booleans and texts; a list is written as text, as its own library does.
fn write_value(value: &Value, slot: &mut Message) {
    match (&*value.meaning(), value.number()) {
        (Value::Bool(truth), _) => slot.int(4, i64::from(*truth)),
        (_, Some(number)) => slot.double(2, number),
        _ => slot.bytes(3, value.to_string().as_bytes()),
    };
}
