//! The cast list.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use platform::{SeededRandom, SharedRandom};
use record_access::NhsNumber;
use waiting_times::referral::Pathway;

use super::{MadeUpEnd, MadeUpPerson, MadeUpRecord, MadeUpReferral, Persona, Proofing, Sharing};

/// One person, as far as no seed decides.
struct Part {
    given: &'static str,
    family: &'static str,
    /// Year of birth. Fixed, because the date of birth opens the record: it may not follow the calendar.
    born: i32,
    level: Proofing,
    trait_: Trait,
    shows: &'static str,
    referrals: &'static [MadeUpReferral],
}

/// What makes a person unlike the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trait {
    None,
    Passkey,
    RefusesToShare,
    ChangedNumber,
    NotInOurRecord,
    /// Child of the person at this place in the list.
    ChildOf(usize),
}

const fn waiting(provider: &'static str, treatment_function: &'static str, days: u16) -> MadeUpReferral {
    MadeUpReferral {
        provider,
        treatment_function,
        pathway: Pathway::Routine,
        started_days_ago: days,
        ended: None,
    }
}

impl MadeUpReferral {
    const fn on(self, pathway: Pathway) -> Self {
        Self { pathway, ..self }
    }

    const fn ended(self, end: MadeUpEnd) -> Self {
        Self { ended: Some(end), ..self }
    }
}

/// A person's numbers follow from the place in this list. The first and the last are registered, and the last
/// has no referrals: their presence tells `seed` whether it has begun and whether it has ended.
const CAST: [Part; 17] = [
    Part {
        given: "Philomena",
        family: "Quarrybank",
        born: 1968,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "three referrals at three hospitals, one already treated",
        referrals: &[
            waiting("RRK", "C_110", 143),
            waiting("R0A", "C_130", 52),
            waiting("RTH", "C_120", 331).ended(MadeUpEnd::Treated(96)),
        ],
    },
    Part {
        given: "Barnaby",
        family: "Thistlewick",
        born: 1992,
        level: Proofing::P9,
        trait_: Trait::Passkey,
        shows: "one referral, a few weeks old; signs in with a passkey",
        referrals: &[waiting("RTH", "C_120", 24)],
    },
    Part {
        given: "Zephyrine",
        family: "Mossgrave",
        born: 1955,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "one referral, on a list too small for its figures to be shown",
        referrals: &[waiting("RCB", "C_100", 88)],
    },
    Part {
        given: "Tamsin",
        family: "Oddlesworth",
        born: 1999,
        level: Proofing::P5,
        trait_: Trait::None,
        shows: "details matched only: must complete the identity check to see one referral",
        referrals: &[waiting("RX1", "C_330", 61)],
    },
    Part {
        given: "Ludovic",
        family: "Fenwhistle",
        born: 2003,
        level: Proofing::P0,
        trait_: Trait::None,
        shows: "identity not checked at all: must complete the identity check to see one referral",
        referrals: &[waiting("RRK", "C_101", 12)],
    },
    Part {
        given: "Saffron",
        family: "Wetherlight",
        born: 1988,
        level: Proofing::P9,
        trait_: Trait::RefusesToShare,
        shows: "refuses to share their details, so nobody is signed in",
        referrals: &[],
    },
    Part {
        given: "Rosamund",
        family: "Brackenfold",
        born: 1985,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "one referral; parent of Wren Brackenfold",
        referrals: &[waiting("RX1", "C_502", 119)],
    },
    Part {
        given: "Wren",
        family: "Brackenfold",
        born: 2019,
        level: Proofing::P9,
        trait_: Trait::ChildOf(6),
        shows: "a child under 13: too young to sign in",
        referrals: &[waiting("R0A", "X04", 70)],
    },
    Part {
        given: "Ambrose",
        family: "Dunterfield",
        born: 1960,
        level: Proofing::P9,
        trait_: Trait::ChangedNumber,
        shows: "one referral; the first sign-in brings an old NHS number, later ones the new",
        referrals: &[waiting("R0A", "C_320", 201)],
    },
    Part {
        given: "Eulalia",
        family: "Vantrickle",
        born: 1977,
        level: Proofing::P9,
        trait_: Trait::NotInOurRecord,
        shows: "photo identity checked, but not known to this service",
        referrals: &[],
    },
    Part {
        given: "Cosmo",
        family: "Hathersnipe",
        born: 2007,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "two referrals, one waiting for more than a year",
        referrals: &[waiting("RX1", "C_301", 402), waiting("RTH", "C_110", 131)],
    },
    Part {
        given: "Wilhelmina",
        family: "Rookspire",
        born: 1934,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "one referral, on a list nothing is published about",
        referrals: &[waiting("RCB", "C_150", 33)],
    },
    Part {
        given: "Peregrine",
        family: "Lambswold",
        born: 2009,
        level: Proofing::P9,
        trait_: Trait::Passkey,
        shows: "17 or older, one referral made today; signs in with a passkey",
        referrals: &[waiting("RRK", "C_130", 0)],
    },
    Part {
        given: "Hyacinth",
        family: "Larkenby",
        born: 1972,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "one referral, at a hospital with too few months of figures for a sure estimate",
        referrals: &[waiting("RM1", "C_110", 95)],
    },
    Part {
        given: "Thaddeus",
        family: "Orrelwick",
        born: 1995,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "one referral, for mental health care: no estimate is made for it",
        referrals: &[waiting("RRK", "X03", 58)],
    },
    Part {
        given: "Clementine",
        family: "Sedgemantle",
        born: 1949,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "three referrals: suspected cancer, planned care, and one that ended without treatment",
        referrals: &[
            waiting("RTH", "C_101", 19).on(Pathway::SuspectedCancer),
            waiting("RX1", "C_301", 240).on(Pathway::Planned),
            waiting("RCB", "C_502", 210).ended(MadeUpEnd::NotTreated(40)),
        ],
    },
    Part {
        given: "Octavian",
        family: "Pellwether",
        born: 1981,
        level: Proofing::P9,
        trait_: Trait::None,
        shows: "a record with no referrals",
        referrals: &[],
    },
];

