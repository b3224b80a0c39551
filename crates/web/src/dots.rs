//! A small picture of ten people at several times ahead: who is off the list by then, and who still waits. Drawn
//! with shapes alone, in the colour of the text.

use crate::lengths::OfTen;

/// The width of the picture in its own units, about pixels on a narrow screen.
const WIDTH: u32 = 256;
const ROW_HEIGHT: u32 = 26;
const FIRST_DOT: u32 = 90;
const DOT_STEP: u32 = 17;
const DOTS: u32 = 10;
/// From the middle of a dot down to the line the text beside it stands on.
const BASELINE: u32 = 5;

/// How a dot is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dot {
    /// Off the list.
    Full,
    /// Some of each.
    Half,
    /// Still waiting.
    Empty,
}

/// A dot and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) x: u32,
    pub(crate) dot: Dot,
}

/// Ten people at one time ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DotRow {
    pub(crate) label: &'static str,
    /// The middle of the dots.
    pub(crate) y: u32,
    /// The line the label stands on.
    pub(crate) baseline: u32,
    pub(crate) dots: Vec<Placed>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dots {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rows: Vec<DotRow>,
    /// Whether a half-filled dot has to be explained.
    pub(crate) has_half: bool,
}

impl Dots {
    /// The picture of what is known, earliest first; none when nothing is.
    pub(crate) fn new(rows: impl IntoIterator<Item = (&'static str, OfTen)>) -> Option<Self> {
        let mut middle = ROW_HEIGHT / 2;
        let rows: Vec<DotRow> = rows
            .into_iter()
            .map(|(label, share)| {
                let y = middle;
                middle += ROW_HEIGHT;
                let dots =
                    (0..DOTS).map(|place| Placed { x: FIRST_DOT + place * DOT_STEP, dot: dot(place, share) });
                DotRow { label, y, baseline: y + BASELINE, dots: dots.collect() }
            })
            .collect();
        let has_half = rows.iter().flat_map(|row| &row.dots).any(|placed| placed.dot == Dot::Half);
        let height = u32::try_from(rows.len()).unwrap_or(0) * ROW_HEIGHT;
        (!rows.is_empty()).then_some(Self { width: WIDTH, height, rows, has_half })
    }
}

fn dot(place: u32, share: OfTen) -> Dot {
    match share {
        OfTen::FewerThanOne if place == 0 => Dot::Half,
        OfTen::MoreThanNine if place == DOTS - 1 => Dot::Half,
        OfTen::MoreThanNine => Dot::Full,
        OfTen::About(number) if place < number => Dot::Full,
        OfTen::FewerThanOne | OfTen::About(_) => Dot::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_dots_are_full_as_are_said() {
        for (share, full, half) in [
            (OfTen::FewerThanOne, 0, 1),
            (OfTen::About(1), 1, 0),
            (OfTen::About(9), 9, 0),
            (OfTen::MoreThanNine, 9, 1),
        ] {
            let picture = Dots::new([("4 weeks", share)]).unwrap();
            let count = |kind| picture.rows[0].dots.iter().filter(|placed| placed.dot == kind).count();
            assert_eq!((count(Dot::Full), count(Dot::Half)), (full, half), "{share:?}");
            assert_eq!(picture.rows[0].dots.len(), 10);
            assert_eq!(picture.has_half, half == 1);
        }
    }

    #[test]
    fn every_dot_lies_inside_the_picture_and_none_on_another() {
        let rows =
            [("4 weeks", OfTen::About(1)), ("12 weeks", OfTen::About(4)), ("6 months", OfTen::About(9))];
        let picture = Dots::new(rows).unwrap();
        for row in &picture.rows {
            assert!(row.y >= 8 && row.y + 8 <= picture.height);
            assert!(row.dots.windows(2).all(|pair| pair[1].x - pair[0].x > 12));
            assert!(row.dots.iter().all(|placed| placed.x + 8 <= picture.width));
        }
        assert!(picture.rows.windows(2).all(|pair| pair[1].y > pair[0].y));
        assert_eq!(Dots::new([]), None);
    }
}
