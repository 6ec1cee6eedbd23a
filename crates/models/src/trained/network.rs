//! Networks of layers, as their spec says.

use candle_core::Tensor;
use zsad_core::{Operator, Operators};
use zsad_nn::layers::{LinearInit, NormConfig, NormMode};
use zsad_nn::nets::{ConvNet, ConvNetConfig, Mlp, MlpConfig};
use zsad_nn::{Init, Pass, params::Builder};

use super::spec::{Backbone, HeadKind, NetworkSpec, Norm, NormPosition};

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Training on so many stacked tasks, each with its own batch statistics.
    Tasks(usize),
    /// One batch, whose statistics enter the running ones where those are kept.
    Pooled,
    /// Scoring of one batch.
    Score,
}

impl Phase {
    /// The layers' word for it.
    pub fn pass(self) -> Pass {
        match self {
            Phase::Tasks(n) => Pass::train(n),
            Phase::Pooled => Pass::train(1),
            Phase::Score => Pass::eval(1),
        }
    }
}

/// A network in two views on the same weights: where it keeps running statistics, meta-training normalises each task
/// by its own and leaves the running ones alone, since tasks pass in parallel.
#[derive(Debug, Clone)]
pub struct Network {
    tasks: Net,
    other: Net,
}

#[derive(Debug, Clone)]
enum Net {
    Mlp(Mlp),
    Conv(ConvNet),
}

impl Network {
    /// What a network of any spec computes with.
    pub const OPERATORS: Operators =
        Operators::of(&[Operator::Conv2d, Operator::Linear, Operator::Norm, Operator::Pool]);

    /// Registers the parameters of `spec`.
    pub fn new(b: &mut Builder, spec: &NetworkSpec) -> zsad_nn::Result<Self> {
        let mode = spec.norm.mode();
        let affine = mode != NormMode::None && spec.style != HeadKind::FixedCentre;
        let shape = |norm: NormConfig| NormConfig { mode, affine, ..norm };
        // After the mean over space there is nothing left that instance norm could take statistics over.
        let last = |norm: Option<NormConfig>| {
            norm.map(shape).filter(|_| spec.style == HeadKind::Adapted && spec.norm != Norm::Instance)
        };
        let other = match (spec.backbone, spec.input.as_slice()) {
            (Backbone::OmniglotCnn | Backbone::Cnn4, &[c, h, w]) => {
                let input = [c, h, w];
                let published = match spec.backbone {
                    Backbone::Cnn4 => ConvNetConfig::cnn4(input),
                    _ => ConvNetConfig::omniglot(input),
                };
                let head = if spec.style == HeadKind::FixedCentre {
                    Some(LinearInit { weight: Init::TorchWeight, bias: None })
                } else {
                    published.head
                };
                Net::Conv(ConvNet::new(
                    b,
                    &ConvNetConfig {
                        filters: spec.hidden.clone(),
                        output: spec.latent,
                        norm: shape(published.norm),
                        final_norm: last(published.final_norm),
                        head,
                        ..published
                    },
                )?)
            }
            _ => {
                let published = MlpConfig::acr(spec.input.iter().product(), &spec.hidden, spec.latent);
                let (norm, final_norm) = (shape(published.norm), last(published.final_norm));
                Net::Mlp(Mlp::new(
                    b,
                    &MlpConfig { norm, final_norm, bias: spec.style != HeadKind::FixedCentre, ..published },
                )?)
            }
        };
        let other = other.only_at(spec.norm_position);
        Ok(Network { tasks: other.clone().without_running(), other })
    }

    /// `[n, shape…]` → `[n, latent]`.
    pub fn forward(&self, x: &Tensor, phase: Phase) -> zsad_nn::Result<Tensor> {
        match if matches!(phase, Phase::Tasks(_)) { &self.tasks } else { &self.other } {
            Net::Mlp(net) => net.forward(&x.flatten_from(1)?, phase.pass()),
            Net::Conv(net) => net.forward(x, phase.pass()),
        }
    }
}

