//! Scale learning: how much does a group of columns say, seen through a random map of their values?

use candle_core::{D, Tensor, Var};
use rand::RngExt;
use rand::seq::SliceRandom;
use zsad_core::rng::Rng;
use zsad_core::{Accepts, DatasetInfo, MethodSpec, Operator, Operators, Result};
use zsad_nn::{Init, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::pool::PoolSource;
use crate::trained::rows::log_softmax;
use crate::trained::spec::NetworkSpec;
use crate::trained::stack::Stack;
use crate::trained::standard::Standard;

/// The registry's entry.
pub const DEF: Pooled<Slad> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "slad",
    version: 1,
    summary: "pooled training to rank groups of columns by what they say, no adaptation; score: that loss",
    citation: "Xu, Wang, Wei, Jian, Li, Liu: Fascinating Supervisory Signals and Where to Find Them: Deep Anomaly Detection \
               with Scale Learning, ICML 2023",
    accepts: Accepts::ROWS,
};

zsad_core::choices! {
    /// What is computed of two distributions.
    pub enum ScaleLoss {
        /// The released formula, which takes logarithms of the softmax of probabilities: its least is not at their equality.
        Released = "released",
        /// Twice their Jensen–Shannon divergence, as the paper has it.
        JensenShannon = "js",
    }
}

zsad_core::params! {
    /// Groups of columns and their scales, on rows in units of the pool; see [`DEF`].
    ///
    /// The release draws 20 · max(10, ⌊n/20⌋ · factor) pairs of a row and a member of its ensemble once (factor 5 from 1,000
    /// rows, 2 from 5,000) and passes over them 100 times. Here every step draws a member for each row of a mini-batch: as
    /// many updates are 100 · factor passes over the rows.
    pub struct Slad {
        /// members of the ensemble, each a set of groups
        members: usize = 20, in 1..=1 << 10;
        /// groups of columns in a member
        groups: usize = 10, in 2..=1 << 10;
        /// sizes of groups to choose from, at most
        sizes: usize = 50, in 1..;
        /// dimensions that a group's values are mapped to
        map_dim: usize = 128, in 1..;
        /// factor of the scales
        magnify: f64 = 200.0, in 0.0..;
        /// widths of the hidden layers
        hidden: Vec<usize> = vec![100], in 1..=1 << 16;
        /// released: the formula of the code; js: that of the paper
        loss: ScaleLoss = ScaleLoss::Released;
        /// its training
        training: PooledParams = PooledParams { epochs: 500, batch: 128, ..PooledParams::default() };
    }
}

impl PooledMethod for Slad {
    type Model = Scales;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        Ok(NetworkSpec::perceptron(info.modality.shape(), self.hidden.clone(), 1))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Scales> {
        let d: usize = spec.input.iter().product();
        let standard = Standard::new(d, b)?;
        let maps = b.buffer("maps", &[self.members, d, self.groups * self.map_dim], Init::ZEROS)?;
        let scales = b.buffer("scales", &[self.members, self.groups], Init::ZEROS)?;
        let widths = [&[self.map_dim], &spec.hidden[..], &[spec.latent]].concat();
        let network = Stack::new(&widths, 0.01, |_, _| Init::TorchWeight, &mut b.scope("net"))?;
        let (sizes, magnify, loss) = (self.sizes.min(d), self.magnify, self.loss);
        Ok(Scales { standard, maps, scales, network, sizes, magnify, loss })
    }
}

/// Groups of columns, what each says, and a network that is to know it.
pub struct Scales {
    standard: Standard,
    /// By member, what takes a row to its groups' mapped values: `[members, d, groups · map_dim]`.
    maps: Var,
    /// By member and group, the scale that the network is to find: `[members, groups]`.
    scales: Var,
    network: Stack,
    sizes: usize,
    magnify: f64,
    loss: ScaleLoss,
}

impl Scales {
    /// Losses `[n]` of standardised rows under one member.
    fn losses(&self, x: &Tensor, member: usize) -> zsad_nn::Result<Tensor> {
        let (n, groups) = (x.dims()[0], self.scales.dims()[1]);
        let mapped = x.matmul(&self.maps.as_tensor().detach().get(member)?)?.reshape((n * groups, ()))?;
        let found = self.network.forward(&mapped)?.reshape((n, groups))?;
        let wanted = self.scales.as_tensor().detach().narrow(0, member, 1)?;
        self.divergence(&found, &wanted.broadcast_as((n, groups))?.contiguous()?)
    }

