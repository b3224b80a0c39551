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

/// A whole date, not in the future. A year alone, or a date without its year, tells too little.
fn birth_date(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && date <= today && date.format("%Y-%m-%d").to_string() == text).then_some(date)
}

fn name(told: Option<&String>) -> Option<String> {
    let clean: String = told?.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}
