//! Mathematics that several methods share.

pub(crate) mod gaussian;
pub(crate) mod linalg;
pub(crate) mod neighbours;
pub(crate) mod points;
pub(crate) mod smo;
pub(crate) mod tails;
#[cfg(test)]
pub(crate) mod testing;

pub use linalg::principal_directions;
pub(crate) use points::Points;
