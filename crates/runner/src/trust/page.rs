//! The page on a person's own batches.

use std::path::Path;

use zsad_core::{Maps, Modality, Result, file};
use zsad_data::memory::InMemory;
use zsad_report::heatmaps::{Range, pixels};
use zsad_report::html::{BatchPage, BatchView, Ranked, Thumbnail, Trusted};
use zsad_store::provenance;
use zsad_trust::decide;

use super::own::{Found, Trust};
use super::words;
use crate::batch_score::features::Features;
use crate::batch_score::maps::{Shown, Source};
use crate::batch_score::own::Own;
use crate::batch_score::split::Part;

/// Batches that have a section of their own.
const BATCHES: usize = 8;
/// Samples that are shown of a batch.
const SAMPLES: usize = 40;
/// Pixels of a picture along its longer side.
const LONGEST: usize = 128;
/// Features that are named of a sample.
const NAMED: usize = 3;

/// What it is made of.
pub struct Page<'a> {
    /// What was scored, and by what.
    pub title: String,
    /// The batch as it was read, with its samples.
    pub own: &'a Own,
    /// Its parts.
    pub parts: &'a [Part],
    /// The score of each sample.
    pub scores: &'a [Option<f64>],
    /// Their maps.
    pub maps: Option<&'a Maps>,
    /// What was found of every part, and by which calibration.
    pub judged: Option<(&'a [Option<Found>], &'a Trust<'a>)>,
}

impl Page<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Where a picture cannot be read any more, or the file cannot be written.
    pub fn write(self, path: &Path) -> Result<()> {
        let batches = (0..self.parts.len().min(BATCHES)).map(|i| self.view(i)).collect::<Result<_>>()?;
        let mut facts = vec![("samples", self.scores.len().to_string())];
        if self.parts.len() > 1 {
            let shown = if self.parts.len() > BATCHES { format!(", the first {BATCHES} below") } else { String::new() };
            facts.push(("batches", format!("{}{shown}", self.parts.len())));
        }
        if let Some((found, trust)) = self.judged {
            facts.push(("judged by", trust.name()));
            if self.parts.len() > 1 {
                facts.push(("verdicts", words::verdicts(found.iter().flatten().map(|f| &f.verdict))));
            }
        }
        let program = format!("zsad {}", provenance::VERSION);
        let page = BatchPage { title: self.title, facts, batches, program: &program };
        file::write(path, page.to_html().as_bytes())
    }

    fn view(&self, number: usize) -> Result<BatchView> {
        let part = &self.parts[number];
        let judged = self.judged.and_then(|(found, trust)| Some((found[number].as_ref()?, trust)));
        let scored: Vec<(usize, f64)> =
            part.rows.iter().enumerate().filter_map(|(at, &row)| Some((at, self.scores[row]?))).collect();
        let mut order = scored.clone();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.truncate(SAMPLES);
        let decided = |at: usize| {
            let (found, trust) = judged?;
            let p = *found.judgement.probabilities.get(at)?;
            Some((p, decide(p, trust.rules.cost_reject)))
        };
        let batch = InMemory::batch(self.own.modality.clone(), self.own.samples.rows(&part.rows), None)?;
        let is_table = matches!(self.own.modality, Modality::Tabular { .. });
        let features = is_table.then(|| Features::new(&batch, &self.own.features)).transpose()?;
        let range = self.maps.map(|maps| Range::of(maps.values.chunks_exact(maps.positions()))).transpose()?;
        let ranked = |&(at, score): &(usize, f64)| {
            let row = part.rows[at];
            let name = self.own.names().map_or_else(|| format!("sample {row}"), |names| names[row].clone());
            Ok(Ranked {
                pictures: if is_table { Vec::new() } else { self.pictures(&batch, at, row, &name, range.as_ref())? },
                name,
                score,
                decided: decided(at),
                stands_out: features.as_ref().map(|f| f.deviations(at, NAMED)).unwrap_or_default(),
            })
        };
        Ok(BatchView {
            name: if self.parts.len() > 1 { part.name() } else { String::new() },
            scores: scored.iter().map(|(_, score)| *score).collect(),
            trust: judged.map(|(found, trust)| Trusted {
                decisions: words::decisions(&found.judgement, trust.rules.cost_reject),
                judgement: found.judgement.clone(),
                verdict: found.verdict.clone(),
            }),
            ranked: order.iter().map(ranked).collect::<Result<_>>()?,
        })
    }

    /// A sample's picture, and with its map over it where there is one.
    fn pictures(
        &self,
        batch: &InMemory,
        at: usize,
        row: usize,
        name: &str,
        range: Option<&Range>,
    ) -> Result<Vec<Thumbnail>> {
        let (source, number) = match &self.own.pictures {
            Some((pictures, geometry)) => (Source::Files(&pictures.paths, geometry), row),
            None => (Source::Batch(batch), at),
        };
        let Some((maps, range)) = self.maps.zip(range) else {
            let (image, size) = source.picture(number, LONGEST)?;
            return Ok(vec![Thumbnail::of(name.to_owned(), image, size)?]);
        };
        let map = &maps.values[row * maps.positions()..(row + 1) * maps.positions()];
        let Shown { image, values, size } = source.shown(number, map, LONGEST)?;
        let under = pixels(&image, &values, size, range)?;
        let plain = Thumbnail::of(name.to_owned(), image, size)?;
        Ok(vec![plain, Thumbnail::of(format!("{name} with its map"), under, size)?])
    }
}
