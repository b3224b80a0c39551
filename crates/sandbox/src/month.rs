//! Made-up months of waiting-time figures, in the official layout.
//!
//! They stand in for the published files until one is imported, and are then thrown away whole. The hospitals
//! are real ones, so that the same referrals show real figures afterwards; the counts are not. Each list is
//! followed person by person (see `queue`), so that a month's list is the list before with those who came and
//! without those who left, as in the published months, and estimates can be fitted on them.

mod hospitals;
mod queue;
#[cfg(test)]
mod tests;

use std::io;

use chrono::{Datelike, Days, NaiveDate};
use platform::{Random, SeededRandom};
use waiting_times::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use waiting_times::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

use hospitals::{Care, NON_ENGLISH, PROVIDERS, Provider, SMALL, TREATMENT_FUNCTIONS};
use queue::{Counts, Queue, Span, Staying};

const LAYOUT: BandLayout = BandLayout::To104Weeks;

/// Months made up at once: enough that a list can be followed five times.
pub const MONTHS: usize = 6;

/// Official figures come out about six weeks after the end of their month.
const PUBLISHED_AFTER_DAYS: u64 = 43;

/// People on a list when the first month begins, least and most.
const LIST_SIZES: (u32, u32) = (400, 4_000);
/// In thousandths: how far one list's pace is from its hospital's and its kind of care's; and clock starts
/// against those that would keep the list as long as it is.
const PACES: (u32, u32) = (920, 1_080);
const GROWTHS: (u32, u32) = (940, 1_060);

/// One made-up month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUpMonth {
    /// The month the figures are about.
    pub period: Period,
    /// The file, as an official full extract.
    pub file: Vec<u8>,
}

/// The newest month that would be published on `today`: a new sandbox shows figures as old as real ones are.
pub(crate) fn newest_published(today: NaiveDate) -> io::Result<Period> {
    today
        .checked_sub_days(Days::new(PUBLISHED_AFTER_DAYS))
        .and_then(|day| day.with_day(1)?.pred_opt())
        .and_then(Period::containing)
        .ok_or_else(refused)
}

/// The figures that belong to `seed`, for [`MONTHS`] months in a row of which `newest` is the last, oldest
/// first. The same seed and month give the same bytes.
///
/// # Errors
/// When a month would lie before the first that was ever collected (2007).
pub fn made_up_months(seed: u64, newest: Period) -> io::Result<Vec<MadeUpMonth>> {
    let periods = periods(newest)?;
    let lists = followed(seed, &periods)?;
    periods
        .into_iter()
        .enumerate()
        .map(|(place, period)| Ok(MadeUpMonth { period, file: write_month(place, period, &lists)? }))
        .collect()
}

/// The last of [`made_up_months`] alone.
///
/// # Errors
/// As [`made_up_months`].
pub fn made_up_month(seed: u64, period: Period) -> io::Result<Vec<u8>> {
    let lists = followed(seed, &periods(period)?)?;
    write_month(MONTHS - 1, period, &lists)
}

/// The months up to `newest`, oldest first.
fn periods(newest: Period) -> io::Result<Vec<Period>> {
    let mut periods = vec![newest];
    let mut period = newest;
    while periods.len() < MONTHS {
        period = period.first_day().pred_opt().and_then(Period::containing).ok_or_else(refused)?;
        periods.push(period);
    }
    periods.reverse();
    Ok(periods)
}

/// The days of the months, counted from the day before the first.
fn spans(periods: &[Period]) -> Vec<Span> {
    let mut first = 1;
    periods
        .iter()
        .map(|period| {
            let last = first - 1 + i32::try_from(period.last_day().day()).unwrap_or_default();
            let span = Span { first, last };
            first = last + 1;
            span
        })
        .collect()
}

/// What one list counted, month by month, oldest first.
struct List {
    provider: &'static Provider,
    care: &'static Care,
    months: Vec<MonthCounts>,
}

/// The counts of a month: people from England, and from outside.
struct MonthCounts {
    english: Counts,
    non_english: Counts,
}

