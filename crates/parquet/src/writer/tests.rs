//! What is written is read back by a reader that knows nothing of the writer but the format's own words.

use super::*;
use std::collections::BTreeMap;

/// A structure of Thrift's compact protocol.
#[derive(Debug, Clone, PartialEq)]
enum Thing {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Thing>),
    Fields(BTreeMap<u8, Thing>),
}

struct Bytes<'b>(&'b [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().expect("more bytes");
        self.0 = rest;
        *first
    }
    fn varint(&mut self) -> u64 {
        let byte = self.byte();
        if byte > 0x7f { u64::from(byte & 0x7f) | self.varint() << 7 } else { u64::from(byte) }
    }
    fn take(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }
    fn thing(&mut self, kind: u8) -> Thing {
        match kind {
            1 | 2 => Thing::Bool(kind == 1),
            5 | 6 => {
                let zigzag = self.varint();
                Thing::Int((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
            }
            8 => {
                let length = self.varint() as usize;
                Thing::Text(String::from_utf8(self.take(length)).expect("UTF-8"))
            }
            9 => {
                let head = self.byte();
                let length = if head >> 4 == 15 { self.varint() as usize } else { usize::from(head >> 4) };
                Thing::List((0..length).map(|_| self.thing(head & 15)).collect())
            }
            12 => {
                let (mut fields, mut last) = (BTreeMap::new(), 0);
                loop {
                    let head = self.byte();
                    if head == 0 {
                        return Thing::Fields(fields);
                    }
                    assert!(head >> 4 > 0, "the long form is not used");
                    last += head >> 4;
                    fields.insert(last, self.thing(head & 15));
                }
            }
            other => panic!("type {other}"),
        }
    }
}

impl Thing {
    fn get(&self, id: u8) -> &Thing {
        match self {
            Thing::Fields(fields) => fields.get(&id).unwrap_or_else(|| panic!("field {id} of {self:?}")),
            other => panic!("no structure: {other:?}"),
        }
    }
    fn int(&self) -> i64 {
        if let Thing::Int(int) = self { *int } else { panic!("no number: {self:?}") }
    }
    fn text(&self) -> &str {
        if let Thing::Text(text) = self { text } else { panic!("no text: {self:?}") }
    }
    fn items(&self) -> &[Thing] {
        if let Thing::List(items) = self { items } else { panic!("no list: {self:?}") }
    }
}

/// Runs of equal values.
fn levels(bytes: &mut Bytes<'_>, width: u8, count: usize) -> Vec<u32> {
    let mut all = Vec::new();
    while all.len() < count {
        let head = bytes.varint();
        assert_eq!(head & 1, 0, "packed");
        let value: u32 = (0..width.div_ceil(8)).map(|at| u32::from(bytes.byte()) << (8 * at)).sum();
        all.extend(std::iter::repeat_n(value, (head >> 1) as usize));
    }
    all
}

/// The columns by name, each cell as a text.
fn read(file: &[u8]) -> Vec<(String, Vec<Option<String>>)> {
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().expect("4 bytes")) as usize;
    let footer = Bytes(&file[file.len() - 8 - length..file.len() - 8]).thing(12);
    let schema = footer.get(2).items();
    assert_eq!(schema[0].get(5).int() as usize, schema.len() - 1);
    let mut columns: Vec<_> = schema[1..].iter().map(|column| (column.get(4).text().to_string(), Vec::new())).collect();
    for group in footer.get(4).items() {
        for (chunk, (name, cells)) in group.get(1).items().iter().zip(&mut columns) {
            let meta = chunk.get(3);
            assert_eq!(meta.get(3).items()[0].text(), name);
            let kind = meta.get(1).int();
            let mut dictionary = Vec::new();
            let mut bytes = Bytes(&file[chunk.get(2).int() as usize..]);
            if kind == 6 {
                let head = bytes.thing(12);
                let entries = bytes.take(head.get(2).int() as usize);
                let mut entries = Bytes(&entries);
                for _ in 0..head.get(7).get(1).int() {
                    let length = u32::from_le_bytes(entries.take(4).try_into().expect("4")) as usize;
                    dictionary.push(String::from_utf8(entries.take(length)).expect("UTF-8"));
                }
            }
            assert_eq!(meta.get(9).int() as usize, file.len() - bytes.0.len());
            let head = bytes.thing(12);
            let body = bytes.take(head.get(3).int() as usize);
            let rows = head.get(5).get(1).int() as usize;
            assert_eq!((rows as i64, rows as i64), (meta.get(5).int(), group.get(3).int()));
            let mut body = Bytes(&body);
            let length = u32::from_le_bytes(body.take(4).try_into().expect("4")) as usize;
            let filled = levels(&mut Bytes(&body.take(length)), 1, rows);
            let count = filled.iter().filter(|filled| **filled == 1).count();
            let eight = |body: &mut Bytes<'_>| -> [u8; 8] { body.take(8).try_into().expect("8") };
            let mut values: Vec<String> = match kind {
                0 => {
                    let bits = body.take(count.div_ceil(8));
                    (0..count).map(|at| (bits[at / 8] >> (at % 8) & 1 == 1).to_string()).collect()
                }
                2 => (0..count).map(|_| i64::from_le_bytes(eight(&mut body)).to_string()).collect(),
                5 => (0..count).map(|_| format!("{:?}", f64::from_le_bytes(eight(&mut body)))).collect(),
                _ => {
                    let width = body.byte();
                    levels(&mut body, width, count).into_iter().map(|place| dictionary[place as usize].clone()).collect()
                }
            };
            values.reverse();
            cells.extend(filled.iter().map(|filled| (*filled == 1).then(|| values.pop().expect("a value"))));
        }
    }
    assert!(columns.iter().all(|(_, cells)| cells.len() as i64 == footer.get(3).int()));
    columns
}

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.into(), kind }
}

