//! Walks the rows of an official full extract once, from its first byte to its last.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek};

use super::cells::{Cell, CellKey, CellTable, Counts, NotAdded, Numbered};
use super::checks::{RowNumbers, Run};
use super::layout::{Header, column};
use super::refusal::{Fault, RefusalReason, quoted};
use super::source::{self, Text};
use crate::model::{
    BandLayout, OrganisationCode, Part, Period, ProviderCode, TreatmentFunction, WeeklyBands,
};

/// The commissioner code under which patients from outside England are counted.
pub const NON_ENGLISH_COMMISSIONER: &str = "NONC";

/// The most rows taken; a real month has under 200,000.
const MOST_ROWS: u64 = 2_000_000;
/// Files before 2019 may have a few lines above the header.
const MOST_LINES_ABOVE_HEADER: usize = 5;
/// The longest name kept. The longest published is 77 bytes.
const LONGEST_NAME: usize = 200;

/// An organisation as the file names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) name: Option<String>,
    pub(crate) parent_code: Option<OrganisationCode>,
    pub(crate) parent_name: Option<String>,
}

/// A month that was read to its end and adds up.
#[derive(Debug)]
pub(crate) struct ExtractMonth {
    pub(crate) period: Period,
    pub(crate) layout: BandLayout,
    /// SHA-256 of the text, without a byte-order mark, in hexadecimal.
    pub(crate) content_sha256: String,
    /// Rows below the header.
    pub(crate) rows: u64,
    pub(crate) organisations: BTreeMap<ProviderCode, Organisation>,
    pub(crate) treatment_functions: BTreeMap<TreatmentFunction, Option<String>>,
    providers: Numbered,
    table: CellTable,
}

/// Reads a file in any packing. Blocking: to be run where waiting for a disk is allowed.
pub(crate) fn read(file: impl Read + Seek) -> Result<ExtractMonth, Box<Fault>> {
    source::with_text(file, |text| {
        // Rows are cut here, checked below: the reader must not fail on a row that is too short or too long.
        // With line feeds alone as line ends a row's line number is exact; a carriage return is trimmed with the blanks.
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(64 << 10)
            .from_reader(text);
        Walk::begin(reader)?.run_to_end()
    })
}

impl ExtractMonth {
    /// The cells of the month, one after the other.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell> {
        self.table.iter().filter_map(|(key, all, non_english)| {
            Some(Cell {
                provider: self.providers.code(key.provider)?,
                treatment_function: key.treatment_function,
                part: key.part,
                all: Counts::from_row(self.layout, key.part, all)?,
                non_english: match non_english {
                    Some(row) => Some(Counts::from_row(self.layout, key.part, row)?),
                    None => None,
                },
            })
        })
    }

    /// How many cells there are.
    pub(crate) fn cell_count(&self) -> usize {
        self.table.len()
    }

    /// All pathways of `part`, and those among them from outside England; `None` if the file has no such rows.
    pub(crate) fn part_total(&self, part: Part) -> Option<(u64, u64)> {
        let mut found = None;
        for (_, all, non_english) in self.table.iter().filter(|(key, ..)| key.part == part) {
            let (sum, share) = found.get_or_insert((0, 0));
            let last = |row: &[u32]| row.last().copied().map_or(0, u64::from);
            *sum += last(all);
            *share += non_english.map_or(0, last);
        }
        found
    }

    /// The bands of the whole waiting list without patients from outside England, and its unknown clock starts:
    /// what the published headlines are made of. `None` only if a sum is beyond any population.
    pub(crate) fn english_list(&self) -> Option<(WeeklyBands, u64)> {
        let width = self.layout.bands();
        let mut sums = vec![0_u64; width + 1];
        for (_, all, non_english) in self.table.iter().filter(|(key, ..)| key.part == Part::Incomplete) {
            for (position, sum) in sums.iter_mut().enumerate() {
                let count = |row: &[u32]| row.get(position).copied().map_or(0, u64::from);
                *sum += count(all).saturating_sub(non_english.map_or(0, count));
            }
        }
        let unknown = sums.pop()?;
        let counts: Option<Box<[u32]>> = sums.into_iter().map(|sum| u32::try_from(sum).ok()).collect();
        Some((WeeklyBands::new(self.layout, counts?)?, unknown))
    }

    /// Cells with more decisions to admit (part 2A) than people on the list (part 2), which cannot be.
    pub(crate) fn more_decisions_than_people(&self) -> Vec<(ProviderCode, TreatmentFunction, u32, u32)> {
        let mut found: Vec<_> = self
            .table
            .iter()
            .filter(|(key, ..)| key.part == Part::IncompleteWithDecisionToAdmit)
            .filter_map(|(key, all, _)| {
                let decided = all.last().copied()?;
                let listed = self.table.total(CellKey { part: Part::Incomplete, ..key });
                let code = self.providers.code(key.provider)?;
                (decided > listed).then_some((code, key.treatment_function, decided, listed))
            })
            .collect();
        found.sort_unstable();
        found
    }
}

