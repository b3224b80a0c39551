//! Waiting times: the published figures in, what they say about a person's referrals out.
//!
//! Words. A *pathway* is one person's wait for one kind of care; its *clock* starts with the referral and stops with
//! treatment. A *provider* is the trust or company that gives the care; a *treatment function* is the kind of care. A
//! *list* is everyone still waiting with one provider for one treatment function at the end of a month (part 2 of the
//! published file). *Bands* count pathways by whole weeks. A *month* is one published file; a *generation* is one
//! month's statistics and the model fitted on it and the months before it, named by the content of those files, so
//! that an answer cached under it can never be about other figures.
//!
//! [`WaitingTimes`] is the door. Files come in through [`WaitingTimes::import_file`], are read as a stream and taken
//! or refused whole; [`WaitingTimes::fit`] makes a generation of them. Answers are made from the generation in use,
//! held in memory and swapped in one step.
//!
//! Statistics describe how long those still waiting have waited so far; estimates say how much longer people who have
//! waited so long stayed on the list. Neither is a promise.

pub mod answers;
mod error;
pub mod estimates;
pub mod export;
pub mod extract_writer;
mod files;
mod generation;
mod import;
pub mod intake;
mod keys;
pub use wait_estimator::model;
pub mod referral;
pub mod report;
mod search;
mod snapshot;
pub mod statistics;
mod store;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::NaiveDate;
use platform::cache::{Answer, Cache};
use platform::db::lost_a_race;
use platform::{Db, SharedClock, SharedRandom, london_date};
use record_access::{PatientId, RecordAccess, category};

use answers::{
    FiguresState, MyWaitsAnswer, ProviderAnswer, ProvidersAnswer, SpecialtiesAnswer, StatisticsAnswer,
};
pub use error::{ImportError, WaitingTimesError};
pub use files::read_months;
pub use generation::{
    EstimatesHealth, FailedCheck, FailedFit, FitAccount, FitOptions, FitOutcome, GenerationSummary,
    MonthMade, Tested,
};
pub use import::{ImportOptions, MadeUpFile};
pub use intake::refusal::{ImportRefusal, RefusalReason};
use model::{ProviderCode, TreatmentFunction};
use referral::{FiledReferral, Filing, ReferralNotice};
pub use report::{ImportOutcome, ImportReport};
pub use search::ProviderPosition;
pub use snapshot::Origin;
use snapshot::Snapshot;

/// The most providers on one page.
pub const MOST_PROVIDERS_ON_A_PAGE: usize = 100;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct WaitingTimes {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    random: SharedRandom,
    figures: Arc<RwLock<Arc<Snapshot>>>,
    /// Lets one reload at a time run; the others find its work done.
    reloading: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for WaitingTimes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("WaitingTimes")
            .field("generation", &self.snapshot().generation)
            .finish_non_exhaustive()
    }
}

/// A page of providers, and where the next one begins.
#[derive(Clone, Debug)]
pub struct ProvidersPage {
    /// The page as it is answered.
    pub answer: ProvidersAnswer,
    /// The place to go on from; none on the last page.
    pub next: Option<ProviderPosition>,
}

impl WaitingTimes {
    /// The service on `db`, with the figures that are active there loaded.
    ///
    /// # Errors
    /// When the database does not answer or does not read back.
    pub async fn new(
        db: Db,
        cache: Cache,
        clock: SharedClock,
        random: SharedRandom,
    ) -> Result<Self, WaitingTimesError> {
        let snapshot = generation::load(&db, &cache, &Snapshot::default()).await?;
        Ok(Self {
            db,
            cache,
            clock,
            random,
            figures: Arc::new(RwLock::new(Arc::new(snapshot))),
            reloading: Arc::default(),
        })
    }

    /// Loads the figures anew if another generation has become active, in this process or elsewhere. True if so. To
    /// be called every few seconds; costs one small read.
    ///
    /// # Errors
    /// When the database does not answer; the figures loaded before stay in use.
    pub async fn refresh_if_changed(&self) -> Result<bool, WaitingTimesError> {
        let _turn = self.reloading.lock().await;
        let held = self.snapshot();
        if store::months::pointer(self.db.read()).await?.generation == held.generation {
            return Ok(false);
        }
        let snapshot = Arc::new(generation::load(&self.db, &self.cache, &held).await?);
        tracing::info!(
            generation = %snapshot.generation,
            has_model = snapshot.estimates.is_some(),
            "waiting-time figures loaded"
        );
        *self.figures.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(true)
    }

    /// The generation in use; blank when no month was ever imported.
    #[must_use]
    pub fn generation(&self) -> String {
        self.snapshot().generation.clone()
    }

    /// Which month of figures is in use, and how old it is.
    #[must_use]
    pub fn figures_state(&self) -> FiguresState {
        FiguresState::new(&self.snapshot(), self.today())
    }

    /// The published figures of one provider and treatment function: a [`StatisticsAnswer`]. Public.
    ///
    /// # Errors
    /// [`WaitingTimesError::NoFiguresForThisList`], or [`WaitingTimesError::NoMonthImported`].
    pub async fn statistics(
        &self,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
    ) -> Result<Answer, Arc<WaitingTimesError>> {
        let snapshot = self.snapshot();
        let today = self.today();
        let month = snapshot.month.as_ref().ok_or(WaitingTimesError::NoMonthImported)?;
        // Only lists that exist are cached: nobody can fill the cache with codes they made up.
        if !month.lists.contains_key(&(provider, treatment_function)) {
            return Err(WaitingTimesError::NoFiguresForThisList.into());
        }
        let key = keys::Statistics { generation: &snapshot.generation, provider, treatment_function, today };
        self.cache
            .get_or_make(&key, async {
                let answer = StatisticsAnswer::new(month, provider, treatment_function, today)
                    .ok_or(WaitingTimesError::NoFiguresForThisList)?;
                Ok(Answer::json(&answer)?)
            })
            .await
    }

