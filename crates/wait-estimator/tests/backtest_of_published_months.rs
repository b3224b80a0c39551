//! The back-test on real months, held against an independent scorer of the same files.
//!
//! The scorer's figures for two methods that do not depend on the model (the mean completed wait less the weeks waited,
//! and the histogram of completed waits, written out by a program that shares nothing with this crate) are pinned here.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak as tests do")]
#![expect(clippy::approx_constant, reason = "a share that happens to look like one over pi")]

mod support;

use wait_estimator::backtest::{BacktestReport, Checked, MethodName, Scores, backtest};
use wait_estimator::model::TreatmentFunction;
use wait_estimator::{Month, Successors};

/// Figures are printed by the scorer with four decimals, or three for shares, and two for what could be checked.
const CLOSE: f64 = 0.0005;
const CLOSE_SHARE: f64 = 0.001;
const CLOSE_CHECKABLE: f64 = 0.006;

/// What the scorer printed.
struct Scored {
    train: &'static [&'static str],
    test: &'static [&'static str],
    cells: u64,
    pathways: u64,
    naive_brier: f64,
    naive_pinball: f64,
    histogram: Histogram,
}

/// What it printed of the histogram of completed waits.
struct Histogram {
    brier: f64,
    pinball: f64,
    realised: [[f64; 2]; 5],
    coverage50: [f64; 2],
    coverage80: [f64; 2],
}

/// The scorer on the rows of cardiothoracic surgery alone: small lists, some of which completed nobody.
const CARDIOTHORACIC: [Scored; 2] = [
    Scored {
        train: &["2014-12", "2015-01"],
        test: &["2015-02", "2015-03"],
        cells: 212,
        pathways: 7087,
        naive_brier: 0.4311,
        naive_pinball: 1.7229,
        histogram: Histogram {
            brier: 0.2658,
            pinball: 0.8803,
            realised: [[0.207, 0.97], [0.311, 0.96], [0.495, 0.87], [0.561, 0.30], [0.564, 0.19]],
            coverage50: [0.251, 0.297],
            coverage80: [0.308, 0.186],
        },
    },
    Scored {
        train: &["2009-12", "2010-01"],
        test: &["2010-02", "2010-03"],
        cells: 153,
        pathways: 6589,
        naive_brier: 0.4520,
        naive_pinball: 1.7826,
        histogram: Histogram {
            brier: 0.2659,
            pinball: 0.8762,
            realised: [[0.243, 0.98], [0.368, 0.98], [0.535, 0.88], [0.628, 0.42], [0.636, 0.19]],
            coverage50: [0.275, 0.424],
            coverage80: [0.356, 0.186],
        },
    },
];

/// The scorer on whole months.
const ALL_KINDS_OF_CARE: [Scored; 4] = [
    Scored {
        train: &["2014-12", "2015-01"],
        test: &["2015-02", "2015-03"],
        cells: 4028,
        pathways: 2_905_751,
        naive_brier: 0.3893,
        naive_pinball: 1.7151,
        histogram: Histogram {
            brier: 0.2203,
            pinball: 0.6844,
            realised: [[0.115, 1.0], [0.255, 1.0], [0.477, 0.91], [0.685, 0.37], [0.781, 0.06]],
            coverage50: [0.428, 0.373],
            coverage80: [0.626, 0.058],
        },
    },
    Scored {
        train: &["2009-12", "2010-01"],
        test: &["2010-02", "2010-03"],
        cells: 2907,
        pathways: 2_260_647,
        naive_brier: 0.4035,
        naive_pinball: 1.8202,
        histogram: Histogram {
            brier: 0.2305,
            pinball: 0.7213,
            realised: [[0.12, 1.0], [0.254, 1.0], [0.456, 0.95], [0.646, 0.52], [0.733, 0.10]],
            coverage50: [0.400, 0.517],
            coverage80: [0.594, 0.097],
        },
    },
    Scored {
        train: &["2014-12", "2015-01", "2015-02"],
        test: &["2015-03"],
        cells: 4028,
        pathways: 2_910_422,
        naive_brier: 0.4466,
        naive_pinball: 0.8871,
        histogram: Histogram {
            brier: 0.2310,
            pinball: 0.2891,
            realised: [[0.112, 1.0], [0.249, 0.93], [0.449, 0.29], [0.594, 0.03], [0.584, 0.01]],
            coverage50: [0.318, 0.030],
            coverage80: [0.388, 0.006],
        },
    },
    Scored {
        train: &["2009-12", "2010-01", "2010-02"],
        test: &["2010-03"],
        cells: 2907,
        pathways: 2_287_136,
        naive_brier: 0.4784,
        naive_pinball: 0.9810,
        histogram: Histogram {
            brier: 0.2446,
            pinball: 0.3123,
            realised: [[0.111, 1.0], [0.243, 0.96], [0.416, 0.42], [0.535, 0.05], [0.504, 0.01]],
            coverage50: [0.295, 0.051],
            coverage80: [0.329, 0.009],
        },
    },
];

