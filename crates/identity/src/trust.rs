//! Vectors of trust (RFC 8485): how strongly somebody was proved to be who they are, and how strongly
//! they signed in this time.

use record_access::Assurance;

/// Why a vector is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VectorFault {
    /// It is not a vector: a component of no known form, one repeated, or no level of proofing in it.
    Malformed,
    /// It is not one of those that were asked for.
    NotRequested,
}

/// A vector: one level of identity proofing and the credentials it was reached with, in no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vector {
    /// The level of identity proofing.
    pub level: Assurance,
    /// The components other than the level, sorted, none twice.
    credentials: Vec<String>,
}

impl Vector {
    /// Reads a vector such as `P9.Cp.Cd`. At most eight components.
    pub fn parse(text: &str) -> Result<Self, VectorFault> {
        let mut level = None;
        let mut credentials = Vec::new();
        for component in text.split('.') {
            let &[category, value] = component.as_bytes() else { return Err(VectorFault::Malformed) };
            if !category.is_ascii_uppercase() || !(value.is_ascii_lowercase() || value.is_ascii_digit()) {
                return Err(VectorFault::Malformed);
            }
            if category == b'P' {
                let read = Assurance::parse(component).ok_or(VectorFault::Malformed)?;
                if level.replace(read).is_some() {
                    return Err(VectorFault::Malformed);
                }
            } else {
                credentials.push(component.to_owned());
            }
            if credentials.len() > 7 {
                return Err(VectorFault::Malformed);
            }
        }
        credentials.sort_unstable();
        if credentials.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(VectorFault::Malformed);
        }
        Ok(Self { level: level.ok_or(VectorFault::Malformed)?, credentials })
    }
}

/// Accepts `vot` when it is one of the `requested` vectors, whatever the order of its components.
pub(crate) fn accepted(vot: &str, requested: &[String]) -> Result<Vector, VectorFault> {
    let vector = Vector::parse(vot)?;
    if requested.iter().any(|asked| Vector::parse(asked).as_ref() == Ok(&vector)) {
        Ok(vector)
    } else {
        Err(VectorFault::NotRequested)
    }
}

/// What counts: this sign-in cannot prove more than the person ever proved, nor the person's record more
/// than this sign-in. Where the provider does not say what was ever proved, nothing was.
pub(crate) fn assurance(vot: &Vector, ever_proved: Option<Assurance>) -> Assurance {
    vot.level.min(ever_proved.unwrap_or(Assurance::P0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(vectors: &[&str]) -> Vec<String> {
        vectors.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn only_what_was_asked_for_is_accepted() {
        let all = asked(&["P0.Cp", "P5.Cp.Cd", "P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm"]);
        let high = asked(&["P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm"]);
        let table: &[(&str, &[String], Result<Assurance, VectorFault>)] = &[
            ("P9.Cp.Cd", &high, Ok(Assurance::P9)),
            ("P9.Cd.Cp", &high, Ok(Assurance::P9)),
            ("Cp.P9.Cd", &high, Ok(Assurance::P9)),
            ("P9.Cm", &high, Ok(Assurance::P9)),
            ("P0.Cp", &all, Ok(Assurance::P0)),
            ("P5.Cp.Cd", &all, Ok(Assurance::P5)),
            ("P5.Cp.Cd", &high, Err(VectorFault::NotRequested)),
            ("P0.Cp", &high, Err(VectorFault::NotRequested)),
            ("P9.Cp", &high, Err(VectorFault::NotRequested)),
            ("P9.Cd", &high, Err(VectorFault::NotRequested)),
            ("P9", &high, Err(VectorFault::NotRequested)),
            ("P9.Cp.Cd.Cm", &high, Err(VectorFault::NotRequested)),
            ("P9.Cp.Cd.Ck", &high, Err(VectorFault::NotRequested)),
            ("P9.Cm", &[], Err(VectorFault::NotRequested)),
            ("P9.Cp.Cp.Cd", &high, Err(VectorFault::Malformed)),
            ("P9.Cp.Cd.Cd", &high, Err(VectorFault::Malformed)),
            ("P9.P9.Cp.Cd", &high, Err(VectorFault::Malformed)),
            ("P0.P9.Cp.Cd", &high, Err(VectorFault::Malformed)),
            ("Cp.Cd", &high, Err(VectorFault::Malformed)),
            ("", &high, Err(VectorFault::Malformed)),
            (".", &high, Err(VectorFault::Malformed)),
            ("P9.", &high, Err(VectorFault::Malformed)),
            ("P9..Cm", &high, Err(VectorFault::Malformed)),
            (" P9.Cm", &high, Err(VectorFault::Malformed)),
            ("p9.cm", &high, Err(VectorFault::Malformed)),
            ("P9.cm", &high, Err(VectorFault::Malformed)),
            ("P7.Cp.Cd", &high, Err(VectorFault::Malformed)),
            ("P10.Cm", &high, Err(VectorFault::Malformed)),
            ("P9,Cm", &high, Err(VectorFault::Malformed)),
            ("[\"P9.Cm\"]", &high, Err(VectorFault::Malformed)),
            ("P9.Cm.Aa.Ab.Ac.Ad.Ae.Af.Ag", &high, Err(VectorFault::Malformed)),
            ("P9.C\u{e9}", &high, Err(VectorFault::Malformed)),
        ];
        for (vot, requested, expected) in table {
            assert_eq!(accepted(vot, requested).map(|vector| vector.level), *expected, "{vot}");
        }
    }

    #[test]
    fn the_lower_of_this_sign_in_and_the_proofing_counts() {
        let vector = |text| Vector::parse(text).unwrap();
        for (vot, proofing, expected) in [
            ("P9.Cm", Some(Assurance::P9), Assurance::P9),
            ("P9.Cm", Some(Assurance::P5), Assurance::P5),
            ("P9.Cm", Some(Assurance::P0), Assurance::P0),
            ("P9.Cm", None, Assurance::P0),
            ("P5.Cp.Cd", Some(Assurance::P9), Assurance::P5),
            ("P0.Cp", Some(Assurance::P9), Assurance::P0),
            ("P0.Cp", None, Assurance::P0),
        ] {
            assert_eq!(assurance(&vector(vot), proofing), expected, "{vot} {proofing:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_was_asked_for_in_some_order(vot in "[PC][0-9a-z](\\.[PC][0-9a-z]){0,3}") {
            let requested = asked(&["P0.Cp", "P9.Cp.Cd", "P9.Cm"]);
            if accepted(&vot, &requested).is_ok() {
                let sorted = |text: &str| { let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect(); parts.sort(); parts };
                prop_assert!(requested.iter().any(|it| sorted(it) == sorted(&vot)));
            }
        }
    }
}
