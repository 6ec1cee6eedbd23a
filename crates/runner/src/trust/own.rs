//! The batches of a person's own, judged by a calibration.

use std::io::Write;
use std::path::{Path, PathBuf};

use zsad_core::{Error, Given, MethodSpec, Modality, ParamProblem, Result, Samples, Shots};
use zsad_trust::{Judgement, Rules, VerdictOn, decide};

use super::file::{Asked, CalibrationFile, Sized};
use super::words;
use crate::batch_score::output::Column;
use crate::batch_score::scorer::Scorer;
use crate::batch_score::split::Part;
use crate::library::given;
use crate::registry::Registry;

/// Batches that are said one by one.
const SHOWN: usize = 10;

/// A calibration that fits a method, with the methods that help.
pub struct Trust<'a> {
    path: PathBuf,
    file: CalibrationFile,
    /// When a batch is trusted, and a sample decided.
    pub rules: Rules,
    companions: Vec<Scorer<'a>>,
}

/// What was found of a batch.
pub struct Found {
    /// What its scores tell.
    pub judgement: Judgement,
    /// The verdict on it.
    pub verdict: VerdictOn,
}

impl<'a> Trust<'a> {
    /// Reads a calibration for the method of `scorer`.
    ///
    /// # Errors
    /// Where it is damaged or of something else; where a method that helps is not of this version.
    pub fn read(
        path: &Path,
        spec: &MethodSpec,
        scorer: &Scorer<'a>,
        model: Option<&str>,
        registry: &Registry,
    ) -> Result<Self> {
        let file = CalibrationFile::read(path)?;
        let is_table = matches!(scorer.modality, Modality::Tabular { .. });
        let standardise = (is_table && model.is_none()).then(|| scorer.scaling.how());
        file.expect(
            path,
            &Asked { spec, method: scorer.method.as_ref(), model, standardise, modality: &scorer.modality },
        )?;
        let companions = file.companions.iter().map(|id| {
            let def = registry.expect_method(&id.name)?;
            if def.spec().version != id.version {
                let (theirs, ours) = (id.version, def.spec().version);
                let message = format!("made with {} version {theirs}, and this program has version {ours}", id.name);
                return Err(Error::data(path, message, "make it again with `zsad calibrate`"));
            }
            let params: Given = given(&id.params).into_iter().filter(|(_, value)| !value.is_null()).collect();
            let method = def.configure(&params).map_err(|problems| ParamProblem::error(&id.name, problems))?;
            Ok(Scorer {
                method,
                trained: None,
                shots: Shots::Number(0),
                modality: scorer.modality.clone(),
                scaling: scorer.scaling.clone(),
                references: None,
                seed: scorer.seed,
                env: scorer.env,
            })
        });
        let companions = companions.collect::<Result<_>>()?;
        Ok(Trust { path: path.to_owned(), file, rules: Rules::default(), companions })
    }

    /// What it is, in one line.
    pub fn name(&self) -> String {
        let first = self.file.sizes.first();
        let (domains, dataset) = (first.map_or(0, |s| s.domains.len()), &self.file.dataset);
        format!("{} ({domains} domains of {dataset})", self.path.display())
    }

    /// Whether it scores the samples itself, to help.
    pub fn needs_samples(&self) -> bool {
        !self.companions.is_empty()
    }

    /// Refuses batches of sizes that it does not know.
    ///
    /// # Errors
    /// [`Error::Config`] with those that it knows.
    pub fn check(&self, parts: &[Part]) -> Result<()> {
        parts.iter().try_for_each(|part| self.of(part).map(drop))
    }

    fn of(&self, part: &Part) -> Result<&Sized> {
        self.file.of_size(&self.path, part.rows.len())
    }

    /// Judges every batch by its `scores`; nothing for a batch without scores. `samples` are all samples where they are
    /// [needed](Trust::needs_samples).
    ///
    /// # Errors
    /// Where a method that helps cannot score a batch.
    pub fn judge(&self, parts: &[Part], scores: &[Option<f64>], samples: &Samples) -> Result<Vec<Option<Found>>> {
        let one = |part: &Part| {
            let own: Option<Vec<f64>> = part.rows.iter().map(|&row| scores[row]).collect();
            let Some(own) = own else { return Ok(None) };
            let mut all = vec![own];
            for companion in &self.companions {
                let (_, scores) = companion.batch(samples.rows(&part.rows)).map_err(|e| e.at(part.name()))?;
                all.push(scores.samples);
            }
            let all: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
            let judgement = self.of(part)?.calibration.judge(&all)?;
            Ok(Some(Found { verdict: self.rules.on(&judgement), judgement }))
        };
        parts.iter().map(one).collect()
    }

    /// Says what was found.
    ///
    /// # Errors
    /// Where nothing can be written to `out`.
    pub fn tell(&self, parts: &[Part], found: &[Option<Found>], out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "trust, by {}:", self.name())?;
        if let ([_], [Some(one)]) = (parts, found) {
            for line in words::lines(&one.judgement, &one.verdict, self.rules.cost_reject) {
                writeln!(out, "{line}")?;
            }
            return Ok(());
        }
        let judged = || parts.iter().zip(found).filter_map(|(part, f)| Some((part, f.as_ref()?)));
        for (part, f) in judged().take(SHOWN) {
            writeln!(out, "{}", words::line(&part.name(), &f.judgement, &f.verdict))?;
        }
        let (all, counts) = (judged().count(), words::verdicts(judged().map(|(_, f)| &f.verdict)));
        if all > SHOWN {
            writeln!(out, "  … and {} more batches", all - SHOWN)?;
        }
        writeln!(out, "  of {all} batches: {counts}")
    }

    /// The columns that the table of scores gets, a field for every sample; empty where its batch was not judged.
    pub fn columns(&self, parts: &[Part], found: &[Option<Found>], n: usize) -> [Column; 2] {
        let (mut p, mut decision) = (vec![String::new(); n], vec![String::new(); n]);
        for (part, found) in parts.iter().zip(found) {
            let Some(found) = found else { continue };
            for (&row, &value) in part.rows.iter().zip(&found.judgement.probabilities) {
                p[row] = format!("{value:?}");
                decision[row] = decide(value, self.rules.cost_reject).to_string();
            }
        }
        [("p_anomaly".into(), p), ("decision".into(), decision)]
    }
}
