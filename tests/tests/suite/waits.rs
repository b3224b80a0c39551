//! A person's waits, and the published figures they are shown beside: right on the day, from one month at a
//! time, and unmoved by a file that is refused.

mod estimates;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use platform::ManualClock;
use reqwest::Method;
use serde_json::Value;
use tests::{Browser, Options, Server, conformance_data, fresh_store};
use waiting_times::model::Period;
use waiting_times::{ImportError, ImportOptions};

use crate::process::{month_file, on, run, text};

const WAITS: &str = "/v1/waiting-times";
const OWNER: &str = "Philomena Quarrybank";

async fn get(browser: &mut Browser, path: &str) -> Value {
    let reply = browser.api(Method::GET, path, &[]).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

fn list(provider: &str, function: &str) -> String {
    format!("/v1/waiting-times/statistics?provider={provider}&treatment_function={function}")
}

/// The referrals of whoever is signed in: provider, treatment function, status.
async fn referrals(browser: &mut Browser) -> Vec<(String, String, String)> {
    let answer = get(browser, WAITS).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let referrals = answer["referrals"].as_array().expect("referrals").iter();
    referrals
        .map(|referral| {
            let named = |what: &str| text(&referral[what]["code"]);
            (named("provider"), named("treatment_function"), text(&referral["status"]))
        })
        .collect()
}

#[tokio::test]
async fn each_person_sees_the_waits_of_their_own_record() {
    let server = Server::start().await;
    let owned = |rows: &[(&str, &str, &str)]| -> Vec<(String, String, String)> {
        rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
    };
    let expected =
        owned(&[("RRK", "C_110", "waiting"), ("R0A", "C_130", "waiting"), ("RTH", "C_120", "treated")]);
    assert_eq!(referrals(&mut server.signed_in(OWNER).await).await, expected);
    let mut other = server.signed_in("Cosmo Hathersnipe").await;
    assert_eq!(
        referrals(&mut other).await,
        owned(&[("RX1", "C_301", "waiting"), ("RTH", "C_110", "waiting")])
    );
    let page = other.get("/waiting-times").await;
    assert!(page.body.contains("Gastroenterology") && !page.body.contains("Ophthalmology"), "{}", page.body);

    // None known is said as that, and is not an error.
    let mut none = server.signed_in("Octavian Pellwether").await;
    assert_eq!(referrals(&mut none).await, []);
    assert_eq!(get(&mut none, WAITS).await["figures"]["state"], "loaded");
    server.stop().await;
}

#[tokio::test]
async fn a_figure_that_is_not_there_says_why() {
    let server = Server::start().await;
    let mut small = server.signed_in("Zephyrine Mossgrave").await;
    let answer = get(&mut small, WAITS).await;
    let statistics = &answer["referrals"][0]["statistics"];
    assert_eq!(statistics["state"], "suppressed");
    let figures = &statistics["figures"];
    assert_eq!(figures["suppressed"]["code"], "too_few_pathways");
    for figure in ["median_weeks", "percentile_92_weeks", "within_18_weeks_share"] {
        assert_eq!(figures.get(figure), Some(&Value::Null), "{figure}");
    }
    assert_eq!(get(&mut small, &list("RCB", "C_100")).await, *figures, "the same for everybody");
    let page = small.get("/waiting-times").await;
    assert!(page.body.contains("Fewer than 50 people"), "{}", page.body);

    let mut unknown = server.signed_in("Wilhelmina Rookspire").await;
    let answer = get(&mut unknown, WAITS).await;
    let statistics = &answer["referrals"][0]["statistics"];
    assert_eq!(
        (&statistics["state"], &statistics["reason"]["code"]),
        (&"unavailable".into(), &"no_figures_for_this_list".into())
    );
    assert!(answer["referrals"][0]["weeks_waited"].as_f64().is_some_and(|weeks| weeks > 4.0));

    // Every list there is: either all three figures, or none and the reason.
    let mut anybody = server.browser();
    let providers = get(&mut anybody, "/v1/waiting-times/providers?limit=100").await;
    let specialties = get(&mut anybody, "/v1/waiting-times/specialties").await;
    let mut counted = BTreeMap::new();
    for provider in providers["providers"].as_array().unwrap() {
        for function in specialties["specialties"].as_array().unwrap() {
            let path = list(provider["code"].as_str().unwrap(), function["code"].as_str().unwrap());
            let answer = get(&mut anybody, &path).await;
            let size = answer["list_size"]["count"].as_u64().unwrap_or(0);
            let missing = ["median_weeks", "percentile_92_weeks", "within_18_weeks_share"]
                .into_iter()
                .filter(|figure| answer[figure].is_null())
                .count();
            assert_eq!(missing, if size < 50 { 3 } else { 0 }, "{path}: {answer}");
            assert_eq!(answer["suppressed"].is_null(), size >= 50, "{path}: {answer}");
            *counted.entry(size < 50).or_insert(0) += 1;
        }
    }
    assert_eq!(counted, BTreeMap::from([(false, 65), (true, 1)]));
    server.stop().await;
}

fn at(year: i32, month: u32, day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, day, hour, minute, 0).single().expect("a moment that exists")
}

