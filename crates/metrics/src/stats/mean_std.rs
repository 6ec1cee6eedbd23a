//! Mean and standard deviation.

/// Mean and standard deviation of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanStd {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1); `None` for a single value.
    pub std: Option<f64>,
}

/// Mean and sample standard deviation of `values`; `None` where there are none.
pub fn mean_std(values: &[f64]) -> Option<MeanStd> {
    let n = values.len() as f64;
    let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / n)?;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    Some(MeanStd { mean, std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // import numpy as np; x = np.array([0.91, 0.935, 0.872, 0.9]); print(x.mean(), x.std(ddof=1))
    #[test]
    fn equals_numpy() {
        let found = mean_std(&[0.91, 0.935, 0.872, 0.9]).unwrap();
        assert!((found.mean - 0.90425).abs() < 1e-15);
        assert!((found.std.unwrap() - 0.026056029372616772).abs() < 1e-15);
        assert_eq!(mean_std(&[3.0]), Some(MeanStd { mean: 3.0, std: None }));
        assert_eq!(mean_std(&[]), None);
    }
}
