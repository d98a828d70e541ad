#pragma once

#include "core/calibrate/method.h"

namespace wkvq {

/// `weight` [out, in] with every group clamped to +-m, m its largest magnitude times one of 1,
/// 0.95, ..., 0.55: the one for which quantizing the clamped group changes its part of the output,
/// sum of w_i x_i over the group, least (mean square over the inputs whose sum of x x^T over the
/// group's columns is moments[group]). Ties go to the larger m.
at::Tensor clip_search(const at::Tensor& weight, const std::vector<at::Tensor>& moments,
                       const QuantSpec& spec);

/// The sums of x x^T over the columns of every group, [group, group] in order, of the inputs of
/// `linears` as the block's weights make them on the full-precision stream.
std::map<std::string, std::vector<at::Tensor>> group_moments(
    const BlockContext& context, const std::vector<std::string>& linears, int64_t group_size);

}  // namespace wkvq