fn scores(report: &BacktestReport, method: MethodName) -> &Scores {
    &report.method(method).unwrap().overall
}

#[track_caller]
fn assert_close(what: &str, ours: Option<f64>, theirs: f64, tolerance: f64) {
    let ours = ours.unwrap();
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there");
}

#[track_caller]
fn assert_checked(what: &str, ours: Checked, [share, checkable]: [f64; 2]) {
    assert_close(what, ours.share, share, CLOSE_SHARE);
    assert_close(what, ours.checkable, checkable, CLOSE_CHECKABLE);
}

#[test]
fn the_independent_scorer_agrees_on_cardiothoracic_surgery() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    let function = TreatmentFunction::parse("C_170").unwrap();
    for scored in &CARDIOTHORACIC {
        let read = |names: &[&str]| -> Vec<Month> {
            let months = support::read_months(&folder, names).into_iter();
            months.map(|month| month.filtered(|key| key.treatment_function == function)).collect()
        };
        agree(scored, &read(scored.train), &read(scored.test));
    }
}

#[test]
fn the_independent_scorer_agrees_on_all_kinds_of_care() {
    let Some(folder) = support::months_of_the_52_week_era() else { return };
    for scored in &ALL_KINDS_OF_CARE {
        let report = agree(
            scored,
            &support::read_months(&folder, scored.train),
            &support::read_months(&folder, scored.test),
        );
        beats_the_others(&report);
    }
}

/// Whole months: this estimate comes out before every naive method, and none before hindsight.
fn beats_the_others(report: &BacktestReport) {
    let product = scores(report, MethodName::Product);
    assert_eq!(product.not_answered, Some(0.0));
    for method in report.methods.iter().filter(|method| method.method != MethodName::Product) {
        let (name, other) = (method.method, &method.overall);
        let best = name == MethodName::Oracle;
        assert_eq!(other.brier < product.brier, best, "Brier score, {name:?}");
        assert_eq!(other.mean_pinball < product.mean_pinball, best, "pinball loss, {name:?}");
    }
    // Over all people and months scored, as many leave as were expected to, to within five in a hundred.
    for month in &product.by_month {
        assert_close("share that left", month.expected_left, month.left.unwrap(), 0.05);
    }
}

/// Makes the back-test and holds it against what the scorer printed.
fn agree(scored: &Scored, train: &[Month], test: &[Month]) -> BacktestReport {
    let report = backtest(train, test, &Successors::none()).unwrap();
    println!("{}", report.text());

    // The scorer takes a list that falls to nought for a list that everybody left; here it is a query.
    let queries: u64 = report.dropped.iter().map(|dropped| dropped.cells).sum();
    assert_eq!(report.cells + queries, scored.cells);
    assert!(report.pathways <= scored.pathways && scored.pathways - report.pathways < 1000);

    let naive = scores(&report, MethodName::MeanMinusWaited);
    assert_close("naive Brier", naive.brier, scored.naive_brier, CLOSE);
    assert_close("naive pinball", naive.mean_pinball, scored.naive_pinball, CLOSE);

    let histogram = scores(&report, MethodName::CompletedHistogram);
    let theirs = &scored.histogram;
    assert_close("Brier", histogram.brier, theirs.brier, CLOSE);
    assert_close("pinball", histogram.mean_pinball, theirs.pinball, CLOSE);
    assert_close("ratio", histogram.ratio_to_mean_minus_waited, theirs.pinball / scored.naive_pinball, CLOSE);
    for (ours, theirs) in histogram.realised.iter().zip(theirs.realised) {
        assert_checked(&format!("realised at {}", ours.predicted), ours.realised, theirs);
    }
    assert_checked("50 % interval", histogram.coverage50, theirs.coverage50);
    assert_checked("80 % interval", histogram.coverage80, theirs.coverage80);
    report
}
