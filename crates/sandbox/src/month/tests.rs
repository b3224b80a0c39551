mod fitted;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::people::made_up_people;

const BANDS: std::ops::Range<usize> = 13..118;

fn records(file: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn rows(seed: u64) -> Vec<Vec<String>> {
    records(&made_up_month(seed, january()).unwrap())
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

#[test]
fn the_months_stand_in_a_row_and_the_last_is_the_newest() {
    let months = made_up_months(1, january()).unwrap();
    let periods: Vec<String> = months.iter().map(|month| month.period.to_string()).collect();
    assert_eq!(periods, ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"]);
    for month in &months {
        let literal = month.period.literal();
        assert!(records(&month.file)[1..].iter().all(|row| row[0] == literal));
    }
    assert_eq!(made_up_month(1, january()).unwrap(), months.last().unwrap().file);
    assert!(made_up_months(1, Period::new(2007, 3).unwrap()).is_err(), "nothing was collected before 2007");
}

#[test]
fn months_are_as_long_as_the_calendar_says() {
    let periods = periods(Period::new(2024, 4).unwrap()).unwrap();
    let lengths: Vec<i32> = spans(&periods).iter().map(|span| span.last - span.first + 1).collect();
    assert_eq!(lengths, [30, 31, 31, 29, 31, 30]);
    assert!(spans(&periods).windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
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

/// Part 2 of a month: people of all commissioners on each list.
fn lists(file: &[u8]) -> BTreeMap<(String, String), u64> {
    let mut sizes = BTreeMap::new();
    for row in records(file).iter().filter(|row| row[9] == "Part_2" && row[11] != "C_999") {
        *sizes.entry((row[3].clone(), row[11].clone())).or_default() += number(&row[120]);
    }
    sizes
}

#[test]
fn the_peoples_lists_are_large_but_for_one_small_and_one_missing() {
    for seed in [1, 2, u64::MAX] {
        let sizes = lists(&made_up_month(seed, january()).unwrap());
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
fn one_list_is_small_in_every_month_and_the_others_stay_as_large_as_they_are() {
    for seed in [3, 2026] {
        let months = made_up_months(seed, january()).unwrap();
        let first = lists(&months[0].file);
        for month in &months {
            for (list, size) in lists(&month.file) {
                if list == ("RCB".to_owned(), "C_100".to_owned()) {
                    assert!((10..50).contains(&size), "{size}");
                    continue;
                }
                assert!((300..5_000).contains(&size), "{list:?}: {size}");
                if let Some(before) = first.get(&list) {
                    assert!(size.abs_diff(*before) * 4 < *before, "{list:?}: {before} became {size}");
                }
            }
        }
    }
}

#[test]
fn one_provider_skipped_a_month_and_one_was_silent_for_three() {
    let months = made_up_months(1, january()).unwrap();
    let reported = |provider: &str| -> Vec<bool> {
        months.iter().map(|month| records(&month.file).iter().any(|row| row[3] == provider)).collect()
    };
    assert_eq!(reported("RX1"), [true, true, false, true, true, true]);
    assert_eq!(reported("RM1"), [true, false, false, false, true, true]);
    for provider in ["R0A", "RCB", "RRK", "RTH"] {
        assert_eq!(reported(provider), [true; MONTHS], "{provider}");
    }
}

/// What is true of a queue and of no other numbers: the list is the list before, with those who came and
/// without those who were treated or removed.
#[test]
fn every_list_follows_from_the_one_before() {
    let lists = followed(11, &periods(january()).unwrap()).unwrap();
    let (mut completed_in_all, mut removed_in_all) = (0, 0);
    for list in &lists {
        let flows: Vec<[u64; 4]> = list
            .months
            .iter()
            .map(|month| {
                let mut flow = [0; 4];
                for counts in [&month.english, &month.non_english] {
                    let sum = |bands: &[u32]| bands.iter().copied().map(u64::from).sum::<u64>();
                    flow[0] += sum(&counts.waiting);
                    flow[1] += u64::from(counts.started);
                    flow[2] += sum(&counts.admitted) + sum(&counts.not_admitted);
                    flow[2] += u64::from(counts.admitted_unknown_start + counts.not_admitted_unknown_start);
                    flow[3] += u64::from(counts.removed);
                }
                flow
            })
            .collect();
        for (before, after) in flows.iter().zip(&flows[1..]) {
            let [waiting, started, completed, removed] = *after;
            assert_eq!(waiting + completed + removed, before[0] + started, "{}", list.provider.code);
            completed_in_all += completed;
            removed_in_all += removed;
        }
    }
    let share = removed_in_all as f64 / (removed_in_all + completed_in_all) as f64;
    assert!((0.13..0.17).contains(&share), "{share} of those who leave are removed");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let [one, again, others] = [3, 3, 4].map(|seed| made_up_months(seed, january()).unwrap());
    assert_eq!(one, again);
    for (one, other) in one.iter().zip(others) {
        assert_ne!(one.file, other.file);
    }
}
