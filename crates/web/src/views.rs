//! The services' answers in words for people. Nothing here is a promise, a date to come or a rank; nothing
//! missing reads as none.

pub(crate) mod compare;
pub(crate) mod estimate;

use url::form_urlencoded;
use waiting_times::answers::{
    FigureMonth, FigureSource, FiguresState, Freshness, ListSize, MyWaitsAnswer, Named, Reason,
    ReferralAnswer, ReferralState, ReferralStatistics, SourceKind, StatisticsAnswer, WeeksFigure,
};
use waiting_times::referral::Pathway;
use waiting_times::statistics::STANDARD_WEEKS;

use crate::format;
use estimate::{EstimateSection, EstimateView};

/// Where the right to be seen within 18 weeks, and to ask to go elsewhere, is written down.
pub(crate) const NHS_CONSTITUTION: &str =
    "https://www.gov.uk/government/publications/the-nhs-constitution-for-england";

/// What can be said about one list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figures {
    Shown(Box<ShownFigures>),
    TooFew(TooFew),
    /// Why there are none, as a sentence.
    Unavailable(&'static str),
}

/// The figures of one list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShownFigures {
    /// Said before anything else when the figures are not recent.
    pub(crate) age_warning: Option<String>,
    pub(crate) made_up: bool,
    pub(crate) median_sentence: String,
    pub(crate) percentile_92_sentence: String,
    pub(crate) caption: String,
    pub(crate) list_size: String,
    pub(crate) median: String,
    pub(crate) percentile_92: String,
    pub(crate) within_18_weeks: String,
    pub(crate) counted_on: String,
    pub(crate) age: String,
    pub(crate) source: String,
    pub(crate) attribution: &'static str,
}

/// A list too short for figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TooFew {
    /// Said before anything else when the count is not recent.
    pub(crate) age_warning: Option<String>,
    pub(crate) reason: &'static str,
    pub(crate) list_size: String,
    pub(crate) counted_on: String,
    pub(crate) made_up: bool,
    pub(crate) source: String,
    pub(crate) attribution: &'static str,
}

/// One referral of the person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReferralView {
    pub(crate) id: String,
    pub(crate) specialty: String,
    pub(crate) provider: String,
    pub(crate) status: &'static str,
    pub(crate) since_label: &'static str,
    pub(crate) since: String,
    pub(crate) stopped_on: Option<String>,
    pub(crate) waited_label: &'static str,
    pub(crate) waited: String,
    /// How much longer; none once the wait has ended.
    pub(crate) estimate: Option<EstimateSection>,
    /// Still waiting, and longer than the standard.
    pub(crate) past: Option<PastStandard>,
    /// The figures of the list; none where they do not concern the person: once the wait has ended, and for care that no
    /// published list describes.
    pub(crate) figures: Option<Figures>,
}

/// A wait that is longer than the standard, and what can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastStandard {
    pub(crate) sentence: &'static str,
    /// Where the right is written down.
    pub(crate) right: &'static str,
    pub(crate) specialty: String,
    /// The same kind of care at other hospitals.
    pub(crate) compare: String,
}

/// What came of looking up a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LookUp {
    /// Nothing was asked yet, or what was asked has to be put right.
    NotAsked,
    /// There are no figures to look in.
    NoFigures,
    /// Providers to choose from.
    Found(Found),
    /// One list.
    List(Box<ListView>),
}

/// Providers that match.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) specialty: String,
    pub(crate) providers: Vec<FoundProvider>,
    /// Where more of them are.
    pub(crate) next: Option<String>,
}

/// A provider that matches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundProvider {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) href: String,
}

/// One list that was looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListView {
    pub(crate) specialty: String,
    pub(crate) specialty_code: String,
    pub(crate) provider: String,
    pub(crate) code: String,
    pub(crate) figures: Figures,
    pub(crate) estimate: Box<EstimateView>,
    pub(crate) past: Option<PastStandard>,
    /// The same kind of care at other hospitals.
    pub(crate) compare: String,
}

/// A choice of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) chosen: bool,
}

/// The name of a provider, or its code where the figures do not name it.
pub(crate) fn provider_name(named: &Named) -> String {
    named
        .name
        .as_deref()
        .map_or_else(|| format!("Provider with the code {}", named.code), format::organisation_name)
}

