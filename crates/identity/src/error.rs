//! What can go wrong, and how much of it the browser may learn.

use platform::ErrorKind;
use platform::keys::KeyError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A sign-in that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("sign-in: {reason}")]
pub struct SignInError {
    /// What the browser learns.
    pub kind: ErrorKind,
    /// What the access log and the log lines say: a fixed code that names the check that failed.
    pub reason: &'static str,
    /// What lies beneath, for the log lines only. Holds no token, no code and no personal data.
    #[source]
    pub source: Option<Cause>,
}

impl SignInError {
    pub(crate) fn new(kind: ErrorKind, reason: &'static str) -> Self {
        Self { kind, reason, source: None }
    }

    pub(crate) fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// What the browser learns.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the fault lies in what the browser, the person or the provider did, so that it belongs in the
    /// access log; a store of ours that is down does not.
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(
            self.kind,
            ErrorKind::StoreUnavailable | ErrorKind::AccessLogUnavailable | ErrorKind::Internal
        )
    }
}

impl From<sea_orm::DbErr> for SignInError {
    fn from(error: sea_orm::DbErr) -> Self {
        IdentityError::from(error).into()
    }
}

impl From<IdentityError> for SignInError {
    fn from(error: IdentityError) -> Self {
        let reason = match &error {
            IdentityError::Store(_) => "store_unavailable",
            IdentityError::Keys(_) => "key_ring",
            IdentityError::Settings(_) => "settings",
        };
        Self::new(error.kind(), reason).because(error)
    }
}

/// What goes wrong apart from signing in.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The database does not answer. Nobody is signed out by that.
    #[error("the session store does not answer")]
    Store(#[source] sea_orm::DbErr),
    /// The key ring does not open or seal.
    #[error("the key ring")]
    Keys(#[from] KeyError),
    /// The settings make no sense; the text names which.
    #[error("settings: {0}")]
    Settings(String),
}

impl From<sea_orm::DbErr> for IdentityError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error)
    }
}

impl IdentityError {
    /// The kind callers see.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(_) => ErrorKind::StoreUnavailable,
            Self::Keys(_) | Self::Settings(_) => ErrorKind::Internal,
        }
    }
}
