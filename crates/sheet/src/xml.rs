//! XML as a stream, without what attackers like in it: no document types, so no entities but the five of XML itself.

use crate::package::TooMuch;
use crate::place::Place;
use crate::sheet::Mistake;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::io::BufRead;

pub(crate) struct Xml<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
}

/// Why a part cannot be read on.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl<R: BufRead> Xml<R> {
    pub(crate) fn new(input: R) -> Xml<R> {
        let mut reader = Reader::from_reader(input);
        // Then each start has its end.
        reader.config_mut().expand_empty_elements = true;
        Xml { reader, buffer: Vec::new() }
    }

    /// What comes next; comments and the like are for the caller to pass over.
    pub(crate) fn next(&mut self) -> Result<Event<'_>, Broken> {
        self.buffer.clear();
        match self.reader.read_event_into(&mut self.buffer)? {
            Event::DocType(_) => Err(Broken("it has a document type, which no spreadsheet has".into())),
            event => Ok(event),
        }
    }

    /// Behind the end of the element that has just begun. Its text, that of the elements in it included, goes to `out`.
    pub(crate) fn text_to_end(&mut self, out: &mut String) -> Result<(), Broken> {
        let mut depth = 0;
        loop {
            match self.next()? {
                Event::Start(_) => depth += 1,
                Event::End(_) if depth == 0 => return Ok(()),
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(cut()),
                event => add_text(&event, out)?,
            }
        }
    }

    /// Behind the end of the element that has just begun.
    pub(crate) fn skip(&mut self) -> Result<(), Broken> {
        let mut depth = 0;
        loop {
            match self.next()? {
                Event::Start(_) => depth += 1,
                Event::End(_) if depth == 0 => return Ok(()),
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(cut()),
                _ => {}
            }
        }
    }
}

/// The text that an event is, if it is one.
pub(crate) fn add_text(event: &Event, out: &mut String) -> Result<(), Broken> {
    match event {
        Event::Text(text) => out.push_str(&text.xml10_content()),
        Event::CData(text) => out.push_str(&text.xml10_content()),
        Event::GeneralRef(entity) => match (resolve_predefined_entity(entity), entity.resolve_char_ref()?) {
            (Some(text), _) => out.push_str(text),
            (None, Some(c)) => out.push(c),
            (None, None) => return Err(Broken("it names an entity that XML does not have".into())),
        },
        _ => {}
    }
    Ok(())
}

/// An attribute by its name as it is written, or by what follows its prefix.
pub(crate) fn attribute(start: &BytesStart, name: &str) -> Result<Option<String>, Broken> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        if attribute.key.as_ref() == name || attribute.key.local_name().as_ref() == name {
            return Ok(Some(attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0)?.into_owned()));
        }
    }
    Ok(None)
}

/// Attributes as they are written, for those in which nothing is ever escaped.
pub(crate) fn plain_attributes<'s>(start: &'s BytesStart) -> impl Iterator<Item = Result<(&'s str, Cow<'s, str>), Broken>> {
    let mut attributes = start.attributes();
    // Looking for doubled names takes as long as all the rest.
    attributes.with_checks(false);
    attributes.map(|attribute| {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        Ok((attribute.key.into_inner(), attribute.value))
    })
}

pub(crate) fn cut() -> Broken {
    Broken("it ends in the middle".into())
}

impl From<quick_xml::Error> for Broken {
    fn from(error: quick_xml::Error) -> Broken {
        match &error {
            quick_xml::Error::Io(io) => Broken(match io.get_ref() {
                Some(inner) if inner.is::<TooMuch>() => inner.to_string(),
                _ => "a part of it cannot be unpacked".to_string(),
            }),
            quick_xml::Error::Encoding(_) => Broken("it is not UTF-8".into()),
            error => Broken(format!("it is no XML: {error}")),
        }
    }
}

impl Broken {
    pub(crate) fn at(self, place: Place) -> Mistake {
        place.mistake(format!("the file cannot be read: {}", self.0), "open it in a spreadsheet program and save it again")
    }
}
