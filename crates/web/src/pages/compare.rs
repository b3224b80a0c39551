//! One kind of care at several hospitals, in the order of their names, for anybody.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use platform::ErrorKind;
use url::form_urlencoded;
use waiting_times::answers::SpecialtiesAnswer;
use waiting_times::estimates::{CompareFilter, MOST_PROVIDERS_COMPARED, WeeksWaited};
use waiting_times::model::{OrganisationCode, ProviderCode, TreatmentFunction};
use waiting_times::{ProviderPosition, WaitingTimes, WaitingTimesError};

use super::look_up::parameter;
use crate::WebState;
use crate::fault::PageFault;
use crate::pages::concerns::FieldError;
use crate::shell::{Place, Shell, respond};
use crate::views::compare::{Compared, compared};
use crate::views::{self, Choice};
use crate::visit::Visit;
use crate::wait_form::{WaitErrors, WaitForm};

/// Hospitals on one page.
const HOSPITALS: usize = 20;
/// The most fields of a form that are looked at.
const MOST_FIELDS: usize = 200;

/// What is asked. A tick box sends its field once for every tick.
#[derive(Debug, Default)]
struct CompareQuery {
    specialty: Option<String>,
    region: Option<String>,
    providers: Vec<String>,
    wait: WaitForm,
    after: Option<String>,
}

impl CompareQuery {
    fn read(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(MOST_FIELDS) {
            let value = value.trim().to_owned();
            match name.as_ref() {
                "specialty" => asked.specialty = Some(value),
                "region" if !value.is_empty() => asked.region = Some(value),
                "provider" if !value.is_empty() => asked.providers.push(value),
                "weeks" => asked.wait.weeks = value,
                "after" => asked.after = Some(value),
                _ => {}
            }
        }
        asked
    }
}

#[derive(Template)]
#[template(path = "compare.html")]
pub(crate) struct ComparePage {
    pub(crate) shell: Shell,
    pub(crate) specialties: Vec<Choice>,
    pub(crate) regions: Vec<Choice>,
    pub(crate) specialty_error: Option<&'static str>,
    pub(crate) choice_error: Option<&'static str>,
    pub(crate) wait: WaitForm,
    pub(crate) wait_errors: WaitErrors,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) outcome: Outcome,
}

/// What came of comparing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing was asked yet, or what was asked has to be put right.
    NotAsked,
    /// There are no figures to look in.
    NoFigures,
    /// The hospitals.
    Compared(Box<ComparedView>),
}

/// The hospitals, and the ways on from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparedView {
    pub(crate) table: Compared,
    pub(crate) specialty_code: String,
    pub(crate) region_code: Option<String>,
    /// Whether only chosen hospitals are shown; then the way back to all of them.
    pub(crate) all: Option<String>,
    pub(crate) next: Option<String>,
}

