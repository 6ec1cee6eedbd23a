//! Stored cells that the experiment of today does not ask for.

use std::collections::{BTreeMap, BTreeSet};

use zsad_core::TestPoint;
use zsad_core::job::{Asked, CellId, FitId};
use zsad_store::{CellRecord, Status};

use crate::exchange::{IMPORTED, without_method};
use crate::plan::Plan;

/// What lies in a folder beside the cells of a plan.
#[derive(Default)]
pub struct Outside<'a> {
    /// Finished cells of the plan's methods and data at other seeds or protocol points, and imported ones of its batches:
    /// they stay in its tables.
    pub kept: Vec<&'a CellRecord>,
    /// How many others there are: of other methods, parameters, versions, data. They stay in the folder alone.
    pub left_out: usize,
}

/// The records that are in the folder beside those of `plan`.
pub fn beside<'a>(plan: &Plan, records: &'a BTreeMap<String, CellRecord>) -> Outside<'a> {
    let planned: BTreeSet<&str> = plan.cells().map(|c| c.key.as_str()).collect();
    let mut others: Vec<&CellRecord> = records.values().filter(|r| !planned.contains(r.cell_key.as_str())).collect();
    if others.is_empty() {
        return Outside::default();
    }
    let kinds: BTreeSet<String> = plan.cells().map(|c| kind(&c.id)).collect();
    let draws: BTreeSet<String> = plan.cells().map(|c| without_method(&c.id).key()).collect();
    let mut taken: BTreeSet<String> = plan.cells().map(|c| place(&c.id, &c.asked)).collect();
    // Of two that would stand in one place of a table the newer one does.
    others.sort_by(|a, b| (&b.provenance.finished, &b.cell_key).cmp(&(&a.provenance.finished, &a.cell_key)));
    let mut outside = Outside::default();
    for record in others {
        let is_imported =
            record.cell.fit.method.name == IMPORTED && draws.contains(&without_method(&record.cell).key());
        let is_ours = record.status == Status::Ok && (is_imported || kinds.contains(&kind(&record.cell)));
        if is_ours && taken.insert(place(&record.cell, &record.asked)) {
            outside.kept.push(record);
        } else {
            outside.left_out += 1;
        }
    }
    outside
}

/// What two cells have in common that differ in their seed and protocol point alone.
fn kind(id: &CellId) -> String {
    let point = TestPoint { pooling: id.point.pooling, ..TestPoint::default() };
    CellId { fit: FitId { seed: 0, ..id.fit.clone() }, point, ..id.clone() }.key()
}

/// Where a cell stands in a table.
fn place(id: &CellId, asked: &Asked) -> String {
    let TestPoint { size, contamination, pooling, shift, .. } = &id.point;
    let (method, fold, seed) = (asked.method_or(&id.fit.method.name), &id.fit.fold, id.seed());
    serde_json::json!([asked.dataset, method, asked.params, fold, pooling, size, contamination, seed, shift])
        .to_string()
}
