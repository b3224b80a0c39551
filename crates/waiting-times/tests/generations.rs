//! Generations through the door: made, checked, switched, gone back to, cleared away, and the same on every instance.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[expect(dead_code, reason = "only a part is used here")]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chrono::Duration;
use platform::cache::Cache;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;
use support::{House, house, month, moving_month, start};
use wait_estimator::Successors;
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::{
    FitOptions, FitOutcome, ImportOptions, ImportReport, MadeUpFile, WaitingTimes, WaitingTimesError,
};

fn provider() -> ProviderCode {
    ProviderCode::parse("RXA").unwrap()
}

fn function() -> TreatmentFunction {
    TreatmentFunction::parse("C_110").unwrap()
}

async fn import(house: &House, contents: &[u8]) -> ImportReport {
    import_as(house, contents, ImportOptions::default()).await
}

async fn import_as(house: &House, contents: &[u8], options: ImportOptions) -> ImportReport {
    let path = house.file("extract.csv", contents);
    house.waiting.import_file(&path, options).await.unwrap()
}

async fn number(house: &House, sql: &str) -> i64 {
    let statement = Statement::from_string(house.db.backend(), sql);
    house.db.read().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

fn period(waiting: &WaitingTimes) -> String {
    waiting.statistics_view(provider(), function()).unwrap().month.period
}

async fn model_months(waiting: &WaitingTimes) -> Vec<String> {
    waiting.estimates_health().await.unwrap().months
}

fn outcome(report: &ImportReport) -> FitOutcome {
    report.fit.as_ref().unwrap().outcome
}

#[tokio::test]
async fn an_import_is_fitted_and_both_halves_are_in_use_together() {
    let house = house().await;
    let first = import(&house, &moving_month(2026, 1, 60)).await;
    assert_eq!(outcome(&first), FitOutcome::Switched, "{first}");
    assert_eq!((first.generation.len(), &first.generation), (12, &house.waiting.generation()));
    assert_eq!(model_months(&house.waiting).await, ["2026-01"]);
    let remarks = house.waiting.estimates_health().await.unwrap().remarks;
    assert!(remarks.len() == 1 && remarks[0].contains("0 pairs"), "{remarks:?}");

    let second = import(&house, &moving_month(2026, 2, 60)).await;
    assert_eq!(outcome(&second), FitOutcome::Switched);
    assert_eq!((period(&house.waiting).as_str(), model_months(&house.waiting).await.len()), ("2026-02", 2));
    let earlier = import(&house, &moving_month(2025, 12, 60)).await;
    assert_eq!(model_months(&house.waiting).await, ["2025-12", "2026-01", "2026-02"]);
    assert_eq!(
        period(&house.waiting),
        "2026-02",
        "the newest month is the base, in whatever order they come"
    );
    let health = house.waiting.estimates_health().await.unwrap();
    assert_eq!((health.pairs, health.remarks), (2, Vec::new()));
    let tested = earlier.fit.as_ref().unwrap().tested.clone().unwrap();
    assert_eq!((tested.on, tested.pathways > 0), (vec!["2026-02".to_owned()], true));

    // The same again is the same: nothing is fitted, and a fit finds what is there.
    let again = import(&house, &moving_month(2026, 2, 60)).await;
    assert_eq!((&again.generation, again.fit.is_none()), (&earlier.generation, true));
    let account = house.waiting.fit(&FitOptions::default()).await.unwrap();
    assert_eq!((account.outcome, &account.in_use), (FitOutcome::Unchanged, &earlier.generation));
    let names: BTreeSet<String> = [first, second, earlier].map(|report| report.generation).into();
    assert_eq!(names.len(), 3);
    let kept = house.waiting.generations().await.unwrap();
    assert_eq!(kept.iter().filter(|generation| generation.active).count(), 1);
    assert_eq!(kept.iter().map(|generation| generation.generation.clone()).collect::<BTreeSet<_>>(), names);
}

#[tokio::test]
async fn several_files_are_stored_and_fitted_once() {
    let house = house().await;
    let files = [11, 12].map(|of_month| MadeUpFile {
        name: format!("{of_month}.csv"),
        contents: moving_month(2025, of_month, 60),
    });
    let reports = house.waiting.import_made_up_months(files.into()).await.unwrap();
    assert!(reports[0].fit.is_none());
    assert_eq!(outcome(&reports[1]), FitOutcome::Switched);
    assert_eq!(house.waiting.generations().await.unwrap().len(), 1);

    // Storing alone changes nothing that is answered, official though it be.
    let before = house.waiting.generation();
    let options = ImportOptions { no_fit: true, ..ImportOptions::default() };
    let stored = import_as(&house, &moving_month(2026, 1, 60), options).await;
    assert_eq!((stored.made_up_months_removed, stored.fit.is_none()), (2, true));
    assert_eq!((stored.generation, house.waiting.generation()), (before.clone(), before));
    let other = house.another_instance().await;
    assert_eq!(period(&other), "2025-12");

    // The fit takes the official month alone, compares it with nothing, and the made-up ones are gone.
    let account = house.waiting.fit(&FitOptions::default()).await.unwrap();
    assert_eq!((account.outcome, account.months), (FitOutcome::Switched, vec!["2026-01".to_owned()]));
    for table in ["rtt_month", "rtt_generation"] {
        let made_up = format!("SELECT count(*) FROM {table} WHERE origin = 'made_up'");
        assert_eq!(number(&house, &made_up).await, 0, "{table}");
    }
    assert_eq!(number(&house, "SELECT count(DISTINCT month_id) FROM rtt_count").await, 1);
    assert_eq!(house.waiting.generations().await.unwrap()[0].previous, None);
    assert!(other.refresh_if_changed().await.unwrap());
    assert_eq!(period(&other), "2026-01");
}

#[tokio::test]
async fn going_back_is_one_word_and_a_fit_of_the_same_files_goes_forward_again() {
    let house = house().await;
    let first = import(&house, &moving_month(2026, 1, 60)).await.generation;
    let second = import(&house, &moving_month(2026, 2, 60)).await.generation;
    assert_eq!(house.waiting.rollback(None).await.unwrap(), first);
    assert_eq!((house.waiting.generation(), period(&house.waiting).as_str()), (first.clone(), "2026-01"));
    assert_eq!(model_months(&house.waiting).await, ["2026-01"]);
    for name in ["000000000000", ""] {
        let refused = house.waiting.rollback(Some(name)).await.unwrap_err();
        assert!(matches!(refused, WaitingTimesError::NoSuchGeneration(_)), "{name:?}: {refused}");
    }
    let refused = house.waiting.rollback(None).await.unwrap_err();
    assert!(matches!(refused, WaitingTimesError::NoEarlierGeneration), "{refused}");
    assert_eq!(house.waiting.generation(), first);
    assert_eq!(house.waiting.rollback(Some(&first)).await.unwrap(), first, "where it is already");

    let account = house.waiting.fit(&FitOptions::default()).await.unwrap();
    assert_eq!((account.outcome, account.in_use), (FitOutcome::PointedBack, second.clone()));
    assert_eq!(house.waiting.rollback(Some(&first)).await.unwrap(), first);
    assert_eq!(house.waiting.rollback(Some(&second)).await.unwrap(), second);
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_generation").await, 2);
}

#[tokio::test]
async fn superseded_generations_expire_after_45_days_and_take_their_counts_along() {
    let house = house().await;
    let first = import(&house, &moving_month(2026, 1, 60)).await.generation;
    let revised = import(&house, &moving_month(2026, 1, 61)).await;
    assert_eq!(outcome(&revised), FitOutcome::Switched);
    let counts = "SELECT count(DISTINCT month_id) FROM rtt_count";
    for (days, gone, kept) in [(0, 0, 2), (44, 0, 2), (45, 1, 1), (400, 0, 1)] {
        house.clock.set(start() + Duration::days(days));
        assert_eq!(house.waiting.sweep_generations().await.unwrap(), gone, "{days} days");
        assert_eq!(house.waiting.generations().await.unwrap().len(), kept, "{days} days");
        assert_eq!(number(&house, counts).await, kept as i64, "{days} days");
    }
    assert_eq!(number(&house, "SELECT count(DISTINCT generation) FROM rtt_generation_chunk").await, 1);
    assert!(house.waiting.rollback(Some(&first)).await.is_err());
    let other = house.another_instance().await;
    assert_eq!(model_months(&other).await, ["2026-01"]);
    let remarks = other.estimates_health().await.unwrap().remarks;
    assert!(remarks.iter().any(|remark| remark.contains("448 days ago")), "{remarks:?}");
}

#[tokio::test]
async fn a_fit_that_fails_its_checks_changes_nothing_and_every_instance_says_so() {
    let house = house().await;
    let other = house.another_instance().await;
    let good = import(&house, &moving_month(2026, 1, 60)).await;
    let bad = import(&house, &moving_month(2026, 2, 20)).await;
    let fit = bad.fit.as_ref().unwrap();
    assert_eq!((fit.outcome, &fit.in_use), (FitOutcome::Refused, &good.generation), "{bad}");
    assert!(fit.failures.iter().any(|failure| failure.code == "list_changed"), "{:?}", fit.failures);
    other.refresh_if_changed().await.unwrap();
    for waiting in [&house.waiting, &other] {
        assert_eq!((waiting.generation(), period(waiting)), (good.generation.clone(), "2026-01".to_owned()));
        let health = waiting.estimates_health().await.unwrap();
        let failed = health.failed_fit.unwrap();
        assert_eq!((failed.months.len(), &failed.generation), (2, &fit.generation));
        assert!(health.remarks[0].contains("did not pass") && health.remarks[0].contains("list_changed"));
    }
    // Again without a word fails again; with one it passes, and the failure is settled.
    let refused = house.waiting.fit(&FitOptions::default()).await.unwrap();
    assert_eq!(refused.outcome, FitOutcome::Refused);
    let accepting = FitOptions { accept_changes: true, ..FitOptions::default() };
    let taken = house.waiting.fit(&accepting).await.unwrap();
    assert_eq!((taken.outcome, taken.in_use.clone()), (FitOutcome::Switched, taken.generation));
    assert_eq!(period(&house.waiting), "2026-02");
    assert_eq!(other.estimates_health().await.unwrap().failed_fit, None);
}

#[tokio::test]
async fn nothing_goes_past_the_checks_of_the_model_itself() {
    let house = house().await;
    // Lists and not one completed pathway: statistics can be had of that, and no model.
    let lists = |of_month| month(2026, of_month, &[("RXA", "C_110", &[(1, 400), (9, 300)])]);
    let first = import(&house, &lists(1)).await;
    assert_eq!(outcome(&first), FitOutcome::StatisticsOnly, "{first}");
    assert_eq!(period(&house.waiting), "2026-01");
    let health = house.waiting.estimates_health().await.unwrap();
    assert_eq!((health.model_version, health.failed_fit.is_some()), (None, true));

    let good = import(&house, &moving_month(2026, 1, 60)).await;
    assert_eq!(outcome(&good), FitOutcome::Switched);
    assert_eq!(house.waiting.estimates_health().await.unwrap().failed_fit, None);
    let options = ImportOptions { accept_large_change: true, ..ImportOptions::default() };
    let bad = import_as(&house, &lists(1), options).await;
    assert_eq!((outcome(&bad), &bad.generation), (FitOutcome::Refused, &good.generation));
    assert_eq!(model_months(&house.waiting).await, ["2026-01"]);
}

#[tokio::test]
async fn without_months_there_is_nothing_to_fit() {
    let house = house().await;
    let refused = house.waiting.fit(&FitOptions::default()).await.unwrap_err();
    assert!(matches!(refused, WaitingTimesError::NoMonthImported));
    assert!(house.waiting.generations().await.unwrap().is_empty());
    assert!(house.waiting.rollback(None).await.is_err());
    assert!(house.waiting.export(&[], Vec::new()).is_err());
    assert_eq!(house.waiting.sweep_generations().await.unwrap(), 0);
}

/// What is stored is what the estimator writes for these files, byte by byte, on whichever database.
#[tokio::test]
async fn the_stored_model_is_the_fitted_one_on_either_database() {
    let house = house().await;
    let files: Vec<_> = [(2025, 12), (2026, 1)]
        .map(|(year, of_month)| house.file(&format!("{of_month}.csv"), &moving_month(year, of_month, 60)))
        .into();
    for file in &files {
        house.waiting.import_file(file, ImportOptions::default()).await.unwrap();
    }
    let months = waiting_times::read_months(&files).unwrap();
    let model = wait_estimator::fit(&months, &Successors::built_in().unwrap()).unwrap().model;
    let expected = model.encode();
    let of = format!("FROM rtt_generation_chunk WHERE generation = '{}'", house.waiting.generation());
    let statement = Statement::from_string(house.db.backend(), format!("SELECT bytes {of} ORDER BY 1"));
    let rows = house.db.read().query_all_raw(statement).await.unwrap();
    let stored: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert_eq!(stored, expected.chunks.into_values().collect::<Vec<_>>());

    // And what is exported from the store is what is exported from the files.
    let (mut stored, mut direct) = (Vec::new(), Vec::new());
    house.waiting.export(&[30, 61], &mut stored).unwrap();
    waiting_times::export::write(&model, &[30, 61], &mut direct).unwrap();
    assert!(stored == direct && !stored.is_empty());
}

#[tokio::test]
async fn an_export_has_a_row_for_every_list_and_week() {
    let house = house().await;
    import(&house, &moving_month(2025, 12, 60)).await;
    import(&house, &moving_month(2026, 1, 60)).await;
    let mut out = Vec::new();
    house.waiting.export(&[7, 70], &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "provider_code,treatment_function_code,weeks_waited,level,status,p10,p25,p50,p75,p90,\
             still_waiting_7,still_waiting_70"
        )
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 2 * 105);
    for (place, row) in rows.iter().enumerate() {
        assert_eq!((row.len(), row[2].parse::<usize>().unwrap()), (12, place % 105));
        assert_eq!(row[3], "provider_tfc");
        let weeks: Vec<f64> = row[5..10].iter().filter_map(|text| text.parse().ok()).collect();
        assert!(weeks.is_sorted(), "{row:?}");
        let (soon, later): (f64, f64) = (row[10].parse().unwrap(), row[11].parse().unwrap());
        assert!((0.0..=1.0).contains(&later) && later <= soon && soon <= 1.0, "{row:?}");
    }
    // Who has waited beyond all bands is told no weeks.
    assert_eq!(rows[104][5..10], [""; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_mixes_two_generations_while_they_are_switched() {
    let house = house().await;
    let one = import(&house, &moving_month(2026, 1, 60)).await.generation;
    let two = import(&house, &moving_month(2026, 2, 66)).await.generation;
    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (waiting, stop, reads) = (house.waiting.clone(), Arc::clone(&stop), Arc::clone(&reads));
            let ends = [(one.clone(), "2026-01-31"), (two.clone(), "2026-02-28")];
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                while !stop.load(Ordering::Relaxed) {
                    let answer = waiting.estimate_view(provider(), function(), None, false);
                    let answer = serde_json::to_value(&answer).unwrap();
                    let (name, end) = said_by(&answer);
                    assert!(ends.contains(&(name.clone(), end.as_str())), "{answer}");
                    assert_eq!(answer["official"]["figures"]["period_end"], end.as_str(), "{answer}");
                    seen.insert(name);
                    reads.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
                seen
            })
        })
        .collect();
    let mut switches = 0;
    while switches < 20
        || (reads.load(Ordering::Relaxed) < 2_000 && !readers.iter().any(|one| one.is_finished()))
    {
        for name in [&one, &two] {
            house.waiting.rollback(Some(name)).await.unwrap();
            switches += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert_eq!(reader.await.unwrap().len(), 2, "both were seen");
    }
    println!("{} reads during {switches} switches, none mixed", reads.load(Ordering::Relaxed));
}

/// The generation and the day of the list an answer says it is from.
fn said_by(answer: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&answer["basis"]["generation"]), text(&answer["basis"]["period_end"]))
}

