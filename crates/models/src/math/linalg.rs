//! Linear algebra by faer, always on one thread: the same bits whatever the pool.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::svd::{ComputeSvdVectors, SvdParams, svd, svd_scratch};
use faer::linalg::{matmul, triangular_solve};
use faer::{Accum, Mat, MatRef, Par, Spec};
use zsad_core::{Error, Result};

use super::Points;

/// The points as a matrix of one row a point.
pub(crate) fn matrix(x: &Points) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(x.values(), x.len(), x.dim())
}

/// `alpha · a · b`.
pub(crate) fn product(alpha: f64, a: MatRef<f64>, b: MatRef<f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul::matmul(&mut out, Accum::Replace, a, b, alpha, Par::Seq);
    out
}

/// The lower Cholesky factor of a symmetric matrix; refused where it is not positive definite.
pub(crate) fn cholesky(mut a: Mat<f64>) -> Result<Mat<f64>> {
    let n = a.nrows();
    let params = Spec::<LltParams, f64>::default();
    let mut buffer = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, params));
    cholesky_in_place(a.as_mut(), LltRegularization::default(), Par::Seq, MemStack::new(&mut buffer), params)
        .map_err(|_| Error::refused("the covariance is singular: raise `shrinkage` or score more samples"))?;
    Ok(a)
}

/// The squared norms of the columns of `L⁻¹ b`, L being a lower factor of [`cholesky`].
pub(crate) fn solved_squared_norms(factor: &Mat<f64>, mut b: Mat<f64>) -> Vec<f64> {
    triangular_solve::solve_lower_triangular_in_place(factor.as_ref(), b.as_mut(), Par::Seq);
    (0..b.ncols()).map(|j| b.col(j).iter().map(|v| v * v).sum()).collect()
}

/// The first `n` principal directions of the rows of `values`, `[rows, dim]`, about the origin, each of length 1 and with its
/// greatest component positive: `[n, dim]`.
///
/// # Errors
/// Where there are fewer rows or columns, or the decomposition does not converge.
pub fn principal_directions(values: &[f64], dim: usize, n: usize) -> Result<Vec<Vec<f64>>> {
    let points = MatRef::from_row_major_slice(values, values.len() / dim.max(1), dim);
    if points.nrows().min(dim) < n {
        return Err(Error::refused(format!("{n} directions of {} points in {dim} dimensions", points.nrows())));
    }
    let (_, vectors) = right_singular_vectors(points)?;
    let direction = |i: usize| {
        let vector: Vec<f64> = vectors.col(i).iter().copied().collect();
        let greatest = vector.iter().copied().fold(0.0f64, |a, b| if b.abs() > a.abs() { b } else { a });
        vector.into_iter().map(|v| v * greatest.signum()).collect()
    };
    Ok((0..n).map(direction).collect())
}

/// The eigenvalues of a symmetric matrix, rising, and its eigenvectors as columns.
pub(crate) fn eigen(a: MatRef<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = a.nrows();
    let (params, wanted) = (Spec::<SelfAdjointEvdParams, f64>::default(), ComputeEigenvectors::Yes);
    let mut buffer = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, wanted, Par::Seq, params));
    let (mut values, mut vectors) = (Diag::zeros(n), Mat::zeros(n, n));
    let stack = MemStack::new(&mut buffer);
    self_adjoint_evd(a, values.as_mut(), Some(vectors.as_mut()), Par::Seq, stack, params)
        .map_err(|_| Error::failed("the eigenvalue decomposition did not converge"))?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}

/// The singular values of `a`, falling, and the right singular vectors as columns.
pub(crate) fn right_singular_vectors(a: MatRef<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let (n, d) = (a.nrows(), a.ncols());
    let rank = n.min(d);
    let params = Spec::<SvdParams, f64>::default();
    let (none, thin) = (ComputeSvdVectors::No, ComputeSvdVectors::Thin);
    let mut buffer = MemBuffer::new(svd_scratch::<f64>(n, d, none, thin, Par::Seq, params));
    let (mut values, mut vectors) = (Diag::zeros(rank), Mat::zeros(d, rank));
    let stack = MemStack::new(&mut buffer);
    svd(a, values.as_mut(), None, Some(vectors.as_mut()), Par::Seq, stack, params)
        .map_err(|_| Error::failed("the singular value decomposition did not converge"))?;
    Ok((values.column_vector().iter().copied().collect(), vectors))
}
