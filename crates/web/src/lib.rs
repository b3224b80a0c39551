//! The web front door: server-rendered pages, over the same services as the API. GET only.
//!
//! A page works without any script, is usable at 320 pixels and by keyboard alone, and loads nothing from
//! elsewhere. What changes something is a form that posts to a route of the `api` crate and carries the
//! session's `csrf_token`.
//!
//! What the `api` crate does around [`router`] (and, but for the session, [`assets`]):
//! - puts [`CurrentSession`] and [`platform::RequestIds`] into the extensions of every request;
//! - turns every response whose extensions hold a [`platform::Fault`] into a page, by [`error_page`]; a
//!   response with [`FinishedPage`] in its extensions has an error status and is a page already;
//! - sets the security headers. No page needs more than `style-src 'self'; script-src 'self'; img-src 'self';
//!   form-action 'self'`.
//!
//! Inside: `shell` is what surrounds every page, `views` turn the services' answers into words, `pages` are
//! the handlers, `errors` says what every [`platform::ErrorKind`] means to a person.

mod assets;
mod concern_form;
mod dots;
mod errors;
mod fault;
mod format;
#[cfg(test)]
mod html_check;
mod lengths;
#[cfg(test)]
mod made_up;
#[cfg(test)]
mod page_tests;
mod pages;
#[cfg(test)]
mod router_tests;
mod shell;
mod views;
mod visit;
mod wait_form;

use axum::Router;
use axum::routing::get;
use identity::Identity;
use platform::{SharedClock, SharedRandom};
use record_access::Records;
use record_access::concerns::Concerns;
use waiting_times::WaitingTimes;

pub use concern_form::{ConcernErrors, ConcernForm};
pub use errors::{error_page, error_page_in};
pub use fault::{FinishedPage, PageFault};
pub use pages::concerns::concerns_page;
pub use pages::onward::onward_page;
pub use visit::{CurrentSession, SignedIn};

/// The name of the service, as it stands on every page.
pub const SERVICE_NAME: &str = "Front Door";

/// What the pages are made from. Cheap to clone.
#[derive(Clone)]
pub struct WebState {
    /// Names and sessions of signed-in people.
    pub identity: Identity,
    /// Referrals, and the published figures.
    pub waiting_times: WaitingTimes,
    /// The one door to records.
    pub records: Records,
    /// What people said looks wrong.
    pub concerns: Concerns,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes the keys by which a form that was sent twice is known.
    pub random: SharedRandom,
    /// Whether everybody here is made up: every page says so.
    pub demonstration: bool,
}

impl std::fmt::Debug for WebState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebState").field("demonstration", &self.demonstration).finish_non_exhaustive()
    }
}

/// All pages. Every route is a GET.
pub fn router(state: WebState) -> Router {
    Router::new()
        .route("/", get(pages::plain::home))
        .route("/sign-in", get(pages::plain::sign_in))
        .route("/signed-out", get(pages::plain::signed_out))
        .route("/session-ending", get(pages::plain::session_ending))
        .route("/help", get(pages::plain::help))
        .route("/cookies", get(pages::plain::cookies))
        .route("/accessibility", get(pages::plain::accessibility))
        .route("/waiting-times", get(pages::waits::waits))
        .route("/waiting-times/look-up", get(pages::look_up::look_up))
        .route("/waiting-times/compare", get(pages::compare::compare))
        .route("/waiting-times/how-we-estimate", get(pages::plain::how_we_estimate))
        .route("/account", get(pages::account::account))
        .route("/account/sessions", get(pages::account::sessions))
        .route("/account/concerns", get(pages::concerns::concerns))
        .with_state(state)
}

/// What the pages load. It concerns nobody in particular, so no session need be looked for.
pub fn assets() -> Router {
    Router::new().route("/assets/{file}", get(assets::asset))
}