/// Nobody's practice: the code the national directory keeps for "practice not known".
const NO_PRACTICE: &str = "V81999";

/// The made-up people that belong to `seed`, always in the same order. Two runs with one seed give the same
/// people; another seed gives the same names with other numbers and birthdays.
#[must_use]
pub fn made_up_people(seed: u64) -> Vec<MadeUpPerson> {
    let mut taken = HashSet::new();
    let mut people: Vec<MadeUpPerson> = Vec::with_capacity(CAST.len());
    for (place, part) in CAST.iter().enumerate() {
        let draws = Draws::new(seed, place);
        let nhs_number = draws.nhs_number(&mut taken);
        let persona = Persona {
            sub: draws.random.uuid().to_string(),
            given_name: part.given.to_owned(),
            family_name: part.family.to_owned(),
            birth_date: draws.day_in(part.born),
            nhs_number,
            superseded_nhs_number: (part.trait_ == Trait::ChangedNumber)
                .then(|| draws.nhs_number(&mut taken)),
            level: part.level,
            passkey: part.trait_ == Trait::Passkey,
            sharing: if part.trait_ == Trait::RefusesToShare { Sharing::Refuses } else { Sharing::Agrees },
            email: format!("{}.{}@example.org", part.given.to_lowercase(), part.family.to_lowercase()),
            // Ofcom keeps 07700 900000 to 900999 for drama.
            phone: format!("+447700900{:03}", 100 + place),
            gp_practice: NO_PRACTICE.to_owned(),
            shows: part.shows.to_owned(),
        };
        let child_of = match part.trait_ {
            Trait::ChildOf(parent) => people.get(parent).map(|parent| parent.persona.sub.clone()),
            _ => None,
        };
        let record = (part.trait_ != Trait::NotInOurRecord)
            .then(|| MadeUpRecord { referrals: part.referrals.to_vec() });
        people.push(MadeUpPerson { persona, record, child_of });
    }
    people
}

/// What the seed decides for one person, whoever else is in the list.
struct Draws {
    random: SharedRandom,
}

impl Draws {
    fn new(seed: u64, place: usize) -> Self {
        // Far apart, so that neighbouring seeds share nobody's numbers.
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        Self { random: Arc::new(SeededRandom::new(seed ^ place.wrapping_add(1).rotate_right(16))) }
    }

    fn below(&self, bound: u32) -> u32 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u32::try_from(u64::from_be_bytes(bytes) % u64::from(bound.max(1))).unwrap_or(0)
    }

    /// A number in the range kept for tests that nobody else in the list has.
    fn nhs_number(&self, taken: &mut HashSet<u32>) -> NhsNumber {
        loop {
            let nine = 999_000_000 + self.below(1_000_000);
            if let Some(number) = NhsNumber::from_first_nine(nine)
                && taken.insert(nine)
            {
                return number;
            }
        }
    }

    fn day_in(&self, year: i32) -> NaiveDate {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
        first + Days::new(self.below(365).into())
    }
}

#[cfg(test)]
mod tests {
    use platform::clock::age_in_years;
    use proptest::prelude::*;

