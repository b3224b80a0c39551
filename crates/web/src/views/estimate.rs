//! An estimate in words: how much longer, how sure, and from whose figures. What is likely to be long weighs as much
//! as what is likely to be short; nothing is a date, a rank or a promise.

use waiting_times::answers::{
    CalibrationAnswer, CalibrationScope, Direction, EstimateAnswer, EstimateBasis, EstimateLevel,
    EstimateStatus, ExitsTested, MovedAnswer, Numbers, ProbabilityFigures, RangeEstimate, Reason,
    ReferralEstimate, SourceKind, StandardAnswer, WeeksFigure,
};

use crate::dots::Dots;
use crate::format;
use crate::lengths::{Ahead, OfTen, Spread};

/// Whose wait is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The reader's own.
    You,
    /// Anybody's: the wait that was typed in.
    Anybody,
}

/// The part of a page about one wait.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EstimateSection {
    /// The person asked for none.
    Hidden,
    Shown(Box<EstimateView>),
}

/// An estimate in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EstimateView {
    /// Said before any number.
    pub(crate) warnings: Vec<String>,
    pub(crate) said: Said,
    /// How far to rely on it; none when there is nothing to say against it.
    pub(crate) doubt: Option<Doubt>,
    pub(crate) caveats: Vec<&'static str>,
    pub(crate) basis: Option<BasisView>,
    pub(crate) moved: Option<MovedView>,
}

/// The numbers, or what stands in their place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Numbers(Box<NumbersView>),
    /// For somebody who does not know how long they have waited.
    Ranges(Vec<RangeView>),
    /// Beyond what the figures tell apart.
    Beyond(String),
    /// None; the doubt says why.
    Nothing,
}

/// How far to rely on an estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) lead: &'static str,
    pub(crate) reasons: Vec<&'static str>,
}

/// The numbers of an estimate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumbersView {
    pub(crate) range: String,
    pub(crate) people: String,
    pub(crate) of_ten: Vec<String>,
    pub(crate) in_all: String,
    pub(crate) standard: Option<String>,
    pub(crate) picture: Option<Dots>,
    /// The picture in words.
    pub(crate) picture_text: String,
    pub(crate) table_caption: &'static str,
    pub(crate) chances: Vec<ChanceRow>,
    pub(crate) other_removals: String,
    pub(crate) upper: String,
    pub(crate) upper_label: &'static str,
}

/// One time ahead, and how many of ten are off the list by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChanceRow {
    pub(crate) time: &'static str,
    pub(crate) off: String,
    pub(crate) waiting: String,
}

/// One range of waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeView {
    pub(crate) waited: String,
    pub(crate) range: String,
    pub(crate) half: String,
}

/// Whose figures, and how sure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BasisView {
    pub(crate) described_as: String,
    pub(crate) list_size: Option<String>,
    pub(crate) months: String,
    pub(crate) counted_on: String,
    pub(crate) age: String,
    pub(crate) how_sure: String,
    pub(crate) source: String,
    pub(crate) attribution: &'static str,
}

/// What the newest figures changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MovedView {
    pub(crate) sentence: String,
    pub(crate) why: Vec<String>,
}

impl EstimateView {
    /// Whether there is nothing to say but why.
    pub(crate) fn is_empty(&self) -> bool {
        self.said == Said::Nothing
    }
}

/// The estimate for a referral of the person.
pub(crate) fn of_referral(estimate: &ReferralEstimate) -> EstimateSection {
    match estimate {
        ReferralEstimate::Hidden(_) => EstimateSection::Hidden,
        ReferralEstimate::Shown(answer) => {
            EstimateSection::Shown(Box::new(estimate_view(answer, Voice::You)))
        }
    }
}