    /// How far the softmax of `found` is from that of `wanted`, `[n, groups]` each: `[n]`.
    fn divergence(&self, found: &Tensor, wanted: &Tensor) -> zsad_nn::Result<Tensor> {
        let (found, wanted) = (log_softmax(found)?, log_softmax(wanted)?);
        let (p, q) = (found.exp()?, wanted.exp()?);
        let middle = ((&p + &q)? * 0.5)?;
        // Scales lie far apart, so that shares round to 0, whose part of the sum is 0.
        let log_middle = (&middle + 1e-30)?.log()?;
        match self.loss {
            ScaleLoss::Released => {
                let logs = (log_softmax(&p)? + log_softmax(&q)?)?;
                Ok((middle * ((log_middle * 2.0)? - logs)?)?.sum(D::Minus1)?)
            }
            ScaleLoss::JensenShannon => {
                let kl = |p: &Tensor, log: &Tensor| p.mul(&(log - &log_middle)?)?.sum(D::Minus1);
                Ok((kl(&p, &found)? + kl(&q, &wanted)?)?)
            }
        }
    }

    /// Draws groups of columns and their maps; a group's scale is the sum of its columns' weights.
    fn draw(&self, weights: &[f64], rng: &mut Rng) -> zsad_nn::Result<()> {
        let (members, d, wide) = self.maps.dims3()?;
        let groups = self.scales.dims()[1];
        let width = wide / groups;
        let mut sizes: Vec<usize> = (1..=d).collect();
        sizes.shuffle(rng);
        sizes.truncate(self.sizes);
        // One map for each size: its i-th row is for the group's i-th column.
        let maps: Vec<Vec<f32>> = sizes.iter().map(|&size| Init::TorchWeight.draw(&[width, size], rng)).collect();
        let mut all = vec![0f32; members * d * wide];
        let mut scales = Vec::with_capacity(members * groups);
        for member in all.chunks_mut(d * wide) {
            for group in 0..groups {
                let chosen = rng.random_range(0..sizes.len());
                let size = sizes[chosen];
                // As released: with repetition where there are few columns.
                let columns: Vec<usize> = if d <= 10 {
                    (0..size).map(|_| rng.random_range(0..d)).collect()
                } else {
                    rand::seq::index::sample(rng, d, size).into_vec()
                };
                for (i, &column) in columns.iter().enumerate() {
                    let to = &mut member[column * wide + group * width..][..width];
                    to.iter_mut().enumerate().for_each(|(k, to)| *to += maps[chosen][k * size + i]);
                }
                let weight: f64 = columns.iter().map(|&column| weights[column]).sum();
                scales.push((weight / width as f64 * self.magnify) as f32);
            }
        }
        self.maps.set(&Tensor::from_vec(all, (members, d, wide), self.maps.device())?)?;
        Ok(self.scales.set(&Tensor::from_vec(scales, (members, groups), self.scales.device())?)?)
    }
}

/// What a column says: its mean absolute correlation with all columns, scaled so that the least is 0 and the most 1; all 1
/// from 50 columns, or where they are alike. `products` are the mean products of standardised columns, `[d, d]`.
fn weights(products: &[Vec<f64>]) -> Vec<f64> {
    let d = products.len();
    let means: Vec<f64> = products.iter().map(|row| row.iter().map(|c| c.abs()).sum::<f64>() / d as f64).collect();
    let (least, most) = means.iter().fold((f64::MAX, f64::MIN), |(lo, hi), &m| (lo.min(m), hi.max(m)));
    if d >= 50 || most - least < 1e-12 {
        return vec![1.0; d];
    }
    means.iter().map(|m| (m - least) / (most - least)).collect()
}

impl Model for Scales {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Own]);

    /// The mean over members.
    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let (x, members) = (self.standard.apply(x)?, self.maps.dims()[0]);
        let mut sum = self.losses(&x, 0)?;
        for member in 1..members {
            sum = (sum + self.losses(&x, member)?)?;
        }
        Ok((sum / members as f64)?)
    }
}

impl PooledModel for Scales {
    fn on_train_start(&self, pool: &PoolSource) -> zsad_nn::Result<()> {
        self.standard.learn(pool)?;
        let d = self.maps.dims()[1];
        let mut products = vec![vec![0.0; d]; d];
        for x in pool.batches() {
            for row in self.standard.apply(&x?)?.to_vec2::<f32>()? {
                for (sums, &a) in products.iter_mut().zip(&row) {
                    sums.iter_mut().zip(&row).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
                }
            }
        }
        let n = pool.len() as f64;
        products.iter_mut().flatten().for_each(|sum| *sum /= n);
        self.draw(&weights(&products), &mut pool.stream("scales"))
    }

