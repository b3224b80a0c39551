//! What comes from outside: the official full extract, read as a stream and believed only when everything adds up.
//!
//! `source` opens a file by what it contains (csv, gzip or zip), [`layout`] knows the two official headers,
//! `full_extract` walks the rows, `checks` holds what must be true of each run of rows, `cells` sums them.
//! Nothing here touches the database: a file is read to its end and accepted or refused whole.

pub(crate) mod cells;
mod checks;
pub(crate) mod full_extract;
pub mod layout;
pub mod refusal;
pub(crate) mod source;

#[cfg(test)]
mod tests;
