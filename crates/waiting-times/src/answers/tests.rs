//! The answers of estimates: statuses and reasons by table, numbers by properties.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;
use wait_estimator::{Month, Successors, fit};

use super::*;
use crate::estimates::WeeksWaited;
use crate::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};
use crate::referral::{Pathway, Referral, ReferralStatus};
use crate::search::{Provider, ProviderIndex};
use crate::snapshot::{Calibration, CalibrationFigure, Estimates, LeftFigure, Previous, Snapshot};
use crate::statistics::list_statistics;

const BIG: &str = "RAA";
const SMALL: &str = "RBB";
const ABSENT: &str = "RCC";

fn provider(code: &str) -> ProviderCode {
    ProviderCode::parse(code).unwrap()
}

fn function(code: &str) -> TreatmentFunction {
    TreatmentFunction::parse(code).unwrap()
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

fn period(month: u32) -> Period {
    Period::new(2026, month).unwrap()
}

/// A list in balance under a weekly hazard: `people` join a week, and a share `hazard` of each band leaves it.
fn counts(people: f64, hazard: f64) -> Vec<u32> {
    let bands = BandLayout::To104Weeks.bands();
    (0..bands).map(|week| (people * (-hazard * week as f64).exp()).round() as u32).collect()
}

/// Months of 2026 with one pace; the small list and every kind of care in them.
fn months(of: &[u32], pace: f64) -> Vec<Month> {
    of.iter()
        .map(|&number| {
            let mut month = Month::new(period(number), BandLayout::To104Weeks, format!("{number} {pace}"));
            for (code, people) in [(BIG, 400.0), ("RDD", 300.0), (SMALL, 1.5)] {
                for care in ["C_110", "X02", "X03"] {
                    let list = counts(people, pace);
                    let done: Vec<u32> = list
                        .iter()
                        .map(|count| (f64::from(*count) * pace * 4.0 * 0.85).round() as u32)
                        .collect();
                    month.add(provider(code), function(care), Part::Incomplete, &list).unwrap();
                    month.add(provider(code), function(care), Part::CompletedNonAdmitted, &done).unwrap();
                }
                month.set_region(provider(code), OrganisationCode::parse("QU9").unwrap());
            }
            month
        })
        .collect()
}

fn estimates(months: &[Month]) -> Estimates {
    let fitted = fit(months, &Successors::none()).unwrap();
    Estimates {
        fitted_from: fitted.model.months().to_vec(),
        pairs: months.len().saturating_sub(1),
        model: Arc::new(fitted.model),
        calibration: Calibration::default(),
        previous: None,
    }
}

fn active(months: &[Month], origin: Origin) -> ActiveMonth {
    let last = months.last().unwrap();
    let lists = last.cells().iter().map(|(key, cell)| {
        let mut list = cell.list.clone();
        list.resize(BandLayout::To104Weeks.bands(), 0);
        let bands = WeeklyBands::new(BandLayout::To104Weeks, list.into()).unwrap();
        ((key.provider, key.treatment_function), list_statistics(&bands, 0))
    });
    ActiveMonth {
        period: last.period(),
        origin,
        lists: lists.collect(),
        providers: ProviderIndex::new([BIG, SMALL, ABSENT, "RDD"].map(|code| Provider {
            code: provider(code),
            name: Some(format!("MADE-UP TRUST {code}")),
            parent_code: OrganisationCode::parse("QU9"),
            parent_name: Some("MADE-UP BOARD".to_owned()),
        })),
        treatment_functions: ["C_110", "X02", "X03"]
            .map(|code| (function(code), Some("Made-up Service".to_owned())))
            .into(),
    }
}

/// Three months, the last of March 2026.
fn snapshot() -> Snapshot {
    let months = months(&[1, 2, 3], 0.05);
    Snapshot {
        generation: "0123456789ab".to_owned(),
        month: Some(active(&months, Origin::Official)),
        estimates: Some(estimates(&months)),
    }
}

fn shared() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(snapshot)
}

fn today() -> NaiveDate {
    day(2026, 4, 20)
}

fn question(code: &str, care: &str, weeks: Option<f64>) -> Question {
    Question::of_list(
        provider(code),
        function(care),
        weeks.map(|weeks| WeeksWaited::new(weeks).unwrap()),
        false,
    )
}

