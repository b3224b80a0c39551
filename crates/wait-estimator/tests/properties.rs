//! What must hold of every estimate, whatever the counts were: on made-up months of all kinds.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use proptest::prelude::*;
use wait_estimator::model::{BandLayout, OrganisationCode, Part, Period, ProviderCode, TreatmentFunction};
use wait_estimator::{CellEstimator, FitError, Model, ModelBytes, Month, Successors, check, fit};

fn code(text: &str) -> ProviderCode {
    OrganisationCode::parse(text).unwrap()
}

fn function(text: &str) -> TreatmentFunction {
    TreatmentFunction::parse(text).unwrap()
}

/// A few lists over up to four months: empty, tiny, ordinary and absurd counts, lists that come and go.
fn months() -> impl Strategy<Value = Vec<Month>> {
    let size = prop_oneof![Just(0_u32), 1..5_u32, 10..400_u32, Just(50_000_000_u32)];
    let band = (size, 0..4_u32).prop_map(|(size, fall)| (size, fall));
    let cells = prop::collection::vec((band, any::<bool>()), 4 * 4 * 3);
    (cells, 1..5_usize, any::<bool>()).prop_map(|(cells, count, long)| {
        let layout = if long { BandLayout::To104Weeks } else { BandLayout::To52Weeks };
        let mut cells = cells.into_iter().cycle();
        (0..count)
            .map(|index| {
                let period = Period::new(2024, u32::try_from(index).unwrap() + 1).unwrap();
                let mut month = Month::new(period, layout, format!("{index}"));
                for provider in ["AAA", "BBB", "CCC", "DDD"] {
                    month.set_region(code(provider), code(if provider < "CCC" { "Q1" } else { "Q2" }));
                    for part in [Part::Incomplete, Part::CompletedAdmitted, Part::CompletedNonAdmitted] {
                        let ((size, fall), there) = cells.next().unwrap();
                        if there || size > 100 {
                            let bands = u32::try_from(layout.bands()).unwrap();
                            let counts: Vec<u32> =
                                (0..bands).map(|band| size >> (band * fall / 8).min(31)).collect();
                            let kind = if provider == "DDD" { "X02" } else { "C_110" };
                            month.add(code(provider), function(kind), part, &counts).unwrap();
                        }
                    }
                }
                month
            })
            .collect()
    })
}

fn fitted(months: &[Month]) -> Option<Model> {
    match fit(months, &Successors::none()) {
        Ok(fitted) => Some(fitted.model),
        Err(error) => {
            assert!(matches!(error, FitError::EmptyBase(_)), "{error}");
            None
        }
    }
}

