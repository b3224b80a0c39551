//! A sign-in under way: what we must remember between sending a browser to the provider and its return.

use chrono::{DateTime, Utc};
use platform::crypto::{constant_time_eq, sha256};
use uuid::Uuid;

/// What a sign-in is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody signs in.
    SignIn,
    /// Whoever has this session proves who they are.
    StepUp(Uuid),
}

/// A sign-in under way.
#[derive(Clone)]
pub(crate) struct Attempt {
    /// SHA-256 of the state.
    pub state_hash: [u8; 32],
    /// SHA-256 of the browser's cookie.
    pub browser_hash: [u8; 32],
    /// What the id token must repeat.
    pub nonce: String,
    /// What proves to the provider that the code is ours to use (RFC 7636).
    pub pkce_verifier: String,
    /// The provider's short name.
    pub provider: String,
    /// The provider's issuer when the sign-in began.
    pub issuer: String,
    /// The vectors of trust asked for.
    pub vtr: Vec<String>,
    /// Where the person goes afterwards.
    pub return_to: String,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it is too late.
    pub expires_at: DateTime<Utc>,
}

impl Attempt {
    /// Whether this browser began it.
    pub fn was_begun_by(&self, browser: Option<&str>) -> bool {
        browser.is_some_and(|cookie| constant_time_eq(&sha256(cookie.as_bytes()), &self.browser_hash))
    }
}

/// Whether `text` can be one of our own secrets: 256 bits as 43 base64url characters.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
