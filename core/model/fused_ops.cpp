#include "core/model/fused_ops.h"

#include <cmath>

#include "core/device/tensors.h"
#include "core/device/torch_headers.h"
#include "core/model/row_ops.h"

namespace wkvq {
namespace {

constexpr int64_t kGrain = 32768;  // elements worth a thread

bool tracked(const at::Tensor& a, const at::Tensor& b) {
  return at::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad());
}

/// True where the loops below serve.
bool fusible(const at::Tensor& a, const at::Tensor& b) {
  const bool wide = a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble;
  return wide && a.scalar_type() == b.scalar_type() && a.is_cpu() && b.is_cpu();
}

template <class T>
void rms_norm_rows(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& out) {
  const int64_t width = x.size(-1);
  const T* const input = x.const_data_ptr<T>();
  const T* const scale = weight.const_data_ptr<T>();
  T* const output = out.mutable_data_ptr<T>();
  at::parallel_for(0, x.numel() / width, kGrain / width + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      rms_norm_row(input + row * width, scale, width, eps, output + row * width);
    }
  });
}

/// out = factor grad weight - factor^3 / width sum(grad weight x) x, row by row.
template <class T>
void rms_norm_backward_rows(const at::Tensor& grad, const at::Tensor& x, const at::Tensor& weight,
                            double eps, at::Tensor& out) {
  const int64_t width = x.size(-1);
  const T *const gradients = grad.const_data_ptr<T>(), *const input = x.const_data_ptr<T>();
  const T* const scale = weight.const_data_ptr<T>();
  T* const output = out.mutable_data_ptr<T>();
  at::parallel_for(0, x.numel() / width, kGrain / width + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T *const g = gradients + row * width, *const from = input + row * width;
      T* const to = output + row * width;
      const T mean = sum_of_squares(from, width) / static_cast<T>(width);
      const T factor = T{1} / std::sqrt(mean + static_cast<T>(eps));
      T dot = 0;
      for (int64_t i = 0; i < width; ++i) dot += g[i] * scale[i] * from[i];
      const T back = factor * factor * factor * dot / static_cast<T>(width);
      for (int64_t i = 0; i < width; ++i) to[i] = factor * g[i] * scale[i] - back * from[i];
    }
  });
}

template <class T>
void rotate_rows(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin,
                 at::Tensor& out) {
  const int64_t heads = x.size(1), seq = x.size(2), head_dim = x.size(3);
  const T* const input = x.const_data_ptr<T>();
  const T* const cosines = cos.const_data_ptr<T>();
  const T* const sines = sin.const_data_ptr<T>();
  T* const output = out.mutable_data_ptr<T>();
  const int64_t rows = x.size(0) * heads * seq;
  at::parallel_for(0, rows, kGrain / head_dim + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t token = row % seq, head = row / seq % heads, batch = row / seq / heads;
      const T* const from = input + batch * x.stride(0) + head * x.stride(1) + token * x.stride(2);
      const int64_t angles = token * (head_dim / 2);
      rotate_row(from, cosines + angles, sines + angles, head_dim / 2, output + row * head_dim);
    }
  });
}

at::Tensor rms_norm_loop(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor input = x.contiguous(), scale = weight.contiguous();
  at::Tensor out = at::empty_like(input);
  if (x.scalar_type() == at::kFloat) rms_norm_rows<float>(input, scale, eps, out);
  if (x.scalar_type() == at::kDouble) rms_norm_rows<double>(input, scale, eps, out);
  return out;
}

at::Tensor rotate_loop(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const at::Tensor input = x.stride(3) == 1 ? x : x.contiguous();
  at::Tensor out = at::empty(x.sizes(), x.options());
  if (x.scalar_type() == at::kFloat) {
    rotate_rows<float>(input, cos.contiguous(), sin.contiguous(), out);
  } else {
    rotate_rows<double>(input, cos.contiguous(), sin.contiguous(), out);
  }
  return out;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    context->save_for_backward({x, weight});
    context->saved_data["eps"] = eps;
    return rms_norm_loop(x, weight, eps);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor x = saved[0].contiguous(), weight = saved[1].contiguous();
    const at::Tensor grad = grads[0].contiguous();
    const double eps = context->saved_data["eps"].toDouble();
    at::Tensor input_grad = at::empty_like(x), weight_grad;
    if (x.scalar_type() == at::kFloat)
      rms_norm_backward_rows<float>(grad, x, weight, eps, input_grad);
    if (x.scalar_type() == at::kDouble)
      rms_norm_backward_rows<double>(grad, x, weight, eps, input_grad);
    if (context->needs_input_grad(1)) {
      const at::Tensor factor = at::rsqrt(x.square().mean(-1, true) + eps);
      weight_grad = (grad * x * factor).flatten(0, -2).sum(0);
    }
    return {input_grad, weight_grad, at::Tensor()};
  }
};

struct RotatePairs : torch::autograd::Function<RotatePairs> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate_loop(x, cos, sin);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    // The transpose of a rotation is the rotation by the opposite angle.
    return {rotate_loop(grads[0], saved[0], saved[1].neg()), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && weight.size(0) == x.size(-1), "rms_norm: weight of ",
              weight.sizes(), " for input ", x.sizes());
  if (fusible(x, weight))
    return tracked(x, weight) ? RmsNorm::apply(x, weight, eps) : rms_norm_loop(x, weight, eps);
  const at::Tensor wide = widened(x);
  const at::Tensor variance = wide.square().mean(-1, true);
  return weight * (wide * at::rsqrt(variance + eps)).to(x.scalar_type());
}

at::Tensor rotate_pairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const int64_t half = x.size(3) / 2;
  TORCH_CHECK(cos.size(0) == x.size(2) && cos.size(1) == half, "rotate_pairs: angles of ",
              cos.sizes(), " for input ", x.sizes());
  if (fusible(x, cos))
    return tracked(x, cos) ? RotatePairs::apply(x, cos, sin) : rotate_loop(x, cos, sin);
  const at::Tensor low = x.narrow(3, 0, half), high = x.narrow(3, half, half);
  return at::cat({low * cos - high * sin, high * cos + low * sin}, 3);
}

at::Tensor silu_times(at::Tensor gate, const at::Tensor& up) {
  if (tracked(gate, up)) return at::silu(gate) * up;
  return at::silu_(gate).mul_(up);
}

at::Tensor add_residual(const at::Tensor& residual, at::Tensor update) {
  if (tracked(residual, update)) return residual + update;
  return update.add_(residual);
}

}  // namespace wkvq
