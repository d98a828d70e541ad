// What other processors, libraries and seeds would do to a test run, by environment variables:
// WKVQ_TEST_SUMS=reversed  products of matrices sum in the opposite order;
// WKVQ_TEST_SUMS=rows      the same only where the left operand has at most 4 rows, so that
// decoding
//                          and one pass never share an order;
// WKVQ_TEST_SEED=N         random tensors of the tests are those behind N more draws.
// Tensors of other devices keep their order: a device and the CPU then differ in every product.
#include <ATen/ATen.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/library.h>

#include <cstdlib>
#include <optional>
#include <string>

namespace {

constexpr auto kKey = c10::DispatchKey::TESTING_ONLY_GenericMode;
constexpr int64_t kFewRows = 4;

enum class SumOrder { kLibrary, kReversed, kRows };

SumOrder asked() {
  const char* const name = std::getenv("WKVQ_TEST_SUMS");
  if (!name || !*name) return SumOrder::kLibrary;
  if (std::string(name) == "reversed") return SumOrder::kReversed;
  if (std::string(name) == "rows") return SumOrder::kRows;
  throw std::runtime_error("WKVQ_TEST_SUMS: expected reversed or rows");
}

SumOrder order() {
  static const SumOrder once = asked();
  return once;
}

int64_t more_draws() {
  static const char* const name = std::getenv("WKVQ_TEST_SEED");
  static const int64_t once = name && *name ? std::stoll(name) : 0;
  return once;
}

/// a [..., m, k] and b [..., k, n] or [k] with their inner dimension turned around.
struct Operands {
  at::Tensor a, b;

  Operands(const at::Tensor& left, const at::Tensor& right) : a(left), b(right) {
    const bool few = left.dim() < 2 || left.size(-2) <= kFewRows;
    const bool turned = order() == SumOrder::kReversed || (order() == SumOrder::kRows && few);
    if (!left.is_cpu() || !turned) return;
    a = left.flip(-1);
    b = right.flip(right.dim() == 1 ? 0 : -2);
  }

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_{kKey};
};

at::Tensor mm(const at::Tensor& a, const at::Tensor& b) {
  const Operands x(a, b);
  return at::mm(x.a, x.b);
}
at::Tensor bmm(const at::Tensor& a, const at::Tensor& b) {
  const Operands x(a, b);
  return at::bmm(x.a, x.b);
}
at::Tensor mv(const at::Tensor& a, const at::Tensor& b) {
  const Operands x(a, b);
  return at::mv(x.a, x.b);
}
at::Tensor addmm(const at::Tensor& self, const at::Tensor& a, const at::Tensor& b,
                 const at::Scalar& beta, const at::Scalar& alpha) {
  const Operands x(a, b);
  return at::addmm(self, x.a, x.b, beta, alpha);
}
at::Tensor& addmm_(at::Tensor& self, const at::Tensor& a, const at::Tensor& b,
                   const at::Scalar& beta, const at::Scalar& alpha) {
  const Operands x(a, b);
  return self.addmm_(x.a, x.b, beta, alpha);
}
at::Tensor baddbmm(const at::Tensor& self, const at::Tensor& a, const at::Tensor& b,
                   const at::Scalar& beta, const at::Scalar& alpha) {
  const Operands x(a, b);
  return at::baddbmm(self, x.a, x.b, beta, alpha);
}

using MaybeGenerator = std::optional<at::Generator>;

void draw_more(const MaybeGenerator& generator) {
  if (more_draws() > 0) at::empty({more_draws()}, at::kDouble).uniform_(0, 1, generator);
}
at::Tensor& normal_(at::Tensor& self, double mean, double spread, MaybeGenerator generator) {
  const c10::impl::ExcludeDispatchKeyGuard guard(kKey);
  draw_more(generator);
  return self.normal_(mean, spread, generator);
}
at::Tensor& uniform_(at::Tensor& self, double from, double to, MaybeGenerator generator) {
  const c10::impl::ExcludeDispatchKeyGuard guard(kKey);
  draw_more(generator);
  return self.uniform_(from, to, generator);
}
at::Tensor& random_from(at::Tensor& self, int64_t from, std::optional<int64_t> to,
                        MaybeGenerator generator) {
  const c10::impl::ExcludeDispatchKeyGuard guard(kKey);
  draw_more(generator);
  return self.random_(from, to, generator);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, m) {
  m.fallback(torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, TESTING_ONLY_GenericMode, m) {
  m.impl("mm", mm);
  m.impl("bmm", bmm);
  m.impl("mv", mv);
  m.impl("addmm", addmm);
  m.impl("addmm_", addmm_);
  m.impl("baddbmm", baddbmm);
  m.impl("normal_", normal_);
  m.impl("uniform_", uniform_);
  m.impl("random_.from", random_from);
}

// The main thread runs the tests and, on the CPU, their backward passes.
const bool on_this_thread = [] {
  if (order() != SumOrder::kLibrary || more_draws() > 0)
    c10::impl::tls_set_dispatch_key_included(kKey, true);
  return true;
}();

}  // namespace
