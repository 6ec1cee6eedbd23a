//! The trained part: a constraintor and a flow for every layer of the backbone.

use candle_core::{DType, Tensor, Var};
use zsad_core::{Device, Params, rng::stream};
use zsad_nn::backbones::LayerShape;
use zsad_nn::flow::{Condition, ConditionalFlow, FlowConfig, position_embedding};
use zsad_nn::optim::Gradients;
use zsad_nn::{Init, ParamStore, Result};

use super::constraintor::Constraintor;

/// Positions that go through a flow at once: enough to keep the processor busy, few enough to stay small.
pub(crate) const CHUNK: usize = 1024;

/// One layer.
pub(crate) struct Level {
    pub constraintor: Constraintor,
    flow: ConditionalFlow,
    /// The greatest log-likelihood of a normal in training, `[1]`.
    pub peak: Var,
    channels: usize,
    condition: usize,
}

/// All layers, with their parameters.
pub(crate) struct Levels {
    pub levels: Vec<Level>,
    pub store: ParamStore,
}

impl Levels {
    /// Fresh layers of so many `channels`, drawn from `seed`.
    pub fn new(params: &Params, channels: &[usize], device: Device, seed: u64) -> Result<Self> {
        let mut store = ParamStore::new(&zsad_nn::device::open(device)?, DType::F32);
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "resad")]);
        let mut b = store.builder(&mut rng);
        let level = |(i, &channels): (usize, &usize)| {
            let config = FlowConfig {
                channels,
                condition: params.size("condition"),
                hidden: params.opt_int("hidden").map(|n| n as usize),
                couplings: params.size("couplings"),
                clamp: params.float("clamp"),
            };
            let mut b = b.scope(i);
            let three = params.text("constraintor") == "conv3x3";
            Ok(Level {
                constraintor: Constraintor::new(&mut b.scope("constraintor"), channels, three)?,
                flow: ConditionalFlow::new(&mut b.scope("flow"), &config)?,
                peak: b.buffer("peak", &[1], Init::ZEROS)?,
                channels,
                condition: config.condition,
            })
        };
        let levels = channels.iter().enumerate().map(level).collect::<Result<_>>()?;
        Ok(Levels { levels, store })
    }

    /// Channels of every layer.
    pub fn channels(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.channels).collect()
    }

    /// The value of a loss, and its gradients.
    pub fn gradients(&self, loss: &Tensor) -> Result<(f64, Gradients)> {
        let mut gradients = loss.backward()?;
        let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        Ok((value, self.store.trainable().map(|p| gradients.remove(&p.var)).collect()))
    }

    /// The position embeddings of maps of these shapes, `[positions, condition]` each.
    pub fn embeddings(&self, shapes: &[LayerShape]) -> Result<Vec<Tensor>> {
        let embed = |(level, s): (&Level, &LayerShape)| {
            position_embedding(s.height, s.width, level.condition, self.store.dtype(), self.store.device())
        };
        self.levels.iter().zip(shapes).map(embed).collect()
    }
}

impl Level {
    /// The flow's image z `[n, channels]` of constrained features, and its log-determinant `[n]`.
    pub fn transform(&self, features: &Tensor, embedding: &Tensor, places: &[u32]) -> Result<(Tensor, Tensor)> {
        let rows = Tensor::new(places, features.device())?;
        self.flow.forward(features, Condition { table: embedding, rows: &rows })
    }

    /// log p per channel of constrained features `[n, channels]`, at positions `places` of the embedding: `[n]`.
    pub fn likelihood(&self, features: &Tensor, embedding: &Tensor, places: &[u32]) -> Result<Tensor> {
        let rows = Tensor::new(places, features.device())?;
        let likelihood = self.flow.log_likelihood(features, Condition { table: embedding, rows: &rows })?;
        Ok((likelihood / self.channels as f64)?)
    }
}
