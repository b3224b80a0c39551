//! Files the made-up people and figures through the public doors of the domain crates, as hospitals would.

use chrono::{Days, NaiveDate};
use platform::{SharedClock, london_date};
use record_access::PatientId;
use record_access::patients::{Contact, Details, NewPatient, Patients, PersonName, StoreError};
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::referral::{Filing, ReferralNotice, ReferralStatus};
use waiting_times::{ImportError, MadeUpFile, RefusalReason, WaitingTimes, WaitingTimesError};

use crate::month::{made_up_months, newest_published};
use crate::people::{MadeUpEnd, MadeUpPerson, MadeUpReferral, made_up_people};

/// The doors the sandbox knocks at.
pub struct Services<'a> {
    /// The store of patients.
    pub patients: &'a Patients,
    /// Referrals and published figures.
    pub waiting_times: &'a WaitingTimes,
    /// Tells the day from which made-up waits are counted back.
    pub clock: &'a SharedClock,
}

impl std::fmt::Debug for Services<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

/// What became of a seeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeded {
    /// The made-up people were filed.
    Filed {
        /// People registered.
        people: usize,
        /// Referrals that are new or were changed.
        referrals: usize,
        /// Whether made-up figures stand in; they do not where official ones are.
        made_up_figures: bool,
    },
    /// All the people of this seed are here: nothing was done.
    AlreadyHere,
    /// Other people are here: nothing was done, and the people of this seed are not known here.
    OthersAreHere,
}

