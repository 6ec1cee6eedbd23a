//! A person's own pictures in `zsad score`: how they are brought to one size, and what is said of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use zsad_core::{Aspect, Choice, Error, Filter, Fit, PictureGeometry, Result, Samples};
use zsad_data::image_folder::{self, Found};

/// Side of the sample of a picture, unless a model or `--resize` says otherwise: what most networks were trained on.
const SIDE: usize = 224;
/// Names that one warning shows.
const NAMED: usize = 20;

/// How pictures become samples, where no trained model says it.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Pictures")]
pub struct PictureArgs {
    /// Side that pictures are resized to, in pixels [default: 224]
    #[arg(long, value_name = "N", value_parser = side)]
    resize: Option<usize>,
    /// Score the middle alone, a square of so many pixels of the resized picture [default: the whole picture]
    #[arg(long, value_name = "N", value_parser = side)]
    crop: Option<usize>,
    /// stretch: both sides become the same; keep: both by one factor, borders repeated around [default: stretch]
    #[arg(long, value_name = "WORD", value_parser = aspect)]
    aspect: Option<Aspect>,
    /// Leave out pictures that cannot be read, naming them
    #[arg(long)]
    skip_bad: bool,
}

/// The pictures of a batch.
pub struct Pictures {
    /// Where each lies.
    pub paths: Vec<PathBuf>,
    /// Whether none has colours.
    pub all_grey: bool,
}

impl Pictures {
    /// The file names.
    pub fn names(&self) -> Vec<String> {
        self.paths.iter().map(|p| p.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
    }
}

impl PictureArgs {
    /// Whether any of them was given.
    pub fn given(&self) -> bool {
        self.is_asked() || self.skip_bad
    }

    fn is_asked(&self) -> bool {
        self.resize.is_some() || self.crop.is_some() || self.aspect.is_some()
    }

    /// How pictures become samples: as the model's training data did, which are `own`, or else as was asked for.
    ///
    /// # Errors
    /// [`Error::Config`] where both are there and differ, or the options make no sense.
    pub fn settle(&self, own: Option<PictureGeometry>) -> Result<PictureGeometry> {
        let asked = self.asked()?;
        match own {
            Some(own)
                if self.is_asked() && (own.fit, own.height, own.width) != (asked.fit, asked.height, asked.width) =>
            {
                let message = format!("the model was trained on pictures {}", said(&own));
                Err(Error::Config(format!("{message}; hint: drop --resize, --crop and --aspect")))
            }
            Some(own) => Ok(own),
            None => Ok(asked),
        }
    }

    fn asked(&self) -> Result<PictureGeometry> {
        let resize = self.resize.unwrap_or(SIDE);
        let (side, fit) = match (self.crop, self.aspect.unwrap_or(Aspect::Stretch)) {
            (Some(crop), _) if crop > resize => {
                return Err(Error::Config(format!("--crop {crop} is more than --resize {resize} leaves")));
            }
            (Some(crop), Aspect::Stretch) => (crop, Fit::StretchAndCut(resize)),
            (Some(crop), Aspect::Keep) => (crop, Fit::Cut(resize)),
            (None, Aspect::Stretch) => (resize, Fit::Stretch),
            (None, Aspect::Keep) => (resize, Fit::Pad),
        };
        Ok(PictureGeometry { filter: Filter::Bilinear, fit, ..PictureGeometry::stretched(3, side, side) })
    }

