//! What sets each list apart: from histories of lists to the local part of the model.

use std::collections::{BTreeMap, BTreeSet};

use crate::constants::Constants;
use crate::credibility::{Seen, Shrunk, Signal, Spread};
use crate::curve::{AGES, BaseCurve, GROUPS, Widening, group_of};
use crate::local::{Evidence, Expected, Prior, Square, covariance, invert, mean_variance};
use crate::model::{BandLayout, OrganisationCode, ProviderCode, TreatmentFunction};
use crate::months::{Month, MonthCell};
use crate::pairing::{Pair, Prepared};
use crate::rates::{Curves, Rates};
use crate::report::SpecialtyReport;
use crate::sums::{BySpecialty, Sums, Weekly, dense};
use crate::tables::{Level, Local, Reason, Specialty};

/// Log factors stay inside this; the load checks refuse two.
const LARGEST_LOG_FACTOR: f64 = 1.9;

/// What each specialty leads one to expect over each pair.
pub(crate) fn expectations(prepared: &Prepared<'_>, curves: &Curves) -> BySpecialty<Vec<Expected>> {
    let of = |rates: &Rates| {
        let pairs = prepared.pairs.iter().zip(&rates.paces);
        pairs.map(|(pair, &pace)| Expected::new(&pair.ageing, &rates.all, pace)).collect()
    };
    curves.by_specialty.iter().map(|(&function, rates)| (function, of(rates))).collect()
}

/// A list over a pair of months, all bands together.
pub(crate) fn seen(pair: &Pair, expected: &Expected, before: &MonthCell, after: &MonthCell) -> Seen {
    let (old, stayed) = followed(pair, before, after);
    let mut seen = Seen::default();
    for band in 0..pair.ageing.followed() {
        seen.people += old[band];
        seen.stayed += stayed[band];
        seen.expected += old[band] * expected.share[band];
    }
    seen
}

/// People by band, and how many of them the later list still holds.
fn followed(pair: &Pair, before: &MonthCell, after: &MonthCell) -> (Weekly, Weekly) {
    let (old, new) = (dense(&before.list), dense(&after.list));
    let mut stayed = [0.0; AGES];
    for (band, slot) in stayed.iter_mut().enumerate().take(pair.ageing.followed()) {
        *slot = pair.ageing.survivors(&new, band);
    }
    (old, stayed)
}

/// The lists of one board over one pair of months.
#[derive(Clone, Debug)]
struct Together {
    people: Weekly,
    stayed: Weekly,
    total: f64,
    squares: f64,
}

/// Everything the local factors are made from.
pub(crate) struct World<'a> {
    prepared: &'a Prepared<'a>,
    base: &'a Month,
    constants: &'a Constants,
    expected: BySpecialty<Vec<Expected>>,
    /// Every list over every pair it could be followed over.
    steps: BySpecialty<Vec<Step<'a>>>,
    /// For each list, what was seen of it as a whole.
    histories: BySpecialty<BTreeMap<ProviderCode, Vec<Signal>>>,
    /// Providers with a list in the first month.
    known: BTreeSet<ProviderCode>,
}

/// A list over one pair of months.
#[derive(Clone, Copy)]
struct Step<'a> {
    pair: usize,
    provider: ProviderCode,
    before: &'a MonthCell,
    after: &'a MonthCell,
}

/// What a board's lists forecast, and from how much.
struct Board {
    mean: [f64; GROUPS],
    pairs: u16,
    people: u32,
}

impl<'a> World<'a> {
    pub(crate) fn new(prepared: &'a Prepared<'a>, curves: &Curves, constants: &'a Constants) -> Self {
        let expected = expectations(prepared, curves);
        let mut histories: BySpecialty<BTreeMap<ProviderCode, Vec<Signal>>> = BTreeMap::new();
        let mut steps: BySpecialty<Vec<Step<'a>>> = BTreeMap::new();
        for (index, pair) in prepared.pairs.iter().enumerate() {
            for (key, before, after) in prepared.followed(pair) {
                let Some(expected) = expected.get(&key.treatment_function).and_then(|pairs| pairs.get(index))
                else {
                    continue;
                };
                let step = Step { pair: index, provider: key.provider, before, after };
                steps.entry(key.treatment_function).or_default().push(step);
                if let Some(signal) = seen(pair, expected, before, after).signal(constants.pseudo_people) {
                    let lists = histories.entry(key.treatment_function).or_default();
                    lists.entry(key.provider).or_default().push(signal);
                }
            }
        }
        let first = prepared.months.iter().take(1);
        let known = first.flat_map(|month| month.cells().keys().map(|key| key.provider)).collect();
        // There is a base month: a fit without one ends before this.
        let base = &prepared.months[prepared.months.len() - 1];
        Self { prepared, base, constants, expected, steps, histories, known }
    }

