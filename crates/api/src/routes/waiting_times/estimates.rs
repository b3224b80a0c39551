//! How much longer: for anybody, by list and wait, and side by side.
//!
//! How long somebody has waited stands in the query and nowhere else: such an answer is for the caller's own cache.

use axum::extract::State;
use axum::http::HeaderMap;
use chrono::NaiveDate;
use platform::cache::Answer;
use platform::{ErrorKind, Fault};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use utoipa::IntoParams;
use waiting_times::answers::{CompareAnswer, EstimateAnswer};
use waiting_times::estimates::{CompareFilter, MOST_PROVIDERS_COMPARED, WeeksWaited};
use waiting_times::model::{OrganisationCode, ProviderCode, TreatmentFunction};
use waiting_times::{ProviderPosition, WaitingTimesError};

use super::{Answered, add_next, limit_of, no_such_list, wrong};
use crate::app::App;
use crate::http::answer::{Keep, conditional};
use crate::http::extract::Query;
use crate::http::problem::{ApiFault, BadRequest, Missing, Unavailable, fault_of};

/// Whose wait to estimate.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EstimateQuery {
    /// ODS code of the provider.
    #[param(example = "RTH", max_length = 8)]
    provider: String,
    /// Treatment function, as in the official figures.
    #[param(example = "C_110", max_length = 8)]
    treatment_function: String,
    /// Weeks waited so far on the hospital's clock, with decimals. Not together with `clock_start`.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 520, example = 18.5)]
    weeks_waited: Option<String>,
    /// The day the hospital's clock started, at most ten years back. Not together with `weeks_waited`. It is neither
    /// kept nor logged.
    #[param(value_type = Option<NaiveDate>)]
    clock_start: Option<String>,
    /// Whether the hospital has decided to admit the person: then an experimental reading is given, and marked.
    #[param(value_type = Option<bool>, default = false)]
    decision_to_admit: Option<String>,
}

/// How much longer people who have waited as long are likely to wait
///
/// From month-end lists by a life table: how long until people who have waited so long on this list come off it, for
/// whatever reason, with how sure that is, whose figures it stands on and what it does not count. Without
/// `weeks_waited` and `clock_start` the answer has `ranges` for waits of 0 to 18, 18 to 52 and over 52 weeks. It is
/// not a booking, and no date is given.
#[utoipa::path(
    get, path = "/v1/waiting-times/estimate", operation_id = "getWaitingTimeEstimate", tag = "waiting-times",
    security(()), params(EstimateQuery),
    responses(
        (status = 200, description = "The estimate, or why there is none.", body = EstimateAnswer,
         headers(("ETag" = String, description = "Strong entity tag."))),
        (status = 304, description = "The answer the caller holds is still right."),
        BadRequest, Missing, Unavailable,
    )
)]
pub async fn get_waiting_time_estimate(
    State(app): State<App>,
    Query(query): Query<EstimateQuery>,
    asked: HeaderMap,
) -> Answered {
    let provider = code(&query.provider)?;
    let function = function(&query.treatment_function)?;
    let waited = match (&query.weeks_waited, &query.clock_start) {
        (Some(_), Some(_)) => {
            return Err(wrong("clock_start", "Send weeks_waited or clock_start, not both."));
        }
        (Some(weeks), None) => Some(weeks_of(weeks)?),
        (None, Some(day)) => Some(weeks_since(&app, day)?),
        (None, None) => None,
    };
    let is_decided = match query.decision_to_admit.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(wrong("decision_to_admit", "true or false.")),
    };
    let answer = app.waiting_times.estimate(provider, function, waited, is_decided).await.map_err(
        |error| match *error {
            WaitingTimesError::NoFiguresForThisList | WaitingTimesError::NoMonthImported => {
                no_such_list(&error)
            }
            _ => fault_of(error.kind(), error.as_ref()),
        },
    )?;
    let keep = if waited.is_some() { Keep::Private } else { Keep::Public };
    Ok(conditional(&answer, keep, &asked))
}

/// What to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CompareQuery {
    /// Treatment function, as in the official figures.
    #[param(example = "C_110", max_length = 8)]
    treatment_function: String,
    /// Weeks waited so far on the hospital's clock, with decimals.
    #[param(value_type = f64, minimum = 0, maximum = 520, example = 18.5)]
    weeks_waited: String,
    /// Only providers of this integrated care board, by its code. Not together with `provider`.
    #[param(example = "QU9", max_length = 8)]
    region: Option<String>,
    /// Only these providers, by ODS code; may be repeated, at most 10 times. Not together with `region`.
    #[param(max_items = 10)]
    #[serde(default)]
    provider: Vec<String>,
    /// Most providers in the answer.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// Where to go on: the cursor in the `Link` header of the answer before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// The same kind of care at other providers
