//! The service's estimates: for anybody by list and wait, for a person by their own referrals, and side by side.
//!
//! How long somebody has waited is theirs. It comes in with a question and leaves with the answer: no cache key, log
//! line or metric holds it. An estimate is made from memory each time, which costs less than looking it up.

mod waited;

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use platform::cache::{Answer, CacheKey};
use record_access::{PatientId, RecordAccess, category};

use crate::WaitingTimes;
use crate::answers::{
    CompareAnswer, Context, EstimateAnswer, MyWaitsAnswer, Named, PreferencesAnswer, Question,
};
use crate::error::WaitingTimesError;
use crate::model::{OrganisationCode, ProviderCode, TreatmentFunction};
use crate::search::{Provider, ProviderPosition};
use crate::snapshot::{ActiveMonth, Snapshot};
use crate::store;
pub use waited::{ClockStartFault, WeeksWaited};

/// The most providers named in one comparison.
pub const MOST_PROVIDERS_COMPARED: usize = 10;
/// Answers without a wait in them hold for a day at most: the day is in their key.
const RANGES_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Which providers to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareFilter {
    /// All that have such a list.
    All,
    /// Those of one integrated care board that have such a list.
    Region(OrganisationCode),
    /// These, whether they have such a list or not; at most [`MOST_PROVIDERS_COMPARED`] are looked at.
    Providers(Vec<ProviderCode>),
}

/// A page of a comparison, and where the next one begins.
#[derive(Clone, Debug)]
pub struct ComparePage {
    /// The page as it is answered.
    pub answer: CompareAnswer,
    /// The place to go on from; none on the last page.
    pub next: Option<ProviderPosition>,
}

/// An estimate by ranges of waits: it holds nothing of a person.
struct Ranges<'a> {
    generation: &'a str,
    provider: ProviderCode,
    treatment_function: TreatmentFunction,
    decision_to_admit: bool,
    today: NaiveDate,
}

impl CacheKey for Ranges<'_> {
    const SHARED: bool = true;

    fn key(&self) -> String {
        let Self { generation, provider, treatment_function, decision_to_admit, today } = self;
        let reading = if *decision_to_admit { "decided" } else { "all" };
        format!("waiting-times:ranges:{generation}:{today}:{provider}:{treatment_function}:{reading}")
    }

    fn ttl(&self) -> Duration {
        RANGES_TTL
    }
}

impl WaitingTimes {
    /// The weeks since a clock start, by the day it is in England.
    ///
    /// # Errors
    /// When the day lies in the future or over ten years back.
    pub fn weeks_since(&self, clock_start: NaiveDate) -> Result<WeeksWaited, ClockStartFault> {
        WeeksWaited::since(clock_start, self.today())
    }

    /// How much longer people who have waited so long on this list are likely to wait: an [`EstimateAnswer`], by ranges
    /// of waits where `waited` is none. `decision_to_admit` asks for the experimental reading. Public.
    ///
    /// # Errors
    /// [`WaitingTimesError::NoMonthImported`], or [`WaitingTimesError::NoFiguresForThisList`] when the figures know
    /// neither the provider nor the treatment function. Whatever else is missing is said in the answer.
    pub async fn estimate(
        &self,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        waited: Option<WeeksWaited>,
        decision_to_admit: bool,
    ) -> Result<Answer, Arc<WaitingTimesError>> {
        let snapshot = self.snapshot();
        let today = self.today();
        let month = snapshot.month.as_ref().ok_or(WaitingTimesError::NoMonthImported)?;
        let context = Context { snapshot: &snapshot, today };
        let question = Question::of_list(provider, treatment_function, waited, decision_to_admit);
        if !context.knows(&question) {
            return Err(WaitingTimesError::NoFiguresForThisList.into());
        }
        let make = || Answer::json(&context.estimate(&question)).map_err(WaitingTimesError::from);
        // Only lists that exist are cached: nobody can fill the cache with codes they made up.
        if waited.is_some() || !month.lists.contains_key(&(provider, treatment_function)) {
            return make().map_err(Arc::new);
        }
        let generation = &snapshot.generation;
        let key = Ranges { generation, provider, treatment_function, decision_to_admit, today };
        self.cache.get_or_make(&key, async { make() }).await
    }

    /// [`Self::estimate`] as a value, for pages: where that fails, this is `unavailable` and says why.
    #[must_use]
    pub fn estimate_view(
        &self,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        waited: Option<WeeksWaited>,
        decision_to_admit: bool,
    ) -> EstimateAnswer {
        Context { snapshot: &self.snapshot(), today: self.today() }.estimate(&Question::of_list(
            provider,
            treatment_function,
            waited,
            decision_to_admit,
        ))
    }