/// Any estimate.
pub(crate) fn estimate_view(answer: &EstimateAnswer, voice: Voice) -> EstimateView {
    let numbers = answer.numbers();
    let said = match (&numbers, &answer.ranges) {
        (Some(numbers), _) => numbers_view(numbers, answer.standard.as_ref(), voice),
        (None, Some(ranges)) if !ranges.is_empty() => Said::Ranges(ranges.iter().map(range_view).collect()),
        _ => Said::Nothing,
    };
    EstimateView {
        warnings: warnings(answer),
        doubt: doubt(answer, &said),
        caveats: match said {
            Said::Nothing => Vec::new(),
            _ => answer.caveats.iter().map(|caveat| caveat.text).collect(),
        },
        basis: match said {
            Said::Nothing => None,
            _ => answer.basis.as_ref().map(|basis| basis_view(basis, answer)),
        },
        moved: answer.moved.as_ref().map(|moved| moved_view(moved, voice)),
        said,
    }
}

fn warnings(answer: &EstimateAnswer) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(basis) = &answer.basis else { return warnings };
    if answer.status == EstimateStatus::Unavailable {
        return warnings;
    }
    if basis.source.kind == SourceKind::MadeUp {
        warnings.push(
            "This is made from made-up figures, for a demonstration. It describes no real hospital."
                .to_owned(),
        );
    }
    if answer.status == EstimateStatus::Stale {
        warnings.push(format!(
            "The figures behind this are old. They were counted on {}, {} ago. Waits may be very different now.",
            format::date(basis.period_end),
            format::age(basis.age_days)
        ));
    }
    warnings
}

fn doubt(answer: &EstimateAnswer, said: &Said) -> Option<Doubt> {
    let lead = match (answer.status, said) {
        (EstimateStatus::Unavailable, _) | (_, Said::Nothing) => "We can give no estimate here.",
        (_, Said::Beyond(_)) => "Why there are no numbers:",
        (EstimateStatus::LowData, _) => "This is a rough estimate.",
        (EstimateStatus::Pooled, _) => "These are not the figures of this list alone.",
        (EstimateStatus::Stale, _) => "Take this with care.",
        (EstimateStatus::Ok, _) if answer.reasons.is_empty() => return None,
        (EstimateStatus::Ok, _) => "Good to know:",
    };
    let reasons = answer.reasons.iter().filter(|it| !is_said_already(it, answer)).map(|it| it.text).collect();
    Some(Doubt { lead, reasons })
}

/// The warning above the numbers says how old the figures are, with their day.
fn is_said_already(reason: &Reason, answer: &EstimateAnswer) -> bool {
    answer.status == EstimateStatus::Stale && reason.code == "figures_old"
}

fn numbers_view(numbers: &Numbers<'_>, standard: Option<&StandardAnswer>, voice: Voice) -> Said {
    let remaining = numbers.remaining_weeks;
    let spread = Spread::new(remaining.p10, remaining.p50, remaining.p90);
    if !spread.is_known() {
        return Said::Beyond(beyond(numbers.weeks_waited, voice));
    }
    let total = numbers.total_wait_weeks;
    let total = Spread::new(total.p10, total.p50, total.p90);
    let upper = numbers.if_you_stay_weeks;
    let upper_spread = Spread::new(upper.weeks.p10, upper.weeks.p50, upper.weeks.p90);
    let chances = chances(numbers.probability);
    let waited = match voice {
        Voice::You => "as long as you".to_owned(),
        Voice::Anybody => weeks_waited(numbers.weeks_waited),
    };
    Said::Numbers(Box::new(NumbersView {
        range: format!("{}, for 8 in 10 people", capital(&spread.range(" more"))),
        people: format!("Of 10 people who have waited {waited} {}:", place(numbers.basis.level)),
        of_ten: spread.of_ten(),
        in_all: format!(
            "Counted from the start of the wait, that is {} in all, for 8 in 10 people.",
            total.range("")
        ),
        standard: standard.and(numbers.probability.within_18_week_standard).map(|share| {
            format!(
                "The national standard is 18 weeks from the start of a wait. {} of these people come off the list by then.",
                capital(&OfTen::new(share).text())
            )
        }),
        picture: Dots::new(chances.iter().filter_map(|(_, label, share)| Some((*label, (*share)?)))),
        picture_text: picture_text(&chances),
        other_removals: format!(
            "Of 10 people who come off the list from here, {} so without a treatment being counted.",
            of_these(OfTen::new(numbers.other_removal_share))
        ),
        upper: upper_sentence(upper_spread),
        upper_label: upper.label.text,
        table_caption: "The same in numbers",
        chances: chance_rows(&chances),
    }))
}

