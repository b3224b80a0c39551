//! Who is signed in, and where.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{SessionId, SessionSummary};
use record_access::Assurance;

use crate::WebState;
use crate::fault::PageFault;
use crate::format;
use crate::shell::{Place, Shell, assurance_meaning, respond};
use crate::visit::{SignedIn, Visit};

#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    pub(crate) shell: Shell,
    pub(crate) name: Option<String>,
    pub(crate) signed_in_at: String,
    pub(crate) latest_end: String,
    pub(crate) assurance: &'static str,
    pub(crate) assurance_meaning: &'static str,
    pub(crate) linked: bool,
    pub(crate) offer_step_up: bool,
}

/// `GET /account`.
pub(crate) async fn account(
    State(state): State<WebState>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, PageFault> {
    let shell = visit.shell(&state, "Your account", Place::Account).await;
    let principal = session.principal();
    respond(&AccountPage {
        name: shell.signed_in().and_then(|who| who.name.clone()),
        shell,
        signed_in_at: format::date_time(principal.authenticated_at),
        latest_end: format::date_time(session.absolute_ends_at()),
        assurance: principal.assurance.as_str(),
        assurance_meaning: assurance_meaning(principal.assurance).trim_end_matches('.'),
        linked: principal.subject.is_some(),
        offer_step_up: principal.assurance < Assurance::P9,
    })
}

/// One session of the list.
pub(crate) struct SessionView {
    pub(crate) id: String,
    pub(crate) device: String,
    pub(crate) is_this: bool,
    pub(crate) signed_in_at: String,
    pub(crate) last_used_at: String,
    pub(crate) latest_end: String,
}

#[derive(Template)]
#[template(path = "sessions.html")]
pub(crate) struct SessionsPage {
    pub(crate) shell: Shell,
    pub(crate) sessions: Vec<SessionView>,
    pub(crate) has_others: bool,
}

impl SessionsPage {
    pub(crate) fn new(shell: Shell, sessions: &[SessionSummary], this: SessionId) -> Self {
        let mut sessions: Vec<SessionView> = sessions
            .iter()
            .map(|session| SessionView {
                id: session.id.0.to_string(),
                device: session.device.clone(),
                is_this: session.id == this,
                signed_in_at: format::date_time(session.created_at),
                last_used_at: format::date_time(session.last_seen_at),
                latest_end: format::date_time(session.absolute_ends_at),
            })
            .collect();
        // The one in use first; the others as they came, newest first.
        sessions.sort_by_key(|session| !session.is_this);
        let has_others = sessions.iter().any(|session| !session.is_this);
        Self { shell, sessions, has_others }
    }
}

/// `GET /account/sessions`.
pub(crate) async fn sessions(
    State(state): State<WebState>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, PageFault> {
    let sessions = state.identity.sessions().list(session.principal().actor).await?;
    let shell = visit.shell(&state, "Where you are signed in", Place::Account).await;
    respond(&SessionsPage::new(shell, &sessions, session.id()))
}