/// What identifies a run of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RunKey {
    provider: u32,
    commissioner: u32,
    part: Part,
}

struct Walk<'a> {
    reader: csv::Reader<Text<'a>>,
    header: Header,
    record: csv::ByteRecord,
    numbers: RowNumbers,
    period: Option<(Vec<u8>, Period)>,
    rows: u64,
    providers: Numbered,
    commissioners: Numbered,
    non_english: Option<OrganisationCode>,
    organisations: HashMap<u32, Organisation>,
    treatment_functions: BTreeMap<TreatmentFunction, Option<String>>,
    run: Option<(RunKey, Run)>,
    ended: HashSet<RunKey>,
    table: CellTable,
}

impl<'a> Walk<'a> {
    /// Finds the header, with at most a few lines above it.
    fn begin(mut reader: csv::Reader<Text<'a>>) -> Result<Self, Box<Fault>> {
        let mut record = csv::ByteRecord::new();
        for above in 0..=MOST_LINES_ABOVE_HEADER {
            let Some(line) = next_record(&mut reader, &mut record)? else {
                if above == 0 {
                    return Err(Fault::new(RefusalReason::Empty, "there is no text in the file"));
                }
                break;
            };
            if looks_like_header(&record) {
                let header = Header::recognise(&record).map_err(|fault| fault.at_line(line))?;
                let table = CellTable::new(header.layout);
                return Ok(Self {
                    reader,
                    header,
                    record,
                    numbers: RowNumbers::default(),
                    period: None,
                    rows: 0,
                    providers: Numbered::default(),
                    commissioners: Numbered::default(),
                    non_english: OrganisationCode::parse(NON_ENGLISH_COMMISSIONER),
                    organisations: HashMap::new(),
                    treatment_functions: BTreeMap::new(),
                    run: None,
                    ended: HashSet::new(),
                    table,
                });
            }
        }
        let said = format!(
            "no header was found in the first {} lines; the file must begin with \"Period\", \"Provider Parent Org Code\" and so on",
            MOST_LINES_ABOVE_HEADER + 1
        );
        Err(Fault::new(RefusalReason::WrongLayout, said).at_line(1))
    }

    fn run_to_end(mut self) -> Result<ExtractMonth, Box<Fault>> {
        let mut last_line = 1;
        while let Some(line) = next_record(&mut self.reader, &mut self.record)? {
            last_line = line;
            if let Err(fault) = self.row(line) {
                return Err(self.or_cut_off(fault, line));
            }
        }
        let seal = self.reader.into_inner().seal();
        if !seal.ends_with_line_end {
            return Err(cut_off(last_line));
        }
        if let Some((_, run)) = &self.run {
            run.end(&self.header)?;
        }
        let Some((_, period)) = self.period else {
            return Err(
                Fault::new(RefusalReason::Empty, "there are no rows below the header").at_line(last_line)
            );
        };
        let organisations = self
            .organisations
            .into_iter()
            .filter_map(|(number, organisation)| Some((self.providers.code(number)?, organisation)))
            .collect();
        let month = ExtractMonth {
            period,
            layout: self.header.layout,
            content_sha256: platform::crypto::hex(&seal.sha256),
            rows: self.rows,
            organisations,
            treatment_functions: self.treatment_functions,
            providers: self.providers,
            table: self.table,
        };
        if month.part_total(Part::Incomplete).is_none() {
            let said = "there are no Part_2 rows: the file has no waiting list";
            return Err(Fault::new(RefusalReason::NoWaitingList, said));
        }
        Ok(month)
    }

    /// A row that does not hold together is the end of a file that was cut off, if nothing comes after it.
    fn or_cut_off(mut self, fault: Box<Fault>, line: u64) -> Box<Fault> {
        let is_last = matches!(next_record(&mut self.reader, &mut self.record), Ok(None));
        if is_last && !self.reader.into_inner().seal().ends_with_line_end {
            cut_off(line)
        } else if fault.line.is_some() {
            fault
        } else {
            fault.at_line(line)
        }
    }

