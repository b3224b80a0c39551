//! The naive methods: what can be said from one month's completed waits, without following anybody.

use std::collections::BTreeMap;

use super::method::{Method, Outlook};
use crate::CellKey;
use crate::model::{BandLayout, TreatmentFunction};

/// Waits in the open last band are taken to last so many weeks beyond its beginning, on average.
const WEEKS_INTO_THE_OPEN_BAND: f64 = 6.0;

/// The waits of the pathways completed in one month, admitted or not, by weekly band; the last band is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Completed {
    counts: Vec<f64>,
}

impl Completed {
    /// The completed pathways of one cell: the sum of several returns, which may leave out trailing noughts.
    pub(super) fn of(layout: BandLayout, returns: &[&[u32]]) -> Self {
        let mut whole = Self { counts: vec![0.0; layout.bands()] };
        for counts in returns {
            whole.add(counts.iter().copied().map(f64::from));
        }
        whole
    }

    fn add(&mut self, counts: impl ExactSizeIterator<Item = f64>) {
        if self.counts.len() < counts.len() {
            self.counts.resize(counts.len(), 0.0);
        }
        for (slot, count) in self.counts.iter_mut().zip(counts) {
            *slot += count;
        }
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The mean wait in weeks, each wait in the middle of its band; `None` without pathways.
    fn mean(&self) -> Option<f64> {
        let (open, closed) = self.counts.split_last()?;
        let mut middle = 0.5;
        let mut sum = 0.0;
        for count in closed {
            sum += count * middle;
            middle += 1.0;
        }
        sum += open * (middle - 0.5 + WEEKS_INTO_THE_OPEN_BAND);
        let total = self.total();
        (total > 0.0).then(|| sum / total)
    }

    /// The median wait in weeks by the publisher's rule (rank `(n + 1) / 2`, a straight line inside the band); `None`
    /// without pathways. A median in the open band is that band's mean.
    fn median(&self) -> Option<f64> {
        let total = self.total();
        let (_, closed) = self.counts.split_last()?;
        let rank = f64::midpoint(total, 1.0);
        let mut from = 0.0;
        let mut below = 0.0;
        for count in closed {
            if *count > 0.0 && below + count >= rank {
                return Some(from + (rank - below) / count);
            }
            below += count;
            from += 1.0;
        }
        (total > 0.0).then_some(from + WEEKS_INTO_THE_OPEN_BAND)
    }

    /// The number of pathways completed at each whole week or later: from all of them down to the open band.
    fn later(&self) -> Vec<f64> {
        let mut sum = 0.0;
        let mut later: Vec<f64> = self
            .counts
            .iter()
            .rev()
            .map(|count| {
                sum += count;
                sum
            })
            .collect();
        later.reverse();
        later
    }
}

/// One month's completed waits by cell, and by treatment function for cells that completed nothing.
#[derive(Debug, Default)]
pub(super) struct CompletedWaits {
    cells: BTreeMap<CellKey, Completed>,
    specialties: BTreeMap<TreatmentFunction, Completed>,
}

impl CompletedWaits {
    pub(super) fn new(cells: impl Iterator<Item = (CellKey, Completed)>) -> Self {
        let mut whole = Self::default();
        for (key, completed) in cells.filter(|(_, completed)| completed.total() > 0.0) {
            whole
                .specialties
                .entry(key.treatment_function)
                .or_default()
                .add(completed.counts.iter().copied());
            whole.cells.insert(key, completed);
        }
        whole
    }
}

/// Which one figure is taken for everybody in a cell.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    Mean,
    Median,
}

/// A forecast by a single figure: nobody leaves before that wait, everybody at it.
#[derive(Debug)]
pub(super) struct SingleFigure {
    cells: BTreeMap<CellKey, f64>,
    specialties: BTreeMap<TreatmentFunction, f64>,
    less_waited: bool,
}

impl SingleFigure {
    pub(super) fn new(waits: &CompletedWaits, figure: Figure, less_waited: bool) -> Self {
        let weeks = |completed: &Completed| match figure {
            Figure::Mean => completed.mean(),
            Figure::Median => completed.median(),
        };
        Self {
            cells: waits.cells.iter().filter_map(|(key, waits)| Some((*key, weeks(waits)?))).collect(),
            specialties: waits
                .specialties
                .iter()
                .filter_map(|(key, waits)| Some((*key, weeks(waits)?)))
                .collect(),
            less_waited,
        }
    }
}

