//! Tables, plots and exports of zsad, and the comparison with published numbers.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

pub mod citations;
pub mod compare;
pub mod export;
pub mod findings;
pub mod grid;
pub mod heatmaps;
pub mod html;
pub mod index;
pub mod labels;
mod lengths;
pub mod plots;
pub mod power;
pub mod published;
pub mod ranked;
mod sheet;
pub mod stats;
pub mod table;
#[cfg(test)]
mod testing;

pub use export::Printed;
