#include "core/cache/decode_attention.h"

#include <cmath>
#include <limits>

#include "core/cache/decode_queries.h"
#include "core/device/torch_headers.h"
#include "core/kernels/packed_problems.h"

namespace wkvq {

namespace {

/// What of a task's tokens is packed.
enum class Kind { kPacked, kPackedKeys, kExact };

/// One unit of work: a span of tokens with packed keys, or the tokens of one entry of `exact`.
struct Task {
  Kind kind = Kind::kPacked;
  int64_t batch = 0, head = 0;
  int64_t first_page = 0, begin = 0, end = 0;  ///< tokens counted from the first page
  size_t exact = 0;                            ///< kExact: which entry
};

class Decoding {
 public:
  Decoding(const at::Tensor& query, const DecodeContext& context)
      : context_(context),
        shape_(context.past.shape()),
        queries_(decode_queries(query, context.past)),
        nothing_hidden_(static_cast<size_t>(queries_.rows), 0) {
    for (int64_t r = 0; r < queries_.rows; ++r)
      hidden_.push_back(queries_.steps - 1 - r % queries_.steps);
    list_tasks();
    const auto count = static_cast<int64_t>(tasks_.size());
    tops_ = at::empty({count, queries_.rows}, at::kFloat);
    totals_ = at::empty_like(tops_);
    sums_ = at::empty({count, queries_.rows, shape_.head_dim}, at::kFloat);
  }

  at::Tensor attend() {
    at::parallel_for(0, static_cast<int64_t>(tasks_.size()), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(
          static_cast<size_t>(std::max(kDecodeRows * kSpanTokens, longest_)));
      for (int64_t i = begin; i < end; ++i) run(i, scratch.data());
    });
    return merge();
  }

 private:
  /// Those of a head lie together, in the order of its tokens.
  void list_tasks() {
    for (int64_t b = 0; b < shape_.batch; ++b) {
      const auto at = static_cast<size_t>(b);
      const int64_t past_begin = context_.past_begin.empty() ? 0 : context_.past_begin[at];
      for (int64_t head = 0; head < shape_.kv_heads; ++head) {
        firsts_.push_back(static_cast<int64_t>(tasks_.size()));
        const int64_t whole = context_.past.tokens(b);
        list_spans({Kind::kPacked, b, head}, past_begin, whole);
        list_spans({Kind::kPackedKeys, b, head}, std::max(past_begin, whole),
                   context_.past.tokens(b, true));
        for (size_t i = 0; i < context_.exact.size(); ++i) {
          const int64_t begin = context_.exact[i].begin[at], end = context_.exact[i].end[at];
          if (begin >= end) continue;
          tasks_.push_back({Kind::kExact, b, head, 0, begin, end, i});
          longest_ = std::max(longest_, end - begin);
        }
      }
    }
    firsts_.push_back(static_cast<int64_t>(tasks_.size()));
  }

  void list_spans(Task task, int64_t from, int64_t to) {
    for (int64_t t = from / kSpanTokens * kSpanTokens; from < to && t < to; t += kSpanTokens) {
      task.first_page = t / kPageTokens;
      task.begin = std::max<int64_t>(0, from - t);
      task.end = std::min(kSpanTokens, to - t);
      tasks_.push_back(task);
    }
  }

  /// Exact values of the tokens of a kPackedKeys task: they end where exact keys begin.
  const float* values_of(const Task& task) const {
    const ExactTokens& tokens = context_.exact.back();
    const int64_t before =
        context_.past.tokens(task.batch, true) - (task.first_page * kPageTokens + task.begin);
    const int64_t at = task.batch * shape_.kv_heads + task.head;
    return tokens.value.const_data_ptr<float>() +
           (at * tokens.value.size(2) + tokens.begin[static_cast<size_t>(task.batch)] - before) *
               shape_.head_dim;
  }

  void run(int64_t i, float* scratch) {
    const Task& task = tasks_[static_cast<size_t>(i)];
    const PackedKv& past = context_.past;
    const int64_t at = task.batch * shape_.kv_heads + task.head;
    const int64_t row = at * queries_.rows;
    float* top = tops_.data_ptr<float>() + i * queries_.rows;
    float* total = totals_.data_ptr<float>() + i * queries_.rows;
    float* sums = sums_.data_ptr<float>() + i * queries_.rows * shape_.head_dim;
    if (task.kind != Kind::kExact) {
      past.kernels().attend(
          {.key = past.format(true),
           .value = past.format(false),
           .pages = past.pages(task.batch) + task.first_page,
           .key_offset = past.part_offset(task.head, true),
           .value_offset = past.part_offset(task.head, false),
           .begin = task.begin,
           .end = task.end,
           .more = task.first_page * kPageTokens + kSpanTokens < past.tokens(task.batch, true),
           .exact_value = task.kind == Kind::kPackedKeys ? values_of(task) : nullptr,
           .query = queries_.folded.const_data_ptr<float>() + row * shape_.head_dim,
           .rows = queries_.rows,
           .scratch = scratch,
           .top = top,
           .total = total,
           .sums = sums});
      return;
    }
    const ExactTokens& tokens = context_.exact[task.exact];
    const bool own = task.exact + 1 == context_.exact.size();
    const int64_t first = at * tokens.key.size(2) * shape_.head_dim;
    past.kernels().attend_exact(
        {.key = tokens.key.const_data_ptr<float>() + first,
         .value = tokens.value.const_data_ptr<float>() + first,
         .stride = shape_.head_dim,
         .dim = shape_.head_dim,
         .begin = task.begin,
         .end = task.end,
         .query = queries_.plain.const_data_ptr<float>() + row * shape_.head_dim,
         .offset = queries_.offset.const_data_ptr<float>() + row,
         .hidden = (own ? hidden_ : nothing_hidden_).data(),
         .rows = queries_.rows,
         .scratch = scratch,
         .top = top,
         .total = total,
         .sums = sums});
  }

