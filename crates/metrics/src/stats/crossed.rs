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
    if a < 2.0 || b < 2.0 {
        let degrees = Some(a.max(b) - 1.0).filter(|d| *d >= 1.0)?;
        let (of_lines, of_columns) = table.squares();
        return Some(Spread { variance: (of_lines + of_columns) / degrees / (a * b), degrees });
    }
    let left = table.degrees_left();
    let (of_lines, of_columns) = table.squares();
    Some(spread((a, b), (of_lines / (a - 1.0), of_columns / (b - 1.0), table.left / left), left))
}

/// The spread of the mean of a table of `a` lines and `b` columns with these mean squares (of lines, of columns, of what is
/// left), the last of so many degrees of freedom.
fn spread((a, b): (f64, f64), (ms_a, ms_b, ms_e): (f64, f64, f64), left: f64) -> Spread {
    let sum = (ms_a + ms_b - ms_e).max(ms_a).max(ms_b);
    let uncertainty = ms_a * ms_a / (a - 1.0) + ms_b * ms_b / (b - 1.0) + ms_e * ms_e / left;
    let degrees = if uncertainty > 0.0 { (sum * sum / uncertainty).max(1.0) } else { 1.0 };
    Spread { variance: sum / (a * b), degrees }
}

/// What the values of a table vary by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Variance between lines.
    pub lines: f64,
    /// Variance between columns; `None` where there is one column, whose own part is in the lines'.
    pub columns: Option<f64>,
    /// Variance of what neither explains; 0 where there is one column.
    pub rest: f64,
}

/// The components of variance of a table, by the method of moments; as [`crossed`]. `None` where there is one line.
pub fn components(values: &[Option<f64>], columns: usize) -> Option<Components> {
    let table = Table::new(values, columns);
    let (a, b) = (table.lines.len() as f64, table.columns.len() as f64);
    let (of_lines, of_columns) = table.squares();
    if a < 2.0 {
        return None;
    }
    if b < 2.0 {
        return Some(Components { lines: of_lines / (a - 1.0), columns: None, rest: 0.0 });
    }
    let rest = table.left / table.degrees_left();
    let between = |squares: f64, levels: f64, of: f64| ((squares / (levels - 1.0) - rest) / of).max(0.0);
    Some(Components { lines: between(of_lines, a, b), columns: Some(between(of_columns, b, a)), rest })
}

impl Components {
    /// The spread of the mean over a table of `lines` × `columns`; `None` where it has one line, or more than one column
    /// and nothing is known of columns.
    pub fn spread(&self, lines: usize, columns: usize) -> Option<Spread> {
        let (a, b) = (lines as f64, columns as f64);
        match (lines, columns, self.columns) {
            (0 | 1, ..) | (_, 0, _) | (_, 2.., None) => None,
            (_, 1, between) => {
                Some(Spread { variance: (self.lines + self.rest) / a + between.unwrap_or(0.0), degrees: a - 1.0 })
            }
            (_, _, Some(between)) => {
                let squares = (b * self.lines + self.rest, a * between + self.rest, self.rest);
                Some(spread((a, b), squares, (a - 1.0) * (b - 1.0)))
            }
        }
    }
}

impl Spread {
    /// The least difference that is found at 5 % with a chance of 80 %: `(t₀.₉₇₅ + t₀.₈) · √variance`.
    pub fn detectable(&self) -> f64 {
        let t = StudentsT::new(0.0, 1.0, self.degrees);
        t.map_or(f64::NAN, |t| t.inverse_cdf(0.975) + t.inverse_cdf(0.8)) * self.variance.sqrt()
    }
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
    /// Sums of squares of lines and of columns.
    fn squares(&self) -> (f64, f64) {
        let squares = |effects: &[f64]| effects.iter().map(|e| e * e).sum::<f64>();
        (self.columns.len() as f64 * squares(&self.lines), self.lines.len() as f64 * squares(&self.columns))
    }

    /// Degrees of freedom of what is left.
    fn degrees_left(&self) -> f64 {
        let (a, b) = (self.lines.len() as f64, self.columns.len() as f64);
        ((a - 1.0) * (b - 1.0) - self.holes as f64).max(1.0)
    }

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
