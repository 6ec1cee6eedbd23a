//! The batches of a person's own, one after the other.

use std::io::Write;

use anyhow::Result;
use zsad_core::{Dataset, Error, Maps, MethodDef, Samples, Scores, Supervision};

use zsad_data::memory::InMemory;

use super::features::Features;
use super::own::Own;
use super::scorer::Scorer;
use super::split::Part;
use super::{explain, maps, warnings};
use crate::commands::note;

/// Warnings of one kind that are shown.
const SHOWN: usize = 3;

/// What is scored, and what is wanted beside the scores.
pub struct Batches<'a> {
    /// The method.
    pub def: &'a dyn MethodDef,
    /// It, ready to score.
    pub scorer: &'a Scorer<'a>,
    /// What belongs to the samples.
    pub own: &'a Own,
    /// Their batches.
    pub parts: &'a [Part],
    /// Whether to say what the scores rest on.
    pub explain: bool,
    /// Whether maps are wanted.
    pub maps: WantedMaps,
}

/// Whether the maps of the samples are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedMaps {
    /// They are not.
    No,
    /// Where the method makes some.
    IfMade,
    /// They are: a method that makes none is an error, and so is a batch that cannot be scored.
    Yes,
}

/// What came of it.
pub struct Scored {
    /// The score of each sample, in input order; `None` where its group is no batch for the method.
    pub samples: Vec<Option<f64>>,
    /// Their maps, where those are wanted.
    pub maps: Option<Maps>,
}

impl Batches<'_> {
    /// Scores `samples` in those batches. A group that the method refuses, being too small, has no scores, and that is said;
    /// what is wrong with all of them, or with batches that nobody drew the borders of, is an error.
    ///
    /// # Errors
    /// Where a batch cannot be scored.
    pub fn score(&self, samples: Samples, out: &mut impl Write) -> Result<Scored> {
        let all = Scores { samples: vec![0.0; samples.len()], maps: None };
        let mut gathered = Gathered { all, is_scored: vec![false; samples.len()], doubts: Vec::new() };
        let mut refusals = Vec::new();
        if let [part] = self.parts {
            // It may be a table of a million rows, and is not copied.
            self.keep(part, self.scorer.batch(samples)?, &mut gathered, out)?;
        } else {
            for part in self.parts {
                match self.scorer.batch(samples.rows(&part.rows)) {
                    Err(why @ Error::Refused(_)) if part.group.is_some() && self.maps != WantedMaps::Yes => {
                        refusals.push(why.at(part.name()));
                    }
                    found => self.keep(part, found.map_err(|e| e.at(part.name()))?, &mut gathered, out)?,
                }
            }
        }
        if !refusals.is_empty() && refusals.len() == self.parts.len() {
            return Err(refusals.swap_remove(0).into());
        }
        shown(&gathered.doubts, "of other batches");
        let unscored: Vec<String> = refusals.iter().map(|why| format!("not scored: {why}")).collect();
        shown(&unscored, "of other groups");
        let Gathered { all, is_scored, .. } = gathered;
        let samples = all.samples.into_iter().zip(is_scored).map(|(score, is)| is.then_some(score)).collect();
        Ok(Scored { samples, maps: all.maps })
    }

    /// Puts the scores of one batch where they belong, and says what there is to say of it.
    fn keep(
        &self,
        part: &Part,
        found: (InMemory, Scores),
        gathered: &mut Gathered,
        out: &mut impl Write,
    ) -> Result<()> {
        self.tell(part, &found, &mut gathered.doubts, out)?;
        for (&row, &score) in part.rows.iter().zip(&found.1.samples) {
            (gathered.all.samples[row], gathered.is_scored[row]) = (score, true);
        }
        match (self.maps, found.1.maps) {
            (WantedMaps::No, _) | (WantedMaps::IfMade, None) => {}
            (WantedMaps::Yes, None) => return Err(maps::none(self.def.spec().name).into()),
            (_, Some(made)) => maps::keep(&mut gathered.all, &made, &part.rows),
        }
        Ok(())
    }

    /// What a batch looks like to somebody who has no labels.
    fn tell(
        &self,
        part: &Part,
        (batch, found): &(InMemory, Scores),
        doubts: &mut Vec<String>,
        out: &mut impl Write,
    ) -> Result<()> {
        let (own, scorer, several) = (self.own, self.scorer, self.parts.len() > 1);
        let references = scorer.references.as_ref().map_or(0, Samples::len);
        // Beside references nobody asks what the batch alone looks like.
        let features = (references == 0 || self.explain).then(|| Features::new(batch, &own.features)).transpose()?;
        let alone = features.as_ref().filter(|_| references == 0);
        let along = alone.map_or(Vec::new(), |f| f.along_main_direction(&own.modality));
        for doubt in warnings::batch_warnings(&found.samples, &along, references) {
            doubts.push(if several { format!("{}: {doubt}", part.name()) } else { doubt });
        }
        if let (true, Some(features)) = (self.explain, &features) {
            let setting = match scorer.method.supervision() {
                Supervision::InBatch if scorer.trained.is_some() => Supervision::ZeroShot,
                setting => setting,
            };
            if several {
                writeln!(out, "{}:", part.name())?;
            }
            let names = own.names().map(|names| part.rows.iter().map(|&r| names[r].clone()).collect::<Vec<_>>());
            let spec = self.def.spec();
            explain::print(spec, setting, batch.info(), features, &found.samples, names.as_deref(), out)?;
        }
        Ok(())
    }
}

/// What came of the batches so far.
struct Gathered {
    all: Scores,
    is_scored: Vec<bool>,
    doubts: Vec<String>,
}

/// A long table would fill the screen with the same warning.
fn shown(lines: &[String], of: &str) {
    lines.iter().take(SHOWN).for_each(|line| note(format_args!("warning: {line}")));
    if lines.len() > SHOWN {
        note(format_args!("warning: … and {} more of this kind, {of}", lines.len() - SHOWN));
    }
}
