//! Pages that need no service but the one that knows who is signed in.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::WebState;
use crate::fault::PageFault;
use crate::format;
use crate::shell::{Place, Shell, respond};
use crate::visit::{SignedIn, Visit};

macro_rules! plain_page {
    ($(#[$doc:meta])* $handler:ident, $page:ident, $path:literal, $title:literal, $place:ident) => {
        #[derive(Template)]
        #[template(path = $path)]
        pub(crate) struct $page {
            pub(crate) shell: Shell,
        }

        $(#[$doc])*
        pub(crate) async fn $handler(State(state): State<WebState>, visit: Visit) -> Result<Response, PageFault> {
            respond(&$page { shell: visit.shell(&state, $title, Place::$place).await })
        }
    };
}

plain_page!(
    /// `GET /`.
    home, HomePage, "home.html", "Your waiting times and your record", Home
);
plain_page!(
    /// `GET /signed-out`: where signing out ends.
    signed_out, SignedOutPage, "signed_out.html", "Signed out", Elsewhere
);
plain_page!(
    /// `GET /help`.
    help, HelpPage, "help.html", "Help", Help
);
plain_page!(
    /// `GET /cookies`.
    cookies, CookiesPage, "cookies.html", "Cookies", Elsewhere
);
plain_page!(
    /// `GET /accessibility`.
    accessibility, AccessibilityPage, "accessibility.html", "Accessibility", Elsewhere
);
plain_page!(
    /// `GET /waiting-times/how-we-estimate`.
    how_we_estimate, HowWeEstimatePage, "how_we_estimate.html", "How we estimate", Elsewhere
);

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub(crate) struct SignInQuery {
    return_to: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    pub(crate) shell: Shell,
    pub(crate) return_to: String,
}

/// `GET /sign-in`. An address that leads away from here, or cannot be read, becomes the home page.
pub(crate) async fn sign_in(
    State(state): State<WebState>,
    visit: Visit,
    query: Result<Query<SignInQuery>, QueryRejection>,
) -> Result<Response, PageFault> {
    let asked = query.ok().and_then(|Query(query)| query.return_to);
    let return_to = identity::return_to(asked.as_deref());
    respond(&SignInPage { shell: visit.shell(&state, "Sign in", Place::SignIn).await, return_to })
}

#[derive(Template)]
#[template(path = "session_ending.html")]
pub(crate) struct SessionEndingPage {
    pub(crate) shell: Shell,
    pub(crate) latest_end: String,
}

/// `GET /session-ending`: when the session ends, what happens then, and how to stay.
pub(crate) async fn session_ending(
    State(state): State<WebState>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, PageFault> {
    let shell = visit.shell(&state, "When you are signed out", Place::Elsewhere).await;
    respond(&SessionEndingPage { shell, latest_end: format::date_time(session.absolute_ends_at()) })
}
