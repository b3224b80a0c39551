//! Makes the answer of an estimate: the model's numbers, rounded and bounded to what the figures can tell, with every
//! reason to doubt them.

use chrono::NaiveDate;
use wait_estimator::{CellEstimator, CellKey, Estimate, Level, Model, Quantiles, Status};

use super::estimate::{
    CalibrationAnswer, CalibrationScope, EstimateAnswer, EstimateBasis, EstimateLevel, EstimateStatus,
    ExitsTested, FiveWeeks, ProbabilityFigures, StandardAnswer, ThreeWeeks, UpperReading,
};
use super::reasons::{self, Found};
use super::{
    FigureSource, Freshness, ListSize, NO_FIGURES_FOR_THIS_LIST, NO_MONTH_IMPORTED,
    NOT_COMPUTED_FOR_MENTAL_HEALTH, Reason, ReferralStatistics, WeeksFigure, moved, named_provider,
    named_treatment_function, ranges, rounded,
};
use crate::estimates::WeeksWaited;
use crate::model::{BandLayout, Period, ProviderCode, TreatmentFunction};
use crate::referral::Pathway;
use crate::snapshot::{ActiveMonth, CalibrationFigure, Estimates, Snapshot};
use crate::statistics::STANDARD_WEEKS;

/// From figures older than this many days no numbers are made.
const TOO_OLD_AFTER_DAYS: i64 = 400;
/// The share of people who should be treated within the standard (NHS Constitution).
const TARGET_SHARE: f64 = 0.92;
/// The smallest and the largest chance given: the figures cannot tell a smaller one from none, or a larger from all.
const CHANCES: (f64, f64) = (0.01, 0.99);

/// From which figures, and on which day.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) today: NaiveDate,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) provider: ProviderCode,
    pub(crate) treatment_function: TreatmentFunction,
    /// None where it is not known: ranges are answered.
    pub(crate) waited: Option<WeeksWaited>,
    pub(crate) pathway: Pathway,
    /// Whether the wait is over.
    pub(crate) has_ended: bool,
    pub(crate) decision_to_admit: bool,
    /// Whether to tell what moved since the generation before.
    pub(crate) tell_moved: bool,
}

impl Question {
    /// About one list, for anybody.
    pub(crate) fn of_list(
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        waited: Option<WeeksWaited>,
        decision_to_admit: bool,
    ) -> Self {
        Self {
            provider,
            treatment_function,
            waited,
            pathway: Pathway::Routine,
            has_ended: false,
            decision_to_admit,
            tell_moved: false,
        }
    }

    fn key(&self) -> CellKey {
        CellKey { provider: self.provider, treatment_function: self.treatment_function }
    }

    /// Whether 18 weeks are the standard for it.
    fn has_standard(&self) -> bool {
        self.pathway == Pathway::Routine && !self.has_ended && !self.treatment_function.is_mental_health()
    }
}

/// The model, and whose list is asked about.
struct Made<'a> {
    estimates: &'a Estimates,
    month: &'a ActiveMonth,
    estimator: CellEstimator<'a>,
    is_experimental: bool,
}

