//! What comes of finished cells: analyses, tables, pictures, and how a command ends.

use std::collections::BTreeMap;
use std::io::Write;

use zsad_core::Result;
use zsad_report::plots::Style;
use zsad_store::{CellRecord, Status};

use super::analyse::own_tags;
use super::launch::Ended;
use super::{counted, note};
use crate::analyses::{self, Cells};
use crate::config::{AnalysisChoice, Experiment};
use crate::embedding;
use crate::executor::fit::Bench;
use crate::exit::Exit;
use crate::plan::Plan;
use crate::ranked;
use crate::remarks;
use crate::results;

/// Makes analyses of finished cells, and the tables of batches and of cells' other numbers; whether all went well. What
/// went wrong is said.
///
/// # Errors
/// Where the tables cannot be written.
pub fn analyse(asked: &[AnalysisChoice], cells: &Cells, experiment: &str) -> Result<bool> {
    let folder = cells.folder();
    let _lease = folder.wait_for("analyses", || cells.bench.env.stop.check())?;
    let mut all_well = true;
    for choice in asked {
        match analyses::run(choice, cells, experiment) {
            Ok(analyses::State::Cached) => {}
            Ok(analyses::State::Made) => {
                let page = folder.root().join("analyses").join(format!("{}.md", choice.label));
                note(format_args!("analysis {}: {}", choice.label, page.display()));
            }
            Err(error) => {
                note(format_args!("warning: analysis {}: {error}", choice.label));
                all_well = false;
            }
        }
    }
    analyses::tables::write(cells, &cells.bench.registry.measured())?;
    Ok(all_well)
}

/// Writes results, tables, plots and pictures from the records, and prints the table; `with_pictures`: of ranked batches,
/// for which the data are opened. Whether all analyses of `experiment` went well.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn write_tables(
    experiment: &Experiment,
    plan: &Plan,
    records: &BTreeMap<String, CellRecord>,
    bench: Bench,
    with_pictures: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let (folder, store, registry) = (bench.folder, bench.store, bench.registry);
    results::compute_later(plan.cells().filter_map(|c| records.get(&c.key)), &registry.measured(), folder)?;
    let rows = results::rows(plan, records, registry, folder)?;
    super::write_up(folder, store, registry, &rows, out)?;
    let cells = Cells::new(&rows, own_tags(experiment), bench);
    let all_well = analyse(&experiment.analyses, &cells, &experiment.name)?;
    if with_pictures {
        let (library, env) = (bench.library, bench.env);
        if let Err(error) = ranked::write_all(folder, &rows, library, env) {
            note(format_args!("warning: no picture of a ranked batch: {error}"));
        }
        if let Err(error) = embedding::write_all(folder, store, &rows, library, env, &Style::default()) {
            note(format_args!("warning: no picture of a batch around its centre: {error}"));
        }
    }
    for line in remarks::of_data(plan, records).into_iter().chain(remarks::of_training(plan, store)?) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\n{}", folder.root().display())?;
    Ok(all_well)
}

/// Says how many cells ended how, and what that is to whoever called.
pub fn exit(plan: &Plan, records: &BTreeMap<String, CellRecord>, ended: &Ended) -> Exit {
    let count = |status| plan.asked().filter(|c| records.get(&c.key).is_some_and(|r| r.status == status)).count();
    let [ok, failed, refused] = [Status::Ok, Status::Failed, Status::Refused].map(count);
    note(format_args!("{} ok, {failed} failed, {refused} refused", counted(ok, "cell")));
    if ended.stopped {
        let all = plan.asked().count();
        let left = all - ok - failed - refused;
        note(format_args!("stopped: {left} of {all} cells are left; the same command goes on with them"));
        return Exit::SomeFailed;
    }
    match (ok, failed) {
        // The other shares may have all the work.
        (0, 0) if plan.asked().next().is_none() => Exit::Success,
        (0, _) if ended.data_failures > 0 || !plan.unusable.is_empty() => Exit::Data,
        (_, 0) if every_point_has_a_number(plan, records) => Exit::Success,
        _ => Exit::SomeFailed,
    }
}

/// Whether every protocol point of every data set has a finished cell.
fn every_point_has_a_number(plan: &Plan, records: &BTreeMap<String, CellRecord>) -> bool {
    let mut points: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for cell in plan.asked() {
        let point = format!("{}, {}", cell.id.point.size, cell.id.point.contamination);
        let is_ok = records.get(&cell.key).is_some_and(|r| r.status == Status::Ok);
        *points.entry((&cell.asked.dataset, point)).or_default() |= is_ok;
    }
    points.into_values().all(|has| has)
}
