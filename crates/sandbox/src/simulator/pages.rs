//! The simulator's pages: plain HTML, no script, and a banner that says what this is.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use platform::clock::age_in_years;
use url::Url;

use super::faults::{ChangedNumber, ConsentRefusal, Endpoint, FaultsChange, IdTokenKid, VotClaim};
use super::params::Params;
use super::provider::{IdentityCheck, Provider};
use crate::people::Proofing;

/// One person on the choose page.
struct PersonLine<'a> {
    sub: &'a str,
    name: String,
    age: String,
    level: &'static str,
    shows: &'a str,
}

/// One endpoint's faults, as the form shows them.
struct EndpointLine {
    name: &'static str,
    slow: u8,
    fail: u16,
}

/// One value of a select.
struct Choice {
    value: String,
    label: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "choose.html")]
struct ChoosePage<'a> {
    base: &'a str,
    request: &'a str,
    client: &'a str,
    people: Vec<PersonLine<'a>>,
    endpoints: Vec<EndpointLine>,
    kid: Vec<Choice>,
    vot: Vec<Choice>,
    consent: Vec<Choice>,
    number: Vec<Choice>,
    wrong_nonce: bool,
    userinfo_sub_swap: bool,
    signing_key: &'a str,
}

#[derive(Template)]
#[template(path = "identity_check.html")]
struct IdentityCheckPage<'a> {
    base: &'a str,
    request: &'a str,
    sub: &'a str,
    name: String,
    known: &'static str,
    needed: &'static str,
    possible: bool,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    base: &'a str,
    heading: &'a str,
    text: &'a str,
}

/// The page that asks who signs in, or the page that says the request is gone.
pub(super) fn choose(provider: &Provider, request: &str) -> Response {
    let Some(waiting) = provider.waiting(request) else { return gone(provider) };
    let today = provider.today();
    let (faults, signing_key) = provider.faults();
    let people = provider
        .people
        .iter()
        .zip(provider.levels())
        .map(|(person, level)| PersonLine {
            sub: &person.sub,
            name: person.name(),
            age: age_in_years(person.birth_date, today).map_or_else(String::new, |age| age.to_string()),
            level: level_in_words(level),
            shows: &person.shows,
        })
        .collect();
    let endpoints = Endpoint::FALLIBLE
        .into_iter()
        .map(|endpoint| EndpointLine {
            name: endpoint.as_str(),
            slow: faults.slow_seconds.get(&endpoint).copied().unwrap_or(0),
            fail: faults.fail.get(&endpoint).copied().unwrap_or(0),
        })
        .collect();
    let page = ChoosePage {
        base: &base(provider),
        request,
        client: &waiting.client_id,
        people,
        endpoints,
        kid: choices(&KID, &faults.id_token_kid),
        vot: vot_choices(&faults.vot),
        consent: choices(&CONSENT, &faults.consent_refusal),
        number: choices(&NUMBER, &faults.changed_number),
        wrong_nonce: faults.wrong_nonce,
        userinfo_sub_swap: faults.userinfo_sub_swap,
        signing_key: &signing_key,
    };
    html(StatusCode::OK, &page)
}

/// The page for a person who is not known well enough for what the client asks.
pub(super) fn identity_check(provider: &Provider, request: &str, check: &IdentityCheck) -> Response {
    let Some(person) = provider.people.get(check.person) else { return gone(provider) };
    let page = IdentityCheckPage {
        base: &base(provider),
        request,
        sub: &person.sub,
        name: person.name(),
        known: level_in_words(check.level),
        needed: check.needed.map_or("", level_in_words),
        possible: check.needed.is_some(),
    };
    html(StatusCode::OK, &page)
}

/// The request is unknown, used or too old.
pub(super) fn gone(provider: &Provider) -> Response {
    problem(
        provider,
        StatusCode::GONE,
        "This sign-in is over",
        "It was finished already, or more than ten minutes went by. Go back to the app and start again.",
    )
}

/// A page that says what is wrong.
pub(super) fn problem(provider: &Provider, status: StatusCode, heading: &str, text: &str) -> Response {
    html(status, &ProblemPage { base: &base(provider), heading, text })
}

