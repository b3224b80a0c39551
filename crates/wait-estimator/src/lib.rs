//! How much longer a wait is likely to be, from published month-end lists. Pure: no I/O, no clock, no randomness.
//!
//! Months go in ([`Month`]), a model comes out ([`fit`]), with an account of what was left out and why
//! ([`FitReport`]). The model is checked ([`check()`]), kept as bytes ([`Model::encode`]), and asked:
//! [`Model::estimator`] finds a list, [`CellEstimator::estimate`] answers for a person who has waited so long.
//!
//! In the order of the work: `pairing` decides which lists may be followed from one month to the next, `ageing` follows
//! them, `life_table` fits a specialty's weekly hazards, `local` says how a list differs and `credibility` how much of
//! that to believe, `lists` puts them together, `curve` and `estimate` turn hazards into answers, and `backtest` holds
//! the answers against what happened.
#![forbid(unsafe_code)]

mod ageing;
mod ahead;
pub mod backtest;
mod calendar;
pub mod check;
pub mod codec;
mod constants;
mod credibility;
mod curve;
pub mod estimate;
mod fit;
mod life_table;
mod lists;
mod local;
pub mod model;
pub mod months;
mod pairing;
mod rates;
pub mod report;
pub mod successors;
mod sums;
pub mod tables;

pub use check::{CheckFailure, check};
pub use codec::{DecodeError, ModelBytes};
pub use constants::Constants;
pub use estimate::{Basis, CellEstimator, CurvePoint, Estimate, Probabilities, Quantiles, Weeks};
pub use fit::{FitError, Fitted, fit, fit_with};
pub use months::{CellKey, Month, MonthCell, MonthError};
pub use report::FitReport;
pub use successors::{Succession, SuccessorError, Successors};
pub use tables::{Level, MODEL_VERSION, Model, Reason, Status};
