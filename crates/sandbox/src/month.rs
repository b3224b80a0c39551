//! A small made-up month of waiting-time figures, in the official layout.
//!
//! It stands in for the published file until one is imported, and is then thrown away whole. The hospitals are
//! real ones, so that the same referrals show real figures afterwards; the counts are not.

use std::io;

use chrono::{Datelike, Days, NaiveDate};
use platform::{Random, SeededRandom};
use waiting_times::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use waiting_times::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

/// A provider with the body it belongs to and the one that commissions most of its care.
struct Provider {
    code: &'static str,
    name: &'static str,
    parent: (&'static str, &'static str),
    commissioner: (&'static str, &'static str),
}

const PROVIDERS: [Provider; 5] = [
    Provider {
        code: "R0A",
        name: "MANCHESTER UNIVERSITY NHS FOUNDATION TRUST",
        parent: ("QOP", "NHS GREATER MANCHESTER INTEGRATED CARE BOARD"),
        commissioner: ("14L", "NHS MANCHESTER (SUB ICB LOCATION)"),
    },
    Provider {
        code: "RCB",
        name: "YORK AND SCARBOROUGH TEACHING HOSPITALS NHS FOUNDATION TRUST",
        parent: ("QOQ", "NHS HUMBER AND NORTH YORKSHIRE INTEGRATED CARE BOARD"),
        commissioner: ("03Q", "NHS VALE OF YORK (SUB ICB LOCATION)"),
    },
    Provider {
        code: "RRK",
        name: "UNIVERSITY HOSPITALS BIRMINGHAM NHS FOUNDATION TRUST",
        parent: ("QHL", "NHS BIRMINGHAM AND SOLIHULL INTEGRATED CARE BOARD"),
        commissioner: ("15E", "NHS BIRMINGHAM, SOLIHULL AND WEST BIRMINGHAM (SUB ICB LOCATION)"),
    },
    Provider {
        code: "RTH",
        name: "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST",
        parent: ("QU9", "NHS BUCKINGHAMSHIRE, OXFORDSHIRE AND BERKSHIRE WEST INTEGRATED CARE BOARD"),
        commissioner: ("10Q", "NHS OXFORDSHIRE (SUB ICB LOCATION)"),
    },
    Provider {
        code: "RX1",
        name: "NOTTINGHAM UNIVERSITY HOSPITALS NHS TRUST",
        parent: ("QT1", "NHS NOTTINGHAM AND NOTTINGHAMSHIRE INTEGRATED CARE BOARD"),
        commissioner: ("52R", "NHS NOTTINGHAM AND NOTTINGHAMSHIRE (SUB ICB LOCATION)"),
    },
];

/// Patients from outside England are counted under this commissioner.
const NON_ENGLISH: (&str, &str) = ("NONC", "NON-ENGLISH COMMISSIONER");

const TREATMENT_FUNCTIONS: [(&str, &str); 10] = [
    ("C_100", "General Surgery Service"),
    ("C_101", "Urology Service"),
    ("C_110", "Trauma and Orthopaedic Service"),
    ("C_120", "Ear Nose and Throat Service"),
    ("C_130", "Ophthalmology Service"),
    ("C_301", "Gastroenterology Service"),
    ("C_320", "Cardiology Service"),
    ("C_330", "Dermatology Service"),
    ("C_502", "Gynaecology Service"),
    ("X04", "Other - Paediatric Services"),
];

/// The one list too small for figures, here as in the published month.
const SMALL: (&str, &str) = ("RCB", "C_100");

const LAYOUT: BandLayout = BandLayout::To104Weeks;

/// Official figures come out about six weeks after the end of their month.
const PUBLISHED_AFTER_DAYS: u64 = 43;

/// One list: its size, and how slowly people leave it.
struct List {
    treatment_function: TreatmentFunction,
    name: &'static str,
    english: u32,
    non_english: u32,
    /// Of 1,000 people a week old or older, those still there a week later.
    staying: u64,
}

/// The newest month that would be published on `today`: a new sandbox shows figures as old as real ones are.
pub(crate) fn newest_published(today: NaiveDate) -> io::Result<Period> {
    today
        .checked_sub_days(Days::new(PUBLISHED_AFTER_DAYS))
        .and_then(|day| day.with_day(1)?.pred_opt())
        .and_then(Period::containing)
        .ok_or_else(refused)
}