#[tokio::test]
async fn weeks_are_counted_by_days_in_england() {
    // Midnight in London, in summer and in winter, and over both changes of the clocks.
    for (before, after, days) in [
        (at(2027, 1, 10, 23, 59), at(2027, 1, 11, 0, 0), ["2027-01-10", "2027-01-11"]),
        (at(2027, 6, 10, 22, 59), at(2027, 6, 10, 23, 0), ["2027-06-10", "2027-06-11"]),
        (at(2027, 3, 27, 23, 59), at(2027, 3, 28, 0, 0), ["2027-03-27", "2027-03-28"]),
        (at(2027, 3, 28, 22, 59), at(2027, 3, 28, 23, 0), ["2027-03-28", "2027-03-29"]),
        (at(2027, 10, 30, 22, 59), at(2027, 10, 30, 23, 0), ["2027-10-30", "2027-10-31"]),
        (at(2027, 10, 31, 23, 59), at(2027, 11, 1, 0, 0), ["2027-10-31", "2027-11-01"]),
    ] {
        let clock = ManualClock::new(before);
        let server = Server::with(Options { clock: Some(clock.clone()), ..Options::default() }).await;
        let mut browser = server.signed_in(OWNER).await;
        for (moment, day) in [(before, days[0]), (after, days[1])] {
            clock.set(moment);
            let answer = get(&mut browser, WAITS).await;
            assert_eq!(answer["as_of"], day, "{moment}");
            let today: chrono::NaiveDate = day.parse().unwrap();
            for referral in answer["referrals"].as_array().unwrap() {
                let date = |member: &str| {
                    referral[member].as_str().map(|day| day.parse::<chrono::NaiveDate>().unwrap())
                };
                let until = date("stopped_on").unwrap_or(today);
                let waited = (until - date("clock_start").unwrap()).num_days();
                let expected = (f64::from(i32::try_from(waited).unwrap()) / 7.0 * 10.0).round() / 10.0;
                assert_eq!(referral["weeks_waited"].as_f64(), Some(expected), "{moment}: {referral}");
                assert_eq!(referral["stopped_on"].is_null(), referral["status"] == "waiting");
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn figures_that_grow_old_say_so() {
    let clock = ManualClock::new(Server::some_noon());
    let store = Arc::new(fresh_store().await);
    let server = Server::on(store, Options { clock: Some(clock.clone()), ..Options::default() }).await;
    let mut browser = server.browser();
    let month = get(&mut browser, &list("RTH", "C_120")).await;
    let counted: chrono::NaiveDate = month["period_end"].as_str().unwrap().parse().unwrap();
    for (days, freshness, health) in
        [(75, "current", "pass"), (76, "ageing", "pass"), (130, "ageing", "pass"), (131, "old", "warn")]
    {
        let noon = (counted + chrono::Days::new(days)).and_hms_opt(12, 0, 0).unwrap().and_utc();
        clock.set(noon);
        let answer = get(&mut browser, &list("RTH", "C_120")).await;
        assert_eq!((answer["age_days"].as_u64(), &answer["freshness"]), (Some(days), &freshness.into()));
        let status = get(&mut browser, "/_status").await;
        assert_eq!(status["checks"]["waiting-times:figures"]["status"], health, "{days} days");
    }
    server.stop().await;
}

/// What the public answers are made of: everything a month shows.
async fn whole_answers(browser: &mut Browser) -> Vec<String> {
    let mut bodies = Vec::new();
    for path in [
        list("RTH", "C_120"),
        list("RCB", "C_100"),
        "/v1/waiting-times/specialties".to_owned(),
        "/v1/waiting-times/providers?limit=100".to_owned(),
        WAITS.to_owned(),
    ] {
        // An error names its request: give it one name.
        let id = [("x-request-id", "00000000-0000-4000-8000-000000000000")];
        bodies.push(browser.api(Method::GET, &path, &id).await.body);
    }
    bodies
}

/// Waits until `browser` sees official figures, for at most five seconds.
async fn sees_official(browser: &mut Browser) {
    let mut last = Value::Null;
    for _ in 0..50 {
        last = get(browser, "/v1/waiting-times/specialties").await;
        if last["figures"]["month"]["source"]["kind"] == "official" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within five seconds: {}", last["figures"]);
}

/// The codes of all providers, page by page.
async fn walk(browser: &mut Browser, limit: usize) -> Vec<String> {
    let mut codes = Vec::new();
    let mut next = Some(format!("/v1/waiting-times/providers?limit={limit}"));
    while let Some(path) = next {
        let reply = browser.api(Method::GET, &path, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let page = reply.json();
        let page = page["providers"].as_array().expect("providers");
        assert!((1..=limit).contains(&page.len()));
        codes.extend(page.iter().map(|provider| provider["code"].to_string()));
        next = reply.header("link").split(['<', '>']).nth(1).map(str::to_owned);
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_month_appears_everywhere_and_the_made_up_one_is_gone() {
    let Some(data) = conformance_data() else { return };
    let file = data.join("rtt/full-extract/2026-01-full-extract.csv.gz");
    let server = Server::start().await;
    let other = Server::on(server.store(), Options::default()).await;
    let mut here = server.signed_in(OWNER).await;
    let mut there = Browser::new(&other.url());
    there.plant("__Host-sid", &here.session().unwrap());
    let before = whole_answers(&mut here).await;
    assert!(before == whole_answers(&mut there).await, "two instances say the same");
    assert!(before.iter().all(|body| !body.contains("Open Government Licence")));

    let report = server.app().waiting_times.import_file(&file, ImportOptions::default()).await.unwrap();
    assert_eq!((report.period.as_str(), report.made_up_months_removed), ("2026-01", 6));
    for browser in [&mut here, &mut there] {
        sees_official(browser).await;
        let answer = get(browser, &list("RTH", "C_120")).await;
        assert_eq!(
            (&answer["period"], &answer["source"]["publisher"]),
            (&"2026-01".into(), &"NHS England".into())
        );
        let attribution = answer["source"]["attribution"].as_str().unwrap_or_default();
        assert!(attribution.contains("Open Government Licence v3.0"), "{answer}");
        let waits = get(browser, WAITS).await;
        assert_eq!(waits["figures"]["month"]["source"]["kind"], "official");
        assert_eq!(waits["referrals"].as_array().map(Vec::len), Some(3), "the referrals stay");
        assert!(!waits.to_string().contains("made_up"), "{waits}");
        let providers = browser.api(Method::GET, "/v1/waiting-times/providers?limit=100", &[]).await;
        assert!(!providers.header("link").is_empty(), "more providers than five");
        for page in ["/waiting-times", "/waiting-times/look-up?provider=RTH&specialty=C_120&name="] {
            let page = browser.get(page).await;
            assert!(page.body.contains("Open Government Licence v3.0"), "{}", page.body);
        }
    }
    assert!(whole_answers(&mut here).await == whole_answers(&mut there).await);
    let mut walks = BTreeSet::new();
    for (browser, limit) in [(&mut here, 7), (&mut there, 100)] {
        walks.insert(walk(browser, limit).await);
    }
    assert_eq!(walks.len(), 1, "by small pages or by large ones, here or there, it is one list");
    let codes = walks.pop_first().unwrap();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "nobody stands there twice");
    assert!(codes.len() > 300, "only {} providers", codes.len());
    server.stop().await;
    other.stop().await;
}

fn contents(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("the published file");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// A published file, and what can happen to it on its way.
fn damaged(folder: &Path, whole: &[u8]) -> Vec<PathBuf> {
    let text = std::str::from_utf8(whole).expect("UTF-8");
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    let join = |lines: Vec<&str>| lines.concat().into_bytes();
    let middle = lines.len() / 2;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(whole).expect("gzip");
    let packed = packed.finish().expect("gzip");

    // A total that its details do not add up to.
    let mut fields: Vec<String> = lines[middle].split(',').map(str::to_owned).collect();
    let last = fields.len() - 1;
    fields[last] = "999999999\r\n".to_owned();
    let wrong_sum = fields.join(",");
    let mut wrong_total = lines.clone();
    wrong_total[middle] = &wrong_sum;

    let mut letters = lines.clone();
    let with_letters = lines[middle].replacen(",", ",x", 20);
    letters[middle] = &with_letters;

    let mut columns: Vec<String> = lines[0].split(',').map(str::to_owned).collect();
    columns.swap(14, 20);
    let swapped = columns.join(",");
    let mut reordered = lines.clone();
    reordered[0] = &swapped;

    let two_months = text.replacen(&text[text.find("RTT-").unwrap_or(0)..][..8], "RTT-None", 1);
    let doubled = [&lines[..], &lines[1..]].concat();
    vec![
        write(folder, "cut-in-a-row.csv", &whole[..whole.len() / 2 + 7]),
        write(folder, "cut-between-rows.csv", &join(lines[..middle].to_vec())),
        write(
            folder,
            "rows-missing.csv",
            &join(lines.iter().enumerate().filter(|(at, _)| at % 9 != 5).map(|(_, line)| *line).collect()),
        ),
        write(folder, "twice.csv", &join(doubled)),
        write(folder, "wrong-total.csv", &join(wrong_total)),
        write(folder, "letters.csv", &join(letters)),
        write(folder, "columns-swapped.csv", &join(reordered)),
        write(folder, "no-header.csv", &join(lines[1..].to_vec())),
        write(folder, "another-month.csv", two_months.as_bytes()),
        write(folder, "cut.csv.gz", &packed[..packed.len() - 300]),
        write(folder, "damaged.csv.gz", &{
            let mut bytes = packed.clone();
            let at = bytes.len() / 2;
            bytes[at..at + 64].fill(0x55);
            bytes
        }),
        write(folder, "empty.csv", b""),
        write(folder, "not-zip.zip", b"PK\x03\x04 not a zip"),
        write(folder, "binary.csv", &(0..=255_u8).cycle().take(5_000).collect::<Vec<_>>()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_refused_changes_no_answer() {
    let Some(data) = conformance_data() else { return };
    let whole = contents(&data.join("rtt/full-extract-52-week-era/2014-12-full-extract.csv.gz"));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let mut browser = server.signed_in(OWNER).await;
    let files = damaged(folder.path(), &whole);
    // With nothing but made-up figures there, and with the good file of the same month.
    for is_imported in [false, true] {
        if is_imported {
            let good = write(folder.path(), "whole.csv", &whole);
            server.app().waiting_times.import_file(&good, ImportOptions::default()).await.unwrap();
        }
        let before = (whole_answers(&mut browser).await, server.app().waiting_times.generation());
        for file in &files {
            let outcome = server.app().waiting_times.import_file(file, ImportOptions::default()).await;
            match outcome {
                Err(ImportError::Refused(refusal)) => assert!(!refusal.to_string().is_empty()),
                other => panic!("{}: {other:?}", file.display()),
            }
            let after = (whole_answers(&mut browser).await, server.app().waiting_times.generation());
            assert!(after == before, "{} changed an answer", file.display());
        }
    }
    // And by the binary: one line, an exit code, nothing else.
    let store = server.stop().await;
    let mut arguments = vec!["rtt", "import"];
    let shown = files[4].display().to_string();
    arguments.push(&shown);
    let output = run(&mut on(&store, &arguments));
    let complained = text(&output.stderr);
    assert!(!output.status.success() && complained.lines().count() == 1, "{complained}");
    assert!(complained.contains("wrong-total.csv"), "{complained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_mixes_two_months() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let month = |year, month, seed| {
        let path = folder.path().join(format!("{year}-{month}.csv"));
        let period = Period::new(year, month).unwrap();
        std::fs::write(&path, sandbox::month::made_up_month(seed, period).unwrap()).unwrap();
        path
    };
    let files = [month(2026, 4, 4), month(2026, 5, 5), month(2026, 6, 6)];
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = Vec::new();
    for place in 0..3 {
        let mut browser = if place == 0 { server.signed_in(OWNER).await } else { server.browser() };
        let stop = stop.clone();
        work.push(tokio::spawn(async move {
            let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                let answer = if place == 0 {
                    let waits = get(&mut browser, WAITS).await;
                    let figures = waits["referrals"][0]["statistics"]["figures"].clone();
                    assert_eq!(figures["period"], waits["figures"]["month"]["period"], "{waits}");
                    for referral in waits["referrals"].as_array().unwrap() {
                        assert_eq!(referral["statistics"]["figures"]["period"], figures["period"], "{waits}");
                    }
                    figures
                } else {
                    get(&mut browser, &list("RRK", "C_110")).await
                };
                let what = format!(
                    "{} {} {}",
                    answer["list_size"], answer["median_weeks"], answer["source"]["kind"]
                );
                seen.insert((answer["period"].as_str().unwrap().to_owned(), what));
            }
            seen
        }));
    }
    for file in &files {
        server.app().waiting_times.import_file(file, ImportOptions::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut seen = BTreeSet::new();
    for outcome in futures::future::join_all(work).await {
        seen.extend(outcome.unwrap());
    }
    // Each period goes with one set of figures, whoever asked.
    let periods: BTreeSet<&String> = seen.iter().map(|(period, _)| period).collect();
    assert_eq!(periods.len(), seen.len(), "{seen:?}");
    for period in ["2026-04", "2026-05", "2026-06"] {
        assert!(periods.iter().any(|seen| *seen == period), "{period} was never seen: {seen:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_month_that_is_imported_twice_is_the_same_month() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = month_file(folder.path(), 3);
    let mut browser = server.browser();
    let times = &server.app().waiting_times;
    times.import_file(&file, ImportOptions::default()).await.unwrap();
    let first = (browser.api(Method::GET, &list("RRK", "C_110"), &[]).await, times.generation());
    let again = times.import_file(&file, ImportOptions::default()).await.unwrap();
    assert_eq!(again.outcome.code(), "unchanged");
    let second = (browser.api(Method::GET, &list("RRK", "C_110"), &[]).await, times.generation());
    assert_eq!((&first.0.body, &first.1), (&second.0.body, &second.1));
    assert_eq!(first.0.header("etag"), second.0.header("etag"));
    server.stop().await;
}