    /// The same kind of care at other providers, for somebody who has waited so long: a [`CompareAnswer`] in the order
    /// of the providers' names, after the place `after`. `limit` is held between 1 and 100. Public.
    ///
    /// # Errors
    /// [`WaitingTimesError::NoMonthImported`], or [`WaitingTimesError::NoFiguresForThisList`] when the month has no such
    /// treatment function.
    pub fn compare(
        &self,
        treatment_function: TreatmentFunction,
        waited: WeeksWaited,
        filter: &CompareFilter,
        after: Option<&ProviderPosition>,
        limit: usize,
    ) -> Result<ComparePage, WaitingTimesError> {
        let snapshot = self.snapshot();
        let month = snapshot.month.as_ref().ok_or(WaitingTimesError::NoMonthImported)?;
        if !month.treatment_functions.contains_key(&treatment_function) {
            return Err(WaitingTimesError::NoFiguresForThisList);
        }
        let limit = limit.clamp(1, crate::MOST_PROVIDERS_ON_A_PAGE);
        let (all, _) = month.providers.find("", after, usize::MAX);
        let mut matching =
            all.iter().enumerate().filter(|(_, provider)| filter.takes(month, provider, treatment_function));
        let page: Vec<(usize, &Provider)> =
            matching.by_ref().take(limit).map(|(place, provider)| (place, *provider)).collect();
        // The place of the last one on the page, asked of the index itself.
        let next = match (matching.next(), page.last()) {
            (Some(_), Some((place, _))) => month.providers.find("", after, place + 1).1,
            _ => None,
        };
        let providers: Vec<&Provider> = page.into_iter().map(|(_, provider)| provider).collect();
        let context = Context { snapshot: &snapshot, today: self.today() };
        Ok(ComparePage { answer: CompareAnswer::new(context, treatment_function, waited, &providers), next })
    }

    /// Whether the month in use names this provider.
    #[must_use]
    pub fn knows_provider(&self, provider: ProviderCode) -> bool {
        self.snapshot().month.as_ref().is_some_and(|month| month.providers.get(provider).is_some())
    }

    /// The integrated care boards the month in use names, in the order of their names.
    #[must_use]
    pub fn regions_view(&self) -> Vec<Named> {
        let snapshot = self.snapshot();
        let Some(month) = snapshot.month.as_ref() else { return Vec::new() };
        let (all, _) = month.providers.find("", None, usize::MAX);
        let mut regions: Vec<Named> = all
            .into_iter()
            .filter_map(crate::answers::region)
            .filter(|region| region.name.is_some())
            .collect();
        regions.sort_by(|one, other| (&one.name, &one.code).cmp(&(&other.name, &other.code)));
        regions.dedup_by(|one, other| one.code == other.code);
        regions
    }

    /// What the person wants to be shown.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn preferences(
        &self,
        access: &RecordAccess<category::WaitingTimes>,
    ) -> Result<PreferencesAnswer, WaitingTimesError> {
        Ok(store::preferences::of_patient(self.db.read(), access.patient()).await?)
    }

    /// Changes what the person wants to be shown, if what stands now is `expected`; false if it is not. The record's
    /// version grows in the same transaction; after that, call `Patients::changed` to make it known at once.
    ///
    /// # Errors
    /// When the database does not answer. Nothing is changed then.
    pub async fn set_preferences(
        &self,
        access: &RecordAccess<category::WaitingTimes>,
        wanted: PreferencesAnswer,
        expected: impl Fn(PreferencesAnswer) -> bool + Send,
    ) -> Result<bool, WaitingTimesError> {
        let patient = access.patient();
        let now_micros = self.clock.now().timestamp_micros();
        let transaction = self.db.begin().await?;
        // First the version: it holds the patient's row, so that of two changes at once the second sees the first.
        record_access::patients::bump_version(&transaction, patient).await?;
        let standing = store::preferences::of_patient(&transaction, patient).await?;
        if !expected(standing) || standing == wanted {
            transaction.rollback().await?;
            return Ok(expected(standing));
        }
        store::preferences::keep(&transaction, patient, wanted, now_micros).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The person's referrals, with estimates unless they asked for none.
    pub(crate) async fn waits_of_person(
        &self,
        patient: PatientId,
        snapshot: &Snapshot,
        today: NaiveDate,
    ) -> Result<MyWaitsAnswer, WaitingTimesError> {
        let referrals = store::referrals::of_patient(self.db.read(), patient).await?;
        let preferences = store::preferences::of_patient(self.db.read(), patient).await?;
        Ok(MyWaitsAnswer::new(referrals, preferences, snapshot, today))
    }
}

impl CompareFilter {
    fn takes(&self, month: &ActiveMonth, provider: &Provider, treatment_function: TreatmentFunction) -> bool {
        let has_list = || month.lists.contains_key(&(provider.code, treatment_function));
        match self {
            Self::All => has_list(),
            Self::Region(region) => provider.parent_code == Some(*region) && has_list(),
            Self::Providers(codes) => {
                codes.iter().take(MOST_PROVIDERS_COMPARED).any(|code| *code == provider.code)
            }
        }
    }
}
