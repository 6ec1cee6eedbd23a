//! Internal contrastive learning: a window of a row's features against the rest of the same row.

use candle_core::{D, Tensor};
use zsad_core::{Accepts, DatasetInfo, Error, MethodSpec, Operator, Operators, Result};
use zsad_nn::nets::{Mlp, MlpConfig};
use zsad_nn::{Pass, params::Builder};

use crate::families::pooled::{Pooled, PooledMethod, PooledModel, PooledStep};
use crate::trained::detector::Model;
use crate::trained::hyperparams::PooledParams;
use crate::trained::spec::NetworkSpec;

/// The registry's entry.
pub const DEF: Pooled<Icl> = Pooled::new(&SPEC);

static SPEC: MethodSpec = MethodSpec {
    name: "icl",
    version: 1,
    summary: "pooled training to tell which window of features completes a row, no adaptation; score: that loss",
    citation: "Shenkar, Wolf: Anomaly Detection for Tabular Data with Internal Contrastive Learning, ICLR 2022",
    accepts: Accepts::ROWS,
};

zsad_core::params! {
    /// InfoNCE between every window of k consecutive features and its complement, among the windows of one row;
    /// see [`DEF`].
    pub struct Icl {
        /// features in a window; auto: 2 up to 40 features, 10 up to 160, else d − 150
        window: Option<usize> = None, in 1..;
        /// hidden widths of the two encoders, each linear and ReLU
        hidden: Vec<usize> = vec![200], in 1..=1 << 16;
        /// dimensions of the codes
        latent: usize = 128, in 1..;
        /// its training
        training: PooledParams = PooledParams { epochs: 100, batch: 64, ..PooledParams::default() };
        /// temperature of the contrastive loss
        temperature: f64 = 0.01, in 0.0..;
        /// end once an epoch's mean loss is below; auto: 0.001, or 0.01 above 40 features
        stop_loss: Option<f64> = None, in 0.0..;
    }
}

impl Icl {
    /// Window and least loss for `d` features, by the published rules where nothing is said.
    fn rules(&self, d: usize) -> (usize, f64) {
        let window = match d {
            ..=40 => 2,
            41..=160 => 10,
            _ => d - 150,
        };
        (self.window.unwrap_or(window), self.stop_loss.unwrap_or(if d > 40 { 1e-2 } else { 1e-3 }))
    }
}

impl PooledMethod for Icl {
    type Model = Contrast;

    fn settle(&mut self, info: &DatasetInfo) -> Result<NetworkSpec> {
        let d = info.modality.shape().iter().product();
        let (window, stop_loss) = self.rules(d);
        if d < 3 || window >= d {
            return Err(Error::refused(format!(
                "a window of {window} leaves nothing of {d} features to contrast it with"
            )));
        }
        (self.window, self.stop_loss) = (Some(window), Some(stop_loss));
        Ok(NetworkSpec::perceptron(vec![d], self.hidden.clone(), self.latent))
    }

    fn training(&self) -> &PooledParams {
        &self.training
    }

    fn build(&self, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Contrast> {
        let d = spec.input[0];
        let (window, stop) = self.rules(d);
        let encoder = |d| MlpConfig::plain(d, &spec.hidden, spec.latent, true);
        let inner = Mlp::new(&mut b.scope("inner"), &encoder(window))?;
        let outer = Mlp::new(&mut b.scope("outer"), &encoder(d - window))?;
        Ok(Contrast { inner, outer, d, window, temperature: self.temperature, stop })
    }
}

/// Encoders of windows and of what is outside them.
pub struct Contrast {
    /// Of the windows.
    inner: Mlp,
    /// Of what is outside them.
    outer: Mlp,
    d: usize,
    window: usize,
    temperature: f64,
    stop: f64,
}

impl Contrast {
    /// Unit codes `[n, windows, latent]` of the columns that `of` picks for each window.
    fn codes(&self, net: &Mlp, x: &Tensor, of: impl Fn(usize, usize) -> bool) -> zsad_nn::Result<Tensor> {
        let (n, windows) = (x.dims()[0], self.d - self.window + 1);
        let columns: Vec<u32> = (0..windows)
            .flat_map(|w| (0..self.d).filter(|&j| of(w, j)).map(|j| j as u32).collect::<Vec<_>>())
            .collect();
        let width = columns.len() / windows;
        let columns = Tensor::new(columns, x.device())?;
        let parts = x.contiguous()?.index_select(&columns, 1)?.reshape((n * windows, width))?;
        let z = net.forward(&parts, Pass::train(1))?;
        let norm = z.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
        Ok(z.broadcast_div(&norm)?.reshape((n, windows, ()))?)
    }

    /// InfoNCE of every row, averaged over its windows: `[n]`.
    fn losses(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        let inside = |w: usize, j: usize| (w..w + self.window).contains(&j);
        let inner = self.codes(&self.inner, x, inside)?;
        let outer = self.codes(&self.outer, x, |w, j| !inside(w, j))?;
        let similarity = (inner.matmul(&outer.t()?.contiguous()?)? / self.temperature)?;
        let own = ((inner * outer)?.sum(D::Minus1)? / self.temperature)?;
        Ok((similarity.log_sum_exp(D::Minus1)? - own)?.mean(D::Minus1)?)
    }
}

impl Model for Contrast {
    const OPERATORS: Operators = Operators::of(&[Operator::Linear, Operator::Norm, Operator::Own]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        self.losses(x)
    }
}

impl PooledModel for Contrast {
    fn loss(&self, x: &Tensor, _: PooledStep) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x)?.mean(D::Minus1)?)
    }

    fn early_stop_loss(&self) -> Option<f64> {
        Some(self.stop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trained::golden::{assert_close, built, params, wave};

    /// ```python
    /// f, g = mlp(2, [4], 3, final=False, norm=False), mlp(3, [4], 3, final=False, norm=False)
    /// fill([*f.parameters(), *g.parameters()])
    /// for row in wave(4, 5):
    ///     a = torch.stack([row[i:i + 2] for i in range(4)])
    ///     b = torch.stack([torch.cat([row[:i], row[i + 2:]]) for i in range(4)])
    ///     logits = F.normalize(f(a), dim=1) @ F.normalize(g(b), dim=1).T / 0.1
    ///     print(F.cross_entropy(logits, torch.arange(4)))
    /// ```
    #[test]
    fn losses_are_those_of_torch() {
        let spec = NetworkSpec::perceptron(vec![5], vec![4], 3);
        let (_, model) = built(|b| params::<Icl>(json!({"temperature": 0.1})).build(&spec, b));
        assert_close(&model.scores(&wave(&[4, 5])).unwrap(), &[2.56827334, 4.47125696, 4.03780736, 5.00979666]);
    }

    #[test]
    fn the_window_follows_the_published_rule() {
        let auto = Icl::default();
        assert_eq!([6, 40, 41, 160, 161, 570].map(|d| auto.rules(d).0), [2, 2, 10, 10, 11, 420]);
    }
}