fn asked(snapshot: &Snapshot, today: NaiveDate, question: Question) -> EstimateAnswer {
    Context { snapshot, today }.estimate(&question)
}

fn codes(answer: &EstimateAnswer) -> Vec<&'static str> {
    answer.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn a_large_list_over_three_months_is_ok_and_says_everything() {
    let answer = asked(shared(), today(), question(BIG, "C_110", Some(10.0)));
    assert_eq!((answer.status, codes(&answer)), (EstimateStatus::Ok, vec![]), "{answer:?}");
    let numbers = answer.numbers().unwrap();
    // Half of those under a hazard of 0.05 a week are off after ln 2 / 0.05 = 13.9 weeks.
    let median = numbers.remaining_weeks.p50;
    assert!((12.0..16.0).contains(&median.value) && !median.open_ended, "{median:?}");
    assert!(answer.if_you_stay_weeks.unwrap().weeks.p50.value >= median.value);
    let basis = numbers.basis;
    assert_eq!(basis.level, EstimateLevel::ProviderTfc);
    assert_eq!(basis.described_as, "people waiting for Made-up Service at MADE-UP TRUST RAA");
    assert_eq!((basis.months_used, basis.pairs_used), (3, 2));
    assert_eq!(basis.months, ["2026-01", "2026-02", "2026-03"]);
    assert_eq!((basis.period_end, basis.age_days), (day(2026, 3, 31), 20));
    assert_eq!(basis.generation, "0123456789ab");
    let ReferralStatistics::Available { figures } = &answer.official else { panic!("{answer:?}") };
    assert_eq!(figures.month.period, "2026-03", "of the same month");
    let standard = answer.standard.unwrap();
    assert_eq!((standard.already_past, standard.weeks_to_18), (Some(false), Some(8.0)));
    assert_eq!((standard.share_now, standard.reason), (figures.within_18_weeks_share, None));
    let chance = numbers.probability;
    assert!(chance.within_18_week_standard.is_some() && chance.by_52_weeks.is_some());
    assert_eq!(answer.attribution, Some(ATTRIBUTION));
    assert_eq!((answer.calibration.as_ref(), answer.calibration_missing), (None, Some(NOT_TESTED)));
    assert!(answer.caveats.contains(&NOT_A_BOOKING) && answer.caveats.contains(&COUNTS_ALL_REASONS));
}

#[test]
fn the_status_is_the_gravest_and_every_reason_is_listed() {
    use EstimateStatus::{LowData, Ok, Pooled, Stale, Unavailable};
    /// Provider, kind of care, weeks, pathway, ended; days after the month; status; reasons.
    type Case =
        (&'static str, &'static str, f64, Pathway, bool, u64, EstimateStatus, &'static [&'static str]);
    let end = day(2026, 3, 31);
    let after = |days| end + Days::new(days);
    let routine = Pathway::Routine;
    let cases: [Case; 17] = [
        (BIG, "C_110", 10.0, routine, false, 75, Ok, &[]),
        (BIG, "C_110", 10.0, routine, false, 76, Ok, &["figures_ageing"]),
        (BIG, "C_110", 10.0, routine, false, 130, Ok, &["figures_ageing"]),
        (BIG, "C_110", 10.0, routine, false, 131, Stale, &["figures_old"]),
        (BIG, "C_110", 10.0, routine, false, 400, Stale, &["figures_old"]),
        (BIG, "C_110", 10.0, routine, false, 401, Unavailable, &["figures_too_old"]),
        (SMALL, "C_110", 10.0, routine, false, 20, Pooled, &["small_list", "no_completions"]),
        (
            SMALL,
            "C_110",
            10.0,
            routine,
            false,
            100,
            Pooled,
            &["small_list", "no_completions", "figures_ageing"],
        ),
        (SMALL, "C_110", 10.0, routine, false, 200, Stale, &["figures_old", "small_list", "no_completions"]),
        (ABSENT, "C_110", 10.0, routine, false, 20, Pooled, &["not_on_list"]),
        (BIG, "C_130", 10.0, routine, false, 20, Pooled, &["unknown_treatment_function"]),
        ("ZZZ", "C_130", 10.0, routine, false, 20, Unavailable, &["no_figures_for_this_list"]),
        (BIG, "X03", 10.0, routine, false, 20, Unavailable, &["not_computed_for_mental_health"]),
        (
            BIG,
            "C_110",
            10.0,
            Pathway::SuspectedCancer,
            false,
            20,
            Unavailable,
            &["not_computed_for_suspected_cancer"],
        ),
        (BIG, "C_110", 10.0, Pathway::Planned, false, 20, Unavailable, &["not_computed_for_planned_care"]),
        (BIG, "C_110", 10.0, routine, true, 200, Unavailable, &["wait_ended", "figures_old"]),
        (BIG, "C_110", 104.0, routine, false, 20, LowData, &["waited_beyond_bands"]),
    ];
    for (code, care, weeks, pathway, has_ended, days, status, reasons) in cases {
        let question = Question { pathway, has_ended, ..question(code, care, Some(weeks)) };
        let answer = asked(shared(), after(days), question);
        let shown = format!("{code} {care} {weeks} {pathway:?} {has_ended} {days}");
        assert_eq!((answer.status, codes(&answer).as_slice()), (status, reasons), "{shown}");
        assert_eq!(answer.numbers().is_some(), status != Unavailable, "{shown}");
        assert_eq!(answer.caveats.is_empty(), status == Unavailable, "{shown}");
        let has_standard = pathway == routine && !has_ended && care != "X03";
        assert_eq!(answer.standard.is_some(), has_standard, "{shown}");
        let missing = answer.calibration_missing.unwrap().code;
        assert_eq!(missing, if status == Unavailable { "no_estimate" } else { "not_tested" }, "{shown}");
    }
}

