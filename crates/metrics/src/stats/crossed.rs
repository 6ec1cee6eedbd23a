//! How sure a mean over two crossed factors is: domains and seeds, each a sample of many.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// How far the mean of a table of values may be from that of the population whose lines and columns were sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Variance of the mean.
    pub variance: f64,
    /// Degrees of freedom of that variance.
    pub degrees: f64,
}

impl Spread {
    /// Half of the 95 % interval around the mean: `t₀.₉₇₅(degrees) · √variance`.
    pub fn half_width(&self) -> f64 {
        // At least one degree of freedom, which is a distribution.
        StudentsT::new(0.0, 1.0, self.degrees).map_or(f64::NAN, |t| t.inverse_cdf(0.975)) * self.variance.sqrt()
    }
}

/// The spread of the mean of `values`, lines of `columns` values each, where lines and columns are both random: a two-way
/// analysis of variance without replication. With mean squares of `a` lines, `b` columns and what is left,
/// `(MS_a + MS_b − MS_e) / (a b)`, with Satterthwaite's degrees of freedom (Satterthwaite, Biometrics Bulletin 1946; the
/// same model stands behind comparisons of readers and cases by AUROC, Obuchowski and Rockette, Communications in
/// Statistics 1995). Never less than the larger of `MS_a` and `MS_b` alone, so that it errs to the wide side where neither
/// factor matters. One line or one column leaves the other factor alone: the standard error of a mean.
///
/// Lines and columns without any value are left out; other holes take the sum of their line's and column's effects, and a
/// degree of freedom each. `None` where there is a single line and column.
pub fn crossed(values: &[Option<f64>], columns: usize) -> Option<Spread> {
    let table = Table::new(values, columns);
    let (a, b) = (table.lines.len() as f64, table.columns.len() as f64);
    let squares = |effects: &[f64]| effects.iter().map(|e| e * e).sum::<f64>();
    let (of_lines, of_columns) = (b * squares(&table.lines), a * squares(&table.columns));
    if a < 2.0 || b < 2.0 {
        let degrees = Some(a.max(b) - 1.0).filter(|d| *d >= 1.0)?;
        return Some(Spread { variance: (of_lines + of_columns) / degrees / (a * b), degrees });
    }
    let (ms_a, ms_b) = (of_lines / (a - 1.0), of_columns / (b - 1.0));
    let left = ((a - 1.0) * (b - 1.0) - table.holes as f64).max(1.0);
    let ms_e = table.left / left;
    let sum = (ms_a + ms_b - ms_e).max(ms_a).max(ms_b);
    let uncertainty = ms_a * ms_a / (a - 1.0) + ms_b * ms_b / (b - 1.0) + ms_e * ms_e / left;
    let degrees = if uncertainty > 0.0 { (sum * sum / uncertainty).max(1.0) } else { 1.0 };
    Some(Spread { variance: sum / (a * b), degrees })
}

/// A table as effects of its lines and columns around the mean, and what these leave.
struct Table {
    lines: Vec<f64>,
    columns: Vec<f64>,
    /// Sum of squares of what the effects leave.
    left: f64,
    /// Values that are missing.
    holes: usize,
}

impl Table {
    fn new(values: &[Option<f64>], columns: usize) -> Self {
        let lines: Vec<&[Option<f64>]> =
            values.chunks(columns.max(1)).filter(|line| line.iter().any(Option::is_some)).collect();
        let kept: Vec<usize> = (0..columns).filter(|&c| lines.iter().any(|line| line[c].is_some())).collect();
        let mean = |of: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = of.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
            if n > 0.0 { sum / n } else { 0.0 }
        };
        let of_lines: Vec<f64> = lines.iter().map(|line| mean(&mut line.iter().flatten().copied())).collect();
        let of_columns: Vec<f64> = kept.iter().map(|&c| mean(&mut lines.iter().filter_map(|line| line[c]))).collect();
        let middle = |means: &[f64]| mean(&mut means.iter().copied());
        let (by_line, by_column) = (middle(&of_lines), middle(&of_columns));
        let (mut left, mut holes) = (0.0, 0);
        for (line, of_line) in lines.iter().zip(&of_lines) {
            for (&c, of_column) in kept.iter().zip(&of_columns) {
                match line[c] {
                    Some(v) => left += ((v - of_line) - (of_column - by_column)).powi(2),
                    None => holes += 1,
                }
            }
        }
        let around = |means: Vec<f64>, middle: f64| means.into_iter().map(|m| m - middle).collect();
        Table { lines: around(of_lines, by_line), columns: around(of_columns, by_column), left, holes }
    }
}
