//! What surrounds every page: its title, its navigation, who is signed in and for how long.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use platform::ErrorKind;
use record_access::Assurance;

use crate::fault::{FinishedPage, PageFault, status_of};

/// The places of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Home,
    Waits,
    LookUp,
    Account,
    SignIn,
    Help,
    /// A page that is not in the navigation.
    Elsewhere,
}

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// The page is made where nobody looked: it claims neither.
    Unknown,
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is.
    SignedIn(SignedInAs),
}

/// What every page says about the person who is signed in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SignedInAs {
    pub(crate) name: Option<String>,
    pub(crate) csrf_token: String,
    pub(crate) assurance: Assurance,
    /// The time of day, in London, at which the session ends.
    pub(crate) ends_at: String,
    pub(crate) seconds_left: i64,
    /// Whether using it makes it last longer.
    pub(crate) can_extend: bool,
}

impl std::fmt::Debug for SignedInAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedInAs").field("ends_at", &self.ends_at).finish_non_exhaustive()
    }
}

/// One entry of the navigation.
pub(crate) struct Entry {
    pub(crate) text: &'static str,
    pub(crate) href: &'static str,
    pub(crate) is_here: bool,
}

/// What surrounds a page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    title: String,
    place: Place,
    visitor: Visitor,
    path: String,
    demonstration: bool,
    error: bool,
}

impl Shell {
    pub(crate) fn new(title: &str, place: Place, visitor: Visitor) -> Self {
        Self {
            title: title.to_owned(),
            place,
            visitor,
            path: identity::return_to(None),
            demonstration: false,
            error: false,
        }
    }

    /// The same at a path of this site, to come back to.
    pub(crate) fn at(mut self, path: String) -> Self {
        self.path = path;
        self
    }

    /// The same, saying whether everybody is made up.
    pub(crate) fn demonstration(mut self, demonstration: bool) -> Self {
        self.demonstration = demonstration;
        self
    }

    /// The same with a title that says that something has to be put right.
    pub(crate) fn error(mut self, error: bool) -> Self {
        self.error = error;
        self
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn is_error(&self) -> bool {
        self.error
    }

    pub(crate) fn is_demonstration(&self) -> bool {
        self.demonstration
    }

    pub(crate) fn signed_in(&self) -> Option<&SignedInAs> {
        match &self.visitor {
            Visitor::SignedIn(who) => Some(who),
            Visitor::SignedOut | Visitor::Unknown => None,
        }
    }

    /// The token a form carries; blank where nobody is signed in, who then is refused.
    pub(crate) fn csrf_token(&self) -> &str {
        self.signed_in().map_or("", |who| &who.csrf_token)
    }

    /// What is known of who the person is, as a sentence.
    pub(crate) fn assurance(&self) -> &'static str {
        self.signed_in().map_or("", |who| assurance_meaning(who.assurance))
    }

    pub(crate) fn navigation(&self) -> Vec<Entry> {
        let entry = |place, text, href| Entry { text, href, is_here: self.place == place };
        let mut entries = vec![entry(Place::Home, "Home", "/")];
        match self.visitor {
            Visitor::SignedIn(_) => {
                entries.push(entry(Place::Waits, "Waiting times", "/waiting-times"));
                entries.push(entry(Place::LookUp, "Look up a list", "/waiting-times/look-up"));
                entries.push(entry(Place::Account, "Account", "/account"));
            }
            Visitor::SignedOut => {
                entries.push(entry(Place::LookUp, "Look up a list", "/waiting-times/look-up"));
                entries.push(entry(Place::SignIn, "Sign in", "/sign-in"));
            }
            Visitor::Unknown => {
                entries.push(entry(Place::Waits, "Waiting times", "/waiting-times"));
                entries.push(entry(Place::LookUp, "Look up a list", "/waiting-times/look-up"));
            }
        }
        entries.push(entry(Place::Help, "Help", "/help"));
        entries
    }
}

/// What a level of assurance means, as a sentence about the reader.
pub(crate) const fn assurance_meaning(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::P0 => "The sign-in service has checked how to reach you, and not who you are.",
        Assurance::P5 => {
            "The sign-in service has matched your details to a health record, and has not seen a proof of who you are."
        }
        Assurance::P9 => "You have proved to the sign-in service who you are.",
    }
}

/// A page as an answer. No browser keeps it: after signing out, going back must not show a record.
pub(crate) fn respond(page: &impl Template) -> Result<Response, PageFault> {
    let mut response = Html(page.render()?).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The same for a page that says why there is no other.
pub(crate) fn respond_refusing(page: &impl Template, kind: ErrorKind) -> Result<Response, PageFault> {
    respond_as(page, status_of(kind), kind)
}

/// The same with a form that has to be put right.
pub(crate) fn respond_to_put_right(page: &impl Template) -> Result<Response, PageFault> {
    respond_as(page, StatusCode::UNPROCESSABLE_ENTITY, ErrorKind::BodyInvalid)
}

fn respond_as(page: &impl Template, status: StatusCode, kind: ErrorKind) -> Result<Response, PageFault> {
    let mut response = respond(page)?;
    *response.status_mut() = status;
    response.extensions_mut().insert(FinishedPage { kind });
    Ok(response)
}
