//! The published figures of any list and the estimates made from them, for anybody.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use platform::{ErrorKind, Fault};
use serde::Deserialize;
use url::form_urlencoded;
use waiting_times::answers::{
    NO_FIGURES_FOR_THIS_LIST, NOT_COMPUTED_FOR_MENTAL_HEALTH, Named, ProviderAnswer, SpecialtiesAnswer,
};
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::{ProviderPosition, WaitingTimes, WaitingTimesError};

use crate::WebState;
use crate::fault::PageFault;
use crate::pages::concerns::FieldError;
use crate::shell::{Place, Shell, respond};
use crate::views::estimate::{Voice, estimate_view};
use crate::views::{self, Choice, Found, FoundProvider, ListView, LookUp};
use crate::visit::Visit;
use crate::wait_form::{WaitErrors, WaitForm};

/// Providers on one page.
const PROVIDERS: usize = 20;
/// The longest text that is looked for, in characters.
const LONGEST_NAME: usize = 100;

/// What is looked for. Everything is optional: the page without a question is the form.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct LookUpQuery {
    /// A part of the provider's name, or its code.
    name: Option<String>,
    /// The kind of care, by its code.
    specialty: Option<String>,
    /// The provider that was chosen, by its code.
    provider: Option<String>,
    /// Where the list of providers goes on.
    after: Option<String>,
    /// How long the wait has been, beside a provider.
    #[serde(flatten)]
    wait: WaitForm,
    /// Present when the hospital has decided to admit the person.
    decided: Option<String>,
}

#[derive(Template)]
#[template(path = "look_up.html")]
pub(crate) struct LookUpPage {
    pub(crate) shell: Shell,
    pub(crate) name: String,
    pub(crate) specialties: Vec<Choice>,
    pub(crate) name_error: Option<&'static str>,
    pub(crate) specialty_error: Option<&'static str>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) outcome: LookUp,
    pub(crate) wait: WaitForm,
    pub(crate) wait_errors: WaitErrors,
    pub(crate) decided: bool,
}

/// `GET /waiting-times/look-up`.
pub(crate) async fn look_up(
    State(state): State<WebState>,
    visit: Visit,
    query: Result<Query<LookUpQuery>, QueryRejection>,
) -> Result<Response, PageFault> {
    let Query(query) = query.map_err(|_| Fault::new(ErrorKind::ParameterInvalid))?;
    let asked = Asked::new(&query, &state.waiting_times)?;
    let title = match &asked.outcome {
        LookUp::List(list) => format!("{}, {}", list.specialty, list.provider),
        _ => "Look up a waiting list".to_owned(),
    };
    let shell = visit.shell(&state, &title, Place::LookUp).await;
    respond(&asked.page(shell))
}

/// What was asked, checked, and what came of it.
pub(crate) struct Asked {
    name: String,
    specialty: Option<TreatmentFunction>,
    specialties: SpecialtiesAnswer,
    name_error: Option<&'static str>,
    specialty_error: Option<&'static str>,
    wait: WaitForm,
    wait_errors: WaitErrors,
    decided: bool,
    outcome: LookUp,
}

