//! Numbers and texts out of a `TensorProto`.
//! <https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/tensor.proto>, types in `types.proto`.

use crate::proto::{Fields, Malformed, Wire, packed};

/// The number of a tensor that holds one number; nothing of any other.
pub(crate) fn number(tensor: &[u8]) -> Result<Option<f64>, Malformed> {
    let (mut kind, mut content, mut single, mut bits) = (0, None, None, None);
    for field in Fields::of(tensor) {
        match field? {
            (1, Wire::Varint(number)) => kind = number,
            (2, Wire::Bytes(shape)) if !is_one(shape)? => return Ok(None),
            (4, Wire::Bytes(bytes)) if !bytes.is_empty() => content = Some(bytes),
            (5, Wire::Fixed32(bytes)) => single = Some(f64::from(f32::from_le_bytes(bytes))),
            (5, Wire::Bytes(bytes)) => single = bytes.first_chunk().map(|bytes| f64::from(f32::from_le_bytes(*bytes))),
            (6, Wire::Fixed64(bytes)) => single = Some(f64::from_le_bytes(bytes)),
            (6, Wire::Bytes(bytes)) => single = bytes.first_chunk().map(|bytes| f64::from_le_bytes(*bytes)),
            (7 | 10 | 11 | 13 | 16 | 17, Wire::Varint(number)) => bits = Some(number),
            (7 | 10 | 11 | 13 | 16 | 17, Wire::Bytes(bytes)) => bits = packed(bytes).next().transpose()?,
            _ => {}
        }
    }
    let raw = match content {
        Some(bytes) => return Ok(of_content(kind, bytes)),
        None => bits,
    };
    Ok(single.or_else(|| raw.map(|bits| of_bits(kind, bits))))
}

/// Its texts, one after the other.
pub(crate) fn texts(tensor: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(tensor).filter_map(|field| match field {
        Ok((8, Wire::Bytes(bytes))) => Some(Ok(bytes)),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

/// Whether a tensor of this shape has one element.
fn is_one(shape: &[u8]) -> Result<bool, Malformed> {
    for field in Fields::of(shape) {
        if let (2, Wire::Bytes(dimension)) = field? {
            let mut size = 0;
            for field in Fields::of(dimension) {
                if let (1, Wire::Varint(number)) = field? {
                    size = number;
                }
            }
            if size != 1 {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A number by its type, from a field of integers.
fn of_bits(kind: u64, bits: u64) -> f64 {
    match kind {
        14 => f64::from(f32::from_bits((bits as u32) << 16)),
        19 => half(bits as u16),
        22 | 23 => bits as f64,
        _ => bits as i64 as f64,
    }
}

/// A number by its type, from its bytes in memory.
fn of_content(kind: u64, bytes: &[u8]) -> Option<f64> {
    fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    Some(match kind {
        1 => f32::from_le_bytes(exactly(bytes)?).into(),
        2 => f64::from_le_bytes(exactly(bytes)?),
        3 => i32::from_le_bytes(exactly(bytes)?).into(),
        4 | 10 => u8::from_le_bytes(exactly(bytes)?).into(),
        5 => i16::from_le_bytes(exactly(bytes)?).into(),
        6 => i8::from_le_bytes(exactly(bytes)?).into(),
        9 => i64::from_le_bytes(exactly(bytes)?) as f64,
        14 => f32::from_bits(u32::from(u16::from_le_bytes(exactly(bytes)?)) << 16).into(),
        17 => u16::from_le_bytes(exactly(bytes)?).into(),
        19 => half(u16::from_le_bytes(exactly(bytes)?)),
        22 => u32::from_le_bytes(exactly(bytes)?).into(),
        23 => u64::from_le_bytes(exactly(bytes)?) as f64,
        _ => return None,
    })
}

/// A number of IEEE 754's 16 bits: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match bits >> 10 & 0x1f {
        0 => fraction * 2.0_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2.0_f64.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_sixteen_bits() {
        for (bits, number) in
            [(0, 0.0), (0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_953_125), (1, 5.960_464_477_539_063e-8), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits), number, "{bits:x}");
        }
        assert_eq!((half(0x7c00), half(0xfc00)), (f64::INFINITY, f64::NEG_INFINITY));
        assert!(half(0x7e00).is_nan());
        assert_eq!(of_bits(14, 0x3f80), 1.0);
    }
}