    /// [`Self::statistics`] as a value, for pages.
    ///
    /// # Errors
    /// As there.
    pub fn statistics_view(
        &self,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
    ) -> Result<StatisticsAnswer, WaitingTimesError> {
        let snapshot = self.snapshot();
        let month = snapshot.month.as_ref().ok_or(WaitingTimesError::NoMonthImported)?;
        StatisticsAnswer::new(month, provider, treatment_function, self.today())
            .ok_or(WaitingTimesError::NoFiguresForThisList)
    }

    /// Providers whose code begins with `query`, or whose name has words that begin with its words, in the order of
    /// their names, after the place `after`. `limit` is held between 1 and 100. Public.
    ///
    /// Made from memory in microseconds and not cached: a key per query would let strangers fill the cache.
    #[must_use]
    pub fn providers(&self, query: &str, after: Option<&ProviderPosition>, limit: usize) -> ProvidersPage {
        let snapshot = self.snapshot();
        let limit = limit.clamp(1, MOST_PROVIDERS_ON_A_PAGE);
        let (found, next) = snapshot
            .month
            .as_ref()
            .map_or_else(Default::default, |month| month.providers.find(query, after, limit));
        let answer = ProvidersAnswer {
            providers: found.into_iter().map(ProviderAnswer::new).collect(),
            figures: FiguresState::new(&snapshot, self.today()),
        };
        ProvidersPage { answer, next }
    }

    /// The kinds of care the figures tell apart: a [`SpecialtiesAnswer`]. Public.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub async fn specialties(&self) -> Result<Answer, Arc<WaitingTimesError>> {
        let snapshot = self.snapshot();
        let today = self.today();
        let key = keys::Specialties { generation: &snapshot.generation, today };
        self.cache
            .get_or_make(&key, async { Ok(Answer::json(&SpecialtiesAnswer::new(&snapshot, today))?) })
            .await
    }

    /// [`Self::specialties`] as a value, for pages.
    #[must_use]
    pub fn specialties_view(&self) -> SpecialtiesAnswer {
        SpecialtiesAnswer::new(&self.snapshot(), self.today())
    }

    /// The person's referrals with their waits so far: a [`MyWaitsAnswer`]. Kept in this process only.
    ///
    /// # Errors
    /// When the database does not answer or does not read back.
    pub async fn my_waits(
        &self,
        access: &RecordAccess<category::WaitingTimes>,
    ) -> Result<Answer, Arc<WaitingTimesError>> {
        let snapshot = self.snapshot();
        let today = self.today();
        let key = keys::MyWaits {
            patient: access.patient(),
            version: access.version(),
            generation: &snapshot.generation,
            today,
        };
        self.cache
            .get_or_make(&key, async {
                let view = self.waits_of(access.patient(), &snapshot, today).await?;
                Ok(Answer::json(&view)?)
            })
            .await
    }

    /// [`Self::my_waits`] as a value, for pages.
    ///
    /// # Errors
    /// As there.
    pub async fn my_waits_view(
        &self,
        access: &RecordAccess<category::WaitingTimes>,
    ) -> Result<MyWaitsAnswer, WaitingTimesError> {
        self.waits_of(access.patient(), &self.snapshot(), self.today()).await
    }

    async fn waits_of(
        &self,
        patient: PatientId,
        snapshot: &Snapshot,
        today: NaiveDate,
    ) -> Result<MyWaitsAnswer, WaitingTimesError> {
        self.waits_of_person(patient, snapshot, today).await
    }

    /// Files what a hospital says about a referral of `patient`. The same notice twice changes nothing, and a notice
    /// recorded before the one that is held is left out. The record's version grows in the same transaction if
    /// anything the person sees has changed; after that, call `Patients::changed` to make it known at once.
    ///
    /// # Errors
    /// When the notice says something that cannot be, the referral belongs to another patient, there is no such
    /// patient, or the database does not answer. Nothing is changed then.
    pub async fn file_referral(
        &self,
        patient: PatientId,
        notice: &ReferralNotice,
    ) -> Result<FiledReferral, WaitingTimesError> {
        notice.check(self.today())?;
        match self.try_file_referral(patient, notice).await {
            // The same notice was filed by another instance at the same moment: this time it is found.
            Err(WaitingTimesError::Db(error)) if lost_a_race(&error) => {
                self.try_file_referral(patient, notice).await
            }
            outcome => outcome,
        }
    }

    async fn try_file_referral(
        &self,
        patient: PatientId,
        notice: &ReferralNotice,
    ) -> Result<FiledReferral, WaitingTimesError> {
        let now = self.clock.now();
        let transaction = self.db.begin().await?;
        let new_id = self.random.uuid();
        let filed =
            store::referrals::file(&transaction, patient, notice, new_id, now.timestamp_micros()).await?;
        if matches!(filed.filing, Filing::Created | Filing::Updated) {
            record_access::patients::bump_version(&transaction, patient).await?;
        }
        transaction.commit().await?;
        Ok(filed)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.figures.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn today(&self) -> NaiveDate {
        london_date(self.clock.now())
    }
}
