//! A model as bytes: a header, and a chunk for each treatment function.
//!
//! Little-endian, every number in its exact bits, maps in the order of their keys, so that equal models are equal
//! bytes on any machine. The header names each chunk with its length and a checksum (FNV-1a, 64 bits: against damage,
//! not against forgery). Reading trusts nothing: every count is bounded before anything is made of it, every number
//! must lie where a fit could have put it, and nothing may be left over.

use std::collections::BTreeMap;

use chrono::Datelike;
use thiserror::Error;

use crate::curve::{AGES, BaseCurve, GROUPS, Widening};
use crate::life_table::MOST_HAZARD;
use crate::model::{BandLayout, OrganisationCode, Period, ProviderCode, TreatmentFunction};
use crate::tables::{Level, Local, MODEL_VERSION, Model, Reason, Specialty};

const MAGIC: &[u8; 8] = b"FDWAIT01";
const MOST_CHUNKS: usize = 256;
const MOST_CELLS: usize = 50_000;
const MOST_MONTHS: usize = 36;
const MOST_CODES: usize = 50_000;
/// Room for a chunk of the most cells; a real one is a twentieth of this.
const MOST_BYTES: usize = 16 << 20;

/// A model as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelBytes {
    /// The header: months, codes, England, and what the chunks must be.
    pub header: Vec<u8>,
    /// A chunk for each treatment function.
    pub chunks: BTreeMap<TreatmentFunction, Vec<u8>>,
}

