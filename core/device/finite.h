#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace wkvq {

/// A value that is not finite where a sound run has a number. The run that meets one has failed;
/// the message says which value, where it was found, and what to try.
class NotFiniteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Whether every element of `x` is finite. Reads it once and makes no copy.
bool all_finite(const at::Tensor& x);

/// The place of the first element of `x` that is not finite, one index a dimension.
std::optional<std::vector<int64_t>> first_not_finite(const at::Tensor& x);

/// Throws NotFiniteError with `what` in front where an element of `x` is not finite. An undefined
/// `x` passes.
void require_finite(const at::Tensor& x, const std::string& what);

/// The same, and for every element that is not above 0: scales.
void require_positive(const at::Tensor& x, const std::string& what);

/// The message of a run whose full-precision model is not finite at `where` ("hidden states that
/// leave block 3, ..."), with the dtypes to try instead of `dtype`.
std::string model_not_finite(at::ScalarType dtype, const std::string& where);

}  // namespace wkvq
