//! The wire format of protocol buffers: fields out of bytes, without copies, and fields into bytes.
//!
//! The messages that are read here have a dozen fields that matter; generated code would make an object of each point.
//! <https://protobuf.dev/programming-guides/encoding/>

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wire<'b> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'b [u8]),
    Fixed32([u8; 4]),
}

impl<'b> Wire<'b> {
    pub(crate) fn double(self) -> Option<f64> {
        match self {
            Wire::Fixed64(bytes) => Some(f64::from_le_bytes(bytes)),
            _ => None,
        }
    }
    pub(crate) fn int(self) -> Option<i64> {
        match self {
            Wire::Varint(number) => Some(number as i64),
            _ => None,
        }
    }
    pub(crate) fn bytes(self) -> Option<&'b [u8]> {
        match self {
            Wire::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message, in the order of the bytes. Ends behind the first that is malformed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    pub(crate) fn of(bytes: &'b [u8]) -> Fields<'b> {
        Fields { rest: bytes }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        if let [first @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        let mut number = 0_u64;
        for (i, byte) in self.rest.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(i + 1..).ok_or(Malformed)?;
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'b [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    fn field(&mut self) -> Result<(u64, Wire<'b>), Malformed> {
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed()?),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(self.fixed()?),
            // Groups, which none of these messages has.
            _ => return Err(Malformed),
        };
        Ok((key >> 3, wire))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u64, Wire<'b>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The numbers of a packed repeated field of variable length.
pub(crate) fn packed(bytes: &[u8]) -> impl Iterator<Item = Result<u64, Malformed>> {
    let mut fields = Fields::of(bytes);
    std::iter::from_fn(move || {
        (!fields.rest.is_empty()).then(|| {
            let number = fields.varint();
            if number.is_err() {
                fields.rest = &[];
            }
            number
        })
    })
}

/// Appends the fields of a message.
#[derive(Debug, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
    pub(crate) fn int(&mut self, field: u64, number: i64) -> &mut Message {
        self.raw(field << 3);
        self.raw(number as u64);
        self
    }
    pub(crate) fn double(&mut self, field: u64, number: f64) -> &mut Message {
        self.raw(field << 3 | 1);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    pub(crate) fn float(&mut self, field: u64, number: f32) -> &mut Message {
        self.raw(field << 3 | 5);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Message {
        self.raw(field << 3 | 2);
        self.raw(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
    /// A message within this one.
    pub(crate) fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) -> &mut Message {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Message::default();
        message.int(1, -1).double(2, 0.5).float(3, 1.5).bytes(1000, b"abc").message(5, |inner| {
            inner.int(1, 300);
        });
        let fields: Vec<_> = Fields::of(&message.0).collect::<Result<_, _>>().expect("well formed");
        let expected = [
            (1, Wire::Varint(u64::MAX)),
            (2, Wire::Fixed64(0.5_f64.to_le_bytes())),
            (3, Wire::Fixed32(1.5_f32.to_le_bytes())),
            (1000, Wire::Bytes(b"abc")),
            (5, Wire::Bytes(&[8, 0xac, 2])),
        ];
        assert_eq!(fields, expected);
        for cut in 1..message.0.len() {
            // Either it ends between two fields, or it says that it does not.
            let read = Fields::of(&message.0[..cut]).collect::<Vec<_>>();
            assert!(read.len() <= expected.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
            prop_assert!(packed(&bytes).count() <= bytes.len());
        }
    }
}
