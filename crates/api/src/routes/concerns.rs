//! "This does not look right": said through the API or the form of a page.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use identity::Session;
use platform::idempotency::{IdempotentRequest, Kept, Seen};
use platform::{ErrorKind, Fault, RequestIds};
use record_access::concerns::{Concern, MAX_TEXT, NewConcern};
use record_access::patients::StoreError;
use record_access::{AccessContext, RecordAccess, category};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::http::answer::no_store;
use crate::http::extract::{FormBody, Ids, JsonBody, Query};
use crate::http::guard::SignedIn;
use crate::http::problem::{
    ApiFault, BadRequest, Forbidden, KeyReused, Problem, TooLarge, Unauthorized, Unavailable, WrongMediaType,
    fault_of,
};
use crate::routes::waiting_times::{add_next, limit_of};

/// The part of the record a concern is about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConcernCategory {
    /// Referrals and waits.
    WaitingTimes,
    /// Who the person is.
    Profile,
    /// Something else.
    Other,
}

impl ConcernCategory {
    const fn as_str(self) -> &'static str {
        match self {
            Self::WaitingTimes => "waiting-times",
            Self::Profile => "profile",
            Self::Other => "other",
        }
    }
}

/// Something that looks wrong.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConcernBody {
    /// The part of the record.
    category: ConcernCategory,
    /// The item, by the identifier the API gave it, such as a referral's.
    about: Option<Uuid>,
    /// In the person's own words.
    #[schema(min_length = 1, max_length = 2000, example = "I was referred in March, not in May.")]
    text: String,
}

/// A concern and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConcernAnswer {
    /// Its identifier.
    id: Uuid,
    /// The part of the record.
    category: String,
    /// The item, where one was named.
    about: Option<String>,
    /// In the person's own words.
    text: String,
    /// `received`: it is kept here with the record. It is not sent to a hospital by this service.
    state: String,
    /// When it was said.
    raised_at: DateTime<Utc>,
}

impl From<Concern> for ConcernAnswer {
    fn from(concern: Concern) -> Self {
        let Concern { id, category, about, text, state, raised_at } = concern;
        Self { id, category, about, text, state, raised_at }
    }
}

/// A page of concerns, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConcernsAnswer {
    /// The concerns.
    concerns: Vec<ConcernAnswer>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ConcernsQuery {
    /// Most concerns in the answer.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// Where to go on: the cursor in the `Link` header of the answer before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// What the person said looks wrong
#[utoipa::path(
    get, path = "/v1/concerns", operation_id = "listConcerns", tag = "concerns",
    description = "Newest first, with what became of each.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("concerns.write"))),
    params(ConcernsQuery),
    responses(
        (status = 200, description = "The concerns.", body = ConcernsAnswer,
         headers(("Link" = Option<String>, description = "The next page, where there is one (RFC 8288)."))),
        BadRequest, Unauthorized, Forbidden, Unavailable,
    )
)]
pub async fn list_concerns(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    Query(query): Query<ConcernsQuery>,
) -> Result<Response, ApiFault> {
    let limit = limit_of(query.limit, 20)?;
    let list = format!("concerns?account={}", session.principal().actor.0);
    let before = match &query.cursor {
        None => None,
        Some(cursor) => Some(
            Uuid::try_parse(&app.cursors.read(&list, cursor)?)
                .map_err(|_| ApiFault(Fault::new(ErrorKind::CursorInvalid).at("cursor")))?,
        ),
    };
    let access = open(&app, &session, &ids, "listConcerns").await?;
    let mut found = app
        .concerns
        .list(&access, before, u64::from(limit) + 1)
        .await
        .map_err(|error| fault_of(error.kind(), &error))?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = found.last().filter(|_| more).map(|last| app.cursors.make(&list, &last.id.to_string()));
    let answer = ConcernsAnswer { concerns: found.into_iter().map(Into::into).collect() };
    let mut response = no_store(StatusCode::OK, &answer);
    if let Some(cursor) = next {
        add_next(&mut response, &format!("/v1/concerns?limit={limit}&cursor={cursor}"));
    }
    Ok(response)
}

/// Say that something looks wrong
#[utoipa::path(
    post, path = "/v1/concerns", operation_id = "raiseConcern", tag = "concerns",
    description = "Keeps the person's words with their record. Sent again with the same Idempotency-Key, the \
        same answer comes back and nothing is kept twice, for 24 hours.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("concerns.write"))),
    params(
        ("Idempotency-Key" = String, Header, description = "Names this request, so that it can be sent again safely: 8 to 128 printable characters."),
        ("X-CSRF-Token" = String, Header, description = "The session's token, from getSession."),
    ),
    request_body = NewConcernBody,
    responses(
        (status = 201, description = "It is kept.", body = ConcernAnswer),
        BadRequest, Unauthorized, Forbidden, TooLarge, WrongMediaType, KeyReused, Unavailable,
    )
)]
pub async fn raise_concern(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    headers: HeaderMap,
    body: JsonBody<NewConcernBody>,
) -> Result<Response, ApiFault> {
    let key = idempotency_key(&headers)?;
    let account = session.principal().actor.0.to_string();
    let request = IdempotentRequest::new(&account, key, "raiseConcern", &body.bytes);
    let new = checked(body.value)?;
    let concern = raise(&app, &session, &ids, &request, "raiseConcern", new).await?;
    Ok(no_store(StatusCode::CREATED, &ConcernAnswer::from(concern)))
}