impl Method for SingleFigure {
    /// Where nothing at all was completed, no wait is left to subtract from: the figure is zero.
    fn outlook(&self, cell: &CellKey, band: usize) -> Option<Box<dyn Outlook + '_>> {
        let figure = self.cells.get(cell).or_else(|| self.specialties.get(&cell.treatment_function));
        let weeks = match figure {
            Some(weeks) if self.less_waited => (weeks - middle_of(band)).max(0.0),
            Some(weeks) => *weeks,
            None => 0.0,
        };
        Some(Box::new(SinglePoint { weeks }))
    }
}

struct SinglePoint {
    weeks: f64,
}

impl Outlook for SinglePoint {
    fn survival(&self, weeks: f64) -> f64 {
        if self.weeks > weeks { 1.0 } else { 0.0 }
    }

    fn quantile(&self, _level: f64) -> f64 {
        self.weeks
    }
}

/// A forecast by the whole histogram of completed waits: those longer than the wait so far, and nothing else.
#[derive(Debug)]
pub(super) struct Histogram {
    cells: BTreeMap<CellKey, Vec<f64>>,
    specialties: BTreeMap<TreatmentFunction, Vec<f64>>,
}

impl Histogram {
    pub(super) fn new(waits: &CompletedWaits) -> Self {
        Self {
            cells: waits.cells.iter().map(|(key, waits)| (*key, waits.later())).collect(),
            specialties: waits.specialties.iter().map(|(key, waits)| (*key, waits.later())).collect(),
        }
    }
}

impl Method for Histogram {
    /// The specialty stands in for a cell that completed nobody who had waited as long.
    fn outlook(&self, cell: &CellKey, band: usize) -> Option<Box<dyn Outlook + '_>> {
        let curves = [self.cells.get(cell), self.specialties.get(&cell.treatment_function)];
        let outlook = curves.into_iter().flatten().find_map(|later| {
            let waited = middle_of(band);
            let reached = count_beyond(later, waited);
            (reached > 0.0).then(|| Box::new(Conditional { later, waited, reached }) as Box<dyn Outlook + '_>)
        });
        Some(outlook.unwrap_or_else(|| Box::new(SinglePoint { weeks: 0.0 })))
    }
}

/// The distribution of completed waits beyond a wait that has been reached.
struct Conditional<'a> {
    later: &'a [f64],
    waited: f64,
    reached: f64,
}

impl Outlook for Conditional<'_> {
    fn survival(&self, weeks: f64) -> f64 {
        count_beyond(self.later, self.waited + weeks) / self.reached
    }

    fn quantile(&self, level: f64) -> f64 {
        (weeks_with_beyond(self.later, self.reached * (1.0 - level)) - self.waited).max(0.0)
    }
}

/// How many pathways were completed after more than `weeks`: a straight line inside a band, and in the open band a
/// constant rate that gives it its mean.
fn count_beyond(later: &[f64], weeks: f64) -> f64 {
    let Some((open, closed)) = later.split_last() else { return 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "waits are small and not negative"
    )]
    let band = weeks as usize;
    #[expect(clippy::cast_precision_loss, reason = "at most 104")]
    let begins = closed.len() as f64;
    match (later.get(band), later.get(band + 1)) {
        (Some(from), Some(to)) => from + weeks.fract() * (to - from),
        _ => open * (-(weeks - begins) / WEEKS_INTO_THE_OPEN_BAND).exp(),
    }
}

/// The wait beyond which `count` pathways were completed: the inverse of [`count_beyond`].
fn weeks_with_beyond(later: &[f64], count: f64) -> f64 {
    // The curve falls: the first edge at or below the count ends the band that holds the answer.
    let edge = later.partition_point(|beyond| *beyond > count);
    #[expect(clippy::cast_precision_loss, reason = "at most 105")]
    let weeks = edge as f64;
    match (edge.checked_sub(1).and_then(|before| later.get(before)), later.get(edge)) {
        (Some(from), Some(to)) => weeks - 1.0 + (from - count) / (from - to),
        (None, _) => 0.0,
        (Some(open), None) if count > 0.0 => weeks - 1.0 + WEEKS_INTO_THE_OPEN_BAND * (open / count).ln(),
        (Some(_), None) => f64::INFINITY,
    }
}

/// People of weekly band `w` have waited `w + 1/2` weeks on average.
#[expect(clippy::cast_precision_loss, reason = "at most 104")]
fn middle_of(band: usize) -> f64 {
    band as f64 + 0.5
}