  /// Sums the parts of every head in their order: packed ones, exact ones, shares of packed tokens.
  at::Tensor merge() {
    const std::vector<int64_t> shape{shape_.batch, shape_.kv_heads, queries_.rows, shape_.head_dim};
    at::Tensor packed = at::zeros(shape, at::kFloat), exact = at::zeros(shape, at::kFloat);
    at::Tensor share = at::zeros({shape[0], shape[1], shape[2], 1}, at::kFloat);
    const int64_t rows = queries_.rows, dim = shape_.head_dim;
    at::parallel_for(0, shape_.batch * shape_.kv_heads * rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        share.data_ptr<float>()[i] =
            merge_row(i / rows, i % rows, packed.data_ptr<float>() + i * dim,
                      exact.data_ptr<float>() + i * dim);
    });
    return decode_output(packed, exact, share, context_.past, queries_.steps);
  }

  /// Returns the share of packed tokens.
  float merge_row(int64_t head, int64_t r, float* packed, float* exact) const {
    const int64_t from = firsts_[static_cast<size_t>(head)],
                  to = firsts_[static_cast<size_t>(head + 1)];
    const int64_t rows = queries_.rows, dim = shape_.head_dim;
    float top = -std::numeric_limits<float>::infinity();
    const auto of = [&](const at::Tensor& x, int64_t i) {
      return x.const_data_ptr<float>()[i * rows + r];
    };
    for (int64_t i = from; i < to; ++i) top = std::max(top, of(tops_, i));
    float all = 0, share = 0;
    for (int64_t i = from; i < to; ++i) {
      const bool is_packed = tasks_[static_cast<size_t>(i)].kind == Kind::kPacked;
      const float factor = std::exp(of(tops_, i) - top), weight = factor * of(totals_, i);
      all += weight;
      if (is_packed) share += weight;
      float* out = is_packed ? packed : exact;
      const float* sums = sums_.const_data_ptr<float>() + (i * rows + r) * dim;
      for (int64_t c = 0; c < dim; ++c) out[c] += factor * sums[c];
    }
    for (int64_t c = 0; c < dim; ++c) {
      packed[c] /= all;
      exact[c] /= all;
    }
    return share / all;
  }

  const DecodeContext& context_;
  PackedKv::Shape shape_;
  DecodeQueries queries_;
  std::vector<int64_t> hidden_, nothing_hidden_;  // [rows]: tokens of the step after the row's own
  std::vector<Task> tasks_;
  std::vector<int64_t> firsts_;  // of every head, and the end
  int64_t longest_ = 0;
  at::Tensor tops_, totals_, sums_;  // of every task
};

/// Every query must see a token, its own among them where there are several. Tokens with packed
/// keys only must have their values.
void check_seen(const DecodeContext& context, int64_t steps) {
  for (int64_t b = 0; b < context.past.shape().batch; ++b) {
    const auto at = static_cast<size_t>(b);
    const int64_t begin = context.past_begin.empty() ? 0 : context.past_begin[at];
    const int64_t keys = context.past.tokens(b, true), values = context.past.tokens(b, false);
    const int64_t between = keys - std::max(begin, values);
    TORCH_CHECK(values <= keys && (between <= 0 || (!context.exact.empty() &&
                                                    context.exact.back().begin[at] >= between)),
                "decode attention: sequence ", b, " has ", keys, " packed keys and ", values,
                " packed values; expected as many, or the values between them in front of the last "
                "exact tokens");
    bool any = begin < keys;
    for (const ExactTokens& tokens : context.exact) any = any || tokens.begin[at] < tokens.end[at];
    TORCH_CHECK(any, "decode attention: sequence ", b, " has no token to attend to");
    if (steps == 1) continue;
    const int64_t own = context.exact.back().end[at] - context.exact.back().begin[at];
    TORCH_CHECK(own >= steps, "decode attention: ", steps, " queries with ", own,
                " exact tokens; expected their own keys and values among them");
  }
}

}  // namespace

at::Tensor decode_attention(const at::Tensor& query, const DecodeContext& context) {
  const PackedKv::Shape& shape = context.past.shape();
  TORCH_CHECK(query.dim() == 4 && query.size(0) == shape.batch && query.device() == shape.device &&
                  query.size(1) % shape.kv_heads == 0 && query.size(3) == shape.head_dim,
              "decode attention: got query ", query.sizes(), " on ", query.device(), "; expected [",
              shape.batch, ", a multiple of ", shape.kv_heads, ", n, ", shape.head_dim, "] on ",
              shape.device);
  TORCH_CHECK(query.size(2) == 1 || !context.exact.empty(),
              "decode attention: several queries need exact keys of their own");
  check_seen(context, query.size(2));
  const at::NoGradGuard no_grad;
  if (context.past.device_kernels())
    return decode_on_device(query, context).to(query.scalar_type());
  return Decoding(query, context).attend().to(query.scalar_type());
}

}  // namespace wkvq
