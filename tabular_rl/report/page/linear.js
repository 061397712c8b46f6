// Linear systems by elimination with row exchanges, factorised once for many right sides.

// The factors of A (n x n, row by row), which is overwritten; null where a pivot is 0.
export function factorize(A, n) {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(A[i * n + k]) > Math.abs(A[best * n + k])) best = i;
    if (!(Math.abs(A[best * n + k]) > 0)) return null;
    if (best !== k) {
      [order[k], order[best]] = [order[best], order[k]];
      for (let j = 0; j < n; j++) {
        [A[k * n + j], A[best * n + j]] = [A[best * n + j], A[k * n + j]];
      }
    }
    for (let i = k + 1; i < n; i++) {
      const factor = A[i * n + k] / A[k * n + k];
      A[i * n + k] = factor;
      if (factor !== 0) for (let j = k + 1; j < n; j++) A[i * n + j] -= factor * A[k * n + j];
    }
  }
  return { A, n, order };
}

// The solution of A X = B, or of Aᵀ X = B, for d columns at once: B is n x d, row by row.
export function solveFactored({ A, n, order }, B, d, transposed = false) {
  const X = new Float64Array(n * d);
  const subtract = (i, factor, j) => {
    if (factor !== 0) for (let c = 0; c < d; c++) X[i * d + c] -= factor * X[j * d + c];
  };
  const divide = (i, pivot) => {
    for (let c = 0; c < d; c++) X[i * d + c] /= pivot;
  };
  if (!transposed) {
    for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) X[i * d + c] = B[order[i] * d + c];
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) subtract(i, A[i * n + j], j);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = i + 1; j < n; j++) subtract(i, A[i * n + j], j);
      divide(i, A[i * n + i]);
    }
    return X;
  }
  X.set(B);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) subtract(i, A[j * n + i], j);
    divide(i, A[i * n + i]);
  }
  for (let i = n - 1; i >= 0; i--) for (let j = i + 1; j < n; j++) subtract(i, A[j * n + i], j);
  const out = new Float64Array(n * d);
  for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) out[order[i] * d + c] = X[i * d + c];
  return out;
}
