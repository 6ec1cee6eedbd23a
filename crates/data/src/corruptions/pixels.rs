//! Bytes to values and back, as the published script converts them.

/// Pixels a side.
pub const SIDE: usize = 32;

/// Bytes of a picture: `[32, 32, 3]`.
pub const LEN: usize = SIDE * SIDE * 3;

/// Bytes as values of 0 … 1.
pub fn values(bytes: &[u8]) -> Vec<f64> {
    bytes.iter().map(|&b| f64::from(b) / 255.0).collect()
}

/// Values, clipped to 0 … 1, as bytes. The published script cuts the fraction off instead of rounding it.
pub fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0) as u8).collect()
}

/// [`values`] in single precision.
pub fn values_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&b| (f64::from(b) / 255.0) as f32).collect()
}

/// [`bytes`] from single precision.
pub fn bytes_f32(values: &[f32]) -> Vec<u8> {
    values.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0) as u8).collect()
}
