//! Official figures from weekly bands: the rules by which the publisher makes its own median and percentiles.
//!
//! The rule was found by comparing four conventions with the figures printed in the published tables of 2014/15:
//! the median stands at rank `(n + 1) / 2`, any other percentile `p` at rank `p * n`, and a rank is turned into weeks
//! by straight-line interpolation inside its weekly band. A rank in the open last band has no weeks: the answer is
//! "over 104 weeks", never an extrapolation. Ranks are compared as whole numbers, so that no rounding can move one
//! into the next band.

use crate::model::{BandLayout, WeeklyBands};

/// Below this number of pathways the publisher prints no median or percentile, and neither do we.
pub const SMALLEST_LIST_WITH_FIGURES: u64 = 50;

/// Counts below this are never shown as such: they could point at a person.
pub const SMALLEST_COUNT_SHOWN: u64 = 10;

/// The standard: treatment should begin within this many weeks.
pub const STANDARD_WEEKS: usize = 18;

/// A wait in weeks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weeks {
    /// The wait; when `open_ended`, the number of weeks it is known to exceed.
    pub value: f64,
    /// Whether the wait lies in the open last band, so that only "over `value` weeks" can be said.
    pub open_ended: bool,
}

/// Where in a list of `n` waits a figure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// The median: rank `(n + 1) / 2`.
    Median,
    /// The wait that `percent` in 100 do not exceed: rank `n * percent / 100`. 1 to 99.
    Percentile(u32),
}

impl Rank {
    /// The 92nd percentile: the standard asks that it be at most 18 weeks.
    pub const PERCENTILE_92: Self = Self::Percentile(92);

    /// The rank among `n` as a fraction `(numerator, denominator)`.
    fn among(self, n: u64) -> (u64, u64) {
        match self {
            Self::Median => (n.saturating_add(1), 2),
            Self::Percentile(percent) => (n.saturating_mul(u64::from(percent.clamp(1, 99))), 100),
        }
    }
}

/// The wait at `rank`, by the publisher's rule; `None` for an empty list.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
pub fn wait_at(bands: &WeeklyBands, rank: Rank) -> Option<Weeks> {
    let pathways = bands.pathways();
    if pathways == 0 {
        return None;
    }
    let (numerator, denominator) = rank.among(pathways);
    let last = bands.counts().len() - 1;
    let mut below = 0_u64;
    for (band, count) in bands.counts().iter().copied().map(u64::from).enumerate() {
        let upto = below + count;
        if upto.saturating_mul(denominator) >= numerator {
            if band == last {
                break;
            }
            let into = numerator as f64 / denominator as f64 - below as f64;
            return Some(Weeks { value: band as f64 + into / count as f64, open_ended: false });
        }
        below = upto;
    }
    Some(Weeks { value: f64::from(bands.layout().open_from_weeks()), open_ended: true })
}

/// How many have waited at most `weeks` whole weeks.
#[must_use]
pub fn within(bands: &WeeklyBands, weeks: usize) -> u64 {
    bands.counts().iter().take(weeks).copied().map(u64::from).sum()
}

/// How many have waited longer than `weeks` whole weeks; `None` where the bands do not reach that far.
#[must_use]
pub fn over(bands: &WeeklyBands, weeks: u32) -> Option<u64> {
    (weeks <= bands.layout().open_from_weeks())
        .then(|| bands.counts().iter().skip(weeks as usize).copied().map(u64::from).sum())
}

/// Median, 92nd percentile and share within the standard of one list of at least
/// [`SMALLEST_LIST_WITH_FIGURES`] pathways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The median wait.
    pub median: Weeks,
    /// The wait that 92 in 100 do not exceed.
    pub percentile_92: Weeks,
    /// The share that has waited at most 18 weeks, 0 to 1.
    pub within_18_weeks: f64,
}

/// What may be said of one waiting list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListStatistics {
    /// Pathways on the list, those with an unknown clock start included.
    pub list_size: u64,
    /// The figures, or none for a list too small for the publisher to print any.
    pub figures: Option<Figures>,
}

