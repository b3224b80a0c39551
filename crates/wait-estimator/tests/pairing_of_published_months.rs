//! Providers merged, missing and brought back in real months: no wave of treatment may appear.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak as tests do")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use wait_estimator::model::{Part, Period, ProviderCode, TreatmentFunction};
use wait_estimator::report::DropReason;
use wait_estimator::{CellKey, Fitted, Model, Month, Successors, fit};

const ERAS: [[&str; 4]; 2] =
    [["2009-12", "2010-01", "2010-02", "2010-03"], ["2014-12", "2015-01", "2015-02", "2015-03"]];

fn eras() -> Vec<Vec<Month>> {
    let Some(folder) = support::months_of_the_52_week_era() else { return Vec::new() };
    ERAS.iter().map(|names| support::read_months(&folder, names)).collect()
}

fn plain(months: &[Month]) -> Fitted {
    fit(months, &Successors::none()).unwrap()
}

/// The two largest ordinary providers: they report in every month and no pair of theirs was dropped.
fn two_large(months: &[Month], fitted: &Fitted) -> [ProviderCode; 2] {
    let dropped: Vec<_> = fitted.report.pairs.iter().flat_map(|pair| &pair.dropped).collect();
    let mut sizes: Vec<(u64, ProviderCode)> = Vec::new();
    for (key, cell) in months.last().unwrap().cells() {
        match sizes.iter_mut().find(|(_, code)| *code == key.provider) {
            Some((sum, _)) => *sum += cell.list_size(),
            None => sizes.push((cell.list_size(), key.provider)),
        }
    }
    sizes.retain(|(_, code)| {
        !dropped.iter().any(|one| one.treatment_function.is_none() && one.provider == code.as_str())
    });
    sizes.sort();
    let mut largest = sizes.iter().rev().map(|(_, code)| *code);
    [largest.next().unwrap(), largest.next().unwrap()]
}

/// Months with one provider's rows under another code, from the month `from` on.
fn recoded(months: &[Month], old: ProviderCode, new: ProviderCode, from: usize) -> Vec<Month> {
    months
        .iter()
        .enumerate()
        .map(|(index, month)| if index < from { month.clone() } else { with(month, old, new, 1, 1) })
        .collect()
}

/// A month with `old`'s rows under `new`, and counts scaled by a fraction for that provider.
fn with(month: &Month, old: ProviderCode, new: ProviderCode, by: u32, over: u32) -> Month {
    let mut made = Month::new(month.period(), month.layout(), month.content());
    for (key, cell) in month.cells() {
        let mine = key.provider == old;
        let provider = if mine { new } else { key.provider };
        for (part, counts) in [
            (Part::Incomplete, &cell.list),
            (Part::CompletedAdmitted, &cell.completed_admitted),
            (Part::CompletedNonAdmitted, &cell.completed_non_admitted),
        ] {
            let counts: Vec<u32> =
                counts.iter().map(|&count| if mine { count * by / over } else { count }).collect();
            made.add(provider, key.treatment_function, part, &counts).unwrap();
        }
        if let Some(&region) = month.regions().get(&key.provider) {
            made.set_region(provider, region);
        }
    }
    made
}

fn median(model: &Model, key: &CellKey) -> f64 {
    model.estimator(key).unwrap().estimate(6.0).remaining.p50.weeks
}

/// Lists left out of a pair one by one.
fn left_out(fitted: &Fitted) -> BTreeSet<(usize, String, String)> {
    let pairs = fitted.report.pairs.iter().enumerate();
    pairs
        .flat_map(|(index, pair)| pair.dropped.iter().map(move |one| (index, one)))
        .filter_map(|(index, one)| Some((index, one.provider.clone(), one.treatment_function.clone()?)))
        .collect()
}

/// Whether the touched providers hold over a tenth of a function's people: then what is known of all its lists changes
/// (oral surgery in 2015, most of which one commissioner held).
fn led_by(model: &Model, function: TreatmentFunction, touched: &[ProviderCode]) -> bool {
    let (mut theirs, mut all) = (0, 0);
    for key in model.cells().filter(|key| key.treatment_function == function) {
        let size = model.list_size(&key).unwrap();
        all += size;
        theirs += if touched.contains(&key.provider) { size } else { 0 };
    }
    theirs * 10 > all
}

/// Medians of lists of 200 people and more whose provider is not `touched` stay where they were. A list on the very edge
/// of a drop rule may fall to the other side of it when its specialty moves a little: no more than a handful do.
fn untouched(one: &Fitted, two: &Fitted, touched: &[ProviderCode]) {
    let (first, second) = (left_out(one), left_out(two));
    let edge: BTreeSet<_> = first
        .symmetric_difference(&second)
        .filter(|(_, provider, _)| !touched.iter().any(|code| code.as_str() == provider))
        .map(|(_, provider, function)| (provider.as_str(), function.as_str()))
        .collect();
    let mut led: BTreeMap<TreatmentFunction, bool> = BTreeMap::new();
    let mut changes: Vec<f64> = one
        .model
        .cells()
        .filter(|key| !touched.contains(&key.provider) && one.model.list_size(key).unwrap() >= 200)
        .filter(|key| !edge.contains(&(key.provider.as_str(), key.treatment_function.as_str())))
        .filter(|key| {
            !*led
                .entry(key.treatment_function)
                .or_insert_with(|| led_by(&one.model, key.treatment_function, touched))
        })
        .map(|key| (median(&two.model, &key) / median(&one.model, &key) - 1.0).abs())
        .collect();
    changes.sort_by(f64::total_cmp);
    let (most, worst) = (changes[changes.len() * 99 / 100], changes[changes.len() - 1]);
    println!(
        "untouched lists: {} on the edge, 99 in 100 moved by {most:.4} at most, the worst by {worst:.4}",
        edge.len()
    );
    assert!(edge.len() <= 12 && most < 0.03 && worst < 0.25, "{} {most} {worst}", edge.len());
}

