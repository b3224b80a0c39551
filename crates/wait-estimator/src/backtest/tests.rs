//! Hand-worked months: every figure here can be had with pencil and paper.

use proptest::prelude::*;

use super::cohort::{Cohort, Horizons};
use super::method::{Forecast, Method, MethodName, Outlook};
use super::naive::{Completed, CompletedWaits, Figure, Histogram, SingleFigure};
use super::tally::Tally;
use super::*;
use crate::model::{BandLayout, Part};

const LAYOUT: BandLayout = BandLayout::To52Weeks;

fn period(year: i32, month: u32) -> Period {
    Period::new(year, month).unwrap()
}

fn function(code: &str) -> TreatmentFunction {
    TreatmentFunction::parse(code).unwrap()
}

fn provider(code: &str) -> ProviderCode {
    ProviderCode::parse(code).unwrap()
}

fn key(code: &str) -> CellKey {
    CellKey { provider: provider(code), treatment_function: function("C_110") }
}

/// A month with one part of one list after another.
fn month(year: i32, number: u32, rows: &[(&str, Part, &[u32])]) -> Month {
    let mut month = Month::new(period(year, number), LAYOUT, format!("{year}-{number}"));
    for (code, part, counts) in rows {
        month.add(provider(code), function("C_110"), *part, counts).unwrap();
    }
    month
}

fn horizons(days: &[u32]) -> Horizons {
    Horizons::new(days.to_vec()).unwrap()
}

/// A forecast read off a function.
struct Said<F: Fn(f64) -> f64, G: Fn(f64) -> f64>(F, G);

impl<F: Fn(f64) -> f64, G: Fn(f64) -> f64> Outlook for Said<F, G> {
    fn survival(&self, weeks: f64) -> f64 {
        self.0(weeks)
    }

    fn quantile(&self, level: f64) -> f64 {
        self.1(level)
    }
}

fn scores_of(cohort: &Cohort, forecast: &Forecast, horizons: &Horizons) -> Scores {
    Tally::of(cohort, Some(forecast), horizons).scores(None)
}

#[track_caller]
fn assert_near(ours: f64, worked: f64) {
    assert!((ours - worked).abs() < 1e-9, "{ours} is not {worked}");
}

#[test]
fn people_are_found_in_the_two_bands_their_age_straddles() {
    let origin = [100];
    // 28 days are four whole bands; 31 days are four and three sevenths.
    let later: &[u32] = &[9, 9, 9, 9, 70, 35, 9];
    for (days, still) in [(28, 70.0), (31, 70.0 * 4.0 / 7.0 + 35.0 * 3.0 / 7.0), (35, 35.0)] {
        let cohort = Cohort::follow(0, &origin, &[later], &horizons(&[days]));
        assert_near(cohort.waiting[0], still);
        assert_near(cohort.people, 100.0);
    }
    // Trailing noughts may be left out.
    let cohort = Cohort::follow(3, &[1, 1, 1, 7], &[&[5]], &horizons(&[28]));
    assert_near(cohort.waiting[0], 0.0);
}

#[test]
fn between_month_ends_people_leave_at_a_constant_rate() {
    let horizons = horizons(&[28, 56]);
    let cohort = Cohort::follow(0, &[100], &[&[0, 0, 0, 0, 25], &[0, 0, 0, 0, 0, 0, 0, 0, 25]], &horizons);
    // A quarter after four weeks is a half after two; then nobody leaves.
    for (weeks, share) in [(0.0, 1.0), (2.0, 0.5), (4.0, 0.25), (6.0, 0.25), (8.0, 0.25), (99.0, 0.25)] {
        assert_near(cohort.survival(horizons.step_near(weeks)), share);
    }
    assert_near(cohort.quantile(0.5), 2.0);
    assert_near(cohort.quantile(0.75), 4.0);
    assert!(cohort.quantile(0.9).is_infinite());
}

#[test]
fn the_pinball_loss_of_a_list_that_nobody_leaves_is_a_straight_line() {
    let horizons = horizons(&[28]);
    let cohort = Cohort::follow(0, &[10], &[&[0, 0, 0, 0, 10]], &horizons);
    // All wait four weeks, as far as anybody looked: one week short costs the level, and no wait is too long.
    for (level, said, worked) in
        [(0.5, 3.0, 0.5), (0.1, 0.0, 0.4), (0.9, 2.0, 1.8), (0.5, 4.0, 0.0), (0.5, 50.0, 0.0)]
    {
        assert_near(cohort.pinball(level, horizons.step_near(said)), worked);
    }
}

