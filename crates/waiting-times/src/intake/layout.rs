//! The header of the official full extract, in its two eras.
//!
//! Thirteen columns that say what a row is about, the weekly bands, and three totals. Until March 2021 the bands end
//! at 52 weeks (69 columns), from April 2021 at 104 (121 columns).

use super::refusal::{Fault, RefusalReason, quoted};
use crate::model::BandLayout;

/// The thirteen columns before the bands, in order.
pub const DESCRIPTION_COLUMNS: [&str; 13] = [
    "Period",
    "Provider Parent Org Code",
    "Provider Parent Name",
    "Provider Org Code",
    "Provider Org Name",
    "Commissioner Parent Org Code",
    "Commissioner Parent Name",
    "Commissioner Org Code",
    "Commissioner Org Name",
    "RTT Part Type",
    "RTT Part Description",
    "Treatment Function Code",
    "Treatment Function Name",
];

/// The three columns after the bands, in order.
pub const TOTAL_COLUMNS: [&str; 3] = ["Total", "Patients with unknown clock start date", "Total All"];

/// Column positions, counted from 0.
pub(crate) mod column {
    pub(crate) const PERIOD: usize = 0;
    pub(crate) const PROVIDER_PARENT_CODE: usize = 1;
    pub(crate) const PROVIDER_PARENT_NAME: usize = 2;
    pub(crate) const PROVIDER_CODE: usize = 3;
    pub(crate) const PROVIDER_NAME: usize = 4;
    pub(crate) const COMMISSIONER_CODE: usize = 7;
    pub(crate) const PART: usize = 9;
    pub(crate) const TREATMENT_FUNCTION: usize = 11;
    pub(crate) const TREATMENT_FUNCTION_NAME: usize = 12;
    pub(crate) const FIRST_BAND: usize = 13;
}

/// The names of all columns of `layout`, in order.
#[must_use]
pub fn header(layout: BandLayout) -> Vec<String> {
    let open = layout.open_from_weeks();
    let bands = (0..open).map(|week| format!("Gt {week:02} To {:02} Weeks SUM 1", week + 1));
    DESCRIPTION_COLUMNS
        .iter()
        .map(|name| (*name).to_owned())
        .chain(bands)
        .chain([format!("Gt {open} Weeks SUM 1")])
        .chain(TOTAL_COLUMNS.iter().map(|name| (*name).to_owned()))
        .collect()
}

/// A header that was recognised: the layout and the names of its columns.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) layout: BandLayout,
    pub(crate) names: Vec<String>,
}

impl Header {
    /// Recognises a header, or says which column is the first that differs from the nearer of the two layouts.
    pub(crate) fn recognise(found: &csv::ByteRecord) -> Result<Self, Box<Fault>> {
        let mut nearest: Option<(usize, Vec<String>)> = None;
        for layout in BandLayout::ALL {
            let names = header(layout);
            let agreeing = names
                .iter()
                .zip(found.iter())
                .take_while(|(want, have)| have.trim_ascii().eq_ignore_ascii_case(want.as_bytes()))
                .count();
            if agreeing == names.len() && found.len() == names.len() {
                return Ok(Self { layout, names });
            }
            if nearest.as_ref().is_none_or(|(best, _)| agreeing > *best) {
                nearest = Some((agreeing, names));
            }
        }
        let (index, names) = nearest.unwrap_or_default();
        let (name, message) = match (names.get(index), found.get(index)) {
            (Some(want), Some(have)) => {
                (want.clone(), format!("the header says {} where \"{want}\" belongs", quoted(have)))
            }
            (Some(want), None) => {
                (want.clone(), format!("the header ends after {index} columns; \"{want}\" is missing"))
            }
            (None, have) => {
                let have = quoted(have.unwrap_or_default());
                (have.clone(), format!("the header has {have} after its last column"))
            }
        };
        Err(Fault::new(RefusalReason::WrongLayout, message).at_column(index, name))
    }

    /// The name of a column for a message.
    pub(crate) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    pub(crate) fn total_column(&self) -> usize {
        column::FIRST_BAND + self.layout.bands()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(names: &[String]) -> csv::ByteRecord {
        names.iter().map(String::as_bytes).collect()
    }

    #[test]
    fn the_two_layouts_have_the_published_number_of_columns() {
        let modern = header(BandLayout::To104Weeks);
        assert_eq!(modern.len(), 121);
        assert_eq!(modern[13], "Gt 00 To 01 Weeks SUM 1");
        assert_eq!(modern[116], "Gt 103 To 104 Weeks SUM 1");
        assert_eq!(modern[117], "Gt 104 Weeks SUM 1");
        let older = header(BandLayout::To52Weeks);
        assert_eq!(older.len(), 69);
        assert_eq!(older[64], "Gt 51 To 52 Weeks SUM 1");
        assert_eq!(older[65], "Gt 52 Weeks SUM 1");
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        for layout in BandLayout::ALL {
            let names: Vec<String> =
                header(layout).iter().map(|name| format!(" {} ", name.to_uppercase())).collect();
            assert_eq!(Header::recognise(&record(&names)).unwrap().layout, layout);
        }
    }

    #[test]
    fn the_first_column_that_differs_is_named() {
        let mut names = header(BandLayout::To104Weeks);
        names.swap(3, 4);
        let fault = Header::recognise(&record(&names)).unwrap_err();
        assert_eq!((fault.column, fault.reason), (Some(4), RefusalReason::WrongLayout));
        assert_eq!(fault.column_name.as_deref(), Some("Provider Org Code"));
        assert!(fault.message.contains("Provider Org Name"), "{}", fault.message);

        let mut longer = header(BandLayout::To52Weeks);
        longer.push("Extra".to_owned());
        let fault = Header::recognise(&record(&longer)).unwrap_err();
        assert_eq!(fault.column, Some(70));

        let shorter = &header(BandLayout::To104Weeks)[..120];
        let fault = Header::recognise(&record(shorter)).unwrap_err();
        assert_eq!((fault.column, fault.column_name.as_deref()), (Some(121), Some("Total All")));
    }
}