impl Net {
    /// The norms in forward order.
    fn norms(&mut self) -> Vec<&mut zsad_nn::layers::Norm> {
        match self {
            Net::Mlp(net) => net.blocks.iter_mut().map(|b| &mut b.1).chain(net.head.1.as_mut()).collect(),
            Net::Conv(net) => net.blocks.iter_mut().map(|b| &mut b.1).chain(net.head.1.as_mut()).collect(),
        }
    }

    /// Takes the statistics, not gain and offset, from all norms but the one that is to stay.
    fn only_at(mut self, position: NormPosition) -> Self {
        let stays = match position {
            NormPosition::All => return self,
            NormPosition::First => 0,
            NormPosition::Last => self.norms().len().saturating_sub(1),
        };
        for (_, norm) in self.norms().into_iter().enumerate().filter(|(i, _)| *i != stays) {
            norm.mode = NormMode::None;
        }
        self
    }

    fn without_running(mut self) -> Self {
        for norm in self.norms() {
            if norm.mode == NormMode::Running {
                norm.mode = NormMode::BatchStats;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use zsad_core::rng::stream;
    use zsad_nn::ParamStore;

    use super::*;
    use crate::trained::golden::{assert_close, built, perceptron, wave};

    /// ```python
    /// def net(first, last):
    ///     plain = lambda x: x
    ///     l1, n1, l2, n2 = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2), nn.BatchNorm1d(2)
    ///     fill([*l1.parameters(), *n1.parameters(), *l2.parameters(), *n2.parameters()])
    ///     norm = lambda n, on, x: n(x) if on else x * n.weight + n.bias
    ///     return lambda x: norm(n2, last, l2(F.relu(norm(n1, first, l1(x)))))
    /// x = wave(5, 3); print(net(True, False)(x)[:2], net(False, True)(x)[:2])
    /// ```
    #[test]
    fn a_norm_in_one_place_leaves_gain_and_offset_in_the_others() {
        let first_rows = |norm_position| {
            let spec = NetworkSpec { norm_position, ..perceptron(3, &[4], 2, Norm::BatchStats, HeadKind::Adapted) };
            let (_, network) = built(|b| Network::new(b, &spec));
            network.forward(&wave(&[5, 3]), Phase::Score).unwrap().narrow(0, 0, 2).unwrap()
        };
        assert_close(&first_rows(NormPosition::First), &[0.395404021, -0.0197058136, 0.48172883, -0.0892034152]);
        assert_close(&first_rows(NormPosition::Last), &[0.00507373944, 0.565975541, 0.522204066, -0.0931565336]);
    }

    #[test]
    fn a_cnn_has_the_filters_that_were_asked_for() {
        let count = |hidden: &[usize]| {
            let (backbone, norm, style) = (Backbone::OmniglotCnn, Norm::BatchStats, HeadKind::Adapted);
            let (input, norm_position) = (vec![1, 16, 16], NormPosition::All);
            let spec = NetworkSpec { backbone, input, hidden: hidden.to_vec(), latent: 8, norm, norm_position, style };
            let mut store = ParamStore::new(&Device::Cpu, DType::F32);
            Network::new(&mut store.builder(&mut stream(0, &[])), &spec).unwrap();
            let filters = store.iter().filter(|p| p.name.ends_with("conv.bias")).map(|p| p.var.elem_count()).collect();
            (store.count(), filters)
        };
        let block = |input: usize, filters: usize| input * 9 * filters + 3 * filters;
        let head = |filters: usize| filters * 8 + 8 + 2 * 8;
        assert_eq!(count(&[4, 64]), (block(1, 4) + block(4, 64) + head(64), vec![4, 64]));
        assert_eq!(count(&[4, 4]), (block(1, 4) + block(4, 4) + head(4), vec![4, 4]));
    }
}