fn has(fitted: &Fitted, pair: usize, provider: ProviderCode, reason: DropReason) -> bool {
    fitted.report.pairs[pair].dropped.iter().any(|one| {
        one.provider == provider.as_str() && one.treatment_function.is_none() && one.reason == reason
    })
}

#[test]
fn a_missing_submission_is_not_everyone_treated() {
    for months in eras() {
        let whole = plain(&months);
        let [gone, _] = two_large(&months, &whole);
        let mut lacking = months.clone();
        lacking[1] = lacking[1].clone().filtered(|key| key.provider != gone);
        let lacking = plain(&lacking);
        assert!(has(&lacking, 0, gone, DropReason::MissingLater));
        assert!(has(&lacking, 1, gone, DropReason::MissingEarlier));
        untouched(&whole, &lacking, &[gone]);
        // One pair is left to it; its medians stay near.
        for key in
            whole.model.cells().filter(|key| key.provider == gone && whole.model.list_size(key) > Some(1000))
        {
            let ratio = median(&lacking.model, &key) / median(&whole.model, &key);
            assert!((0.6..1.6).contains(&ratio), "{key}: {ratio}");
        }
    }
}

#[test]
fn a_merger_in_the_table_is_as_if_they_had_always_been_one() {
    for months in eras() {
        let whole = plain(&months);
        let [old, new] = two_large(&months, &whole);
        let merged = recoded(&months, old, new, 3);
        let first = months[3].period().first_day();
        let table = format!("predecessor,successor,from,source\n{old},{new},{first},made up");
        let fitted = fit(&merged, &Successors::parse(&table).unwrap()).unwrap();
        assert_eq!(fitted.report.merged.len(), 1);
        assert_eq!(fitted.report.merged[0].months.len(), 3);

        let always = plain(&recoded(&months, old, new, 0));
        for key in always.model.cells() {
            assert_eq!(median(&fitted.model, &key).to_bits(), median(&always.model, &key).to_bits(), "{key}");
        }
        untouched(&whole, &fitted, &[old, new]);
        // The old code still finds its lists.
        let key = fitted.model.cells().find(|key| key.provider == new).unwrap();
        assert_eq!(fitted.model.list_size(&CellKey { provider: old, ..key }), fitted.model.list_size(&key));
    }
}

#[test]
fn a_merger_nobody_told_of_is_noticed_and_left_out() {
    for months in eras() {
        let whole = plain(&months);
        let [old, new] = two_large(&months, &whole);
        let fitted = plain(&recoded(&months, old, new, 2));
        assert!(has(&fitted, 1, old, DropReason::MissingLater));
        assert!(has(&fitted, 1, new, DropReason::PossibleMerger));
        let note = fitted.report.pairs[1].dropped.iter().find(|one| one.reason == DropReason::PossibleMerger);
        assert_eq!(note.unwrap().other_provider.as_deref(), Some(old.as_str()));
        untouched(&whole, &fitted, &[old, new]);
    }
}

#[test]
fn a_new_record_system_drops_the_pair_and_nothing_else() {
    for months in eras() {
        let whole = plain(&months);
        let [shrunk, _] = two_large(&months, &whole);
        let mut halved = months.clone();
        for month in &mut halved[2..] {
            *month = with(month, shrunk, shrunk, 1, 2);
        }
        let fitted = plain(&halved);
        assert!(has(&fitted, 1, shrunk, DropReason::ProviderJump));
        assert!(!has(&fitted, 2, shrunk, DropReason::ProviderJump));
        untouched(&whole, &fitted, &[shrunk]);
    }
}

#[test]
fn a_new_provider_speaks_for_its_board_until_it_has_a_history() {
    for months in eras() {
        let whole = plain(&months);
        let [new, _] = two_large(&months, &whole);
        let fitted = plain(
            &months
                .iter()
                .enumerate()
                .map(|(index, month)| month.clone().filtered(|key| index == 3 || key.provider != new))
                .collect::<Vec<_>>(),
        );
        for key in fitted.model.cells().filter(|key| key.provider == new) {
            let basis = fitted.model.estimator(&key).unwrap().basis();
            assert_eq!(basis.status.code(), "pooled", "{key}");
            assert_ne!(basis.level.code(), "provider_tfc", "{key}");
            assert!(basis.reasons.iter().any(|reason| reason.code() == "new_provider"));
        }
        untouched(&whole, &fitted, &[new]);
    }
}

#[test]
fn months_that_are_missing_lose_their_pairs_only() {
    for months in eras() {
        let gap: Vec<_> =
            months.iter().filter(|month| month.period() != months[1].period()).cloned().collect();
        let fitted = plain(&gap);
        assert_eq!(fitted.report.pairs.len(), 1);
        assert_eq!(fitted.report.gaps.len(), 1);
        assert_eq!(fitted.model.base(), Period::containing(months[3].period().first_day()).unwrap());
    }
}
