use waiting_times::answers::{
    FIGURES_AGEING, FIGURES_OLD, FIGURES_TOO_OLD, FiveWeeks, LITTLE_DATA, MovedReason, NEW_PROVIDER,
    NO_ESTIMATES_FITTED, NO_MONTH_IMPORTED, NO_NUMBERS_BEYOND_104_WEEKS, NOT_COMPUTED_FOR_MENTAL_HEALTH,
    NOT_COMPUTED_FOR_PLANNED_CARE, NOT_COMPUTED_FOR_SUSPECTED_CANCER, NOT_TESTED, SINGLE_MONTH, SMALL_LIST,
    ThreeWeeks, UpperReading, WAITED_BEYOND_BANDS,
};

use super::*;
use crate::dots::Dot;
use crate::made_up::{closed, estimate, five, hidden, open, without_numbers};

fn yours(answer: &EstimateAnswer) -> EstimateView {
    estimate_view(answer, Voice::You)
}

fn numbers(view: &EstimateView) -> &NumbersView {
    match &view.said {
        Said::Numbers(numbers) => numbers,
        other => panic!("{other:?}"),
    }
}

/// Every sentence a view holds.
fn sentences(view: &EstimateView) -> Vec<String> {
    format!("{view:?}").split('"').map(str::to_owned).collect()
}

fn with_status(status: EstimateStatus, reasons: Vec<Reason>) -> EstimateAnswer {
    EstimateAnswer { status, reasons, ..estimate() }
}

fn with_remaining(remaining: FiveWeeks) -> EstimateAnswer {
    EstimateAnswer { remaining_weeks: Some(remaining), ..estimate() }
}

#[test]
fn the_whole_estimate_reads_range_median_and_long_end() {
    let view = yours(&estimate());
    let said = numbers(&view);
    assert_eq!(said.range, "Between about 3 more weeks and 9 more months, for 8 in 10 people");
    assert_eq!(said.people, "Of 10 people who have waited as long as you on this list:");
    assert_eq!(
        said.of_ten,
        [
            "about 5 come off the list within 18 weeks",
            "about 1 comes off the list within 3 weeks",
            "about 1 waits longer than 9 months",
        ]
    );
    assert_eq!(
        said.in_all,
        "Counted from the start of the wait, that is between about 22 weeks and 13 months in all, for 8 in 10 people."
    );
    assert_eq!(said.standard, None);
    assert_eq!(
        said.other_removals,
        "Of 10 people who come off the list from here, about 2 do so without a treatment being counted."
    );
    assert_eq!(
        said.upper,
        "For 8 in 10 people: between about 4 more weeks and 14 more months. For half of them: within 22 weeks."
    );
    assert_eq!((view.doubt.as_ref(), view.warnings.len(), view.moved.as_ref()), (None, 0, None));
    let basis = view.basis.unwrap();
    assert_eq!(
        basis.described_as,
        "People waiting for Trauma and Orthopaedic Service at Oxford University Hospitals NHS Foundation Trust"
    );
    assert_eq!(basis.months, "6, from August 2025 to January 2026");
    assert_eq!((basis.counted_on.as_str(), basis.age.as_str()), ("31 January 2026", "29 days"));
    assert_eq!(
        basis.how_sure,
        "When we tested this on past months (January 2026), for this kind of care, 79 in 100 people came off the list inside the range that is meant to hold 80 in 100."
    );
}

#[test]
fn the_picture_and_the_table_say_the_same() {
    let view = yours(&estimate());
    let said = numbers(&view);
    let table: Vec<_> = said.chances.iter().map(|row| (row.off.as_str(), row.waiting.as_str())).collect();
    assert_eq!(
        table,
        [
            ("about 1 in 10", "about 9 in 10"),
            ("about 4 in 10", "about 6 in 10"),
            ("about 7 in 10", "about 3 in 10"),
            ("more than 9 in 10", "fewer than 1 in 10"),
        ]
    );
    let picture = said.picture.as_ref().unwrap();
    let full: Vec<_> = picture
        .rows
        .iter()
        .map(|row| row.dots.iter().filter(|placed| placed.dot == Dot::Full).count())
        .collect();
    assert_eq!(full, [1, 4, 7, 9]);
    for (row, text) in said.chances.iter().zip(["4 weeks", "12 weeks", "26 weeks", "52 weeks"]) {
        assert!(row.time.contains(text));
        assert!(said.picture_text.contains(&row.off), "{}", said.picture_text);
    }
}

