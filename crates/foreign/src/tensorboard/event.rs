//! The messages of an event file: `Event`, and the values of its `Summary`.
//! <https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto> and `summary.proto` beside it.

use crate::proto::{Fields, Malformed, Wire};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'b> {
    pub(crate) wall_time: f64,
    pub(crate) step: i64,
    pub(crate) what: What<'b>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'b> {
    Nothing,
    Summary(&'b [u8]),
    /// The training begins (again) at the event's step.
    Start,
    /// Nothing that neronet has a place for.
    Other(&'static str),
}

pub(crate) fn event(payload: &[u8]) -> Result<Event<'_>, Malformed> {
    let mut event = Event { wall_time: 0.0, step: 0, what: What::Nothing };
    for field in Fields::of(payload) {
        match field? {
            (1, wire) => event.wall_time = wire.double().ok_or(Malformed)?,
            (2, wire) => event.step = wire.int().ok_or(Malformed)?,
            (4 | 9, _) => event.what = What::Other("graphs"),
            (5, wire) => event.what = What::Summary(wire.bytes().ok_or(Malformed)?),
            (6, _) => event.what = What::Other("log messages"),
            (7, wire) => event.what = if status(wire.bytes().ok_or(Malformed)?)? == 1 { What::Start } else { What::Nothing },
            (8, _) => event.what = What::Other("run metadata"),
            _ => {}
        }
    }
    Ok(event)
}

fn status(session_log: &[u8]) -> Result<i64, Malformed> {
    let mut status = 0;
    for field in Fields::of(session_log) {
        if let (1, Wire::Varint(number)) = field? {
            status = number as i64;
        }
    }
    Ok(status)
}

/// A value of a summary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'b> {
    pub(crate) tag: &'b [u8],
    pub(crate) metadata: Option<&'b [u8]>,
    pub(crate) content: Content<'b>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'b> {
    Nothing,
    Number(f64),
    Tensor(&'b [u8]),
    Other(&'static str),
}

pub(crate) fn values(summary: &[u8]) -> impl Iterator<Item = Result<Value<'_>, Malformed>> {
    Fields::of(summary).filter_map(|field| match field {
        Ok((1, Wire::Bytes(bytes))) => Some(value(bytes)),
        Ok((1, _)) | Err(_) => Some(Err(Malformed)),
        Ok(_) => None,
    })
}

fn value(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut value = Value { tag: &[], metadata: None, content: Content::Nothing };
    for field in Fields::of(bytes) {
        match field? {
            (1, wire) => value.tag = wire.bytes().ok_or(Malformed)?,
            (2, Wire::Fixed32(bytes)) => value.content = Content::Number(f64::from(f32::from_le_bytes(bytes))),
            (3 | 5, _) => value.content = Content::Other("histograms"),
            (4, _) => value.content = Content::Other("images"),
            (6, _) => value.content = Content::Other("audio"),
            (8, wire) => value.content = Content::Tensor(wire.bytes().ok_or(Malformed)?),
            (9, wire) => value.metadata = Some(wire.bytes().ok_or(Malformed)?),
            _ => {}
        }
    }
    Ok(value)
}

/// The plugin that a value is for, and what it wrote for itself.
pub(crate) fn plugin(metadata: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut name, mut content): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(metadata) {
        if let (1, Wire::Bytes(data)) = field? {
            for field in Fields::of(data) {
                match field? {
                    (1, wire) => name = wire.bytes().ok_or(Malformed)?,
                    (2, wire) => content = wire.bytes().ok_or(Malformed)?,
                    _ => {}
                }
            }
        }
    }
    Ok((name, content))
}
