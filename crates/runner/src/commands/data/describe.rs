//! `zsad data describe`: everything that a manifest says.

use std::io::Write;

use anyhow::Result;
use zsad_data::manifest::{self, Strength};
use zsad_fetch::{HubSettings, croissant, human, plan, state};

use super::{Place, size};
use crate::exit::Exit;

/// Describe a data set or weights: source, licence, files with sizes and checksums
#[derive(clap::Args)]
pub struct Describe {
    /// What, as in `zsad data list`
    #[arg(value_name = "NAME")]
    name: String,
    /// Print Croissant metadata instead (JSON-LD, version 1.0), for catalogues of data sets
    #[arg(long)]
    croissant: bool,
    #[command(flatten)]
    place: Place,
}

impl Describe {
    pub fn run(self, out: &mut impl Write) -> Result<Exit> {
        let (data, manifests) = (self.place.data(), self.place.manifests()?);
        let m = manifest::find(&manifests, &self.name)?;
        if self.croissant {
            let described = croissant::describe(m, &HubSettings::from_environment());
            writeln!(out, "{described:#}")?;
            return Ok(Exit::Success);
        }
        writeln!(out, "{} ({})\n{}", m.title, m.name, m.description)?;
        let note = m.licence_note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        writeln!(out, "homepage: {}\nlicence: {}{note}", m.homepage, m.licence)?;
        writeln!(out, "citation: {}\nrevision: {}", m.citation, m.revision)?;
        if !m.used_by.is_empty() {
            writeln!(out, "read by: {}", m.used_by.join(", "))?;
        }
        if let Some(steps) = &m.steps {
            writeln!(out, "to be fetched by a person:\n{}", steps.trim())?;
        }
        writeln!(out, "{}, {}, in {}:", state::of_item(&data.path, m)?, size(m), data.path.display())?;
        for file in &m.files {
            let size = file.size.map_or("size not known".into(), human);
            writeln!(out, "  {} ({size})", file.path)?;
            let strength = match file.strength {
                Strength::Published => "published",
                Strength::ComputedOnce => "computed once",
                Strength::Unconfirmed => "not confirmed",
            };
            for sum in file.checksums() {
                writeln!(out, "    {} {} ({strength})", sum.algorithm(), sum.hex())?;
            }
            if let Some((unpack, into)) = file.unpacking() {
                writeln!(out, "    {}, unpacked into {into}", unpack.kind)?;
            }
            for url in plan::urls(&HubSettings::from_environment(), m, file) {
                writeln!(out, "    {url}")?;
            }
        }
        Ok(Exit::Success)
    }
}