#[test]
fn chances_that_are_not_known_are_said_so_and_not_drawn() {
    let mut answer = estimate();
    let known = answer.probability.unwrap();
    answer.probability = Some(ProbabilityFigures { by_26_weeks: None, by_52_weeks: None, ..known });
    let view = yours(&answer);
    let said = numbers(&view);
    assert_eq!(said.picture.as_ref().unwrap().rows.len(), 2);
    assert_eq!((said.chances[3].off.as_str(), said.chances[3].waiting.as_str()), ("not known", "not known"));
    let none = ProbabilityFigures {
        by_4_weeks: None,
        by_12_weeks: None,
        by_26_weeks: None,
        by_52_weeks: None,
        ..known
    };
    answer.probability = Some(none);
    assert_eq!(numbers(&yours(&answer)).picture, None);
}

#[test]
fn before_18_weeks_the_chance_of_the_standard_is_given() {
    let mut answer = estimate();
    let known = answer.probability.unwrap();
    for (chance, text) in [(0.42, "About 4 in 10"), (0.01, "Fewer than 1 in 10"), (0.99, "More than 9 in 10")]
    {
        answer.probability = Some(ProbabilityFigures { within_18_week_standard: Some(chance), ..known });
        let sentence = numbers(&yours(&answer)).standard.clone().unwrap();
        assert!(
            sentence.ends_with(&format!("{text} of these people come off the list by then.")),
            "{sentence}"
        );
    }
}

#[test]
fn every_status_has_its_lead_and_all_its_reasons() {
    use EstimateStatus::{LowData, Ok, Pooled, Stale, Unavailable};
    for (status, reasons, lead, shown) in [
        (Ok, vec![], None, vec![]),
        (Ok, vec![FIGURES_AGEING], Some("Good to know:"), vec![FIGURES_AGEING]),
        (LowData, vec![SINGLE_MONTH], Some("This is a rough estimate."), vec![SINGLE_MONTH]),
        (
            LowData,
            vec![LITTLE_DATA, FIGURES_AGEING],
            Some("This is a rough estimate."),
            vec![LITTLE_DATA, FIGURES_AGEING],
        ),
        (Pooled, vec![SMALL_LIST], Some("These are not the figures of this list alone."), vec![SMALL_LIST]),
        (
            Pooled,
            vec![NEW_PROVIDER, SINGLE_MONTH],
            Some("These are not the figures of this list alone."),
            vec![NEW_PROVIDER, SINGLE_MONTH],
        ),
        (Stale, vec![FIGURES_OLD, SMALL_LIST], Some("Take this with care."), vec![SMALL_LIST]),
        (Unavailable, vec![FIGURES_TOO_OLD], Some("We can give no estimate here."), vec![FIGURES_TOO_OLD]),
    ] {
        let answer = if status == Unavailable {
            EstimateAnswer { reasons: reasons.clone(), ..without_numbers(reasons[0]) }
        } else {
            with_status(status, reasons.clone())
        };
        let doubt = yours(&answer).doubt;
        assert_eq!(doubt.as_ref().map(|doubt| doubt.lead), lead, "{status:?} {reasons:?}");
        let texts: Vec<_> = shown.iter().map(|reason| reason.text).collect();
        assert_eq!(doubt.map(|doubt| doubt.reasons).unwrap_or_default(), texts, "{status:?}");
    }
}

#[test]
fn old_and_made_up_figures_are_warned_of_before_the_numbers() {
    let view = yours(&with_status(EstimateStatus::Stale, vec![FIGURES_OLD]));
    assert_eq!(
        view.warnings,
        [
            "The figures behind this are old. They were counted on 31 January 2026, 29 days ago. Waits may be very different now."
        ]
    );
    assert!(matches!(view.said, Said::Numbers(_)));
    let mut answer = estimate();
    if let Some(basis) = &mut answer.basis {
        basis.source = crate::made_up::month(basis.freshness, SourceKind::MadeUp).source;
    }
    assert!(yours(&answer).warnings[0].contains("made-up figures"));
    // Without numbers there is nothing to warn of.
    answer.status = EstimateStatus::Unavailable;
    answer.remaining_weeks = None;
    assert_eq!(yours(&answer).warnings.len(), 0);
}

#[test]
fn no_estimate_gives_its_reason_and_no_number() {
    for reason in [
        NOT_COMPUTED_FOR_SUSPECTED_CANCER,
        NOT_COMPUTED_FOR_PLANNED_CARE,
        NOT_COMPUTED_FOR_MENTAL_HEALTH,
        NO_ESTIMATES_FITTED,
        NO_MONTH_IMPORTED,
        FIGURES_TOO_OLD,
    ] {
        let view = yours(&without_numbers(reason));
        assert!(view.is_empty() && view.basis.is_none() && view.caveats.is_empty());
        assert_eq!(view.doubt.unwrap().reasons, [reason.text]);
    }
}