impl Context<'_> {
    /// Whether the figures know anything of this list: its provider or its treatment function.
    pub(crate) fn knows(&self, question: &Question) -> bool {
        self.snapshot
            .estimates
            .as_ref()
            .is_none_or(|estimates| estimates.model.estimator(&question.key()).is_some())
    }

    /// The answer. It is made whatever is missing: then its status is `unavailable`, and the reasons say why.
    pub(crate) fn estimate(&self, question: &Question) -> EstimateAnswer {
        let Question { provider, treatment_function, .. } = *question;
        let month = self.snapshot.month.as_ref();
        let mut found = Found::default();
        let made = self.made(question, &mut found);
        let official = ReferralStatistics::new(month, provider, treatment_function, self.today);
        let mut answer = EstimateAnswer {
            status: EstimateStatus::Unavailable,
            reasons: Vec::new(),
            provider: named_provider(month, provider),
            treatment_function: named_treatment_function(month, treatment_function),
            as_of: self.today,
            weeks_waited: question.waited.map(|waited| rounded(waited.weeks(), 10.0)),
            experimental: false,
            basis: None,
            remaining_weeks: None,
            if_you_stay_weeks: None,
            total_wait_weeks: None,
            probability: None,
            other_removal_share: None,
            ranges: None,
            standard: None,
            official,
            calibration: None,
            calibration_missing: Some(reasons::NO_ESTIMATE),
            exits_tested: None,
            attribution: month.and_then(|month| FigureSource::new(month.origin).attribution),
            caveats: Vec::new(),
            moved: None,
        };
        if let Some(made) = &made {
            answer.basis = Some(self.basis(made));
            if !found.is_unavailable() {
                made.fill(&mut answer, question, &mut found);
            }
        }
        if question.has_standard() {
            answer.standard = Some(standard(&answer, question.waited));
        }
        (answer.status, answer.reasons) = found.finish();
        answer
    }

    /// The estimator for what is asked, and every reason found on the way to it.
    fn made(&self, question: &Question, found: &mut Found) -> Option<Made<'_>> {
        use EstimateStatus::{LowData, Ok, Pooled, Stale, Unavailable};
        if question.has_ended {
            found.add(Unavailable, reasons::WAIT_ENDED);
        }
        if question.treatment_function.is_mental_health() {
            found.add(Unavailable, NOT_COMPUTED_FOR_MENTAL_HEALTH);
        }
        match question.pathway {
            Pathway::Routine => {}
            Pathway::SuspectedCancer => found.add(Unavailable, reasons::NOT_COMPUTED_FOR_SUSPECTED_CANCER),
            Pathway::Planned => found.add(Unavailable, reasons::NOT_COMPUTED_FOR_PLANNED_CARE),
        }
        let Some(month) = self.snapshot.month.as_ref() else {
            found.add(Unavailable, NO_MONTH_IMPORTED);
            return None;
        };
        let age = month.age_days(self.today);
        if age > TOO_OLD_AFTER_DAYS {
            found.add(Unavailable, reasons::FIGURES_TOO_OLD);
        } else {
            match Freshness::of(age) {
                Freshness::Current => {}
                Freshness::Ageing => found.add(Ok, reasons::FIGURES_AGEING),
                Freshness::Old => found.add(Stale, reasons::FIGURES_OLD),
            }
        }
        let Some(estimates) = self.snapshot.estimates.as_ref() else {
            found.add(Unavailable, reasons::NO_ESTIMATES_FITTED);
            return None;
        };
        let Some(mut estimator) = estimates.model.estimator(&question.key()) else {
            found.add(Unavailable, NO_FIGURES_FOR_THIS_LIST);
            return None;
        };
        let of_model = estimator.basis();
        let status = match of_model.status {
            Status::Ok => Ok,
            Status::LowData => LowData,
            Status::Pooled => Pooled,
        };
        for reason in of_model.reasons {
            found.add(status, reasons::of_model(reason));
        }
        let mut is_experimental = false;
        if question.decision_to_admit {
            match estimator.with_decision_to_admit() {
                Some(decided) => {
                    estimator = decided;
                    is_experimental = true;
                    found.add(LowData, reasons::EXPERIMENTAL_DECISION_TO_ADMIT);
                }
                None => found.add(Ok, reasons::DECISION_TO_ADMIT_NOT_PUBLISHED),
            }
        }
        Some(Made { estimates, month, estimator, is_experimental })
    }

    fn basis(&self, made: &Made<'_>) -> EstimateBasis {
        let model = &made.estimates.model;
        let basis = made.estimator.basis();
        let age_days = made.month.age_days(self.today);
        let key = made.estimator.key();
        let months = texts(model.months());
        EstimateBasis {
            level: level(basis.level),
            described_as: describe(made.month, model, key, basis.level),
            list_size: basis.list_size.map(|count| ListSize::new(u64::from(count))),
            months_used: months.len(),
            months,
            pairs_used: basis.months_used,
            credibility: rounded(basis.credibility, 100.0),
            period_end: model.period_end(),
            age_days,
            freshness: Freshness::of(age_days),
            source: FigureSource::new(made.month.origin),
            model_version: model.version(),
            generation: self.snapshot.generation.clone(),
        }
    }
}

