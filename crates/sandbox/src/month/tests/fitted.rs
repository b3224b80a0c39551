//! The made-up months as the estimator sees them: what was put in must come out.

use wait_estimator::{CellKey, Fitted, Level, Month, Status, Successors, fit};

use super::*;

/// A file as the estimator takes it.
fn month(made_up: &MadeUpMonth) -> Month {
    let mut month = Month::new(made_up.period, LAYOUT, made_up.period.to_string());
    for row in records(&made_up.file)[1..].iter().filter(|row| row[11] != TreatmentFunction::TOTAL) {
        let part = Part::from_bytes(row[9].as_bytes()).unwrap();
        let provider = OrganisationCode::parse(&row[3]).unwrap();
        month.set_region(provider, OrganisationCode::parse(&row[1]).unwrap());
        if part.has_bands() {
            let counts: Vec<u32> = row[BANDS].iter().map(|cell| cell.parse().unwrap()).collect();
            let treatment_function = TreatmentFunction::parse(&row[11]).unwrap();
            month.add(provider, treatment_function, part, &counts).unwrap();
        }
    }
    month
}

fn fitted(seed: u64) -> Fitted {
    let months: Vec<Month> = made_up_months(seed, january()).unwrap().iter().map(month).collect();
    fit(&months, &Successors::none()).unwrap()
}

fn key(provider: &str, care: &str) -> CellKey {
    CellKey {
        provider: OrganisationCode::parse(provider).unwrap(),
        treatment_function: TreatmentFunction::parse(care).unwrap(),
    }
}

/// A list is big here from this many people on: chance alone moves its median by a few hundredths.
const BIG: u32 = 2_000;

#[test]
fn estimates_from_the_made_up_months_are_near_the_truth() {
    let seed = 2026;
    let model = fitted(seed).model;
    let mut ratios = Vec::new();
    for provider in PROVIDERS.iter().filter(|provider| provider.code != "RM1") {
        for care in &TREATMENT_FUNCTIONS {
            let key = key(provider.code, care.code);
            if model.list_size(&key).unwrap() < BIG {
                continue;
            }
            let estimator = model.estimator(&key).unwrap();
            let basis = estimator.basis();
            assert_eq!((basis.status, basis.level), (Status::Ok, Level::ProviderTfc), "{key}: {basis:?}");
            let (queue, _) = queue_of(seed, provider, care);
            for weeks_waited in [0_u32, 4, 8, 13, 18, 26] {
                let truth = queue.staying.median_remaining_weeks(weeks_waited as usize);
                let median = estimator.estimate(f64::from(weeks_waited)).remaining.p50;
                assert!(!median.open_ended, "{key} after {weeks_waited} weeks");
                let ratio = median.weeks / truth;
                assert!(
                    (0.85..1.15).contains(&ratio),
                    "{key} after {weeks_waited} weeks: {} for {truth}",
                    median.weeks
                );
                ratios.push(ratio);
            }
        }
    }
    assert!(ratios.len() > 100, "{}", ratios.len());
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((0.97..1.03).contains(&mean), "medians are {mean} of the truth on average");
}

#[test]
fn the_small_and_the_silent_do_not_pass_for_well_known_lists() {
    let model = fitted(2026).model;
    let status = |provider, care| model.estimator(&key(provider, care)).unwrap().basis().status;
    assert_eq!(status(SMALL.0, SMALL.1), Status::Pooled);
    assert_eq!(status("RCB", "C_150"), Status::Pooled, "no such list");
    for care in &TREATMENT_FUNCTIONS {
        assert_eq!(status("RM1", care.code), Status::LowData, "followed once only: {}", care.code);
        if care.code != SMALL.1 {
            assert_eq!(status("RX1", care.code), Status::Ok, "a month skipped is no harm: {}", care.code);
        }
    }
}