#[test]
fn without_figures_or_without_a_model_there_is_no_estimate_and_a_reason() {
    let whole = snapshot();
    let unfitted = Snapshot { generation: String::new(), month: whole.month, estimates: None };
    let answer = asked(&unfitted, today(), question(BIG, "C_110", Some(10.0)));
    assert_eq!((answer.status, codes(&answer)), (EstimateStatus::Unavailable, vec!["no_estimates_fitted"]));
    assert!(matches!(answer.official, ReferralStatistics::Available { .. }), "the statistics stay");
    let answer = asked(&Snapshot::default(), today(), question(BIG, "C_110", Some(10.0)));
    assert_eq!((answer.status, codes(&answer)), (EstimateStatus::Unavailable, vec!["no_month_imported"]));
    assert_eq!((answer.attribution, answer.basis), (None, None));
}

#[test]
fn one_month_alone_answers_and_is_marked() {
    let months = months(&[3], 0.05);
    let single = Snapshot {
        generation: "g".to_owned(),
        month: Some(active(&months, Origin::MadeUp)),
        estimates: Some(estimates(&months)),
    };
    let answer = asked(&single, today(), question(BIG, "C_110", Some(10.0)));
    assert_eq!(answer.status, EstimateStatus::LowData, "{:?}", answer.reasons);
    assert!(answer.has_reason("single_month") && answer.numbers().is_some());
    assert_eq!(answer.attribution, None, "nobody published made-up figures");
}

#[test]
fn a_wait_beyond_the_bands_has_no_numbers_ahead() {
    let answer = asked(shared(), today(), question(BIG, "C_110", Some(120.0)));
    let numbers = answer.numbers().unwrap();
    for weeks in numbers.remaining_weeks.at() {
        assert_eq!(weeks, WeeksFigure { value: 0.0, open_ended: true });
    }
    assert_eq!(numbers.total_wait_weeks.p10, WeeksFigure { value: 120.0, open_ended: true });
    let ProbabilityFigures { by_4_weeks, by_52_weeks, within_18_week_standard, .. } = *numbers.probability;
    assert_eq!((by_4_weeks, by_52_weeks, within_18_week_standard), (None, None, None));
    assert!(answer.caveats.contains(&NO_NUMBERS_BEYOND_104_WEEKS));
    // A wait of a year: what lies beyond 104 weeks in all is not told.
    let answer = asked(shared(), today(), question(BIG, "C_110", Some(60.0)));
    let chance = *answer.numbers().unwrap().probability;
    assert!(chance.by_26_weeks.is_some() && chance.by_52_weeks.is_none());
}