/// The statistics of a list: its bands, and the pathways whose clock start is not known.
#[must_use]
pub fn list_statistics(bands: &WeeklyBands, unknown_clock_start: u64) -> ListStatistics {
    let pathways = bands.pathways();
    let list_size = pathways.saturating_add(unknown_clock_start);
    let figures = if pathways < SMALLEST_LIST_WITH_FIGURES { None } else { figures(bands, pathways) };
    ListStatistics { list_size, figures }
}

#[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
fn figures(bands: &WeeklyBands, pathways: u64) -> Option<Figures> {
    Some(Figures {
        median: wait_at(bands, Rank::Median)?,
        percentile_92: wait_at(bands, Rank::PERCENTILE_92)?,
        within_18_weeks: within(bands, STANDARD_WEEKS) as f64 / pathways as f64,
    })
}

/// The figures the publisher puts at the head of a month, over all providers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Headline {
    /// Pathways on the list.
    pub list_size: u64,
    /// The median wait; none for an empty list.
    pub median: Option<Weeks>,
    /// The wait that 92 in 100 do not exceed.
    pub percentile_92: Option<Weeks>,
    /// The share that has waited at most 18 weeks, 0 to 1; none for an empty list.
    pub within_18_weeks: Option<f64>,
    /// Pathways over 52 weeks.
    pub over_52_weeks: Option<u64>,
    /// Pathways over 104 weeks; none in the older layout, which cannot tell.
    pub over_104_weeks: Option<u64>,
}

