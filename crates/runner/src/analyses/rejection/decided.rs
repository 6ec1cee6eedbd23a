//! What became of batches, and its means.

use zsad_store::CellNumber;

use super::super::Cell;

/// What became of one batch at one tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decided {
    /// Share of samples that are left undecided.
    pub rejected: f64,
    /// What theory expects of it.
    pub expected: Option<f64>,
    /// What it is at most, with the chance that was asked for.
    pub bound: Option<f64>,
    /// What a sample costs.
    pub cost: f64,
    /// What it would cost with nothing rejected.
    pub cost_all: f64,
    /// Share of mistakes among accepted predictions; `None` where none is accepted.
    pub error_accepted: Option<f64>,
    /// Whether the highest score could be accepted as an anomaly.
    pub acceptable: f64,
}

/// The columns of what is said of a batch.
pub const COLUMNS: [&str; 7] =
    ["rejected", "expected_rejected", "bound", "cost", "cost_all", "error_accepted", "acceptable"];

impl Decided {
    /// In the order of [`COLUMNS`].
    pub fn values(&self) -> Values {
        let Decided { rejected, expected, bound, cost, cost_all, error_accepted, acceptable } = *self;
        [Some(rejected), expected, bound, Some(cost), Some(cost_all), error_accepted, Some(acceptable)]
    }
}

/// What is said of a batch, in the order of the columns.
pub type Values = [Option<f64>; 7];

/// The `q` quantile of `values`, linear between order statistics (NumPy's default).
pub fn percentile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

/// Column by column the mean of those that are defined.
pub fn mean(values: &[[Option<f64>; 7]]) -> [Option<f64>; 7] {
    std::array::from_fn(|i| {
        let defined: Vec<f64> = values.iter().filter_map(|v| v[i]).collect();
        (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
    })
}

/// The numbers of a domain in a cell.
pub fn numbers(cell: &Cell, domain: &str, tolerance: usize, mean: &[Option<f64>; 7]) -> Vec<CellNumber> {
    let number = |(name, value): (&&str, &Option<f64>)| CellNumber {
        cell_key: cell.record.cell_key.clone(),
        domain: domain.to_owned(),
        metric: (*name).to_owned(),
        group: format!("T {tolerance}"),
        value: *value,
    };
    COLUMNS.iter().zip(mean).map(number).collect()
}
