//! The tables of this room, and the only place that knows them.

pub(crate) mod codec;
pub(crate) mod entities;
pub(crate) mod generations;
pub(crate) mod months;
pub(crate) mod preferences;
pub(crate) mod referrals;