    /// The pictures of `folder`, and what is to be said of them, a line each.
    ///
    /// # Errors
    /// [`Error::Data`] where there are none, or one cannot be read and is not to be left out.
    pub fn read(&self, folder: &Path, geometry: &PictureGeometry) -> Result<(Samples, Pictures, Vec<String>)> {
        let found = image_folder::find(folder)?;
        let read = image_folder::read(&found.pictures, geometry);
        if let Some(Error::Data { path, message, .. }) = read.unreadable.first() {
            let more = match read.unreadable.len() - 1 {
                0 => String::new(),
                n => format!(", and {n} more like it"),
            };
            if !self.skip_bad {
                let hint = "mend it, or leave such pictures out with --skip-bad";
                return Err(Error::data(path, format!("{message}{more}"), hint));
            }
            if read.paths.is_empty() {
                return Err(Error::data(path, format!("{message}{more}"), "no other picture is left"));
            }
        }
        let mut lines = Vec::new();
        lines.extend(left_out(folder, &found, &read.unreadable));
        let line = size_line(folder, &read.sizes, geometry);
        // What nobody asked to be cut off, the model's own geometry cuts off.
        let whole = self.is_asked() || read.sizes.iter().all(|size| geometry.shown(*size) == 1.0);
        let hint = "; hint: a model trained with `aspect: stretch` and `crop` as large as `resize` sees pictures whole";
        lines.push(if whole { line } else { line + hint });
        Ok((read.samples, Pictures { paths: read.paths, all_grey: read.all_grey }, lines))
    }
}

/// What of a folder is not scored.
fn left_out(folder: &Path, found: &Found, unreadable: &[Error]) -> Option<String> {
    let bad = unreadable.iter().filter_map(|e| match e {
        Error::Data { path, .. } => path.file_name().map(|n| n.to_string_lossy().into_owned()),
        _ => None,
    });
    let kinds = [
        ("file of another format", "files of another format", found.others.clone()),
        ("subfolder", "subfolders", found.folders.clone()),
        ("picture that cannot be read", "pictures that cannot be read", bad.collect()),
    ];
    let counted = kinds.into_iter().filter(|(.., names)| !names.is_empty()).map(|(one, many, names)| {
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = if names.len() == 1 { one } else { many };
        format!("{} {what} ({}{more})", names.len(), names[..names.len().min(NAMED)].join(", "))
    });
    let counted: Vec<String> = counted.collect();
    (!counted.is_empty()).then(|| format!("warning: {}: left out: {}", folder.display(), counted.join(", ")))
}

/// What of each picture is scored.
fn size_line(folder: &Path, sizes: &[(usize, usize)], geometry: &PictureGeometry) -> String {
    let distinct: BTreeSet<_> = sizes.iter().collect();
    let (n, of) = (
        sizes.len(),
        match distinct.iter().next() {
            Some((h, w)) if distinct.len() == 1 => format!("{w}×{h}"),
            _ => format!("{} sizes", distinct.len()),
        },
    );
    let pictures = if n == 1 { "picture" } else { "pictures" };
    let place = folder.display();
    // The one of which most is lost.
    let least = sizes.iter().min_by(|a, b| geometry.shown(**a).total_cmp(&geometry.shown(**b)));
    match least.filter(|size| geometry.shown(**size) < 1.0) {
        None => format!("{place}: {n} {pictures} of {of}, each whole, {}", said(geometry)),
        Some(&(h, w)) => {
            let lost = (100.0 * (1.0 - geometry.shown((h, w)))).round();
            let (resized_h, resized_w) = geometry.resized((h, w));
            let side = |whole: usize, sample: usize, resized: usize| whole * sample.min(resized) / resized;
            let (middle_h, middle_w) = (side(h, geometry.height, resized_h), side(w, geometry.width, resized_w));
            let which = if distinct.len() == 1 { "each".to_owned() } else { format!("one of {w}×{h}") };
            format!(
                "warning: {place}: {n} {pictures} of {of}, {}: the middle {middle_w}×{middle_h} of {which} is scored, {lost} % \
                 of it is not",
                said(geometry)
            )
        }
    }
}

/// A geometry in words.
fn said(geometry: &PictureGeometry) -> String {
    let size = format!("{}×{}", geometry.width, geometry.height);
    match geometry.fit {
        Fit::Stretch => format!("stretched to {size}"),
        Fit::Pad => format!("in their aspect in {size}, borders repeated around"),
        Fit::Cut(side) => format!("resized to {side} at their shorter side and cut to {size}"),
        Fit::StretchAndCut(side) if side == geometry.height => format!("stretched to {size}"),
        Fit::StretchAndCut(side) => format!("stretched to {side}×{side} and cut to {size}"),
    }
}

fn side(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (8..=4096).contains(n)).ok_or_else(|| "want pixels, 8 to 4096".into())
}

fn aspect(text: &str) -> Result<Aspect, String> {
    Aspect::from_word(text).ok_or_else(|| format!("want one of {}", Aspect::WORDS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(resize: Option<usize>, crop: Option<usize>, aspect: Option<Aspect>) -> PictureArgs {
        PictureArgs { resize, crop, aspect, skip_bad: false }
    }

    fn line(args: PictureArgs, sizes: &[(usize, usize)]) -> String {
        size_line(Path::new("parts"), sizes, &args.settle(None).unwrap())
    }

    #[test]
    fn what_is_scored_of_each_picture_is_said() {
        let oblong = [(224, 672); 3];
        let said = line(PictureArgs::default(), &oblong);
        assert_eq!(said, "parts: 3 pictures of 672×224, each whole, stretched to 224×224");
        let said = line(args(Some(256), Some(224), Some(Aspect::Keep)), &oblong);
        assert_eq!(
            said,
            "warning: parts: 3 pictures of 672×224, resized to 256 at their shorter side and cut to 224×224: the middle \
             196×196 of each is scored, 74 % of it is not"
        );
        let said = line(args(None, None, Some(Aspect::Keep)), &[(20, 30), (30, 20)]);
        assert_eq!(
            said,
            "parts: 2 pictures of 2 sizes, each whole, in their aspect in 224×224, borders repeated around"
        );
    }

    #[test]
    fn a_models_own_geometry_is_kept_and_another_is_refused() {
        let own = args(Some(256), Some(224), None).settle(None).unwrap();
        assert_eq!(PictureArgs::default().settle(Some(own.clone())).unwrap(), own);
        assert_eq!(args(Some(256), Some(224), None).settle(Some(own.clone())).unwrap(), own);
        let refused = args(None, None, Some(Aspect::Keep)).settle(Some(own)).unwrap_err().to_string();
        assert!(refused.contains("stretched to 256×256 and cut to 224×224; hint: drop --resize"), "{refused}");
        assert!(args(Some(100), Some(200), None).settle(None).is_err());
        assert!(line(args(Some(64), Some(64), None), &[(9, 9)]).ends_with("each whole, stretched to 64×64"));
    }
}
