//! A page that could not be made.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use identity::IdentityError;
use platform::{ErrorKind, Fault};
use record_access::AccessRefused;
use record_access::patients::StoreError;
use waiting_times::WaitingTimesError;

/// Why there is no page. As a response it has the status and no body; the fault travels in the response's
/// extensions, and the outermost layer makes the page of it that [`crate::error_page`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFault(pub Fault);

/// In the extensions of a response: it has an error status and is a page for people already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinishedPage {
    /// What the page is about, for the logs.
    pub kind: ErrorKind,
}

impl IntoResponse for PageFault {
    fn into_response(self) -> Response {
        let status = status_of(self.0.kind);
        let mut response =
            (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "").into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// The HTTP status of a kind.
pub(crate) fn status_of(kind: ErrorKind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<Fault> for PageFault {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<ErrorKind> for PageFault {
    fn from(kind: ErrorKind) -> Self {
        Self(kind.into())
    }
}

impl From<askama::Error> for PageFault {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a page could not be rendered");
        Self(Fault::new(ErrorKind::Internal).because("render"))
    }
}

macro_rules! from_service {
    ($($error:ty),*) => {$(
        impl From<$error> for PageFault {
            fn from(error: $error) -> Self {
                let kind = error.kind();
                if kind.status() >= 500 {
                    tracing::error!(error = &error as &dyn std::error::Error, "a page could not be made");
                }
                Self(kind.into())
            }
        }
    )*};
}

from_service!(AccessRefused, IdentityError, StoreError, WaitingTimesError);

impl From<Arc<WaitingTimesError>> for PageFault {
    fn from(error: Arc<WaitingTimesError>) -> Self {
        tracing::error!(%error, "a page could not be made");
        Self(error.kind().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_travels_with_its_status() {
        for kind in ErrorKind::ALL {
            let fault = Fault::new(*kind).because("a test");
            let response = PageFault(fault.clone()).into_response();
            assert_eq!(response.status().as_u16(), kind.status());
            assert_eq!(response.extensions().get::<Fault>(), Some(&fault));
        }
    }
}
