//! The two columns of the labels of a batch: how many were given, 0 where none were, and of which samples.

use polars_core::prelude::*;
use zsad_core::{Budget, Choice, Query};

use super::columns::Fixed;
use crate::frame::{self, Field};
use crate::record::Row;

/// How many labels.
pub struct HowMany;

/// Of which samples; empty where there are none.
pub struct OfWhich;

fn budget(row: &mut Row) -> &mut Option<Budget> {
    &mut std::sync::Arc::make_mut(&mut row.record).cell.point.labels
}

impl Fixed for HowMany {
    fn dtype(&self) -> DataType {
        u64::DTYPE
    }

    fn write(&self, name: &str, rows: &[&Row]) -> Column {
        let labels: Vec<u64> = rows.iter().map(|r| r.point().labels.map_or(0, |b| b.labels as u64)).collect();
        Field::column(name, labels.iter())
    }

    fn read(&self, frame: &DataFrame, name: &str, rows: &mut [Row]) -> PolarsResult<()> {
        for (row, labels) in rows.iter_mut().zip(frame::values::<u64>(frame, name)?) {
            let labels =
                usize::try_from(labels).map_err(|_| polars_err!(ComputeError: "`{}` cannot be {labels}", name))?;
            *budget(row) = (labels > 0).then(|| Budget { labels, query: Query::default() });
        }
        Ok(())
    }
}

impl Fixed for OfWhich {
    fn dtype(&self) -> DataType {
        String::DTYPE
    }

    fn write(&self, name: &str, rows: &[&Row]) -> Column {
        let words: Vec<String> =
            rows.iter().map(|r| r.point().labels.map_or(String::new(), |b| b.query.to_string())).collect();
        Field::column(name, words.iter())
    }

    /// Stands behind [`HowMany`].
    fn read(&self, frame: &DataFrame, name: &str, rows: &mut [Row]) -> PolarsResult<()> {
        for (row, word) in rows.iter_mut().zip(frame::values::<String>(frame, name)?) {
            if let Some(budget) = budget(row) {
                let query = Query::from_word(&word);
                budget.query = query.ok_or_else(|| polars_err!(ComputeError: "`{}` cannot be `{word}`", name))?;
            }
        }
        Ok(())
    }
}
