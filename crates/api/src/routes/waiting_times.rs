//! How long the lists are, the person's own waits, and how much longer they may take.

mod estimates;
mod preferences;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use platform::{ErrorKind, Fault};
use record_access::{AccessContext, category};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use waiting_times::answers::{MyWaitsAnswer, ProvidersAnswer, SpecialtiesAnswer, StatisticsAnswer};
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::{ProviderPosition, WaitingTimesError};

use crate::app::App;
use crate::http::answer::{Keep, conditional};
use crate::http::extract::{Ids, Query};
use crate::http::guard::SignedIn;
use crate::http::problem::{ApiFault, BadRequest, Forbidden, Missing, Unauthorized, Unavailable, fault_of};

type Answered = Result<Response, ApiFault>;

/// Routes of estimates that know nobody.
pub fn open() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(estimates::get_waiting_time_estimate))
        .routes(routes!(estimates::compare_waiting_times))
}

/// Routes of estimates behind the guard.
pub fn guarded() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(preferences::get_waiting_time_preferences, preferences::set_waiting_time_preferences))
        .routes(routes!(preferences::set_preferences_form))
}

/// The signed-in person's referrals
///
/// Each referral with the weeks waited so far, the published figures of the list it is on, and an estimate of how
/// much longer people who have waited as long are likely to wait, unless the person asked for none. The figures
/// describe everybody on that list. A referral whose list has no figures says why; a record without referrals
/// says that none is known here, which is not the same as none.
#[utoipa::path(
    get, path = "/v1/waiting-times", operation_id = "getMyWaitingTimes", tag = "waiting-times",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("waiting-times.read"))),
    params(("If-None-Match" = Option<String>, Header, description = "Entity tag of the answer the caller holds.")),
    responses(
        (status = 200, description = "The referrals.", body = MyWaitsAnswer,
         headers(("ETag" = String, description = "Strong entity tag."))),
        (status = 304, description = "The answer the caller holds is still right."),
        Unauthorized, Forbidden, Unavailable,
    )
)]
pub async fn get_my_waiting_times(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    asked: HeaderMap,
) -> Answered {
    let context = AccessContext { request_id: ids.request_id, operation: "getMyWaitingTimes" };
    let access = app
        .records
        .open::<category::WaitingTimes>(session.principal(), context)
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    let answer =
        app.waiting_times.my_waits(&access).await.map_err(|error| fault_of(error.kind(), error.as_ref()))?;
    Ok(conditional(&answer, Keep::Private, &asked))
}

/// Which list to look up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StatisticsQuery {
    /// ODS code of the provider.
    #[param(example = "RTH", max_length = 8)]
    provider: String,
    /// Treatment function, as in the official figures.
    #[param(example = "C_110", max_length = 8)]
    treatment_function: String,
}

/// The published figures of one list
///
/// List size, median, 92nd percentile and share within 18 weeks of everybody waiting at one provider for one
/// treatment function, by the official rule. Null below 50 pathways, with the reason.
#[utoipa::path(
    get, path = "/v1/waiting-times/statistics", operation_id = "getWaitingTimeStatistics", tag = "waiting-times",
    security(()), params(StatisticsQuery),
    responses(
        (status = 200, description = "The figures.", body = StatisticsAnswer,
         headers(("ETag" = String, description = "Strong entity tag."))),
        (status = 304, description = "The answer the caller holds is still right."),
        BadRequest, Missing, Unavailable,
    )
)]
pub async fn get_waiting_time_statistics(
    State(app): State<App>,
    Query(query): Query<StatisticsQuery>,
    asked: HeaderMap,
) -> Answered {
    let not_a_code = |name: &str| wrong(name, "This is not a code of its kind.");
    let provider = ProviderCode::parse(&query.provider).ok_or_else(|| not_a_code("provider"))?;
    let function = TreatmentFunction::parse(&query.treatment_function)
        .ok_or_else(|| not_a_code("treatment_function"))?;
    let answer = app.waiting_times.statistics(provider, function).await.map_err(|error| match *error {
        WaitingTimesError::NoFiguresForThisList | WaitingTimesError::NoMonthImported => no_such_list(&error),
        _ => fault_of(error.kind(), error.as_ref()),
    })?;
    Ok(conditional(&answer, Keep::Public, &asked))
}

