//! The handlers: take what was asked, call a service, render.

pub(crate) mod account;
pub(crate) mod compare;
pub(crate) mod concerns;
pub(crate) mod look_up;
pub(crate) mod onward;
pub(crate) mod plain;
pub(crate) mod waits;

use askama::Template;
use axum::response::Response;
use platform::ErrorKind;
use record_access::policy::Refusal;
use record_access::{AccessContext, AccessRefused, RecordAccess, RecordCategory};

use crate::WebState;
use crate::fault::PageFault;
use crate::shell::{Place, Shell, respond_refusing};
use crate::visit::Visit;

/// Why a page of the record is another page now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The person has not proved well enough who they are.
    AssuranceTooLow,
    /// No record is joined to the sign-in.
    RecordNotLinked,
}

impl Refused {
    const fn kind(self) -> ErrorKind {
        match self {
            Self::AssuranceTooLow => ErrorKind::AssuranceTooLow,
            Self::RecordNotLinked => ErrorKind::RecordNotLinked,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::AssuranceTooLow => "Prove who you are",
            Self::RecordNotLinked => "No record joined to this sign-in",
        }
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
pub(crate) struct RefusedPage {
    pub(crate) shell: Shell,
    pub(crate) why: Refused,
    pub(crate) reference: String,
}

/// Opens a part of the record, or gives the page that says why it stays closed and what to do about it.
pub(crate) async fn open<C: RecordCategory>(
    state: &WebState,
    visit: &Visit,
    session: &identity::Session,
    operation: &'static str,
    place: Place,
) -> Result<Result<RecordAccess<C>, Response>, PageFault> {
    let context = AccessContext { request_id: visit.ids.request_id, operation };
    let why = match state.records.open::<C>(session.principal(), context).await {
        Ok(access) => return Ok(Ok(access)),
        Err(AccessRefused::Policy(Refusal::AssuranceTooLow)) => Refused::AssuranceTooLow,
        Err(AccessRefused::Policy(Refusal::RecordNotLinked)) => Refused::RecordNotLinked,
        Err(other) => return Err(other.into()),
    };
    let shell = visit.shell(state, why.title(), place).await;
    let reference = visit.ids.support_reference(why.kind().area());
    Ok(Err(respond_refusing(&RefusedPage { shell, why, reference }, why.kind())?))
}
