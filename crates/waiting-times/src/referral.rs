//! A person's own referrals, as hospitals report them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{ProviderCode, TreatmentFunction};

/// The earliest clock start believed: the 18-week clock was introduced after this day.
const EARLIEST_CLOCK_START: NaiveDate = match NaiveDate::from_ymd_opt(2005, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// The longest name of a source, and the longest identifier a source may give.
const LONGEST_IDENTIFIER: usize = 120;

/// Where a referral stands. A stop has its day, and a clock that runs has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferralStatus {
    /// The clock is running: treatment has not begun.
    Waiting,
    /// The clock stopped because the first definitive treatment began on this day.
    Treated(NaiveDate),
    /// The clock stopped on this day for another reason: no treatment was needed or wanted, or active monitoring.
    ClosedWithoutTreatment(NaiveDate),
    /// The referral was reported by mistake. It is kept, so that a late message cannot bring it back, and not shown.
    EnteredInError,
}

impl ReferralStatus {
    /// The code used in answers and in the store.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Treated(_) => "treated",
            Self::ClosedWithoutTreatment(_) => "closed_without_treatment",
            Self::EnteredInError => "entered_in_error",
        }
    }

    /// The day the clock stopped, for the statuses that have one.
    #[must_use]
    pub fn stopped_on(self) -> Option<NaiveDate> {
        match self {
            Self::Treated(day) | Self::ClosedWithoutTreatment(day) => Some(day),
            Self::Waiting | Self::EnteredInError => None,
        }
    }

    /// The status behind a code and the day that belongs to it; `None` when they do not fit.
    #[must_use]
    pub fn from_parts(code: &str, stopped_on: Option<NaiveDate>) -> Option<Self> {
        match (code, stopped_on) {
            ("waiting", None) => Some(Self::Waiting),
            ("treated", Some(day)) => Some(Self::Treated(day)),
            ("closed_without_treatment", Some(day)) => Some(Self::ClosedWithoutTreatment(day)),
            ("entered_in_error", None) => Some(Self::EnteredInError),
            _ => None,
        }
    }
}

/// Which rules a wait runs by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pathway {
    /// The 18-week standard: what published waiting lists count.
    #[default]
    Routine,
    /// Referred urgently because of suspected cancer: other, shorter standards.
    SuspectedCancer,
    /// Planned or surveillance care, due at a set time: on no published waiting list.
    Planned,
}

impl Pathway {
    const ALL: [Self; 3] = [Self::Routine, Self::SuspectedCancer, Self::Planned];

    /// The code used in answers and in the store.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::SuspectedCancer => "suspected_cancer",
            Self::Planned => "planned",
        }
    }

    /// The inverse of [`Self::code`].
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pathway| pathway.code() == code)
    }
}

/// What a hospital says about one referral. `Debug` shows no person: a notice names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralNotice {
    /// The system the notice comes from.
    pub source: String,
    /// The identifier the source gives the referral; with `source` it is the same referral for ever.
    pub filler_id: String,
    /// Who provides the care.
    pub provider: ProviderCode,
    /// The kind of care.
    pub treatment_function: TreatmentFunction,
    /// The day the 18-week clock started, by the hospital's record.
    pub clock_start: NaiveDate,
    /// Which rules the wait runs by.
    pub pathway: Pathway,
    /// Where the referral stands.
    pub status: ReferralStatus,
    /// When the source recorded this: of two notices about one referral the later recorded holds.
    pub recorded_at: DateTime<Utc>,
}

/// Why a notice was not filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeFault {
    /// The source or its identifier is blank, too long, or holds control characters.
    #[error("the source and its identifier must be 1 to 120 printable characters")]
    Identifier,
    /// The clock start lies in the future or before there were clocks.
    #[error("the clock start must be a day from 2005 to today")]
    ClockStart,
    /// The clock stopped before it started, or will stop in the future.
    #[error("the clock must stop on or after its start, and not in the future")]
    StoppedOn,
}

impl ReferralNotice {
    /// Checks what no referral can be, seen from `today` in England.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, today: NaiveDate) -> Result<(), NoticeFault> {
        for text in [&self.source, &self.filler_id] {
            if text.trim().is_empty() || text.len() > LONGEST_IDENTIFIER || text.chars().any(char::is_control)
            {
                return Err(NoticeFault::Identifier);
            }
        }
        if self.clock_start < EARLIEST_CLOCK_START || self.clock_start > today {
            return Err(NoticeFault::ClockStart);
        }
        match self.status.stopped_on() {
            Some(day) if day < self.clock_start || day > today => Err(NoticeFault::StoppedOn),
            _ => Ok(()),
        }
    }
}

