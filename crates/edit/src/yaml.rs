//! YAML: the events of the `saphyr` parser, made into values that know their bytes.
//!
//! The parser says where a value is, in characters, but not always all of it: the place of a value with an anchor begins at
//! the anchor, that of a block text behind its `|`, that of some lists behind their first `-`, a list of lines ends
//! somewhere behind its last element, and what is in quotes or brackets with the comment behind it. The right bytes are found
//! by a look at what can stand between two values: blanks, comments, indicators, anchors and tags.

mod gaps;
mod words;

pub(crate) use words::{reads_as, write};

use crate::DEEPEST;
use crate::mistake::{Mistake, Refusal, quoted};
use crate::near::MERGES;
use crate::tree::{Kind, Node, Scalar, Table};
use gaps::Gaps;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

const TAGGED: &str = "it has a tag, which may not suit the new value; take the tag away, or set what is inside";
const ANCHORED: &str = "an anchor stands inside of it, and other places may refer to that";
const VALUELESS: &str = "nothing marks the place of its value; write 'null' there";

pub(crate) fn read(text: &str) -> Result<Node, Mistake> {
    let mut builder = Builder { gaps: Gaps::new(text), open: Vec::new(), root: None, documents: 0, anchors: 0, cursor: 0, last: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let place = builder.gaps.byte(error.marker().index());
            Refusal::new(format!("this cannot be read as YAML: {}", error.info())).in_file(text, place)
        })?;
        builder.event(event, span).map_err(|(refusal, place)| refusal.in_file(text, place))?;
    }
    let empty = |node: &Node| matches!(&node.kind, Kind::Scalar(Scalar { text, quoted: false }) if text.is_empty());
    Ok(builder.root.filter(|root| !empty(root)).unwrap_or_else(|| Node::new(0..0, Kind::Table(Table::default()))))
}

struct Builder<'a> {
    gaps: Gaps<'a>,
    /// The lists and tables that are being read.
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    anchors: usize,
    /// Behind what the last event was about.
    cursor: usize,
    /// Behind the last value that has bytes.
    last: usize,
}

struct Open {
    what: What,
    start: usize,
    slot: usize,
    /// The line break before a list in lines of its own; none where it begins on the line of its key, or is in brackets.
    own_lines: Option<usize>,
    anchors: usize,
    tagged: bool,
}

enum What {
    Table(Table, Option<(String, usize)>),
    List(Vec<Node>),
}

