//! Small pictures of the samples of a batch, as far as somebody can bring them and the page has room.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use zsad_core::{Error, LabelledBatch, Result};
use zsad_store::{CellRecord, RunFolder};

use super::drill::Batch;
use super::markup::Markup;
use crate::plots::canvas::encode;

/// Bytes that all pictures of a page may take, encoded.
const BUDGET: usize = 1_000_000;

/// One sample.
pub struct Thumbnail {
    /// What it is called.
    pub name: String,
    /// A small image file.
    bytes: Vec<u8>,
    /// Its kind.
    mime: &'static str,
}

/// Pixels along the longer side; what is smaller stays as it is.
const SIDE: u32 = 64;

impl Thumbnail {
    /// An image of `[height, width, 3]` bytes, made small.
    ///
    /// # Errors
    /// [`Error::Failed`] where the size is another.
    pub fn of(name: String, image: Vec<u8>, (height, width): (usize, usize)) -> Result<Thumbnail> {
        let whole = RgbImage::from_raw(width as u32, height as u32, image);
        let whole = whole.ok_or_else(|| Error::failed(format!("{name}: its pixels are not {height} × {width}")))?;
        let scale = f64::from(SIDE) / f64::from(whole.width().max(whole.height()));
        if scale >= 1.0 {
            return Ok(Thumbnail { name, bytes: encode(&whole)?, mime: "image/png" });
        }
        let [w, h] = [whole.width(), whole.height()].map(|n| ((f64::from(n) * scale).round() as u32).max(1));
        let small = imageops::resize(&whole, w, h, imageops::FilterType::Triangle);
        Ok(Thumbnail { name, bytes: jpeg(&small)?, mime: "image/jpeg" })
    }
}

impl Thumbnail {
    /// The picture, with what is to be said of it.
    pub(super) fn write(&self, html: &mut Markup, about: &str) {
        let source = format!("data:{};base64,{}", self.mime, STANDARD.encode(&self.bytes));
        html.void("img", &[("src", &source), ("alt", &about), ("title", &about)]);
    }
}

/// An image as a JPEG file.
pub(super) fn jpeg(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut bytes, 75).encode_image(image);
    written.map_err(|e| Error::failed(format!("a JPEG cannot be made: {e}")))?;
    Ok(bytes)
}

/// Who brings pictures: those of the samples with these numbers in a batch, in their order.
pub trait Bringer {
    /// The pictures.
    ///
    /// # Errors
    /// Where the samples are no pictures, or the data are not here or are others today.
    fn bring(
        &self,
        folder: &RunFolder,
        record: &CellRecord,
        batch: &LabelledBatch<f64>,
        samples: &[usize],
    ) -> Result<Vec<Thumbnail>>;
}

/// The pictures of a page.
pub(super) struct Pictures<'a> {
    bringer: Option<&'a dyn Bringer>,
    /// Samples a batch: those with the highest scores, an anomaly among them.
    number: usize,
    bytes: usize,
    problems: BTreeSet<String>,
}

impl<'a> Pictures<'a> {
    pub fn new(bringer: Option<&'a dyn Bringer>, number: usize) -> Self {
        Pictures { bringer, number, bytes: 0, problems: BTreeSet::new() }
    }

    /// Why pictures are missing that were asked for, each reason once.
    pub fn problems(&self) -> &BTreeSet<String> {
        &self.problems
    }

    /// Those of a batch.
    pub fn write(&mut self, html: &mut Markup, folder: &RunFolder, record: &CellRecord, batch: &Batch) {
        let Some(bringer) = self.bringer.filter(|_| self.number > 0) else { return };
        if self.bytes > BUDGET {
            self.problems.insert(format!("those beyond the first {} MB are left out", BUDGET / 1_000_000));
            return;
        }
        let scores = &batch.scored.items;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        // The anomaly that has the highest score is there wherever it ranks.
        let first = order.iter().copied().find(|&i| batch.scored.labels[i]);
        let missing = first.filter(|i| !order.iter().take(self.number).any(|shown| shown == i));
        order.truncate(self.number - usize::from(missing.is_some()));
        order.extend(missing);
        match bringer.bring(folder, record, batch.scored, &order) {
            Ok(found) => {
                html.element("ol", &[("class", &"pictures")], |html| {
                    for (picture, &i) in found.iter().zip(&order) {
                        self.picture(html, picture, batch.scored.labels[i], scores[i]);
                    }
                });
            }
            Err(e) => drop(self.problems.insert(e.to_string())),
        }
    }

    fn picture(&mut self, html: &mut Markup, picture: &Thumbnail, anomalous: bool, score: f64) {
        let truth = if anomalous { "anomalous" } else { "normal" };
        let about = format!("{}, {truth}, score {score:.4}", picture.name);
        html.element("li", &[("class", &truth)], |html| {
            let before = html.len();
            picture.write(html, &about);
            self.bytes += html.len() - before;
            html.leaf("small", &[], truth);
        });
    }
}
