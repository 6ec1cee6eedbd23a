//! Draws as files: `batches.csv`, a line a batch, and an `.npz` a draw.

use std::fmt::Write;
use std::path::Path;

use zsad_core::{Environment, Error, Result, SampleRef, file};
use zsad_data::formats::npy::{Array, Numbers};
use zsad_data::formats::npz;

use super::Draw;
use crate::csv::quoted;
use crate::library::Library;

/// The columns of `batches.csv`.
const HEADER: &str = "draw,dataset,fold,seed,batch,first,size\n";

/// Writes `draws` to the folder `into`, and says how many batches and samples they hold. No label is written, nor what
/// would tell one: neither contamination, nor the names of domains and files.
///
/// # Errors
/// Where data are missing or damaged, or a file cannot be written.
pub fn write<'a>(
    draws: impl Iterator<Item = (&'a String, &'a Draw)>,
    library: &Library,
    env: &Environment,
    into: &Path,
) -> Result<(usize, usize)> {
    std::fs::create_dir_all(into).map_err(|e| Error::io(into, &e))?;
    let mut lines = HEADER.to_owned();
    let (mut batches, mut samples) = (0, 0);
    for (key, draw) in draws {
        env.stop.check()?;
        let drawn = draw.draw(library, env).map_err(|e| e.at(draw.label()))?;
        let mut of_batch = Vec::new();
        for (number, batch) in drawn.batches.iter().enumerate() {
            let (dataset, fold) = (quoted(&draw.asked.dataset), quoted(&draw.id.fit.fold));
            let (seed, first, size) = (draw.id.seed(), of_batch.len(), batch.items.len());
            let _ = writeln!(lines, "{key},{dataset},{fold},{seed},{number},{first},{size}");
            of_batch.extend(std::iter::repeat_n(number as i64, size));
        }
        (batches, samples) = (batches + drawn.batches.len(), samples + of_batch.len());
        let items: Vec<SampleRef> = drawn.batches.iter().flat_map(|b| &b.items).copied().collect();
        let x = Array::from(&drawn.view.gather(&items)?);
        let batch = Array { shape: vec![of_batch.len()], numbers: Numbers::I64(of_batch) };
        npz::write(&into.join(format!("{key}.npz")), &[("X", &x), ("batch", &batch)])?;
    }
    // Written last: it vouches for the others.
    file::write(&into.join("batches.csv"), lines.as_bytes())?;
    Ok((batches, samples))
}
