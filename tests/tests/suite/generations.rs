//! Generations, as an operator makes them with the binary and every instance follows them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tests::{Browser, Form, Options, Server, conformance_data, form, fresh_store};
use waiting_times::extract_writer::{ExtractGroup, ExtractRow, NamedOrganisation, RowCounts, write_extract};
use waiting_times::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

use crate::process::{Service, binary, on, run, text};

const LIST: &str = "/v1/waiting-times/statistics?provider=RXA&treatment_function=C_110";

/// A month of one provider whose queue moves as queues do: a twentieth leaves each week, most of them treated.
fn month_file(folder: &Path, month: u32, people: u32) -> PathBuf {
    let layout = BandLayout::To104Weeks;
    let weekly = |scale: f64| -> WeeklyBands {
        let at = |week: i32| (f64::from(people) * scale * 0.95_f64.powi(week)).round() as u32;
        let counts: Vec<u32> = (0..104).map(at).chain([0]).collect();
        WeeklyBands::new(layout, counts.into()).unwrap()
    };
    let organisation = |code, name| NamedOrganisation { code: OrganisationCode::parse(code).unwrap(), name };
    let groups =
        [(Part::CompletedNonAdmitted, 0.19), (Part::Incomplete, 1.0)].map(|(part, scale)| ExtractGroup {
            provider: organisation("RXA", "MADE-UP HOSPITALS TRUST"),
            provider_parent: None,
            commissioner: organisation("00A", "COMMISSIONER"),
            part,
            rows: vec![ExtractRow {
                treatment_function: TreatmentFunction::parse("C_110").unwrap(),
                name: "Made-up Service",
                counts: RowCounts::Bands(weekly(scale), 0),
            }],
        });
    let path = folder.join(format!("{month}-{people}.csv"));
    let mut out = Vec::new();
    write_extract(&mut out, Period::new(2026, month).unwrap(), layout, groups).unwrap();
    std::fs::write(&path, out).unwrap();
    path
}