impl Asked {
    fn new(query: &LookUpQuery, figures: &WaitingTimes) -> Result<Self, PageFault> {
        let mut asked = Self {
            name: query.name.as_deref().unwrap_or_default().trim().to_owned(),
            specialty: None,
            specialties: figures.specialties_view(),
            name_error: None,
            specialty_error: None,
            wait: query.wait.clone(),
            wait_errors: WaitErrors::default(),
            decided: query.decided.is_some(),
            outcome: LookUp::NotAsked,
        };
        let is_question = query.name.is_some() || query.specialty.is_some() || query.provider.is_some();
        if !is_question {
            return Ok(asked);
        }
        if !views::is_loaded(&asked.specialties.figures) {
            asked.outcome = LookUp::NoFigures;
            return Ok(asked);
        }
        let provider = match query.provider.as_deref() {
            None | Some("") => None,
            Some(code) => Some(ProviderCode::parse(code).ok_or_else(|| parameter("provider"))?),
        };
        let after = match query.after.as_deref() {
            None => None,
            Some(place) => Some(ProviderPosition::from_text(place).ok_or(ErrorKind::CursorInvalid)?),
        };
        let specialty = match query.specialty.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(code) => Some(TreatmentFunction::parse(code).ok_or_else(|| parameter("specialty"))?),
        };
        asked.specialty = specialty;
        if provider.is_none() {
            if asked.name.is_empty() {
                asked.name_error = Some("Enter a part of the provider's name, or its code");
            } else if asked.name.chars().count() > LONGEST_NAME {
                asked.name_error = Some("Enter 100 characters or fewer");
            }
        }
        let Some(specialty) = specialty else {
            asked.specialty_error = Some("Choose a kind of care");
            return Ok(asked);
        };
        match provider {
            Some(provider) => {
                asked.outcome = LookUp::List(Box::new(asked.list(figures, provider, specialty)?))
            }
            None if asked.name_error.is_none() => {
                asked.outcome = LookUp::Found(asked.found(figures, specialty, after.as_ref()));
            }
            None => {}
        }
        Ok(asked)
    }

    fn specialty_named(&self, code: TreatmentFunction) -> String {
        let name = self.specialties.specialties.iter().find(|named| named.code == code.as_str());
        let unnamed = || Named { code: code.to_string(), name: None };
        views::specialty_name(&name.cloned().unwrap_or_else(unnamed))
    }

    fn found(
        &self,
        figures: &WaitingTimes,
        specialty: TreatmentFunction,
        after: Option<&ProviderPosition>,
    ) -> Found {
        let page = figures.providers(&self.name, after, PROVIDERS);
        let next = page.next.map(|place| {
            address(&[("name", &self.name), ("specialty", specialty.as_str()), ("after", &place.to_text())])
        });
        let providers =
            page.answer.providers.into_iter().map(|provider| self.choice(provider, specialty)).collect();
        Found { specialty: self.specialty_named(specialty), providers, next }
    }

    fn choice(&self, provider: ProviderAnswer, specialty: TreatmentFunction) -> FoundProvider {
        let href =
            address(&[("provider", &provider.code), ("specialty", specialty.as_str()), ("name", &self.name)]);
        let named = Named { code: provider.code, name: provider.name };
        FoundProvider { name: views::provider_name(&named), code: named.code, href }
    }

    fn list(
        &mut self,
        figures: &WaitingTimes,
        provider: ProviderCode,
        specialty: TreatmentFunction,
    ) -> Result<ListView, PageFault> {
        let (provider_named, said) = match figures.statistics_view(provider, specialty) {
            Ok(answer) if specialty.is_mental_health() => {
                (answer.provider, views::unavailable(NOT_COMPUTED_FOR_MENTAL_HEALTH))
            }
            Ok(answer) => (answer.provider.clone(), views::figures(&answer)),
            Err(WaitingTimesError::NoFiguresForThisList) => {
                (known_name(figures, provider), views::unavailable(NO_FIGURES_FOR_THIS_LIST))
            }
            Err(other) => return Err(other.into()),
        };
        let waited = self.wait.read(figures).unwrap_or_else(|errors| {
            self.wait_errors = errors;
            None
        });
        let estimate = figures.estimate_view(provider, specialty, waited, self.decided);
        let specialty_name = self.specialty_named(specialty);
        Ok(ListView {
            provider: views::provider_name(&provider_named),
            code: provider.to_string(),
            specialty_code: specialty.to_string(),
            figures: said,
            estimate: Box::new(estimate_view(&estimate, Voice::Anybody)),
            past: estimate.weeks_waited.and_then(|weeks| {
                views::past_standard(weeks, views::THIS_IS_PAST, &specialty_name, specialty.as_str())
            }),
            compare: views::compare_address(specialty.as_str(), estimate.weeks_waited),
            specialty: specialty_name,
        })
    }

    pub(crate) fn page(self, shell: Shell) -> LookUpPage {
        let chosen = self.specialty.map(|code| code.to_string());
        let specialties =
            views::choices(&self.specialties.specialties, chosen.as_deref(), views::specialty_name);
        let fields = [
            ("name", self.name_error),
            ("specialty", self.specialty_error),
            ("weeks", self.wait_errors.weeks),
            ("date", self.wait_errors.date),
        ];
        let errors: Vec<FieldError> = fields
            .into_iter()
            .filter_map(|(field, message)| Some(FieldError { field, message: message?.to_owned() }))
            .collect();
        LookUpPage {
            shell: shell.error(!errors.is_empty()),
            name: self.name,
            specialties,
            name_error: self.name_error,
            specialty_error: self.specialty_error,
            errors,
            outcome: self.outcome,
            wait: self.wait,
            wait_errors: self.wait_errors,
            decided: self.decided,
        }
    }
}

/// The provider's name where any list of the month names it.
pub(super) fn known_name(figures: &WaitingTimes, code: ProviderCode) -> Named {
    let found = figures.providers(code.as_str(), None, PROVIDERS).answer.providers;
    let name =
        found.into_iter().find(|provider| provider.code == code.as_str()).and_then(|provider| provider.name);
    Named { code: code.to_string(), name }
}

pub(super) fn parameter(name: &str) -> Fault {
    Fault::new(ErrorKind::ParameterInvalid).at(name)
}

fn address(query: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("/waiting-times/look-up?{query}")
}
