//! The calibration plot: what was expected, along, against what was seen, up. Right forecasts lie on the diagonal.

use std::fmt::Write as _;

use super::method::MethodName;
use super::report::BacktestReport;

/// The top and the side of both squares, and where each begins.
const TOP: f64 = 44.0;
const SIDE: f64 = 300.0;
const POINTS_LEFT: f64 = 66.0;
const PROBABILITIES_LEFT: f64 = 452.0;

/// How a method is drawn. Shapes differ as well as colours, for those who do not tell colours apart.
struct Drawn {
    method: MethodName,
    colour: &'static str,
    shape: Shape,
}

enum Shape {
    Circle,
    Triangle,
    Square,
}

const DRAWN: [Drawn; 3] = [
    Drawn { method: MethodName::Product, colour: "#003087", shape: Shape::Circle },
    Drawn { method: MethodName::CompletedHistogram, colour: "#7c2855", shape: Shape::Triangle },
    Drawn { method: MethodName::MeanMinusWaited, colour: "#5b5b5b", shape: Shape::Square },
];

/// A small, self-contained SVG of two squares.
///
/// Left, the predicted points: by the point at which so many were expected to have left the list, how many had. A
/// method of one figure is drawn as the median it stands for. Right, the probabilities of having left by the months
/// scored, sorted into tenths, of this estimate and of the histogram of completed waits; all of these could be checked.
/// Title and description say the same in words.
#[must_use]
pub fn calibration_svg(report: &BacktestReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_svg(&mut out, report);
    out
}

