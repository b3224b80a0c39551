//! Who visits: what the outer layers put into a request, taken out again.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Session;
use platform::{ErrorKind, Fault, RequestIds};
use url::form_urlencoded;

use crate::WebState;
use crate::fault::PageFault;
use crate::shell::{Place, Shell, SignedInAs, Visitor};

/// Who is signed in, as the outer layer found out. To be put into the extensions of every request.
#[derive(Debug, Clone, Default)]
pub struct CurrentSession(pub Option<Session>);

/// Takes the session out of a request; sends whoever is not signed in to the sign-in page, and back here
/// afterwards.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let session = parts.extensions.get::<CurrentSession>().and_then(|current| current.0.clone());
        session.map(Self).ok_or_else(|| Redirect::to(&sign_in_address(&path_of(parts))).into_response())
    }
}

/// The sign-in page, with the way back.
fn sign_in_address(return_to: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", return_to).finish();
    format!("/sign-in?{query}")
}

/// Path and query of the request, as the browser knows them.
fn path_of(parts: &Parts) -> String {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

/// One visit to a page, by anybody.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) session: Option<Session>,
    pub(crate) ids: RequestIds,
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, PageFault> {
        let ids = parts
            .extensions
            .get::<RequestIds>()
            .cloned()
            .ok_or_else(|| Fault::new(ErrorKind::Internal).because("request_ids_missing"))?;
        let session = parts.extensions.get::<CurrentSession>().and_then(|current| current.0.clone());
        Ok(Self { session, ids, path: path_of(parts) })
    }
}

impl Visit {
    /// A visit whose page is made by another route than its own: `path` is where a person goes back to.
    pub(crate) fn elsewhere(session: &Session, ids: &RequestIds, path: &str) -> Self {
        Self { session: Some(session.clone()), ids: ids.clone(), path: path.to_owned() }
    }

    /// What surrounds the page.
    pub(crate) async fn shell(&self, state: &WebState, title: &str, place: Place) -> Shell {
        let visitor = match &self.session {
            None => Visitor::SignedOut,
            Some(session) => Visitor::SignedIn(signed_in_as(state, session).await),
        };
        Shell::new(title, place, visitor)
            .at(identity::return_to(Some(&self.path)))
            .demonstration(state.demonstration)
    }
}

async fn signed_in_as(state: &WebState, session: &Session) -> SignedInAs {
    let principal = session.principal();
    // A page is worth having without the name on it.
    let name = state.identity.person_name(principal.actor).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the name of the person who is signed in could not be read");
        None
    });
    let (ends, latest) = (session.idle_ends_at(), session.absolute_ends_at());
    SignedInAs {
        name,
        csrf_token: session.csrf_token(),
        assurance: principal.assurance,
        ends_at: crate::format::time(ends),
        seconds_left: (ends - state.clock.now()).num_seconds().max(0),
        can_extend: ends < latest,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, StatusCode, header};

    use super::*;

    #[tokio::test]
    async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_back() {
        for (path, location) in [
            ("/account", "/sign-in?return_to=%2Faccount"),
            (
                "/waiting-times?a=b&c=d e".replace(' ', "%20").as_str(),
                "/sign-in?return_to=%2Fwaiting-times%3Fa%3Db%26c%3Dd%2520e",
            ),
        ] {
            let (mut parts, ()) = Request::get(path).body(()).unwrap().into_parts();
            let refused = SignedIn::from_request_parts(&mut parts, &()).await.unwrap_err();
            assert_eq!(refused.status(), StatusCode::SEE_OTHER);
            assert_eq!(refused.headers()[header::LOCATION], location);
        }
    }

    #[tokio::test]
    async fn a_request_without_ids_is_our_fault() {
        let (mut parts, ()) = Request::get("/").body(()).unwrap().into_parts();
        let fault = Visit::from_request_parts(&mut parts, &()).await.unwrap_err();
        assert_eq!(fault.0.kind, ErrorKind::Internal);
    }
}
