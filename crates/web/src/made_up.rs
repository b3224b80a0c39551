//! Made-up people, referrals and figures for the tests of the pages.

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use record_access::Assurance;
use record_access::concerns::Concern;
use uuid::Uuid;
use waiting_times::answers::{
    ATTRIBUTION, FigureMonth, FigureSource, Freshness, ListSize, Named, ReferralAnswer, ReferralState,
    ReferralStatistics, SourceKind, StatisticsAnswer, TOO_FEW_PATHWAYS, WeeksFigure,
};

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
        statistics,
    }
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
