//! Holm's correction for several tests.

/// Adjusted p-values in the order given (Holm 1979, step-down): a hypothesis is rejected at a family-wise level α where
/// its adjusted value is at most α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let n = p_values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; n];
    let mut greatest: f64 = 0.0;
    for (rank, i) in order.into_iter().enumerate() {
        greatest = greatest.max(p_values[i] * (n - rank) as f64).min(1.0);
        adjusted[i] = greatest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    // R: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.7), "holm")
    #[test]
    fn equals_p_adjust() {
        let expected = [0.04, 0.09, 0.09, 0.025, 0.7];
        let found = holm(&[0.01, 0.04, 0.03, 0.005, 0.7]);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}");
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }
}
