//! The parameters that data sets of product pictures share.

use zsad_core::{Aspect, Error, Filter, Fit, PictureGeometry, Result};

zsad_core::params! {
    /// Which categories train and test, and how a picture becomes a sample.
    pub struct Pictures {
        /// only these categories; empty: all
        pub categories: Vec<String> = vec![];
        /// train on the categories of these folders instead of leaving one category out
        pub train_roots: Vec<String> = vec![];
        /// train on these categories instead of leaving one category out; empty: all
        pub train_categories: Vec<String> = vec![];
        /// shorter side after resizing, in pixels
        pub resize: usize = 256, in 8..=4096;
        /// side of the middle square that is cut out, in pixels, at most `resize`; what lies outside is lost, defects
        /// included
        pub crop: usize = 224, in 8..=4096;
        /// keep: both sides by the same factor; stretch: both sides become `resize`, so that of an oblong image nothing
        /// but the margin is lost
        pub aspect: Aspect = Aspect::Keep;
        /// a text file that lists the references of few-shot methods, a picture a line, relative to the data folder, or as
        /// much of the end of its path as tells it from the others; empty: references are drawn
        pub references: String = String::new();
        /// resampling filter, by Pillow's names (masks: always nearest)
        pub filter: Filter = Filter::Bilinear;
    }
}

impl Pictures {
    /// Refuses a square that does not fit.
    ///
    /// # Errors
    /// [`Error::Config`] where `crop` is larger than `resize`.
    pub fn check(&self) -> Result<()> {
        let Pictures { resize, crop, .. } = self;
        if crop > resize {
            return Err(Error::Config(format!("crop {crop} is larger than resize {resize}")));
        }
        Ok(())
    }

    /// Torchvision's `Resize(resize)` and `CenterCrop(crop)` on Pillow images.
    pub fn geometry(&self) -> PictureGeometry {
        let fit = match self.aspect {
            Aspect::Keep => Fit::Cut(self.resize),
            Aspect::Stretch => Fit::StretchAndCut(self.resize),
        };
        PictureGeometry { filter: self.filter, fit, ..PictureGeometry::stretched(3, self.crop, self.crop) }
    }

    /// What of them an identity must tell, beside the files.
    pub fn reading(&self) -> serde_json::Value {
        serde_json::json!([self.resize, self.crop, self.aspect, self.filter])
    }
}
