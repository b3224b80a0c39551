//! May this caller open this record? The decision is pure; [`Records::open`] surrounds it with the access log.

use std::marker::PhantomData;

use platform::ErrorKind;
use uuid::Uuid;

use crate::access_log::{AccessLog, AccessLogUnavailable, Entry, Outcome};
use crate::patients::{PatientId, Patients, RecordVersion, StoreError};
use crate::principal::{Assurance, Principal, Scope};

/// What an entry of the access log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Signing in, out, and proving who one is.
    SignIn,
    /// Referrals and waits.
    WaitingTimes,
    /// Who the person is.
    Profile,
    /// What the person said looks wrong.
    Concerns,
}

impl Category {
    /// The category as it stands in the access log and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::WaitingTimes => "waiting-times",
            Self::Profile => "profile",
            Self::Concerns => "concerns",
        }
    }
}

/// A part of the record, as a type, so that access to one part opens no other.
pub trait RecordCategory: Send + Sync + 'static {
    /// The part.
    const CATEGORY: Category;
    /// The scope a caller needs for it.
    const SCOPE: Scope;
    /// The assurance it needs.
    const ASSURANCE: Assurance;
}

/// The parts of a record.
pub mod category {
    use super::{Assurance, Category, RecordCategory, Scope};

    /// Referrals and waits.
    #[derive(Debug, Clone, Copy)]
    pub struct WaitingTimes;
    impl RecordCategory for WaitingTimes {
        const CATEGORY: Category = Category::WaitingTimes;
        const SCOPE: Scope = Scope::WaitingTimesRead;
        const ASSURANCE: Assurance = Assurance::P9;
    }

    /// Name, date of birth and NHS number.
    #[derive(Debug, Clone, Copy)]
    pub struct Profile;
    impl RecordCategory for Profile {
        const CATEGORY: Category = Category::Profile;
        const SCOPE: Scope = Scope::ProfileRead;
        const ASSURANCE: Assurance = Assurance::P9;
    }

    /// What the person said looks wrong.
    #[derive(Debug, Clone, Copy)]
    pub struct Concerns;
    impl RecordCategory for Concerns {
        const CATEGORY: Category = Category::Concerns;
        const SCOPE: Scope = Scope::ConcernsWrite;
        const ASSURANCE: Assurance = Assurance::P9;
    }
}

/// Leave to open one part of one patient's record, decided and entered in the access log.
#[derive(Debug)]
pub struct RecordAccess<C: RecordCategory> {
    patient: PatientId,
    version: RecordVersion,
    part: PhantomData<C>,
}

impl<C: RecordCategory> RecordAccess<C> {
    /// Whose record.
    #[must_use]
    pub fn patient(&self) -> PatientId {
        self.patient
    }

    /// The record's version: it grows with every change to any part, so that an answer made from the record
    /// may be kept under it.
    #[must_use]
    pub fn version(&self) -> RecordVersion {
        self.version
    }
}

/// What a request says about itself, for the log.
#[derive(Debug, Clone, Copy)]
pub struct AccessContext {
    /// The request's id.
    pub request_id: Uuid,
    /// What is done, as the API names the operation.
    pub operation: &'static str,
}

/// Why a record was not opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessRefused {
    /// The policy says no.
    #[error("refused: {0:?}")]
    Policy(Refusal),
    /// The access could not be entered in the log.
    #[error(transparent)]
    Log(#[from] AccessLogUnavailable),
    /// The patient's state could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccessRefused {
    /// The kind the caller is told.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Policy(refusal) => refusal.kind(),
            Self::Log(_) => ErrorKind::AccessLogUnavailable,
            Self::Store(_) => ErrorKind::StoreUnavailable,
        }
    }
}

/// The ways in which the policy refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The app was not granted this part.
    ScopeMissing,
    /// The person did not prove who they are well enough for this part.
    AssuranceTooLow,
    /// No record is joined to the account.
    RecordNotLinked,
    /// The record asked for is not one this caller may know of.
    NotTheirs,
}

impl Refusal {
    /// The reason as it stands in the access log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ScopeMissing => "scope_missing",
            Self::AssuranceTooLow => "assurance_too_low",
            Self::RecordNotLinked => "record_not_linked",
            Self::NotTheirs => "not_theirs",
        }
    }

    /// The kind the caller is told. A record that is not theirs looks like one that does not exist.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::ScopeMissing => ErrorKind::ScopeMissing,
            Self::AssuranceTooLow => ErrorKind::AssuranceTooLow,
            Self::RecordNotLinked => ErrorKind::RecordNotLinked,
            Self::NotTheirs => ErrorKind::NotFound,
        }
    }
}

