//! What the person said looks wrong, and the form to say it.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use identity::Session;
use platform::RequestIds;
use record_access::category;
use record_access::concerns::{Concern, MAX_TEXT};
use serde::Deserialize;
use uuid::Uuid;

use crate::WebState;
use crate::concern_form::{ConcernErrors, ConcernForm};
use crate::fault::PageFault;
use crate::format;
use crate::shell::{Place, Shell, respond, respond_to_put_right};
use crate::views::{self, Choice};
use crate::visit::{SignedIn, Visit};

/// Concerns on the page.
const SHOWN: usize = 50;
const PATH: &str = "/account/concerns";
const OPERATION: &str = "page.concerns";

/// Something to put right, and the field it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// A concern as the page shows it.
pub(crate) struct ConcernView {
    pub(crate) about: String,
    pub(crate) sent_at: String,
    pub(crate) state: String,
    pub(crate) text: String,
}

#[derive(Template)]
#[template(path = "concerns.html")]
pub(crate) struct ConcernsPage {
    pub(crate) shell: Shell,
    pub(crate) form: ConcernForm,
    pub(crate) categories: Vec<Choice>,
    pub(crate) category_error: Option<String>,
    pub(crate) text_error: Option<String>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) longest: String,
    pub(crate) just_sent: bool,
    pub(crate) said: Vec<ConcernView>,
    pub(crate) more: bool,
}

impl ConcernsPage {
    pub(crate) fn new(
        shell: Shell,
        form: ConcernForm,
        errors: ConcernErrors,
        said: &[Concern],
        just_sent: bool,
    ) -> Self {
        let categories = views::CONCERN_CATEGORIES
            .iter()
            .map(|(code, name)| Choice {
                code: (*code).to_owned(),
                name: (*name).to_owned(),
                chosen: form.category == *code,
            })
            .collect();
        let listed = [("category", &errors.category), ("text", &errors.text)]
            .into_iter()
            .filter_map(|(field, message)| Some(FieldError { field, message: message.clone()? }))
            .collect();
        Self {
            shell: shell.error(!errors.is_empty()),
            form,
            categories,
            category_error: errors.category,
            text_error: errors.text,
            errors: listed,
            longest: format::count(u64::try_from(MAX_TEXT).unwrap_or(u64::MAX)),
            just_sent,
            more: said.len() > SHOWN,
            said: said.iter().take(SHOWN).map(concern).collect(),
        }
    }
}

fn concern(concern: &Concern) -> ConcernView {
    let category = views::concern_category(&concern.category).to_owned();
    ConcernView {
        about: if concern.about.is_some() { format!("{category}: one referral") } else { category },
        sent_at: format::date_time(concern.raised_at),
        state: views::concern_state(&concern.state),
        text: concern.text.clone(),
    }
}

/// What the form begins with.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ConcernsQuery {
    category: Option<String>,
    about: Option<String>,
    /// Present after something was sent.
    sent: Option<String>,
}

/// `GET /account/concerns`. What the address says that cannot be is left out of the form.
pub(crate) async fn concerns(
    State(state): State<WebState>,
    visit: Visit,
    SignedIn(session): SignedIn,
    query: Result<Query<ConcernsQuery>, QueryRejection>,
) -> Result<Response, PageFault> {
    let query = query.map_or_else(|_| ConcernsQuery::default(), |Query(query)| query);
    let about = query.about.and_then(|about| Uuid::try_parse(&about).ok());
    let form = ConcernForm {
        category: query.category.unwrap_or_default(),
        about: about.map(|about| about.to_string()).unwrap_or_default(),
        ..ConcernForm::default()
    };
    page(&state, &visit, &session, form, ConcernErrors::default(), query.sent.is_some()).await
}

/// The page once more, with what the person filled in and what has to be put right (422): for the handler of
/// the form. The key by which a form sent twice is known is kept if it reads as one.
pub async fn concerns_page(
    state: &WebState,
    session: &Session,
    ids: &RequestIds,
    form: ConcernForm,
    errors: ConcernErrors,
) -> Response {
    let visit = Visit::elsewhere(session, ids, PATH);
    page(state, &visit, session, form, errors, false).await.into_response()
}

async fn page(
    state: &WebState,
    visit: &Visit,
    session: &Session,
    mut form: ConcernForm,
    errors: ConcernErrors,
    just_sent: bool,
) -> Result<Response, PageFault> {
    let opened = super::open::<category::Concerns>(state, visit, session, OPERATION, Place::Account).await?;
    let access = match opened {
        Ok(access) => access,
        Err(refused) => return Ok(refused),
    };
    let asked = u64::try_from(SHOWN).unwrap_or(u64::MAX).saturating_add(1);
    let said = state.concerns.list(&access, None, asked).await?;
    if Uuid::try_parse(&form.idempotency_key).is_err() {
        form.idempotency_key = state.random.uuid().to_string();
    }
    let to_put_right = !errors.is_empty();
    let shell = visit.shell(state, "Tell us what looks wrong", Place::Account).await;
    let page = ConcernsPage::new(shell, form, errors, &said, just_sent);
    if to_put_right { respond_to_put_right(&page) } else { respond(&page) }
}