#[test]
fn the_pinball_loss_of_people_who_leave_too_soon_counts_the_other_way() {
    let horizons = horizons(&[28]);
    let cohort = Cohort::follow(0, &[100], &[&[0, 0, 0, 0, 25]], &horizons);
    // A quarter-week step keeps the share r of those who waited; the area under the curve by trapezia is then
    // (1/4) (1 + r)/2 (1 - r^k)/(1 - r) after k steps.
    let rate = 0.25_f64.powf(1.0 / 16.0);
    let area = |steps: i32| 0.125 * (1.0 + rate) * (1.0 - rate.powi(steps)) / (1.0 - rate);
    let worked = |level: f64, steps: i32| {
        level * (area(16) - area(steps)) + (1.0 - level) * (f64::from(steps) * 0.25 - area(steps))
    };
    for (level, said, steps) in [(0.1, 0.5, 2), (0.5, 2.0, 8), (0.9, 4.0, 16), (0.9, 9.0, 16)] {
        assert_near(cohort.pinball(level, horizons.step_near(said)), worked(level, steps));
    }
}

#[test]
fn brier_score_and_coverage_by_hand() {
    let horizons = horizons(&[28, 56]);
    let cohort = Cohort::follow(0, &[100], &[&[0, 0, 0, 0, 50], &[0, 0, 0, 0, 0, 0, 0, 0, 25]], &horizons);
    let quantile = |level: f64| match level {
        0.10 => 0.0,
        0.25 => 4.0,
        0.50 => 6.0,
        0.75 => 7.75,
        _ => 8.0,
    };
    let forecast = Forecast::read(&Said(|weeks| if weeks < 5.0 { 0.5 } else { 1.0 }, quantile), &horizons);
    let scores = scores_of(&cohort, &forecast, &horizons);
    // Half wait at four weeks and one half was said: a quarter. A quarter wait at eight and one was said: 75 in 100.
    assert_near(scores.by_month[0].brier.unwrap(), 0.25);
    assert_near(scores.by_month[1].brier.unwrap(), 0.75);
    assert_near(scores.brier.unwrap(), 0.5);
    assert_eq!(
        scores.by_month.last(),
        Some(&MonthScores { brier: Some(0.75), expected_left: Some(0.0), left: Some(0.75) })
    );
    // "One half will have left" came to one half, "nobody" to three quarters; as many people of each.
    let tenths: Vec<(f64, f64, f64)> =
        scores.reliability.iter().map(|tenth| (tenth.said, tenth.left, tenth.of_all)).collect();
    assert_eq!(tenths, [(0.0, 0.75, 0.5), (0.5, 0.5, 0.5)]);
    // By 4 weeks half had left. By 7.75, all but 50 * 2^(-3.75/4). The 90 % point is not before the last month-end.
    let left = 1.0 - 0.5 * 0.5_f64.powf(3.75 / 4.0);
    assert_near(scores.coverage50.share.unwrap(), left - 0.5);
    assert_near(scores.coverage50.checkable.unwrap(), 1.0);
    assert_eq!(scores.coverage80, Checked { share: None, checkable: Some(0.0) });
    let shares: Vec<Option<f64>> = scores.realised.iter().map(|point| point.realised.share).collect();
    assert_near(shares[0].unwrap(), 0.0);
    assert_near(shares[1].unwrap(), 0.5);
    assert_near(shares[2].unwrap(), 1.0 - 0.5 * 0.5_f64.sqrt());
    assert_eq!(shares[4], None);
}

#[test]
fn who_is_not_answered_counts_as_told_to_wait_beyond_the_end() {
    let horizons = horizons(&[28]);
    let cohort = Cohort::follow(0, &[100], &[&[0, 0, 0, 0, 25]], &horizons);
    let endless = Forecast::read(&Said(|_| 1.0, |_| f64::INFINITY), &horizons);
    let answered = scores_of(&cohort, &endless, &horizons);
    let scores = Tally::of(&cohort, None, &horizons).scores(None);
    assert_eq!(scores.pinball, answered.pinball);
    assert_eq!(scores.not_answered, Some(1.0));
    assert_eq!(answered.not_answered, Some(0.0));
    assert_eq!(scores.brier, None);
}

