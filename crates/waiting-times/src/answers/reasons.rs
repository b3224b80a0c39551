//! What lessens an estimate and what it does not count: codes for programs, plain sentences for people.

use wait_estimator::Reason as OfModel;

use super::{EstimateStatus, Reason};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Reason = Reason { code: $code, text: $text };)*

        /// Every reason and caveat of estimates, for tests of their words.
        #[cfg(test)]
        pub(crate) const ALL_REASONS: &[Reason] = &[$($name),*];
    };
}

reasons! {
    /// The wait has ended.
    WAIT_ENDED = "wait_ended", "This wait has ended, so there is nothing left to estimate.";
    /// Suspected cancer is held to other standards than 18 weeks.
    NOT_COMPUTED_FOR_SUSPECTED_CANCER = "not_computed_for_suspected_cancer",
        "Care for suspected cancer has shorter standards of its own. Published waiting lists do not describe it, so we make no estimate.";
    /// Planned and surveillance lists run by a set time, not by a queue.
    NOT_COMPUTED_FOR_PLANNED_CARE = "not_computed_for_planned_care",
        "This care is planned for a set time. Published waiting lists do not describe it, so we make no estimate.";
    /// A month is loaded, but no model was fitted on it.
    NO_ESTIMATES_FITTED = "no_estimates_fitted", "No estimates have been made from the published figures yet.";
    /// Over 400 days since the list was counted.
    FIGURES_TOO_OLD = "figures_too_old",
        "The latest figures we have are more than a year old. Waits may have changed too much to make an estimate.";
    /// Over 130 days since the list was counted.
    FIGURES_OLD = "figures_old",
        "The latest figures we have are more than four months old. Waits may have changed since.";
    /// Over 75 days since the list was counted.
    FIGURES_AGEING = "figures_ageing", "Newer figures have probably been published, and we do not have them yet.";
    /// Waited beyond the last published band.
    WAITED_BEYOND_BANDS = "waited_beyond_bands",
        "This wait is longer than the published figures can tell apart, so we can give no numbers for what is left. If you are waiting, ask the hospital.";
    /// Only one month of figures is known.
    SINGLE_MONTH = "single_month",
        "We have only one month of figures, so how many people leave the list untreated is assumed and not counted.";
    /// Fewer than two pairs of months could be followed.
    FEW_PAIRS = "few_pairs", "This list could be followed over too few months to be sure of its pace.";
    /// Fewer than 50 people on the list.
    SMALL_LIST = "small_list",
        "Fewer than 50 people are on this list. That is too few to tell its pace, so these are the figures of a wider group.";
    /// The provider has published no such list in the latest month.
    NOT_ON_LIST = "not_on_list",
        "The latest figures have no list for this kind of care at this hospital, so these are the figures of a wider group.";
    /// Nobody's wait on the list was completed.
    NO_COMPLETIONS = "no_completions",
        "The figures show nobody on this list being treated, so they tell little about its pace.";
    /// The provider is new to the figures.
    NEW_PROVIDER = "new_provider",
        "This hospital is new to the figures, so they tell little about its pace.";
    /// No figures for the treatment function.
    UNKNOWN_TREATMENT_FUNCTION = "unknown_treatment_function",
        "No figures are published for this kind of care, so these are the figures of all hospital care in England.";
    /// The list's pace is far from its specialty's.
    STANDS_APART = "stands_apart",
        "People leave this list at a very different pace from similar lists in England. That may be so, or its figures may be unusual.";
    /// The model gives a reason this version has no words for.
    LITTLE_DATA = "little_data", "There are few figures for this list, so this estimate is less sure than others.";
    /// A decision to admit was asked for and part 2A is not published.
    DECISION_TO_ADMIT_NOT_PUBLISHED = "decision_to_admit_not_published",
        "The figures do not tell apart people whose hospital has decided to admit them, so this estimate is for everyone on the list.";
    /// The wait so far is past 18 weeks.
    PAST_18_WEEKS = "past_18_weeks", "This wait is already longer than 18 weeks.";
    /// 18 weeks have just been reached.
    AT_18_WEEKS = "at_18_weeks", "This wait is 18 weeks long now.";
    /// The wait so far is not known.
    WAIT_NOT_KNOWN = "wait_not_known", "How long this wait has been so far is not known.";
    /// There is no estimate to take the chance of 18 weeks from.
    NO_ESTIMATE = "no_estimate", "There is no estimate for this wait.";
    /// No rolling back-test was possible.
    NOT_TESTED = "not_tested",
        "Too few months of figures are loaded to test estimates like this one against what happened.";
    /// A rolling back-test was made, and too few intervals ended within it.
    INTERVALS_NOT_TESTED = "intervals_not_tested",
        "Too few waits could be followed to their end to test how often the range holds.";
    /// The decision-to-admit reading was never tested.
    EXPERIMENTAL_NOT_TESTED = "experimental_not_tested", "This way of estimating has not been tested against what happened.";
    /// The person asked for no estimates.
    ESTIMATES_HIDDEN = "estimates_hidden", "You asked us not to show you estimates. You can change this at any time.";

    /// The label of the upper reading.
    UPPER_READING = "upper_reading",
        "This counts only treatment, as if nobody left the list for another reason. It is a high reading, and it has not been tested.";
    /// Not a booking.
    NOT_A_BOOKING = "not_a_booking", "This is not a booking. It does not know of any appointment you may have.";
    /// All reasons for leaving count.
    COUNTS_ALL_REASONS = "counts_all_reasons",
        "It counts everyone who comes off the list: people who are treated, people who turn out not to need treatment now, and people who are removed for other reasons.";
    /// The hospital's clock decides.
    HOSPITALS_CLOCK = "hospitals_clock",
        "Weeks are counted on the hospital's clock. It may have started after your referral letter, and it can stop and start again.";
    /// Nothing clinical is known.
    NOT_YOUR_CARE = "not_your_care",
        "It comes from counts of people. It does not know how urgent your care is, which treatment you need, or who will treat you.";
    /// A provider is not a site.
    PROVIDER_NOT_SITE = "provider_not_site", "The figures are for all of this provider's hospitals together.";
    /// X02.
    MIXTURE_MEDICAL = "mixture_of_medical_services",
        "This group holds many kinds of medical care together. Your kind may wait longer or shorter.";
    /// X04.
    MIXTURE_PAEDIATRIC = "mixture_of_paediatric_services",
        "This group holds many kinds of care for children together. One kind may wait longer or shorter than another.";
    /// X05.
    MIXTURE_SURGICAL = "mixture_of_surgical_services",
        "This group holds many kinds of surgery together. Your kind may wait longer or shorter.";
    /// X06.
    MIXTURE_OTHER = "mixture_of_other_services",
        "This group holds many kinds of care together. Your kind may wait longer or shorter.";
    /// A figure is open-ended, layout of 104 weeks.
    NO_NUMBERS_BEYOND_104_WEEKS = "no_numbers_beyond_104_weeks",
        "The published figures do not tell apart waits of more than 104 weeks in all, so beyond that we give no numbers.";
    /// A figure is open-ended, layout of 52 weeks.
    NO_NUMBERS_BEYOND_52_WEEKS = "no_numbers_beyond_52_weeks",
        "These figures do not tell apart waits of more than 52 weeks in all, so beyond that we give no numbers.";
    /// The decision-to-admit reading.
    EXPERIMENTAL_DECISION_TO_ADMIT = "experimental_decision_to_admit",
        "This is for people whose hospital has decided to admit them. It is an experiment and has not been tested.";
    /// Comparing is not moving.
    MOVING_IS_DIFFERENT = "moving_is_different",
        "The figures are of people who have waited as long at each hospital. Somebody who moves from one list to another may wait longer or shorter.";
    /// Order says nothing.
    IN_ORDER_OF_NAME = "in_order_of_name", "Hospitals are listed in the order of their names.";
}

