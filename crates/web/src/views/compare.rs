//! Hospitals side by side, in words. The order is that of their names: nothing here is a rank.

use waiting_times::answers::{
    CompareAnswer, ComparedProvider, EstimateLevel, EstimateStatus, FiguresState, SourceKind,
};

use super::estimate::{capital, weeks_waited};
use crate::format;
use crate::lengths::Spread;

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Compared {
    pub(crate) specialty: String,
    pub(crate) caption: String,
    /// Said before any number.
    pub(crate) warnings: Vec<String>,
    pub(crate) rows: Vec<ComparedRow>,
    pub(crate) caveats: Vec<&'static str>,
    pub(crate) source: Option<String>,
    pub(crate) attribution: &'static str,
}

/// One hospital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComparedRow {
    pub(crate) code: String,
    pub(crate) name: String,
    /// What lessens its figures.
    pub(crate) note: Option<String>,
    pub(crate) range: String,
    pub(crate) half: String,
    pub(crate) list_size: String,
    /// Published: how long people on it had waited by then.
    pub(crate) official: String,
}

/// A comparison in words.
pub(crate) fn compared(answer: &CompareAnswer) -> Compared {
    let specialty = super::specialty_name(&answer.treatment_function);
    let month = match &answer.figures {
        FiguresState::Loaded { month } => Some(month),
        FiguresState::NotImported { .. } => None,
    };
    let mut warnings = Vec::new();
    if month.is_some_and(|month| month.source.kind == SourceKind::MadeUp) {
        warnings.push(
            "These figures are made up, for a demonstration. They describe no real hospital.".to_owned(),
        );
    }
    warnings.extend(month.and_then(super::age_warning));
    let source = month.map(|month| {
        let (name, _) = super::source(&month.source);
        format!("{name}. Counted on {}", format::date(month.period_end))
    });
    Compared {
        caption: format!(
            "{specialty}, after a wait of {}: hospitals in the order of their names",
            weeks_waited(answer.weeks_waited)
        ),
        specialty,
        warnings,
        rows: answer.providers.iter().map(row).collect(),
        caveats: answer.caveats.iter().map(|caveat| caveat.text).collect(),
        source,
        attribution: answer.attribution.unwrap_or_default(),
    }
}

fn row(compared: &ComparedProvider) -> ComparedRow {
    const NONE: &str = "Not known";
    let spread = compared
        .remaining_weeks
        .filter(|_| compared.status != EstimateStatus::Unavailable)
        .map(|weeks| Spread::new(weeks.p10, weeks.p50, weeks.p90))
        .filter(|spread| spread.is_known());
    let half = spread.map(|spread| {
        let how = if spread.p50.is_open_ended() { "Longer than" } else { "Within" };
        format!("{how} {}", spread.p50.limit())
    });
    ComparedRow {
        code: compared.provider.code.clone(),
        name: super::provider_name(&compared.provider),
        note: note(compared),
        range: spread.map_or_else(|| NONE.to_owned(), |spread| capital(&spread.range(" more"))),
        half: half.unwrap_or_else(|| NONE.to_owned()),
        list_size: compared.list_size.map_or_else(|| NONE.to_owned(), super::list_size),
        official: compared.median_weeks.map_or_else(|| "Not given".to_owned(), super::weeks_figure),
    }
}

fn note(compared: &ComparedProvider) -> Option<String> {
    let first = || compared.reasons.first().map(|reason| reason.text.to_owned());
    match compared.status {
        EstimateStatus::Ok => None,
        EstimateStatus::Unavailable | EstimateStatus::Stale | EstimateStatus::LowData => first(),
        EstimateStatus::Pooled => match (compared.level, &compared.described_as) {
            (Some(EstimateLevel::ProviderTfc) | None, _) | (_, None) => first(),
            (Some(_), Some(described_as)) => {
                Some(format!("Not its own figures: those of {}.", format::calm(described_as)))
            }
        },
    }
}

#[cfg(test)]
mod tests;