#[test]
fn a_perfect_forecast_scores_what_hindsight_does() {
    let horizons = horizons(&[28, 59]);
    let later: [&[u32]; 2] = [&[0, 0, 0, 0, 420, 300], &[0, 0, 0, 0, 0, 0, 0, 0, 90, 120]];
    let cohort = Cohort::follow(0, &[600], &later, &horizons);
    let (first, second) = (420.0 / 600.0, (90.0 * 4.0 / 7.0 + 120.0 * 3.0 / 7.0) / 600.0);
    let (middle, end) = (4.0, 59.0 / 7.0);
    let survival = |weeks: f64| {
        if weeks <= middle {
            f64::powf(first, weeks / middle)
        } else {
            first * f64::powf(second / first, (weeks - middle) / (end - middle))
        }
    };
    let quantile = |level: f64| {
        let left = 1.0 - level;
        if left >= first {
            middle * f64::ln(left) / f64::ln(first)
        } else {
            middle + (end - middle) * f64::ln(left / first) / f64::ln(second / first)
        }
    };
    let perfect = scores_of(&cohort, &Forecast::read(&Said(survival, quantile), &horizons), &horizons);
    let oracle = scores_of(&cohort, &Forecast::hindsight(&cohort), &horizons);
    assert_near(perfect.brier.unwrap(), oracle.brier.unwrap());
    // Points lie on a quarter-week grid: near the best, the loss hardly changes within a step.
    assert!((perfect.mean_pinball.unwrap() - oracle.mean_pinball.unwrap()).abs() < 0.003);
    for point in perfect.realised.iter().filter(|point| point.realised.share.is_some()) {
        assert!((point.realised.share.unwrap() - point.predicted).abs() < 0.025, "{point:?}");
    }
}

#[test]
fn single_figures_by_hand() {
    // Two waits of half a week, one of 2.5 weeks, one of over 52: it is taken as 58. In all 61.5 / 4 weeks.
    let mut counts = vec![0; LAYOUT.bands()];
    (counts[0], counts[2], counts[52]) = (2, 1, 1);
    let (admitted, not_admitted) = counts.split_at(1);
    let waits = || {
        let tail: Vec<u32> = [0].iter().chain(not_admitted).copied().collect();
        let completed = Completed::of(LAYOUT, &[admitted, &tail]);
        CompletedWaits::new(
            [(key("AAA"), completed), (key("BBB"), Completed::of(LAYOUT, &[&[], &[]]))].into_iter(),
        )
    };
    let figure = |figure, less_waited, code: &str, band| {
        let method = SingleFigure::new(&waits(), figure, less_waited);
        let outlook = method.outlook(&key(code), band).unwrap();
        (outlook.quantile(0.1), outlook.survival(outlook.quantile(0.9) - 0.1), outlook.survival(100.0))
    };
    assert_eq!(figure(Figure::Mean, true, "AAA", 0), (15.375 - 0.5, 1.0, 0.0));
    assert_eq!(figure(Figure::Mean, false, "AAA", 20), (15.375, 1.0, 0.0));
    // Already longer than the mean: nothing is left.
    assert_eq!(figure(Figure::Mean, true, "AAA", 20).0, 0.0);
    // Rank 2.5 of 4 lies half-way through the only wait between two and three weeks.
    assert_eq!(figure(Figure::Median, true, "AAA", 0).0, 2.5 - 0.5);
    // The specialty stands in for a list that completed nothing, whether it is known or not.
    assert_eq!(figure(Figure::Mean, true, "BBB", 0).0, 15.375 - 0.5);
    assert_eq!(figure(Figure::Mean, true, "CCC", 0).0, 15.375 - 0.5);
    let nothing = SingleFigure::new(&CompletedWaits::default(), Figure::Median, true);
    assert_eq!(nothing.outlook(&key("AAA"), 3).unwrap().quantile(0.5), 0.0);
}

