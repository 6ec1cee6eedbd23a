//! The networks, as plain structs of layers.
//!
//! Parameter names are regular. An [`Mlp`] or [`ConvNet`] has hidden blocks `0`, `1`, … with `N.linear.weight`,
//! `N.linear.bias` (`N.conv.*` in a [`ConvNet`]) and `N.norm.weight`, `N.norm.bias`, then `head.linear.*` and, where
//! there is a final norm, `head.norm.*`. [`NtlViews`] has `K.N.weight` and `K.N.bias`: linear layer N of view K;
//! an [`Ntl`] puts these under `views` and its encoder under `encoder`.

mod convnet;
mod mlp;
mod ntl;

pub use convnet::{ConvNet, ConvNetConfig, Reduction};
pub use mlp::{Mlp, MlpConfig};
pub use ntl::{Ntl, NtlConfig, NtlViews};
