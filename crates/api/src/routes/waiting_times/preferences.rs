//! What a person wants to be shown of estimates.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect};
use identity::{Session, return_to};
use platform::cache::Answer;
use platform::{ErrorKind, Fault, RequestIds};
use record_access::{AccessContext, RecordAccess, category};
use serde::Deserialize;
use utoipa::ToSchema;
use waiting_times::answers::PreferencesAnswer;

use super::Answered;
use crate::app::App;
use crate::http::answer::{Keep, conditional};
use crate::http::extract::{FormBody, Ids, JsonBody};
use crate::http::guard::SignedIn;
use crate::http::problem::{
    ApiFault, BadRequest, Changed, Forbidden, TooLarge, Unauthorized, Unavailable, Unconditional,
    WrongMediaType, fault_of,
};

/// Where the form leads when it names no page.
const WAITS_PAGE: &str = "/waiting-times";

/// What the person wants to be shown
#[utoipa::path(
    get, path = "/v1/waiting-times/preferences", operation_id = "getWaitingTimePreferences", tag = "waiting-times",
    description = "Whether estimates are shown with the person's own waits. They are until the person says otherwise.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("waiting-times.read"))),
    params(("If-None-Match" = Option<String>, Header, description = "Entity tag of the answer the caller holds.")),
    responses(
        (status = 200, description = "The preferences.", body = PreferencesAnswer,
         headers(("ETag" = String, description = "Strong entity tag, for If-Match."))),
        (status = 304, description = "The answer the caller holds is still right."),
        Unauthorized, Forbidden, Unavailable,
    )
)]
pub async fn get_waiting_time_preferences(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    asked: HeaderMap,
) -> Answered {
    let access = open(&app, &session, &ids, "getWaitingTimePreferences").await?;
    let standing =
        app.waiting_times.preferences(&access).await.map_err(|error| fault_of(error.kind(), &error))?;
    Ok(conditional(&answer(standing)?, Keep::Private, &asked))
}

/// Say what to be shown
#[utoipa::path(
    put, path = "/v1/waiting-times/preferences", operation_id = "setWaitingTimePreferences", tag = "waiting-times",
    description = "Says whether estimates are shown with the person's own waits. `If-Match` names the preferences \
        that are changed, by the entity tag they were read with.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("waiting-times.read"))),
    params(
        ("If-Match" = String, Header, description = "Entity tag of the preferences as they were read, or `*`."),
        ("X-CSRF-Token" = String, Header, description = "The session's token, from getSession."),
    ),
    request_body = PreferencesAnswer,
    responses(
        (status = 200, description = "The preferences as they are now.", body = PreferencesAnswer,
         headers(("ETag" = String, description = "Strong entity tag, for If-Match."))),
        Changed, Unconditional,
        BadRequest, Unauthorized, Forbidden, TooLarge, WrongMediaType, Unavailable,
    )
)]
pub async fn set_waiting_time_preferences(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    headers: HeaderMap,
    body: JsonBody<PreferencesAnswer>,
) -> Answered {
    let access = open(&app, &session, &ids, "setWaitingTimePreferences").await?;
    let tags = if_match(&headers).ok_or_else(|| unmet(ErrorKind::PreconditionRequired))?;
    // Made before the transaction: there are two states, and each has its tag.
    let named = |show_estimates| -> Result<bool, ApiFault> {
        Ok(matches(&tags, &answer(PreferencesAnswer { show_estimates })?.etag))
    };
    let (shown, hidden) = (named(true)?, named(false)?);
    let expected = move |standing: PreferencesAnswer| if standing.show_estimates { shown } else { hidden };
    if !set(&app, &access, body.value, expected).await? {
        return Err(unmet(ErrorKind::PreconditionFailed));
    }
    Ok(conditional(&answer(body.value)?, Keep::Private, &HeaderMap::new()))
}

/// The form of a page.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct PreferencesForm {
    /// `yes` or `no`.
    #[schema(example = "no")]
    show_estimates: String,
    /// The page to come back to.
    return_to: Option<String>,
}

/// Say what to be shown, from a page's form
#[utoipa::path(
    post, path = "/account/preferences", operation_id = "setPreferencesForm", tag = "waiting-times",
    description = "The same as setWaitingTimePreferences for browsers without script, whatever stood before; answers \
        with a redirect to the page.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("waiting-times.read"))),
    request_body(content = PreferencesForm, content_type = "application/x-www-form-urlencoded", description = "The form, with the session's token in `csrf_token`."),
    responses(
        (status = 303, description = "It is kept; the page shows it."),
        BadRequest, Unauthorized, Forbidden, TooLarge, WrongMediaType, Unavailable,
    )
)]
pub async fn set_preferences_form(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    FormBody(form): FormBody<PreferencesForm>,
) -> Answered {
    let show_estimates = match form.show_estimates.as_str() {
        "yes" => true,
        "no" => false,
        _ => {
            return Err(ApiFault(
                Fault::new(ErrorKind::BodyInvalid).detail("yes or no.").at("/show_estimates"),
            ));
        }
    };
    let access = open(&app, &session, &ids, "setPreferencesForm").await?;
    set(&app, &access, PreferencesAnswer { show_estimates }, |_| true).await?;
    let page = return_to(Some(form.return_to.as_deref().unwrap_or(WAITS_PAGE)));
    Ok(Redirect::to(&page).into_response())
}

async fn open(
    app: &App,
    session: &Session,
    ids: &RequestIds,
    operation: &'static str,
) -> Result<RecordAccess<category::WaitingTimes>, ApiFault> {
    let context = AccessContext { request_id: ids.request_id, operation };
    app.records
        .open::<category::WaitingTimes>(session.principal(), context)
        .await
        .map_err(|error| fault_of(error.kind(), &error))
}

async fn set(
    app: &App,
    access: &RecordAccess<category::WaitingTimes>,
    wanted: PreferencesAnswer,
    expected: impl Fn(PreferencesAnswer) -> bool + Send,
) -> Result<bool, ApiFault> {
    let done = app
        .waiting_times
        .set_preferences(access, wanted, expected)
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    app.patients.changed(access.patient()).await;
    Ok(done)
}

fn answer(preferences: PreferencesAnswer) -> Result<Answer, ApiFault> {
    Answer::json(&preferences).map_err(|error| fault_of(ErrorKind::Internal, &error))
}

/// The tags of `If-Match`, of all its fields; `None` without one.
fn if_match(headers: &HeaderMap) -> Option<String> {
    let fields: Vec<&str> =
        headers.get_all(header::IF_MATCH).iter().filter_map(|field| field.to_str().ok()).collect();
    (!fields.is_empty()).then(|| fields.join(","))
}

/// `If-Match` compares strongly: a weak tag matches nothing (RFC 9110 section 13.1.1).
fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag)
}

/// The fault of a change whose condition is missing (428, RFC 6585) or does not hold (412).
fn unmet(kind: ErrorKind) -> ApiFault {
    let remedy = match kind {
        ErrorKind::PreconditionRequired => {
            "Send If-Match with the entity tag from getWaitingTimePreferences."
        }
        _ => "Read it again with getWaitingTimePreferences, and send the change with its new entity tag.",
    };
    ApiFault(Fault::new(kind).detail(remedy).at("If-Match"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_compares_strongly() {
        for (tags, want) in [
            ("\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("W/\"a\"", false),
            ("a", false),
            ("\"b\"", false),
            ("", false),
        ] {
            assert_eq!(matches(tags, "\"a\""), want, "{tags}");
        }
    }
}
