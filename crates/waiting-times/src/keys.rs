//! The keys under which answers are kept. Each names everything its answer depends on: the generation of figures, and
//! the day, because ages are counted from it.

use std::time::Duration;

use chrono::NaiveDate;
use platform::cache::CacheKey;
use record_access::{PatientId, RecordVersion};

use crate::model::{ProviderCode, TreatmentFunction};

/// A public answer holds for a day at most: the day is in its key.
const PUBLIC_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// A person's answer is kept while they are likely to ask again.
const PERSONAL_TTL: Duration = Duration::from_secs(15 * 60);

/// The figures of one list.
pub(crate) struct Statistics<'a> {
    pub(crate) generation: &'a str,
    pub(crate) provider: ProviderCode,
    pub(crate) treatment_function: TreatmentFunction,
    pub(crate) today: NaiveDate,
}

impl CacheKey for Statistics<'_> {
    const SHARED: bool = true;

    fn key(&self) -> String {
        let Self { generation, provider, treatment_function, today } = self;
        format!("waiting-times:statistics:{generation}:{today}:{provider}:{treatment_function}")
    }

    fn ttl(&self) -> Duration {
        PUBLIC_TTL
    }
}

/// The kinds of care.
pub(crate) struct Specialties<'a> {
    pub(crate) generation: &'a str,
    pub(crate) today: NaiveDate,
}

impl CacheKey for Specialties<'_> {
    const SHARED: bool = true;

    fn key(&self) -> String {
        format!("waiting-times:specialties:{}:{}", self.generation, self.today)
    }

    fn ttl(&self) -> Duration {
        PUBLIC_TTL
    }
}

/// A person's referrals. Never leaves the process.
pub(crate) struct MyWaits<'a> {
    pub(crate) patient: PatientId,
    pub(crate) version: RecordVersion,
    pub(crate) generation: &'a str,
    pub(crate) today: NaiveDate,
}

impl CacheKey for MyWaits<'_> {
    const SHARED: bool = false;

    fn key(&self) -> String {
        let Self { patient, version, generation, today } = self;
        format!("waiting-times:mine:{}:{}:{generation}:{today}", patient.0, version.0)
    }

    fn ttl(&self) -> Duration {
        PERSONAL_TTL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_answers_may_be_shared() {
        // A change here would send a person's answers to a cache outside the process.
        const { assert!(Statistics::SHARED && Specialties::SHARED && !MyWaits::SHARED) };
    }

    #[test]
    fn everything_an_answer_depends_on_is_in_its_key() {
        let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        let provider = ProviderCode::parse("RTH").unwrap();
        let treatment_function = TreatmentFunction::parse("C_110").unwrap();
        let base = || Statistics { generation: "g1", provider, treatment_function, today };
        let others = [
            Statistics { generation: "g2", ..base() },
            Statistics { provider: ProviderCode::parse("RXX").unwrap(), ..base() },
            Statistics { treatment_function: TreatmentFunction::parse("X02").unwrap(), ..base() },
            Statistics { today: today.succ_opt().unwrap(), ..base() },
        ];
        for other in others {
            assert_ne!(base().key(), other.key());
        }
        let mine = |id, version| MyWaits {
            patient: PatientId(uuid::Uuid::from_u128(id)),
            version: RecordVersion(version),
            generation: "g1",
            today,
        };
        assert_ne!(mine(1, 1).key(), mine(1, 2).key());
        assert_ne!(mine(1, 1).key(), mine(2, 1).key());
    }
}
