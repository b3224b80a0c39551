//! Finished answers over HTTP: entity tags, conditional requests and who may keep what.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use platform::cache::Answer;

/// Who may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Anybody, for a minute.
    Public,
    /// The person's own browser, which asks each time whether it still holds.
    Private,
}

/// `answer` as JSON, or 304 when the caller holds it already (RFC 9110 section 13.1.2).
#[must_use]
pub fn conditional(answer: &Answer, keep: Keep, asked: &HeaderMap) -> Response {
    let unchanged = asked.get(header::IF_NONE_MATCH).is_some_and(|tags| holds(tags, &answer.etag));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(answer.body.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    };
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&answer.etag) {
        headers.insert(header::ETAG, etag);
    }
    match keep {
        Keep::Public => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        }
        Keep::Private => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            headers.insert(header::VARY, HeaderValue::from_static("cookie, authorization"));
        }
    }
    response
}

/// `If-None-Match` compares weakly: `W/` before a tag makes no difference.
fn holds(tags: &HeaderValue, etag: &str) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A value as JSON that nobody may keep.
pub fn no_store(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    no_store_bytes(status, body)
}

/// Bytes of JSON that nobody may keep.
fn no_store_bytes(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_requests_follow_rfc_9110() {
        let answer = Answer::json(&"x").unwrap();
        let status = |tags: &str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tags).unwrap());
            conditional(&answer, Keep::Private, &asked).status()
        };
        let tag = &answer.etag;
        for (tags, expected) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"a\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            (tag.trim_matches('"').to_owned(), 200),
        ] {
            assert_eq!(status(&tags).as_u16(), expected, "{tags}");
        }
    }
}
