//! How long the trainings of an experiment are in its full form, so that a shortened one says so in its table.

use serde_json::Value;
use zsad_store::Row;

/// `experiment,dataset,method,parameter,value` of the experiments without a profile; a test of the runner keeps it true.
const LENGTHS: &str = include_str!("../../../results/reference/settings/lengths.csv");

/// `500 of 10,000 steps`, where the training behind a row is shorter than its experiment's full one.
pub(crate) fn shortened(row: &Row) -> Option<String> {
    let params = [&row.fit().method.params, &row.asked().params];
    // Of `gas_drift(standardise=rank)` the registered name; published rows keep no other.
    let dataset = row.asked().dataset.split('(').next().unwrap_or_default().trim_end();
    let of_this = |line: &&str| {
        let mut fields = line.split(',');
        let of_experiment = fields.next() == Some(&row.asked().experiment);
        of_experiment && fields.next() == Some(dataset) && fields.next() == Some(row.method())
    };
    LENGTHS.lines().filter(of_this).find_map(|line| {
        let (parameter, full) = line.rsplit_once(',')?;
        let parameter = parameter.rsplit(',').next()?;
        let full: u64 = full.parse().ok()?;
        let done = params.iter().find_map(|p| p.get(parameter).and_then(Value::as_u64))?;
        (done < full).then(|| format!("{} of {} {parameter}", grouped(done), grouped(full)))
    })
}

/// `10,000`.
fn grouped(n: u64) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", grouped(n / 1000), n % 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flat, row};

    #[test]
    fn a_shortened_training_says_so_and_a_full_one_does_not() {
        let said = |experiment: &str, steps: u64| {
            let flat = Flat {
                experiment: experiment.into(),
                dataset: "omniglot".into(),
                method: "acr_dsvdd".into(),
                params: format!("{{\"steps\":{steps}}}"),
                ..row()
            };
            shortened(&flat.into())
        };
        assert_eq!(said("acr_omniglot", 3000).as_deref(), Some("3,000 of 10,000 steps"));
        assert_eq!((said("acr_omniglot", 10_000), said("another", 1)), (None, None));
    }
}
