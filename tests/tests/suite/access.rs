//! Nobody gets what is not theirs: every operation of the API, called by everybody who may not call it.
//!
//! The matrix below names each operation of the document once, with who may call it. An operation that is new
//! and not in it fails the walk, and so does a row whose operation is gone.

use std::collections::{BTreeMap, BTreeSet};

use record_access::policy::{Refusal, decide};
use record_access::{AccountId, Assurance, ClientId, PatientId, Principal, RecordCategory, Scopes, category};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Browser, Reply, Server};
use url::Url;
use uuid::Uuid;

use crate::openapi::operations;

const P9: &str = "Philomena Quarrybank";
const OTHER_P9: &str = "Barnaby Thistlewick";
const P5: &str = "Tamsin Oddlesworth";
const P0: &str = "Ludovic Fenwhistle";
const NOT_LINKED: &str = "Eulalia Vantrickle";

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Anybody.
    Public,
    /// A browser on its way in: anybody, and it never answers with anything of a person.
    BrowserFlow,
    /// Whoever is signed in, however well known.
    Session,
    /// Whoever proved who they are and has a record here.
    Record,
}

const MATRIX: [(&str, Kind); 29] = [
    ("ping", Kind::Public),
    ("status", Kind::Public),
    ("getOpenApi", Kind::Public),
    ("getWaitingTimeStatistics", Kind::Public),
    ("findProviders", Kind::Public),
    ("listSpecialties", Kind::Public),
    ("getWaitingTimeEstimate", Kind::Public),
    ("compareWaitingTimes", Kind::Public),
    ("beginSignIn", Kind::BrowserFlow),
    ("completeSignIn", Kind::BrowserFlow),
    ("getSession", Kind::Session),
    ("extendSession", Kind::Session),
    ("listSessions", Kind::Session),
    ("endSession", Kind::Session),
    ("endOtherSessions", Kind::Session),
    ("endSessionById", Kind::Session),
    ("signOut", Kind::Session),
    ("extendSessionForm", Kind::Session),
    ("endSessionForm", Kind::Session),
    ("endOtherSessionsForm", Kind::Session),
    ("stepUp", Kind::Session),
    ("getMyWaitingTimes", Kind::Record),
    ("getWaitingTimePreferences", Kind::Record),
    ("setWaitingTimePreferences", Kind::Record),
    ("setPreferencesForm", Kind::Record),
    ("getProfile", Kind::Record),
    ("listConcerns", Kind::Record),
    ("raiseConcern", Kind::Record),
    ("raiseConcernForm", Kind::Record),
];

/// Pages that are not in the document and are for signed-in people only; with the operation that stands in
/// the access log, where the page opens a record.
const PAGES: [(&str, Option<&str>); 4] = [
    ("/waiting-times", Some("page.waiting-times")),
    ("/account", None),
    ("/account/sessions", None),
    ("/account/concerns", Some("page.concerns")),
];

struct Operation {
    id: String,
    kind: Kind,
    method: Method,
    path: String,
}

/// The document's operations with their rows of the matrix.
fn walk() -> Vec<Operation> {
    let kinds: BTreeMap<&str, Kind> = MATRIX.into_iter().collect();
    assert_eq!(kinds.len(), MATRIX.len(), "a row stands twice");
    let found: Vec<Operation> = operations()
        .into_iter()
        .map(|(method, path, operation)| {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let kind = *kinds.get(id.as_str()).unwrap_or_else(|| panic!("{id} is not in the matrix"));
            let assurance = operation["x-assurance"].as_str();
            let expected = match kind {
                Kind::Public | Kind::BrowserFlow => None,
                Kind::Session => Some("P0"),
                Kind::Record => Some("P9"),
            };
            assert_eq!(assurance, expected, "{id}: the document and the matrix disagree");
            Operation { id, kind, method, path }
        })
        .collect();
    let documented: BTreeSet<&str> = found.iter().map(|operation| operation.id.as_str()).collect();
    for (id, _) in MATRIX {
        assert!(documented.contains(id), "{id} stands in the matrix and not in the document");
    }
    found
}

