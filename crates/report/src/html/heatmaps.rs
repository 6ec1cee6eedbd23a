//! The sheets of anomaly maps that `zsad plot --heatmaps` has left in the folder of a run, made small.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::imageops::{self, FilterType};

use super::jpeg;
use super::markup::Markup;
use super::run::Run;

/// Pixels across; what is wider is made smaller.
const WIDTH: u32 = 760;
/// Bytes that the sheets of a run may take, encoded.
const BUDGET: usize = 1_000_000;

/// The sheets, folded away; nothing where there are none.
pub(super) fn section(html: &mut Markup, run: &Run) {
    let paths = paths(run.folder.root());
    if paths.is_empty() {
        return;
    }
    html.element("details", &[("class", &"heatmaps")], |html| {
        html.leaf("summary", &[], "Anomaly maps");
        let mut bytes = 0;
        for path in &paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let Some(source) = source(path).filter(|source| bytes + source.len() <= BUDGET) else {
                html.leaf(
                    "p",
                    &[("class", &"note")],
                    format_args!("{} is left out: damaged, or too much.", path.display()),
                );
                continue;
            };
            bytes += source.len();
            html.element("figure", &[], |html| {
                html.leaf("figcaption", &[], &name);
                let about = format!("Images, anomaly maps and overlays of {name}");
                html.void("img", &[("src", &source), ("alt", &about)]);
            });
        }
    });
    html.line();
}

/// The sheets in their order; see [`crate::heatmaps::path`].
fn paths(out: &Path) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(out.join("plots").join("heatmaps")) else { return Vec::new() };
    let all = listed.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == "png")).collect();
    paths.sort();
    paths
}

/// A sheet as the address of an image; `None` where it is none.
fn source(path: &Path) -> Option<String> {
    let whole = image::open(path).ok()?.to_rgb8();
    let width = whole.width().min(WIDTH);
    let height = (u64::from(whole.height()) * u64::from(width) / u64::from(whole.width().max(1))).max(1) as u32;
    let small = imageops::resize(&whole, width, height, FilterType::Triangle);
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg(&small).ok()?)))
}
