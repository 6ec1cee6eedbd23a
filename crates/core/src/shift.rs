//! The axis `shift` of the test protocol: what is done to the pictures of test batches, and to nothing else.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::params::Choice;
use crate::suggest;

crate::choices! {
    /// What is done to a picture.
    pub enum Corruption {
        /// The value of HSV is raised.
        Brightness = "brightness",
        /// Differences from the mean shrink.
        Contrast = "contrast",
        /// A soft disk.
        DefocusBlur = "defocus_blur",
        /// Places move.
        ElasticTransform = "elastic_transform",
        /// Fog.
        Fog = "fog",
        /// A Gaussian.
        GaussianBlur = "gaussian_blur",
        /// Normal noise.
        GaussianNoise = "gaussian_noise",
        /// Pixels change places.
        GlassBlur = "glass_blur",
        /// Salt and pepper.
        ImpulseNoise = "impulse_noise",
        /// Compression.
        JpegCompression = "jpeg_compression",
        /// Blur along a line.
        MotionBlur = "motion_blur",
        /// Coarse pixels.
        Pixelate = "pixelate",
        /// The saturation of HSV.
        Saturate = "saturate",
        /// Poisson noise.
        ShotNoise = "shot_noise",
        /// Snow.
        Snow = "snow",
        /// Multiplicative noise.
        SpeckleNoise = "speckle_noise",
        /// Blur towards the middle.
        ZoomBlur = "zoom_blur",
    }
}

crate::choices! {
    /// Whose constants: the two are not of one strength at equal severity, and must stay apart.
    pub enum Family {
        /// Those for ImageNet-C (Hendrycks and Dietterich, ICLR 2019), as the package `imagecorruptions` has them.
        ImagenetC = "imagenet_c",
        /// Those for CIFAR-10-C and CIFAR-100-C, for pictures of 32×32.
        CifarC = "cifar_c",
    }
}

/// The corruptions of [`Family::ImagenetC`] that are made here: those of the benchmarks of anomaly detection under shift
/// (Cao, Zhu and Pang, ICCV 2023).
pub const IMAGENET_C: [Corruption; 4] =
    [Corruption::Brightness, Corruption::Contrast, Corruption::DefocusBlur, Corruption::GaussianNoise];

/// One shift of a test batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// What is done.
    pub corruption: Corruption,
    /// How strongly, 1 … 5.
    pub severity: u8,
    /// To which share of the samples of a batch, above 0 and at most 1.
    pub share: f64,
    /// With whose constants.
    pub family: Family,
}

impl Shift {
    /// The whole batch, with the constants of ImageNet-C.
    pub fn new(corruption: Corruption, severity: u8) -> Self {
        Shift { corruption, severity, share: 1.0, family: Family::ImagenetC }
    }

    /// Whether such a shift can be made, of any picture at all.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn check(&self) -> Result<(), (String, String)> {
        let Shift { corruption, severity, share, family } = *self;
        if !(1..=5).contains(&severity) {
            return Err((format!("severity {severity} is not one of 1 … 5"), "write brightness@3, for one".into()));
        }
        if !(share > 0.0 && share <= 1.0) {
            return Err((format!("a shift cannot have the share {share}"), "write a share above 0, up to 1".into()));
        }
        if family == Family::ImagenetC && !IMAGENET_C.contains(&corruption) {
            let known: Vec<&str> = IMAGENET_C.iter().map(|c| c.word()).collect();
            let hint = format!("imagenet_c has {}; cifar_c has all, for pictures of 32×32", known.join(", "));
            return Err((format!("`{corruption}` is not made with the constants of imagenet_c"), hint));
        }
        Ok(())
    }

    /// Reads `brightness@3`, and what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn read(text: &str) -> Result<Self, (String, String)> {
        let wrong = |hint: String| (format!("`{text}` is no shift"), hint);
        let mut words = text.split_whitespace();
        let Some((name, severity)) = words.next().unwrap_or_default().split_once('@') else {
            return Err(wrong("write `none`, or a corruption and its severity, such as brightness@3".into()));
        };
        let corruption =
            Corruption::from_word(name).ok_or_else(|| wrong(suggest::hint(name, Corruption::WORDS.iter())))?;
        let severity = severity.parse().map_err(|_| wrong("write a severity of 1 … 5 behind the @".into()))?;
        let mut shift = Shift::new(corruption, severity);
        for word in words {
            match word.split_once('=') {
                Some(("share", share)) => {
                    shift.share = share.parse().map_err(|_| wrong("share=0.5, for one".into()))?
                }
                Some(("family", family)) => {
                    let found = Family::from_word(family);
                    shift.family = found.ok_or_else(|| wrong(suggest::hint(family, Family::WORDS.iter())))?;
                }
                _ => return Err(wrong("behind the severity may stand share=0.5 and family=cifar_c".into())),
            }
        }
        shift.check().map(|()| shift)
    }

    /// As results write it, and nothing shifted as `none`.
    pub fn to_column(shift: Option<Shift>) -> String {
        shift.map_or_else(|| NONE.into(), |s| s.to_string())
    }

    /// Reads what [`Shift::to_column`] wrote; `None` where it is no such text.
    pub fn from_column(text: &str) -> Option<Option<Shift>> {
        // Results of versions that knew no shift have no column, which reads as empty fields.
        if text.is_empty() || text == NONE { Some(None) } else { Shift::read(text).ok().map(Some) }
    }
}

/// The word for nothing shifted.
pub const NONE: &str = "none";

impl fmt::Display for Shift {
    /// `brightness@3`, with share and family where they are not the usual ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.corruption, self.severity)?;
        if self.share != 1.0 {
            write!(f, " share={}", self.share)?;
        }
        if self.family != Family::default() {
            write!(f, " family={}", self.family)?;
        }
        Ok(())
    }
}

impl Eq for Shift {}

impl PartialOrd for Shift {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shift {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |s: &Shift| (s.family, s.corruption, s.severity);
        key(self).cmp(&key(other)).then_with(|| self.share.total_cmp(&other.share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_read_as_they_are_written() {
        let whole = Shift::new(Corruption::Brightness, 3);
        let half = Shift { share: 0.5, ..Shift::new(Corruption::GaussianNoise, 5) };
        let fog = Shift { family: Family::CifarC, ..Shift::new(Corruption::Fog, 1) };
        for (shift, text) in
            [(whole, "brightness@3"), (half, "gaussian_noise@5 share=0.5"), (fog, "fog@1 family=cifar_c")]
        {
            assert_eq!((shift.to_string().as_str(), Shift::from_column(text)), (text, Some(Some(shift))));
        }
        assert_eq!(
            (Shift::to_column(None), Shift::from_column("none"), Shift::from_column("")),
            ("none".into(), Some(None), Some(None))
        );
    }

    #[test]
    fn what_is_no_shift_says_what_to_write() {
        let hint = |text: &str| Shift::read(text).unwrap_err().1;
        assert!(hint("brightnes@3").contains("did you mean `brightness`?"));
        assert!(hint("brightness").contains("brightness@3"));
        assert!(hint("brightness@9").contains("brightness@3"));
        assert!(hint("brightness@3 share=2").contains("up to 1"));
        assert!(hint("fog@3").contains("imagenet_c has brightness, contrast, defocus_blur, gaussian_noise"));
        assert_eq!(Shift::from_column("brightness"), None);
    }
}
