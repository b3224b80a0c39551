//! The provider's routes: HTTP in, the provider's answers out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query, RawQuery, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, PRAGMA, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::SimulatorError;
use super::authorize::Refusal;
use super::faults::{Endpoint, FaultsChange};
use super::pages;
use super::params::Params;
use super::provider::{Choice, Provider};
use super::token;

type Shared = State<Arc<Provider>>;

/// The largest body and the longest query string read, in bytes.
const MOST_BYTES: usize = 16 * 1024;

pub(super) fn router(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/authorize", get(authorize_get).post(authorize_post))
        .route("/choose", get(choose_page).post(choose))
        .route("/choose/faults", post(faults_form))
        .route("/token", any(token))
        .route("/userinfo", get(userinfo))
        .route("/faults", get(faults_report).post(faults_change))
        .route("/style.css", get(style))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state(provider.clone(), loopback_only))
        .with_state(provider)
}

/// Refuses every peer that is not this machine, and every request whose peer is unknown. A `Host` that is
/// not this machine is refused too: a page elsewhere could point its own name at 127.0.0.1.
async fn loopback_only(State(provider): Shared, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    let host = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    if peer.is_some_and(|ip| ip.is_loopback()) && host.is_none_or(|host| names_this_machine(host, &provider))
    {
        return next.run(request).await;
    }
    pages::problem(
        &provider,
        StatusCode::FORBIDDEN,
        "Only from this machine",
        "The sign-in simulator answers requests from the machine it runs on, and no others.",
    )
}

fn names_this_machine(host: &str, provider: &Provider) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let issuer = provider.issuer.split_once("://").map_or("", |(_, rest)| rest);
    let issuer = issuer.split('/').next().unwrap_or_default();
    matches!(name, "127.0.0.1" | "localhost" | "[::1]") || host == issuer
}

/// Waits and fails as the faults say; nothing when the endpoint is to answer.
async fn admitted(provider: &Provider, endpoint: Endpoint) -> Option<Response> {
    let admission = provider.enter(endpoint);
    if admission.delay > Duration::ZERO {
        tokio::time::sleep(admission.delay).await;
    }
    admission.fail.map(failed)
}

fn failed(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, "The simulator was asked to fail here.\n").into_response()
}

async fn discovery(State(provider): Shared) -> Response {
    match admitted(&provider, Endpoint::Discovery).await {
        Some(fault) => fault,
        None => Json(provider.discovery()).into_response(),
    }
}

async fn jwks(State(provider): Shared) -> Response {
    match admitted(&provider, Endpoint::Jwks).await {
        Some(fault) => fault,
        None => Json(provider.jwks()).into_response(),
    }
}

async fn authorize_get(State(provider): Shared, RawQuery(query): RawQuery) -> Response {
    authorize(&provider, query.unwrap_or_default().as_bytes())
}

async fn authorize_post(State(provider): Shared, body: Bytes) -> Response {
    authorize(&provider, &body)
}

fn authorize(provider: &Provider, form: &[u8]) -> Response {
    provider.enter(Endpoint::Authorize);
    if form.len() > MOST_BYTES {
        return pages::problem(
            provider,
            StatusCode::URI_TOO_LONG,
            "Request too long",
            "The sign-in request is longer than 16 KiB.",
        );
    }
    match provider.begin(&Params::parse(form)) {
        Ok(id) => pages::choose(provider, &id),
        Err(Refusal::Redirect(address)) => see_other(&address),
        Err(Refusal::Page(reason)) => {
            pages::problem(provider, StatusCode::BAD_REQUEST, "The app's request cannot be answered", reason)
        }
    }
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    request: String,
}

async fn choose_page(State(provider): Shared, Query(waiting): Query<Waiting>) -> Response {
    pages::choose(&provider, &waiting.request)
}

async fn choose(State(provider): Shared, body: Bytes) -> Response {
    let params = Params::parse(&body);
    match provider.choose(&params) {
        Choice::Redirect(address) => see_other(&address),
        Choice::IdentityCheck(check) => {
            pages::identity_check(&provider, params.first("request").unwrap_or_default(), &check)
        }
        Choice::Gone => pages::gone(&provider),
        Choice::Malformed => pages::problem(
            &provider,
            StatusCode::BAD_REQUEST,
            "That did not work",
            "The form was not one of this simulator's pages, or was changed on its way.",
        ),
    }
}