#[tokio::test]
async fn a_stored_model_that_does_not_read_costs_the_estimates_and_nothing_else() {
    let house = house().await;
    import(&house, &moving_month(2026, 1, 60)).await;
    let spoil = Statement::from_string(
        house.db.backend(),
        match house.db.backend() {
            sea_orm::DbBackend::Postgres => "UPDATE rtt_generation_chunk SET bytes = '\\x00'::bytea",
            _ => "UPDATE rtt_generation_chunk SET bytes = X'00'",
        },
    );
    house.db.write().execute_raw(spoil).await.unwrap();
    let other = house.another_instance().await;
    assert_eq!(period(&other), "2026-01");
    let health = other.estimates_health().await.unwrap();
    assert_eq!(health.model_version, None);
    assert!(health.remarks[0].contains("no estimates"), "{:?}", health.remarks);
}

#[tokio::test]
async fn figures_that_an_earlier_version_pointed_at_are_answered_until_they_are_fitted() {
    let house = house().await;
    let january = moving_month(2026, 1, 60);
    import(&house, &january).await;
    // As a database looks that knew no generations.
    for sql in [
        "DELETE FROM rtt_generation_chunk",
        "DELETE FROM rtt_generation",
        "UPDATE rtt_active SET generation = 'before'",
    ] {
        house.db.write().execute_unprepared(sql).await.unwrap();
    }
    let other = house.another_instance().await;
    assert_eq!((period(&other).as_str(), other.generation().as_str()), ("2026-01", "before"));
    let remarks = other.estimates_health().await.unwrap().remarks;
    assert!(remarks[0].contains("rtt fit"), "{remarks:?}");
    assert!(matches!(other.rollback(None).await, Err(WaitingTimesError::NoEarlierGeneration)));
    // The same file again is no news, and still there is something to do.
    let again = import(&house, &january).await;
    assert_eq!((again.outcome.code(), outcome(&again)), ("unchanged", FitOutcome::Switched));
    assert!(other.refresh_if_changed().await.unwrap());
    assert_eq!(model_months(&other).await, ["2026-01"]);
}

