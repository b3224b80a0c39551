//! The hospitals and kinds of care of the made-up months, and what sets their queues apart.
//!
//! Codes and names are the real ones, so that the same referrals show real figures once an official month is
//! imported. Sizes, speeds and everything else are made up.

use std::ops::Range;

/// A provider with the body it belongs to and the one that commissions most of its care.
pub(super) struct Provider {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) parent: (&'static str, &'static str),
    pub(super) commissioner: (&'static str, &'static str),
    /// How fast its queues move against the others': above 1 is faster.
    pub(super) speed: f64,
    /// The months for which it sent no figures, counted from the oldest at 0.
    pub(super) silent: Range<usize>,
}

impl Provider {
    /// Whether it sent figures for the month at this place.
    pub(super) fn reports(&self, month: usize) -> bool {
        !self.silent.contains(&month)
    }
}

/// A treatment function and its queues.
pub(super) struct Care {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    /// How fast its queues move against the others': above 1 is faster.
    pub(super) speed: f64,
    /// The share of its people who are admitted for their treatment.
    pub(super) admitted: f64,
}

/// Patients from outside England are counted under this commissioner.
pub(super) const NON_ENGLISH: (&str, &str) = ("NONC", "NON-ENGLISH COMMISSIONER");

/// The one list too small for figures, here as in the published month: provider, function, people.
pub(super) const SMALL: (&str, &str, usize) = ("RCB", "C_100", 33);

pub(super) const PROVIDERS: [Provider; 6] = [
    Provider {
        code: "R0A",
        name: "MANCHESTER UNIVERSITY NHS FOUNDATION TRUST",
        parent: ("QOP", "NHS GREATER MANCHESTER INTEGRATED CARE BOARD"),
        commissioner: ("14L", "NHS MANCHESTER (SUB ICB LOCATION)"),
        speed: 0.85,
        silent: 0..0,
    },
    Provider {
        code: "RCB",
        name: "YORK AND SCARBOROUGH TEACHING HOSPITALS NHS FOUNDATION TRUST",
        parent: ("QOQ", "NHS HUMBER AND NORTH YORKSHIRE INTEGRATED CARE BOARD"),
        commissioner: ("03Q", "NHS VALE OF YORK (SUB ICB LOCATION)"),
        speed: 1.05,
        silent: 0..0,
    },
    Provider {
        code: "RM1",
        name: "NORFOLK AND NORWICH UNIVERSITY HOSPITALS NHS FOUNDATION TRUST",
        parent: ("QMM", "NHS NORFOLK AND WAVENEY INTEGRATED CARE BOARD"),
        commissioner: ("26A", "NHS NORFOLK AND WAVENEY (SUB ICB LOCATION)"),
        speed: 0.95,
        // As a trust that could not report while it changed its records system.
        silent: 1..4,
    },
    Provider {
        code: "RRK",
        name: "UNIVERSITY HOSPITALS BIRMINGHAM NHS FOUNDATION TRUST",
        parent: ("QHL", "NHS BIRMINGHAM AND SOLIHULL INTEGRATED CARE BOARD"),
        commissioner: ("15E", "NHS BIRMINGHAM, SOLIHULL AND WEST BIRMINGHAM (SUB ICB LOCATION)"),
        speed: 0.9,
        silent: 0..0,
    },
    Provider {
        code: "RTH",
        name: "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST",
        parent: ("QU9", "NHS BUCKINGHAMSHIRE, OXFORDSHIRE AND BERKSHIRE WEST INTEGRATED CARE BOARD"),
        commissioner: ("10Q", "NHS OXFORDSHIRE (SUB ICB LOCATION)"),
        speed: 1.2,
        silent: 0..0,
    },
    Provider {
        code: "RX1",
        name: "NOTTINGHAM UNIVERSITY HOSPITALS NHS TRUST",
        parent: ("QT1", "NHS NOTTINGHAM AND NOTTINGHAMSHIRE INTEGRATED CARE BOARD"),
        commissioner: ("52R", "NHS NOTTINGHAM AND NOTTINGHAMSHIRE (SUB ICB LOCATION)"),
        speed: 1.0,
        silent: 2..3,
    },
];

pub(super) const TREATMENT_FUNCTIONS: [Care; 11] = [
    Care { code: "C_100", name: "General Surgery Service", speed: 1.0, admitted: 0.3 },
    Care { code: "C_101", name: "Urology Service", speed: 1.1, admitted: 0.25 },
    Care { code: "C_110", name: "Trauma and Orthopaedic Service", speed: 0.8, admitted: 0.35 },
    Care { code: "C_120", name: "Ear Nose and Throat Service", speed: 0.95, admitted: 0.2 },
    Care { code: "C_130", name: "Ophthalmology Service", speed: 1.15, admitted: 0.3 },
    Care { code: "C_301", name: "Gastroenterology Service", speed: 1.05, admitted: 0.25 },
    Care { code: "C_320", name: "Cardiology Service", speed: 1.1, admitted: 0.1 },
    Care { code: "C_330", name: "Dermatology Service", speed: 1.2, admitted: 0.1 },
    Care { code: "C_502", name: "Gynaecology Service", speed: 0.9, admitted: 0.2 },
    Care { code: "X03", name: "Other - Mental Health Services", speed: 1.2, admitted: 0.02 },
    Care { code: "X04", name: "Other - Paediatric Services", speed: 1.0, admitted: 0.1 },
];