#[test]
fn the_histogram_forgets_waits_that_were_passed() {
    // Forty waits in the first week, forty in the second, twenty in the third.
    let waits = CompletedWaits::new(
        [
            (key("AAA"), Completed::of(LAYOUT, &[&[40, 40, 20], &[]])),
            (key("BBB"), Completed::of(LAYOUT, &[&[0, 0, 0, 0, 0, 10], &[]])),
        ]
        .into_iter(),
    );
    let method = Histogram::new(&waits);
    // In the middle of the second week forty of a hundred are still to come; twenty of them in the third week.
    let outlook = method.outlook(&key("AAA"), 1).unwrap();
    for (weeks, still) in [(0.0, 1.0), (0.5, 0.5), (1.0, 0.25), (1.5, 0.0), (30.0, 0.0)] {
        assert_near(outlook.survival(weeks), still);
    }
    for (level, weeks) in [(0.25, 0.25), (0.5, 0.5), (0.75, 1.0)] {
        assert_near(outlook.quantile(level), weeks);
    }
    // Nobody here waited five and a half weeks; the specialty has five who did, out of ten in that week.
    let outlook = method.outlook(&key("AAA"), 5).unwrap();
    assert_near(outlook.survival(0.25), 0.5);
    // And nobody at all waited twenty.
    assert_near(method.outlook(&key("AAA"), 20).unwrap().quantile(0.9), 0.0);
}

#[test]
fn the_open_band_of_a_histogram_keeps_its_mean() {
    let mut counts = vec![0; LAYOUT.bands()];
    (counts[51], counts[52]) = (50, 100);
    let waits = CompletedWaits::new([(key("AAA"), Completed::of(LAYOUT, &[&counts, &[]]))].into_iter());
    let method = Histogram::new(&waits);
    let outlook = method.outlook(&key("AAA"), 51).unwrap();
    // From 51.5 weeks on there are 125: 25 within the band, then a rate of one in six weeks.
    assert_near(outlook.survival(0.5), 100.0 / 125.0);
    assert_near(outlook.survival(6.5), 100.0 / 125.0 * (-1.0_f64).exp());
    assert_near(outlook.quantile(1.0 - 0.4), 0.5 + 6.0 * 2.0_f64.ln());
}

/// Two lists and a third that comes to nothing, over three months of 31, 28 and 31 days.
fn three_months() -> (Vec<Month>, Vec<Month>) {
    let list: Vec<u32> = (0..40).map(|band| 300 - 5 * band).collect();
    let done: Vec<u32> = (0..40).map(|band| 40 - band).collect();
    let rows: &[(&str, Part, &[u32])] = &[
        ("AAA", Part::Incomplete, &list),
        ("AAA", Part::CompletedAdmitted, &done),
        ("BBB", Part::Incomplete, &list),
        ("BBB", Part::CompletedNonAdmitted, &done),
    ];
    let mut gone = rows.to_vec();
    gone.push(("CCC", Part::Incomplete, &[60, 40]));
    let mut queried = rows.to_vec();
    queried.push(("DDD", Part::Incomplete, &[60, 40]));
    let mut origin = gone.clone();
    origin.push(("DDD", Part::Incomplete, &[60, 40]));
    let mut last = rows.to_vec();
    last.push(("DDD", Part::Incomplete, &[0]));
    (
        vec![month(2014, 12, &gone), month(2015, 1, &origin)],
        vec![month(2015, 3, &last), month(2015, 2, &queried)],
    )
}

