//! From what the provider said to who is at the door: pure checks, no I/O, no clock.

use chrono::NaiveDate;
use platform::ErrorKind;
use platform::clock::age_in_years;
use record_access::{Assurance, NhsNumber};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::SignInError;
use crate::trust::{self, VectorFault};

/// The longest name kept, in characters.
const LONGEST_NAME: usize = 200;
/// The oldest anybody is, with room to spare, in years.
const OLDEST: u32 = 150;

/// What one of the provider's two answers tells about the person, as it came.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub nhs_number: Option<Value>,
    pub proofing: Option<Value>,
    pub birthdate: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
}

/// A person's name as the provider tells it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToldName {
    pub given: Option<String>,
    pub family: Option<String>,
}

impl std::fmt::Debug for ToldName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToldName(***)")
    }
}

impl ToldName {
    /// As a person is greeted; none: not even one name was told.
    pub fn shown(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.given, &self.family].into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// Who is at the door.
#[derive(Debug)]
pub(crate) struct Identified {
    /// The vector of trust as it came.
    pub vot: String,
    /// What this sign-in proves.
    pub assurance: Assurance,
    /// Whose record it may open: an NHS number and the date of birth that must belong to it. Only where
    /// identity was matched at all (P5 and above).
    pub claims_record: Option<(NhsNumber, NaiveDate)>,
    /// What the person is called.
    pub name: Option<ToldName>,
}

/// What is known when the claims are judged.
pub(crate) struct Rules<'a> {
    /// The vectors of trust this sign-in asked for.
    pub requested: &'a [String],
    /// The civil date in England.
    pub today: NaiveDate,
    /// Youngest age for an account of one's own, years.
    pub minimum_age: u32,
}

/// Judges what was said.
///
/// # Errors
/// [`ErrorKind::ProviderAnswerInvalid`] for what contradicts itself or is not of its form, and
/// [`ErrorKind::UnderAge`].
pub(crate) fn identify(
    vot: Option<&Value>,
    token: &Told,
    userinfo: &Told,
    rules: &Rules<'_>,
) -> Result<Identified, SignInError> {
    let wrong = |reason| SignInError::new(ErrorKind::ProviderAnswerInvalid, reason);
    let vot = match vot {
        None => return Err(wrong("vot_missing")),
        Some(Value::String(vot)) => vot,
        Some(_) => return Err(wrong("vot_malformed")),
    };
    let vector = trust::accepted(vot, rules.requested).map_err(|fault| match fault {
        VectorFault::Malformed => wrong("vot_malformed"),
        VectorFault::NotRequested => wrong("vot_not_requested"),
    })?;
    let proofing = agreed(token.proofing.as_ref(), userinfo.proofing.as_ref())
        .map_err(|()| wrong("proofing_level_contradicted"))?
        .map(|told| told.as_str().and_then(Assurance::parse).ok_or_else(|| wrong("proofing_level_malformed")))
        .transpose()?;
    let assurance = trust::assurance(&vector, proofing);

    let number = agreed(token.nhs_number.as_ref(), userinfo.nhs_number.as_ref())
        .map_err(|()| wrong("nhs_number_contradicted"))?;
    let birth_date = agreed(token.birthdate.as_ref(), userinfo.birthdate.as_ref())
        .map_err(|()| wrong("birthdate_contradicted"))?
        .map(|told| birth_date(told, rules.today).ok_or_else(|| wrong("birthdate_invalid")))
        .transpose()?;
    if let Some(born) = birth_date
        && age_in_years(born, rules.today).is_none_or(|age| age < rules.minimum_age)
    {
        return Err(SignInError::new(ErrorKind::UnderAge, "under_age"));
    }
    // Below P5 nothing was matched to anybody: a number told nevertheless opens nothing.
    let claims_record = match number.filter(|_| assurance >= Assurance::P5) {
        None => None,
        Some(told) => {
            let number = told.as_str().and_then(|text| NhsNumber::parse(text).ok());
            let number = number.ok_or_else(|| wrong("nhs_number_invalid"))?;
            Some((number, birth_date.ok_or_else(|| wrong("birthdate_missing"))?))
        }
    };
    let name = ToldName {
        given: name(userinfo.given_name.as_ref().or(token.given_name.as_ref())),
        family: name(userinfo.family_name.as_ref().or(token.family_name.as_ref())),
    };
    Ok(Identified {
        vot: vot.clone(),
        assurance,
        claims_record,
        name: name.shown().is_some().then_some(name),
    })
}

/// What either answer tells; an error when they tell different things.
fn agreed<'a, T: PartialEq>(one: Option<&'a T>, other: Option<&'a T>) -> Result<Option<&'a T>, ()> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(()),
        (one, other) => Ok(one.or(other)),
    }
}

/// A whole date of birth of somebody who can be alive. Year `0000` is how the standard leaves the year out
/// (OpenID Connect Core 5.1), and that, like a year alone, tells too little.
fn birth_date(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let whole = date.format("%Y-%m-%d").to_string() == text;
    let plausible = age_in_years(date, today).is_some_and(|age| age <= OLDEST);
    (whole && plausible).then_some(date)
}

