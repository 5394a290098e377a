//! Bytes that are nearly right: seeds with bits flipped, pieces gone, doubled, moved or taken from another seed, numbers at their limits.

/// Numbers that a seed repeats: splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// Of each target its own.
    pub(crate) fn of(name: &str, seed: u64) -> Random {
        Random(name.bytes().fold(seed, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is 0 only where nothing is.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn of_slice<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Growth by doubled pieces ends here.
const LONGEST: usize = 96 << 10;
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\n\r\t \"'\\{}[]()<>,:;=-+.%#&/|~!@$^*?_0919aAeE";
const INTEGERS: [u64; 14] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 1 << 20, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "-1",
    "1e308",
    "1e309",
    "-1e-400",
    "0.1",
    "255",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e99999",
    "NaN",
    "null",
    "\"Infinity\"",
    "true",
];

/// One of the seeds, changed in a few places.
pub(crate) fn mutated(seeds: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.of_slice(seeds).to_vec();
    for _ in 0..=random.below(4) {
        let (at, length) = piece(&bytes, random);
        match random.below(12) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = *random.of_slice(BYTES),
            2 => bytes.insert(at, *random.of_slice(BYTES)),
            3 => integer(&mut bytes, at, random),
            4 | 5 => replace_number(&mut bytes, at, random),
            6 => drop(bytes.drain(at..at + length)),
            7 => {
                let copy = bytes[at..at + length].repeat(1 + random.below(8) * random.below(2));
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            8 => bytes.truncate(at),
            9 | 10 => {
                let other = random.of_slice(seeds);
                let (from, taken) = piece(other, random);
                let over = length * random.below(2);
                bytes.splice(at..at + over, other[from..from + taken].iter().copied());
            }
            _ => {
                let noise: Vec<u8> = (0..1 + random.below(8)).map(|_| random.next() as u8).collect();
                bytes.splice(at..at, noise);
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// A place and a length within: mostly short, sometimes up to the whole, sometimes whole lines.
fn piece(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let at = random.below(bytes.len());
    let rest = bytes.len() - at;
    match random.below(4) {
        0 => {
            let line = |byte: &u8| *byte == b'\n';
            let begin = bytes[..at].iter().rposition(line).map_or(0, |end| end + 1);
            let end = bytes[at..].iter().position(line).map_or(bytes.len(), |end| at + end + 1);
            (begin, end - begin)
        }
        1 => (at, random.below(rest + 1)),
        _ => (at, random.below(rest.min(16) + 1)),
    }
}

fn integer(bytes: &mut [u8], at: usize, random: &mut Random) {
    let number = random.of_slice(&INTEGERS).wrapping_add(random.next() % 3).wrapping_sub(1);
    let (little, big, width) = (number.to_le_bytes(), number.to_be_bytes(), 1 << random.below(4));
    let form = if random.below(2) == 0 { &little[..width] } else { &big[8 - width..] };
    for (byte, new) in bytes[at..].iter_mut().zip(form) {
        *byte = *new;
    }
}

/// The digits at or behind a place become another number.
fn replace_number(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let Some(begin) = bytes[at..].iter().position(u8::is_ascii_digit).map(|digit| at + digit) else { return };
    let digits = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let new = *random.of_slice(&NUMBERS);
    bytes.splice(begin..begin + digits, new.bytes());
}
