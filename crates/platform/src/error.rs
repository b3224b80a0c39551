//! Every way in which a request can fail, once: its code, its HTTP status and its title. The API's
//! problem documents and the pages are both made from this table.

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $name:ident => $code:literal, $status:literal, $area:literal, $title:literal;)*) => {
        /// What went wrong, as callers may rely on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $($(#[$doc])* $name,)* }

        impl ErrorKind {
            /// Every kind there is, in the order of this table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code callers switch on.
            #[must_use]
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// The HTTP status (RFC 9110).
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// Two letters that open the support reference: the area the fault lies in.
            #[must_use]
            pub const fn area(self) -> &'static str { match self { $(Self::$name => $area,)* } }

            /// A short sentence for people. The same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)* } }
        }
    };
}

error_kinds! {
    /// The request breaks HTTP itself, or a part of it cannot be read.
    RequestMalformed => "request_malformed", 400, "RQ", "The request could not be read";
    /// A path or query parameter is missing or not of its form.
    ParameterInvalid => "parameter_invalid", 400, "RQ", "A parameter is missing or not valid";
    /// The body is not what the operation takes.
    BodyInvalid => "body_invalid", 400, "RQ", "The body is not valid";
    /// A cursor was changed, or belongs to another list.
    CursorInvalid => "cursor_invalid", 400, "RQ", "The cursor is not valid";
    /// The body is larger than the limit.
    BodyTooLarge => "body_too_large", 413, "RQ", "The body is too large";
    /// The path and query are longer than the limit.
    UriTooLong => "uri_too_long", 414, "RQ", "The address is too long";
    /// The header fields are larger than the limit.
    HeadersTooLarge => "headers_too_large", 431, "RQ", "The header fields are too large";
    /// The body's media type is not one the operation takes.
    MediaTypeUnsupported => "media_type_unsupported", 415, "RQ", "The media type is not supported";
    /// The path exists, the method on it does not.
    MethodNotAllowed => "method_not_allowed", 405, "RQ", "The method is not allowed here";
    /// Nothing is here, or nothing that this caller may know of.
    NotFound => "not_found", 404, "RQ", "Not found";
    /// The caller took too long to send its request.
    RequestTimeout => "request_timeout", 408, "RQ", "The request took too long to arrive";
    /// An Idempotency-Key was used before for another request.
    IdempotencyKeyReused => "idempotency_key_reused", 422, "RQ", "The idempotency key was used for another request";
    /// A change came without saying which state it starts from.
    PreconditionRequired => "precondition_required", 428, "RQ", "Say which version you are changing";
    /// What was to be changed has changed since the caller read it.
    PreconditionFailed => "precondition_failed", 412, "RQ", "This has changed since you read it";
    /// The caller asks too often.
    TooManyRequests => "too_many_requests", 429, "RQ", "Too many requests";

    /// Nobody is signed in, or the session has ended.
    NotSignedIn => "not_signed_in", 401, "AC", "Sign in first";
    /// The person is signed in at a level of assurance below what this record needs.
    AssuranceTooLow => "assurance_too_low", 403, "AC", "Prove who you are to see this";
    /// The caller's scopes do not cover this.
    ScopeMissing => "scope_missing", 403, "AC", "This access was not granted";
    /// An unsafe request came without the proof that it comes from our own page.
    CsrfRefused => "csrf_refused", 403, "AC", "The request did not come from this site";
    /// The person's account is not joined to a record here.
    RecordNotLinked => "record_not_linked", 403, "AC", "No record here is joined to this account";

    /// The callback belongs to no sign-in begun in this browser, or was used before.
    SignInAttemptInvalid => "sign_in_attempt_invalid", 400, "SI", "This sign-in cannot be completed";
    /// The person did not agree to share their details.
    ConsentNotGiven => "consent_not_given", 403, "SI", "You did not agree to share your details";
    /// The provider refused the sign-in.
    SignInRefused => "sign_in_refused", 403, "SI", "The sign-in was refused";
    /// The person is younger than this service allows.
    UnderAge => "under_age", 403, "SI", "You are too young for an account of your own";
    /// The provider cannot be reached or answers with an error of its own.
    ProviderUnavailable => "provider_unavailable", 503, "SI", "The sign-in service is not available";
    /// The provider did not answer in time.
    ProviderTimeout => "provider_timeout", 504, "SI", "The sign-in service did not answer in time";
    /// The provider's answer fails a check.
    ProviderAnswerInvalid => "provider_answer_invalid", 502, "SI", "The sign-in service gave an answer we cannot accept";

    /// The access could not be entered in the access log, so it did not happen.
    AccessLogUnavailable => "access_log_unavailable", 503, "SV", "Records cannot be opened at the moment";
    /// The database does not answer.
    StoreUnavailable => "store_unavailable", 503, "SV", "The service is not available at the moment";
    /// The answer took longer than the service allows itself.
    AnswerTimeout => "answer_timeout", 503, "SV", "The answer took too long";
    /// A fault of ours.
    Internal => "internal", 500, "SV", "Something went wrong";
}

impl ErrorKind {
    /// The kind that fits a bare HTTP status: for answers that a library made without telling us more.
    #[must_use]
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::NotSignedIn,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            413 => Self::BodyTooLarge,
            414 => Self::UriTooLong,
            415 => Self::MediaTypeUnsupported,
            422 => Self::BodyInvalid,
            429 => Self::TooManyRequests,
            431 => Self::HeadersTooLarge,
            503 => Self::StoreUnavailable,
            400..=499 => Self::RequestMalformed,
            _ => Self::Internal,
        }
    }

    /// Whether trying the same request again later may succeed; such answers carry `Retry-After`.
    #[must_use]
    pub const fn may_be_retried(self) -> bool {
        matches!(self.status(), 409 | 429 | 503 | 504)
    }
}

/// A failed request on its way to the caller: the kind, and what may be said about this occurrence. It is
/// turned into a problem document or a page at the edge, in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What the caller can do about it. Never holds anything of a person.
    pub detail: Option<String>,
    /// The parameter or the JSON pointer (RFC 6901) of the member at fault.
    pub pointer: Option<String>,
    /// A finer reason for the log line only.
    pub reason: Option<&'static str>,
}

impl Fault {
    /// A fault of this kind with nothing more to say.
    #[must_use]
    pub const fn new(kind: ErrorKind) -> Self {
        Self { kind, detail: None, pointer: None, reason: None }
    }

    /// The same with a sentence for the caller.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same naming what is at fault.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The same with a reason for the log.
    #[must_use]
    pub const fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let codes: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        for kind in ErrorKind::ALL {
            assert!((400..600).contains(&kind.status()), "{kind:?}");
            assert!(kind.area().len() == 2 && !kind.title().is_empty());
        }
    }

    #[test]
    fn a_bare_status_maps_to_a_kind_of_the_same_class() {
        for status in 400..600 {
            let kind = ErrorKind::from_status(status);
            assert_eq!(kind.status() / 100, status / 100, "{status}");
        }
    }
}
