//! The made-up people: who can sign in, what each of them shows, and what stands in their record.
//!
//! Everything follows from a seed and nothing else, so that a store seeded last week and a simulator started
//! today mean the same people. Names are ones nobody has, so that a test can look for them where they must not
//! be; NHS numbers are from the range kept for tests.

mod cast;

use chrono::NaiveDate;
use record_access::NhsNumber;
use waiting_times::referral::Pathway;

pub use cast::made_up_people;

/// How well the provider knows who a person is. Ordered: more is better known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proofing {
    /// Nobody checked.
    P0,
    /// Details matched to a health record.
    P5,
    /// Photo identity checked.
    P9,
}

impl Proofing {
    /// As it stands in `identity_proofing_level`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P0 => "P0",
            Self::P5 => "P5",
            Self::P9 => "P9",
        }
    }
}

/// Whether a person lets the provider share their details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Agrees at every sign-in.
    Agrees,
    /// Refuses at every sign-in.
    Refuses,
}

/// A made-up person, as the sign-in simulator knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    /// The provider's identifier, stable over every run: a UUID in text.
    pub sub: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// NHS number, from the range kept for tests (999 000 0000 to 999 999 9999).
    pub nhs_number: NhsNumber,
    /// The number held before, for the person whose NHS number changed.
    pub superseded_nhs_number: Option<NhsNumber>,
    /// The identity level at the start.
    pub level: Proofing,
    /// Whether a passkey is held: the vector `P9.Cm` is then within reach.
    pub passkey: bool,
    /// Whether details are shared.
    pub sharing: Sharing,
    /// E-mail address, in a domain kept for documentation.
    pub email: String,
    /// Mobile telephone number, from the range kept for drama.
    pub phone: String,
    /// ODS code of the general practice.
    pub gp_practice: String,
    /// One line: what signing in as this person shows.
    pub shows: String,
}

impl Persona {
    /// Given and family name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// A made-up person with what a hospital knows of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUpPerson {
    /// How the sign-in simulator knows them.
    pub persona: Persona,
    /// What stands in the record here; nothing for a person this service has never heard of.
    pub record: Option<MadeUpRecord>,
    /// The `sub` of a parent among the made-up people.
    pub child_of: Option<String>,
}

/// What stands in a made-up person's record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeUpRecord {
    /// Referrals, as hospitals report them.
    pub referrals: Vec<MadeUpReferral>,
}

/// A made-up referral. Days are counted back from the day of seeding, so that a new sandbox shows waits that
/// look alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeUpReferral {
    /// ODS code of a real provider.
    pub provider: &'static str,
    /// Treatment function, such as `C_110`.
    pub treatment_function: &'static str,
    /// Which rules the wait runs by.
    pub pathway: Pathway,
    /// The clock started this many days before the seeding.
    pub started_days_ago: u16,
    /// How the wait ended; nothing while it goes on.
    pub ended: Option<MadeUpEnd>,
}

/// How a made-up wait ended, and how many days before the seeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeUpEnd {
    /// Treatment began.
    Treated(u16),
    /// No treatment was needed.
    NotTreated(u16),
}

/// One line for each of the people of `seed`: the name and what signing in as them shows. Never an NHS number,
/// never a date of birth: these lines are printed at the start.
#[must_use]
pub fn people_lines(seed: u64) -> Vec<String> {
    made_up_people(seed)
        .iter()
        .map(|person| format!("{}: {}", person.persona.name(), person.persona.shows))
        .collect()
}
