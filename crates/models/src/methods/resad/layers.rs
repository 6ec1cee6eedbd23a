//! The trained part: a constraintor and a flow for every layer of the backbone.

use candle_core::{Tensor, Var};
use zsad_backbones::LayerShape;
use zsad_core::{Device, Operator, Operators, rng::stream};
use zsad_nn::flow::{Condition, ConditionalFlow, FlowConfig, position_embedding};
use zsad_nn::{Init, ParamStore, Result};

use super::constraintor::Constraintor;
use super::params::FlowParams;

/// Positions that go through a flow at once: enough to keep the processor busy, few enough to stay small.
pub(crate) const CHUNK: usize = 1024;

/// What constraintors and flows, their losses and their training compute with.
pub(crate) const OPERATORS: Operators = Operators::of(&[
    Operator::Linear,
    Operator::Conv2d,
    Operator::Norm,
    Operator::Coupling,
    Operator::Adam,
    Operator::Own,
]);

/// One layer.
pub(crate) struct FeatureLayer {
    pub constraintor: Constraintor,
    flow: ConditionalFlow,
    /// What log-likelihoods are relative to, such as the greatest of a normal in training, `[1]`.
    pub max_log_likelihood: Var,
    channels: usize,
    condition: usize,
}

/// All layers, with their parameters.
pub(crate) struct FeatureLayers {
    pub layers: Vec<FeatureLayer>,
    pub store: ParamStore,
}

impl FeatureLayers {
    /// Fresh layers of so many `channels`, drawn from `seed`.
    pub fn new(params: &FlowParams, channels: &[usize], device: Device, seed: u64) -> Result<Self> {
        let mut store = ParamStore::on(device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "resad")]);
        let mut b = store.builder(&mut rng);
        let layer = |(i, &channels): (usize, &usize)| {
            let config = FlowConfig {
                channels,
                condition: params.condition,
                hidden: params.hidden.number(),
                couplings: params.couplings,
                clamp: params.clamp,
            };
            let mut b = b.scope(i);
            Ok(FeatureLayer {
                constraintor: Constraintor::new(&mut b.scope("constraintor"), channels, params.constraintor)?,
                flow: ConditionalFlow::new(&mut b.scope("flow"), &config)?,
                max_log_likelihood: b.buffer("peak", &[1], Init::ZEROS)?,
                channels,
                condition: config.condition,
            })
        };
        let layers = channels.iter().enumerate().map(layer).collect::<Result<_>>()?;
        Ok(FeatureLayers { layers, store })
    }

    /// Channels of every layer.
    pub fn channels(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.channels).collect()
    }

    /// The position embeddings of maps of these shapes, `[positions, condition]` each.
    pub fn embeddings(&self, shapes: &[LayerShape]) -> Result<Vec<Tensor>> {
        let embed = |(layer, s): (&FeatureLayer, &LayerShape)| {
            position_embedding(s.height, s.width, layer.condition, self.store.dtype(), self.store.device())
        };
        self.layers.iter().zip(shapes).map(embed).collect()
    }

    /// Sets what every layer's log-likelihoods are relative to.
    pub fn set_max_log_likelihoods(&self, values: impl IntoIterator<Item = f64>) -> Result<()> {
        for (layer, value) in self.layers.iter().zip(values) {
            let value = Tensor::new(&[value], self.store.device())?.to_dtype(self.store.dtype())?;
            layer.max_log_likelihood.set(&value)?;
        }
        Ok(())
    }
}

impl FeatureLayer {
    /// What log-likelihoods are relative to.
    pub fn max_log_likelihood(&self) -> Result<f64> {
        Ok(f64::from(self.max_log_likelihood.to_vec1::<f32>()?[0]))
    }

    /// The flow's image z `[n, channels]` of constrained features, and its log-determinant `[n]`.
    pub fn transform(&self, features: &Tensor, embedding: &Tensor, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let rows = Tensor::new(positions, features.device())?;
        self.flow.forward(features, Condition { table: embedding, rows: &rows })
    }

    /// log p per channel of constrained features `[n, channels]`, at `positions` of the embedding: `[n]`.
    pub fn log_likelihood(&self, features: &Tensor, embedding: &Tensor, positions: &[u32]) -> Result<Tensor> {
        let rows = Tensor::new(positions, features.device())?;
        let likelihood = self.flow.log_likelihood(features, Condition { table: embedding, rows: &rows })?;
        Ok((likelihood / self.channels as f64)?)
    }

    /// The constrained residuals of one image, detached, in chunks of at most [`CHUNK`] rows with their positions.
    pub fn chunks(&self, rows: Vec<f32>, shape: LayerShape) -> Result<Vec<(Tensor, Vec<u32>)>> {
        let rows = Tensor::from_vec(rows, (shape.positions(), shape.channels), self.max_log_likelihood.device())?;
        let constrained = self.constraintor.forward(&rows, shape, false)?.detach();
        let chunk = |start: usize| {
            let n = CHUNK.min(shape.positions() - start);
            let positions = (start as u32..(start + n) as u32).collect();
            Ok((constrained.narrow(0, start, n)?.contiguous()?, positions))
        };
        (0..shape.positions()).step_by(CHUNK).map(chunk).collect()
    }
}