/// `GET /waiting-times/compare`.
pub(crate) async fn compare(
    State(state): State<WebState>,
    visit: Visit,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFault> {
    let asked = Asked::new(CompareQuery::read(&query.unwrap_or_default()), &state.waiting_times)?;
    let title = match &asked.outcome {
        Outcome::Compared(view) => format!("{}: compare hospitals", view.table.specialty),
        _ => "Compare hospitals".to_owned(),
    };
    let shell = visit.shell(&state, &title, Place::Elsewhere).await;
    respond(&asked.page(shell, &state.waiting_times))
}

/// What was asked, checked, and what came of it.
struct Asked {
    specialties: SpecialtiesAnswer,
    specialty: Option<TreatmentFunction>,
    region: Option<OrganisationCode>,
    specialty_error: Option<&'static str>,
    choice_error: Option<&'static str>,
    wait: WaitForm,
    wait_errors: WaitErrors,
    outcome: Outcome,
}

impl Asked {
    fn new(query: CompareQuery, figures: &WaitingTimes) -> Result<Self, PageFault> {
        let mut asked = Self {
            specialties: figures.specialties_view(),
            specialty: None,
            region: None,
            specialty_error: None,
            choice_error: None,
            wait: query.wait,
            wait_errors: WaitErrors::default(),
            outcome: Outcome::NotAsked,
        };
        if !views::is_loaded(&asked.specialties.figures) {
            asked.outcome = Outcome::NoFigures;
            return Ok(asked);
        }
        let Some(specialty) = query.specialty else { return Ok(asked) };
        let after = match query.after.as_deref() {
            None => None,
            Some(place) => Some(ProviderPosition::from_text(place).ok_or(ErrorKind::CursorInvalid)?),
        };
        asked.region = match query.region.as_deref() {
            None => None,
            Some(code) => Some(OrganisationCode::parse(code).ok_or_else(|| parameter("region"))?),
        };
        let providers: Vec<ProviderCode> = query
            .providers
            .iter()
            .map(|code| ProviderCode::parse(code).ok_or_else(|| parameter("provider")))
            .collect::<Result<_, _>>()?;
        asked.specialty = match specialty.as_str() {
            "" => None,
            code => Some(TreatmentFunction::parse(code).ok_or_else(|| parameter("specialty"))?),
        };
        if providers.len() > MOST_PROVIDERS_COMPARED {
            asked.choice_error = Some("Choose 10 hospitals or fewer");
        }
        let waited = match asked.wait.read(figures) {
            Ok(Some(waited)) => Some(waited),
            Ok(None) => {
                asked.wait_errors.weeks = Some("Enter the weeks waited so far");
                None
            }
            Err(errors) => {
                asked.wait_errors = errors;
                None
            }
        };
        if asked.specialty.is_none() {
            asked.specialty_error = Some("Choose a kind of care");
        }
        if let (Some(specialty), Some(waited), None) = (asked.specialty, waited, asked.choice_error) {
            asked.outcome = asked.compared(figures, specialty, waited, providers, after.as_ref())?;
        }
        Ok(asked)
    }

    fn compared(
        &self,
        figures: &WaitingTimes,
        specialty: TreatmentFunction,
        waited: WeeksWaited,
        providers: Vec<ProviderCode>,
        after: Option<&ProviderPosition>,
    ) -> Result<Outcome, PageFault> {
        let chosen = !providers.is_empty();
        let filter = match self.region {
            _ if chosen => CompareFilter::Providers(providers),
            Some(region) => CompareFilter::Region(region),
            None => CompareFilter::All,
        };
        let page = match figures.compare(specialty, waited, &filter, after, HOSPITALS) {
            Ok(page) => page,
            Err(WaitingTimesError::NoFiguresForThisList) => return Err(parameter("specialty").into()),
            Err(WaitingTimesError::NoMonthImported) => return Ok(Outcome::NoFigures),
            Err(other) => return Err(other.into()),
        };
        let next = page.next.map(|place| self.address(specialty, Some(&place.to_text())));
        Ok(Outcome::Compared(Box::new(ComparedView {
            table: compared(&page.answer),
            specialty_code: specialty.to_string(),
            region_code: self.region.map(|code| code.to_string()),
            all: chosen.then(|| self.address(specialty, None)),
            next,
        })))
    }

    fn address(&self, specialty: TreatmentFunction, after: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("specialty", specialty.as_str()).extend_pairs(self.wait.pairs());
        if let Some(region) = self.region {
            query.append_pair("region", region.as_str());
        }
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        format!("/waiting-times/compare?{}", query.finish())
    }

    fn page(self, shell: Shell, figures: &WaitingTimes) -> ComparePage {
        let fields = [
            ("specialty", self.specialty_error),
            ("weeks", self.wait_errors.weeks),
            ("region", self.choice_error),
        ];
        let errors: Vec<FieldError> = fields
            .into_iter()
            .filter_map(|(field, message)| Some(FieldError { field, message: message?.to_owned() }))
            .collect();
        let specialty = self.specialty.map(|code| code.to_string());
        let region = self.region.map(|code| code.to_string());
        ComparePage {
            shell: shell.error(!errors.is_empty()),
            specialties: views::choices(
                &self.specialties.specialties,
                specialty.as_deref(),
                views::specialty_name,
            ),
            regions: views::choices(&figures.regions_view(), region.as_deref(), views::region_name),
            specialty_error: self.specialty_error,
            choice_error: self.choice_error,
            wait: self.wait,
            wait_errors: self.wait_errors,
            errors,
            outcome: self.outcome,
        }
    }
}
