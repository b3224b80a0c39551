//! Opens a file by what it contains, whatever it is called, and keeps watch over the bytes that come out of it.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use aws_lc_rs::digest;
use flate2::bufread::MultiGzDecoder;

use super::refusal::{Fault, RefusalReason};

/// The largest file taken, as it lies on the disk. The official zip is under 5 MB, its csv about 85 MB.
const MOST_FILE_BYTES: u64 = 2 << 30;
/// The most bytes that may come out of it: a bound against archives made to swell.
const MOST_TEXT_BYTES: u64 = 2 << 30;
/// The longest row. Official rows are under 1,000 bytes.
const LONGEST_RECORD: u64 = 64 << 10;
/// The most entries a zip may list.
const MOST_ZIP_ENTRIES: usize = 64;

/// Hands `consume` the text inside `file`: plain, or unpacked from gzip or from the one csv in a zip.
pub(crate) fn with_text<T>(
    mut file: impl Read + Seek,
    consume: impl FnOnce(Text<'_>) -> Result<T, Box<Fault>>,
) -> Result<T, Box<Fault>> {
    let size = file.seek(SeekFrom::End(0)).map_err(|error| unreadable(&error))?;
    if size > MOST_FILE_BYTES {
        return Err(Fault::new(
            RefusalReason::TooLarge,
            format!("the file has {size} bytes; no official file is so large"),
        ));
    }
    file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
    let mut start = Vec::with_capacity(8);
    file.by_ref().take(8).read_to_end(&mut start).map_err(|error| unreadable(&error))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
    match start.as_slice() {
        [] => Err(Fault::new(RefusalReason::Empty, "the file is empty")),
        [0x1f, 0x8b, ..] => {
            let mut unpacked = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, file));
            consume(Text::begin(&mut unpacked, Packing::Gzip)?)
        }
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => {
            let mut archive =
                zip::ZipArchive::new(BufReader::with_capacity(64 << 10, file)).map_err(archive_fault)?;
            let entry = only_csv(&archive)?;
            let mut unpacked = archive.by_index(entry).map_err(archive_fault)?;
            consume(Text::begin(&mut unpacked, Packing::Zip)?)
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            Err(Fault::new(RefusalReason::WrongLayout, "this is an Excel workbook, not the full csv extract"))
        }
        _ => consume(Text::begin(&mut file, Packing::None)?),
    }
}

/// The place of the one csv in an archive. Folders and what macOS adds beside files do not count.
fn only_csv<R: Read + Seek>(archive: &zip::ZipArchive<R>) -> Result<usize, Box<Fault>> {
    if archive.len() > MOST_ZIP_ENTRIES {
        return Err(Fault::new(
            RefusalReason::TooLarge,
            format!("the zip lists {} entries; an official one holds a single csv", archive.len()),
        ));
    }
    let mut found = (0..archive.len()).filter(|index| {
        archive.name_for_index(*index).and_then(Result::ok).is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name.ends_with(".csv") && !name.starts_with("__macosx/")
        })
    });
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (None, _) => Err(Fault::new(RefusalReason::WrongArchive, "the zip holds no csv")),
        (Some(_), Some(_)) => Err(Fault::new(RefusalReason::WrongArchive, "the zip holds more than one csv")),
    }
}