/// The name of a kind of care, or its code where the figures do not name it.
pub(crate) fn specialty_name(named: &Named) -> String {
    named.name.clone().unwrap_or_else(|| format!("Kind of care with the code {}", named.code))
}

/// The name of a region, or its code where the figures do not name it.
pub(crate) fn region_name(named: &Named) -> String {
    named
        .name
        .as_deref()
        .map_or_else(|| format!("Region with the code {}", named.code), format::organisation_name)
}

/// The choices of a form, the one that was made marked.
pub(crate) fn choices(of: &[Named], chosen: Option<&str>, name: impl Fn(&Named) -> String) -> Vec<Choice> {
    of.iter()
        .map(|named| Choice {
            name: name(named),
            chosen: chosen == Some(named.code.as_str()),
            code: named.code.clone(),
        })
        .collect()
}

/// The page's first sentence.
pub(crate) fn intro(answer: &MyWaitsAnswer) -> String {
    let waiting = answer.referrals.iter().filter(|it| it.status == ReferralState::Waiting).count();
    let ended = answer.referrals.len() - waiting;
    let referrals =
        |number: usize| if number == 1 { "1 referral".to_owned() } else { format!("{number} referrals") };
    let what = match (waiting, ended) {
        (waiting, 0) => format!("You are waiting on {}", referrals(waiting)),
        (0, ended) => format!("Your wait has ended on {}", referrals(ended)),
        (waiting, ended) => {
            format!("You are waiting on {}, and your wait has ended on {ended}", referrals(waiting))
        }
    };
    format!(
        "{what}, by what hospitals have sent to this service. Weeks are counted up to {}.",
        format::date(answer.as_of)
    )
}

/// One referral in words.
pub(crate) fn referral(answer: &ReferralAnswer) -> ReferralView {
    let waiting = answer.status == ReferralState::Waiting;
    // Published lists describe no other care.
    let is_routine = answer.pathway == Pathway::Routine;
    let specialty = specialty_name(&answer.treatment_function);
    ReferralView {
        id: answer.id.to_string(),
        provider: provider_name(&answer.provider),
        status: match answer.status {
            ReferralState::Waiting => "You are waiting",
            ReferralState::Treated => "Treatment has begun",
            ReferralState::ClosedWithoutTreatment => "The wait ended without treatment",
        },
        since_label: if waiting { "Waiting since" } else { "Waited from" },
        since: format::date(answer.clock_start),
        stopped_on: answer.stopped_on.map(format::date),
        waited_label: if waiting { "Waited so far" } else { "Waited" },
        waited: format::weeks(answer.weeks_waited),
        estimate: waiting.then(|| estimate::of_referral(&answer.estimate)),
        past: (waiting && is_routine)
            .then(|| {
                past_standard(answer.weeks_waited, YOURS_IS_PAST, &specialty, &answer.treatment_function.code)
            })
            .flatten(),
        figures: (waiting && is_routine).then(|| match &answer.statistics {
            ReferralStatistics::Available { figures } | ReferralStatistics::Suppressed { figures } => {
                self::figures(figures)
            }
            ReferralStatistics::Unavailable { reason } => Figures::Unavailable(reason.text),
        }),
        specialty,
    }
}

/// About the reader's own wait.
const YOURS_IS_PAST: &str = "The national standard is that 92 in 100 people on a list have waited 18 weeks or less. You have waited longer.";
/// About a wait that was typed in.
pub(crate) const THIS_IS_PAST: &str = "The national standard is that 92 in 100 people on a list have waited 18 weeks or less. This wait is longer.";

/// What can be asked for after more than 18 weeks. Weeks come with one decimal: 18.0 may be 18 weeks less a few hours.
pub(crate) fn past_standard(
    weeks: f64,
    sentence: &'static str,
    specialty: &str,
    code: &str,
) -> Option<PastStandard> {
    u32::try_from(STANDARD_WEEKS).is_ok_and(|standard| weeks > f64::from(standard)).then(|| PastStandard {
        sentence,
        right: NHS_CONSTITUTION,
        specialty: specialty.to_owned(),
        compare: compare_address(code, Some(weeks)),
    })
}

/// The page with one kind of care at other hospitals, the wait so far filled in to the week.
pub(crate) fn compare_address(code: &str, weeks: Option<f64>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("specialty", code);
    if let Some(weeks) = weeks {
        query.append_pair("weeks", &format!("{:.0}", weeks.floor()));
    }
    format!("/waiting-times/compare?{}", query.finish())
}

