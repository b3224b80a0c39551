//! The NHS number: ten digits of which the last checks the others (modulus 11).

/// A valid NHS number. Neither `Debug` nor `Display` shows it: it leaves only through
/// [`NhsNumber::expose`], so that every place that does can be found.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NhsNumber([u8; 10]);

/// Why a text is not an NHS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Not ten digits, plain or in groups of three, three and four.
    #[error("an NHS number has ten digits")]
    NotTenDigits,
    /// The last digit does not check the others.
    #[error("the check digit of the NHS number is wrong")]
    CheckDigit,
}

impl NhsNumber {
    /// Reads ten digits, plain (`9990000018`) or grouped by single spaces or hyphens (`999 000 0018`).
    ///
    /// # Errors
    /// [`NhsNumberError`]
    pub fn parse(text: &str) -> Result<Self, NhsNumberError> {
        let bytes = text.as_bytes();
        let mut digits = [0; 10];
        match bytes.len() {
            10 => digits.copy_from_slice(bytes),
            12 if bytes[3] == bytes[7] && matches!(bytes[3], b' ' | b'-') => {
                digits[..3].copy_from_slice(&bytes[..3]);
                digits[3..6].copy_from_slice(&bytes[4..7]);
                digits[6..].copy_from_slice(&bytes[8..]);
            }
            _ => return Err(NhsNumberError::NotTenDigits),
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(NhsNumberError::NotTenDigits);
        }
        if Self::check_digit(&digits[..9]) == Some(digits[9]) {
            Ok(Self(digits))
        } else {
            Err(NhsNumberError::CheckDigit)
        }
    }

    /// The number that starts with these nine digits, where there is one: one in eleven has none.
    #[must_use]
    pub fn from_first_nine(nine: u32) -> Option<Self> {
        let text = format!("{nine:09}");
        let check = Self::check_digit(text.as_bytes())?;
        Self::parse(&format!("{text}{}", check as char)).ok()
    }

    /// The ten digits. Every call is a place where an NHS number may leave: keep them few.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Checked to be ASCII digits when made.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The NHS Data Dictionary's rule: weights 10 to 2, remainder by 11 from 11; 11 counts as 0, 10 as none.
    fn check_digit(nine: &[u8]) -> Option<u8> {
        let sum: u32 =
            nine.iter().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        match 11 - sum % 11 {
            11 => Some(b'0'),
            10 => None,
            digit => u8::try_from(digit).ok().map(|digit| b'0' + digit),
        }
    }
}

impl std::fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NhsNumber(***)")
    }
}

impl std::fmt::Display for NhsNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_numbers() {
        // 9 9 9 0 0 0 0 0 1 by weights 10 to 2 sums to 245; 11 - 245 mod 11 = 8.
        for good in ["9990000018", "999 000 0018", "999-000-0018"] {
            assert!(NhsNumber::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("9990000017", NhsNumberError::CheckDigit),
            ("9990000108", NhsNumberError::CheckDigit),
            ("999000001", NhsNumberError::NotTenDigits),
            ("99900000180", NhsNumberError::NotTenDigits),
            ("999 000-0018", NhsNumberError::NotTenDigits),
            ("999  0000018", NhsNumberError::NotTenDigits),
            ("٩٩٩٠٠٠٠٠١٨", NhsNumberError::NotTenDigits),
            ("999000001X", NhsNumberError::NotTenDigits),
            ("", NhsNumberError::NotTenDigits),
        ] {
            assert_eq!(NhsNumber::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn nothing_prints_it() {
        let number = NhsNumber::parse("9990000018").unwrap();
        let shown = format!("{number} {number:?} {:?}", Some(&number));
        assert!(!shown.contains("999") && !shown.contains("0018"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,16}") {
            let _ = NhsNumber::parse(&text);
        }

        #[test]
        fn one_wrong_digit_is_always_noticed(nine in 0..1_000_000_000_u32, at in 0..10_usize, by in 1..10_u8) {
            if let Some(number) = NhsNumber::from_first_nine(nine) {
                let mut digits = number.expose().as_bytes().to_vec();
                digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
                let changed = String::from_utf8(digits).unwrap();
                prop_assert_eq!(NhsNumber::parse(&changed), Err(NhsNumberError::CheckDigit));
            }
        }
    }
}
