//! The session of whoever is signed in, and their others.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use identity::{EndReason, Session, SessionId, SessionSummary};
use platform::{ErrorKind, Fault};
use record_access::Assurance;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::answer::no_store;
use crate::http::extract::PathParams;
use crate::http::guard::SignedIn;
use crate::http::problem::{ApiFault, Forbidden, Missing, Unauthorized, Unavailable, fault_of};

/// The session of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// The session's identifier, as in the list of sessions. Not a secret.
    id: Uuid,
    /// How sure the sign-in provider was, at this sign-in, of who the person is.
    assurance: Assurance,
    /// Whether a record here is joined to the account.
    record_linked: bool,
    /// When the person last proved who they are.
    authenticated_at: DateTime<Utc>,
    /// The session ends then if it is not used before.
    idle_ends_at: DateTime<Utc>,
    /// The session ends then, used or not.
    absolute_ends_at: DateTime<Utc>,
    /// Seconds until the earlier of the two.
    seconds_left: i64,
    /// To be sent with every unsafe request, in the header `X-CSRF-Token`.
    csrf_token: String,
}

impl SessionAnswer {
    fn new(session: &Session, now: DateTime<Utc>) -> Self {
        let (idle, absolute) = (session.idle_ends_at(), session.absolute_ends_at());
        let principal = session.principal();
        Self {
            id: session.id().0,
            assurance: principal.assurance,
            record_linked: principal.subject.is_some(),
            authenticated_at: principal.authenticated_at,
            idle_ends_at: idle,
            absolute_ends_at: absolute,
            seconds_left: (idle.min(absolute) - now).num_seconds().max(0),
            csrf_token: session.csrf_token(),
        }
    }
}

/// The caller's session
#[utoipa::path(
    get, path = "/v1/session", operation_id = "getSession", tag = "session",
    description = "Who is signed in and for how long, with the token that unsafe requests need.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    responses(
        (status = 200, description = "The session.", body = SessionAnswer),
        Unauthorized, Unavailable,
    )
)]
pub async fn get_session(State(app): State<App>, SignedIn(session): SignedIn) -> Result<Response, ApiFault> {
    Ok(no_store(StatusCode::OK, &SessionAnswer::new(&session, app.clock.now())))
}

/// Keep the session alive
#[utoipa::path(
    post, path = "/v1/session/extend", operation_id = "extendSession", tag = "session",
    description = "Starts the idle time anew. The absolute end stays where it is. Needs nobody but this service.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    params(("X-CSRF-Token" = String, Header, description = "The session's token, from getSession.")),
    responses(
        (status = 200, description = "The session, with its new ends.", body = SessionAnswer),
        Unauthorized, Forbidden, Unavailable,
    )
)]
pub async fn extend_session(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, ApiFault> {
    // Every request that carries the session starts its idle time anew: being here is enough.
    Ok(no_store(StatusCode::OK, &SessionAnswer::new(&session, app.clock.now())))
}

/// Sign out
#[utoipa::path(
    delete, path = "/v1/session", operation_id = "endSession", tag = "session",
    description = "Ends the caller's session. It is dead at once here, and on every other instance within a second.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    params(("X-CSRF-Token" = String, Header, description = "The session's token, from getSession.")),
    responses((status = 204, description = "Signed out."), Unauthorized, Forbidden, Unavailable)
)]
pub async fn end_session(State(app): State<App>, SignedIn(session): SignedIn) -> Result<Response, ApiFault> {
    sign_out(&app, &session).await?;
    Ok(without_cookie(&app, StatusCode::NO_CONTENT.into_response()))
}

/// A session as its owner sees it among their others.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionListed {
    /// Its identifier.
    id: Uuid,
    /// Whether it is the caller's own.
    current: bool,
    /// The kind of device it began on.
    #[schema(example = "Firefox on Windows")]
    device: String,
    /// When the person signed in.
    created_at: DateTime<Utc>,
    /// When it was last used.
    last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    absolute_ends_at: DateTime<Utc>,
    /// How sure the provider was of who it is.
    assurance: Assurance,
}

impl SessionListed {
    fn new(summary: SessionSummary, current: SessionId) -> Self {
        Self {
            id: summary.id.0,
            current: summary.id == current,
            device: summary.device,
            created_at: summary.created_at,
            last_seen_at: summary.last_seen_at,
            absolute_ends_at: summary.absolute_ends_at,
            assurance: summary.assurance,
        }
    }
}

/// The sessions of one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsAnswer {
    /// The sessions, last used first.
    sessions: Vec<SessionListed>,
}

/// Where the person is signed in
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "listSessions", tag = "session",
    description = "Every session of the account that has not ended.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    responses(
        (status = 200, description = "The sessions.", body = SessionsAnswer),
        Unauthorized, Unavailable,
    )
)]
pub async fn list_sessions(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, ApiFault> {
    let found = app
        .identity
        .sessions()
        .list(session.principal().actor)
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    let sessions = found.into_iter().map(|one| SessionListed::new(one, session.id())).collect();
    Ok(no_store(StatusCode::OK, &SessionsAnswer { sessions }))
}

/// Sign out everywhere else
#[utoipa::path(
    delete, path = "/v1/sessions", operation_id = "endOtherSessions", tag = "session",
    description = "Ends every session of the account but the caller's.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    params(("X-CSRF-Token" = String, Header, description = "The session's token, from getSession.")),
    responses((status = 204, description = "They have ended."), Unauthorized, Forbidden, Unavailable)
)]
pub async fn end_other_sessions(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Response, ApiFault> {
    end_others(&app, &session).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// End one session
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", operation_id = "endSessionById", tag = "session",
    description = "Ends one of the account's sessions, this one or another.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P0"))),
    params(
        ("id" = Uuid, Path, description = "The session, as in the list."),
        ("X-CSRF-Token" = String, Header, description = "The session's token, from getSession."),
    ),
    responses((status = 204, description = "It has ended."), Unauthorized, Forbidden, Missing, Unavailable)
)]
pub async fn end_session_by_id(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    PathParams(id): PathParams<Uuid>,
) -> Result<Response, ApiFault> {
    let own = end_one(&app, &session, id).await?;
    let response = StatusCode::NO_CONTENT.into_response();
    Ok(if own { without_cookie(&app, response) } else { response })
}

/// Ends the caller's session.
pub(crate) async fn sign_out(app: &App, session: &Session) -> Result<(), ApiFault> {
    app.identity
        .sessions()
        .end(session, EndReason::SignedOut)
        .await
        .map_err(|error| fault_of(error.kind(), &error))
}

/// Ends every session of the caller's account but their own.
pub(crate) async fn end_others(app: &App, session: &Session) -> Result<(), ApiFault> {
    app.identity
        .sessions()
        .end_others(session.principal().actor, session.id())
        .await
        .map(|_| ())
        .map_err(|error| fault_of(error.kind(), &error))
}

/// Ends one session of the caller's account; whether it was the caller's own. One of somebody else's is not
/// found, like one that does not exist.
pub(crate) async fn end_one(app: &App, session: &Session, id: Uuid) -> Result<bool, ApiFault> {
    if session.id().0 == id {
        sign_out(app, session).await?;
        return Ok(true);
    }
    let ended = app
        .identity
        .sessions()
        .end_by_id(session.principal().actor, SessionId(id))
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    if ended { Ok(false) } else { Err(ApiFault(Fault::new(ErrorKind::NotFound))) }
}

/// The answer, and the browser told to forget the session.
pub(crate) fn without_cookie(app: &App, mut response: Response) -> Response {
    if let Some(cookie) = app.cookies.clear(app.cookies.session()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