fn archive_fault(error: zip::result::ZipError) -> Box<Fault> {
    use zip::result::ZipError;
    match error {
        ZipError::Io(error) => io_fault(&error, Packing::Zip),
        ZipError::InvalidArchive(what) => {
            Fault::new(RefusalReason::Damaged, format!("the zip is damaged or cut off: {what}"))
        }
        other => Fault::new(RefusalReason::WrongArchive, format!("the zip cannot be read: {other}")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zip,
}

fn unreadable(error: &io::Error) -> Box<Fault> {
    Fault::new(RefusalReason::Unreadable, format!("the file cannot be read: {error}"))
}

fn io_fault(error: &io::Error, packing: Packing) -> Box<Fault> {
    let packed = match packing {
        Packing::None => return unreadable(error),
        Packing::Gzip => "gzip",
        Packing::Zip => "zip",
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Fault::new(RefusalReason::Truncated, format!("the {packed} data ends before it is complete"))
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Fault::new(RefusalReason::Damaged, format!("the {packed} data is damaged: {error}"))
        }
        _ => unreadable(error),
    }
}

/// What is known of a text once it has been read to its end.
pub(crate) struct Seal {
    /// SHA-256 of the text without a byte-order mark, so that it does not depend on how the file was packed.
    pub(crate) sha256: [u8; 32],
    /// Whether the last line has its line end.
    pub(crate) ends_with_line_end: bool,
}

/// Unpacked text on its way to the csv reader: hashed, counted and bounded as it passes.
pub(crate) struct Text<'a> {
    inner: &'a mut dyn Read,
    packing: Packing,
    /// Bytes read to look for a byte-order mark and not yet handed on.
    held: Vec<u8>,
    hash: digest::Context,
    handed_out: u64,
    may_hand_out: u64,
    last: Option<u8>,
    fault: Option<Box<Fault>>,
}

impl<'a> Text<'a> {
    fn begin(inner: &'a mut dyn Read, packing: Packing) -> Result<Self, Box<Fault>> {
        let mut held = Vec::with_capacity(4);
        inner.take(4).read_to_end(&mut held).map_err(|error| io_fault(&error, packing))?;
        match held.as_slice() {
            [] => return Err(Fault::new(RefusalReason::Empty, "there is no text in the file")),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                let said = "the text is UTF-16, not UTF-8; save it as \"CSV UTF-8\"";
                return Err(Fault::new(RefusalReason::WrongEncoding, said).at_line(1));
            }
            start if start.contains(&0) => {
                let said = "the text holds zero bytes: it is UTF-16 or not text at all";
                return Err(Fault::new(RefusalReason::WrongEncoding, said).at_line(1));
            }
            [0xef, 0xbb, 0xbf, ..] => drop(held.drain(..3)),
            _ => {}
        }
        Ok(Self {
            inner,
            packing,
            held,
            hash: digest::Context::new(&digest::SHA256),
            handed_out: 0,
            may_hand_out: LONGEST_RECORD,
            last: None,
            fault: None,
        })
    }

    /// Says that the next record begins at byte `start`. A reader that then asks for more than a row's worth of
    /// bytes beyond it is inside a row that is too long, or inside a quotation mark that is never closed.
    pub(crate) fn record_begins_at(&mut self, start: u64) {
        self.may_hand_out = start.saturating_add(LONGEST_RECORD);
    }

    /// What stopped the reading, if it was not the csv reader itself.
    pub(crate) fn take_fault(&mut self) -> Option<Box<Fault>> {
        self.fault.take()
    }

    /// Closes the books on a text that has been read to its end.
    pub(crate) fn seal(self) -> Seal {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.finish().as_ref());
        Seal { sha256, ends_with_line_end: self.last == Some(b'\n') }
    }

    fn stop(&mut self, fault: Box<Fault>) -> io::Error {
        self.fault = Some(fault);
        io::Error::other("stopped")
    }
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed_out >= self.may_hand_out {
            let said =
                format!("a row is longer than {LONGEST_RECORD} bytes, or a quotation mark is never closed");
            return Err(self.stop(Fault::new(RefusalReason::TooLarge, said)));
        }
        let count = if self.held.is_empty() {
            match self.inner.read(buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => {
                    let fault = io_fault(&error, self.packing);
                    return Err(self.stop(fault));
                }
            }
        } else {
            let count = self.held.len().min(buffer.len());
            for (slot, byte) in buffer.iter_mut().zip(self.held.drain(..count)) {
                *slot = byte;
            }
            count
        };
        let read = buffer.get(..count).unwrap_or_default();
        self.hash.update(read);
        self.last = read.last().copied().or(self.last);
        self.handed_out += count as u64;
        if self.handed_out > MOST_TEXT_BYTES {
            let said =
                format!("the text is longer than {MOST_TEXT_BYTES} bytes; no official file is so large");
            return Err(self.stop(Fault::new(RefusalReason::TooLarge, said)));
        }
        Ok(count)
    }
}
