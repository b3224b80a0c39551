//! Made-up people, referrals and figures for the tests of the pages.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use record_access::Assurance;
use record_access::concerns::Concern;
use uuid::Uuid;
use waiting_times::answers::{
    ATTRIBUTION, CalibrationAnswer, CalibrationScope, ESTIMATES_HIDDEN, EstimateAnswer, EstimateBasis,
    EstimateLevel, EstimateStatus, FigureMonth, FigureSource, FiveWeeks, Freshness, HiddenEstimate,
    HiddenStatus, ListSize, NOT_A_BOOKING, Named, PAST_18_WEEKS, ProbabilityFigures, Reason, ReferralAnswer,
    ReferralEstimate, ReferralState, ReferralStatistics, SourceKind, StandardAnswer, StatisticsAnswer,
    TOO_FEW_PATHWAYS, ThreeWeeks, UPPER_READING, UpperReading, WAIT_ENDED, WeeksFigure,
};
use waiting_times::referral::Pathway;

use crate::html_check::TOKEN;
use crate::shell::{Place, Shell, SignedInAs, Visitor};

pub(crate) fn who(name: Option<&str>) -> SignedInAs {
    SignedInAs {
        name: name.map(str::to_owned),
        csrf_token: TOKEN.to_owned(),
        assurance: Assurance::P9,
        ends_at: "10:42".to_owned(),
        seconds_left: 1_800,
        can_extend: true,
    }
}

pub(crate) fn signed_in() -> Shell {
    Shell::new("A page", Place::Account, Visitor::SignedIn(who(Some("Testa Madeup"))))
        .at("/account?a=b&c=d".to_owned())
        .demonstration(true)
}

pub(crate) fn signed_out() -> Shell {
    Shell::new("A page", Place::Home, Visitor::SignedOut)
}

pub(crate) fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

pub(crate) fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 3, hour, minute, 0).unwrap()
}

pub(crate) fn named(code: &str, name: &str) -> Named {
    Named { code: code.to_owned(), name: Some(name.to_owned()) }
}

pub(crate) fn month(freshness: Freshness, kind: SourceKind) -> FigureMonth {
    FigureMonth {
        period: "2026-01".to_owned(),
        period_end: day(2026, 1, 31),
        age_days: 295,
        freshness,
        source: FigureSource {
            kind,
            name: "Consultant-led Referral to Treatment Waiting Times",
            publisher: (kind == SourceKind::Official).then_some("NHS England"),
            attribution: (kind == SourceKind::Official).then_some(ATTRIBUTION),
        },
    }
}

pub(crate) fn statistics(freshness: Freshness, kind: SourceKind) -> StatisticsAnswer {
    let weeks = |value| Some(WeeksFigure { value, open_ended: false });
    StatisticsAnswer {
        provider: named("RTH", "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"),
        treatment_function: named("C_110", "Trauma and Orthopaedic Service"),
        month: month(freshness, kind),
        list_size: ListSize::Exact { count: 12_345 },
        median_weeks: weeks(13.6),
        percentile_92_weeks: weeks(40.4),
        within_18_weeks_share: Some(0.614),
        suppressed: None,
    }
}

pub(crate) fn too_few() -> StatisticsAnswer {
    StatisticsAnswer {
        list_size: ListSize::FewerThan { limit: 10 },
        median_weeks: None,
        percentile_92_weeks: None,
        within_18_weeks_share: None,
        suppressed: Some(TOO_FEW_PATHWAYS),
        ..statistics(Freshness::Current, SourceKind::Official)
    }
}

pub(crate) fn referral(status: ReferralState, statistics: ReferralStatistics) -> ReferralAnswer {
    ReferralAnswer {
        id: Uuid::from_u128(9),
        provider: named("RTH", "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"),
        treatment_function: named("C_110", "Trauma and Orthopaedic Service"),
        clock_start: day(2026, 2, 3),
        status,
        stopped_on: (status != ReferralState::Waiting).then(|| day(2026, 8, 1)),
        weeks_waited: 18.1,
        pathway: Pathway::Routine,
        estimate: ReferralEstimate::Shown(Box::new(if status == ReferralState::Waiting {
            estimate_from(&statistics)
        } else {
            without_numbers(WAIT_ENDED)
        })),
        statistics,
    }
}

/// The whole estimate, from the source and the month of these figures where there are any.
fn estimate_from(statistics: &ReferralStatistics) -> EstimateAnswer {
    let mut answer = estimate();
    if let (Some(figures), Some(basis)) = (statistics.figures(), &mut answer.basis) {
        let month = &figures.month;
        (basis.source, basis.freshness, basis.age_days) = (month.source, month.freshness, month.age_days);
        answer.attribution = month.source.attribution;
    }
    answer.official = statistics.clone();
    answer
}

