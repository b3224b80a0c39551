//! Nothing of a person, and no secret, where it does not belong: log lines at their most talkative, metrics,
//! addresses, the bodies of errors. Every journey is driven against the binary, and everything it let out is
//! searched for everything that must not be there.

use std::collections::BTreeMap;

use reqwest::Method;
use sandbox::{MadeUpPerson, made_up_people};
use serde_json::{Value, json};
use tests::{Browser, Reply, fresh_store};
use url::Url;

use crate::process::{Service, on};

/// Words of a person's own, which are nobody else's business.
const WORDS: &str = "The zebrawood letter is wrong";

/// What must not be found, each with what it is.
#[derive(Debug, Clone, Default)]
struct Needles(BTreeMap<String, String>);

impl Needles {
    fn add(&mut self, what: &str, needle: &str) {
        assert!(needle.len() >= 4, "{what}: {needle:?} would be found anywhere");
        self.0.insert(needle.to_lowercase(), what.to_owned());
    }

    /// Everything by which the made-up people could be known, in the forms in which people write it.
    fn of_people(people: &[MadeUpPerson]) -> Self {
        let mut needles = Self::default();
        for person in people {
            let (persona, name) = (&person.persona, person.persona.name());
            for number in std::iter::once(&persona.nhs_number).chain(&persona.superseded_nhs_number) {
                let digits = number.expose();
                for gap in ["", " ", "-", "%20", "+"] {
                    let spaced = [&digits[..3], &digits[3..6], &digits[6..]].join(gap);
                    needles.add(&format!("NHS number of {name}"), &spaced);
                }
            }
            needles.add(&format!("given name of {name}"), &persona.given_name);
            needles.add(&format!("family name of {name}"), &persona.family_name);
            for form in ["%Y-%m-%d", "%-d %B %Y", "%d/%m/%Y", "%Y%m%d"] {
                let born = persona.birth_date.format(form).to_string();
                needles.add(&format!("date of birth of {name}"), &born);
            }
            needles.add(&format!("e-mail address of {name}"), &persona.email);
            let phone = persona.phone.trim_start_matches("+44");
            let (operator, rest) = phone.split_at(4);
            for form in [
                persona.phone.clone(),
                format!("44{phone}"),
                format!("0{phone}"),
                format!("0{operator} {rest}"),
            ] {
                needles.add(&format!("telephone number of {name}"), &form);
            }
        }
        needles.add("words of a person", "zebrawood");
        needles
    }

    /// What is found in `text`, whole words only: where a needle stands inside a longer word, it is another one.
    fn found_in(&self, text: &str) -> Vec<String> {
        let text = text.to_lowercase();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let mut found = Vec::new();
        for (needle, what) in &self.0 {
            let mut places = text.match_indices(needle.as_str());
            let place = places.find(|(at, _)| {
                !is_part(text[..*at].chars().next_back())
                    && !is_part(text[at + needle.len()..].chars().next())
            });
            if let Some((at, _)) = place {
                let start = text[..at].char_indices().rev().nth(160).map_or(0, |(start, _)| start);
                let shown: String = text[start..].chars().take(400).collect();
                found.push(format!("{what}: …{shown}…"));
            }
        }
        found
    }
}

/// What one run let out, and what it must not have.
#[derive(Default)]
struct Run {
    /// What the people are known by.
    people: Needles,
    /// Cookies and tokens that were handed out.
    secrets: Needles,
    /// Authorization codes and states: they stand in addresses by their nature, and in no log line.
    codes: Needles,
    /// Every address but the simulator's own.
    addresses: Vec<String>,
    /// Bodies of errors that are about nobody in particular.
    errors: Vec<(String, String)>,
    signed_in: usize,
}

impl Run {
    fn new(people: &[MadeUpPerson]) -> Self {
        Self { people: Needles::of_people(people), ..Self::default() }
    }