fn name(told: Option<&String>) -> Option<String> {
    let clean: String = told?.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rules(requested: &[String]) -> Rules<'_> {
        Rules { requested, today: NaiveDate::from_ymd_opt(2026, 11, 2).unwrap(), minimum_age: 13 }
    }

    fn told(number: Option<&str>, proofing: Option<&str>, born: Option<&str>) -> Told {
        Told {
            nhs_number: number.map(Value::from),
            proofing: proofing.map(Value::from),
            birthdate: born.map(str::to_owned),
            ..Told::default()
        }
    }

    #[test]
    fn what_either_answer_tells_counts_and_they_may_not_differ() {
        let requested = ["P9.Cm".to_owned(), "P5.Cp.Cd".to_owned(), "P0.Cp".to_owned()];
        let whole = told(Some("9990000018"), Some("P9"), Some("1980-05-04"));
        let nothing = Told::default();
        for (vot, token, userinfo, expected) in [
            ("P9.Cm", &whole, &whole, Ok((Assurance::P9, true))),
            ("P9.Cm", &whole, &nothing, Ok((Assurance::P9, true))),
            ("P9.Cm", &nothing, &whole, Ok((Assurance::P9, true))),
            ("P9.Cm", &nothing, &nothing, Ok((Assurance::P0, false))),
            ("P5.Cp.Cd", &whole, &whole, Ok((Assurance::P5, true))),
            ("P0.Cp", &whole, &whole, Ok((Assurance::P0, false))),
            // Below P5 the number is not even read.
            ("P0.Cp", &told(Some("nonsense"), None, None), &nothing, Ok((Assurance::P0, false))),
            ("P9.Cm", &whole, &told(None, Some("P5"), None), Err("proofing_level_contradicted")),
            ("P9.Cm", &whole, &told(Some("9990000026"), None, None), Err("nhs_number_contradicted")),
            ("P9.Cm", &whole, &told(None, None, Some("1980-05-05")), Err("birthdate_contradicted")),
            ("P9.Cm", &told(Some("9990000018"), Some("P9"), None), &nothing, Err("birthdate_missing")),
            ("P9.Cm", &told(None, Some("P9"), Some("2027-01-01")), &nothing, Err("birthdate_invalid")),
            ("P9.Cm", &told(None, Some("P9"), Some("1980")), &nothing, Err("birthdate_invalid")),
            ("P9.Cm", &told(None, Some("P9"), Some("0000-05-04")), &nothing, Err("birthdate_invalid")),
            ("P9.Cm", &told(None, Some("P9"), Some("1980-5-4")), &nothing, Err("birthdate_invalid")),
            ("P0.Cp", &told(None, None, Some("2020-01-01")), &nothing, Err("under_age")),
            ("P9", &whole, &whole, Err("vot_not_requested")),
        ] {
            let judged = identify(Some(&json!(vot)), token, userinfo, &rules(&requested));
            let judged =
                judged.map(|it| (it.assurance, it.claims_record.is_some())).map_err(|error| error.reason);
            assert_eq!(judged, expected, "{vot}");
        }
        let missing = identify(None, &whole, &whole, &rules(&requested)).unwrap_err();
        assert_eq!(missing.reason, "vot_missing");
    }

    #[test]
    fn names_are_bounded_cleaned_and_never_printed() {
        let requested = ["P9.Cm".to_owned()];
        let named = |given: &str, family: &str| Told {
            given_name: Some(given.to_owned()),
            family_name: Some(family.to_owned()),
            ..Told::default()
        };
        let judge = |told: &Told| {
            identify(Some(&json!("P9.Cm")), told, &Told::default(), &rules(&requested)).unwrap()
        };
        assert_eq!(judge(&named(" Ada\r\n", "Example")).name.unwrap().shown().unwrap(), "Ada Example");
        assert_eq!(judge(&named("", "Example")).name.unwrap().shown().unwrap(), "Example");
        assert_eq!(judge(&named(" ", "\0")).name, None);
        let long = judge(&named(&"x".repeat(10_000), "y")).name.unwrap().shown().unwrap();
        assert_eq!(long.len(), LONGEST_NAME + 2);
        assert!(!format!("{:?}", judge(&named("Ada", "Example"))).contains("Ada"));
    }

    proptest! {
        #[test]
        fn whatever_is_told_is_judged_without_panic_and_opens_records_only_when_proved(
            vot in ".{0,12}", number in ".{0,14}", proofing in "P[059]|.{0,4}", born in "[0-9-]{0,12}|.{0,12}",
        ) {
            let requested = ["P9.Cm".to_owned(), "P0.Cp".to_owned()];
            let it = told(Some(&number), Some(&proofing), Some(&born));
            if let Ok(judged) = identify(Some(&json!(vot)), &it, &Told::default(), &rules(&requested)) {
                prop_assert!(judged.claims_record.is_none() || judged.assurance >= Assurance::P5);
            }
        }
    }
}
