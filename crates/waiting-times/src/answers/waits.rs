//! A person's own referrals, as they are answered.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::estimate::{HiddenEstimate, HiddenStatus, ReferralEstimate};
use super::estimating::{Context, Question};
use super::reasons::ESTIMATES_HIDDEN;
use super::{FiguresState, Named, ReferralStatistics, named_provider, named_treatment_function, rounded};
use crate::estimates::WeeksWaited;
use crate::referral::{Pathway, Referral, ReferralStatus};
use crate::snapshot::Snapshot;

/// Where a referral stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferralState {
    /// Still waiting.
    Waiting,
    /// Treatment has begun.
    Treated,
    /// The wait ended without treatment.
    ClosedWithoutTreatment,
}

/// One referral of the person, and the published figures for the list it is on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReferralAnswer {
    /// The referral's identifier here.
    pub id: Uuid,
    /// Who provides the care.
    pub provider: Named,
    /// The kind of care.
    pub treatment_function: Named,
    /// The day the 18-week clock started, by the hospital's record.
    pub clock_start: NaiveDate,
    /// Where the referral stands.
    pub status: ReferralState,
    /// The day the wait ended; null while waiting.
    pub stopped_on: Option<NaiveDate>,
    /// Weeks from the clock start to today, or to the day the wait ended; one decimal.
    #[schema(example = 18.3)]
    pub weeks_waited: f64,
    /// Which rules the wait runs by.
    pub pathway: Pathway,
    /// The figures for everyone on the same list. They are not a forecast of this person's wait.
    pub statistics: ReferralStatistics,
    /// How much longer people who have waited as long are likely to wait.
    pub estimate: ReferralEstimate,
}

/// A person's referrals. An empty list means that no hospital has reported a referral to this service.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MyWaitsAnswer {
    /// The day, in England, for which weeks and ages are counted.
    pub as_of: NaiveDate,
    /// The referrals, those still waiting first, the longest wait first.
    pub referrals: Vec<ReferralAnswer>,
    /// The state of the published figures.
    pub figures: FiguresState,
}

impl MyWaitsAnswer {
    /// The answer for these referrals; estimates stand in it if the person wants to be shown them.
    pub(crate) fn new(
        mut referrals: Vec<Referral>,
        preferences: PreferencesAnswer,
        snapshot: &Snapshot,
        today: NaiveDate,
    ) -> Self {
        referrals.sort_by_key(|referral| {
            (referral.status != ReferralStatus::Waiting, referral.clock_start, referral.id)
        });
        let context = Context { snapshot, today };
        let referrals =
            referrals.into_iter().filter_map(|referral| answer(&referral, preferences, context)).collect();
        Self { as_of: today, referrals, figures: FiguresState::new(snapshot, today) }
    }
}

/// The answer for one referral; none for one that was entered in error.
fn answer(
    referral: &Referral,
    preferences: PreferencesAnswer,
    context: Context<'_>,
) -> Option<ReferralAnswer> {
    let status = match referral.status {
        ReferralStatus::Waiting => ReferralState::Waiting,
        ReferralStatus::Treated(_) => ReferralState::Treated,
        ReferralStatus::ClosedWithoutTreatment(_) => ReferralState::ClosedWithoutTreatment,
        ReferralStatus::EnteredInError => return None,
    };
    let Referral { provider, treatment_function, pathway, .. } = *referral;
    let Context { snapshot, today } = context;
    let month = snapshot.month.as_ref();
    let waited = WeeksWaited::of_days(referral.days_waited(today));
    let estimate = if preferences.show_estimates {
        ReferralEstimate::Shown(Box::new(context.estimate(&Question {
            provider,
            treatment_function,
            waited: Some(waited),
            pathway,
            has_ended: status != ReferralState::Waiting,
            decision_to_admit: false,
            tell_moved: true,
        })))
    } else {
        ReferralEstimate::Hidden(HiddenEstimate { status: HiddenStatus::Hidden, reasons: [ESTIMATES_HIDDEN] })
    };
    Some(ReferralAnswer {
        id: referral.id,
        provider: named_provider(month, provider),
        treatment_function: named_treatment_function(month, treatment_function),
        clock_start: referral.clock_start,
        status,
        stopped_on: referral.status.stopped_on(),
        weeks_waited: rounded(waited.weeks(), 10.0),
        pathway,
        statistics: ReferralStatistics::new(month, provider, treatment_function, today),
        estimate,
    })
}

/// What a person wants to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferencesAnswer {
    /// Whether estimates of waits are shown; true until the person says otherwise.
    pub show_estimates: bool,
}

impl Default for PreferencesAnswer {
    fn default() -> Self {
        Self { show_estimates: true }
    }
}
