//! Who is asking, as everything downstream of sign-in sees it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::patients::PatientId;

/// An account here: one identity at one sign-in provider. Not a patient; a patient may have none or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountId(pub Uuid);

/// How sure the provider was, at this sign-in, of who the person is (GPG 45, as the levels of the national
/// sign-in service name it). A higher level includes the lower ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Assurance {
    /// Contact details were checked, identity was not.
    P0,
    /// Details were matched to a record; no identity document was seen.
    P5,
    /// Identity was proved, as with a photo document.
    P9,
}

impl Assurance {
    /// The level as it is written: `P0`, `P5`, `P9`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P5 => "P5",
            Self::P9 => "P9",
        }
    }

    /// Reads a level as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::P0, Self::P5, Self::P9].into_iter().find(|level| level.as_str() == text)
    }
}

/// The app through which a request comes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(Cow<'static, str>);

impl ClientId {
    /// Our own web front door.
    #[must_use]
    pub const fn web() -> Self {
        Self(Cow::Borrowed("web"))
    }

    /// The id as it stands in the access log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One thing a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Scope {
    /// Read the person's referrals and waits.
    WaitingTimesRead = 1,
    /// Read who the person is.
    ProfileRead = 1 << 1,
    /// Say that something in the record looks wrong, and follow what became of it.
    ConcernsWrite = 1 << 2,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Everything a person may do in their own session.
    pub const OWN_SESSION: Self =
        Self::NONE.with(Scope::WaitingTimesRead).with(Scope::ProfileRead).with(Scope::ConcernsWrite);

    /// These and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope as u32)
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & scope as u32 != 0
    }
}

/// On what grounds one person acts for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The relationship, as stored.
    pub id: Uuid,
}

/// Who is asking: the only thing about the caller that code downstream of sign-in sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account that acts.
    pub actor: AccountId,
    /// The patient whose record this sign-in opens, where one is joined to the account.
    pub subject: Option<PatientId>,
    /// On what grounds, when the subject is someone else.
    pub delegation: Option<Delegation>,
    /// Through which app.
    pub client: ClientId,
    /// What the app may do.
    pub scopes: Scopes,
    /// How sure the provider was at this sign-in.
    pub assurance: Assurance,
    /// When the person last proved it.
    pub authenticated_at: DateTime<Utc>,
}

impl Principal {
    /// The grounds of access, as they stand in the access log.
    #[must_use]
    pub fn authority(&self) -> Cow<'static, str> {
        match &self.delegation {
            None => Cow::Borrowed("self"),
            Some(delegation) => Cow::Owned(format!("delegation:{}", delegation.id)),
        }
    }
}