#[test]
fn a_whole_report_accounts_for_everybody() {
    let (train, test) = three_months();
    let report = backtest(&train, &test, &Successors::none()).unwrap();
    assert_eq!(report.train, ["2014-12", "2015-01"]);
    assert_eq!(report.origin, "2015-01");
    let tests: Vec<(&str, u32)> = report.tests.iter().map(|test| (test.month.as_str(), test.days)).collect();
    assert_eq!(tests, [("2015-02", 28), ("2015-03", 59)]);
    assert_eq!(report.cells, 2);
    // Bands 0 to 33 of two lists of 300, 295, ...
    assert_eq!(report.weeks_waited_below, 34);
    assert_eq!(report.pathways, 2 * (34 * 300 - 5 * 33 * 34 / 2));
    let dropped: Vec<(DropReason, u64, u64)> =
        report.dropped.iter().map(|dropped| (dropped.reason, dropped.cells, dropped.people)).collect();
    assert_eq!(
        dropped,
        [(DropReason::ProviderAbsentFromTestMonth, 1, 100), (DropReason::NothingAfterAList, 1, 100)]
    );

    assert_eq!(report.methods.len(), MethodName::ALL.len());
    let oracle = report.method(MethodName::Oracle).unwrap().overall.clone();
    for method in &report.methods {
        let whole = &method.overall;
        assert_eq!(whole.pathways, report.pathways);
        assert!(whole.brier >= oracle.brier.map(|best| best - 1e-12), "{:?}", method.method);
        for slices in [&method.by_list_size, &method.by_weeks_waited] {
            assert_eq!(slices.iter().map(|slice| slice.scores.pathways).sum::<u64>(), report.pathways);
            let loss: f64 = slices
                .iter()
                .map(|slice| slice.scores.mean_pinball.unwrap() * slice.scores.pathways as f64)
                .sum();
            assert!((loss / report.pathways as f64 - whole.mean_pinball.unwrap()).abs() < 1e-9);
        }
        assert_eq!(method.by_weeks_waited.last().unwrap().below, None);
        assert!(
            !method.method.is_single_figure() || whole.coverage50 == Checked { share: None, checkable: None }
        );
    }
    let naive = report.method(MethodName::MeanMinusWaited).unwrap();
    assert_eq!(naive.overall.ratio_to_mean_minus_waited, Some(1.0));
    let [one] = report.by_treatment_function.as_slice() else { panic!("one treatment function") };
    assert_eq!(one.treatment_function, "C_110");
    assert_eq!(one.calibration, report.calibration);
    let calibration = &report.calibration;
    assert_eq!(calibration.tested_on, ["2015-02", "2015-03"]);
    assert_eq!((calibration.days, calibration.pathways), (59, report.pathways));
    assert_eq!(calibration.left, oracle.by_month[1].left);
    assert!(calibration.expected_left.unwrap() > 0.0 && calibration.n <= calibration.pathways);
}

#[test]
fn coverage_is_told_of_enough_people_only() {
    let (train, test) = three_months();
    let report = backtest(&train, &test, &Successors::none()).unwrap();
    let scores = &report.method(MethodName::Oracle).unwrap().overall;
    for (pathways, checkable, told) in [
        (20_000, 0.2, Some(0.8)),
        (20_000, 0.09, None),
        (9_000, 0.1, None),
        (10_000, 0.1, Some(0.8)),
        (20_000, 0.0, None),
    ] {
        let coverage80 = Checked { share: Some(0.8), checkable: Some(checkable) };
        let scores = Scores { pathways, coverage80, ..scores.clone() };
        let calibration = Calibration::new(&scores, &report.tests);
        assert_eq!(calibration.coverage80, told, "{checkable} of {pathways}");
        assert_eq!(calibration.n as f64, (checkable * pathways as f64).round());
    }
}

#[test]
fn the_naive_mean_of_a_whole_report_by_hand() {
    let done: &[u32] = &[0, 0, 0, 10];
    let rows = |list: &'static [u32]| month_of_one_list(list, done);
    let train = [rows(&[100])(2015, 1)];
    let test = [rows(&[0, 0, 0, 0, 50])(2015, 2)];
    let report = backtest(&train, &test, &Successors::none()).unwrap();
    let naive = &report.method(MethodName::MeanMinusWaited).unwrap().overall;
    // Completed after 3.5 weeks, waited half a week: three to go, so nobody is said to wait at four. Half do.
    assert_near(naive.brier.unwrap(), 0.5);
    let realised = naive.realised[2].realised;
    assert_near(realised.share.unwrap(), 1.0 - 0.5_f64.powf(0.75));
    // Each of the three levels is scored on the same figure, so their mean is the loss at one half.
    assert_near(naive.mean_pinball.unwrap(), naive.pinball.p50.unwrap());
}

fn month_of_one_list(list: &'static [u32], done: &'static [u32]) -> impl Fn(i32, u32) -> Month {
    move |year, number| {
        month(year, number, &[("AAA", Part::Incomplete, list), ("AAA", Part::CompletedAdmitted, done)])
    }
}