impl Operation {
    /// The address, with everything the operation needs to be told.
    fn address(&self) -> String {
        let path = self.path.replace("{id}", &Uuid::nil().to_string()).replace("{provider}", "login");
        match self.id.as_str() {
            "getWaitingTimeStatistics" => format!("{path}?provider=RTH&treatment_function=C_120"),
            "getWaitingTimeEstimate" => {
                format!("{path}?provider=RTH&treatment_function=C_120&weeks_waited=18")
            }
            "compareWaitingTimes" => format!("{path}?treatment_function=C_120&weeks_waited=18"),
            _ => path,
        }
    }

    /// The body of a call that would succeed.
    fn body(&self) -> Option<(&'static str, String)> {
        const FORM: &str = "application/x-www-form-urlencoded";
        match self.id.as_str() {
            "raiseConcern" => Some(("application/json", concern("It says the wrong hospital.").to_string())),
            "raiseConcernForm" => {
                let key = "idempotency_key=0123456789abcdef";
                Some((FORM, format!("category=other&text=wrong&about=&{key}")))
            }
            "setWaitingTimePreferences" => {
                Some(("application/json", json!({ "show_estimates": true }).to_string()))
            }
            "setPreferencesForm" => Some((FORM, "show_estimates=yes".to_owned())),
            "endSessionForm" => Some((FORM, format!("session={}", Uuid::nil()))),
            "signOut" | "extendSessionForm" | "endOtherSessionsForm" | "stepUp" => {
                Some((FORM, "return_to=%2F".to_owned()))
            }
            _ => None,
        }
    }

    /// Calls it in `browser`, with the token of its session where it has one, under this request id.
    async fn call(&self, server: &Server, browser: &mut Browser, request_id: Uuid) -> Reply {
        let token = if browser.session().is_some() { browser.csrf_token().await } else { String::new() };
        let (origin, id) = (browser.origin(), request_id.to_string());
        let mut headers = vec![
            ("accept", "application/json"),
            ("origin", &origin),
            ("x-csrf-token", &token),
            ("x-request-id", &id),
            ("idempotency-key", &id),
            ("if-match", "*"),
        ];
        let body = self.body();
        if let Some((kind, _)) = &body {
            headers.push(("content-type", kind));
        }
        let url = Url::parse(&server.at(&self.address())).expect("an address");
        browser.send(self.method.clone(), url, &headers, body.map(|(_, body)| body.into_bytes())).await
    }
}

fn concern(text: &str) -> Value {
    json!({ "category": "other", "text": text })
}

fn new_id() -> Uuid {
    let random: platform::SharedRandom = std::sync::Arc::new(platform::OsRandom);
    random.uuid()
}

/// The patient behind a made-up person.
async fn patient(server: &Server, name: &str) -> Option<PatientId> {
    let people = sandbox::made_up_people(server.app().settings.sandbox.seed);
    let found = people.into_iter().find(|person| person.persona.name() == name);
    let persona = found.unwrap_or_else(|| panic!("nobody is called {name}")).persona;
    server.app().patients.find(&persona.nhs_number, persona.birth_date).await.expect("the store answers")
}

#[test]
fn the_matrix_and_the_document_name_the_same_operations() {
    assert_eq!(walk().len(), MATRIX.len());
}

#[tokio::test]
async fn nobody_signed_in_reaches_nothing_of_a_person() {
    let server = Server::start().await;
    let log = &server.app().access_log;
    for operation in walk() {
        let id = new_id();
        let reply = operation.call(&server, &mut server.browser(), id).await;
        let said = format!("{}: {} {}", operation.id, reply.status, reply.body);
        match operation.kind {
            Kind::Public => assert_eq!(reply.status, 200, "{said}"),
            Kind::BrowserFlow if operation.id == "beginSignIn" => assert_eq!(reply.status, 303, "{said}"),
            Kind::BrowserFlow => assert_eq!(reply.code(), "sign_in_attempt_invalid", "{said}"),
            Kind::Session | Kind::Record => {
                assert_eq!((reply.status, reply.code().as_str()), (401, "not_signed_in"), "{said}");
                assert!(reply.set_cookies().is_empty(), "{said}");
            }
        }
        // A sign-in that fails is entered; nothing else here is anybody's access to anything.
        let entered = log.of_request(id).await.unwrap();
        if operation.id == "completeSignIn" {
            assert!(entered.iter().all(|entry| entry.refused.is_some() && entry.subject.is_none()));
        } else {
            assert_eq!(entered, [], "{said}");
        }
    }
    for (page, _) in PAGES {
        let reply = server.browser().get(page).await;
        assert_eq!(reply.status, 303, "{page}: {}", reply.body);
        let sent_to = reply.location().unwrap();
        assert_eq!(sent_to.path(), "/sign-in", "{page}");
        assert_eq!(sent_to.query_pairs().next().unwrap().1, page);
    }
    // A session that never was is no session.
    for wrong in ["A".repeat(43), String::new(), "../../etc/passwd".to_owned()] {
        let mut browser = server.browser();
        browser.plant("__Host-sid", &wrong);
        assert_eq!(browser.api(Method::GET, "/v1/profile", &[]).await.code(), "not_signed_in");
    }
    server.stop().await;
}