impl Made<'_> {
    /// Puts the numbers in, and what to say with them.
    fn fill(&self, answer: &mut EstimateAnswer, question: &Question, found: &mut Found) {
        let layout = self.estimates.model.layout();
        answer.experimental = self.is_experimental;
        let is_open = if let Some(waited) = question.waited {
            let weeks = waited.weeks();
            let estimate = self.estimator.estimate(weeks);
            if weeks >= f64::from(layout.open_from_weeks()) {
                found.add(EstimateStatus::LowData, reasons::WAITED_BEYOND_BANDS);
            }
            self.numbers(answer, &estimate, layout);
            if question.tell_moved {
                answer.moved = moved::moved(self.estimates, self.month, question.key(), weeks);
            }
            estimate.remaining.p90.open_ended || estimate.if_you_stay.p90.open_ended
        } else {
            let ranges = ranges::ranges(&self.estimator, layout);
            let is_open = ranges.iter().any(|range| range.remaining_weeks.p90.open_ended);
            answer.ranges = Some(ranges);
            is_open
        };
        (answer.calibration, answer.calibration_missing) = self.calibration(question.treatment_function);
        answer.exits_tested = self.exits_tested(question.treatment_function);
        answer.caveats =
            caveats(question.treatment_function, is_open.then_some(layout), self.is_experimental);
    }

    fn numbers(&self, answer: &mut EstimateAnswer, estimate: &Estimate, layout: BandLayout) {
        let waited = rounded(estimate.weeks_waited, 10.0);
        let reach = f64::from(layout.open_from_weeks());
        // What is left and what is behind add up to the whole in the answer too, to the decimal: the whole is rounded,
        // and what is left is the rest of it.
        let left = |weeks: &wait_estimator::Weeks| WeeksFigure {
            value: rounded((rounded(weeks.weeks + estimate.weeks_waited, 10.0) - waited).max(0.0), 10.0),
            open_ended: weeks.open_ended,
        };
        let remaining = figures(&estimate.remaining, left);
        let whole = |weeks: WeeksFigure| WeeksFigure { value: rounded(weeks.value + waited, 10.0), ..weeks };
        let ThreeWeeks { p10, p50, p90 } = remaining.three();
        answer.remaining_weeks = Some(remaining);
        answer.total_wait_weeks = Some(ThreeWeeks { p10: whole(p10), p50: whole(p50), p90: whole(p90) });
        answer.if_you_stay_weeks = Some(UpperReading {
            weeks: figures(&estimate.if_you_stay, left).three(),
            label: reasons::UPPER_READING,
        });
        let chance = |ahead: f64, chance: f64| {
            (estimate.weeks_waited + ahead <= reach).then(|| bounded_chance(chance))
        };
        let chances = &estimate.probability;
        answer.probability = Some(ProbabilityFigures {
            by_4_weeks: chance(4.0, chances.by_4w),
            by_12_weeks: chance(12.0, chances.by_12w),
            by_26_weeks: chance(26.0, chances.by_26w),
            by_52_weeks: chance(52.0, chances.by_52w),
            within_18_week_standard: chances.within_18w.map(bounded_chance),
        });
        answer.other_removal_share = Some(rounded(estimate.other_removal_share, 100.0));
    }

    fn calibration(
        &self,
        treatment_function: TreatmentFunction,
    ) -> (Option<CalibrationAnswer>, Option<Reason>) {
        if self.is_experimental {
            return (None, Some(reasons::EXPERIMENTAL_NOT_TESTED));
        }
        let calibration = &self.estimates.calibration;
        let answer = |figure: &CalibrationFigure, scope| CalibrationAnswer {
            coverage80: rounded(figure.coverage80, 100.0),
            n: figure.n,
            tested_on: texts(&figure.tested_on),
            scope,
        };
        let own =
            calibration.of(treatment_function).map(|own| answer(own, CalibrationScope::TreatmentFunction));
        let found =
            own.or_else(|| calibration.overall.as_ref().map(|all| answer(all, CalibrationScope::All)));
        let reason = match calibration.overall_left {
            Some(_) => reasons::INTERVALS_NOT_TESTED,
            None => reasons::NOT_TESTED,
        };
        let missing = found.is_none().then_some(reason);
        (found, missing)
    }

    fn exits_tested(&self, treatment_function: TreatmentFunction) -> Option<ExitsTested> {
        let calibration = &self.estimates.calibration;
        let own =
            calibration.left_of(treatment_function).map(|own| (own, CalibrationScope::TreatmentFunction));
        let (figure, scope) =
            own.or_else(|| calibration.overall_left.as_ref().map(|all| (all, CalibrationScope::All)))?;
        (!self.is_experimental).then(|| ExitsTested {
            expected_share: rounded(figure.expected, 100.0),
            left_share: rounded(figure.left, 100.0),
            n: figure.pathways,
            tested_on: texts(&figure.tested_on),
            scope,
        })
    }
}

