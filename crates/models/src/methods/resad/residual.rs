//! Residual features: what a position's feature differs by from the nearest one of the references.

use zsad_backbones::features::FeatureStore;
use zsad_core::{Result, SampleId};

use crate::math::Points;
use crate::math::neighbours::nearest;

zsad_core::choices! {
    /// What is kept of the difference to the nearest reference.
    pub enum Residual {
        /// x − x*.
        Signed = "signed",
        /// (x − x*)², element by element.
        Squared = "squared",
        /// x.
        None = "none",
    }
}

/// Which references are near, and what is kept of the difference to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matching {
    pub residual: Residual,
    /// Nearest by cosine instead of L2.
    pub cosine: bool,
}

impl Matching {
    /// The nearest by L2.
    pub fn by_distance(residual: Residual) -> Self {
        Matching { residual, cosine: false }
    }

    /// What the features of layer number `layer` of the samples `support` amount to as a pool; nothing is read where it
    /// is not needed.
    pub fn pool(self, store: &FeatureStore, support: &[SampleId], layer: usize) -> Result<Option<Points<f32>>> {
        if self.residual == Residual::None {
            return Ok(None);
        }
        let sets: Vec<Points<f32>> = support.iter().map(|&id| points(store, id, layer)).collect::<Result<_>>()?;
        Ok(Some(Points::concat(&sets)))
    }

    /// The pools of all layers.
    pub fn pools(self, store: &FeatureStore, support: &[SampleId]) -> Result<Vec<Option<Points<f32>>>> {
        (0..store.shapes().len()).map(|layer| self.pool(store, support, layer)).collect()
    }

    /// The residuals of layer number `layer` of a sample, row-major `[positions, channels]`.
    pub fn rows(
        self,
        store: &FeatureStore,
        id: SampleId,
        layer: usize,
        pool: Option<&Points<f32>>,
    ) -> Result<Vec<f32>> {
        let queries = points(store, id, layer)?;
        Ok(match pool {
            Some(pool) => self.against(&queries, pool),
            None => queries.values().to_vec(),
        })
    }

    /// Equation 1: the nearest over all positions of the pool. Of unit vectors the nearest by L2 has the largest cosine.
    fn against(self, queries: &Points<f32>, pool: &Points<f32>) -> Vec<f32> {
        let near = match self.cosine {
            true => nearest(&unit(pool), &unit(queries), 1, false),
            false => nearest(pool, queries, 1, false),
        };
        let pairs = queries.rows().zip(near).flat_map(|(row, near)| row.iter().zip(pool.row(near.index)));
        let difference = pairs.map(|(&x, &y)| f64::from(x) - f64::from(y));
        let squared = self.residual == Residual::Squared;
        difference.map(|d| if squared { d * d } else { d } as f32).collect()
    }
}

/// One point a position of a layer.
pub(crate) fn points(store: &FeatureStore, id: SampleId, layer: usize) -> Result<Points<f32>> {
    let (shape, map) = store.get(id)?.layer(layer);
    let positions = shape.positions();
    let rows = (0..positions).flat_map(|p| map[p..].iter().step_by(positions));
    Ok(Points::from_values(rows.copied().collect(), shape.channels))
}

/// The points scaled to length 1; a zero stays.
pub(crate) fn unit(points: &Points<f32>) -> Points {
    let row = |row: &[f32]| {
        let row = row.iter().map(|&v| f64::from(v));
        let length = row.clone().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        row.map(|v| v / length).collect::<Vec<_>>()
    };
    Points::from_values(points.rows().flat_map(row).collect(), points.dim())
}

#[cfg(test)]
mod tests {
    use super::*;

    // import torch; q = torch.sin(torch.arange(12.) * 0.7).reshape(4, 3); p = torch.cos(torch.arange(15.) * 0.4).reshape(5, 3)
    // d = q - p[torch.cdist(q, p).argmin(1)]; print(d[1], (d ** 2)[3])
    #[test]
    fn residuals_are_those_of_brute_force_in_pytorch() {
        let queries = Points::from_values((0..12).map(|i| (f64::from(i) * 0.7).sin() as f32).collect(), 3);
        let pool = Points::from_values((0..15).map(|i| (f64::from(i) * 0.4).cos() as f32).collect(), 3);
        let near = |got: &[f32], want: [f32; 3]| got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6);
        let residual = |residual| Matching::by_distance(residual).against(&queries, &pool);
        let signed = residual(Residual::Signed);
        assert!(near(&signed[3..6], SIGNED), "{signed:?}");
        let squared = residual(Residual::Squared);
        assert!(near(&squared[9..], SQUARED), "{squared:?}");
    }

    // p = p * torch.tensor([0.2, 0.2, 0.2, 0.2, 0.2])[:, None]
    // c = q - p[(torch.nn.functional.normalize(q) @ torch.nn.functional.normalize(p).T).argmax(1)]; print(c)
    #[test]
    fn the_nearest_by_cosine_is_pytorchs() {
        let queries = Points::from_values((0..12).map(|i| (f64::from(i) * 0.7).sin() as f32).collect(), 3);
        let length = |i: u32| [0.2, 0.2, 0.2, 0.2, 0.2][i as usize / 3];
        let pool = Points::from_values((0..15).map(|i| (length(i) * (f64::from(i) * 0.4).cos()) as f32).collect(), 3);
        let got = Matching { residual: Residual::Signed, cosine: true }.against(&queries, &pool);
        assert!(got.iter().zip(COSINE).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?}");
        assert_ne!(got, Matching::by_distance(Residual::Signed).against(&queries, &pool));
    }

    const COSINE: [f32; 12] = [
        -0.01749983,
        0.5505143,
        0.8303366,
        0.7907379,
        0.3408281,
        -0.2675539,
        -0.7240969,
        -0.7940081,
        -0.4316078,
        -0.000686219,
        0.5632832,
        0.833055,
    ];
    const SIGNED: [f32; 3] = [0.50085175, 0.36418775, 0.06536362];
    const SQUARED: [f32; 3] = [0.00499645, 0.03552082, 0.04519977];
}