    fn loss(&self, x: &Tensor, mut step: PooledStep) -> zsad_nn::Result<Tensor> {
        let x = self.standard.apply(x)?;
        let (n, members) = (x.dims()[0], self.maps.dims()[0]);
        let mut of: Vec<Vec<u32>> = vec![Vec::new(); members];
        (0..n as u32).for_each(|row| of[step.rng.random_range(0..members)].push(row));
        let chosen = of.iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        let losses = chosen.map(|(member, rows)| {
            let rows = x.index_select(&Tensor::new(&rows[..], x.device())?, 0)?;
            self.losses(&rows, member)
        });
        Ok(Tensor::cat(&losses.collect::<zsad_nn::Result<Vec<_>>>()?, 0)?.mean(0)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    fn scales(loss: &str) -> Scales {
        let spec = NetworkSpec::perceptron(vec![3], vec![4], 1);
        let given = json!({"members": 2, "groups": 3, "map_dim": 2, "loss": loss});
        built(|b| params::<Slad>(given).build(&spec, b)).1
    }

    /// With the released `SLADLoss`, and SciPy for the divergence:
    /// ```python
    /// p, q = torch.tensor([[.5, -1, 2]]), torch.tensor([[1., 0, 3]])
    /// print(SLADLoss()(p, q), 2 * scipy.spatial.distance.jensenshannon(p[0].softmax(0), q[0].softmax(0)) ** 2)
    /// ```
    #[test]
    fn both_losses_are_those_of_their_sources() {
        let row = |values: [f32; 3]| Tensor::new(&[values], &candle_core::Device::Cpu).unwrap();
        let of = |loss| scales(loss).divergence(&row([0.5, -1.0, 2.0]), &row([1.0, 0.0, 3.0])).unwrap();
        assert_close(&of("released"), &[0.4628671512]);
        assert_close(&of("js"), &[0.00758703886]);
        // Shares that round to 0: two distributions that have nothing in common.
        let apart = scales("js").divergence(&row([500.0, 0.0, 0.0]), &row([0.0, 500.0, 0.0])).unwrap();
        assert_close(&apart, &[2.0 * 2f64.ln()]);
    }

    /// ```python
    /// x = wave(8, 3); w = np.abs(np.corrcoef(x.T)).mean(1); print((w - w.min()) / (w.max() - w.min()))
    /// ```
    #[test]
    fn columns_weigh_what_they_say_of_others() {
        let x: Vec<Vec<f64>> =
            wave(&[8, 3]).to_vec2::<f32>().unwrap().iter().map(|r| r.iter().map(|&v| v.into()).collect()).collect();
        let column = |j: usize| {
            let values: Vec<f64> = x.iter().map(|row| row[j]).collect();
            let mean = values.iter().sum::<f64>() / 8.0;
            let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
            values.iter().map(|v| (v - mean) / deviation).collect::<Vec<_>>()
        };
        let columns = [column(0), column(1), column(2)];
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / 8.0;
        let products: Vec<Vec<f64>> = columns.iter().map(|a| columns.iter().map(|b| product(a, b)).collect()).collect();
        for (got, want) in weights(&products).iter().zip([0.0, 1.0, 0.109949934]) {
            assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        }
        assert_eq!(weights(&vec![vec![1.0; 2]; 2]), [1.0, 1.0]);
        assert_eq!(weights(&vec![vec![0.5; 50]; 50]), [1.0; 50]);
    }

    /// A group's mapped values are sums over its columns, and its scale that of their weights.
    #[test]
    fn groups_are_sums_of_columns() {
        let model = scales("js");
        model.draw(&[1.0, 0.0, 0.0], &mut zsad_core::rng::stream(3, &[])).unwrap();
        let maps: Vec<f32> = model.maps.flatten_all().unwrap().to_vec1().unwrap();
        let scales: Vec<f32> = model.scales.flatten_all().unwrap().to_vec1().unwrap();
        assert!(maps.iter().any(|&v| v != 0.0));
        for (at, scale) in scales.iter().enumerate() {
            let (member, group) = (at / 3, at % 3);
            // Column 0 of the member, the group's two dimensions: no value where no copy of the column is in the group.
            let of = &maps[member * 18 + group * 2..][..2];
            let copies = scale / (200.0 / 2.0);
            assert!((copies - copies.round()).abs() < 1e-5 && copies <= 3.0, "{scale}");
            assert_eq!(copies.round() == 0.0, of == [0.0, 0.0], "{of:?} {scale}");
        }
    }
}
