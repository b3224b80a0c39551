//! The real files: the publisher's own percentiles of 2014/15, and the totals of January 2026 to the patient.
//!
//! The data is not part of the source; `FRONT_DOOR_CONFORMANCE_DATA` says where it lies.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak as tests do")]

#[expect(dead_code, reason = "only a part is used here")]
mod support;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use waiting_times::model::{BandLayout, ProviderCode, TreatmentFunction, WeeklyBands};
use waiting_times::statistics::{Rank, SMALLEST_LIST_WITH_FIGURES, wait_at};
use waiting_times::{ImportOptions, ImportOutcome};

const MODERN: &str = "full-extract/2026-01-full-extract.csv.gz";
const OLDER: [&str; 8] =
    ["2009-12", "2010-01", "2010-02", "2010-03", "2014-12", "2015-01", "2015-02", "2015-03"];

fn data() -> Option<PathBuf> {
    match std::env::var_os("FRONT_DOOR_CONFORMANCE_DATA") {
        Some(folder) => Some(Path::new(&folder).join("rtt")),
        None => {
            let required = std::env::var("FRONT_DOOR_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!required, "FRONT_DOOR_CONFORMANCE_DATA is not set, and every test is required");
            println!("skipped: FRONT_DOOR_CONFORMANCE_DATA is not set");
            None
        }
    }
}

fn older(folder: &Path, month: &str) -> PathBuf {
    folder.join(format!("full-extract-52-week-era/{month}-full-extract.csv.gz"))
}

/// The part 2 bands of an older file, read without the code under test. Commissioners stand in the provider column.
fn lists_of(path: &Path) -> HashMap<(String, String), WeeklyBands> {
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(File::open(path).unwrap()));
    let mut lists = HashMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        if &record[9] == "Part_2" {
            let counts: Box<[u32]> = (13..66)
                .map(|index| if record[index].is_empty() { 0 } else { record[index].parse().unwrap() })
                .collect();
            let bands = WeeklyBands::new(BandLayout::To52Weeks, counts).unwrap();
            lists.insert((record[3].to_owned(), record[11].to_owned()), bands);
        }
    }
    lists
}

#[test]
fn medians_and_percentiles_are_the_ones_the_publisher_printed() {
    let Some(folder) = data() else { return };
    let golden = File::open(folder.join("official-percentiles-2014-15.csv.gz")).unwrap();
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(golden));
    let mut months: HashMap<String, HashMap<(String, String), WeeklyBands>> = HashMap::new();
    // Per figure: agreeing, differing. And rows without figures.
    let (mut median, mut percentile_95, mut without, mut missing) = ((0, 0), (0, 0), 0, 0);
    for record in reader.records() {
        let record = record.unwrap();
        let lists =
            months.entry(record[0].to_owned()).or_insert_with(|| lists_of(&older(&folder, &record[0])));
        let Some(bands) = lists.get(&(record[1].to_owned(), record[2].to_owned())) else {
            missing += 1;
            continue;
        };
        if bands.pathways() < SMALLEST_LIST_WITH_FIGURES {
            without += 1;
            continue;
        }
        for (column, rank, (agree, differ)) in
            [(4, Rank::Median, &mut median), (5, Rank::Percentile(95), &mut percentile_95)]
        {
            let ours = wait_at(bands, rank).unwrap();
            let agrees = match record[column].parse::<f64>() {
                Ok(printed) => !ours.open_ended && (ours.value - printed).abs() < 0.001,
                // The publisher writes "52+" for the open band.
                Err(_) => ours.open_ended && record[column].contains('+'),
            };
            *if agrees { agree } else { differ } += 1;
        }
    }
    println!(
        "official percentiles: median {} agree, {} differ; 95th {} agree, {} differ; \
         {without} rows under {SMALLEST_LIST_WITH_FIGURES} and {missing} without a list were left out",
        median.0, median.1, percentile_95.0, percentile_95.1
    );
    for (agree, differ) in [median, percentile_95] {
        assert!(agree > 10_000, "only {agree} rows were compared");
        assert!(f64::from(agree) / f64::from(agree + differ) >= 0.995, "{agree} agree, {differ} differ");
    }
}

#[tokio::test]
async fn january_2026_comes_out_to_the_patient() {
    let Some(folder) = data() else { return };
    let house = support::house().await;
    let report = house.waiting.import_file(&folder.join(MODERN), ImportOptions::default()).await.unwrap();

    assert_eq!(
        (report.outcome, report.period.as_str(), report.layout),
        (ImportOutcome::Imported, "2026-01", "104-week")
    );
    assert_eq!((report.rows, report.cells, report.providers), (183_417, 16_208, 517));
    let part = |name: &str| report.parts.iter().find(|total| total.part == name).unwrap();
    assert_eq!((part("Part_2").all, part("Part_2").non_english), (7_187_677, 31_719));
    assert_eq!(part("Part_1A").all, 302_826);
    assert_eq!(part("Part_1B").all, 1_251_335);
    assert_eq!(part("Part_2A").all, 1_189_547);
    assert_eq!(part("Part_3").all, 1_773_734);
    let headline = report.headline.unwrap();
    assert_eq!(headline.list_size, 7_155_958);
    assert_eq!((headline.over_52_weeks, headline.over_104_weeks), (Some(133_860), Some(200)));
    let hundredths = |value: f64| (value * 100.0).round() as i64;
    assert_eq!(hundredths(headline.median_weeks.unwrap().value), 1362);
    assert_eq!(hundredths(headline.percentile_92_weeks.unwrap().value), 4035);
    assert_eq!(hundredths(headline.within_18_weeks_share.unwrap() * 100.0), 6143);
    let odd: Vec<_> = report.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(odd, ["more_decisions_than_people"]);

    let said = report.to_string();
    assert!(
        said.contains("7155958, median 13.62 weeks, 92nd percentile 40.35 weeks, 61.43 % within 18 weeks"),
        "{said}"
    );

    // The same file again changes nothing; and 3,597 lists are there to be asked for.
    let generation = house.waiting.generation();
    let again = house.waiting.import_file(&folder.join(MODERN), ImportOptions::default()).await.unwrap();
    assert_eq!((again.outcome, again.generation.as_str()), (ImportOutcome::Unchanged, generation.as_str()));
    let provider = ProviderCode::parse("RTH").unwrap();
    let function = TreatmentFunction::parse("C_110").unwrap();
    let view = house.waiting.statistics_view(provider, function).unwrap();
    assert!(view.median_weeks.is_some() && view.suppressed.is_none());
    assert_eq!(view.month.period, "2026-01");
    println!("January 2026: {} rows imported, all totals as published", report.rows);
}

#[tokio::test]
async fn every_older_month_is_read_and_the_latest_is_used() {
    let Some(folder) = data() else { return };
    let house = support::house().await;
    let mut rows = 0;
    for month in OLDER {
        // Between the two runs lie four years and a reform: the jump is as published. One fit at the end will do.
        let options = ImportOptions { accept_large_change: true, no_fit: month != "2015-03" };
        let report = house.waiting.import_file(&older(&folder, month), options).await.unwrap();
        assert_eq!(
            (report.outcome, report.period.as_str(), report.layout),
            (ImportOutcome::Imported, month, "52-week")
        );
        assert_eq!(report.headline.unwrap().over_104_weeks, None);
        rows += report.rows;
    }
    let state = serde_json::to_value(house.waiting.figures_state()).unwrap();
    assert_eq!(state["month"]["period"], "2015-03");
    println!("older months: {} files, {rows} rows imported", OLDER.len());
}