#[test]
fn the_standard_says_where_the_wait_stands() {
    for (weeks, past, left, reason) in [
        (Some(0.0), Some(false), Some(18.0), None),
        (Some(17.9), Some(false), Some(0.1), None),
        (Some(18.0), Some(false), Some(0.0), Some("at_18_weeks")),
        (Some(18.2), Some(true), None, Some("past_18_weeks")),
        (None, None, None, Some("wait_not_known")),
    ] {
        let answer = asked(shared(), today(), question(BIG, "C_110", weeks));
        let standard = answer.standard.unwrap();
        assert_eq!((standard.already_past, standard.weeks_to_18), (past, left), "{weeks:?}");
        assert_eq!(standard.reason.map(|reason| reason.code), reason, "{weeks:?}");
        let chance = answer.probability.and_then(|chances| chances.within_18_week_standard);
        assert_eq!(chance.is_some(), reason.is_none(), "{weeks:?}");
    }
}

#[test]
fn a_wait_that_is_not_known_is_answered_by_ranges() {
    let answer = asked(shared(), today(), question(BIG, "X02", None));
    assert_eq!((answer.weeks_waited, answer.numbers().is_none()), (None, true));
    let ranges = answer.ranges.unwrap();
    let starts: Vec<_> = ranges.iter().map(|range| (range.from_weeks, range.to_weeks)).collect();
    assert_eq!(starts, [(0, Some(18)), (18, Some(52)), (52, None)]);
    for range in &ranges {
        let weeks = range.remaining_weeks.at();
        assert!(weeks.windows(2).all(|two| two[0].value <= two[1].value), "{range:?}");
        // The hazard of these months is the same at every age, so half are off after about 14 weeks from anywhere.
        assert!((11.0..17.0).contains(&range.remaining_weeks.p50.value), "{range:?}");
    }
    assert!(answer.caveats.contains(&MIXTURE_MEDICAL));
}

#[test]
fn calibration_is_of_this_care_or_of_all_and_says_which() {
    let figure = |coverage80| CalibrationFigure { coverage80, tested_on: vec![period(3)], n: 12_345 };
    let left = LeftFigure { expected: 0.614, left: 0.622, tested_on: vec![period(3)], pathways: 99 };
    let mut snapshot = snapshot();
    let calibration = &mut snapshot.estimates.as_mut().unwrap().calibration;
    calibration.overall_left = Some(left);
    let answer = asked(&snapshot, today(), question(BIG, "C_110", Some(3.0)));
    assert_eq!((answer.calibration, answer.calibration_missing), (None, Some(INTERVALS_NOT_TESTED)));
    assert!(answer.exits_tested.is_some());
    let calibration = &mut snapshot.estimates.as_mut().unwrap().calibration;
    calibration.overall = Some(figure(0.787));
    calibration.by_treatment_function.insert(function("C_110"), figure(0.812));
    for (care, coverage, scope) in
        [("C_110", 0.81, CalibrationScope::TreatmentFunction), ("X02", 0.79, CalibrationScope::All)]
    {
        let answer = asked(&snapshot, today(), question(BIG, care, Some(3.0)));
        let calibration = answer.calibration.unwrap();
        assert_eq!((calibration.coverage80, calibration.scope), (coverage, scope));
        assert_eq!((calibration.n, calibration.tested_on), (12_345, vec!["2026-03".to_owned()]));
        assert_eq!(answer.calibration_missing, None);
        let exits = answer.exits_tested.unwrap();
        assert_eq!((exits.expected_share, exits.left_share, exits.n), (0.61, 0.62, 99));
    }
}

#[test]
fn a_decision_to_admit_that_is_not_published_is_said() {
    let question = Question { decision_to_admit: true, ..question(BIG, "C_110", Some(10.0)) };
    let answer = asked(shared(), today(), question);
    assert_eq!((answer.status, answer.experimental), (EstimateStatus::Ok, false));
    assert_eq!(codes(&answer), ["decision_to_admit_not_published"]);
}

#[test]
fn the_reading_for_a_decision_to_admit_is_marked_as_an_experiment() {
    let mut months = months(&[1, 2, 3], 0.05);
    for month in &mut months {
        // Half of those on the list are to be admitted, and a quarter of the completions are of them.
        let half: Vec<u32> = counts(200.0, 0.05);
        let admitted: Vec<u32> = half.iter().map(|count| count / 8).collect();
        month.add(provider(BIG), function("C_110"), Part::IncompleteWithDecisionToAdmit, &half).unwrap();
        month.add(provider(BIG), function("C_110"), Part::CompletedAdmitted, &admitted).unwrap();
    }
    let snapshot = Snapshot {
        generation: "g".to_owned(),
        month: Some(active(&months, Origin::Official)),
        estimates: Some(estimates(&months)),
    };
    let question = Question { decision_to_admit: true, ..question(BIG, "C_110", Some(10.0)) };
    let answer = asked(&snapshot, today(), question);
    assert_eq!((answer.status, answer.experimental), (EstimateStatus::LowData, true));
    assert_eq!(codes(&answer), ["experimental_decision_to_admit"]);
    assert_eq!(answer.calibration_missing, Some(EXPERIMENTAL_NOT_TESTED));
    assert!(answer.numbers().is_some() && answer.caveats.contains(&EXPERIMENTAL_DECISION_TO_ADMIT));
}

