//! A block: the entries of one commit as bytes in one row.
//!
//! Entries are many and small, and are read by no column but their subject: as one row a commit they cost a
//! fraction of what they cost as a row each. The subjects of a block stand beside its bytes, once each, and the
//! database keeps an index of them by a trigger; an entry says which of them it is about.
//!
//! The bytes: a version, then the entries one after the other. Numbers are big-endian, texts carry their length.

use uuid::Uuid;

use super::Entry;

/// Most entries in one block.
pub(super) const MOST_ENTRIES: usize = 256;
/// The only form there is so far.
const VERSION: u8 = 1;
const MAC_BYTES: usize = 32;
const NONE: u16 = u16::MAX;

/// An entry in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) at_micros: i64,
    pub(super) request_id: Uuid,
    pub(super) actor: Option<Uuid>,
    pub(super) subject: Option<Uuid>,
    /// Authority, client, category, purpose, operation.
    pub(super) texts: [String; 5],
    pub(super) refused: Option<String>,
    pub(super) mac: Vec<u8>,
}

/// A block as it is filled.
pub(super) struct Block {
    entries: Vec<u8>,
    subjects: Vec<Uuid>,
}

impl Block {
    /// An empty block with room for `entries`.
    pub(super) fn with_capacity(entries: usize) -> Self {
        let mut bytes = Vec::with_capacity(1 + entries * 192);
        bytes.push(VERSION);
        Self { entries: bytes, subjects: Vec::new() }
    }

    /// Adds an entry with its link in the chain.
    pub(super) fn push(&mut self, entry: &Entry, at_micros: i64, mac: &[u8]) {
        let subject = entry.subject.map_or(NONE, |subject| self.subject_index(subject.0));
        let out = &mut self.entries;
        out.extend_from_slice(&at_micros.to_be_bytes());
        out.extend_from_slice(entry.request_id.as_bytes());
        out.push(u8::from(entry.actor.is_some()));
        if let Some(actor) = entry.actor {
            out.extend_from_slice(actor.0.as_bytes());
        }
        out.extend_from_slice(&subject.to_be_bytes());
        for text in entry.texts() {
            put_text(out, text);
        }
        match entry.outcome.refused() {
            None => out.push(0),
            Some(reason) => {
                out.push(1);
                put_text(out, reason);
            }
        }
        out.extend_from_slice(mac);
    }

    fn subject_index(&mut self, subject: Uuid) -> u16 {
        let at = self.subjects.iter().position(|known| *known == subject).unwrap_or_else(|| {
            self.subjects.push(subject);
            self.subjects.len() - 1
        });
        // A block has fewer entries than this type has values.
        u16::try_from(at).unwrap_or(NONE)
    }

    /// The bytes of the entries, and the subjects as a JSON array of their digits.
    pub(super) fn finish(self) -> (Vec<u8>, String) {
        let mut subjects = String::with_capacity(2 + self.subjects.len() * 35);
        subjects.push('[');
        let mut buffer = Uuid::encode_buffer();
        for (at, subject) in self.subjects.iter().enumerate() {
            subjects.push_str(if at == 0 { "\"" } else { ",\"" });
            subjects.push_str(subject.simple().encode_lower(&mut buffer));
            subjects.push('"');
        }
        subjects.push(']');
        (self.entries, subjects)
    }
}

/// Lengths are cut, never wrapped: every text here is ours or was bounded at the door.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = text.len().min(usize::from(u16::MAX));
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..length]);
}

/// The subjects of a block; none when they do not read back.
pub(super) fn subjects(text: &str) -> Option<Vec<Uuid>> {
    let digits: Vec<&str> = serde_json::from_str(text).ok()?;
    digits.into_iter().map(|digits| Uuid::try_parse(digits).ok()).collect()
}

/// The entries of a block in their order: as many as can be read, and whether that was all of it.
pub(super) fn read(entries: &[u8], subjects: &[Uuid]) -> (Vec<Stored>, bool) {
    let mut found = Vec::new();
    let Some((&VERSION, mut rest)) = entries.split_first() else { return (found, false) };
    while !rest.is_empty() {
        let Some(entry) = read_entry(&mut rest, subjects) else { return (found, false) };
        found.push(entry);
    }
    (found, true)
}

fn read_entry(rest: &mut &[u8], subjects: &[Uuid]) -> Option<Stored> {
    let at_micros = i64::from_be_bytes(take(rest, 8)?.try_into().ok()?);
    let request_id = Uuid::from_slice(take(rest, 16)?).ok()?;
    let actor = match take(rest, 1)? {
        [0] => None,
        [1] => Some(Uuid::from_slice(take(rest, 16)?).ok()?),
        _ => return None,
    };
    let subject = match take_u16(rest)? {
        NONE => None,
        at => Some(*subjects.get(usize::from(at))?),
    };
    let texts = [take_text(rest)?, take_text(rest)?, take_text(rest)?, take_text(rest)?, take_text(rest)?];
    let refused = match take(rest, 1)? {
        [0] => None,
        [1] => Some(take_text(rest)?),
        _ => return None,
    };
    let mac = take(rest, MAC_BYTES)?.to_vec();
    Some(Stored { at_micros, request_id, actor, subject, texts, refused, mac })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?))
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = take_u16(rest)?;
    String::from_utf8(take(rest, usize::from(length))?.to_vec()).ok()
}
