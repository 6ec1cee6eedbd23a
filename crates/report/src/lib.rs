//! Tables, plots and exports of zsad, and the comparison with published numbers.

mod frame;
pub mod grid;
pub mod heatmaps;
mod labels;
pub mod metric;
pub mod plots;
mod printed;
pub mod published;
pub mod results;
pub mod scores;
mod sheet;
pub mod stats;
pub mod table;
#[cfg(test)]
mod testing;

pub use printed::Printed;
pub use results::{read_results, write_results};
