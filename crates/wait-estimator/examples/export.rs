//! Fits month files on the spot and writes the export that the independent scorer reads.
//!
//! `export --months FILE.csv.gz... --horizon-days 31,61,92 > export.csv`
#![expect(clippy::print_stderr, reason = "a program for a terminal")]

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write};

use flate2::read::MultiGzDecoder;
use wait_estimator::model::{BandLayout, OrganisationCode, Part, Period, ProviderCode, TreatmentFunction};
use wait_estimator::{Month, Successors, fit};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    let mut days = Vec::new();
    let mut arguments = std::env::args().skip(1).peekable();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--months" => {
                while let Some(file) = arguments.next_if(|next| !next.starts_with("--")) {
                    files.push(file);
                }
            }
            "--horizon-days" => {
                let list = arguments.next().ok_or("--horizon-days needs a list")?;
                days = list.split(',').map(str::parse::<u32>).collect::<Result<Vec<_>, _>>()?;
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let months = files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let started = std::time::Instant::now();
    let fitted = fit(&months, &Successors::built_in()?)?;
    eprintln!("fitted {} months in {:?}", months.len(), started.elapsed());
    let mut out = BufWriter::new(std::io::stdout().lock());
    write!(out, "provider_code,treatment_function_code,weeks_waited,level,status,p10,p25,p50,p75,p90")?;
    for day in &days {
        write!(out, ",still_waiting_{day}")?;
    }
    writeln!(out)?;
    for key in fitted.model.cells() {
        let Some(estimator) = fitted.model.estimator(&key) else { continue };
        let estimator = estimator.from_period_end();
        let basis = estimator.basis();
        let start = format!("{},{}", key.provider, key.treatment_function);
        for week in 0..=fitted.model.layout().open_from_weeks() {
            write!(out, "{start},{week},{},{}", basis.level.code(), basis.status.code())?;
            for point in estimator.estimate_band(week).at() {
                if point.open_ended { write!(out, ",")? } else { write!(out, ",{:.3}", point.weeks)? }
            }
            for &day in &days {
                write!(out, ",{:.5}", estimator.band_survival(week, f64::from(day) / 7.0))?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn read(path: &str) -> Result<Month, Box<dyn Error>> {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path)?).read_to_string(&mut text)?;
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers()?.clone();
    let column =
        |name: &str| header.iter().position(|title| title == name).ok_or(format!("no column {name}"));
    let (period, parent) = (column("Period")?, column("Provider Parent Org Code")?);
    let (provider, part) = (column("Provider Org Code")?, column("RTT Part Type")?);
    let function = column("Treatment Function Code")?;
    let first = header.iter().position(|title| title.starts_with("Gt 00")).ok_or("no bands")?;
    let layout = if header.iter().any(|title| title.starts_with("Gt 104")) {
        BandLayout::To104Weeks
    } else {
        BandLayout::To52Weeks
    };
    let mut month: Option<Month> = None;
    for row in rows.records() {
        let row = row?;
        let cell = |index: usize| row.get(index).unwrap_or_default();
        let (Some(code), Some(function)) =
            (ProviderCode::parse(cell(provider)), TreatmentFunction::parse(cell(function)))
        else {
            continue;
        };
        let part = Part::from_bytes(cell(part).as_bytes()).ok_or("no part")?;
        if !part.has_bands() {
            continue;
        }
        if month.is_none() {
            let period = Period::from_literal(cell(period)).ok_or("no period")?;
            month = Some(Month::new(period, layout, path));
        }
        let Some(month) = month.as_mut() else { continue };
        let counts: Vec<u32> =
            (first..first + layout.bands()).map(|index| cell(index).parse().unwrap_or(0)).collect();
        month.add(code, function, part, &counts)?;
        if let Some(region) = OrganisationCode::parse(cell(parent)) {
            month.set_region(code, region);
        }
    }
    month.ok_or_else(|| format!("{path} is empty").into())
}
