//! Position embeddings, brought from the table's size to that of an image.

use crate::layer::LayerShape;
use crate::maps::resize_bilinear;

zsad_core::choices! {
    /// How a table is resized; a table of the image's own size stays as it is.
    pub enum Positions {
        /// Bicubic by the factor (n + 0.1) / N: DINOv2 as its authors publish it.
        Hub = "hub",
        /// Bicubic with a wider filter where the table shrinks: DINOv2 with registers.
        HubRegisters = "hub_registers",
        /// Bicubic by the factor n / N: transformers, MuSc.
        Size = "size",
        /// Bilinear: AnomalyCLIP, AF-CLIP.
        Bilinear = "bilinear",
    }
}

impl Positions {
    /// A table `[side, side, width]` resized to `[rows, columns, width]`.
    pub fn resized(self, table: &[f32], width: usize, (rows, columns): (usize, usize)) -> Vec<f32> {
        let side = ((table.len() / width) as f64).sqrt().round() as usize;
        if (rows, columns) == (side, side) {
            return table.to_vec();
        }
        let planes: Vec<f32> = (0..width).flat_map(|c| table[c..].iter().step_by(width).copied()).collect();
        let resized = match self {
            Positions::Bilinear => {
                let shape = LayerShape { channels: width, height: side, width: side };
                resize_bilinear(shape, &planes, rows, columns)
            }
            _ => {
                let taps = |to: usize| -> Vec<Vec<(usize, f32)>> { (0..to).map(|i| self.taps(side, to, i)).collect() };
                let (down, across) = (taps(rows), taps(columns));
                planes.chunks_exact(side * side).flat_map(|plane| bicubic(plane, side, &down, &across)).collect()
            }
        };
        let positions = rows * columns;
        (0..positions).flat_map(|p| resized[p..].iter().step_by(positions).copied()).collect()
    }

    /// The values that make value `i` of `to`, with their weights.
    fn taps(self, from: usize, to: usize, i: usize) -> Vec<(usize, f32)> {
        let scale = match self {
            Positions::Hub => from as f64 / (to as f64 + 0.1),
            _ => from as f64 / to as f64,
        };
        if self == Positions::HubRegisters {
            return antialiased(from, scale, i);
        }
        let at = (i as f64 + 0.5) * scale - 0.5;
        let first = at.floor();
        let tap = |k: i64| {
            let index = (first as i64 + k).clamp(0, from as i64 - 1) as usize;
            (index, cubic(at - first - k as f64, -0.75) as f32)
        };
        (-1..3).map(tap).collect()
    }
}

/// PyTorch's `interpolate(mode="bicubic", antialias=True)`: another cubic, widened where values grow fewer.
fn antialiased(from: usize, scale: f64, i: usize) -> Vec<(usize, f32)> {
    let (centre, stretch) = (scale * (i as f64 + 0.5), scale.max(1.0));
    let support = 2.0 * stretch;
    let first = (centre - support + 0.5).max(0.0) as usize;
    let end = ((centre + support + 0.5) as usize).min(from);
    let weights: Vec<f64> = (first..end).map(|j| cubic((j as f64 - centre + 0.5) / stretch, -0.5)).collect();
    let total: f64 = weights.iter().sum();
    (first..end).zip(weights).map(|(j, w)| (j, (w / total) as f32)).collect()
}

/// Keys' cubic with the parameter `a`, at distance `x`.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((x - 5.0) * x + 8.0) * a * x - 4.0 * a
    } else {
        0.0
    }
}

fn bicubic(plane: &[f32], side: usize, down: &[Vec<(usize, f32)>], across: &[Vec<(usize, f32)>]) -> Vec<f32> {
    let rows: Vec<Vec<f32>> = plane
        .chunks_exact(side)
        .map(|row| across.iter().map(|taps| taps.iter().map(|&(j, w)| row[j] * w).sum()).collect())
        .collect();
    let value = |taps: &[(usize, f32)], x: usize| taps.iter().map(|&(y, w)| rows[y][x] * w).sum::<f32>();
    down.iter().flat_map(|taps| (0..across.len()).map(move |x| value(taps, x))).collect()
}
