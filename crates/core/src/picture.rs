//! How a picture of any size becomes a sample: what a data set does to its own files, and what a model was trained with.

use serde::{Deserialize, Serialize};

use crate::modality::Modality;

crate::choices! {
    /// A resampling filter, by Pillow's name.
    pub enum Filter {
        /// The pixel under the centre of the output pixel.
        Nearest = "nearest",
        /// Mean over the pixels covered.
        Box = "box",
        /// Triangle of radius 1.
        Bilinear = "bilinear",
        /// Cubic convolution of radius 2 with a = −0.5.
        Bicubic = "bicubic",
        /// Windowed sinc of radius 3.
        Lanczos = "lanczos",
    }
}

crate::choices! {
    /// What happens to the sides of a picture that is not square.
    pub enum Aspect {
        /// Both by the same factor.
        Keep = "keep",
        /// Both to one length.
        Stretch = "stretch",
    }
}

/// How a picture is fitted to the size of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The whole picture: both sides are stretched to the sample's.
    Stretch,
    /// The whole picture in its aspect, in the middle; its borders are repeated where something is left.
    Pad,
    /// The middle of the picture in its aspect, whose shorter side becomes so many pixels. What lies outside is lost.
    Cut(usize),
    /// The middle of the picture, both sides of which become so many pixels. What lies outside is lost.
    StretchAndCut(usize),
}

/// How a picture becomes a sample. A trained model keeps what its training data had in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureGeometry {
    /// Channels: 1 (grey) or 3.
    pub channels: usize,
    /// Height of the sample in pixels.
    pub height: usize,
    /// Width of the sample in pixels.
    pub width: usize,
    /// Resampling filter.
    pub filter: Filter,
    /// What happens to pictures of another size or shape.
    pub fit: Fit,
    /// What is subtracted from each channel's values 0 … 1, and what they are then divided by.
    pub scale: Vec<(f32, f32)>,
}

impl PictureGeometry {
    /// Values 0 … 1, stretched to `[channels, height, width]` by Pillow's bicubic filter.
    pub fn stretched(channels: usize, height: usize, width: usize) -> Self {
        let scale = vec![(0.0, 1.0); channels];
        PictureGeometry { channels, height, width, filter: Filter::Bicubic, fit: Fit::Stretch, scale }
    }

    /// The modality of the samples.
    pub fn modality(&self) -> Modality {
        Modality::Image { channels: self.channels, height: self.height, width: self.width }
    }

    /// Height and width that a picture of `(height, width)` pixels is resized to. The sample is the middle of that, or
    /// that is the middle of the sample.
    pub fn resized(&self, (h, w): (usize, usize)) -> (usize, usize) {
        match self.fit {
            Fit::Stretch => (self.height, self.width),
            Fit::StretchAndCut(side) => (side, side),
            Fit::Cut(side) => shorter_side((h, w), side),
            // The side that limits fills the sample; the other keeps the aspect, rounded down, and has one pixel at least.
            Fit::Pad if h * self.width >= w * self.height => (self.height, (w * self.height / h).max(1)),
            Fit::Pad => ((h * self.width / w).max(1), self.width),
        }
    }

    /// The share of a picture's area that its sample shows.
    pub fn shown(&self, picture: (usize, usize)) -> f64 {
        let (h, w) = self.resized(picture);
        let share = |sample: usize, of: usize| (sample as f64 / of as f64).min(1.0);
        share(self.height, h) * share(self.width, w)
    }

    /// Where in the sample a position of the picture lies, both in pixels from the top and from the left, a pixel's centre
    /// at one half; `None` where the sample does not show it.
    pub fn place(&self, picture: (usize, usize), (y, x): (f64, f64)) -> Option<(f64, f64)> {
        let (h, w) = self.resized(picture);
        let along = |at: f64, whole: usize, resized: usize, sample: usize| {
            let at = at * resized as f64 / whole as f64 + (sample as f64 - resized as f64) / 2.0;
            (0.0..sample as f64).contains(&at).then_some(at)
        };
        Some((along(y, picture.0, h, self.height)?, along(x, picture.1, w, self.width)?))
    }
}

/// The size after torchvision's `Resize(side)`: the shorter side becomes `side`, the longer keeps the aspect, rounded
/// down.
pub fn shorter_side((h, w): (usize, usize), side: usize) -> (usize, usize) {
    if w <= h { (side * h / w, side) } else { (side, side * w / h) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fit: Fit) -> PictureGeometry {
        PictureGeometry { fit, ..PictureGeometry::stretched(3, 224, 224) }
    }

    #[test]
    fn only_cuts_lose_a_part_of_a_picture() {
        assert_eq!(of(Fit::Stretch).shown((224, 672)), 1.0);
        assert_eq!(of(Fit::Pad).shown((224, 672)), 1.0);
        assert!((of(Fit::Cut(256)).shown((224, 672)) - 224.0 * 224.0 / (256.0 * 768.0)).abs() < 1e-12);
        assert!((of(Fit::StretchAndCut(256)).shown((224, 672)) - (224.0f64 / 256.0).powi(2)).abs() < 1e-12);
    }

    #[test]
    fn a_padded_picture_fills_one_side_and_keeps_its_aspect() {
        let pad = of(Fit::Pad);
        assert_eq!((pad.resized((100, 300)), pad.resized((300, 100))), ((74, 224), (224, 74)));
        assert_eq!((pad.resized((50, 50)), pad.resized((1, 3000))), ((224, 224), (1, 224)));
    }

    #[test]
    fn a_position_of_the_picture_is_found_in_the_sample_or_said_to_be_cut_off() {
        assert_eq!(of(Fit::Stretch).place((100, 200), (50.0, 50.0)), Some((112.0, 56.0)));
        // The middle stays the middle; the corner is cut off.
        assert_eq!(of(Fit::Cut(256)).place((512, 512), (256.0, 256.0)), Some((112.0, 112.0)));
        assert_eq!(of(Fit::Cut(256)).place((512, 512), (1.0, 256.0)), None);
        assert_eq!(of(Fit::Pad).place((112, 224), (0.0, 0.0)), Some((56.0, 0.0)));
    }

    #[test]
    fn what_is_written_beside_a_model_reads_back() {
        for fit in [Fit::Stretch, Fit::Pad, Fit::Cut(256), Fit::StretchAndCut(9)] {
            let text = serde_json::to_string(&of(fit)).unwrap();
            assert_eq!(serde_json::from_str::<PictureGeometry>(&text).unwrap(), of(fit), "{text}");
        }
    }
}
