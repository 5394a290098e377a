//! Thrift's compact protocol, as far as Parquet's structures need it.

/// Types of fields and of elements of lists.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// The fields of one structure. They come in the order of their ids.
#[derive(Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
    last: u8,
}

impl Fields {
    fn field(&mut self, id: u8, kind: u8) {
        // Ids of Parquet's structures are never so far apart that the long form is needed.
        self.bytes.push(((id - self.last) << 4) | kind);
        self.last = id;
    }

    pub(crate) fn bool(&mut self, id: u8, value: bool) -> &mut Fields {
        self.field(id, if value { TRUE } else { FALSE });
        self
    }

    pub(crate) fn i32(&mut self, id: u8, value: i32) -> &mut Fields {
        self.field(id, I32);
        varint(&mut self.bytes, zigzag(i64::from(value)));
        self
    }

    pub(crate) fn i64(&mut self, id: u8, value: i64) -> &mut Fields {
        self.field(id, I64);
        varint(&mut self.bytes, zigzag(value));
        self
    }

    pub(crate) fn text(&mut self, id: u8, value: &str) -> &mut Fields {
        self.field(id, BINARY);
        binary(&mut self.bytes, value);
        self
    }

    pub(crate) fn structure(&mut self, id: u8, fill: impl FnOnce(&mut Fields)) -> &mut Fields {
        self.field(id, STRUCT);
        self.bytes.extend(structure(fill));
        self
    }

    pub(crate) fn structures(&mut self, id: u8, all: impl ExactSizeIterator<Item = Vec<u8>>) -> &mut Fields {
        self.list(id, STRUCT, all.len());
        all.for_each(|one| self.bytes.extend(one));
        self
    }

    pub(crate) fn i32s(&mut self, id: u8, all: &[i32]) -> &mut Fields {
        self.list(id, I32, all.len());
        all.iter().for_each(|value| varint(&mut self.bytes, zigzag(i64::from(*value))));
        self
    }

    pub(crate) fn texts(&mut self, id: u8, all: &[&str]) -> &mut Fields {
        self.list(id, BINARY, all.len());
        all.iter().for_each(|value| binary(&mut self.bytes, value));
        self
    }

    fn list(&mut self, id: u8, kind: u8, length: usize) {
        self.field(id, LIST);
        match u8::try_from(length) {
            Ok(short) if short < 15 => self.bytes.push((short << 4) | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                varint(&mut self.bytes, length as u64);
            }
        }
    }
}

/// A structure by itself.
pub(crate) fn structure(fill: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let mut fields = Fields::default();
    fill(&mut fields);
    fields.bytes.push(0);
    fields.bytes
}

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn binary(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_fields_count_on() {
        let bytes = structure(|fields| {
            fields.i32(1, -1).i64(4, 300).bool(5, true).texts(6, &["a", ""]);
        });
        assert_eq!(bytes, [0x15, 0x01, 0x36, 0xd8, 0x04, 0x11, 0x19, 0x28, 0x01, b'a', 0x00, 0x00]);
        let long = structure(|fields| {
            fields.i32s(1, &[0; 20]);
        });
        assert_eq!(long[..3], [0x19, 0xf5, 20]);
    }
}
