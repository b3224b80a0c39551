//! One made-up waiting list, person by person and day by day.
//!
//! Everyone on the list faces the same chance a week of leaving it, which depends on how long they have waited
//! and on nothing else. So the months follow from each other: whoever is on one month's list is on the next
//! month's, or among its completions, or was removed in between.

use platform::{Random, SeededRandom};

/// Days in a week, as the chances below are by the week.
const WEEK: f64 = 7.0;
/// Everyone has left by then. Published waits of three years are next to unknown.
const LONGEST_WEEKS: usize = 156;

/// A stretch of waiting: until when, in weeks; the chance a week of leaving the list; and of those who leave,
/// the share who do so without a completed pathway.
struct Stretch {
    until: usize,
    leaving: f64,
    removed: f64,
}

/// The shape of leaving, like that of the published lists: hospitals work towards 18 weeks, so more people
/// leave just before and fewer just after; and again towards a year, and 65 weeks. Removals grow with the wait
/// and come to about 15 % of all who leave. A list's speed multiplies the chances of leaving.
const STRETCHES: [Stretch; 9] = [
    Stretch { until: 4, leaving: 0.050, removed: 0.08 },
    Stretch { until: 8, leaving: 0.045, removed: 0.08 },
    Stretch { until: 13, leaving: 0.045, removed: 0.12 },
    Stretch { until: 18, leaving: 0.085, removed: 0.12 },
    Stretch { until: 40, leaving: 0.045, removed: 0.25 },
    Stretch { until: 52, leaving: 0.070, removed: 0.25 },
    Stretch { until: 65, leaving: 0.140, removed: 0.25 },
    Stretch { until: 78, leaving: 0.250, removed: 0.25 },
    Stretch { until: LONGEST_WEEKS, leaving: 0.100, removed: 0.25 },
];

fn stretch_at(week: usize) -> &'static Stretch {
    STRETCHES.iter().find(|stretch| week < stretch.until).unwrap_or(&STRETCHES[STRETCHES.len() - 1])
}

/// The share of people from outside England, and of completed waits whose beginning nobody wrote down: about
/// what is published.
const NON_ENGLISH_SHARE: f64 = 1.0 / 150.0;
const UNKNOWN_START_SHARE: f64 = 1.0 / 2_000.0;

/// How long people stay on a list: the share still there so many days after the clock start.
pub(super) struct Staying {
    /// Day 0 is the day of the clock start; nobody leaves on it.
    share: Vec<f64>,
    /// Running sum of `share`: in a list that neither grows nor shrinks, people up to this age.
    upto: Vec<f64>,
}

impl Staying {
    /// On a list that moves `speed` times as fast as the usual.
    pub(super) fn at_speed(speed: f64) -> Self {
        let mut staying = Self { share: Vec::new(), upto: Vec::new() };
        let (mut share, mut sum) = (1.0, 0.0);
        for week in 0..LONGEST_WEEKS {
            let a_day = 1.0 - (stretch_at(week).leaving * speed / WEEK).min(1.0);
            for _ in 0..7 {
                sum += share;
                staying.share.push(share);
                staying.upto.push(sum);
                share *= a_day;
            }
        }
        staying
    }

    /// The mean number of days on the list.
    fn mean_days(&self) -> f64 {
        self.upto.last().copied().unwrap_or(1.0)
    }

    /// How many days the person has waited who stands at `place` (0 to 1) of a list ordered by waits.
    fn waited(&self, place: f64) -> usize {
        let sum = place * self.mean_days();
        self.upto.partition_point(|upto| *upto <= sum).min(self.share.len().saturating_sub(1))
    }

    /// The day after the clock start on which someone leaves who is still there after `waited` days. `draw` is
    /// from 0 to 1.
    fn leaves_after(&self, waited: usize, draw: f64) -> usize {
        let left = draw * self.share.get(waited).copied().unwrap_or(0.0);
        self.share.partition_point(|share| *share > left).max(waited + 1)
    }

    /// The true median: after how many more weeks half of those have left who have waited so many weeks.
    #[cfg(test)]
    pub(super) fn median_remaining_weeks(&self, weeks_waited: usize) -> f64 {
        let waited = weeks_waited * 7;
        (self.leaves_after(waited, 0.5) - waited) as f64 / WEEK
    }
}

/// Days, counted from the day before the first made-up month: a month's first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i32,
    pub(super) last: i32,
}