impl ModelBytes {
    /// The treatment functions a header names, so that a store knows which chunks to fetch.
    ///
    /// # Errors
    /// When the header does not read.
    pub fn functions(header: &[u8]) -> Result<Vec<TreatmentFunction>, DecodeError> {
        Ok(read_header(header)?.1.into_keys().collect())
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.header.len() + self.chunks.values().map(Vec::len).sum::<usize>()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why bytes are not a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not made by this version of the method.
    #[error("the model is of another version")]
    Version,
    /// The bytes end too soon, go on too long, or hold what no fit makes.
    #[error("the model's bytes are damaged: {0}")]
    Damaged(&'static str),
    /// A chunk the header names is not there, or one is there that it does not name.
    #[error("the model's chunks are not those its header names")]
    Chunks,
}

impl Model {
    /// The model as bytes. Equal models give equal bytes.
    #[must_use]
    pub fn encode(&self) -> ModelBytes {
        let chunks: BTreeMap<_, _> =
            self.specialties.iter().map(|(&code, specialty)| (code, specialty_bytes(specialty))).collect();
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        put_text(&mut out, MODEL_VERSION);
        out.push(u8::from(self.layout == BandLayout::To104Weeks));
        put_count(&mut out, self.months.len());
        for month in &self.months {
            put_period(&mut out, *month);
        }
        put_count(&mut out, self.aliases.len());
        for (from, to) in &self.aliases {
            put_text(&mut out, from.as_str());
            put_text(&mut out, to.as_str());
        }
        put_count(&mut out, self.regions.len());
        for (provider, region) in &self.regions {
            put_text(&mut out, provider.as_str());
            put_text(&mut out, region.as_str());
        }
        let england = specialty_bytes(&self.england);
        put_count(&mut out, england.len());
        out.extend_from_slice(&england);
        put_count(&mut out, chunks.len());
        for (function, chunk) in &chunks {
            put_text(&mut out, function.as_str());
            put_count(&mut out, chunk.len());
            out.extend_from_slice(&checksum(chunk).to_le_bytes());
        }
        let seal = checksum(&out);
        out.extend_from_slice(&seal.to_le_bytes());
        ModelBytes { header: out, chunks }
    }

    /// Reads a model back; equal to the one that was encoded, bit by bit.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Model::encode`] of this version writes.
    pub fn decode(bytes: &ModelBytes) -> Result<Self, DecodeError> {
        let (mut model, named) = read_header(&bytes.header)?;
        if named.len() != bytes.chunks.len() {
            return Err(DecodeError::Chunks);
        }
        for (function, (length, sum)) in named {
            let chunk = bytes.chunks.get(&function).ok_or(DecodeError::Chunks)?;
            if chunk.len() != length || checksum(chunk) != sum {
                return Err(DecodeError::Chunks);
            }
            let mut reader = Reader { rest: chunk };
            let specialty = reader.specialty(model.layout)?;
            reader.end()?;
            model.specialties.insert(function, specialty);
        }
        Ok(model)
    }
}

fn specialty_bytes(specialty: &Specialty) -> Vec<u8> {
    let mut out = Vec::new();
    put_numbers(&mut out, specialty.curve.hazard());
    put_numbers(&mut out, &specialty.treated);
    out.push(u8::from(specialty.decided.is_some()));
    if let Some(decided) = &specialty.decided {
        put_numbers(&mut out, decided);
    }
    put_local(&mut out, &specialty.england);
    for locals in [&specialty.regions, &specialty.cells] {
        put_count(&mut out, locals.len());
        for (code, local) in locals {
            put_text(&mut out, code.as_str());
            put_local(&mut out, local);
        }
    }
    out
}

fn put_local(out: &mut Vec<u8>, local: &Local) {
    out.extend_from_slice(&local.list_size.to_le_bytes());
    out.extend_from_slice(&local.pairs.to_le_bytes());
    out.push(match local.level {
        Level::ProviderTfc => 0,
        Level::IcbTfc => 1,
        Level::EnglandTfc => 2,
        Level::England => 3,
    });
    out.push(local.reasons);
    put_numbers(out, &[local.credibility, local.widening.sigma()]);
    put_numbers(out, &local.factor);
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[f64]) {
    for number in numbers {
        out.extend_from_slice(&number.to_bits().to_le_bytes());
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

/// Codes and versions only: never longer than a byte can say.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

fn put_period(out: &mut Vec<u8>, period: Period) {
    let day = period.first_day();
    out.extend_from_slice(&u16::try_from(day.year()).unwrap_or(0).to_le_bytes());
    out.push(u8::try_from(day.month()).unwrap_or(0));
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What a header says of each chunk: its length and checksum.
type Named = BTreeMap<TreatmentFunction, (usize, u64)>;

fn read_header(header: &[u8]) -> Result<(Model, Named), DecodeError> {
    let body = header.len().checked_sub(8).ok_or(SHORT)?;
    let (bytes, seal) = header.split_at(body);
    if checksum(bytes).to_le_bytes() != seal {
        return Err(DecodeError::Damaged("the header's checksum"));
    }
    let mut reader = Reader { rest: bytes };
    if reader.take(MAGIC.len())? != MAGIC || reader.text()? != MODEL_VERSION {
        return Err(DecodeError::Version);
    }
    let layout = if reader.flag()? { BandLayout::To104Weeks } else { BandLayout::To52Weeks };
    let mut months = Vec::new();
    for _ in 0..reader.count(MOST_MONTHS)? {
        months.push(reader.period()?);
    }
    let base = months.last().copied().ok_or(DecodeError::Damaged("no month"))?;
    if !months.is_sorted_by(|one, two| one < two) {
        return Err(DecodeError::Damaged("the order of the months"));
    }
    let aliases = reader.codes()?;
    let regions = reader.codes()?;
    let length = reader.count(MOST_BYTES)?;
    let mut inner = Reader { rest: reader.take(length)? };
    let england = inner.specialty(layout)?;
    inner.end()?;
    let mut named = Named::new();
    for _ in 0..reader.count(MOST_CHUNKS)? {
        let function = TreatmentFunction::parse(reader.text()?).ok_or(DecodeError::Damaged("a function"))?;
        let length = reader.count(MOST_BYTES)?;
        in_order(&named, &function)?;
        named.insert(function, (length, u64::from_le_bytes(reader.array()?)));
    }
    reader.end()?;
    let specialties = BTreeMap::new();
    Ok((Model { months, base, layout, aliases, regions, england, specialties }, named))
}

/// Keys must come in their order, each once: there is one spelling of a model.
fn in_order<K: Ord, V>(map: &BTreeMap<K, V>, key: &K) -> Result<(), DecodeError> {
    match map.last_key_value() {
        Some((last, _)) if last >= key => Err(DecodeError::Damaged("the order of the keys")),
        _ => Ok(()),
    }
}

const SHORT: DecodeError = DecodeError::Damaged("too short");

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| SHORT)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Damaged("a flag")),
        }
    }

