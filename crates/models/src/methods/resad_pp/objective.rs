//! What the released code minimises at each layer.

use candle_core::{D, DType, Tensor};
use zsad_nn::Result;

/// Added under square roots, whose slope at 0 has no bound.
const TINY: f64 = 1e-12;
/// Anomalies are pushed so far beyond the shell.
const PUSH: f64 = 0.1;
/// The shell's inner radius as a share of the outer one.
const INNER: f64 = 0.99;
/// The exponent of the focal loss, and what its one-hot targets leave to the other class.
const FOCUS: i32 = 2;
const SMOOTH: f64 = 1e-5;

/// The rows of anomalous and of normal positions.
pub(super) struct Sides {
    pub normal: Vec<u32>,
    pub anomalous: Vec<u32>,
}

impl Sides {
    /// Of labels, 1 for each row.
    pub fn new(labels: impl Iterator<Item = bool> + Clone) -> Self {
        let of = |side: bool| labels.clone().enumerate().filter(|(_, l)| *l == side).map(|(i, _)| i as u32).collect();
        Sides { normal: of(false), anomalous: of(true) }
    }
}

fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok((x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(softplus(&x.neg()?)?.neg()?)
}

fn select(x: &Tensor, rows: &[u32]) -> Result<Tensor> {
    Ok(x.index_select(&Tensor::new(rows, x.device())?, 0)?)
}

fn values(x: &Tensor) -> Result<Vec<f64>> {
    Ok(x.detach().to_dtype(DType::F64)?.to_vec1::<f64>()?)
}

/// The mean of softplus(v) · eᵛ over what is positive among `rows` of `v` `[n]`, eᵛ taken as constant; `None` without any.
fn barrier(v: &Tensor, rows: &[u32]) -> Result<Option<Tensor>> {
    let weighted = |v: Tensor| Ok((softplus(&v)? * v.detach().exp()?)?.mean_all()?);
    positive(v, rows)?.map(weighted).transpose()
}

/// The constraintor's loss. With A = √(‖x'‖ + 1) − 1 of constrained features x' `[n, c]`, normals are drawn into the
/// shell between 0.99 r and r by barriers from both sides; r is 0.9 of the least A of an anomaly, at most `radius`.
/// Anomalies keep their residuals x (mean squared error and 1 − cosine) and are pushed beyond r + 0.1.
pub(super) fn shell(constrained: &Tensor, residuals: &Tensor, sides: &Sides, radius: f64) -> Result<Tensor> {
    let norm = |x: &Tensor| (x.sqr()?.sum(D::Minus1)? + TINY)?.sqrt();
    let a = ((norm(constrained)? + 1.0)?.sqrt()? - 1.0)?;
    let all = values(&a)?;
    let min = sides.anomalous.iter().map(|&i| all[i as usize]).fold(f64::INFINITY, f64::min);
    let outer = radius.min(0.9 * min);
    let mut terms = Vec::new();
    terms.extend(barrier(&(&a - outer)?, &sides.normal)?);
    terms.extend(barrier(&(INNER * outer - &a)?, &sides.normal)?);
    if !sides.anomalous.is_empty() {
        let (x, r) = (select(constrained, &sides.anomalous)?, select(residuals, &sides.anomalous)?);
        terms.push((&x - &r)?.sqr()?.mean_all()?);
        let cosine = ((&x * &r)?.sum(D::Minus1)? / (norm(&x)? * norm(&r)?)?)?;
        terms.push((1.0 - cosine.mean_all()?)?);
        terms.extend(barrier(&(outer + PUSH - &a)?, &sides.anomalous)?);
    }
    sum(terms, constrained)
}

/// Log-likelihoods per channel, `[n]` each.
pub(super) struct Likelihoods {
    /// Under the normals' centre, N(0, I).
    pub normal: Tensor,
    /// Under the anomalies' centre, N(1, I).
    pub anomalous: Tensor,
}

impl Likelihoods {
    /// Of the flow's images `z` `[n, c]` and log-determinants `[n]`.
    pub fn new(z: &Tensor, log_det: &Tensor) -> Result<Self> {
        let c = z.dims()[1] as f64;
        let of = |z: &Tensor| -> Result<Tensor> {
            let log_p = (log_det - (z.sqr()?.sum(D::Minus1)? * 0.5)?)?;
            Ok((log_p / c)?.affine(1.0, -0.5 * std::f64::consts::TAU.ln())?)
        };
        Ok(Likelihoods { normal: of(z)?, anomalous: of(&(z - 1.0)?)? })
    }

    /// The probability of the anomalies' centre against the normals'.
    pub fn anomaly(&self) -> Result<Tensor> {
        Ok(log_sigmoid(&(&self.anomalous - &self.normal)?)?.exp()?)
    }

    /// The `share` quantile of the normals' log-likelihoods.
    pub fn quantile(&self, sides: &Sides, share: f64) -> Result<Option<f64>> {
        let all = values(&self.normal)?;
        let mut sorted: Vec<f64> = sides.normal.iter().map(|&i| all[i as usize]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = (sorted.len() as f64 * share) as usize;
        Ok(sorted.get(at.min(sorted.len().saturating_sub(1))).copied())
    }
}

/// The flow's loss: −log σ(log p) of each side under its centre; where there are anomalies also the focal loss of the
/// two centres' softmax, and `lambda` times barriers that hold normals above `boundary` and anomalies `tau` below it.
pub(super) fn two_centres(p: &Likelihoods, sides: &Sides, boundary: f64, tau: f64, lambda: f64) -> Result<Tensor> {
    let mut terms = Vec::new();
    let likely =
        |side: &Tensor, rows: &[u32]| -> Result<Tensor> { Ok(log_sigmoid(&select(side, rows)?)?.mean_all()?.neg()?) };
    if !sides.normal.is_empty() {
        terms.push(likely(&p.normal, &sides.normal)?);
    }
    if !sides.anomalous.is_empty() {
        terms.push(likely(&p.anomalous, &sides.anomalous)?);
        terms.push(focal(p, sides)?);
        let margin = boundary - tau;
        let below = positive(&(boundary - &p.normal)?, &sides.normal)?;
        let above = positive(&(&p.normal - margin)?, &sides.anomalous)?;
        for outside in below.into_iter().chain(above) {
            terms.push((softplus(&outside)?.mean_all()? * lambda)?);
        }
    }
    sum(terms, &p.normal)
}

/// What is positive among `rows` of `v` `[n]`, if anything.
fn positive(v: &Tensor, rows: &[u32]) -> Result<Option<Tensor>> {
    let all = values(v)?;
    let rows: Vec<u32> = rows.iter().copied().filter(|&i| all[i as usize] > 0.0).collect();
    if rows.is_empty() { Ok(None) } else { select(v, &rows).map(Some) }
}

/// The mean focal loss −(1 − q)² log q over both sides, q being the smoothed probability of the true one.
fn focal(p: &Likelihoods, sides: &Sides) -> Result<Tensor> {
    let difference = (&p.anomalous - &p.normal)?;
    let n = (sides.normal.len() + sides.anomalous.len()) as f64;
    let side = |rows: &[u32], sign: f64| -> Result<Tensor> {
        let right = log_sigmoid(&(select(&difference, rows)? * sign)?)?.exp()?;
        let q = right.affine(1.0 - 2.0 * SMOOTH, 2.0 * SMOOTH)?;
        Ok(((1.0 - &q)?.powf(f64::from(FOCUS))? * q.log()?)?.sum_all()?)
    };
    let mut total = side(&sides.anomalous, 1.0)?;
    if !sides.normal.is_empty() {
        total = (total + side(&sides.normal, -1.0)?)?;
    }
    Ok((total * (-1.0 / n))?)
}

/// The sum of `terms`; zero, but of the same graph, where there are none.
fn sum(terms: Vec<Tensor>, like: &Tensor) -> Result<Tensor> {
    let mut total = (like.sum_all()? * 0.0)?;
    for term in terms {
        total = (total + term)?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn wave(n: usize, k: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.9 + k).sin()).collect()
    }

    fn near(got: &[f64], want: &[f64]) {
        assert!(got.len() == want.len() && got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9), "{got:?} {want:?}");
    }

    // import torch, torch.nn.functional as F; torch.set_default_dtype(torch.float64)
    // w = lambda n, k: torch.sin(torch.arange(n) * 0.9 + k); m = torch.tensor([0, 1, 0, 0, 1, 0, 0]).bool()
    // bar = lambda v: (F.softplus(v[v > 0]) * v[v > 0].detach().exp()).mean() if (v > 0).any() else 0
    // x = (w(21, 0.2).reshape(7, 3) * 0.9).requires_grad_(); r = w(21, 0.5).reshape(7, 3)
    // A = (x.norm(dim=1) + 1).sqrt() - 1; R = min(0.9 * A[m].min().item(), 0.4)
    // l = bar(A[~m] - R) + bar(0.99 * R - A[~m]) + F.mse_loss(x[m], r[m]) + (1 - F.cosine_similarity(x[m], r[m])).mean()
    // l = l + bar(R + 0.1 - A[m]); l.backward(); print(l.item(), x.grad[:2].flatten().tolist(), R)
    // z = (w(21, 0.4).reshape(7, 3) * 1.5).requires_grad_(); d = (w(7, 0.1) * 2).requires_grad_()
    // lp = lambda c: (d - 0.5 * ((z - c) ** 2).sum(1) - 1.5 * torch.log(torch.tensor(2 * torch.pi))) / 3
    // n, a = lp(0), lp(1); s = torch.softmax(torch.stack([n, a], -1), -1)
    // one = F.one_hot(m.long(), 2).double().clamp(1e-5, 1 - 1e-5); pt = (one * s).sum(1) + 1e-5
    // b = n[~m].detach().sort()[0][int(5 * 0.3)].item(); B = b - 0.1
    // u = b - n[~m]; v = n[m] - B
    // l = -F.logsigmoid(n[~m]).mean() - F.logsigmoid(a[m]).mean() - ((1 - pt) ** 2 * pt.log()).mean()
    // l = l + 0.7 * (F.softplus(u[u > 0]).mean() + F.softplus(v[v > 0]).mean()); l.backward()
    // print(l.item(), z.grad[:2].flatten().tolist(), d.grad.tolist(), s[:, 1].tolist(), b)
    #[test]
    fn losses_and_gradients_are_pytorchs() {
        let sides = Sides::new([0, 1, 0, 0, 1, 0, 0].into_iter().map(|l| l == 1));
        let tensor = |v: Vec<f64>| Tensor::from_vec(v, (7, 3), &Device::Cpu).unwrap();
        let x = Var::from_tensor(&(tensor(wave(21, 0.2)) * 0.9).unwrap()).unwrap();
        let loss = shell(&x, &tensor(wave(21, 0.5)), &sides, 0.4).unwrap();
        let gradient = |loss: &Tensor, x: &Var| {
            let gradients = loss.backward().unwrap();
            gradients.get(x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        near(&[loss.to_scalar().unwrap()], &[SHELL]);
        near(&gradient(&loss, &x)[..6], &SHELL_GRADIENT);

        let z = Var::from_tensor(&(tensor(wave(21, 0.4)) * 1.5).unwrap()).unwrap();
        let d = Var::from_vec(wave(7, 0.1).into_iter().map(|v| 2.0 * v).collect(), 7, &Device::Cpu).unwrap();
        let p = Likelihoods::new(&z, &d).unwrap();
        near(&p.anomaly().unwrap().to_vec1::<f64>().unwrap(), &PROBABILITIES);
        let boundary = p.quantile(&sides, 0.3).unwrap().unwrap();
        near(&[boundary], &[BOUNDARY]);
        let loss = two_centres(&p, &sides, boundary, 0.1, 0.7).unwrap();
        near(&[loss.to_scalar().unwrap()], &[CENTRES]);
        near(&gradient(&loss, &z)[..6], &CENTRES_GRADIENT);
        near(&gradient(&loss, &d), &LOG_DET_GRADIENT);
    }

    const SHELL: f64 = 1.61875211417264;
    const SHELL_GRADIENT: [f64; 6] = [
        0.005845091876989722,
        0.02622039788507733,
        0.026752629517784506,
        0.1827576701115404,
        0.2111562073593763,
        0.07975593660209149,
    ];
    const CENTRES: f64 = 6.097450390159983;
    const CENTRES_GRADIENT: [f64; 6] = [
        0.05880774539812961,
        0.10576970308804833,
        0.09308637355759217,
        -0.19079523492192824,
        -0.2643432706038893,
        -0.28513043616356776,
    ];
    const LOG_DET_GRADIENT: [f64; 7] = [
        -0.05453021971749887,
        -0.061414150978203436,
        -0.04573796197040154,
        -0.05070627420214698,
        -0.08789500231214226,
        -0.18374566560840733,
        -0.059024326102823335,
    ];
    const PROBABILITIES: [f64; 7] = [
        0.6412368494881185,
        0.20606053666745908,
        0.48852294301244764,
        0.3840929128259197,
        0.26809112474554186,
        0.5948643329411767,
        0.16878372570772274,
    ];
    const BOUNDARY: f64 = -2.0442457529732807;
}