impl Span {
    fn holds(self, day: i32) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// What decides one person's wait: each a number from 0 to 1.
struct Draw {
    place: f64,
    stay: f64,
    outcome: f64,
    admission: f64,
    commissioner: f64,
    start_written: f64,
}

impl Draw {
    fn from(random: &SeededRandom) -> Self {
        let mut bytes = [0; 24];
        random.fill(&mut bytes);
        let number = |place: usize| {
            let four = bytes.get(place * 4..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
            f64::from(u32::from_be_bytes(four)) / (f64::from(u32::MAX) + 1.0)
        };
        Self {
            place: number(0),
            stay: number(1),
            outcome: number(2),
            admission: number(3),
            commissioner: number(4),
            start_written: number(5),
        }
    }
}

/// One person's wait, as the hospital comes to know it. Days as in [`Span`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    start: i32,
    end: i32,
    /// The day of the decision to admit, for those who need a bed.
    decided: Option<i32>,
    removed: bool,
    start_written: bool,
    pub(super) is_english: bool,
}

impl Wait {
    fn new(start: i32, days: usize, admitted: f64, draw: &Draw) -> Self {
        let days = i32::try_from(days).unwrap_or(i32::MAX / 2);
        let last_week = usize::try_from((days - 1) / 7).unwrap_or_default();
        Self {
            start,
            end: start + days,
            // The decision comes half way: the clinic first, then the wait for the bed.
            decided: (draw.admission < admitted).then_some(start + days / 2),
            removed: draw.outcome < stretch_at(last_week).removed,
            start_written: draw.start_written >= UNKNOWN_START_SHARE,
            is_english: draw.commissioner >= NON_ENGLISH_SHARE,
        }
    }

    /// The weekly band of this wait on `day`: band `k` ends `k + 1` weeks after the clock start, that day
    /// included.
    fn band_on(self, day: i32) -> usize {
        usize::try_from((day - self.start - 1).div_euclid(7)).unwrap_or_default()
    }
}

/// The counts of one list in one month, as a hospital sends them. Bands by whole weeks, the last one open.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) waiting: Vec<u32>,
    pub(super) waiting_decided: Vec<u32>,
    pub(super) admitted: Vec<u32>,
    pub(super) not_admitted: Vec<u32>,
    pub(super) admitted_unknown_start: u32,
    pub(super) not_admitted_unknown_start: u32,
    pub(super) started: u32,
    /// People who left otherwise. No return tells of them.
    pub(super) removed: u32,
}

impl Counts {
    pub(super) fn new(bands: usize) -> Self {
        Self {
            waiting: vec![0; bands],
            waiting_decided: vec![0; bands],
            admitted: vec![0; bands],
            not_admitted: vec![0; bands],
            admitted_unknown_start: 0,
            not_admitted_unknown_start: 0,
            started: 0,
            removed: 0,
        }
    }

    /// Enters what happened to one person in the month of `span`. A referral is written down the day after its
    /// clock started: band 0 would else hold eight days' worth of people, and the other bands seven.
    pub(super) fn enter(&mut self, wait: Wait, span: Span) {
        self.started += u32::from(span.holds(wait.start + 1));
        if wait.start < span.last && wait.end > span.last {
            let band = wait.band_on(span.last);
            add(&mut self.waiting, band);
            if wait.decided.is_some_and(|day| day <= span.last) {
                add(&mut self.waiting_decided, band);
            }
        } else if span.holds(wait.end) {
            let band = wait.band_on(wait.end);
            match (wait.removed, wait.decided.is_some(), wait.start_written) {
                (true, ..) => self.removed += 1,
                (_, true, true) => add(&mut self.admitted, band),
                (_, false, true) => add(&mut self.not_admitted, band),
                (_, true, false) => self.admitted_unknown_start += 1,
                (_, false, false) => self.not_admitted_unknown_start += 1,
            }
        }
    }
}

fn add(bands: &mut [u32], band: usize) {
    let open = bands.len().saturating_sub(1);
    if let Some(count) = bands.get_mut(band.min(open)) {
        *count += 1;
    }
}

/// A list and the pace at which it moves.
pub(super) struct Queue {
    /// People on it the day before the first month.
    pub(super) people: usize,
    /// Clock starts against those that would keep the list as long as it is.
    pub(super) growth: f64,
    /// The share of its people who are admitted for their treatment.
    pub(super) admitted: f64,
    pub(super) staying: Staying,
}

impl Queue {
    /// Everyone who is on the list on some day from day 0 to `last_day`: those there at the beginning, then
    /// those who come, about as many every day.
    pub(super) fn run(&self, last_day: i32, random: &SeededRandom, mut each: impl FnMut(Wait)) {
        for person in 0..self.people {
            let draw = Draw::from(random);
            let waited = self.staying.waited((person as f64 + draw.place) / self.people as f64);
            let days = self.staying.leaves_after(waited, draw.stay);
            let start = -i32::try_from(waited).unwrap_or_default();
            each(Wait::new(start, days, self.admitted, &draw));
        }
        let a_day = self.people as f64 / self.staying.mean_days() * self.growth;
        let coming = (a_day * f64::from(last_day)).round() as usize;
        for person in 0..coming {
            let draw = Draw::from(random);
            let passed = (person as f64 + draw.place) / coming as f64 * f64::from(last_day);
            let days = self.staying.leaves_after(0, draw.stay);
            each(Wait::new(1 + passed as i32, days, self.admitted, &draw));
        }
    }
}