#[tokio::test]
async fn records_stay_closed_to_whoever_is_not_known_well_enough_or_has_none_here() {
    let server = Server::start().await;
    let log = &server.app().access_log;
    for (name, code) in
        [(P0, "assurance_too_low"), (P5, "assurance_too_low"), (NOT_LINKED, "record_not_linked")]
    {
        let subject = patient(&server, name).await;
        let mut browser = server.signed_in(name).await;
        let mut actors = BTreeSet::new();
        for operation in walk().into_iter().filter(|operation| operation.kind == Kind::Record) {
            let id = new_id();
            let reply = operation.call(&server, &mut browser, id).await;
            assert_eq!((reply.status, reply.code().as_str()), (403, code), "{name}, {}", operation.id);
            let entered = log.of_request(id).await.unwrap();
            let [entry] = entered.as_slice() else { panic!("{}: {entered:?}", operation.id) };
            assert_eq!(entry.operation, operation.id);
            assert_eq!(entry.refused.as_deref(), Some(code));
            // A P0 sign-in tells no number, so it is joined to nobody.
            assert!(entry.subject.is_none() || entry.subject == subject.map(|patient| patient.0));
            actors.extend(entry.actor);
        }
        assert_eq!(actors.len(), 1, "{name} is one account");
        for (page, operation) in PAGES {
            let id = new_id().to_string();
            let headers = [("accept", "text/html"), ("x-request-id", id.as_str())];
            let reply = browser.api(Method::GET, page, &headers).await;
            let Some(operation) = operation else {
                assert_eq!(reply.status, 200, "{name}, {page}: {}", reply.body);
                continue;
            };
            assert_eq!(reply.status, 403, "{name}, {page}: {}", reply.body);
            let entered = log.of_request(id.parse().unwrap()).await.unwrap();
            assert_eq!(entered.len(), 1);
            assert_eq!(
                (entered[0].operation.as_str(), entered[0].refused.as_deref()),
                (operation, Some(code))
            );
        }
    }
    assert_eq!(log.verify().await.unwrap().broken, None);
    server.stop().await;
}

