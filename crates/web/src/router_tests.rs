//! The router over real services: who gets which page.

use std::io::Cursor;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};
use http_body_util::BodyExt;
use identity::{Identity, IdentityDeps, Session};
use platform::cache::Cache;
use platform::crypto::sha256;
use platform::keys::{KeyRing, RsaKey};
use platform::outgoing::{Outgoing, OutgoingLimits};
use platform::settings::{Profile, Settings};
use platform::{Db, ErrorKind, ManualClock, RequestIds, SeededRandom, SharedClock, SharedRandom};
use record_access::concerns::Concerns;
use record_access::patients::{Contact, Details, NewPatient, PersonName};
use record_access::{AccessLog, Assurance, NhsNumber, PatientId, Patients, Records};
use sea_orm::{ConnectionTrait, Statement, Value};
use tower::ServiceExt;
use uuid::Uuid;
use waiting_times::WaitingTimes;
use waiting_times::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use waiting_times::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};
use waiting_times::referral::{Pathway, ReferralNotice, ReferralStatus};

use crate::html_check::Page;
use crate::{ConcernForm, CurrentSession, FinishedPage, WebState};

mod lists;

struct World {
    _folder: tempfile::TempDir,
    db: Db,
    random: SharedRandom,
    patients: Patients,
    state: WebState,
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 23, 9, 0, 0).unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
        migrations::run(db.write()).await.unwrap();
        let random: SharedRandom = Arc::new(SeededRandom::new(7));
        let clock: SharedClock = Arc::new(ManualClock::new(now()));
        let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
        let log = AccessLog::start(db.clone(), &keys, clock.clone()).unwrap();
        let patients = Patients::new(db.clone(), keys.clone(), clock.clone(), random.clone());
        let settings = Settings::defaults_in(folder.path()).unwrap();
        let identity = Identity::new(IdentityDeps {
            db: db.clone(),
            clock: clock.clone(),
            random: random.clone(),
            keys: keys.clone(),
            client_key: Arc::new(RsaKey::generate().unwrap()),
            patients: patients.clone(),
            access_log: log.clone(),
            profile: Profile::Sandbox,
            settings: settings.identity,
            sessions: settings.sessions,
            issuer: "http://127.0.0.1:9/simulator".to_owned(),
            redirect_base: "http://127.0.0.1:9/".parse().unwrap(),
            http: Outgoing::new(OutgoingLimits::default()).unwrap(),
        })
        .unwrap();
        let waiting_times =
            WaitingTimes::new(db.clone(), Cache::in_process(1_000), clock.clone(), random.clone())
                .await
                .unwrap();
        let state = WebState {
            identity,
            waiting_times,
            records: Records::new(log, patients.clone()),
            concerns: Concerns::new(db.clone(), keys, clock.clone(), random.clone()),
            clock,
            random: random.clone(),
            demonstration: true,
        };
        Self { _folder: folder, db, random, patients, state }
    }

    /// Someone who is signed in. A sign-in needs a provider, so the rows it leaves are written by hand.
    async fn session(&self, assurance: Assurance, patient: Option<PatientId>) -> Session {
        let token = self.random.token();
        let (account, now) = (self.random.uuid(), now().timestamp_micros());
        let end = now + Duration::hours(12).num_microseconds().unwrap();
        let insert = |table: &str, columns: &[&str], values: Vec<Value>| {
            let marks = vec!["?"; columns.len()].join(", ");
            let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
            Statement::from_sql_and_values(self.db.backend(), sql, values)
        };
        let account_row =
            insert("account", &["account_id", "created_at_micros"], vec![account.into(), now.into()]);
        let session_row = insert(
            "session",
            &[
                "session_id",
                "token_hash",
                "account_id",
                "patient_id",
                "assurance",
                "vot",
                "issuer",
                "device",
                "authenticated_at_micros",
                "created_at_micros",
                "last_seen_at_micros",
                "rotated_at_micros",
                "absolute_ends_at_micros",
            ],
            vec![
                self.random.uuid().into(),
                sha256(token.as_bytes()).to_vec().into(),
                account.into(),
                patient.map(|patient| patient.0).into(),
                assurance.as_str().into(),
                "P9.Cp.Cd".into(),
                "http://127.0.0.1:9/simulator".into(),
                "Firefox on Linux".into(),
                now.into(),
                now.into(),
                now.into(),
                now.into(),
                end.into(),
            ],
        );
        for row in [account_row, session_row] {
            self.db.write().execute_raw(row).await.unwrap();
        }
        self.state.identity.sessions().load(&token).await.unwrap().unwrap()
    }

    async fn patient(&self) -> PatientId {
        let new = NewPatient {
            nhs_number: NhsNumber::parse("9990000018").unwrap(),
            superseded_numbers: Vec::new(),
            details: Details {
                name: PersonName { given: "Testa".to_owned(), family: "Madeup".to_owned() },
                birth_date: NaiveDate::from_ymd_opt(1980, 1, 1).unwrap(),
                contact: Contact::default(),
            },
        };
        self.patients.register(&new).await.unwrap()
    }

    async fn refer(&self, patient: PatientId) {
        let notice = ReferralNotice {
            source: "test".to_owned(),
            filler_id: "1".to_owned(),
            provider: OrganisationCode::parse("RTH").unwrap(),
            treatment_function: TreatmentFunction::parse("C_110").unwrap(),
            clock_start: NaiveDate::from_ymd_opt(2025, 12, 1).unwrap(),
            status: ReferralStatus::Waiting,
            pathway: Pathway::Routine,
            recorded_at: now(),
        };
        self.state.waiting_times.file_referral(patient, &notice).await.unwrap();
        self.patients.changed(patient).await;
    }

    /// A made-up month: two providers; one list with figures, one too short, and one of mental health care.
    async fn import_month(&self) {
        let of = |count: u32| {
            const WEEKS: usize = 40;
            let mut bands = vec![0; BandLayout::To104Weeks.bands()];
            bands[..WEEKS].fill(count / 40);
            bands[10] += count % 40;
            RowCounts::Bands(WeeklyBands::new(BandLayout::To104Weeks, bands.into()).unwrap(), 0)
        };
        let organisation =
            |code, name| NamedOrganisation { code: OrganisationCode::parse(code).unwrap(), name };
        let row = |code, name, count| ExtractRow {
            treatment_function: TreatmentFunction::parse(code).unwrap(),
            name,
            counts: of(count),
        };
        let group_of = |part, provider, rows| ExtractGroup {
            provider,
            provider_parent: None,
            commissioner: organisation("99A", "A COMMISSIONER"),
            part,
            rows,
        };
        let group = |provider, rows| group_of(Part::Incomplete, provider, rows);
        let mut file = Vec::new();
        let groups = [
            group(
                organisation("RTH", "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"),
                vec![
                    row("C_110", "Trauma and Orthopaedic Service", 1_234),
                    row("C_120", "Ear Nose and Throat Service", 12),
                    row("X03", "Other - Mental Health Services", 500),
                ],
            ),
            group(
                organisation("NT4", "OXBRIDGE CLINIC"),
                vec![row("C_110", "Trauma and Orthopaedic Service", 60)],
            ),
            group_of(
                Part::CompletedNonAdmitted,
                organisation("RTH", "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST"),
                vec![
                    row("C_110", "Trauma and Orthopaedic Service", 200),
                    row("C_120", "Ear Nose and Throat Service", 4),
                    row("X03", "Other - Mental Health Services", 80),
                ],
            ),
        ];
        write_extract(&mut file, Period::new(2026, 1).unwrap(), BandLayout::To104Weeks, groups).unwrap();
        self.state.waiting_times.import_made_up(Cursor::new(file), "made-up.csv").await.unwrap();
        self.state.waiting_times.refresh_if_changed().await.unwrap();
    }

    fn router(&self) -> Router {
        crate::router(self.state.clone())
    }

    async fn get(&self, path: &str, session: Option<&Session>) -> Response {
        let request = Request::get(path)
            .extension(ids())
            .extension(CurrentSession(session.cloned()))
            .body(Body::empty())
            .unwrap();
        self.router().oneshot(request).await.unwrap()
    }

    /// A page that is there, checked.
    async fn page(&self, path: &str, session: Option<&Session>) -> (Page, String) {
        let response = self.get(path, session).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        read(response).await
    }
}