fn write_svg(out: &mut String, report: &BacktestReport) -> std::fmt::Result {
    let tests: Vec<&str> = report.tests.iter().map(|test| test.month.as_str()).collect();
    let title = format!("Calibration: fitted on {}, scored on {}", report.train.join(", "), tests.join(", "));
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 436" role="img" aria-labelledby="calibration-title calibration-desc" font-family="sans-serif" font-size="13" fill="#212b32">"##
    )?;
    writeln!(out, r#"<title id="calibration-title">{}</title>"#, escaped(&title))?;
    writeln!(out, r#"<desc id="calibration-desc">{}</desc>"#, escaped(&description(report)))?;
    writeln!(out, r##"<rect width="780" height="436" fill="#ffffff"/>"##)?;
    let points = Square { left: POINTS_LEFT };
    points.write_axes(out, "Predicted points", "Share expected to have left by the point")?;
    let probabilities = Square { left: PROBABILITIES_LEFT };
    probabilities.write_axes(
        out,
        "Probabilities at the months scored",
        "Probability of having left, as forecast",
    )?;
    let mut along = POINTS_LEFT;
    for drawn in &DRAWN {
        for (expected, left) in points_of(report, drawn.method) {
            write_mark(
                out,
                drawn,
                points.x(expected),
                points.y(left),
                Some(&said(drawn.method, expected, left)),
            )?;
        }
        for (expected, left) in probabilities_of(report, drawn.method) {
            let label = said(drawn.method, expected, left);
            write_mark(out, drawn, probabilities.x(expected), probabilities.y(left), Some(&label))?;
        }
        write_mark(out, drawn, along, 415.5, None)?;
        writeln!(out, r#"<text x="{:.0}" y="420">{}</text>"#, along + 14.0, drawn.method.label())?;
        along += 234.0;
    }
    writeln!(out, "</svg>")
}

fn said(method: MethodName, expected: f64, left: f64) -> String {
    format!("{}: {:.0}% expected, {:.1}% had left", method.label(), expected * 100.0, left * 100.0)
}

/// A square of the picture in which shares run from nothing to all.
struct Square {
    left: f64,
}

impl Square {
    fn x(&self, share: f64) -> f64 {
        self.left + share.clamp(0.0, 1.0) * SIDE
    }

    #[expect(clippy::unused_self, reason = "both axes are asked of the square")]
    fn y(&self, share: f64) -> f64 {
        TOP + (1.0 - share.clamp(0.0, 1.0)) * SIDE
    }

    /// Heading, grid, labels and the diagonal.
    fn write_axes(&self, out: &mut String, heading: &str, along: &str) -> std::fmt::Result {
        let (left, right, top, bottom) = (self.x(0.0), self.x(1.0), self.y(1.0), self.y(0.0));
        let middle = self.x(0.5);
        writeln!(out, r#"<text x="{left:.1}" y="{:.1}" font-weight="bold">{heading}</text>"#, top - 14.0)?;
        for tenths in (0..=10_u8).step_by(2) {
            let share = f64::from(tenths) / 10.0;
            let (x, y, percent) = (self.x(share), self.y(share), u32::from(tenths) * 10);
            writeln!(
                out,
                r##"<path d="M{x:.1} {top:.1}V{bottom:.1}M{left:.1} {y:.1}H{right:.1}" stroke="#d8dde0"/>"##
            )?;
            writeln!(
                out,
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{percent}%</text>"#,
                bottom + 18.0
            )?;
            writeln!(
                out,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{percent}%</text>"#,
                left - 6.0,
                y + 4.5
            )?;
        }
        writeln!(
            out,
            r##"<path d="M{left:.1} {bottom:.1}L{right:.1} {top:.1}" stroke="#4c6272" stroke-dasharray="5 4"/>"##
        )?;
        writeln!(
            out,
            r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle">{along}</text>"#,
            bottom + 42.0
        )?;
        writeln!(
            out,
            r#"<text transform="translate({:.1} {:.1}) rotate(-90)" text-anchor="middle">Share that had left</text>"#,
            left - 50.0,
            self.y(0.5)
        )
    }
}

fn write_mark(out: &mut String, drawn: &Drawn, x: f64, y: f64, label: Option<&str>) -> std::fmt::Result {
    let label = label.map(|label| format!("<title>{}</title>", escaped(label))).unwrap_or_default();
    let colour = drawn.colour;
    match drawn.shape {
        Shape::Circle => {
            writeln!(out, r#"<circle cx="{x:.1}" cy="{y:.1}" r="4.5" fill="{colour}">{label}</circle>"#)
        }
        Shape::Triangle => writeln!(
            out,
            r#"<path d="M{x:.1} {:.1}l5.5 10h-11z" fill="none" stroke="{colour}" stroke-width="1.8">{label}</path>"#,
            y - 6.5
        ),
        Shape::Square => writeln!(
            out,
            r#"<rect x="{:.1}" y="{:.1}" width="9" height="9" fill="{colour}">{label}</rect>"#,
            x - 4.5,
            y - 4.5
        ),
    }
}

/// The points of a method that could be checked. A single figure comes out the same at every level: it is a median.
fn points_of(report: &BacktestReport, method: MethodName) -> Vec<(f64, f64)> {
    let realised = report.method(method).map_or(&[][..], |method| &method.overall.realised);
    realised
        .iter()
        .filter(|point| !method.is_single_figure() || point.predicted == 0.5)
        .filter_map(|point| Some((point.predicted, point.realised.share?)))
        .collect()
}

/// The probabilities of a method; tenths that hold fewer than one forecast in a thousand are noise. A single figure
/// knows only "certainly" and "certainly not".
fn probabilities_of(report: &BacktestReport, method: MethodName) -> Vec<(f64, f64)> {
    if method.is_single_figure() {
        return Vec::new();
    }
    let tenths = report.method(method).map_or(&[][..], |method| &method.overall.reliability);
    tenths.iter().filter(|tenth| tenth.of_all >= 0.001).map(|tenth| (tenth.said, tenth.left)).collect()
}

/// The plot in words.
fn description(report: &BacktestReport) -> String {
    let mut out = String::from("Marks on the diagonal are right.");
    for (heading, pairs) in [
        ("Predicted points", points_of as fn(&BacktestReport, MethodName) -> Vec<(f64, f64)>),
        ("Probabilities at the months scored", probabilities_of),
    ] {
        let _ = write!(out, " {heading}.");
        for drawn in &DRAWN {
            let said: Vec<String> = pairs(report, drawn.method)
                .iter()
                .map(|(expected, left)| {
                    format!("{:.0}% expected, {:.1}% had left", expected * 100.0, left * 100.0)
                })
                .collect();
            if !said.is_empty() {
                let _ = write!(out, " {}: {}.", drawn.method.label(), said.join("; "));
            }
        }
    }
    if let Some(checkable) = report.checkable() {
        let _ = write!(
            out,
            " The 90% point of this estimate could be checked for {:.0}% of pathways.",
            checkable * 100.0
        );
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