/// The figures that belong to `seed`, as the bytes of an official full extract for `period`. The same seed and
/// period give the same bytes.
///
/// # Errors
/// Never in practice: only when the writer refuses what stands above.
pub fn made_up_month(seed: u64, period: Period) -> io::Result<Vec<u8>> {
    let random = SeededRandom::new(seed ^ 0x6d6f_6e74_685f_7274);
    let mut groups = Vec::new();
    for provider in &PROVIDERS {
        let lists = lists(provider, &random)?;
        let (parent_code, parent_name) = provider.parent;
        for (commissioner, is_english) in [(provider.commissioner, true), (NON_ENGLISH, false)] {
            for part in Part::ALL {
                let rows: Vec<ExtractRow<'_>> =
                    lists.iter().filter_map(|list| list.row(part, is_english)).collect();
                if rows.is_empty() {
                    continue;
                }
                groups.push(ExtractGroup {
                    provider: organisation(provider.code, provider.name)?,
                    provider_parent: Some(organisation(parent_code, parent_name)?),
                    commissioner: organisation(commissioner.0, commissioner.1)?,
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

fn lists(provider: &Provider, random: &SeededRandom) -> io::Result<Vec<List>> {
    TREATMENT_FUNCTIONS
        .iter()
        .map(|(code, name)| {
            let size = between(random, 400, 4_000);
            let staying = between(random, 955, 975).into();
            let (english, non_english) =
                if (provider.code, *code) == SMALL { (31, 2) } else { (size, size / 150) };
            let treatment_function = TreatmentFunction::parse(code).ok_or_else(refused)?;
            Ok(List { treatment_function, name, english, non_english, staying })
        })
        .collect()
}

impl List {
    /// The row of one part, or nothing where it would be all zeros. Shares of the list are about those of the
    /// published month.
    fn row(&self, part: Part, is_english: bool) -> Option<ExtractRow<'static>> {
        let list = if is_english { self.english } else { self.non_english };
        let share = |percent: u32| list * percent / 100;
        let counts = match part {
            Part::Incomplete => self.bands(list, 0)?,
            // A part of those on the list, band by band.
            Part::IncompleteWithDecisionToAdmit => {
                let all = spread(list, self.staying);
                let decided = all.iter().map(|count| count * 17 / 100).collect();
                RowCounts::Bands(WeeklyBands::new(LAYOUT, decided)?, 0)
            }
            Part::CompletedAdmitted => self.bands(share(4), u32::from(is_english && list > 3_000))?,
            Part::CompletedNonAdmitted => self.bands(share(17), u32::from(is_english && list > 2_000))?,
            Part::NewClockStarts => RowCounts::Starts(share(24)),
        };
        let any = match &counts {
            RowCounts::Bands(bands, unknown) => bands.pathways() + u64::from(*unknown) > 0,
            RowCounts::Starts(count) => *count > 0,
        };
        any.then_some(ExtractRow { treatment_function: self.treatment_function, name: self.name, counts })
    }

    fn bands(&self, people: u32, unknown: u32) -> Option<RowCounts> {
        Some(RowCounts::Bands(WeeklyBands::new(LAYOUT, spread(people, self.staying).into())?, unknown))
    }
}

/// `people` over the weekly bands, whole and complete: fewer with every week, with a step down after the 18
/// weeks and the year that hospitals work towards.
fn spread(people: u32, staying: u64) -> Vec<u32> {
    let mut weight = 1_000_000_000_u64;
    let mut upto = Vec::with_capacity(LAYOUT.bands());
    let mut sum = 0;
    for week in 0..LAYOUT.bands() {
        sum += weight;
        upto.push(sum);
        let left = match week {
            17 => staying - 250,
            51 | 64 => staying - 550,
            _ => staying,
        };
        weight = weight * left / 1_000;
    }
    let mut before = 0;
    upto.into_iter()
        .map(|weight| {
            // At most 4,000 people times a sum below 2^36: no overflow.
            let now = u64::from(people) * weight / sum.max(1);
            let here = now - before;
            before = now;
            u32::try_from(here).unwrap_or(u32::MAX)
        })
        .collect()
}

fn between(random: &SeededRandom, least: u32, most: u32) -> u32 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    least + u32::from_be_bytes(bytes) % (most - least + 1)
}

fn organisation(code: &str, name: &'static str) -> io::Result<NamedOrganisation<'static>> {
    Ok(NamedOrganisation { code: OrganisationCode::parse(code).ok_or_else(refused)?, name })
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a code of the made-up month is not in order")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::people::made_up_people;

    const BANDS: std::ops::Range<usize> = 13..118;

    fn rows(seed: u64) -> Vec<Vec<String>> {
        let bytes = made_up_month(seed, january()).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    fn january() -> Period {
        Period::new(2026, 1).unwrap()
    }

    #[test]
    fn the_newest_month_is_the_one_that_would_be_published_by_then() {
        for (today, newest) in [
            ("2026-11-11", "RTT-August-2026"),
            ("2026-11-12", "RTT-August-2026"),
            ("2026-11-22", "RTT-September-2026"),
            ("2026-12-31", "RTT-October-2026"),
            ("2026-01-05", "RTT-October-2025"),
        ] {
            let found = newest_published(today.parse().unwrap()).unwrap();
            assert_eq!(found.literal(), newest, "{today}");
        }
    }

    fn number(cell: &str) -> u64 {
        if cell.is_empty() { 0 } else { cell.parse().unwrap() }
    }

    #[test]
    fn the_file_has_the_official_shape() {
        let bytes = made_up_month(1, january()).unwrap();
        assert!(bytes.ends_with(b"\r\n"));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        let rows = rows(1);
        assert!(rows.iter().all(|row| row.len() == 121));
        assert!(rows[1..].iter().all(|row| row[0] == "RTT-January-2026"));
        let parts: BTreeSet<&str> = rows[1..].iter().map(|row| row[9].as_str()).collect();
        assert_eq!(parts, BTreeSet::from(["Part_1A", "Part_1B", "Part_2", "Part_2A", "Part_3"]));
        assert!(rows.iter().any(|row| row[7] == "NONC"));
    }

    #[test]
    fn every_total_is_the_sum_of_its_details() {
        let mut details: BTreeMap<(String, String, String), Vec<u64>> = BTreeMap::new();
        let mut totals = details.clone();
        for row in &rows(7)[1..] {
            let key = (row[3].clone(), row[7].clone(), row[9].clone());
            let numbers: Vec<u64> = row[13..].iter().map(|cell| number(cell)).collect();
            let in_bands: u64 = row[BANDS].iter().map(|cell| number(cell)).sum();
            if row[9] == "Part_3" {
                assert_eq!(in_bands, 0);
            } else {
                assert_eq!(number(&row[120]), in_bands + number(&row[119]));
                assert!(row[118].is_empty() || number(&row[118]) == in_bands);
            }
            if row[11] == "C_999" {
                assert!(totals.insert(key, numbers).is_none(), "two totals");
            } else {
                let sums = details.entry(key).or_insert_with(|| vec![0; numbers.len()]);
                sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
            }
        }
        assert!(details.len() > 40);
        assert_eq!(details, totals);
    }

    #[test]
    fn a_decision_to_admit_belongs_to_someone_on_the_list() {
        let mut list = BTreeMap::new();
        let rows = rows(7);
        for row in rows.iter().filter(|row| row[9] == "Part_2") {
            list.insert((&row[3], &row[7], &row[11]), &row[BANDS]);
        }
        let mut seen = 0;
        for row in rows.iter().filter(|row| row[9] == "Part_2A") {
            let on_list = list[&(&row[3], &row[7], &row[11])];
            assert!(row[BANDS].iter().zip(on_list).all(|(decided, all)| number(decided) <= number(all)));
            seen += 1;
        }
        assert!(seen > 40);
    }

    #[test]
    fn the_peoples_lists_are_large_but_for_one_small_and_one_missing() {
        for seed in [1, 2, u64::MAX] {
            let mut sizes: BTreeMap<(String, String), u64> = BTreeMap::new();
            for row in rows(seed).iter().filter(|row| row[9] == "Part_2") {
                *sizes.entry((row[3].clone(), row[11].clone())).or_default() += number(&row[120]);
            }
            let (mut small, mut missing) = (0, 0);
            for person in made_up_people(seed) {
                for referral in person.record.unwrap_or_default().referrals {
                    let list = (referral.provider.to_owned(), referral.treatment_function.to_owned());
                    match sizes.get(&list) {
                        None => missing += 1,
                        Some(size) if *size < 50 => small += 1,
                        Some(_) => {}
                    }
                }
            }
            assert_eq!((small, missing), (1, 1));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        assert_eq!(made_up_month(3, january()).unwrap(), made_up_month(3, january()).unwrap());
        assert_ne!(made_up_month(3, january()).unwrap(), made_up_month(4, january()).unwrap());
    }

    #[test]
    fn people_are_spread_without_losing_one() {
        for people in [0, 1, 7, 49, 4_000] {
            for staying in [955, 965, 975] {
                let bands = spread(people, staying);
                assert_eq!(bands.len(), 105);
                assert_eq!(bands.iter().sum::<u32>(), people);
            }
        }
        let bands = spread(4_000, 975);
        let over_a_year: u32 = bands[52..].iter().sum();
        assert!(over_a_year > 0, "some wait longer than a year");
    }
}