    /// One treatment function of the model.
    pub(crate) fn specialty(
        &self,
        function: TreatmentFunction,
        sums: &Sums,
        rates: &Rates,
    ) -> (Specialty, SpecialtyReport) {
        let none = BTreeMap::new();
        let histories = self.histories.get(&function).unwrap_or(&none);
        let square = |deviation: f64| deviation * deviation;
        let spread = Spread::learn(
            histories.values().map(Vec::as_slice),
            Spread { signal: square(self.constants.prior_tau), noise: square(self.constants.prior_noise) },
        );
        let prior = Prior {
            whole: spread.signal,
            groups: square(self.constants.tau_groups),
            reach: self.constants.group_reach,
            month: spread.noise,
            band: square(self.constants.band_noise),
        };
        let inverse = invert(&covariance(&prior));
        let boards = self.boards(function, &prior);
        let evidence = self.evidence(function, rates, &prior);
        let completed = self.with_completions(function);

        let mut specialty = national(sums, rates, self.base.layout(), self.constants);
        let single = rates.pairs == 0;
        let drift = if single { self.constants.single_month_drift } else { self.constants.drift };
        let wide = libm::sqrt(square(drift) + prior.whole);
        for (&region, board) in &boards {
            specialty.regions.insert(region, self.board(board, wide));
        }
        specialty.england.level = Level::EnglandTfc;
        let mut people = 0_u32;
        for (key, cell) in self.base.cells().iter().filter(|(key, _)| key.treatment_function == function) {
            let size = u32::try_from(cell.list_size()).unwrap_or(u32::MAX);
            if size == 0 {
                continue;
            }
            people = people.saturating_add(size);
            let board = self.base.regions().get(&key.provider).and_then(|region| boards.get(region));
            let pairs = histories.get(&key.provider).map_or(0, Vec::len);
            let shrunk = match histories.get(&key.provider) {
                Some(months) => spread.shrink(months),
                None => Shrunk { mean: 0.0, variance: spread.signal, credibility: 0.0 },
            };
            let mut reasons = 0;
            if single {
                reasons |= Reason::SingleMonth.bit();
            } else if pairs < 2 && !self.known.contains(&key.provider) {
                reasons |= Reason::NewProvider.bit();
            } else if pairs < 2 {
                reasons |= Reason::FewPairs.bit();
            }
            if size < self.constants.smallest_list {
                reasons |= Reason::SmallList.bit();
            }
            if !completed.contains(&key.provider) {
                reasons |= Reason::NoCompletions.bit();
            }
            // Too new to have shown anything, or without completions: its board or England speaks for it.
            let wider = Reason::NoCompletions.bit() | Reason::NewProvider.bit();
            let own = reasons & wider == 0;
            let nought = [0.0; GROUPS];
            let mean = board.map_or(&nought, |board| &board.mean);
            let found = evidence.get(&key.provider).filter(|_| own);
            let (logs, spread_left): ([f64; GROUPS], f64) = match found {
                Some(evidence) => {
                    let (logs, covariance) = evidence.forecast(&inverse, mean);
                    (logs, mean_variance(&covariance))
                }
                None => (*mean, prior.whole),
            };
            let pooled = found.is_none() || reasons & Reason::SmallList.bit() != 0;
            specialty.cells.insert(
                key.provider,
                Local {
                    list_size: size,
                    pairs: u16::try_from(pairs).unwrap_or(u16::MAX),
                    level: match (pooled, board) {
                        (false, _) => Level::ProviderTfc,
                        (true, Some(_)) => Level::IcbTfc,
                        (true, None) => Level::EnglandTfc,
                    },
                    credibility: if found.is_some() { shrunk.credibility } else { 0.0 },
                    widening: Widening::new(libm::sqrt(square(drift) + spread_left.clamp(0.0, 1.0))),
                    reasons,
                    factor: factors(&logs),
                },
            );
        }
        specialty.england.list_size = people;
        let note = SpecialtyReport {
            lists: specialty.cells.len(),
            people: u64::from(people),
            tau: libm::sqrt(spread.signal),
            tau_groups: self.constants.tau_groups,
            month_noise: libm::sqrt(spread.noise),
            completed_share: overall_share(sums, rates),
        };
        (specialty, note)
    }