/// Why the seeding stopped. It can be run again: it goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A patient could not be registered or looked up.
    #[error("seeding made-up people: {0}")]
    Patients(#[from] StoreError),
    /// A referral could not be filed.
    #[error("seeding made-up referrals: {0}")]
    Referrals(#[from] WaitingTimesError),
    /// The made-up months could not be imported.
    #[error("seeding made-up figures: {0}")]
    Figures(#[from] ImportError),
    /// The made-up months could not be written.
    #[error("writing made-up figures: {0}")]
    Month(#[from] std::io::Error),
    /// Writing them was interrupted.
    #[error("writing made-up figures was interrupted")]
    Interrupted,
    /// A code in the cast list is not one.
    #[error("the made-up referral to {0} is not in order")]
    Code(&'static str),
}

/// The system the made-up referrals come from.
const SOURCE: &str = "made-up hospital system";

/// Files the people and figures of `seed`, unless they are here, or anyone else is. A seeding that was
/// interrupted is finished by the next one: the figures come first, then the people in their order; the last
/// has no referrals, so their presence says that everything before them is filed.
///
/// # Errors
/// [`SeedError`]; what was filed before the error stays.
pub async fn seed(services: &Services<'_>, seed: u64) -> Result<Seeded, SeedError> {
    let people = made_up_people(seed);
    if let (Some(first), Some(last)) = (people.first(), people.last()) {
        if is_here(services.patients, last).await? {
            return Ok(Seeded::AlreadyHere);
        }
        if !is_here(services.patients, first).await? && !services.patients.is_empty().await? {
            return Ok(Seeded::OthersAreHere);
        }
    }
    let today = london_date(services.clock.now());
    let made_up_figures = import_months(services.waiting_times, seed, today).await?;
    let (mut registered, mut referrals) = (0, 0);
    for (place, person) in people.iter().enumerate() {
        let Some(record) = &person.record else { continue };
        let patient = services.patients.register(&new_patient(person)).await?;
        registered += 1;
        for (number, referral) in record.referrals.iter().enumerate() {
            let filler_id = format!("{place}-{number}");
            referrals += usize::from(file(services, patient, filler_id, referral, today).await?);
        }
        services.patients.changed(patient).await;
    }
    Ok(Seeded::Filed { people: registered, referrals, made_up_figures })
}

async fn is_here(patients: &Patients, person: &MadeUpPerson) -> Result<bool, StoreError> {
    let persona = &person.persona;
    Ok(patients.find(&persona.nhs_number, persona.birth_date).await?.is_some())
}

/// Imports the made-up months; false where official figures are, which they may not stand beside.
async fn import_months(waiting_times: &WaitingTimes, seed: u64, today: NaiveDate) -> Result<bool, SeedError> {
    let newest = newest_published(today)?;
    let months = tokio::task::spawn_blocking(move || made_up_months(seed, newest))
        .await
        .map_err(|_| SeedError::Interrupted)??;
    let files = months
        .into_iter()
        .map(|month| MadeUpFile { name: format!("made-up-{}.csv", month.period), contents: month.file })
        .collect();
    match waiting_times.import_made_up_months(files).await {
        Ok(_) => Ok(true),
        Err(ImportError::Refused(refusal)) if refusal.reason == RefusalReason::MadeUpBesideOfficial => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn new_patient(person: &MadeUpPerson) -> NewPatient {
    let persona = &person.persona;
    NewPatient {
        nhs_number: persona.nhs_number.clone(),
        superseded_numbers: persona.superseded_nhs_number.iter().cloned().collect(),
        details: Details {
            name: PersonName { given: persona.given_name.clone(), family: persona.family_name.clone() },
            birth_date: persona.birth_date,
            contact: Contact { email: Some(persona.email.clone()), phone: Some(persona.phone.clone()) },
        },
    }
}

/// Files one referral; true when that changed anything.
async fn file(
    services: &Services<'_>,
    patient: PatientId,
    filler_id: String,
    referral: &MadeUpReferral,
    today: NaiveDate,
) -> Result<bool, SeedError> {
    let days_ago = |days: u16| today - Days::new(days.into());
    let provider = ProviderCode::parse(referral.provider).ok_or(SeedError::Code(referral.provider))?;
    let treatment_function = TreatmentFunction::parse(referral.treatment_function)
        .ok_or(SeedError::Code(referral.treatment_function))?;
    let notice = ReferralNotice {
        source: SOURCE.to_owned(),
        filler_id,
        provider,
        treatment_function,
        clock_start: days_ago(referral.started_days_ago),
        pathway: referral.pathway,
        status: match referral.ended {
            None => ReferralStatus::Waiting,
            Some(MadeUpEnd::Treated(days)) => ReferralStatus::Treated(days_ago(days)),
            Some(MadeUpEnd::NotTreated(days)) => ReferralStatus::ClosedWithoutTreatment(days_ago(days)),
        },
        recorded_at: services.clock.now(),
    };
    let filed = services.waiting_times.file_referral(patient, &notice).await?;
    Ok(matches!(filed.filing, Filing::Created | Filing::Updated))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use chrono::{Duration, TimeZone, Utc};
    use platform::cache::Cache;
    use platform::keys::KeyRing;
    use platform::{Db, ManualClock, OsRandom, SharedRandom};
    use record_access::{
        AccessContext, AccessLog, AccountId, Assurance, ClientId, NhsNumber, Principal, RecordAccess,
        Records, Scopes, category,
    };
    use uuid::Uuid;
    use waiting_times::ImportOptions;
    use waiting_times::answers::MyWaitsAnswer;

    use super::*;
    use crate::month::made_up_month;

    struct Store {
        _folder: tempfile::TempDir,
        hands: ManualClock,
        clock: SharedClock,
        patients: Patients,
        records: Records,
        waiting_times: WaitingTimes,
    }

    impl Store {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
            migrations::run(db.write()).await.unwrap();
            let random: SharedRandom = Arc::new(OsRandom);
            let hands = ManualClock::new(Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).unwrap());
            let clock: SharedClock = Arc::new(hands.clone());
            let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
            let log = AccessLog::start(db.clone(), &keys, clock.clone()).unwrap();
            let patients = Patients::new(db.clone(), keys, clock.clone(), random.clone());
            let records = Records::new(log, patients.clone());
            let cache = Cache::in_process(1_000);
            let waiting_times = WaitingTimes::new(db, cache, clock.clone(), random).await.unwrap();
            Self { _folder: folder, hands, clock, patients, records, waiting_times }
        }

        async fn seed(&self, number: u64) -> Seeded {
            let services =
                Services { patients: &self.patients, waiting_times: &self.waiting_times, clock: &self.clock };
            seed(&services, number).await.unwrap()
        }

        /// What a person sees, opened as a signed-in person opens it.
        async fn waits(&self, person: &MadeUpPerson) -> (i64, MyWaitsAnswer) {
            let persona = &person.persona;
            let subject = self.patients.find(&persona.nhs_number, persona.birth_date).await.unwrap();
            let principal = Principal {
                actor: AccountId(Uuid::from_u128(1)),
                subject: Some(subject.unwrap()),
                delegation: None,
                client: ClientId::web(),
                scopes: Scopes::OWN_SESSION,
                assurance: Assurance::P9,
                authenticated_at: self.clock.now(),
            };
            let context = AccessContext { request_id: Uuid::from_u128(2), operation: "test" };
            let access: RecordAccess<category::WaitingTimes> =
                self.records.open(&principal, context).await.unwrap();
            (access.version().0, self.waiting_times.my_waits_view(&access).await.unwrap())
        }
    }

    #[tokio::test]
    async fn everyone_in_the_cast_sees_what_the_banner_says() {
        let store = Store::new().await;
        let people = made_up_people(5);
        let everyone = people.iter().filter(|person| person.record.is_some()).count();
        let referrals =
            people.iter().flat_map(|person| &person.record).map(|record| record.referrals.len()).sum();
        assert_eq!(store.seed(5).await, Seeded::Filed { people: everyone, referrals, made_up_figures: true });
        let mut reasons = BTreeMap::<String, usize>::new();
        let mut estimates = BTreeMap::<String, BTreeSet<String>>::new();
        for person in &people {
            let Some(record) = &person.record else {
                let persona = &person.persona;
                let found = store.patients.find(&persona.nhs_number, persona.birth_date).await.unwrap();
                assert_eq!(found, None, "{} is unknown here", persona.name());
                continue;
            };
            let (_, waits) = store.waits(person).await;
            assert_eq!(waits.referrals.len(), record.referrals.len(), "{}", person.persona.name());
            for referral in &waits.referrals {
                let statistics = serde_json::to_value(&referral.statistics).unwrap();
                *reasons.entry(statistics["state"].as_str().unwrap().to_owned()).or_default() += 1;
                let estimate = serde_json::to_value(&referral.estimate).unwrap();
                let list = format!("{}/{}", referral.provider.code, referral.treatment_function.code);
                estimates.entry(estimate["status"].as_str().unwrap().to_owned()).or_default().insert(list);
            }
        }
        let of = |status: &str| -> Vec<&str> { estimates[status].iter().map(String::as_str).collect() };
        assert_eq!(of("pooled"), ["RCB/C_100", "RCB/C_150"], "{estimates:?}");
        assert_eq!(of("low_data"), ["RM1/C_110"], "{estimates:?}");
        let ended = ["RCB/C_502", "RTH/C_120"];
        let by_other_rules = ["RRK/X03", "RTH/C_101", "RX1/C_301"];
        for list in ended.iter().chain(&by_other_rules) {
            assert!(of("unavailable").contains(list), "{list}: {estimates:?}");
        }
        assert_eq!(of("unavailable").len(), 5, "{estimates:?}");
        assert!(of("ok").len() >= 8, "{estimates:?}");
        assert_eq!(reasons["suppressed"], 1, "{reasons:?}");
        assert_eq!(reasons["unavailable"], 2, "no such list, and mental health: {reasons:?}");
        assert_eq!(reasons["available"], referrals - 3, "{reasons:?}");
    }

    #[tokio::test]
    async fn the_old_number_finds_the_same_patient_as_the_new_one() {
        let store = Store::new().await;
        store.seed(5).await;
        let people = made_up_people(5);
        let changed = people.iter().find(|person| person.persona.superseded_nhs_number.is_some()).unwrap();
        let old: &NhsNumber = changed.persona.superseded_nhs_number.as_ref().unwrap();
        let born = changed.persona.birth_date;
        let by_old = store.patients.find(old, born).await.unwrap();
        let by_new = store.patients.find(&changed.persona.nhs_number, born).await.unwrap();
        assert!(by_old.is_some());
        assert_eq!(by_old, by_new);
    }

    #[tokio::test]
    async fn seeding_again_changes_nothing_even_on_another_day() {
        let store = Store::new().await;
        store.seed(5).await;
        let people = made_up_people(5);
        let generation = store.waiting_times.generation();
        let before = store.waits(&people[0]).await;
        store.hands.advance(Duration::days(3));
        assert_eq!(store.seed(5).await, Seeded::AlreadyHere);
        let after = store.waits(&people[0]).await;
        assert_eq!(before.0, after.0, "the record's version");
        let starts =
            |waits: &MyWaitsAnswer| waits.referrals.iter().map(|r| r.clock_start).collect::<Vec<_>>();
        assert_eq!(starts(&before.1), starts(&after.1));
        assert_eq!(store.waiting_times.generation(), generation);
    }

    #[tokio::test]
    async fn a_store_with_other_people_is_left_alone() {
        let store = Store::new().await;
        store.seed(5).await;
        assert_eq!(store.seed(6).await, Seeded::OthersAreHere);
        for person in made_up_people(6) {
            let persona = &person.persona;
            assert_eq!(store.patients.find(&persona.nhs_number, persona.birth_date).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn an_interrupted_seeding_is_finished() {
        let store = Store::new().await;
        let people = made_up_people(5);
        for person in people.iter().take(3) {
            store.patients.register(&new_patient(person)).await.unwrap();
        }
        assert!(matches!(store.seed(5).await, Seeded::Filed { .. }));
        assert_eq!(store.waits(&people[0]).await.1.referrals.len(), 3);
        assert_eq!(store.seed(5).await, Seeded::AlreadyHere);
    }

    fn a_day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
    }

    #[tokio::test]
    async fn the_made_up_months_are_taken_and_give_way_to_nothing_but_themselves() {
        let store = Store::new().await;
        assert!(import_months(&store.waiting_times, 5, a_day()).await.unwrap());
        let generation = store.waiting_times.generation();
        assert!(!generation.is_empty());
        assert!(import_months(&store.waiting_times, 5, a_day()).await.unwrap());
        assert_eq!(store.waiting_times.generation(), generation);
    }

    #[tokio::test]
    async fn every_made_up_file_passes_the_checks_of_official_ones() {
        let store = Store::new().await;
        let folder = tempfile::tempdir().unwrap();
        for seed in [5, u64::MAX] {
            for month in made_up_months(seed, newest_published(a_day()).unwrap()).unwrap() {
                let path = folder.path().join(format!("{seed}-{}.csv", month.period));
                std::fs::write(&path, month.file).unwrap();
                let options = ImportOptions { accept_large_change: true, no_fit: true };
                let report = store.waiting_times.import_file(&path, options).await.unwrap();
                let odd: Vec<_> =
                    report.warnings.iter().filter(|found| found.code != "list_unusually_small").collect();
                assert!(odd.is_empty(), "{odd:?}");
            }
        }
    }

    #[tokio::test]
    async fn made_up_figures_do_not_stand_beside_official_ones() {
        let store = Store::new().await;
        // The same layout, imported as if it came from the publisher.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("month.csv");
        std::fs::write(&path, made_up_month(9, newest_published(a_day()).unwrap()).unwrap()).unwrap();
        store.waiting_times.import_file(&path, ImportOptions::default()).await.unwrap();
        assert!(matches!(store.seed(5).await, Seeded::Filed { made_up_figures: false, .. }));
    }
}
