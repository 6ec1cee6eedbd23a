//! A network with its weights.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zsad_core::{Arrays, DataDir, Error, Result, state};

use crate::build::Weights;
use crate::graph::{Graph, Workspace};
use crate::kind::{Architecture, BackboneKind};
use crate::layer::{FeatureMap, LayerShape};
use crate::norm::NormMode;
use crate::vit::Vit;
use crate::{lite, resnet};

/// A frozen network.
#[derive(Debug)]
pub struct Backbone {
    kind: BackboneKind,
    mode: NormMode,
    digest: String,
    network: Network,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few networks, and each is large")]
enum Network {
    /// A convolutional network, and buffers that no run is using.
    Graph(Graph, Mutex<Vec<Workspace>>),
    Vit(Vit),
}

impl Backbone {
    /// The file in the folder `weights` of the data that holds the weights: `<name>.safetensors`, or else `.pth` or `.pt`,
    /// or else the file as it is fetched, such as `resnet18.tv_in1k.safetensors`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none, with the folder searched, who chose it, and the way to get the file.
    pub fn weights_file(kind: BackboneKind, data: &DataDir) -> Result<PathBuf> {
        let candidate = |name: String| data.path.join("weights").join(name);
        let own = ["safetensors", "pth", "pt"].map(|extension| format!("{kind}.{extension}"));
        let all = own.into_iter().chain([kind.file()]);
        all.map(candidate).find(|path| path.is_file()).ok_or_else(|| {
            let searched =
                format!("the data folder searched is `{}`, chosen by {}", data.path.display(), data.chosen_by);
            let other = if data.chosen_by == "--data" { "" } else { "; or name another data folder with --data" };
            let message = format!("the weights of {kind} are not there: {searched}");
            Error::data(candidate(format!("{kind}.safetensors")), message, format!("{}{other}", kind.hint()))
        })
    }

    /// Builds the network from named weights; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Data`] where an array is missing or of another shape. Others than the needed ones do not matter. [`Error::Refused`] where
    /// batch statistics are asked of a network without batch norms.
    pub fn from_tensors(kind: BackboneKind, mode: NormMode, arrays: &Arrays, path: &Path) -> Result<Self> {
        let weights = Weights { arrays, path };
        let graph = match kind.architecture() {
            Architecture::ResNet18 => resnet::build(resnet::RESNET18, weights, mode),
            Architecture::ResNet50 => resnet::build(resnet::RESNET50, weights, mode),
            Architecture::ResNet152 => resnet::build(resnet::RESNET152, weights, mode),
            Architecture::WideResNet50x2 => resnet::build(resnet::WIDE_RESNET50_2, weights, mode),
            Architecture::Lite => lite::build(lite::Variant::TensorFlow, weights, mode),
            Architecture::LiteRa => lite::build(lite::Variant::Timm, weights, mode),
            Architecture::Vit(_) if mode == NormMode::BatchStats => {
                return Err(Error::refused(format!("{kind} has no batch norms that could take a batch's statistics")));
            }
            Architecture::Vit(family) => {
                let network = Network::Vit(Vit::from_tensors(family, kind.preprocessing(), arrays, path)?);
                return Ok(Backbone { kind, mode, digest: state::digest(arrays), network });
            }
        }?;
        let network = Network::Graph(graph, Mutex::default());
        Ok(Backbone { kind, mode, digest: state::digest(arrays), network })
    }

    /// The vision transformer, where it is one: for tokens and attention that no layer gives.
    pub fn vit(&self) -> Option<&Vit> {
        match &self.network {
            Network::Graph(..) => None,
            Network::Vit(vit) => Some(vit),
        }
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
        let (known, count) = match &self.network {
            Network::Graph(graph, _) => (graph.layer_shapes(height, width), self.kind.layers()),
            Network::Vit(vit) => (vit.layer_shapes(height, width), vit.depth() + 1),
        };
        let shape = |layer: &usize| {
            known.iter().find(|(number, _)| number == layer).map(|(_, shape)| *shape).ok_or_else(|| {
                match layer.checked_sub(count) {
                    // The layers of windows, which the network has for larger images.
                    Some(1 | 2) if self.vit().is_some() => Error::refused(format!(
                        "images of {height} × {width} are smaller than {} patches",
                        layer - count + 1
                    )),
                    _ => Error::Config(format!("{} has layers 1 to {count}, not {layer}", self.kind)),
                }
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
        let (graph, idle) = match &self.network {
            Network::Graph(graph, idle) => (graph, || idle.lock().unwrap_or_else(PoisonError::into_inner)),
            Network::Vit(vit) => return vit.maps(images, (height, width), layers),
        };
        let mut workspace = idle().pop().unwrap_or_default();
        let shape = (images.len() / size, height, width);
        let maps = graph.run(images, shape, self.kind.preprocessing(), layers, &mut workspace);
        idle().push(workspace);
        Ok(maps)
    }
}
