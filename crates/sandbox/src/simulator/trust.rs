//! Vectors of trust: what a client may ask for, what a person can reach, what a sign-in was.

use crate::people::Proofing;

/// One registered vector of trust: an identity level with the credential that was used.
///
/// Declared from weakest to strongest, so that comparing two says which is the better answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Vector {
    /// Nobody checked who this is; a password.
    P0Cp,
    /// Matched to a record; password and a shared key. No one here holds one: the real provider has not
    /// built it either.
    P5CpCk,
    /// Matched to a record; password and a known device or one-time code.
    P5CpCd,
    /// Photo identity checked; password and a shared key (not built, see above).
    P9CpCk,
    /// Photo identity checked; password and a known device or one-time code.
    P9CpCd,
    /// Photo identity checked; a passkey.
    P9Cm,
}

/// What the provider takes as asked for when a request names no vectors.
pub(crate) const DEFAULT_VECTORS: [Vector; 3] = [Vector::P9CpCd, Vector::P9CpCk, Vector::P9Cm];

const ALL: [Vector; 6] =
    [Vector::P0Cp, Vector::P5CpCk, Vector::P5CpCd, Vector::P9CpCk, Vector::P9CpCd, Vector::P9Cm];

impl Vector {
    /// As it stands in `vtr` and `vot`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::P0Cp => "P0.Cp",
            Self::P5CpCk => "P5.Cp.Ck",
            Self::P5CpCd => "P5.Cp.Cd",
            Self::P9CpCk => "P9.Cp.Ck",
            Self::P9CpCd => "P9.Cp.Cd",
            Self::P9Cm => "P9.Cm",
        }
    }

    /// Reads one of the registered vectors; any other text, another order or a repeated part is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        ALL.into_iter().find(|vector| vector.as_str() == text)
    }

    /// The identity level in it.
    pub(crate) fn proofing(self) -> Proofing {
        match self {
            Self::P0Cp => Proofing::P0,
            Self::P5CpCk | Self::P5CpCd => Proofing::P5,
            Self::P9CpCk | Self::P9CpCd | Self::P9Cm => Proofing::P9,
        }
    }

    /// Whether a person with this credential could sign in so, were their identity level high enough.
    fn credential_held(self, passkey: bool) -> bool {
        match self {
            Self::P0Cp | Self::P5CpCd | Self::P9CpCd => true,
            Self::P9Cm => passkey,
            Self::P5CpCk | Self::P9CpCk => false,
        }
    }
}

/// The strongest of the vectors asked for that a person can reach.
pub(crate) fn best(asked: &[Vector], level: Proofing, passkey: bool) -> Option<Vector> {
    asked.iter().copied().filter(|vector| vector.proofing() <= level && vector.credential_held(passkey)).max()
}

/// The lowest identity level that would satisfy the request for someone with this credential; nothing when
/// no level would.
pub(crate) fn level_needed(asked: &[Vector], passkey: bool) -> Option<Proofing> {
    asked.iter().copied().filter(|vector| vector.credential_held(passkey)).map(Vector::proofing).min()
}

/// Reads the `vtr` parameter: a JSON array of one or more registered vectors.
pub(crate) fn parse_vtr(text: &str) -> Option<Vec<Vector>> {
    let names: Vec<String> = serde_json::from_str(text).ok()?;
    if names.is_empty() || names.len() > ALL.len() {
        return None;
    }
    names.iter().map(|name| Vector::parse(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vtr_is_a_json_array_of_registered_vectors_and_nothing_else() {
        let table: [(&str, Option<&[Vector]>); 14] = [
            (r#"["P9.Cp.Cd"]"#, Some(&[Vector::P9CpCd])),
            (r#"["P5.Cp.Cd","P9.Cp.Cd","P9.Cm"]"#, Some(&[Vector::P5CpCd, Vector::P9CpCd, Vector::P9Cm])),
            (r#" ["P0.Cp"] "#, Some(&[Vector::P0Cp])),
            ("[]", None),
            ("P9.Cp.Cd", None),
            (r#""P9.Cp.Cd""#, None),
            (r#"{"0":"P9.Cm"}"#, None),
            (r#"["P9.Cp"]"#, None),
            (r#"["P9.Cd.Cp"]"#, None),
            (r#"["P9.Cp.Cp.Cd"]"#, None),
            (r#"["p9.cp.cd"]"#, None),
            (r#"[9]"#, None),
            (r#"["P9.Cp.Cd"#, None),
            (r#"["P9.Cm","P9.Cm","P9.Cm","P9.Cm","P9.Cm","P9.Cm","P9.Cm"]"#, None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_vtr(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_strongest_vector_a_person_can_reach_is_given() {
        use Vector::*;
        let table = [
            (vec![P9CpCd, P9CpCk, P9Cm], Proofing::P9, false, Some(P9CpCd)),
            (vec![P9CpCd, P9CpCk, P9Cm], Proofing::P9, true, Some(P9Cm)),
            (vec![P9CpCd, P9CpCk, P9Cm], Proofing::P5, true, None),
            (vec![P5CpCd, P9CpCd], Proofing::P5, false, Some(P5CpCd)),
            (vec![P5CpCd], Proofing::P9, true, Some(P5CpCd)),
            (vec![P0Cp, P5CpCd], Proofing::P0, false, Some(P0Cp)),
            (vec![P9CpCk], Proofing::P9, true, None),
        ];
        for (asked, level, passkey, expected) in table {
            assert_eq!(best(&asked, level, passkey), expected, "{asked:?} {level:?} {passkey}");
        }
        assert_eq!(level_needed(&[P5CpCd, P9CpCd], false), Some(Proofing::P5));
        assert_eq!(level_needed(&[P9CpCk], true), None);
    }
}