/// The model of `pace` before, and the one of 0.05 a week now.
fn after_a_change(pace: f64) -> Snapshot {
    let mut snapshot = snapshot();
    let before = estimates(&months(&[1, 2], pace));
    snapshot.estimates.as_mut().unwrap().previous =
        Some(Previous { generation: "before".to_owned(), model: before.model });
    snapshot
}

#[test]
fn what_moved_is_told_with_its_cause_and_only_to_whom_it_belongs() {
    let told = |snapshot: &Snapshot| {
        let question = Question { tell_moved: true, ..question(BIG, "C_110", Some(10.0)) };
        asked(snapshot, today(), question).moved
    };
    assert_eq!(told(shared()), None, "nothing came before");
    assert_eq!(told(&after_a_change(0.05)), None, "the same pace");
    let moved = told(&after_a_change(0.10)).unwrap();
    assert_eq!((moved.direction, moved.from_period.as_str()), (Direction::Longer, "2026-02"));
    assert!(moved.to_median_weeks.value > moved.from_median_weeks.value + 2.0, "{moved:?}");
    let codes: Vec<_> = moved.why.iter().map(|why| why.code).collect();
    assert!(codes.contains(&"slower_in_england") && codes.contains(&"list_grew"), "{moved:?}");
    let moved = told(&after_a_change(0.02)).unwrap();
    assert_eq!(moved.direction, Direction::Shorter);
    assert!(moved.why.iter().any(|why| why.code == "faster_in_england"), "{moved:?}");
    let changed = after_a_change(0.10);
    assert_eq!(asked(&changed, today(), question(BIG, "C_110", Some(10.0))).moved, None, "not for strangers");
}

#[test]
fn a_person_who_wants_no_estimates_gets_none_and_keeps_the_rest() {
    let referral = Referral {
        id: Uuid::from_u128(1),
        provider: provider(BIG),
        treatment_function: function("C_110"),
        clock_start: today() - Days::new(70),
        pathway: Pathway::Routine,
        status: ReferralStatus::Waiting,
    };
    let answer = |show_estimates| {
        let preferences = PreferencesAnswer { show_estimates };
        MyWaitsAnswer::new(vec![referral.clone()], preferences, shared(), today()).referrals.remove(0)
    };
    let (shown, hidden) = (answer(true), answer(false));
    let ReferralEstimate::Shown(estimate) = &shown.estimate else { panic!("{shown:?}") };
    assert_eq!(estimate.weeks_waited, Some(10.0));
    let json = serde_json::to_value(&hidden).unwrap();
    assert_eq!(json["estimate"]["status"], "hidden");
    assert_eq!(json["estimate"]["remaining_weeks"], Value::Null);
    assert_eq!(shown.statistics, hidden.statistics);
}

#[test]
fn no_word_promises_a_date_a_rank_or_an_outcome() {
    let mut seen = BTreeSet::new();
    for Reason { code, text } in ALL_REASONS {
        assert!(seen.insert(*code), "{code} stands twice");
        assert!(
            code.chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        );
        assert!(text.ends_with('.') && text.len() < 200, "{code}");
        let lower = text.to_lowercase();
        for word in ["you will", "guarantee", "promise", "rank", "position", "next week", "by the end"] {
            assert!(!lower.contains(word), "{code}: {text}");
        }
    }
}

