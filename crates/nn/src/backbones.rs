//! Frozen feature extractors for images: ResNet-18, ResNet-152, Wide ResNet-50-2 and EfficientNet-Lite0.
//!
//! Inference only, on the processor, without candle: weights are packed once, activations lie channels last, batch
//! norm is folded into the convolutions (`running`) or takes its statistics from the batch at hand (`batch_stats`, the
//! zero-shot recentring of ACR applied to a pretrained network). Work is split over the current rayon pool, and the
//! result has the same bits for any number of threads.

mod activation;
mod build;
mod conv;
mod depthwise;
mod graph;
mod kernels;
mod lite;
mod norm;
mod resnet;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use zsad_core::{DataDir, Error, Result, suggest};

use crate::checkpoint::{NamedTensors, read_tensors};
use activation::Activation;
use graph::{Graph, Workspace};

/// A supported architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneKind {
    /// ResNet-18: layers 1–4 (64, 128, 256, 512 channels; 1/4 … 1/32 of the size).
    #[serde(rename = "resnet18")]
    ResNet18,
    /// ResNet-152: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
    #[serde(rename = "resnet152")]
    ResNet152,
    /// Wide ResNet-50-2: layers 1–4 (256, 512, 1024, 2048 channels; 1/4 … 1/32).
    #[serde(rename = "wide_resnet50_2")]
    WideResNet50x2,
    /// EfficientNet-Lite0: layers 1–7, the outputs of its seven stages (16, 24, 40, 80, 112, 192, 320 channels;
    /// 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32).
    #[serde(rename = "efficientnet_lite0")]
    EfficientNetLite0,
}

/// Names of all architectures, as in parameters and weight files; for `ParamKind::Choice`.
pub const NAMES: &[&str] = &["efficientnet_lite0", "resnet152", "resnet18", "wide_resnet50_2"];

impl BackboneKind {
    /// The name in parameters and of the weights file.
    pub fn name(self) -> &'static str {
        match self {
            BackboneKind::ResNet18 => "resnet18",
            BackboneKind::ResNet152 => "resnet152",
            BackboneKind::WideResNet50x2 => "wide_resnet50_2",
            BackboneKind::EfficientNetLite0 => "efficientnet_lite0",
        }
    }

    /// How many layers can be asked for: 1 … this.
    pub fn layers(self) -> usize {
        if self == BackboneKind::EfficientNetLite0 { 7 } else { 4 }
    }

    /// The layers that patch methods use where nothing is said: 1/8 and 1/16 of the size.
    pub fn default_layers(self) -> &'static [usize] {
        if self == BackboneKind::EfficientNetLite0 { &[3, 5] } else { &[2, 3] }
    }

    /// Pixels in 0…1 to the network's input: `x · scale + shift` per channel. ImageNet mean and standard deviation;
    /// EfficientNet-Lite instead takes (255 x − 127) / 128 (`efficientnet_lite_builder.py`).
    fn preprocessing(self) -> ([f32; 3], [f32; 3]) {
        if self == BackboneKind::EfficientNetLite0 {
            return ([255.0 / 128.0; 3], [-127.0 / 128.0; 3]);
        }
        let (mean, std) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
        (std.map(|s| 1.0 / s), std::array::from_fn(|c| -mean[c] / std[c]))
    }

    /// What a person does to get the weights.
    fn remedy(self) -> String {
        let name = self.name();
        match self {
            BackboneKind::EfficientNetLite0 => "run scripts/fetch_efficientnet_lite0.sh".into(),
            BackboneKind::ResNet18 | BackboneKind::ResNet152 | BackboneKind::WideResNet50x2 => format!(
                "put torchvision's or timm's {name} there as .safetensors or .pth: \
                 python -c \"import torch, torchvision; \
                 torch.save(torchvision.models.{name}(weights='IMAGENET1K_V1').state_dict(), '{name}.pth')\""
            ),
        }
    }
}

impl fmt::Display for BackboneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BackboneKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "resnet18" => Ok(BackboneKind::ResNet18),
            "resnet152" => Ok(BackboneKind::ResNet152),
            "wide_resnet50_2" => Ok(BackboneKind::WideResNet50x2),
            "efficientnet_lite0" => Ok(BackboneKind::EfficientNetLite0),
            _ => {
                let hint = suggest::hint(name, NAMES.iter().copied());
                Err(Error::Config(format!("unknown backbone `{name}`: {hint}")))
            }
        }
    }
}

/// Which statistics the batch norms use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormMode {
    /// Those stored with the weights.
    Running,
    /// Mean and biased variance of the batch itself: features then depend on which images are computed together.
    BatchStats,
}

/// The shape of one layer's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape {
    /// Channels.
    pub channels: usize,
    /// Height.
    pub height: usize,
    /// Width.
    pub width: usize,
}

impl LayerShape {
    /// Values of one image: channels · height · width.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One layer's output for a batch: `[n, channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMap {
    /// Shape of one image's map.
    pub shape: LayerShape,
    /// `n · shape.len()` values.
    pub values: Vec<f32>,
}

impl FeatureMap {
    fn from_activation(activation: &Activation) -> Self {
        let shape = LayerShape { channels: activation.c, height: activation.h, width: activation.w };
        let mut values = vec![0f32; activation.n * shape.len()];
        for (n, out) in values.chunks_exact_mut(shape.len()).enumerate() {
            activation.write_chw(n, out);
        }
        FeatureMap { shape, values }
    }
}

/// Weights and the file they came from.
struct Source<'a> {
    tensors: &'a NamedTensors,
    path: &'a Path,
}

