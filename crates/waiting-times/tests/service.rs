//! The service through its door: figures in, figures out, and a person's own referrals.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

#[expect(dead_code, reason = "only a part is used here")]
mod support;

use platform::ErrorKind;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use support::{House, day, house, month, start};
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::referral::{Filing, Pathway, ReferralNotice, ReferralStatus};
use waiting_times::{
    ImportError, ImportOptions, ImportOutcome, ImportReport, RefusalReason, WaitingTimes, WaitingTimesError,
};

const STRICT: ImportOptions = ImportOptions { accept_large_change: false, no_fit: false };

fn provider(code: &str) -> ProviderCode {
    ProviderCode::parse(code).unwrap()
}

fn function(code: &str) -> TreatmentFunction {
    TreatmentFunction::parse(code).unwrap()
}

async fn import(house: &House, contents: &[u8]) -> Result<ImportReport, ImportError> {
    let path = house.file("extract.csv", contents);
    house.waiting.import_file(&path, STRICT).await
}

fn reason(result: Result<ImportReport, ImportError>) -> RefusalReason {
    match result {
        Err(ImportError::Refused(refusal)) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}

async fn statistics(waiting: &WaitingTimes, code: &str, of: &str) -> Value {
    let answer = waiting.statistics(provider(code), function(of)).await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

async fn number(house: &House, sql: &str) -> i64 {
    let statement = Statement::from_string(house.db.backend(), sql);
    house.db.read().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// 100 people in week 10: median 10 + 50.5/100, 92nd percentile 10.92, all within 18 weeks.
fn january() -> Vec<u8> {
    month(
        2026,
        1,
        &[("RXA", "C_110", &[(10, 100)]), ("RXA", "X03", &[(10, 100)]), ("RXB", "C_110", &[(3, 49)])],
    )
}

#[tokio::test]
async fn a_month_is_imported_and_its_figures_are_answered() {
    let house = house().await;
    let report = import(&house, &january()).await.unwrap();
    assert_eq!(
        (report.outcome, report.period.as_str(), report.rows),
        (ImportOutcome::Imported, "2026-01", 5)
    );
    assert_eq!(report.generation, house.waiting.generation());
    assert_eq!(report.generation.len(), 12);

    let found = statistics(&house.waiting, "RXA", "C_110").await;
    assert_eq!(
        found,
        json!({
            "provider": { "code": "RXA", "name": "MADE-UP HOSPITALS TRUST" },
            "treatment_function": { "code": "C_110", "name": "Made-up Service" },
            "period": "2026-01",
            "period_end": "2026-01-31",
            "age_days": 48,
            "freshness": "current",
            "source": {
                "kind": "official",
                "name": "Consultant-led Referral to Treatment Waiting Times",
                "publisher": "NHS England",
                "attribution": "Contains public sector information licensed under the Open Government Licence v3.0."
            },
            "list_size": { "kind": "exact", "count": 100 },
            "median_weeks": { "value": 10.5, "open_ended": false },
            "percentile_92_weeks": { "value": 10.9, "open_ended": false },
            "within_18_weeks_share": 1.0,
            "suppressed": null
        })
    );
}

#[tokio::test]
async fn a_list_under_fifty_has_no_figures_and_one_under_ten_no_size() {
    let house = house().await;
    let lists: &[support::List<'_>] = &[("RXA", "C_100", &[(1, 49)]), ("RXA", "C_110", &[(1, 9)])];
    import(&house, &month(2026, 1, lists)).await.unwrap();
    let small = statistics(&house.waiting, "RXA", "C_100").await;
    assert_eq!(small["list_size"], json!({ "kind": "exact", "count": 49 }));
    let tiny = statistics(&house.waiting, "RXA", "C_110").await;
    assert_eq!(tiny["list_size"], json!({ "kind": "fewer_than", "limit": 10 }));
    for answer in [small, tiny] {
        for figure in ["median_weeks", "percentile_92_weeks", "within_18_weeks_share"] {
            assert_eq!(answer[figure], Value::Null);
        }
        assert_eq!(answer["suppressed"]["code"], "too_few_pathways");
    }
}

#[tokio::test]
async fn missing_figures_are_said_to_be_missing() {
    let house = house().await;
    let before = house.waiting.statistics(provider("RXA"), function("C_110")).await.unwrap_err();
    assert!(matches!(*before, WaitingTimesError::NoMonthImported));
    assert_eq!(serde_json::to_value(house.waiting.figures_state()).unwrap()["state"], "not_imported");
    let page = house.waiting.providers("", None, 10);
    assert!(page.answer.providers.is_empty());
    assert_eq!(serde_json::to_value(&page.answer).unwrap()["figures"]["reason"]["code"], "no_month_imported");

    import(&house, &january()).await.unwrap();
    for (code, of) in [("RXZ", "C_110"), ("RXB", "C_100")] {
        let after = house.waiting.statistics(provider(code), function(of)).await.unwrap_err();
        assert_eq!(after.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn the_same_content_changes_nothing_however_it_is_packed() {
    let house = house().await;
    let first = import(&house, &january()).await.unwrap();
    let with_mark: Vec<u8> = b"\xef\xbb\xbf".iter().copied().chain(january()).collect();
    for contents in [january(), with_mark] {
        let again = import(&house, &contents).await.unwrap();
        assert_eq!((again.outcome, &again.generation), (ImportOutcome::Unchanged, &first.generation));
    }
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_month").await, 1);
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_count").await, 3);
}

#[tokio::test]
async fn a_revised_file_replaces_its_month() {
    let house = house().await;
    let first = import(&house, &january()).await.unwrap();
    let revised = month(2026, 1, &[("RXA", "C_110", &[(20, 200)])]);
    let second = import(&house, &revised).await.unwrap();
    assert_eq!(second.outcome, ImportOutcome::Replaced);
    assert_ne!(second.generation, first.generation);
    assert_eq!(statistics(&house.waiting, "RXA", "C_110").await["median_weeks"]["value"], 20.5);
    assert!(house.waiting.statistics(provider("RXB"), function("C_110")).await.is_err());
    // The counts of the first stay for as long as its generation can be gone back to.
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_count").await, 4);
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_month WHERE superseded_at_micros IS NULL").await, 1);

    // Going back is possible, is the generation it was, and is remarked upon.
    let back = import(&house, &january()).await.unwrap();
    assert_eq!((back.outcome, &back.generation), (ImportOutcome::Replaced, &first.generation));
    assert!(back.warnings.iter().any(|warning| warning.code == "superseded_before"));
}

#[tokio::test]
async fn a_refused_file_leaves_everything_as_it_was() {
    let house = house().await;
    import(&house, &january()).await.unwrap();
    let (generation, answer) = (house.waiting.generation(), statistics(&house.waiting, "RXA", "C_110").await);
    let good = String::from_utf8(january()).unwrap();
    let cut = &good.as_bytes()[..good.len() - 10];
    assert_eq!(reason(import(&house, cut).await), RefusalReason::Truncated);
    let wrong = good.replacen("Period,", "Month,", 1);
    assert_eq!(reason(import(&house, wrong.as_bytes()).await), RefusalReason::WrongLayout);
    let missing = house.waiting.import_file(&house.file("x", b"").with_file_name("none.csv"), STRICT).await;
    assert_eq!(reason(missing), RefusalReason::Unreadable);
    assert_eq!(house.waiting.generation(), generation);
    assert_eq!(statistics(&house.waiting, "RXA", "C_110").await, answer);
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_count").await, 3);
}

#[tokio::test]
async fn a_month_that_has_not_ended_is_refused() {
    let house = house().await;
    let unended = month(2026, 3, &[("RXA", "C_110", &[(10, 100)])]);
    assert_eq!(reason(import(&house, &unended).await), RefusalReason::WrongPeriod);
    house.clock.set(start() + chrono::Duration::days(11));
    assert!(import(&house, &unended).await.is_ok());
}

#[tokio::test]
async fn a_refusal_names_file_line_column_and_reason() {
    let house = house().await;
    let text = String::from_utf8(january()).unwrap().replacen(",100,", ",-5,", 1);
    let said = import(&house, text.as_bytes()).await.unwrap_err().to_string();
    assert!(said.contains("extract.csv, line 2, column 24 (Gt 10 To 11 Weeks SUM 1): "), "{said}");
    assert!(said.contains("\"-5\"") && said.ends_with("[bad_count]") && !said.contains('\n'), "{said}");
}

#[tokio::test]
async fn a_list_that_shrinks_by_more_than_a_quarter_needs_a_word() {
    let house = house().await;
    import(&house, &month(2026, 1, &[("RXA", "C_110", &[(10, 100)])])).await.unwrap();
    import(&house, &month(2026, 1, &[("RXA", "C_110", &[(11, 75)])])).await.unwrap();
    let smaller = month(2026, 1, &[("RXA", "C_110", &[(12, 56)])]);
    assert_eq!(reason(import(&house, &smaller).await), RefusalReason::LargeChange);
    let path = house.file("extract.csv", &smaller);
    let taken = house
        .waiting
        .import_file(&path, ImportOptions { accept_large_change: true, ..STRICT })
        .await
        .unwrap();
    assert_eq!(taken.outcome, ImportOutcome::Replaced);
}

#[tokio::test]
async fn a_national_month_is_held_against_the_months_beside_it() {
    let house = house().await;
    import(&house, &month(2026, 1, &[("RXA", "C_110", &[(10, 400_000)])])).await.unwrap();
    // Whole providers are missing, cut off between two runs of rows: the file adds up, and is still refused.
    let cut = month(2026, 2, &[("RXA", "C_110", &[(10, 200_000)])]);
    assert_eq!(reason(import(&house, &cut).await), RefusalReason::LargeChange);
    // Two months on there is nothing to hold it against.
    house.clock.set(start() + chrono::Duration::days(30));
    let later = month(2026, 3, &[("RXA", "C_110", &[(10, 200_000)])]);
    assert_eq!(import(&house, &later).await.unwrap().outcome, ImportOutcome::Imported);
}

#[tokio::test]
async fn the_latest_month_is_used_in_whatever_order_they_come() {
    let house = house().await;
    let february = month(2026, 2, &[("RXA", "C_110", &[(20, 100)])]);
    let first = import(&house, &february).await.unwrap();
    let second = import(&house, &january()).await.unwrap();
    assert_eq!(second.outcome, ImportOutcome::Imported);
    assert_ne!(first.generation, second.generation);
    let found = statistics(&house.waiting, "RXA", "C_110").await;
    assert_eq!((&found["period"], &found["median_weeks"]["value"]), (&json!("2026-02"), &json!(20.5)));
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_count").await, 4);
}

#[tokio::test]
async fn made_up_figures_never_stand_beside_official_ones() {
    let house = house().await;
    let made_up =
        |year, of_month| std::io::Cursor::new(month(year, of_month, &[("RXA", "C_110", &[(1, 60)])]));
    for of_month in [11, 12] {
        house.waiting.import_made_up(made_up(2025, of_month), "made-up month").await.unwrap();
    }
    let found = statistics(&house.waiting, "RXA", "C_110").await;
    assert_eq!((&found["source"]["kind"], &found["source"]["publisher"]), (&json!("made_up"), &Value::Null));
    assert_eq!(found["source"]["attribution"], Value::Null);

    // The official month is older than the made-up ones, and in use all the same: they are gone.
    let official = import(&house, &month(2025, 6, &[("RXA", "C_110", &[(1, 60)])])).await.unwrap();
    assert_eq!((official.outcome, official.made_up_months_removed), (ImportOutcome::Imported, 2));
    let found = statistics(&house.waiting, "RXA", "C_110").await;
    assert_eq!((&found["source"]["kind"], &found["period"]), (&json!("official"), &json!("2025-06")));
    assert_eq!(number(&house, "SELECT count(*) FROM rtt_month WHERE origin = 'made_up'").await, 0);

    let again = house.waiting.import_made_up(made_up(2026, 1), "made-up month").await;
    assert_eq!(reason(again), RefusalReason::MadeUpBesideOfficial);
}

#[tokio::test]
async fn another_instance_takes_up_the_new_month_whole() {
    let house = house().await;
    let other = house.another_instance().await;
    assert!(!other.refresh_if_changed().await.unwrap());
    import(&house, &january()).await.unwrap();
    assert_eq!(other.generation(), "");
    assert!(other.refresh_if_changed().await.unwrap());
    assert!(!other.refresh_if_changed().await.unwrap());
    assert_eq!(other.generation(), house.waiting.generation());
    assert_eq!(statistics(&other, "RXA", "C_110").await, statistics(&house.waiting, "RXA", "C_110").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_mixes_two_months_while_they_are_exchanged() {
    let house = house().await;
    let one: Vec<u8> = month(2026, 1, &[("RXA", "C_110", &[(10, 100)]), ("RXB", "C_110", &[(10, 100)])]);
    let two: Vec<u8> = month(2026, 1, &[("RXA", "C_110", &[(20, 100)]), ("RXB", "C_110", &[(20, 100)])]);
    import(&house, &one).await.unwrap();
    let patient = house.person(999_100_000);
    let patient = patient.await;
    for (filler, code) in [("1", "RXA"), ("2", "RXB")] {
        house.waiting.file_referral(patient, &notice(filler, code, "C_110")).await.unwrap();
    }
    let access = house.open(patient).await;
    let reader = house.waiting.clone();
    let reading = tokio::spawn(async move {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2_000 {
            let view = serde_json::to_value(reader.my_waits_view(&access).await.unwrap()).unwrap();
            let medians: Vec<f64> = view["referrals"]
                .as_array()
                .unwrap()
                .iter()
                .map(|referral| referral["statistics"]["figures"]["median_weeks"]["value"].as_f64().unwrap())
                .collect();
            assert_eq!(medians.len(), 2);
            assert!((medians[0] - medians[1]).abs() < f64::EPSILON, "{medians:?}");
            seen.insert(medians[0] as u64);
            tokio::task::yield_now().await;
        }
        seen
    });
    for turn in 0..10 {
        import(&house, if turn % 2 == 0 { &two } else { &one }).await.unwrap();
    }
    let seen = reading.await.unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|median| [10, 20].contains(median)));
}

#[tokio::test]
async fn figures_age_by_the_day() {
    let house = house().await;
    import(&house, &january()).await.unwrap();
    for (days, age, freshness) in
        [(0, 48, "current"), (27, 75, "current"), (28, 76, "ageing"), (82, 130, "ageing"), (83, 131, "old")]
    {
        house.clock.set(start() + chrono::Duration::days(days));
        let found = statistics(&house.waiting, "RXA", "C_110").await;
        assert_eq!((found["age_days"].as_i64(), found["freshness"].as_str()), (Some(age), Some(freshness)));
    }
}

#[tokio::test]
async fn providers_and_specialties_can_be_found() {
    let house = house().await;
    import(&house, &january()).await.unwrap();
    let page = house.waiting.providers("clinic", None, 10);
    assert_eq!(page.answer.providers[0].code, "RXB");
    let first = house.waiting.providers("", None, 1);
    let second = house.waiting.providers("", first.next.as_ref(), 1);
    assert_eq!(
        (first.answer.providers[0].code.as_str(), second.answer.providers[0].code.as_str()),
        ("RXA", "RXB")
    );
    assert!(second.next.is_none());
    let body = house.waiting.specialties().await.unwrap().body;
    let specialties: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(specialties["specialties"][0], json!({ "code": "C_110", "name": "Made-up Service" }));
    assert_eq!(specialties["specialties"][1]["code"], "X03");
}

fn notice(filler: &str, code: &str, of: &str) -> ReferralNotice {
    ReferralNotice {
        source: "made-up hospital".to_owned(),
        filler_id: filler.to_owned(),
        provider: provider(code),
        treatment_function: function(of),
        clock_start: day(2026, 1, 1),
        status: ReferralStatus::Waiting,
        pathway: Pathway::Routine,
        recorded_at: start(),
    }
}

async fn my_waits(house: &House, patient: record_access::PatientId) -> Value {
    let access = house.open(patient).await;
    let answer = house.waiting.my_waits(&access).await.unwrap();
    let view = house.waiting.my_waits_view(&access).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body, serde_json::to_value(view).unwrap());
    body
}

#[tokio::test]
async fn a_person_sees_each_referral_with_its_wait_and_the_figures_of_its_list() {
    let house = house().await;
    let patient = house.person(999_100_000).await;
    let empty = my_waits(&house, patient).await;
    assert_eq!((&empty["referrals"], &empty["figures"]["state"]), (&json!([]), &json!("not_imported")));

    let referrals =
        [("1", "RXA", "C_110"), ("2", "RXB", "C_110"), ("3", "RXZ", "C_110"), ("4", "RXA", "X03")];
    for (filler, code, of) in referrals {
        let filed = house.waiting.file_referral(patient, &notice(filler, code, of)).await.unwrap();
        assert_eq!(filed.filing, Filing::Created);
    }
    let before = my_waits(&house, patient).await;
    for referral in before["referrals"].as_array().unwrap() {
        let code = if referral["treatment_function"]["code"] == "X03" {
            "not_computed_for_mental_health"
        } else {
            "no_month_imported"
        };
        assert_eq!(referral["statistics"]["state"], "unavailable");
        assert_eq!(referral["statistics"]["reason"]["code"], code);
    }

    import(&house, &january()).await.unwrap();
    let after = my_waits(&house, patient).await;
    assert_eq!((&after["as_of"], &after["figures"]["state"]), (&json!("2026-03-20"), &json!("loaded")));
    let by = |code: &str, of: &str| {
        let all = after["referrals"].as_array().unwrap();
        all.iter()
            .find(|one| one["provider"]["code"] == code && one["treatment_function"]["code"] == of)
            .unwrap()
            .clone()
    };
    let known = by("RXA", "C_110");
    // 1 January to 20 March is 78 days.
    assert_eq!((known["weeks_waited"].as_f64(), &known["status"]), (Some(11.1), &json!("waiting")));
    assert_eq!(known["statistics"]["state"], "available");
    assert_eq!(known["statistics"]["figures"]["median_weeks"]["value"], 10.5);
    assert_eq!(known["statistics"]["figures"]["source"]["publisher"], "NHS England");
    let small = by("RXB", "C_110");
    assert_eq!(small["statistics"]["state"], "suppressed");
    assert_eq!(small["statistics"]["figures"]["suppressed"]["code"], "too_few_pathways");
    let unknown = by("RXZ", "C_110");
    assert_eq!(unknown["provider"], json!({ "code": "RXZ", "name": null }));
    assert_eq!(unknown["statistics"]["reason"]["code"], "no_figures_for_this_list");
    assert_eq!(by("RXA", "X03")["statistics"]["reason"]["code"], "not_computed_for_mental_health");

    // A day on, everything is a day older.
    house.clock.advance(chrono::Duration::days(1));
    assert_eq!(my_waits(&house, patient).await["referrals"][0]["weeks_waited"].as_f64(), Some(11.3));
}

#[tokio::test]
async fn notices_change_a_referral_in_the_order_they_were_recorded() {
    let house = house().await;
    let patient = house.person(999_100_000).await;
    let version = async || house.open(patient).await.version().0;
    let begun = version().await;
    let waiting = notice("1", "RXA", "C_110");
    let first = house.waiting.file_referral(patient, &waiting).await.unwrap();
    assert_eq!((first.filing, version().await), (Filing::Created, begun + 1));

    let again = house.waiting.file_referral(patient, &waiting).await.unwrap();
    assert_eq!((again.id, again.filing, version().await), (first.id, Filing::Unchanged, begun + 1));

    let treated = ReferralNotice {
        status: ReferralStatus::Treated(day(2026, 3, 12)),
        recorded_at: start() + chrono::Duration::minutes(5),
        ..waiting.clone()
    };
    let second = house.waiting.file_referral(patient, &treated).await.unwrap();
    assert_eq!((second.id, second.filing, version().await), (first.id, Filing::Updated, begun + 2));
    let seen = &my_waits(&house, patient).await["referrals"][0];
    assert_eq!((&seen["status"], &seen["stopped_on"]), (&json!("treated"), &json!("2026-03-12")));
    assert_eq!(seen["weeks_waited"].as_f64(), Some(10.0));

    let late = house.waiting.file_referral(patient, &waiting).await.unwrap();
    assert_eq!((late.filing, version().await), (Filing::Outdated, begun + 2));

    let mistake = ReferralNotice {
        status: ReferralStatus::EnteredInError,
        recorded_at: start() + chrono::Duration::minutes(9),
        ..waiting
    };
    house.waiting.file_referral(patient, &mistake).await.unwrap();
    assert_eq!(my_waits(&house, patient).await["referrals"], json!([]));
}

#[tokio::test]
async fn a_referral_never_moves_to_another_person() {
    let house = house().await;
    let (one, other) = (house.person(999_100_000).await, house.person(999_200_000).await);
    house.waiting.file_referral(one, &notice("1", "RXA", "C_110")).await.unwrap();
    let moved = house.waiting.file_referral(other, &notice("1", "RXA", "C_110")).await;
    assert!(matches!(moved, Err(WaitingTimesError::BelongsToAnotherPatient)));
    assert_eq!(my_waits(&house, other).await["referrals"], json!([]));
    assert_eq!(my_waits(&house, one).await["referrals"].as_array().unwrap().len(), 1);

    let nobody = record_access::PatientId(uuid::Uuid::from_u128(1));
    assert!(house.waiting.file_referral(nobody, &notice("2", "RXA", "C_110")).await.is_err());
    let future = ReferralNotice { clock_start: day(2026, 3, 21), ..notice("3", "RXA", "C_110") };
    let refused = house.waiting.file_referral(one, &future).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BodyInvalid);
    assert_eq!(number(&house, "SELECT count(*) FROM referral").await, 1);
}
