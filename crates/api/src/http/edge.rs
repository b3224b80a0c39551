//! The outermost layer: names the request, bounds it, catches what falls, gives every fault one form, adds
//! the security headers, counts, and writes the one log line (`docs/request-log.md` is its contract).

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use platform::{ErrorKind, Fault, RequestIds, SharedRandom};
use tracing::Instrument;
use uuid::Uuid;

use crate::http::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Longest correlation id mirrored, in characters.
const LONGEST_CORRELATION_ID: usize = 128;
/// What `Retry-After` says with a fault that may pass, in seconds.
const RETRY_AFTER: &str = "5";

/// What the edge needs.
pub struct Edge {
    /// Makes request ids.
    pub random: SharedRandom,
    /// An answer must be ready within this time.
    pub answer_timeout: Duration,
    /// Longest path and query, bytes.
    pub max_uri_bytes: usize,
    /// Largest header, bytes.
    pub max_header_bytes: usize,
    /// Whether people reach us over https: then they are told to stay there.
    pub https: bool,
    /// Whether everybody here is made up: every page says so.
    pub demonstration: bool,
    /// Whether each request is a span of a trace.
    pub traces: bool,
}

/// Who asked, for the log line: put into the answer's extensions by the layer that knows.
#[derive(Debug, Clone, Copy)]
pub struct Caller(pub Uuid);

/// The layer itself.
pub async fn edge(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let ids = name(&edge, request.headers());
    let method = request.method().clone();
    let wants_page = wants_page(request.uri().path(), request.headers());
    let relaxed_style = request.uri().path().starts_with("/docs");
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(ids.clone());

    let mut response = match bounds(&edge, &request) {
        Err(kind) => faulty(kind),
        Ok(()) => {
            let span = span(&edge, &method, route.as_ref(), &ids);
            let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
            let answered = tokio::time::timeout(edge.answer_timeout, answered).await;
            if let Ok(Ok(response)) = &answered {
                span.record("http.response.status_code", response.status().as_u16());
            }
            match answered {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => {
                    tracing::error!(request_id = %ids.request_id, "a handler panicked");
                    faulty(ErrorKind::Internal)
                }
                Err(_) => faulty(ErrorKind::AnswerTimeout),
            }
        }
    };

    let fault = fault_in(&mut response);
    if let Some(fault) = &fault {
        response = give_form(&edge, response, fault, &ids, wants_page);
    }
    add_headers(&edge, response.headers_mut(), &ids, relaxed_style);
    record(&method, route.as_ref(), &response, fault.as_ref(), &ids, started.elapsed());
    response
}

/// The request as a span, named as OpenTelemetry's conventions for HTTP servers say; none where nobody collects.
fn span(edge: &Edge, method: &Method, route: Option<&MatchedPath>, ids: &RequestIds) -> tracing::Span {
    if !edge.traces {
        return tracing::Span::none();
    }
    let route = route.map_or("-", MatchedPath::as_str);
    let method = known_method(method);
    tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        request_id = %ids.request_id,
    )
}

/// The caller's request id where it is a UUID, else a new one; the caller's correlation id where it is short
/// and printable.
fn name(edge: &Edge, headers: &HeaderMap) -> RequestIds {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let request_id = text(X_REQUEST_ID)
        .filter(|told| told.len() == 36)
        .and_then(|told| Uuid::try_parse(told).ok())
        .unwrap_or_else(|| edge.random.uuid());
    let correlation_id = text(X_CORRELATION_ID)
        .filter(|told| (1..=LONGEST_CORRELATION_ID).contains(&told.len()))
        .map(str::to_owned);
    RequestIds { request_id, correlation_id }
}

fn bounds(edge: &Edge, request: &Request) -> Result<(), ErrorKind> {
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if uri > edge.max_uri_bytes {
        return Err(ErrorKind::UriTooLong);
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > edge.max_header_bytes {
        return Err(ErrorKind::HeadersTooLarge);
    }
    Ok(())
}

/// Programs get problem documents, people get pages.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    if path.starts_with("/v1/") || path.starts_with("/_") || path == "/openapi.json" {
        return false;
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    accept.contains("text/html") || !accept.contains("json")
}

fn faulty(kind: ErrorKind) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(Fault::new(kind));
    response
}

/// The fault an answer carries: the one a handler put there, or, where a library refused on its own with a
/// bare status or plain text, the kind that fits the status.
fn fault_in(response: &mut Response) -> Option<Fault> {
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        return Some(fault);
    }
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let formless = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|kind| kind.starts_with("text/plain"));
    formless.then(|| Fault::new(ErrorKind::from_status(status.as_u16())))
}

