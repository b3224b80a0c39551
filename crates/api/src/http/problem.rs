//! Faults as callers of the API see them: problem documents (RFC 9457).

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use platform::{ErrorKind, Fault, RequestIds};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A problem document (RFC 9457), sent as `application/problem+json` with every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A reference that names the kind of problem: `/problems/` and the code.
    #[schema(example = "/problems/not_signed_in")]
    pub r#type: String,
    /// What went wrong, in a sentence; the same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code to switch on.
    #[schema(example = "not_signed_in")]
    pub code: String,
    /// What can be said about this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The parameter, or the JSON pointer (RFC 6901) of the member, that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The request's id, as in `X-Request-ID`.
    pub request_id: Uuid,
    /// What a person can read out to the help desk.
    #[schema(example = "AC-7KXM3H")]
    pub support_reference: String,
}

impl Problem {
    /// The document for `fault` in the request named by `ids`.
    #[must_use]
    pub fn new(fault: &Fault, ids: &RequestIds) -> Self {
        let kind = fault.kind;
        Self {
            r#type: format!("/problems/{}", kind.code()),
            title: kind.title().to_owned(),
            status: kind.status(),
            code: kind.code().to_owned(),
            detail: fault.detail.clone().or_else(|| remedy(kind).map(str::to_owned)),
            pointer: fault.pointer.clone(),
            request_id: ids.request_id,
            support_reference: ids.support_reference(kind.area()),
        }
    }

    /// The document as an HTTP answer.
    #[must_use]
    pub fn into_answer(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of strings and numbers always serialises.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

/// What a program can do about a fault of this kind, where the fault itself does not say.
const fn remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::AssuranceTooLow => Some(
            "This needs a sign-in at P9. To have the person prove who they are, POST /auth/step-up; then send the request again.",
        ),
        _ => None,
    }
}

/// A fault on its way to the edge, where it becomes a problem document or a page.
#[derive(Debug)]
pub struct ApiFault(pub Fault);

impl<F: Into<Fault>> From<F> for ApiFault {
    fn from(fault: F) -> Self {
        Self(fault.into())
    }
}

impl IntoResponse for ApiFault {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Turns a service's error into a fault, and writes what lies behind it to the log, where the caller never
/// sees it.
pub fn fault_of<E: std::error::Error>(kind: ErrorKind, error: &E) -> ApiFault {
    if kind.status() >= 500 {
        tracing::error!(error = %chain(error), code = kind.code(), "a request failed");
    }
    ApiFault(Fault::new(kind))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        source = deeper.source();
    }
    text
}

/// Responses every operation shares, for the OpenAPI document.
macro_rules! problem_responses {
    ($($name:ident, $status:literal, $description:literal;)*) => {
        $(
            #[doc = $description]
            #[derive(Debug, utoipa::IntoResponses)]
            #[response(status = $status, description = $description, content_type = "application/problem+json")]
            pub struct $name(#[to_schema] #[expect(dead_code, reason = "only its schema is used")] Problem);
        )*
    };
}

problem_responses! {
    BadRequest, 400, "A parameter, the body or the request itself is not valid.";
    Unauthorized, 401, "Nobody is signed in, or the session has ended.";
    Forbidden, 403, "The caller may not do this: the code says why (assurance, scope, no joined record, or a request that does not come from this site).";
    Missing, 404, "Nothing is here, or nothing that this caller may know of.";
    Changed, 412, "What was to be changed has changed since it was read: read it again.";
    TooLarge, 413, "The body is larger than the limit.";
    WrongMediaType, 415, "The body is not of a media type this operation takes.";
    KeyReused, 422, "The Idempotency-Key was used before for another request.";
    Unconditional, 428, "The change does not say, by If-Match, which version it starts from.";
    Unavailable, 503, "The service cannot answer at the moment; Retry-After says when to try again.";
}
