//! Signing in and out with a browser: redirects, the provider's answer, and the forms of the pages.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use identity::{Begin, Begun, Callback, Session, SignInError, return_to};
use platform::Fault;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use web::CurrentSession;

use crate::app::App;
use crate::http::cookies;
use crate::http::extract::{FormBody, Ids, PathParams, Query};
use crate::http::guard::SignedIn;
use crate::http::problem::{ApiFault, BadRequest, Forbidden, Missing, Problem, Unauthorized, Unavailable};
use crate::routes::sessions;

/// Where to go after signing in.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInQuery {
    /// A path on this site; anything else leads to the home page.
    #[param(example = "/waiting-times", max_length = 512)]
    return_to: Option<String>,
}

/// Go to the sign-in provider
#[utoipa::path(
    get, path = "/auth/login", operation_id = "beginSignIn", tag = "sign-in",
    description = "Begins a sign-in bound to this browser, and sends the browser to the sign-in provider.",
    security(()), params(SignInQuery),
    responses((status = 303, description = "To the provider."), Unavailable)
)]
pub async fn begin_sign_in(
    State(app): State<App>,
    Ids(ids): Ids,
    Query(query): Query<SignInQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiFault> {
    let begin = Begin {
        return_to: query.return_to,
        browser: cookies::read(&headers, app.cookies.login()).map(str::to_owned),
        request_id: ids.request_id,
    };
    let begun = app.identity.begin(begin).await.map_err(refused)?;
    let redirect = Redirect::to(begun.redirect.as_str()).into_response();
    Ok(with_login_cookie(&app, &begun, redirect))
}

/// What the provider sends the browser back with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// The authorization code.
    code: Option<String>,
    /// The state the sign-in began with.
    state: Option<String>,
    /// The issuer (RFC 9207), from providers that send it.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The same in words.
    error_description: Option<String>,
}

/// Come back from the sign-in provider
#[utoipa::path(
    get, path = "/auth/callback/{provider}", operation_id = "completeSignIn", tag = "sign-in",
    description = "Checks everything the provider says, opens a session with a new identifier, and sends the \
        browser to the page it came for. Each way of failing has its own page.",
    security(()),
    params(("provider" = String, Path, description = "The provider's short name."), CallbackQuery),
    responses(
        (status = 303, description = "Signed in."),
        (status = 502, description = "The provider gave an answer that cannot be accepted.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The provider did not answer in time.", body = Problem, content_type = "application/problem+json"),
        BadRequest, Forbidden, Unavailable,
    )
)]
pub async fn complete_sign_in(
    State(app): State<App>,
    Ids(ids): Ids,
    PathParams(provider): PathParams<String>,
    Query(query): Query<CallbackQuery>,
    current: Option<axum::Extension<CurrentSession>>,
    headers: HeaderMap,
) -> Result<Response, ApiFault> {
    let callback = Callback {
        provider,
        code: query.code,
        state: query.state,
        iss: query.iss,
        error: query.error,
        error_description: query.error_description,
    };
    let browser = cookies::read(&headers, app.cookies.login());
    let device = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let current: Option<Session> = current.and_then(|current| current.0.0);
    let signed_in = app
        .identity
        .complete(callback, browser, device, ids.request_id, current.as_ref())
        .await
        .map_err(refused)?;
    let mut response = Redirect::to(&signed_in.return_to).into_response();
    // The sign-in cookie stays until it runs out: another tab may still be on its way back with it.
    if let Some(cookie) = app.cookies.set(app.cookies.session(), &signed_in.token, None) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Sign out, from a page
#[utoipa::path(
    post, path = "/auth/sign-out", operation_id = "signOut", tag = "sign-in",
    description = "Ends the session and shows that it has ended.",
    security(("session" = [])), extensions(("x-assurance" = json!("P0"))),
    request_body(content = PlainForm, content_type = "application/x-www-form-urlencoded", description = "The session's token in `csrf_token`."),
    responses((status = 303, description = "Signed out."), Unauthorized, Forbidden, Unavailable)
)]
pub async fn sign_out(State(app): State<App>, SignedIn(session): SignedIn) -> Result<Response, ApiFault> {
    sessions::sign_out(&app, &session).await?;
    let mut response = sessions::without_cookie(&app, Redirect::to("/signed-out").into_response());
    // What the browser kept of this person's pages goes with the session.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// A form with nothing but the session's token, and perhaps the page to come back to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PlainForm {
    /// A path on this site.
    #[serde(default)]
    return_to: Option<String>,
}