pub(crate) fn closed(value: f64) -> WeeksFigure {
    WeeksFigure { value, open_ended: false }
}

pub(crate) fn open(value: f64) -> WeeksFigure {
    WeeksFigure { value, open_ended: true }
}

/// Five points: `p10`, `p50` and `p90`, the others between them.
pub(crate) fn five(p10: WeeksFigure, p50: WeeksFigure, p90: WeeksFigure) -> FiveWeeks {
    FiveWeeks { p10, p25: p10, p50, p75: p50, p90 }
}

/// A whole estimate for a wait of 18.1 weeks, with nothing to say against it.
pub(crate) fn estimate() -> EstimateAnswer {
    let figures = statistics(Freshness::Current, SourceKind::Official);
    EstimateAnswer {
        status: EstimateStatus::Ok,
        reasons: Vec::new(),
        provider: figures.provider.clone(),
        treatment_function: figures.treatment_function.clone(),
        as_of: day(2026, 3, 1),
        weeks_waited: Some(18.1),
        experimental: false,
        basis: Some(EstimateBasis {
            level: EstimateLevel::ProviderTfc,
            described_as: "people waiting for Trauma and Orthopaedic Service at OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST".to_owned(),
            list_size: Some(ListSize::Exact { count: 12_345 }),
            months_used: 6,
            months: vec!["2025-08".to_owned(), "2025-09".to_owned(), "2026-01".to_owned()],
            pairs_used: 5,
            credibility: 0.87,
            period_end: day(2026, 1, 31),
            age_days: 29,
            freshness: Freshness::Current,
            source: month(Freshness::Current, SourceKind::Official).source,
            model_version: "1",
            generation: "0123456789ab".to_owned(),
        }),
        remaining_weeks: Some(five(closed(3.2), closed(17.4), closed(40.4))),
        if_you_stay_weeks: Some(UpperReading {
            weeks: ThreeWeeks { p10: closed(4.0), p50: closed(21.0), p90: closed(60.0) },
            label: UPPER_READING,
        }),
        total_wait_weeks: Some(ThreeWeeks { p10: closed(21.3), p50: closed(35.5), p90: closed(58.5) }),
        probability: Some(ProbabilityFigures {
            by_4_weeks: Some(0.12),
            by_12_weeks: Some(0.38),
            by_26_weeks: Some(0.71),
            by_52_weeks: Some(0.96),
            within_18_week_standard: None,
        }),
        other_removal_share: Some(0.16),
        ranges: None,
        standard: Some(StandardAnswer {
            weeks: 18,
            target_share: 0.92,
            share_now: Some(0.61),
            already_past: Some(true),
            weeks_to_18: None,
            reason: Some(PAST_18_WEEKS),
        }),
        official: available(figures),
        calibration: Some(CalibrationAnswer {
            coverage80: 0.79,
            n: 1_234_567,
            tested_on: vec!["2026-01".to_owned()],
            scope: CalibrationScope::TreatmentFunction,
        }),
        calibration_missing: None,
        exits_tested: None,
        attribution: Some(ATTRIBUTION),
        caveats: vec![NOT_A_BOOKING],
        moved: None,
    }
}

/// No estimate, for this reason.
pub(crate) fn without_numbers(reason: Reason) -> EstimateAnswer {
    EstimateAnswer {
        status: EstimateStatus::Unavailable,
        reasons: vec![reason],
        basis: None,
        remaining_weeks: None,
        if_you_stay_weeks: None,
        total_wait_weeks: None,
        probability: None,
        other_removal_share: None,
        standard: None,
        calibration: None,
        exits_tested: None,
        caveats: Vec::new(),
        ..estimate()
    }
}

/// The answer for somebody who asked for no estimates.
pub(crate) fn hidden() -> ReferralEstimate {
    ReferralEstimate::Hidden(HiddenEstimate { status: HiddenStatus::Hidden, reasons: [ESTIMATES_HIDDEN] })
}

pub(crate) fn concern(text: &str) -> Concern {
    Concern {
        id: Uuid::from_u128(3),
        category: "waiting-times".to_owned(),
        about: Some(Uuid::from_u128(9).to_string()),
        text: text.to_owned(),
        state: "received".to_owned(),
        raised_at: at(9, 0),
    }
}

pub(crate) fn available(figures: StatisticsAnswer) -> ReferralStatistics {
    ReferralStatistics::Available { figures }
}
