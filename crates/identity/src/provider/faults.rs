//! What went wrong at the provider, by step: one fixed reason code for each.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, DiscoveryError, HttpRequest, HttpResponse, UserInfoError};
use platform::ErrorKind;
use platform::outgoing::{Outgoing, OutgoingError};

use crate::error::SignInError;

/// A question to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Discovery,
    Keys,
    Token,
    UserInfo,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::UserInfo => "userinfo",
        }
    }

    /// No answer in time.
    pub fn timed_out(self) -> SignInError {
        SignInError::new(
            ErrorKind::ProviderTimeout,
            match self {
                Self::Discovery => "discovery_timeout",
                Self::Keys => "keys_timeout",
                Self::Token => "token_timeout",
                Self::UserInfo => "userinfo_timeout",
            },
        )
    }

    /// Nobody there, or an error of the provider's own.
    pub fn unavailable(self) -> SignInError {
        SignInError::new(
            ErrorKind::ProviderUnavailable,
            match self {
                Self::Discovery => "discovery_unavailable",
                Self::Keys => "keys_unavailable",
                Self::Token => "token_unavailable",
                Self::UserInfo => "userinfo_unavailable",
            },
        )
    }

    /// An answer that is none.
    pub fn malformed(self) -> SignInError {
        SignInError::new(
            ErrorKind::ProviderAnswerInvalid,
            match self {
                Self::Discovery => "discovery_malformed",
                Self::Keys => "keys_malformed",
                Self::Token => "token_malformed",
                Self::UserInfo => "userinfo_malformed",
            },
        )
    }

    pub fn discovery_error(self, error: DiscoveryError<HttpFault>) -> SignInError {
        match error {
            DiscoveryError::Request(fault) => fault.at(self),
            DiscoveryError::Response(status, _, _) if status.as_u16() != 200 => {
                self.unavailable().because(HttpFault::Status(status.as_u16()))
            }
            DiscoveryError::Validation(_) => refused("discovery_issuer"),
            // What the parser says may quote the document; the code must do.
            _ => self.malformed(),
        }
    }

    pub fn userinfo_error(self, error: UserInfoError<HttpFault>) -> SignInError {
        match error {
            UserInfoError::Request(fault) => fault.at(self),
            UserInfoError::ClaimsVerification(_) => refused("userinfo_subject"),
            UserInfoError::Response(status, _, _) if status.as_u16() != 200 => refused("userinfo_refused"),
            _ => self.malformed(),
        }
    }
}

/// An answer of the provider that fails a check.
pub(super) fn refused(reason: &'static str) -> SignInError {
    SignInError::new(ErrorKind::ProviderAnswerInvalid, reason)
}

/// Why an exchange over HTTP brought no answer worth reading.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpFault {
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The provider says that it cannot answer now.
    #[error("status {0}")]
    Status(u16),
    /// A signed answer where only a plain one is expected: its signature would not be checked by our rules.
    #[error("an answer of another media type than asked for")]
    MediaType,
}

impl HttpFault {
    pub fn at(self, step: Step) -> SignInError {
        match &self {
            Self::Outgoing(OutgoingError::TimedOut) => step.timed_out(),
            Self::Outgoing(OutgoingError::TooLarge) | Self::MediaType => step.malformed(),
            Self::Outgoing(_) | Self::Status(_) => step.unavailable(),
        }
        .because(self)
    }
}

/// The way to the provider during one step, as the library takes it. (A closure would do, but futures that
/// hold one cannot be moved between threads.)
pub(super) struct Http {
    outgoing: Outgoing,
    step: Step,
}

impl Http {
    pub fn at(step: Step, outgoing: &Outgoing) -> Self {
        Self { outgoing: outgoing.clone(), step }
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(send(&self.outgoing, self.step, request))
    }
}

/// Sends a request and sorts out answers that are errors of the provider's own.
async fn send(http: &Outgoing, step: Step, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
    let answer = http.send(request).await;
    let outcome = match &answer {
        Ok(answer) if answer.status().is_success() => "ok",
        Ok(_) => "refused",
        Err(OutgoingError::TimedOut) => "timeout",
        Err(_) => "unreachable",
    };
    metrics::counter!("provider_requests_total", "step" => step.name(), "outcome" => outcome).increment(1);
    let answer = answer?;
    let status = answer.status().as_u16();
    if status >= 500 || status == 429 {
        return Err(HttpFault::Status(status));
    }
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|it| it.trim_start().to_ascii_lowercase().starts_with("application/jwt")) {
        return Err(HttpFault::MediaType);
    }
    Ok(answer)
}
