use waiting_times::answers::{
    ATTRIBUTION, Freshness, IN_ORDER_OF_NAME, ListSize, NO_FIGURES_FOR_THIS_LIST, NOT_A_BOOKING, Reason,
    SINGLE_MONTH, SMALL_LIST, ThreeWeeks, WeeksFigure,
};

use super::*;
use crate::made_up::{closed, month, named, open};

fn provider() -> ComparedProvider {
    ComparedProvider {
        provider: named("RTH", "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"),
        region: None,
        status: EstimateStatus::Ok,
        reasons: Vec::new(),
        level: Some(EstimateLevel::ProviderTfc),
        described_as: Some("people waiting for this care at OXFORD".to_owned()),
        list_size: Some(ListSize::Exact { count: 1_234 }),
        remaining_weeks: Some(ThreeWeeks { p10: closed(3.0), p50: closed(12.0), p90: closed(20.0) }),
        median_weeks: Some(closed(13.6)),
        percentile_92_weeks: Some(closed(40.0)),
        within_18_weeks_share: Some(0.6),
    }
}

fn of(status: EstimateStatus, level: Option<EstimateLevel>, reasons: &[Reason]) -> ComparedProvider {
    ComparedProvider { status, level, reasons: reasons.to_vec(), ..provider() }
}

#[test]
fn a_hospital_is_one_row_of_words() {
    assert_eq!(
        row(&provider()),
        ComparedRow {
            code: "RTH".to_owned(),
            name: "Oxford University Hospitals NHS Foundation Trust".to_owned(),
            note: None,
            range: "Between about 3 and 20 more weeks".to_owned(),
            half: "Within 12 weeks".to_owned(),
            list_size: "1,234".to_owned(),
            official: "13.6 weeks".to_owned(),
        }
    );
}

#[test]
fn every_status_has_its_note() {
    use EstimateStatus::{LowData, Ok, Pooled, Stale, Unavailable};
    let england = Some(EstimateLevel::EnglandTfc);
    let own = Some(EstimateLevel::ProviderTfc);
    for (hospital, note) in [
        (of(Ok, own, &[]), None),
        (of(LowData, own, &[SINGLE_MONTH]), Some(SINGLE_MONTH.text)),
        (of(Stale, own, &[SMALL_LIST]), Some(SMALL_LIST.text)),
        (of(Pooled, own, &[SMALL_LIST]), Some(SMALL_LIST.text)),
        (of(Unavailable, None, &[NO_FIGURES_FOR_THIS_LIST]), Some(NO_FIGURES_FOR_THIS_LIST.text)),
        (
            of(Pooled, england, &[SMALL_LIST]),
            Some("Not its own figures: those of people waiting for this care at Oxford."),
        ),
    ] {
        assert_eq!(row(&hospital).note.as_deref(), note, "{:?}", hospital.status);
    }
}

#[test]
fn what_is_not_known_is_never_a_number() {
    let unknown = ComparedProvider {
        remaining_weeks: None,
        list_size: None,
        median_weeks: None,
        ..of(EstimateStatus::Unavailable, None, &[NO_FIGURES_FOR_THIS_LIST])
    };
    let beyond = ComparedProvider {
        remaining_weeks: Some(ThreeWeeks { p10: open(0.0), p50: open(0.0), p90: open(0.0) }),
        median_weeks: Some(WeeksFigure { value: 104.0, open_ended: true }),
        ..provider()
    };
    for hospital in [&unknown, &beyond] {
        let row = row(hospital);
        assert_eq!((row.range.as_str(), row.half.as_str()), ("Not known", "Not known"));
    }
    assert_eq!(
        (row(&unknown).list_size.as_str(), row(&unknown).official.as_str()),
        ("Not known", "Not given")
    );
    assert_eq!(row(&beyond).official, "Not known: more than 104 weeks");
    let late = ComparedProvider {
        remaining_weeks: Some(ThreeWeeks { p10: closed(3.0), p50: open(40.0), p90: open(40.0) }),
        ..provider()
    };
    assert_eq!(row(&late).half, "Longer than 9 months");
}

#[test]
fn the_table_says_its_order_its_source_and_its_age_before_the_numbers() {
    let answer = |freshness, kind| CompareAnswer {
        treatment_function: named("C_110", "Trauma and Orthopaedic Service"),
        weeks_waited: 18.4,
        providers: vec![provider()],
        figures: FiguresState::Loaded { month: month(freshness, kind) },
        attribution: (kind == SourceKind::Official).then_some(ATTRIBUTION),
        caveats: vec![IN_ORDER_OF_NAME, NOT_A_BOOKING],
    };
    let table = compared(&answer(Freshness::Current, SourceKind::Official));
    assert_eq!(
        table.caption,
        "Trauma and Orthopaedic Service, after a wait of 18 weeks: hospitals in the order of their names"
    );
    assert_eq!((table.warnings.len(), table.attribution), (0, ATTRIBUTION));
    assert_eq!(table.caveats, [IN_ORDER_OF_NAME.text, NOT_A_BOOKING.text]);
    assert!(table.source.unwrap().ends_with("NHS England. Counted on 31 January 2026"));
    let table = compared(&answer(Freshness::Old, SourceKind::MadeUp));
    assert!(
        table.warnings[0].contains("made up") && table.warnings[1].contains("old"),
        "{:?}",
        table.warnings
    );
}