    use super::*;
    use crate::people::people_lines;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_seed_gives_valid_numbers_of_the_test_range_and_no_two_alike(seed: u64) {
            let people = made_up_people(seed);
            let mut seen = HashSet::new();
            for person in &people {
                let persona = &person.persona;
                for number in std::iter::once(&persona.nhs_number).chain(&persona.superseded_nhs_number) {
                    let digits = number.expose();
                    // Checked here by the rule's own words: weights 10 to 1 add up to a multiple of eleven.
                    let sum: u32 = digits.bytes().zip((1..=10).rev()).map(|(d, w)| u32::from(d - b'0') * w).sum();
                    prop_assert_eq!(sum % 11, 0);
                    prop_assert!(("9990000000"..="9999999999").contains(&digits));
                    prop_assert!(seen.insert(digits.to_owned()));
                }
                prop_assert!(seen.insert(persona.sub.clone()));
            }
        }

        #[test]
        fn a_seed_gives_the_same_people_and_another_seed_others(seed: u64) {
            prop_assert_eq!(made_up_people(seed), made_up_people(seed));
            let others = made_up_people(seed.wrapping_add(1));
            for (one, other) in made_up_people(seed).iter().zip(&others) {
                prop_assert_ne!(&one.persona.sub, &other.persona.sub);
                prop_assert_ne!(one.persona.nhs_number.expose(), other.persona.nhs_number.expose());
            }
        }
    }

    #[test]
    fn the_cast_holds_every_kind_of_person() {
        let people = made_up_people(1);
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let age = |person: &MadeUpPerson| age_in_years(person.persona.birth_date, today).unwrap();
        let count =
            |test: &dyn Fn(&MadeUpPerson) -> bool| people.iter().filter(|person| test(person)).count();
        assert!(people.len() >= 12);
        for (level, least) in [(Proofing::P0, 1), (Proofing::P5, 1), (Proofing::P9, 8)] {
            assert!(count(&|person| person.persona.level == level) >= least, "{level:?}");
        }
        assert_eq!(count(&|person| person.persona.sharing == Sharing::Refuses), 1);
        assert_eq!(count(&|person| person.persona.superseded_nhs_number.is_some()), 1);
        assert_eq!(count(&|person| person.record.is_none()), 1);
        assert!(count(&|person| person.persona.passkey) >= 1);
        let referrals =
            |person: &MadeUpPerson| person.record.as_ref().map_or(0, |record| record.referrals.len());
        assert!(count(&|person| person.record.is_some() && referrals(person) == 0) >= 1);
        assert!(count(&|person| referrals(person) >= 3) >= 1);
        let all: Vec<&MadeUpReferral> =
            people.iter().filter_map(|person| person.record.as_ref()).flat_map(|it| &it.referrals).collect();
        let any = |test: &dyn Fn(&MadeUpReferral) -> bool| all.iter().any(|referral| test(referral));
        assert!(any(&|it| it.ended.is_none() && (127..365).contains(&it.started_days_ago)), "past 18 weeks");
        assert!(any(&|it| it.ended.is_none() && it.started_days_ago > 365), "beyond a year");
        assert!(any(&|it| it.treatment_function == "X03"), "mental health");
        assert!(any(&|it| it.pathway == Pathway::SuspectedCancer));
        assert!(any(&|it| it.pathway == Pathway::Planned));
        assert!(any(&|it| matches!(it.ended, Some(MadeUpEnd::Treated(_)))));
        assert!(any(&|it| matches!(it.ended, Some(MadeUpEnd::NotTreated(_)))));
        let child = people.iter().find(|person| age(person) < 13).unwrap();
        let parent =
            people.iter().find(|person| Some(&person.persona.sub) == child.child_of.as_ref()).unwrap();
        assert!(age(parent) >= 18);
        assert_eq!(count(&|person| age(person) < 13), 1);
        assert!(count(&|person| age(person) >= 80) >= 1);
        // What `seed` relies on, see there.
        assert!(people.first().unwrap().record.is_some());
        assert_eq!(people.last().unwrap().record, Some(MadeUpRecord::default()));
    }

    #[test]
    fn names_are_told_apart_and_the_banner_tells_nothing_secret() {
        let people = made_up_people(1);
        let names: HashSet<String> = people.iter().map(|person| person.persona.name()).collect();
        assert_eq!(names.len(), people.len());
        let lines = people_lines(1).join("\n");
        assert_eq!(lines.lines().count(), people.len());
        for person in &people {
            let persona = &person.persona;
            assert!(lines.contains(&persona.name()));
            assert!(!lines.contains(persona.nhs_number.expose()));
            assert!(!lines.contains(&persona.birth_date.to_string()));
            assert!(!format!("{persona:?}").contains(persona.nhs_number.expose()), "nor does Debug");
        }
    }
}