/// Times ahead: for the table, for the picture, and how many are off the list by then, if that is known.
type Chances = [(&'static str, &'static str, Option<OfTen>); 4];

fn chances(probability: &ProbabilityFigures) -> Chances {
    let share = |chance: Option<f64>| chance.map(OfTen::new);
    [
        ("Within 4 weeks", "4 weeks", share(probability.by_4_weeks)),
        ("Within 12 weeks", "12 weeks", share(probability.by_12_weeks)),
        ("Within 26 weeks (half a year)", "26 weeks", share(probability.by_26_weeks)),
        ("Within 52 weeks (a year)", "52 weeks", share(probability.by_52_weeks)),
    ]
}

fn chance_rows(chances: &Chances) -> Vec<ChanceRow> {
    let said = |share: Option<OfTen>| share.map_or_else(|| "not known".to_owned(), OfTen::text);
    chances
        .iter()
        .map(|(time, _, share)| ChanceRow {
            time,
            off: said(*share),
            waiting: said(share.map(OfTen::others)),
        })
        .collect()
}

fn picture_text(chances: &Chances) -> String {
    let known = chances.iter().filter_map(|(time, _, share)| Some(format!("{time}: {}", (*share)?.text())));
    format!(
        "Ten dots for each time ahead, one for each of 10 people. Off the list: {}.",
        known.collect::<Vec<_>>().join("; ")
    )
}

fn of_these(share: OfTen) -> String {
    match share {
        OfTen::FewerThanOne => "fewer than 1 does".to_owned(),
        OfTen::About(1) => "about 1 does".to_owned(),
        OfTen::About(number) => format!("about {number} do"),
        OfTen::MoreThanNine => "more than 9 do".to_owned(),
    }
}

fn upper_sentence(upper: Spread) -> String {
    if !upper.is_known() {
        return "The figures do not reach far enough to say how long that takes.".to_owned();
    }
    let half = if upper.p50.is_open_ended() { "longer than" } else { "within" };
    format!("For 8 in 10 people: {}. For half of them: {half} {}.", upper.range(" more"), upper.p50.limit())
}

fn beyond(weeks: f64, voice: Voice) -> String {
    const WEEKS_OF_TWO_YEARS: f64 = 104.0;
    const WEEKS_OF_A_YEAR: f64 = 52.0;
    let who = match voice {
        Voice::You => "You have waited",
        Voice::Anybody => "This is a wait of",
    };
    if weeks >= WEEKS_OF_TWO_YEARS {
        format!("{who} over two years.")
    } else if weeks >= WEEKS_OF_A_YEAR {
        format!("{who} over a year.")
    } else {
        format!("{who} {}.", weeks_waited(weeks))
    }
}

pub(super) fn weeks_waited(weeks: f64) -> String {
    match weeks.floor() {
        1.0 => "1 week".to_owned(),
        whole if whole < 1.0 => "less than 1 week".to_owned(),
        whole => format!("{whole:.0} weeks"),
    }
}

fn place(level: EstimateLevel) -> &'static str {
    match level {
        EstimateLevel::ProviderTfc => "on this list",
        EstimateLevel::IcbTfc => "for this kind of care in the same area",
        EstimateLevel::EnglandTfc => "for this kind of care in England",
        EstimateLevel::England => "for any kind of hospital care in England",
    }
}

