//! `zsad score`: a batch of a person's own, scored.

use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;
use zsad_core::{
    Choice, DataDir, Detector, Error, Given, MethodDef, Missing, ParamProblem, Preprocessing, Samples, Scores,
    Standardise,
};
use zsad_data::memory::InMemory;

use super::Locations;
use super::data::missing::with_hint;
use crate::batch_score::batches::{Batches, Scored, WantedMaps};
use crate::batch_score::input::How;
use crate::batch_score::maps::{self, Source};
use crate::batch_score::own::{Columns, Own};
use crate::batch_score::pictures::PictureArgs;
use crate::batch_score::scorer::Scorer;
use crate::batch_score::split;
use crate::batch_score::threshold::{Flags, Rule};
use crate::batch_score::trained::Trained;
use crate::batch_score::usage::Usage;
use crate::batch_score::{flagged, input, output, scale, suggest};
use crate::exit::Exit;
use crate::registry::Registry;
use crate::trust::own::Trust;
use crate::trust::page::Page;

/// Examples, and what is made of tables, pictures and thresholds.
const EXAMPLES: &str = include_str!("score/help.txt");

/// Score a batch of your own with a trained model or a training-free method
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Score {
    /// The method; without one, some that suit the batch are suggested
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// A trained model, as `zsad run` stores them, or a .pt file of the official ACR code
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The batch
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the scores go, a CSV file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Seed of methods that draw at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// A parameter of the method; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, Value)>,
    /// Normal samples of the target, for methods that compare with some
    #[arg(long, value_name = "FILE")]
    references: Option<PathBuf>,
    /// A column that goes into the output and is no feature; may be repeated
    #[arg(long, value_name = "COLUMN")]
    id: Vec<String>,
    /// Score a long table in batches of so many rows, in their order
    #[arg(long, value_name = "N")]
    batch_size: Option<NonZero<usize>>,
    /// A column, such as the day or the machine, whose values a batch must not mix; it is no feature. A group that is too
    /// small for the method has no scores, and exit code 1 says so
    #[arg(long, value_name = "COLUMN")]
    group: Option<String>,
    /// A column that is no feature; may be repeated
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// What a missing value becomes: fail, median or indicator [default: as the model was trained, else fail]
    #[arg(long, value_name = "HOW", value_parser = word::<Missing>)]
    missing: Option<Missing>,
    /// The scale of a table without a trained model: none, or batch (mean 0, standard deviation 1)
    #[arg(long, value_name = "HOW", value_parser = own_scale)]
    standardise: Option<Standardise>,
    /// Add a column `flag`: auto, fpr=0.01, top=10 (samples of a batch) or top=0.05 (a share)
    #[arg(long, value_name = "RULE")]
    threshold: Option<Rule>,
    /// Say whether to trust the scores, by what `zsad calibrate` learnt of batches of the same size: contamination, expected
    /// AUROC and a verdict, and the columns `p_anomaly` and `decision` (normal, anomaly or rejected)
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// A page on the batch, one HTML file: the verdict and its reasons, the highest scores with their pictures and maps or
    /// with the columns that stand out, and how the scores lie
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    locations: Locations,
    /// Say what the scores rest on: the batch's statistics, and which samples stand out by what
    #[arg(long)]
    explain: bool,
    /// A folder for anomaly maps: <file>.overlay.png and <file>.npy of each picture, and sheet.png
    #[arg(long, value_name = "DIR")]
    maps: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureArgs,
}