type Outcome = Result<(), (Refusal, usize)>;

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Outcome {
        let start = self.gaps.byte(span.start.index());
        let end = self.gaps.byte(span.end.index());
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let refusal = Refusal::new("the file holds several documents, parted by '---'");
                    return Err((refusal.hint("which one is meant cannot be said: use one file for each"), start));
                }
            }
            Event::Alias(_) => {
                (self.cursor, self.last) = (end, end);
                self.add(Node::new(start..end, Kind::Alias), start)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.anchors += usize::from(anchor > 0);
                let properties = anchor > 0 || tag.is_some();
                let mut node = self.scalar(&text, style, properties, start..end);
                if tag.is_some() {
                    node.locked = Some(TAGGED);
                }
                self.cursor = node.end().max(self.cursor);
                if node.locked != Some(VALUELESS) {
                    self.last = node.end();
                }
                self.add(node, start)?;
            }
            Event::SequenceStart(anchor, tag) => self.begin(What::List(Vec::new()), (start, end), anchor > 0, tag.is_some())?,
            Event::MappingStart(anchor, tag) => self.begin(What::Table(Table::default(), None), (start, end), anchor > 0, tag.is_some())?,
            Event::SequenceEnd | Event::MappingEnd => self.finish(start, end)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, properties: bool, span: std::ops::Range<usize>) -> Node {
        let (marked, begin) = if properties { self.gaps.properties(span.start) } else { (span.start, span.start) };
        let quoted = style != ScalarStyle::Plain;
        let node = |slot| Node::scalar(slot, text, quoted);
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let header = if properties { begin } else { self.gaps.block_header(self.cursor, span.start) };
                let (header_end, line_end, content_end) = self.gaps.block_text(header, span.end);
                let mut node = node(header..header_end);
                node.rest = line_end..content_end.max(line_end);
                node
            }
            ScalarStyle::Plain if text.is_empty() && properties => node(marked..marked),
            ScalarStyle::Plain if text.is_empty() => match self.place_of_nothing(span.start) {
                Some(behind) => node(behind..behind),
                None => {
                    let mut node = node(span.start..span.start);
                    node.locked = Some(VALUELESS);
                    node
                }
            },
            ScalarStyle::Plain => node(begin..span.end),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => node(begin..self.gaps.behind_quotes(begin, span.end)),
        }
    }

    /// Behind the `:` or `-` that nothing follows. The parser names that `:`, or what comes behind the `-`, or the next key.
    fn place_of_nothing(&self, start: usize) -> Option<usize> {
        match self.open.last()?.what {
            What::Table(..) => self.gaps.at(start).starts_with(':').then_some(start + 1),
            What::List(_) => Some(self.gaps.behind_indicators(self.cursor, start)).filter(|behind| self.gaps.is_behind(*behind, '-')),
        }
    }

    fn begin(&mut self, what: What, (start, end): (usize, usize), anchor: bool, tagged: bool) -> Outcome {
        if self.open.len() >= DEEPEST {
            return Err((Refusal::new("this cannot be read as YAML: its values are nested too deep"), start));
        }
        self.anchors += usize::from(anchor);
        let list = matches!(what, What::List(_));
        let (marked, content) = match self.open.last().map(|open| &open.what) {
            _ if anchor || tagged => self.gaps.properties(start),
            // No bracket, so these are lines. Those that are not indented further than their key begin before `start`.
            Some(What::Table(..)) if list && start == end => (start, self.gaps.first_dash(self.cursor, start)),
            _ => (start, start),
        };
        let block = list && !self.gaps.at(content).starts_with('[');
        let own_lines = if block { self.gaps.line_break_before(content) } else { None };
        let slot = match own_lines {
            Some(_) if anchor || tagged => marked,
            Some(_) => self.gaps.behind_indicators(self.cursor, content),
            None => content,
        };
        self.open.push(Open { what, start: content, slot, own_lines, anchors: self.anchors, tagged });
        self.cursor = content;
        Ok(())
    }

    fn finish(&mut self, start: usize, end: usize) -> Outcome {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // A collection in brackets ends with one; of others only the last value tells.
        if self.gaps.at(open.start).starts_with(['[', '{']) && self.gaps.at(start).starts_with([']', '}']) && end > start {
            (self.cursor, self.last) = (start + 1, start + 1);
        }
        let place = open.start;
        let mut node = match open.what {
            What::Table(table, _) => {
                let mut node = Node::new(open.start..open.start, Kind::Table(table));
                node.locked = matches!(&node.kind, Kind::Table(table) if table.entries.contains_key("<<")).then_some(MERGES);
                node
            }
            What::List(items) => {
                let last = self.last.max(open.start);
                let (slot, rest) = match open.own_lines {
                    Some(line_break) => (open.slot..open.slot, line_break.max(open.slot)..last),
                    None => (open.slot..last, last..last),
                };
                let mut node = Node::new(slot, Kind::List(items));
                node.rest = rest;
                node.locked = (self.anchors > open.anchors).then_some(ANCHORED);
                node
            }
        };
        if open.tagged && matches!(node.kind, Kind::List(_)) {
            node.locked = Some(TAGGED);
        }
        self.add(node, place)
    }

    /// Puts a value, or a key, where it belongs.
    fn add(&mut self, node: Node, start: usize) -> Outcome {
        match self.open.last_mut().map(|open| &mut open.what) {
            None => self.root = Some(node),
            Some(What::List(items)) => items.push(node),
            Some(What::Table(table, key)) => match (key.take(), node.kind) {
                (Some((name, place)), kind) => {
                    let message = format!("the key {} is there twice", quoted(&name));
                    if !table.add(name, Node { kind, ..node }) {
                        return Err((Refusal::new(message), place));
                    }
                }
                (None, Kind::Scalar(Scalar { text, .. })) => *key = Some((text.into_string(), start)),
                (None, _) => return Err((Refusal::new("a list, table or alias stands for a key, which cannot be read here"), start)),
            },
        }
        Ok(())
    }
}