#[test]
fn a_wait_beyond_the_figures_gets_no_numbers() {
    let beyond = five(open(0.0), open(0.0), open(0.0));
    for (weeks, voice, text) in [
        (110.0, Voice::You, "You have waited over two years."),
        (104.0, Voice::You, "You have waited over two years."),
        (60.0, Voice::You, "You have waited over a year."),
        (110.0, Voice::Anybody, "This is a wait of over two years."),
        (20.0, Voice::Anybody, "This is a wait of 20 weeks."),
    ] {
        let answer = EstimateAnswer {
            weeks_waited: Some(weeks),
            status: EstimateStatus::LowData,
            reasons: vec![WAITED_BEYOND_BANDS],
            caveats: vec![NO_NUMBERS_BEYOND_104_WEEKS],
            ..with_remaining(beyond)
        };
        let view = estimate_view(&answer, voice);
        assert_eq!(view.said, Said::Beyond(text.to_owned()));
        let doubt = view.doubt.unwrap();
        assert_eq!(doubt.lead, "Why there are no numbers:");
        assert_eq!(doubt.reasons, [WAITED_BEYOND_BANDS.text]);
        assert_eq!(view.caveats, [NO_NUMBERS_BEYOND_104_WEEKS.text]);
    }
}

#[test]
fn an_open_long_end_is_never_a_number_it_stops_at() {
    let view = yours(&with_remaining(five(closed(6.0), closed(30.0), open(86.0))));
    let said = numbers(&view);
    assert_eq!(said.range, "From about 6 more weeks to over 19 more months, for 8 in 10 people");
    assert_eq!(said.of_ten[2], "1 or more wait longer than 19 months");
    let view = yours(&with_remaining(five(closed(6.0), open(40.0), open(40.0))));
    assert_eq!(numbers(&view).of_ten[0], "about 5 or more wait longer than 9 months");

    let mut answer = estimate();
    let upper = answer.if_you_stay_weeks.unwrap();
    for (weeks, text) in [
        (
            ThreeWeeks { p10: closed(6.0), p50: open(40.0), p90: open(40.0) },
            "For 8 in 10 people: from about 6 more weeks to over 9 more months. For half of them: longer than 9 months.",
        ),
        (
            ThreeWeeks { p10: open(4.0), p50: open(4.0), p90: open(4.0) },
            "The figures do not reach far enough to say how long that takes.",
        ),
    ] {
        answer.if_you_stay_weeks = Some(UpperReading { weeks, ..upper });
        assert_eq!(numbers(&yours(&answer)).upper, text);
    }
}

#[test]
fn whose_figures_is_said_in_the_sentence_itself() {
    for (level, place) in [
        (EstimateLevel::ProviderTfc, "on this list:"),
        (EstimateLevel::IcbTfc, "for this kind of care in the same area:"),
        (EstimateLevel::EnglandTfc, "for this kind of care in England:"),
        (EstimateLevel::England, "for any kind of hospital care in England:"),
    ] {
        let mut answer = estimate();
        if let Some(basis) = &mut answer.basis {
            basis.level = level;
        }
        assert!(numbers(&yours(&answer)).people.ends_with(place), "{level:?}");
    }
    let anybody = estimate_view(&estimate(), Voice::Anybody);
    assert_eq!(numbers(&anybody).people, "Of 10 people who have waited 18 weeks on this list:");
}

#[test]
fn somebody_who_does_not_know_how_long_gets_three_ranges() {
    let range = |from_weeks, to_weeks, remaining_weeks| RangeEstimate {
        from_weeks,
        to_weeks,
        remaining_weeks,
        probability: estimate().probability.unwrap(),
    };
    let answer = EstimateAnswer {
        weeks_waited: None,
        ranges: Some(vec![
            range(0, Some(18), five(closed(1.0), closed(10.0), closed(30.0))),
            range(18, Some(52), five(closed(2.0), closed(12.0), open(60.0))),
            range(52, None, five(open(20.0), open(20.0), open(20.0))),
        ]),
        remaining_weeks: None,
        ..estimate()
    };
    let view = estimate_view(&answer, Voice::Anybody);
    let Said::Ranges(ranges) = &view.said else { panic!("{:?}", view.said) };
    let said: Vec<_> =
        ranges.iter().map(|row| [row.waited.as_str(), row.range.as_str(), row.half.as_str()]).collect();
    assert_eq!(
        said,
        [
            ["Less than 18 weeks", "Between about 1 more week and 7 more months", "Within 10 weeks"],
            ["From 18 to 52 weeks", "From about 2 more weeks to over 13 more months", "Within 12 weeks"],
            ["52 weeks or more", "Not known", "Not known"],
        ]
    );
    assert!(view.basis.is_some() && !view.is_empty());
}

