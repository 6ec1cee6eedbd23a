//! A person's own batch as it was read: samples, and what goes with each of them into the output.

use std::path::Path;

use zsad_core::{Error, Layout, Missing, Modality, Moments, PictureGeometry, Preprocessing, Result, Samples, Values};
use zsad_data::columns::{self, Encoded, Found, TrainingRows};
use zsad_data::formats::table::Table;

use super::features::name;
use super::pictures::{PictureArgs, Pictures};

/// Names that one message shows.
const SHOWN: usize = 5;
/// A median so many standard deviations of the training rows away from their mean is far off.
const FAR: f64 = 10.0;

/// A batch and what belongs to its samples.
pub struct Own {
    /// Kind and shape of the samples.
    pub modality: Modality,
    /// The samples, before they are brought to one scale.
    pub samples: Samples,
    /// Names of the features of a table.
    pub features: Vec<String>,
    /// Columns that go into the output, each a name and a text a sample.
    pub carried: Vec<(String, Vec<String>)>,
    /// What batches must not cross: a text a sample.
    pub groups: Option<Vec<String>>,
    /// The pictures that the samples were, and how they became them.
    pub pictures: Option<(Pictures, PictureGeometry)>,
    /// What a person should know of how it was read, a line each.
    pub said: Vec<String>,
}

/// What a person wants of the columns of a table.
pub struct Columns<'a> {
    /// Columns that go into the output.
    pub ids: &'a [String],
    /// The column whose values batches must not cross.
    pub group: Option<&'a str>,
    /// Columns to leave out.
    pub exclude: &'a [String],
    /// What a missing value becomes; `None`: what it was in training, else an error.
    pub missing: Option<Missing>,
}

impl Columns<'_> {
    /// All columns that are named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().chain(self.exclude).map(String::as_str).chain(self.group)
    }
}

impl Own {
    /// Samples that are no table.
    pub fn unnamed(modality: Modality, samples: Samples) -> Self {
        let (features, carried, said) = (Vec::new(), Vec::new(), Vec::new());
        Own { modality, samples, features, carried, groups: None, pictures: None, said }
    }

    /// The pictures of a folder, whose names go into the output.
    ///
    /// # Errors
    /// As [`PictureArgs::read`].
    pub fn pictures(folder: &Path, geometry: &PictureGeometry, args: &PictureArgs) -> Result<Self> {
        let (samples, pictures, said) = args.read(folder, geometry)?;
        let carried = vec![("file".to_owned(), pictures.names())];
        let pictures = Some((pictures, geometry.clone()));
        Ok(Own { carried, pictures, said, ..Own::unnamed(geometry.modality(), samples) })
    }

    /// Whether these are pictures without colours.
    pub fn is_grey(&self) -> bool {
        self.pictures.as_ref().is_some_and(|(pictures, _)| pictures.all_grey)
    }

    /// The first of three equal channels alone.
    pub fn drop_colours(&mut self) {
        if let Modality::Image { channels: 3, height, width } = self.modality {
            let values = self.samples.to_f32();
            let first = values.chunks_exact(3 * height * width).flat_map(|image| &image[..height * width]).copied();
            let first: Vec<f32> = first.collect();
            self.modality = Modality::Image { channels: 1, height, width };
            self.samples = Samples::new(self.modality.shape(), Values::F32(first));
        }
    }

    /// The samples, which it then has no more: a long table is held once.
    pub fn take_samples(&mut self) -> Samples {
        std::mem::replace(&mut self.samples, Samples::new(self.modality.shape(), Values::F64(Vec::new())))
    }

    /// What the samples are called.
    pub fn names(&self) -> Option<&[String]> {
        self.carried.first().map(|(_, names)| names.as_slice())
    }

