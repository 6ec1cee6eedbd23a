//! Learned views of a sample under the contrastive loss.

use candle_core::Tensor;
use zsad_core::{Operator, Operators};
use zsad_nn::nets::NtlViews;
use zsad_nn::{loss::Contrastive, params::Builder};

use super::detector::Model;
use super::network::{Network, Phase};
use super::spec::NetworkSpec;

zsad_core::params! {
    /// Learned views.
    pub struct ViewParams {
        /// learned views
        pub views: usize = 19, in 2..=1 << 10;
        /// hidden widths of a learned view
        pub view_hidden: Vec<usize> = vec![128, 128], in 1..=1 << 16;
        /// temperature of the contrastive loss
        pub temperature: f64 = 0.1, in 0.0..;
    }
}

/// Learned views of flattened samples, and an encoder that sees all views of a batch at once.
pub struct Views {
    views: NtlViews,
    encoder: Network,
    contrastive: Contrastive,
    /// Whether a view is added to the sample rather than taken instead of it.
    residual: bool,
}

impl Views {
    /// Registers `encoder` and `views`.
    pub fn new(params: &ViewParams, residual: bool, spec: &NetworkSpec, b: &mut Builder) -> zsad_nn::Result<Self> {
        let encoder = Network::new(&mut b.scope("encoder"), spec)?;
        let d = spec.input.iter().product();
        let views = NtlViews::new(&mut b.scope("views"), params.views, d, &params.view_hidden)?;
        Ok(Views { views, encoder, contrastive: Contrastive::new(b, params.temperature), residual })
    }

    /// `(L_n, L_a)`, `[n]` each, of `[n, shape…]`.
    pub fn losses(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<(Tensor, Tensor)> {
        let x = x.flatten_from(1)?;
        let mut views = self.views.forward(&x)?;
        let (n, k1, d) = views.dims3()?;
        if self.residual {
            let added = x.unsqueeze(1)?.broadcast_as((n, k1 - 1, d))?;
            let learned = (views.narrow(1, 1, k1 - 1)? + added)?;
            views = Tensor::cat(&[&x.unsqueeze(1)?, &learned], 1)?;
        }
        let z = self.encoder.forward(&views.reshape((n * k1, d))?, phase)?;
        self.contrastive.losses(&z.reshape((n, k1, ()))?)
    }
}

impl Model for Views {
    const OPERATORS: Operators = Network::OPERATORS.and(&[Operator::Contrastive]);

    fn scores(&self, x: &Tensor) -> zsad_nn::Result<Tensor> {
        Ok(self.losses(x, Phase::Score)?.0)
    }
}
