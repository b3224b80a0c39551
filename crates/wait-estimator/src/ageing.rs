//! Following people from one month-end list to the next.
//!
//! Someone in weekly band `w` at one month-end is `d = days / 7` weeks older at the next. With `k = floor(d)` and
//! `f = d - k`, the survivors of band `w` are `N'(w) = (1 - f) N1(w + k) + f N1(w + k + 1)`, people being spread evenly
//! over their week; exact for a month of 28 days. The loss `L(w) = -ln(N'(w) / N0(w))` is the hazard summed over the
//! ages passed, `sum_a A[w, a] h(a)`, where `A[w, a]` is the time spent at age `a`.

use crate::curve::{AGES, SUB_AGES};
use crate::model::BandLayout;

/// The most ages a row passes: a month of 31 days from anywhere in a week touches six.
pub(crate) const REACH: usize = 6;

/// How long people of one band spend at each age on the way from one list to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The first age passed, in whole weeks.
    pub(crate) start: usize,
    /// Weeks spent at `start`, `start + 1` and so on.
    pub(crate) weeks: [f64; REACH],
}

/// The geometry of a pair of month-end lists.
#[derive(Clone, Debug)]
pub(crate) struct Ageing {
    whole: usize,
    part: f64,
    weeks: f64,
    layout: BandLayout,
    followed: usize,
    /// The same from four points within the week; row `w` begins at age `w`.
    paths: [[f64; REACH]; SUB_AGES.len()],
}

impl Ageing {
    /// For lists `days` apart; `None` unless 28 to 31 days. Where the layouts differ only what both can tell is
    /// followed.
    pub(crate) fn new(days: i64, from: BandLayout, to: BandLayout) -> Option<Self> {
        if !(28..=31).contains(&days) {
            return None;
        }
        let weeks = days as f64 / 7.0;
        let whole = weeks.floor() as usize;
        let part = weeks - whole as f64;
        let touched = whole + usize::from(part > 0.0);
        // Bands that end in a closed band of the later list, and are closed in the earlier one.
        let later = to.open_from_weeks() as usize;
        let followed = (later - touched).min(from.open_from_weeks() as usize);
        let mut paths = [[0.0; REACH]; SUB_AGES.len()];
        for (path, start) in paths.iter_mut().zip(SUB_AGES) {
            let (begin, end) = (start, start + weeks);
            for (step, time) in path.iter_mut().enumerate() {
                *time = (end.min(step as f64 + 1.0) - begin.max(step as f64)).max(0.0);
            }
        }
        Some(Self { whole, part, weeks, layout: from, followed, paths })
    }

    /// Weeks between the two lists.
    pub(crate) fn weeks(&self) -> f64 {
        self.weeks
    }

    /// The number of bands that can be followed, from the shortest wait up.
    pub(crate) fn followed(&self) -> usize {
        self.followed
    }

    /// The later list seen from the earlier one's band `band`.
    pub(crate) fn survivors(&self, later: &[f64; AGES], band: usize) -> f64 {
        let at = |band: usize| later.get(band).copied().unwrap_or(0.0);
        let straight = at(band + self.whole);
        if self.part > 0.0 {
            (1.0 - self.part) * straight + self.part * at(band + self.whole + 1)
        } else {
            straight
        }
    }

    /// Time spent at each age by the people of `band`.
    pub(crate) fn row(&self, band: usize) -> Row {
        let mut weeks = [0.0; REACH];
        for path in &self.paths {
            for (sum, time) in weeks.iter_mut().zip(path) {
                *sum += time / SUB_AGES.len() as f64;
            }
        }
        Row { start: band, weeks }
    }

    /// The share of `band` expected still to wait under weekly `hazard`s run at `pace`.
    pub(crate) fn expected(&self, hazard: &[f64; AGES], band: usize, pace: f64) -> f64 {
        let mut sum = 0.0;
        for path in &self.paths {
            let passed: f64 =
                path.iter().enumerate().map(|(step, time)| time * hazard[(band + step).min(AGES - 1)]).sum();
            sum += libm::exp(-pace * passed);
        }
        sum / SUB_AGES.len() as f64
    }

    /// People who were, or have come to be, in the open band: (of the earlier list, still there, their mean row).
    /// `None` where the layouts differ, since the earlier open band says nothing of how long beyond it they were.
    pub(crate) fn open_pool(
        &self,
        same_layout: bool,
        earlier: &[f64; AGES],
        later: &[f64; AGES],
    ) -> Option<(f64, f64)> {
        if !same_layout {
            return None;
        }
        let open = self.layout.open_from_weeks() as usize;
        let mut pool: f64 = earlier[open..].iter().sum();
        pool += earlier[open - self.whole..open].iter().sum::<f64>();
        if self.part > 0.0 {
            pool += self.part * earlier[open - self.whole - 1];
        }
        Some((pool, later[open..].iter().sum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_weeks_are_exactly_four_bands_on() {
        let layout = BandLayout::To104Weeks;
        let ageing = Ageing::new(28, layout, layout).unwrap();
        let later = std::array::from_fn(|band| band as f64);
        assert_eq!(ageing.followed(), 100);
        assert_eq!(ageing.survivors(&later, 10), 14.0);
        // From the middle of a week: part of the first, three whole weeks, part of the last.
        assert_eq!(ageing.row(10).weeks, [0.5, 1.0, 1.0, 1.0, 0.5, 0.0]);
    }

    #[test]
    fn other_months_straddle_two_bands_and_spend_their_days() {
        let layout = BandLayout::To52Weeks;
        for (days, followed) in [(29, 47), (30, 47), (31, 47)] {
            let ageing = Ageing::new(days, layout, layout).unwrap();
            let later = std::array::from_fn(|band| band as f64);
            let part = f64::from(i32::try_from(days).unwrap() - 28) / 7.0;
            assert!((ageing.survivors(&later, 3) - (7.0 + part)).abs() < 1e-12);
            let spent: f64 = ageing.row(3).weeks.iter().sum();
            assert!((spent - days as f64 / 7.0).abs() < 1e-12);
            assert_eq!(ageing.followed(), followed);
        }
        for days in [0, 27, 32, 59] {
            assert!(Ageing::new(days, layout, layout).is_none());
        }
    }

    #[test]
    fn over_the_change_of_2021_all_closed_bands_are_followed_and_the_open_one_is_not() {
        let ageing = Ageing::new(30, BandLayout::To52Weeks, BandLayout::To104Weeks).unwrap();
        assert_eq!(ageing.followed(), 52);
        let counts = [1.0; AGES];
        assert!(ageing.open_pool(false, &counts, &counts).is_none());
    }

    #[test]
    fn a_constant_hazard_keeps_the_same_share_of_every_band() {
        let layout = BandLayout::To104Weeks;
        let ageing = Ageing::new(31, layout, layout).unwrap();
        let want = libm::exp(-0.05 * 31.0 / 7.0 * 0.9);
        for band in 0..ageing.followed() {
            assert!((ageing.expected(&[0.05; AGES], band, 0.9) - want).abs() < 1e-12);
        }
    }
}
