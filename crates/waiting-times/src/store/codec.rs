//! How bands are kept: each count as a little-endian base-128 number. Most counts are zero or small, so a row of 105
//! takes little more than 105 bytes.

use crate::model::{BandLayout, WeeklyBands};

/// The bands as bytes.
pub(crate) fn encode(bands: &WeeklyBands) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bands.counts().len() + 16);
    for count in bands.counts() {
        let mut rest = *count;
        while rest >= 0x80 {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// The bands behind the bytes; `None` unless they are exactly the counts of `layout`.
pub(crate) fn decode(layout: BandLayout, bytes: &[u8]) -> Option<WeeklyBands> {
    let mut counts = Vec::with_capacity(layout.bands());
    let mut value = 0_u32;
    let mut shift = 0;
    for byte in bytes {
        let low = u32::from(byte & 0x7f);
        // The fifth byte of a u32 has room for four bits.
        if shift > 28 || (shift == 28 && low > 0x0f) {
            return None;
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            counts.push(value);
            (value, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
    if shift != 0 {
        return None;
    }
    WeeklyBands::new(layout, counts.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(counts in proptest::collection::vec(
            prop_oneof![Just(0), 0..200_u32, any::<u32>()], 105))
        {
            let bands = WeeklyBands::new(BandLayout::To104Weeks, counts.into()).unwrap();
            prop_assert_eq!(decode(BandLayout::To104Weeks, &encode(&bands)), Some(bands));
        }

        #[test]
        fn foreign_bytes_are_refused_or_read_but_never_break(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(bands) = decode(BandLayout::To52Weeks, &bytes) {
                prop_assert_eq!(bands.counts().len(), 53);
            }
        }
    }

    #[test]
    fn a_row_of_zeros_is_one_byte_a_band() {
        let bands = WeeklyBands::new(BandLayout::To52Weeks, vec![0; 53].into()).unwrap();
        assert_eq!(encode(&bands), vec![0; 53]);
        assert_eq!(decode(BandLayout::To104Weeks, &encode(&bands)), None);
        assert_eq!(decode(BandLayout::To52Weeks, &[0x80; 53]), None);
    }
}