    /// Keeps what an answer shows, and the secrets it handed out.
    fn saw(&mut self, reply: &Reply) {
        for cookie in reply.set_cookies() {
            if let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('='))
                && !value.is_empty()
            {
                self.secrets.add(name, value);
            }
        }
        if reply.body.contains("name=\"csrf_token\"") {
            self.secrets.add("a session's token", &tests::hidden_field(&reply.body, "csrf_token"));
        } else if reply.status >= 400 {
            // A page with a form of the session belongs to the person who sees it.
            self.errors.push((reply.url.path().to_owned(), reply.body.clone()));
        }
    }

    /// Keeps where a browser went.
    fn went(&mut self, browser: &Browser) {
        for address in &browser.visited {
            let url = Url::parse(address).expect("an address");
            for (name, value) in url.query_pairs() {
                if matches!(name.as_ref(), "code" | "state" | "nonce" | "request") && value.len() > 8 {
                    self.codes.add(&name, &value);
                }
            }
            if !url.path().starts_with("/simulator") {
                self.addresses.push(address.clone());
            }
        }
        for (name, value) in browser.cookies.values().flatten() {
            self.secrets.add(name, value);
        }
    }

    /// Everything that was let out.
    fn leaks(&self, log: &str, metrics: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut look = |place: &str, text: &str, needles: &[&Needles]| {
            let leaks = needles.iter().flat_map(|needles| needles.found_in(text));
            found.extend(leaks.map(|leak| format!("{place}: {leak}")));
        };
        for (place, text) in [("the log", log), ("the metrics", metrics)] {
            look(place, text, &[&self.people, &self.secrets, &self.codes]);
        }
        for address in &self.addresses {
            look("an address", address, &[&self.people, &self.secrets]);
            let decoded: Vec<String> = url::form_urlencoded::parse(address.as_bytes())
                .flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
                .collect();
            look("an address", &decoded.join(" "), &[&self.people, &self.secrets]);
        }
        for (path, body) in &self.errors {
            look(&format!("the error of {path}"), body, &[&self.people, &self.secrets, &self.codes]);
        }
        found
    }
}

/// Goes wherever a reply sends the browser, keeping every answer on the way.
async fn follow(run: &mut Run, browser: &mut Browser, mut reply: Reply) -> Reply {
    for _ in 0..10 {
        let is_simulators = reply.url.path().starts_with("/simulator");
        if !is_simulators {
            run.saw(&reply);
        }
        let Some(next) = reply.location().filter(|_| (300..400).contains(&reply.status)) else { break };
        reply = browser.send(Method::GET, next, &[("accept", "text/html")], None).await;
    }
    reply
}

/// Signs in as far as it goes.
async fn sign_in(run: &mut Run, browser: &mut Browser, name: &str) -> Reply {
    let begun = browser.get("/auth/login?return_to=%2Fwaiting-times").await;
    let page = follow(run, browser, begun).await;
    if page.status != 200 {
        return page;
    }
    let chosen = browser.choose_only(&page, name).await;
    follow(run, browser, chosen).await
}

/// Everything a person may do, and what they may not.
async fn use_everything(run: &mut Run, browser: &mut Browser) {
    for path in [
        "/",
        "/waiting-times",
        "/waiting-times/look-up?name=oxford&specialty=C_120",
        "/account",
        "/account/sessions",
        "/account/concerns",
        "/help",
        "/session-ending",
        "/nowhere",
    ] {
        let reply = browser.get(path).await;
        run.saw(&reply);
    }
    for path in [
        "/v1/waiting-times",
        "/v1/profile",
        "/v1/concerns",
        "/v1/concerns?cursor=AAAA",
        "/v1/session",
        "/v1/sessions",
        "/v1/waiting-times/statistics?provider=RTH",
        "/v1/waiting-times/statistics?provider=RTH&treatment_function=C_999",
        "/v1/sessions/not-a-session",
        "/_status",
    ] {
        let reply = browser.api(Method::GET, path, &[]).await;
        run.saw(&reply);
        if path == "/v1/session" && reply.status == 200 {
            let token = reply.json()["csrf_token"].as_str().unwrap_or_default().to_owned();
            run.secrets.add("a session's token", &token);
        }
    }
    let bodies: [Value; 4] = [
        json!({ "category": "other", "text": WORDS }),
        json!({ "category": WORDS, "text": WORDS }),
        json!({ "category": "other", "text": WORDS, "more": WORDS }),
        json!({ "category": "other", "text": WORDS.repeat(100) }),
    ];
    for (number, body) in bodies.iter().enumerate() {
        let key = format!("a-key-{number}");
        let key = [("idempotency-key", key.as_str())];
        let reply = browser.api_send_with(Method::POST, "/v1/concerns", Some(body), &key).await;
        run.saw(&reply);
    }
    for fields in [[("category", "other"), ("text", WORDS)], [("category", ""), ("text", WORDS)]] {
        let reply = browser.submit("/account/concerns", &fields).await;
        let reply = follow(run, browser, reply).await;
        run.saw(&reply);
    }
    let stolen = browser.post_form(
        Url::parse(&browser.origin()).expect("an origin").join("/auth/sign-out").expect("an address"),
        &[("csrf_token", "AAAA"), ("return_to", WORDS)],
    );
    let reply = stolen.await;
    run.saw(&reply);
    for form in ["/auth/extend", "/auth/sessions/end-others"] {
        let reply = browser.submit(form, &[("return_to", "/account")]).await;
        run.saw(&reply);
    }
}