/// The folder whose `weights/` holds the weights, where `--data` chose it.
static DATA_FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Sets the data folder for the whole process; the first call counts. The program calls it with `--data`.
pub fn set_data_folder(path: &Path) {
    // A second call is of no effect by contract.
    let _ = DATA_FOLDER.set(path.to_owned());
}

/// The data folder: what [`set_data_folder`] said, else `$ZSAD_DATA`, else `data/`.
pub fn data_folder() -> PathBuf {
    DATA_FOLDER.get().cloned().unwrap_or_else(|| DataDir::resolve(None).path)
}

/// A frozen network.
#[derive(Debug)]
pub struct Backbone {
    kind: BackboneKind,
    mode: NormMode,
    digest: String,
    graph: Graph,
    /// Buffers that no run is using.
    idle: Mutex<Vec<Workspace>>,
}

impl Backbone {
    /// Reads `<data>/weights/<name>.safetensors`, or else `.pth` or `.pt`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such file (with the way to get it), or it is damaged or of another network.
    pub fn load(kind: BackboneKind, mode: NormMode, data: &Path) -> Result<Self> {
        let path = Self::weights_file(kind, data)?;
        Self::from_tensors(kind, mode, &read_tensors(&path)?, &path)
    }

    /// The network with the weights in [`data_folder`], read once per process.
    ///
    /// # Errors
    /// As [`Backbone::load`].
    pub fn shared(kind: BackboneKind, mode: NormMode) -> Result<Arc<Self>> {
        type Loaded = HashMap<(PathBuf, &'static str, bool), Arc<Backbone>>;
        static LOADED: LazyLock<Mutex<Loaded>> = LazyLock::new(Mutex::default);
        let path = Self::weights_file(kind, &data_folder())?;
        let entry = (path.clone(), kind.name(), mode == NormMode::Running);
        // Nothing below runs in parallel, so the lock cannot be waited for by work that it waits for.
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backbone) = loaded.get(&entry) {
            return Ok(backbone.clone());
        }
        let backbone = Arc::new(Self::from_tensors(kind, mode, &read_tensors(&path)?, &path)?);
        loaded.insert(entry, backbone.clone());
        Ok(backbone)
    }

    /// The file that [`Backbone::load`] reads.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none.
    pub fn weights_file(kind: BackboneKind, data: &Path) -> Result<PathBuf> {
        let folder = data.join("weights");
        let candidate = |extension: &str| folder.join(format!("{kind}.{extension}"));
        ["safetensors", "pth", "pt"].map(candidate).into_iter().find(|path| path.is_file()).ok_or_else(|| {
            Error::data(candidate("safetensors"), format!("the weights of {kind} are not there"), kind.remedy())
        })
    }

    /// Builds the network from named weights; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Data`] where a tensor is missing or of another shape. Others than the needed ones do not matter.
    pub fn from_tensors(kind: BackboneKind, mode: NormMode, tensors: &NamedTensors, path: &Path) -> Result<Self> {
        let source = Source { tensors, path };
        let graph = match kind {
            BackboneKind::ResNet18 => resnet::build(resnet::RESNET18, &source, mode),
            BackboneKind::ResNet152 => resnet::build(resnet::RESNET152, &source, mode),
            BackboneKind::WideResNet50x2 => resnet::build(resnet::WIDE_RESNET50_2, &source, mode),
            BackboneKind::EfficientNetLite0 => lite::build(&source, mode),
        }?;
        let digest = crate::checkpoint::digest(tensors);
        Ok(Backbone { kind, mode, digest, graph, idle: Mutex::default() })
    }

    /// Which architecture this is.
    pub fn kind(&self) -> BackboneKind {
        self.kind
    }

    /// Which statistics its batch norms use.
    pub fn mode(&self) -> NormMode {
        self.mode
    }

    /// A hash of the weights, for the keys of caches.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The shapes of `layers` for images of `height` × `width`, in their order.
    ///
    /// # Errors
    /// [`Error::Config`] for a layer that the network does not have, [`Error::Refused`] for images under 32 pixels.
    pub fn layer_shapes(&self, layers: &[usize], height: usize, width: usize) -> Result<Vec<LayerShape>> {
        if height < 32 || width < 32 {
            return Err(Error::refused(format!(
                "{} needs images of at least 32 × 32, not {height} × {width}",
                self.kind
            )));
        }
        let known = self.graph.layer_shapes(height, width);
        let shape = |layer: &usize| {
            known.iter().find(|(number, _)| number == layer).map(|(_, shape)| *shape).ok_or_else(|| {
                Error::Config(format!("{} has layers 1 to {}, not {layer}", self.kind, self.kind.layers()))
            })
        };
        layers.iter().map(shape).collect()
    }

    /// The outputs of `layers` (1 …) for images `[n, 3, height, width]` with values in 0…1, in the order of `layers`.
    /// Runs on the current rayon pool; with running statistics an image's features do not depend on the others.
    ///
    /// # Errors
    /// As [`Backbone::layer_shapes`].
    ///
    /// # Panics
    /// Where `images` are not whole images of this size (a mistake of the caller).
    pub fn features(&self, images: &[f32], height: usize, width: usize, layers: &[usize]) -> Result<Vec<FeatureMap>> {
        self.layer_shapes(layers, height, width)?;
        let size = 3 * height * width;
        assert!(images.len().is_multiple_of(size), "{} values are no images of 3 × {height} × {width}", images.len());
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = idle().pop().unwrap_or_default();
        let shape = (images.len() / size, height, width);
        let maps = self.graph.run(images, shape, self.kind.preprocessing(), layers, &mut workspace);
        idle().push(workspace);
        Ok(maps)
    }
}

#[cfg(test)]
mod tests;