/// Keeps the status and the headers that mean something (`Allow`, `Set-Cookie`), replaces the body.
fn give_form(edge: &Edge, response: Response, fault: &Fault, ids: &RequestIds, wants_page: bool) -> Response {
    let (before, _) = response.into_parts();
    let mut formed = if wants_page {
        let mut page = Response::new(Body::from(web::error_page_in(edge.demonstration, fault, ids)));
        page.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        page
    } else {
        Problem::new(fault, ids).into_answer()
    };
    *formed.status_mut() = StatusCode::from_u16(fault.kind.status()).unwrap_or(before.status);
    for name in [header::ALLOW, header::SET_COOKIE] {
        for value in before.headers.get_all(&name) {
            formed.headers_mut().append(name.clone(), value.clone());
        }
    }
    if fault.kind.may_be_retried() {
        formed.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    if let Some(caller) = before.extensions.get::<Caller>() {
        formed.extensions_mut().insert(*caller);
    }
    formed
}

fn add_headers(edge: &Edge, headers: &mut HeaderMap, ids: &RequestIds, relaxed_style: bool) {
    const STRICT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
        connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    // The API's documentation sets styles from its script.
    const DOCS: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; \
        img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    headers.reserve(16);
    let mut put = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    put(header::CONTENT_SECURITY_POLICY, if relaxed_style { DOCS } else { STRICT });
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    // Not "no-referrer": under it browsers send "Origin: null" with our own forms.
    put(header::REFERRER_POLICY, "same-origin");
    put(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if edge.https {
        put(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(value) = HeaderValue::from_str(ids.request_id.hyphenated().encode_lower(&mut id)) {
        headers.insert(X_REQUEST_ID, value);
    }
    if let Some(value) = ids.correlation_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(X_CORRELATION_ID, value);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The one log line and the two metrics. The route is the pattern, never the address: an address may hold
/// what somebody typed into it.
fn record(
    method: &Method,
    route: Option<&MatchedPath>,
    response: &Response,
    fault: Option<&Fault>,
    ids: &RequestIds,
    took: Duration,
) {
    let route = route.map_or("-", MatchedPath::as_str);
    let status = response.status().as_u16();
    let method = known_method(method);
    count(route, method, status, took);
    let caller = response.extensions().get::<Caller>().map(|caller| caller.0);
    let finished = response.extensions().get::<web::FinishedPage>().map(|page| page.kind);
    tracing::info!(
        target: "request",
        request_id = %ids.request_id,
        correlation_id = ids.correlation_id.as_deref().filter(|id| Uuid::try_parse(id).is_ok()),
        method,
        route,
        status,
        duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        account = caller.map(tracing::field::display),
        code = fault.map(|fault| fault.kind).or(finished).map(ErrorKind::code),
        reason = fault.and_then(|fault| fault.reason),
        reference = fault.map(|fault| ids.support_reference(fault.kind.area())),
    );
}

/// Counts a request. A metric is looked up by its labels once, and kept: routes, methods and statuses are few.
fn count(route: &str, method: &'static str, status: u16, took: Duration) {
    type ByRoute = HashMap<Box<str>, (metrics::Counter, metrics::Histogram)>;
    type Known = BTreeMap<(u16, &'static str), ByRoute>;
    static KNOWN: RwLock<Known> = RwLock::new(Known::new());
    let found = KNOWN
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&(status, method))
        .and_then(|routes| routes.get(route).cloned());
    let (counter, histogram) = found.unwrap_or_else(|| {
        let labels =
            [("route", route.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
        let made = (
            metrics::counter!("http_requests_total", &labels),
            metrics::histogram!("http_request_seconds", &labels[..1]),
        );
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.entry((status, method)).or_default().insert(route.into(), made.clone());
        made
    });
    counter.increment(1);
    histogram.record(took.as_secs_f64());
}

/// Methods are the caller's words: only those we know become a label.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_problems_and_people_get_pages() {
        let wants = |path: &str, accept: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            }
            wants_page(path, &headers)
        };
        assert!(!wants("/v1/waiting-times", Some("text/html")));
        assert!(!wants("/_status", Some("text/html")));
        assert!(wants("/waiting-times", Some("text/html,application/xhtml+xml")));
        assert!(wants("/nowhere", None));
        assert!(!wants("/nowhere", Some("application/json")));
    }

    #[test]
    fn what_a_library_refuses_gets_a_kind_and_what_has_a_form_keeps_it() {
        let answer = |status: u16, kind: Option<&'static str>| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(kind) = kind {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            fault_in(&mut response).map(|fault| fault.kind)
        };
        assert_eq!(answer(405, None), Some(ErrorKind::MethodNotAllowed));
        assert_eq!(answer(413, Some("text/plain; charset=utf-8")), Some(ErrorKind::BodyTooLarge));
        assert_eq!(answer(400, Some("application/json")), None);
        assert_eq!(answer(200, None), None);
        assert_eq!(answer(304, None), None);
    }

    async fn falls() -> &'static str {
        panic!("Quarrybank 9990000018")
    }

    /// What the edge makes of a request to `path`, around a handler that panics and one that takes for ever.
    async fn answered(path: &str) -> (u16, HeaderMap, String) {
        use tower::ServiceExt;

        let settings = Edge {
            random: Arc::new(platform::OsRandom),
            answer_timeout: Duration::from_millis(50),
            max_uri_bytes: 100,
            max_header_bytes: 100,
            https: false,
            traces: false,
            demonstration: true,
        };
        let router = axum::Router::new()
            .route("/v1/falls", axum::routing::get(falls))
            .route("/falls", axum::routing::get(falls))
            .route("/v1/hangs", axum::routing::get(std::future::pending::<&'static str>))
            .layer(axum::middleware::from_fn_with_state(Arc::new(settings), edge));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_handler_that_panics_costs_one_answer_and_tells_nothing() {
        for (path, kind) in
            [("/v1/falls", "application/problem+json"), ("/falls", "text/html; charset=utf-8")]
        {
            let (status, headers, body) = answered(path).await;
            assert_eq!(status, 500, "{path}");
            assert_eq!(headers[header::CONTENT_TYPE], kind);
            assert!(
                headers.contains_key(X_REQUEST_ID) && headers.contains_key(header::CONTENT_SECURITY_POLICY)
            );
            assert!(
                body.contains("SV-") && !body.contains("Quarrybank") && !body.contains("panic"),
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn a_handler_that_hangs_is_given_up_and_may_be_asked_again() {
        let (status, headers, body) = answered("/v1/hangs").await;
        assert_eq!(status, 503);
        assert_eq!(headers[header::RETRY_AFTER], RETRY_AFTER);
        assert!(body.contains("answer_timeout"), "{body}");
    }
}