#[test]
fn how_sure_is_a_figure_only_where_it_was_tested() {
    let mut answer = estimate();
    let calibration = answer.calibration.clone().unwrap();
    for (calibration, missing, text) in [
        (None, Some(NOT_TESTED), NOT_TESTED.text.to_owned()),
        (None, None, "Not tested against past months.".to_owned()),
        (
            Some(CalibrationAnswer {
                coverage80: 0.81,
                scope: CalibrationScope::All,
                tested_on: vec!["2025-12".to_owned(), "2026-01".to_owned()],
                ..calibration
            }),
            None,
            "When we tested this on past months (December 2025 to January 2026), for all kinds of care together, 81 in 100 people came off the list inside the range that is meant to hold 80 in 100.".to_owned(),
        ),
    ] {
        (answer.calibration, answer.calibration_missing) = (calibration, missing);
        let basis = yours(&answer).basis.unwrap();
        assert_eq!(basis.how_sure, text);
    }
    let exits = ExitsTested {
        expected_share: 0.61,
        left_share: 0.624,
        n: 1_000,
        tested_on: vec!["2026-01".to_owned()],
        scope: CalibrationScope::TreatmentFunction,
    };
    let answer = EstimateAnswer { exits_tested: Some(exits), ..estimate() };
    let said = yours(&answer).basis.unwrap().how_sure;
    assert!(
        said.ends_with(
            " We expected 61 in 100 people to come off the list by the end of the test; 62 in 100 did."
        ),
        "{said}"
    );
    let answer = EstimateAnswer { calibration: None, calibration_missing: Some(NOT_TESTED), ..answer };
    let said = yours(&answer).basis.unwrap().how_sure;
    assert!(
        said.starts_with(
            "When we tested this on past months (January 2026), for this kind of care, we expected 61 in 100"
        ),
        "{said}"
    );
}

#[test]
fn what_moved_is_told_with_why() {
    let mut answer = estimate();
    for (from, to, direction, text) in [
        (
            closed(12.0),
            closed(20.0),
            Direction::Longer,
            "The newest figures make this estimate longer. From the figures before, half of people like you would come off the list within 12 weeks from today. Now it is within 20 weeks.",
        ),
        (
            open(40.0),
            closed(20.0),
            Direction::Shorter,
            "The newest figures make this estimate shorter. From the figures before, half of people like you would come off the list later than 9 months from today. Now it is within 20 weeks.",
        ),
    ] {
        answer.moved = Some(MovedAnswer {
            from_median_weeks: from,
            to_median_weeks: to,
            direction,
            from_generation: "0".repeat(12),
            from_period: "2025-12".to_owned(),
            why: vec![MovedReason { code: "list_grew", text: "The list has grown by 12 %.".to_owned() }],
        });
        let moved = yours(&answer).moved.unwrap();
        assert_eq!(moved.sentence, text);
        assert_eq!(moved.why, ["The list has grown by 12 %."]);
    }
}

#[test]
fn a_hidden_estimate_stays_hidden() {
    assert_eq!(of_referral(&hidden()), EstimateSection::Hidden);
    assert!(matches!(of_referral(&ReferralEstimate::Shown(Box::new(estimate()))), EstimateSection::Shown(_)));
}

#[test]
fn nothing_here_promises_dates_or_ranks() {
    let mut pooled = with_status(EstimateStatus::Pooled, vec![SMALL_LIST, SINGLE_MONTH]);
    pooled.moved = Some(MovedAnswer {
        from_median_weeks: closed(1.0),
        to_median_weeks: closed(9.0),
        direction: Direction::Longer,
        from_generation: String::new(),
        from_period: "2025-12".to_owned(),
        why: Vec::new(),
    });
    let beyond = with_remaining(five(open(0.0), open(0.0), open(0.0)));
    for answer in [estimate(), pooled, beyond, without_numbers(NO_ESTIMATES_FITTED)] {
        for voice in [Voice::You, Voice::Anybody] {
            for sentence in sentences(&estimate_view(&answer, voice)) {
                let said = sentence.to_lowercase();
                for never in [
                    "you will",
                    "guarantee",
                    "expected date",
                    "your place",
                    "promise",
                    "0 of 10",
                    "10 of 10",
                    "0 in 10 ",
                    "next in",
                ] {
                    assert!(!said.contains(never) || said.contains("80 in 100"), "{never}: {sentence}");
                }
            }
        }
    }
}
