//! Writes a month in the official layout: how the sandbox publishes its made-up figures, and how tests make files.
//!
//! What is written here is read by the same intake, under the same checks, as a file from the publisher.

use std::io::{self, Write};

use crate::intake::layout;
use crate::model::{OrganisationCode, Part, Period, TreatmentFunction, WeeklyBands};

/// An organisation with its name, for writing.
#[derive(Clone, Copy, Debug)]
pub struct NamedOrganisation<'a> {
    /// Its code.
    pub code: OrganisationCode,
    /// Its name.
    pub name: &'a str,
}

/// The detail rows of one provider, commissioner and part; the writer adds their total.
#[derive(Clone, Debug)]
pub struct ExtractGroup<'a> {
    /// Who provides the care.
    pub provider: NamedOrganisation<'a>,
    /// The body the provider belongs to, if any.
    pub provider_parent: Option<NamedOrganisation<'a>>,
    /// Who commissions the care; `NONC` for patients from outside England.
    pub commissioner: NamedOrganisation<'a>,
    /// Which return the counts belong to.
    pub part: Part,
    /// One row per treatment function, all in the layout of the file.
    pub rows: Vec<ExtractRow<'a>>,
}

/// The counts of one treatment function.
#[derive(Clone, Debug)]
pub struct ExtractRow<'a> {
    /// Its code.
    pub treatment_function: TreatmentFunction,
    /// Its name.
    pub name: &'a str,
    /// The counts.
    pub counts: RowCounts,
}

/// The counts a row holds: part 3 has only a number of clocks, all other parts have bands.
#[derive(Clone, Debug)]
pub enum RowCounts {
    /// Weekly bands, and the pathways whose clock start is not known.
    Bands(WeeklyBands, u32),
    /// The number of clocks started (part 3).
    Starts(u32),
}

impl RowCounts {
    fn numbers(&self, bands: usize) -> Vec<u64> {
        match self {
            Self::Bands(counts, unknown) => {
                let all = counts.pathways() + u64::from(*unknown);
                counts.counts().iter().copied().map(u64::from).chain([u64::from(*unknown), all]).collect()
            }
            Self::Starts(count) => {
                let mut numbers = vec![0; bands + 1];
                numbers.push(u64::from(*count));
                numbers
            }
        }
    }
}

/// Writes `groups` as the full extract of `period`, with CRLF line ends, and a `C_999` row after each group.
///
/// # Errors
/// When `out` fails, or a row's bands are not in `layout`, or have bands in part 3 or none elsewhere.
pub fn write_extract<'a>(
    out: impl Write,
    period: Period,
    layout: crate::model::BandLayout,
    groups: impl IntoIterator<Item = ExtractGroup<'a>>,
) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(layout::header(layout))?;
    let literal = period.literal();
    for group in groups {
        let mut total = vec![0; layout.bands() + 2];
        for row in &group.rows {
            let fits = match &row.counts {
                RowCounts::Bands(bands, _) => group.part.has_bands() && bands.layout() == layout,
                RowCounts::Starts(_) => !group.part.has_bands(),
            };
            if !fits {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the counts are not of this part and layout",
                ));
            }
            let numbers = row.counts.numbers(layout.bands());
            for (sum, number) in total.iter_mut().zip(&numbers) {
                *sum += number;
            }
            csv.write_record(fields(&literal, &group, row.treatment_function.as_str(), row.name, &numbers))?;
        }
        csv.write_record(fields(&literal, &group, TreatmentFunction::TOTAL, "Total", &total))?;
    }
    csv.flush()
}

fn fields(period: &str, group: &ExtractGroup<'_>, code: &str, name: &str, numbers: &[u64]) -> Vec<String> {
    let (parent_code, parent_name) =
        group.provider_parent.map_or_else(Default::default, |parent| (parent.code.to_string(), parent.name));
    let mut fields = vec![
        period.to_owned(),
        parent_code,
        parent_name.to_owned(),
        group.provider.code.to_string(),
        group.provider.name.to_owned(),
        String::new(),
        String::new(),
        group.commissioner.code.to_string(),
        group.commissioner.name.to_owned(),
        group.part.code().to_owned(),
        group.part.description().to_owned(),
        code.to_owned(),
        name.to_owned(),
    ];
    let (bands, totals) = numbers.split_at(numbers.len().saturating_sub(2));
    let is_completed = matches!(group.part, Part::CompletedAdmitted | Part::CompletedNonAdmitted);
    if group.part.has_bands() {
        fields.extend(bands.iter().map(u64::to_string));
    } else {
        fields.extend(bands.iter().map(|_| String::new()));
    }
    // As published: `Total` and the unknown clock starts are printed for completed pathways only.
    let printed: u64 = bands.iter().sum();
    let [unknown, all] = [totals.first(), totals.last()].map(|count| count.copied().unwrap_or_default());
    fields.push(if is_completed { printed.to_string() } else { String::new() });
    fields.push(if is_completed || unknown > 0 { unknown.to_string() } else { String::new() });
    fields.push(all.to_string());
    fields
}
