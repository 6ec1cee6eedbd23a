//! The corruptions of CIFAR-10-C and CIFAR-100-C (Hendrycks and Dietterich, ICLR 2019), with the constants of their
//! `make_cifar_c.py`, for 32×32 colour images.
//!
//! Given the same draws, results agree with the libraries behind the released files (scikit-image, OpenCV, SciPy,
//! Pillow with libjpeg-turbo, ImageMagick); the draws themselves are ours, one stream per corruption, severity and
//! image. `frost` and `spatter` are not made here: frost pastes photographs.

use zsad_core::rng;

mod blur;
mod border;
mod colour;
mod defocus;
mod draws;
mod elastic;
mod fog;
mod glass;
mod jpeg;
mod motion;
mod noise;
mod pixelate;
mod pixels;
mod snow;
mod zoom;

pub(crate) use border::Border;
pub(crate) use colour::in_hsv;
pub use draws::Draws;
pub(crate) use pixels::bytes;
pub use pixels::{LEN, SIDE};

/// A corruption of 32×32 colour images.
pub struct Corruption {
    /// Its name, as in the released file names.
    pub name: &'static str,
    /// Interleaved bytes, severity 1 … 5 less one, draws → interleaved bytes.
    apply: fn(&[u8], usize, &mut dyn Draws) -> Vec<u8>,
}

/// Every corruption that can be generated, sorted by name.
pub const CORRUPTIONS: &[Corruption] = &[
    Corruption { name: "brightness", apply: colour::brightness },
    Corruption { name: "contrast", apply: colour::contrast },
    Corruption { name: "defocus_blur", apply: defocus::defocus_blur },
    Corruption { name: "elastic_transform", apply: elastic::elastic_transform },
    Corruption { name: "fog", apply: fog::fog },
    Corruption { name: "gaussian_blur", apply: blur::gaussian_blur },
    Corruption { name: "gaussian_noise", apply: noise::gaussian_noise },
    Corruption { name: "glass_blur", apply: glass::glass_blur },
    Corruption { name: "impulse_noise", apply: noise::impulse_noise },
    Corruption { name: "jpeg_compression", apply: jpeg::jpeg_compression },
    Corruption { name: "motion_blur", apply: motion::motion_blur },
    Corruption { name: "pixelate", apply: pixelate::pixelate },
    Corruption { name: "saturate", apply: colour::saturate },
    Corruption { name: "shot_noise", apply: noise::shot_noise },
    Corruption { name: "snow", apply: snow::snow },
    Corruption { name: "speckle_noise", apply: noise::speckle_noise },
    Corruption { name: "zoom_blur", apply: zoom::zoom_blur },
];

/// The corruption of that name.
pub fn find(name: &str) -> Option<&'static Corruption> {
    CORRUPTIONS.iter().find(|c| c.name == name)
}

impl Corruption {
    /// `image` (`[32, 32, 3]`, interleaved) at `severity` 1 … 5. The draws are those of image `index`, whatever was
    /// made before.
    ///
    /// # Panics
    /// Where the image is not [`LEN`] bytes long or the severity is out of range (mistakes of the caller).
    pub fn apply(&self, image: &[u8], severity: usize, index: usize) -> Vec<u8> {
        let axes = [
            ("purpose", "corruption"),
            ("corruption", self.name),
            ("severity", &severity.to_string()),
            ("image", &index.to_string()),
        ];
        self.with_draws(image, severity, &mut rng::stream(0, &axes))
    }

    /// The same with draws of the caller.
    pub(crate) fn with_draws(&self, image: &[u8], severity: usize, draws: &mut dyn Draws) -> Vec<u8> {
        assert_eq!(image.len(), LEN, "a 32×32 colour image");
        assert!((1..=5).contains(&severity), "severity {severity}");
        (self.apply)(image, severity - 1, draws)
    }
}

#[cfg(test)]
mod tests;
