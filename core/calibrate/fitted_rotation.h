#pragma once

#include "core/base/recorder.h"
#include "core/calibrate/method.h"

namespace wkvq {

/// What rotates the channels of keys and values by their options (KvRotation kQueries and kOwn),
/// [kv_heads, head_dim, head_dim]; undefined where they ask for none.
struct FittedRotations {
  at::Tensor key, value;
};

/// OSCAR's rotations (arXiv 2605.17757) x' = x U H P of a block on the calibration text. H is the
/// Hadamard matrix, P puts channels into the bit-reversed order, and U holds, by falling
/// eigenvalue, the eigenvectors of
///   keys: sum q^T q over the queries that read the kv head; values: sum_t w_t v_t^T v_t with
///   w_t = k_t (sum q^T q) k_t^T                                      (`queries`)
///   sum k^T k; sum v^T v                                             (`own`).
/// Every channel of q U H has the same mean square. Where head_dim is no power of two, H is made of
/// parts (hadamard_parts) and the eigenvectors are dealt to them in turn in the place of P.
FittedRotations fit_rotations(const BlockContext& context, const KvOptions& options);

/// U H P of a covariance, symmetric [heads, n, n].
at::Tensor spreading_rotation(const at::Tensor& covariance);

}  // namespace wkvq
