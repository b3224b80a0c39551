//! The counts of one month as they are summed: one row of numbers per provider, treatment function and part.

use std::collections::HashMap;

use crate::model::{BandLayout, OrganisationCode, Part, ProviderCode, TreatmentFunction, WeeklyBands};

/// The most cells a month may have; a real one has about 16,000.
const MOST_CELLS: usize = 200_000;
/// The most providers or commissioners; a real month has under 1,000.
pub(crate) const MOST_ORGANISATIONS: usize = 20_000;

/// Numbers every organisation code the file names, so that the keys of a month are small and exact.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    numbers: HashMap<OrganisationCode, u32>,
    codes: Vec<OrganisationCode>,
}

impl Numbered {
    /// The number of `code`, and whether it is new; `None` when there are too many.
    pub(crate) fn number(&mut self, code: OrganisationCode) -> Option<(u32, bool)> {
        if let Some(number) = self.numbers.get(&code) {
            return Some((*number, false));
        }
        if self.codes.len() >= MOST_ORGANISATIONS {
            return None;
        }
        let number = u32::try_from(self.codes.len()).ok()?;
        self.codes.push(code);
        self.numbers.insert(code, number);
        Some((number, true))
    }

    pub(crate) fn code(&self, number: u32) -> Option<OrganisationCode> {
        self.codes.get(number as usize).copied()
    }
}

/// What a cell counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CellKey {
    pub(crate) provider: u32,
    pub(crate) treatment_function: TreatmentFunction,
    pub(crate) part: Part,
}

/// Why a row could not be added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAdded {
    /// The sum at this position of the row no longer fits; the position counts bands, unknown, total.
    Overflow(usize),
    /// There are too many cells.
    TooMany,
}

/// The cells of a month, summed over commissioners.
#[derive(Debug)]
pub(crate) struct CellTable {
    /// Numbers per cell: the bands, the unknown clock starts, the total.
    width: usize,
    places: HashMap<CellKey, usize>,
    keys: Vec<CellKey>,
    counts: Vec<u32>,
    /// The share commissioned from outside England, kept apart for the few cells that have any.
    non_english: HashMap<usize, Box<[u32]>>,
}

impl CellTable {
    pub(crate) fn new(layout: BandLayout) -> Self {
        Self {
            width: layout.bands() + 2,
            places: HashMap::new(),
            keys: Vec::new(),
            counts: Vec::new(),
            non_english: HashMap::new(),
        }
    }

    /// Adds one row of numbers to its cell.
    pub(crate) fn add(&mut self, key: CellKey, row: &[u32], non_english: bool) -> Result<(), NotAdded> {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                if self.keys.len() >= MOST_CELLS {
                    return Err(NotAdded::TooMany);
                }
                let place = self.keys.len();
                self.keys.push(key);
                self.places.insert(key, place);
                self.counts.resize(self.counts.len() + self.width, 0);
                place
            }
        };
        let start = place * self.width;
        add_into(self.counts.get_mut(start..start + self.width).unwrap_or_default(), row)?;
        if non_english && row.iter().any(|count| *count > 0) {
            let share = self.non_english.entry(place).or_insert_with(|| vec![0; self.width].into());
            add_into(share, row)?;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The cells, each with its numbers and the non-English share of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CellKey, &[u32], Option<&[u32]>)> {
        self.keys
            .iter()
            .zip(self.counts.chunks_exact(self.width))
            .enumerate()
            .map(|(place, (key, counts))| (*key, counts, self.non_english.get(&place).map(|share| &**share)))
    }

    /// The total of one cell; 0 when the file has no such cell.
    pub(crate) fn total(&self, key: CellKey) -> u32 {
        self.places
            .get(&key)
            .and_then(|place| self.counts.get((place + 1) * self.width - 1))
            .copied()
            .unwrap_or_default()
    }
}

fn add_into(sums: &mut [u32], row: &[u32]) -> Result<(), NotAdded> {
    for (position, (sum, count)) in sums.iter_mut().zip(row).enumerate() {
        *sum = sum.checked_add(*count).ok_or(NotAdded::Overflow(position))?;
    }
    Ok(())
}

/// The counts of one provider, treatment function and part in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) provider: ProviderCode,
    pub(crate) treatment_function: TreatmentFunction,
    pub(crate) part: Part,
    pub(crate) all: Counts,
    /// The share of `all` that is commissioned from outside England (`NONC`), where there is any.
    pub(crate) non_english: Option<Counts>,
}

/// A set of counted pathways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The weekly bands; none for part 3.
    pub(crate) bands: Option<WeeklyBands>,
    /// Pathways whose clock start is not known; in no band.
    pub(crate) unknown_clock_start: u32,
    /// All pathways.
    pub(crate) total: u32,
}

impl Counts {
    /// Reads a row of numbers: the bands, the unknown clock starts, the total.
    pub(crate) fn from_row(layout: BandLayout, part: Part, row: &[u32]) -> Option<Self> {
        let (bands, [unknown_clock_start, total]) = row.split_last_chunk::<2>()?;
        let bands = WeeklyBands::new(layout, bands.into())?;
        Some(Self {
            bands: part.has_bands().then_some(bands),
            unknown_clock_start: *unknown_clock_start,
            total: *total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(provider: u32) -> CellKey {
        CellKey {
            provider,
            treatment_function: TreatmentFunction::parse("C_100").unwrap(),
            part: Part::Incomplete,
        }
    }

    #[test]
    fn commissioners_are_summed_and_the_non_english_share_is_kept_apart() {
        let mut table = CellTable::new(BandLayout::To52Weeks);
        let mut row = vec![0; 55];
        (row[3], row[54]) = (4, 4);
        table.add(key(1), &row, false).unwrap();
        table.add(key(1), &row, true).unwrap();
        table.add(key(2), &row, false).unwrap();
        let cells: Vec<_> = table.iter().collect();
        assert_eq!(cells.len(), 2);
        assert_eq!((cells[0].1[3], cells[0].2.unwrap()[3]), (8, 4));
        assert!(cells[1].2.is_none());
        assert_eq!((table.total(key(1)), table.total(key(9))), (8, 0));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_said_and_not_wrapped() {
        let mut table = CellTable::new(BandLayout::To52Weeks);
        let row = vec![u32::MAX; 55];
        table.add(key(1), &row, false).unwrap();
        assert_eq!(table.add(key(1), &row, false), Err(NotAdded::Overflow(0)));
    }
}