#[test]
fn counts_under_ten_are_never_given() {
    let mut months = months(&[1, 2, 3], 0.05);
    for month in &mut months {
        let mut list = vec![0; 105];
        list[5] = 7;
        month.add(provider(ABSENT), function("C_110"), Part::Incomplete, &list).unwrap();
    }
    let snapshot = Snapshot {
        generation: "g".to_owned(),
        month: Some(active(&months, Origin::Official)),
        estimates: Some(estimates(&months)),
    };
    let answer = asked(&snapshot, today(), question(ABSENT, "C_110", Some(10.0)));
    assert_eq!(answer.basis.as_ref().unwrap().list_size, Some(ListSize::FewerThan { limit: 10 }));
    assert!(!serde_json::to_string(&answer).unwrap().contains("\"count\":7"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn numbers_are_in_order_and_add_up(
        weeks in 0.0..520.0_f64,
        (code, care) in prop::sample::select(vec![
            (BIG, "C_110"), (SMALL, "C_110"), (ABSENT, "X02"), (BIG, "X02"), (BIG, "C_130"),
        ]),
    ) {
        let answer = asked(shared(), today(), question(code, care, Some(weeks)));
        let numbers = answer.numbers().unwrap();
        let remaining = numbers.remaining_weeks.at();
        prop_assert!(remaining.windows(2).all(|two| two[0].value <= two[1].value), "{:?}", remaining);
        prop_assert!(remaining.windows(2).all(|two| two[0].open_ended <= two[1].open_ended));
        let total = numbers.total_wait_weeks;
        let three = numbers.remaining_weeks.three();
        for (whole, left) in [(total.p10, three.p10), (total.p50, three.p50), (total.p90, three.p90)] {
            prop_assert!(whole.value >= numbers.weeks_waited);
            prop_assert!((whole.value - numbers.weeks_waited - left.value).abs() < 1e-9);
            prop_assert!(!left.open_ended || whole.value >= 104.0);
            prop_assert!(left.open_ended || whole.value <= 104.0);
        }
        let stay = numbers.if_you_stay_weeks.weeks;
        for (stay, left) in [(stay.p10, three.p10), (stay.p50, three.p50), (stay.p90, three.p90)] {
            prop_assert!(stay.open_ended || stay.value >= left.value, "{:?} {:?}", stay, left);
        }
        let ProbabilityFigures { by_4_weeks, by_12_weeks, by_26_weeks, by_52_weeks, within_18_week_standard } =
            *numbers.probability;
        let chances = [by_4_weeks, by_12_weeks, by_26_weeks, by_52_weeks];
        let known: Vec<f64> = chances.into_iter().flatten().collect();
        prop_assert!(known.windows(2).all(|two| two[0] <= two[1]));
        prop_assert!(known.iter().chain(&within_18_week_standard).all(|chance| (0.01..=0.99).contains(chance)));
        prop_assert_eq!(within_18_week_standard.is_some(), weeks < 18.0);
        prop_assert!((0.0..=1.0).contains(&numbers.other_removal_share));
    }

    #[test]
    fn nothing_jumps_at_the_border_of_a_week(week in 1_u32..103, code in prop::sample::select(vec![BIG, ABSENT])) {
        let at = |weeks: f64| asked(shared(), today(), question(code, "C_110", Some(weeks)));
        let (before, after) = (at(f64::from(week) - 1e-6), at(f64::from(week) + 1e-6));
        let (before, after) = (before.numbers().unwrap(), after.numbers().unwrap());
        for (one, other) in before.remaining_weeks.at().into_iter().zip(after.remaining_weeks.at()) {
            prop_assert!((one.value - other.value).abs() <= 0.1 + 1e-9, "{} {:?} {:?}", week, one, other);
        }
    }

    #[test]
    fn whatever_is_asked_is_answered_as_json_without_a_date_to_come(
        weeks in prop::option::of(0.0..520.0_f64),
        days in 0_u64..800,
        decision_to_admit: bool,
        has_ended: bool,
        pathway in prop::sample::select(vec![Pathway::Routine, Pathway::SuspectedCancer, Pathway::Planned]),
    ) {
        let today = day(2026, 3, 31) + Days::new(days);
        let question =
            Question { decision_to_admit, has_ended, pathway, tell_moved: true, ..question(BIG, "C_110", weeks) };
        let answer = asked(shared(), today, question);
        prop_assert_eq!(answer.status == EstimateStatus::Unavailable, answer.caveats.is_empty());
        prop_assert_eq!(answer.ranges.is_some(), weeks.is_none() && answer.status != EstimateStatus::Unavailable);
        let json = serde_json::to_string(&answer).unwrap();
        for text in json.split('"') {
            if let Ok(date) = text.parse::<NaiveDate>() {
                prop_assert!(date <= today, "{}", json);
            }
        }
    }
}
