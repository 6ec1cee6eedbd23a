//! Whether maps point at what is wrong. Maps are too large to be kept: cells of methods that make them are scored again.

use zsad_core::{Error, MetricInput, Result};
use zsad_metrics::ader::{SEVEN, ader, iou_of_f1, mad};
use zsad_metrics::explained::{best_iou, image_threshold, points_at};

use super::found::Found;
use super::{Analysis, AnalysisSpec, Cell, Cells, Output, Registered};

/// The registry's entry.
pub const DEF: Registered<Explanation> = Registered::new(&SPEC);

static SPEC: AnalysisSpec = AnalysisSpec {
    name: "explanation",
    version: 1,
    summary: "whether anomaly maps point at what is wrong: best overlap, pointing game, alarms for the right reason; scores cells of \
              methods with maps again",
    citation: "after Rashid et al., Trustworthiness of Visual Anomaly Detection Explanations, xAI 2024; ADer's metrics: Zhang et \
               al., A Comprehensive Library for Benchmarking Multi-class Visual Anomaly Detection, 2024",
};

zsad_core::params! {
    /// Parameters of the analysis.
    pub struct Explanation {
        /// also ADer's metrics as its code defines them, to compare with numbers that were printed so
        ader: bool = false;
    }
}

const METRICS: [&str; 11] = [
    "best_iou",
    "pointing",
    "right_reason",
    "pixel_iou_max",
    "mad",
    "ader_mf1",
    "ader_macc",
    "ader_miou",
    "ader_f1_max",
    "ader_iou_max",
    "ader_aupro",
];

/// What a domain's batches hold, one after the other.
#[derive(Default)]
struct Maps {
    scores: Vec<f64>,
    labels: Vec<bool>,
    maps: Vec<f32>,
    masks: Vec<u8>,
    size: (usize, usize),
}

impl Analysis for Explanation {
    fn run(&self, cells: &Cells) -> Result<Output> {
        let mut found = Found::new(&METRICS);
        for cell in cells.iter() {
            cells.bench.env.stop.check()?;
            let def = cells.bench.registry.method(&cell.record.cell.fit.method.name);
            // Maps are what methods make that take nothing but pictures.
            if def.is_some_and(|def| !def.spec().accepts.tabular) {
                self.cell(cell, cells, &mut found)?;
            }
        }
        if found.is_empty() {
            let why = "no method here makes anomaly maps of data with masks";
            return Err(Error::refused(format!("{why}; hint: patchcore, padim and spade do, and acr_patch and resad")));
        }
        let remark = "Means over domains and seeds. best_iou: the greatest overlap of an anomalous image's map with its mask over \
                      all thresholds, which the mask picks: an upper bound; pointing: the share of anomalous images whose map \
                      is greatest inside the mask; right_reason: the same of those that alarm at the image threshold of \
                      greatest √(TPR (1 − FPR)); pixel_iou_max: over the thresholds of all images at once; mad: mean of image \
                      AUROC, AP, F1max, pixel AUROC, AP, F1max and AUPRO, by our exact definitions and the method's own image score."
            .to_owned();
        let ader = "ader_…: as ADer's code defines them, on maps scaled over a domain's test set: means over the thresholds 0.2 … \
                    0.8, maxima over 21 thresholds, AU-PRO over 200."
            .to_owned();
        let remarks = if self.ader { vec![remark, ader] } else { vec![remark] };
        let (table, sections) = (found.table(), found.sections());
        Ok(Output { table, remarks, sections, numbers: found.numbers, ..Output::default() })
    }
}

impl Explanation {
    fn cell(&self, cell: &Cell, cells: &Cells, found: &mut Found) -> Result<()> {
        // Maps are of one domain at a time: they are large.
        let mut now = (String::new(), Maps::default());
        cells.score_again(cell, |domain, seen| {
            if now.0 != domain {
                self.domain(cell, &now.0, &now.1, found);
                now = (domain.to_owned(), Maps::default());
            }
            let all = &mut now.1;
            if let (Some(maps), Some(masks), &[h, w]) = (&seen.scores.maps, seen.masks, &seen_shape(&seen)[..]) {
                all.size = (h, w);
                all.scores.extend(&seen.scores.samples);
                all.labels.extend(&seen.batch.labels);
                all.maps.extend(&maps.values);
                all.masks.extend(&masks.values);
            }
            Ok(())
        })?;
        self.domain(cell, &now.0, &now.1, found);
        Ok(())
    }

    fn domain(&self, cell: &Cell, domain: &str, all: &Maps, found: &mut Found) {
        if all.maps.is_empty() {
            return;
        }
        let (h, w) = all.size;
        let images = || all.maps.chunks_exact(h * w).zip(all.masks.chunks_exact(h * w));
        let overlaps: Vec<f64> = images().filter_map(|(map, mask)| best_iou(map, mask)).collect();
        let pointing: Vec<Option<bool>> = images().map(|(map, mask)| points_at(map, mask)).collect();
        let share = |hits: Vec<bool>| -> Vec<f64> { hits.into_iter().map(|hit| f64::from(u8::from(hit))).collect() };
        found.add(cell, domain, METRICS[0], "", &overlaps);
        found.add(cell, domain, METRICS[1], "", &share(pointing.iter().flatten().copied().collect()));
        let threshold = image_threshold(&all.scores, &all.labels);
        let alarms = |i: usize| threshold.is_some_and(|t| all.scores[i] >= t);
        let right = pointing.iter().enumerate().filter(|(i, _)| alarms(*i)).filter_map(|(_, hit)| *hit);
        found.add(cell, domain, METRICS[2], "", &share(right.collect()));
        let samples = MetricInput::Samples { scores: &all.scores, labels: &all.labels };
        let pixels = MetricInput::Maps { maps: &all.maps, masks: &all.masks, shape: &[h, w] };
        let metrics = || SEVEN.iter().filter_map(|name| zsad_metrics::find(name)).collect::<Vec<_>>();
        let measured = [samples, pixels].map(|input| zsad_metrics::evaluate(input, &metrics())).concat();
        let value = |name: &str| measured.iter().find(|(spec, _)| spec.name == name).and_then(|(_, v)| v.value());
        let iou: Vec<f64> = value("pixel_f1_max").map(iou_of_f1).into_iter().collect();
        found.add(cell, domain, METRICS[3], "", &iou);
        let seven: Vec<f64> = SEVEN.iter().filter_map(|name| value(name)).collect();
        let mean: Vec<f64> = <[f64; 7]>::try_from(seven).map(mad).into_iter().collect();
        found.add(cell, domain, METRICS[4], "", &mean);
        if let Some(theirs) = self.ader.then(|| ader(&all.maps, &all.masks, h, w)).flatten() {
            let [f1, recall, iou] = theirs.mean;
            let values = [Some(f1), Some(recall), Some(iou), Some(theirs.f1_max), Some(theirs.iou_max), theirs.aupro];
            for (metric, value) in METRICS[5..].iter().zip(values) {
                found.add(cell, domain, metric, "", value.as_slice());
            }
        }
    }
}

/// The shape of the maps of a batch; nothing where there are none.
fn seen_shape(seen: &crate::evaluate::Seen) -> Vec<usize> {
    seen.scores.maps.as_ref().map(|maps| maps.shape.clone()).unwrap_or_default()
}