///
/// For somebody who has waited so long: each provider's estimate and its published figures, in the order of the
/// providers' names. The order says nothing about waits. Where there are more, the `Link` header with `rel="next"`
/// says where they are.
#[utoipa::path(
    get, path = "/v1/waiting-times/compare", operation_id = "compareWaitingTimes", tag = "waiting-times",
    security(()), params(CompareQuery),
    responses(
        (status = 200, description = "The providers.", body = CompareAnswer,
         headers(
            ("ETag" = String, description = "Strong entity tag."),
            ("Link" = Option<String>, description = "The next page, where there is one (RFC 8288)."),
         )),
        (status = 304, description = "The answer the caller holds is still right."),
        BadRequest, Missing, Unavailable,
    )
)]
pub async fn compare_waiting_times(
    State(app): State<App>,
    Query(query): Query<CompareQuery>,
    asked: HeaderMap,
) -> Answered {
    let function = function(&query.treatment_function)?;
    let waited = weeks_of(&query.weeks_waited)?;
    let limit = limit_of(query.limit, 20)?;
    let filter = filter(&app, &query)?;
    // What is asked for, without the wait: a cursor names a list, not a person's place in time.
    let mut same = Serializer::new(String::new());
    same.append_pair("treatment_function", function.as_str());
    match &filter {
        CompareFilter::All => {}
        CompareFilter::Region(region) => {
            same.append_pair("region", region.as_str());
        }
        CompareFilter::Providers(codes) => {
            for code in codes {
                same.append_pair("provider", code.as_str());
            }
        }
    }
    let same = same.finish();
    let list = format!("compare?{same}");
    let after = match &query.cursor {
        None => None,
        Some(cursor) => {
            let position = app.cursors.read(&list, cursor)?;
            Some(
                ProviderPosition::from_text(&position)
                    .ok_or_else(|| ApiFault(Fault::new(ErrorKind::CursorInvalid).at("cursor")))?,
            )
        }
    };
    let page = app
        .waiting_times
        .compare(function, waited, &filter, after.as_ref(), usize::from(limit))
        .map_err(|error| match error {
            WaitingTimesError::NoFiguresForThisList => ApiFault(
                Fault::new(error.kind()).detail("The published figures have no such treatment function."),
            ),
            WaitingTimesError::NoMonthImported => no_such_list(&error),
            _ => fault_of(error.kind(), &error),
        })?;
    let answer = Answer::json(&page.answer).map_err(|error| fault_of(ErrorKind::Internal, &error))?;
    let mut response = conditional(&answer, Keep::Private, &asked);
    if let Some(next) = page.next {
        let cursor = app.cursors.make(&list, &next.to_text());
        let more = Serializer::new(same)
            .append_pair("weeks_waited", &waited.weeks().to_string())
            .append_pair("limit", &limit.to_string())
            .append_pair("cursor", &cursor)
            .finish();
        add_next(&mut response, &format!("/v1/waiting-times/compare?{more}"));
    }
    Ok(response)
}

fn filter(app: &App, query: &CompareQuery) -> Result<CompareFilter, ApiFault> {
    match (&query.region, query.provider.as_slice()) {
        (None, []) => Ok(CompareFilter::All),
        (Some(region), []) => OrganisationCode::parse(region)
            .map(CompareFilter::Region)
            .ok_or_else(|| wrong("region", "This is not a code of its kind.")),
        (Some(_), _) => Err(wrong("provider", "Send region or provider, not both.")),
        (None, many) if many.len() > MOST_PROVIDERS_COMPARED => {
            Err(wrong("provider", "At most 10 providers."))
        }
        (None, codes) => {
            let codes: Vec<ProviderCode> = codes.iter().map(|text| code(text)).collect::<Result<_, _>>()?;
            if codes.iter().all(|code| app.waiting_times.knows_provider(*code)) {
                Ok(CompareFilter::Providers(codes))
            } else {
                Err(wrong("provider", "The published figures name no such provider."))
            }
        }
    }
}

fn code(text: &str) -> Result<ProviderCode, ApiFault> {
    ProviderCode::parse(text).ok_or_else(|| wrong("provider", "This is not a code of its kind."))
}

fn function(text: &str) -> Result<TreatmentFunction, ApiFault> {
    TreatmentFunction::parse(text)
        .ok_or_else(|| wrong("treatment_function", "This is not a code of its kind."))
}

fn weeks_of(text: &str) -> Result<WeeksWaited, ApiFault> {
    text.parse()
        .ok()
        .and_then(WeeksWaited::new)
        .ok_or_else(|| wrong("weeks_waited", "A number of weeks from 0 to 520."))
}

fn weeks_since(app: &App, text: &str) -> Result<WeeksWaited, ApiFault> {
    let day: NaiveDate = text.parse().map_err(|_| wrong("clock_start", "A day as YYYY-MM-DD."))?;
    app.waiting_times
        .weeks_since(day)
        .map_err(|_| wrong("clock_start", "A day that is not in the future and at most 10 years ago."))
}
