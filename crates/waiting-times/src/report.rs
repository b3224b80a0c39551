//! The account of an import.

use serde::Serialize;

use crate::generation::FitAccount;
use crate::statistics::{Headline, Weeks};

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    /// A month that was not here before.
    Imported,
    /// The same content is live already; nothing was changed.
    Unchanged,
    /// A revised file took the place of its month.
    Replaced,
}

impl ImportOutcome {
    /// The code used in reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
        }
    }
}

/// Something odd that does not keep a file out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportWarning {
    /// A stable code.
    pub code: &'static str,
    /// What was found.
    pub message: String,
}

/// The pathways of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartTotal {
    /// The official name of the part, such as `Part_1A`.
    pub part: &'static str,
    /// All pathways.
    pub all: u64,
    /// Those among them commissioned from outside England (`NONC`).
    pub non_english: u64,
}

/// A wait in weeks, as computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReportWeeks {
    /// Weeks.
    pub value: f64,
    /// True when only "over `value` weeks" is known.
    pub open_ended: bool,
}

impl From<Weeks> for ReportWeeks {
    fn from(weeks: Weeks) -> Self {
        Self { value: weeks.value, open_ended: weeks.open_ended }
    }
}

/// The national waiting list without patients from outside England: the figures the publisher's headlines give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeadlineReport {
    /// Pathways on the list.
    pub list_size: u64,
    /// The median wait; null for an empty list.
    pub median_weeks: Option<ReportWeeks>,
    /// The wait that 92 in 100 do not exceed; null for an empty list.
    pub percentile_92_weeks: Option<ReportWeeks>,
    /// The share that has waited at most 18 weeks, 0 to 1; null for an empty list.
    pub within_18_weeks_share: Option<f64>,
    /// Pathways over 52 weeks.
    pub over_52_weeks: Option<u64>,
    /// Pathways over 104 weeks; null in the 52-week layout, which cannot tell.
    pub over_104_weeks: Option<u64>,
}

impl From<Headline> for HeadlineReport {
    fn from(headline: Headline) -> Self {
        Self {
            list_size: headline.list_size,
            median_weeks: headline.median.map(Into::into),
            percentile_92_weeks: headline.percentile_92.map(Into::into),
            within_18_weeks_share: headline.within_18_weeks,
            over_52_weeks: headline.over_52_weeks,
            over_104_weeks: headline.over_104_weeks,
        }
    }
}

/// The account of a file that was taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportReport {
    /// The file as it was named to the import.
    pub file: String,
    /// What was done.
    pub outcome: ImportOutcome,
    /// `official` or `made_up`.
    pub origin: &'static str,
    /// The month, `YYYY-MM`.
    pub period: String,
    /// `104-week` or `52-week`.
    pub layout: &'static str,
    /// SHA-256 of the text, without a byte-order mark.
    pub content_sha256: String,
    /// Rows below the header.
    pub rows: u64,
    /// Provider, treatment function and part combinations.
    pub cells: usize,
    /// Providers.
    pub providers: usize,
    /// The parts that are in the file.
    pub parts: Vec<PartTotal>,
    /// The headline figures; null only if a sum is beyond any population.
    pub headline: Option<HeadlineReport>,
    /// Odd things that were found.
    pub warnings: Vec<ImportWarning>,
    /// Made-up months that made way for this official one.
    pub made_up_months_removed: usize,
    /// The generation in use after the import.
    pub generation: String,
    /// The fit that followed; null where none did.
    pub fit: Option<FitAccount>,
}

impl std::fmt::Display for ImportReport {
    /// The account as a few lines for a terminal.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, period, layout, rows, cells, providers, generation, .. } = self;
        writeln!(out, "{file}: {period} ({layout} layout) {}", self.outcome.code())?;
        writeln!(out, "  {rows} rows, {cells} cells, {providers} providers, generation {generation}")?;
        for PartTotal { part, all, non_english } in &self.parts {
            writeln!(out, "  {part}: {all} pathways, of which {non_english} from outside England")?;
        }
        if let Some(headline) = &self.headline {
            write!(out, "  list without them: {}", headline.list_size)?;
            for (name, weeks) in
                [("median", headline.median_weeks), ("92nd percentile", headline.percentile_92_weeks)]
            {
                if let Some(ReportWeeks { value, open_ended }) = weeks {
                    write!(out, ", {name} {}{value:.2} weeks", if open_ended { "over " } else { "" })?;
                }
            }
            if let Some(share) = headline.within_18_weeks_share {
                write!(out, ", {:.2} % within 18 weeks", share * 100.0)?;
            }
            writeln!(out)?;
        }
        for warning in &self.warnings {
            writeln!(out, "  warning: {}", warning.message)?;
        }
        if let Some(fit) = &self.fit {
            write!(out, "{fit}")?;
        }
        Ok(())
    }
}
