//! Small pictures of the samples of a batch, as far as somebody can bring them and the page has room.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zsad_core::{LabelledBatch, Result};
use zsad_store::{CellRecord, RunFolder};

use super::drill::Batch;
use super::markup::Markup;

/// Bytes that all pictures of a page may take, encoded.
const BUDGET: usize = 2_000_000;

/// One sample.
pub struct Thumbnail {
    /// What it is called.
    pub name: String,
    /// A PNG file.
    pub png: Vec<u8>,
    /// Its anomaly map over it, a PNG file.
    pub map: Option<Vec<u8>>,
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
    /// Samples a batch, those with the highest scores.
    number: usize,
    bytes: usize,
    problem: Option<String>,
}

impl<'a> Pictures<'a> {
    pub fn new(bringer: Option<&'a dyn Bringer>, number: usize) -> Self {
        Pictures { bringer, number, bytes: 0, problem: None }
    }

    /// Why pictures are missing that were asked for.
    pub fn problem(&self) -> Option<String> {
        self.problem.clone()
    }

    /// Those of a batch.
    pub fn write(&mut self, html: &mut Markup, folder: &RunFolder, record: &CellRecord, batch: &Batch) {
        let Some(bringer) = self.bringer.filter(|_| self.number > 0) else { return };
        if self.bytes > BUDGET {
            self.problem = Some(format!("all beyond the first {} MB", BUDGET / 1_000_000));
            return;
        }
        let scores = &batch.scored.items;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        order.truncate(self.number);
        match bringer.bring(folder, record, batch.scored, &order) {
            Ok(found) => {
                html.element("ol", &[("class", &"pictures")], |html| {
                    for (picture, &i) in found.iter().zip(&order) {
                        self.picture(html, picture, batch.scored.labels[i], scores[i]);
                    }
                });
            }
            Err(e) => self.problem = Some(e.to_string()),
        }
    }

    fn picture(&mut self, html: &mut Markup, picture: &Thumbnail, anomalous: bool, score: f64) {
        let truth = if anomalous { "anomalous" } else { "normal" };
        let about = format!("{}, {truth}, score {score:.4}", picture.name);
        html.element("li", &[("class", &truth)], |html| {
            for png in std::iter::once(&picture.png).chain(&picture.map) {
                let source = format!("data:image/png;base64,{}", STANDARD.encode(png));
                self.bytes += source.len();
                html.void("img", &[("src", &source), ("alt", &about), ("title", &about)]);
            }
            html.leaf("small", &[], truth);
        });
    }
}