fn estimators(model: &Model) -> Vec<CellEstimator<'_>> {
    let mut all: Vec<_> = model.cells().filter_map(|key| model.estimator(&key)).collect();
    all.extend(model.treatment_functions().filter_map(|function| model.specialty_estimator(function)));
    let stranger = model.cells().next().map(|key| wait_estimator::CellKey { provider: code("ZZZ"), ..key });
    all.extend(stranger.and_then(|key| model.estimator(&key)));
    let ahead: Vec<_> = all.iter().map(|one| one.from_period_end()).collect();
    all.extend(ahead);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn survival_falls_quantiles_are_in_order_and_nothing_is_undefined(
        months in months(),
        age in 0.0..140.0_f64,
        ahead in 0.0..60.0_f64,
    ) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        for estimator in estimators(&model) {
            let estimate = estimator.estimate(age);
            let (now, soon, later) =
                (estimator.survival(age, 0.0), estimator.survival(age, ahead), estimator.survival(age, ahead + 0.3));
            prop_assert!((now - 1.0).abs() < 1e-9);
            prop_assert!(now >= soon && soon >= later && later >= 0.0, "{now} {soon} {later}");
            for quantiles in [estimate.remaining, estimate.total, estimate.if_you_stay] {
                let weeks = quantiles.at();
                prop_assert!(weeks.iter().all(|span| span.weeks.is_finite() && span.weeks >= 0.0));
                prop_assert!(weeks.windows(2).all(|two| two[0].weeks <= two[1].weeks && two[0].open_ended <= two[1].open_ended));
            }
            for (total, stay) in estimate.total.at().iter().zip(estimate.if_you_stay.at()) {
                prop_assert!(total.weeks >= estimate.weeks_waited);
                prop_assert!(stay.weeks + estimate.weeks_waited >= total.weeks - 1e-9, "treatment alone is no sooner than leaving");
            }
            for probability in [
                estimate.probability.by_4w,
                estimate.probability.by_52w,
                estimate.probability.within_18w.unwrap_or(0.0),
                estimate.other_removal_share,
            ] {
                prop_assert!((0.0..=1.0).contains(&probability), "{probability}");
            }
            prop_assert_eq!(estimate.probability.within_18w.is_none(), age >= 18.0);
            prop_assert!((0.0..=1.0).contains(&estimator.basis().credibility));
            for point in estimator.curve(age, 1.0, 20) {
                prop_assert!((point.still_waiting + point.treated + point.other - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn medians_do_not_jump_at_week_boundaries(months in months(), week in 1..60_u32) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        let week = f64::from(week);
        for estimator in estimators(&model) {
            let (before, after) = (estimator.estimate(week - 1e-7).remaining, estimator.estimate(week + 1e-7).remaining);
            for (one, two) in before.at().into_iter().zip(after.at()) {
                prop_assert!(one.open_ended != two.open_ended || (one.weeks - two.weeks).abs() < 1e-3, "{one:?} {two:?}");
            }
        }
    }

    #[test]
    fn a_band_lies_between_its_ends_and_its_quantile_is_where_its_survival_says(months in months(), week in 0..50_u32) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        for estimator in estimators(&model) {
            let median = estimator.estimate_band(week).p50;
            if !median.open_ended {
                let still = estimator.band_survival(week, median.weeks);
                prop_assert!((still - 0.5).abs() < 1e-5, "{still}");
            }
        }
    }

    #[test]
    fn every_quantile_of_a_band_is_where_halving_finds_it(months in months(), week in 0..60_u32) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        for estimator in estimators(&model) {
            for (weeks, share) in estimator.estimate_band(week).at().into_iter().zip([0.1, 0.25, 0.5, 0.75, 0.9]) {
                if weeks.open_ended {
                    continue;
                }
                let (mut low, mut high) = (0.0, 200.0);
                for _ in 0..40 {
                    let middle = f64::midpoint(low, high);
                    if estimator.band_survival(week, middle) > 1.0 - share { low = middle } else { high = middle }
                }
                prop_assert!((weeks.weeks - low).abs() < 1e-3, "{share} in week {week}: {} or {low}", weeks.weeks);
            }
        }
    }

    #[test]
    fn a_model_is_the_same_after_its_bytes(months in months()) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        let bytes = model.encode();
        prop_assert_eq!(&Model::decode(&bytes).unwrap(), &model);
        // The order in which months are given does not matter.
        let mut turned = months.clone();
        turned.reverse();
        prop_assert_eq!(fitted(&turned).unwrap().encode(), bytes);
        let _ = check(&model, Some(&model));
    }

    #[test]
    fn damaged_bytes_are_refused(months in months(), place in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<bool>()) {
        let Some(model) = fitted(&months) else { return Ok(()) };
        let mut bytes = model.encode();
        let mut parts: Vec<&mut Vec<u8>> = std::iter::once(&mut bytes.header).chain(bytes.chunks.values_mut()).collect();
        let which = place.index(parts.len());
        let part = &mut parts[which];
        let at = place.index(part.len());
        if cut { part.truncate(at) } else { part[at] ^= 1 << bit }
        prop_assert!(Model::decode(&bytes).is_err());
    }

    #[test]
    fn garbage_is_refused(header in prop::collection::vec(any::<u8>(), 0..400), chunk in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = ModelBytes { header, chunks: std::iter::once((function("C_110"), chunk)).collect() };
        prop_assert!(Model::decode(&bytes).is_err());
    }
}