    fn board(&self, board: &Board, sigma: f64) -> Local {
        let few = if board.pairs < 2 { Reason::FewPairs.bit() } else { 0 };
        Local {
            list_size: board.people,
            pairs: board.pairs,
            level: Level::IcbTfc,
            credibility: 0.0,
            widening: Widening::new(sigma),
            reasons: few,
            factor: factors(&board.mean),
        }
    }

    /// Evidence about every list: its losses, or, where no pair of months is known, the base month's completions.
    fn evidence(
        &self,
        function: TreatmentFunction,
        rates: &Rates,
        prior: &Prior,
    ) -> BTreeMap<ProviderCode, Evidence> {
        let mut all: BTreeMap<ProviderCode, Evidence> = BTreeMap::new();
        if rates.pairs == 0 {
            let days = (self.base.period().last_day() - self.base.period().first_day()).num_days() + 1;
            let (month, band) = (self.constants.completion_noise, self.constants.completion_band_noise);
            let prior = Prior { month: month * month, band: band * band, ..*prior };
            for (key, cell) in self.base.cells().iter().filter(|(key, _)| key.treatment_function == function)
            {
                let list = dense(&cell.list);
                let (admitted, others) =
                    (dense(&cell.completed_admitted), dense(&cell.completed_non_admitted));
                let done = std::array::from_fn(|age| admitted[age] + others[age]);
                let expected =
                    std::array::from_fn(|age| rates.completed[age] * list[age] * days as f64 / 7.0);
                all.entry(key.provider)
                    .or_insert_with(Evidence::none)
                    .add_completions(&done, &expected, &prior);
            }
            return all;
        }
        let Some(expected) = self.expected.get(&function) else { return all };
        for step in self.steps.get(&function).into_iter().flatten() {
            let (people, stayed) = followed(&self.prepared.pairs[step.pair], step.before, step.after);
            let evidence = all.entry(step.provider).or_insert_with(Evidence::none);
            evidence.add(&expected[step.pair], &people, &stayed, prior);
        }
        all
    }

    /// Every board's forecast. Its lists differ from one another, which to the board is noise that fades as they grow
    /// in number: by the sum of squared shares of its people.
    fn boards(&self, function: TreatmentFunction, prior: &Prior) -> BTreeMap<OrganisationCode, Board> {
        let mut sums: BTreeMap<OrganisationCode, BTreeMap<usize, Together>> = BTreeMap::new();
        for step in self.steps.get(&function).into_iter().flatten() {
            let Some(&region) = self.base.regions().get(&step.provider) else { continue };
            let (people, stayed) = followed(&self.prepared.pairs[step.pair], step.before, step.after);
            let sum = sums.entry(region).or_default().entry(step.pair).or_insert_with(|| Together {
                people: [0.0; AGES],
                stayed: [0.0; AGES],
                total: 0.0,
                squares: 0.0,
            });
            let mut total = 0.0;
            for band in 0..AGES {
                sum.people[band] += people[band];
                sum.stayed[band] += stayed[band];
                total += people[band];
            }
            sum.total += total;
            sum.squares += total * total;
        }
        let tau = self.constants.tau_boards * self.constants.tau_boards;
        let about = Prior { whole: tau, groups: tau, ..*prior };
        let inverse: Square = invert(&covariance(&about));
        let none = Vec::new();
        let expected = self.expected.get(&function).unwrap_or(&none);
        let mut boards = BTreeMap::new();
        for (region, pairs) in sums {
            let mut evidence = Evidence::none();
            for (&index, sum) in pairs.iter().filter(|(_, sum)| sum.total > 0.0) {
                let share = sum.squares / (sum.total * sum.total);
                // What sets a list apart repeats from month to month, so more months do not average it away.
                let repeated = pairs.len() as f64;
                let noise = Prior {
                    month: (prior.month + prior.whole * repeated) * share,
                    band: (prior.band + prior.groups) * share,
                    ..about
                };
                if let Some(expected) = expected.get(index) {
                    evidence.add(expected, &sum.people, &sum.stayed, &noise);
                }
            }
            let people = self.people_of(function, region);
            let (mean, _) = evidence.forecast(&inverse, &[0.0; GROUPS]);
            boards.insert(
                region,
                Board { mean, pairs: u16::try_from(pairs.len()).unwrap_or(u16::MAX), people },
            );
        }
        boards
    }