    /// The rows of the table in `path`: by name as a training learnt its columns, where it did; else all columns but those
    /// named in `wanted`, which must be numbers.
    ///
    /// # Errors
    /// [`Error::Data`] where a column is not there, is no number or lacks values; [`Error::Config`] where a model cannot do
    /// with missing values what is wanted.
    pub fn table(path: &Path, wanted: &Columns, learnt: Option<&Preprocessing>) -> Result<Self> {
        let head = Table::head(path)?;
        let mut said: Vec<String> =
            head.remarks().iter().map(|r| format!("warning: {}: {r}", path.display())).collect();
        let named: Vec<&str> = wanted.names().collect();
        head.require(&named)?;
        let others = || head.names().into_iter().filter(|n| !named.contains(&n.as_str())).collect::<Vec<_>>();
        let texts: Vec<&str> = wanted.ids.iter().map(String::as_str).chain(wanted.group).collect();
        let mut whole = None;
        let layout = match learnt.and_then(|l| l.layout.as_ref()) {
            Some(layout) => {
                let unused: Vec<String> = others().into_iter().filter(|n| layout.columns().all(|c| c != n)).collect();
                if !unused.is_empty() {
                    let unused = some(&unused);
                    said.push(format!("{}: columns that the model does not know, left out: {unused}", path.display()));
                }
                as_trained(layout, wanted.missing)?
            }
            None => {
                let missing = wanted.missing.unwrap_or_default();
                let mut layout = Layout { numeric: others(), missing, ..Layout::default() };
                if layout.numeric.is_empty() {
                    return Err(Error::data(path, "no column is left to score by", ""));
                }
                // A median is a pass over a whole column: only where it will stand in for something.
                if missing != Missing::Fail {
                    let table = whole.insert(Table::read_texts(path, &texts)?);
                    columns::fill(&mut layout, table, &TrainingRows::whole(table.height()))?;
                }
                layout
            }
        };
        let rows = Rows::read(path, &layout, &texts, whole)?;
        rows.found.check(path, &layout)?;
        said.extend(rows.found.unseen_said().into_iter().map(|s| format!("warning: {s}")));
        let mut carried: Vec<_> = texts.iter().map(|&name| name.to_owned()).zip(rows.texts).collect();
        let groups = carried.split_off(wanted.ids.len()).pop().map(|(_, groups)| groups);
        let samples = Samples::new(vec![layout.dim()], Values::F64(rows.values));
        let (modality, features) = (Modality::rows(layout.dim()), layout.features());
        Ok(Own { modality, samples, features, carried, groups, pictures: None, said })
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// The features whose median over all samples is far from the mean of the training rows, in one sentence. A median,
    /// since anomalies must not bring the warning.
    pub fn far_off(&self, pool: &Moments) -> Option<String> {
        let (dim, x) = (self.samples.dim(), self.samples.to_f64());
        let middle = |k: usize| columns::median(x.iter().skip(k).step_by(dim).copied().collect()).unwrap_or(f64::NAN);
        let far = (0..dim).map(|k| (k, middle(k)));
        let away = |k: usize, middle: f64| ((middle - pool.mean[k]) / pool.sd[k]).abs();
        let mut far: Vec<(usize, f64)> = far.filter(|&(k, middle)| away(k, middle) > FAR).collect();
        far.sort_by(|a, b| away(b.0, b.1).total_cmp(&away(a.0, a.1)).then(a.0.cmp(&b.0)));
        let said = |&(k, middle): &(usize, f64)| {
            let name = name(&self.features, k);
            format!("{name} (median {middle:.4}; in training {:.4} ± {:.4})", pool.mean[k], pool.sd[k])
        };
        let shown: Vec<String> = far.iter().take(SHOWN).map(said).collect();
        let more = if far.len() > SHOWN { format!(" and {} more", far.len() - SHOWN) } else { String::new() };
        (!far.is_empty()).then(|| format!("far from what the model was trained on: {}{more}", shown.join(", ")))
    }
}

/// The layout of a training with another rule for missing values, where one is wanted.
fn as_trained(layout: &Layout, missing: Option<Missing>) -> Result<Layout> {
    match missing {
        Some(Missing::Indicator) if layout.missing != Missing::Indicator => {
            let why = "the model was trained without columns that say where values are missing";
            Err(Error::Config(format!("--missing indicator: {why}; hint: --missing median")))
        }
        Some(Missing::Median) if layout.medians.len() != layout.numeric.len() => {
            Err(Error::Config("--missing median: the model's training kept no medians".into()))
        }
        _ => Ok(Layout { missing: missing.unwrap_or(layout.missing), ..layout.clone() }),
    }
}

/// Rows of a table, gathered some at a time: a table of a million rows is not held in two forms at once.
struct Rows<'a> {
    layout: &'a Layout,
    names: &'a [&'a str],
    /// The features, row by row.
    values: Vec<f64>,
    /// The columns `names`.
    texts: Vec<Vec<String>>,
    found: Found,
}

impl<'a> Rows<'a> {
    /// The rows of the file in `path`, or of `whole`, which is it.
    fn read(path: &Path, layout: &'a Layout, names: &'a [&'a str], whole: Option<Table>) -> Result<Self> {
        let none =
            || Rows { layout, names, values: Vec::new(), texts: vec![vec![]; names.len()], found: Found::default() };
        let mut rows = none();
        // Categories are those of the types that were inferred in training, so that 01 may have been 1.
        if whole.is_none() && layout.categorical.is_empty() {
            let numbers: Vec<&str> = layout.columns().collect();
            if Table::in_parts(path, &numbers, names, |part| rows.add(part))? {
                return Ok(rows);
            }
            rows = none();
        }
        let whole = whole.map_or_else(|| Table::read_texts(path, names), Ok)?;
        whole.parts().try_for_each(|part| rows.add(&part))?;
        Ok(rows)
    }

    fn add(&mut self, part: &Table) -> Result<()> {
        let encoded = Encoded::part(part, self.layout)?;
        let (dim, start) = (self.layout.dim(), self.values.len());
        self.values.resize(start + part.height() * dim, 0.0);
        let (mut numeric, mut codes) = (Vec::new(), Vec::new());
        for (row, out) in self.values[start..].chunks_exact_mut(dim.max(1)).enumerate() {
            numeric.clear();
            codes.clear();
            numeric.extend(encoded.numeric.iter().map(|column| column[row]));
            codes.extend(encoded.codes.iter().map(|column| column[row]));
            self.layout.write(&numeric, &codes, out);
        }
        for (all, name) in self.texts.iter_mut().zip(self.names) {
            all.extend(part.text_or_missing(name)?.into_iter().map(Option::unwrap_or_default));
        }
        self.found.add(encoded.found);
        Ok(())
    }
}

/// The first few names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
