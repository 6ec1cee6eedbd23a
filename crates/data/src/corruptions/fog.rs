//! Fog: a cloud from the diamond-square algorithm, added to the picture.

use super::draws::Draws;
use super::pixels::{SIDE, bytes, values};

/// (x + c · cloud) · max / (max + c), where max is the picture's brightest value.
pub fn fog(image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
    let (c, decay) = [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)][severity];
    let x = values(image);
    let brightest = x.iter().copied().fold(0.0, f64::max);
    let cloud = plasma(decay, draws);
    let foggy = |(i, v): (usize, &f64)| (v + c * cloud[i / 3]) * brightest / (brightest + c);
    bytes(&x.iter().enumerate().map(foggy).collect::<Vec<_>>())
}

/// A fractal landscape on a 32×32 torus, scaled to 0 … 1; `decay` divides the roughness from one scale to the next.
fn plasma(decay: f64, draws: &mut dyn Draws) -> Vec<f64> {
    let mut field = vec![0.0; SIDE * SIDE];
    let (mut step, mut wibble) = (SIDE, 100.0);
    while step >= 2 {
        let half = step / 2;
        let mut fill = |offset: (usize, usize), neighbours: [(usize, usize); 4]| {
            for h in (offset.0..SIDE).step_by(step) {
                for w in (offset.1..SIDE).step_by(step) {
                    let near = |(dh, dw): (usize, usize)| field[(h + dh) % SIDE * SIDE + (w + dw) % SIDE];
                    let sum: f64 = neighbours.map(near).iter().sum();
                    field[h * SIDE + w] = sum / 4.0 + wibble * (-wibble + 2.0 * wibble * draws.uniform());
                }
            }
        };
        // Steps back go the long way round the torus.
        let back = SIDE - half;
        let beside = [(half, 0), (back, 0), (0, half), (0, back)];
        fill((half, half), [(back, back), (half, back), (back, half), (half, half)]);
        fill((0, half), beside);
        fill((half, 0), beside);
        (step, wibble) = (half, wibble / decay);
    }
    let (low, high) = field.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    field.iter().map(|v| (v - low) / (high - low)).collect()
}