#[tokio::test]
async fn a_form_with_faults_shows_nothing_of_a_record_that_stays_closed() {
    let server = Server::start().await;
    for name in [P0, P5, NOT_LINKED] {
        let mut browser = server.signed_in(name).await;
        let reply = browser.submit("/account/concerns", &[("category", ""), ("text", "")]).await;
        assert_eq!(reply.status, 403, "{name}: {}", reply.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn each_access_by_its_owner_leaves_one_entry_that_says_who_opened_what() {
    let server = Server::start().await;
    let log = &server.app().access_log;
    let mut actors = Vec::new();
    for name in [P9, OTHER_P9] {
        let subject = patient(&server, name).await.unwrap();
        let mut browser = server.signed_in(name).await;
        let mut actor = None;
        for operation in walk().into_iter().filter(|operation| operation.kind == Kind::Record) {
            let id = new_id();
            let reply = operation.call(&server, &mut browser, id).await;
            let expected = match operation.id.as_str() {
                "raiseConcern" => 201,
                "raiseConcernForm" | "setPreferencesForm" => 303,
                _ => 200,
            };
            assert_eq!(reply.status, expected, "{}: {}", operation.id, reply.body);
            let entered = log.of_request(id).await.unwrap();
            let [entry] = entered.as_slice() else { panic!("{}: {entered:?}", operation.id) };
            let category = match operation.id.as_str() {
                "getMyWaitingTimes"
                | "getWaitingTimePreferences"
                | "setWaitingTimePreferences"
                | "setPreferencesForm" => "waiting-times",
                "getProfile" => "profile",
                _ => "concerns",
            };
            assert_eq!(entry.operation, operation.id);
            assert_eq!((entry.category.as_str(), entry.authority.as_str()), (category, "self"));
            assert_eq!((entry.refused.as_deref(), entry.subject), (None, Some(subject.0)));
            assert_eq!(entry.client, "web");
            assert_eq!(*actor.get_or_insert(entry.actor), entry.actor);
        }
        actors.push(actor.flatten().unwrap());
        for (page, operation) in PAGES {
            let id = new_id().to_string();
            let headers = [("accept", "text/html"), ("x-request-id", id.as_str())];
            assert_eq!(browser.api(Method::GET, page, &headers).await.status, 200);
            let entered = log.of_request(id.parse().unwrap()).await.unwrap();
            let entered: Vec<&str> = entered.iter().map(|entry| entry.operation.as_str()).collect();
            assert_eq!(entered, operation.into_iter().collect::<Vec<_>>(), "{page}");
        }
    }
    assert_ne!(actors[0], actors[1]);
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_signed_in_may_manage_their_session_and_opens_no_record_by_it() {
    let server = Server::start().await;
    for operation in walk().into_iter().filter(|operation| operation.kind == Kind::Session) {
        let mut browser = server.signed_in(P0).await;
        let id = new_id();
        let reply = operation.call(&server, &mut browser, id).await;
        let expected = match operation.id.as_str() {
            // Proving who one is begins with a page of ours that leads to the provider.
            "getSession" | "extendSession" | "listSessions" | "stepUp" => 200,
            "endSession" | "endOtherSessions" => 204,
            // They name a session that does not exist.
            "endSessionById" | "endSessionForm" => 404,
            _ => 303,
        };
        assert_eq!(reply.status, expected, "{}: {}", operation.id, reply.body);
        assert_eq!(server.app().access_log.of_request(id).await.unwrap(), [], "{}", operation.id);
        let is_over = matches!(operation.id.as_str(), "endSession" | "signOut");
        assert_eq!(browser.session().is_none(), is_over, "{}", operation.id);
    }
    server.stop().await;
}

#[test]
fn an_app_without_the_scope_opens_no_part() {
    fn refused<C: RecordCategory>(principal: &Principal) {
        assert_eq!(decide::<C>(principal, None), Err(Refusal::ScopeMissing), "{:?}", C::CATEGORY);
        let others = [category::WaitingTimes::SCOPE, category::Profile::SCOPE, category::Concerns::SCOPE];
        let others = others.into_iter().filter(|scope| *scope != C::SCOPE);
        let principal = Principal { scopes: others.fold(Scopes::NONE, Scopes::with), ..principal.clone() };
        assert_eq!(decide::<C>(&principal, principal.subject), Err(Refusal::ScopeMissing));
        let principal = Principal { scopes: Scopes::NONE.with(C::SCOPE), ..principal };
        assert!(decide::<C>(&principal, None).is_ok(), "{:?}", C::CATEGORY);
    }
    let principal = Principal {
        actor: AccountId(Uuid::from_u128(1)),
        subject: Some(PatientId(Uuid::from_u128(2))),
        delegation: None,
        client: ClientId::web(),
        scopes: Scopes::NONE,
        assurance: Assurance::P9,
        authenticated_at: Server::some_noon(),
    };
    refused::<category::WaitingTimes>(&principal);
    refused::<category::Profile>(&principal);
    refused::<category::Concerns>(&principal);
}

/// An answer without what names the one request it was given to.
fn anonymous(reply: &Reply) -> (u16, Value) {
    let mut body = reply.json();
    if let Some(members) = body.as_object_mut() {
        for member in ["request_id", "support_reference"] {
            assert!(members.remove(member).is_some(), "{}", reply.body);
        }
    }
    (reply.status, body)
}

#[tokio::test]
async fn what_is_somebody_elses_looks_like_what_does_not_exist() {
    let server = Server::start().await;
    let (mut one, mut other) = (server.signed_in(P9).await, server.signed_in(OTHER_P9).await);
    let nothing = new_id();

    // Their session.
    let session = one.api(Method::GET, "/v1/session", &[]).await.json()["id"].as_str().unwrap().to_owned();
    let theirs = other.api_send(Method::DELETE, &format!("/v1/sessions/{session}"), None).await;
    let none = other.api_send(Method::DELETE, &format!("/v1/sessions/{nothing}"), None).await;
    assert_eq!(theirs.code(), "not_found");
    assert_eq!(anonymous(&theirs), anonymous(&none));
    let theirs = other.submit("/auth/sessions/end", &[("session", &session)]).await;
    let none = other.submit("/auth/sessions/end", &[("session", &nothing.to_string())]).await;
    assert_eq!((theirs.status, none.status), (404, 404));
    other.api_send(Method::DELETE, "/v1/sessions", None).await;
    assert_eq!(one.api(Method::GET, "/v1/profile", &[]).await.status, 200, "the session goes on");

    // The place in their list.
    for text in ["First.", "Second.", "Third."] {
        let id = new_id().to_string();
        let more = [("idempotency-key", id.as_str())];
        let reply = one.api_send_with(Method::POST, "/v1/concerns", Some(&concern(text)), &more).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
    let page = one.api(Method::GET, "/v1/concerns?limit=1", &[]).await;
    let next = page.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let cursor = next.rsplit("cursor=").next().unwrap().to_owned();
    assert_eq!(one.api(Method::GET, &next, &[]).await.status, 200);
    let theirs = other.api(Method::GET, &next, &[]).await;
    let made_up = cursor.chars().rev().collect::<String>();
    let none = other.api(Method::GET, &format!("/v1/concerns?limit=1&cursor={made_up}"), &[]).await;
    assert_eq!(theirs.code(), "cursor_invalid");
    assert_eq!(anonymous(&theirs), anonymous(&none));

    // Their concern, or their referral, as what a concern is about: no more than any words.
    let id = page.json()["concerns"][0]["id"].as_str().unwrap().to_owned();
    let waits = one.api(Method::GET, "/v1/waiting-times", &[]).await;
    let referral = waits.json()["referrals"][0]["id"].as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for about in [id, referral, nothing.to_string()] {
        let key = new_id().to_string();
        let body = json!({ "category": "waiting-times", "about": about, "text": "Wrong." });
        let more = [("idempotency-key", key.as_str())];
        let reply = other.api_send_with(Method::POST, "/v1/concerns", Some(&body), &more).await;
        let mut answer = reply.json();
        for member in ["id", "about", "raised_at"] {
            answer.as_object_mut().unwrap().remove(member).unwrap();
        }
        answers.push((reply.status, answer));
        let page = other.get(&format!("/account/concerns?about={about}")).await;
        assert!(!page.body.contains("First.") && !page.body.contains("Orthopaedic"), "{}", page.body);
    }
    assert_eq!(answers[0].0, 201);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    server.stop().await;
}

#[tokio::test]
async fn everybody_sees_their_own_waits_and_nobody_elses() {
    let server = Server::start().await;
    let people = sandbox::made_up_people(server.app().settings.sandbox.seed);
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut bodies = BTreeSet::new();
    let mut asked = 0;
    for name in [P9, OTHER_P9, "Cosmo Hathersnipe", "Rosamund Brackenfold", "Octavian Pellwether"] {
        let person = people.iter().find(|person| person.persona.name() == name).unwrap();
        let expected = person.record.as_ref().unwrap().referrals.len();
        let mut browser = server.signed_in(name).await;
        let reply = browser.api(Method::GET, "/v1/waiting-times", &[]).await;
        let answer = reply.json();
        let referrals = answer["referrals"].as_array().unwrap();
        assert_eq!(referrals.len(), expected, "{name}");
        for referral in referrals {
            let id = referral["id"].as_str().unwrap().to_owned();
            assert_eq!(owners.insert(id, name.to_owned()), None, "{name} sees somebody else's referral");
        }
        assert!(bodies.insert(reply.body.clone()), "{name} sees what somebody else sees");
        let again = browser.api(Method::GET, "/v1/waiting-times", &[]).await;
        assert_eq!(again.body, reply.body, "and sees it again");
        asked += 1;
    }
    assert_eq!((bodies.len(), owners.len()), (asked, 7));
    server.stop().await;
}
