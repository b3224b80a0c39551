//! The report as tables for people.

use std::fmt::Write as _;

use super::report::{BacktestReport, Checked, MethodReport, Scores, Slice};

/// A figure of fixed decimals, or a dash.
fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.0}%", value * 100.0))
}

impl BacktestReport {
    /// The report as plain text: what was tested, the methods side by side, then the product in detail.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let tests: Vec<String> =
            self.tests.iter().map(|test| format!("{} (after {} days)", test.month, test.days)).collect();
        writeln!(out, "Back-test of {}", self.model_version)?;
        writeln!(out, "fitted on {}; scored on {}", self.train.join(", "), tests.join(", "))?;
        writeln!(
            out,
            "{} pathways in {} lists, waited less than {} weeks at the end of {}",
            self.pathways, self.cells, self.weeks_waited_below, self.origin
        )?;
        for dropped in &self.dropped {
            let reason = dropped.reason.words();
            writeln!(out, "not scored: {} lists of {} people: {reason}", dropped.cells, dropped.people)?;
        }
        writeln!(out, "\n{}\n", self.remark)?;
        self.write_methods(out)?;
        if let Some(product) = self.methods.first() {
            write_points(out, &product.overall)?;
            write_reliability(out, &product.overall)?;
            write_slices(out, "people on the list", product, |method| &method.by_list_size)?;
            write_slices(out, "weeks waited", product, |method| &method.by_weeks_waited)?;
        }
        writeln!(
            out,
            "\n{:<19} {:>10} {:>10} {:>10} {:>10} {:>9}",
            "treatment function", "pathways", "expected", "left", "checked", "80% int."
        )?;
        for row in &self.by_treatment_function {
            let calibration = &row.calibration;
            writeln!(
                out,
                "{:<19} {:>10} {:>10} {:>10} {:>10} {:>9}",
                row.treatment_function,
                calibration.pathways,
                figure(calibration.expected_left, 3),
                figure(calibration.left, 3),
                calibration.n,
                figure(calibration.coverage80, 3)
            )?;
        }
        writeln!(
            out,
            "expected, left: share expected to have left by the last month scored, and share that had. 80% int.: told \
where a\nthousand pathways and one in ten could be checked."
        )?;
        writeln!(out, "\n{}", self.attribution)
    }

    /// One row a method: scores, then how the intervals came out, then how evenly large lists are served.
    fn write_methods(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{:<29} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>11} {:>11} {:>7}",
            "method", "Brier", "pin10", "pin50", "pin90", "mean", "ratio", "50% int.", "80% int.", "40-60%"
        )?;
        for method in &self.methods {
            let scores = &method.overall;
            writeln!(
                out,
                "{:<29} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>11} {:>11} {:>7}",
                method.label,
                figure(scores.brier, 4),
                figure(scores.pinball.p10, 3),
                figure(scores.pinball.p50, 3),
                figure(scores.pinball.p90, 3),
                figure(scores.mean_pinball, 3),
                figure(scores.ratio_to_mean_minus_waited, 3),
                with_checkable(scores.coverage50),
                with_checkable(scores.coverage80),
                percent(method.large_lists.near_half)
            )?;
        }
        writeln!(
            out,
            "Brier and pinball (weeks): less is better. ratio: of mean pinball to the naive mean's. 50%, 80% int.: share \
that left\ninside the interval (of the share that could be checked). 40-60%: large lists where so many had left by the \
median."
        )
    }
}

fn with_checkable(checked: Checked) -> String {
    format!("{} ({})", figure(checked.share, 3), percent(checked.checkable))
}

fn write_points(out: &mut String, scores: &Scores) -> std::fmt::Result {
    writeln!(out, "\n{:<19} {:>10} {:>10}", "expected to leave", "left", "checkable")?;
    for point in &scores.realised {
        writeln!(
            out,
            "{:<19} {:>10} {:>10}",
            percent(Some(point.predicted)),
            figure(point.realised.share, 3),
            percent(point.realised.checkable)
        )?;
    }
    Ok(())
}

fn write_reliability(out: &mut String, scores: &Scores) -> std::fmt::Result {
    writeln!(out, "\n{:<19} {:>10} {:>10}", "probability said", "left", "of all")?;
    for tenth in &scores.reliability {
        let said = figure(Some(tenth.said), 3);
        writeln!(out, "{said:<19} {:>10} {:>10}", figure(Some(tenth.left), 3), percent(Some(tenth.of_all)))?;
    }
    Ok(())
}

fn write_slices(
    out: &mut String,
    what: &str,
    product: &MethodReport,
    slices: impl Fn(&MethodReport) -> &[Slice],
) -> std::fmt::Result {
    writeln!(
        out,
        "\n{what:<19} {:>10} {:>8} {:>8} {:>8} {:>12} {:>12}",
        "pathways", "Brier", "mean", "ratio", "50% int.", "80% int."
    )?;
    for slice in slices(product) {
        let bounds = match slice.below {
            Some(below) => format!("{} to below {below}", slice.from),
            None => format!("{} and more", slice.from),
        };
        let scores = &slice.scores;
        writeln!(
            out,
            "{bounds:<19} {:>10} {:>8} {:>8} {:>8} {:>12} {:>12}",
            scores.pathways,
            figure(scores.brier, 4),
            figure(scores.mean_pinball, 3),
            figure(scores.ratio_to_mean_minus_waited, 3),
            with_checkable(scores.coverage50),
            with_checkable(scores.coverage80)
        )?;
    }
    Ok(())
}