#[test]
fn a_merger_in_a_month_scored_is_followed_into_the_successor() {
    let list: Vec<u32> = vec![100; 52];
    let twice: Vec<u32> = vec![200; 52];
    let before: &[(&str, Part, &[u32])] =
        &[("AAA", Part::Incomplete, &list), ("BBB", Part::Incomplete, &list)];
    let train = [month(2015, 1, before), month(2015, 2, before)];
    let test = [month(2015, 4, &[("CCC", Part::Incomplete, &twice)])];
    let successors = Successors::parse(
        "predecessor,successor,from,source\nAAA,CCC,2015-04-01,made up\nBBB,CCC,2015-04-01,made up\n",
    )
    .unwrap();
    let report = backtest(&train, &test, &successors).unwrap();
    assert_eq!((report.cells, report.dropped.len()), (1, 0));
    // Every band holds as many as before: nobody has left, and hindsight knows it.
    assert_near(report.method(MethodName::Oracle).unwrap().overall.brier.unwrap(), 0.0);
    assert!(matches!(backtest(&train, &test, &Successors::none()), Err(BacktestError::NothingToScore)));
}

#[test]
fn months_that_make_no_backtest_are_refused() {
    let rows = month_of_one_list(&[100, 100], &[10]);
    let none = Successors::none();
    let run = |train: &[Month], test: &[Month]| backtest(train, test, &none).unwrap_err();
    let january = [rows(2015, 1)];
    assert!(matches!(run(&[], &[rows(2015, 2)]), BacktestError::NoTrainingMonth));
    assert!(matches!(run(&january, &[]), BacktestError::TestMonths(0)));
    assert!(matches!(run(&january, &vec![rows(2015, 2); 25]), BacktestError::TestMonths(25)));
    assert!(matches!(run(&january, &[rows(2015, 1)]), BacktestError::NotAfterOrigin { .. }));
    assert!(matches!(run(&january, &[rows(2014, 12)]), BacktestError::NotAfterOrigin { .. }));
    assert!(matches!(run(&january, &[rows(2015, 2), rows(2015, 2)]), BacktestError::Twice(_)));
    assert!(matches!(run(&january, &[rows(2016, 2)]), BacktestError::TooFar(394)));
}

#[test]
fn a_rolling_back_test_leaves_a_pair_to_fit_on() {
    let held: Vec<usize> = (0..9).map(months_to_hold_out).collect();
    assert_eq!(held, [0, 0, 0, 1, 1, 2, 3, 3, 3]);
    assert_eq!(months_to_hold_out(13), 3);
}

#[test]
fn the_bands_followed_depend_on_the_layouts_and_the_last_month() {
    let followed = |days: &[u32], origin, later| horizons(days).cohorts(origin, std::iter::once(later));
    let (old, new) = (BandLayout::To52Weeks, BandLayout::To104Weeks);
    assert_eq!(followed(&[31, 61, 92], old, old), 34);
    // 52 - 182/7 - 1.
    assert_eq!(followed(&[182], old, old), 25);
    assert_eq!(followed(&[31, 61, 92], old, new), 34);
    // 104 - 92/7 - 1, whole.
    assert_eq!(followed(&[31, 61, 92], new, new), 89);
    assert_eq!(followed(&[3650], old, old), 0);
    assert!(Horizons::new(vec![]).is_none());
    assert!(Horizons::new(vec![0, 31]).is_none());
    assert!(Horizons::new(vec![61, 31]).is_none());
}

