//! What kind of thing a sample is.

use serde::{Deserialize, Serialize};

/// The kind and shape of a data set's samples.
///
/// A third kind, windows of an ordered series, is meant to come: `ARCHITECTURE.md` says what it touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Images of `[channels, height, width]`.
    Image {
        /// Channels: 1 or 3.
        channels: usize,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// Rows or feature vectors of `dim` values.
    Tabular {
        /// Number of features.
        dim: usize,
        /// Whether the columns are features that a network made, and not quantities of their own.
        features: bool,
    },
}

impl Modality {
    /// Rows of `dim` quantities.
    pub fn rows(dim: usize) -> Self {
        Modality::Tabular { dim, features: false }
    }

    /// The shape of one sample.
    pub fn shape(&self) -> Vec<usize> {
        match *self {
            Modality::Image { channels, height, width } => vec![channels, height, width],
            Modality::Tabular { dim, .. } => vec![dim],
        }
    }

    /// Height and width of an image.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        match *self {
            Modality::Image { height, width, .. } => Some((height, width)),
            Modality::Tabular { .. } => None,
        }
    }
}

/// Which kinds of samples a method takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Accepts {
    /// Images.
    pub image: bool,
    /// Rows and feature vectors.
    pub tabular: bool,
}

impl Accepts {
    /// Any samples.
    pub const ANY: Accepts = Accepts { image: true, tabular: true };
    /// Images alone.
    pub const IMAGES: Accepts = Accepts { image: true, tabular: false };
    /// Rows and feature vectors alone.
    pub const ROWS: Accepts = Accepts { image: false, tabular: true };

    /// Refuses samples of another kind.
    ///
    /// # Errors
    /// [`crate::Error::Refused`], naming both kinds.
    pub fn check(self, modality: &Modality) -> crate::Result<()> {
        match modality {
            Modality::Image { .. } if !self.image => {
                Err(crate::Error::refused("it takes rows and features, not images"))
            }
            Modality::Tabular { .. } if !self.tabular => {
                Err(crate::Error::refused("it takes images, not rows or features"))
            }
            _ => Ok(()),
        }
    }
}
