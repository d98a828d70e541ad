#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wkvq {

/// The `size` values c that minimize sum_i w_i min_j (x_i - c_j)^2, ascending, float64: weighted
/// k-means in one dimension (KVQuant's nuq, section 3.3), solved exactly by dynamic programming
/// over the sorted values rather than by iteration from a guess. `x` and `weights` are flat and
/// equally long; weights are not negative, undefined means 1 each (as do weights that are all 0).
/// More than 2048 different values are merged into as many equal intervals first, each represented
/// by its weighted mean. Fewer different values than `size`: the largest one is repeated.
at::Tensor fit_codebook(const at::Tensor& x, const at::Tensor& weights, int64_t size);

/// KVQuant's Q-Norm (section 3.5): what the codes of `codebook` (ascending, as fitted) are to be
/// read as, so that the flat `x`, each element replaced by what its nearest value is read as, keeps
/// its mean and standard deviation: a codebook of few values shrinks the spread. Float64; where all
/// elements fall to one value only the mean is kept.
at::Tensor q_norm(const at::Tensor& codebook, const at::Tensor& x);

/// The `size` values, even, ascending, float64, that a standard normal number lies nearest to in the
/// mean square: each is the mean of what is nearer to it than to the others (Lloyd 1982, Max 1960),
/// to 1e-14. Solved by Newton's method for the positive half.
at::Tensor normal_codebook(int64_t size);

}  // namespace wkvq
