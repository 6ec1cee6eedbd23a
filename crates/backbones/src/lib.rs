//! Frozen networks for images (ResNet-18, ResNet-152, Wide ResNet-50-2 and EfficientNet-Lite0) and the cache of their
//! features.
//!
//! Inference only, on the processor, without candle: weights are packed once, activations lie channels last, batch
//! norm is folded into the convolutions (`running`) or takes its statistics from the batch at hand (`batch_stats`, the
//! zero-shot recentring of ACR applied to a pretrained network). Work is split over the current rayon pool, and the
//! result has the same bits for any number of threads.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures may be written in any way"))]

mod activation;
mod backbone;
mod build;
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
mod winograd;

pub use backbone::Backbone;
pub use kind::BackboneKind;
pub use layer::{FeatureMap, LayerShape};
pub use norm::NormMode;
