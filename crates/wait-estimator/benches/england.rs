//! Speed: a fit of all England from thirteen months, and an estimate from memory. Without a harness: it prints figures.
//!
//! The months are the published one of January 2026, perturbed; `FRONT_DOOR_CONFORMANCE_DATA` says where it lies.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for a terminal")]

#[expect(dead_code, reason = "only a part is used here")]
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Instant;

use wait_estimator::model::{Part, Period};
use wait_estimator::{Model, Month, Successors, check, fit};

const MONTHS: u32 = 13;

fn main() {
    let Some(folder) = std::env::var_os("FRONT_DOOR_CONFORMANCE_DATA") else {
        println!("skipped: FRONT_DOOR_CONFORMANCE_DATA is not set");
        return;
    };
    let real = support::read_months(&std::path::Path::new(&folder).join("rtt/full-extract"), &["2026-01"]);
    let months: Vec<Month> =
        (0..MONTHS).flat_map(|index| real.iter().map(move |one| perturbed(one, index))).collect();
    drop(real);
    println!(
        "{} lists a month, {} months, peak memory with the months {} MB",
        months[0].cells().len(),
        months.len(),
        peak()
    );

    let started = Instant::now();
    let fitted = fit(&months, &Successors::none()).unwrap();
    println!("fit: {:.2} s, peak memory {} MB", started.elapsed().as_secs_f64(), peak());
    let started = Instant::now();
    let failures = check(&fitted.model, Some(&fitted.model));
    println!("check: {:.3} s, {failures:?}", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let bytes = fitted.model.encode();
    let encoded = started.elapsed();
    let model = Model::decode(&bytes).unwrap();
    println!(
        "bytes: {} KB, encoded in {:?}, with decoding {:?}",
        bytes.len() / 1024,
        encoded,
        started.elapsed()
    );

    let keys: Vec<_> = model.cells().collect();
    time("estimator and estimate", keys.len() * 50, || {
        for key in &keys {
            let Some(estimator) = model.estimator(key) else { continue };
            for week in 0..50 {
                black_box(estimator.estimate(f64::from(week) + 0.4));
            }
        }
    });
    time("one estimator, one estimate", keys.len(), || {
        for key in &keys {
            black_box(model.estimator(key).map(|estimator| estimator.estimate(18.3)));
        }
    });
    time("a weekly band, as exported", keys.len() * 10, || {
        for key in &keys {
            let Some(estimator) = model.estimator(key).map(|estimator| estimator.from_period_end()) else {
                continue;
            };
            for week in 0..10 {
                black_box((estimator.estimate_band(week * 5), estimator.band_survival(week * 5, 4.4)));
            }
        }
    });
}

fn time(what: &str, count: usize, mut run: impl FnMut()) {
    run();
    let started = Instant::now();
    run();
    println!("{what}: {:.2} microseconds each", started.elapsed().as_secs_f64() * 1e6 / count as f64);
}

/// The month `index` months after January 2025, with counts moved by up to a tenth in a fixed pattern.
fn perturbed(real: &Month, index: u32) -> Month {
    let period = Period::new(2025 + i32::try_from(index / 12).unwrap(), index % 12 + 1).unwrap();
    let mut month = Month::new(period, real.layout(), format!("{index}"));
    for (number, (key, cell)) in real.cells().iter().enumerate() {
        let factor = 90 + (u32::try_from(number).unwrap().wrapping_mul(31) + index * 17) % 21;
        for (part, counts) in [
            (Part::Incomplete, &cell.list),
            (Part::CompletedAdmitted, &cell.completed_admitted),
            (Part::CompletedNonAdmitted, &cell.completed_non_admitted),
            (Part::IncompleteWithDecisionToAdmit, &cell.decided_to_admit),
        ] {
            let counts: Vec<u32> = counts.iter().map(|&count| (count * factor + 50) / 100).collect();
            month.add(key.provider, key.treatment_function, part, &counts).unwrap();
        }
        if let Some(&region) = real.regions().get(&key.provider) {
            month.set_region(key.provider, region);
        }
    }
    month
}

/// The most memory this process has held, in megabytes, where the system tells.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
