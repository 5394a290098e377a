//! A packed file (.xlsx and .ods are ZIP archives of XML), opened with care: what it unfolds to is counted as it comes,
//! and what it says of its own sizes is not believed.

use crate::limits;
use crate::place::Place;
use crate::sheet::Mistake;
use crate::xml::Xml;
use std::collections::HashMap;
use std::io::{self, BufReader, Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

pub(crate) struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// By name in lower case: not every program writes names as others refer to them.
    parts: HashMap<String, usize>,
    /// Bytes that may still be unfolded, of all parts together.
    left: u64,
    place: Place<'a>,
}

pub(crate) type Part<'p> = Xml<BufReader<Box<dyn Read + 'p>>>;

/// The bytes of a part, as long as any may still come.
struct Counted<'p, R> {
    inner: R,
    left: &'p mut u64,
}

/// The error of a file that unfolds to more than is allowed.
#[derive(Debug)]
pub(crate) struct TooMuch;

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the file unfolds to more than {} MB, or to far more than its size", limits::UNPACKED >> 20)
    }
}

impl std::error::Error for TooMuch {}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        *self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(TooMuch))?;
        Ok(read)
    }
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], place: Place<'a>) -> Result<Package<'a>, Mistake> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| {
            place.mistake("the file is damaged or not whole", "copy it anew, or open it in a spreadsheet program and save it again")
        })?;
        if zip.len() > limits::PARTS {
            return Err(place.mistake(format!("the file has {} parts, which no spreadsheet has", zip.len()), ""));
        }
        let names = zip.file_names_raw().enumerate();
        let parts = names.map(|(at, name)| (String::from_utf8_lossy(name).replace('\\', "/").to_lowercase(), at)).collect();
        let by_ratio = (bytes.len() as u64).saturating_mul(limits::RATIO).max(limits::UNPACKED_ANYWAY);
        Ok(Package { zip, parts, left: by_ratio.min(limits::UNPACKED), place })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&name.to_lowercase())
    }

    pub(crate) fn any(&self, is: impl Fn(&str) -> bool) -> bool {
        self.parts.keys().any(|name| is(name))
    }

    /// A part to be read as XML, if there is one of this name.
    pub(crate) fn part(&mut self, name: &str) -> Result<Option<Part<'_>>, Mistake> {
        let Some(&at) = self.parts.get(&name.to_lowercase()) else { return Ok(None) };
        let place = self.place;
        let inner = self.zip.by_index(at).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => locked(place),
            _ => place.mistake(format!("its part {name} cannot be unpacked"), "open it in a spreadsheet program and save it again"),
        })?;
        let counted = Counted { inner, left: &mut self.left };
        Ok(Some(Xml::new(BufReader::with_capacity(64 << 10, Box::new(counted)))))
    }
}

pub(crate) fn locked(place: Place) -> Mistake {
    place.mistake("the file is protected by a password", "save it without one: in the spreadsheet program, remove the password and save")
}