/// The form of the concerns page.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ConcernFields {
    /// The part of the record, as in raiseConcern.
    category: String,
    /// The item, or empty.
    about: String,
    /// In the person's own words.
    text: String,
    /// Names this form, so that sending it twice keeps one concern.
    idempotency_key: String,
}

/// Say that something looks wrong, from the page's form
#[utoipa::path(
    post, path = "/account/concerns", operation_id = "raiseConcernForm", tag = "concerns",
    description = "The same as raiseConcern for browsers without script; answers with a redirect to the page.",
    security(("session" = [])),
    extensions(("x-assurance" = json!("P9")), ("x-scope" = json!("concerns.write"))),
    request_body(content = ConcernFields, content_type = "application/x-www-form-urlencoded", description = "The form, with the session's token in `csrf_token`."),
    responses(
        (status = 303, description = "It is kept; the page shows it."),
        (status = 422, description = "The page again, with what to mend; or the form's key was used for other words.", content(
            (String = "text/html"), (Problem = "application/problem+json"))),
        BadRequest, Unauthorized, Forbidden, TooLarge, WrongMediaType, Unavailable,
    )
)]
pub async fn raise_concern_form(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Ids(ids): Ids,
    FormBody(fields): FormBody<ConcernFields>,
) -> Result<Response, ApiFault> {
    let ConcernFields { category, about, text, idempotency_key } = fields;
    let form = web::ConcernForm { category, about, text, idempotency_key };
    let new = match form.check() {
        Ok(new) => new,
        Err(errors) => return Ok(web::concerns_page(&app.pages(), &session, &ids, form, errors).await),
    };
    let account = session.principal().actor.0.to_string();
    let said = format!("{}\n{}\n{}", form.category, form.about, form.text);
    let request =
        IdempotentRequest::new(&account, &form.idempotency_key, "raiseConcernForm", said.as_bytes());
    raise(&app, &session, &ids, &request, "raiseConcernForm", new).await?;
    Ok(Redirect::to("/account/concerns?sent=yes").into_response())
}

/// Keeps a concern, or finds the one that was kept when the same request came before. The idempotency row holds
/// its identifier and not the answer: a person's words stand sealed in one place.
async fn raise(
    app: &App,
    session: &Session,
    ids: &RequestIds,
    request: &IdempotentRequest,
    operation: &'static str,
    new: NewConcern,
) -> Result<Concern, ApiFault> {
    let access = open(app, session, ids, operation).await?;
    let store = |error: sea_orm::DbErr| fault_of(ErrorKind::StoreUnavailable, &error);
    let concerns = |error: StoreError| fault_of(error.kind(), &error);
    let transaction = app.db.begin().await.map_err(store)?;
    match request.claim(&transaction, app.clock.now()).await.map_err(store)? {
        Seen::Answered(kept) => {
            transaction.rollback().await.map_err(store)?;
            let lost = || ApiFault(Fault::new(ErrorKind::Internal).because("kept concern not found"));
            let id = Uuid::from_slice(&kept.body).map_err(|_| lost())?;
            return app.concerns.find(&access, id).await.map_err(concerns)?.ok_or_else(lost);
        }
        Seen::OtherRequest => {
            return Err(ApiFault(Fault::new(ErrorKind::IdempotencyKeyReused).at("Idempotency-Key")));
        }
        Seen::New => {}
    }
    let concern =
        app.concerns.raise(&transaction, &access, session.principal().actor, new).await.map_err(concerns)?;
    let kept = Kept { status: StatusCode::CREATED.as_u16(), body: concern.id.as_bytes().to_vec() };
    request.keep(&transaction, &kept).await.map_err(store)?;
    transaction.commit().await.map_err(store)?;
    Ok(concern)
}

fn checked(body: NewConcernBody) -> Result<NewConcern, ApiFault> {
    let wrong = |what: &str| ApiFault(Fault::new(ErrorKind::BodyInvalid).detail(what).at("/text"));
    if body.text.trim().is_empty() {
        return Err(wrong("Say what looks wrong."));
    }
    if body.text.chars().count() > MAX_TEXT {
        return Err(wrong("At most 2,000 characters."));
    }
    Ok(NewConcern {
        category: body.category.as_str().to_owned(),
        about: body.about.map(|about| about.to_string()),
        text: body.text,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, ApiFault> {
    let wrong =
        |what: &str| ApiFault(Fault::new(ErrorKind::ParameterInvalid).detail(what).at("Idempotency-Key"));
    let key = headers
        .get("idempotency-key")
        .ok_or_else(|| wrong("Send an Idempotency-Key, so that the request can be sent again safely."))?;
    key.to_str()
        .ok()
        .filter(|key| (8..=128).contains(&key.len()))
        .ok_or_else(|| wrong("8 to 128 printable characters."))
}

async fn open(
    app: &App,
    session: &Session,
    ids: &RequestIds,
    operation: &'static str,
) -> Result<RecordAccess<category::Concerns>, ApiFault> {
    let context = AccessContext { request_id: ids.request_id, operation };
    app.records
        .open::<category::Concerns>(session.principal(), context)
        .await
        .map_err(|error| fault_of(error.kind(), &error))
}