/// Months as they are answered.
fn texts(months: &[Period]) -> Vec<String> {
    months.iter().map(ToString::to_string).collect()
}

/// A chance with two decimals, never quite nought or one.
pub(super) fn bounded_chance(chance: f64) -> f64 {
    rounded(chance, 100.0).clamp(CHANCES.0, CHANCES.1)
}

/// The model's quantiles as they are answered.
pub(super) fn figures(
    quantiles: &Quantiles,
    figure: impl Fn(&wait_estimator::Weeks) -> WeeksFigure,
) -> FiveWeeks {
    let Quantiles { p10, p25, p50, p75, p90 } = quantiles;
    FiveWeeks { p10: figure(p10), p25: figure(p25), p50: figure(p50), p75: figure(p75), p90: figure(p90) }
}

fn level(level: Level) -> EstimateLevel {
    match level {
        Level::ProviderTfc => EstimateLevel::ProviderTfc,
        Level::IcbTfc => EstimateLevel::IcbTfc,
        Level::EnglandTfc => EstimateLevel::EnglandTfc,
        Level::England => EstimateLevel::England,
    }
}

/// Whose figures, in plain words.
pub(super) fn describe(month: &ActiveMonth, model: &Model, key: CellKey, level: Level) -> String {
    let code = model.current_code(key.provider);
    let care = month.treatment_function_name(key.treatment_function);
    let care = care.unwrap_or("this kind of care");
    let provider = month.providers.get(code);
    match level {
        Level::ProviderTfc => {
            let name = provider.and_then(|provider| provider.name.as_deref()).unwrap_or("this provider");
            format!("people waiting for {care} at {name}")
        }
        Level::IcbTfc => {
            let region = provider.and_then(|provider| provider.parent_name.as_deref());
            format!("people waiting for {care} at hospitals of {}", region.unwrap_or("the same area"))
        }
        Level::EnglandTfc => format!("people waiting for {care} anywhere in England"),
        Level::England => "people waiting for any kind of hospital care in England".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "eighteen")]
fn standard(answer: &EstimateAnswer, waited: Option<WeeksWaited>) -> StandardAnswer {
    let weeks = STANDARD_WEEKS as f64;
    let waited = waited.map(WeeksWaited::weeks);
    let already_past = waited.map(|waited| waited > weeks);
    let has_chance = answer.probability.is_some_and(|chances| chances.within_18_week_standard.is_some());
    let reason = match (already_past, waited) {
        _ if has_chance => None,
        (None, _) => Some(reasons::WAIT_NOT_KNOWN),
        (Some(true), _) => Some(reasons::PAST_18_WEEKS),
        (Some(false), Some(waited)) if waited >= weeks => Some(reasons::AT_18_WEEKS),
        (Some(false), _) => Some(reasons::NO_ESTIMATE),
    };
    StandardAnswer {
        weeks: u32::try_from(STANDARD_WEEKS).unwrap_or(u32::MAX),
        target_share: TARGET_SHARE,
        share_now: answer.official.figures().and_then(|figures| figures.within_18_weeks_share),
        already_past,
        weeks_to_18: waited.filter(|waited| *waited <= weeks).map(|waited| rounded(weeks - waited, 10.0)),
        reason,
    }
}

/// What to say with the numbers.
fn caveats(
    treatment_function: TreatmentFunction,
    open: Option<BandLayout>,
    is_experimental: bool,
) -> Vec<Reason> {
    let mut caveats = vec![
        reasons::NOT_A_BOOKING,
        reasons::COUNTS_ALL_REASONS,
        reasons::HOSPITALS_CLOCK,
        reasons::NOT_YOUR_CARE,
        reasons::PROVIDER_NOT_SITE,
    ];
    caveats.extend(reasons::mixture(treatment_function.as_str()));
    caveats.extend(open.map(|layout| match layout {
        BandLayout::To104Weeks => reasons::NO_NUMBERS_BEYOND_104_WEEKS,
        BandLayout::To52Weeks => reasons::NO_NUMBERS_BEYOND_52_WEEKS,
    }));
    caveats.extend(is_experimental.then_some(reasons::EXPERIMENTAL_DECISION_TO_ADMIT));
    caveats
}