/// Reads the faults section of the choose page.
pub(super) fn faults_from_form(params: &Params) -> Result<FaultsChange, &'static str> {
    if params.first("action") == Some("reset") {
        return Ok(FaultsChange { reset: true, ..FaultsChange::default() });
    }
    let number = |field: &str| match params.first(field) {
        None => Ok(0),
        Some(text) => text.parse::<u16>().map_err(|_| "a number is not one"),
    };
    let mut slow = std::collections::BTreeMap::new();
    let mut fail = std::collections::BTreeMap::new();
    for endpoint in Endpoint::FALLIBLE {
        let seconds = number(&format!("slow_{}", endpoint.as_str()))?;
        let status = number(&format!("fail_{}", endpoint.as_str()))?;
        if seconds > 0 {
            slow.insert(endpoint, u8::try_from(seconds).map_err(|_| "at most 60 seconds")?);
        }
        if status > 0 {
            fail.insert(endpoint, status);
        }
    }
    Ok(FaultsChange {
        reset: false,
        rotate_key: params.first("rotate_key").is_some(),
        slow_seconds: Some(slow),
        fail: Some(fail),
        id_token_kid: Some(chosen(&KID, params.first("id_token_kid"))),
        vot: Some(VotClaim::from(params.first("vot").unwrap_or_default().to_owned())),
        wrong_nonce: Some(params.first("wrong_nonce").is_some()),
        userinfo_sub_swap: Some(params.first("userinfo_sub_swap").is_some()),
        consent_refusal: Some(chosen(&CONSENT, params.first("consent_refusal"))),
        changed_number: Some(chosen(&NUMBER, params.first("changed_number"))),
    })
}

type Table<T, const N: usize> = [(T, &'static str, &'static str); N];

const KID: Table<IdTokenKid, 3> = [
    (IdTokenKid::Present, "present", "Named in the header, as always"),
    (IdTokenKid::Absent, "absent", "Not named, one key published"),
    (IdTokenKid::AbsentTwoKeys, "absent_two_keys", "Not named, two keys published"),
];
const CONSENT: Table<ConsentRefusal, 2> = [
    (ConsentRefusal::ErrorAndDescription, "error_and_description", "Error and description"),
    (ConsentRefusal::DescriptionOnly, "description_only", "Description alone"),
];
const NUMBER: Table<ChangedNumber, 3> = [
    (ChangedNumber::Automatic, "automatic", "Old number first, new number after"),
    (ChangedNumber::Old, "old", "Always the old number"),
    (ChangedNumber::New, "new", "Always the new number"),
];
const VOT: [(&str, &str); 5] = [
    ("as_is", "What the sign-in really was"),
    ("P5.Cp.Cd", "P5.Cp.Cd, whatever it was"),
    ("P9.Cp", "P9.Cp, which is no registered vector"),
    ("P9.Cm", "P9.Cm, whatever it was"),
    ("missing", "Left out"),
];

fn choices<T: PartialEq, const N: usize>(table: &Table<T, N>, now: &T) -> Vec<Choice> {
    table
        .iter()
        .map(|(value, name, label)| Choice { value: (*name).to_owned(), label, chosen: value == now })
        .collect()
}

fn chosen<T: Copy + Default, const N: usize>(table: &Table<T, N>, name: Option<&str>) -> T {
    table.iter().find(|(_, value, _)| Some(*value) == name).map_or_else(T::default, |(value, _, _)| *value)
}

fn vot_choices(now: &VotClaim) -> Vec<Choice> {
    let now = String::from(now.clone());
    let mut list: Vec<Choice> = VOT
        .iter()
        .map(|(value, label)| Choice { value: (*value).to_owned(), label, chosen: *value == now })
        .collect();
    if !list.iter().any(|choice| choice.chosen) {
        list.push(Choice { value: now, label: "As set over the test interface", chosen: true });
    }
    list
}

fn level_in_words(level: Proofing) -> &'static str {
    match level {
        Proofing::P0 => "identity not checked (P0)",
        Proofing::P5 => "details matched to a record (P5)",
        Proofing::P9 => "photo identity checked (P9)",
    }
}

/// The path the router is mounted at: the issuer's.
fn base(provider: &Provider) -> String {
    Url::parse(&provider.issuer)
        .map_or_else(|_| String::new(), |url| url.path().trim_end_matches('/').to_owned())
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(body) => {
            let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
            (status, headers, body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page of the sign-in simulator could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