/// Asks until the list is answered from `period`, for five seconds at most.
async fn follows(browser: &mut Browser, period: &str) {
    let started = Instant::now();
    loop {
        let reply = browser.api(Method::GET, LIST, &[]).await;
        if reply.status == 200 && reply.json()["period"] == period {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "not {period} within 5 s: {}", reply.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How the estimates are, by `/_status`: the status and what it says.
async fn estimates(browser: &mut Browser) -> (String, Value) {
    let answer = browser.api(Method::GET, "/_status", &[]).await.json();
    let check = &answer["checks"]["waiting-times:estimates"];
    let output = serde_json::from_str(check["output"].as_str().unwrap_or_default()).unwrap();
    (check["status"].as_str().unwrap_or_default().to_owned(), output)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_does_every_instance_follows_within_five_seconds() {
    let store = fresh_store().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |month, people| month_file(folder.path(), month, people).display().to_string();
    let services = [0, 1].map(|_| Service::start(&mut on(&store, &["serve"])));
    let mut browsers = [Browser::new(&services[0].url), Browser::new(&services[1].url)];

    let done = run(&mut on(&store, &["rtt", "import", "--json", &file(1, 60), &file(2, 60)]));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let reports: Vec<Value> =
        text(&done.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((reports.len(), &reports[0]["fit"]), (2, &Value::Null), "one fit for both");
    assert_eq!(reports[1]["fit"]["outcome"], "switched");
    for browser in &mut browsers {
        follows(browser, "2026-02").await;
        let (status, output) = estimates(browser).await;
        assert_eq!(output["generation"], reports[1]["generation"]);
        // January and February are one pair, and the machine's own clock decides how old they are.
        assert!(status == "warn" && output["remarks"].to_string().contains("1 pairs"), "{output}");
    }

    // A list that loses two thirds is not believed: nothing changes, and everybody says why.
    let done = run(&mut on(&store, &["rtt", "import", &file(3, 20)]));
    let complained = text(&done.stderr);
    assert!(!done.status.success() && complained.lines().count() == 1, "{complained}");
    assert!(complained.contains("list_changed") && complained.contains("stays in use"), "{complained}");
    for browser in &mut browsers {
        follows(browser, "2026-02").await;
        let (status, output) = estimates(browser).await;
        assert_eq!((status.as_str(), &output["generation"]), ("warn", &reports[1]["generation"]));
        assert!(output["remarks"][0].as_str().unwrap().contains("list_changed"), "{output}");
    }
    let done = run(&mut on(&store, &["rtt", "fit", "--accept-changes", "--json"]));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let account: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&account["outcome"], &account["months"][2]), (&"switched".into(), &"2026-03".into()));
    for browser in &mut browsers {
        follows(browser, "2026-03").await;
        assert_eq!(estimates(browser).await.1["failed_fit"], Value::Null);
    }

    // Back, by one word, and the list of what is kept says so.
    let done = run(&mut on(&store, &["rtt", "rollback"]));
    assert!(done.status.success(), "{}", text(&done.stderr));
    for browser in &mut browsers {
        follows(browser, "2026-02").await;
    }
    let done = run(&mut on(&store, &["rtt", "generations", "--json"]));
    let kept: Value = serde_json::from_slice(&done.stdout).unwrap();
    let active: Vec<&Value> = kept.as_array().unwrap().iter().filter(|one| one["active"] == true).collect();
    assert_eq!((active.len(), &active[0]["generation"]), (1, &reports[1]["generation"]));
    let shown = text(&run(&mut on(&store, &["rtt", "generations"])).stdout);
    assert!(shown.contains("in use") && shown.contains("superseded"), "{shown}");
    let done = run(&mut on(&store, &["rtt", "rollback", "no-such-one"]));
    assert!(!done.status.success() && text(&done.stderr).contains("no-such-one"));

    // What is exported is what is in use; a reader that goes away is no error.
    let exported = run(&mut on(&store, &["rtt", "export", "--horizon-days", "30,61"]));
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert_eq!(text(&exported.stdout).lines().count(), 1 + 105);
    for service in services {
        service.stop();
    }
}

#[test]
fn an_export_of_files_touches_no_database_and_minds_no_closed_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let data = nowhere.display().to_string();
    let [one, two] = [1, 2].map(|month| month_file(folder.path(), month, 60).display().to_string());
    let export = ["rtt", "export", "--data-dir", &data, "--horizon-days", "30", "--months", &one, &two];
    let done = run(&mut binary(&export));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let table = text(&done.stdout);
    assert!(table.starts_with("provider_code,treatment_function_code,weeks_waited,level,status,p10,"));
    assert_eq!((table.lines().count(), nowhere.exists()), (1 + 105, false));

    let mut child = binary(&export).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", text(&ended.stderr));

    let broken = folder.path().join("broken.csv");
    std::fs::write(&broken, "not an extract\n").unwrap();
    let broken = broken.display().to_string();
    for arguments in [
        vec!["rtt", "export", "--data-dir", &data, "--months", &one, &broken],
        vec!["rtt", "backtest", "--data-dir", &data, "--train", &one, "--test", &broken],
        vec!["rtt", "backtest", "--data-dir", &data, "--train", &two, "--test", &one],
        vec!["rtt", "export", "--data-dir", &data, "--months", &one, "--successors", &broken],
    ] {
        let done = run(&mut binary(&arguments));
        let complained = text(&done.stderr);
        assert!(!done.status.success() && done.stdout.is_empty(), "{arguments:?}");
        assert!(complained.lines().count() == 1, "{arguments:?}: {complained}");
    }
    assert!(!nowhere.exists());
}

#[test]
fn a_back_test_of_published_months_reports_in_words_numbers_and_a_picture() {
    let Some(data) = conformance_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let of = |month: &str| {
        let name = format!("rtt/full-extract-52-week-era/{month}-full-extract.csv.gz");
        data.join(name).display().to_string()
    };
    let svg = folder.path().join("calibration.svg").display().to_string();
    let (january, february, march) = (of("2015-01"), of("2015-02"), of("2015-03"));
    let mut arguments = vec!["rtt", "backtest", "--train", &january, &february, "--test", &march];
    arguments.extend(["--json", "--svg", &svg]);
    let done = run(&mut binary(&arguments));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&report["origin"], &report["tests"][0]["days"]), (&"2015-02".into(), &31.into()));
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("<title"), "{drawn:.200}");
}

/// Redis full of other things while the service runs: the same answers, and a warning.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_redis_changes_no_answer() {
    let Form::Production { cache, .. } = form() else {
        println!("skipped: only the production form has a Redis");
        return;
    };
    let server = Server::start().await;
    let list = "/v1/waiting-times/statistics?provider=RTH&treatment_function=C_120";
    let mut browser = server.browser();
    let expected = browser.api(Method::GET, list, &[]).await.body;
    // Entries under the names the service uses, written without its key.
    let settings = server.store().settings();
    let stranger =
        platform::cache::Cache::with_redis(1 << 20, cache, &settings.cache.prefix, b"not the key").unwrap();
    let generation = server.app().waiting_times.generation();
    let today = platform::london_date(server.app().clock.now());
    let hour = Duration::from_secs(3_600);
    for name in [
        format!("waiting-times:statistics:{generation}:{today}:RTH:C_120"),
        format!("waiting-times:specialties:{generation}:{today}"),
        format!("wt:{generation}:C_120"),
    ] {
        stranger.keep_shared_bytes(&name, b"{\"forged\": true}", hour).await;
    }
    let other = Server::on(server.store(), Options::default()).await;
    let mut there = other.browser();
    assert_eq!(there.api(Method::GET, list, &[]).await.body, expected);
    let specialties = there.api(Method::GET, "/v1/waiting-times/specialties", &[]).await;
    assert!(specialties.status == 200 && !specialties.body.contains("forged"));
    let status = there.api(Method::GET, "/_status", &[]).await;
    let answer = status.json();
    assert_eq!((status.status, &answer["checks"]["cache"]["status"]), (200, &"warn".into()), "{answer}");
    let said = answer["checks"]["cache"]["output"].as_str().unwrap_or_default();
    assert!(said.contains("damaged"), "{answer}");
    other.stop().await;
    server.stop().await;
}
