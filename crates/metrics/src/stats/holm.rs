//! Holm's correction for several comparisons.

/// p-values corrected for all of them being looked at, in their order (Holm 1979): each is multiplied by the number of
/// those that are not smaller, and never less than a smaller one's.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut greatest: f64 = 0.0;
    for (place, &i) in order.iter().enumerate() {
        greatest = greatest.max(p[i] * (p.len() - place) as f64).min(1.0);
        corrected[i] = greatest;
    }
    corrected
}
