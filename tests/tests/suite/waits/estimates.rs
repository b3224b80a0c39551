//! Estimates over HTTP: what is asked is answered, what is wrong is refused by name, and what a person asked not to be
//! shown stays out of every answer.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use platform::ManualClock;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Browser, Options, Server, fresh_store};

use super::{OWNER, WAITS, get};
use crate::process::{Service, on};

const ESTIMATE: &str = "/v1/waiting-times/estimate";
const COMPARE: &str = "/v1/waiting-times/compare";
const PREFERENCES: &str = "/v1/waiting-times/preferences";

fn estimate(rest: &str) -> String {
    format!("{ESTIMATE}?provider=RTH&treatment_function=C_120{rest}")
}

fn compare(rest: &str) -> String {
    format!("{COMPARE}?treatment_function=C_120{rest}")
}

/// The day it is in England, by the server.
async fn today(browser: &mut Browser) -> NaiveDate {
    let told = get(browser, &estimate("")).await["as_of"].as_str().map(str::to_owned);
    told.and_then(|day| day.parse().ok()).expect("a day")
}

fn weeks(value: &Value) -> f64 {
    value["value"].as_f64().unwrap_or_else(|| panic!("no weeks: {value}"))
}

#[tokio::test]
async fn anybody_may_ask_how_much_longer_and_gets_the_whole_answer() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let answer = get(&mut browser, &estimate("&weeks_waited=18.5")).await;
    assert_eq!((&answer["status"], &answer["weeks_waited"]), (&"ok".into(), &18.5.into()), "{answer}");
    let remaining = &answer["remaining_weeks"];
    let points = ["p10", "p25", "p50", "p75", "p90"].map(|point| weeks(&remaining[point]));
    assert!(points.is_sorted() && points[4] > points[0], "{answer}");
    for point in ["p10", "p50", "p90"] {
        let total = weeks(&answer["total_wait_weeks"][point]);
        assert!((total - 18.5 - weeks(&remaining[point])).abs() < 0.05, "{answer}");
        assert!(weeks(&answer["if_you_stay_weeks"][point]) >= weeks(&remaining[point]), "{answer}");
    }
    assert_eq!(answer["if_you_stay_weeks"]["label"]["code"], "upper_reading");
    let chances =
        ["by_4_weeks", "by_12_weeks", "by_26_weeks"].map(|by| answer["probability"][by].as_f64().unwrap());
    assert!(chances.is_sorted(), "{answer}");
    assert_eq!(answer["standard"]["already_past"], true);
    assert_eq!(answer["probability"]["within_18_week_standard"], Value::Null);
    assert_eq!(answer["official"]["figures"]["period_end"], answer["basis"]["period_end"], "one month");
    assert_eq!(answer["attribution"], Value::Null, "nobody published made-up figures");
    assert_eq!(answer["basis"]["level"], "provider_tfc");
    assert!(answer["caveats"].as_array().unwrap().iter().any(|caveat| caveat["code"] == "not_a_booking"));

    // The same by the day the clock started, and by the same tag.
    let start = today(&mut browser).await - chrono::Days::new(70);
    let (by_day, by_weeks) = (estimate(&format!("&clock_start={start}")), estimate("&weeks_waited=10"));
    let (by_day, by_weeks) =
        (browser.api(Method::GET, &by_day, &[]).await, browser.api(Method::GET, &by_weeks, &[]).await);
    assert_eq!(by_day.body, by_weeks.body);
    let tag = by_day.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag == by_weeks.header("etag"));
    assert_eq!(by_day.header("cache-control"), "private, no-cache", "the address holds a person's day");
    let again = browser.api(Method::GET, &estimate("&weeks_waited=10"), &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_know_the_day_gets_three_ranges() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let reply = browser.api(Method::GET, &estimate(""), &[]).await;
    assert_eq!(reply.header("cache-control"), "public, max-age=60");
    let answer = reply.json();
    assert_eq!((&answer["weeks_waited"], &answer["remaining_weeks"]), (&Value::Null, &Value::Null));
    let ranges = answer["ranges"].as_array().unwrap();
    let starts: Vec<_> = ranges.iter().map(|range| range["from_weeks"].as_u64().unwrap()).collect();
    assert_eq!(starts, [0, 18, 52]);
    for range in ranges {
        assert!(
            weeks(&range["remaining_weeks"]["p10"]) <= weeks(&range["remaining_weeks"]["p90"]),
            "{range}"
        );
    }
    // From the cache, and from a form whose fields were left blank.
    for rest in ["", "&weeks_waited=&clock_start="] {
        assert_eq!(browser.api(Method::GET, &estimate(rest), &[]).await.body, reply.body, "{rest}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_has_no_estimate_says_why() {
    let server = Server::start().await;
    let mut browser = server.browser();
    for (path, status, reason) in [
        (
            format!("{ESTIMATE}?provider=RRK&treatment_function=X03&weeks_waited=3"),
            "unavailable",
            "not_computed_for_mental_health",
        ),
        (format!("{ESTIMATE}?provider=RCB&treatment_function=C_100&weeks_waited=3"), "pooled", "small_list"),
        (format!("{ESTIMATE}?provider=ZZZ&treatment_function=C_100&weeks_waited=3"), "pooled", "not_on_list"),
        (estimate("&weeks_waited=110"), "low_data", "waited_beyond_bands"),
    ] {
        let answer = get(&mut browser, &path).await;
        assert_eq!(answer["status"], status, "{path}: {answer}");
        assert!(answer["reasons"].as_array().unwrap().iter().any(|told| told["code"] == reason), "{answer}");
        assert_eq!(answer["remaining_weeks"].is_null(), status == "unavailable", "{path}: {answer}");
    }
    let neither = format!("{ESTIMATE}?provider=ZZZ&treatment_function=C_998&weeks_waited=3");
    assert_eq!(browser.api(Method::GET, &neither, &[]).await.code(), "not_found");
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_its_name_and_not_said_back() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let today = today(&mut browser).await;
    let tomorrow = format!("&clock_start={}", today + chrono::Days::new(1));
    let too_early = format!("&clock_start={}", today - chrono::Days::new(3700));
    let eleven = "&provider=RTH".repeat(11);
    let page = browser.api(Method::GET, &compare("&weeks_waited=3&limit=1"), &[]).await;
    let next = page.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let cursor = next.rsplit("cursor=").next().unwrap().to_owned();
    for (path, pointer) in [
        (estimate("&weeks_waited=-1"), "weeks_waited"),
        (estimate("&weeks_waited=520.1"), "weeks_waited"),
        (estimate("&weeks_waited=NaN"), "weeks_waited"),
        (estimate("&weeks_waited=zebrawood"), "weeks_waited"),
        (estimate(&tomorrow), "clock_start"),
        (estimate(&too_early), "clock_start"),
        (estimate("&clock_start=2026-02-30"), "clock_start"),
        (estimate("&clock_start=zebrawood"), "clock_start"),
        (estimate("&clock_start=2026-01-01&weeks_waited=3"), "clock_start"),
        (estimate("&decision_to_admit=perhaps"), "decision_to_admit"),
        (format!("{ESTIMATE}?provider=R-H&treatment_function=C_120"), "provider"),
        (format!("{ESTIMATE}?provider=RTH&treatment_function=C_999"), "treatment_function"),
        (compare("&weeks_waited=600"), "weeks_waited"),
        (compare("&weeks_waited=3&region=R-H"), "region"),
        (compare("&weeks_waited=3&provider=ZZZ"), "provider"),
        (compare("&weeks_waited=3&region=QU9&provider=RTH"), "provider"),
        (compare(&format!("&weeks_waited=3{eleven}")), "provider"),
        (compare("&weeks_waited=3&limit=0"), "limit"),
        (compare("&weeks_waited=3&cursor=AAAA"), "cursor"),
        (format!("{COMPARE}?treatment_function=C_110&weeks_waited=3&limit=1&cursor={cursor}"), "cursor"),
    ] {
        let reply = browser.api(Method::GET, &path, &[]).await;
        assert_eq!(
            (reply.status, reply.json()["pointer"].as_str()),
            (400, Some(pointer)),
            "{path}: {}",
            reply.body
        );
        assert!(!reply.body.contains("zebrawood"), "{}", reply.body);
    }
    for path in [ESTIMATE.to_owned(), estimate("&patient=1"), COMPARE.to_owned(), compare("")] {
        assert_eq!(browser.api(Method::GET, &path, &[]).await.code(), "parameter_invalid", "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn providers_stand_side_by_side_in_the_order_of_their_names() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let answer = get(&mut browser, &compare("&weeks_waited=20&limit=100")).await;
    let rows = answer["providers"].as_array().unwrap().clone();
    assert!(rows.len() >= 3, "{answer}");
    let names: Vec<String> =
        rows.iter().map(|row| row["provider"]["name"].as_str().unwrap().to_uppercase()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for row in &rows {
        let code = row["provider"]["code"].as_str().unwrap();
        let path = format!("{ESTIMATE}?provider={code}&treatment_function=C_120&weeks_waited=20");
        let alone = get(&mut browser, &path).await;
        assert_eq!(row["status"], alone["status"], "{code}");
        assert_eq!(row["remaining_weeks"]["p50"], alone["remaining_weeks"]["p50"], "{code}");
        assert_eq!(row["median_weeks"], alone["official"]["figures"]["median_weeks"], "{code}");
    }

    // Page by page it is the same list, also in one region and by name.
    let mut walked = Vec::new();
    let mut next = Some(compare("&weeks_waited=20&limit=2"));
    while let Some(path) = next {
        let reply = browser.api(Method::GET, &path, &[]).await;
        let page = reply.json();
        walked.extend(page["providers"].as_array().unwrap().iter().cloned());
        next = reply.header("link").split(['<', '>']).nth(1).map(str::to_owned);
    }
    assert_eq!(walked, rows);
    let regions: BTreeSet<String> =
        rows.iter().filter_map(|row| row["region"]["code"].as_str().map(str::to_owned)).collect();
    let mut counted = 0;
    for region in &regions {
        let answer =
            get(&mut browser, &compare(&format!("&weeks_waited=20&limit=100&region={region}"))).await;
        let here = answer["providers"].as_array().unwrap();
        assert!(here.iter().all(|row| row["region"]["code"] == region.as_str()), "{answer}");
        counted += here.len();
    }
    assert_eq!(counted, rows.iter().filter(|row| !row["region"].is_null()).count());
    let two = get(&mut browser, &compare("&weeks_waited=20&provider=RTH&provider=RRK")).await;
    assert_eq!(two["providers"].as_array().unwrap().len(), 2, "{two}");
    server.stop().await;
}

#[tokio::test]
async fn each_referral_carries_its_estimate_or_why_there_is_none() {
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let answer = get(&mut browser, WAITS).await;
    for referral in answer["referrals"].as_array().unwrap() {
        let estimate = &referral["estimate"];
        assert_eq!(estimate["weeks_waited"], referral["weeks_waited"], "{referral}");
        assert_eq!(estimate["official"], referral["statistics"], "{referral}");
        if referral["status"] == "waiting" {
            assert_eq!(estimate["status"], "ok", "{referral}");
            let path = format!(
                "{ESTIMATE}?provider={}&treatment_function={}&clock_start={}",
                referral["provider"]["code"].as_str().unwrap(),
                referral["treatment_function"]["code"].as_str().unwrap(),
                referral["clock_start"].as_str().unwrap(),
            );
            let public = get(&mut browser, &path).await;
            assert_eq!(public["remaining_weeks"], estimate["remaining_weeks"], "{referral}");
        } else {
            assert_eq!(estimate["status"], "unavailable", "{referral}");
            assert_eq!(estimate["reasons"][0]["code"], "wait_ended", "{referral}");
        }
    }
    server.stop().await;
}

/// What stands in the estimates of whoever is signed in.
async fn statuses(browser: &mut Browser) -> BTreeSet<String> {
    let answer = get(browser, WAITS).await;
    let referrals = answer["referrals"].as_array().expect("referrals").iter();
    referrals.map(|referral| referral["estimate"]["status"].as_str().expect("a status").to_owned()).collect()
}

#[tokio::test]
async fn estimates_are_hidden_when_asked_and_shown_again() {
    let server = Server::start().await;
    let other_instance = Server::on(server.store(), Options::default()).await;
    let mut browser = server.signed_in(OWNER).await;
    let mut there = Browser::new(&other_instance.url());
    there.plant("__Host-sid", &browser.session().unwrap());
    let mut other = server.signed_in("Barnaby Thistlewick").await;

    let reply = browser.api(Method::GET, PREFERENCES, &[]).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "show_estimates": true })));
    let shown = reply.header("etag").to_owned();
    let tag_of_waits = browser.api(Method::GET, WAITS, &[]).await.header("etag").to_owned();
    let hide = json!({ "show_estimates": false });

    // A change says what it starts from.
    let send = async |browser: &mut Browser, body: &Value, tag: Option<&str>| {
        let more: Vec<(&str, &str)> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
        browser.api_send_with(Method::PUT, PREFERENCES, Some(body), &more).await
    };
    let missing = send(&mut browser, &hide, None).await;
    assert_eq!((missing.status, missing.code().as_str()), (428, "precondition_required"), "{}", missing.body);
    let weak = format!("W/{shown}");
    for tag in ["\"other\"", weak.as_str()] {
        let refused = send(&mut browser, &hide, Some(tag)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (412, "precondition_failed"),
            "{}",
            refused.body
        );
    }
    for body in [json!({}), json!({ "show_estimates": "no" }), json!({ "show_estimates": false, "more": 1 })]
    {
        assert_eq!(send(&mut browser, &body, Some("*")).await.code(), "body_invalid", "{body}");
    }
    assert!(statuses(&mut browser).await.contains("ok"), "nothing was changed");

    let done = send(&mut browser, &hide, Some(&shown)).await;
    assert_eq!((done.status, done.json()), (200, hide.clone()));
    let hidden = done.header("etag").to_owned();
    assert_ne!(hidden, shown);
    let only_hidden = BTreeSet::from(["hidden".to_owned()]);
    assert_eq!(statuses(&mut browser).await, only_hidden);
    let waits = browser.api(Method::GET, WAITS, &[("if-none-match", &tag_of_waits)]).await;
    assert_eq!(waits.status, 200, "what the browser holds is old");
    assert!(!waits.body.contains("remaining_weeks"), "{}", waits.body);
    assert_eq!(statuses(&mut there).await, only_hidden, "in another instance too");
    assert!(!statuses(&mut other).await.contains("hidden"), "nobody else's");

    // Who read the old state does not overwrite the new one.
    assert_eq!(send(&mut there, &json!({ "show_estimates": true }), Some(&shown)).await.status, 412);
    assert_eq!(statuses(&mut browser).await, only_hidden);
    // The form of a page, and back.
    let form = browser
        .submit("/account/preferences", &[("show_estimates", "yes"), ("return_to", "/waiting-times")])
        .await;
    assert_eq!((form.status, form.location().unwrap().path()), (303, "/waiting-times"));
    assert!(statuses(&mut browser).await.contains("ok"));
    let wrong = browser.submit("/account/preferences", &[("show_estimates", "perhaps")]).await;
    assert_eq!(wrong.status, 400);
    let away = [("show_estimates", "no"), ("return_to", "https://elsewhere.example/")];
    let form = browser.submit("/account/preferences", &away).await;
    assert_eq!(form.location().unwrap().host_str(), form.url.host_str(), "never to another site");
    assert_eq!(statuses(&mut browser).await, only_hidden);
    server.stop().await;
    other_instance.stop().await;
}

#[tokio::test]
async fn figures_that_grow_old_lower_the_status_and_then_end_it() {
    let clock = ManualClock::new(Server::some_noon());
    let store = std::sync::Arc::new(fresh_store().await);
    let server = Server::on(store, Options { clock: Some(clock.clone()), ..Options::default() }).await;
    let mut browser = server.browser();
    let asked = estimate("&weeks_waited=10");
    let first = get(&mut browser, &asked).await;
    let counted: NaiveDate = first["basis"]["period_end"].as_str().unwrap().parse().unwrap();
    for (days, status, reason) in [
        (75, "ok", None),
        (76, "ok", Some("figures_ageing")),
        (131, "stale", Some("figures_old")),
        (400, "stale", Some("figures_old")),
        (401, "unavailable", Some("figures_too_old")),
    ] {
        let noon = (counted + chrono::Days::new(days)).and_hms_opt(12, 0, 0).unwrap().and_utc();
        clock.set(noon);
        let answer = get(&mut browser, &asked).await;
        assert_eq!(
            (answer["status"].as_str(), answer["reasons"][0]["code"].as_str()),
            (Some(status), reason)
        );
        assert_eq!(answer["basis"]["age_days"], days);
        // Time alone moves nothing.
        let expected = if status == "unavailable" { &Value::Null } else { &first["remaining_weeks"] };
        assert_eq!(&answer["remaining_weeks"], expected, "{days} days");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_day_begins_at_midnight_in_england() {
    let clock = ManualClock::new(Server::some_noon());
    let store = std::sync::Arc::new(fresh_store().await);
    let server = Server::on(store, Options { clock: Some(clock.clone()), ..Options::default() }).await;
    let mut browser = server.browser();
    let day = platform::london_date(Server::some_noon());
    let minutes = (0..).map(|minute| Server::some_noon() + chrono::Duration::minutes(minute));
    let midnight = minutes.into_iter().find(|now| platform::london_date(*now) > day).unwrap();
    let path = estimate(&format!("&clock_start={}", day + chrono::Days::new(1)));
    clock.set(midnight - chrono::Duration::seconds(1));
    assert_eq!(browser.api(Method::GET, &path, &[]).await.json()["pointer"], "clock_start", "tomorrow");
    clock.set(midnight);
    assert_eq!(get(&mut browser, &path).await["weeks_waited"], 0.0, "today");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_somebody_has_waited_stands_in_no_log_line_and_no_metric() {
    let store = fresh_store().await;
    let mut command = on(&store, &["serve"]);
    command.env("FRONT_DOOR__LOG__FILTER", "trace");
    let service = Service::start(&mut command);
    let mut browser = Browser::new(&service.url);
    let start = today(&mut browser).await - chrono::Days::new(1_234);
    let typed = start.format("day=%d&month=%m&year=%Y");
    let list = "/waiting-times/look-up?provider=RTH&specialty=C_120";
    let typed = [format!("{list}&{typed}"), format!("{list}&weeks=41.4142")];
    let start = start.to_string();
    for path in [
        estimate(&format!("&clock_start={start}")),
        estimate(&format!("&clock_start={start}&decision_to_admit=true")),
        estimate(&format!("&clock_start={start}&weeks_waited=41.4142")),
        estimate("&weeks_waited=41.4142"),
        compare("&weeks_waited=41.4142&limit=1"),
        typed[0].clone(),
        typed[1].clone(),
        "/waiting-times/compare?specialty=C_120&weeks=41.4142".to_owned(),
    ] {
        let reply = browser.api(Method::GET, &path, &[]).await;
        assert!(reply.status < 500, "{path}: {}", reply.body);
    }
    let metrics = url::Url::parse(service.metrics_url.as_ref().expect("metrics")).expect("an address");
    let metrics = browser.send(Method::GET, metrics, &[], None).await.body;
    let log = service.process.complained().join("\n");
    service.stop();
    assert!(log.contains("/v1/waiting-times/estimate"), "the requests are in the log");
    for (place, text) in [("the log", &log), ("the metrics", &metrics)] {
        for needle in [start.as_str(), "41.4142"] {
            let found = text.lines().find(|line| line.contains(needle));
            assert!(found.is_none(), "{place}: {found:?}");
        }
    }
}