/// Stay signed in, from a page
#[utoipa::path(
    post, path = "/auth/extend", operation_id = "extendSessionForm", tag = "sign-in",
    description = "Starts the idle time anew and goes back to the page.",
    security(("session" = [])), extensions(("x-assurance" = json!("P0"))),
    request_body(content = PlainForm, content_type = "application/x-www-form-urlencoded", description = "The session's token in `csrf_token`, and the page to come back to."),
    responses((status = 303, description = "Back to the page."), BadRequest, Unauthorized, Forbidden, Unavailable)
)]
pub async fn extend(
    SignedIn(_session): SignedIn,
    FormBody(form): FormBody<PlainForm>,
) -> Result<Response, ApiFault> {
    Ok(Redirect::to(&return_to(form.return_to.as_deref())).into_response())
}

/// Prove who you are, from a page
#[utoipa::path(
    post, path = "/auth/step-up", operation_id = "stepUp", tag = "sign-in",
    description = "Sends the browser to the provider to prove identity at the level records need. Whoever comes \
        back must be the same person; the session then gets a new identifier.",
    security(("session" = [])), extensions(("x-assurance" = json!("P0"))),
    request_body(content = PlainForm, content_type = "application/x-www-form-urlencoded", description = "The session's token in `csrf_token`, and the page to come back to."),
    responses((status = 200, description = "A page that leads on to the provider.", content_type = "text/html"), BadRequest, Unauthorized, Forbidden, Unavailable)
)]
pub async fn step_up(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    headers: HeaderMap,
    FormBody(form): FormBody<PlainForm>,
) -> Result<Response, ApiFault> {
    let begin = Begin {
        return_to: form.return_to,
        browser: cookies::read(&headers, app.cookies.login()).map(str::to_owned),
        request_id: ids.request_id,
    };
    let begun = app.identity.begin_step_up(&session, begin).await.map_err(refused)?;
    // Browsers hold the redirects of a form against `form-action 'self'`: a page leads on instead.
    Ok(with_login_cookie(&app, &begun, web::onward_page(&begun.redirect, app.demonstration())))
}

/// The form that ends one session.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndForm {
    /// The session, as in the list.
    session: Uuid,
}

/// End one session, from a page
#[utoipa::path(
    post, path = "/auth/sessions/end", operation_id = "endSessionForm", tag = "sign-in",
    description = "Ends one of the account's sessions and shows the others.",
    security(("session" = [])), extensions(("x-assurance" = json!("P0"))),
    request_body(content = EndForm, content_type = "application/x-www-form-urlencoded", description = "The session to end, and the caller's token in `csrf_token`."),
    responses((status = 303, description = "It has ended."), BadRequest, Unauthorized, Forbidden, Missing, Unavailable)
)]
pub async fn end_session(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    FormBody(form): FormBody<EndForm>,
) -> Result<Response, ApiFault> {
    let own = sessions::end_one(&app, &session, form.session).await?;
    Ok(if own {
        sessions::without_cookie(&app, Redirect::to("/signed-out").into_response())
    } else {
        Redirect::to("/account/sessions").into_response()
    })
}

/// Sign out everywhere else, from a page
#[utoipa::path(
    post, path = "/auth/sessions/end-others", operation_id = "endOtherSessionsForm", tag = "sign-in",
    description = "Ends every session of the account but this one.",
    security(("session" = [])), extensions(("x-assurance" = json!("P0"))),
    request_body(content = PlainForm, content_type = "application/x-www-form-urlencoded", description = "The session's token in `csrf_token`."),
    responses((status = 303, description = "They have ended."), Unauthorized, Forbidden, Unavailable)
)]
pub async fn end_other_sessions(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, ApiFault> {
    sessions::end_others(&app, &session).await?;
    Ok(Redirect::to("/account/sessions").into_response())
}

fn with_login_cookie(app: &App, begun: &Begun, mut response: Response) -> Response {
    let minutes = u64::from(app.settings.identity.attempt_minutes);
    if let Some(cookie) = app.cookies.set(app.cookies.login(), &begun.browser, Some(minutes * 60)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The kind is for the browser; the reason stands in the log line and the access log only.
fn refused(error: SignInError) -> ApiFault {
    ApiFault(Fault::new(error.kind()).because(error.reason))
}
