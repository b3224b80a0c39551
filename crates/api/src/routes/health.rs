//! How the service is, and the document that describes it.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use waiting_times::EstimatesHealth;
use waiting_times::answers::{FiguresState, Freshness};

use crate::app::App;
use crate::http::answer::no_store;
use crate::http::problem::Problem;
use crate::openapi;

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingAnswer {
    /// The version of the service.
    version: &'static str,
    /// The commit it was built from, where the build knew it.
    commit: Option<&'static str>,
}

/// A sign of life
#[utoipa::path(
    get, path = "/_ping", operation_id = "ping", tag = "health",
    description = "Answers while the process runs; asks nothing of database, cache or provider.",
    security(()),
    responses((status = 200, description = "It runs.", body = PingAnswer))
)]
pub async fn ping() -> Response {
    let answer = PingAnswer { version: env!("CARGO_PKG_VERSION"), commit: option_env!("FRONT_DOOR_COMMIT") };
    no_store(StatusCode::OK, &answer)
}

/// How one part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Pass,
    /// Worse than it should be; the service goes on without it.
    Warn,
    /// Not usable.
    Fail,
}

/// One part of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckAnswer {
    /// How it is.
    status: Health,
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// When it was asked.
    time: DateTime<Utc>,
}

/// How the service is, and each of its parts (draft-inadarei-api-health-check).
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusAnswer {
    /// The worst of the parts; the service answers requests unless it is `fail`.
    status: Health,
    /// The version of the service.
    version: &'static str,
    /// When this process started.
    started_at: DateTime<Utc>,
    /// The parts.
    checks: BTreeMap<&'static str, CheckAnswer>,
}

/// How the service is
#[utoipa::path(
    get, path = "/_status", operation_id = "status", tag = "health",
    description = "Asks each part and says how it is: database, cache, published figures, estimates.",
    security(()),
    responses(
        (status = 200, description = "The service answers; a part may be worse than it should be.", body = StatusAnswer, content_type = "application/health+json"),
        (status = 503, description = "The service cannot answer.", content(
            (StatusAnswer = "application/health+json"), (Problem = "application/problem+json"))),
    )
)]
pub async fn status(State(app): State<App>) -> Response {
    let (database, cache, estimates) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(2), app.db.ping()),
        tokio::time::timeout(Duration::from_secs(1), app.cache.ping()),
        tokio::time::timeout(Duration::from_secs(2), app.waiting_times.estimates_health()),
    );
    let time = app.clock.now();
    let check =
        |status, output: Option<&str>| CheckAnswer { status, output: output.map(str::to_owned), time };
    let database = match database {
        Ok(Ok(())) => check(Health::Pass, None),
        _ => check(Health::Fail, Some("the database does not answer")),
    };
    let cache = match cache {
        Ok(None) => check(Health::Pass, Some("in this process")),
        Ok(Some(Ok(()))) if app.cache.is_damaged() => {
            check(Health::Warn, Some("damaged entries were found in the shared cache; answers are made anew"))
        }
        Ok(Some(Ok(()))) => check(Health::Pass, Some("shared")),
        _ => check(Health::Warn, Some("the shared cache does not answer; answers are made anew")),
    };
    let figures = figures(&app.waiting_times.figures_state(), time);
    let estimates = match estimates {
        Ok(Ok(health)) => estimates_check(&health, time),
        // That the database does not answer is said above.
        _ => check(Health::Warn, Some("it cannot be told whether the last fit passed")),
    };
    let checks = BTreeMap::from([
        ("database", database),
        ("cache", cache),
        ("waiting-times:figures", figures),
        ("waiting-times:estimates", estimates),
    ]);
    let worst = checks.values().map(|check| check.status).max().unwrap_or(Health::Pass);
    let answer = StatusAnswer {
        status: worst,
        version: env!("CARGO_PKG_VERSION"),
        started_at: app.started_at,
        checks,
    };
    let code = if worst == Health::Fail { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut response = no_store(code, &answer);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/health+json"));
    response
}

fn figures(state: &FiguresState, time: DateTime<Utc>) -> CheckAnswer {
    let text = serde_json::to_string(state).unwrap_or_default();
    let status = match state {
        FiguresState::Loaded { month } if month.freshness != Freshness::Old => Health::Pass,
        _ => Health::Warn,
    };
    CheckAnswer { status, output: Some(text), time }
}

/// Estimates that are old or thin are worse than they should be; that is never a reason not to answer.
fn estimates_check(health: &EstimatesHealth, time: DateTime<Utc>) -> CheckAnswer {
    let status = if health.remarks.is_empty() { Health::Pass } else { Health::Warn };
    CheckAnswer { status, output: Some(serde_json::to_string(health).unwrap_or_default()), time }
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "health",
    description = "The OpenAPI document of this API.",
    security(()),
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object))
)]
pub async fn get_openapi(_asked: HeaderMap) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    (headers, openapi::bytes()).into_response()
}
