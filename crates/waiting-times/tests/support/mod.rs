//! A service of one test's own, on a database in a folder of its own, with a person in it.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use platform::cache::Cache;
use platform::keys::KeyRing;
use platform::{Db, ManualClock, OsRandom, SharedRandom};
use record_access::patients::{Contact, Details, NewPatient, PersonName};
use record_access::{
    AccessContext, AccessLog, AccountId, Assurance, ClientId, NhsNumber, PatientId, Patients, Principal,
    RecordAccess, Records, Scopes, category,
};
use uuid::Uuid;
use waiting_times::WaitingTimes;
use waiting_times::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use waiting_times::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

/// Everything a test needs.
pub struct House {
    folder: tempfile::TempDir,
    pub db: Db,
    pub clock: ManualClock,
    pub patients: Patients,
    pub waiting: WaitingTimes,
    log: AccessLog,
}

/// The day all tests begin on.
pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 20, 9, 0, 0).unwrap()
}

pub async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let db = platform::testing::empty_database(folder.path()).await;
    migrations::run(db.write()).await.unwrap();
    let random: SharedRandom = Arc::new(OsRandom);
    let clock = ManualClock::new(start());
    let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
    let log = AccessLog::start(db.clone(), &keys, Arc::new(clock.clone())).unwrap();
    let patients = Patients::new(db.clone(), keys, Arc::new(clock.clone()), random.clone());
    let waiting = WaitingTimes::new(db.clone(), Cache::in_process(1 << 20), Arc::new(clock.clone()), random)
        .await
        .unwrap();
    House { folder, db, clock, patients, waiting, log }
}

impl House {
    /// Another instance of the service on the same database, with a cache of its own.
    pub async fn another_instance(&self) -> WaitingTimes {
        self.instance_with(Cache::in_process(1 << 20)).await
    }

    /// Another instance with this cache.
    pub async fn instance_with(&self, cache: Cache) -> WaitingTimes {
        let clock = Arc::new(self.clock.clone());
        WaitingTimes::new(self.db.clone(), cache, clock, Arc::new(OsRandom)).await.unwrap()
    }

    /// Registers a made-up person.
    pub async fn person(&self, nine: u32) -> PatientId {
        let nhs_number = (nine..).find_map(NhsNumber::from_first_nine).unwrap();
        let details = Details {
            name: PersonName { given: "Made".to_owned(), family: "Up".to_owned() },
            birth_date: day(1980, 1, 1),
            contact: Contact::default(),
        };
        let person = NewPatient { nhs_number, superseded_numbers: Vec::new(), details };
        self.patients.register(&person).await.unwrap()
    }

    /// Opens the person's waiting times as they would themselves.
    pub async fn open(&self, patient: PatientId) -> RecordAccess<category::WaitingTimes> {
        self.patients.changed(patient).await;
        let principal = Principal {
            actor: AccountId(Uuid::from_u128(7)),
            subject: Some(patient),
            delegation: None,
            client: ClientId::web(),
            scopes: Scopes::OWN_SESSION,
            assurance: Assurance::P9,
            authenticated_at: start(),
        };
        let context = AccessContext { request_id: Uuid::from_u128(9), operation: "test" };
        Records::new(self.log.clone(), self.patients.clone()).open(&principal, context).await.unwrap()
    }

    /// Writes a file and says where it is.
    pub fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }
}

/// A waiting list of one provider and treatment function: how many wait in which band.
pub type List<'a> = (&'a str, &'a str, &'a [(usize, u32)]);

/// A month in the official layout with these waiting lists and nothing else. Lists of one provider stand together.
pub fn month(year: i32, month: u32, lists: &[List<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let period = Period::new(year, month).unwrap();
    write_extract(&mut out, period, BandLayout::To104Weeks, groups(Part::Incomplete, lists)).unwrap();
    out
}

/// A month of two providers whose queues move as queues do: of those who have waited so long a share leaves each week,
/// six in seven of them treated. `people` join each list a week. Everything a model needs is there.
pub fn moving_month(year: i32, month: u32, people: u32) -> Vec<u8> {
    let weekly = |scale: f64| -> Vec<(usize, u32)> {
        let at = |week: i32| f64::from(people) * scale * 0.95_f64.powi(week);
        (0..104).map(|week: i32| (week as usize, at(week).round() as u32)).collect()
    };
    let (list, treated) = (weekly(1.0), weekly(0.05 * 30.5 / 7.0 * 6.0 / 7.0));
    let of = |counts| -> [List<'_>; 2] { [("RXA", "C_110", counts), ("RXB", "C_110", counts)] };
    let (lists, treated) = (of(&list), of(&treated));
    let all = groups(Part::CompletedNonAdmitted, &treated).chain(groups(Part::Incomplete, &lists));
    let mut out = Vec::new();
    write_extract(&mut out, Period::new(year, month).unwrap(), BandLayout::To104Weeks, all).unwrap();
    out
}

fn groups<'a>(part: Part, lists: &'a [List<'a>]) -> impl Iterator<Item = ExtractGroup<'a>> {
    lists.chunk_by(|one, other| one.0 == other.0).map(move |lists| ExtractGroup {
        provider: NamedOrganisation {
            code: OrganisationCode::parse(lists[0].0).unwrap(),
            name: if lists[0].0 == "RXA" { "MADE-UP HOSPITALS TRUST" } else { "OTHER MADE-UP CLINIC" },
        },
        provider_parent: None,
        commissioner: NamedOrganisation {
            code: OrganisationCode::parse("00A").unwrap(),
            name: "COMMISSIONER",
        },
        part,
        rows: lists
            .iter()
            .map(|(_, function, counts)| row(BandLayout::To104Weeks, function, counts))
            .collect(),
    })
}

fn row(layout: BandLayout, function: &str, counts: &[(usize, u32)]) -> ExtractRow<'static> {
    let mut bands = vec![0; layout.bands()];
    for (band, count) in counts {
        bands[*band] = *count;
    }
    ExtractRow {
        treatment_function: TreatmentFunction::parse(function).unwrap(),
        name: "Made-up Service",
        counts: RowCounts::Bands(WeeklyBands::new(layout, bands.into()).unwrap(), 0),
    }
}

/// A day.
pub fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}