/// The headline of the bands of a whole month, summed over its providers.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
pub fn headline(bands: &WeeklyBands, unknown_clock_start: u64) -> Headline {
    let pathways = bands.pathways();
    Headline {
        list_size: pathways.saturating_add(unknown_clock_start),
        median: wait_at(bands, Rank::Median),
        percentile_92: wait_at(bands, Rank::PERCENTILE_92),
        within_18_weeks: (pathways > 0).then(|| within(bands, STANDARD_WEEKS) as f64 / pathways as f64),
        over_52_weeks: over(bands, 52),
        over_104_weeks: match bands.layout() {
            BandLayout::To52Weeks => None,
            BandLayout::To104Weeks => over(bands, 104),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bands(counts: &[(usize, u32)]) -> WeeklyBands {
        let mut all = vec![0; BandLayout::To104Weeks.bands()];
        for (band, count) in counts {
            all[*band] = *count;
        }
        WeeklyBands::new(BandLayout::To104Weeks, all.into()).unwrap()
    }

    fn closed(value: f64) -> Option<Weeks> {
        Some(Weeks { value, open_ended: false })
    }

    #[test]
    fn the_median_stands_at_half_of_n_plus_one() {
        // 100 in week 10: rank 50.5, so 10 + 50.5/100.
        assert_eq!(wait_at(&bands(&[(10, 100)]), Rank::Median), closed(10.505));
        // One person: rank 1, the end of the band.
        assert_eq!(wait_at(&bands(&[(3, 1)]), Rank::Median), closed(4.0));
        // Rank 2.5 of 2 + 2 lies in the second band, half a person in.
        assert_eq!(wait_at(&bands(&[(0, 2), (5, 2)]), Rank::Median), closed(5.25));
    }

    #[test]
    fn other_percentiles_stand_at_p_times_n() {
        assert_eq!(wait_at(&bands(&[(10, 100)]), Rank::PERCENTILE_92), closed(10.92));
        // Rank 46 of 50 is exactly the last of the first band: not one hair into the next.
        assert_eq!(wait_at(&bands(&[(7, 46), (60, 4)]), Rank::PERCENTILE_92), closed(8.0));
    }

    #[test]
    fn the_open_band_is_never_extrapolated() {
        let over = Some(Weeks { value: 104.0, open_ended: true });
        assert_eq!(wait_at(&bands(&[(0, 10), (104, 90)]), Rank::Median), over);
        assert_eq!(wait_at(&bands(&[(0, 91), (104, 9)]), Rank::PERCENTILE_92), over);
        let old = WeeklyBands::new(BandLayout::To52Weeks, {
            let mut all = vec![0; 53];
            all[52] = 60;
            all.into()
        })
        .unwrap();
        assert_eq!(wait_at(&old, Rank::Median), Some(Weeks { value: 52.0, open_ended: true }));
        assert_eq!(over_both(&old), (Some(60), None));
    }

    fn over_both(bands: &WeeklyBands) -> (Option<u64>, Option<u64>) {
        (headline(bands, 0).over_52_weeks, headline(bands, 0).over_104_weeks)
    }

    #[test]
    fn an_empty_list_has_no_wait() {
        assert_eq!(wait_at(&bands(&[]), Rank::Median), None);
        assert_eq!(headline(&bands(&[]), 0).within_18_weeks, None);
    }

    #[test]
    fn eighteen_weeks_are_the_first_eighteen_bands() {
        let list = bands(&[(0, 10), (17, 20), (18, 30), (52, 5), (103, 6), (104, 7)]);
        assert_eq!(within(&list, STANDARD_WEEKS), 30);
        assert_eq!(over(&list, 52), Some(18));
        assert_eq!(over(&list, 104), Some(7));
    }

    #[test]
    fn forty_nine_are_too_few_and_fifty_are_enough() {
        assert_eq!(list_statistics(&bands(&[(1, 49)]), 5), ListStatistics { list_size: 54, figures: None });
        assert!(list_statistics(&bands(&[(1, 50)]), 0).figures.is_some());
    }

    /// The rule said over people instead of bands: `count` people of band `k` stand evenly at `k + i/count`.
    fn brute_force(list: &WeeklyBands, rank: f64) -> Option<f64> {
        let mut ends = Vec::new();
        for (band, count) in list.counts().iter().enumerate().take(list.counts().len() - 1) {
            for person in 1..=*count {
                ends.push((band as f64, f64::from(person - 1), f64::from(*count)));
            }
        }
        let whole = rank.ceil() as usize;
        let (band, before, count) = *ends.get(whole.checked_sub(1)?)?;
        Some(band + (before + 1.0 - (whole as f64 - rank)) / count)
    }

    fn small_list() -> impl Strategy<Value = WeeklyBands> {
        proptest::collection::vec((0..105_usize, 0..40_u32), 1..12).prop_map(|pairs| bands(&pairs))
    }

    proptest! {
        #[test]
        fn percentiles_never_fall_as_p_rises(list in small_list(), p in 1_u32..99) {
            let (low, high) = (wait_at(&list, Rank::Percentile(p)), wait_at(&list, Rank::Percentile(p + 1)));
            if let (Some(low), Some(high)) = (low, high) {
                prop_assert!(low.value <= high.value);
                prop_assert!(low.open_ended <= high.open_ended);
            } else {
                prop_assert_eq!(list.pathways(), 0);
            }
        }

        #[test]
        fn the_median_lies_inside_the_band_that_holds_it(list in small_list()) {
            if let Some(median) = wait_at(&list, Rank::Median) {
                let band = (median.value.ceil() as usize).saturating_sub(1).min(104);
                if !median.open_ended {
                    prop_assert!(list.counts()[band] > 0);
                    prop_assert!(median.value > band as f64 && median.value <= band as f64 + 1.0);
                }
            }
        }

        #[test]
        fn bands_and_people_agree(list in small_list(), p in 1_u32..=99) {
            for rank in [Rank::Median, Rank::Percentile(p)] {
                let (numerator, denominator) = rank.among(list.pathways());
                let found = wait_at(&list, rank);
                match brute_force(&list, numerator as f64 / denominator as f64) {
                    Some(expected) if list.pathways() > 0 => {
                        let found = found.unwrap();
                        if !found.open_ended {
                            prop_assert!((found.value - expected).abs() < 1e-9, "{found:?} {expected}");
                        }
                    }
                    _ => prop_assert!(found.is_none_or(|weeks| weeks.open_ended)),
                }
            }
        }

        #[test]
        fn the_parts_of_a_list_add_up(list in small_list(), weeks in 0_u32..=104) {
            prop_assert_eq!(within(&list, weeks as usize) + over(&list, weeks).unwrap(), list.pathways());
        }
    }
}
