//! A share of the fits of an experiment, for one of several machines.

use std::num::NonZero;
use std::str::FromStr;

use zsad_core::{Error, Result};

/// Share number `index`, from 0, of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: NonZero<usize>,
}

impl Shard {
    /// # Errors
    /// Where there is no such share.
    fn new(index: usize, of: usize) -> Result<Self, String> {
        match NonZero::new(of) {
            Some(of) if index < of.get() => Ok(Shard { index, of }),
            _ => Err(format!("share {index} of {of}: shares count from 0, and there have to be more than that")),
        }
    }

    /// The share of this task of a job array, from the variables that Slurm, Kubernetes, PBS or Grid Engine set; the latter
    /// three do not say how many tasks there are, which `ZSAD_SHARDS` says. `of`: the value of a variable.
    ///
    /// # Errors
    /// [`Error::Config`] where none of them is set, or one makes no sense.
    pub fn from_env(of: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| -> Result<Option<usize>> {
            // Grid Engine says `undefined` outside an array.
            let Some(text) = of(name).filter(|text| !text.is_empty() && text != "undefined") else { return Ok(None) };
            let wrong = || Error::Config(format!("{name}: `{text}` is no whole number"));
            text.trim().parse().map(Some).map_err(|_| wrong())
        };
        let needed = |name: &str, beside: &str| -> Result<usize> {
            number(name)?
                .ok_or_else(|| Error::Config(format!("{beside} is set and {name} is not; hint: export {name}")))
        };
        let shard = |task: &str, task_number: usize, first: usize, count: usize| {
            let index = task_number.checked_sub(first);
            let wrong = |why: String| Error::Config(format!("{task}={task_number}: {why}"));
            index.map_or_else(|| Err(format!("the first task is {first}")), |i| Shard::new(i, count)).map_err(wrong)
        };
        if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
            let count = needed("SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID")?;
            return shard("SLURM_ARRAY_TASK_ID", task, number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0), count);
        }
        for (name, first) in [("JOB_COMPLETION_INDEX", 0), ("PBS_ARRAY_INDEX", 0), ("SGE_TASK_ID", 1)] {
            if let Some(task) = number(name)? {
                return shard(name, task, first, needed("ZSAD_SHARDS", name)?);
            }
        }
        let names = "SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, PBS_ARRAY_INDEX, SGE_TASK_ID";
        Err(Error::Config(format!("this is no task of a job array: none of {names} is set; hint: --shard I/N says it")))
    }

    /// Its number, where there are to be so many shares.
    ///
    /// # Errors
    /// Where there are others.
    pub fn number_of(self, shares: usize) -> Result<usize, String> {
        let of = self.of.get();
        if of == shares { Ok(self.index) } else { Err(format!("it has {shares} tasks, and this is one of {of}")) }
    }

    /// Which of `fits` are its own, each with whether it trains, its method and its place: long ones are dealt out first,
    /// and those of one method evenly. What is finished makes no difference, so that shares stay what they are.
    pub fn of<'a>(self, fits: impl IntoIterator<Item = (bool, &'a str)>) -> Vec<bool> {
        let fits: Vec<(bool, &str)> = fits.into_iter().collect();
        let mut order: Vec<usize> = (0..fits.len()).collect();
        order.sort_by_key(|&i| (!fits[i].0, fits[i].1));
        let mut own = vec![false; fits.len()];
        order.into_iter().skip(self.index).step_by(self.of.get()).for_each(|i| own[i] = true);
        own
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        let (index, of) = parts.ok_or("want I/N, such as 0/40, the first of forty shares")?;
        Shard::new(index, of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn shares_are_disjoint_whole_and_even() {
        let methods = ["acr", "knn", "acr", "knn", "acr", "knn", "lof"];
        let fits = methods.map(|m| (m == "acr", m));
        for n in 1..=9 {
            let shares: Vec<Vec<bool>> = (0..n).map(|i| Shard::new(i, n).unwrap().of(fits)).collect();
            let takers = |fit: usize| shares.iter().filter(|share| share[fit]).count();
            assert!((0..fits.len()).all(|fit| takers(fit) == 1), "{n}");
            let trainings = |share: &Vec<bool>| share.iter().zip(fits).filter(|(own, fit)| **own && fit.0).count();
            let counts: Vec<usize> = shares.iter().map(trainings).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{n}: {counts:?}");
        }
    }

    #[test]
    fn shares_are_written_and_read_from_zero() {
        assert_eq!("3/4".parse(), Shard::new(3, 4));
        for wrong in ["4/4", "0/0", "1", "-1/4", "1/x", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_engine_says_which_task_this_is() {
        let found = |set: &[(&str, &str)]| {
            let set: BTreeMap<String, String> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            Shard::from_env(|name| set.get(name).cloned()).map_err(|e| e.to_string())
        };
        let third = Ok(Shard::new(2, 4).unwrap());
        let slurm = [("SLURM_ARRAY_TASK_ID", "12"), ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        assert_eq!(found(&slurm), third);
        for (name, value) in [("JOB_COMPLETION_INDEX", "2"), ("PBS_ARRAY_INDEX", "2"), ("SGE_TASK_ID", "3")] {
            assert_eq!(found(&[(name, value), ("ZSAD_SHARDS", "4")]), third, "{name}");
            assert!(found(&[(name, value)]).unwrap_err().contains("export ZSAD_SHARDS"), "{name}");
            assert!(found(&[(name, value), ("ZSAD_SHARDS", "2")]).unwrap_err().contains(name), "{name}");
        }
        for wrong in [
            vec![],
            vec![("SGE_TASK_ID", "undefined"), ("ZSAD_SHARDS", "4")],
            vec![("SGE_TASK_ID", "0"), ("ZSAD_SHARDS", "4")],
            vec![("SLURM_ARRAY_TASK_ID", "one"), ("SLURM_ARRAY_TASK_COUNT", "4")],
            vec![("SLURM_ARRAY_TASK_ID", "1")],
        ] {
            assert!(found(&wrong).is_err(), "{wrong:?}");
        }
    }
}