/// Sets the simulator's faults.
async fn faults(browser: &mut Browser, faults: Value) {
    let url =
        Url::parse(&browser.origin()).expect("an origin").join("/simulator/faults").expect("an address");
    let json = [("content-type", "application/json")];
    let reply = browser.send(Method::POST, url, &json, Some(faults.to_string().into_bytes())).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

async fn drive(run: &mut Run, base: &str, people: &[MadeUpPerson]) {
    for person in people {
        let mut browser = Browser::new(base);
        let arrived = sign_in(run, &mut browser, &person.persona.name()).await;
        if browser.session().is_some() {
            run.signed_in += 1;
            use_everything(run, &mut browser).await;
            let reply = browser.submit("/auth/step-up", &[("return_to", "/waiting-times")]).await;
            follow(run, &mut browser, reply).await;
            run.went(&browser);
            let reply = browser.submit("/auth/sign-out", &[]).await;
            follow(run, &mut browser, reply).await;
        } else {
            assert!(arrived.status >= 400, "{}: {}", person.persona.name(), arrived.status);
        }
        run.went(&browser);
    }

    // What the provider may do wrong, and what becomes of it.
    let name = people[0].persona.name();
    for fault in [
        json!({ "wrong_nonce": true }),
        json!({ "userinfo_sub_swap": true }),
        json!({ "vot": "P9.Cp" }),
        json!({ "vot": "missing" }),
        json!({ "id_token_kid": "absent_two_keys" }),
        json!({ "rotate_key": true }),
        json!({ "fail": { "token": 503 } }),
        json!({ "fail": { "userinfo": 500 } }),
        json!({ "slow_seconds": { "token": 3 } }),
        json!({ "slow_seconds": { "userinfo": 3 } }),
    ] {
        let mut browser = Browser::new(base);
        faults(&mut browser, fault).await;
        sign_in(run, &mut browser, &name).await;
        faults(&mut browser, json!({ "reset": true })).await;
        run.went(&browser);
    }

    // What strangers send: their addresses are their own affair, what we say of them is ours.
    let persona = &people[0].persona;
    let number = persona.nhs_number.expose();
    let mut stranger = Browser::new(base);
    for path in [
        format!("/v1/patients/{number}"),
        format!("/patients/{}/{}", persona.family_name, persona.birth_date),
        format!("/v1/waiting-times/providers?query={}", persona.family_name),
        format!("/v1/waiting-times/providers?{}={number}", persona.family_name),
        format!("/v1/waiting-times/statistics?provider={number}&treatment_function={number}"),
        format!("/v1/waiting-times/providers?limit={number}"),
        format!("/v1/waiting-times/providers?cursor={number}"),
        format!("/auth/callback/login?code={number}&state={}", persona.family_name),
        format!("/auth/callback/{number}?error={}&error_description={number}", persona.family_name),
        format!("/waiting-times/look-up?provider={number}&name={}", persona.family_name),
    ] {
        let agent =
            [("user-agent", persona.email.as_str()), ("accept", "application/json"), ("referer", number)];
        let reply = stranger.api(Method::GET, &path, &agent).await;
        if reply.status >= 400 {
            run.saw(&reply);
        }
    }
}

async fn nothing_leaks_in(format: &str) {
    let store = fresh_store().await;
    let people = made_up_people(2026);
    let mut command = on(&store, &["serve"]);
    command.env("FRONT_DOOR__LOG__FILTER", "trace").env("FRONT_DOOR__LOG__FORMAT", format);
    command.env("FRONT_DOOR__IDENTITY__TOTAL_TIMEOUT_SECONDS", "1");
    let service = Service::start(&mut command);
    let mut run = Run::new(&people);
    drive(&mut run, &service.url, &people).await;
    let mut reader = Browser::new(&service.url);
    let metrics = Url::parse(service.metrics_url.as_ref().expect("metrics")).expect("an address");
    let metrics = reader.send(Method::GET, metrics, &[], None).await.body;
    let complained = service.process.complained();
    let log = complained.join("\n");
    service.stop();

    // That there was something to find, and somewhere to find it.
    assert_eq!(run.signed_in, people.len() - 2, "all but the one who refuses and the child");
    for (what, number) in
        [("secrets", run.secrets.0.len()), ("codes", run.codes.0.len()), ("errors", run.errors.len())]
    {
        assert!(number > 40, "only {number} {what}");
    }
    assert!(log.contains("getMyWaitingTimes") || log.contains("/v1/waiting-times"), "no log lines");
    assert!(complained.len() > 500, "only {} lines: is this trace?", complained.len());
    assert!(log.contains("TRACE"));
    assert!(metrics.contains("http_requests_total"));
    let leaks = run.leaks(&log, &metrics);
    assert!(leaks.is_empty(), "{} leaks: {:#?}", leaks.len(), &leaks[..leaks.len().min(12)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_into_plain_lines() {
    nothing_leaks_in("plain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_into_json_lines() {
    nothing_leaks_in("json").await;
}

#[test]
fn a_planted_leak_is_found_wherever_it_is() {
    let people = made_up_people(2026);
    let person = &people[0].persona;
    let number = person.nhs_number.expose();
    let planted = [
        format!("request patient={number} took 3 ms"),
        format!("\"nhs_number\":\"{} {} {}\"", &number[..3], &number[3..6], &number[6..]),
        format!("/patients?nhs={}%20{}%20{}", &number[..3], &number[3..6], &number[6..]),
        format!("hello {}", person.given_name.to_uppercase()),
        format!("\"family_name\":\"{}\"", person.family_name),
        format!("born {}", person.birth_date),
        format!("born {}", person.birth_date.format("%-d %B %Y")),
        format!("mail to <{}>", person.email),
        format!("sms to {}", person.phone),
        format!("text: {WORDS}"),
        "cookie: __Host-sid=kXg3Vt0b4QmVQ5bq; path=/".to_owned(),
        "token=kXg3Vt0b4QmVQ5bq".to_owned(),
    ];
    let clean = "GET /v1/waiting-times 200 in 3 ms, account 0199f3a2-0000-7000-8000-000000000000";
    for leak in &planted {
        let mut run = Run::new(&people);
        run.secrets.add("a session", "kXg3Vt0b4QmVQ5bq");
        let caught = |run: &Run, log: &str, metrics: &str| !run.leaks(log, metrics).is_empty();
        assert!(!caught(&run, clean, clean));
        assert!(caught(&run, &format!("{clean}\n{leak}\n{clean}"), clean), "in the log: {leak}");
        assert!(caught(&run, clean, leak), "in the metrics: {leak}");
        run.addresses.push(format!("http://127.0.0.1/?q={leak}"));
        assert!(caught(&run, clean, clean), "in an address: {leak}");
        run.addresses.clear();
        run.errors.push(("/v1/profile".to_owned(), leak.clone()));
        assert!(caught(&run, clean, clean), "in an error: {leak}");
    }
    // A code may stand in an address, and nowhere else.
    let mut run = Run::new(&people);
    run.codes.add("code", "a1b2c3d4e5");
    run.addresses.push("http://127.0.0.1/auth/callback/login?code=a1b2c3d4e5".to_owned());
    assert_eq!(run.leaks(clean, clean), Vec::<String>::new());
    assert_eq!(run.codes.found_in("code=a1b2c3d4e5").len(), 1);
}