impl Score {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let data = DataDir::resolve(self.locations.data.clone());
        self.score_all(out).map_err(|e| with_hint(e, &data))
    }

    fn score_all(self, out: &mut impl Write) -> Result<Exit> {
        let registry = Registry::built_in();
        let Some(name) = &self.method else { return Err(self.suggestion()?.into()) };
        let def = registry.expect_method(name)?;
        let given: Given = self.params.iter().cloned().collect();
        let method = def.configure(&given).map_err(|problems| ParamProblem::error(name, problems))?;
        let (checkpoint, references) = (self.checkpoint.is_some(), self.references.is_some());
        Usage { def, method: method.as_ref(), given: &given, checkpoint, references }.check()?;
        self.check_files()?;
        let (env, _) = self.locations.open_to_compute(false)?;
        super::tell_processor(env.device, &registry, std::iter::once(name.as_str()));
        // A model is read before the batch: it says how pictures and columns become samples.
        let path = self.checkpoint.as_ref();
        let trained = path.map(|path| Trained::read(path, def, method.as_ref(), &registry, &env)).transpose()?;
        let (mut own, references) = self.input(def, trained.as_ref())?;
        let scorer = Scorer {
            shots: trained.as_ref().map_or(method.shots(), |t| t.shots),
            trained: trained.as_ref().map(|t| t.detector.as_ref()),
            scaling: scale::settle(trained.as_ref().map(|t| t.preprocessing.as_ref()), self.standardise, &own, out)?,
            modality: own.modality.clone(),
            references,
            method,
            seed: self.seed,
            env: &env,
        };
        let size = self.batch_size.map(NonZero::get);
        let parts = split::split(own.len(), size, own.groups.as_deref());
        if let Some(said) = split::said(&parts, size, self.group.as_deref()) {
            writeln!(out, "{said}")?;
        }
        let model = path.filter(|_| self.trust.is_some()).map(|path| env.digests.file(path)).transpose()?;
        let trust = self.trust.as_ref();
        let trust =
            trust.map(|path| Trust::read(path, def.spec(), &scorer, model.as_deref(), &registry)).transpose()?;
        trust.as_ref().map_or(Ok(()), |trust| trust.check(&parts))?;
        // Maps lie on the samples, where those are no files; and a page shows samples.
        let on_samples = self.maps.is_some() && own.pictures.is_none();
        let keep = on_samples || self.report.is_some() || trust.as_ref().is_some_and(Trust::needs_samples);
        let samples = if keep { own.samples.clone() } else { own.take_samples() };
        let batches = Batches {
            def,
            scorer: &scorer,
            own: &own,
            parts: &parts,
            explain: self.explain,
            maps: match (&self.maps, &self.report) {
                (Some(_), _) => WantedMaps::Yes,
                (None, Some(_)) => WantedMaps::IfMade,
                (None, None) => WantedMaps::No,
            },
        };
        let Scored { samples, maps } = batches.score(samples, out)?;
        let flags = self.threshold.map(|rule| flagged::flags(rule, &scorer, &samples, &parts, out)).transpose()?;
        let mut added = flags.map(Flags::columns).unwrap_or_default();
        let found = trust.as_ref().map(|trust| trust.judge(&parts, &samples, &own.samples)).transpose()?;
        if let Some((trust, found)) = trust.as_ref().zip(found.as_ref()) {
            trust.tell(&parts, found, out)?;
            added.extend(trust.columns(&parts, found, samples.len()));
        }
        if let Some(path) = &self.report {
            let title = format!("{}, scored by {name}", self.input.display());
            let judged = found.as_deref().zip(trust.as_ref());
            let page = Page { title, own: &own, parts: &parts, scores: &samples, maps: maps.as_ref(), judged };
            page.write(path)?;
            super::note(format_args!("{}: the batch on a page", path.display()));
        }
        output::write(&self.out, &samples, &own.carried, &added, &parts)?;
        let is_whole = samples.iter().all(Option::is_some);
        if let Some(dir) = &self.maps {
            // With maps, what cannot be scored is an error.
            self.write_maps(dir, &own, &Scores { samples: samples.into_iter().flatten().collect(), maps })?;
        }
        Ok(if is_whole { Exit::Success } else { Exit::SomeFailed })
    }

    fn write_maps(&self, dir: &Path, own: &Own, scores: &Scores) -> Result<()> {
        let batch;
        let source = match &own.pictures {
            Some((pictures, geometry)) => Source::Files(&pictures.paths, geometry),
            None => {
                batch = InMemory::batch(own.modality.clone(), own.samples.clone(), None)?;
                Source::Batch(&batch)
            }
        };
        let title = format!("{}: {}, highest score first", self.name(), self.input.display());
        let numbered = || (0..scores.samples.len()).map(|i| format!("sample_{i:06}")).collect();
        let names = own.names().map_or_else(numbered, <[String]>::to_vec);
        super::note(maps::write(dir, &title, scores, &names, &source)?);
        Ok(())
    }

    fn name(&self) -> &str {
        self.method.as_deref().unwrap_or_default()
    }

    /// Whether the options that name files and scales go together.
    fn check_files(&self) -> Result<(), Error> {
        output::check(&self.out)?;
        if self.checkpoint.is_some() && self.standardise.is_some() {
            let hint = "drop --standardise: a trained model has its own scale";
            return Err(Error::Config(format!("--standardise beside --checkpoint; hint: {hint}")));
        }
        Ok(())
    }

    fn columns(&self) -> Columns<'_> {
        Columns { ids: &self.id, group: self.group.as_deref(), exclude: &self.exclude, missing: self.missing }
    }

    /// The error of a call without a method: it says which ones suit the batch.
    fn suggestion(&self) -> Result<Error, Error> {
        let how = How {
            geometry: &self.pictures.settle(None)?,
            pictures: &self.pictures,
            columns: self.columns(),
            learnt: None,
        };
        let batch = input::read(&self.input, &how)?;
        let references = match &self.references {
            Some(path) => input::read(path, &how)?.len(),
            None => 0,
        };
        Ok(Error::Config(suggest::methods(&batch.modality, batch.len(), references)))
    }

    /// The batch and its references, as the detector wants them.
    fn input(&self, def: &dyn MethodDef, trained: Option<&Trained>) -> Result<(Own, Option<Samples>), Error> {
        let detector = trained.map(|t| t.detector.as_ref());
        let learnt = trained.and_then(|t| t.preprocessing.as_ref());
        let known = trained.and_then(|t| t.pictures.clone());
        let is_open = known.is_none();
        let geometry = self.pictures.settle(known)?;
        let how = How { geometry: &geometry, pictures: &self.pictures, columns: self.columns(), learnt };
        let mut own = input::read(&self.input, &how)?;
        let how = How { columns: Columns { ids: &[], group: None, ..self.columns() }, ..how };
        let mut references = self.references.as_ref().map(|path| input::read(path, &how)).transpose()?;
        if is_open && own.is_grey() && references.as_ref().is_none_or(Own::is_grey) {
            own.drop_colours();
            references.iter_mut().for_each(Own::drop_colours);
        }
        own.said.iter().chain(references.iter().flat_map(|r| &r.said)).for_each(super::note);
        let modality = &own.modality;
        def.spec()
            .accepts
            .check(modality)
            .map_err(|e| Error::data(&self.input, format!("{}: {e}", self.name()), ""))?;
        let wanted = learnt.and_then(Preprocessing::dim).map(|dim| vec![dim]);
        if let Some(wanted) = detector.and_then(Detector::input).or(wanted).filter(|w| *w != modality.shape()) {
            let message = format!("samples of shape {:?}, and the model was trained on {wanted:?}", modality.shape());
            let hint = match learnt.and_then(|l| l.layout.as_ref()) {
                Some(_) => "give the table itself (.csv, .tsv or .parquet): its columns are found by name",
                None => "give the columns or pixels that it was trained on, in the same order",
            };
            return Err(Error::data(&self.input, message, hint));
        }
        let Some((path, references)) = self.references.as_ref().zip(references) else { return Ok((own, None)) };
        if references.modality != *modality {
            let theirs = references.modality.shape();
            let message = format!("samples of shape {theirs:?} beside {:?} of the batch", modality.shape());
            return Err(Error::data(path, message, "references look like the batch"));
        }
        Ok((own, Some(references.samples)))
    }
}

/// `KEY=VALUE`, the value as in YAML.
pub(super) fn key_value(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let value = serde_yaml::from_str(value).map_err(|e| e.to_string())?;
    Ok((key.trim().to_owned(), value))
}

/// A word of a choice.
fn word<C: Choice>(text: &str) -> Result<C, String> {
    C::from_word(text).ok_or_else(|| format!("write one of {}", C::WORDS.join(", ")))
}

/// A scale that needs no training.
pub(super) fn own_scale(text: &str) -> Result<Standardise, String> {
    let known = [Standardise::None, Standardise::Batch];
    let found = Standardise::from_word(text).filter(|how| known.contains(how));
    found.ok_or_else(|| "write none or batch: other scales are learnt in training, by a model".into())
}
