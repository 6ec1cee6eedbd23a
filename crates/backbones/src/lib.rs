//! Frozen networks for images (ResNets, EfficientNet-Lite0, the vision transformers of DINOv2 and CLIP) and the cache of
//! their features.
//!
//! Inference only, on the processor, without candle: weights are packed once, activations lie channels last, batch
//! norm is folded into the convolutions (`running`) or takes its statistics from the batch at hand (`batch_stats`, the
//! zero-shot recentring of ACR applied to a pretrained network). Work is split over the current rayon pool, and the
//! result has the same bits for any number of threads.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

mod activation;
mod backbone;
mod build;
pub mod clip;
mod conv;
mod depthwise;
pub mod features;
mod graph;
mod kernels;
mod kind;
mod layer;
mod lite;
pub mod maps;
mod norm;
pub mod patches;
mod resnet;
mod transformer;
pub mod vit;
mod winograd;

pub use backbone::Backbone;
pub use kind::BackboneKind;
pub use layer::{FeatureMap, LayerShape};
pub use norm::NormMode;
pub use transformer::{Attention, Gelu};