    fn people_of(&self, function: TreatmentFunction, region: OrganisationCode) -> u32 {
        let regions = self.base.regions();
        let lists = self.base.cells().iter().filter(|(key, _)| {
            key.treatment_function == function && regions.get(&key.provider) == Some(&region)
        });
        u32::try_from(lists.map(|(_, cell)| cell.list_size()).sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// Providers with a completed pathway in any month.
    fn with_completions(&self, function: TreatmentFunction) -> BTreeSet<ProviderCode> {
        let lists = self.prepared.months.iter().flat_map(|month| month.cells());
        lists
            .filter(|(key, cell)| key.treatment_function == function && cell.completed() > 0)
            .map(|(key, _)| key.provider)
            .collect()
    }
}

fn factors(logs: &[f64; GROUPS]) -> [f64; GROUPS] {
    logs.map(|log| {
        libm::exp(if log.is_finite() { log.clamp(-LARGEST_LOG_FACTOR, LARGEST_LOG_FACTOR) } else { 0.0 })
    })
}

/// A specialty (or England) without any list: its curve, its shares, its own basis.
pub(crate) fn national(sums: &Sums, rates: &Rates, layout: BandLayout, constants: &Constants) -> Specialty {
    let reasons = match rates.pairs {
        0 => Reason::SingleMonth.bit(),
        1 => Reason::FewPairs.bit(),
        _ => 0,
    };
    Specialty {
        curve: BaseCurve::new(rates.all, layout),
        treated: treated_shares(sums, rates),
        decided: decided_factors(sums, rates),
        england: Local {
            list_size: 0,
            pairs: u16::try_from(rates.pairs).unwrap_or(u16::MAX),
            level: Level::England,
            credibility: 0.0,
            widening: Widening::new(if rates.pairs == 0 {
                constants.single_month_drift
            } else {
                constants.drift
            }),
            reasons,
            factor: [1.0; GROUPS],
        },
        regions: BTreeMap::new(),
        cells: BTreeMap::new(),
    }
}

/// Exits by age group: (completed, all), a week of the list's exposure.
fn exits(sums: &Sums, rates: &Rates) -> ([f64; GROUPS], [f64; GROUPS]) {
    let (mut completed, mut all) = ([0.0; GROUPS], [0.0; GROUPS]);
    if sums.completed.iter().all(|&count| count <= 0.0) {
        return (completed, all);
    }
    for age in 0..AGES {
        // One imagined person-week keeps empty groups defined.
        let weeks = sums.exposure[age] + 1.0;
        completed[group_of(age)] += weeks * rates.completed[age];
        all[group_of(age)] += weeks * rates.all[age];
    }
    (completed, all)
}

/// The share of exits that are completions. Over one in the first weeks, where people join the list late: cut there.
fn treated_shares(sums: &Sums, rates: &Rates) -> [f64; GROUPS] {
    let (completed, all) = exits(sums, rates);
    std::array::from_fn(
        |group| if all[group] > 0.0 { (completed[group] / all[group]).clamp(0.0, 1.0) } else { 0.0 },
    )
}

fn overall_share(sums: &Sums, rates: &Rates) -> f64 {
    let (completed, all) = exits(sums, rates);
    let total: f64 = all.iter().sum();
    if total > 0.0 { (completed.iter().sum::<f64>() / total).min(1.0) } else { 0.0 }
}

/// How much faster (or slower) people with a decision to admit leave: admissions over their person-weeks, plus the
/// specialty's other removals, over its hazard. Fifty imagined admissions draw a group to the specialty.
fn decided_factors(sums: &Sums, rates: &Rates) -> Option<[f64; GROUPS]> {
    const PSEUDO: f64 = 50.0;
    if sums.decided.iter().sum::<f64>() < PSEUDO {
        return None;
    }
    let (completed, all) = exits(sums, rates);
    Some(std::array::from_fn(|group| {
        let weeks =
            sums.exposure.iter().enumerate().filter(|(age, _)| group_of(*age) == group).map(|(_, w)| w + 1.0);
        let weeks: f64 = weeks.sum();
        let (general, whole) = (completed[group] / weeks, (all[group] / weeks).max(1e-6));
        let admitted = (sums.admitted[group] + PSEUDO) / (sums.decided[group] + PSEUDO / general.max(1e-6));
        ((admitted + (whole - general).max(0.0)) / whole).clamp(0.1, 10.0)
    }))
}
