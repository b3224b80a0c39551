//! What every request passes through, and the small tools handlers share.

pub mod answer;
pub mod cookies;
pub mod cursor;
pub mod edge;
pub mod extract;
pub mod guard;
pub mod problem;
