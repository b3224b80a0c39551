//! The constants of the method, the same for both runs of months. They were chosen with the back-test's scores in view,
//! so those scores are not out of sample for them.

use serde::Serialize;

/// The constants; [`Constants::default`] are the published ones. Others are for experiments.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Constants {
    /// Imagined completions that draw a specialty's completion rate to the general one.
    pub completion_pseudo: f64,
    /// Weight of the second difference of the remainder.
    pub smooth: f64,
    /// Weight of the remainder itself.
    pub small: f64,
    /// The least hazard a week.
    pub floor: f64,
    /// Imagined people with the expected loss in each group of a list.
    pub pseudo_people: f64,
    /// Lists below this size are answered for as part of a wider group; what was seen of them still counts, by its
    /// credibility.
    pub smallest_list: u32,
    /// The least standard deviation of the log hazard to come about the one seen: drift.
    pub drift: f64,
    /// Removals a week where a single month cannot tell them.
    pub assumed_removals: f64,
    /// Standard deviation of the log hazard to come where only one month is known.
    pub single_month_drift: f64,
    /// A change of `|ln|` beyond this drops a pair.
    pub largest_jump: f64,
    /// A loss beyond this many times the expected, or below the inverse, drops a pair.
    pub largest_ratio: f64,
    /// Standard deviation of lists' log factors taken when months are too few to tell.
    pub prior_tau: f64,
    /// Month noise taken when months are too few to tell.
    pub prior_noise: f64,
    /// Standard deviation of age groups' log factors about their list's.
    pub tau_groups: f64,
    /// Weeks of age over which neighbouring groups are alike.
    pub group_reach: f64,
    /// Standard deviation of what a month adds to one weekly band of a list.
    pub band_noise: f64,
    /// Standard deviation of boards' log factors about their specialty's, as a whole and age by age.
    pub tau_boards: f64,
    /// Standard deviation of the log of a list's completions in one month about what its exits will be, where
    /// completions are all there is.
    pub completion_noise: f64,
    /// The same for one weekly band.
    pub completion_band_noise: f64,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            completion_pseudo: 50.0,
            smooth: 2.0,
            small: 0.6,
            floor: 0.004,
            pseudo_people: 2.0,
            smallest_list: 50,
            drift: 0.45,
            assumed_removals: 0.007,
            single_month_drift: 0.55,
            largest_jump: 0.25,
            largest_ratio: 3.0,
            prior_tau: 0.25,
            prior_noise: 0.25,
            tau_groups: 0.22,
            group_reach: 5.0,
            band_noise: 0.15,
            tau_boards: 0.1,
            completion_noise: 0.6,
            completion_band_noise: 0.8,
        }
    }
}