#[test]
fn odd_ages_are_read_as_the_nearest_that_makes_sense() {
    let layout = BandLayout::To104Weeks;
    let mut month = Month::new(Period::new(2026, 1).unwrap(), layout, "one");
    month.add(code("AAA"), function("C_110"), Part::Incomplete, &[100; 60]).unwrap();
    month.add(code("AAA"), function("C_110"), Part::CompletedNonAdmitted, &[20; 60]).unwrap();
    let model = fitted(&[month]).unwrap();
    let key = model.cells().next().unwrap();
    let estimator = model.estimator(&key).unwrap();
    assert_eq!(estimator.estimate(f64::NAN), estimator.estimate(0.0));
    assert_eq!(estimator.estimate(-3.0), estimator.estimate(0.0));
    assert_eq!(estimator.estimate(f64::INFINITY), estimator.estimate(520.0));
    assert!(estimator.estimate(110.0).remaining.p10.open_ended);
    assert_eq!(estimator.basis().status.code(), "low_data");
    assert_eq!(
        estimator.basis().reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
        ["single_month"]
    );
}

/// A month whose list empties by a twentieth a week at every age, all by completions.
fn steady(year: i32, month: u32, layout: BandLayout) -> Month {
    let mut made = Month::new(Period::new(year, month).unwrap(), layout, "steady");
    let open = layout.open_from_weeks();
    let people = |band: u32, weight: f64| {
        // The open band holds all that is beyond it.
        let beyond = if band == open { 20.0 } else { 1.0 };
        (100_000.0 * weight * beyond * (-0.05 * f64::from(band)).exp()).round() as u32
    };
    for (part, weight) in [(Part::Incomplete, 1.0), (Part::CompletedNonAdmitted, 0.05 * 30.0 / 7.0)] {
        let counts: Vec<u32> = (0..=open).map(|band| people(band, weight)).collect();
        for provider in ["AAA", "BBB"] {
            made.add(code(provider), function("C_110"), part, &counts).unwrap();
        }
    }
    made
}

#[test]
fn months_on_both_sides_of_the_change_of_2021_are_paired_as_far_as_they_can_be() {
    let months = [steady(2021, 3, BandLayout::To52Weeks), steady(2021, 4, BandLayout::To104Weeks)];
    let fitted = fit(&months, &Successors::none()).unwrap();
    assert_eq!(fitted.report.pairs.len(), 1);
    assert!(fitted.report.pairs[0].dropped.is_empty());
    assert_eq!(fitted.model.layout(), BandLayout::To104Weeks);
    let key = fitted.model.cells().next().unwrap();
    for age in [2.0, 10.0, 30.0] {
        let median = fitted.model.estimator(&key).unwrap().estimate(age).remaining.p50.weeks;
        // ln 2 / 0.05 weeks, a little less for April's bank holidays.
        assert!((median / (2.0_f64.ln() / 0.05) - 1.0).abs() < 0.08, "{age}: {median}");
    }
}

#[test]
fn a_cell_that_is_not_published_falls_to_its_specialty_and_an_unknown_function_to_england() {
    let months = [steady(2024, 1, BandLayout::To104Weeks), steady(2024, 2, BandLayout::To104Weeks)];
    let model = fitted(&months).unwrap();
    let key = model.cells().next().unwrap();
    for (key, want) in [
        (key, Some("provider_tfc")),
        (wait_estimator::CellKey { provider: code("ZZZ"), ..key }, Some("england_tfc")),
        (wait_estimator::CellKey { treatment_function: function("C_100"), ..key }, Some("england")),
        (wait_estimator::CellKey { provider: code("ZZZ"), treatment_function: function("C_100") }, None),
    ] {
        let basis = model.estimator(&key).map(|estimator| estimator.basis());
        assert_eq!(basis.as_ref().map(|basis| basis.level.code()), want, "{key}");
        if want.is_some_and(|level| level != "provider_tfc") {
            assert_eq!(basis.unwrap().status.code(), "pooled");
        }
    }
}