    fn row(&mut self, line: u64) -> Result<(), Box<Fault>> {
        self.rows += 1;
        if self.rows > MOST_ROWS {
            return Err(Fault::new(RefusalReason::TooLarge, format!("there are more than {MOST_ROWS} rows")));
        }
        let (have, want) = (self.record.len(), self.header.names.len());
        if have != want {
            let fault =
                Fault::new(RefusalReason::WrongLayout, format!("the row has {have} columns, not {want}"));
            return Err(fault.at_column(have.min(want), self.header.name(have.min(want))));
        }
        self.check_period()?;
        let provider = self.organisation(column::PROVIDER_CODE)?;
        let commissioner = self.organisation(column::COMMISSIONER_CODE)?;
        let part = Part::from_bytes(self.field(column::PART)).ok_or_else(|| {
            self.unknown(column::PART, "a part: Part_1A, Part_1B, Part_2, Part_2A or Part_3 is expected")
        })?;
        let too_many = || Fault::new(RefusalReason::TooLarge, "there are too many organisations in the file");
        let (provider_number, is_new) = self.providers.number(provider).ok_or_else(too_many)?;
        let (commissioner_number, _) = self.commissioners.number(commissioner).ok_or_else(too_many)?;
        let key = RunKey { provider: provider_number, commissioner: commissioner_number, part };
        if self.run.as_ref().is_none_or(|(current, _)| *current != key) {
            self.next_run(key, provider, commissioner)?;
        }
        self.numbers.read(&self.record, &self.header, part)?;

        let code = self.field(column::TREATMENT_FUNCTION).trim_ascii();
        let is_total = code.eq_ignore_ascii_case(TreatmentFunction::TOTAL.as_bytes());
        let treatment_function = TreatmentFunction::from_bytes(code);
        let Some((_, run)) = self.run.as_mut() else { return Ok(()) };
        if is_total {
            return run.total(line, &self.numbers.values);
        }
        let Some(treatment_function) = treatment_function else {
            return Err(self.unknown(column::TREATMENT_FUNCTION, "a treatment function such as C_100 or X02"));
        };
        run.detail(line, treatment_function, &self.numbers.values)?;

        let cell = CellKey { provider: provider_number, treatment_function, part };
        let is_non_english = Some(commissioner) == self.non_english;
        self.table.add(cell, &self.numbers.values, is_non_english).map_err(|not_added| match not_added {
            NotAdded::TooMany => Fault::new(RefusalReason::TooLarge, "there are too many cells in the file"),
            NotAdded::Overflow(position) => {
                let index = column::FIRST_BAND + position;
                Fault::new(RefusalReason::BadCount, "summed over commissioners this is beyond any population")
                    .at_column(index, self.header.name(index))
            }
        })?;
        self.keep_names(provider_number, is_new, treatment_function)
    }

    /// Ends the run under way and begins the next, which must not have been seen before.
    fn next_run(
        &mut self,
        key: RunKey,
        provider: OrganisationCode,
        commissioner: OrganisationCode,
    ) -> Result<(), Box<Fault>> {
        let name = format!("provider {provider}, commissioner {commissioner}, {}", key.part.code());
        if self.ended.contains(&key) {
            let said = format!(
                "the rows of {name} begin a second time: the file is out of order, or has them twice"
            );
            return Err(Fault::new(RefusalReason::Reordered, said));
        }
        if let Some((ended, run)) = self.run.take() {
            run.end(&self.header)?;
            self.ended.insert(ended);
        }
        self.run = Some((key, Run::begin(name, self.header.layout.bands() + 2)));
        Ok(())
    }

    /// The period must be a month, and the same month on every row.
    fn check_period(&mut self) -> Result<(), Box<Fault>> {
        let raw = self.record.get(column::PERIOD).unwrap_or_default();
        if self.period.as_ref().is_some_and(|(same, _)| same == raw) {
            return Ok(());
        }
        let place = |said: String| {
            Fault::new(RefusalReason::WrongPeriod, said)
                .at_column(column::PERIOD, self.header.name(column::PERIOD))
        };
        let found = std::str::from_utf8(raw)
            .ok()
            .and_then(Period::from_literal)
            .ok_or_else(|| place(format!("{} is not a period such as RTT-January-2026", quoted(raw))))?;
        match &self.period {
            None => self.period = Some((raw.to_vec(), found)),
            Some((_, first)) if *first == found => {}
            Some((_, first)) => {
                let said = format!("{} is another month than {} above", quoted(raw), first.literal());
                return Err(place(said));
            }
        }
        Ok(())
    }

