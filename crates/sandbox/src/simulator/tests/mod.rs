//! The provider against its own rules. What runs here needs no network: requests go to the core, or through
//! the router in the process.

mod assertions;
mod authorize;
mod faults;
mod hostile;
mod http;
mod people;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chrono::{Duration, NaiveDate, TimeZone, Utc};
use platform::keys::RsaKey;
use platform::{ManualClock, SeededRandom, crypto};
use record_access::NhsNumber;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::params::Params;
use super::provider::{Choice, Provider};
use super::token::{TokenError, Tokens};
use super::*;
use crate::people::{Proofing, Sharing};

const CLIENT: &str = "front-door";
const REDIRECT: &str = "http://127.0.0.1:8080/auth/callback/sim";
const ISSUER: &str = "http://127.0.0.1:8080/simulator";
const TOKEN_ENDPOINT: &str = "http://127.0.0.1:8080/simulator/token";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0";

/// Keys are slow to make: a few are made once for all tests.
fn key(index: usize) -> RsaKey {
    static PEMS: OnceLock<Vec<String>> = OnceLock::new();
    let pems = PEMS.get_or_init(|| (0..3).map(|_| RsaKey::generate().unwrap().to_pem().to_owned()).collect());
    RsaKey::from_pem(&pems[index]).unwrap()
}

fn signing_key() -> RsaKey {
    key(0)
}

fn client_key() -> RsaKey {
    key(1)
}

fn other_client_key() -> RsaKey {
    key(2)
}

struct World {
    clock: ManualClock,
    simulator: Simulator,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap());
        let config = SimulatorConfig {
            issuer: ISSUER.parse().unwrap(),
            clients: vec![
                client(CLIENT, &client_key(), &["P0.Cp", "P5.Cp.Cd", "P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm"]),
                client("other", &other_client_key(), &["P9.Cp.Cd"]),
            ],
            people: people(),
            clock: Arc::new(clock.clone()),
            random: Arc::new(SeededRandom::new(1)),
        };
        Self { clock, simulator: Simulator::with_key(config, signing_key()).unwrap() }
    }

    fn provider(&self) -> &Provider {
        &self.simulator.provider
    }

    /// A request that is in order, changed by `changes`; an empty value takes the parameter out.
    fn begin(&self, changes: &[(&str, &str)]) -> Result<String, super::authorize::Refusal> {
        self.provider().begin(&Params::parse(authorize_form(changes).as_bytes()))
    }

    fn choose(&self, request: &str, sub: &str, answer: &str) -> Choice {
        let form = form(&[("request", request), ("person", sub), ("answer", answer)]);
        self.provider().choose(&Params::parse(form.as_bytes()))
    }

    /// Signs a person in and returns the parameters of the callback.
    fn callback(&self, sub: &str, changes: &[(&str, &str)]) -> HashMap<String, String> {
        let request = self.begin(changes).unwrap();
        match self.choose(&request, sub, "") {
            Choice::Redirect(address) => query_of(&address),
            _ => panic!("no redirect"),
        }
    }

    fn code(&self, sub: &str) -> String {
        self.callback(sub, &[])["code"].clone()
    }

    fn token(&self, pairs: &[(&str, &str)]) -> Result<Tokens, TokenError> {
        self.provider().token(&Params::parse(form(pairs).as_bytes()), false)
    }

    fn exchange(&self, code: &str) -> Result<Tokens, TokenError> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &self.assertion()),
        ])
    }

    fn refresh(&self, token: &str) -> Result<Tokens, TokenError> {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &self.assertion()),
        ])
    }

    /// Claims of an assertion that is in order.
    fn assertion_claims(&self) -> Value {
        let now = self.provider().now().timestamp();
        json!({
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": TOKEN_ENDPOINT,
            "iat": now,
            "exp": now + 60,
            "jti": self.provider().random.uuid().to_string(),
        })
    }

    fn assertion(&self) -> String {
        client_key().sign(Some("JWT"), &self.assertion_claims()).unwrap()
    }

    fn now(&self) -> i64 {
        self.provider().now().timestamp()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn fault(&self, change: Value) -> Report {
        self.simulator.change_faults(serde_json::from_value(change).unwrap()).unwrap()
    }
}

fn client(id: &str, key: &RsaKey, vtr: &[&str]) -> RegisteredClient {
    RegisteredClient {
        client_id: id.into(),
        redirect_uris: vec![REDIRECT.into(), "http://127.0.0.1:8080/second".into()],
        public_jwks: json!({ "keys": [key.public_jwk()] }),
        vtr: vtr.iter().map(|&name| name.to_owned()).collect(),
        scopes: ["openid", "profile", "profile_extended", "basic_demographics", "email", "phone"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn people() -> Vec<Persona> {
    let person = |sub: &str, given: &str, level, passkey| Persona {
        sub: sub.into(),
        given_name: given.into(),
        family_name: "Quillfeather".into(),
        birth_date: NaiveDate::from_ymd_opt(1980, 5, 17).unwrap(),
        nhs_number: NhsNumber::parse("9990000018").unwrap(),
        superseded_nhs_number: None,
        level,
        passkey,
        sharing: Sharing::Agrees,
        email: "q@example.org".into(),
        phone: "+447700900001".into(),
        gp_practice: "Y90001".into(),
        shows: "a test".into(),
    };
    vec![
        person("p9", "Nina", Proofing::P9, false),
        person("p9-passkey", "Passa", Proofing::P9, true),
        person("p5", "Fia", Proofing::P5, false),
        person("p0", "Nulla", Proofing::P0, false),
        Persona { sharing: Sharing::Refuses, ..person("refuses", "Nay", Proofing::P9, false) },
        Persona {
            superseded_nhs_number: Some(NhsNumber::parse("9990000026").unwrap()),
            ..person("changed", "Cora", Proofing::P9, false)
        },
    ]
}

fn authorize_form(changes: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid profile profile_extended email phone"),
        ("state", "a state & more"),
        ("nonce", "a nonce"),
    ];
    for (name, value) in changes {
        pairs.retain(|(key, _)| key != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    form(&pairs)
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn query_of(address: &str) -> HashMap<String, String> {
    let (_, query) = address.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn header_of(token: &str) -> Value {
    part_of(token, 0)
}

fn claims_of(token: &str) -> Value {
    part_of(token, 1)
}

fn part_of(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&crypto::from_b64url(part).unwrap()).unwrap()
}

fn challenge() -> String {
    crypto::b64url(&crypto::sha256(VERIFIER.as_bytes()))
}