/// The figures of a list in words.
pub(crate) fn figures(answer: &StatisticsAnswer) -> Figures {
    let month = &answer.month;
    let made_up = month.source.kind == SourceKind::MadeUp;
    let (source, attribution) = source(&month.source);
    let list_size = list_size(answer.list_size);
    let counted_on = format::date(month.period_end);
    let (Some(median), Some(percentile_92), Some(share)) =
        (answer.median_weeks, answer.percentile_92_weeks, answer.within_18_weeks_share)
    else {
        let reason = answer.suppressed.unwrap_or(waiting_times::answers::TOO_FEW_PATHWAYS);
        return Figures::TooFew(TooFew {
            age_warning: age_warning(month),
            reason: reason.text,
            list_size,
            counted_on,
            made_up,
            source,
            attribution,
        });
    };
    Figures::Shown(Box::new(ShownFigures {
        age_warning: age_warning(month),
        made_up,
        median_sentence: median_sentence(median),
        percentile_92_sentence: percentile_92_sentence(percentile_92),
        caption: format!(
            "People still waiting on {counted_on}{}",
            if made_up { " (made-up figures)" } else { "" }
        ),
        list_size,
        median: weeks_figure(median),
        percentile_92: weeks_figure(percentile_92),
        within_18_weeks: format::in_100(share),
        age: format::age(month.age_days),
        counted_on,
        source,
        attribution,
    }))
}

pub(crate) fn age_warning(month: &FigureMonth) -> Option<String> {
    let counted_on = format::date(month.period_end);
    let age = format::age(month.age_days);
    match month.freshness {
        Freshness::Current => None,
        Freshness::Ageing => Some(format!(
            "These figures are not the newest. They were counted on {counted_on}, {age} ago; newer ones have probably been published."
        )),
        Freshness::Old => Some(format!(
            "These figures are old. They were counted on {counted_on}, {age} ago, and the list may be very different now."
        )),
    }
}

fn median_sentence(median: WeeksFigure) -> String {
    if median.open_ended {
        format!("Half of the people on this list, or more, had waited more than {:.0} weeks.", median.value)
    } else {
        format!(
            "Half of the people on this list had waited less than {}, and half longer.",
            format::weeks(median.value)
        )
    }
}

fn percentile_92_sentence(percentile: WeeksFigure) -> String {
    if percentile.open_ended {
        format!("8 in 100, or more, had waited more than {:.0} weeks.", percentile.value)
    } else {
        format!("92 in 100 had waited less than {}, and 8 in 100 longer.", format::weeks(percentile.value))
    }
}

pub(crate) fn weeks_figure(figure: WeeksFigure) -> String {
    if figure.open_ended {
        format!("Not known: more than {:.0} weeks", figure.value)
    } else {
        format::weeks(figure.value)
    }
}

pub(crate) fn list_size(size: ListSize) -> String {
    match size {
        ListSize::Exact { count } => format::count(count),
        ListSize::FewerThan { limit } => format!("fewer than {limit}"),
    }
}

/// The source as a phrase, and the licence line where there is one.
fn source(source: &FigureSource) -> (String, &'static str) {
    let name = source.name.trim_end_matches('.');
    let name = source.publisher.map_or_else(|| name.to_owned(), |publisher| format!("{name}, {publisher}"));
    (name, source.attribution.unwrap_or_default())
}

/// Whether there are figures to look in.
pub(crate) fn is_loaded(state: &FiguresState) -> bool {
    matches!(state, FiguresState::Loaded { .. })
}

/// The figures of a list that there is nothing to say about.
pub(crate) fn unavailable(reason: Reason) -> Figures {
    Figures::Unavailable(reason.text)
}

/// What became of a concern.
pub(crate) fn concern_state(state: &str) -> String {
    match state {
        "received" => "It is kept with your record; nobody has answered it here.".to_owned(),
        other => format!("Its state: {other}."),
    }
}

/// The parts of the record a concern may be about, by their names in the API.
pub(crate) const CONCERN_CATEGORIES: [(&str, &str); 3] = [
    ("waiting-times", "My referrals and waiting times"),
    ("profile", "My name, date of birth or other details"),
    ("other", "Something else"),
];

/// The part of the record a concern is about, in words.
pub(crate) fn concern_category(code: &str) -> &str {
    CONCERN_CATEGORIES.iter().find(|(known, _)| *known == code).map_or(code, |(_, name)| name)
}