    fn keep_names(&mut self, provider: u32, is_new: bool, of: TreatmentFunction) -> Result<(), Box<Fault>> {
        let lacks_name = is_new || self.organisations.get(&provider).is_none_or(|known| known.name.is_none());
        if lacks_name {
            let parent_code = OrganisationCode::from_bytes(self.field(column::PROVIDER_PARENT_CODE));
            let organisation = Organisation {
                name: self.name(column::PROVIDER_NAME)?,
                parent_code,
                parent_name: self.name(column::PROVIDER_PARENT_NAME)?,
            };
            self.organisations.insert(provider, organisation);
        }
        if !matches!(self.treatment_functions.get(&of), Some(Some(_))) {
            let name = self.name(column::TREATMENT_FUNCTION_NAME)?;
            self.treatment_functions.insert(of, name);
        }
        Ok(())
    }

    fn field(&self, index: usize) -> &[u8] {
        self.record.get(index).unwrap_or_default()
    }

    fn organisation(&self, index: usize) -> Result<OrganisationCode, Box<Fault>> {
        OrganisationCode::from_bytes(self.field(index))
            .ok_or_else(|| self.unknown(index, "an organisation code of 1 to 10 letters and digits"))
    }

    fn unknown(&self, index: usize, expected: &str) -> Box<Fault> {
        let said = format!("{} is not {expected}", quoted(self.field(index)));
        Fault::new(RefusalReason::UnknownCode, said).at_column(index, self.header.name(index))
    }

    /// A name as it stands in the file; nothing for a blank or a dash.
    fn name(&self, index: usize) -> Result<Option<String>, Box<Fault>> {
        let place =
            |said: &str| Fault::new(RefusalReason::BadText, said).at_column(index, self.header.name(index));
        let text = std::str::from_utf8(self.field(index)).map_err(|_| place("the name is not text"))?.trim();
        if text.len() > LONGEST_NAME {
            return Err(place("the name is longer than any name"));
        }
        if text.chars().any(char::is_control) {
            return Err(place("the name holds control characters"));
        }
        Ok((!text.is_empty() && text != "-").then(|| text.to_owned()))
    }
}

fn cut_off(line: u64) -> Box<Fault> {
    Fault::new(RefusalReason::Truncated, "the last line has no line end: the file was cut off").at_line(line)
}

/// Whether a line is meant as the header: it begins with `Period`, or is too wide for a line above one.
fn looks_like_header(record: &csv::ByteRecord) -> bool {
    record.get(0).is_some_and(|first| first.trim_ascii().eq_ignore_ascii_case(b"period"))
        || record.iter().filter(|field| !field.trim_ascii().is_empty()).count() >= 10
}

/// Reads the next row that is not blank into `record` and says on which line it begins; none at the end. Every row
/// must be UTF-8.
fn next_record(
    reader: &mut csv::Reader<Text<'_>>,
    record: &mut csv::ByteRecord,
) -> Result<Option<u64>, Box<Fault>> {
    loop {
        let start = reader.position().clone();
        reader.get_mut().record_begins_at(start.byte());
        match reader.read_byte_record(record) {
            Ok(false) => return Ok(None),
            Ok(true) if is_blank(record) => {}
            Ok(true) => {
                // Blank lines skipped before the row are behind `start`; line ends inside quotation marks are not.
                let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
                let line = reader.position().line().saturating_sub(1 + inside).max(start.line());
                return check_utf8(record).map(|()| Some(line)).map_err(|fault| fault.at_line(line));
            }
            Err(error) => {
                let fault = reader.get_mut().take_fault().unwrap_or_else(|| {
                    Fault::new(RefusalReason::Damaged, format!("the csv cannot be read: {error}"))
                });
                return Err(fault.at_line(start.line()));
            }
        }
    }
}

fn is_blank(record: &csv::ByteRecord) -> bool {
    record.len() == 1 && record.get(0).is_some_and(|field| field.trim_ascii().is_empty())
}

fn check_utf8(record: &csv::ByteRecord) -> Result<(), Box<Fault>> {
    if std::str::from_utf8(record.as_slice()).is_ok() {
        return Ok(());
    }
    let index = record.iter().position(|field| std::str::from_utf8(field).is_err()).unwrap_or_default();
    let name = super::layout::DESCRIPTION_COLUMNS.get(index).copied().unwrap_or("a count");
    let said = format!("{} is not UTF-8", quoted(record.get(index).unwrap_or_default()));
    Err(Fault::new(RefusalReason::WrongEncoding, said).at_column(index, name))
}