/// Follows every list through the months.
fn followed(seed: u64, periods: &[Period]) -> io::Result<Vec<List>> {
    let spans = spans(periods);
    let last_day = spans.last().ok_or_else(refused)?.last;
    let mut lists = Vec::with_capacity(PROVIDERS.len() * TREATMENT_FUNCTIONS.len());
    for provider in &PROVIDERS {
        for care in &TREATMENT_FUNCTIONS {
            let (queue, random) = queue_of(seed, provider, care);
            let mut months: Vec<MonthCounts> = spans
                .iter()
                .map(|_| MonthCounts {
                    english: Counts::new(LAYOUT.bands()),
                    non_english: Counts::new(LAYOUT.bands()),
                })
                .collect();
            queue.run(last_day, &random, |wait| {
                for (month, span) in months.iter_mut().zip(&spans) {
                    let counts = if wait.is_english { &mut month.english } else { &mut month.non_english };
                    counts.enter(wait, *span);
                }
            });
            lists.push(List { provider, care, months });
        }
    }
    Ok(lists)
}

/// A list as `seed` makes it, and the numbers its people are drawn from: its own, whatever other lists there
/// are.
fn queue_of(seed: u64, provider: &Provider, care: &Care) -> (Queue, SeededRandom) {
    let name = provider.code.bytes().chain(care.code.bytes());
    let place = name.fold(0_u64, |place, byte| place << 7 | u64::from(byte));
    let random = SeededRandom::new(seed ^ place.rotate_right(8));
    let size = between(&random, LIST_SIZES);
    let [pace, growth] = [PACES, GROWTHS].map(|range| f64::from(between(&random, range)) / 1_000.0);
    let (small_provider, small_care, small_size) = SMALL;
    let is_small = (provider.code, care.code) == (small_provider, small_care);
    let queue = Queue {
        people: if is_small { small_size } else { size as usize },
        growth: if is_small { 1.0 } else { growth },
        admitted: care.admitted,
        staying: Staying::at_speed(provider.speed * care.speed * pace),
    };
    (queue, random)
}

fn between(random: &SeededRandom, (least, most): (u32, u32)) -> u32 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    least + u32::from_be_bytes(bytes) % (most - least + 1)
}

/// The month at `place`, as the bytes of an official full extract.
fn write_month(place: usize, period: Period, lists: &[List]) -> io::Result<Vec<u8>> {
    let mut groups = Vec::new();
    for provider in PROVIDERS.iter().filter(|provider| provider.reports(place)) {
        let own = || lists.iter().filter(|list| list.provider.code == provider.code);
        for (commissioner, is_english) in [(provider.commissioner, true), (NON_ENGLISH, false)] {
            for part in Part::ALL {
                let mut rows = Vec::new();
                for list in own() {
                    rows.extend(list.row(place, part, is_english)?);
                }
                if rows.is_empty() {
                    continue;
                }
                groups.push(ExtractGroup {
                    provider: organisation((provider.code, provider.name))?,
                    provider_parent: Some(organisation(provider.parent)?),
                    commissioner: organisation(commissioner)?,
                    part,
                    rows,
                });
            }
        }
    }
    let mut bytes = Vec::new();
    write_extract(&mut bytes, period, LAYOUT, groups)?;
    Ok(bytes)
}

impl List {
    /// The row of one part, or nothing where it would be all zeros.
    fn row(&self, place: usize, part: Part, is_english: bool) -> io::Result<Option<ExtractRow<'static>>> {
        let month = self.months.get(place).ok_or_else(refused)?;
        let counts = if is_english { &month.english } else { &month.non_english };
        let (bands, unknown) = match part {
            Part::Incomplete => (&counts.waiting, 0),
            Part::IncompleteWithDecisionToAdmit => (&counts.waiting_decided, 0),
            Part::CompletedAdmitted => (&counts.admitted, counts.admitted_unknown_start),
            Part::CompletedNonAdmitted => (&counts.not_admitted, counts.not_admitted_unknown_start),
            Part::NewClockStarts => {
                return self.row_of(RowCounts::Starts(counts.started), counts.started > 0);
            }
        };
        let any = unknown > 0 || bands.iter().any(|count| *count > 0);
        let bands = WeeklyBands::new(LAYOUT, bands.as_slice().into()).ok_or_else(refused)?;
        self.row_of(RowCounts::Bands(bands, unknown), any)
    }

    fn row_of(&self, counts: RowCounts, any: bool) -> io::Result<Option<ExtractRow<'static>>> {
        let treatment_function = TreatmentFunction::parse(self.care.code).ok_or_else(refused)?;
        Ok(any.then_some(ExtractRow { treatment_function, name: self.care.name, counts }))
    }
}

fn organisation((code, name): (&str, &'static str)) -> io::Result<NamedOrganisation<'static>> {
    Ok(NamedOrganisation { code: OrganisationCode::parse(code).ok_or_else(refused)?, name })
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a code or a day of the made-up months is not in order")
}