/// Every error of this endpoint is a 400 with a JSON body, as the real one's are: also an unreadable body.
async fn token(State(provider): Shared, request: Request) -> Response {
    let admission = provider.enter(Endpoint::Token);
    if admission.delay > Duration::ZERO {
        tokio::time::sleep(admission.delay).await;
    }
    let answer = match read_form(request).await {
        Ok(params) => {
            let answer = provider.token(&params, admission.fail.is_some());
            if let Some(status) = admission.fail {
                return failed(status);
            }
            answer
        }
        Err(description) => {
            Err(token::TokenError { error: "invalid_request", error_description: description })
        }
    };
    let response = match answer {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(error)).into_response(),
    };
    not_stored(response)
}

async fn read_form(request: Request) -> Result<Params, &'static str> {
    if request.method() != axum::http::Method::POST {
        return Err("The token endpoint takes POST.");
    }
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    if !form {
        return Err("The body must be application/x-www-form-urlencoded.");
    }
    let body = axum::body::to_bytes(request.into_body(), MOST_BYTES).await;
    body.map(|body| Params::parse(&body)).map_err(|_| "The body could not be read or is longer than 16 KiB.")
}

async fn userinfo(State(provider): Shared, headers: HeaderMap) -> Response {
    if let Some(fault) = admitted(&provider, Endpoint::Userinfo).await {
        return fault;
    }
    let claims = bearer(&headers).and_then(|token| provider.userinfo(token));
    not_stored(match claims {
        Some(claims) => Json(claims).into_response(),
        None => {
            let mut response = (StatusCode::UNAUTHORIZED, Json(token::invalid_token())).into_response();
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

async fn faults_report(State(provider): Shared) -> Response {
    not_stored(Json(provider.report()).into_response())
}

/// JSON only: a page elsewhere cannot post that here without this server's leave, which it never gives.
async fn faults_change(
    State(provider): Shared,
    change: Result<Json<FaultsChange>, axum::extract::rejection::JsonRejection>,
) -> Response {
    #[derive(Serialize)]
    struct Refused {
        error: String,
    }
    let refused = |status, error: String| (status, Json(Refused { error })).into_response();
    match change {
        Err(rejection) => refused(rejection.status(), rejection.body_text()),
        Ok(Json(change)) => match change_faults(provider.clone(), change).await {
            Ok(()) => not_stored(Json(provider.report()).into_response()),
            Err(error @ SimulatorError::Fault(_)) => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
    }
}

/// The same from the page's form, which proves itself by the id of a request that is waiting.
async fn faults_form(State(provider): Shared, body: Bytes) -> Response {
    let params = Params::parse(&body);
    let request = params.first("request").unwrap_or_default();
    if provider.waiting(request).is_none() {
        return pages::gone(&provider);
    }
    let changed = match pages::faults_from_form(&params) {
        Ok(change) => change_faults(provider.clone(), change).await,
        Err(what) => Err(SimulatorError::Fault(what)),
    };
    match changed {
        Ok(()) => see_other(&format!("{}/choose?request={request}", provider.issuer)),
        Err(error) => {
            pages::problem(&provider, StatusCode::BAD_REQUEST, "That fault cannot be set", &error.to_string())
        }
    }
}

/// Off the event loop: a change may make keys.
async fn change_faults(provider: Arc<Provider>, change: FaultsChange) -> Result<(), SimulatorError> {
    tokio::task::spawn_blocking(move || provider.change_faults(change))
        .await
        .unwrap_or(Err(SimulatorError::Fault("the change was interrupted")))
}

async fn style() -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")];
    (headers, include_str!("../../templates/style.css")).into_response()
}

async fn nothing_here(State(provider): Shared, _uri: Uri) -> Response {
    pages::problem(&provider, StatusCode::NOT_FOUND, "Nothing here", "The simulator has no such page.")
}

/// The address was built from a registered one and percent-encoded parameters; should it still not fit a
/// header, nothing is sent anywhere.
fn see_other(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(location) => {
            let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn not_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