fn ids() -> RequestIds {
    RequestIds { request_id: Uuid::from_u128(77), correlation_id: None }
}

async fn read(response: Response) -> (Page, String) {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let html = String::from_utf8(bytes.to_vec()).unwrap();
    (Page::checked(&html), html)
}

const FOR_ALL: [&str; 9] = [
    "/",
    "/sign-in",
    "/signed-out",
    "/help",
    "/cookies",
    "/accessibility",
    "/waiting-times/look-up",
    "/waiting-times/compare",
    "/waiting-times/how-we-estimate",
];
const FOR_SIGNED_IN: [&str; 5] =
    ["/waiting-times", "/account", "/account/sessions", "/account/concerns", "/session-ending"];

#[tokio::test]
async fn pages_for_all_are_there_and_the_others_ask_to_sign_in() {
    let world = World::new().await;
    for path in FOR_ALL {
        let (_, html) = world.page(path, None).await;
        assert!(html.contains("Demonstration with made-up people."), "{path}");
    }
    for path in FOR_SIGNED_IN {
        let response = world.get(path, None).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        assert_eq!(location, format!("/sign-in?return_to={}", path.replace('/', "%2F")));
    }
}

#[tokio::test]
async fn whoever_is_signed_in_gets_every_page_with_their_own_token() {
    let world = World::new().await;
    let patient = world.patient().await;
    world.refer(patient).await;
    world.import_month().await;
    let session = world.session(Assurance::P9, Some(patient)).await;
    for path in FOR_ALL.into_iter().chain(FOR_SIGNED_IN) {
        let (page, html) = world.page(path, Some(&session)).await;
        assert_eq!(page.fields_of("/auth/sign-out")["csrf_token"], session.csrf_token(), "{path}");
        assert_eq!(page.fields_of("/auth/extend")["return_to"], path);
        assert!(html.contains("You will be signed out at 09:30 if you do nothing."), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_changed_by_the_pages_themselves() {
    let world = World::new().await;
    for path in FOR_ALL.into_iter().chain(FOR_SIGNED_IN) {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let status = world.router().oneshot(request).await.unwrap().status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
    }
}

#[tokio::test]
async fn a_referral_is_shown_with_the_figures_of_its_list() {
    let world = World::new().await;
    let patient = world.patient().await;
    let session = world.session(Assurance::P9, Some(patient)).await;
    let (_, html) = world.page("/waiting-times", Some(&session)).await;
    assert!(html.contains("No hospital has sent this service a referral for you so far."));

    world.refer(patient).await;
    let (_, html) = world.page("/waiting-times", Some(&session)).await;
    assert!(html.contains("No published waiting-time figures have been loaded yet."));

    world.import_month().await;
    let (page, html) = world.page("/waiting-times", Some(&session)).await;
    for text in [
        "Oxford University Hospitals",
        "1 December 2025",
        "12.0 weeks",
        "1,234",
        "made up, for a demonstration",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert_eq!(page.title(), "Waiting times - Front Door");
}

#[tokio::test]
async fn a_record_stays_closed_to_whoever_has_not_proved_enough_or_has_none() {
    let world = World::new().await;
    let patient = world.patient().await;
    let (low, unlinked) =
        (world.session(Assurance::P5, Some(patient)).await, world.session(Assurance::P9, None).await);
    for path in ["/waiting-times", "/account/concerns"] {
        for (session, kind) in [(&low, ErrorKind::AssuranceTooLow), (&unlinked, ErrorKind::RecordNotLinked)] {
            let response = world.get(path, Some(session)).await;
            assert_eq!(response.status().as_u16(), kind.status());
            assert_eq!(response.extensions().get(), Some(&FinishedPage { kind }));
            let (page, html) = read(response).await;
            let offers = page.posts_to().contains(&"/auth/step-up");
            assert_eq!(offers, kind == ErrorKind::AssuranceTooLow, "{path}");
            assert!(html.contains(&ids().support_reference("AC")));
        }
    }
}

#[tokio::test]
async fn the_way_back_after_signing_in_stays_on_this_site() {
    let world = World::new().await;
    for (asked, kept) in [
        ("%2Fwaiting-times", "/waiting-times"),
        ("https%3A%2F%2Fevil.example%2F", "/"),
        ("%2F%2Fevil.example", "/"),
        ("%2F&return_to=%2Fhelp", "/"),
    ] {
        let (page, _) = world.page(&format!("/sign-in?return_to={asked}"), None).await;
        assert!(page.links_to(&format!("/auth/login?return_to={}", kept.replace('/', "%2F"))), "{asked}");
    }
}

#[tokio::test]
async fn a_form_for_concerns_starts_fresh_and_comes_back_with_what_to_put_right() {
    let world = World::new().await;
    let patient = world.patient().await;
    let session = world.session(Assurance::P9, Some(patient)).await;
    let about = Uuid::from_u128(9).to_string();
    let path = format!("/account/concerns?category=waiting-times&about={about}");
    let (page, _) = world.page(&path, Some(&session)).await;
    let first = page.fields_of("/account/concerns");
    assert_eq!(first["about"], about);
    assert!(Uuid::try_parse(&first["idempotency_key"]).is_ok());
    let (page, _) = world.page("/account/concerns?about=%3Cscript%3E&category=x", Some(&session)).await;
    let second = page.fields_of("/account/concerns");
    assert_eq!(second["about"], "");
    assert_ne!(first["idempotency_key"], second["idempotency_key"]);

    let form = ConcernForm {
        category: "waiting-times".to_owned(),
        about,
        text: " ".to_owned(),
        idempotency_key: first["idempotency_key"].clone(),
    };
    let errors = form.check().unwrap_err();
    let response = crate::concerns_page(&world.state, &session, &ids(), form, errors).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(response.extensions().get(), Some(&FinishedPage { kind: ErrorKind::BodyInvalid }));
    let (page, _) = read(response).await;
    assert_eq!(page.title(), "Error: Tell us what looks wrong - Front Door");
    assert_eq!(page.fields_of("/account/concerns")["idempotency_key"], first["idempotency_key"]);
    assert_eq!(page.fields_of("/account/concerns")["about"], first["about"]);
}
