//! Every route, and what stands before it.

pub mod concerns;
pub mod health;
pub mod profile;
pub mod sessions;
pub mod sign_in;
pub mod waiting_times;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::App;
use crate::http::edge::{Edge, edge};
use crate::http::guard::guard;

/// Routes that know nobody: no session is looked for, and none is needed.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(waiting_times::get_waiting_time_statistics))
        .routes(routes!(waiting_times::find_providers))
        .routes(routes!(waiting_times::list_specialties))
        .merge(waiting_times::open())
        .routes(routes!(health::ping))
        .routes(routes!(health::status))
        .routes(routes!(health::get_openapi))
}

/// Routes behind the guard: they know who is signed in.
fn guarded() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(waiting_times::get_my_waiting_times))
        .merge(waiting_times::guarded())
        .routes(routes!(profile::get_profile))
        .routes(routes!(concerns::list_concerns, concerns::raise_concern))
        .routes(routes!(concerns::raise_concern_form))
        .routes(routes!(sessions::get_session, sessions::end_session))
        .routes(routes!(sessions::extend_session))
        .routes(routes!(sessions::list_sessions, sessions::end_other_sessions))
        .routes(routes!(sessions::end_session_by_id))
        .routes(routes!(sign_in::begin_sign_in))
        .routes(routes!(sign_in::complete_sign_in))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(sign_in::extend))
        .routes(routes!(sign_in::step_up))
        .routes(routes!(sign_in::end_session))
        .routes(routes!(sign_in::end_other_sessions))
}

/// Every route that stands in the OpenAPI document.
#[must_use]
pub fn documented() -> OpenApiRouter<App> {
    open().merge(guarded())
}

/// The whole service. The order of the layers is the order in which a request meets them, from the bottom up.
pub fn router(app: &App, simulator: Option<Router>) -> Router {
    let pages = web::router(app.pages());
    let (open, _) = open().split_for_parts();
    let (guarded, _) = guarded().split_for_parts();
    let docs = SwaggerUi::new("/docs")
        .config(Config::from("/openapi.json").validator_url("none").supported_submit_methods(["get"]));
    let guarded: Router =
        guarded.with_state(app.clone()).merge(pages).layer(from_fn_with_state(app.clone(), guard));
    let mut router: Router =
        open.with_state(app.clone()).merge(guarded).merge(web::assets()).merge(Router::from(docs));
    if let Some(simulator) = simulator {
        router = router.nest("/simulator", simulator);
    }
    let http = &app.settings.http;
    let settings = Arc::new(Edge {
        random: app.random.clone(),
        answer_timeout: http.answer_timeout(),
        max_uri_bytes: http.max_uri_bytes,
        max_header_bytes: http.max_header_bytes,
        https: app.origin.starts_with("https:"),
        demonstration: app.demonstration(),
        traces: !app.settings.telemetry.otlp_endpoint.is_empty(),
    });
    router
        .fallback(|| async { axum::http::StatusCode::NOT_FOUND })
        .layer(DefaultBodyLimit::max(http.max_body_bytes))
        .layer(from_fn_with_state(settings, edge))
}
