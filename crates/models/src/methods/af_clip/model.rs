//! What is trained, and what it makes of tokens.

use std::sync::Arc;

use candle_core::{D, Tensor, Var};
use serde::{Deserialize, Serialize};
use zsad_backbones::clip::Head;
use zsad_backbones::{Backbone, BackboneKind};
use zsad_core::rng::stream;
use zsad_core::{Choice, Environment, Error, Operator, State};
use zsad_nn::layers::{Linear, LinearInit, Norm, NormConfig, NormMode};
use zsad_nn::{Init, ParamStore, Pass, Result};

use super::prompt::Texts;
use crate::families::prompts::{FrozenLinear, FrozenNorm, Tower, attend, knows_no_texts};

/// Heads of the adapter's attention.
const HEADS: usize = 8;
/// Values of each.
const HEAD: usize = 64;
/// Standard deviation of a learned word at first.
const SPREAD: f64 = 0.01;

/// The network that is looked through, and sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Its word.
    pub backbone: String,
    /// Values of a text's token.
    pub text_width: usize,
    /// Learned words.
    pub words: usize,
}

/// Words and adapter, and the end of the image tower.
pub(super) struct Model {
    /// The network that is looked through.
    pub kind: BackboneKind,
    pub shape: Shape,
    pub store: ParamStore,
    /// `[words, text width]`.
    pub words: Var,
    adapter: Adapter,
    end: Arc<End>,
    /// What the texts come to, once trained: `[2, embedding]`.
    pub directions: Var,
}

struct Adapter {
    norm: Norm,
    qkv: [Linear; 3],
    out: Linear,
}

/// The last norm and the projection of the image tower.
struct End {
    norm: FrozenNorm,
    projection: FrozenLinear,
    width: usize,
}

impl End {
    /// Read once an environment.
    fn open(kind: BackboneKind, env: &Environment) -> zsad_core::Result<Arc<Self>> {
        let path = Backbone::weights_file(kind, &env.data)?;
        env.memo.get_or_make(&format!("{}: end of the image tower", path.display()), || {
            let family = kind.family().filter(|_| kind.has_text());
            let family = family.ok_or_else(|| Error::Config(knows_no_texts(kind)))?;
            let head = Head::of_images(family, &zsad_nn::weights::read(&path)?, &path)?;
            let device = zsad_nn::device::open(env.device)?;
            let (norm, projection) =
                (FrozenNorm::new(&head.norm, &device)?, FrozenLinear::new(&head.projection, &device)?);
            Ok(End { norm, projection, width: head.projection.inputs })
        })
    }
}

impl Model {
    /// Fresh words and a fresh adapter, drawn from `seed`.
    pub fn new(shape: Shape, env: &Environment, seed: u64) -> Result<Self> {
        let unknown = || Error::failed(format!("no backbone is called `{}`", shape.backbone));
        let kind = BackboneKind::from_word(&shape.backbone).ok_or_else(unknown)?;
        let end = End::open(kind, env)?;
        let mut store = ParamStore::on(env.device)?;
        let mut rng = stream(seed, &[("purpose", "init"), ("method", "af_clip")]);
        let mut b = store.builder(&mut rng);
        b.operator(Operator::Own);
        let words = b.add("prompt", &[shape.words, shape.text_width], Init::Normal(0.0, SPREAD))?;
        let adapter = Adapter::new(&mut b.scope("adapter"), end.width)?;
        let directions = b.buffer("directions", &[2, end.projection.outputs()], Init::ZEROS)?;
        Ok(Model { kind, shape, store, words, adapter, end, directions })
    }

    /// What left `state`.
    pub fn restore(state: &State, env: &Environment) -> Result<Self> {
        let model = Model::new(state.entry("shape")?, env, 0)?;
        model.store.restore(state)?;
        Ok(model)
    }

    /// The two directions of unit length, whole and damaged, `[2, embedding]`, with gradients.
    pub fn texts(&self, texts: &Texts, tower: &Tower) -> Result<Tensor> {
        unit(&texts.vectors(&self.words, tower)?)
    }

    /// Keeps what the texts come to now.
    pub fn settle(&self, texts: &Texts, tower: &Tower) -> Result<()> {
        Ok(self.directions.set(&self.texts(texts, tower)?.detach().to_dtype(self.store.dtype())?)?)
    }

    /// The tokens `[sets, tokens, width]` in the space of texts, of unit length: `[sets, tokens, embedding]`.
    pub fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        unit(&self.project(tokens)?)
    }

    /// The same, not of unit length.
    pub fn project(&self, tokens: &Tensor) -> Result<Tensor> {
        self.end.projection.forward(&self.end.norm.forward(&self.adapter.forward(tokens)?)?)
    }
}

impl Adapter {
    fn new(b: &mut zsad_nn::params::Builder, width: usize) -> Result<Self> {
        let norm = Norm::new(&mut b.scope("norm"), width, NormConfig::new(NormMode::Layer))?;
        let plain = LinearInit { weight: Init::TorchWeight, bias: None };
        let mut part = |name: &str| Linear::new(&mut b.scope(name), width, HEADS * HEAD, plain);
        let qkv = [part("to_q")?, part("to_k")?, part("to_v")?];
        let out = Linear::new(&mut b.scope("to_out"), HEADS * HEAD, width, LinearInit::torch(HEADS * HEAD))?;
        Ok(Adapter { norm, qkv, out })
    }

    /// Layer norm, self-attention; nothing is added to what came in.
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (sets, count, width) = tokens.dims3()?;
        let normed = self.norm.forward(&tokens.reshape((sets * count, width))?, Pass::eval(1), false)?;
        let part =
            |i: usize| -> Result<Tensor> { Ok(self.qkv[i].forward(&normed)?.reshape((sets, count, HEADS * HEAD))?) };
        let taken = attend([&part(0)?, &part(1)?, &part(2)?], HEADS, None)?;
        let rows = taken.reshape((sets * count, HEADS * HEAD))?.contiguous()?;
        Ok(self.out.forward(&rows)?.reshape((sets, count, width))?)
    }
}

/// Every row divided by its length.
fn unit(x: &Tensor) -> Result<Tensor> {
    Ok(x.broadcast_div(&(x.sqr()?.sum_keepdim(D::Minus1)? + 1e-24)?.sqrt()?)?)
}