#[test]
fn the_report_is_written_for_people_and_drawn() {
    let (train, test) = three_months();
    let report = backtest(&train, &test, &Successors::none()).unwrap();
    let text = report.text();
    for part in
        ["fitted on 2014-12, 2015-01", "2015-03 (after 59 days)", "not treatment alone", "checkable", "C_110"]
    {
        assert!(text.contains(part), "{part} is missing from\n{text}");
    }
    for method in MethodName::ALL {
        assert!(text.contains(method.label()));
    }
    let svg = calibration_svg(&report);
    for part in [
        "role=\"img\"",
        "<title id=",
        "<desc id=",
        "Share expected to have left",
        "stroke-dasharray",
        "</svg>",
    ] {
        assert!(svg.contains(part), "{part} is missing from\n{svg}");
    }
    for label in [MethodName::Product, MethodName::MeanMinusWaited].map(MethodName::label) {
        assert!(svg.matches(label).count() >= 3, "{label} is not in key, marks and description");
    }
    assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No forecast of any shape has a better Brier score than hindsight, and every figure is a number in its range.
    #[test]
    fn nobody_beats_hindsight(
        origin in prop::collection::vec(0_u32..2000, 1..20),
        later in prop::collection::vec(0_u32..2000, 1..40),
        days in 1_u32..120,
        said in 0.0_f64..=1.0,
        weeks in 0.0_f64..60.0,
        band in 0_usize..20,
    ) {
        let horizons = horizons(&[days]);
        let cohort = Cohort::follow(band, &origin, &[&later], &horizons);
        let forecast = Forecast::read(&Said(|_| said, |level| weeks * level), &horizons);
        let ours = scores_of(&cohort, &forecast, &horizons);
        let best = scores_of(&cohort, &Forecast::hindsight(&cohort), &horizons);
        prop_assert_eq!(ours.brier.is_some(), cohort.people > 0.0);
        if let (Some(ours), Some(best)) = (ours.brier, best.brier) {
            prop_assert!(ours >= best - 1e-9);
        }
        for loss in [ours.pinball.p10, ours.pinball.p50, ours.pinball.p90].into_iter().flatten() {
            // Growth, cut at half as many again, is the only way to gain on a pathway.
            prop_assert!(loss.is_finite() && loss >= -0.5 * horizons.end());
        }
        for share in [ours.coverage50, ours.coverage80] {
            prop_assert!(share.checkable.is_none_or(|checkable| (0.0..=1.0).contains(&checkable)));
            prop_assert!(share.share.is_none_or(f64::is_finite));
        }
    }

    /// The histogram's quantiles are where its survival says they are, and survival never rises.
    #[test]
    fn the_histogram_is_one_curve(
        counts in prop::collection::vec(0_u32..50, 53),
        band in 0_usize..34,
        level in 0.01_f64..0.99,
    ) {
        let waits = CompletedWaits::new([(key("AAA"), Completed::of(LAYOUT, &[&counts, &[]]))].into_iter());
        let method = Histogram::new(&waits);
        let outlook = method.outlook(&key("AAA"), band).unwrap();
        let weeks = outlook.quantile(level);
        if weeks.is_finite() && weeks > 0.0 {
            prop_assert!((outlook.survival(weeks) - (1.0 - level)).abs() < 1e-6);
        }
        let curve: Vec<f64> = (0..400).map(|step| outlook.survival(f64::from(step) * 0.2)).collect();
        prop_assert!(curve.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
    }

    /// Scores of parts add up to the scores of the whole, in whatever order they are added.
    #[test]
    fn tallies_add_up(people in prop::collection::vec((0_u32..500, 0_u32..500), 2..12), said in 0.0_f64..1.0) {
        let horizons = horizons(&[28]);
        let forecast = Forecast::read(&Said(|_| said, |level| level * 6.0), &horizons);
        let tallies: Vec<Tally> = people
            .iter()
            .map(|(then, now)| {
                let cohort = Cohort::follow(0, &[*then], &[&[0, 0, 0, 0, *now]], &horizons);
                Tally::of(&cohort, Some(&forecast), &horizons)
            })
            .collect();
        let sum = |tallies: &mut dyn Iterator<Item = &Tally>| {
            let mut sum = Tally::default();
            tallies.for_each(|tally| sum += tally);
            sum.scores(None)
        };
        let (forth, back) = (sum(&mut tallies.iter()), sum(&mut tallies.iter().rev()));
        prop_assert_eq!(forth.pathways, back.pathways);
        prop_assert_eq!(forth.pathways, people.iter().map(|(then, _)| u64::from(*then)).sum::<u64>());
        for (one, other) in [(forth.brier, back.brier), (forth.mean_pinball, back.mean_pinball)] {
            prop_assert!(one.zip(other).is_none_or(|(one, other)| (one - other).abs() < 1e-9));
        }
    }
}
