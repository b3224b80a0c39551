//! Who is signed in, and whether an unsafe request comes from our own pages.
//!
//! The guard stands before every route that knows people. It finds the session behind the cookie, replaces
//! the session's secret when it is old, and lets an unsafe request pass only with a session, from our own
//! origin, and with the session's own token in the `X-CSRF-Token` header or the `csrf_token` field of a form.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use identity::Session;
use platform::{ErrorKind, Fault};
use web::CurrentSession;

use crate::app::App;
use crate::http::cookies;
use crate::http::edge::Caller;
use crate::http::problem::{ApiFault, fault_of};

/// The name of the header, in lower case, and of the form field that carry the session's token.
pub const CSRF_HEADER: &str = "x-csrf-token";
const CSRF_FIELD: &str = "csrf_token";

/// The layer itself.
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let session = match find(&app, request.headers()).await {
        Ok(session) => session,
        Err(fault) => return fault.into_response(),
    };
    if is_unsafe(request.method()) {
        request = match unsafe_request(&app, session.as_ref(), request).await {
            Ok(request) => request,
            Err(fault) => return with_caller(fault.into_response(), session.as_ref()),
        };
    }
    request.extensions_mut().insert(CurrentSession(session.clone()));
    let mut response = with_caller(next.run(request).await, session.as_ref());
    if let Some(session) = session.filter(|session| session.needs_rotation(app.clock.now())) {
        rotate(&app, &session, &mut response).await;
    }
    response
}

/// Whoever is signed in; for handlers that serve nobody else.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiFault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiFault> {
        parts
            .extensions
            .get::<CurrentSession>()
            .and_then(|current| current.0.clone())
            .map(Self)
            .ok_or_else(|| ApiFault(Fault::new(ErrorKind::NotSignedIn)))
    }
}

async fn find(app: &App, headers: &HeaderMap) -> Result<Option<Session>, ApiFault> {
    let Some(token) = cookies::read(headers, app.cookies.session()) else { return Ok(None) };
    app.identity.sessions().load(token).await.map_err(|error| fault_of(error.kind(), &error))
}

/// A new secret for an old session. The old one is dead at once; of requests that arrive together one gets
/// the new one, and the others are answered under the session they came with. An answer that already sets
/// the session's cookie (sign-out, step-up) is left alone.
async fn rotate(app: &App, session: &Session, response: &mut Response) {
    if response.headers().contains_key(header::SET_COOKIE) {
        return;
    }
    match app.identity.sessions().rotate(session).await {
        Ok(Some(token)) => {
            if let Some(cookie) = app.cookies.set(app.cookies.session(), &token, None) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Ok(None) => {}
        // The session goes on under its old secret; the next request tries again.
        Err(error) => tracing::warn!(error = %error, "a session's secret could not be replaced"),
    }
}

fn with_caller(mut response: Response, session: Option<&Session>) -> Response {
    if let Some(session) = session {
        response.extensions_mut().insert(Caller(session.principal().actor.0));
    }
    response
}

fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

async fn unsafe_request(app: &App, session: Option<&Session>, request: Request) -> Result<Request, ApiFault> {
    let session = session.ok_or_else(|| ApiFault(Fault::new(ErrorKind::NotSignedIn)))?;
    if !is_own_origin(request.headers(), &app.origin) {
        return Err(ApiFault(Fault::new(ErrorKind::CsrfRefused).because("origin")));
    }
    let refused = || ApiFault(Fault::new(ErrorKind::CsrfRefused).because("token"));
    if let Some(token) = request.headers().get(CSRF_HEADER) {
        let token = token.to_str().map_err(|_| refused())?;
        return if session.csrf_token_is(token) { Ok(request) } else { Err(refused()) };
    }
    if !is_form(request.headers()) {
        return Err(refused());
    }
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, app.settings.http.max_body_bytes)
        .await
        .map_err(|_| ApiFault(Fault::new(ErrorKind::BodyTooLarge)))?;
    let token = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == CSRF_FIELD);
    match token {
        Some((_, token)) if session.csrf_token_is(&token) => {
            Ok(Request::from_parts(parts, Body::from(bytes)))
        }
        _ => Err(refused()),
    }
}

/// Whether the browser says that the request comes from our own pages. `Origin` decides where it is sent and
/// tells; where it is absent or `null`, `Sec-Fetch-Site` must say so; where both are silent, it does not.
fn is_own_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::ORIGIN) {
        Some(told) if told != "null" => told == origin,
        _ => text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_origin_table() {
        let own = "https://front-door.example";
        for (origin, site, expected) in [
            (Some(own), None, true),
            (Some(own), Some("cross-site"), true),
            (Some("https://front-door.example.evil"), Some("same-origin"), false),
            (Some("https://front-door.example:444"), None, false),
            (Some("http://front-door.example"), None, false),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), Some("cross-site"), false),
            (Some("null"), None, false),
            (None, Some("same-origin"), true),
            (None, Some("same-site"), false),
            (None, Some("none"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_str(site).unwrap());
            }
            assert_eq!(is_own_origin(&headers, own), expected, "{origin:?} {site:?}");
        }
    }
}