/// A referral as it stands in a person's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// The identifier it has here.
    pub id: Uuid,
    /// Who provides the care.
    pub provider: ProviderCode,
    /// The kind of care.
    pub treatment_function: TreatmentFunction,
    /// The day the 18-week clock started.
    pub clock_start: NaiveDate,
    /// Which rules the wait runs by.
    pub pathway: Pathway,
    /// Where it stands.
    pub status: ReferralStatus,
}

impl Referral {
    /// Days on the clock: up to `today`, or to the day it stopped. Never negative.
    #[must_use]
    pub fn days_waited(&self, today: NaiveDate) -> i64 {
        let until = self.status.stopped_on().unwrap_or(today);
        until.signed_duration_since(self.clock_start).num_days().max(0)
    }
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filing {
    /// A new referral.
    Created,
    /// A known referral was changed.
    Updated,
    /// A known referral, and nothing in it changed.
    Unchanged,
    /// The notice was recorded before the one that is held, and was left out.
    Outdated,
}

/// A notice that was filed: the referral it is about, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiledReferral {
    /// The identifier of the referral here.
    pub id: Uuid,
    /// What became of the notice.
    pub filing: Filing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn notice() -> ReferralNotice {
        ReferralNotice {
            source: "made-up hospital".to_owned(),
            filler_id: "R-1".to_owned(),
            provider: ProviderCode::parse("RXX").unwrap(),
            treatment_function: TreatmentFunction::parse("C_110").unwrap(),
            clock_start: day(2026, 1, 5),
            pathway: Pathway::Routine,
            status: ReferralStatus::Waiting,
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn statuses_read_back_as_they_were_written_and_only_so() {
        let stop = day(2026, 2, 1);
        for status in [
            ReferralStatus::Waiting,
            ReferralStatus::Treated(stop),
            ReferralStatus::ClosedWithoutTreatment(stop),
            ReferralStatus::EnteredInError,
        ] {
            assert_eq!(ReferralStatus::from_parts(status.code(), status.stopped_on()), Some(status));
        }
        assert_eq!(ReferralStatus::from_parts("waiting", Some(stop)), None);
        assert_eq!(ReferralStatus::from_parts("treated", None), None);
        assert_eq!(ReferralStatus::from_parts("lost", None), None);
    }

    #[test]
    fn pathways_read_back_as_they_were_written() {
        for pathway in Pathway::ALL {
            assert_eq!(Pathway::from_code(pathway.code()), Some(pathway));
            assert_eq!(serde_json::to_value(pathway).unwrap(), pathway.code());
        }
        assert_eq!(Pathway::from_code("urgent"), None);
    }

    #[test]
    fn impossible_notices_are_refused() {
        let today = day(2026, 3, 1);
        assert_eq!(notice().check(today), Ok(()));
        let cases: [(ReferralNotice, NoticeFault); 7] = [
            (ReferralNotice { clock_start: day(2026, 3, 2), ..notice() }, NoticeFault::ClockStart),
            (ReferralNotice { clock_start: day(1999, 1, 1), ..notice() }, NoticeFault::ClockStart),
            (
                ReferralNotice { status: ReferralStatus::Treated(day(2026, 1, 4)), ..notice() },
                NoticeFault::StoppedOn,
            ),
            (
                ReferralNotice {
                    status: ReferralStatus::ClosedWithoutTreatment(day(2026, 3, 2)),
                    ..notice()
                },
                NoticeFault::StoppedOn,
            ),
            (ReferralNotice { filler_id: " ".to_owned(), ..notice() }, NoticeFault::Identifier),
            (ReferralNotice { source: "x".repeat(121), ..notice() }, NoticeFault::Identifier),
            (ReferralNotice { filler_id: "a\nb".to_owned(), ..notice() }, NoticeFault::Identifier),
        ];
        for (notice, fault) in cases {
            assert_eq!(notice.check(today), Err(fault), "{notice:?}");
        }
    }

    #[test]
    fn the_clock_runs_to_today_or_to_its_stop() {
        let mut referral = Referral {
            id: Uuid::nil(),
            provider: ProviderCode::parse("RXX").unwrap(),
            treatment_function: TreatmentFunction::parse("C_110").unwrap(),
            clock_start: day(2026, 1, 1),
            pathway: Pathway::Routine,
            status: ReferralStatus::Waiting,
        };
        assert_eq!(referral.days_waited(day(2026, 1, 31)), 30);
        assert_eq!(referral.days_waited(day(2025, 12, 1)), 0);
        referral.status = ReferralStatus::Treated(day(2026, 1, 15));
        assert_eq!(referral.days_waited(day(2026, 1, 31)), 14);
    }
}