/// Which providers to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProvidersQuery {
    /// The start of an ODS code, or of words of a name. All providers where it is absent.
    #[param(example = "oxford", max_length = 100)]
    #[serde(default)]
    query: String,
    /// Most providers in the answer.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// Where to go on: the cursor in the `Link` header of the answer before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// Providers by code or name
///
/// Providers that have figures, in the order of their names. Where there are more, the `Link` header with
/// `rel="next"` says where they are.
#[utoipa::path(
    get, path = "/v1/waiting-times/providers", operation_id = "findProviders", tag = "waiting-times",
    security(()), params(ProvidersQuery),
    responses(
        (status = 200, description = "The providers found.", body = ProvidersAnswer,
         headers(("Link" = Option<String>, description = "The next page, where there is one (RFC 8288)."))),
        BadRequest, Unavailable,
    )
)]
pub async fn find_providers(
    State(app): State<App>,
    Query(query): Query<ProvidersQuery>,
    asked: HeaderMap,
) -> Answered {
    let limit = limit_of(query.limit, 20)?;
    if query.query.chars().count() > 100 {
        return Err(ApiFault(
            Fault::new(ErrorKind::ParameterInvalid).detail("At most 100 characters.").at("query"),
        ));
    }
    let list = format!("providers?query={}", query.query);
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
    let page = app.waiting_times.providers(&query.query, after.as_ref(), usize::from(limit));
    let answer =
        platform::cache::Answer::json(&page.answer).map_err(|error| fault_of(ErrorKind::Internal, &error))?;
    let mut response = conditional(&answer, Keep::Public, &asked);
    if let Some(next) = page.next {
        let cursor = app.cursors.make(&list, &next.to_text());
        let asked: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &query.query)
            .append_pair("limit", &limit.to_string())
            .append_pair("cursor", &cursor)
            .finish();
        add_next(&mut response, &format!("/v1/waiting-times/providers?{asked}"));
    }
    Ok(response)
}

/// The kinds of care the figures tell apart
#[utoipa::path(
    get, path = "/v1/waiting-times/specialties", operation_id = "listSpecialties", tag = "waiting-times",
    description = "Treatment functions that have figures, in the order of their codes.",
    security(()),
    responses(
        (status = 200, description = "The treatment functions.", body = SpecialtiesAnswer,
         headers(("ETag" = String, description = "Strong entity tag."))),
        (status = 304, description = "The answer the caller holds is still right."),
        Unavailable,
    )
)]
pub async fn list_specialties(State(app): State<App>, asked: HeaderMap) -> Answered {
    let answer =
        app.waiting_times.specialties().await.map_err(|error| fault_of(error.kind(), error.as_ref()))?;
    Ok(conditional(&answer, Keep::Public, &asked))
}

/// A parameter that is not of its form; never says back what was sent.
fn wrong(name: &str, what: &str) -> ApiFault {
    ApiFault(Fault::new(ErrorKind::ParameterInvalid).detail(what).at(name))
}

/// There is no such list, or there are no figures at all: said as it is.
fn no_such_list(error: &WaitingTimesError) -> ApiFault {
    ApiFault(Fault::new(error.kind()).detail(error.to_string()))
}

/// A page's size: between 1 and 100.
pub(crate) fn limit_of(asked: Option<u16>, default: u16) -> Result<u16, ApiFault> {
    let limit = asked.unwrap_or(default);
    if (1..=100).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiFault(Fault::new(ErrorKind::ParameterInvalid).detail("Between 1 and 100.").at("limit")))
    }
}

/// `Link: <target>; rel="next"` (RFC 8288).
pub(crate) fn add_next(response: &mut Response, target: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")) {
        response.headers_mut().insert(header::LINK, value);
    }
}