#[test]
fn every_value_is_read_back_over_the_edges_of_groups() {
    let kinds = [("run", Kind::Int), ("metric", Kind::Text), ("value", Kind::Double), ("old", Kind::Bool), ("time", Kind::Time)];
    let mut writer = Writer::new(Vec::new(), kinds.iter().map(|(name, kind)| column(name, *kind)).collect()).expect("in memory");
    let mut expected: Vec<Vec<Option<String>>> = vec![Vec::new(); kinds.len()];
    for row in 0..(ROWS as i64 + 1_000) {
        let metric = format!("metric {}", row / 7 % 300);
        let value = match row % 5 {
            0 => f64::NAN,
            1 => f64::NEG_INFINITY,
            _ => row as f64 / 3.0,
        };
        let cells = [
            Cell::Int(row - 7),
            if row % 11 == 0 { Cell::Blank } else { Cell::Text(&metric) },
            Cell::Double(value),
            Cell::Bool(row % 3 == 0),
            if row % 2 == 0 { Cell::Int(row * 1_000) } else { Cell::Text("of another kind") },
        ];
        writer.row(cells).expect("in memory");
        let texts = cells.map(|cell| match cell {
            Cell::Int(int) => Some(int.to_string()),
            Cell::Double(number) => Some(format!("{number:?}")),
            Cell::Bool(truth) => Some(truth.to_string()),
            Cell::Text("of another kind") | Cell::Blank => None,
            Cell::Text(text) => Some(text.to_string()),
        });
        expected.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
    }
    assert!(writer.groups.len() == 1 && writer.waiting > 0);
    let file = writer.finish().expect("in memory");
    for ((name, found), expected) in read(&file).into_iter().zip(expected) {
        assert!(found == expected, "{name}");
    }
}

#[test]
fn an_empty_table_and_empty_columns_are_files_too() {
    let writer = Writer::new(Vec::new(), vec![column("a", Kind::Text)]).expect("in memory");
    assert_eq!(read(&writer.finish().expect("in memory")), [("a".to_string(), Vec::new())]);
    let mut writer = Writer::new(Vec::new(), vec![column("a", Kind::Text), column("b", Kind::Bool)]).expect("in memory");
    writer.row([]).expect("in memory");
    writer.row([Cell::Text("")]).expect("in memory");
    let found = read(&writer.finish().expect("in memory"));
    assert_eq!(found[0].1, [None, Some(String::new())]);
    assert_eq!(found[1].1, [None, None]);
}
