//! The published months of 2009/10 and 2014/15, read plainly. They are not part of the source:
//! `FRONT_DOOR_CONFORMANCE_DATA` says where they lie.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use wait_estimator::Month;
use wait_estimator::model::{BandLayout, OrganisationCode, Part, Period, TreatmentFunction};

/// The folder of the months with 52 weekly bands; `None`, said aloud, when it is not known where it lies.
pub fn months_of_the_52_week_era() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("FRONT_DOOR_CONFORMANCE_DATA") {
        return Some(Path::new(&folder).join("rtt/full-extract-52-week-era"));
    }
    let required = std::env::var("FRONT_DOOR_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "FRONT_DOOR_CONFORMANCE_DATA is not set, and every test is required");
    println!("skipped: FRONT_DOOR_CONFORMANCE_DATA is not set");
    None
}

/// Reads the months named `YYYY-MM`.
pub fn read_months(folder: &Path, names: &[&str]) -> Vec<Month> {
    names.iter().map(|name| read_month(folder, name)).collect()
}

fn read_month(folder: &Path, name: &str) -> Month {
    let file = File::open(folder.join(format!("{name}-full-extract.csv.gz"))).unwrap();
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(file));
    let header = reader.headers().unwrap().clone();
    let column = |title: &str| header.iter().position(|name| name == title).unwrap();
    let [provider, parent] = [column("Provider Org Code"), column("Provider Parent Org Code")];
    let [part, function] = [column("RTT Part Type"), column("Treatment Function Code")];
    let first = header.iter().position(|name| name.starts_with("Gt 00")).unwrap();
    let bands = header.iter().filter(|name| name.starts_with("Gt ")).count();
    let layout = BandLayout::ALL.into_iter().find(|layout| layout.bands() == bands).unwrap();

    let (year, number) = name.split_once('-').unwrap();
    let period = Period::new(year.parse().unwrap(), number.parse().unwrap()).unwrap();
    let mut month = Month::new(period, layout, name);
    for record in reader.records() {
        let record = record.unwrap();
        let part = Part::from_bytes(record[part].as_bytes()).unwrap();
        // The total over treatment functions has no value as one, and part 3 has no bands.
        let Some(function) = TreatmentFunction::parse(&record[function]).filter(|_| part.has_bands()) else {
            continue;
        };
        let counts: Vec<u32> = record
            .iter()
            .skip(first)
            .take(bands)
            .map(|count| if count.is_empty() { 0 } else { count.parse().unwrap() })
            .collect();
        let provider = OrganisationCode::parse(&record[provider]).unwrap();
        month.add(provider, function, part, &counts).unwrap();
        if let Some(region) = OrganisationCode::parse(&record[parent]) {
            month.set_region(provider, region);
        }
    }
    month
}