    fn count(&mut self, most: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_| SHORT)?;
        if count > most { Err(DecodeError::Damaged("a count")) } else { Ok(count) }
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = usize::from(self.byte()?);
        std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Damaged("a text"))
    }

    fn code(&mut self) -> Result<OrganisationCode, DecodeError> {
        let text = self.text()?;
        let code = OrganisationCode::parse(text).ok_or(DecodeError::Damaged("a code"))?;
        if code.as_str() == text { Ok(code) } else { Err(DecodeError::Damaged("a code")) }
    }

    fn codes(&mut self) -> Result<BTreeMap<ProviderCode, OrganisationCode>, DecodeError> {
        let mut codes = BTreeMap::new();
        for _ in 0..self.count(MOST_CODES)? {
            let key = self.code()?;
            in_order(&codes, &key)?;
            codes.insert(key, self.code()?);
        }
        Ok(codes)
    }

    fn period(&mut self) -> Result<Period, DecodeError> {
        let year = i32::from(u16::from_le_bytes(self.array()?));
        let month = u32::from(self.byte()?);
        Period::new(year, month).ok_or(DecodeError::Damaged("a month"))
    }

    /// A number between `least` and `most`; neither infinite nor undefined.
    fn number(&mut self, least: f64, most: f64) -> Result<f64, DecodeError> {
        let number = f64::from_bits(u64::from_le_bytes(self.array()?));
        if (least..=most).contains(&number) { Ok(number) } else { Err(DecodeError::Damaged("a number")) }
    }

    fn numbers<const N: usize>(&mut self, least: f64, most: f64) -> Result<[f64; N], DecodeError> {
        let mut numbers = [0.0; N];
        for slot in &mut numbers {
            *slot = self.number(least, most)?;
        }
        Ok(numbers)
    }

    fn local(&mut self) -> Result<Local, DecodeError> {
        let list_size = u32::from_le_bytes(self.array()?);
        let pairs = u16::from_le_bytes(self.array()?);
        let level = match self.byte()? {
            0 => Level::ProviderTfc,
            1 => Level::IcbTfc,
            2 => Level::EnglandTfc,
            3 => Level::England,
            _ => return Err(DecodeError::Damaged("a level")),
        };
        let reasons = self.byte()?;
        if u32::from(reasons) >= 1 << Reason::ALL.len() {
            return Err(DecodeError::Damaged("the reasons"));
        }
        Ok(Local {
            list_size,
            pairs,
            level,
            reasons,
            credibility: self.number(0.0, 1.0)?,
            widening: Widening::new(self.number(0.0, 2.0)?),
            factor: self.numbers::<GROUPS>(0.01, 100.0)?,
        })
    }

    fn locals(&mut self) -> Result<BTreeMap<OrganisationCode, Local>, DecodeError> {
        let mut locals = BTreeMap::new();
        for _ in 0..self.count(MOST_CELLS)? {
            let code = self.code()?;
            in_order(&locals, &code)?;
            locals.insert(code, self.local()?);
        }
        Ok(locals)
    }

    fn specialty(&mut self, layout: BandLayout) -> Result<Specialty, DecodeError> {
        let hazard = self.numbers::<AGES>(1e-6, MOST_HAZARD)?;
        let open = layout.open_from_weeks() as usize;
        if hazard[open..].iter().any(|&rate| rate.to_bits() != hazard[open].to_bits()) {
            return Err(DecodeError::Damaged("the open band"));
        }
        let curve = BaseCurve::new(hazard, layout);
        let treated = self.numbers::<GROUPS>(0.0, 1.0)?;
        let decided = if self.flag()? { Some(self.numbers::<GROUPS>(0.01, 100.0)?) } else { None };
        Ok(Specialty {
            curve,
            treated,
            decided,
            england: self.local()?,
            regions: self.locals()?,
            cells: self.locals()?,
        })
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Damaged("too long")) }
    }
}
