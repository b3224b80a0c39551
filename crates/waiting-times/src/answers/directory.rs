//! Providers and kinds of care, as they are answered.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FiguresState, Named};
use crate::search::Provider;
use crate::snapshot::Snapshot;

/// A provider that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProviderAnswer {
    /// Its ODS code.
    pub code: String,
    /// Its name; null where the figures give none.
    pub name: Option<String>,
    /// The body it belongs to, an integrated care board, where the figures name one.
    pub parent: Option<Named>,
}

impl ProviderAnswer {
    pub(crate) fn new(provider: &Provider) -> Self {
        Self {
            code: provider.code.to_string(),
            name: provider.name.clone(),
            parent: provider
                .parent_code
                .map(|code| Named { code: code.to_string(), name: provider.parent_name.clone() }),
        }
    }
}

/// One page of providers that match a search, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProvidersAnswer {
    /// The providers.
    pub providers: Vec<ProviderAnswer>,
    /// The state of the published figures the providers are from.
    pub figures: FiguresState,
}

/// The kinds of care the figures tell apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpecialtiesAnswer {
    /// The treatment functions, in the order of their codes.
    pub specialties: Vec<Named>,
    /// The state of the published figures they are from.
    pub figures: FiguresState,
}

impl SpecialtiesAnswer {
    pub(crate) fn new(snapshot: &Snapshot, today: NaiveDate) -> Self {
        let named = snapshot.month.iter().flat_map(|month| &month.treatment_functions);
        Self {
            specialties: named
                .map(|(code, name)| Named { code: code.to_string(), name: name.clone() })
                .collect(),
            figures: FiguresState::new(snapshot, today),
        }
    }
}