fn range_view(range: &RangeEstimate) -> RangeView {
    let remaining = &range.remaining_weeks;
    let spread = Spread::new(remaining.p10, remaining.p50, remaining.p90);
    let half = if spread.p50.is_open_ended() { "longer than" } else { "within" };
    RangeView {
        waited: match (range.from_weeks, range.to_weeks) {
            (0, Some(to)) => format!("Less than {to} weeks"),
            (from, Some(to)) => format!("From {from} to {to} weeks"),
            (from, None) => format!("{from} weeks or more"),
        },
        range: if spread.is_known() { capital(&spread.range(" more")) } else { "Not known".to_owned() },
        half: if spread.is_known() {
            format!("{} {}", capital(half), spread.p50.limit())
        } else {
            "Not known".to_owned()
        },
    }
}

fn basis_view(basis: &EstimateBasis, answer: &EstimateAnswer) -> BasisView {
    let (source, attribution) = super::source(&basis.source);
    BasisView {
        described_as: capital(&format::calm(&basis.described_as)),
        list_size: basis.list_size.map(super::list_size),
        months: months(basis),
        counted_on: format::date(basis.period_end),
        age: format::age(basis.age_days),
        how_sure: how_sure(answer),
        source,
        attribution: answer.attribution.unwrap_or(attribution),
    }
}

fn months(basis: &EstimateBasis) -> String {
    match (basis.months.as_slice(), basis.months_used) {
        ([first, .., last], number) => {
            format!("{number}, from {} to {}", format::month(first), format::month(last))
        }
        ([only], _) => format!("1, {}", format::month(only)),
        ([], number) => number.to_string(),
    }
}

/// What came of testing, as far as it could be tested.
fn how_sure(answer: &EstimateAnswer) -> String {
    let mut said = Vec::new();
    if let Some(CalibrationAnswer { coverage80, tested_on, scope, .. }) = &answer.calibration {
        said.push(format!(
            "When we tested this on past months{}, for {}, {} people came off the list inside the range that is meant to hold 80 in 100.",
            tested_in(tested_on),
            tested_for(*scope),
            format::in_100(*coverage80)
        ));
    }
    if let Some(ExitsTested { expected_share, left_share, tested_on, scope, .. }) = &answer.exits_tested {
        let which = if said.is_empty() {
            format!(
                "When we tested this on past months{}, for {}, we",
                tested_in(tested_on),
                tested_for(*scope)
            )
        } else {
            "We".to_owned()
        };
        said.push(format!(
            "{which} expected {} people to come off the list by the end of the test; {} did.",
            format::in_100(*expected_share),
            format::in_100(*left_share)
        ));
    }
    if answer.calibration.is_none() {
        let untested = "Not tested against past months.";
        match answer.calibration_missing {
            Some(reason) => said.push(reason.text.to_owned()),
            None if said.is_empty() => said.push(untested.to_owned()),
            None => {}
        }
    }
    said.join(" ")
}

fn tested_in(months: &[String]) -> String {
    match months {
        [only] => format!(" ({})", format::month(only)),
        [first, .., last] => format!(" ({} to {})", format::month(first), format::month(last)),
        [] => String::new(),
    }
}

fn tested_for(scope: CalibrationScope) -> &'static str {
    match scope {
        CalibrationScope::TreatmentFunction => "this kind of care",
        CalibrationScope::All => "all kinds of care together",
    }
}

fn moved_view(moved: &MovedAnswer, voice: Voice) -> MovedView {
    let direction = match moved.direction {
        Direction::Longer => "longer",
        Direction::Shorter => "shorter",
    };
    let people = match voice {
        Voice::You => "half of people like you",
        Voice::Anybody => "half of these people",
    };
    let said = |figure: WeeksFigure| {
        let ahead = Ahead::new(figure);
        let how = if ahead.is_open_ended() { "later than" } else { "within" };
        format!("{how} {}", ahead.limit())
    };
    MovedView {
        sentence: format!(
            "The newest figures make this estimate {direction}. From the figures before, {people} would come off the list {} from today. Now it is {}.",
            said(moved.from_median_weeks),
            said(moved.to_median_weeks)
        ),
        why: moved.why.iter().map(|reason| format::calm(&reason.text)).collect(),
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