/// The words for a reason of the model.
pub(crate) fn of_model(reason: OfModel) -> Reason {
    match reason {
        OfModel::SingleMonth => SINGLE_MONTH,
        OfModel::FewPairs => FEW_PAIRS,
        OfModel::SmallList => SMALL_LIST,
        OfModel::NotOnList => NOT_ON_LIST,
        OfModel::NoCompletions => NO_COMPLETIONS,
        OfModel::NewProvider => NEW_PROVIDER,
        OfModel::UnknownTreatmentFunction => UNKNOWN_TREATMENT_FUNCTION,
        OfModel::StandsApart => STANDS_APART,
        _ => LITTLE_DATA,
    }
}

/// The caveat of a treatment function that pools many (`X02`, `X04`, `X05`, `X06`).
pub(crate) fn mixture(treatment_function: &str) -> Option<Reason> {
    match treatment_function {
        "X02" => Some(MIXTURE_MEDICAL),
        "X04" => Some(MIXTURE_PAEDIATRIC),
        "X05" => Some(MIXTURE_SURGICAL),
        "X06" => Some(MIXTURE_OTHER),
        _ => None,
    }
}

/// Reasons as they are found, each with the status it alone would give.
#[derive(Debug, Default)]
pub(crate) struct Found(Vec<(EstimateStatus, Reason)>);

impl Found {
    pub(crate) fn add(&mut self, status: EstimateStatus, reason: Reason) {
        self.0.push((status, reason));
    }

    /// The gravest status, and all reasons, the gravest first.
    pub(crate) fn finish(mut self) -> (EstimateStatus, Vec<Reason>) {
        self.0.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        let status = self.0.first().map_or(EstimateStatus::Ok, |(status, _)| *status);
        (status, self.0.into_iter().map(|(_, reason)| reason).collect())
    }

    pub(crate) fn is_unavailable(&self) -> bool {
        self.0.iter().any(|(status, _)| *status == EstimateStatus::Unavailable)
    }
}