/// With the Redis that `FRONT_DOOR_TEST_CACHE_URL` names.
#[tokio::test]
async fn models_come_from_redis_and_whatever_else_is_there_is_not_believed() {
    let Some(url) = std::env::var("FRONT_DOOR_TEST_CACHE_URL").ok().filter(|url| !url.is_empty()) else {
        println!("skipped: FRONT_DOOR_TEST_CACHE_URL is not set");
        return;
    };
    let house = house().await;
    let prefix = format!("{}:", platform::testing::unique("generations"));
    let cache = || Cache::with_redis(1 << 20, &url, &prefix, b"key").unwrap();
    let fitter = house.instance_with(cache()).await;
    let path = house.file("extract.csv", &moving_month(2026, 1, 60));
    let report = fitter.import_file(&path, ImportOptions::default()).await.unwrap();
    let mut expected = Vec::new();
    fitter.export(&[30], &mut expected).unwrap();
    let says_the_same = async |cache: Cache| {
        let other = house.instance_with(cache).await;
        let mut out = Vec::new();
        other.export(&[30], &mut out).unwrap();
        assert!(out == expected);
    };

    let name = format!("wt:{}:C_110", report.generation);
    let chunk = cache().shared_bytes(&name).await.expect("the fit fills Redis");
    says_the_same(cache()).await;
    // Another model's bytes under our own seal: what the header says of its chunks tells.
    let hour = std::time::Duration::from_secs(3_600);
    cache().keep_shared_bytes(&name, b"sealed, and not the chunk", hour).await;
    says_the_same(cache()).await;
    assert_eq!(cache().shared_bytes(&name).await.as_ref(), Some(&chunk), "it is written anew");
    // Garbage without our seal.
    let stranger = Cache::with_redis(1 << 20, &url, &prefix, b"another key").unwrap();
    stranger.keep_shared_bytes(&name, &chunk, hour).await;
    let damaged = cache();
    says_the_same(damaged.clone()).await;
    assert!(damaged.is_damaged());
    assert_eq!(cache().shared_bytes(&name).await.as_ref(), Some(&chunk));
    // No Redis at all.
    says_the_same(Cache::with_redis(1 << 20, "redis://127.0.0.1:1", &prefix, b"key").unwrap()).await;
}
