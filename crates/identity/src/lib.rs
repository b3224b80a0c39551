//! Who is asking: sign-in at an OpenID provider (code flow, PKCE, `private_key_jwt`, vectors of trust), and
//! the sessions that come of it.
//!
//! Words: an *attempt* is a sign-in under way, bound to the browser that began it and taken once; a *vector
//! of trust* (RFC 8485) says how somebody proved who they are and how they signed in; the *assurance* of a
//! session is the lower of what this sign-in and what the person's proofing reached; a *step-up* is a sign-in
//! by which the holder of a session proves more. An *account* is one (issuer, subject) at the provider; it is
//! joined to a patient when an NHS number and a date of birth, both told at P5 or above, agree with a record.
//!
//! The door is [`Identity`]: [`Identity::begin`], [`Identity::complete`], and [`Identity::sessions`]. Cookies,
//! pages and HTTP are the callers'; tokens of the provider never leave this crate and are not kept.

mod attempt;
mod claims;
mod device;
mod error;
mod provider;
mod return_to;
mod service;
mod session;
mod sessions;
mod sign_in;
mod store;
#[cfg(test)]
mod testing;
mod trust;

pub use device::device_label;
pub use error::{IdentityError, SignInError};
pub use provider::check_discovery_marker;
pub use return_to::return_to;
pub use service::{Begin, Begun, Callback, Identity, IdentityDeps, SignedIn, reseal_names};
pub use session::{Session, SessionId, SessionSummary};
pub use sessions::{EndReason, Sessions};
