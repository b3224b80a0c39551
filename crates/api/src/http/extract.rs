//! Extractors whose refusals are faults that say what is wrong with which part.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use platform::{ErrorKind, Fault, RequestIds};
use serde::de::DeserializeOwned;

use crate::http::problem::ApiFault;

/// Query parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiFault> {
        axum_extra::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|rejection| {
                ApiFault(
                    Fault::new(ErrorKind::ParameterInvalid).detail(what_serde_says(&rejection.body_text())),
                )
            })
    }
}

/// Path parameters. One that is not of its form names nothing: not found.
#[derive(Debug)]
pub struct PathParams<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParams<T> {
    type Rejection = ApiFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiFault> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|_| ApiFault(Fault::new(ErrorKind::NotFound)))
    }
}

/// A JSON body, with the bytes it came in.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// As it came.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiFault;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiFault> {
        if !is_type(&request, "application/json") {
            return Err(ApiFault(
                Fault::new(ErrorKind::MediaTypeUnsupported).detail("Send application/json."),
            ));
        }
        let bytes = body(request, state).await?;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            // The message may quote what was sent, which may be personal: say where and what kind only.
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
            let what =
                if is_json { "a member is missing, unknown or of the wrong type" } else { "it is not JSON" };
            ApiFault(Fault::new(ErrorKind::BodyInvalid).detail(format!(
                "At line {}, column {}: {what}.",
                error.line(),
                error.column()
            )))
        })?;
        Ok(Self { value, bytes })
    }
}

/// A form as a browser sends it.
#[derive(Debug)]
pub struct FormBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = ApiFault;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiFault> {
        if !is_type(&request, "application/x-www-form-urlencoded") {
            return Err(ApiFault(
                Fault::new(ErrorKind::MediaTypeUnsupported).detail("Send application/x-www-form-urlencoded."),
            ));
        }
        let bytes = body(request, state).await?;
        let fields: serde_json::Map<String, serde_json::Value> = url::form_urlencoded::parse(&bytes)
            .map(|(name, value)| (name.into_owned(), serde_json::Value::String(value.into_owned())))
            .collect();
        let value = serde_json::from_value(serde_json::Value::Object(fields)).map_err(|_| {
            ApiFault(
                Fault::new(ErrorKind::BodyInvalid).detail("A field of the form is missing or not valid."),
            )
        })?;
        Ok(Self(value))
    }
}

/// The names of this request.
#[derive(Debug, Clone)]
pub struct Ids(pub RequestIds);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = ApiFault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiFault> {
        parts
            .extensions
            .get::<RequestIds>()
            .cloned()
            .map(Self)
            .ok_or_else(|| ApiFault(Fault::new(ErrorKind::Internal).because("no request ids")))
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiFault> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        ApiFault(Fault::new(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::BodyTooLarge,
            _ => ErrorKind::RequestMalformed,
        }))
    })
}

fn is_type(request: &Request, wanted: &str) -> bool {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}

/// Serde's words on a query string, where they name our own parameters only; never what was sent.
fn what_serde_says(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("missing field `") {
        return format!("missing field `{}`.", rest.split('`').next().unwrap_or_default());
    }
    match text.split_once("unknown field `").and_then(|(_, rest)| rest.rsplit_once("`, expected ")) {
        Some((_, expected)) => format!("unknown field, expected {expected}."),
        None => "A query parameter is not of its form.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Uri;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it reads matters")]
    struct Asked {
        provider: String,
        limit: Option<u16>,
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_query_is_said_without_saying_back_what_was_sent() {
        for (query, said) in [
            ("limit=1", "missing field `provider`."),
            ("provider=a&provider=b", "A query parameter is not of its form."),
            ("provider=a&Quarrybank=9990000018", "unknown field, expected `provider` or `limit`."),
            ("provider=a&%60%2C%20expected%20x=1", "unknown field, expected `provider` or `limit`."),
            ("provider=a&limit=Quarrybank", "A query parameter is not of its form."),
        ] {
            let uri: Uri = format!("/?{query}").parse().unwrap();
            let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
            let fault = Query::<Asked>::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert_eq!(fault.0.detail.as_deref(), Some(said), "{query}");
        }
    }
}