/// May `principal` open part `C` of the record of `asked` (or, where nobody is named, of the subject of the
/// sign-in)?
///
/// # Errors
/// The first rule that refuses, in this order: scope, assurance, joined record, whose record.
pub fn decide<C: RecordCategory>(
    principal: &Principal,
    asked: Option<PatientId>,
) -> Result<PatientId, Refusal> {
    if !principal.scopes.allow(C::SCOPE) {
        return Err(Refusal::ScopeMissing);
    }
    if principal.assurance < C::ASSURANCE {
        return Err(Refusal::AssuranceTooLow);
    }
    let subject = principal.subject.ok_or(Refusal::RecordNotLinked)?;
    match asked {
        Some(asked) if asked != subject => Err(Refusal::NotTheirs),
        _ => Ok(subject),
    }
}

/// The one door to records.
#[derive(Debug, Clone)]
pub struct Records {
    log: AccessLog,
    patients: Patients,
}

impl Records {
    /// A door that writes to `log` and takes versions from `patients`.
    #[must_use]
    pub fn new(log: AccessLog, patients: Patients) -> Self {
        Self { log, patients }
    }

    /// Decides, enters the decision in the access log, and only then opens the subject's record.
    ///
    /// # Errors
    /// [`AccessRefused`]. A refusal by policy has its entry in the log like a leave; without an entry there
    /// is neither.
    pub async fn open<C: RecordCategory>(
        &self,
        principal: &Principal,
        context: AccessContext,
    ) -> Result<RecordAccess<C>, AccessRefused> {
        let decision = decide::<C>(principal, None);
        // The version is read before the entry: an answer may be older than its entry says, never newer.
        let version = match decision {
            Ok(patient) => Some(self.patients.version(patient).await?),
            Err(_) => None,
        };
        self.log
            .append(Entry {
                request_id: context.request_id,
                actor: Some(principal.actor),
                subject: principal.subject,
                authority: principal.authority(),
                client: principal.client.clone(),
                category: C::CATEGORY,
                purpose: "direct-care-self",
                operation: context.operation,
                outcome: decision
                    .map_or_else(|refusal| Outcome::Refused(refusal.reason()), |_| Outcome::Allowed),
            })
            .await?;
        match (decision, version) {
            (Ok(patient), Some(version)) => Ok(RecordAccess { patient, version, part: PhantomData }),
            (Ok(_), None) => Err(AccessRefused::Policy(Refusal::RecordNotLinked)),
            (Err(refusal), _) => Err(AccessRefused::Policy(refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{AccountId, ClientId, Scopes};
    use chrono::DateTime;

    fn principal(assurance: Assurance, subject: Option<u128>, scopes: Scopes) -> Principal {
        Principal {
            actor: AccountId(Uuid::from_u128(1)),
            subject: subject.map(|id| PatientId(Uuid::from_u128(id))),
            delegation: None,
            client: ClientId::web(),
            scopes,
            assurance,
            authenticated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_policy_table() {
        use Assurance::{P0, P5, P9};
        let own = Scopes::OWN_SESSION;
        let patient = |id| PatientId(Uuid::from_u128(id));
        for (assurance, subject, scopes, asked, expected) in [
            (P9, Some(7), own, None, Ok(patient(7))),
            (P9, Some(7), own, Some(7), Ok(patient(7))),
            (P9, Some(7), own, Some(8), Err(Refusal::NotTheirs)),
            (P9, None, own, None, Err(Refusal::RecordNotLinked)),
            (P9, None, own, Some(8), Err(Refusal::RecordNotLinked)),
            (P5, Some(7), own, None, Err(Refusal::AssuranceTooLow)),
            (P0, Some(7), own, None, Err(Refusal::AssuranceTooLow)),
            (P9, Some(7), Scopes::NONE, None, Err(Refusal::ScopeMissing)),
            (P9, Some(7), Scopes::NONE.with(Scope::ProfileRead), None, Err(Refusal::ScopeMissing)),
            (P9, Some(7), Scopes::NONE.with(Scope::WaitingTimesRead), None, Ok(patient(7))),
        ] {
            let decided =
                decide::<category::WaitingTimes>(&principal(assurance, subject, scopes), asked.map(patient));
            assert_eq!(decided, expected, "{assurance:?} {subject:?} {scopes:?} {asked:?}");
        }
    }

    #[test]
    fn a_record_of_someone_else_looks_like_none() {
        assert_eq!(Refusal::NotTheirs.kind(), ErrorKind::NotFound);
    }
}
