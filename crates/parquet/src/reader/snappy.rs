//! What Snappy compressed, as a whole. <https://github.com/google/snappy/blob/main/format_description.txt>

/// The bytes, which must be so many. Nothing where they are not, or are no such thing.
pub(super) fn uncompressed(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut rest = packed;
    let mut said = 0_usize;
    for at in 0..5 {
        let byte = take(&mut rest, 1)?;
        said |= (byte & 0x7f).checked_shl(7 * at)?;
        if byte < 0x80 {
            break;
        }
    }
    if said != length {
        return None;
    }
    // As much room as it needs is taken when it comes: a length is quickly written.
    let mut out = Vec::with_capacity(length.min(packed.len().saturating_mul(4)));
    while !rest.is_empty() {
        let tag = take(&mut rest, 1)?;
        match tag & 3 {
            0 => {
                let length = match tag >> 2 {
                    short @ 0..60 => short,
                    long => take(&mut rest, long - 59)?,
                };
                let (literal, behind) = rest.split_at_checked(length.checked_add(1)?)?;
                out.extend_from_slice(literal);
                rest = behind;
            }
            1 => copy(&mut out, take(&mut rest, 1)? | (tag >> 5) << 8, 4 + (tag >> 2 & 7))?,
            2 => copy(&mut out, take(&mut rest, 2)?, 1 + (tag >> 2))?,
            _ => copy(&mut out, take(&mut rest, 4)?, 1 + (tag >> 2))?,
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

/// A number of so many bytes.
fn take(rest: &mut &[u8], bytes: usize) -> Option<usize> {
    let (number, behind) = rest.split_at_checked(bytes)?;
    *rest = behind;
    Some(number.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
}

/// Adds bytes that are there already; behind the last of them come those that were just added.
fn copy(out: &mut Vec<u8>, back: usize, length: usize) -> Option<()> {
    let from = out.len().checked_sub(back).filter(|_| back > 0)?;
    for at in from..from + length {
        out.push(*out.get(at)?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_copies_of_every_kind() {
        let with = |packed: &[u8], text: &str| assert_eq!(uncompressed(packed, text.len()).as_deref(), Some(text.as_bytes()));
        with(b"\x00", "");
        with(b"\x03\x08abc", "abc");
        // Four from three back, over its own end; then two bytes of offset, then four.
        with(b"\x07\x08abc\x01\x03", "abcabca");
        with(b"\x05\x08abc\x06\x02\x00", "abcbc");
        with(b"\x05\x08abc\x07\x02\x00\x00\x00", "abcbc");
        let long = "x".repeat(100);
        with(&[b"\x64\xf0\x63", long.as_bytes()].concat(), &long);
        for bad in
            [&b"\x04\x08abc"[..], b"\x07\x08abc\x01\x04", b"\x03\x08ab", b"\x05\x08abc\x06\x00\x00", b"", b"\xff\xff\xff\xff\xff\x01"]
        {
            assert_eq!(uncompressed(bad, bad.first().map_or(0, |length| usize::from(*length))), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..100), length in 0_usize..300) {
            prop_assert!(uncompressed(&bytes, length).is_none_or(|out| out.len() == length));
        }
    }
}
