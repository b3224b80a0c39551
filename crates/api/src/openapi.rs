//! The OpenAPI document (3.1), made from the routes themselves: a route cannot exist without its entry.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Front Door",
        description = "The patient-facing API of Front Door: one API for the web front door, the mobile app and \
            third-party developers. Errors are problem documents (RFC 9457). Personal answers carry a strong \
            entity tag and may be asked for with If-None-Match. Missing is never shown as none: an answer names \
            the state of each of its sources.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "waiting-times", description = "How long the lists are, and the person's own waits."),
        (name = "profile", description = "Who the signed-in person is."),
        (name = "concerns", description = "What a person said looks wrong in their record."),
        (name = "session", description = "The session of whoever is signed in."),
        (name = "sign-in", description = "Signing in and out with a browser. Answers are redirects and pages."),
        (name = "health", description = "How the service is."),
    )
)]
struct Document;

/// The name of the security scheme of browser sessions.
const SESSION: &str = "session";

/// The document as it is published: pretty-printed, ending with a line feed.
///
/// # Errors
/// When it does not serialise.
pub fn document() -> Result<String, serde_json::Error> {
    let (_, mut document) = routes::documented().split_for_parts();
    let mut base = Document::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut base.info.version);
    std::mem::swap(&mut base, &mut document);
    document.merge(base);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        SESSION,
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "__Host-sid",
            "The session of a signed-in person. Unsafe methods need the header X-CSRF-Token (the token is in \
             the answer of getSession), and the Origin of this service.",
        ))),
    );
    let document: Members = serde_json::from_value(serde_json::to_value(document)?)?;
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// The document's members in the order people read them. Everything inside them is in the order of names: the
/// library keeps extensions in none, and what is published must be the same bytes each time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    openapi: Value,
    info: Value,
    tags: Value,
    paths: BTreeMap<String, Value>,
    components: Value,
}

/// The document's bytes, made once.
#[must_use]
pub fn bytes() -> Bytes {
    static BYTES: OnceLock<Bytes> = OnceLock::new();
    BYTES.get_or_init(|| document().map(Bytes::from).unwrap_or_default()).clone()
}
